//! Owns one round of the allocator: which framework is offered what is free on which agent.

use std::collections::BTreeMap;
use std::sync::Arc;

use swan_core::mesos::{AgentId, Capability, DomainInfo, Event, FrameworkId, FrameworkInfo, Offer, OfferId};
use swan_core::time::Instant;

use super::offers::Offers;
use super::pool::Pool;
use super::pressure::in_pieces;
use super::state::{Agent, Outstanding};
use super::types::ClusterOutput;
use super::{Cluster, validation};

/// A role of a framework that may be offered something.
struct Client<'a> {
    role: Arc<str>,
    framework: &'a FrameworkId,
    info: &'a FrameworkInfo,
}

/// What is allocated by now: dominant shares are made of it.
#[derive(Default)]
struct Shares {
    total: (i64, i64),
    by_role: BTreeMap<Arc<str>, (i64, i64)>,
    by_client: BTreeMap<(Arc<str>, FrameworkId), (i64, i64)>,
}

/// One round, over one agent or over all.
struct Round<'a> {
    now: Instant,
    region: Option<&'a str>,
    pieces: u32,
    limit: Option<i64>,
    clients: Vec<Client<'a>>,
    shares: Shares,
    offers: &'a mut Offers,
    made: BTreeMap<&'a FrameworkId, Vec<Offer>>,
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

    /// What an agent has free that a role may be offered, and that its limit leaves it.
    fn within(&self, limit: Option<i64>, role: &str, agent: &mut Agent) -> Option<Pool> {
        let Some(limit) = limit else { return Some(agent.free.take_offerable(role)) };
        let left = limit - self.by_role.get(role).map_or(0, |share| share.0);
        if left <= 0 {
            return None;
        }
        let mut pool = agent.free.take_offerable(role);
        let above = pool.cpus_above(left);
        pool.subtract(above.resources());
        agent.free.add(above.resources());
        Some(pool)
    }

    /// The poorest role's poorest framework first.
    fn order(&self, clients: &[Client<'_>]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..clients.len()).collect();
        if order.len() > 1 {
            order.sort_by_cached_key(|&at| {
                let client = &clients[at];
                let by_role = self.dominant(self.by_role.get(&client.role));
                let key = (client.role.clone(), client.framework.clone());
                (by_role, client.role.clone(), self.dominant(self.by_client.get(&key)))
            });
        }
        order
    }
}

impl Cluster {
    /// One round of the allocator, over one agent or over all, in random order.
    pub(super) fn allocate(&mut self, only: Option<&AgentId>, out: &mut Vec<ClusterOutput>) {
        if self.paused || !self.has_clients() {
            return;
        }
        let shares = self.shares();
        let now = self.now.mono;
        let Self { agents, offers, frameworks, rng, options, .. } = self;
        let mut agents: Vec<(&AgentId, &mut Agent)> = match only {
            Some(id) => agents.get_full_mut(id).map(|(_, id, agent)| (id, agent)).into_iter().collect(),
            None => agents.iter_mut().collect(),
        };
        agents.retain(|(_, agent)| agent.active() && agent.free.is_allocatable());
        for at in (1..agents.len()).rev() {
            agents.swap(at, rng.below(at as u64 + 1) as usize);
        }
        let clients = frameworks.iter().filter(|(_, it)| it.stream.is_some()).flat_map(|(id, it)| {
            let roles = validation::roles(&it.info).into_iter().filter(|role| !it.suppressed.contains(role));
            roles.map(move |role| Client { role: role.into(), framework: id, info: &it.info })
        });
        let mut round = Round {
            now,
            region: region(options.domain.as_ref()),
            pieces: self.pieces,
            limit: self.limit,
            clients: clients.collect(),
            shares,
            offers,
            made: BTreeMap::new(),
        };
        for (id, agent) in agents {
            round.give(id, agent);
        }
        for (framework, offers) in round.made {
            let stream = frameworks[framework].stream.as_ref().expect("clients are connected");
            out.push(ClusterOutput::Event { conn: stream.conn, event: Box::new(Event::Offers(offers)) });
        }
    }

    fn has_clients(&self) -> bool {
        self.frameworks.values().any(|it| {
            it.stream.is_some()
                && validation::roles(&it.info).iter().any(|role| !it.suppressed.contains(role))
        })
    }

    fn shares(&self) -> Shares {
        let mut shares = Shares::default();
        let clients: usize = self.frameworks.values().map(|it| it.info.roles.len().max(1)).sum();
        if clients < 2 && self.limit.is_none() {
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
}

impl Round<'_> {
    /// Gives an agent's free resources to the poorest role's poorest framework that wants them; what is reserved for
    /// others goes on to the next.
    fn give(&mut self, id: &AgentId, agent: &mut Agent) {
        agent.filters.retain(|filter| filter.until > self.now);
        for at in self.shares.order(&self.clients) {
            let Client { role, framework, info } = &self.clients[at];
            if !agent.free.is_offerable(role) || self.is_unwanted(&self.clients[at], agent) {
                continue;
            }
            let Some(pool) = self.shares.within(self.limit, role, agent) else { continue };
            if self.clients.len() > 1 || self.limit.is_some() {
                self.shares.add(role, framework, &pool);
            }
            let multi_role = info.has(Capability::MULTI_ROLE);
            for resources in in_pieces(pool, self.pieces) {
                let outstanding = Outstanding {
                    framework: (*framework).clone(),
                    agent: id.clone(),
                    role: role.clone(),
                    resources,
                    unavailability: agent.unavailability,
                };
                let number = self.offers.next();
                let offer = outstanding.shown(self.offers.id(number), agent, multi_role);
                self.offers.hold(number, outstanding);
                self.made.entry(framework).or_default().push(offer);
            }
        }
    }

    fn is_unwanted(&self, client: &Client<'_>, agent: &Agent) -> bool {
        let theirs = region(agent.facts.domain.as_ref());
        if theirs.is_some() && theirs != self.region && !client.info.has(Capability::REGION_AWARE) {
            return true;
        }
        // Rare and dear: only for those who know of them.
        if agent.total.scalar("gpus") > 0 && !client.info.has(Capability::GPU_RESOURCES) {
            return true;
        }
        agent.filters.iter().any(|filter| {
            filter.framework == *client.framework
                && filter.role == client.role
                && filter.refused.contains(&agent.free.offerable(&client.role))
        })
    }
}

impl Outstanding {
    /// The offer as the framework sees it.
    fn shown(&self, id: OfferId, agent: &Agent, multi_role: bool) -> Offer {
        let role = multi_role.then_some(&self.role);
        Offer {
            id,
            framework_id: self.framework.clone(),
            agent_id: self.agent.clone(),
            agent: agent.facts.clone(),
            resources: self.resources.clone().allocated(role).into_resources(),
            role: role.map(ToString::to_string),
            unavailability: self.unavailability,
            executor_ids: Vec::new(),
        }
    }
}

fn region(domain: Option<&DomainInfo>) -> Option<&str> {
    domain.map(|it| it.region.as_str())
}
