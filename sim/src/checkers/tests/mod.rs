//! Owns the tests of the checkers: each accepts a sound history, and rejects one that is broken on purpose.

mod format;
mod healing;
mod lost;
mod rollouts;

use std::sync::Arc;

use prost::Message;
use swan_core::id::{AppPath, DottedId, TaskName};
use swan_core::journal::{Entry, StoreOp};
use swan_core::link::{CallId, ConnId, LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{
    AgentFacts, AgentId, Event, FrameworkId, Offer, OfferId, Reason, Resource, TaskId, TaskState, TaskStatus,
    Uuid,
};
use swan_core::record::{Epoch, Op, RecordKey, Seq};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::event::{Event as News, EventId, EventKind};
use swan_core::scheduler::launch::Launch;
use swan_core::spec::AppSpec;
use swan_core::time::{ClusterTime, Millis, Timestamp};

use super::convergence::Book;
use super::stored::{SlotMessage, Stored, StoredApp, TaskMessage};
use super::*;
use crate::disk::{Done, Platter};

const DOCUMENT: &[u8] = br#"{"id": "/web", "cpus": 1, "mem": 64,
    "container": {"type": "DOCKER", "docker": {"image": "web:1"}}}"#;

fn task(hex: u64) -> TaskId {
    TaskName { hex, slot: 0, app: "web" }.id()
}

fn entry(ops: Vec<Op>) -> Entry {
    Entry { level: 1, epoch: Epoch(1), first: Seq(1), last: Seq(1), cluster_time: ClusterTime(0), ops }
}

fn slot_record(hex: u64, state: TaskState) -> Op {
    let task = Some(TaskMessage { hex, version: 1, state: state.number(), stop: 0, agent_id: "S".into() });
    Op {
        key: RecordKey(b"sweb\0\0\0\0\0".to_vec()),
        value: Some(SlotMessage { task, ran: 0 }.encode_to_vec()),
    }
}

/// One app of which one instance is wanted, and the task of its slot, if there is one.
fn stored(task: Option<(u64, TaskState)>) -> Stored {
    let app = StoredApp { target: 1, instances: 1, ..StoredApp::default() };
    let app = Op { key: RecordKey(b"aweb".to_vec()), value: Some(app.encode_to_vec()) };
    let slot = task.map(|(hex, state)| slot_record(hex, state));
    let mut stored = Stored::default();
    stored.apply(&entry([app].into_iter().chain(slot).collect()));
    stored
}

/// What a checker may look at while one manager is under faults.
fn context<'a>(now: u64, stored: &'a Stored, fleet: &'a Fleet, book: &'a Book) -> Context<'a> {
    Context { now, manager: 0, clock: Instant(now), calm_since: 0, healed: None, stored, fleet, book }
}

fn see(checker: &mut dyn Checker, stored: &Stored, seen: Seen<'_>) -> Result<(), String> {
    let (fleet, book) = (Fleet::default(), Book::new());
    checker.see(context(0, stored, &fleet, &book), seen)
}

fn sends(call: MesosCall) -> ManagerEffect {
    ManagerEffect::Link(LinkEffect::Send {
        conn: ConnId(1),
        id: CallId(1),
        stream_id: String::new(),
        framework: FrameworkId::from("F"),
        call: call.into(),
    })
}

fn hears(event: Event) -> ManagerInput {
    ManagerInput::Link(LinkInput::Event { conn: ConnId(1), event: event.into() })
}

fn launch(hex: u64, cpus: i64, ports: &[u16]) -> Launch {
    let spec = AppSpec::parse(DOCUMENT).expect("a sound document").spec;
    let path = AppPath::parse("/web").expect("a path");
    let claimed = ports.iter().map(|&port| (port.into(), port.into())).collect();
    Launch {
        task: task(hex),
        slot: 0,
        agent: AgentId::from("S"),
        host: "s.test".into(),
        ports: ports.into(),
        claims: vec![
            Resource::scalar("cpus", cpus).allocated_to("*"),
            Resource::ranges("ports", claimed).allocated_to("*"),
        ]
        .into(),
        template: Arc::new(spec.template(&path.dotted(), "1")),
    }
}

fn accepts(offer: &str, launches: Vec<Launch>) -> ManagerEffect {
    sends(MesosCall::Accept { offers: vec![OfferId::from(offer)], launches, refuse: Millis(0) })
}

