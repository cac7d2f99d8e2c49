//! Owns tasks on their agents: what becomes of launches, kills, and the facts that executors report.

use std::collections::VecDeque;

use swan_core::mesos::{
    AgentId, Capability, ContainerInfo, DockerNetwork, ExecutorId, FrameworkId, Reason, Source, TaskId,
    TaskInfo, TaskState, TaskStatus, Uuid,
};
use swan_core::time::{Instant, Millis};

use super::pool::Pool;
use super::state::{Health, Phase, Task, TaskKey};
use super::types::{ClusterOutput, TaskReport};
use super::{Cluster, uuid, uuid_text, validation};

/// Failures in this time after the start do not count, if the check does not say.
const DEFAULT_HEALTH_GRACE: Millis = Millis::from_secs(10);
/// So many failures in a row end a task, if the check does not say.
const DEFAULT_FAILURES: u32 = 3;

impl Task {
    pub(crate) fn new(info: TaskInfo, container_id: String) -> Self {
        Self {
            info,
            container_id,
            phase: Phase::Staging,
            alive: false,
            forsaken: false,
            kill_deadline: None,
            killed_by_health: false,
            ips: Vec::new(),
            health: Health::default(),
            latest: None,
            updates: VecDeque::new(),
            retry: None,
        }
    }
}

impl Cluster {
    /// The agent receives a launch.
    pub(super) fn start_on_agent(
        &mut self,
        framework: &FrameworkId,
        agent_id: &AgentId,
        info: TaskInfo,
        out: &mut Vec<ClusterOutput>,
    ) {
        let container_id = uuid_text(uuid(&mut self.rng));
        let key = (framework.clone(), info.task_id.clone());
        let Some(agent) = self.agents.get_mut(agent_id).filter(|agent| agent.hears()) else { return };
        if agent.tasks.contains_key(&key) {
            return;
        }
        *self.launches.entry(key.clone()).or_default() += 1;
        agent.tasks.insert(key.clone(), Task::new(info.clone(), container_id.clone()));
        if let Err(message) = validation::docker_run_options(&info) {
            self.status_by_executor(agent_id, &key, TaskState::Starting, |_| {}, out);
            self.end(agent_id, &key, TaskState::Failed, Some(message), out);
            return;
        }
        out.push(ClusterOutput::Launch {
            agent: agent_id.clone(),
            framework_id: framework.clone(),
            container_id,
            task: Box::new(info),
        });
    }

    /// A launch that never arrived gets its last status from the agent.
    pub(super) fn drop_on_agent(
        &mut self,
        agent_id: &AgentId,
        key: &TaskKey,
        resources: &Pool,
        state: TaskState,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(agent) = self.agents.get_mut(agent_id) else { return };
        agent.tasks.insert(key.clone(), Task::new(nothing_known(agent_id, &key.1, resources), String::new()));
        let message = "Reconciliation: task unknown to the agent".to_owned();
        self.end_by_agent(agent_id, key, state, Reason::Reconciliation, message, out);
    }

    /// KILL at the master.
    pub(super) fn kill(
        &mut self,
        framework_id: &FrameworkId,
        id: TaskId,
        agent: Option<AgentId>,
        grace: Option<Millis>,
        out: &mut Vec<ClusterOutput>,
    ) {
        let known = self.frameworks.get_mut(framework_id).and_then(|framework| framework.tasks.get_mut(&id));
        let Some(known) = known else {
            let task = swan_core::mesos::ReconcileTask { task_id: id, agent_id: agent };
            self.reconcile(framework_id, &[task], out);
            return;
        };
        if agent.is_some_and(|agent| agent != known.agent) {
            return;
        }
        known.kill_requested = true;
        let agent = known.agent.clone();
        let key = (framework_id.clone(), id);
        if self.agents.get(&agent).is_some_and(|agent| agent.connected && agent.hears()) {
            self.kill_on_agent(&agent, &key, grace, out);
        }
    }

