//! Owns the choice among offers: which suit a task, and which of those its app's strategy takes.

use super::agents::Agents;
use super::apps::{App, AppIdx, Version};
use super::offers::{HeldOffer, OfferIdx, Offers, RoleIdx};
use super::place::Round;
use crate::limits::{CANDIDATES_PER_PLACEMENT, CANDIDATES_RANKED, FILLING_MAX, SCANNED_PER_PLACEMENT};
use crate::rng::Rng;
use crate::spec::{PlacementStrategy, Weights};
use crate::time::ClusterTime;

/// How much an offer is wanted; the highest is taken. Preferences come first, then that no GPU lies idle beside a task
/// that needs none, then the strategy, then what settles ties.
type Rank = (i64, bool, i64, i64);

/// Whether an offer may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Suits,
    /// All that speaks against it is that tasks failed there lately.
    Avoided,
    No,
}

/// A search for a place for one task of an app.
pub(super) struct Search<'a> {
    pub(super) idx: AppIdx,
    pub(super) app: &'a App,
    pub(super) version: &'a Version,
    pub(super) role: RoleIdx,
    pub(super) agents: &'a Agents,
    pub(super) offers: &'a Offers,
    pub(super) now: ClusterTime,
    /// Decides what is left to chance.
    pub(super) draw: u64,
    /// Agents that are avoided will do as well.
    pub(super) anywhere: bool,
}

impl<'a> Search<'a> {
    /// The best of the open offers, within bounds.
    pub(super) fn among_all(&self, round: &mut Round) -> Option<OfferIdx> {
        let size = self.version.need.amounts.size();
        match self.version.spec.strategy {
            PlacementStrategy::BinPack => self.best(self.offers.tightest(self.role, size), true, round),
            PlacementStrategy::Random => self.best(self.offers.anywhere(self.role, self.draw), true, round),
            PlacementStrategy::Weighted(weights) if i32::from(weights.cpus) + i32::from(weights.mem) < 0 => {
                self.best(self.offers.tightest(self.role, size), true, round)
            }
            _ => self.best(self.offers.roomiest(self.role, size), true, round),
        }
    }

    /// The best of those that arrived after `looked`, all of which are fresh in this round.
    pub(super) fn among_fresh(&self, looked: u64, round: &mut Round) -> Option<OfferIdx> {
        self.best(self.offers.newest(looked).filter(|(_, held)| held.role == self.role), false, round)
    }

    /// The best of some of the offers that this round fills.
    pub(super) fn among(&self, few: &[OfferIdx], from: usize, round: &mut Round) -> Option<OfferIdx> {
        // Rules that count take few of them at a time, and any that is open already is better than to open another.
        let most = if self.version.matcher.counts() { FILLING_MAX } else { CANDIDATES_PER_PLACEMENT };
        let turned = few[from..].iter().chain(&few[..from]).take(most);
        let held = turned.filter_map(|&idx| Some((idx, self.offers.get(idx)?)));
        self.best(held, true, round)
    }

