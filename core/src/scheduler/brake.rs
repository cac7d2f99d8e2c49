//! Owns the disaster brake: when a large part of the cluster is lost within a short time, the network is likelier to have
//! failed than the machines. Nothing is replaced and no rollout ends anything then, until agents return or an operator
//! decides (R54, S12).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::agents::{AgentIdx, Loss};
use super::apps::AppIdx;
use super::event::EventKind;
use super::ledger::Change;
use super::rollout::Operation;
use super::slot::{is_successor, number_of};
use super::timers::TimerKey;
use crate::limits::{BRAKE_AGENTS_MIN, BRAKE_PAUSE, BRAKE_TASKS_MIN, BRAKE_TASKS_PERCENT, BRAKE_WINDOW};
use crate::mesos::{AgentId, TaskState};
use crate::time::{ClusterTime, Instant, Millis};

/// What a rollout says that is late because of the brake.
const HELD: &str = "the disaster brake holds its tasks";

/// What was lost lately, and whether that is too much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brake {
    /// Agents that lost tasks of ours: when last, and how many.
    lost: BTreeMap<AgentId, (ClusterTime, u32)>,
    lost_tasks: u32,
    engaged: bool,
    /// What was lost until then counts no more: an operator took it for lost, or it was long past when the brake engaged.
    since: ClusterTime,
    timer: Option<Instant>,
}

impl Brake {
    /// Whether nothing must be replaced or ended now.
    pub(super) const fn holds(&self) -> bool {
        self.engaged
    }

    /// See [`FrameworkRecord::losses_since`](super::codec::FrameworkRecord::losses_since).
    pub(super) const fn since(&self) -> ClusterTime {
        self.since
    }

    /// Takes in what the leader before has recorded.
    pub(super) const fn follow(&mut self, engaged: bool, since: ClusterTime) {
        self.engaged = engaged;
        self.since = since;
    }

    /// Until what was held back is looked at again.
    pub(super) const fn pause(&self) -> Millis {
        BRAKE_PAUSE
    }

    fn add(&mut self, agent: AgentId, at: ClusterTime, tasks: u32) {
        let entry = self.lost.entry(agent).or_insert((at, 0));
        *entry = (entry.0.max(at), entry.1 + tasks);
        self.lost_tasks += tasks;
    }

    fn remove(&mut self, agent: &AgentId) -> bool {
        let Some((_, tasks)) = self.lost.remove(agent) else { return false };
        self.lost_tasks -= tasks;
        true
    }

    /// Whether what is lost is too much of `tasks`.
    fn is_disaster(&self, tasks: u64) -> bool {
        self.is_wide() && u64::from(self.lost_tasks) * 100 >= tasks.max(1) * BRAKE_TASKS_PERCENT
    }

    /// Whether enough is lost to be a disaster in a cluster that is small enough.
    fn is_wide(&self) -> bool {
        !mutant!(NoBrake) && self.lost.len() >= BRAKE_AGENTS_MIN && self.lost_tasks >= BRAKE_TASKS_MIN
    }
}

impl Scheduler {
    /// A task cannot be reached any more, and neither can its agent.
    pub(super) fn note_loss(&mut self, agent: AgentIdx) {
        let clock = self.clock.read(self.now.mono);
        self.brake.add(self.agents.get(agent).id.clone(), clock, 1);
        self.judge_losses(false);
    }

    /// A task has ended with its agent. Nothing else tells the next leader of it, so that the agent's record does. One that
    /// could not be reached before was counted then.
    pub(super) fn note_loss_for_good(&mut self, agent: AgentIdx, could_be_reached: bool) {
        if could_be_reached {
            self.note_loss(agent);
        }
        if let Some(&(at, _)) = self.brake.lost.get(&self.agents.get(agent).id) {
            self.agents.lose(agent, at);
        }
    }

    /// An agent is there (again).
    pub(super) fn note_return(&mut self, agent: &AgentId) {
        if self.brake.remove(agent) {
            self.agents.forgive(agent);
            self.judge_losses(true);
        }
    }

    /// Counts the live tasks, and the losses among them and the superseded ones that the leader before had to count, so
    /// that a disaster outlives the process that saw it begin.
    pub(super) fn recall_losses(&mut self) {
        let since = self.brake.since;
        let oldest = if self.brake.engaged { since } else { since.max(self.window_began()) };
        // What was replaced before the brake engaged was lost no less.
        for former in self.former.values().filter(|former| former.lost > oldest) {
            self.brake.add(former.agent.clone(), former.lost, 1);
        }
        let ended: Vec<(AgentId, Loss)> = self.agents.losses().map(|(id, loss)| (id.clone(), loss)).collect();
        for (agent, loss) in ended {
            if loss.at > oldest {
                self.brake.add(agent, loss.at, loss.tasks);
            } else {
                self.agents.forgive(&agent);
            }
        }
        for app in self.apps.indexes().filter_map(|idx| self.apps.get(idx)) {
            for task in app.seats_from(0).filter_map(|seat| app.slot(seat)?.task.as_ref()) {
                self.live_tasks += 1;
                if task.state == TaskState::Unreachable && task.since > oldest {
                    self.brake.add(self.agents.get(task.agent).id.clone(), task.since, 1);
                }
            }
        }
        self.judge_losses(false);
    }

    /// What was lost before then is long past.
    fn window_began(&self) -> ClusterTime {
        ClusterTime(self.clock.read(self.now.mono).0.saturating_sub(BRAKE_WINDOW.0))
    }

