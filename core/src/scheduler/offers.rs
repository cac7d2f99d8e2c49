//! Owns the offers that are held: what is free in each, which are open to placement, and when each is due back.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::agents::AgentIdx;
use super::apps::AppIdx;
use super::room::{Claims, Need, Room};
use crate::limits::LAUNCHES_PER_ACCEPT_MAX;
use crate::mesos::OfferId;
use crate::time::Instant;

/// A small stand-in for a held offer; `life` tells a reused place apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct OfferIdx {
    place: u32,
    life: u32,
}

impl OfferIdx {
    /// As one number.
    pub(super) const fn number(self) -> u64 {
        (self.place as u64) << 32 | self.life as u64
    }
}

/// One of the manager's roles, by its place in their list.
pub(super) type RoleIdx = u16;

/// One held offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldOffer {
    pub(super) id: OfferId,
    pub(super) agent: AgentIdx,
    pub(super) role: RoleIdx,
    /// What is left of it.
    pub(super) room: Room,
    /// An outage of its agent is near.
    pub(super) outage: bool,
    /// Its number among all offers that ever arrived, from 1.
    pub(super) arrival: u64,
    /// What was placed on it.
    pub(super) launches: Vec<Placement>,
    /// Where it is in the pool: what was free when it was put there.
    size: i64,
    stage: Stage,
}

/// How far an offer is on its way back to Mesos.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Open to placement.
    Open,
    /// Placements on it are on their way to the journal; nothing more fits into its one ACCEPT (R34).
    Sealed,
    /// Rescinded or void while sealed: its launches will be written off.
    Void,
}

/// One task placed on an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placement {
    pub(super) app: AppIdx,
    pub(super) slot: u32,
    /// The unique part of the task's id.
    pub(super) hex: u64,
    /// What it claims, exact in role and reservation, so that Mesos takes it (R35).
    pub(super) claims: Claims,
}

/// All held offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offers {
    places: Vec<(u32, Option<HeldOffer>)>,
    free: Vec<u32>,
    by_id: BTreeMap<OfferId, OfferIdx>,
    /// Open offers of each role, most free first.
    pools: Vec<BTreeSet<(Reverse<i64>, OfferIdx)>>,
    /// When each is due back; all are held equally long, so the oldest is in front.
    due: VecDeque<(Instant, OfferIdx)>,
    /// Offers with placements that no batch has taken yet.
    claimed: Vec<OfferIdx>,
    /// Counts arrivals, so that a class that found nothing need not look at the same offers again.
    pub(super) arrivals: u64,
}

impl Offers {
    /// Whether an offer of this id is held.
    pub(super) fn has(&self, id: &OfferId) -> bool {
        self.by_id.contains_key(id)
    }

    /// Holds an offer until `due`; its id must be new.
    pub(super) fn hold(
        &mut self,
        id: OfferId,
        (role, agent): (RoleIdx, AgentIdx),
        room: Room,
        outage: bool,
        due: Instant,
    ) -> OfferIdx {
        self.arrivals += 1;
        let size = room.total.size();
        let (arrival, stage) = (self.arrivals, Stage::Open);
        let held = HeldOffer {
            id: id.clone(),
            agent,
            role,
            room,
            outage,
            arrival,
            launches: Vec::new(),
            size,
            stage,
        };
        let idx = match self.free.pop() {
            Some(place) => OfferIdx { place, life: self.places[place as usize].0 },
            None => {
                self.places.push((0, None));
                let place = u32::try_from(self.places.len() - 1).expect("fewer offers than 2^32");
                OfferIdx { place, life: 0 }
            }
        };
        let pool = usize::from(role);
        if pool >= self.pools.len() {
            self.pools.resize_with(pool + 1, BTreeSet::new);
        }
        self.pools[pool].insert((Reverse(size), idx));
        let displaced = self.by_id.insert(id, idx);
        assert!(displaced.is_none(), "an offer is held once");
        self.places[idx.place as usize].1 = Some(held);
        self.due.push_back((due, idx));
        idx
    }

    /// The offer, unless it is gone.
    pub(super) fn get(&self, idx: OfferIdx) -> Option<&HeldOffer> {
        let (life, held) = self.places.get(idx.place as usize)?;
        if *life == idx.life { held.as_ref() } else { None }
    }

    fn at(&mut self, idx: OfferIdx) -> &mut HeldOffer {
        self.places[idx.place as usize].1.as_mut().expect("the offer is held")
    }

    /// By Mesos's id.
    pub(super) fn find(&self, id: &OfferId) -> Option<OfferIdx> {
        self.by_id.get(id).copied()
    }

    /// Open offers of a role that may have room for `size`, roomiest first.
    pub(super) fn roomiest(&self, role: RoleIdx, size: i64) -> impl Iterator<Item = (OfferIdx, &HeldOffer)> {
        let all = self.pools.get(usize::from(role)).into_iter().flatten();
        all.take_while(move |(Reverse(free), _)| *free >= size).map(|&(_, idx)| (idx, self.pooled(idx)))
    }

    /// Open offers of a role that may have room for `size`, those with least room first.
    pub(super) fn tightest(&self, role: RoleIdx, size: i64) -> impl Iterator<Item = (OfferIdx, &HeldOffer)> {
        let last = (Reverse(size), OfferIdx { place: u32::MAX, life: u32::MAX });
        let enough = self.pools.get(usize::from(role)).map(|pool| pool.range(..=last).rev());
        enough.into_iter().flatten().map(|&(_, idx)| (idx, self.pooled(idx)))
    }

