//! Tests of the checkers that watch over tasks which nobody can reach.

use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::input::RequestId;

use super::*;
use crate::checkers::stored::VersionMessage;
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

/// A version's record.
fn version(image: &str) -> Vec<u8> {
    let spec = format!(r#"{{"container":{{"docker":{{"image":"{image}"}}}}}}"#);
    VersionMessage { spec, runs: 2 }.encode_to_vec()
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
        self.checker.see(context(*now, stored, fleet, book), seen)
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
    scene.hear(&offers("O", "S1"));
    assert_eq!(scene.store(&supersedes(0)), Ok(()), "an offer shows its agent, too");
    let mut scene = disaster();
    let who = Caller { name: "operator".into(), address: String::new() };
    let request = ApiRequest { who, idempotency: None, call: ApiCall::OverrideBrake };
    scene.hear(&ManagerInput::Api { id: RequestId(1), request: request.into() });
    assert_eq!(scene.store(&supersedes(0)), Ok(()), "overridden");
}

/// Nothing takes the place of what has ended with its agent meanwhile.
#[test]
fn s12_what_ends_in_a_disaster_is_not_replaced() {
    let judged = |state: TaskState, later: u64, before: bool| {
        let mut scene =
            if before { Scene::new(disaster_brake::DisasterBrake::default(), 24) } else { disaster() };
        let ends = TaskStatus::from_master(nth(20), state, Reason::AgentRemoved);
        scene.now += 1;
        scene.hear(&hears(Event::Update(ends.into())));
        scene.now += later;
        let task = TaskName { hex: 99, slot: 20, app: "web" }.id();
        let launch = Launch { task, slot: 20, agent: agent(20), ..launch(1, 1000, &[]) };
        scene.see(Seen::Does(&accepts("O", vec![launch])))
    };
    assert!(judged(TaskState::Gone, 3_600_000, false).is_err(), "however long it lasts");
    assert_eq!(judged(TaskState::Failed, 10_000, false), Ok(()), "an error of its own");
    assert_eq!(judged(TaskState::Gone, 10_000, true), Ok(()), "one agent is no disaster");
}

#[test]
fn s12_who_takes_over_holds_the_brake_until_something_is_heard() {
    let framework = |holds: u8| {
        let value = Some(vec![0x10, holds]);
        entry(vec![Op { key: RecordKey(b"f".to_vec()), value }])
    };
    let judged = |heard: Option<ManagerInput>| {
        let mut scene = disaster();
        scene.store(&framework(1)).expect("it holds");
        scene.see(Seen::Leads).expect("starting breaks nothing");
        heard.iter().for_each(|input| scene.hear(input));
        scene.store(&framework(0))
    };
    assert!(judged(None).is_err());
    assert!(judged(Some(hears(Event::Heartbeat))).is_err());
    assert_eq!(judged(Some(offers("O", "S1"))), Ok(()));
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
    let judged = |instances: u32, newest: Option<u32>| {
        let mut scene = Scene::new(never_twice::NeverTwice::default(), 1);
        for (image, unreachable) in [("web:1", None), ("web:2", newest)] {
            let policy = Some(Policy { unreachable, ..Policy::default() });
            scene.book.insert(image.into(), Definition { policy, ..Definition::plain(image, 1, false) });
        }
        scene.hear(&loses(0));
        let app = StoredApp { target: 2, instances, ..StoredApp::default() };
        let app = Op { key: RecordKey(b"aweb".to_vec()), value: Some(app.encode_to_vec()) };
        let version =
            Op { key: RecordKey(b"vweb\0\0\0\0\0\0\0\0\x02".to_vec()), value: Some(version("web:2")) };
        scene.store(&entry(vec![app, version])).expect("a change is no launch");
        scene.store(&supersedes(0)).expect("it may be remembered");
        let next = TaskName { hex: 99, slot: 0, app: "web" }.id();
        scene.see(Seen::Launched(&next, &agent(0)))
    };
    assert!(judged(1, None).is_err());
    assert_eq!(judged(0, None), Ok(()), "it was wanted no more, and then again");
    assert_eq!(judged(1, Some(0)), Ok(()), "its newest version, which never ran, says otherwise");
}
