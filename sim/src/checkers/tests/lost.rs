//! Tests of the checkers that watch over tasks which nobody can reach.

use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::input::RequestId;

use super::*;
use crate::definition::{Definition, Policy};

/// A task of its own slot; every four stand on one agent.
fn nth(slot: u32) -> TaskId {
    TaskName { hex: u64::from(slot) + 1, slot, app: "web" }.id()
}

fn agent(slot: u32) -> AgentId {
    AgentId::new(format!("S{}", slot / 4))
}

fn seat(slot: u32, state: TaskState) -> Op {
    let (hex, agent_id) = (u64::from(slot) + 1, agent(slot).to_string());
    let task = Some(TaskMessage { hex, version: 1, state: state.number(), stop: 0, agent_id });
    let mut key = b"sweb\0".to_vec();
    key.extend_from_slice(&slot.to_be_bytes());
    Op { key: RecordKey(key), value: Some(SlotMessage { task, ran: 0 }.encode_to_vec()) }
}

fn supersedes(slot: u32) -> Entry {
    let key = [b"o", nth(slot).as_str().as_bytes()].concat();
    entry(vec![Op { key: RecordKey(key), value: Some(Vec::new()) }])
}

fn loses(slot: u32) -> ManagerInput {
    let status = TaskStatus::from_master(nth(slot), TaskState::Unreachable, Reason::AgentRemoved);
    hears(Event::Update(status.into()))
}

/// What is seen of one app with so many tasks, by one checker and by the fleet.
struct Scene {
    checker: Box<dyn Checker>,
    fleet: Fleet,
    stored: Stored,
    book: Book,
    now: u64,
}

impl Scene {
    fn new(checker: impl Checker + 'static, tasks: u32) -> Self {
        let app = StoredApp { target: 1, instances: tasks, ..StoredApp::default() };
        let app = Op { key: RecordKey(b"aweb".to_vec()), value: Some(app.encode_to_vec()) };
        let mut stored = Stored::default();
        stored.apply(&entry(vec![app]));
        let (fleet, book) = (Fleet::default(), Book::new());
        let mut scene = Self { checker: Box::new(checker), fleet, stored, book, now: 1_000 };
        for slot in 0..tasks {
            let launch = Launch { task: nth(slot), slot, agent: agent(slot), ..launch(1, 1000, &[]) };
            scene.see(Seen::Does(&accepts("O", vec![launch]))).expect("nothing is lost yet");
        }
        scene
    }

    fn see(&mut self, seen: Seen<'_>) -> Result<(), String> {
        let Self { fleet, stored, book, now, .. } = self;
        fleet.note(*now, seen);
        self.checker.see(
            Context { now: *now, manager: 0, clock: Instant(*now), calm_since: 0, stored, fleet, book },
            seen,
        )
    }

    fn hear(&mut self, input: &ManagerInput) {
        self.see(Seen::Told(input)).expect("hearing breaks nothing");
    }

    fn store(&mut self, entry: &Entry) -> Result<(), String> {
        self.stored.apply(entry);
        self.see(Seen::Stored(entry))
    }
}

/// Sixteen of 24 tasks, on four agents, are lost, and nothing is on its way to the disk.
fn disaster() -> Scene {
    let mut scene = Scene::new(disaster_brake::DisasterBrake::default(), 24);
    for slot in 0..16 {
        scene.hear(&loses(slot));
        scene.store(&entry(vec![seat(slot, TaskState::Unreachable)])).expect("a loss is no replacement");
    }
    scene.hear(&hears(Event::Heartbeat));
    scene
}

#[test]
fn s12_a_disaster_lasts_until_agents_are_back_or_an_operator_decides() {
    assert!(disaster().store(&supersedes(0)).is_err());
    let mut scene = disaster();
    scene.now += 3_600_000;
    assert!(scene.store(&supersedes(0)).is_err(), "however long it lasts");
    let mut scene = disaster();
    let back = TaskStatus::from_master(nth(4), TaskState::Running, Reason::AgentReregistered);
    scene.hear(&hears(Event::Update(back.into())));
    assert_eq!(scene.store(&supersedes(0)), Ok(()), "three agents are none");
    let mut scene = disaster();
    let who = Caller { name: "operator".into(), address: String::new() };
    let request = ApiRequest { who, idempotency: None, call: ApiCall::OverrideBrake };
    scene.hear(&ManagerInput::Api { id: RequestId(1), request: request.into() });
    assert_eq!(scene.store(&supersedes(0)), Ok(()), "overridden");
}

#[test]
fn s12_a_disaster_outlives_the_process() {
    let mut scene = disaster();
    scene.now += 3_600_000;
    scene.see(Seen::Leads).expect("starting breaks nothing");
    scene
        .see(Seen::Truth(&Cluster::new(crate::mesos::ClusterOptions::default(), 1)))
        .expect("so does looking");
    scene.hear(&hears(Event::Heartbeat));
    assert!(scene.store(&supersedes(0)).is_err());
    let mut scene = Scene::new(disaster_brake::DisasterBrake::default(), 24);
    (0..16).for_each(|slot| scene.hear(&loses(slot)));
    scene.see(Seen::Leads).expect("starting breaks nothing");
    scene.hear(&loses(0));
    scene.hear(&hears(Event::Heartbeat));
    assert_eq!(scene.store(&supersedes(0)), Ok(()), "of most it does not know");
}

#[test]
fn s3_what_must_never_run_twice_is_not_replaced_but_by_who_wanted_it_no_more() {
    let judged = |instances: u32| {
        let mut scene = Scene::new(never_twice::NeverTwice::default(), 1);
        let policy = Some(Policy { unreachable: None, ..Policy::default() });
        scene.book.insert("web:1".into(), Definition { policy, ..Definition::plain("web:1", 1, false) });
        scene.hear(&loses(0));
        let app = StoredApp { target: 1, instances, ..StoredApp::default() };
        let app = Op { key: RecordKey(b"aweb".to_vec()), value: Some(app.encode_to_vec()) };
        scene.store(&entry(vec![app])).expect("a change is no launch");
        scene.store(&supersedes(0)).expect("it may be remembered");
        let next = TaskName { hex: 99, slot: 0, app: "web" }.id();
        scene.see(Seen::Launched(&next, &agent(0)))
    };
    assert!(judged(1).is_err());
    assert_eq!(judged(0), Ok(()), "it was wanted no more, and then again");
}
