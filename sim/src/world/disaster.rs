//! Owns how a run may end: with what no machine can mend by itself, and must not make worse.

use swan_core::mesos::FrameworkId;
use swan_core::scheduler::View;

use super::World;
use super::watch::Watch;
use crate::ask::Ask;
use crate::checkers::stored::Stored;
use crate::disk::Platter;
use crate::mesos::{ClusterInput, OperatorCall, RequestNo};
use crate::options::Disaster;

/// How long it is watched: two implicit reconciliations, and room.
const WATCHED_MS: u64 = 40 * 60_000;
/// How long it is held each time before the next thing happens.
const HELD_MS: u64 = 5 * 60_000;
/// How the account names the loss of the whole store.
pub(super) const STORE_LOST: &str = "store: lost (Z6)";

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
            Some(disaster @ (Disaster::StoreLostAdopted | Disaster::StoreLostNew)) => {
                self.lose_store(disaster == Disaster::StoreLostAdopted);
            }
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

    /// The store is lost altogether: who begins holds until an operator speaks, whatever else happens (S14).
    fn lose_store(&mut self, adopts: bool) {
        self.crash_all(STORE_LOST);
        if self.watch.violation.is_some() {
            return;
        }
        self.restore_journal(Platter::default());
        self.watch = Watch::of_loss(&self.cluster);
        self.run_until(self.now + HELD_MS);
        let Some(framework) = self.held() else {
            // Nothing ran; else the checker has seen that it subscribed.
            return self.must_be_back("with nothing that runs");
        };
        // Another process finds what the first has found, also where a new master knows nothing yet.
        self.cluster_step(ClusterInput::MasterFailover);
        self.crash_all("process: crash at rest");
        self.run_until(self.now + HELD_MS);
        if self.watch.violation.is_none() && self.held().is_none() {
            return self.broken("S14", "the store is lost, tasks run, and it is not held".into());
        }
        self.agents.up().into_iter().for_each(|at| self.register_agent(at));
        self.ledger.note(if adopts {
            "operator: a framework is adopted (Z6)"
        } else {
            "operator: a new framework is made (Z6)"
        });
        let adopt = adopts.then(|| framework.to_string());
        self.ask(Ask::ChooseFramework { adopt });
        if self.rng.chance(500_000) {
            self.run_until(self.now + self.options.store.latency_ms.1);
            self.crash_all("process: crash at rest");
        }
        self.run_until(self.now + WATCHED_MS);
        self.must_be_back("after an operator's word");
        if adopts {
            self.end_unknown(&framework);
        }
    }

    /// The operator ends one of the tasks that nobody remembers, and just that one ends.
    fn end_unknown(&mut self, framework: &FrameworkId) {
        // Of what runs where no agent is registered any more no manager can know.
        let Some((_, task)) =
            self.cluster.alive_of(framework).find(|(agent, _)| self.cluster.is_reachable(agent))
        else {
            return;
        };
        let task = task.clone();
        self.ask(Ask::EndUnknown { task: task.to_string() });
        self.run_until(self.now + WATCHED_MS);
        if self.watch.violation.is_none() && self.cluster.alive_of(framework).any(|(_, alive)| *alive == task)
        {
            self.broken("S14", format!("an operator has ended {task}, and it runs"));
        }
    }

    fn must_be_back(&mut self, when: &str) {
        if self.watch.violation.is_none() && !self.is_back() {
            self.broken(
                "L1",
                format!("the store was lost; {when} the manager does not lead, or is not connected"),
            );
        }
    }

    /// The first framework that is held, if the manager waits for a word.
    fn held(&self) -> Option<FrameworkId> {
        let view = self.view().filter(View::leads)?;
        let hold = view.hold().filter(|hold| hold.word.is_none())?;
        hold.predecessors.first().map(|it| it.id.clone())
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
