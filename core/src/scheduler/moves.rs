//! Owns how tasks leave agents with a planned outage: each gets a successor elsewhere first, within its app's limits, and
//! ends once that is ready (R68).
//!
//! Mesos asks again and again while an outage is planned, so that nothing of this is recorded: what was asked long ago
//! lapses, and a new leader is asked anew.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::agents::{Agent, AgentIdx};
use super::apps::{App, AppIdx};
use super::slot::{SUCCESSOR, StopReason, Task};
use super::timers::TimerKey;
use crate::limits::{APPS_ASKED_PER_STEP, ASKED_LASTS, MOVES_PAUSE};
use crate::mesos::{AgentId, TaskState};
use crate::time::{ClusterTime, Instant};

/// What is on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moves {
    /// Agents that tasks shall leave, and the first app that is still to be told.
    asked: BTreeMap<AgentId, AppIdx>,
    /// Apps that were told, until nothing of theirs is to move.
    apps: BTreeSet<AppIdx>,
    timer: Option<Instant>,
}

impl Moves {
    /// Whether apps are still to be told.
    pub(super) fn has_work(&self) -> bool {
        !self.asked.is_empty()
    }
}

impl Agent {
    /// Whether tasks shall leave it.
    fn is_to_be_left(&self, now: ClusterTime) -> bool {
        self.asked.is_some_and(|at| now.since(at) < ASKED_LASTS)
    }
}

impl Scheduler {
    /// An agent's operator wants its tasks gone soon.
    pub(super) fn leave_agent(&mut self, agent: AgentId) {
        self.moves.asked.entry(agent).or_insert(AppIdx(0));
    }

    /// Tells some apps which of their tasks shall move.
    pub(super) fn tell_apps(&mut self) {
        let Some((agent, from)) = self.moves.asked.pop_first() else { return };
        let Some(idx) = self.agents.find(agent.as_str()) else { return };
        let upto = AppIdx(from.0.saturating_add(APPS_ASKED_PER_STEP));
        for app_idx in (from.0..upto.0).map(AppIdx) {
            let Some(app) = self.apps.get_mut(app_idx).filter(|app| app.on_agent.contains_key(&idx)) else {
                continue;
            };
            app.mark_leaving(idx);
            self.moves.apps.insert(app_idx);
            self.queue_plan(app_idx);
        }
        if self.apps.indexes().nth(upto.0 as usize).is_some() {
            self.moves.asked.insert(agent, upto);
        }
        self.arm_moves();
    }

    /// Goes on with what the process before has begun: two tasks of one version in a slot are a move.
    pub(super) fn resume_moves(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("only living apps are resumed");
        let version = |seat| app.task(seat).map(|task| task.version);
        let moves = |&seat: &u32| version(seat).is_some() && version(seat) == version(seat & !SUCCESSOR);
        let moving: Vec<u32> =
            app.seats_from(SUCCESSOR).filter(moves).map(|seat| seat & !SUCCESSOR).collect();
        if moving.is_empty() {
            return;
        }
        for number in moving {
            app.moving.insert(number);
            let task = app.task(number);
            if let Some(task) = task {
                self.agents.get_mut(task.agent).asked = Some(clock);
            }
        }
        self.moves.apps.insert(idx);
        self.arm_moves();
    }

    /// What is asked for no more stays where it is.
    pub(super) fn call_off_moves(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        if app.leaving.is_empty() && app.moving.is_empty() {
            self.moves.apps.remove(&idx);
            return;
        }
        let asked = |number: u32| {
            let task = app.task(number);
            task.is_some_and(|task| self.agents.get(task.agent).is_to_be_left(clock))
        };
        let numbers = app.leaving.iter().chain(&app.moving).copied();
        let lapsed: Vec<u32> = numbers.filter(|&number| !asked(number)).collect();
        for number in lapsed {
            app.forget_move(number);
            if app.slot(number | SUCCESSOR).is_some() {
                app.pairs.insert(number);
            }
        }
    }

    /// Begins moves as far as the limits allow now.
    pub(super) fn begin_moves(&mut self, idx: AppIdx, budget: &mut usize) {
        let app = self.apps.get(idx).expect("the planner plans living apps");
        // A rollout that replaces places all tasks anew.
        if self.brake.holds() || app.is_paused() || app.operation().replaces() {
            return;
        }
        while *budget > 0 && self.begin_move(idx) {
            *budget -= 1;
        }
    }

    /// Begins the next move, if the limits allow it.
    fn begin_move(&mut self, idx: AppIdx) -> bool {
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let Some(&number) = app.leaving.first() else { return false };
        let task = app.task(number);
        let stays = task.is_none_or(|task| !can_move(task));
        let bounds = app.bounds();
        let left = app.healthy_without(number);
        if stays || !app.is_place(number) {
            app.leaving.remove(&number);
        } else if app.can_spare(number) || mutant!(MovesAtOnce) {
            self.stop_task(idx, number, StopReason::Move);
        } else if app.occupied() + app.successor_count() < bounds.ceiling {
            app.leaving.remove(&number);
            app.moving.insert(number);
            self.begin_successor(idx, number);
        } else if left >= bounds.floor {
            self.stop_task(idx, number, StopReason::Move);
        } else {
            return false;
        }
        true
    }

    /// Apps with tasks that are to move are looked at again: what was asked may have lapsed.
    pub(super) fn moves_due(&mut self) {
        self.moves.timer = None;
        for idx in self.moves.apps.clone() {
            if self.apps.get(idx).is_none() {
                self.moves.apps.remove(&idx);
            }
            self.queue_plan(idx);
        }
        self.arm_moves();
    }

    fn arm_moves(&mut self) {
        let at =
            self.moves.timer.or(Some(self.now.mono + MOVES_PAUSE)).filter(|_| !self.moves.apps.is_empty());
        self.timers.arm(TimerKey::Moves, &mut self.moves.timer, at);
    }
}

impl App {
    /// Notes that the tasks on an agent shall move.
    fn mark_leaving(&mut self, agent: AgentIdx) {
        for number in 0..self.slot_count() {
            let task = self.task(number);
            let due = task.is_some_and(|task| task.agent == agent && can_move(task));
            if due && self.slot(number | SUCCESSOR).is_none() {
                self.leaving.insert(number);
            }
        }
    }

    /// A slot's task has come to or gone from an agent: whatever was to move has.
    pub(super) fn forget_move(&mut self, number: u32) {
        self.leaving.remove(&number);
        self.moving.remove(&number);
    }
}

/// One that is being ended goes anyway, and one that nobody can reach may have gone.
fn can_move(task: &Task) -> bool {
    task.stop.is_none() && task.state != TaskState::Unreachable
}
