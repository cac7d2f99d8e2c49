//! Owns the calls of one subscription: those in flight, and those that wait behind them (R18).

use alloc::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::CallId;
use crate::limits::{
    MESOS_ACKNOWLEDGEMENTS_QUEUED_MAX, MESOS_CALL_ANSWER, MESOS_CALLS_IN_FLIGHT_MAX, MESOS_CALLS_QUEUED_MAX,
};
use crate::scheduler::effect::MesosCall;
use crate::time::Instant;

/// Calls in the order in which they were made; but acknowledgements, which come in floods and are asked for again, wait for
/// all others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Calls {
    next: CallId,
    in_flight: BTreeMap<CallId, InFlight>,
    queue: VecDeque<MesosCall>,
    acknowledgements: VecDeque<MesosCall>,
    /// When the last answer came: the master works its way through the calls.
    progress: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct InFlight {
    sent: Instant,
    answers_offers: bool,
}

/// Whether offers stay with us for ever unless the master gets this call.
pub(super) const fn answers_offers(call: &MesosCall) -> bool {
    matches!(call, MesosCall::Accept { .. } | MesosCall::Decline { .. })
}

impl Calls {
    /// None yet, where so many were sent by earlier subscriptions: ids are never reused.
    pub(super) const fn after(sent: u64) -> Self {
        Self {
            next: CallId(sent),
            in_flight: BTreeMap::new(),
            queue: VecDeque::new(),
            acknowledgements: VecDeque::new(),
            progress: Instant(0),
        }
    }

    /// Takes a call, or gives it back if there is no room.
    pub(super) fn push(&mut self, call: MesosCall) -> Result<(), MesosCall> {
        let (queue, room) = match call {
            MesosCall::Acknowledge { .. } => (&mut self.acknowledgements, MESOS_ACKNOWLEDGEMENTS_QUEUED_MAX),
            _ => (&mut self.queue, MESOS_CALLS_QUEUED_MAX),
        };
        if queue.len() >= room {
            return Err(call);
        }
        queue.push_back(call);
        Ok(())
    }

    /// The next call that may leave now.
    pub(super) fn next_to_send(&mut self, now: Instant) -> Option<(CallId, MesosCall)> {
        if self.in_flight.len() >= MESOS_CALLS_IN_FLIGHT_MAX {
            return None;
        }
        let call = self.queue.pop_front().or_else(|| self.acknowledgements.pop_front())?;
        let id = self.next;
        self.next = CallId(id.0 + 1);
        self.in_flight.insert(id, InFlight { sent: now, answers_offers: answers_offers(&call) });
        Some((id, call))
    }

    /// Forgets a call in flight; tells whether it answered offers. `None` if it is not in flight.
    pub(super) fn settle(&mut self, now: Instant, id: CallId) -> Option<bool> {
        let call = self.in_flight.remove(&id)?;
        self.progress = now;
        Some(call.answers_offers)
    }

    /// When the oldest call in flight has waited too long without any other being answered.
    pub(super) fn oldest_due(&self) -> Option<Instant> {
        self.in_flight.first_key_value().map(|(_, call)| call.sent.max(self.progress) + MESOS_CALL_ANSWER)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len() + self.acknowledgements.len()
    }
}
