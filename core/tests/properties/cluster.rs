//! Owns the outside model of Mesos: agents, what is offered of them, what runs there; and the checks of what is accepted.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::TaskName;
use swan_core::mesos::{
    AgentFacts, AgentId, FrameworkId, Offer, OfferId, Reservation, Resource, ResourceValue, TaskId,
};
use swan_core::scheduler::launch::Launch;

/// Every agent has these, enough for all tasks that fit, and one for each app that wants a port of its own.
const PORTS: std::ops::Range<u16> = 31000..31030;
pub(crate) const FIXED_PORTS: std::ops::Range<u16> = 32000..32004;

/// What is free on an agent.
struct Agent {
    cpus: i64,
    mem: i64,
    ports: BTreeSet<u16>,
}

/// A launched task.
pub(crate) struct Running {
    pub(crate) agent: usize,
    image: String,
    cpus: i64,
    mem: i64,
    ports: Vec<u16>,
    pub(crate) alive: bool,
    /// It said that it is being killed, and will end.
    pub(crate) dying: bool,
}

/// All agents, the offers that are out, and every task ever launched.
pub(crate) struct Cluster {
    agents: Vec<Agent>,
    pub(crate) offers: BTreeMap<OfferId, (usize, Vec<Resource>)>,
    pub(crate) tasks: BTreeMap<TaskId, Running>,
    made: u32,
}

/// The id of an agent.
pub(crate) fn agent_id(agent: usize) -> AgentId {
    AgentId::new(format!("S{agent}"))
}

fn scalar(resources: &[Resource], name: &str) -> i64 {
    let of_name = resources.iter().filter(|resource| resource.has_name(name));
    of_name.map(|resource| if let ResourceValue::Scalar(milli) = resource.value { milli } else { 0 }).sum()
}

fn ports(resources: &[Resource]) -> Vec<u16> {
    let mut found = Vec::new();
    for resource in resources.iter().filter(|resource| resource.has_name("ports")) {
        if let ResourceValue::Ranges(ranges) = &resource.value {
            let numbers = ranges.iter().flat_map(|&(low, high)| low..=high);
            found.extend(numbers.map(|port| u16::try_from(port).expect("ports are small")));
        }
    }
    found
}

impl Cluster {
    pub(crate) fn new(agents: usize) -> Self {
        let agent = || Agent { cpus: 4000, mem: 4_096_000, ports: PORTS.chain(FIXED_PORTS).collect() };
        let agents = std::iter::repeat_with(agent).take(agents).collect();
        Self { agents, offers: BTreeMap::new(), tasks: BTreeMap::new(), made: 0 }
    }

    /// Offers a part of what is free on an agent to a role, some of it reserved; nothing if nothing is free.
    pub(crate) fn offer(&mut self, agent: usize, parts: i64, reserved: bool, role: &str) -> Option<Offer> {
        let free = &mut self.agents[agent];
        let (cpus, mem) = (free.cpus / parts, free.mem / parts);
        let count = free.ports.len() / usize::try_from(parts).expect("a small number");
        if cpus == 0 {
            return None;
        }
        let taken: Vec<u16> = free.ports.iter().rev().copied().take(count).collect();
        free.cpus -= cpus;
        free.mem -= mem;
        free.ports.retain(|port| !taken.contains(port));
        let ranges = taken.iter().map(|&port| (u64::from(port), u64::from(port))).collect();
        let mut resources = vec![Resource::scalar("mem", mem), Resource::ranges("ports", ranges)];
        if reserved {
            let layer = Reservation { role: role.into(), dynamic: false, principal: None, labels: vec![] };
            resources
                .push(Resource { reservations: vec![layer], ..Resource::scalar("cpus", cpus - cpus / 2) });
            resources.push(Resource::scalar("cpus", cpus / 2));
        } else {
            resources.push(Resource::scalar("cpus", cpus));
        }
        let resources: Vec<Resource> = resources.into_iter().map(|r| r.allocated_to(role)).collect();
        self.made += 1;
        let id = OfferId::new(format!("O{}", self.made));
        self.offers.insert(id.clone(), (agent, resources.clone()));
        Some(Offer {
            id,
            framework_id: FrameworkId::from("F"),
            agent_id: agent_id(agent),
            agent: AgentFacts {
                hostname: format!("s{agent}.test"),
                address: None,
                domain: None,
                attributes: vec![],
            }
            .into(),
            resources,
            role: Some(role.into()),
            unavailability: None,
            executor_ids: vec![],
        })
    }

