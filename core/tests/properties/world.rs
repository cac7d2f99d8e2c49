//! Owns the world around the machine under test: journal, clock, connection and cluster; and checks every effect.

use std::collections::{BTreeMap, VecDeque};

use prost::Message;
use swan_core::id::{DottedId, TaskName};
use swan_core::mesos::{
    AgentId, Event as MesosEvent, FrameworkId, OfferId, Reason, Subscribed, TaskId, TaskState, TaskStatus,
    Uuid,
};
use swan_core::record::{Epoch, Op, RecordKey, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::event::EventId;
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::scheduler::view::AppView;
use swan_core::spec::{AppSpec, WHOLE_PPM};
use swan_core::time::{ClusterTime, Instant, Millis, Now, Timestamp};

use crate::cluster::{Cluster, agent_id};

/// Wakes after one input before the machine must rest.
const WAKES_MAX: u32 = 100;

/// An update that was delivered and asks for an acknowledgement.
struct Delivery {
    task: TaskId,
    agent: AgentId,
    uuid: Uuid,
    /// The batch that must be durable first.
    after: Seq,
}

/// What a slot's record says of its task, as far as it is checked here.
#[derive(Clone, PartialEq, Eq, Message)]
struct SlotPart {
    #[prost(message, optional, tag = "1")]
    task: Option<TaskPart>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct TaskPart {
    #[prost(uint64, tag = "1")]
    hex: u64,
    #[prost(uint32, tag = "10")]
    stop: u32,
}

/// The machine and everything around it.
pub(crate) struct World {
    pub(crate) machine: Scheduler,
    pub(crate) cluster: Cluster,
    pub(crate) roles: Vec<String>,
    pub(crate) connected: bool,
    pub(crate) now: Instant,
    /// Calls that someone may want to answer.
    pub(crate) kills: Vec<TaskId>,
    pub(crate) asked: Vec<(TaskId, Option<AgentId>)>,
    pub(crate) asked_all: bool,
    /// Effects other than questions, since this was set to zero.
    pub(crate) busy: u32,
    history: Vec<Op>,
    durable: BTreeMap<RecordKey, Vec<u8>>,
    in_flight: VecDeque<(Seq, Vec<Op>)>,
    stored: Seq,
    epoch: u64,
    led_since: Instant,
    cluster_time: ClusterTime,
    deliveries: Vec<Delivery>,
    last_event: Option<EventId>,
    uuids: u32,
    requests: u64,
    /// The most tasks that each app may have: now, and before the changes up to these batches.
    ceilings: BTreeMap<DottedId, Vec<(u32, Seq)>>,
}

impl World {
    pub(crate) fn new(roles: &[&str]) -> Self {
        let mut world = Self {
            machine: Scheduler::new(),
            cluster: Cluster::new(6),
            roles: roles.iter().map(ToString::to_string).collect(),
            connected: false,
            now: Instant(0),
            kills: vec![],
            asked: vec![],
            asked_all: false,
            busy: 0,
            history: vec![],
            durable: BTreeMap::new(),
            in_flight: VecDeque::new(),
            stored: Seq(0),
            epoch: 0,
            led_since: Instant(0),
            cluster_time: ClusterTime(0),
            deliveries: vec![],
            last_event: None,
            uuids: 0,
            requests: 0,
            ceilings: BTreeMap::new(),
        };
        world.lead(false);
        world
    }

    fn booted(&self) -> Scheduler {
        let mut machine = Scheduler::new();
        let config = Config {
            framework_name: "swan".into(),
            roles: self.roles.clone(),
            user: "root".into(),
            ..Config::default()
        };
        let boot = Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) };
        machine.step(self.clocks(), boot, &mut vec![]);
        machine
    }

    /// A machine that has followed what is durable: as it was written, or as a snapshot has it.
    fn follower(&self, by_history: bool) -> Scheduler {
        let mut machine = self.booted();
        let snapshot =
            self.durable.iter().map(|(key, value)| Op { key: key.clone(), value: Some(value.clone()) });
        let ops: Vec<Op> = if by_history { self.history.clone() } else { snapshot.collect() };
        for entries in ops.chunks(7) {
            let mut effects = vec![];
            machine.step(self.clocks(), Input::Follow { entries: entries.to_vec() }, &mut effects);
            assert_eq!(effects, [], "a standby does nothing");
        }
        assert_eq!(machine.view().stats().odd_records, 0, "every record is understood");
        machine
    }

    /// A new machine takes over; the first `lost` of those before are gone with all that was not durable.
    pub(crate) fn lead(&mut self, by_history: bool) {
        self.machine = self.follower(by_history);
        self.in_flight.clear();
        self.deliveries.clear();
        self.disconnected();
        self.cluster_time = self.cluster_time + self.now.since(self.led_since);
        self.led_since = self.now;
        self.epoch += 1;
        let lead = Lead {
            epoch: Epoch(self.epoch),
            seed: self.epoch,
            seq: self.stored,
            cluster_time: self.cluster_time,
            crash_notes: vec![],
        };
        self.step(Input::Lead(Box::new(lead)));
    }

    fn disconnected(&mut self) {
        self.connected = false;
        let out: Vec<OfferId> = self.cluster.offers.keys().cloned().collect();
        for id in out {
            self.cluster.take_back(&id);
        }
    }

    const fn clocks(&self) -> Now {
        Now { mono: self.now, wall: Timestamp(1_000_000 + self.now.0) }
    }

    /// Steps, and lets the machine go on until it rests.
    pub(crate) fn step(&mut self, input: Input) {
        self.one_step(input);
        let mut wakes = 0;
        while self.machine.next_deadline().is_some_and(|at| at <= self.now) {
            self.one_step(Input::Wake);
            wakes += 1;
            assert!(wakes < WAKES_MAX, "the machine comes to rest (L9)");
        }
    }

    /// Steps once, together with a machine that was frozen and thawed just before.
    fn one_step(&mut self, input: Input) {
        self.forget_ceilings();
        let mut thawed = Scheduler::thaw(&self.machine.freeze()).expect("a frozen machine thaws");
        let (mut effects, mut same) = (vec![], vec![]);
        self.machine.step(self.clocks(), input.clone(), &mut effects);
        thawed.step(self.clocks(), input, &mut same);
        assert_eq!(effects, same, "a thawed machine does the same");
        assert!(thawed == self.machine, "a thawed machine becomes the same");
        assert!(self.machine.view().counts_are_exact(), "counts equal a recount (S23)");
        self.note_ceilings();
        let after = self.machine.as_of();
        for delivery in &mut self.deliveries {
            delivery.after = delivery.after.min(after);
        }
        for effect in effects {
            self.check(effect);
        }
    }

    fn check(&mut self, effect: Effect) {
        match effect {
            Effect::Store { seq, ops } => {
                let last = self.in_flight.back().map_or(self.stored, |(seq, _)| *seq);
                assert_eq!(seq, last.next(), "batches are numbered in order");
                self.in_flight.push_back((seq, ops));
                self.busy += 1;
            }
            Effect::Mesos(call) => self.check_call(*call),
            Effect::Reply { .. } | Effect::Route(_) => self.busy += 1,
            Effect::Publish(event) => {
                assert!(event.id.seq <= self.stored, "an event leaves once its batch is durable");
                assert!(self.last_event < Some(event.id), "ids of events grow");
                self.last_event = Some(event.id);
                self.busy += 1;
            }
        }
    }

    fn check_call(&mut self, call: MesosCall) {
        if matches!(call, MesosCall::Subscribe { .. }) {
            return;
        }
        assert!(self.connected, "calls are made while connected: {call:?}");
        self.busy += u32::from(!matches!(call, MesosCall::Reconcile { .. }));
        match call {
            MesosCall::Accept { offers, launches, .. } => {
                for launch in &launches {
                    assert!(self.record_of(&launch.task).is_some(), "a launch is durable first (R30)");
                }
                let framework = RecordKey(vec![b'f']);
                assert!(self.durable.contains_key(&framework), "so is the framework's id (R9)");
                self.cluster.accept(&offers, &launches);
                launches.iter().for_each(|launch| self.check_ceiling(&launch.template.app));
            }
            MesosCall::Decline { offers, .. } => offers.iter().for_each(|id| self.cluster.take_back(id)),
            MesosCall::Kill { task, .. } => {
                let mut superseded = vec![b'o'];
                superseded.extend(task.as_str().as_bytes());
                let stopping = self.record_of(&task).is_some_and(|record| record.stop != 0);
                let superseded = self.durable.contains_key(&RecordKey(superseded));
                assert!(stopping || superseded, "the reason of a KILL is durable first (S8)");
                self.kills.push(task);
            }
            MesosCall::Acknowledge { task, agent, uuid } => {
                let found = self.deliveries.iter().position(|delivery| {
                    delivery.task == task && delivery.agent == agent && delivery.uuid == uuid
                });
                let delivery =
                    self.deliveries.remove(found.expect("what was delivered is acknowledged once"));
                assert!(delivery.after <= self.stored, "acknowledged after all is durable (R21)");
            }
            MesosCall::Reconcile { tasks } => {
                self.asked_all |= tasks.is_empty();
                self.asked.extend(tasks);
            }
            MesosCall::Subscribe { .. }
            | MesosCall::Suppress { .. }
            | MesosCall::Revive { .. }
            | MesosCall::AcceptInverse { .. }
            | MesosCall::DeclineInverse { .. }
            | MesosCall::Disconnect => {}
        }
    }

    /// So many tasks may an app have at the same time: Marathon's arithmetic, of what the API shows.
    pub(crate) fn ceiling(&self, app: &AppView) -> u32 {
        let upgrade = AppSpec::parse(app.spec.as_bytes()).expect("a sound definition").spec.upgrade;
        let (n, whole) = (u64::from(app.instances), u64::from(WHOLE_PPM));
        let most = n + n * u64::from(upgrade.max_over_ppm) / whole;
        let least = (n * u64::from(upgrade.min_healthy_ppm)).div_ceil(whole);
        u32::try_from(most + u64::from(most == least)).expect("a small number")
    }

    /// What was decided before a change has left once the change is durable.
    fn forget_ceilings(&mut self) {
        for ceilings in self.ceilings.values_mut() {
            ceilings.retain(|(_, upto)| *upto > self.stored);
        }
    }

    fn note_ceilings(&mut self) {
        let apps = self.machine.view().apps(None, 100).items;
        let after = self.machine.as_of();
        for app in apps {
            let now = self.ceiling(&app);
            let ceilings = self.ceilings.entry(app.id).or_default();
            match ceilings.iter_mut().find(|(_, upto)| *upto == Seq(u64::MAX)) {
                Some((ceiling, _)) if *ceiling == now => continue,
                Some((_, upto)) => *upto = after.next(),
                None => {}
            }
            ceilings.push((now, Seq(u64::MAX)));
        }
    }

    /// After a launch: tasks that stay are no more than may be (S3).
    fn check_ceiling(&self, app: &str) {
        let id = DottedId::from_text(app);
        let Some(most) = self.ceilings.get(&id).and_then(|all| all.iter().map(|(most, _)| *most).max())
        else {
            return;
        };
        let stays = |task: &TaskId| {
            TaskName::parse(task.as_str()).is_some_and(|name| name.app == app)
                && self.record_of(task).is_some_and(|record| record.stop == 0)
        };
        let alive = self.cluster.tasks.iter().filter(|(task, running)| running.alive && stays(task)).count();
        assert!(alive <= most as usize, "{app} has {alive} tasks, and may have {most} (S3)");
    }

    /// What the durable record of a task's slot says of it.
    fn record_of(&self, task: &TaskId) -> Option<TaskPart> {
        let name = TaskName::parse(task.as_str()).expect("a task of ours");
        // A slot has two seats; the second has the highest bit of its number set.
        [name.slot, name.slot | 1 << 31].into_iter().find_map(|seat| {
            let mut key = vec![b's'];
            key.extend(name.app.as_bytes());
            key.push(0);
            key.extend(seat.to_be_bytes());
            let record = SlotPart::decode(&self.durable.get(&RecordKey(key))?[..]).expect("a slot's record");
            record.task.filter(|task| task.hex == name.hex)
        })
    }

    /// Makes some batches durable.
    pub(crate) fn store(&mut self, batches: usize) {
        if batches == 0 || self.in_flight.is_empty() {
            return;
        }
        for _ in 0..batches {
            let Some((seq, ops)) = self.in_flight.pop_front() else { break };
            for op in &ops {
                match &op.value {
                    Some(value) => drop(self.durable.insert(op.key.clone(), value.clone())),
                    None => drop(self.durable.remove(&op.key)),
                }
            }
            self.history.extend(ops);
            self.stored = seq;
        }
        self.step(Input::Store(StoreEvent::Stored { upto: self.stored }));
    }

    /// Makes everything durable. Then what is durable is what the machine holds.
    pub(crate) fn store_all(&mut self) {
        self.step(Input::Store(StoreEvent::Resumed));
        while !self.in_flight.is_empty() {
            self.store(usize::MAX);
        }
        assert_eq!(self.machine.as_of(), self.stored, "nothing waits to be written");
        let all = self.records(&RecordKey(vec![]), None, usize::MAX);
        let durable: Vec<_> = self.durable.clone().into_iter().collect();
        assert_eq!(all, durable, "what is durable is what the machine holds, in order of key");
        for by_history in [false, true] {
            let (replayed, _) = self.follower(by_history).records(&RecordKey(vec![]), None, usize::MAX);
            assert_eq!(replayed, durable, "who follows what is durable holds the same");
        }
    }

    /// All records of a range, page by page.
    pub(crate) fn records(
        &self,
        from: &RecordKey,
        to: Option<&RecordKey>,
        bytes_max: usize,
    ) -> Vec<(RecordKey, Vec<u8>)> {
        let (mut all, mut from) = (vec![], Some(from.clone()));
        while let Some(begin) = from {
            let (page, next) = self.machine.records(&begin, to, bytes_max);
            assert!(!page.is_empty() || next.is_none(), "a page that is not the last has a record");
            all.extend(page);
            from = next;
        }
        all
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn advance(&mut self, span: Millis) {
        let until = self.now + span;
        while let Some(at) = self.machine.next_deadline().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            self.step(Input::Wake);
        }
        self.now = until;
    }

    pub(crate) fn request(&mut self, call: ApiCall) {
        self.requests += 1;
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        self.step(Input::Api { id: RequestId(self.requests), request: Box::new(request) });
    }

    pub(crate) fn mesos(&mut self, event: MesosEvent) {
        if self.connected {
            self.step(Input::Mesos(LinkEvent::Event(Box::new(event))));
        }
    }

    pub(crate) fn connect(&mut self) {
        if self.connected {
            return;
        }
        self.connected = true;
        let framework_id = FrameworkId::from("F");
        let subscribed = Subscribed { framework_id, heartbeat_interval: None, master_info: None };
        self.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
    }

    pub(crate) fn disconnect(&mut self) {
        self.disconnected();
        self.step(Input::Mesos(LinkEvent::Disconnected { why: String::new() }));
    }

    /// Delivers an update; with a uuid it is to be acknowledged.
    pub(crate) fn update(&mut self, task: &TaskId, state: TaskState, healthy: Option<bool>, uuid: bool) {
        if !self.connected {
            return;
        }
        let agent = self.cluster.tasks.get(task).map_or(0, |running| running.agent);
        let mut status = TaskStatus::from_master(task.clone(), state, Reason::Reconciliation);
        status.agent_id = Some(agent_id(agent));
        status.healthy = healthy;
        if uuid {
            self.uuids += 1;
            let uuid = Uuid(self.uuids.to_be_bytes().into());
            status.reason = None;
            status.uuid = Some(uuid.clone());
            let (task, agent, after) = (task.clone(), agent_id(agent), Seq(u64::MAX));
            self.deliveries.push(Delivery { task, agent, uuid, after });
        }
        self.mesos(MesosEvent::Update(Box::new(status)));
    }
}
