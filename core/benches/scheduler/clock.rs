//! Owns time as benchmarks count it: what the thread has spent on a processor.

use std::time::Duration;

/// Counts the time that this thread spends on a processor.
pub(crate) struct Clock(Duration);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Self::read())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Self::read() - self.0
    }

    fn read() -> Duration {
        let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
        let nanos =
            schedstat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("schedstat has numbers");
        Duration::from_nanos(nanos)
    }
}