    /// An offer is declined, rescinded or void. It was out: no offer is answered twice, or after it was rescinded.
    pub(crate) fn take_back(&mut self, id: &OfferId) {
        let (agent, resources) = self.offers.remove(id).expect("only an offer that is out is answered (R34)");
        self.free(agent, scalar(&resources, "cpus"), scalar(&resources, "mem"), &ports(&resources));
    }

    fn free(&mut self, agent: usize, cpus: i64, mem: i64, ports: &[u16]) {
        let agent = &mut self.agents[agent];
        agent.cpus += cpus;
        agent.mem += mem;
        for &port in ports {
            assert!(agent.ports.insert(port), "port {port} was in use by one only");
        }
    }

    /// An offer is accepted: the launches fit into it exactly, and each task is new.
    pub(crate) fn accept(&mut self, offers: &[OfferId], launches: &[Launch]) {
        let [id] = offers else { panic!("an ACCEPT takes one offer") };
        let (agent, mut left) = self.offers.remove(id).expect("only an offer that is out is accepted (R34)");
        assert!(!launches.is_empty(), "an ACCEPT launches something");
        for launch in launches {
            assert_eq!(launch.agent, agent_id(agent), "a task runs where the offer is from");
            for claim in &launch.resources() {
                claim_from(&mut left, claim);
            }
            assert_eq!(
                ports(&launch.resources()),
                sorted(&launch.ports),
                "the ports told are the ports claimed"
            );
            let docker = launch.template.task.container.as_ref().and_then(|it| it.docker.as_ref());
            let running = Running {
                agent,
                image: docker.expect("a Docker task").image.clone(),
                cpus: scalar(&launch.resources(), "cpus"),
                mem: scalar(&launch.resources(), "mem"),
                ports: launch.ports.to_vec(),
                alive: true,
                dying: false,
            };
            let before = self.tasks.insert(launch.task.clone(), running);
            assert!(before.is_none(), "no task id is launched twice (R31)");
        }
        self.free(agent, scalar(&left, "cpus"), scalar(&left, "mem"), &ports(&left));
    }

    /// Slot and image of each task of an app that is alive.
    pub(crate) fn running(&self, app: &str) -> impl Iterator<Item = (u32, &str)> {
        let alive = self.tasks.iter().filter(|(_, running)| running.alive);
        alive.filter_map(move |(task, running)| {
            let name = TaskName::parse(task.as_str()).filter(|name| name.app == app)?;
            Some((name.slot, running.image.as_str()))
        })
    }

    /// A task is over.
    pub(crate) fn end(&mut self, task: &TaskId) {
        if let Some(running) = self.tasks.get_mut(task).filter(|running| running.alive) {
            running.alive = false;
            let (agent, cpus, mem, ports) = (running.agent, running.cpus, running.mem, running.ports.clone());
            self.free(agent, cpus, mem, &ports);
        }
    }
}

fn sorted(ports: &[u16]) -> Vec<u16> {
    let mut ports = ports.to_vec();
    ports.sort_unstable();
    ports
}

/// Takes a claim out of what is left of an offer, where it is exact in role and reservation (R35).
fn claim_from(left: &mut [Resource], claim: &Resource) {
    let place = left.iter_mut().find(|resource| {
        resource.name == claim.name
            && resource.allocation_role == claim.allocation_role
            && resource.reservations == claim.reservations
    });
    let place =
        place.expect("a claim is of a resource that was offered, exact in role and reservation (R35)");
    match (&mut place.value, &claim.value) {
        (ResourceValue::Scalar(left), ResourceValue::Scalar(taken)) => {
            assert!(*taken > 0 && taken <= left, "no more is taken than was offered");
            *left -= taken;
        }
        (ResourceValue::Ranges(left), ResourceValue::Ranges(taken)) => {
            for port in taken.iter().flat_map(|&(low, high)| low..=high) {
                let at = left.iter().position(|&range| range == (port, port));
                left.remove(at.expect("a port is offered, and claimed once"));
            }
        }
        _ => panic!("a claim has the type of what was offered"),
    }
}
