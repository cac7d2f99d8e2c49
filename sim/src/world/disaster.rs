//! Owns how a run may end: with what no machine can mend by itself, and must not make worse.

use super::World;
use super::watch::Watch;
use crate::checkers::stored::Stored;
use crate::disk::Platter;
use crate::mesos::{ClusterInput, OperatorCall, RequestNo};
use crate::options::Disaster;

/// How long it is watched: two implicit reconciliations, and room.
const WATCHED_MS: u64 = 40 * 60_000;

/// What was stored at some time.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    platter: Platter,
    stored: Stored,
}

impl World {
    /// Copies what is stored, if it will be needed. A copy from before the first subscription is none: it is as if
    /// everything began anew.
    pub(super) fn keep_backup(&mut self) {
        if self.options.disaster == Some(Disaster::OldBackup) && self.watch.stored.has_framework() {
            let (platter, stored) = (self.copy_journal(), self.watch.stored.clone());
            self.backup = Some(Backup { platter, stored });
        }
    }

    /// Everything is as wanted: now it happens.
    pub(super) fn end_in_disaster(&mut self) {
        match self.options.disaster {
            Some(Disaster::OldBackup) => self.restore_backup(),
            Some(Disaster::FrameworkRemoved) => self.remove_framework(),
            None => {}
        }
    }

    /// The store is lost, and an operator puts an old copy in its place: it knows less than what runs (S14).
    fn restore_backup(&mut self) {
        let Some(Backup { platter, stored }) = self.backup.take() else { return };
        self.crash_all("store: old backup (Z6)");
        if self.watch.violation.is_some() {
            return;
        }
        self.restore_journal(platter);
        self.watch = Watch::of_disaster(stored, &self.cluster);
        self.run_until(self.now + WATCHED_MS);
        if self.watch.violation.is_none() && !self.is_back() {
            self.broken("L1", "with an old backup the manager does not lead, or is not connected".into());
        }
    }

    fn is_back(&self) -> bool {
        self.view().is_some_and(|view| view.manager().leading && view.manager().connected)
    }

    /// An operator tears the framework down: its id is dead, and no other may be taken (R12).
    fn remove_framework(&mut self) {
        let Some(framework) = self.cluster.frameworks().next().map(|(id, _)| id.clone()) else { return };
        self.ledger.note("master: framework removed (M6)");
        self.watch = Watch::of_disaster(self.watch.stored.clone(), &self.cluster);
        let (request, call) = (RequestNo(0), OperatorCall::Teardown { framework });
        self.cluster_step(ClusterInput::Operator { request, call });
        self.run_until(self.now + WATCHED_MS / 2);
        self.crash_all("process: crash at rest");
        self.run_until(self.now + WATCHED_MS / 2);
    }
}
