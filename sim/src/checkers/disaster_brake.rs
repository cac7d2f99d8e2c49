//! Owns the check of S12: when a great part of the cluster is lost at once, it is not replaced in one wave.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::TaskName;
use swan_core::journal::{OpId, StoreOp, StoreResult};
use swan_core::link::{LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{AgentId, Event, TaskId, TaskState};
use swan_core::record::Op;
use swan_core::scheduler::api::ApiCall;
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::launch::Launch;

use super::never_twice::superseded;
use super::stored::{StoredSeat, brake_in};
use super::{Checker, Context, Seen};

/// So many agents with so many tasks, and so great a part of all (percent), lost within so long (ms) are a disaster;
/// clearly so, since the machine may count a little otherwise.
const AGENTS: usize = 4;
const TASKS: usize = 12;
const TASKS_PERCENT: usize = 40;
const WINDOW_MS: u64 = 3 * 60_000;
/// A request counts as new for so long, ms.
const ASKED_MS: u64 = 40_000;

/// What is lost in a disaster is not replaced until it is over, or an operator says so.
#[derive(Clone, Debug, Default)]
pub struct DisasterBrake {
    /// Losses that the process knows: those it was told, and those that were stored when it began.
    known: BTreeSet<TaskId>,
    /// Who leads.
    leader: usize,
    /// What was lost until then is an operator's to answer for.
    overridden: u64,
    /// Since when it is a disaster.
    since: Option<u64>,
    /// All that was decided before the disaster is durable.
    pub(super) settled: bool,
    /// Entries on their way to the log.
    under_way: BTreeSet<u64>,
    appends: BTreeMap<OpId, u64>,
    /// Tasks in second seats: nothing takes their place.
    successors: BTreeSet<TaskId>,
    /// When agents made an offer last, or one of their tasks was heard of again.
    back: BTreeMap<AgentId, u64>,
    /// The brake holds, as far as stored.
    holds: bool,
    /// Whoever leads now has been told something that may let the brake go.
    heard: bool,
}

impl Checker for DisasterBrake {
    fn number(&self) -> &'static str {
        "S12"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Leads => self.begin_anew(at),
            Seen::Told(_) | Seen::Does(_) if at.manager != self.leader => {}
            Seen::Told(input) => self.told(at, input),
            Seen::Does(ManagerEffect::Link(LinkEffect::Send { call, .. })) => {
                let MesosCall::Accept { launches, .. } = &**call else { return Ok(()) };
                return launches.iter().try_for_each(|launch| self.judge_launch(at, launch));
            }
            Seen::Does(ManagerEffect::Store { id, op: StoreOp::Append { index, .. } }) => {
                self.under_way.insert(*index);
                self.appends.insert(*id, *index);
            }
            Seen::Stored(entry) => {
                let judged = entry.ops.iter().try_for_each(|op| self.judge(at, op));
                let judged = judged
                    .and_then(|()| entry.ops.iter().filter_map(brake_in).try_for_each(|it| self.keeps(it)));
                entry.ops.iter().filter_map(StoredSeat::of).for_each(|seat| self.learn(&seat));
                return judged;
            }
            Seen::Truth(_) => self.look(at),
            _ => {}
        }
        Ok(())
    }
}