    /// The best of those that are due back.
    pub(super) fn among_unused(
        &self,
        unused: impl Iterator<Item = (OfferIdx, &'a HeldOffer)>,
        round: &mut Round,
    ) -> Option<OfferIdx> {
        self.best(unused.filter(|(_, held)| held.role == self.role), false, round)
    }

    /// The best of the first few that suit; `ordered` says that the first are the best as far as room goes.
    fn best(
        &self,
        candidates: impl Iterator<Item = (OfferIdx, &'a HeldOffer)>,
        ordered: bool,
        round: &mut Round,
    ) -> Option<OfferIdx> {
        let keep = self.keep();
        let mut best: Option<(Rank, OfferIdx)> = None;
        let mut suiting = 0;
        for (idx, held) in candidates.take(SCANNED_PER_PLACEMENT) {
            round.looks += 1;
            match self.verdict(held) {
                Verdict::Suits => {}
                Verdict::Avoided => {
                    round.shunned = round.shunned.max(Some(held.arrival));
                    continue;
                }
                Verdict::No => continue,
            }
            let rank = self.rank(idx, held);
            if best.is_none_or(|(other, _)| rank > other) {
                best = Some((rank, idx));
            }
            suiting += 1;
            if suiting >= keep || (ordered && self.cannot_be_better(rank)) {
                break;
            }
        }
        best.map(|(_, idx)| idx)
    }

    /// How many that suit are compared.
    fn keep(&self) -> usize {
        match self.version.spec.strategy {
            _ if self.version.matcher.prefers() => CANDIDATES_RANKED,
            PlacementStrategy::Spread => CANDIDATES_PER_PLACEMENT,
            PlacementStrategy::BinPack | PlacementStrategy::Random | PlacementStrategy::Weighted(_) => {
                CANDIDATES_RANKED
            }
        }
    }

    fn cannot_be_better(&self, rank: Rank) -> bool {
        match self.version.spec.strategy {
            _ if self.version.matcher.prefers() || !rank.1 => false,
            PlacementStrategy::Spread => rank.2 == 0,
            PlacementStrategy::BinPack | PlacementStrategy::Random => true,
            PlacementStrategy::Weighted(_) => false,
        }
    }

    fn verdict(&self, held: &HeldOffer) -> Verdict {
        let Version { need, matcher, .. } = self.version;
        if held.outage || !held.takes_one_more() {
            return Verdict::No;
        }
        let counted = &self.app.counted;
        let host = counted.host(self.agents, held.agent, &held.room);
        let refused = || !mutant!(RulesIgnored) && !matcher.takes(&host, counted.census());
        // What counts refuses most, and at least cost.
        let first = matcher.counts();
        if (first && refused()) || held.room.lacks(need).is_some() || (!first && refused()) {
            return Verdict::No;
        }
        let agent = self.agents.get(held.agent);
        if agent.claimed_by.is_some_and(|app| app != self.idx) {
            return Verdict::No;
        }
        if !self.anywhere && self.app.avoids(agent, self.now) { Verdict::Avoided } else { Verdict::Suits }
    }

    fn rank(&self, idx: OfferIdx, held: &HeldOffer) -> Rank {
        let matcher = &self.version.matcher;
        let preferred = if matcher.prefers() {
            let counted = &self.app.counted;
            matcher.score(&counted.host(self.agents, held.agent, &held.room), counted.census())
        } else {
            0
        };
        let (size, gpus) = (held.room.total.size(), held.room.total.gpus);
        let (by_strategy, tie) = match self.version.spec.strategy {
            PlacementStrategy::Spread => (-self.own(held), size),
            PlacementStrategy::BinPack => (-size, 0),
            PlacementStrategy::Random => (chance(self.draw, idx), 0),
            PlacementStrategy::Weighted(weights) => (self.weigh(held, &weights), size),
        };
        (preferred, gpus <= 0 || self.version.need.amounts.gpus > 0, by_strategy, tie)
    }

    /// The app's tasks on the agent.
    fn own(&self, held: &HeldOffer) -> i64 {
        self.app.on_agent.get(&held.agent).map_or(0, |&tasks| i64::from(tasks))
    }

    /// The sum of what is free, each resource in the unit of its weight, in thousandths.
    fn weigh(&self, held: &HeldOffer, weights: &Weights) -> i64 {
        let free = held.room.total;
        let each = [
            (weights.cpus, free.cpus),
            (weights.mem, free.mem / 1024),
            (weights.disk, free.disk / 10_240),
            (weights.gpus, free.gpus),
            (weights.tasks, self.own(held) * 1000),
        ];
        each.iter()
            .fold(0, |sum: i64, &(weight, milli)| sum.saturating_add(i64::from(weight).saturating_mul(milli)))
    }
}

/// A number that depends on the draw and the offer only.
fn chance(draw: u64, idx: OfferIdx) -> i64 {
    i64::try_from(Rng::new(draw ^ idx.number()).next() >> 1).expect("63 bits")
}
