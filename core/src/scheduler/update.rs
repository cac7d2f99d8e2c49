//! Owns what happens to slots when Mesos reports of their tasks: the verdicts of the status table, applied.
//!
//! Order is apply, make durable, acknowledge (R21). Whatever carries a uuid is acknowledged, known or not (R20, R27).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Scheduler;
use super::apps::AppIdx;
use super::event::EventKind;
use super::ledger::Gated;
use super::slot::{StopReason, is_successor, number_of};
use super::status::{Verdict, judge, tells_address, tells_health};
use crate::id::TaskName;
use crate::limits::{LOSS_SETTLE, STAGING_ASK, STAGING_DEADLINE, STEADY_AFTER, UNKNOWN_SETTLE, WAVE_PAUSE};
use crate::mesos::{Reason, TaskState, TaskStatus};
use crate::spec::Unreachable;
use crate::time::{ClusterTime, Instant, Millis};

impl Scheduler {
    /// Handles one status update.
    pub(super) fn on_update(&mut self, status: &TaskStatus) {
        self.stats.updates += 1;
        match self.find_task(status) {
            Some((idx, slot)) => self.on_slot_update(idx, slot, status),
            None if self.former.contains_key(&status.task_id) => self.on_former_update(status),
            None => {
                self.on_unknown_update(status);
                if mutant!(UnknownNotAcknowledged) {
                    return;
                }
            }
        }
        self.acknowledge(status);
    }

    /// The slot whose current task the update is about.
    fn find_task(&mut self, status: &TaskStatus) -> Option<(AppIdx, u32)> {
        let name = TaskName::parse(status.task_id.as_str())?;
        let idx = self.apps.find(name.app)?;
        let app = self.apps.get(idx)?;
        self.breadcrumb.entity = Some(app.dotted.clone());
        Some((idx, app.seat_of(name.slot, name.hex)?))
    }

    /// Acknowledges once everything so far is durable; at once if it is.
    fn acknowledge(&mut self, status: &TaskStatus) {
        let none = mutant!(AckWithoutUuid).then(|| crate::mesos::Uuid([0; 16].into()));
        let Some(uuid) = status.uuid.clone().or(none) else { return };
        let Some(agent) = status.agent_id.clone() else {
            self.stats.odd_updates += 1;
            return;
        };
        self.gate(Gated::Acknowledge { task: status.task_id.clone(), agent, uuid });
    }

    fn on_slot_update(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let generation = self.reconcile.generation;
        let app = self.apps.get_mut(idx).expect("found just now");
        let (state, sent, inherited) = app.edit(slot, |s| {
            s.heard = generation;
            let task = s.task.as_mut().expect("found just now");
            (task.state, task.sent, core::mem::take(&mut task.inherited))
        });
        if inherited && app.waits_for_news() {
            self.queue_plan(idx);
        }
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
        let was = app.slot(slot).and_then(|s| s.task.as_ref()).map(|task| (task.state, task.agent));
        let stopping = app.edit(slot, |s| {
            let task = s.task.as_mut().expect("found just now");
            task.state = new;
            task.sent = true;
            task.updated = wall;
            task.since = clock;
            task.stop.is_some()
        });
        self.note_slot(idx, slot);
        if let Some((TaskState::Unreachable, agent)) = was {
            let agent = self.agents.get(agent).id.clone();
            self.note_return(&agent);
        }
        if !stopping {
            let timer = match new {
                TaskState::Staging | TaskState::Starting => Some(mono + STAGING_ASK),
                _ => self.running_timer(idx, slot),
            };
            self.arm_slot(idx, slot, timer);
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
        if !mutant!(HealthNotRecorded) {
            self.note_slot(idx, slot);
        }
        self.serving_changed(idx, slot, served);
    }

    /// Tells gateways and listeners when a task begins or ceases to serve, and lets the planner go on.
    fn serving_changed(&mut self, idx: AppIdx, slot: u32, served: bool) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let (serves, hex, stopping) = (task.serves(), task.hex, task.stop.is_some());
        if serves == served {
            return;
        }
        let at_once = app.wanted().spec.update.min_healthy.0 == 0 || mutant!(ReadyAtOnce);
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("found just now");
        app.edit(slot, |s| {
            let task = s.task.as_mut().expect("found just now");
            task.settled = serves && at_once;
            task.since = clock;
        });
        if serves {
            self.gate(Gated::Route { app: idx, slot, hex });
            self.publish_serving(idx, slot, true);
            self.note_progress(idx);
        } else {
            self.withdraw(idx, slot);
        }
        let state = self.apps.get(idx).and_then(|app| app.slot(slot)?.task.as_ref()).map(|task| task.state);
        if state == Some(TaskState::Running) && !stopping {
            let timer = self.running_timer(idx, slot);
            self.arm_slot(idx, slot, timer);
        }
        self.queue_plan(idx);
    }

