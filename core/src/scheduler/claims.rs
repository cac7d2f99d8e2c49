//! Owns claims: what waits long because no single offer is big enough, while others get what becomes free, has one agent
//! kept free for it until it fits (R66).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::agents::AgentIdx;
use super::apps::AppIdx;
use super::room::{Need, Room};
use crate::limits::{CANDIDATES_RANKED, CLAIM_AFTER, CLAIM_LIFETIME, CLAIMS_MAX};
use crate::time::Instant;

/// An agent that is kept free for an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// `None` once it is over, and until the next.
    agent: Option<AgentIdx>,
    until: Instant,
    /// Agents that were kept free in vain.
    tried: Vec<AgentIdx>,
}

impl Scheduler {
    /// Whether a class has waited long while others got something, and a claim may help it.
    pub(super) fn may_claim(&self, idx: AppIdx) -> bool {
        let class = &self.demand.classes[idx.0 as usize];
        let starved = self.now.mono.since(class.since) >= CLAIM_AFTER && self.stats.placements > class.others;
        let claims = &self.demand.claims;
        starved
            && match claims.get(&idx) {
                Some(claim) => claim.agent.is_none(),
                None => claims.len() < CLAIMS_MAX || claims.values().any(|claim| claim.agent.is_none()),
            }
    }

    /// Gives a class a claim if it is starved.
    pub(super) fn claim_if_starved(&mut self, idx: AppIdx) {
        if !self.may_claim(idx) {
            return;
        }
        let claims = &mut self.demand.claims;
        if claims.len() >= CLAIMS_MAX && !claims.contains_key(&idx) {
            let over = claims.iter().find(|(_, claim)| claim.agent.is_none()).map(|(&idx, _)| idx);
            claims.remove(&over.expect("there is room for one more"));
        }
        let Some(agent) = self.nearest_miss(idx) else { return };
        self.agents.claim(agent, Some(idx));
        let claim = self.demand.claims.entry(idx).or_default();
        claim.agent = Some(agent);
        claim.until = self.now.mono + CLAIM_LIFETIME;
        claim.tried.push(agent);
        self.stats.claims += 1;
    }

    /// The agent of the open offer that lacks least of what the app needs.
    fn nearest_miss(&self, idx: AppIdx) -> Option<AgentIdx> {
        let app = self.apps.get(idx)?;
        let (version, role) = (app.wanted(), self.role_of(idx));
        let tried = self.demand.claims.get(&idx).map_or(&[][..], |claim| &claim.tried);
        let mut nearest: Option<(u64, AgentIdx)> = None;
        for (_, held) in self.offers.roomiest(role, 0).take(CANDIDATES_RANKED) {
            let agent = self.agents.get(held.agent);
            let host = app.counted.host(&self.agents, held.agent, &held.room);
            let taken = agent.claimed_by.is_some() || tried.contains(&held.agent);
            let barred = held.outage || taken || !held.takes_one_more();
            if barred || !version.matcher.takes(&host, app.counted.census()) {
                continue;
            }
            let lack = lack(&held.room, &version.need);
            if lack > 0 && nearest.is_none_or(|(least, _)| lack < least) {
                nearest = Some((lack, held.agent));
            }
        }
        nearest.map(|(_, agent)| agent)
    }

    /// Ends the claims that are too old.
    pub(super) fn end_claims(&mut self) {
        let now = self.now.mono;
        for (&idx, claim) in &mut self.demand.claims {
            if let Some(agent) = claim.agent.take_if(|_| claim.until <= now) {
                self.agents.claim(agent, None);
                if claim.tried.len() >= CLAIMS_MAX {
                    claim.tried.clear();
                }
                // Others have a chance before the next agent is kept free.
                self.demand.classes[idx.0 as usize].since = now;
            }
        }
    }

    /// The app needs no claim any more.
    pub(super) fn end_claim(&mut self, idx: AppIdx) {
        if let Some(agent) = self.demand.claims.remove(&idx).and_then(|claim| claim.agent) {
            self.agents.claim(agent, None);
        }
    }
}

/// How much is lacking, each resource in thousandths of what is needed.
pub(super) fn lack(room: &Room, need: &Need) -> u64 {
    let each = |free: i64, wanted: i64| {
        let lacking = wanted.saturating_sub(free).max(0).unsigned_abs();
        lacking.saturating_mul(1000).checked_div(wanted.max(0).unsigned_abs()).unwrap_or(0)
    };
    let (free, need) = (room.open_to(need), need.amounts);
    each(free.cpus, need.cpus)
        + each(free.mem, need.mem)
        + each(free.disk, need.disk)
        + each(free.gpus, need.gpus)
}
