//! Owns the offers that are held: what is free in each, which are open to placement, and when each is due back.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::agents::AgentIdx;
use super::apps::AppIdx;
use crate::mesos::{Offer, OfferId, Resource, ResourceValue};
use crate::time::Instant;

/// A small stand-in for a held offer; `life` tells a reused place apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct OfferIdx {
    place: u32,
    life: u32,
}

/// One held offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeldOffer {
    pub(super) id: OfferId,
    pub(super) agent: AgentIdx,
    pub(super) role: Arc<str>,
    /// What is left, as it came but for what was cut out of it.
    resources: Vec<Resource>,
    /// Free thousandths of CPUs and of MiB.
    pub(super) cpus: i64,
    pub(super) mem: i64,
    /// What was placed on it.
    pub(super) launches: Vec<Placement>,
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

/// What a task needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Need {
    pub(super) cpus: i64,
    pub(super) mem: i64,
    pub(super) disk: i64,
    /// Host ports: a number, or 0 for any.
    pub(super) ports: Vec<u16>,
    /// The roles whose resources it may take, `*` being what is not reserved; none means whatever is offered.
    pub(super) accepted: Vec<String>,
}

/// One task placed on an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placement {
    pub(super) app: AppIdx,
    pub(super) slot: u32,
    /// The unique part of the task's id.
    pub(super) hex: u64,
    /// What it claims, exact in role and reservation, so that Mesos takes it (R35).
    pub(super) claims: Vec<Resource>,
}

/// All held offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offers {
    places: Vec<(u32, Option<HeldOffer>)>,
    free: Vec<u32>,
    by_id: BTreeMap<OfferId, OfferIdx>,
    /// Open offers, most free first, per role.
    pool: BTreeMap<Arc<str>, BTreeSet<(Reverse<i64>, OfferIdx)>>,
    /// When each is due back; all are held equally long, so the oldest is in front.
    due: VecDeque<(Instant, OfferIdx)>,
    /// Offers with placements that no batch has taken yet.
    claimed: Vec<OfferIdx>,
    /// Counts arrivals, so that a class that found nothing need not look at the same pool again.
    pub(super) arrivals: u64,
}

impl Offers {
    /// Holds an offer until `due`. A repeated id is refused.
    pub(super) fn hold(
        &mut self,
        offer: Offer,
        role: Arc<str>,
        agent: AgentIdx,
        due: Instant,
    ) -> Option<OfferIdx> {
        if self.by_id.contains_key(&offer.id) {
            return None;
        }
        let mut resources: Vec<Resource> = offer.resources.into_iter().filter(usable).collect();
        resources.iter_mut().for_each(merge_ranges);
        // What is reserved goes first, so that the rest is left to others.
        resources.sort_by_key(|resource| resource.reservations.is_empty());
        let (cpus, mem) = (total(&resources, "cpus"), total(&resources, "mem"));
        let held = HeldOffer {
            id: offer.id.clone(),
            agent,
            role,
            cpus,
            mem,
            resources,
            launches: Vec::new(),
            stage: Stage::Open,
        };
        let idx = match self.free.pop() {
            Some(place) => OfferIdx { place, life: self.places[place as usize].0 },
            None => {
                self.places.push((0, None));
                OfferIdx {
                    place: u32::try_from(self.places.len() - 1).expect("fewer offers than 2^32"),
                    life: 0,
                }
            }
        };
        self.pool.entry(held.role.clone()).or_default().insert((Reverse(held.room()), idx));
        self.by_id.insert(offer.id, idx);
        self.places[idx.place as usize].1 = Some(held);
        self.due.push_back((due, idx));
        self.arrivals += 1;
        Some(idx)
    }

    /// The offer, unless it is gone.
    pub(super) fn get(&self, idx: OfferIdx) -> Option<&HeldOffer> {
        let (life, held) = self.places.get(idx.place as usize)?;
        if *life == idx.life { held.as_ref() } else { None }
    }

    /// By Mesos's id.
    pub(super) fn find(&self, id: &OfferId) -> Option<OfferIdx> {
        self.by_id.get(id).copied()
    }

    /// Open offers of a role, most free first.
    pub(super) fn open(&self, role: &str) -> impl Iterator<Item = (OfferIdx, &HeldOffer)> {
        self.pool
            .get(role)
            .into_iter()
            .flatten()
            .map(|&(_, idx)| (idx, self.get(idx).expect("pooled offers are held")))
    }

    /// Number of open offers of a role.
    pub(super) fn open_count(&self, role: &str) -> usize {
        self.pool.get(role).map_or(0, BTreeSet::len)
    }

