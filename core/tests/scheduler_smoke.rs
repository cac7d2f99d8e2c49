//! Owns the shortest stories of the scheduler: one app from its creation to its end.

use swan_core::id::DottedId;
use swan_core::mesos::{
    AgentId, Event, FrameworkId, Offer, OfferId, Resource, Source, Subscribed, TaskId, TaskState, TaskStatus,
    Uuid,
};
use swan_core::record::{Epoch, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

struct Rig {
    machine: Scheduler,
    now: u64,
    offers: u64,
    effects: Vec<Effect>,
}

impl Rig {
    fn new() -> Self {
        let mut rig = Self { machine: Scheduler::new(), now: 0, offers: 0, effects: Vec::new() };
        let config = Config {
            framework_name: "swan".into(),
            roles: vec!["*".into()],
            user: "root".into(),
            ..Config::default()
        };
        rig.step(Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
        let lead =
            Lead { epoch: Epoch(1), seed: 2, seq: Seq(0), cluster_time: ClusterTime(0), crash_notes: vec![] };
        rig.step(Input::Lead(Box::new(lead)));
        let subscribed =
            Subscribed { framework_id: FrameworkId::from("F"), heartbeat_interval: None, master_info: None };
        rig.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
        rig
    }

    /// Steps, then makes everything durable and lets the machine go on until it rests.
    fn step(&mut self, input: Input) {
        let mut next = vec![input];
        while let Some(input) = next.pop() {
            let now = Now { mono: Instant(self.now), wall: Timestamp(1_000_000 + self.now) };
            let mut out = Vec::new();
            self.machine.step(now, input, &mut out);
            for effect in &out {
                if let Effect::Store { seq, .. } = effect {
                    next.push(Input::Store(StoreEvent::Stored { upto: *seq }));
                }
            }
            self.effects.extend(out);
            if next.is_empty() && self.machine.next_deadline().is_some_and(|at| at.0 <= self.now) {
                next.push(Input::Wake);
            }
            assert!(self.machine.view().counts_are_exact(), "counts equal a recount (S23)");
        }
    }

    fn calls(&mut self) -> Vec<MesosCall> {
        std::mem::take(&mut self.effects)
            .into_iter()
            .filter_map(|effect| if let Effect::Mesos(call) = effect { Some(*call) } else { None })
            .collect()
    }

    fn offer(&mut self, agent: &str) {
        self.offers += 1;
        let resources = vec![
            Resource::scalar("cpus", 4000).allocated_to("*"),
            Resource::scalar("mem", 4_096_000).allocated_to("*"),
            Resource::ranges("ports", vec![(31000, 31099)]).allocated_to("*"),
        ];
        let offer = Offer {
            id: OfferId::new(format!("O{}", self.offers)),
            framework_id: FrameworkId::from("F"),
            agent_id: AgentId::from(agent),
            hostname: format!("{agent}.test"),
            address: None,
            domain: None,
            attributes: vec![],
            resources,
            role: Some("*".into()),
            unavailability: None,
            executor_ids: vec![],
        };
        self.step(Input::Mesos(LinkEvent::Event(Box::new(Event::Offers(vec![offer])))));
    }

    fn update(&mut self, task: &TaskId, agent: &AgentId, state: TaskState) {
        let status = TaskStatus {
            source: Some(Source::Executor),
            reason: None,
            agent_id: Some(agent.clone()),
            uuid: Some(Uuid(self.now.to_be_bytes().into())),
            ..TaskStatus::from_master(task.clone(), state, swan_core::mesos::Reason::Reconciliation)
        };
        self.now += 1;
        self.step(Input::Mesos(LinkEvent::Event(Box::new(Event::Update(Box::new(status))))));
    }

    fn request(&mut self, call: ApiCall) {
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        self.step(Input::Api { id: RequestId(1), request: Box::new(request) });
        let refused = self.effects.iter().find(|e| matches!(e, Effect::Reply { result: Err(_), .. }));
        assert_eq!(refused, None);
    }
}

fn launches(calls: &[MesosCall]) -> Vec<(TaskId, AgentId)> {
    let of = |call: &MesosCall| match call {
        MesosCall::Accept { launches, .. } => {
            launches.iter().map(|l| (l.task.clone(), l.agent.clone())).collect()
        }
        _ => vec![],
    };
    calls.iter().flat_map(of).collect()
}

const WEB: &[u8] = br#"{"id": "/shop/web", "instances": 3, "cpus": 0.5, "mem": 64,
    "container": {"type": "DOCKER", "docker": {"image": "web:1"}, "portMappings": [{"containerPort": 80, "hostPort": 0}]},
    "networks": [{"mode": "container/bridge"}]}"#;

#[test]
fn an_app_is_launched_scaled_and_deleted() {
    let mut rig = Rig::new();
    let web = DottedId::from_text("web.shop");
    let calls = rig.calls();
    assert!(calls.iter().any(|call| matches!(call, MesosCall::Suppress { .. })), "nothing waits: {calls:?}");

    rig.request(ApiCall::CreateApp { document: WEB.to_vec() });
    assert!(rig.calls().iter().any(|call| matches!(call, MesosCall::Revive { .. })) || rig.now < 2000);
    rig.now += 3000;
    rig.step(Input::Wake);
    rig.offer("S1");
    let mut tasks = launches(&rig.calls());
    assert_eq!(tasks.len(), 3);
    for (task, agent) in &tasks {
        rig.update(task, agent, TaskState::Starting);
        rig.update(task, agent, TaskState::Running);
    }
    assert_eq!(rig.machine.view().pending(), None);
    let acks = rig.calls().iter().filter(|call| matches!(call, MesosCall::Acknowledge { .. })).count();
    assert_eq!(acks, 6);

    rig.request(ApiCall::ScaleApp { app: web.clone(), instances: 1, if_match: None });
    let kills: Vec<TaskId> = rig
        .calls()
        .into_iter()
        .filter_map(|call| if let MesosCall::Kill { task, .. } = call { Some(task) } else { None })
        .collect();
    assert_eq!(kills.len(), 2, "two are too many");
    for (task, agent) in tasks.extract_if(.., |(task, _)| kills.contains(task)) {
        rig.update(&task, &agent, TaskState::Killing);
        rig.update(&task, &agent, TaskState::Killed);
    }
    let app = rig.machine.view().app(&web).expect("there");
    assert_eq!((app.operation_status, app.task_count), ("noop", 1));

    rig.request(ApiCall::DeleteApp { app: web.clone(), if_match: None });
    let (task, agent) = tasks.remove(0);
    rig.update(&task, &agent, TaskState::Killed);
    assert_eq!(rig.machine.view().app(&web), None);
}

#[test]
fn a_failed_task_comes_back_after_its_pause_and_state_survives_freezing() {
    let mut rig = Rig::new();
    rig.request(ApiCall::CreateApp { document: WEB.to_vec() });
    rig.now += 3000;
    rig.step(Input::Wake);
    rig.offer("S1");
    let tasks = launches(&rig.calls());
    let (task, agent) = tasks[0].clone();
    rig.update(&task, &agent, TaskState::Failed);
    rig.machine = Scheduler::thaw(&rig.machine.freeze()).expect("a frozen machine thaws");
    rig.offer("S2");
    assert_eq!(launches(&rig.calls()).len(), 0, "the pause is not over");
    rig.now += 1001;
    rig.step(Input::Wake);
    rig.now += 2000;
    rig.step(Input::Wake);
    rig.offer("S2");
    let again = launches(&rig.calls());
    assert_eq!(again.len(), 1);
    assert_ne!(again[0].0, task, "an id is never used twice (R31)");
}