    /// The agent receives a kill.
    pub(super) fn kill_on_agent(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        grace: Option<Millis>,
        out: &mut Vec<ClusterOutput>,
    ) {
        let default = self.options.kill_grace;
        let Some(task) = self.task(agent, key) else { return };
        let wait = grace.or(task.info.kill_grace).unwrap_or(default);
        let deadline = self.now.mono + wait;
        match (task.phase, task.kill_deadline) {
            (Phase::Ended, _) => {}
            (Phase::Staging, _) => {
                let message = "Killed before delivery to the executor".to_owned();
                self.end_by_agent(
                    agent,
                    key,
                    TaskState::Killed,
                    Reason::TaskKilledDuringLaunch,
                    message,
                    out,
                );
                self.signal(agent, key, Millis(0), out);
            }
            (_, Some(earlier)) if grace.is_none() || deadline >= earlier => {}
            (_, earlier) => {
                self.begin_kill(agent, key, wait, deadline, earlier.is_none(), out);
            }
        }
    }

    fn begin_kill(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        wait: Millis,
        deadline: Instant,
        first: bool,
        out: &mut Vec<ClusterOutput>,
    ) {
        if let Some(task) = self.task_mut(agent, key) {
            task.kill_deadline = Some(deadline);
        }
        if first && self.has(&key.0, Capability::TASK_KILLING_STATE) {
            self.status_by_executor(agent, key, TaskState::Killing, |_| {}, out);
        }
        self.signal(agent, key, wait, out);
    }

    /// Tells the executor to end the container.
    pub(super) fn signal(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        grace: Millis,
        out: &mut Vec<ClusterOutput>,
    ) {
        *self.kills.entry(key.clone()).or_default() += 1;
        out.push(ClusterOutput::Kill {
            agent: agent.clone(),
            framework_id: key.0.clone(),
            task: key.1.clone(),
            grace,
        });
    }

    /// A fact about a container.
    pub(super) fn report(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        what: TaskReport,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(task) = self.task_mut(agent, key) else { return };
        if task.forsaken || task.phase == Phase::Ended {
            self.report_of_ended(agent, key, &what, out);
            return;
        }
        match what {
            TaskReport::Starting => self.starting(agent, key, out),
            TaskReport::Started { data, ips } => self.running(agent, key, data, ips, out),
            TaskReport::Probe { ok } => self.probed(agent, key, ok, out),
            TaskReport::Exited { status } => self.exited(agent, key, status, out),
            TaskReport::EndedUnasked { status } => self.ended_unasked(agent, key, status, out),
            TaskReport::RunningAgain { ips } => self.running_again(agent, key, ips, out),
            TaskReport::FailedToo => {}
            TaskReport::LaunchFailed { message } => {
                let message = format!("Failed to launch container: {message}");
                self.end_by_agent(agent, key, TaskState::Failed, Reason::ContainerLaunchFailed, message, out);
            }
            TaskReport::ExecutorLost => {
                let message = "Container terminated".to_owned();
                self.end_by_agent(agent, key, TaskState::Failed, Reason::ExecutorTerminated, message, out);
            }
        }
    }

    /// Mesos is done with the task, but a container may still come or go.
    fn report_of_ended(
        &mut self,
        agent_id: &AgentId,
        key: &TaskKey,
        what: &TaskReport,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(agent) = self.agents.get_mut(agent_id) else { return };
        let Some(task) = agent.tasks.get_mut(key) else { return };
        match what {
            TaskReport::FailedToo if !task.forsaken => {
                let message = "Container terminated".to_owned();
                self.end_by_agent(agent_id, key, TaskState::Failed, Reason::ExecutorTerminated, message, out);
            }
            TaskReport::Started { .. } => {
                task.alive = true;
                self.signal(agent_id, key, Millis(0), out);
            }
            TaskReport::Exited { .. }
            | TaskReport::EndedUnasked { .. }
            | TaskReport::LaunchFailed { .. }
            | TaskReport::ExecutorLost => {
                task.alive = false;
                if task.forsaken {
                    agent.tasks.remove(key);
                }
            }
            TaskReport::Starting
            | TaskReport::Probe { .. }
            | TaskReport::RunningAgain { .. }
            | TaskReport::FailedToo => {}
        }
    }

    fn starting(&mut self, agent: &AgentId, key: &TaskKey, out: &mut Vec<ClusterOutput>) {
        let Some(task) = self.task_mut(agent, key) else { return };
        if task.phase == Phase::Staging {
            task.phase = Phase::Starting;
            self.status_by_executor(agent, key, TaskState::Starting, |_| {}, out);
        }
    }

