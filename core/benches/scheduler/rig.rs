//! Owns what drives the machine in benchmarks: a journal that is always done, agents that offer what is left, tasks
//! that do as they are told.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::Duration;

use swan_core::id::DottedId;
use swan_core::mesos::{
    AgentFacts, AgentId, Attribute, AttributeValue, Event, FrameworkId, Offer, OfferId, Resource, Source,
    Subscribed, TaskId, TaskState, TaskStatus, Uuid,
};
use swan_core::record::{Epoch, Op, RecordKey, Seq};
use swan_core::rng::Rng;
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller, Guard};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::scheduler::launch::Launch;
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

use crate::Clock;

/// One agent.
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) host: String,
    pub(crate) cpus: i64,
    pub(crate) mem: i64,
    /// Where it stands; there are as many racks as [`RACKS`] says.
    rack: String,
}

/// Racks of a fleet.
const RACKS: usize = 50;

/// First and last port of every agent.
pub(crate) const PORTS: (u64, u64) = (31_000, 31_999);

impl Agent {
    /// Agents of five sizes, in random order.
    pub(crate) fn fleet(count: usize, seed: u64) -> Vec<Self> {
        Self::numbered(0..count, seed)
    }

    /// The same, with other numbers.
    pub(crate) fn numbered(numbers: std::ops::Range<usize>, seed: u64) -> Vec<Self> {
        let mut rng = Rng::new(seed);
        let sizes = [(4_000, 16), (8_000, 32), (12_000, 48), (16_000, 64), (24_000, 96)];
        let one = |n: usize| {
            let (cpus, gib) = sizes[rng.below(5) as usize];
            Self {
                id: AgentId::new(format!("a6f3c1d2-0000-4000-8000-00000000000a-S{n}")),
                host: format!("node{n}.example"),
                cpus,
                mem: gib * 1024 * 1000,
                rack: format!("r{}", n % RACKS),
            }
        };
        numbers.map(one).collect()
    }
}

/// The machine and its surroundings.
pub(crate) struct Rig {
    machine: Scheduler,
    now: u64,
    next_offer: u64,
    pending: VecDeque<Input>,
    out: Vec<Effect>,
    /// Tasks run as soon as they are launched and end as soon as they are killed.
    forgetful: bool,
    /// Placement rules of the apps, as JSON.
    rules: &'static str,
    /// Accepted offers, and what was launched on them.
    accepted: Vec<(OfferId, Vec<Launch>)>,
    running: Vec<(TaskId, AgentId)>,
    acknowledged: u64,
    killed: u64,
}

impl Rig {
    /// A leader, connected, with nothing to do.
    pub(crate) fn new() -> Self {
        let mut rig = Self::booted();
        rig.lead(Seq(0));
        rig
    }

    /// The apps made from now on have these placement rules.
    pub(crate) const fn set_rules(&mut self, rules: &'static str) {
        self.rules = rules;
    }

