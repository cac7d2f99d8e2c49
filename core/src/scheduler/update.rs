//! Owns what happens to slots when Mesos reports of their tasks: the verdicts of the status table, applied.
//!
//! Order is apply, make durable, acknowledge (R21). Whatever carries a uuid is acknowledged, known or not (R20, R27).

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use super::Scheduler;
use super::apps::AppIdx;
use super::event::EventKind;
use super::ledger::Gated;
use super::slot::{FailureNote, Slot, StopReason};
use super::status::{Fault, Verdict, fault, judge, tells_address, tells_health};
use crate::id::TaskName;
use crate::limits::{MESSAGE_BYTES_MAX, STAGING_ASK, STAGING_DEADLINE, STEADY_AFTER, UNREACHABLE_REPLACE};
use crate::mesos::{TaskState, TaskStatus};
use crate::time::{ClusterTime, Millis};

impl Scheduler {
    /// Handles one status update.
    pub(super) fn on_update(&mut self, status: &TaskStatus) {
        self.stats.updates += 1;
        match self.find_task(status) {
            Some((idx, slot)) => self.on_slot_update(idx, slot, status),
            None if self.former.contains_key(&status.task_id) => self.on_former_update(status),
            None => self.on_unknown_update(status),
        }
        self.acknowledge(status);
    }

    /// The slot whose current task the update is about.
    fn find_task(&mut self, status: &TaskStatus) -> Option<(AppIdx, u32)> {
        let name = TaskName::parse(status.task_id.as_str())?;
        let idx = self.apps.find(name.app)?;
        let app = self.apps.get(idx)?;
        self.breadcrumb.entity = Some(app.dotted.clone());
        let task = app.slot(name.slot)?.task.as_ref()?;
        (task.hex == name.hex).then_some((idx, name.slot))
    }

    /// Acknowledges once everything so far is durable; at once if it is.
    fn acknowledge(&mut self, status: &TaskStatus) {
        let Some(uuid) = status.uuid.clone() else { return };
        let Some(agent) = status.agent_id.clone() else {
            self.stats.odd_updates += 1;
            return;
        };
        self.gate(Gated::Acknowledge { task: status.task_id.clone(), agent, uuid });
    }

    fn on_slot_update(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let generation = self.reconcile.generation;
        let app = self.apps.get_mut(idx).expect("found just now");
        let (state, sent) = app.edit(slot, |s| {
            s.heard = generation;
            let task = s.task.as_ref().expect("found just now");
            (task.state, task.sent)
        });
        if !sent {
            // Nobody can know of a task whose launch waits to be durable.
            self.stats.odd_updates += 1;
            return;
        }
        match judge(state, status) {
            Verdict::Same => self.take_details(idx, slot, status),
            Verdict::Advance(new) => {
                self.move_on(idx, slot, new, status);
                self.take_details(idx, slot, status);
            }
            Verdict::Vanish(_) => self.vanish(idx, slot, status),
            Verdict::End(end) => self.end(idx, slot, end, status),
            Verdict::Stale => self.stats.stale_updates += 1,
            Verdict::Odd => self.stats.odd_updates += 1,
        }
    }

    /// The task is in a new live state.
    fn move_on(&mut self, idx: AppIdx, slot: u32, new: TaskState, status: &TaskStatus) {
        let clock = self.clock.read(self.now.mono);
        let (wall, mono) = (self.now.wall, self.now.mono);
        let app = self.apps.get_mut(idx).expect("found just now");
        let served = app.slot(slot).and_then(|s| s.task.as_ref()).is_some_and(super::slot::Task::serves);
        let (stopping, failures) = app.edit(slot, |s| {
            let task = s.task.as_mut().expect("found just now");
            task.state = new;
            task.sent = true;
            task.updated = wall;
            task.since = clock;
            (task.stop.is_some(), s.failures)
        });
        self.note_slot(idx, slot);
        if !stopping {
            let timer = match new {
                TaskState::Staging | TaskState::Starting => Some(STAGING_ASK),
                TaskState::Running if failures > 0 => Some(STEADY_AFTER),
                _ => None,
            };
            self.arm_slot(idx, slot, timer.map(|span| mono + span));
        } else if new != TaskState::Killing {
            // A task that moves on while it is being ended may never have heard of it: KILL at once.
            self.arm_slot(idx, slot, Some(mono));
        }
        self.publish_state(idx, slot, message_of(status));
        self.serving_changed(idx, slot, served);
    }

