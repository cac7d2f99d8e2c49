//! Owns the manager's clocks as faults have them: a wall clock that jumps, stops or runs wrong, and a process that is
//! stopped for a while.

use swan_core::time::Timestamp;

use super::{Happening, WALL_START, World};

/// Parts per million.
const RIGHT_RATE: u64 = 1_000_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// What the manager's host shows as the time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WallClock {
    /// When it was set last, and to what.
    set: (u64, u64),
    /// How fast it runs.
    rate_ppm: u64,
}

impl WallClock {
    /// One that runs as it should, and is so much ahead.
    pub(super) const fn right(ahead_ms: u64) -> Self {
        Self { set: (0, WALL_START + ahead_ms), rate_ppm: RIGHT_RATE }
    }

    pub(super) const fn at(self, now: u64) -> Timestamp {
        let (when, shown) = self.set;
        Timestamp(shown + (now - when) * self.rate_ppm / RIGHT_RATE)
    }
}

impl World {
    /// The manager's wall clock is set wrong, stops, or runs too fast or too slowly, until something else happens to it.
    pub(super) fn upset_wall_clock(&mut self) {
        self.disturbed("clock: wall time wrong (C1)");
        let shown = self.wall.at(self.now).0;
        let (shown, rate_ppm) = match self.draws.number("kind", 0, 4) {
            0 => (shown + self.draws.number("byMs", 1, DAY_MS), RIGHT_RATE),
            1 => (shown - self.draws.number("byMs", 1, DAY_MS), RIGHT_RATE),
            2 => (shown, 0),
            3 => (shown, RIGHT_RATE * 105 / 100),
            _ => (shown, RIGHT_RATE * 95 / 100),
        };
        self.wall = WallClock { set: (self.now, shown), rate_ppm };
    }

    /// From the beginning the manager's wall clock is so much ahead of the others.
    pub const fn shift_wall(&mut self, ahead_ms: u64) {
        self.wall_ahead_ms = ahead_ms;
        self.wall = WallClock::right(ahead_ms);
    }

    /// A process does not run for a while; what arrives waits for it. Says whether it ran.
    pub(super) fn pause_process(&mut self, at: usize, kind: &'static str) -> bool {
        let wait = self.draws.number("forMs", 100, 300_000);
        let running = self.managers[at].as_mut().filter(|process| process.waiting.is_none());
        let Some(process) = running else { return false };
        process.waiting = Some(Vec::new());
        let process = process.number;
        let Self { zookeeper, draws, ledger, .. } = self;
        if let Some(zookeeper) = zookeeper {
            zookeeper.pause(self.now, at, draws, ledger);
        }
        self.disturbed(kind);
        self.queue.push(self.now + wait, Happening::Resume { process });
        true
    }

    /// The process runs again: it goes on where it was stopped, and then all that waited comes at once.
    pub(super) fn resume_process(&mut self, number: u64) {
        let Some(at) = self.manager_of(number) else { return };
        let Some(process) = &mut self.managers[at] else { return };
        let Some(waiting) = process.waiting.take() else { return };
        let undone = std::mem::take(&mut process.undone);
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.resume(self.now, at);
        }
        self.speaks(at);
        self.carry_out(at, undone);
        for input in waiting {
            // What waited for a manager that is dropped meanwhile is dropped with it.
            if self.manager_of(number) == Some(at) {
                self.step(at, input);
            }
        }
    }

    /// The wall clock is right, and all processes run.
    pub(super) fn heal_clocks(&mut self) {
        self.wall = WallClock::right(self.wall_ahead_ms);
        let all: Vec<u64> = self.managers.iter().flatten().map(|process| process.number).collect();
        all.into_iter().for_each(|number| self.resume_process(number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_runs_as_it_was_set() {
        let right = WallClock::right(0);
        assert_eq!(right.at(5).0, WALL_START + 5);
        let stopped = WallClock { set: (10, 7), rate_ppm: 0 };
        assert_eq!(stopped.at(1_000).0, 7);
        let fast = WallClock { set: (0, 0), rate_ppm: RIGHT_RATE * 105 / 100 };
        assert_eq!(fast.at(1_000).0, 1_050);
    }
}
