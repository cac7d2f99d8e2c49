//! Owns the clocks of this process, as core counts them.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use swan_core::time::{Instant, Now, Timestamp};

/// Counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: StdInstant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: StdInstant::now() }
    }

    /// Both clocks.
    pub(crate) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Now { mono: self.mono(), wall: Timestamp(millis(wall)) }
    }

    /// The one that only goes on.
    pub(crate) fn mono(self) -> Instant {
        Instant(millis(self.start.elapsed().as_millis()))
    }
}

fn millis(n: u128) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
