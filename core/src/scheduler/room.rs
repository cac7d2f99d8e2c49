//! Owns what is free in an offer, what a task needs of it, and what is claimed: integers, exact in role and reservation
//! (R35, R36).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::limits::PORTS_MAX;
use crate::mesos::{Reservation, Resource, ResourceValue};

/// What a task needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Need {
    pub(super) amounts: Amounts,
    /// Host ports: a number, or 0 for any.
    pub(super) ports: Vec<u16>,
    /// The roles whose resources it may take, `*` being what is not reserved; none means whatever is offered.
    pub(super) accepted: Vec<String>,
}

/// How much of what is counted, all in thousandths: CPUs, MiB of memory, MiB of disk, GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Amounts {
    pub(super) cpus: i64,
    pub(super) mem: i64,
    pub(super) disk: i64,
    pub(super) gpus: i64,
}

/// What a task lacks somewhere, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lack {
    Cpus,
    Mem,
    Disk,
    Gpus,
    Ports,
}

/// What is free on one agent for one role; what is reserved comes first, so that the rest is left to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Room {
    /// Over all shares.
    pub(super) total: Amounts,
    /// Free ports over all shares.
    pub(super) ports: u32,
    shares: Vec<Share>,
}

/// What is free under one stack of reservations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Share {
    label: Arc<Label>,
    free: Amounts,
    /// In order, without overlap.
    ports: Vec<(u16, u16)>,
}

/// What a claim on a share must say besides how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Label {
    allocation_role: Option<Arc<str>>,
    reservations: Vec<Reservation>,
}

/// What one task takes: most take all out of one share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    first: Claim,
    more: Vec<Claim>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    label: Arc<Label>,
    taken: Amounts,
    ports: Arc<[u16]>,
}

impl Amounts {
    pub(super) const fn covers(self, other: Self) -> bool {
        self.cpus >= other.cpus && self.mem >= other.mem && self.disk >= other.disk && self.gpus >= other.gpus
    }

    /// Takes up to `wanted`, which is lowered by as much.
    fn take(&mut self, wanted: &mut Self) -> Self {
        let each = |free: &mut i64, wanted: &mut i64| {
            let taken = (*wanted).min(*free).max(0);
            *free -= taken;
            *wanted -= taken;
            taken
        };
        Self {
            cpus: each(&mut self.cpus, &mut wanted.cpus),
            mem: each(&mut self.mem, &mut wanted.mem),
            disk: each(&mut self.disk, &mut wanted.disk),
            gpus: each(&mut self.gpus, &mut wanted.gpus),
        }
    }

    const fn add(&mut self, other: Self) {
        self.cpus = self.cpus.saturating_add(other.cpus);
        self.mem = self.mem.saturating_add(other.mem);
        self.disk = self.disk.saturating_add(other.disk);
        self.gpus = self.gpus.saturating_add(other.gpus);
    }

    const fn sub(&mut self, other: Self) {
        self.cpus -= other.cpus;
        self.mem -= other.mem;
        self.disk -= other.disk;
        self.gpus -= other.gpus;
    }

    /// CPUs and memory as one number to order by.
    pub(super) const fn size(self) -> i64 {
        self.cpus.saturating_add(self.mem)
    }

    fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl Need {
    /// Whether the task may take what has this label.
    fn accepts(&self, label: &Label) -> bool {
        let role = label.reservations.last().map_or("*", |layer| layer.role.as_str());
        self.accepted.is_empty() || self.accepted.iter().any(|accepted| accepted == role)
    }
}

impl Room {
    /// What tasks may take of an offer's resources.
    pub(super) fn of(resources: Vec<Resource>) -> Self {
        let mut shares: Vec<Share> = Vec::with_capacity(1);
        for resource in resources.into_iter().filter(usable) {
            let place = shares.iter().position(|share| {
                share.label.reservations == resource.reservations
                    && share.label.allocation_role == resource.allocation_role
            });
            let at = place.unwrap_or_else(|| {
                let label =
                    Label { allocation_role: resource.allocation_role, reservations: resource.reservations };
                shares.push(Share { label: label.into(), free: Amounts::default(), ports: Vec::new() });
                shares.len() - 1
            });
            shares[at].put(&resource.name, resource.value);
        }
        shares.sort_by_key(|share| share.label.reservations.is_empty());
        let mut room = Self { shares, ..Self::default() };
        for share in &mut room.shares {
            merge_ranges(&mut share.ports);
            room.total.add(share.free);
            room.ports += share.ports.iter().map(|&(begin, end)| u32::from(end - begin) + 1).sum::<u32>();
        }
        room
    }

