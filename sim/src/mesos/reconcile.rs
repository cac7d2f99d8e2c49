//! Owns reconciliation: what the master answers when asked for tasks.

use swan_core::mesos::{AgentId, Event, FrameworkId, Reason, ReconcileTask, TaskId, TaskState, TaskStatus};

use super::Cluster;
use super::state::{Known, Standing};
use super::types::ClusterOutput;

impl Cluster {
    pub(super) fn reconcile(
        &self,
        framework: &FrameworkId,
        tasks: &[ReconcileTask],
        out: &mut Vec<ClusterOutput>,
    ) {
        let known = &self.frameworks[framework].tasks;
        if tasks.is_empty() {
            for (id, known) in known {
                let status = self.latest_status(id, known);
                self.send(framework, Event::Update(Box::new(status)), out);
            }
            return;
        }
        for task in tasks {
            let status = match known.get(&task.task_id) {
                Some(known) => self.latest_status(&task.task_id, known),
                None if self.may_come_back(task.agent_id.as_ref()) => continue,
                None => self.unknown_status(framework, &task.task_id, task.agent_id.as_ref()),
            };
            self.send(framework, Event::Update(Box::new(status)), out);
        }
    }

    /// A new master is silent on tasks that an agent may yet bring back (R42).
    fn may_come_back(&self, agent: Option<&AgentId>) -> bool {
        let recovered =
            |agent: &super::state::Agent| agent.standing == Standing::Recovered && !self.registry_lost;
        match agent {
            Some(id) => self.agents.get(id).is_some_and(recovered),
            None => self.agents.values().any(recovered),
        }
    }

    /// The last state handed to the framework, not the newest.
    fn latest_status(&self, id: &TaskId, known: &Known) -> TaskStatus {
        let state = known.handed.as_ref().map_or(known.state, |(state, _)| *state);
        let mut status = TaskStatus::from_master(id.clone(), state, Reason::Reconciliation);
        status.message = Some("Reconciliation: Latest task state".into());
        status.agent_id = Some(known.agent.clone());
        self.attach_last(&mut status, known.last.as_ref());
        status
    }

    /// What a status made by the master repeats of the last one made by the executor.
    pub(super) fn attach_last(&self, status: &mut TaskStatus, last: Option<&TaskStatus>) {
        status.timestamp = Some(self.now.wall);
        if let Some(last) = last {
            status.healthy = last.healthy;
            status.container_id.clone_from(&last.container_id);
            status.ip_addresses.clone_from(&last.ip_addresses);
        }
    }

    fn unknown_status(&self, framework: &FrameworkId, id: &TaskId, agent: Option<&AgentId>) -> TaskStatus {
        let standing = agent.and_then(|agent| self.agents.get(agent)).map(|agent| agent.standing);
        let (state, message) = match standing {
            Some(Standing::Registered) => (TaskState::Gone, "Reconciliation: Task is unknown to the agent"),
            Some(Standing::Unreachable(_)) => (TaskState::Unreachable, "Reconciliation: Task is unreachable"),
            Some(Standing::GoneByOperator) => (TaskState::GoneByOperator, "Reconciliation: Task is gone"),
            Some(Standing::Removed | Standing::Recovered | Standing::Forgotten) | None => {
                (TaskState::Unknown, "Reconciliation: Task is unknown")
            }
        };
        let mut status =
            TaskStatus::from_master(id.clone(), self.seen_by(framework, state), Reason::Reconciliation);
        status.message = Some(message.into());
        status.agent_id = agent.cloned();
        status.timestamp = Some(self.now.wall);
        if let Some(Standing::Unreachable(since)) = standing {
            status.unreachable_time = Some(since);
        }
        status
    }

    /// Frameworks that are not PARTITION_AWARE know but TASK_LOST.
    pub(super) fn seen_by(&self, framework: &FrameworkId, state: TaskState) -> TaskState {
        let finer = matches!(
            state,
            TaskState::Dropped
                | TaskState::Unreachable
                | TaskState::Gone
                | TaskState::GoneByOperator
                | TaskState::Unknown
        );
        if finer && !self.is_partition_aware(framework) { TaskState::Lost } else { state }
    }
}
