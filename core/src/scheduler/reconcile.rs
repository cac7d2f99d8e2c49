//! Owns reconciliation: after each connection every task is asked after by name until something was heard of it, then
//! Mesos is asked what else it knows (R40–R44). Silence is no answer (R42).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Bound;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::apps::AppIdx;
use super::effect::MesosCall;
use super::timers::TimerKey;
use crate::limits::{
    RECONCILE_IMPLICIT, RECONCILE_RETRY, RECONCILE_RETRY_MAX, RECONCILE_SCAN, RECONCILE_SPACING,
    RECONCILE_TASKS_MAX,
};
use crate::mesos::{AgentId, TaskId};
use crate::time::{Instant, Millis};

/// Where reconciliation stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reconcile {
    /// Counts connections; a task was heard of if it bears the current one.
    pub(super) generation: u32,
    stage: Stage,
    /// The superseded or quarantined task looked at last, in its stage.
    after: Option<TaskId>,
    /// Tasks asked after in this pass.
    asked: u64,
    pause: Millis,
    timer: Option<Instant>,
}

/// What the next step of reconciliation does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Nothing to ask.
    #[default]
    Idle,
    /// Seats from this one on.
    Slots(AppIdx, u32),
    /// Superseded tasks.
    Former,
    /// Quarantined tasks.
    Unknown,
    /// Wait, then ask again after whatever was not heard of, or implicitly.
    Pause,
}

impl Scheduler {
    /// A new connection: everything is asked after anew.
    pub(super) fn restart_reconciliation(&mut self) {
        self.reconcile.generation = self.reconcile.generation.wrapping_add(1);
        self.reconcile.pause = RECONCILE_RETRY;
        self.reconcile.asked = 0;
        self.reconcile.stage = Stage::Slots(AppIdx(0), 0);
        self.arm_reconcile(Some(self.now.mono));
    }

    /// No connection: nothing to ask.
    pub(super) fn stop_reconciliation(&mut self) {
        self.reconcile.stage = Stage::Idle;
        self.arm_reconcile(None);
    }

    /// The timer of reconciliation: one bounded piece.
    pub(super) fn reconcile_due(&mut self) {
        self.reconcile.timer = None;
        match self.reconcile.stage {
            Stage::Idle => {}
            Stage::Slots(app, slot) => self.ask_slots(app, slot),
            Stage::Former => self.ask_former(),
            Stage::Unknown => self.ask_unknown(),
            Stage::Pause => {
                self.reconcile.asked = 0;
                self.reconcile.stage = Stage::Slots(AppIdx(0), 0);
                self.arm_reconcile(Some(self.now.mono));
            }
        }
    }

    fn ask_slots(&mut self, mut idx: AppIdx, mut slot: u32) {
        let mut tasks: Vec<(TaskId, Option<AgentId>)> = Vec::new();
        let mut scanned = 0;
        let end = self.apps.indexes().count() as u32;
        while idx.0 < end && tasks.len() < RECONCILE_TASKS_MAX && scanned < RECONCILE_SCAN {
            scanned += 1;
            let app = self.apps.get(idx);
            let Some((app, seat)) = app.and_then(|app| Some((app, app.seats_from(slot).next()?))) else {
                (idx, slot) = (AppIdx(idx.0 + 1), 0);
                continue;
            };
            let place = app.slot(seat).expect("found just now");
            if place.heard != self.reconcile.generation
                && let Some(task) = place.task.as_ref().filter(|task| task.sent)
            {
                tasks.push((app.task_id(seat, task.hex), Some(self.agents.get(task.agent).id.clone())));
            }
            slot = seat + 1;
        }
        self.reconcile.after = None;
        self.reconcile.stage = if idx.0 >= end { Stage::Former } else { Stage::Slots(idx, slot) };
        self.ask(tasks);
    }

    fn ask_former(&mut self) {
        let generation = self.reconcile.generation;
        let page: Vec<_> = after(&self.former, self.reconcile.after.as_ref()).collect();
        let silent = page.iter().filter(|(_, former)| former.heard != generation);
        let tasks = silent.map(|&(id, former)| (id.clone(), Some(former.agent.clone()))).collect();
        self.reconcile.after = rest_after(&page);
        if self.reconcile.after.is_none() {
            self.reconcile.stage = Stage::Unknown;
        }
        self.ask(tasks);
    }

    fn ask_unknown(&mut self) {
        let generation = self.reconcile.generation;
        let page: Vec<_> = after(&self.quarantine, self.reconcile.after.as_ref()).collect();
        let silent = page.iter().filter(|(_, unknown)| unknown.heard != generation);
        let tasks = silent.map(|&(id, unknown)| (id.clone(), unknown.agent.clone())).collect();
        self.reconcile.after = rest_after(&page);
        let more = self.reconcile.after.is_some();
        self.ask(tasks);
        if !more {
            self.end_pass();
        }
    }

    fn end_pass(&mut self) {
        self.reconcile.stage = Stage::Pause;
        if self.reconcile.asked == 0 {
            // All that is known was heard of; what is not known can only be asked for implicitly.
            self.call(MesosCall::Reconcile { tasks: Vec::new() });
            self.reconcile.generation = self.reconcile.generation.wrapping_add(1);
            self.reconcile.pause = RECONCILE_RETRY;
            self.arm_reconcile(Some(self.now.mono + RECONCILE_IMPLICIT));
        } else {
            let jitter = self.rng.below(self.reconcile.pause.0 / 4 + 1);
            self.arm_reconcile(Some(self.now.mono + self.reconcile.pause + Millis(jitter)));
            self.reconcile.pause = self.reconcile.pause.times(2).min(RECONCILE_RETRY_MAX);
        }
    }

    fn ask(&mut self, tasks: Vec<(TaskId, Option<AgentId>)>) {
        let spacing = if tasks.is_empty() { Millis(0) } else { RECONCILE_SPACING };
        if !tasks.is_empty() {
            self.reconcile.asked += tasks.len() as u64;
            self.stats.reconciled_tasks += tasks.len() as u64;
            self.call(MesosCall::Reconcile { tasks });
        }
        self.arm_reconcile(Some(self.now.mono + spacing));
    }

    /// Asks after one task that says nothing (R32).
    pub(super) fn ask_after(&mut self, idx: AppIdx, slot: u32) {
        let app = self.apps.get(idx).expect("only tasks of living apps are asked after");
        let Some(task) = app.slot(slot).and_then(|s| s.task.as_ref()).filter(|task| task.sent) else {
            return;
        };
        if self.link.connected {
            let tasks =
                alloc::vec![(app.task_id(slot, task.hex), Some(self.agents.get(task.agent).id.clone()))];
            self.call(MesosCall::Reconcile { tasks });
        }
    }

    fn arm_reconcile(&mut self, at: Option<Instant>) {
        self.timers.arm(TimerKey::Reconcile, &mut self.reconcile.timer, at);
    }
}

/// A page of tasks in order of id.
fn after<'a, V>(
    tasks: &'a BTreeMap<TaskId, V>,
    after: Option<&TaskId>,
) -> impl Iterator<Item = (&'a TaskId, &'a V)> + use<'a, V> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    tasks.range::<TaskId, _>((from, Bound::Unbounded)).take(RECONCILE_TASKS_MAX)
}

/// Where the next page begins; `None` after the last.
fn rest_after<V>(page: &[(&TaskId, &V)]) -> Option<TaskId> {
    page.last().filter(|_| page.len() == RECONCILE_TASKS_MAX).map(|&(id, _)| id.clone())
}