    /// What a task that needs so much lacks first; `None` if it fits.
    pub(super) fn lacks(&self, need: &Need) -> Option<Lack> {
        let free = self.open_to(need);
        let wanted = need.amounts;
        if free.covers(wanted) {
            return if self.has_ports(need) { None } else { Some(Lack::Ports) };
        }
        Some(if free.cpus < wanted.cpus {
            Lack::Cpus
        } else if free.mem < wanted.mem {
            Lack::Mem
        } else if free.disk < wanted.disk {
            Lack::Disk
        } else {
            Lack::Gpus
        })
    }

    /// What is free of what the task may take.
    pub(super) fn open_to(&self, need: &Need) -> Amounts {
        if need.accepted.is_empty() {
            return self.total;
        }
        let mut free = Amounts::default();
        self.shares.iter().filter(|share| need.accepts(&share.label)).for_each(|share| free.add(share.free));
        free
    }

    fn has_ports(&self, need: &Need) -> bool {
        // One share has no port twice, so that counting is enough.
        let countable = self.shares.len() <= 1 && need.accepted.is_empty();
        if countable && need.ports.iter().all(|&port| port == 0) {
            return self.ports as usize >= need.ports.len();
        }
        self.pick(need).is_some()
    }

    /// The host ports that a task gets: free and distinct, the lowest where any will do.
    fn pick(&self, need: &Need) -> Option<Arc<[u16]>> {
        assert!(need.ports.len() <= PORTS_MAX, "a definition has a limited number of ports");
        let mut picked = [0; PORTS_MAX];
        let mut free = self.ranges(need).flat_map(|&(begin, end)| begin..=end);
        for (at, &wanted) in need.ports.iter().enumerate() {
            let (before, rest) = picked.split_at_mut(at);
            rest[0] = match wanted {
                0 => free.find(|port| !need.ports.contains(port) && !before.contains(port))?,
                fixed => (self.has(need, fixed) && !before.contains(&fixed)).then_some(fixed)?,
            };
        }
        Some(picked[..need.ports.len()].into())
    }

    /// Moves what a task needs out of what is free; gives its host ports and its claims. `None` if it does not fit.
    pub(super) fn cut(&mut self, need: &Need) -> Option<(Arc<[u16]>, Claims)> {
        if !self.open_to(need).covers(need.amounts) {
            return None;
        }
        let ports = self.pick(need)?;
        let before = mutant!(RoomNotTaken).then(|| self.clone());
        self.total.sub(need.amounts);
        self.ports -= u32::try_from(ports.len()).expect("ports are limited");
        let mut wanted = need.amounts;
        let mut missing: &[u16] = &ports;
        let mut left;
        let mut claims: Option<Claims> = None;
        for share in self.shares.iter_mut().filter(|share| need.accepts(&share.label)) {
            let taken = share.free.take(&mut wanted);
            let (mine, others): (Vec<u16>, Vec<u16>);
            let claimed = if missing.iter().all(|&port| has_port(&share.ports, port)) {
                missing.iter().for_each(|&port| take_port(&mut share.ports, port));
                let all = missing.len() == ports.len();
                let claimed = if all { ports.clone() } else { missing.into() };
                missing = &[];
                claimed
            } else {
                (mine, others) = missing.iter().partition(|&&port| has_port(&share.ports, port));
                mine.iter().for_each(|&port| take_port(&mut share.ports, port));
                left = others;
                missing = &left;
                mine.into()
            };
            if taken.is_none() && claimed.is_empty() {
                continue;
            }
            let claim = Claim { label: share.label.clone(), taken, ports: claimed };
            match &mut claims {
                None => claims = Some(Claims { first: claim, more: Vec::new() }),
                Some(claims) => claims.more.push(claim),
            }
            if wanted.is_none() && missing.is_empty() {
                break;
            }
        }
        assert!(wanted.is_none() && missing.is_empty(), "what is taken was found free before");
        if let Some(before) = before {
            *self = before;
        }
        Some((ports, claims?))
    }

