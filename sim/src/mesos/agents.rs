//! Owns the agents' lives: joining, dying, coming back, being given up, drained, marked gone.

use std::collections::VecDeque;
use std::sync::Arc;

use swan_core::mesos::{
    Address, AgentFacts, AgentId, Attribute, Event, Failure, FrameworkId, Reason, TaskId, TaskState,
    TaskStatus,
};
use swan_core::time::{Instant, Millis};

use super::Cluster;
use super::pool::Pool;
use super::state::{Agent, Drain, Framework, Known, Phase, Standing, Task, TaskKey, Timer};
use super::types::{AdoptedTask, AgentSpec, ClusterOutput, CutOff, OperatorCall};

impl Cluster {
    pub(super) fn join(&mut self, spec: AgentSpec, out: &mut Vec<ClusterOutput>) {
        let id = spec.id.clone().unwrap_or_else(|| self.new_agent_id());
        out.push(ClusterOutput::Joined {
            hostname: spec.hostname.clone(),
            port: spec.port,
            agent: id.clone(),
        });
        if self.agents.contains_key(&id) {
            self.come_back(&id, out);
            return;
        }
        self.replace_namesake(&spec, out);
        let total = Pool::of(&spec.resources);
        let (hostname, ip) = (Some(spec.hostname.clone()), Some(spec.ip.clone()));
        let facts = AgentFacts {
            hostname: spec.hostname,
            address: Some(Address { hostname, ip, port: spec.port }),
            domain: spec.domain,
            attributes: spec.attributes,
        };
        let agent = Agent {
            facts: facts.into(),
            ip: spec.ip,
            port: spec.port,
            free: total.clone(),
            others: Pool::default(),
            filters: Vec::new(),
            total,
            standing: Standing::Registered,
            connected: true,
            deactivated: false,
            draining: None,
            unavailability: None,
            ping_since: self.now.mono,
            ping_deadline: None,
            up: true,
            cut: None,
            tasks: std::collections::BTreeMap::new(),
        };
        self.addresses.entry((agent.facts.hostname.clone(), agent.port)).or_default().insert(id.clone());
        self.agents.insert(id.clone(), agent);
        for task in spec.tasks {
            self.adopt(&id, task);
        }
        self.allocate(Some(&id), out);
    }

    /// An agent that is disconnected makes room for a new one at the same address.
    fn replace_namesake(&mut self, spec: &AgentSpec, out: &mut Vec<ClusterOutput>) {
        let namesakes = self.addresses.get(&(spec.hostname.clone(), spec.port));
        let gone = |id: &&AgentId| {
            self.agents.get(*id).is_some_and(|agent| agent.standing == Standing::Registered && !agent.up)
        };
        let Some(old) = namesakes.and_then(|ids| ids.iter().find(gone)).cloned() else { return };
        let message = "a new agent registered at the same address";
        self.remove_agent(&old, Standing::Removed, TaskState::Lost, Reason::AgentRemoved, message, out);
    }

    /// The host goes down with all that runs on it; what was not acknowledged is lost, too.
    pub(super) fn reboot(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        self.crash(id, out);
        if let Some(agent) = self.agents.get_mut(id) {
            agent.tasks.clear();
        }
    }

    fn new_agent_id(&mut self) -> AgentId {
        loop {
            let id = AgentId::new(format!("{}-S{}", self.master_id, self.next_agent));
            self.next_agent += 1;
            if !self.agents.contains_key(&id) {
                return id;
            }
        }
    }