    /// Takes health, address and container from an update, where it tells them (R25, R26).
    fn take_details(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let app = self.apps.get_mut(idx).expect("found just now");
        let before = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let served = before.serves();
        let healthy = if tells_health(status) { status.healthy } else { before.healthy };
        let host = &self.agents.get(before.agent).host;
        let ip = match status.ip_addresses.first() {
            Some(ip) if tells_address(status) && **ip != **host => Some(ip.as_str()),
            _ => before.ip.as_deref(),
        };
        let container = status.container_id.as_deref().or(before.container.as_deref());
        let changed = healthy != before.healthy
            || ip != before.ip.as_deref()
            || container != before.container.as_deref();
        if !changed {
            return;
        }
        let (ip, container) = (ip.map(Into::into), container.map(Into::into));
        let wall = self.now.wall;
        app.edit(slot, |s| {
            let task = s.task.as_mut().expect("found just now");
            task.healthy = healthy;
            task.ip = ip;
            task.container = container;
            task.updated = wall;
        });
        self.note_slot(idx, slot);
        self.serving_changed(idx, slot, served);
    }

    /// Tells gateways and listeners when a task begins or ceases to serve, and lets the planner go on.
    fn serving_changed(&mut self, idx: AppIdx, slot: u32, served: bool) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let (serves, hex) = (task.serves(), task.hex);
        if serves == served {
            return;
        }
        if serves {
            self.gate(Gated::Route { app: idx, slot, hex });
            self.publish_serving(idx, slot, true);
        } else {
            self.withdraw(idx, slot);
        }
        self.queue_plan(idx);
    }

    /// Nobody can reach the task; after a while it gets a replacement (R50).
    fn vanish(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        if task.stop.is_some() {
            self.replace_lost(idx, slot, status);
            return;
        }
        let served = task.serves();
        let (clock, wall) = (self.clock.read(self.now.mono), self.now.wall);
        let app = self.apps.get_mut(idx).expect("found just now");
        app.edit(slot, |s| {
            let task = s.task.as_mut().expect("found just now");
            task.state = TaskState::Unreachable;
            task.updated = wall;
            task.since = clock;
        });
        self.note_slot(idx, slot);
        self.arm_slot(idx, slot, Some(self.now.mono + UNREACHABLE_REPLACE));
        self.publish_state(idx, slot, message_of(status));
        self.serving_changed(idx, slot, served);
    }

    /// Frees the slot of a task that may still run somewhere; should it return, it is killed (R51, R53).
    fn replace_lost(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let (id, agent) = (app.task_id(slot, task.hex), self.agents.get(task.agent).id.clone());
        self.supersede(id, agent);
        self.vacate(idx, slot, status, Millis(0), false);
    }

    /// The task is over.
    fn end(&mut self, idx: AppIdx, slot: u32, end: TaskState, status: &TaskStatus) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let asked = task.stop.is_some();
        if end == TaskState::GoneByOperator {
            let (id, agent) = (app.task_id(slot, task.hex), self.agents.get(task.agent).id.clone());
            self.supersede(id, agent);
        }
        let blame = !asked && fault(status) == Fault::App;
        let pause = if blame { self.backoff(idx, slot) } else { Millis(0) };
        if blame {
            self.note_failed_on(idx, slot, pause);
        }
        self.vacate(idx, slot, status, pause, blame);
    }

    /// The pause before the next attempt: the app's back-off to the power of its failures.
    fn backoff(&self, idx: AppIdx, slot: u32) -> Millis {
        let app = self.apps.get(idx).expect("found just now");
        let policy = &app.wanted().spec.backoff;
        let mut pause = policy.initial.0;
        for _ in 0..app.slot(slot).map_or(0, |s| s.failures).min(1000) {
            pause = pause.saturating_mul(u64::from(policy.factor_thousandths)) / 1000;
            if pause >= policy.max.0 {
                break;
            }
        }
        Millis(pause.min(policy.max.0))
    }

    /// Takes the task out of its slot, notes why, and makes the slot wait for the next.
    pub(super) fn vacate(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus, pause: Millis, blame: bool) {
        let clock = self.clock.read(self.now.mono);
        let mono = self.now.mono;
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let asked = task.stop.is_some();
        let (served, agent) = (task.serves(), task.agent);
        // First of all: the events below wait for this record.
        self.note_slot(idx, slot);
        if served {
            self.withdraw(idx, slot);
        }
        let note = (!asked).then(|| self.failure_note(agent, status));
        self.publish_task(idx, slot, status.state.name().unwrap_or("TASK_UNKNOWN"), message_of(status));
        let app = self.apps.get_mut(idx).expect("found just now");
        app.edit(slot, |s| {
            s.task = None;
            s.not_before = if pause.0 > 0 { clock + pause } else { ClusterTime(0) };
            s.failures = if blame { s.failures.saturating_add(1) } else { s.failures };
            if note.is_some() {
                s.last_failure = note;
            }
        });
        let wanted = slot < app.instances;
        self.agents.release(agent);
        if pause.0 > 0 && wanted {
            self.arm_slot(idx, slot, Some(mono + pause));
        } else {
            self.arm_slot(idx, slot, None);
            if wanted {
                self.enqueue(idx, slot);
            }
        }
        self.queue_plan(idx);
    }

    fn failure_note(&self, agent: super::agents::AgentIdx, status: &TaskStatus) -> Box<FailureNote> {
        Box::new(FailureNote {
            state: status.state,
            message: message_of(status),
            host: self.agents.get(agent).host.to_string(),
            at: self.now.wall,
        })
    }

    /// The slot's timer: what it is for follows from the slot's state.
    pub(super) fn slot_due(&mut self, idx: AppIdx, slot: u32) {
        let clock = self.clock.read(self.now.mono);
        let Some(app) = self.apps.get_mut(idx) else { return };
        if slot >= app.slot_count() {
            return;
        }
        *app.slot_timer(slot) = None;
        let Slot { task, failures, .. } = app.slot(slot).expect("checked just now");
        let Some(task) = task else {
            if slot < app.instances {
                self.enqueue(idx, slot);
            }
            return;
        };
        let (state, since, failures) = (task.state, task.since, *failures);
        match state {
            // Due after its time to return; at once if it is to be ended, since nobody may ever answer a KILL.
            TaskState::Unreachable => {
                let status = self.status_of(idx, slot, TaskState::Unreachable);
                self.replace_lost(idx, slot, &status);
            }
            _ if task.stop.is_some() => self.kill_stopping(idx, slot),
            TaskState::Running if failures > 0 => {
                app.edit(slot, |s| s.failures = 0);
                self.note_slot(idx, slot);
            }
            TaskState::Staging | TaskState::Starting if clock.since(since) >= STAGING_DEADLINE => {
                self.stop_task(idx, slot, StopReason::Stuck);
            }
            TaskState::Staging | TaskState::Starting => {
                self.ask_after(idx, slot);
                self.arm_slot(idx, slot, Some(self.now.mono + STAGING_ASK));
            }
            _ => {}
        }
    }

    /// A status as if Mesos had said it.
    pub(super) fn status_of(&self, idx: AppIdx, slot: u32, state: TaskState) -> TaskStatus {
        let app = self.apps.get(idx).expect("only tasks of living apps are asked after");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("only tasks are asked after");
        TaskStatus::from_master(app.task_id(slot, task.hex), state, crate::mesos::Reason::Reconciliation)
    }

    fn on_former_update(&mut self, status: &TaskStatus) {
        let generation = self.reconcile.generation;
        if let Some(former) = self.former.get_mut(&status.task_id) {
            former.heard = generation;
        }
        match status.state {
            TaskState::GoneByOperator | TaskState::Unreachable | TaskState::Unknown => {
                self.await_former(&status.task_id);
            }
            TaskState::Other(_) => {}
            state if state.is_terminal() => self.forget_former(&status.task_id),
            TaskState::Killing => {}
            _ if self.former.get(&status.task_id).is_some_and(|former| !former.alive) => {
                self.kill_former(&status.task_id);
            }
            _ => {}
        }
    }
}

/// What an update says, for people: the reason, then the message, cut to the limit.
pub(super) fn message_of(status: &TaskStatus) -> String {
    let reason = status.reason.and_then(crate::mesos::Reason::name).unwrap_or("");
    let message = status.message.as_deref().unwrap_or("");
    let mut text = match (reason, message) {
        ("", message) => String::from(message),
        (reason, "") => String::from(reason),
        (reason, message) => format!("{reason}: {message}"),
    };
    if text.len() > MESSAGE_BYTES_MAX {
        let cut = (0..=MESSAGE_BYTES_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(cut);
    }
    text
}

/// Events about whether a task serves.
impl Scheduler {
    pub(super) fn publish_serving(&mut self, idx: AppIdx, slot: u32, serves: bool) {
        let app = self.apps.get(idx).expect("only tasks of living apps serve");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("only tasks serve");
        let host = self.agents.get(task.agent).host.clone();
        let (id, version, ports) = (app.task_id(slot, task.hex), task.version, task.ports.clone());
        let kind = if serves {
            EventKind::TaskHealthy { task: id, slot, version, host, ports }
        } else {
            EventKind::TaskUnhealthy { task: id, slot, version, host, ports }
        };
        self.publish(Some(idx), None, kind);
    }
}