    /// Number of offers held.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Cuts what a task needs out of an open offer, if it is there; gives the host ports.
    pub(super) fn cut(
        &mut self,
        idx: OfferIdx,
        need: &Need,
        (app, slot, hex): (AppIdx, u32, u64),
    ) -> Option<Arc<[u16]>> {
        let held = self.places[idx.place as usize].1.as_mut().expect("an open offer is held");
        assert_eq!(held.stage, Stage::Open, "only open offers are cut");
        let before = held.room();
        let ports = held.find_ports(need)?;
        let claims = held.take(need, &ports);
        if held.launches.is_empty() {
            self.claimed.push(idx);
        }
        held.launches.push(Placement { app, slot, hex, claims });
        let (role, room) = (held.role.clone(), held.room());
        let pool = self.pool.get_mut(&role).expect("an open offer is pooled");
        pool.remove(&(Reverse(before), idx));
        pool.insert((Reverse(room), idx));
        Some(ports)
    }

    /// Closes every offer with placements: their batch is handed over. Gives them, in order of first placement.
    pub(super) fn seal(&mut self) -> Vec<OfferIdx> {
        let claimed = core::mem::take(&mut self.claimed);
        let mut sealed = Vec::with_capacity(claimed.len());
        for idx in claimed {
            if self.get(idx).is_none() {
                continue;
            }
            self.unpool(idx);
            self.places[idx.place as usize].1.as_mut().expect("checked just now").stage = Stage::Sealed;
            sealed.push(idx);
        }
        sealed
    }

    /// Mesos wants it back. An open one without placements is gone at once; others are void until their batch is stored.
    pub(super) fn rescind(&mut self, id: &OfferId) -> Option<HeldOffer> {
        let idx = self.find(id)?;
        let held = self.get(idx).expect("indexed offers are held");
        if held.launches.is_empty() {
            return Some(self.remove(idx));
        }
        self.unpool(idx);
        self.places[idx.place as usize].1.as_mut().expect("indexed offers are held").stage = Stage::Void;
        None
    }

    /// All offers are void (R8); gives those that are gone at once.
    pub(super) fn rescind_all(&mut self) -> Vec<HeldOffer> {
        let ids: Vec<OfferId> = self.by_id.keys().cloned().collect();
        ids.iter().filter_map(|id| self.rescind(id)).collect()
    }

    /// Takes an offer whose batch is stored; `Err` gives one that became void meanwhile.
    pub(super) fn release(&mut self, idx: OfferIdx) -> Result<HeldOffer, HeldOffer> {
        let held = self.remove(idx);
        if held.stage == Stage::Void { Err(held) } else { Ok(held) }
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
    pub(super) fn pop_idle(&mut self, role: &str) -> Option<HeldOffer> {
        let idx = self.open(role).find(|(_, held)| held.launches.is_empty())?.0;
        Some(self.remove(idx))
    }

    /// When the oldest is due back.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.front().map(|&(due, _)| due)
    }

    fn unpool(&mut self, idx: OfferIdx) {
        let held = self.get(idx).expect("an offer is pooled while held");
        let key = (Reverse(held.room()), idx);
        let role = held.role.clone();
        if let Some(pool) = self.pool.get_mut(&role) {
            pool.remove(&key);
        }
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

/// Whether tasks may take it: not what may be taken back, volumes, or what someone reserved for something by labels.
fn usable(resource: &Resource) -> bool {
    let labelled = resource.reservations.iter().any(|layer| !layer.labels.is_empty());
    !resource.revocable && resource.disk.is_none() && !labelled
}

fn total<'a>(resources: impl IntoIterator<Item = &'a Resource>, name: &str) -> i64 {
    let of_name = resources.into_iter().filter(|resource| resource.name == name);
    of_name.fold(0, |sum, resource| match resource.value {
        ResourceValue::Scalar(milli) => sum.saturating_add(milli),
        _ => sum,
    })
}

/// Puts ranges in order and makes one of those that overlap, so that no number can be taken twice.
fn merge_ranges(resource: &mut Resource) {
    let ResourceValue::Ranges(ranges) = &mut resource.value else { return };
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let overlap = next.0 <= last.1;
        if overlap {
            last.1 = last.1.max(next.1);
        }
        overlap
    });
}

impl Need {
    /// Whether the task may take it.
    fn accepts(&self, resource: &Resource) -> bool {
        let role = resource.reservations.last().map_or("*", |layer| layer.role.as_str());
        self.accepted.is_empty() || self.accepted.iter().any(|accepted| accepted == role)
    }
}

