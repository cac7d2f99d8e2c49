//! Owns a manager for tests: the real machine and the real API, on a store and a cluster that always say yes.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use swan_api::{Answer, Config as ApiConfig, EventFeed, Manager, Read, Standing, Tokens, serve};
use swan_core::mesos::{
    AgentFacts, AgentId, Event, FrameworkId, Offer, OfferId, Reason, Resource, Source, Subscribed, TaskId,
    TaskState, TaskStatus, Uuid,
};
use swan_core::record::{Epoch, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::ApiRequest;
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

enum Ask {
    Call(Box<ApiRequest>, Answer),
    Read(Read),
}

/// The side of the API.
struct Door {
    asks: mpsc::Sender<Ask>,
    feed: EventFeed,
}

impl Manager for Door {
    fn call(&self, request: ApiRequest, answer: Answer) {
        drop(self.asks.send(Ask::Call(Box::new(request), answer)));
    }

    fn read(&self, read: Read) {
        drop(self.asks.send(Ask::Read(read)));
    }

    fn events(&self) -> &EventFeed {
        &self.feed
    }

    fn standing(&self) -> Standing {
        Standing { leading: true, ..Standing::default() }
    }

    fn follow(&self) {}

    fn abdicate(&self) {}
}

/// Serves a fresh manager on a free port of this host, for as long as the test runs.
pub(crate) fn start(tokens: Option<&str>) -> SocketAddr {
    let (asks, asked) = mpsc::channel();
    let feed = EventFeed::new();
    let machine_feed = feed.clone();
    std::thread::spawn(move || Host::new(machine_feed).run(&asked));
    let config = ApiConfig {
        advertise: "127.0.0.1:9999".to_owned(),
        build: Build { version: "1.2.3".to_owned(), commit: String::new() },
        tokens: tokens.map(|text| Tokens::parse(text).expect("good tokens")),
        allow_purge: false,
        peers: None,
    };
    let (bound, address) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            bound.send(listener.local_addr().expect("bound")).expect("the test waits");
            serve(listener, Arc::new(Door { asks, feed }), config).await
        })
    });
    address.recv().expect("the server binds")
}

struct Host {
    machine: Scheduler,
    began: std::time::Instant,
    feed: EventFeed,
    inputs: VecDeque<Input>,
    answers: BTreeMap<u64, Answer>,
    requests: u64,
    offers: u64,
}

impl Host {
    fn new(feed: EventFeed) -> Self {
        let config = Config {
            framework_name: "swan".into(),
            roles: vec!["*".into()],
            user: "root".into(),
            ..Config::default()
        };
        let lead =
            Lead { epoch: Epoch(1), seed: 2, seq: Seq(0), cluster_time: ClusterTime(0), crash_notes: vec![] };
        let subscribed =
            Subscribed { framework_id: FrameworkId::from("F"), heartbeat_interval: None, master_info: None };
        let inputs = [
            Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) },
            Input::Lead(Box::new(lead)),
            Input::Mesos(LinkEvent::Connected(Box::new(subscribed))),
        ];
        Self {
            machine: Scheduler::new(),
            began: std::time::Instant::now(),
            feed,
            inputs: inputs.into(),
            answers: BTreeMap::new(),
            requests: 0,
            offers: 0,
        }
    }

    fn run(mut self, asked: &mpsc::Receiver<Ask>) {
        loop {
            while let Some(input) = self.inputs.pop_front() {
                self.step(input);
            }
            let now = self.now().mono.0;
            let pause = self.machine.next_deadline().map_or(1000, |at| at.0.saturating_sub(now));
            match asked.recv_timeout(Duration::from_millis(pause)) {
                Ok(Ask::Call(request, answer)) => {
                    self.requests += 1;
                    self.answers.insert(self.requests, answer);
                    self.inputs.push_back(Input::Api { id: RequestId(self.requests), request });
                }
                Ok(Ask::Read(read)) => read(&self.machine.view())(),
                Err(mpsc::RecvTimeoutError::Timeout) => self.inputs.push_back(Input::Wake),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn now(&self) -> Now {
        let millis = u64::try_from(self.began.elapsed().as_millis()).expect("a short test");
        Now { mono: Instant(millis), wall: Timestamp(1_800_000_000_000 + millis) }
    }

    fn step(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.machine.step(self.now(), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Store { seq, .. } => {
                    self.inputs.push_back(Input::Store(StoreEvent::Stored { upto: seq }))
                }
                Effect::Reply { id, result } => {
                    let answer = self.answers.remove(&id.0).expect("each request is answered once");
                    drop(answer.send(result));
                }
                Effect::Publish(event) => self.feed.publish(event),
                Effect::Mesos(call) => self.mesos(*call),
                Effect::Route(_) => {}
            }
        }
    }

    fn mesos(&mut self, call: MesosCall) {
        match call {
            MesosCall::Revive { .. } => self.offer(),
            MesosCall::Accept { launches, .. } => {
                for launch in launches {
                    self.update(&launch.task, TaskState::Running);
                }
                self.offer();
            }
            MesosCall::Kill { task, .. } => self.update(&task, TaskState::Killed),
            _ => {}
        }
    }

    fn offer(&mut self) {
        self.offers += 1;
        let resources = vec![
            Resource::scalar("cpus", 64_000).allocated_to("*"),
            Resource::scalar("mem", 64_000_000).allocated_to("*"),
            Resource::ranges("ports", vec![(31000, 32000)]).allocated_to("*"),
        ];
        let offer = Offer {
            id: OfferId::new(format!("O{}", self.offers)),
            framework_id: FrameworkId::from("F"),
            agent_id: AgentId::from("S1"),
            agent: AgentFacts { hostname: "s1.test".to_owned(), ..AgentFacts::default() }.into(),
            resources,
            role: Some("*".into()),
            unavailability: None,
            executor_ids: vec![],
        };
        self.hear(Event::Offers(vec![offer]));
    }

    fn update(&mut self, task: &TaskId, state: TaskState) {
        let status = TaskStatus {
            source: Some(Source::Executor),
            reason: None,
            agent_id: Some(AgentId::from("S1")),
            uuid: Some(Uuid(task.as_str().as_bytes().into())),
            ..TaskStatus::from_master(task.clone(), state, Reason::Reconciliation)
        };
        self.hear(Event::Update(Box::new(status)));
    }

    fn hear(&mut self, event: Event) {
        self.inputs.push_back(Input::Mesos(LinkEvent::Event(Box::new(event))));
    }
}
