//! Owns maintenance: planned outages of agents, the inverse offers that ask frameworks to leave, and the outage itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use swan_core::mesos::{
    AgentId, Event, FrameworkId, InverseOffer, InverseRespond, OfferId, Reason, TaskState, Unavailability,
};
use swan_core::time::Instant;

use super::Cluster;
use super::allocator::DEFAULT_REFUSE;
use super::state::Standing;
use super::types::ClusterOutput;

/// An inverse offer that a framework holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    framework: FrameworkId,
    agent: AgentId,
}

/// All inverse offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Maintenance {
    /// Agents with a planned outage.
    planned: BTreeSet<AgentId>,
    asked: BTreeMap<OfferId, Asked>,
    /// Answered: not asked again until then.
    quiet_until: BTreeMap<(FrameworkId, AgentId), Instant>,
}

impl Cluster {
    /// Sets or lifts a planned outage: offers of the agent are taken back, and come again with the new plan.
    pub(super) fn plan_outage(
        &mut self,
        id: &AgentId,
        window: Option<Unavailability>,
        out: &mut Vec<ClusterOutput>,
    ) -> (u16, String) {
        let Some(agent) = self.agents.get_mut(id).filter(|agent| agent.standing == Standing::Registered)
        else {
            return (404, "Agent not found".into());
        };
        agent.unavailability = window;
        match window {
            Some(_) => self.maintenance.planned.insert(id.clone()),
            None => self.maintenance.planned.remove(id),
        };
        self.rescind_where(|offer| offer.agent == *id, out);
        self.rescind_inverse(id, out);
        self.maintenance.quiet_until.retain(|(_, agent), _| agent != id);
        self.allocate(Some(id), out);
        (200, String::new())
    }

    /// The planned outage begins: the agent is told to shut down, and its tasks are lost, also for frameworks that know
    /// partitions.
    pub(super) fn begin_outage(&mut self, id: &AgentId, out: &mut Vec<ClusterOutput>) -> (u16, String) {
        let planned = |agent: &&mut super::state::Agent| agent.unavailability.is_some();
        let Some(agent) = self.agents.get_mut(id).filter(planned) else {
            return (400, "Machine is not in DRAINING mode and cannot be brought down".into());
        };
        agent.unavailability = None;
        self.maintenance.planned.remove(id);
        let hears = agent.up && agent.cut.is_none();
        if agent.standing == Standing::Registered {
            let message = "Operator initiated 'Machine DOWN'";
            self.remove_agent(id, Standing::Removed, TaskState::Lost, Reason::AgentRemoved, message, out);
        }
        if hears {
            self.forsake_on(id, |_| true, out);
            if let Some(agent) = self.agents.get_mut(id) {
                agent.up = false;
            }
        }
        (200, String::new())
    }

    /// Asks each connected framework with tasks or offers on an agent with a planned outage to leave it, unless it was
    /// asked and has not answered, or has answered just now.
    pub(super) fn ask_to_leave(&mut self, out: &mut Vec<ClusterOutput>) {
        let window = |id: &AgentId| {
            let agent = self.agents.get(id).filter(|agent| agent.standing == Standing::Registered)?;
            Some((id.clone(), agent.unavailability?))
        };
        let windows: Vec<(AgentId, Unavailability)> =
            self.maintenance.planned.iter().filter_map(window).collect();
        let now = self.now.mono;
        self.maintenance.quiet_until.retain(|_, until| *until > now);
        for (agent, window) in windows {
            let uses = |id: &FrameworkId, framework: &super::state::Framework| {
                framework.stream.is_some()
                    && (framework.tasks.values().any(|known| known.agent == agent)
                        || self.offers.values().any(|offer| offer.framework == *id && offer.agent == agent))
            };
            let frameworks: Vec<FrameworkId> =
                self.frameworks.iter().filter(|(id, it)| uses(id, it)).map(|(id, _)| id.clone()).collect();
            for framework in frameworks {
                self.ask_framework(&framework, &agent, window, out);
            }
        }
    }

    fn ask_framework(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        unavailability: Unavailability,
        out: &mut Vec<ClusterOutput>,
    ) {
        let asked = Asked { framework: framework.clone(), agent: agent.clone() };
        let key = (framework.clone(), agent.clone());
        let waits = self.maintenance.asked.values().any(|it| *it == asked);
        if waits || self.maintenance.quiet_until.contains_key(&key) {
            return;
        }
        let number = self.offers.next();
        let id = self.offers.id(number);
        self.maintenance.asked.insert(id.clone(), asked);
        let offer = InverseOffer {
            id,
            framework_id: framework.clone(),
            agent_id: Some(agent.clone()),
            unavailability,
            resources: Vec::new(),
        };
        self.send(framework, Event::InverseOffers(vec![offer]), out);
    }

    /// Either answer: it is asked again once the filter is over.
    pub(super) fn answer_inverse(&mut self, framework: &FrameworkId, answer: &InverseRespond) {
        let wait = answer.filters.refuse.unwrap_or(DEFAULT_REFUSE);
        for id in &answer.inverse_offer_ids {
            let theirs = self.maintenance.asked.get(id).is_some_and(|asked| asked.framework == *framework);
            if !theirs {
                continue;
            }
            if let Some(asked) = self.maintenance.asked.remove(id) {
                let until = self.now.mono + wait.max(self.options.allocation_interval);
                self.maintenance.quiet_until.insert((asked.framework, asked.agent), until);
            }
        }
    }

    /// Takes back what was asked about an agent, and says so.
    pub(super) fn rescind_inverse(&mut self, agent: &AgentId, out: &mut Vec<ClusterOutput>) {
        let gone: Vec<(OfferId, FrameworkId)> = self
            .maintenance
            .asked
            .iter()
            .filter(|(_, asked)| asked.agent == *agent)
            .map(|(id, asked)| (id.clone(), asked.framework.clone()))
            .collect();
        for (id, framework) in gone {
            self.maintenance.asked.remove(&id);
            self.send(&framework, Event::RescindInverseOffer(id), out);
        }
    }

    /// The framework's inverse offers end without a word.
    pub(super) fn void_inverse(&mut self, framework: &FrameworkId) {
        self.maintenance.asked.retain(|_, asked| asked.framework != *framework);
    }

    /// A new master knows of no inverse offer; planned outages are replicated.
    pub(super) fn forget_inverse(&mut self) {
        let planned = std::mem::take(&mut self.maintenance.planned);
        self.maintenance = Maintenance { planned, ..Maintenance::default() };
    }
}
