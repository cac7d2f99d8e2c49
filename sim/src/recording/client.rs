//! Owns the comparison of calls: what the recorded client asked for, and whether the machine asked for it too. Times are
//! the machine's own; what counts is that it makes the call at all.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::mesos::{OfferId, TaskId, Uuid};
use swan_core::scheduler::effect::MesosCall;

use super::report::{Divergence, Report};

/// What the machine has asked for, and what the recorded client has.
#[derive(Debug, Default)]
pub(super) struct Calls {
    made: BTreeMap<&'static str, u64>,
    recorded: BTreeMap<&'static str, u64>,
    /// Its own names of tasks that it told Mesos to end.
    killed: BTreeSet<TaskId>,
    /// Offers and inverse offers that it answered.
    answered: BTreeSet<OfferId>,
    acknowledged: BTreeSet<Uuid>,
    wanted: Vec<(usize, Wanted)>,
}

/// What the recorded client did and the machine should do at some time.
#[derive(Debug)]
pub(super) enum Wanted {
    /// The task by the recorded and by the machine's name.
    Kill(TaskId, TaskId),
    /// Offers or inverse offers, that are outstanding.
    Answer(&'static str, Vec<OfferId>),
    Acknowledge(Uuid),
    /// Any call of this kind.
    Kind(&'static str),
}

impl Calls {
    /// The machine calls.
    pub(super) fn make(&mut self, call: &MesosCall) {
        *self.made.entry(kind_of(call)).or_default() += 1;
        match call {
            MesosCall::Accept { offers, .. }
            | MesosCall::Decline { offers, .. }
            | MesosCall::AcceptInverse { offers }
            | MesosCall::DeclineInverse { offers, .. } => self.answered.extend(offers.iter().cloned()),
            MesosCall::Kill { task, .. } => {
                self.killed.insert(task.clone());
            }
            MesosCall::Acknowledge { uuid, .. } => {
                self.acknowledged.insert(uuid.clone());
            }
            MesosCall::Subscribe { .. }
            | MesosCall::Reconcile { .. }
            | MesosCall::Suppress { .. }
            | MesosCall::Revive { .. }
            | MesosCall::Disconnect => {}
        }
    }

    /// The recorded client made such a call.
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.recorded.entry(kind).or_default() += 1;
    }

    /// The recorded client wanted that.
    pub(super) fn want(&mut self, line: usize, wanted: Wanted) {
        self.wanted.push((line, wanted));
    }

    /// An offer cannot be answered any more.
    pub(super) fn withdraw(&mut self, offer: &OfferId) {
        self.answered.insert(offer.clone());
    }

    /// Compares, when all is over.
    pub(super) fn judge(&self, report: &mut Report) {
        for (kind, count) in &self.recorded {
            report.calls.entry(kind).or_default().0 += count;
        }
        for (kind, count) in &self.made {
            report.calls.entry(kind).or_default().1 += count;
        }
        for (line, wanted) in &self.wanted {
            if let Some((kind, detail)) = self.lacks(wanted) {
                report.diverge(Divergence { line: *line, kind, detail });
            }
        }
    }

    fn lacks(&self, wanted: &Wanted) -> Option<(String, String)> {
        match wanted {
            Wanted::Kill(recorded, own) if !self.killed.contains(own) => {
                Some(("KILL that Swan does not make".into(), recorded.to_string()))
            }
            Wanted::Acknowledge(uuid) if !self.acknowledged.contains(uuid) => {
                Some(("ACKNOWLEDGE of what was never delivered with a uuid".into(), String::new()))
            }
            Wanted::Kind(kind) if !self.made.contains_key(kind) => {
                Some((format!("{kind} that Swan does not make"), String::new()))
            }
            Wanted::Answer(kind, offers) => {
                let left = offers.iter().find(|offer| !self.answered.contains(*offer))?;
                Some((format!("{kind} of what Swan leaves unanswered"), left.to_string()))
            }
            Wanted::Kill(..) | Wanted::Acknowledge(_) | Wanted::Kind(_) => None,
        }
    }
}

/// A call's type; the two forms of RECONCILE are told apart.
const fn kind_of(call: &MesosCall) -> &'static str {
    match call {
        MesosCall::Subscribe { .. } => "SUBSCRIBE",
        MesosCall::Accept { .. } => "ACCEPT",
        MesosCall::Decline { .. } => "DECLINE",
        MesosCall::Kill { .. } => "KILL",
        MesosCall::Acknowledge { .. } => "ACKNOWLEDGE",
        MesosCall::Reconcile { tasks } if tasks.is_empty() => "RECONCILE of all",
        MesosCall::Reconcile { .. } => "RECONCILE of tasks",
        MesosCall::Suppress { .. } => "SUPPRESS",
        MesosCall::Revive { .. } => "REVIVE",
        MesosCall::AcceptInverse { .. } => "ACCEPT_INVERSE_OFFERS",
        MesosCall::DeclineInverse { .. } => "DECLINE_INVERSE_OFFERS",
        MesosCall::Disconnect => "disconnect",
    }
}