    /// A task of an earlier master's time is known again, without an update.
    fn adopt(&mut self, agent_id: &AgentId, adopted: AdoptedTask) {
        let Some(framework_id) = adopted.framework.id.clone() else { return };
        let Some(agent) = self.agents.get_mut(agent_id) else { return };
        let id = adopted.info.task_id.clone();
        let resources = Pool::of(&adopted.info.resources);
        agent.free.subtract(resources.clone().allocated(None).resources());
        let mut task = Task::new(adopted.info, adopted.container_id.clone());
        task.phase = Phase::Running;
        task.alive = true;
        task.ips.clone_from(&adopted.ips);
        task.health.since = self.now.mono;
        task.health.passed_once = adopted.healthy == Some(true);
        task.health.healthy = adopted.healthy;
        let ip = agent.ip.clone();
        agent.tasks.insert((framework_id.clone(), id.clone()), task);
        let mut last = TaskStatus::from_master(id.clone(), TaskState::Running, Reason::Reconciliation);
        last.healthy = adopted.healthy;
        last.container_id = Some(adopted.container_id);
        last.ip_addresses = if adopted.ips.is_empty() { vec![ip] } else { adopted.ips };
        let agent = agent_id.clone();
        let known = Known {
            agent,
            resources,
            state: TaskState::Running,
            last: Some(last.clone()),
            handed: None,
            kill_requested: false,
        };
        if let Some(task) = self
            .agents
            .get_mut(agent_id)
            .and_then(|agent| agent.tasks.get_mut(&(framework_id.clone(), id.clone())))
        {
            task.latest = Some(last);
        }
        self.recovered_framework(&framework_id, adopted.framework).tasks.insert(id, known);
    }

    pub(super) fn recovered_framework(
        &mut self,
        id: &FrameworkId,
        info: swan_core::mesos::FrameworkInfo,
    ) -> &mut Framework {
        if !self.frameworks.contains_key(id) {
            let deadline = self.now.mono + info.failover_timeout.unwrap_or_default();
            self.arm(deadline, Timer::Failover(id.clone()));
            let mut framework = Framework::new(info.clone());
            framework.recovered = true;
            framework.failover_deadline = Some(deadline);
            self.frameworks.insert(id.clone(), framework);
        }
        self.frameworks.entry(id.clone()).or_insert_with(|| Framework::new(info))
    }