    fn running(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        data: Option<Vec<u8>>,
        ips: Vec<String>,
        out: &mut Vec<ClusterOutput>,
    ) {
        self.starting(agent, key, out);
        let now = self.now.mono;
        let Some(task) = self.task_mut(agent, key) else { return };
        if task.phase == Phase::Running {
            return;
        }
        task.phase = Phase::Running;
        task.alive = true;
        task.ips = ips;
        task.health.since = now;
        if task.kill_deadline.is_some() {
            return;
        }
        self.status_by_executor(agent, key, TaskState::Running, |status| status.data = data, out);
    }

    /// Success is told on change only, failure every time, and neither while the task is being killed.
    fn probed(&mut self, agent: &AgentId, key: &TaskKey, ok: bool, out: &mut Vec<ClusterOutput>) {
        let now = self.now.mono;
        let Some(task) = self.task_mut(agent, key) else { return };
        let Some(check) = &task.info.health_check else { return };
        if task.phase != Phase::Running || task.kill_deadline.is_some() {
            return;
        }
        let grace = check.grace_period.unwrap_or(DEFAULT_HEALTH_GRACE);
        let limit = check.consecutive_failures.unwrap_or(DEFAULT_FAILURES);
        let health = &mut task.health;
        if ok {
            let changed = !health.passed_once || health.failures > 0;
            *health = Health { passed_once: true, failures: 0, healthy: Some(true), ..*health };
            if changed {
                self.health_status(agent, key, out);
            }
            return;
        }
        if !health.passed_once && now.since(health.since) <= grace && grace > Millis(0) {
            return;
        }
        health.failures += 1;
        health.healthy = Some(false);
        let fatal = health.failures >= limit;
        task.killed_by_health |= fatal;
        self.health_status(agent, key, out);
        if fatal {
            self.kill_on_agent(agent, key, None, out);
        }
    }

    fn health_status(&mut self, agent: &AgentId, key: &TaskKey, out: &mut Vec<ClusterOutput>) {
        let reason = |status: &mut TaskStatus| status.reason = Some(Reason::TaskHealthCheckStatusUpdated);
        self.status_by_executor(agent, key, TaskState::Running, reason, out);
    }

    fn running_again(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        ips: Vec<String>,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(task) = self.task_mut(agent, key) else { return };
        if task.phase == Phase::Running && task.kill_deadline.is_none() {
            task.ips = ips;
            self.status_by_executor(agent, key, TaskState::Running, |_| {}, out);
        }
    }

    fn ended_unasked(&mut self, agent: &AgentId, key: &TaskKey, status: i32, out: &mut Vec<ClusterOutput>) {
        if let Some(task) = self.task_mut(agent, key) {
            task.kill_deadline = None;
        }
        self.exited(agent, key, status, out);
    }

    fn exited(&mut self, agent: &AgentId, key: &TaskKey, status: i32, out: &mut Vec<ClusterOutput>) {
        self.starting(agent, key, out);
        let Some(task) = self.task_mut(agent, key) else { return };
        task.alive = false;
        let state = match (task.kill_deadline, status) {
            (Some(_), _) => TaskState::Killed,
            (None, 0) => TaskState::Finished,
            (None, _) => TaskState::Failed,
        };
        self.end(agent, key, state, Some(format!("Container exited with status {status}")), out);
    }

    /// The executor's last status.
    fn end(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        state: TaskState,
        message: Option<String>,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(task) = self.task_mut(agent, key) else { return };
        task.phase = Phase::Ended;
        let unhealthy = task.killed_by_health;
        let finish = |status: &mut TaskStatus| {
            status.message = message;
            status.healthy = unhealthy.then_some(false);
        };
        self.status_by_executor(agent, key, state, finish, out);
    }

    /// The last status, made by the agent in the executor's place.
    fn end_by_agent(
        &mut self,
        agent: &AgentId,
        key: &TaskKey,
        state: TaskState,
        reason: Reason,
        message: String,
        out: &mut Vec<ClusterOutput>,
    ) {
        let Some(task) = self.task_mut(agent, key) else { return };
        task.phase = Phase::Ended;
        task.alive = false;
        let mut status = self.bare_status(agent, key, state);
        status.source = Some(Source::Agent);
        status.reason = Some(reason);
        status.message = Some(message);
        self.enqueue(agent, key, status, out);
    }