#[test]
fn s2_a_launch_needs_a_durable_record_and_a_new_id() {
    let known = stored(Some((1, TaskState::Staging)));
    let accept = accepts("O", vec![launch(1, 1000, &[])]);
    let mut checker = unique_launch::UniqueLaunch::default();
    assert!(see(&mut checker, &stored(None), Seen::Does(&accept)).is_err(), "before its record");
    let mut checker = unique_launch::UniqueLaunch::default();
    assert_eq!(see(&mut checker, &known, Seen::Does(&accept)), Ok(()));
    assert!(see(&mut checker, &known, Seen::Does(&accept)).is_err(), "twice");
    let agent = AgentId::from("S");
    assert_eq!(see(&mut checker, &known, Seen::Launched(&task(1), &agent)), Ok(()));
    assert!(see(&mut checker, &known, Seen::Launched(&task(1), &agent)).is_err(), "started twice");
}

#[test]
fn s3_surplus_is_accounted_for_and_ends() {
    let known = stored(Some((1, TaskState::Running)));
    let (fleet, book) = (Fleet::default(), Book::new());
    let at = |now| context(now, &known, &fleet, &book);
    let mut checker = bounded_duplication::BoundedDuplication::default();
    assert_eq!(checker.judge(at(0), &[task(1)]), Ok(()));
    assert!(checker.judge(at(0), &[task(2)]).is_err(), "nobody knows it");
    assert_eq!(checker.judge(at(0), &[task(1), task(1)]), Ok(()), "for a while");
    assert!(checker.judge(at(3_600_000), &[task(1), task(1)]).is_err(), "for too long");
}

fn status(hex: u64, state: TaskState) -> TaskStatus {
    let uuid = Some(Uuid(vec![7; 16].into()));
    TaskStatus { uuid, ..TaskStatus::from_master(task(hex), state, Reason::Reconciliation) }
}

fn acknowledges(hex: u64) -> ManagerEffect {
    let uuid = Uuid(vec![7; 16].into());
    sends(MesosCall::Acknowledge { task: task(hex), agent: AgentId::from("S"), uuid })
}

#[test]
fn s4_an_acknowledgement_follows_a_durable_record() {
    let judged = |told: Option<TaskState>, record: Option<TaskState>| {
        let mut checker = ack_rule::AckRule::default();
        let stored = stored(record.map(|state| (1, state)));
        if let Some(state) = told {
            let input = hears(Event::Update(status(1, state).into()));
            see(&mut checker, &stored, Seen::Told(&input)).expect("hearing breaks nothing");
        }
        see(&mut checker, &stored, Seen::Does(&acknowledges(1))).is_ok()
    };
    use TaskState as S;
    assert!(judged(Some(S::Running), Some(S::Running)));
    assert!(judged(Some(S::Running), Some(S::Killing)), "a later state");
    assert!(judged(Some(S::Failed), None));
    assert!(!judged(None, Some(S::Running)), "never came");
    assert!(!judged(Some(S::Running), Some(S::Staging)), "not durable");
    assert!(!judged(Some(S::Running), None), "unknown");
    assert!(!judged(Some(S::Failed), Some(S::Running)), "the end is not durable");
}

fn publishes(seq: u64, kind: EventKind) -> ManagerEffect {
    let id = EventId { epoch: Epoch(1), seq: Seq(seq), n: 0 };
    let app = Some(DottedId::from_text("web"));
    ManagerEffect::Publish(Arc::new(News { id, at: Timestamp(0), who: None, app, kind }))
}

fn changed(seq: u64, state: &str) -> ManagerEffect {
    let kind = EventKind::TaskChanged {
        task: task(1),
        slot: 0,
        version: 1,
        agent: "S".into(),
        host: "s.test".into(),
        state: state.into(),
        message: String::new(),
    };
    publishes(seq, kind)
}

#[test]
fn s5_states_go_forward_and_ends_are_durable() {
    let judged = |events: &[ManagerEffect], known: &Stored| {
        let mut checker = state_monotonic::StateMonotonic::default();
        events.iter().all(|event| see(&mut checker, known, Seen::Does(event)).is_ok())
    };
    let (none, running) = (stored(None), stored(Some((1, TaskState::Running))));
    let forward = [
        changed(1, "TASK_STARTING"),
        changed(2, "TASK_UNREACHABLE"),
        changed(3, "TASK_RUNNING"),
        changed(4, "TASK_FAILED"),
    ];
    assert!(judged(&forward, &none));
    assert!(!judged(&[changed(1, "TASK_FAILED"), changed(2, "TASK_RUNNING")], &none), "after its end");
    assert!(!judged(&[changed(1, "TASK_FAILED"), changed(2, "TASK_FAILED")], &none), "its end twice");
    assert!(!judged(&[changed(1, "TASK_RUNNING"), changed(2, "TASK_STARTING")], &none), "back");
    assert!(!judged(&[changed(1, "TASK_RUNNING"), changed(1, "TASK_RUNNING")], &none), "one id twice");
    assert!(!judged(&[changed(1, "TASK_FAILED")], &running), "before it is durable");
}