    /// The process dies: the connection breaks, offers are void, pings stay unanswered.
    pub(super) fn crash(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.up) else { return };
        agent.up = false;
        for task in agent.tasks.values_mut() {
            task.retry = None;
        }
        self.disconnected(id, out);
        self.lose_unchecked(id, out);
        self.await_pings(id);
    }

    fn disconnected(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        if let Some(agent) = self.agents.get_mut(id) {
            agent.connected = false;
        }
        self.rescind_where(|offer| offer.agent == *id, out);
    }

    /// Tasks of frameworks without checkpointing do not outlive the agent's process.
    fn lose_unchecked(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let unchecked = |framework: &Framework| framework.info.checkpoint != Some(true);
        let theirs: Vec<FrameworkId> =
            self.frameworks.iter().filter(|(_, it)| unchecked(it)).map(|(id, _)| id.clone()).collect();
        let message = format!("Agent {} disconnected", self.agents[id].facts.hostname);
        for framework in theirs {
            for (task, known) in self.take_known(&framework, id) {
                if !known.state.is_terminal() {
                    self.give_back(id, known.resources);
                }
                let mut status = TaskStatus::from_master(task, TaskState::Lost, Reason::AgentDisconnected);
                status.message = Some(message.clone());
                self.tell_lost(&framework, id, status, out);
            }
            self.forsake_on(id, |(owner, _)| *owner == framework, out);
        }
    }

    fn tell_lost(
        &self,
        framework: &FrameworkId,
        agent: &AgentId,
        mut status: TaskStatus,
        out: &mut Vec<ClusterOutput>,
    ) {
        status.agent_id = Some(agent.clone());
        status.timestamp = Some(self.now.wall);
        self.send(framework, Event::Update(Box::new(status)), out);
    }

    /// Takes the framework's tasks on an agent out of the master's books.
    fn take_known(&mut self, framework: &FrameworkId, agent: &AgentId) -> Vec<(TaskId, Known)> {
        let Some(framework) = self.frameworks.get_mut(framework) else { return Vec::new() };
        let ids: Vec<TaskId> = framework
            .tasks
            .iter()
            .filter(|(_, known)| known.agent == *agent)
            .map(|(id, _)| id.clone())
            .collect();
        ids.into_iter().filter_map(|id| framework.tasks.swap_remove_entry(&id)).collect()
    }

    /// The next ping after now starts the count.
    fn await_pings(&mut self, id: &AgentId) {
        let beat = self.options.ping_timeout;
        let now = self.now.mono;
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.standing == Standing::Registered)
        else {
            return;
        };
        if agent.ping_deadline.is_some() {
            return;
        }
        let into = now.since(agent.ping_since).0 % beat.0.max(1);
        let next_ping = now + Millis(beat.0.saturating_sub(into));
        let deadline = next_ping + beat.times(u64::from(self.options.max_ping_timeouts));
        agent.ping_deadline = Some(deadline);
        self.arm(deadline, Timer::Ping(id.clone()));
    }

    pub(super) fn ping_due(&mut self, at: Instant, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.ping_deadline == Some(at)) else {
            return;
        };
        agent.ping_deadline = None;
        let since = self.now.wall;
        self.remove_agent(
            id,
            Standing::Unreachable(since),
            TaskState::Unreachable,
            Reason::AgentRemoved,
            "health check timed out",
            out,
        );
    }

    /// The master gives an agent up; every task on it gets a last word, and the framework a FAILURE.
    pub(super) fn remove_agent(
        &mut self,
        id: &AgentId,
        standing: Standing,
        state: TaskState,
        reason: Reason,
        message: &str,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.standing = standing;
        agent.connected = false;
        agent.ping_deadline = None;
        agent.draining = None;
        agent.filters.clear();
        let frameworks: Vec<FrameworkId> = self.frameworks.keys().cloned().collect();
        for framework in &frameworks {
            let state = self.seen_by(framework, state);
            for (task, _) in self.take_known(framework, id) {
                let mut status = TaskStatus::from_master(task.clone(), state, reason);
                status.message = Some(message.into());
                if let Standing::Unreachable(since) = standing {
                    status.unreachable_time = Some(since);
                    self.remember_unreachable(framework, task, id);
                }
                self.tell_lost(framework, id, status, out);
            }
        }
        self.rescind_where(|offer| offer.agent == *id, out);
        self.rescind_inverse(id, out);
        let failure = Failure { agent_id: Some(id.clone()), executor_id: None, status: None };
        for framework in &frameworks {
            self.send(framework, Event::Failure(Box::new(failure.clone())), out);
        }
    }

    fn remember_unreachable(&mut self, framework: &FrameworkId, task: TaskId, agent: &AgentId) {
        let most = self.options.max_unreachable_tasks;
        let Some(framework) = self.frameworks.get_mut(framework) else { return };
        framework.unreachable.push_back((task, agent.clone()));
        while framework.unreachable.len() > most {
            framework.unreachable.pop_front();
        }
    }

    /// An agent starts with other attributes than it had.
    pub(super) fn reconfigure(&mut self, id: &AgentId, attributes: Vec<Attribute>) {
        if let Some(agent) = self.agents.get_mut(id) {
            Arc::make_mut(&mut agent.facts).attributes = attributes;
        }
    }

    /// Whatever cannot be reached is as if it had never been.
    pub(super) fn forget_unreachable(&mut self) {
        for agent in self.agents.values_mut() {
            if matches!(agent.standing, Standing::Unreachable(_)) {
                agent.standing = Standing::Forgotten;
            }
        }
        for framework in self.frameworks.values_mut() {
            framework.unreachable.clear();
        }
    }

    /// The process is there again, with its executors.
    pub(super) fn come_back(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.up = true;
        self.reregister(id, out);
    }

    pub(super) fn partition(&mut self, id: &AgentId, cut: CutOff) {
        let Some(agent) = self.agents.get_mut(id) else { return };
        agent.cut = Some(cut);
        self.await_pings(id);
    }

    pub(super) fn heal(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.cut.is_some()) else { return };
        agent.cut = None;
        self.reregister(id, out);
    }

    fn reregister(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let hears = self.agents.get(id).is_some_and(|agent| agent.up && agent.cut.is_none());
        if !hears || self.dies_of_duplicate(id, out) {
            return;
        }
        let Some(agent) = self.agents.get_mut(id) else { return };
        match agent.standing {
            Standing::Registered => {
                agent.connected = true;
                agent.ping_deadline = None;
                self.end_orphans(id, out);
                self.resend_updates_on(id, out);
                self.settle_missing(id, out);
                self.repeat_kills(id, out);
                self.drain_tasks(id, out);
            }
            Standing::Unreachable(_) | Standing::Forgotten => {
                agent.standing = Standing::Registered;
                agent.connected = true;
                agent.ping_since = self.now.mono;
                self.reappear(id, out);
                self.resend_updates_on(id, out);
                self.allocate(Some(&id.clone()), out);
            }
            Standing::Recovered => self.reregister_at_successor(id, out),
            // It is told to shut down, and takes its tasks with it.
            Standing::GoneByOperator | Standing::Removed => {
                self.forsake_on(id, |_| true, out);
                if let Some(agent) = self.agents.get_mut(id) {
                    agent.up = false;
                }
            }
        }
    }

    /// Tasks that the agent never heard of are dropped, by the agent, with an update to acknowledge.
    fn settle_missing(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let mut missing: Vec<(TaskKey, Pool)> = Vec::new();
        for (framework, it) in &self.frameworks {
            for (task, known) in it.tasks.iter().filter(|(_, known)| known.agent == *id) {
                let key = (framework.clone(), task.clone());
                if self.task(id, &key).is_none() {
                    missing.push((key, known.resources.clone()));
                }
            }
        }
        for (key, resources) in missing {
            let state = self.seen_by(&key.0, TaskState::Dropped);
            self.drop_on_agent(id, &key, &resources, state, out);
        }
    }

    fn repeat_kills(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let mut keys: Vec<TaskKey> = Vec::new();
        for (framework, it) in &self.frameworks {
            let wanted = it.tasks.iter().filter(|(_, known)| known.agent == *id && known.kill_requested);
            keys.extend(wanted.map(|(task, _)| (framework.clone(), task.clone())));
        }
        for key in keys {
            self.kill_on_agent(id, &key, None, out);
        }
    }

    /// Tasks whose framework was removed while the agent did not hear of it.
    pub(super) fn end_orphans(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get(id) else { return };
        let is_orphan = |key: &&TaskKey| !self.frameworks.contains_key(&key.0);
        let orphans: Vec<TaskKey> = agent.tasks.keys().filter(is_orphan).cloned().collect();
        self.forsake_on(id, |key| orphans.contains(key), out);
    }

    /// An unreachable agent's tasks are known again, and their frameworks are told.
    fn reappear(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        self.recover_frameworks_of(id);
        self.end_orphans(id, out);
        for framework in self.frameworks.values_mut() {
            framework.unreachable.retain(|(_, agent)| agent != id);
        }
        for ((framework, task), known) in self.known_again(id) {
            let mut status = TaskStatus::from_master(task.clone(), known.state, Reason::AgentReregistered);
            status.message = Some("Unreachable agent re-reregistered".into());
            self.attach_last(&mut status, known.last.as_ref());
            if let Some(framework) = self.frameworks.get_mut(&framework) {
                framework.tasks.insert(task, known);
            }
            self.tell_lost(&framework, id, status, out);
        }
    }

    /// What an agent tells of its tasks when the master does not know them; their resources are taken.
    pub(super) fn known_again(&mut self, id: &AgentId) -> Vec<(TaskKey, Known)> {
        let Some(agent) = self.agents.get_mut(id) else { return Vec::new() };
        agent.free = agent.total.clone();
        agent.free.subtract(agent.others.resources());
        let mut found = Vec::new();
        for (key, task) in agent.tasks.iter().filter(|(_, task)| !task.forsaken) {
            let state = task.latest.as_ref().map_or(TaskState::Staging, |latest| latest.state);
            let resources = Pool::of(&task.info.resources);
            if !state.is_terminal() {
                agent.free.subtract(resources.clone().allocated(None).resources());
            }
            let told = task.updates.front().or(task.latest.as_ref());
            let handed = told.and_then(|told| Some((told.state, told.uuid.clone()?)));
            let last = task.latest.clone();
            let known = Known { agent: id.clone(), resources, state, last, handed, kill_requested: false };
            found.push((key.clone(), known));
        }
        found
    }

    /// An orderly stop: the agent says goodbye and ends its executors.
    pub(super) fn stop(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.up) else { return };
        agent.up = false;
        if agent.standing == Standing::Registered {
            let message = format!("Agent {} removed: the agent unregistered", agent.facts.hostname);
            self.remove_agent(id, Standing::Removed, TaskState::Lost, Reason::AgentRemoved, &message, out);
        }
        self.forsake_on(id, |_| true, out);
    }

    pub(super) fn operate(&mut self, call: OperatorCall, out: &mut Vec<ClusterOutput>) -> (u16, String) {
        match call {
            OperatorCall::MarkAgentGone { agent } => self.mark_gone(&agent, out),
            OperatorCall::DrainAgent { agent, max_grace } => self.drain(&agent, max_grace, out),
            OperatorCall::DeactivateAgent { agent } => self.set_active(&agent, false, out),
            OperatorCall::ReactivateAgent { agent } => self.set_active(&agent, true, out),
            OperatorCall::PlanOutage { agent, window } => self.plan_outage(&agent, window, out),
            OperatorCall::BeginOutage { agent } => self.begin_outage(&agent, out),
            OperatorCall::Teardown { framework } if self.frameworks.contains_key(&framework) => {
                self.remove_framework(&framework, out);
                (200, String::new())
            }
            OperatorCall::Teardown { .. } => (400, "No framework found with specified ID".into()),
        }
    }

    fn mark_gone(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) -> (u16, String) {
        let Some(agent) = self.agents.get_mut(id) else { return (404, "Agent not found".into()) };
        let message = "Agent has been marked gone";
        match agent.standing {
            Standing::GoneByOperator => {}
            Standing::Removed | Standing::Recovered | Standing::Forgotten => {
                return (404, "Agent not found".into());
            }
            Standing::Registered => self.remove_agent(
                id,
                Standing::GoneByOperator,
                TaskState::GoneByOperator,
                Reason::AgentRemovedByOperator,
                message,
                out,
            ),
            Standing::Unreachable(_) => {
                agent.standing = Standing::GoneByOperator;
                self.gone_while_unreachable(id, message, out);
            }
        }
        if self.agents.get(id).is_some_and(|agent| agent.up && agent.cut.is_none()) {
            self.reregister(id, out);
        }
        (200, String::new())
    }

    fn gone_while_unreachable(&mut self, id: &AgentId, message: &str, out: &mut Vec<ClusterOutput>) {
        let frameworks: Vec<FrameworkId> = self.frameworks.keys().cloned().collect();
        for framework in frameworks {
            let state = self.seen_by(&framework, TaskState::GoneByOperator);
            let Some(it) = self.frameworks.get_mut(&framework) else { continue };
            let (theirs, others): (VecDeque<_>, VecDeque<_>) =
                it.unreachable.drain(..).partition(|(_, agent)| agent == id);
            it.unreachable = others;
            for (task, _) in theirs {
                let mut status = TaskStatus::from_master(task, state, Reason::AgentRemovedByOperator);
                status.message = Some(message.into());
                self.tell_lost(&framework, id, status, out);
            }
        }
    }

    fn drain(
        &mut self,
        id: &AgentId,
        max_grace: Option<Millis>,
        out: &mut Vec<ClusterOutput>,
    ) -> (u16, String) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.standing == Standing::Registered)
        else {
            return (404, "Agent not found".into());
        };
        agent.draining = Some(Drain { max_grace });
        self.rescind_where(|offer| offer.agent == *id, out);
        self.drain_tasks(id, out);
        (200, String::new())
    }

    /// The agent, if it is to be drained and hears of it, ends its tasks.
    fn drain_tasks(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) {
        let Some(agent) = self.agents.get(id).filter(|agent| agent.hears()) else { return };
        let Some(Drain { max_grace }) = agent.draining else { return };
        let keys: Vec<TaskKey> = agent.tasks.keys().cloned().collect();
        for key in keys {
            let own = self.task(id, &key).and_then(|task| task.info.kill_grace);
            let own = own.unwrap_or(self.options.kill_grace);
            self.kill_on_agent(id, &key, Some(max_grace.map_or(own, |most| own.min(most))), out);
        }
    }

    fn set_active(&mut self, id: &AgentId, active: bool, out: &mut Vec<ClusterOutput>) -> (u16, String) {
        let Some(agent) = self.agents.get_mut(id) else { return (404, "Agent not found".into()) };
        agent.deactivated = !active;
        if active {
            agent.draining = None;
        } else {
            self.rescind_where(|offer| offer.agent == *id, out);
        }
        (200, String::new())
    }
}