    /// Engages or releases the brake. Unless an agent has `returned`, one that is engaged stays so while enough is lost: that
    /// tasks elsewhere are more than they were when it engaged does not let it go.
    fn judge_losses(&mut self, returned: bool) {
        let stays = !returned && self.brake.engaged && self.brake.is_wide();
        let disaster = stays || self.brake.is_disaster(self.live_tasks);
        if disaster != self.brake.engaged {
            self.brake.engaged = disaster;
            if disaster {
                self.brake.since = self.brake.since.max(self.window_began());
            }
            self.ledger.note(Change::Framework);
            let (agents, tasks) = (self.brake.lost.len() as u64, u64::from(self.brake.lost_tasks));
            let event = if disaster {
                EventKind::BrakeEngaged { agents, tasks }
            } else {
                EventKind::BrakeReleased { by_operator: false }
            };
            self.publish(None, None, event);
            if !disaster {
                self.resume_rolling();
            }
        }
        self.arm_brake();
    }

    /// Losses that are long past say nothing about the network, unless they are what holds.
    pub(super) fn brake_due(&mut self) {
        self.brake.timer = None;
        let clock = self.clock.read(self.now.mono);
        let past = |&(at, _): &(ClusterTime, u32)| clock.since(at) >= BRAKE_WINDOW;
        if !self.brake.engaged {
            let old: Vec<AgentId> = self
                .brake
                .lost
                .iter()
                .filter(|(_, loss)| past(loss))
                .map(|(agent, _)| agent.clone())
                .collect();
            for agent in old {
                self.brake.remove(&agent);
                self.agents.forgive(&agent);
            }
        }
        self.arm_brake();
    }

    /// The operator takes what is lost for lost; whether anything was held.
    pub(super) fn override_brake(&mut self) -> bool {
        self.brake.since = self.clock.read(self.now.mono);
        self.ledger.note(Change::Framework);
        for agent in core::mem::take(&mut self.brake.lost).into_keys() {
            self.agents.forgive(&agent);
        }
        self.brake.lost_tasks = 0;
        self.arm_brake();
        let held = core::mem::replace(&mut self.brake.engaged, false);
        if held {
            self.publish(None, None, EventKind::BrakeReleased { by_operator: true });
            self.resume_rolling();
        }
        held
    }

    /// Whether the brake keeps the task that nobody can reach from being replaced, whether it is lost or was to make way for
    /// another: that may run as well. Where nothing is wanted any more, nothing would replace it.
    pub(super) fn keeps(&self, idx: AppIdx, seat: u32) -> bool {
        let app = self.apps.get(idx).filter(|app| self.brake.holds() && app.is_place(number_of(seat)));
        let task = app.and_then(|app| app.task(seat));
        task.is_some_and(|task| task.stop.is_none_or(|stop| !is_successor(seat) && stop.why.makes_way()))
    }

    /// Whether the brake keeps the rollout under way from moving on: what it is to replace, or what it has lost, waits.
    pub(super) fn brake_holds(&self, idx: AppIdx) -> bool {
        let Some(app) = self.apps.get(idx).filter(|_| self.brake.holds()) else { return false };
        let waits = |seat: u32| match app.task(seat) {
            None => app.slot(seat).is_some_and(|slot| slot.held),
            Some(task) => {
                let lost = task.state == TaskState::Unreachable && self.keeps(idx, seat);
                lost && self.lost_pause(idx, seat).is_some()
            }
        };
        match app.operation() {
            Operation::Deleting | Operation::Stopping | Operation::ScalingDown => false,
            operation => {
                operation.replaces()
                    || app.seats_from(0).any(|seat| app.is_place(number_of(seat)) && waits(seat))
            }
        }
    }

    /// A rollout is late because of the brake: it says so, and is waited for.
    pub(super) fn wait_for_brake(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let rollout = self.apps.get_mut(idx).and_then(|app| app.rollout.as_mut());
        let rollout = rollout.expect("only rollouts under way are late");
        rollout.progress_at = clock;
        // One that goes back by itself says why for as long as it goes on.
        if !rollout.automatic {
            rollout.error = HELD.into();
        }
        self.note_app(idx);
        self.arm_rollout(idx);
    }

    /// Nothing holds rollouts any more.
    fn resume_rolling(&mut self) {
        for idx in self.rolling.clone() {
            let rollout = self.apps.get_mut(idx).and_then(|app| app.rollout.as_mut());
            if let Some(rollout) = rollout.filter(|rollout| rollout.error == HELD) {
                rollout.error.clear();
            }
            self.queue_plan(idx);
        }
        self.forgive_rollouts();
    }

    fn arm_brake(&mut self) {
        let clock = self.clock.read(self.now.mono);
        let oldest = self.brake.lost.values().map(|&(at, _)| at).min().filter(|_| !self.brake.engaged);
        let at = oldest.map(|at| self.now.mono + (at + BRAKE_WINDOW).since(clock));
        self.timers.arm(TimerKey::Brake, &mut self.brake.timer, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_several_agents_and_a_good_part_of_all_tasks() {
        let mut brake = Brake::default();
        let agent = |n: usize| AgentId::new(alloc::format!("S{n}"));
        for n in 0..BRAKE_AGENTS_MIN - 1 {
            (0..100).for_each(|_| brake.add(agent(n), ClusterTime(0), 1));
        }
        assert!(!brake.is_disaster(200), "two agents are no disaster");
        brake.add(agent(BRAKE_AGENTS_MIN), ClusterTime(0), 1);
        assert!(brake.is_disaster(200));
        assert!(!brake.is_disaster(2000), "a tenth of all tasks is none either");
        let mut few = Brake::default();
        (0..BRAKE_AGENTS_MIN).for_each(|n| few.add(agent(n), ClusterTime(0), 1));
        assert!(!few.is_disaster(3), "three tasks of three are a small cluster's bad day");
        assert!(brake.remove(&agent(0)));
        assert!(!brake.is_disaster(200), "an agent has returned");
    }
}
