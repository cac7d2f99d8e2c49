//! Owns the machine under test, with a journal that is always done, and tells the oracle what the machine decides.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use swan_core::id::{DottedId, TaskName};
use swan_core::mesos::{
    AgentFacts, Attribute, AttributeValue, Event, FrameworkId, Offer, OfferId, Reason, Resource, Subscribed,
    TaskId, TaskState, TaskStatus,
};
use swan_core::record::{Epoch, Op, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

use crate::oracle::{Agent, App, MEM, Oracle, RULES, STRATEGIES};

/// Agents of the cluster.
pub(crate) const AGENTS: usize = 8;

/// What a slot's record says of its task, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Message)]
struct SlotPart {
    #[prost(message, optional, tag = "1")]
    task: Option<TaskPart>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct TaskPart {
    #[prost(uint64, tag = "1")]
    hex: u64,
    #[prost(string, tag = "3")]
    agent_id: String,
}

/// The machine, and what it has done.
pub(crate) struct Rig {
    machine: Scheduler,
    oracle: Oracle,
    now: u64,
    epoch: u64,
    stored: Seq,
    durable: Vec<Op>,
    /// The open offer of each agent.
    offers: BTreeMap<usize, OfferId>,
    offers_made: u32,
    /// Tasks that were placed, by the unique part of their ids: app, agent, and their ids once they are launched.
    placed: BTreeMap<u64, (usize, usize, Option<TaskId>)>,
    /// The unique parts of all ids so far.
    seen: BTreeSet<u64>,
    /// Tasks that were told to end, and have not said so yet.
    killed: Vec<TaskId>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let agent = |n: usize| Agent {
            host: format!("s{n}.test"),
            rack: (n != 7).then(|| format!("r{}", n % 4)),
            speed: 500 * (n as i64 % 6),
        };
        let oracle = Oracle { agents: (0..AGENTS).map(agent).collect(), ..Oracle::default() };
        let mut rig = Self {
            machine: Scheduler::new(),
            oracle,
            now: 0,
            epoch: 0,
            stored: Seq(0),
            durable: vec![],
            offers: BTreeMap::new(),
            offers_made: 0,
            placed: BTreeMap::new(),
            seen: BTreeSet::new(),
            killed: vec![],
        };
        rig.crash();
        rig
    }

    /// A new machine follows what is durable, and leads.
    pub(crate) fn crash(&mut self) {
        self.machine = Scheduler::new();
        self.offers.clear();
        self.oracle.open.clear();
        self.epoch += 1;
        let config = Config { roles: vec!["*".into()], ..Config::default() };
        self.step(Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
        self.step(Input::Follow { entries: self.durable.clone() });
        let (seq, cluster_time) = (self.stored, ClusterTime(self.now));
        let lead =
            Lead { epoch: Epoch(self.epoch), seed: self.epoch, seq, cluster_time, crash_notes: vec![] };
        self.step(Input::Lead(Box::new(lead)));
        let framework_id = FrameworkId::from("F");
        let subscribed = Subscribed { framework_id, heartbeat_interval: None, master_info: None };
        self.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
    }

    pub(crate) fn create(&mut self, rule: usize, strategy: usize, instances: u32, cpus: i64, ports: usize) {
        let number = self.oracle.apps.len();
        self.oracle.apps.push(App { rule, strategy, cpus, ports });
        let port = r#"{"containerPort":80,"hostPort":0}"#;
        let document = format!(
            r#"{{"id":"/p/a{number}","instances":{instances},"cpus":{},"mem":{},"constraints":{},"placement":{},
            "container":{{"type":"DOCKER","docker":{{"image":"i"}},"portMappings":[{}]}},
            "networks":[{{"mode":"container/bridge"}}]}}"#,
            cpus as f64 / 1000.0,
            MEM / 1000,
            RULES[rule],
            STRATEGIES[strategy],
            vec![port; ports].join(","),
        );
        self.request(ApiCall::CreateApp { document: document.into_bytes() });
    }

    pub(crate) fn scale(&mut self, app: usize, instances: u32) {
        if !self.oracle.apps.is_empty() {
            let app = dotted(app % self.oracle.apps.len());
            self.request(ApiCall::of_app(app, AppChange::Scale { instances, ips: None }, None));
        }
    }

    fn request(&mut self, call: ApiCall) {
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        self.step(Input::Api { id: RequestId(1), request: Box::new(request) });
    }

    /// One offer of an agent that has none out.
    pub(crate) fn offer(&mut self, agent: usize, cpus: i64, mem: i64, ports: u64) {
        if self.offers.contains_key(&agent) {
            return;
        }
        self.offers_made += 1;
        let id = OfferId::new(format!("O{}", self.offers_made));
        self.offers.insert(agent, id.clone());
        let numbers = (31_000..31_000 + ports).collect();
        self.oracle.open.insert(agent, crate::oracle::Open { cpus, mem, ports: numbers });
        let known = &self.oracle.agents[agent];
        let mut attributes =
            vec![Attribute { name: "speed".into(), value: AttributeValue::Scalar(known.speed) }];
        if let Some(rack) = known.rack.clone() {
            attributes.push(Attribute { name: "rack".into(), value: AttributeValue::Text(rack) });
        }
        let mut resources = vec![Resource::scalar("cpus", cpus), Resource::scalar("mem", mem)];
        if ports > 0 {
            resources.push(Resource::ranges("ports", vec![(31_000, 31_000 + ports - 1)]));
        }
        let offer = Offer {
            id,
            framework_id: FrameworkId::from("F"),
            agent_id: format!("S{agent}").as_str().into(),
            agent: AgentFacts { hostname: known.host.clone(), address: None, domain: None, attributes }
                .into(),
            resources: resources.into_iter().map(|resource| resource.allocated_to("*")).collect(),
            role: Some("*".into()),
            unavailability: None,
            executor_ids: vec![],
        };
        self.mesos(Event::Offers(vec![offer]));
    }

    pub(crate) fn rescind(&mut self, number: usize) {
        let count = self.offers.len();
        if count > 0 {
            let (agent, id) = self
                .offers
                .iter()
                .nth(number % count)
                .map(|(&agent, id)| (agent, id.clone()))
                .expect("counted");
            self.leave(agent);
            self.mesos(Event::Rescind(id));
        }
    }

    /// A task is over, which is no fault of its app.
    pub(crate) fn end(&mut self, number: usize) {
        self.update(number, TaskState::Gone, Reason::AgentRemoved);
    }

    /// Nobody can reach a task any more.
    pub(crate) fn vanish(&mut self, number: usize) {
        self.update(number, TaskState::Unreachable, Reason::AgentRemoved);
    }

    fn update(&mut self, number: usize, state: TaskState, reason: Reason) {
        let Some((&hex, (app, agent, task))) = self.placed.iter().nth(number % self.placed.len().max(1))
        else {
            return;
        };
        let Some(task) = task.clone() else { return };
        self.oracle.forget(*app, *agent);
        self.placed.remove(&hex);
        self.mesos(Event::Update(Box::new(TaskStatus::from_master(task, state, reason))));
    }

    /// Whatever was killed ends.
    fn bury(&mut self) {
        while let Some(task) = self.killed.pop() {
            let hex = TaskName::parse(task.as_str()).expect("a task of ours").hex;
            if let Some((app, agent, _)) = self.placed.remove(&hex) {
                self.oracle.forget(app, agent);
            }
            let status = TaskStatus::from_master(task, TaskState::Killed, Reason::TaskKilledDuringLaunch);
            self.one_by_one(Input::Mesos(LinkEvent::Event(Box::new(Event::Update(Box::new(status))))));
        }
    }

    fn mesos(&mut self, event: Event) {
        self.step(Input::Mesos(LinkEvent::Event(Box::new(event))));
    }

    pub(crate) fn advance(&mut self, millis: u64) {
        let until = self.now + millis;
        while let Some(at) = self.machine.next_deadline().filter(|at| at.0 <= until) {
            self.now = at.0.max(self.now);
            self.step(Input::Wake);
        }
        self.now = until;
    }

    fn step(&mut self, input: Input) {
        self.one_by_one(input);
        self.bury();
    }

    /// Steps, and lets the machine go on until it rests.
    fn one_by_one(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let now = Now { mono: Instant(self.now), wall: Timestamp(self.now) };
            let mut effects = Vec::new();
            self.machine.step(now, input, &mut effects);
            assert!(self.machine.view().counts_are_exact(), "counts equal a recount (S23)");
            let before = self.stored;
            for effect in effects {
                self.take(effect);
            }
            if self.stored > before {
                next = Some(Input::Store(StoreEvent::Stored { upto: self.stored }));
            } else if self.machine.next_deadline().is_some_and(|at| at.0 <= self.now) {
                next = Some(Input::Wake);
            }
        }
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Store { seq, ops } => {
                // Records stand in the order of the decisions.
                ops.iter().filter(|op| op.key.0[0] == b's').for_each(|op| self.decided(op));
                self.durable.extend(ops);
                self.stored = seq;
            }
            Effect::Mesos(call) => match *call {
                MesosCall::Accept { offers, launches, .. } => {
                    self.left(&offers);
                    for launch in launches {
                        let hex = TaskName::parse(launch.task.as_str()).expect("a task of ours").hex;
                        self.placed.get_mut(&hex).expect("it was placed").2 = Some(launch.task);
                    }
                }
                MesosCall::Decline { offers, .. } => self.left(&offers),
                MesosCall::Kill { task, .. } => self.killed.push(task),
                _ => {}
            },
            _ => {}
        }
    }

    /// A slot's record changed: perhaps a task was placed, or written off.
    fn decided(&mut self, op: &Op) {
        let Some(value) = &op.value else { return };
        let Some(task) = SlotPart::decode(&value[..]).expect("a slot's record").task else { return };
        let agent = task.agent_id[1..].parse().expect("an agent's number");
        let name = String::from_utf8_lossy(&op.key.0[1..op.key.0.len() - 5]).into_owned();
        let app: usize = name[1..].trim_end_matches(".p").parse().expect("an app's number");
        if self.seen.insert(task.hex) {
            self.placed.insert(task.hex, (app, agent, None));
            self.oracle.place(app, agent);
        }
    }

    /// Offers are answered.
    fn left(&mut self, offers: &[OfferId]) {
        for id in offers {
            if let Some(agent) = self.offers.iter().find(|(_, out)| *out == id).map(|(&agent, _)| agent) {
                self.leave(agent);
            }
        }
    }

    fn leave(&mut self, agent: usize) {
        self.offers.remove(&agent);
        self.oracle.open.remove(&agent);
    }

    /// Of what waits, nothing would find a place on an open offer.
    pub(crate) fn nothing_waits_in_vain(&self) {
        for app in 0..self.oracle.apps.len() {
            let explained = self.machine.view().explain(&dotted(app)).expect("the app is there");
            let waiting: u32 = explained.waiting.iter().map(|class| class.slots).sum();
            if waiting == 0 {
                continue;
            }
            for agent in 0..AGENTS {
                assert!(
                    !self.oracle.allows(app, agent),
                    "a task of app {app} would find a place on agent {agent}: {:#?}",
                    self.oracle
                );
            }
        }
    }
}

fn dotted(app: usize) -> DottedId {
    DottedId::from_text(&format!("a{app}.p"))
}