impl DisasterBrake {
    fn told(&mut self, at: Context<'_>, input: &ManagerInput) {
        self.settled |= self.since.is_some() && self.under_way.is_empty();
        self.heard |= match input {
            ManagerInput::Api { .. } => true,
            ManagerInput::Link(LinkInput::Event { event, .. }) => {
                matches!(**event, Event::Offers(_) | Event::Update(_))
            }
            _ => false,
        };
        match input {
            ManagerInput::Api { request, .. } if request.call == ApiCall::OverrideBrake => {
                self.overridden = at.now;
                self.look(at);
            }
            ManagerInput::Stored { id, result } => {
                let index = self.appends.remove(id).filter(|_| matches!(result, StoreResult::Done(_)));
                index.map(|index| self.under_way.remove(&index));
            }
            ManagerInput::Link(LinkInput::Event { event, .. }) => match &**event {
                Event::Offers(offers) => {
                    self.back.extend(offers.iter().map(|offer| (offer.agent_id.clone(), at.now)));
                    self.look(at);
                }
                Event::Update(status) => {
                    self.hear(at, &status.task_id);
                    self.look(at);
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// Another manager holds back as well, if what it is for was settled before: that is durable.
    fn begin_anew(&mut self, at: Context<'_>) {
        let lost = |seat: StoredSeat| seat.task_id().filter(|_| seat.is_lost());
        let known = at.stored.seats().filter_map(lost).collect();
        let since = self.since.filter(|_| self.settled);
        let before = std::mem::take(self);
        let Self { overridden, successors, back, holds, .. } = before;
        let leader = at.manager;
        *self = Self { known, leader, since, overridden, successors, back, holds, ..Self::default() };
    }

    /// Who takes over knows all that the brake was held for, so that it does not let it go by itself.
    fn keeps(&mut self, holds: bool) -> Result<(), String> {
        let held = std::mem::replace(&mut self.holds, holds);
        if held && !holds && !self.heard {
            return Err("the brake is let go by whoever takes over".into());
        }
        Ok(())
    }

    /// A task is launched: not in the place of one that ended with its agent in the middle of a disaster.
    fn judge_launch(&self, at: Context<'_>, launch: &Launch) -> Result<(), String> {
        let Some(since) = self.since.filter(|_| self.settled) else { return Ok(()) };
        let app = &launch.template.app;
        let earlier = at.fleet.of(app).filter(|(id, it)| **id != launch.task && it.slot == launch.slot);
        let Some((task, last)) = earlier.max_by_key(|(_, it)| it.launched) else { return Ok(()) };
        let lost = matches!(last.state, TaskState::Lost | TaskState::Gone | TaskState::GoneByOperator)
            && last.ended.is_some_and(|ended| ended > since)
            && last.killed.is_none();
        let asked = at.fleet.asked(app).is_some_and(|asked| asked + ASKED_MS > at.now);
        if lost && !asked {
            return Err(format!("{} takes the place of {task} in the middle of a disaster", launch.task));
        }
        Ok(())
    }

    fn hear(&mut self, at: Context<'_>, task: &TaskId) {
        let Some(member) = at.fleet.get(task).filter(|member| member.lost.is_some()) else { return };
        if member.state == TaskState::Unreachable {
            self.known.insert(task.clone());
        } else {
            self.back.insert(member.agent.clone(), at.now);
        }
    }

    fn learn(&mut self, seat: &StoredSeat) {
        match seat.task_id() {
            Some(task) if seat.second => drop(self.successors.insert(task)),
            Some(task) => drop(self.successors.remove(&task)),
            None => {}
        }
    }

    fn look(&mut self, at: Context<'_>) {
        let disaster = self.is_disaster(at);
        self.since = if disaster { self.since.or(Some(at.now)) } else { None };
        self.settled &= disaster;
    }

    /// A task is superseded: something takes its place while it may still run.
    fn judge(&self, at: Context<'_>, op: &Op) -> Result<(), String> {
        if self.since.is_none() || !self.settled {
            return Ok(());
        }
        let Some(task) = superseded(op) else { return Ok(()) };
        let (Some(name), Some(member)) = (TaskName::parse(task.as_str()), at.fleet.get(&task)) else {
            return Ok(());
        };
        // What users end, or want no more, is not replaced.
        let asked = at.fleet.asked(name.app).is_some_and(|asked| asked + ASKED_MS > at.now);
        let ended = member.ended.is_some() || member.killed.is_some() || asked;
        if member.lost.is_some() && !ended && !self.successors.contains(&task) {
            return Err(format!("{task} is replaced in the middle of a disaster"));
        }
        Ok(())
    }

    fn is_disaster(&self, at: Context<'_>) -> bool {
        let (mut agents, mut tasks, mut lost) = (BTreeMap::<&AgentId, bool>::new(), 0, 0);
        for app in at.fleet.apps() {
            for (task, member) in at.fleet.of(app).filter(|(_, it)| it.ended.is_none()) {
                let back = self.back.get(&member.agent).copied().unwrap_or_default();
                // What has become a disaster stays one until agents are back, however long that takes.
                let from = self.since.unwrap_or(at.now);
                let counts = |lost: u64| lost + WINDOW_MS > from && lost > back && lost > self.overridden;
                let gone = member.state == TaskState::Unreachable
                    && member.lost.is_some_and(counts)
                    && self.known.contains(task);
                *agents.entry(&member.agent).or_insert(true) &= gone;
                tasks += 1;
                lost += usize::from(gone);
            }
        }
        let gone = agents.values().filter(|gone| **gone).count();
        gone >= AGENTS && lost >= TASKS && lost * 100 > tasks * TASKS_PERCENT
    }
}
