//! Owns the bodies for the scheduler machine: any story of inputs, and any durable records.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::DottedId;
use swan_core::mesos::{
    AgentFacts, AgentId, Event, FrameworkId, Offer, OfferId, Reason, Resource, ResourceValue, Source,
    Subscribed, TaskId, TaskState, TaskStatus, Uuid,
};
use swan_core::record::{Epoch, Op, RecordKey, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller, IdempotencyKey};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

/// Steps that follow one input at most: each is bounded, and work must come to an end.
const WAKES_MAX: usize = 1000;
const ROLE: &str = "*";

/// Durable records of any content: followed without a panic, by a machine that stays whole. None leads over them: a set
/// of records that contradicts itself is a broken invariant, which ends a leader as it should.
pub fn records(data: &[u8]) {
    let mut rest = data;
    let mut entries = Vec::new();
    while let Some((&[key, value], after)) = rest.split_first_chunk::<2>() {
        let Some((key, after)) = after.split_at_checked(usize::from(key)) else { break };
        let length = if value == 0xff { after.len() } else { usize::from(value) };
        let Some((value, after)) = after.split_at_checked(length) else { break };
        let value = (!value.is_empty()).then(|| value.to_vec());
        entries.push(Op { key: RecordKey(key.to_vec()), value });
        rest = after;
    }
    let mut world = World::booted();
    world.step(Input::Follow { entries });
    let (live, _) = world.machine.records(&RecordKey(Vec::new()), None, usize::MAX);
    assert!(live.windows(2).all(|pair| pair[0].0 < pair[1].0), "live records are in order of key");
    assert_eq!(Scheduler::thaw(&world.machine.freeze()).as_ref(), Some(&world.machine));
}

/// A story of requests, offers, updates, crashes and time, one action per four bytes.
pub fn scheduler_actions(data: &[u8]) {
    let mut world = World::booted();
    world.lead();
    world.connect();
    for action in data.chunks_exact(4).take(512) {
        world.act(action[0], action[1], action[2], action[3]);
    }
}

/// The machine, and what is true around it.
struct World {
    machine: Scheduler,
    now: u64,
    epoch: u64,
    numbers: u64,
    /// Batches that are written and not yet answered.
    in_flight: Vec<(Seq, Vec<Op>)>,
    durable: BTreeMap<RecordKey, Vec<u8>>,
    durable_seq: Seq,
    offers: BTreeMap<OfferId, Offer>,
    /// All tasks ever launched.
    tasks: Vec<(TaskId, AgentId)>,
    /// Their ids, and those that a durable record names: nobody knows whether their launch left before a crash.
    ours: BTreeSet<TaskId>,
    uuids: BTreeSet<Uuid>,
}

impl World {
    fn booted() -> Self {
        let mut world = Self {
            machine: Scheduler::new(),
            now: 1,
            epoch: 0,
            numbers: 0,
            in_flight: Vec::new(),
            durable: BTreeMap::new(),
            durable_seq: Seq(0),
            offers: BTreeMap::new(),
            tasks: Vec::new(),
            ours: BTreeSet::new(),
            uuids: BTreeSet::new(),
        };
        world.boot();
        world
    }