    /// When a running task has served long enough, or has made its slot's failures forgotten.
    pub(super) fn running_timer(&self, idx: AppIdx, slot: u32) -> Option<Instant> {
        let app = self.apps.get(idx).expect("only tasks of living apps run");
        let place = app.slot(slot).expect("found just now");
        let task = place.task.as_ref().filter(|task| task.state == TaskState::Running)?;
        let settles = (task.serves() && !task.settled).then_some(app.wanted().spec.update.min_healthy);
        let steadies = (place.failures > 0).then_some(STEADY_AFTER);
        let span = settles.into_iter().chain(steadies).min()?;
        let clock = self.clock.read(self.now.mono);
        Some(self.now.mono + (task.since + span).since(clock))
    }

    /// The timer of a running task.
    fn running_due(&mut self, idx: AppIdx, slot: u32) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("found just now");
        let min_healthy = app.wanted().spec.update.min_healthy;
        let place = app.slot(slot).expect("found just now");
        let task = place.task.as_ref().expect("found just now");
        let ran = clock.since(task.since);
        let settles = task.serves() && !task.settled && ran >= min_healthy;
        let steadies = place.failures > 0 && ran >= STEADY_AFTER;
        app.edit(slot, |s| {
            if settles {
                s.task.as_mut().expect("found just now").settled = true;
            }
            if steadies {
                s.failures = 0;
            }
        });
        if steadies {
            self.note_slot(idx, slot);
        }
        if settles {
            self.note_progress(idx);
            self.queue_plan(idx);
        }
        let timer = self.running_timer(idx, slot);
        self.arm_slot(idx, slot, timer);
    }

    /// Nobody can reach the task; after a while it gets a replacement (R50).
    fn vanish(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let agent = task.agent;
        let served = task.serves();
        self.note_loss(agent);
        if self.lost_pause(idx, slot) == Some(Millis(0)) {
            self.replace_lost(idx, slot, status);
            return;
        }
        let (clock, wall) = (self.clock.read(self.now.mono), self.now.wall);
        let app = self.apps.get_mut(idx).expect("found just now");
        app.edit(slot, |s| {
            let task = s.task.as_mut().expect("found just now");
            task.state = TaskState::Unreachable;
            task.updated = wall;
            task.since = clock;
        });
        self.note_slot(idx, slot);
        let least = if status.state == TaskState::Unknown { UNKNOWN_SETTLE } else { LOSS_SETTLE };
        let due = self.lost_pause(idx, slot).map(|pause| self.now.mono + pause.max(least));
        self.arm_slot(idx, slot, due);
        self.publish_state(idx, slot, message_of(status));
        // A task that cannot be reached counts for no rule.
        self.reconsider(idx);
        self.serving_changed(idx, slot, served);
    }

    /// How long a task that nobody can reach is waited for; `None` if for ever (R52), which does not bind where nothing
    /// would take its place.
    pub(super) fn lost_pause(&self, idx: AppIdx, slot: u32) -> Option<Millis> {
        let app = self.apps.get(idx).expect("only tasks of living apps are waited for");
        let never_twice = app.is_place(number_of(slot)) && !mutant!(NeverTwiceIgnored);
        let lost = match app.wanted().spec.unreachable {
            Unreachable::Wait if never_twice => return None,
            Unreachable::Wait => LOSS_SETTLE,
            Unreachable::Replace { after, .. } => after.max(LOSS_SETTLE),
        };
        Some(match app.task(slot).and_then(|task| task.stop) {
            None => lost,
            Some(stop) if stop.why.makes_way() => LOSS_SETTLE,
            // Nobody may ever answer its KILL, and nothing of Swan's own choice takes its place.
            Some(_) => Millis(0),
        })
    }

    /// The timer of a task that nobody can reach.
    fn lost_due(&mut self, idx: AppIdx, slot: u32) {
        let clock = self.clock.read(self.now.mono);
        let Some(pause) = self.lost_pause(idx, slot) else { return };
        let task = self.apps.get(idx).and_then(|app| app.task(slot)).expect("found just now");
        let (stopping, left) = (task.stop.is_some(), (task.since + pause).since(clock));
        let wait = if left > Millis(0) {
            left
        } else if self.keeps(idx, slot) {
            self.brake.pause()
        } else if !stopping && !self.may_replace_lost(idx) {
            WAVE_PAUSE
        } else {
            let status = self.status_of(idx, slot, TaskState::Unreachable);
            self.replace_lost(idx, slot, &status);
            return;
        };
        self.arm_slot(idx, slot, Some(self.now.mono + wait));
    }

    /// How long tasks out of reach are waited for follows from what is wanted, which is something else now.
    pub(super) fn wait_for_lost_anew(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get(idx).expect("only living apps want something else");
        let lost = app.seats_from(0).filter_map(|seat| {
            let task = app.task(seat).filter(|task| task.state == TaskState::Unreachable)?;
            Some((seat, task.since))
        });
        for (seat, since) in lost.collect::<Vec<_>>() {
            let due = self.lost_pause(idx, seat).map(|pause| since + pause.max(UNKNOWN_SETTLE));
            self.arm_slot(idx, seat, due.map(|due| self.now.mono + due.since(clock)));
        }
    }

    /// Frees the slot of a task that may still run somewhere; should it return, it is killed (R51, R53).
    fn replace_lost(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let (id, agent) = (app.task_id(slot, task.hex), self.agents.get(task.agent).id.clone());
        let asked = task.stop.is_some();
        // One that is to end leaves at once, not marked as lost.
        let known = task.state == TaskState::Unreachable;
        let lost = if known { task.since } else { self.clock.read(self.now.mono) };
        if !mutant!(ForgetsReplaced) {
            self.supersede(id, agent, lost);
        }
        if asked {
            self.vacate(idx, slot, status, Millis(0), false);
        } else {
            self.on_failure(idx, slot, status);
        }
    }

    /// The task is over.
    fn end(&mut self, idx: AppIdx, slot: u32, end: TaskState, status: &TaskStatus) {
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let (asked, agent) = (task.stop.is_some(), task.agent);
        let (id, could_be_reached) = (app.task_id(slot, task.hex), task.state != TaskState::Unreachable);
        if end == TaskState::GoneByOperator {
            let agent = self.agents.get(agent).id.clone();
            self.supersede(id, agent, ClusterTime(0));
        }
        // A master says that a task is gone only of an agent that is registered, and does not have it any more.
        let there = end == TaskState::Gone && status.reason == Some(Reason::Reconciliation);
        if there || !could_be_reached && !ends_with_agent(end) {
            let agent = self.agents.get(agent).id.clone();
            self.note_return(&agent);
        } else if ends_with_agent(end) && !(asked && could_be_reached) {
            self.note_loss_for_good(agent, could_be_reached);
        }
        if asked {
            self.vacate(idx, slot, status, Millis(0), false);
        } else {
            self.on_failure(idx, slot, status);
        }
    }

    /// Takes the task out of its slot, notes why, and makes the slot wait for the next.
    pub(super) fn vacate(&mut self, idx: AppIdx, slot: u32, status: &TaskStatus, pause: Millis, blame: bool) {
        let clock = self.clock.read(self.now.mono);
        let mono = self.now.mono;
        let app = self.apps.get(idx).expect("found just now");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("found just now");
        let (served, agent, version) = (task.serves(), task.agent, task.version);
        let held = self.brake.holds() && task.stop.is_none() && ends_with_agent(status.state);
        // First of all: the events below wait for this record.
        self.note_slot(idx, slot);
        if served {
            self.withdraw(idx, slot);
        }
        self.publish_task(idx, slot, status.state.name().unwrap_or("TASK_UNKNOWN"), message_of(status));
        let app = self.apps.get_mut(idx).expect("found just now");
        // A successor that failed beside it may have left a pause.
        let left = app.slot(slot).expect("found just now").not_before.since(clock);
        let pause = pause.max(left);
        let not_before = if pause.0 > 0 { clock + pause } else { ClusterTime(0) };
        app.edit(slot, |s| {
            s.task = None;
            s.not_before = not_before;
            s.failures = if blame { s.failures.saturating_add(1) } else { s.failures };
            s.ran = version;
            s.held = held;
        });
        let wanted = app.wants(slot);
        self.live_tasks -= 1;
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

    /// The slot's timer: what it is for follows from the slot's state.
    pub(super) fn slot_due(&mut self, idx: AppIdx, slot: u32) {
        let clock = self.clock.read(self.now.mono);
        let Some(app) = self.apps.get_mut(idx) else { return };
        if app.slot(slot).is_none() {
            return;
        }
        *app.slot_timer(slot) = None;
        let Some(task) = &app.slot(slot).expect("checked just now").task else {
            if app.wants(slot) {
                self.enqueue(idx, slot);
            } else if is_successor(slot) {
                app.pairs.insert(number_of(slot));
                self.queue_plan(idx);
            }
            return;
        };
        let (state, since, stopping) = (task.state, task.since, task.stop.is_some());
        match state {
            TaskState::Unreachable => self.lost_due(idx, slot),
            _ if stopping => self.kill_stopping(idx, slot),
            TaskState::Running => self.running_due(idx, slot),
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
        let Some(former) = self.former.get_mut(&status.task_id) else { return };
        former.heard = generation;
        let agent = former.agent.clone();
        match status.state {
            TaskState::GoneByOperator | TaskState::Unreachable | TaskState::Unknown => {
                self.await_former(&status.task_id);
                return;
            }
            TaskState::Other(_) => return,
            // Whatever else is known of the task, its agent told.
            _ => self.note_return(&agent),
        }
        match status.state {
            state if state.is_terminal() => self.forget_former(&status.task_id),
            TaskState::Killing => {}
            _ if mutant!(ReturnedLivesOn) => {}
            _ if self.former.get(&status.task_id).is_some_and(|former| !former.alive) => {
                self.kill_former(&status.task_id);
            }
            _ => {}
        }
    }
}

/// Whether it is the agent's end that ended the task.
const fn ends_with_agent(end: TaskState) -> bool {
    matches!(end, TaskState::Lost | TaskState::Gone | TaskState::GoneByOperator)
}

/// What an update says, for people, cut to the limit.
pub(super) fn message_of(status: &TaskStatus) -> String {
    let reason = status.reason.and_then(crate::mesos::Reason::name).unwrap_or_default();
    let mut text = text_of(reason, status.message.as_deref().unwrap_or_default());
    super::rollout::cut(&mut text, crate::limits::MESSAGE_BYTES_MAX);
    text
}

/// The reason, then the message.
pub(super) fn text_of(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", message) => String::from(message),
        (reason, "") => String::from(reason),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// Events about whether a task serves.
impl Scheduler {
    pub(super) fn publish_serving(&mut self, idx: AppIdx, slot: u32, serves: bool) {
        let app = self.apps.get(idx).expect("only tasks of living apps serve");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("only tasks serve");
        let host = self.agents.get(task.agent).host.clone();
        let (id, version, ports) = (app.task_id(slot, task.hex), task.version, task.ports.clone());
        let slot = number_of(slot);
        let kind = if serves {
            EventKind::TaskHealthy { task: id, slot, version, host, ports }
        } else {
            EventKind::TaskUnhealthy { task: id, slot, version, host, ports }
        };
        self.publish(Some(idx), None, kind);
    }
}
