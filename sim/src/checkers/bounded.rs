//! Owns the check of S17: what leaves a process and what it stores keeps within the stated limits.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::journal::{OpId, StoreOp};
use swan_core::limits::{
    APPENDS_IN_FLIGHT_MAX, CHUNK_BYTES_MAX, ENTRY_BYTES_MAX, LAUNCHES_PER_ACCEPT_MAX,
    MESOS_CALLS_IN_FLIGHT_MAX, MESSAGE_BYTES_MAX, RECONCILE_TASKS_MAX, RECORD_BYTES_MAX,
};
use swan_core::link::{CallId, ConnId, LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::event::EventKind;

use super::{Checker, Context, Seen};

/// Queues outside the process never hold more than they should, nor anything that is too large.
#[derive(Clone, Debug, Default)]
pub struct Bounded {
    appends: BTreeSet<OpId>,
    calls: BTreeMap<ConnId, BTreeSet<CallId>>,
}

impl Checker for Bounded {
    fn number(&self) -> &'static str {
        "S17"
    }

    fn see(&mut self, _: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Started { .. } => *self = Self::default(),
            Seen::Told(ManagerInput::Stored { id, .. }) => drop(self.appends.remove(id)),
            Seen::Told(ManagerInput::Link(LinkInput::Answered { conn, id, .. })) => {
                if let Some(calls) = self.calls.get_mut(conn) {
                    calls.remove(id);
                }
            }
            Seen::Does(ManagerEffect::Store { id, op }) => return self.stores(*id, op),
            Seen::Does(ManagerEffect::Link(LinkEffect::Close { conn })) => drop(self.calls.remove(conn)),
            Seen::Does(ManagerEffect::Link(LinkEffect::Send { conn, id, call, .. })) => {
                let calls = self.calls.entry(*conn).or_default();
                calls.insert(*id);
                limit("calls without an answer", calls.len(), MESOS_CALLS_IN_FLIGHT_MAX)?;
                return sends(call);
            }
            Seen::Does(ManagerEffect::Publish(event)) => {
                if let EventKind::TaskChanged { message, .. } = &event.kind {
                    return limit("bytes of a message", message.len(), MESSAGE_BYTES_MAX);
                }
            }
            Seen::Stored(entry) => {
                let largest = entry.ops.iter().filter_map(|op| op.value.as_ref()).map(Vec::len).max();
                return limit("bytes of a record", largest.unwrap_or(0), RECORD_BYTES_MAX);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Bounded {
    fn stores(&mut self, id: OpId, op: &StoreOp) -> Result<(), String> {
        match op {
            StoreOp::Append { entry, .. } => {
                self.appends.insert(id);
                limit("appends without an answer", self.appends.len(), APPENDS_IN_FLIGHT_MAX)?;
                limit("bytes of an entry", entry.as_slice().len(), ENTRY_BYTES_MAX)
            }
            StoreOp::WriteChunk { bytes, .. } => {
                limit("bytes of a chunk", bytes.as_slice().len(), CHUNK_BYTES_MAX)
            }
            _ => Ok(()),
        }
    }
}

fn sends(call: &MesosCall) -> Result<(), String> {
    match call {
        MesosCall::Accept { launches, .. } => {
            limit("launches of an ACCEPT", launches.len(), LAUNCHES_PER_ACCEPT_MAX)
        }
        MesosCall::Reconcile { tasks } => limit("tasks of a RECONCILE", tasks.len(), RECONCILE_TASKS_MAX),
        _ => Ok(()),
    }
}

fn limit(what: &str, is: usize, most: usize) -> Result<(), String> {
    if is > most { Err(format!("{is} {what}, where {most} is the limit")) } else { Ok(()) }
}
