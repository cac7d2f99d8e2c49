//! Owns the end of tasks: every planned stop drains, is recorded, then killed, again and again until Mesos says it is
//! over; and the superseded tasks that are killed should they return.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::apps::AppIdx;
use super::effect::MesosCall;
use super::event::EventKind;
use super::ledger::{Change, Gated};
use super::slot::{Stop, StopReason, number_of};
use super::timers::TimerKey;
use crate::limits::{FORMER_LIFETIME, FORMER_TASKS_MAX, KILL_RETRY, KILL_RETRY_MAX, KILL_STUCK};
use crate::mesos::{AgentId, TaskId, TaskState};
use crate::time::{ClusterTime, Instant, Millis};

/// A task that was replaced while nobody could reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Former {
    pub(super) agent: AgentId,
    pub(super) since: ClusterTime,
    /// When it was lost with its agent; zero if an operator gave that one up.
    pub(super) lost: ClusterTime,
    /// Seen alive again by this process, so that it is being killed.
    pub(super) alive: bool,
    pub(super) kills: u8,
    pub(super) timer: Option<Instant>,
    pub(super) heard: u32,
}

impl Scheduler {
    /// Begins to end a task; a reason given earlier stays, but for one that makes the task wait for others.
    pub(super) fn stop_task(&mut self, idx: AppIdx, slot: u32, why: StopReason) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("only tasks of living apps are ended");
        let Some(task) = app.slot(slot).and_then(|s| s.task.as_ref()) else { return };
        if let Some(stop) = task.stop {
            let lost = task.state == TaskState::Unreachable;
            // Should it be lost, or is, it is no longer waited for: nothing is to take its place, or its user says so.
            if stop.why.makes_way() && !why.makes_way() {
                app.edit(slot, |s| {
                    s.task.as_mut().expect("checked above").stop = Some(Stop { why, ..stop });
                });
                self.note_slot(idx, slot);
            }
            if lost {
                self.arm_slot(idx, slot, Some(self.now.mono));
            }
            return;
        }
        let served = task.serves();
        // First of all: the events below wait for this record.
        self.note_slot(idx, slot);
        if served {
            self.withdraw(idx, slot);
        }
        // Gateways confirm the withdrawal once there are any; until then there is nothing to wait for.
        let drain_until = clock;
        let app = self.apps.get_mut(idx).expect("checked above");
        app.edit(slot, |s| {
            let task = s.task.as_mut().expect("checked above");
            task.stop = Some(Stop { why, drain_until, kills: 0, stuck: false });
            task.updated = self.now.wall;
        });
        self.publish_state(idx, slot, String::new());
        self.arm_slot(idx, slot, Some(self.now.mono));
    }

    /// Sends the next KILL of a task that is being ended, once its record is durable, and arms the one after (R85).
    pub(super) fn kill_stopping(&mut self, idx: AppIdx, slot: u32) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("only timers of living apps fire");
        let Some((hex, stop)) =
            app.slot(slot).and_then(|s| s.task.as_ref()).and_then(|t| Some((t.hex, t.stop?)))
        else {
            return;
        };
        if stop.drain_until > clock {
            let wait = stop.drain_until.since(clock);
            self.arm_slot(idx, slot, Some(self.now.mono + wait));
            return;
        }
        if !stop.stuck && clock.since(stop.drain_until) >= KILL_STUCK {
            self.say_stuck(idx, slot);
        }
        if !self.link.connected {
            // Nothing is sent, so that nothing is counted: the first KILL of the next connection comes soon.
            self.arm_slot(idx, slot, Some(self.now.mono + KILL_RETRY));
            return;
        }
        let app = self.apps.get_mut(idx).expect("only timers of living apps fire");
        app.edit(slot, |s| {
            let stop = s.task.as_mut().and_then(|task| task.stop.as_mut()).expect("checked above");
            stop.kills = stop.kills.saturating_add(1);
        });
        let again = (!mutant!(KillsOnce)).then(|| self.now.mono + kill_pause(stop.kills));
        self.arm_slot(idx, slot, again);
        self.gate(Gated::Kill { app: idx, slot, hex });
    }

    /// A task was told to end long ago and is still there: Docker may hang, and only people can help (R86, L6).
    fn say_stuck(&mut self, idx: AppIdx, seat: u32) {
        let app = self.apps.get_mut(idx).expect("only timers of living apps fire");
        let hex = app.edit(seat, |s| {
            let task = s.task.as_mut().expect("only tasks are stuck");
            task.stop.as_mut().expect("only a task that is being ended is stuck").stuck = true;
            task.hex
        });
        let (task, slot) = (app.task_id(seat, hex), number_of(seat));
        self.stats.stuck_kills += 1;
        self.publish(Some(idx), None, EventKind::TaskStuck { task, slot });
    }

    /// Releases a KILL, if the task still is what it was for.
    pub(super) fn release_kill(&mut self, idx: AppIdx, slot: u32, hex: u64) {
        let Some(app) = self.apps.get(idx) else { return };
        let Some(slot) = app.seat_of(slot, hex) else { return };
        let Some(task) = app.slot(slot).and_then(|s| s.task.as_ref()) else { return };
        if task.stop.is_none() || !self.link.connected || !task.sent {
            return;
        }
        let call = MesosCall::Kill {
            task: app.task_id(slot, hex),
            agent: Some(self.agents.get(task.agent).id.clone()),
            grace: app.versions.get(&task.version).and_then(|version| version.spec.kill_grace),
        };
        self.stats.kills += 1;
        self.call(call);
    }

    /// Remembers a task that leaves its slot while it may still run somewhere (R50, R53).
    pub(super) fn supersede(&mut self, task: TaskId, agent: AgentId, lost: ClusterTime) {
        if self.former.len() >= FORMER_TASKS_MAX {
            self.stats.former_dropped += 1;
            return;
        }
        let since = self.clock.read(self.now.mono);
        let heard = self.reconcile.generation;
        let former = Former { agent, since, lost, alive: false, kills: 0, timer: None, heard };
        self.former.insert(task.clone(), former);
        self.ledger.note(Change::Former(task.clone()));
        self.arm_former(&task, Some(self.now.mono + FORMER_LIFETIME));
    }

    /// A superseded task is alive: kill it.
    pub(super) fn kill_former(&mut self, task: &TaskId) {
        let connected = self.link.connected;
        let Some(former) = self.former.get_mut(task) else { return };
        former.alive = true;
        if !connected {
            self.arm_former(task, Some(self.now.mono + KILL_RETRY));
            return;
        }
        let pause = kill_pause(former.kills);
        former.kills = former.kills.saturating_add(1);
        self.arm_former(task, Some(self.now.mono + pause));
        self.gate(Gated::KillFormer(task.clone()));
    }

    /// Releases the KILL of a superseded task.
    pub(super) fn release_kill_former(&mut self, task: TaskId) {
        let Some(agent) = self.former.get(&task).map(|former| former.agent.clone()) else { return };
        if self.link.connected {
            self.stats.kills += 1;
            self.call(MesosCall::Kill { task, agent: Some(agent), grace: None });
        }
    }

    /// The timer of a superseded task: kill again, or forget it after its lifetime.
    pub(super) fn former_due(&mut self, task: &TaskId) {
        let Some(former) = self.former.get_mut(task) else { return };
        former.timer = None;
        if former.alive {
            self.kill_former(task);
        } else {
            self.forget_former(task);
        }
    }

    /// Nobody can reach a superseded task, so that no KILL can: it rests until it returns or its lifetime ends.
    pub(super) fn await_former(&mut self, task: &TaskId) {
        let clock = self.clock.read(self.now.mono);
        let Some(former) = self.former.get_mut(task) else { return };
        former.alive = false;
        former.kills = 0;
        let left = Millis(FORMER_LIFETIME.0.saturating_sub(clock.since(former.since).0));
        self.arm_former(task, Some(self.now.mono + left));
    }

    /// Forgets a superseded task: it is over, or too old to return.
    pub(super) fn forget_former(&mut self, task: &TaskId) {
        self.arm_former(task, None);
        if self.former.remove(task).is_some() {
            self.ledger.note(Change::Gone(super::codec::Key::Former(task.as_str().into()).encode()));
        }
    }

    pub(super) fn arm_former(&mut self, task: &TaskId, at: Option<Instant>) {
        if let Some(former) = self.former.get_mut(task) {
            self.timers.arm(TimerKey::Former(task.clone()), &mut former.timer, at);
        }
    }

    /// Arms, moves or disarms a slot's timer.
    pub(super) fn arm_slot(&mut self, idx: AppIdx, slot: u32, at: Option<Instant>) {
        let app = self.apps.get_mut(idx).expect("only slots of living apps have timers");
        self.timers.arm(TimerKey::Slot(idx, slot), app.slot_timer(slot), at);
    }

    /// Tells the world of a task's new state.
    pub(super) fn publish_state(&mut self, idx: AppIdx, slot: u32, message: String) {
        let task = self.apps.get(idx).and_then(|app| app.slot(slot)?.task.as_ref());
        if let Some(state) = task.map(|task| task.shown_state().name()) {
            self.publish_task(idx, slot, state, message);
        }
    }

    /// Tells the world of a task's state, given by name.
    pub(super) fn publish_task(&mut self, idx: AppIdx, slot: u32, state: &'static str, message: String) {
        let Some(app) = self.apps.get(idx) else { return };
        let Some(task) = app.slot(slot).and_then(|s| s.task.as_ref()) else { return };
        let agent = self.agents.get(task.agent);
        let kind = EventKind::TaskChanged {
            task: app.task_id(slot, task.hex),
            slot: number_of(slot),
            version: task.version,
            agent: agent.id.clone(),
            host: agent.host.clone(),
            state: state.into(),
            message,
        };
        self.publish(Some(idx), None, kind);
    }
}

/// The pause after the `n`th KILL.
pub(super) fn kill_pause(n: u8) -> Millis {
    KILL_RETRY.times(1 << n.min(10)).min(KILL_RETRY_MAX)
}
