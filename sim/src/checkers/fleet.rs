//! Owns what checkers remember of tasks: every launch that left, every KILL, and what a process was told of each; so
//! much as a careful observer between Swan and Mesos can know.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::TaskName;
use swan_core::link::{ConnId, LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{AgentId, Event, Reason, TaskId, TaskState, TaskStatus, Uuid};
use swan_core::scheduler::api::ApiCall;
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::launch::Launch;

use super::state_monotonic::live_rank;
use super::{Seen, call_of};
use crate::rules::Place;

/// Tasks are remembered this long after their end.
const KEPT_MS: u64 = 10 * 60_000;

/// A task that was launched.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its slot.
    pub slot: u32,
    /// What it runs.
    pub image: String,
    /// The version it runs.
    pub version: String,
    /// Where.
    pub agent: AgentId,
    /// What it is like there, as the newest offer said.
    pub place: Option<Place>,
    /// When its ACCEPT left.
    pub launched: u64,
    /// It has a health check.
    pub checked: bool,
    /// The newest state told.
    pub state: TaskState,
    /// Since when it is told to run.
    pub running: Option<u64>,
    /// The newest verdict told.
    pub healthy: Option<bool>,
    /// Since when it is told to run well.
    pub well: Option<u64>,
    /// When it was last known to serve.
    pub served: Option<u64>,
    /// Whoever leads was told of it.
    pub heard: bool,
    /// When its end was told.
    pub ended: Option<u64>,
    /// Its end, which nobody asked for, was the app's own fault: surely, or perhaps.
    pub failed: Option<Fault>,
    /// It was out of reach, or nobody knew it, at some time.
    pub lost: Option<u64>,
    /// When its first KILL left.
    pub killed: Option<u64>,
    /// How many left.
    pub kills: u32,
}

/// Whose fault an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The app's.
    Own,
    /// Not to be told apart.
    Either,
}

impl Member {
    /// It may live, can be reached as far as told, and nobody ends it.
    pub const fn stays(&self) -> bool {
        self.ended.is_none() && self.lost.is_none() && self.killed.is_none()
    }

    /// It gets traffic, as far as told.
    pub fn serves(&self) -> bool {
        self.stays() && self.is_well()
    }

    /// It runs well, as far as told; it may have been out of reach for a while.
    pub fn is_well(&self) -> bool {
        let well = if self.checked { self.healthy == Some(true) } else { self.healthy != Some(false) };
        self.state == TaskState::Running && well
    }
}

/// All tasks that were launched, by app.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    apps: BTreeMap<String, BTreeMap<TaskId, Member>>,
    places: BTreeMap<AgentId, Place>,
    heard: BTreeSet<Uuid>,
    /// When a user asked for anything about an app last.
    asked: BTreeMap<String, u64>,
    /// Connections that the leading process has closed: what still arrives on them is void (R8).
    closed: BTreeSet<ConnId>,
}

impl Fleet {
    /// The tasks of an app.
    pub fn of(&self, app: &str) -> impl Iterator<Item = (&TaskId, &Member)> {
        self.apps.get(app).into_iter().flatten()
    }

    /// All apps with tasks.
    pub fn apps(&self) -> impl Iterator<Item = &str> {
        self.apps.keys().map(String::as_str)
    }

    /// One task.
    pub fn get(&self, task: &TaskId) -> Option<&Member> {
        let name = TaskName::parse(task.as_str())?;
        self.apps.get(name.app)?.get(task)
    }

    /// What an agent is like.
    pub fn place(&self, agent: &AgentId) -> Option<&Place> {
        self.places.get(agent)
    }

    /// How many agents were ever offered.
    pub fn agents(&self) -> usize {
        self.places.len()
    }

    /// When a user asked for anything about an app last.
    pub fn asked(&self, app: &str) -> Option<u64> {
        self.asked.get(app).copied()
    }

    /// Takes note of one thing that is seen.
    pub fn note(&mut self, now: u64, seen: Seen<'_>) {
        match seen {
            Seen::Started { .. } => self.closed.clear(),
            Seen::Leads => {
                self.closed.clear();
                self.apps.values_mut().flat_map(BTreeMap::values_mut).for_each(|member| member.heard = false);
            }
            Seen::Told(ManagerInput::Link(LinkInput::Event { conn, .. })) if self.closed.contains(conn) => {}
            Seen::Does(ManagerEffect::Link(LinkEffect::Close { conn })) => self.closed.extend([*conn]),
            Seen::Told(ManagerInput::Link(LinkInput::Event { event, .. })) => match &**event {
                Event::Update(status) => self.told(now, status),
                Event::Offers(offers) => {
                    self.places.extend(offers.iter().map(|it| (it.agent_id.clone(), Place::of(it))));
                }
                _ => {}
            },
            Seen::Told(ManagerInput::Api { request, .. }) => self.requested(now, &request.call),
            Seen::Does(effect) => match call_of(effect) {
                Some(MesosCall::Accept { launches, .. }) => {
                    launches.iter().for_each(|launch| self.launched(now, launch));
                }
                Some(MesosCall::Kill { task, .. }) => {
                    if let Some(member) = self.get_mut(task) {
                        member.killed.get_or_insert(now);
                        member.kills += 1;
                    }
                }
                _ => {}
            },
            Seen::Truth(_) => {
                for tasks in self.apps.values_mut() {
                    tasks.retain(|_, member| member.ended.is_none_or(|ended| ended + KEPT_MS > now));
                    tasks.values_mut().filter(|it| it.serves()).for_each(|it| it.served = Some(now));
                }
            }
            _ => {}
        }
    }