fn offers(id: &str, agent: &str) -> ManagerInput {
    let offer = Offer {
        id: OfferId::from(id),
        framework_id: FrameworkId::from("F"),
        agent_id: AgentId::from(agent),
        agent: AgentFacts { hostname: "s.test".into(), address: None, domain: None, attributes: vec![] }
            .into(),
        resources: vec![
            Resource::scalar("cpus", 2000).allocated_to("*"),
            Resource::ranges("ports", vec![(31_000, 31_001)]).allocated_to("*"),
        ],
        role: Some("*".into()),
        unavailability: None,
        executor_ids: vec![],
    };
    hears(Event::Offers(vec![offer]))
}

#[test]
fn s9_launches_fit_offers_that_are_held() {
    let none = stored(None);
    let judged = |between: Option<ManagerInput>, launches: Vec<Launch>| {
        let mut checker = resource_soundness::ResourceSoundness::default();
        for input in [Some(offers("O", "S")), between].iter().flatten() {
            see(&mut checker, &none, Seen::Told(input)).expect("hearing breaks nothing");
        }
        let accept = accepts("O", launches);
        let first = see(&mut checker, &none, Seen::Does(&accept));
        assert!(see(&mut checker, &none, Seen::Does(&accept)).is_err(), "no offer is answered twice");
        first.is_ok()
    };
    assert!(judged(None, vec![launch(1, 1000, &[31_000]), launch(2, 1000, &[31_001])]));
    assert!(!judged(None, vec![launch(1, 1500, &[]), launch(2, 1000, &[])]), "too much");
    assert!(!judged(None, vec![launch(1, 1000, &[31_000]), launch(2, 1000, &[31_000])]), "one port twice");
    assert!(!judged(None, vec![launch(1, 1000, &[31_009])]), "a port that was not offered");
    let rescinded = hears(Event::Rescind(OfferId::from("O")));
    assert!(!judged(Some(rescinded), vec![launch(1, 1000, &[])]), "taken back");
}

#[test]
fn s13_a_lost_entry_is_noticed() {
    let entry = entry(vec![Op { key: RecordKey(b"f".to_vec()), value: Some(vec![10, 1, b'F']) }]);
    let mut platter = Platter::default();
    let op = StoreOp::Append { epoch: Epoch(0), index: 0, entry: entry.clone().encode(0) };
    platter.apply(&op, &mut Done::default());
    let mut known = Stored::default();
    known.apply(&entry);
    let boot = crate::world::boot;
    assert_eq!(recovery::judge(&platter, &known, &boot(1, false), 1..=1), Ok(()));
    assert!(
        recovery::judge(&Platter::default(), &known, &boot(1, false), 1..=1).is_err(),
        "the entry is not there"
    );
    let mut other = known.clone();
    other.apply(&self::entry(vec![Op { key: RecordKey(b"f".to_vec()), value: None }]));
    assert!(recovery::judge(&platter, &other, &boot(1, false), 1..=1).is_err(), "one deletion is not there");
}

#[test]
fn s23_counts_equal_what_is_listed() {
    let add_up = conservation::add_up;
    assert_eq!(add_up(&[("A", 1), ("B", 1)], 2, &["A", "B"]), Ok(()));
    assert!(add_up(&[("A", 2)], 2, &["A", "B"]).is_err());
    assert!(add_up(&[("A", 1)], 1, &["A", "B"]).is_err());
}

#[test]
fn s7_tasks_live_under_one_framework() {
    let (one, other) = (FrameworkId::from("F"), FrameworkId::from("G"));
    assert_eq!(one_framework::judge(&[&one].into()), Ok(()));
    assert!(one_framework::judge(&[&one, &other].into()).is_err(), "the fleet runs twice");
}

#[test]
fn s20_only_configured_masters_are_asked() {
    let mut checker = known_masters::KnownMasters::default();
    let boot = ManagerInput::Boot(Box::new(crate::world::boot(1, false)));
    assert_eq!(see(&mut checker, &stored(None), Seen::Told(&boot)), Ok(()));
    let mut asks = |host: &str| {
        let subscribe = ManagerEffect::Link(LinkEffect::Subscribe {
            conn: ConnId(1),
            master: swan_core::link::MasterAddress { host: host.into(), port: 5050 },
            framework: Box::default(),
            suppressed_roles: Vec::new(),
        });
        see(&mut checker, &stored(None), Seen::Does(&subscribe))
    };
    assert_eq!(asks("master.test"), Ok(()));
    assert!(asks("stranger.test").is_err());
}

