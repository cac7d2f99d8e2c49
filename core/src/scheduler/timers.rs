//! Owns the one ordered set of deadlines; whoever arms a timer remembers when, so that re-arming is exact.

use alloc::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::apps::AppIdx;
use crate::mesos::TaskId;
use crate::time::Instant;

/// What a deadline is for; at most one per key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum TimerKey {
    /// The slot's next deadline, whatever its state makes of it.
    Slot(AppIdx, u32),
    /// Kill a superseded task again, or forget it.
    Former(TaskId),
    /// A rollout may go on, or has not moved for too long.
    Rollout(AppIdx),
    /// The oldest loss of an agent is past.
    Brake,
    /// The oldest held offer is due back.
    Offers,
    /// SUPPRESS or REVIVE may be due.
    Levels,
    /// The next batch of reconciliation.
    Reconcile,
    /// The oldest idempotency key expires.
    Keys,
    /// Apps with tasks that shall leave their agents are looked at again.
    Moves,
}

/// Deadlines in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Timers {
    set: BTreeSet<(Instant, TimerKey)>,
}

impl Timers {
    /// Replaces the deadline of `key`: `armed` is where its owner keeps it.
    pub(super) fn arm(&mut self, key: TimerKey, armed: &mut Option<Instant>, at: Option<Instant>) {
        if *armed == at {
            return;
        }
        if let Some(old) = *armed {
            let was_there = self.set.remove(&(old, key.clone()));
            assert!(was_there, "an owner's idea of its timer differs from the set");
        }
        if let Some(new) = at {
            self.set.insert((new, key));
        }
        *armed = at;
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.set.first().map(|&(at, _)| at)
    }

    /// Takes the earliest key that is due; its owner must forget it.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        if self.next()? > now {
            return None;
        }
        self.set.pop_first().map(|(_, key)| key)
    }
}
