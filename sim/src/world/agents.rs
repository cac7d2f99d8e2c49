//! Owns the agents: which there are, which are away and for how long.

use swan_core::mesos::{AgentId, Resource};
use swan_core::rng::Rng;

use super::faults::Fault;
use super::{Happening, World};
use crate::mesos::{AgentSpec, ClusterInput};

/// How an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Up,
    Crashed,
    Partitioned,
    /// For ever.
    Gone,
}

/// All agents ever.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    rng: Rng,
    all: Vec<(AgentId, Standing)>,
    named: u32,
}

impl Agents {
    pub(super) const fn new(rng: Rng) -> Self {
        Self { rng, all: Vec::new(), named: 0 }
    }

    /// The cluster has given a new agent its id.
    pub(super) fn joined(&mut self, agent: AgentId) {
        self.all.push((agent, Standing::Up));
    }

    /// One of those that are up, unless it is the last.
    fn pick(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..self.all.len()).filter(|&at| self.all[at].1 == Standing::Up).collect();
        if up.len() < 2 { None } else { Some(up[self.rng.below(up.len() as u64) as usize]) }
    }

    /// One of all those that are up.
    pub(super) fn any(&mut self) -> Option<AgentId> {
        let up: Vec<&AgentId> =
            self.all.iter().filter(|(_, it)| *it == Standing::Up).map(|(id, _)| id).collect();
        if up.is_empty() { None } else { Some(up[self.rng.below(up.len() as u64) as usize].clone()) }
    }
}

impl World {
    /// A new agent registers.
    pub(super) fn join_agent(&mut self) {
        self.agents.named += 1;
        let name = self.agents.named;
        let spec = AgentSpec {
            hostname: format!("agent{name}.test"),
            ip: format!("10.0.{}.{}", name / 250, name % 250 + 1),
            port: 5051,
            resources: vec![
                Resource::scalar("cpus", 16_000),
                Resource::scalar("mem", 16_384_000),
                Resource::scalar("disk", 100_000_000),
                Resource::ranges("ports", vec![(31_000, 31_099)]),
            ],
            ..AgentSpec::default()
        };
        self.cluster_step(ClusterInput::AgentJoin(Box::new(spec)));
    }

    /// An agent's process dies; it comes back, or its host is gone and another joins.
    pub(super) fn crash_agent(&mut self) {
        let Some(at) = self.agents.pick() else { return };
        let agent = self.agents.all[at].0.clone();
        let away = self.agents.rng.between(500, self.options.agent_faults.away_ms.max(500));
        let forever = self.agents.rng.chance(self.options.agent_faults.forever);
        self.disturbed(if forever { "agent: gone for ever (A1)" } else { "agent: crash (A1)" });
        self.agents.all[at].1 = if forever { Standing::Gone } else { Standing::Crashed };
        self.cluster_step(ClusterInput::AgentCrash { agent });
        let next = if forever { Fault::AgentJoins } else { Fault::AgentBack(at) };
        self.queue.push(self.now + away, Happening::Fault(next));
    }

    /// An agent and the master cannot talk for a while.
    pub(super) fn partition_agent(&mut self) {
        let Some(at) = self.agents.pick() else { return };
        let agent = self.agents.all[at].0.clone();
        let away = self.agents.rng.between(500, self.options.agent_faults.away_ms.max(500));
        self.disturbed("agent: partition (A4)");
        self.agents.all[at].1 = Standing::Partitioned;
        self.cluster_step(ClusterInput::Partition { agent });
        self.queue.push(self.now + away, Happening::Fault(Fault::AgentBack(at)));
    }

    /// An agent leaves in order, and another joins later.
    pub(super) fn stop_agent(&mut self) {
        let Some(at) = self.agents.pick() else { return };
        let agent = self.agents.all[at].0.clone();
        self.disturbed("agent: stop");
        self.agents.all[at].1 = Standing::Gone;
        self.cluster_step(ClusterInput::AgentStop { agent });
        let away = self.agents.rng.between(500, self.options.agent_faults.away_ms.max(500));
        self.queue.push(self.now + away, Happening::Fault(Fault::AgentJoins));
    }

    /// An agent that was away is back.
    pub(super) fn agent_back(&mut self, at: usize) {
        let (agent, standing) = self.agents.all[at].clone();
        let input = match standing {
            Standing::Crashed => ClusterInput::AgentReturn { agent },
            Standing::Partitioned => ClusterInput::Heal { agent },
            Standing::Up | Standing::Gone => return,
        };
        self.agents.all[at].1 = Standing::Up;
        self.cluster_step(input);
    }

    /// All agents are back, and those gone for ever are replaced.
    pub(super) fn heal_agents(&mut self) {
        for at in 0..self.agents.all.len() {
            self.agent_back(at);
        }
        let up = self.agents.all.iter().filter(|(_, it)| *it == Standing::Up).count();
        for _ in up..self.options.agents as usize {
            self.join_agent();
        }
    }
}
