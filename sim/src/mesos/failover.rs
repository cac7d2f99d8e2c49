//! Owns the change of masters: what the next one does not know, and learns from agents that register again.

use swan_core::mesos::{AgentId, Reason, TaskState};

use super::offers::Offers;
use super::state::{Standing, TaskKey, Timer};
use super::types::ClusterOutput;
use super::{Cluster, uuid, uuid_text};

impl Cluster {
    /// Streams break, offers and frameworks are forgotten; agents, executors and unacknowledged updates live on.
    pub(super) fn master_fails_over(&mut self, out: &mut Vec<ClusterOutput>) {
        let conns: Vec<_> = self.streams.keys().copied().collect();
        out.extend(conns.into_iter().map(|conn| ClusterOutput::Break { conn }));
        self.streams.clear();
        self.registry_lost = false;
        self.forget_inverse();
        for (id, framework) in std::mem::take(&mut self.frameworks) {
            self.checkpointed.insert(id, framework.info);
        }
        self.completed.clear();
        self.master_id = uuid_text(uuid(&mut self.rng));
        self.offers = Offers::of(&self.master_id);
        (self.next_framework, self.next_agent) = (0, 0);
        self.timers.retain(|(_, timer)| !matches!(timer, Timer::Reregister(_)));
        let deadline = self.now.mono + self.options.reregister_timeout;
        for (id, agent) in &mut self.agents {
            agent.free = agent.total.clone();
            agent.free.subtract(agent.others.resources());
            agent.filters.clear();
            agent.connected = false;
            agent.ping_deadline = None;
            for task in agent.tasks.values_mut() {
                task.retry = None;
            }
            if matches!(agent.standing, Standing::Registered | Standing::Recovered) {
                agent.standing = Standing::Recovered;
                self.timers.insert((deadline, Timer::Reregister(id.clone())));
            }
        }
    }

    /// The master dies (of its check for a `Duplicate task`) when an agent brings a task whose id it knows from another
    /// agent. A framework that uses an id twice gets there once a new master has forgotten the first use.
    pub(super) fn dies_of_duplicate(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) -> bool {
        let Some(agent) = self.agents.get(id) else { return false };
        let elsewhere = |(framework, task): &TaskKey| {
            let known = self.frameworks.get(framework).and_then(|framework| framework.tasks.get(task));
            known.is_some_and(|known| known.agent != *id)
        };
        let told_of =
            matches!(agent.standing, Standing::Recovered | Standing::Unreachable(_) | Standing::Forgotten);
        if !told_of || !agent.tasks.iter().any(|(key, task)| !task.forsaken && elsewhere(key)) {
            return false;
        }
        // The registry has it among the reachable ones by then.
        if let Some(agent) = self.agents.get_mut(id) {
            agent.standing = Standing::Registered;
        }
        self.master_fails_over(out);
        true
    }

    /// An agent brings its tasks, and with them their frameworks; nobody is told.
    pub(super) fn reregister_at_successor(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let now = self.now.mono;
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.standing = Standing::Registered;
        agent.connected = true;
        agent.ping_since = now;
        self.recover_frameworks_of(id);
        self.end_orphans(id, out);
        for ((framework, task), known) in self.known_again(id) {
            if let Some(framework) = self.frameworks.get_mut(&framework) {
                framework.tasks.insert(task, known);
            }
        }
        self.resend_updates_on(id, out);
        self.allocate(Some(id), out);
    }

    /// Frameworks that the master does not know are told of by the agent.
    pub(super) fn recover_frameworks_of(&mut self, id: &AgentId) {
        let Some(agent) = self.agents.get(id) else { return };
        let infos: Vec<_> = agent
            .tasks
            .iter()
            .filter(|(_, task)| !task.forsaken)
            .filter_map(|((framework, _), _)| self.checkpointed.get_key_value(framework))
            .map(|(id, info)| (id.clone(), info.clone()))
            .collect();
        for (id, info) in infos {
            self.recovered_framework(&id, info);
        }
    }

    pub(super) fn reregister_due(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        if self.agents.get(id).is_some_and(|agent| agent.standing == Standing::Recovered) {
            let standing = Standing::Unreachable(self.now.wall);
            let message = "health check timed out";
            self.remove_agent(id, standing, TaskState::Unreachable, Reason::AgentRemoved, message, out);
        }
    }
}