impl HeldOffer {
    /// How much is free, as one number to order by.
    const fn room(&self) -> i64 {
        self.cpus.saturating_add(self.mem)
    }

    /// Whether `need` fits, and with which host ports: free and distinct.
    pub(super) fn find_ports(&self, need: &Need) -> Option<Arc<[u16]>> {
        let lacks = |name, wanted| {
            wanted > 0 && total(self.resources.iter().filter(|r| need.accepts(r)), name) < wanted
        };
        if self.cpus < need.cpus || self.mem < need.mem || lacks("disk", need.disk) {
            return None;
        }
        if !need.accepted.is_empty() && (lacks("cpus", need.cpus) || lacks("mem", need.mem)) {
            return None;
        }
        let mut picked: Vec<u16> = Vec::with_capacity(need.ports.len());
        let mut free = self.port_ranges(need).flat_map(|(begin, end)| begin..=end);
        for &wanted in &need.ports {
            let port = match wanted {
                0 => free.find(|port| !need.ports.contains(port) && !picked.contains(port))?,
                fixed => {
                    let offered = self.port_ranges(need).any(|(begin, end)| (begin..=end).contains(&fixed));
                    (offered && !picked.contains(&fixed)).then_some(fixed)?
                }
            };
            picked.push(port);
        }
        Some(picked.into())
    }

    /// Moves what a task needs out of what is free; it was found to fit before.
    fn take(&mut self, need: &Need, ports: &[u16]) -> Vec<Resource> {
        let mut claims = Vec::with_capacity(4);
        self.cpus -= need.cpus;
        self.mem -= need.mem;
        for (name, milli) in [("cpus", need.cpus), ("mem", need.mem), ("disk", need.disk)] {
            self.take_scalar(name, milli, need, &mut claims);
        }
        self.take_ports(ports, need, &mut claims);
        claims
    }

    fn port_ranges(&self, need: &Need) -> impl Iterator<Item = (u16, u16)> {
        self.resources
            .iter()
            .filter(|r| r.name == "ports" && need.accepts(r))
            .flat_map(|r| match &r.value {
                ResourceValue::Ranges(ranges) => ranges.as_slice(),
                _ => &[],
            })
            .filter_map(|&(begin, end)| {
                let begin = u16::try_from(begin.max(1)).ok()?;
                let end = u16::try_from(end.min(u64::from(u16::MAX))).expect("bounded just now");
                (begin <= end).then_some((begin, end))
            })
    }

    fn take_scalar(&mut self, name: &str, mut milli: i64, need: &Need, claims: &mut Vec<Resource>) {
        for resource in self.resources.iter_mut().filter(|r| r.name == name && need.accepts(r)) {
            let ResourceValue::Scalar(free) = &mut resource.value else { continue };
            let taken = milli.min(*free);
            if taken <= 0 {
                continue;
            }
            *free -= taken;
            milli -= taken;
            claims.push(Resource { value: ResourceValue::Scalar(taken), ..resource.clone() });
        }
        assert!(milli <= 0, "what is taken was found free before");
    }

    fn take_ports(&mut self, ports: &[u16], need: &Need, claims: &mut Vec<Resource>) {
        let mut missing: Vec<u64> = ports.iter().map(|&port| u64::from(port)).collect();
        for resource in self.resources.iter_mut().filter(|r| r.name == "ports" && need.accepts(r)) {
            let ResourceValue::Ranges(ranges) = &mut resource.value else { continue };
            let taken = missing.extract_if(.., |port| take_port(ranges, *port));
            let taken: Vec<(u64, u64)> = taken.map(|port| (port, port)).collect();
            if taken.is_empty() {
                continue;
            }
            let claim = Resource {
                name: resource.name.clone(),
                value: ResourceValue::Ranges(taken),
                allocation_role: resource.allocation_role.clone(),
                reservations: resource.reservations.clone(),
                revocable: false,
                disk: None,
            };
            claims.push(claim);
        }
        assert!(missing.is_empty(), "ports that are taken were found free before");
    }
}

/// Removes one port from ranges; false if it is in none.
fn take_port(ranges: &mut Vec<(u64, u64)>, port: u64) -> bool {
    let Some(at) = ranges.iter().position(|&(begin, end)| (begin..=end).contains(&port)) else {
        return false;
    };
    let (begin, end) = ranges[at];
    match (begin == port, end == port) {
        (true, true) => drop(ranges.remove(at)),
        (true, false) => ranges[at].0 = port + 1,
        (false, true) => ranges[at].1 = port - 1,
        (false, false) => {
            ranges[at].1 = port - 1;
            ranges.insert(at + 1, (port + 1, end));
        }
    }
    true
}