    fn status_by_executor(
        &mut self,
        agent_id: &AgentId,
        key: &TaskKey,
        state: TaskState,
        finish: impl FnOnce(&mut TaskStatus),
        out: &mut Vec<ClusterOutput>,
    ) {
        let mut status = self.bare_status(agent_id, key, state);
        let Some(agent) = self.agents.get(agent_id) else { return };
        let Some(task) = agent.tasks.get(key) else { return };
        status.container_id = Some(task.container_id.clone());
        let own = state == TaskState::Running && !task.ips.is_empty() && !on_host_network(task);
        status.ip_addresses = if own { task.ips.clone() } else { vec![agent.ip.clone()] };
        if state == TaskState::Running {
            status.healthy = task.health.healthy;
        }
        finish(&mut status);
        if agent.draining.is_some() && matches!(state, TaskState::Killing | TaskState::Killed) {
            status.reason = Some(Reason::AgentDraining);
        }
        self.enqueue(agent_id, key, status, out);
    }

    fn bare_status(&mut self, agent: &AgentId, (_, id): &TaskKey, state: TaskState) -> TaskStatus {
        TaskStatus {
            task_id: id.clone(),
            state,
            source: Some(Source::Executor),
            reason: None,
            message: None,
            agent_id: Some(agent.clone()),
            executor_id: Some(ExecutorId::new(id.as_str())),
            uuid: Some(Uuid(uuid(&mut self.rng).as_slice().into())),
            timestamp: Some(self.now.wall),
            healthy: None,
            data: None,
            container_id: None,
            ip_addresses: Vec::new(),
            unreachable_time: None,
        }
    }

    /// The framework is gone: its tasks are ended, and nobody wants to hear of it.
    pub(super) fn forsake_framework(&mut self, framework: &FrameworkId, out: &mut Vec<ClusterOutput>) {
        let hears = |(_, agent): &(&AgentId, &super::state::Agent)| agent.hears();
        let agents: Vec<AgentId> = self.agents.iter().filter(hears).map(|(id, _)| id.clone()).collect();
        for agent in agents {
            self.forsake_on(&agent, |(owner, _)| owner == framework, out);
        }
    }

    /// Ends tasks on an agent without any further update.
    pub(super) fn forsake_on(
        &mut self,
        agent_id: &AgentId,
        which: impl Fn(&TaskKey) -> bool,
        out: &mut Vec<ClusterOutput>,
    ) {
        let grace = self.options.kill_grace;
        let Some(agent) = self.agents.get_mut(agent_id) else { return };
        let mut to_kill = Vec::new();
        agent.tasks.retain(|key, task| {
            if !which(key) || task.forsaken {
                return true;
            }
            task.updates.clear();
            task.retry = None;
            task.forsaken = true;
            let may_live = task.alive || task.phase < Phase::Ended;
            task.phase = Phase::Ended;
            if may_live {
                to_kill.push(key.clone());
            }
            may_live
        });
        for key in to_kill {
            self.signal(agent_id, &key, grace, out);
        }
    }

    pub(super) fn task(&self, agent: &AgentId, key: &TaskKey) -> Option<&Task> {
        self.agents.get(agent)?.tasks.get(key)
    }

    fn task_mut(&mut self, agent: &AgentId, key: &TaskKey) -> Option<&mut Task> {
        self.agents.get_mut(agent)?.tasks.get_mut(key)
    }
}

/// What an agent can say of a task that it never received.
fn nothing_known(agent: &AgentId, id: &TaskId, resources: &Pool) -> TaskInfo {
    TaskInfo {
        name: String::new(),
        task_id: id.clone(),
        agent_id: agent.clone(),
        resources: resources.resources().to_vec(),
        command: None,
        container: None,
        health_check: None,
        check: None,
        kill_grace: None,
        labels: Vec::new(),
        discovery: None,
        max_completion_time: None,
        limits: Vec::new(),
        data: None,
        executor: None,
    }
}

fn on_host_network(task: &Task) -> bool {
    let docker = task.info.container.as_ref().and_then(|container: &ContainerInfo| container.docker.as_ref());
    docker.is_some_and(|docker| matches!(docker.network, None | Some(DockerNetwork::Host)))
}