    /// Open offers of a role, beginning anywhere.
    pub(super) fn anywhere(&self, role: RoleIdx, draw: u64) -> impl Iterator<Item = (OfferIdx, &HeldOffer)> {
        let count = self.places.len();
        let begin = usize::try_from(draw % (count.max(1) as u64)).expect("less than the number of places");
        (begin..count).chain(0..begin).filter_map(move |place| {
            let (life, held) = &self.places[place];
            let held = held.as_ref().filter(|held| held.is_open() && held.role == role)?;
            let place = u32::try_from(place).expect("fewer offers than 2^32");
            Some((OfferIdx { place, life: *life }, held))
        })
    }

    /// Open offers that arrived after a number of others, newest first.
    pub(super) fn newest(&self, after: u64) -> impl Iterator<Item = (OfferIdx, &HeldOffer)> {
        let all = self.due.iter().rev().filter_map(|&(_, idx)| Some((idx, self.get(idx)?)));
        all.take_while(move |(_, held)| held.arrival > after).filter(|(_, held)| held.is_open())
    }

    /// Offers without placements that are due back.
    pub(super) fn unused(&self, now: Instant) -> impl Iterator<Item = (OfferIdx, &HeldOffer)> {
        let due = self.due.iter().take_while(move |&&(due, _)| due <= now);
        due.filter_map(|&(_, idx)| Some((idx, self.get(idx)?))).filter(|(_, held)| held.launches.is_empty())
    }

    fn pooled(&self, idx: OfferIdx) -> &HeldOffer {
        self.get(idx).expect("pooled offers are held")
    }

    /// Number of open offers of a role.
    pub(super) fn open_count(&self, role: RoleIdx) -> usize {
        self.pools.get(usize::from(role)).map_or(0, BTreeSet::len)
    }

    /// Number of offers held.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Cuts what a task needs out of an open offer, if it is there; gives the host ports. Without `exact` its place in
    /// the order of room stays as it is.
    pub(super) fn cut(
        &mut self,
        idx: OfferIdx,
        need: &Need,
        (app, slot, hex): (AppIdx, u32, u64),
        exact: bool,
    ) -> Option<Arc<[u16]>> {
        let held = self.places[idx.place as usize].1.as_mut().expect("an open offer is held");
        assert_eq!(held.stage, Stage::Open, "only open offers are cut");
        let (ports, claims) = held.room.cut(need)?;
        if held.launches.is_empty() {
            self.claimed.push(idx);
        }
        held.launches.push(Placement { app, slot, hex, claims });
        if exact {
            let before = (Reverse(held.size), idx);
            held.size = held.room.total.size();
            let pool = &mut self.pools[usize::from(held.role)];
            pool.remove(&before);
            pool.insert((Reverse(held.size), idx));
        }
        Some(ports)
    }

    /// Closes every offer with placements: their batch is handed over. Gives them, in order of first placement.
    pub(super) fn seal(&mut self) -> Vec<OfferIdx> {
        let mut claimed = core::mem::take(&mut self.claimed);
        claimed.retain(|&idx| self.get(idx).is_some());
        for &idx in &claimed {
            self.unpool(idx);
            let stage = &mut self.at(idx).stage;
            // One that became void meanwhile stays so.
            if *stage == Stage::Open {
                *stage = Stage::Sealed;
            }
        }
        claimed
    }

    /// Mesos wants it back. An open one without placements is gone at once; others are void until their batch is stored.
    pub(super) fn rescind(&mut self, id: &OfferId) -> Option<HeldOffer> {
        let idx = self.find(id)?;
        if self.at(idx).launches.is_empty() {
            return Some(self.remove(idx));
        }
        self.unpool(idx);
        self.at(idx).stage = Stage::Void;
        None
    }

    /// All offers are void (R8); gives those that are gone at once.
    pub(super) fn rescind_all(&mut self) -> Vec<HeldOffer> {
        let ids: Vec<OfferId> = self.by_id.keys().cloned().collect();
        ids.iter().filter_map(|id| self.rescind(id)).collect()
    }

    /// Takes an offer whose batch is stored; `false` if it became void meanwhile.
    pub(super) fn release(&mut self, idx: OfferIdx) -> (HeldOffer, bool) {
        let held = self.remove(idx);
        let valid = held.stage != Stage::Void;
        (held, valid)
    }

    /// Takes an open offer that has been held long enough.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<HeldOffer> {
        while let Some(&(due, idx)) = self.due.front() {
            let idle = self.get(idx).is_some_and(|held| held.launches.is_empty());
            if idle && due > now {
                return None;
            }
            self.due.pop_front();
            if idle {
                return Some(self.remove(idx));
            }
        }
        None
    }

    /// Takes any open offer of a role that has no placements.
    pub(super) fn pop_idle(&mut self, role: RoleIdx) -> Option<HeldOffer> {
        let idx = self.roomiest(role, i64::MIN).find(|(_, held)| held.launches.is_empty())?.0;
        Some(self.remove(idx))
    }

    /// When the oldest is due back.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.front().map(|&(due, _)| due)
    }

    fn unpool(&mut self, idx: OfferIdx) {
        let held = self.get(idx).expect("an offer is pooled while held");
        let (role, key) = (usize::from(held.role), (Reverse(held.size), idx));
        self.pools[role].remove(&key);
    }

    fn remove(&mut self, idx: OfferIdx) -> HeldOffer {
        self.unpool(idx);
        let (life, place) = &mut self.places[idx.place as usize];
        let held = place.take().expect("an offer is removed once");
        *life += 1;
        self.free.push(idx.place);
        self.by_id.remove(&held.id);
        held
    }
}

impl HeldOffer {
    /// More may be placed on it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// One more launch fits in its one ACCEPT.
    pub(super) const fn takes_one_more(&self) -> bool {
        self.is_open() && self.launches.len() < LAUNCHES_PER_ACCEPT_MAX
    }
}
