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
    /// Kill a task in quarantine again.
    Quarantined(TaskId),
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
    /// Those of slots, by far the most, are kept apart: what is small is fast to compare.
    slots: BTreeSet<(Instant, AppIdx, u32)>,
    others: BTreeSet<(Instant, TimerKey)>,
}

impl Timers {
    /// Replaces the deadline of `key`: `armed` is where its owner keeps it.
    pub(super) fn arm(&mut self, key: TimerKey, armed: &mut Option<Instant>, at: Option<Instant>) {
        if *armed == at {
            return;
        }
        let was_there = match key {
            TimerKey::Slot(app, slot) => rearm(&mut self.slots, *armed, at, |at| (at, app, slot)),
            _ => rearm(&mut self.others, *armed, at, |at| (at, key.clone())),
        };
        assert!(was_there, "an owner's idea of its timer differs from the set");
        *armed = at;
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        let slot = self.slots.first().map(|&(at, ..)| at);
        let other = self.others.first().map(|&(at, _)| at);
        slot.into_iter().chain(other).min()
    }

    /// Takes the earliest key that is due; its owner must forget it.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        let next = self.next()?;
        if next > now {
            return None;
        }
        if self.slots.first().is_some_and(|&(at, ..)| at == next) {
            return self.slots.pop_first().map(|(_, app, slot)| TimerKey::Slot(app, slot));
        }
        self.others.pop_first().map(|(_, key)| key)
    }
}

/// Moves one deadline; whether it was where its owner took it to be.
fn rearm<T: Ord>(
    set: &mut BTreeSet<T>,
    from: Option<Instant>,
    to: Option<Instant>,
    entry: impl Fn(Instant) -> T,
) -> bool {
    let was_there = from.is_none_or(|old| set.remove(&entry(old)));
    set.extend(to.map(entry));
    was_there
}