    fn booted() -> Self {
        let mut rig = Self {
            machine: Scheduler::new(),
            now: 1,
            next_offer: 0,
            pending: VecDeque::new(),
            out: Vec::new(),
            forgetful: false,
            rules: "[]",
            accepted: Vec::new(),
            running: Vec::new(),
            acknowledged: 0,
            killed: 0,
        };
        let config = Config { framework_name: "swan".into(), roles: vec!["*".into()], ..Config::default() };
        rig.step(Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
        rig
    }

    fn lead(&mut self, seq: Seq) {
        let lead = Lead { epoch: Epoch(1), seed: 2, seq, cluster_time: ClusterTime(0), crash_notes: vec![] };
        self.step(Input::Lead(Box::new(lead)));
        let subscribed =
            Subscribed { framework_id: FrameworkId::from("F"), heartbeat_interval: None, master_info: None };
        self.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
        self.rest();
    }

    /// A machine that follows records and then leads.
    pub(crate) fn follow(ops: Vec<Op>) -> Self {
        let mut rig = Self::booted();
        let mut ops = ops.into_iter();
        loop {
            let entries: Vec<Op> = ops.by_ref().take(1024).collect();
            if entries.is_empty() {
                break;
            }
            rig.step(Input::Follow { entries });
        }
        rig.lead(Seq(1));
        rig
    }

    /// One app per number: a fifth to half a CPU, two ports.
    pub(crate) fn create(&mut self, app: u32, instances: u32) {
        let document = self.document(app, instances, "web:1", "1,\"maximumOverCapacity\":1");
        self.ask(u64::from(app), ApiCall::CreateApp { document });
    }

    /// Replaces all tasks of an app on agents that have room for a second set; `strategy` are the least part that stays
    /// healthy and the most on top, in JSON.
    pub(crate) fn roll(&mut self, app: u32, instances: u32, strategy: &str, agents: &[Agent]) {
        self.forgetful = true;
        let before = self.killed;
        let document = self.document(app, instances, "web:2", strategy);
        let (id, change) = (
            DottedId::from_text(&format!("app{app}.group{}.bench", app % 50)),
            AppChange::Update { document },
        );
        self.ask(1_000_000, ApiCall::ChangeApp { app: id, change, guard: Guard::default() });
        self.place_all(agents, u64::from(instances), |_, _| ());
        self.rest();
        assert_eq!(self.killed - before, u64::from(instances), "every task was replaced");
    }

    fn ask(&mut self, id: u64, call: ApiCall) {
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        self.step(Input::Api { id: RequestId(id), request: Box::new(request) });
    }

    fn document(&self, app: u32, instances: u32, image: &str, strategy: &str) -> Vec<u8> {
        let (cpus, mem) = (
            ["0.2", "0.25", "0.3", "0.4", "0.5"][app as usize % 5],
            [128, 192, 256, 384, 512][app as usize % 5],
        );
        format!(
            r#"{{"id":"/bench/group{}/app{app}","instances":{instances},"cpus":{cpus},"mem":{mem},
            "container":{{"type":"DOCKER","docker":{{"image":"{image}"}},"portMappings":[
            {{"containerPort":80,"hostPort":0,"name":"http"}},{{"containerPort":81,"hostPort":0,"name":"admin"}}]}},
            "upgradeStrategy":{{"minimumHealthCapacity":{strategy}}},
            "networks":[{{"mode":"container/bridge"}}],"constraints":{}}}"#,
            app % 50,
            self.rules
        )
        .into_bytes()
    }

    /// A cluster in which all tasks run, on agents of its own size, and that keeps nothing but the machine.
    pub(crate) fn bare(apps: u32, instances: u32, agents: &[Agent]) -> Self {
        let mut rig = Self::new();
        rig.forgetful = true;
        for app in 0..apps {
            rig.create(app, instances);
        }
        rig.rest();
        rig.place_all(agents, u64::from(apps) * u64::from(instances), |_, _| ());
        rig.rest();
        rig
    }

    /// A cluster in which all tasks of some apps run.
    pub(crate) fn running(apps: u32, instances: u32) -> Self {
        let mut rig = Self::new();
        for app in 0..apps {
            rig.create(app, instances);
        }
        rig.rest();
        let total = u64::from(apps) * u64::from(instances);
        let agents = Agent::fleet((total as usize / 20).max(10), 7);
        let mut running = Vec::new();
        rig.place_all(&agents, total, |_, launches| {
            running.extend(launches.iter().map(|launch| (launch.task.clone(), launch.agent.clone())));
        });
        rig.running = running;
        rig.run_all();
        rig
    }

    /// Offers what agents have, and again what is left, until `total` tasks were accepted; `see` sees each accepted offer
    /// with its launches. Gives the machine's time: what its surroundings do with offers and launches is left out.
    pub(crate) fn place_all(
        &mut self,
        agents: &[Agent],
        total: u64,
        mut see: impl FnMut(&OfferId, &[Launch]),
    ) -> Duration {
        let mut left: Vec<Remainder> =
            agents.iter().enumerate().map(|(n, agent)| (n, agent.cpus, agent.mem, vec![PORTS])).collect();
        let (mut launched, mut spent) = (0, Duration::ZERO);
        for round in 1.. {
            assert!(round < 50, "placement makes progress");
            let mut by_offer = BTreeMap::new();
            let mut next = Vec::new();
            for chunk in left.chunks(500) {
                let offers = chunk.iter().map(|(n, cpus, mem, ports)| {
                    let offer = self.offer(&agents[*n], *cpus, *mem, ports.clone());
                    by_offer.insert(offer.id.clone(), (*n, *cpus, *mem, ports.clone()));
                    offer
                });
                let offers = Event::Offers(offers.collect());
                let clock = Clock::start();
                self.step(Input::Mesos(LinkEvent::Event(Box::new(offers))));
                self.rest();
                spent += clock.elapsed();
                for (id, launches) in mem::take(&mut self.accepted) {
                    launched += launches.len() as u64;
                    see(&id, &launches);
                    if let Some((n, cpus, mem, ports)) = by_offer.remove(&id) {
                        next.push(remainder(n, cpus, mem, ports, &launches));
                    }
                }
                if launched == total {
                    return spent;
                }
            }
            self.now += 2_100;
            let clock = Clock::start();
            self.step(Input::Wake);
            spent += clock.elapsed();
            next.extend(by_offer.into_values());
            left = next;
        }
        unreachable!("the loop above ends by returning or by its assertion")
    }

    fn offer(&mut self, agent: &Agent, cpus: i64, mem: i64, ports: Vec<(u64, u64)>) -> Offer {
        self.next_offer += 1;
        let resources = vec![
            Resource::scalar("cpus", cpus).allocated_to("*"),
            Resource::scalar("mem", mem).allocated_to("*"),
            Resource::ranges("ports", ports).allocated_to("*"),
        ];
        Offer {
            id: OfferId::new(format!("a6f3c1d2-0000-4000-8000-00000000000a-O{}", self.next_offer)),
            framework_id: FrameworkId::from("F"),
            agent_id: agent.id.clone(),
            agent: AgentFacts {
                hostname: agent.host.clone(),
                address: None,
                domain: None,
                attributes: vec![Attribute {
                    name: "rack".into(),
                    value: AttributeValue::Text(agent.rack.clone()),
                }],
            }
            .into(),
            resources,
            role: Some("*".into()),
            unavailability: None,
            executor_ids: vec![],
        }
    }

    /// One offer of an agent with so many thousandths of a CPU; everything that follows from it is done.
    pub(crate) fn offer_one(&mut self, agent: &Agent, cpus: i64) {
        let offer = self.offer(agent, cpus, agent.mem, vec![PORTS]);
        self.step(Input::Mesos(LinkEvent::Event(Box::new(Event::Offers(vec![offer])))));
        self.rest();
    }

    /// Every launched task starts and runs.
    pub(crate) fn run_all(&mut self) {
        for at in 0..self.running.len() {
            let (task, agent) = self.running[at].clone();
            let update = status(&task, &agent, TaskState::Running, None, at as u64);
            self.step(update);
        }
        self.rest();
    }

    /// Updates that flip the health of running tasks, in random order.
    pub(crate) fn health_flips(&self, count: u64) -> Vec<Input> {
        let mut rng = Rng::new(3);
        let mut healthy = vec![false; self.running.len()];
        let one = |n: u64| {
            let at = rng.below(self.running.len() as u64) as usize;
            healthy[at] = !healthy[at];
            let (task, agent) = &self.running[at];
            status(task, agent, TaskState::Running, Some(healthy[at]), u64::MAX - n)
        };
        (0..count).map(one).collect()
    }

    /// Feeds inputs; gives how many updates were acknowledged.
    pub(crate) fn feed(&mut self, inputs: Vec<Input>) -> u64 {
        let before = self.acknowledged;
        for input in inputs {
            self.step(input);
        }
        self.rest();
        self.acknowledged - before
    }

    /// Steps, and makes everything durable at once.
    pub(crate) fn step(&mut self, input: Input) {
        self.pending.push_back(input);
        while let Some(input) = self.pending.pop_front() {
            let now = Now { mono: Instant(self.now), wall: Timestamp(1_700_000_000_000 + self.now) };
            let mut out = mem::take(&mut self.out);
            self.machine.step(now, input, &mut out);
            for effect in out.drain(..) {
                self.take(effect);
            }
            self.out = out;
        }
    }

    /// Wakes the machine until it has nothing left to do now.
    pub(crate) fn rest(&mut self) {
        while self.machine.next_deadline().is_some_and(|at| at.0 <= self.now) {
            self.step(Input::Wake);
        }
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Store { seq, .. } => {
                self.pending.push_back(Input::Store(StoreEvent::Stored { upto: seq }))
            }
            Effect::Mesos(call) => match *call {
                MesosCall::Accept { mut offers, launches, .. } => {
                    if self.forgetful {
                        let run = |l: &Launch| status(&l.task, &l.agent, TaskState::Running, None, 0);
                        self.pending.extend(launches.iter().map(run));
                    }
                    self.accepted.push((offers.remove(0), launches));
                }
                MesosCall::Acknowledge { .. } => self.acknowledged += 1,
                MesosCall::Kill { task, agent, .. } => {
                    self.killed += 1;
                    let agent = agent.expect("a kill names the agent");
                    self.pending.push_back(status(&task, &agent, TaskState::Killed, None, self.killed));
                }
                _ => {}
            },
            Effect::Reply { result, .. } => assert!(result.is_ok(), "{result:?}"),
            Effect::Publish(_) | Effect::Route(_) => {}
        }
    }

    /// The whole state as records.
    pub(crate) fn durable_ops(&self) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut from = Some(RecordKey(Vec::new()));
        while let Some(key) = from {
            let (items, next) = self.machine.records(&key, None, 512 * 1024);
            ops.extend(items.into_iter().map(|(key, value)| Op { key, value: Some(value) }));
            from = next;
        }
        ops
    }
}

