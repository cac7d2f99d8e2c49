//! Owns how fast tasks are replaced that may still run somewhere: when many cannot be reached, the network may have failed
//! and not the machines, and what is left of the cluster must bear what takes their place (R57).
//!
//! In cluster time, and not recorded: a new leader begins a new span.

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::apps::AppIdx;
use crate::limits::{WAVE_APP_MIN, WAVE_APP_PERCENT, WAVE_MIN, WAVE_PERCENT, WAVE_WINDOW};
use crate::time::ClusterTime;

/// Replacements within the present span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wave {
    since: ClusterTime,
    count: u64,
}

impl Wave {
    /// Whether another one is within the limit now.
    fn has_room(&mut self, now: ClusterTime, most: u64) -> bool {
        if now.since(self.since) >= WAVE_WINDOW {
            *self = Self { since: now, count: 0 };
        }
        self.count < most
    }
}

impl Scheduler {
    /// Whether one more task of the app that cannot be reached may be replaced now; if so, it is counted.
    pub(super) fn may_replace_lost(&mut self, idx: AppIdx) -> bool {
        let now = self.clock.read(self.now.mono);
        let most = WAVE_MIN.max(self.live_tasks * WAVE_PERCENT / 100);
        let app = self.apps.get_mut(idx).expect("only tasks of living apps are replaced");
        let most_of_app = WAVE_APP_MIN.max(u64::from(app.instances) * WAVE_APP_PERCENT / 100);
        let may = self.wave.has_room(now, most) && app.wave.has_room(now, most_of_app);
        if may {
            self.wave.count += 1;
            app.wave.count += 1;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;

    #[test]
    fn a_span_has_so_many_and_the_next_one_as_many_again() {
        let (mut wave, start) = (Wave::default(), ClusterTime(5_000_000));
        for _ in 0..3 {
            assert!(wave.has_room(start, 3));
            wave.count += 1;
        }
        assert!(!wave.has_room(start, 3));
        assert!(!wave.has_room(start + Millis(WAVE_WINDOW.0 - 1), 3));
        assert!(wave.has_room(start + WAVE_WINDOW, 3));
        assert_eq!(wave.count, 0);
    }
}
