//! Owns offers: who is offered what, what is declined, rescinded, accepted.

use std::collections::BTreeMap;

use swan_core::mesos::{
    Address, AgentId, Capability, Event, Filters, FrameworkId, Offer, OfferId, Operation, Reason, TaskInfo,
    TaskState, TaskStatus,
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

/// A role of a framework that may be offered something.
struct Client {
    role: String,
    framework: FrameworkId,
}

/// What is allocated by now: dominant shares are made of it.
#[derive(Default)]
struct Shares {
    total: (i64, i64),
    by_role: BTreeMap<String, (i64, i64)>,
    by_client: BTreeMap<(String, FrameworkId), (i64, i64)>,
}

impl Shares {
    fn add(&mut self, role: &str, framework: &FrameworkId, pool: &Pool) {
        let (cpus, mem) = (pool.scalar("cpus"), pool.scalar("mem"));
        for share in [
            self.by_role.entry(role.into()).or_default(),
            self.by_client.entry((role.into(), framework.clone())).or_default(),
        ] {
            *share = (share.0 + cpus, share.1 + mem);
        }
    }

    /// Parts per million of what the cluster has most scarcely.
    fn dominant(&self, share: Option<&(i64, i64)>) -> i64 {
        let part =
            |used: i64, total: i64| if total == 0 { 0 } else { used.saturating_mul(1_000_000) / total };
        share.map_or(0, |share| part(share.0, self.total.0).max(part(share.1, self.total.1)))
    }
}

impl Cluster {
    /// One round of the allocator, over one agent or over all, in random order.
    pub(super) fn allocate(&mut self, only: Option<&AgentId>, out: &mut Vec<ClusterOutput>) {
        let clients = self.clients();
        if clients.is_empty() || self.paused {
            return;
        }
        let offerable = |id: &AgentId| self.agents[id].active() && self.agents[id].free.is_allocatable();
        let mut agents: Vec<AgentId> = match only {
            Some(agent) => vec![agent.clone()],
            None => self.agents.keys().cloned().collect(),
        };
        agents.retain(offerable);
        if agents.is_empty() {
            return;
        }
        for at in (1..agents.len()).rev() {
            agents.swap(at, self.rng.below(at as u64 + 1) as usize);
        }
        self.drop_old_filters();
        let mut shares = self.shares();
        let mut made: BTreeMap<FrameworkId, Vec<Offer>> = BTreeMap::new();
        for agent in agents {
            self.allocate_agent(&agent, &clients, &mut shares, &mut made);
        }
        for (framework, offers) in made {
            self.send(&framework, Event::Offers(offers), out);
        }
    }

    fn clients(&self) -> Vec<Client> {
        let mut clients = Vec::new();
        for (id, framework) in &self.frameworks {
            if framework.stream.is_none() {
                continue;
            }
            for role in validation::roles(&framework.info) {
                if !framework.suppressed.contains(&role) {
                    clients.push(Client { role, framework: id.clone() });
                }
            }
        }
        clients
    }

    fn shares(&self) -> Shares {
        let mut shares = Shares::default();
        if self.frameworks.values().map(|framework| framework.info.roles.len().max(1)).sum::<usize>() < 2 {
            return shares;
        }
        for agent in self.agents.values() {
            shares.total.0 += agent.total.scalar("cpus");
            shares.total.1 += agent.total.scalar("mem");
        }
        for (id, framework) in &self.frameworks {
            for known in framework.tasks.values().filter(|known| !known.state.is_terminal()) {
                let role = known.resources.resources().first().and_then(|one| one.allocation_role.as_deref());
                shares.add(role.unwrap_or("*"), id, &known.resources);
            }
        }
        for offer in self.offers.values() {
            shares.add(&offer.role, &offer.framework, &offer.resources);
        }
        shares
    }

    /// Gives an agent's free resources to the poorest role's poorest framework that wants them; what is reserved for
    /// others goes on to the next.
    fn allocate_agent(
        &mut self,
        id: &AgentId,
        clients: &[Client],
        shares: &mut Shares,
        made: &mut BTreeMap<FrameworkId, Vec<Offer>>,
    ) {
        let mut order: Vec<&Client> = clients.iter().collect();
        order.sort_by_cached_key(|client| {
            let by_role = shares.dominant(shares.by_role.get(&client.role));
            let key = (client.role.clone(), client.framework.clone());
            (by_role, client.role.clone(), shares.dominant(shares.by_client.get(&key)))
        });
        for client in order {
            let agent = &self.agents[id];
            let share = agent.free.offerable(&client.role);
            if !share.is_allocatable() || self.is_unwanted(client, id, &share) {
                continue;
            }
            let pool = share.allocated(Some(&client.role));
            shares.add(&client.role, &client.framework, &pool);
            if let Some(agent) = self.agents.get_mut(id) {
                agent.free.subtract(share.resources());
            }
            for piece in self.in_pieces(&pool) {
                let offer = self.make_offer(client, id, piece);
                made.entry(client.framework.clone()).or_default().push(offer);
            }
        }
    }

    fn is_unwanted(&self, client: &Client, agent: &AgentId, share: &Pool) -> bool {
        let framework = &self.frameworks[&client.framework];
        let region =
            |domain: &Option<swan_core::mesos::DomainInfo>| domain.as_ref().map(|it| it.region.clone());
        let theirs = region(&self.agents[agent].domain);
        if theirs.is_some()
            && theirs != region(&self.options.domain)
            && !framework.info.has(Capability::REGION_AWARE)
        {
            return true;
        }
        // Rare and dear: only for those who know of them.
        let has_gpus = self.agents[agent].total.scalar("gpus") > 0;
        if has_gpus && !framework.info.has(Capability::GPU_RESOURCES) {
            return true;
        }
        let refuses = |filter: &Filter| {
            filter.agent == *agent && filter.role == client.role && filter.refused.contains(share)
        };
        framework.filters.iter().any(refuses)
    }

    fn drop_old_filters(&mut self) {
        for framework in self.frameworks.values_mut() {
            framework.filters.retain(|filter| filter.until > self.now.mono);
        }
    }

    fn make_offer(&mut self, client: &Client, agent_id: &AgentId, resources: Pool) -> Offer {
        let id = self.new_offer_id();
        let framework = &self.frameworks[&client.framework];
        let agent = &self.agents[agent_id];
        let multi_role = framework.info.has(Capability::MULTI_ROLE);
        let shown = if multi_role { resources.clone() } else { resources.allocated(None) };
        let offer = Offer {
            id: id.clone(),
            framework_id: client.framework.clone(),
            agent_id: agent_id.clone(),
            hostname: agent.hostname.clone(),
            address: Some(Address {
                hostname: Some(agent.hostname.clone()),
                ip: Some(agent.ip.clone()),
                port: agent.port,
            }),
            domain: agent.domain.clone(),
            attributes: agent.attributes.clone(),
            resources: shown.resources().to_vec(),
            role: multi_role.then(|| client.role.clone()),
            unavailability: agent.unavailability,
            executor_ids: Vec::new(),
        };
        let outstanding = Outstanding {
            framework: client.framework.clone(),
            agent: agent_id.clone(),
            role: client.role.clone(),
            resources,
            shown: offer.clone(),
        };
        self.offers.insert(id, outstanding);
        offer
    }

    pub(super) fn new_offer_id(&mut self) -> OfferId {
        self.next_offer += 1;
        OfferId::new(format!("{}-O{}", self.master_id, self.next_offer - 1))
    }

    /// Resources of an agent are free again.
    pub(super) fn give_back(&mut self, agent: &AgentId, resources: &Pool) {
        if let Some(agent) = self.agents.get_mut(agent) {
            agent.free.add(resources.allocated(None).resources());
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
        self.offers.iter().filter(|(_, offer)| which(offer)).map(|(id, _)| id.clone()).collect()
    }

    fn take_offer(&mut self, id: &OfferId) -> Option<Outstanding> {
        let offer = self.offers.remove(id)?;
        self.give_back(&offer.agent, &offer.resources);
        Some(offer)
    }

    pub(super) fn decline(&mut self, framework: &FrameworkId, offers: &[OfferId], filters: Filters) {
        for id in offers {
            if self.offers.get(id).is_none_or(|offer| offer.framework != *framework) {
                continue;
            }
            if let Some(offer) = self.take_offer(id) {
                self.refuse(framework, offer.role, &offer.agent, offer.resources.allocated(None), filters);
            }
        }
    }

    fn refuse(
        &mut self,
        framework: &FrameworkId,
        role: String,
        agent: &AgentId,
        refused: Pool,
        filters: Filters,
    ) {
        let wait = filters.refuse.unwrap_or(DEFAULT_REFUSE).min(MAX_REFUSE);
        if wait == Millis(0) || refused.is_empty() {
            return;
        }
        let until = self.now.mono + wait.max(self.options.allocation_interval);
        if let Some(framework) = self.frameworks.get_mut(framework) {
            framework.filters.push(Filter { role, agent: agent.clone(), refused, until });
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
                available.add(offer.resources.resources());
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
    ) -> Result<Option<(AgentId, String)>, String> {
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
    fn launch(
        &mut self,
        framework: &FrameworkId,
        agent_id: &AgentId,
        task: TaskInfo,
        resources: Pool,
        out: &mut Vec<ClusterOutput>,
    ) {
        if let Some(agent) = self.agents.get_mut(agent_id) {
            agent.free.subtract(resources.allocated(None).resources());
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
