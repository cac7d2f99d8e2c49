//! Owns tasks of ours that no record knows: left alone, shown, never killed by themselves (R45).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::api::{ApiError, ApiReply, ErrorKind};
use super::codec::Key;
use super::effect::MesosCall;
use super::event::EventKind;
use super::ledger::{Change, Gated};
use super::requests::Outcome;
use super::stop::kill_pause;
use super::timers::TimerKey;
use crate::limits::{KILL_RETRY, QUARANTINE_MAX};
use crate::mesos::{AgentId, TaskId, TaskState, TaskStatus};
use crate::time::{Instant, Timestamp};

/// One unknown task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Quarantined {
    pub(super) agent: Option<AgentId>,
    pub(super) state: TaskState,
    pub(super) first_seen: Timestamp,
    pub(super) heard: u32,
    /// An operator ends it.
    pub(super) ending: bool,
    /// How often this process has told it so.
    pub(super) kills: u8,
    pub(super) timer: Option<Instant>,
}

impl Scheduler {
    /// An update about a task that neither a slot nor the superseded tasks know.
    pub(super) fn on_unknown_update(&mut self, status: &TaskStatus) {
        self.stats.unknown_updates += 1;
        let id = &status.task_id;
        let over = status.state.is_terminal() || status.state == TaskState::Unknown;
        if over {
            // The end of a task that ended before, or of one in quarantine.
            self.forget_quarantined(id);
            return;
        }
        if mutant!(KillsUnknown) {
            let (task, agent) = (id.clone(), status.agent_id.clone());
            self.call(MesosCall::Kill { task, agent, grace: None });
        }
        let generation = self.reconcile.generation;
        if let Some(known) = self.quarantine.get_mut(id) {
            known.heard = generation;
            let before = core::mem::replace(&mut known.state, status.state);
            if known.ending && status.state != TaskState::Killing {
                // Whatever is heard of it says that it is not over: the KILL may have got lost.
                self.kill_quarantined(id);
            }
            if before == status.state {
                return;
            }
        } else {
            if self.quarantine.len() >= QUARANTINE_MAX {
                self.stats.quarantine_dropped += 1;
                return;
            }
            let entry = Quarantined {
                agent: status.agent_id.clone(),
                state: status.state,
                first_seen: self.now.wall,
                heard: generation,
                ending: false,
                kills: 0,
                timer: None,
            };
            self.quarantine.insert(id.clone(), entry);
            let state = status.state.name().unwrap_or("TASK_UNKNOWN").to_string();
            self.ledger.note(Change::Quarantine(id.clone()));
            self.publish(None, None, EventKind::TaskQuarantined { task: id.clone(), state });
            return;
        }
        self.ledger.note(Change::Quarantine(id.clone()));
    }

    /// An operator ends an unknown task.
    pub(super) fn end_quarantined(&mut self, task: &TaskId) -> Outcome {
        let Some(entry) = self.quarantine.get_mut(task) else {
            let detail = format!("no task '{task}' is in quarantine");
            return Err(ApiError::new(ErrorKind::NotFound, detail));
        };
        if !entry.ending {
            entry.ending = true;
            self.ledger.note(Change::Quarantine(task.clone()));
        }
        self.kill_quarantined(task);
        Ok(ApiReply::Done)
    }

    /// Goes on with what operators have asked for under an earlier leader.
    pub(super) fn resume_quarantine(&mut self) {
        let ending = self.quarantine.iter().filter(|(_, entry)| entry.ending);
        for task in ending.map(|(task, _)| task.clone()).collect::<Vec<_>>() {
            self.kill_quarantined(&task);
        }
    }

    /// Sends the next KILL of a task that an operator ends, and arms the one after (R85). One that nobody can reach rests
    /// until more is heard of it.
    pub(super) fn kill_quarantined(&mut self, task: &TaskId) {
        let connected = self.link.connected;
        let Some(entry) = self.quarantine.get_mut(task).filter(|entry| entry.ending) else { return };
        if entry.state == TaskState::Unreachable {
            entry.kills = 0;
            return self.arm_quarantined(task, None);
        }
        if !connected {
            return self.arm_quarantined(task, Some(self.now.mono + KILL_RETRY));
        }
        let pause = kill_pause(entry.kills);
        entry.kills = entry.kills.saturating_add(1);
        self.arm_quarantined(task, Some(self.now.mono + pause));
        self.gate(Gated::KillQuarantined(task.clone()));
    }

    /// The timer of a task that an operator ends.
    pub(super) fn quarantined_due(&mut self, task: &TaskId) {
        if let Some(entry) = self.quarantine.get_mut(task) {
            entry.timer = None;
        }
        self.kill_quarantined(task);
    }

    fn arm_quarantined(&mut self, task: &TaskId, at: Option<Instant>) {
        if let Some(entry) = self.quarantine.get_mut(task) {
            self.timers.arm(TimerKey::Quarantined(task.clone()), &mut entry.timer, at);
        }
    }

    /// Releases the KILL of an unknown task.
    pub(super) fn release_kill_quarantined(&mut self, task: TaskId) {
        let Some(entry) = self.quarantine.get(&task).filter(|entry| entry.ending) else { return };
        if self.link.connected {
            self.stats.kills += 1;
            let agent = entry.agent.clone();
            self.call(MesosCall::Kill { task, agent, grace: None });
        }
    }

    fn forget_quarantined(&mut self, id: &TaskId) {
        self.arm_quarantined(id, None);
        if self.quarantine.remove(id).is_some() {
            self.ledger.note(Change::Gone(Key::Quarantine(String::from(id.as_str())).encode()));
        }
    }
}
