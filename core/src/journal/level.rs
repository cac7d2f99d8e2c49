//! Owns the format levels (S25): up to which this build reads, which one is in force, and when the next takes force.
//!
//! Every frame is written at the level in force, which the newest manifest holds. It rises by one, with a manifest that
//! is the first frame of the next level, and never falls. Why no registered manager is left behind: a manager joins the
//! register before it reads anything, and the switch holds only if nobody has joined since the register was read by
//! whoever raises. So each manager either was counted, or reads the new manifest, which it refuses by name if it must.

use serde::{Deserialize, Serialize};

use super::frame::FORMAT_FIRST;
use crate::time::{Instant, Millis};

/// What all registered managers can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readers {
    /// The lowest of the format levels up to which they read.
    pub lowest: u8,
    /// How often managers had joined the register when that was so.
    pub joined: u64,
}

/// The levels, as one machine knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Levels {
    newest: u8,
    in_force: u8,
    /// As heard last.
    readers: Option<Readers>,
    /// All were heard to read the next level at this time, and at each time since.
    since: Option<Instant>,
    /// That has been so for long enough.
    ripe: bool,
}

/// The next level, which may take force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raise {
    pub(super) level: u8,
    /// It may not if managers have joined the register more often than this.
    pub(super) joined: Option<u64>,
}

impl Levels {
    /// Those of a build that reads up to `newest`, before anything was read.
    pub(super) const fn new(newest: u8) -> Self {
        Self { newest, in_force: FORMAT_FIRST, readers: None, since: None, ripe: false }
    }

    /// The level in force, as far as it was followed.
    pub(super) const fn in_force(&self) -> u8 {
        self.in_force
    }

    /// The level of what is written.
    pub(super) fn written(&self) -> u8 {
        if mutant!(WritesNewest) { self.newest } else { self.in_force }
    }

    /// Something of this level is stored, so it is in force.
    pub(super) fn follow(&mut self, level: u8) {
        if level > self.in_force {
            self.in_force = level;
            (self.since, self.ripe) = (None, false);
        }
    }

    /// What all managers can read. The next level waits for `wait` from when they all could: one of them may be away
    /// just then, only to start again.
    pub(super) fn hear(&mut self, now: Instant, readers: Readers, wait: Millis) {
        self.readers = Some(readers);
        if readers.lowest > self.in_force && self.newest > self.in_force {
            self.since = self.since.or(Some(now));
        } else {
            (self.since, self.ripe) = (None, false);
        }
        self.ripen(now, wait);
    }

    /// Time has passed; whether the next level may take force only now.
    pub(super) fn ripen(&mut self, now: Instant, wait: Millis) -> bool {
        let ripe = self.since.is_some_and(|since| since + wait <= now);
        ripe && !core::mem::replace(&mut self.ripe, true)
    }

    /// When to call [`Self::ripen`].
    pub(super) fn deadline(&self, wait: Millis) -> Option<Instant> {
        self.since.filter(|_| !self.ripe).map(|since| since + wait)
    }

    /// The next level, if it may take force now.
    pub(super) fn next(&self) -> Option<Raise> {
        let level = self.in_force + 1;
        if mutant!(RaisesAlone) && self.newest >= level {
            return Some(Raise { level, joined: None });
        }
        let readers = self.readers.filter(|_| self.ripe)?;
        Some(Raise { level, joined: Some(readers.joined) })
    }

    /// Somebody may have joined: nothing rises until the register was read anew.
    pub(super) const fn forget_readers(&mut self) {
        self.readers = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Millis = Millis(100);

    #[test]
    fn a_level_rises_once_all_have_been_able_to_read_it_for_a_while_and_by_one() {
        let mut levels = Levels::new(3);
        let readers = |lowest, joined| Readers { lowest, joined };
        levels.hear(Instant(0), readers(1, 3), WAIT);
        assert_eq!((levels.next(), levels.deadline(WAIT)), (None, None));
        levels.hear(Instant(50), readers(3, 4), WAIT);
        assert_eq!((levels.next(), levels.deadline(WAIT)), (None, Some(Instant(150))));
        levels.hear(Instant(90), readers(1, 5), WAIT);
        levels.hear(Instant(120), readers(2, 5), WAIT);
        assert!(!levels.ripen(Instant(219), WAIT), "one of an older build was there meanwhile");
        assert!(levels.ripen(Instant(220), WAIT) && !levels.ripen(Instant(221), WAIT), "told once");
        assert_eq!((levels.next(), levels.deadline(WAIT)), (Some(Raise { level: 2, joined: Some(5) }), None));
        levels.forget_readers();
        assert_eq!(levels.next(), None);
        levels.hear(Instant(230), readers(2, 6), WAIT);
        assert_eq!(levels.next(), Some(Raise { level: 2, joined: Some(6) }));
        levels.follow(2);
        assert_eq!((levels.in_force(), levels.next()), (2, None));
        levels.follow(1);
        assert_eq!(levels.in_force(), 2, "it never falls");
        levels.hear(Instant(240), readers(3, 6), WAIT);
        levels.hear(Instant(340), readers(3, 6), WAIT);
        assert_eq!(levels.next(), Some(Raise { level: 3, joined: Some(6) }));
        levels.follow(3);
        levels.hear(Instant(350), readers(9, 6), WAIT);
        levels.hear(Instant(950), readers(9, 6), WAIT);
        assert_eq!(levels.next(), None, "this build knows no newer one");
    }
}