    fn get_mut(&mut self, task: &TaskId) -> Option<&mut Member> {
        let name = TaskName::parse(task.as_str())?;
        self.apps.get_mut(name.app)?.get_mut(task)
    }

    fn launched(&mut self, now: u64, launch: &Launch) {
        let template = &launch.template.task;
        let docker = template.container.as_ref().and_then(|container| container.docker.as_ref());
        let member = Member {
            slot: launch.slot,
            image: docker.map_or_else(String::new, |docker| docker.image.clone()),
            version: launch.template.version.clone(),
            agent: launch.agent.clone(),
            place: self.places.get(&launch.agent).cloned(),
            launched: now,
            checked: template.health_check.is_some(),
            state: TaskState::Staging,
            running: None,
            healthy: None,
            well: None,
            served: None,
            heard: false,
            ended: None,
            failed: None,
            lost: None,
            killed: None,
            kills: 0,
        };
        self.apps.entry(launch.template.app.clone()).or_default().insert(launch.task.clone(), member);
    }

    fn told(&mut self, now: u64, status: &TaskStatus) {
        let again = status.uuid.as_ref().is_some_and(|uuid| !self.heard.insert(uuid.clone()));
        let Some(member) = self.get_mut(&status.task_id).filter(|member| member.ended.is_none()) else {
            return;
        };
        member.heard = true;
        // What a process heard that ended before it was durable also tells another that a task is back.
        if again && !matches!(member.state, TaskState::Unreachable | TaskState::Unknown) {
            // An old verdict that comes once more is taken for news.
            if status.state == TaskState::Running && member.state == TaskState::Running {
                member.healthy = status.healthy.or(member.healthy);
            }
            return;
        }
        if matches!(status.state, TaskState::Staging | TaskState::Starting) && member.running.is_some() {
            // An agent that is back repeats what it could not tell.
            return;
        }
        if member.serves() {
            member.served = Some(now);
        }
        if goes_back(member.state, status.state) || matches!(status.state, TaskState::Other(_)) {
            return;
        }
        match status.state {
            TaskState::Unreachable | TaskState::Unknown => {
                member.lost.get_or_insert(now);
            }
            state if state.is_terminal() => {
                member.ended = Some(now);
                member.failed = if member.killed.is_none() { fault(status) } else { None };
            }
            TaskState::Running => {
                member.running.get_or_insert(now);
                member.healthy = status.healthy.or(member.healthy);
            }
            _ => {}
        }
        member.state = status.state;
        member.well = if member.is_well() { member.well.or(Some(now)) } else { None };
        if member.serves() {
            member.served = Some(now);
        }
    }

    fn requested(&mut self, now: u64, call: &ApiCall) {
        let app = match call {
            ApiCall::KillTask { app, .. }
            | ApiCall::KillTasks { app }
            | ApiCall::ChangeApp { app, .. }
            | ApiCall::SteerRollout { app, .. }
            | ApiCall::ReleaseApp { app }
            | ApiCall::ResetApp { app }
            | ApiCall::AddVersion { app, .. } => app,
            ApiCall::CreateApp { .. }
            | ApiCall::Purge
            | ApiCall::OverrideBrake
            | ApiCall::ChooseFramework { .. }
            | ApiCall::KillQuarantined { .. } => return,
        };
        self.asked.insert(app.to_string(), now);
    }
}

/// A live task does not return to an earlier state: what says so was once true (R24).
const fn goes_back(from: TaskState, to: TaskState) -> bool {
    match (live_rank(from), live_rank(to)) {
        (Some(from), Some(to)) => to < from,
        _ => false,
    }
}

/// Whose fault an unasked end is (R87); `None` if it is surely the cluster's.
pub(super) fn fault(status: &TaskStatus) -> Option<Fault> {
    use TaskState as S;
    let by_itself = matches!(status.state, S::Failed | S::Finished);
    match (status.state, status.reason) {
        (S::Lost | S::Dropped | S::Gone | S::GoneByOperator, _) => None,
        (_, None) if by_itself && status.uuid.is_some() => Some(Fault::Own),
        (
            _,
            Some(
                Reason::InvalidOffers
                | Reason::AgentDisconnected
                | Reason::AgentRemoved
                | Reason::AgentRemovedByOperator
                | Reason::AgentRestarted
                | Reason::AgentDraining
                | Reason::MasterDisconnected
                | Reason::Reconciliation
                | Reason::TaskKilledDuringLaunch,
            ),
        ) => None,
        _ => Some(Fault::Either),
    }
}
