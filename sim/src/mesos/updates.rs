//! Owns status updates on their way: made on the agent, sent in order, repeated until acknowledged.

use swan_core::mesos::{AgentId, Event, FrameworkId, TaskId, TaskState, TaskStatus, Uuid};
use swan_core::time::Instant;

use super::Cluster;
use super::state::{Phase, Retry, Standing, TaskKey, Timer};
use super::types::ClusterOutput;

impl Cluster {
    /// Queues a status; it leaves at once if none is before it.
    pub(super) fn enqueue(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        status: TaskStatus,
        out: &mut Vec<ClusterOutput>,
    ) {
        let task = self.agents.get_mut(agent).and_then(|agent| agent.tasks.get_mut(key));
        let Some(task) = task else { return };
        let mut kept = status.clone();
        kept.data = None;
        task.latest = Some(kept);
        task.updates.push_back(status);
        if task.updates.len() == 1 {
            self.send_first(agent, key, None, out);
        }
    }

    /// Sends the first waiting update and arms its repetition.
    pub(super) fn send_first(
        &mut self,
        agent_id: &AgentId,
        key: &TaskKey,
        last: Option<Retry>,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(agent) = self.agents.get_mut(agent_id).filter(|agent| agent.up) else { return };
        let is_heard = agent.is_heard();
        let Some(task) = agent.tasks.get_mut(key) else { return };
        let Some(status) = task.updates.front().cloned() else {
            task.retry = None;
            return;
        };
        let newest = task.latest.as_ref().map_or(status.state, |latest| latest.state);
        let wait = last.map_or(self.options.retry_min, |last| last.wait.times(2).min(self.options.retry_max));
        let retry = Retry { at: self.now.mono + wait, wait };
        task.retry = Some(retry);
        self.arm(retry.at, Timer::Retry(agent_id.clone(), key.clone()));
        if is_heard {
            self.update_arrives(agent_id, key, status, newest, out);
        }
    }

    pub(super) fn retry_due(
        &mut self,
        at: Instant,
        agent: &AgentId,
        key: &TaskKey,
        out: &mut Vec<ClusterOutput>,
    ) {
        let task = self.agents.get(agent).and_then(|agent| agent.tasks.get(key));
        let due = task.and_then(|task| task.retry).filter(|retry| retry.at == at);
        if let Some(retry) = due {
            self.send_first(agent, key, Some(retry), out);
        }
    }

    /// All that waits on an agent is sent now: it has just registered again.
    pub(super) fn resend_updates_on(&mut self, agent: &AgentId, out: &mut Vec<ClusterOutput>) {
        let keys: Vec<TaskKey> =
            self.agents.get(agent).map_or_else(Vec::new, |agent| agent.tasks.keys().cloned().collect());
        for key in keys {
            self.send_first(agent, &key, None, out);
        }
    }

    /// All that waits for a framework is sent now: its scheduler has just come.
    pub(super) fn resend_updates_of(&mut self, framework: &FrameworkId, out: &mut Vec<ClusterOutput>) {
        let mut keys = Vec::new();
        for (id, agent) in &self.agents {
            let theirs = agent.tasks.keys().filter(|(owner, _)| owner == framework);
            keys.extend(theirs.map(|key| (id.clone(), key.clone())));
        }
        for (agent, key) in keys {
            self.send_first(&agent, &key, None, out);
        }
    }

    /// The master hands an update on and learns the task's newest state from it.
    fn update_arrives(
        &mut self,
        agent: &AgentId,
        (framework, id): &TaskKey,
        status: TaskStatus,
        newest: TaskState,
        out: &mut Vec<ClusterOutput>,
    ) {
        let handed = self.send(framework, Event::Update(Box::new(status.clone())), out);
        let known = self.frameworks.get_mut(framework).and_then(|framework| framework.tasks.get_mut(id));
        let Some(known) = known else { return };
        if let Some(uuid) = status.uuid.clone().filter(|_| handed) {
            known.handed = Some((status.state, uuid));
        }
        // A namesake elsewhere, of a task that ended and whose acknowledgement was lost.
        if known.agent != *agent {
            return;
        }
        let ends = !known.state.is_terminal() && newest.is_terminal();
        if !known.state.is_terminal() {
            known.state = newest;
        }
        let mut kept = status;
        kept.data = None;
        known.last = Some(kept);
        if ends {
            let resources = known.resources.clone();
            self.give_back(agent, resources);
        }
    }

    pub(super) fn acknowledge(
        &mut self,
        framework_id: &FrameworkId,
        agent_id: &AgentId,
        id: &TaskId,
        uuid: &Uuid,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(agent) = self.agents.get(agent_id) else { return };
        if agent.standing != Standing::Registered || !agent.connected {
            return;
        }
        let framework = self.frameworks.get_mut(framework_id);
        if let Some(framework) = framework
            && let Some(known) = framework.tasks.get(id).filter(|known| known.agent == *agent_id)
        {
            let Some((state, handed)) = &known.handed else { return };
            if state.is_terminal() && handed == uuid {
                framework.tasks.swap_remove(id);
            }
        }
        self.ack_arrives(agent_id, &(framework_id.clone(), id.clone()), uuid, out);
    }

    fn ack_arrives(&mut self, agent_id: &AgentId, key: &TaskKey, uuid: &Uuid, out: &mut Vec<ClusterOutput>) {
        let agent = self.agents.get_mut(agent_id).filter(|agent| agent.hears());
        let Some(agent) = agent else { return };
        let Some(task) = agent.tasks.get_mut(key) else { return };
        if task.updates.front().is_none_or(|first| first.uuid.as_ref() != Some(uuid)) {
            return;
        }
        task.updates.pop_front();
        task.retry = None;
        if task.updates.is_empty() && task.phase == Phase::Ended {
            if task.alive {
                task.forsaken = true;
            } else {
                agent.tasks.remove(key);
            }
            return;
        }
        self.send_first(agent_id, key, None, out);
    }
}