#[test]
fn s17_no_more_is_under_way_than_the_limits_allow() {
    let mut checker = bounded::Bounded::default();
    let mut appends = |id: u64| {
        let op = StoreOp::Append { epoch: Epoch(1), index: id, entry: vec![0].into() };
        let append = ManagerEffect::Store { id: swan_core::journal::OpId(id), op };
        see(&mut checker, &stored(None), Seen::Does(&append))
    };
    let most = swan_core::limits::APPENDS_IN_FLIGHT_MAX as u64;
    assert!((0..most).all(|id| appends(id) == Ok(())));
    assert!(appends(most).is_err(), "one too many");
    let many = vec![(task(1), None); swan_core::limits::RECONCILE_TASKS_MAX + 1];
    let reconcile = sends(MesosCall::Reconcile { tasks: many });
    assert!(see(&mut bounded::Bounded::default(), &stored(None), Seen::Does(&reconcile)).is_err());
}

#[test]
fn s19_what_is_accepted_starts_and_keeps_its_form() {
    let mut checker = sound_definitions::SoundDefinitions;
    let canonical = AppSpec::parse(DOCUMENT).expect("a sound document").spec.canonical_json();
    assert_eq!(sound_definitions::judge(&canonical), Ok(()));
    assert!(sound_definitions::judge(&String::from_utf8_lossy(DOCUMENT)).is_err(), "not canonical");
    assert!(sound_definitions::judge("{}").is_err(), "no definition");
    let error = hears(Event::Update(Box::new(status(1, TaskState::Error))));
    assert!(see(&mut checker, &stored(None), Seen::Told(&error)).is_err());
}

/// A cluster in which a task of framework `F` runs that nobody launched.
fn with_a_task() -> Cluster {
    let mut info = swan_core::mesos::FrameworkInfo { id: Some(FrameworkId::from("F")), ..Default::default() };
    info.failover_timeout = Some(Millis::from_secs(3600));
    let agent = AgentId::from("S");
    let launched = launch(1, 100, &[31_000]);
    let task = crate::mesos::AdoptedTask {
        framework: info,
        info: launched.task_info(),
        container_id: "c".into(),
        ips: vec![],
        healthy: None,
    };
    let spec = crate::mesos::AgentSpec { id: Some(agent), tasks: vec![task], ..Default::default() };
    let mut cluster = Cluster::new(crate::mesos::ClusterOptions::default(), 1);
    let join = crate::mesos::ClusterInput::AgentJoin(Box::new(spec));
    cluster.step(swan_core::time::Now::default(), join, &mut Vec::new());
    cluster
}

#[test]
fn s14_unknown_tasks_are_left_alone_under_the_framework_that_they_have() {
    let cluster = with_a_task();
    let forgotten = stored(None);
    let watch = || lost_memory::LostMemory::new(&forgotten, &cluster);
    let kill = sends(MesosCall::Kill { task: task(1), agent: None, grace: None });
    assert!(see(&mut watch(), &forgotten, Seen::Does(&kill)).is_err(), "it is ended");
    let kill = sends(MesosCall::Kill { task: task(2), agent: None, grace: None });
    assert_eq!(see(&mut watch(), &forgotten, Seen::Does(&kill)), Ok(()), "another");
    let subscribes = |id: Option<&str>| {
        let framework =
            swan_core::mesos::FrameworkInfo { id: id.map(FrameworkId::from), ..Default::default() };
        let master = swan_core::link::MasterAddress { host: "m".into(), port: 5050 };
        let (conn, suppressed_roles) = (ConnId(1), Vec::new());
        let framework = Box::new(framework);
        let effect = ManagerEffect::Link(LinkEffect::Subscribe { conn, master, framework, suppressed_roles });
        see(&mut watch(), &forgotten, Seen::Does(&effect))
    };
    assert_eq!(subscribes(Some("F")), Ok(()));
    assert!(subscribes(None).is_err(), "as a new framework");
    let (fleet, book) = (Fleet::default(), Book::new());
    let at = |now| context(now, &forgotten, &fleet, &book);
    let mut checker = watch();
    assert_eq!(checker.see(at(1_000), Seen::Truth(&cluster)), Ok(()), "it takes time");
    assert!(checker.see(at(3_600_000), Seen::Truth(&cluster)).is_err(), "it is not in quarantine");
}
