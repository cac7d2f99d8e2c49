//! Owns what becomes of offers: declined, rescinded, accepted.

use std::sync::Arc;

use swan_core::mesos::{
    AgentId, Event, Filters, FrameworkId, OfferId, Operation, Reason, TaskInfo, TaskState, TaskStatus,
};
use swan_core::time::Millis;

use super::pool::Pool;
use super::state::{Filter, Known, Outstanding};
use super::types::ClusterOutput;
use super::{Cluster, validation};

/// How long a DECLINE or ACCEPT without filters refuses what it leaves.
pub(super) const DEFAULT_REFUSE: Millis = Millis::from_secs(5);
/// The longest a filter lasts.
const MAX_REFUSE: Millis = Millis::from_secs(365 * 24 * 3600);

impl Cluster {
    /// Resources of an agent are free again.
    pub(super) fn give_back(&mut self, agent: &AgentId, resources: Pool) {
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.free.put_back(resources.allocated(None));
        }
    }

    /// The framework's offers end without a word: it is not there to hear it.
    pub(super) fn void_offers(&mut self, framework: &FrameworkId) {
        self.void_inverse(framework);
        let theirs: Vec<OfferId> = self.offer_ids(|offer| offer.framework == *framework);
        for id in theirs {
            self.take_offer(&id);
        }
    }

    /// Takes back offers and says so.
    pub(super) fn rescind_where(
        &mut self,
        which: impl Fn(&Outstanding) -> bool,
        out: &mut Vec<ClusterOutput>,
    ) {
        for id in self.offer_ids(which) {
            if let Some(offer) = self.take_offer(&id) {
                self.send(&offer.framework, Event::Rescind(id), out);
            }
        }
    }

    fn offer_ids(&self, which: impl Fn(&Outstanding) -> bool) -> Vec<OfferId> {
        self.offers.iter().filter(|(_, offer)| which(offer)).map(|(id, _)| id).collect()
    }

    fn take_offer(&mut self, id: &OfferId) -> Option<Outstanding> {
        let offer = self.offers.remove(id)?;
        self.give_back(&offer.agent, offer.resources.clone());
        Some(offer)
    }

    pub(super) fn decline(&mut self, framework: &FrameworkId, offers: &[OfferId], filters: Filters) {
        for id in offers {
            if self.offers.get(id).is_none_or(|offer| offer.framework != *framework) {
                continue;
            }
            let Some(Outstanding { agent, role, resources, .. }) = self.offers.remove(id) else { continue };
            self.give_back(&agent, resources.clone());
            self.refuse(framework, role, &agent, resources, filters);
        }
    }

    fn refuse(
        &mut self,
        framework: &FrameworkId,
        role: Arc<str>,
        agent: &AgentId,
        refused: Pool,
        filters: Filters,
    ) {
        let wait = filters.refuse.unwrap_or(DEFAULT_REFUSE).min(MAX_REFUSE);
        if wait == Millis(0) || refused.is_empty() {
            return;
        }
        let until = self.now.mono + wait.max(self.options.allocation_interval);
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.filters.push(Filter { framework: framework.clone(), role, refused, until });
        }
    }

    /// What a framework refused for some roles, or for any, is offered to it again.
    pub(super) fn drop_filters(&mut self, framework: &FrameworkId, of: impl Fn(&str) -> bool) {
        for agent in self.agents.values_mut() {
            agent.filters.retain(|filter| filter.framework != *framework || !of(&filter.role));
        }
    }

    pub(super) fn accept(
        &mut self,
        framework: &FrameworkId,
        offers: &[OfferId],
        operations: Vec<Operation>,
        filters: Filters,
        out: &mut Vec<ClusterOutput>,
    ) {
        let valid = self.check_offers(framework, offers);
        let mine = |cluster: &Self, id: &OfferId| {
            cluster.offers.get(id).is_some_and(|offer| offer.framework == *framework)
        };
        let mut available = Pool::default();
        for id in offers {
            if mine(self, id)
                && let Some(offer) = self.take_offer(id)
            {
                available.add(offer.resources.allocated(Some(&offer.role)).resources());
            }
        }
        let tasks = operations.into_iter().map(|operation| match operation {
            Operation::Launch(tasks) | Operation::LaunchGroup { tasks, .. } => tasks,
            Operation::Reserve { .. } | Operation::Unreserve { .. } | Operation::Other { .. } => Vec::new(),
        });
        match valid {
            Err(error) => {
                let message = format!("Task launched with invalid offers: {error}");
                for task in tasks.flatten() {
                    let status = self.not_launched(
                        framework,
                        &task,
                        TaskState::Dropped,
                        Reason::InvalidOffers,
                        &message,
                    );
                    self.send(framework, Event::Update(Box::new(status)), out);
                }
            }
            Ok(None) => {}
            Ok(Some((agent, role))) => {
                for operation in tasks {
                    self.launch_operation(framework, &agent, &role, operation, &mut available, out);
                }
                self.refuse(framework, role, &agent, available.allocated(None), filters);
            }
        }
    }

    /// One agent and one role for all offers; `None` if there are none.
    fn check_offers(
        &self,
        framework: &FrameworkId,
        ids: &[OfferId],
    ) -> Result<Option<(AgentId, Arc<str>)>, String> {
        for (at, id) in ids.iter().enumerate() {
            if ids[..at].contains(id) {
                return Err(format!("Duplicate offer {id} in offer list"));
            }
        }
        let mut offers = Vec::new();
        for id in ids {
            let offer = self.offers.get(id).ok_or_else(|| format!("Offer {id} is no longer valid"))?;
            offers.push((id, offer));
        }
        let Some((_, first)) = offers.first() else { return Ok(None) };
        for (id, offer) in &offers {
            if offer.framework != *framework {
                let theirs = &offer.framework;
                return Err(format!(
                    "Offer {id} has invalid framework {theirs} while framework {framework} is expected"
                ));
            }
        }
        for (id, offer) in &offers {
            if offer.role != first.role {
                return Err(format!(
                    "Aggregated offers must be allocated to the same role. Offer {id} uses role '{} but another \
                     is using role '{}",
                    offer.role, first.role
                ));
            }
        }
        for (id, offer) in &offers {
            if offer.agent != first.agent {
                return Err(format!(
                    "Aggregated offers must belong to one single agent. Offer {id} uses agent {} and agent {}",
                    offer.agent, first.agent
                ));
            }
        }
        Ok(Some((first.agent.clone(), first.role.clone())))
    }

    fn launch_operation(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        role: &str,
        mut tasks: Vec<TaskInfo>,
        available: &mut Pool,
        out: &mut Vec<ClusterOutput>,
    ) {
        for resource in tasks.iter_mut().flat_map(|task| &mut task.resources) {
            resource.allocation_role.get_or_insert_with(|| role.into());
        }
        let malformed = tasks.iter().find_map(|task| validation::resources(&task.resources).err());
        for task in tasks {
            let wanted = Pool::of(&task.resources);
            let verdict = malformed.clone().map_or(Ok(()), Err);
            let verdict = verdict.and_then(|()| self.check_task(framework, agent, &task, &wanted, available));
            if let Err(message) = verdict {
                let status =
                    self.not_launched(framework, &task, TaskState::Error, Reason::TaskInvalid, &message);
                self.send(framework, Event::Update(Box::new(status)), out);
                continue;
            }
            available.subtract(wanted.resources());
            self.launch(framework, agent, task, wanted, out);
        }
    }

    fn check_task(
        &self,
        framework: &FrameworkId,
        agent: &AgentId,
        task: &TaskInfo,
        wanted: &Pool,
        available: &Pool,
    ) -> Result<(), String> {
        let known = &self.frameworks[framework];
        if known.tasks.contains_key(&task.task_id) {
            return Err(format!("Task has duplicate ID: {}", task.task_id));
        }
        if known.unreachable.iter().any(|(id, _)| *id == task.task_id) {
            return Err(format!("Task reuses the ID of an unreachable task: {}", task.task_id));
        }
        if task.agent_id != *agent {
            return Err(format!("Task uses invalid agent {} while agent {agent} is expected", task.agent_id));
        }
        validation::task(task)?;
        validation::fits(wanted, available)
    }

    /// The update for a task that never reached an agent.
    fn not_launched(
        &self,
        framework: &FrameworkId,
        task: &TaskInfo,
        state: TaskState,
        reason: Reason,
        message: &str,
    ) -> TaskStatus {
        let state = self.seen_by(framework, state);
        let mut status = TaskStatus::from_master(task.task_id.clone(), state, reason);
        status.agent_id = Some(task.agent_id.clone());
        status.message = Some(message.into());
        status.timestamp = Some(self.now.wall);
        status
    }

    /// The master counts the task as launched and tells the agent.
    pub(super) fn launch(
        &mut self,
        framework: &FrameworkId,
        agent_id: &AgentId,
        task: TaskInfo,
        resources: Pool,
        out: &mut Vec<ClusterOutput>,
    ) {
        if let Some(agent) = self.agents.get_mut(agent_id) {
            agent.free.subtract(resources.clone().allocated(None).resources());
        }
        let known = Known {
            agent: agent_id.clone(),
            resources,
            state: TaskState::Staging,
            last: None,
            handed: None,
            kill_requested: false,
        };
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.tasks.insert(task.task_id.clone(), known);
        }
        self.start_on_agent(framework, agent_id, task, out);
    }
}