    fn boot(&mut self) {
        self.machine = Scheduler::new();
        let config = Config { framework_name: "swan".into(), roles: vec![ROLE.into()], ..Config::default() };
        self.step(Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
    }

    fn lead(&mut self) {
        self.epoch += 1;
        let lead = Lead {
            epoch: Epoch(self.epoch),
            seed: self.epoch,
            seq: self.durable_seq,
            cluster_time: ClusterTime(self.now),
            crash_notes: Vec::new(),
        };
        self.step(Input::Lead(Box::new(lead)));
    }

    fn connect(&mut self) {
        self.offers.clear();
        let framework_id = FrameworkId::from("F");
        let subscribed = Subscribed { framework_id, heartbeat_interval: None, master_info: None };
        self.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// One input, and as many wakes as the machine then asks for.
    fn step(&mut self, input: Input) {
        let mut input = input;
        for _ in 0..WAKES_MAX {
            let now = Now { mono: Instant(self.now), wall: Timestamp(1_700_000_000_000 + self.now) };
            let mut effects = Vec::new();
            self.machine.step(now, input, &mut effects);
            assert!(self.machine.view().counts_are_exact(), "counts equal a recount (S23)");
            for effect in effects {
                self.check(effect);
            }
            if self.machine.next_deadline().is_none_or(|at| at.0 > self.now) {
                return;
            }
            input = Input::Wake;
        }
        panic!("the machine finds no rest");
    }

    fn check(&mut self, effect: Effect) {
        match effect {
            Effect::Store { seq, ops } => {
                let newest = self.in_flight.last().map_or(self.durable_seq, |(seq, _)| *seq);
                assert_eq!(seq, newest.next(), "batches are numbered without gaps");
                self.in_flight.push((seq, ops));
            }
            Effect::Mesos(call) => self.check_call(*call),
            Effect::Reply { .. } | Effect::Publish(_) | Effect::Route(_) => {}
        }
    }

    fn check_call(&mut self, call: MesosCall) {
        match call {
            MesosCall::Accept { offers, launches, .. } => {
                let taken: Vec<Offer> = offers.iter().filter_map(|id| self.offers.remove(id)).collect();
                assert_eq!(taken.len(), offers.len(), "an offer is used once, and while it stands (S9)");
                let sum =
                    |name| taken.iter().flat_map(|offer| &offer.resources).map(|r| scalar(r, name)).sum();
                let used = |name| launches.iter().flat_map(|l| l.resources()).map(|r| scalar(&r, name)).sum();
                for name in ["cpus", "mem"] {
                    let (there, claimed): (i64, i64) = (sum(name), used(name));
                    assert!(claimed <= there, "{name}: {claimed} of {there} (S9)");
                }
                for launch in launches {
                    assert!(taken.iter().all(|offer| offer.agent_id == launch.agent), "one agent (R34)");
                    assert!(self.ours.insert(launch.task.clone()), "a task id is used once (S2)");
                    self.tasks.push((launch.task, launch.agent));
                }
            }
            MesosCall::Decline { offers, .. } => {
                let stood = offers.iter().all(|id| self.offers.remove(id).is_some());
                assert!(stood, "an offer is answered once, and while it stands (S9)");
            }
            MesosCall::Kill { task, .. } => assert!(self.ours.contains(&task), "a kill is of ours (S8)"),
            MesosCall::Acknowledge { uuid, .. } => assert!(self.uuids.contains(&uuid), "as it came (S4)"),
            _ => {}
        }
    }

    fn act(&mut self, action: u8, a: u8, b: u8, c: u8) {
        match action % 16 {
            0 => self.request(ApiCall::CreateApp { document: document(a, b, c) }, c),
            1 => self
                .request(ApiCall::of_app(app(a), AppChange::Update { document: document(a, b, c) }, None), c),
            2 => {
                let instances = u32::from(b % 8);
                self.request(ApiCall::of_app(app(a), AppChange::Scale { instances, ips: None }, None), c);
            }
            3 => self.request(ApiCall::of_app(app(a), AppChange::Delete, None), c),
            4 => match self.task(b) {
                Some((task, _)) => self.request(ApiCall::KillTask { app: app(a), task }, c),
                None => self.request(ApiCall::KillTasks { app: app(a) }, c),
            },
            5 | 6 => self.offer(a, b, c),
            7 => {
                if let Some(id) = self.offers.keys().nth(usize::from(a)).cloned() {
                    self.offers.remove(&id);
                    self.event(Event::Rescind(id));
                }
            }
            8 | 9 => self.update(a, b, c),
            10 | 11 => self.stored(usize::from(a)),
            12 => self.step(Input::Store(if a & 1 == 0 { StoreEvent::Stalled } else { StoreEvent::Resumed })),
            13 => self.pass(1 << (a % 21)),
            14 => match a % 3 {
                0 => self.crash(usize::from(b)),
                1 => self.machine = Scheduler::thaw(&self.machine.freeze()).expect("a frozen machine thaws"),
                _ => self.request(ApiCall::ReleaseApp { app: app(b) }, c),
            },
            _ => {
                self.offers.clear();
                self.step(Input::Mesos(LinkEvent::Disconnected { why: "as told".into() }));
                self.connect();
            }
        }
    }

    fn request(&mut self, call: ApiCall, c: u8) {
        let id = RequestId(self.number());
        let key = || IdempotencyKey { key: format!("k{}", c & 0x1f), fingerprint: u64::from(c & 3) };
        let idempotency = (c & 0x80 != 0).then(key);
        let request = ApiRequest { who: Caller::default(), idempotency, call };
        self.step(Input::Api { id, request: Box::new(request) });
    }

    fn event(&mut self, event: Event) {
        self.step(Input::Mesos(LinkEvent::Event(Box::new(event))));
    }

    fn offer(&mut self, agent: u8, size: u8, c: u8) {
        let (cpus, mem) = (i64::from(size) * 100, i64::from(size) * 16_000);
        let first = 31_000 + u64::from(c);
        let resources = vec![
            Resource::scalar("cpus", cpus).allocated_to(ROLE),
            Resource::scalar("mem", mem).allocated_to(ROLE),
            Resource::ranges("ports", vec![(first, first + u64::from(size % 16))]).allocated_to(ROLE),
        ];
        let offer = Offer {
            id: OfferId::new(format!("O{}", self.number())),
            framework_id: FrameworkId::from("F"),
            agent_id: AgentId::new(format!("S{}", agent % 5)),
            agent: AgentFacts { hostname: format!("node{}", agent % 5), ..AgentFacts::default() }.into(),
            resources,
            role: Some(ROLE.into()),
            unavailability: None,
            executor_ids: Vec::new(),
        };
        self.offers.insert(offer.id.clone(), offer.clone());
        self.event(Event::Offers(vec![offer]));
    }

    /// One of ours, newest first, or one that nobody launched.
    fn task(&self, n: u8) -> Option<(TaskId, AgentId)> {
        if n >= 0xf0 {
            return Some((TaskId::new(format!("00000000000{:x}.0.a0", n & 7)), AgentId::from("S0")));
        }
        self.tasks.iter().rev().nth(usize::from(n)).cloned()
    }

    fn update(&mut self, n: u8, state: u8, c: u8) {
        let Some((task_id, agent)) = self.task(n) else { return };
        let state = TaskState::ALL
            .get(usize::from(state))
            .copied()
            .unwrap_or_else(|| TaskState::Other(i32::from(state)));
        let reason = Reason::ALL[usize::from(c & 0x1f)];
        let uuid = (c & 0x80 != 0).then(|| Uuid(self.number().to_be_bytes().into()));
        self.uuids.extend(uuid.clone());
        let status = TaskStatus {
            source: Some(if uuid.is_some() { Source::Executor } else { Source::Master }),
            agent_id: (c & 0x40 == 0).then_some(agent),
            uuid,
            timestamp: Some(Timestamp(self.now)),
            healthy: (c & 0x20 != 0).then_some(c & 1 == 0),
            ..TaskStatus::from_master(task_id, state, reason)
        };
        self.event(Event::Update(Box::new(status)));
    }

    /// So many batches become durable and one answer says so.
    fn stored(&mut self, count: usize) {
        self.write(count);
        self.step(Input::Store(StoreEvent::Stored { upto: self.durable_seq }));
    }

    fn write(&mut self, count: usize) {
        let count = count.min(self.in_flight.len());
        for (seq, ops) in self.in_flight.drain(..count) {
            self.durable_seq = seq;
            for op in ops {
                match op.value {
                    Some(value) => drop(self.durable.insert(op.key, value)),
                    None => drop(self.durable.remove(&op.key)),
                }
            }
        }
    }

    /// Time passes, waking the machine whenever it asked for it.
    fn pass(&mut self, span: u64) {
        let end = self.now + span;
        for _ in 0..WAKES_MAX {
            let due = self.machine.next_deadline().map_or(end, |at| at.0.clamp(self.now, end));
            self.now = due;
            self.step(Input::Wake);
            if due == end {
                return;
            }
        }
        self.now = end;
    }

    /// The process ends after some batches were written without an answer, and another takes over.
    fn crash(&mut self, written: usize) {
        self.write(written);
        self.in_flight.clear();
        self.boot();
        let put = |(key, value): (&RecordKey, &Vec<u8>)| Op { key: key.clone(), value: Some(value.clone()) };
        let entries: Vec<Op> = self.durable.iter().map(put).collect();
        self.step(Input::Follow { entries });
        let (live, next) = self.machine.records(&RecordKey(Vec::new()), None, usize::MAX);
        assert_eq!(next, None);
        assert_eq!(live.into_iter().collect::<BTreeMap<_, _>>(), self.durable, "recovery is exact (S13)");
        self.adopt();
        self.lead();
        self.connect();
    }

    fn adopt(&mut self) {
        let view = self.machine.view();
        let apps = view.apps(None, 100).items;
        let tasks = apps.iter().filter_map(|app| view.tasks(&app.id, None, 1000)).flat_map(|page| page.items);
        let recorded: Vec<TaskId> = tasks.filter_map(|task| task.id).collect();
        self.ours.extend(recorded);
    }
}

fn scalar(resource: &Resource, name: &str) -> i64 {
    match resource.value {
        ResourceValue::Scalar(milli) if resource.has_name(name) => milli,
        _ => 0,
    }
}

fn app(a: u8) -> DottedId {
    DottedId::from_text(&format!("a{}", a % 4))
}

fn document(a: u8, b: u8, c: u8) -> Vec<u8> {
    let health = r#","healthChecks":[{"protocol":"MESOS_HTTP","path":"/","portIndex":0}]"#;
    format!(
        r#"{{"id":"/a{}","instances":{},"cpus":0.{},"mem":32,"env":{{"V":"{}"}},"container":{{"docker":{{"image":"x"}},
        "portMappings":[{{"containerPort":80}}]}},"networks":[{{"mode":"container/bridge"}}],"backoffSeconds":{}{}}}"#,
        a % 4,
        b % 8,
        1 + b % 9,
        c & 3,
        c & 7,
        if c & 8 == 0 { "" } else { health },
    )
    .into_bytes()
}