/// What an agent can still offer: its place in the fleet, CPUs, memory, ports.
type Remainder = (usize, i64, i64, Vec<(u64, u64)>);

/// What is left of an offer.
fn remainder(
    n: usize,
    mut cpus: i64,
    mut mem: i64,
    mut ports: Vec<(u64, u64)>,
    launches: &[Launch],
) -> Remainder {
    use swan_core::mesos::ResourceValue;
    for resource in launches.iter().flat_map(Launch::resources) {
        match (&*resource.name, &resource.value) {
            ("cpus", ResourceValue::Scalar(milli)) => cpus -= milli,
            ("mem", ResourceValue::Scalar(milli)) => mem -= milli,
            ("ports", ResourceValue::Ranges(taken)) => {
                let last = taken.iter().map(|&(_, end)| end).max().expect("ports are taken");
                ports = vec![(ports[0].0.max(last + 1), PORTS.1)];
            }
            _ => {}
        }
    }
    (n, cpus, mem, ports)
}

fn status(task: &TaskId, agent: &AgentId, state: TaskState, healthy: Option<bool>, n: u64) -> Input {
    let status = TaskStatus {
        source: Some(Source::Executor),
        reason: None,
        agent_id: Some(agent.clone()),
        uuid: Some(Uuid(u128::from(n).to_be_bytes().into())),
        healthy,
        container_id: Some("24895c16-56ca-40e1-9186-b68b5b43cc71".into()),
        ip_addresses: vec!["172.17.0.2".into()],
        ..TaskStatus::from_master(task.clone(), state, swan_core::mesos::Reason::Reconciliation)
    };
    Input::Mesos(LinkEvent::Event(Box::new(Event::Update(Box::new(status)))))
}
