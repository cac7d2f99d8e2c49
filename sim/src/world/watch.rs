//! Owns the watch: the checkers, what they may look at, and the first violation.

use swan_core::time::Instant;

use crate::checkers::convergence::Book;
use crate::checkers::fleet::Fleet;
use crate::checkers::stored::Stored;
use crate::checkers::{self, Checker, Context, Seen};
use crate::mesos::Cluster;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number.
    pub number: &'static str,
    /// What is broken.
    pub what: String,
    /// When, in virtual ms.
    pub at: u64,
    /// After how many effects.
    pub effects: u64,
}

/// Watches everything, and remembers the first violation.
#[derive(Debug)]
pub(super) struct Watch {
    checkers: Vec<Box<dyn Checker>>,
    fleet: Fleet,
    pub(super) stored: Stored,
    pub(super) calm_since: u64,
    pub(super) healed: Option<u64>,
    pub(super) violation: Option<Violation>,
    /// Which manager is told and does things now, and what its own clock shows.
    pub(super) manager: usize,
    pub(super) clock: Instant,
    /// Nobody looks.
    pub(super) closed: bool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            checkers: checkers::all(),
            fleet: Fleet::default(),
            stored: Stored::default(),
            calm_since: 0,
            healed: None,
            violation: None,
            manager: 0,
            clock: Instant(0),
            closed: false,
        }
    }

    /// Watches what follows a disaster; this is what is stored.
    pub(super) fn of_disaster(stored: Stored, cluster: &Cluster) -> Self {
        Self { checkers: checkers::after_disaster(&stored, cluster), stored, ..Self::new() }
    }

    /// Watches what follows the loss of the whole store.
    pub(super) fn of_loss(cluster: &Cluster) -> Self {
        Self { checkers: checkers::after_loss(cluster), ..Self::new() }
    }

    pub(super) fn see(&mut self, now: u64, effects: u64, book: &Book, seen: Seen<'_>) {
        if self.closed || self.violation.is_some() {
            return;
        }
        self.fleet.note(now, seen);
        let Self { checkers, fleet, stored, calm_since, healed, manager, clock, .. } = self;
        let (manager, clock, calm_since, healed) = (*manager, *clock, *calm_since, *healed);
        let at = Context { now, manager, clock, calm_since, healed, stored, fleet, book };
        let mut broken = None;
        for checker in checkers {
            if let Err(what) = checker.see(at, seen) {
                broken = Some(Violation { number: checker.number(), what, at: now, effects });
                break;
            }
        }
        self.violation = broken;
    }
}
