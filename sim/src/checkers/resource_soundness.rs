//! Owns the check of S9: launches fit the offers they are made on, and every offer is answered at most once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use swan_core::link::{LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{Event, Offer, OfferId, Resource, ResourceValue};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::launch::Launch;

use super::{Checker, Context, Seen, call_of};

/// Resources claimed are a part of those offered; ports are claimed once.
#[derive(Clone, Debug, Default)]
pub struct ResourceSoundness {
    held: BTreeMap<OfferId, Offer>,
    answered: BTreeSet<OfferId>,
}

impl Checker for ResourceSoundness {
    fn number(&self) -> &'static str {
        "S9"
    }

    fn see(&mut self, _: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Started { .. } | Seen::Does(ManagerEffect::Link(LinkEffect::Close { .. })) => {
                self.held.clear()
            }
            Seen::Told(ManagerInput::Link(LinkInput::Event { event, .. })) => match &**event {
                Event::Offers(offers) => {
                    self.held.extend(offers.iter().map(|offer| (offer.id.clone(), offer.clone())));
                }
                Event::Rescind(id) => drop(self.held.remove(id)),
                _ => {}
            },
            Seen::Does(effect) => match call_of(effect) {
                Some(MesosCall::Accept { offers, launches, .. }) => {
                    let offers = self.answer(offers)?;
                    return sound(&offers, launches);
                }
                Some(MesosCall::Decline { offers, .. }) => drop(self.answer(offers)?),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

impl ResourceSoundness {
    fn answer(&mut self, ids: &[OfferId]) -> Result<Vec<Offer>, String> {
        let mut offers = Vec::new();
        for id in ids {
            if !self.answered.insert(id.clone()) {
                return Err(format!("offer {id} is answered a second time"));
            }
            let Some(offer) = self.held.remove(id) else {
                return Err(format!("offer {id} is answered, but was taken back or never made"));
            };
            offers.push(offer);
        }
        Ok(offers)
    }
}

/// What launches may still claim, by role and name.
type Rest = BTreeMap<(Option<Arc<str>>, Arc<str>), (i64, Vec<(u64, u64)>)>;

fn sound(offers: &[Offer], launches: &[Launch]) -> Result<(), String> {
    if offers.windows(2).any(|pair| pair[0].agent_id != pair[1].agent_id) {
        return Err("offers of several agents are accepted together".into());
    }
    let mut rest = Rest::new();
    for resource in offers.iter().flat_map(|offer| &offer.resources).filter(|it| is_plain(it)) {
        let (scalar, ranges) = rest.entry(key(resource)).or_default();
        match &resource.value {
            ResourceValue::Scalar(milli) => *scalar += milli,
            ResourceValue::Ranges(more) => ranges.extend(more),
            ResourceValue::Set(_) => {}
        }
    }
    for launch in launches {
        if offers.first().is_none_or(|offer| offer.agent_id != launch.agent) {
            return Err(format!("{} is launched on an agent that was not offered", launch.task));
        }
        let resources = launch.resources();
        for resource in &resources {
            claim(&mut rest, resource).map_err(|why| format!("{}: {why}", launch.task))?;
        }
        let claimed: u64 = resources.iter().map(ports_in).sum();
        if claimed != launch.ports.len() as u64 {
            return Err(format!("{} uses {} ports and claims {claimed}", launch.task, launch.ports.len()));
        }
    }
    Ok(())
}

/// Whether a task may claim it: it is not taken away again, is no disk of its own, and is not held for some use.
fn is_plain(resource: &Resource) -> bool {
    let held = resource.reservations.iter().any(|reservation| !reservation.labels.is_empty());
    !resource.revocable && resource.disk.is_none() && !held
}

fn key(resource: &Resource) -> (Option<Arc<str>>, Arc<str>) {
    (resource.allocation_role.clone(), resource.name.clone())
}

fn ports_in(resource: &Resource) -> u64 {
    resource.ports().iter().map(|(low, high)| high - low + 1).sum()
}

fn claim(rest: &mut Rest, resource: &Resource) -> Result<(), String> {
    let name = &resource.name;
    let (scalar, ranges) = rest.get_mut(&key(resource)).ok_or_else(|| format!("{name} was not offered"))?;
    match &resource.value {
        ResourceValue::Scalar(milli) => {
            *scalar -= milli;
            if *scalar < 0 || *milli < 0 {
                return Err(format!("{name}: more is claimed than is offered"));
            }
        }
        ResourceValue::Ranges(claimed) => {
            for &(low, high) in claimed {
                let Some(at) = ranges.iter().position(|range| range.0 <= low && high <= range.1) else {
                    return Err(format!("{name}: {low}-{high} is claimed twice or was not offered"));
                };
                let (from, to) = ranges.swap_remove(at);
                ranges.extend((from < low).then(|| (from, low - 1)));
                ranges.extend((high < to).then(|| (high + 1, to)));
            }
        }
        ResourceValue::Set(_) => {}
    }
    Ok(())
}
