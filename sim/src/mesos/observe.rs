//! Owns the view from outside: what checkers may know of the true state of the cluster.

use swan_core::mesos::{
    AgentId, FrameworkId, FrameworkInfo, ListedFramework, OfferId, TaskId, TaskState, TaskStatus,
    Unavailability,
};

use super::pool::Pool;
use super::state::{Agent, Framework, Phase, Standing};
use super::{Cluster, validation};

/// A task as the master knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSeen<'a> {
    /// Its id.
    pub id: &'a TaskId,
    /// Where.
    pub agent: &'a AgentId,
    /// The newest state the master was told of.
    pub state: TaskState,
}

/// An offer that a framework holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferSeen<'a> {
    /// Its id.
    pub id: OfferId,
    /// Whose it is.
    pub framework_id: &'a FrameworkId,
    /// Whose resources.
    pub agent: &'a AgentId,
    /// A planned outage of the agent, as it was told.
    pub unavailability: Option<Unavailability>,
}

impl Cluster {
    /// The id that prefixes all ids the master gives.
    pub fn master_id(&self) -> &str {
        &self.master_id
    }

    /// All agents ever seen, in order of their ids, and whether each is up and registered.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, bool)> {
        self.agents.iter().map(|(id, agent)| (id, agent.reachable()))
    }

    /// Whether an agent is up and registered.
    pub fn is_reachable(&self, agent: &AgentId) -> bool {
        self.agents.get(agent).is_some_and(Agent::reachable)
    }

    /// An agent that the master still counts on, though nothing is heard of it, and that it will give up: until then it says
    /// nothing of its tasks.
    pub fn awaited_agent(&self) -> Option<&AgentId> {
        let awaited = |agent: &Agent| agent.standing == Standing::Recovered || agent.ping_deadline.is_some();
        self.agents.iter().find(|(_, agent)| awaited(agent)).map(|(id, _)| id)
    }

    /// Tasks with a container on this agent, wanted or not.
    pub fn alive_on(&self, agent: &AgentId) -> impl Iterator<Item = (&FrameworkId, &TaskId)> {
        let tasks = self.agents.get(agent).map(|agent| agent.tasks.iter());
        tasks.into_iter().flatten().filter(|(_, task)| task.alive).map(|((framework, id), _)| (framework, id))
    }

    /// The framework's tasks with a container, on any agent.
    pub fn alive_of(&self, framework: &FrameworkId) -> impl Iterator<Item = (&AgentId, &TaskId)> {
        self.agents.iter().flat_map(move |(agent, it)| {
            let alive = it.tasks.iter().filter(move |((owner, _), task)| task.alive && owner == framework);
            alive.map(move |((_, id), _)| (agent, id))
        })
    }

    /// Tasks on this agent that are launched and whose end no status tells yet, container or not.
    pub fn pending_on(&self, agent: &AgentId) -> impl Iterator<Item = (&FrameworkId, &TaskId)> {
        let tasks = self.agents.get(agent).map(|agent| agent.tasks.iter());
        let open = tasks.into_iter().flatten().filter(|(_, task)| task.phase < Phase::Ended);
        open.map(|((framework, id), _)| (framework, id))
    }

    /// What the master knows of the framework's tasks.
    pub fn known_of(&self, framework: &FrameworkId) -> impl Iterator<Item = TaskSeen<'_>> {
        let tasks = self.frameworks.get(framework).map(|framework| framework.tasks.iter());
        tasks.into_iter().flatten().map(|(id, known)| TaskSeen {
            id,
            agent: &known.agent,
            state: known.state,
        })
    }

    /// Frameworks that are known and not torn down, and whether each is connected.
    pub fn frameworks(&self) -> impl Iterator<Item = (&FrameworkId, bool)> {
        self.frameworks.iter().map(|(id, framework)| (id, framework.stream.is_some()))
    }

    /// What the master lists of its frameworks, each with what it says of itself.
    pub fn listed_frameworks(&self) -> impl Iterator<Item = (&FrameworkInfo, ListedFramework)> {
        self.frameworks.iter().map(|(id, framework)| {
            let mut allocated = Pool::default();
            for known in framework.tasks.values() {
                if !known.state.is_terminal() && known.state != TaskState::Unreachable {
                    allocated.add(known.resources.resources());
                }
            }
            let listed = ListedFramework {
                id: id.clone(),
                name: framework.info.name.clone(),
                labels: framework.info.labels.clone(),
                connected: framework.stream.is_some(),
                recovered: framework.recovered,
                allocated: allocated.into_resources(),
            };
            (&framework.info, listed)
        })
    }

    /// Whether the framework wants no offers, as far as its master knows.
    pub fn is_suppressed(&self, framework: &FrameworkId) -> bool {
        let roles =
            |it: &Framework| validation::roles(&it.info).iter().all(|role| it.suppressed.contains(role));
        self.frameworks.get(framework).is_some_and(roles)
    }

    /// How often a task was started on an agent; more than once is a framework's error (S2).
    pub fn launches(&self, framework: &FrameworkId, task: &TaskId) -> u32 {
        self.launches.get(&(framework.clone(), task.clone())).copied().unwrap_or(0)
    }

    /// How often an executor was told to end a task.
    pub fn kills(&self, framework: &FrameworkId, task: &TaskId) -> u32 {
        self.kills.get(&(framework.clone(), task.clone())).copied().unwrap_or(0)
    }

    /// All tasks ever started, and how often.
    pub fn all_launches(&self) -> impl Iterator<Item = (&FrameworkId, &TaskId, u32)> {
        self.launches.iter().map(|((framework, task), times)| (framework, task, *times))
    }

    /// Offers that frameworks hold.
    pub fn outstanding_offers(&self) -> impl Iterator<Item = OfferSeen<'_>> {
        self.offers.iter().map(|(id, offer)| OfferSeen {
            id,
            framework_id: &offer.framework,
            agent: &offer.agent,
            unavailability: offer.unavailability,
        })
    }

    /// Updates made and not acknowledged, oldest first per task.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (&AgentId, &FrameworkId, &TaskStatus)> {
        self.agents.iter().flat_map(|(agent, it)| {
            it.tasks.iter().flat_map(move |((framework, _), task)| {
                task.updates.iter().map(move |status| (agent, framework, status))
            })
        })
    }
}
