//! Owns the proof that what may be secret in an app's definition is in no `Debug` output of the machine (S22).

use swan_core::id::DottedId;
use swan_core::mesos::{
    AgentFacts, Event, FrameworkId, Offer, Reason, Resource, Subscribed, TaskState, TaskStatus,
};
use swan_core::record::{Epoch, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

const SECRET: &str = "tr0ub4dor";
const DOCUMENT: &str = r#"{"id":"/shop/web","cpus":0.5,"mem":64,"env":{"PASSWORD":"tr0ub4dor"},"args":["--key=tr0ub4dor"],
    "container":{"type":"DOCKER","docker":{"image":"web:1","parameters":[{"key":"env","value":"TOKEN=tr0ub4dor"}]},
    "portMappings":[{"containerPort":80,"hostPort":0}]},"networks":[{"mode":"container/bridge"}]}"#;

/// Steps the machine, makes all durable, and looks at everything it was told and says.
fn step(machine: &mut Scheduler, now: u64, input: Input, calls: &mut Vec<MesosCall>) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        innocent(&input);
        let mut effects = vec![];
        let now = Now { mono: Instant(now), wall: Timestamp(now) };
        machine.step(now, input, &mut effects);
        innocent(&effects);
        innocent(&*machine);
        for effect in effects {
            match effect {
                Effect::Store { seq, .. } => inputs.push(Input::Store(StoreEvent::Stored { upto: seq })),
                Effect::Mesos(call) => calls.push(*call),
                _ => {}
            }
        }
    }
}

fn innocent(told: &impl std::fmt::Debug) {
    let bytes = format!("{:?}", SECRET.as_bytes());
    for text in [format!("{told:?}"), format!("{told:#?}")] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains(bytes.trim_matches(['[', ']'])), "{text}");
    }
}

#[test]
fn no_secret_of_a_definition_is_shown_by_debug() {
    let (mut machine, mut calls) = (Scheduler::new(), vec![]);
    let config = Config { framework_name: "swan".into(), roles: vec!["*".into()], ..Config::default() };
    let lead =
        Lead { epoch: Epoch(1), seed: 2, seq: Seq(0), cluster_time: ClusterTime(0), crash_notes: vec![] };
    let framework_id = FrameworkId::from("F");
    let subscribed =
        Subscribed { framework_id: framework_id.clone(), heartbeat_interval: None, master_info: None };
    let create = ApiCall::CreateApp { document: DOCUMENT.into() };
    let request = ApiRequest { who: Caller::default(), idempotency: None, call: create };
    let offer = Offer {
        id: "O1".into(),
        framework_id,
        agent_id: "S1".into(),
        agent: AgentFacts { hostname: "s1.test".into(), address: None, domain: None, attributes: vec![] }
            .into(),
        resources: vec![
            Resource::scalar("cpus", 4000),
            Resource::scalar("mem", 4_096_000),
            Resource::ranges("ports", vec![(31000, 31009)]),
        ],
        role: None,
        unavailability: None,
        executor_ids: vec![],
    };
    for input in [
        Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) },
        Input::Lead(Box::new(lead)),
        Input::Mesos(LinkEvent::Connected(Box::new(subscribed))),
        Input::Api { id: RequestId(1), request: Box::new(request) },
        Input::Mesos(LinkEvent::Event(Box::new(Event::Offers(vec![offer])))),
    ] {
        step(&mut machine, 0, input, &mut calls);
    }
    let launched = calls.iter().find_map(|call| match call {
        MesosCall::Accept { launches, .. } => launches.first(),
        _ => None,
    });
    let launched = launched.expect("the app's task was launched");
    innocent(launched);
    innocent(&launched.task_info());
    assert!(format!("{launched:?}").contains("PASSWORD"), "names are no secrets");
    let mut status =
        TaskStatus::from_master(launched.task.clone(), TaskState::Running, Reason::Reconciliation);
    status.data = Some(DOCUMENT.into());
    step(
        &mut machine,
        1,
        Input::Mesos(LinkEvent::Event(Box::new(Event::Update(Box::new(status))))),
        &mut calls.clone(),
    );
    let web = DottedId::from_text("web.shop");
    innocent(&machine.view().app(&web));
    innocent(&machine.view().versions(&web));
    innocent(&machine.view().tasks(&web, None, 10));
}