    /// Whether a port is free of those that the task may take.
    pub(super) fn has(&self, need: &Need, port: u16) -> bool {
        self.ranges(need).any(|&(begin, end)| (begin..=end).contains(&port))
    }

    fn ranges(&self, need: &Need) -> impl Iterator<Item = &(u16, u16)> {
        self.shares.iter().filter(|share| need.accepts(&share.label)).flat_map(|share| &share.ports)
    }
}

impl Share {
    fn put(&mut self, name: &str, value: ResourceValue) {
        let free = &mut self.free;
        match (name, value) {
            ("cpus", ResourceValue::Scalar(milli)) => free.cpus = free.cpus.saturating_add(milli),
            ("mem", ResourceValue::Scalar(milli)) => free.mem = free.mem.saturating_add(milli),
            ("disk", ResourceValue::Scalar(milli)) => free.disk = free.disk.saturating_add(milli),
            ("gpus", ResourceValue::Scalar(milli)) => free.gpus = free.gpus.saturating_add(milli),
            ("ports", ResourceValue::Ranges(ranges)) => {
                let usable = |(begin, end): (u64, u64)| {
                    let begin = u16::try_from(begin.max(1)).ok()?;
                    let end = u16::try_from(end.min(u64::from(u16::MAX))).ok()?;
                    (begin <= end).then_some((begin, end))
                };
                self.ports.extend(ranges.into_iter().filter_map(usable));
            }
            _ => {}
        }
    }
}

impl From<Vec<Resource>> for Claims {
    /// All of it.
    fn from(resources: Vec<Resource>) -> Self {
        let mut claims = Room::of(resources).shares.into_iter().map(|share| Claim {
            label: share.label,
            taken: share.free,
            ports: share.ports.iter().flat_map(|&(begin, end)| begin..=end).collect(),
        });
        Self { first: claims.next().unwrap_or_default(), more: claims.collect() }
    }
}

impl Claims {
    /// As Mesos takes them.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let mut resources = Vec::with_capacity(3);
        for claim in core::iter::once(&self.first).chain(&self.more) {
            claim.add_to(&mut resources);
        }
        resources
    }
}

impl Claim {
    fn add_to(&self, resources: &mut Vec<Resource>) {
        let mut add = |name: &str, value| {
            resources.push(Resource {
                name: name.into(),
                value,
                allocation_role: self.label.allocation_role.clone(),
                reservations: self.label.reservations.clone(),
                revocable: false,
                disk: None,
            });
        };
        let taken = self.taken;
        for (name, milli) in
            [("cpus", taken.cpus), ("mem", taken.mem), ("disk", taken.disk), ("gpus", taken.gpus)]
        {
            if milli > 0 {
                add(name, ResourceValue::Scalar(milli));
            }
        }
        if !self.ports.is_empty() {
            let each = self.ports.iter().map(|&port| (u64::from(port), u64::from(port)));
            add("ports", ResourceValue::Ranges(each.collect()));
        }
    }
}

/// Whether tasks may take it: not what may be taken back, volumes, or what someone reserved for something by labels.
fn usable(resource: &Resource) -> bool {
    let labelled = resource.reservations.iter().any(|layer| !layer.labels.is_empty());
    !resource.revocable && resource.disk.is_none() && !labelled
}

/// Puts ranges in order and makes one of those that overlap, so that no number can be taken twice.
fn merge_ranges(ranges: &mut Vec<(u16, u16)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let overlap = next.0 <= last.1;
        if overlap {
            last.1 = last.1.max(next.1);
        }
        overlap
    });
}

fn has_port(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges.iter().any(|&(begin, end)| (begin..=end).contains(&port))
}

/// Removes one port from ranges that have it.
fn take_port(ranges: &mut Vec<(u16, u16)>, port: u16) {
    if mutant!(PortsTwice) {
        return;
    }
    let place = ranges.iter().position(|&(begin, end)| (begin..=end).contains(&port));
    let at = place.expect("ports that are taken were found free before");
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
}
