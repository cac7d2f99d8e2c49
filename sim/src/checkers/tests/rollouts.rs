//! Owns the tests of the checkers of rollouts, placement rules and failures: each history is watched as in a run.

use std::sync::Arc;

use swan_core::id::DottedId;
use swan_core::journal::{OpId, StoreOp};
use swan_core::link::{ConnId, LinkEffect};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{
    AgentFacts, AgentId, Attribute, AttributeValue, Event, FrameworkId, Offer, OfferId, Reason, TaskId,
    TaskState, TaskStatus, Uuid,
};
use swan_core::record::{Epoch, Op, RecordKey};
use swan_core::scheduler::api::{ApiCall, ApiReply, ApiRequest, Caller, RolloutVerb};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::event::EventKind;
use swan_core::scheduler::input::RequestId;
use swan_core::scheduler::launch::Launch;
use swan_core::scheduler::view::RolloutView;
use swan_core::spec::AppSpec;
use swan_core::time::{Millis, Timestamp};

use super::{context, entry, hears, publishes, sends};
use crate::checkers::convergence::Book;
use crate::checkers::durable_replies::DurableReplies;
use crate::checkers::fleet::{Fleet, Member};
use crate::checkers::rollout_versions::RolloutVersions;
use crate::checkers::stored::{SlotMessage, Stored, StoredApp, StoredRollout, TaskMessage};
use crate::checkers::*;
use crate::definition::{Definition, Policy};
use crate::mesos::{Cluster, ClusterOptions};
use crate::rules::{Field, Rule};

/// A history, as one checker sees it.
#[derive(Clone)]
struct Watched<C> {
    checker: C,
    fleet: Fleet,
    stored: Stored,
    book: Book,
    now: u64,
    uuids: u32,
}

impl<C: Checker> Watched<C> {
    /// Definitions are known by their images.
    fn new(checker: C, definitions: &[Definition]) -> Self {
        let book = definitions.iter().map(|it| (it.image.clone(), it.clone())).collect();
        Self { checker, fleet: Fleet::default(), stored: Stored::default(), book, now: 0, uuids: 0 }
    }

    fn see(&mut self, seen: Seen<'_>) -> Result<(), String> {
        self.fleet.note(self.now, seen);
        let Self { checker, fleet, stored, book, now, .. } = self;
        checker.see(context(*now, stored, fleet, book), seen)
    }

    /// The app wants so many of an image, and this is under way.
    fn wants(&mut self, instances: u32, image: &str, operation: &str) {
        self.wants_at(instances, image, operation, "running");
    }

    /// That, and so far it is.
    fn wants_at(&mut self, instances: u32, image: &str, operation: &str, stage: &str) {
        let target = version(image);
        let rollout =
            (operation != "noop").then(|| StoredRollout { operation: operation.into(), stage: stage.into() });
        let app = StoredApp { target, instances, rollout, ..StoredApp::default() };
        let spec = format!(r#"{{"container":{{"docker":{{"image":"{image}"}}}}}}"#);
        let key = [b"vweb\0", &target.to_be_bytes()[..]].concat();
        let version = prost::Message::encode_to_vec(&Version { spec, runs: target });
        self.put(&key, version).expect("a version breaks nothing");
        self.put(b"aweb", prost::Message::encode_to_vec(&app)).expect("a wish breaks nothing");
    }

    /// The record of a slot says so of its task.
    fn records(&mut self, slot: u32, hex: u64, stop: u32) -> Result<(), String> {
        self.records_version(slot, hex, 1, stop)
    }

    /// The record of a seat says so of its task, and of the version that it runs.
    fn records_version(&mut self, seat: u32, hex: u64, version: u64, stop: u32) -> Result<(), String> {
        self.records_task(seat, TaskMessage { hex, version, state: 1, stop, agent_id: "A1".into() })
    }

    fn records_task(&mut self, seat: u32, task: TaskMessage) -> Result<(), String> {
        let record = prost::Message::encode_to_vec(&SlotMessage { task: Some(task), ran: 0 });
        self.put(&[b"sweb\0", &seat.to_be_bytes()[..]].concat(), record)
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), String> {
        let entry = entry(vec![Op { key: RecordKey(key.to_vec()), value: Some(value) }]);
        self.stored.apply(&entry);
        self.see(Seen::Stored(&entry))
    }

    fn launches(&mut self, slot: u32, hex: u64, agent: &str, image: &str) -> Result<(), String> {
        let launch = launch(slot, hex, agent, image);
        self.does(MesosCall::Accept { offers: vec![], launches: vec![launch], refuse: Millis(0) })
    }

    fn kills(&mut self, slot: u32, hex: u64) -> Result<(), String> {
        self.does(MesosCall::Kill { task: task(slot, hex), agent: None, grace: None })
    }

    fn does(&mut self, call: MesosCall) -> Result<(), String> {
        let effect: ManagerEffect = sends(call);
        self.see(Seen::Does(&effect))
    }

    /// A step ends, and what is true is looked at.
    fn truth(&mut self) -> Result<(), String> {
        self.see(Seen::Truth(&Cluster::new(ClusterOptions::default(), 1)))
    }

    fn told(&mut self, slot: u32, hex: u64, state: TaskState) {
        self.uuids += 1;
        let uuid = Some(Uuid(self.uuids.to_be_bytes().as_slice().into()));
        let status = TaskStatus {
            uuid,
            reason: None,
            ..TaskStatus::from_master(task(slot, hex), state, Reason::Reconciliation)
        };
        self.hears(Event::Update(Box::new(status)));
    }

    fn hears(&mut self, event: Event) {
        let input = hears(event);
        self.see(Seen::Told(&input)).expect("hearing breaks nothing");
    }

    fn asked(&mut self, call: ApiCall) {
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        let input = ManagerInput::Api { id: RequestId(1), request: Box::new(request) };
        self.see(Seen::Told(&input)).expect("hearing breaks nothing");
    }

    /// Launched and told to run.
    fn runs(&mut self, slot: u32, hex: u64, agent: &str, image: &str) {
        self.launches(slot, hex, agent, image).expect("a sound launch");
        self.told(slot, hex, TaskState::Running);
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Version {
    #[prost(string, tag = "1")]
    spec: String,
    #[prost(uint64, tag = "2")]
    runs: u64,
}

fn task(slot: u32, hex: u64) -> TaskId {
    swan_core::id::TaskName { hex, slot, app: "web" }.id()
}

fn launch(slot: u32, hex: u64, agent: &str, image: &str) -> Launch {
    let document = Definition::plain(image, 1, false).document("web");
    let spec = AppSpec::parse(&document).expect("a sound document").spec;
    let path = swan_core::id::AppPath::parse("/web").expect("a path");
    Launch {
        task: task(slot, hex),
        slot,
        agent: AgentId::from(agent),
        host: "".into(),
        ports: [].into(),
        claims: vec![].into(),
        template: Arc::new(spec.template(&path.dotted(), &version(image).to_string())),
    }
}

/// The version that brings an image.
fn version(image: &str) -> u64 {
    image.bytes().map(u64::from).sum()
}

fn plain(image: &str) -> Definition {
    Definition::plain(image, 2, false)
}

fn limited(image: &str, min_healthy: u32, max_over: u32) -> Definition {
    Definition { policy: Some(Policy { min_healthy, max_over, ..Policy::default() }), ..plain(image) }
}

#[test]
fn s1_a_rollout_leaves_enough_healthy_tasks() {
    let judged = |min_healthy: u32, stop: u32, sick: bool| {
        let mut it = Watched::new(planned_stops::PlannedStops::default(), &[limited("b", min_healthy, 0)]);
        it.wants(2, "b", "updating");
        it.runs(0, 1, "A1", "a");
        it.runs(1, 2, "A1", "a");
        if sick {
            it.told(0, 1, TaskState::Unreachable);
        }
        it.now += 50_000;
        it.records(0, 1, stop)
    };
    assert!(judged(100, 2, false).is_err(), "one of two that must stay");
    assert!(judged(100, 7, false).is_err(), "also before an outage");
    assert_eq!(judged(50, 2, false), Ok(()));
    assert_eq!(judged(100, 1, false), Ok(()), "another reason than a rollout");
    assert_eq!(judged(100, 2, true), Ok(()), "it did not serve");
}

#[test]
fn s1_what_only_a_process_that_is_gone_has_heard_does_not_count() {
    let mut it = Watched::new(planned_stops::PlannedStops::default(), &[limited("b", 100, 0)]);
    it.wants(2, "b", "updating");
    it.runs(0, 1, "A1", "a");
    it.runs(1, 2, "A1", "a");
    it.now += 50_000;
    let starting = TaskMessage { hex: 1, version: 1, state: 0, stop: 2, agent_id: "A1".into() };
    assert_eq!(it.records_task(0, starting), Ok(()));
    assert!(it.records(1, 2, 2).is_err(), "that one runs");
}

#[test]
fn s1_a_new_leader_relies_on_none_of_which_it_was_not_told() {
    let judged = |told: bool| {
        let mut it = Watched::new(planned_stops::PlannedStops::default(), &[limited("b", 50, 0)]);
        it.wants(2, "b", "updating");
        it.runs(0, 1, "A1", "a");
        it.runs(1, 2, "A1", "a");
        it.now += 50_000;
        it.see(Seen::Leads).expect("leading breaks nothing");
        if told {
            it.told(1, 2, TaskState::Running);
        }
        it.records(0, 1, 2)
    };
    assert!(judged(false).is_err(), "only the journal tells of the other");
    assert_eq!(judged(true), Ok(()), "the other runs");
}

/// Three tasks of one version, which a rollout replaces by another step by step.
fn stepwise(min_ready: u32) -> Watched<rollout_steps::RolloutSteps> {
    let policy = Policy { parallel: Some(1), min_ready, ..Policy::default() };
    let definition = Definition { policy: Some(policy), ..plain("b") };
    let mut it = Watched::new(rollout_steps::RolloutSteps::default(), &[definition]);
    it.wants(3, "b", "updating");
    for (slot, hex) in [(0, 1), (1, 2), (2, 3)] {
        it.runs(slot, hex, "A1", "a");
        it.records_version(slot, hex, version("a"), 0).expect("nothing changes yet");
    }
    it
}

#[test]
fn s26_a_rollout_goes_step_by_step() {
    let (a, b) = (version("a"), version("b"));
    let second_step = |min_ready: u32, waits: u64, ends: Option<TaskState>| {
        let mut it = stepwise(min_ready);
        it.records_version(0, 1, a, 2).expect("the first step");
        it.told(0, 1, TaskState::Killed);
        it.runs(0, 11, "A1", "b");
        it.records_version(0, 11, b, 0).expect("the first step goes on");
        it.now += waits;
        if let Some(state) = ends {
            it.told(0, 11, state);
        }
        it.records_version(1, 2, a, 2)
    };
    assert_eq!(second_step(0, 0, None), Ok(()), "the first has changed");
    assert!(second_step(10, 5_000, None).is_err(), "it is not ready yet");
    assert_eq!(second_step(10, 11_000, None), Ok(()));
    assert_eq!(second_step(10, 5_000, Some(TaskState::Failed)), Ok(()), "it may be given up by now");
    let mut it = stepwise(0);
    it.records_version(0, 1, a, 2).expect("the first step");
    assert!(it.records_version(1, 2, a, 2).is_err(), "the first goes on");
}

#[test]
fn s26_a_successor_takes_over_when_it_is_ready() {
    const SECOND: u32 = 1 << 31;
    let (a, b) = (version("a"), version("b"));
    let taken_over = |waits: u64| {
        let mut it = stepwise(10);
        it.runs(0, 11, "A1", "b");
        it.records_version(SECOND, 11, b, 0).expect("the first step");
        assert!(it.clone().records_version(SECOND | 1, 12, b, 0).is_err(), "it goes on");
        it.now += waits;
        it.records_version(0, 1, a, 2)
    };
    assert!(taken_over(5_000).is_err());
    assert_eq!(taken_over(11_000), Ok(()));
}

#[test]
fn s10_nothing_begins_while_a_rollout_rests() {
    const SECOND: u32 = 1 << 31;
    let (a, b) = (u64::from(b'a'), u64::from(b'b'));
    let begin = |stage: &str| {
        let mut it = Watched::new(resting_rollouts::RestingRollouts::default(), &[]);
        it.wants(2, "a", "noop");
        it.records_version(0, 1, a, 0).expect("all is well");
        it.wants_at(2, "b", "updating", stage);
        it
    };
    let mut paused = begin("paused");
    assert_eq!(paused.records_version(0, 2, a, 0), Ok(()), "what dies gets its own version again");
    assert!(paused.records_version(SECOND, 3, b, 0).is_err(), "a successor");
    assert!(begin("paused").records_version(0, 1, a, 2).is_err(), "an end to replace it");
    assert_eq!(begin("paused").records_version(0, 1, a, 4), Ok(()), "a user ended it");
    for stage in ["paused", "failed"] {
        assert!(begin(stage).records_version(0, 2, b, 0).is_err(), "another version than it ran");
    }
    assert_eq!(begin("running").records_version(0, 2, b, 0), Ok(()));
    let mut goes_on = begin("paused");
    goes_on.wants_at(2, "b", "updating", "running");
    assert_eq!(goes_on.records_version(0, 2, b, 0), Ok(()));
}

#[test]
fn s1_a_stop_is_judged_when_it_is_decided() {
    let mut it = Watched::new(planned_stops::PlannedStops::default(), &[limited("b", 50, 0)]);
    it.wants(2, "b", "updating");
    it.runs(0, 1, "A1", "a");
    it.runs(1, 2, "A1", "a");
    it.now += 50_000;
    assert_eq!(it.records(0, 1, 2), Ok(()), "the other stays");
    it.told(1, 2, TaskState::Failed);
    it.now += 100_000;
    assert_eq!(it.records(0, 1, 2), Ok(()), "long decided");
    assert_eq!(it.kills(0, 1), Ok(()));
}

#[test]
fn s3_no_launch_exceeds_what_a_rollout_may_have() {
    let mut it = Watched::new(launch_limits::LaunchLimits::default(), &[limited("b", 50, 50)]);
    it.wants(2, "b", "updating");
    it.runs(0, 1, "A1", "b");
    it.runs(1, 2, "A1", "b");
    assert_eq!(it.launches(0, 3, "A1", "b"), Ok(()), "half more than two");
    assert!(it.launches(1, 4, "A1", "b").is_err(), "a fourth");
    let mut it = Watched::new(launch_limits::LaunchLimits::default(), &[limited("b", 50, 50)]);
    it.wants(2, "b", "updating");
    for hex in 1..=3 {
        it.runs(0, hex, "A1", "b");
    }
    it.kills(0, 1).expect("no launch");
    assert_eq!(it.launches(0, 4, "A1", "b"), Ok(()), "one is being ended");
}

#[test]
fn s10_launches_are_of_the_rollouts_versions() {
    const LATER: u64 = 300_000;
    let begin = || {
        let mut it = Watched::new(rollout_versions::RolloutVersions::default(), &[plain("a"), plain("b")]);
        it.wants(2, "a", "noop");
        it.runs(0, 1, "A1", "a");
        it.truth().expect("all is well");
        it
    };
    let mut it = begin();
    it.wants(2, "b", "updating");
    it.truth().expect("all is well");
    it.now = LATER;
    assert_eq!(it.launches(0, 2, "A1", "b"), Ok(()));
    assert_eq!(it.launches(1, 3, "A1", "a"), Ok(()), "the one before is kept alive");
    assert!(it.launches(1, 4, "A1", "c").is_err(), "of neither version");
    let mut it = begin();
    it.wants(2, "b", "updating");
    it.truth().expect("all is well");
    it.wants(2, "a", "rollbacking");
    it.truth().expect("all is well");
    it.now = LATER;
    assert_eq!(it.launches(0, 2, "A1", "a"), Ok(()));
    assert!(it.launches(1, 3, "A1", "b").is_err(), "it was rolled back from");
}

#[test]
fn s11_a_slot_waits_longer_after_each_failure() {
    let mut it = Watched::new(back_off::BackOff::default(), &[plain("a")]);
    it.wants(1, "a", "noop");
    for hex in 1..=8 {
        it.now += 3_000;
        assert_eq!(it.launches(0, hex, "A1", "a"), Ok(()));
        it.told(0, hex, TaskState::Running);
        it.told(0, hex, TaskState::Failed);
    }
    it.now += 1_200;
    assert!(it.launches(0, 9, "A1", "a").is_err(), "too early");
    it.asked(ApiCall::KillTasks { app: DottedId::from_text("web") });
    assert_eq!(it.launches(0, 10, "A1", "a"), Ok(()), "a user began anew");
    let mut it = Watched::new(back_off::BackOff::default(), &[plain("a")]);
    it.runs(0, 1, "A1", "a");
    it.told(0, 1, TaskState::Lost);
    assert_eq!(it.launches(0, 2, "A1", "a"), Ok(()), "the cluster's fault costs nothing");
}

#[test]
fn s11_what_failed_beside_a_task_says_nothing_of_what_follows_it() {
    let judged = |stays: bool| {
        let mut it = Watched::new(back_off::BackOff::default(), &[plain("a")]);
        it.wants(1, "a", "noop");
        if stays {
            it.runs(0, 100, "A1", "a");
        }
        it.now += 100_000;
        for hex in 1..=8 {
            if hex == 8 && stays {
                it.told(0, 100, TaskState::Unreachable);
            }
            it.now += 3_000;
            assert_eq!(it.launches(0, hex, "A2", "a"), Ok(()));
            it.told(0, hex, TaskState::Running);
            it.told(0, hex, TaskState::Failed);
        }
        it.now += 1_200;
        it.launches(0, 9, "A2", "a")
    };
    assert_eq!(judged(true), Ok(()));
    assert!(judged(false).is_err());
}

/// A successor's record was on its way when the task beside it failed.
#[test]
fn s11_what_was_decided_before_a_failure_is_no_next_attempt() {
    let judged = |decided: bool| {
        let mut it = Watched::new(back_off::BackOff::default(), &[plain("a")]);
        it.wants(1, "a", "noop");
        it.runs(0, 1, "A1", "a");
        let task = TaskMessage { hex: 2, version: 1, state: 6, stop: 0, agent_id: "A2".into() };
        let value = Some(prost::Message::encode_to_vec(&SlotMessage { task: Some(task), ran: 0 }));
        let key = RecordKey([b"sweb\0", &(1_u32 << 31).to_be_bytes()[..]].concat());
        let entry = entry(vec![Op { key, value }]).encode(1);
        let op = StoreOp::Append { epoch: Epoch(1), index: 1, entry };
        if decided {
            it.see(Seen::Does(&ManagerEffect::Store { id: OpId(1), op })).expect("writing breaks nothing");
        }
        it.told(0, 1, TaskState::Failed);
        it.launches(0, 2, "A2", "a")
    };
    assert_eq!(judged(true), Ok(()));
    assert!(judged(false).is_err());
}

/// No KILL could leave since, for lack of a connection.
#[test]
fn s3_what_is_to_end_is_in_nobodys_way() {
    let judged = |stop: u32| {
        let mut it = Watched::new(launch_limits::LaunchLimits::default(), &[limited("a", 100, 0)]);
        it.wants(3, "a", "noop");
        for slot in 0..3 {
            it.runs(slot, u64::from(slot) + 1, "A1", "a");
            it.records(slot, u64::from(slot) + 1, stop).expect("it is so");
        }
        it.wants(1, "a", "scaling_down");
        it.now += 1_000_000;
        it.launches(0, 9, "A2", "a")
    };
    assert!(judged(0).is_err());
    assert_eq!(judged(1), Ok(()));
}

#[test]
fn s12_nothing_is_replaced_in_a_disaster() {
    let begin = || {
        let mut it = Watched::new(disaster_brake::DisasterBrake::default(), &[plain("a")]);
        it.now = 1;
        for slot in 0..15 {
            it.runs(slot, u64::from(slot), &format!("A{}", slot % 5), "a");
        }
        for slot in (0..15).filter(|slot| slot % 5 < 4) {
            it.told(slot, u64::from(slot), TaskState::Unreachable);
        }
        it.now += 2_000;
        it.hears(Event::Heartbeat);
        it
    };
    let supersede = |mut it: Watched<_>, slot: u32| {
        it.put(&[b"o", task(slot, u64::from(slot)).as_str().as_bytes()].concat(), vec![])
    };
    assert!(supersede(begin(), 0).is_err(), "it is out of reach");
    let mut early = begin();
    early.checker.settled = false;
    assert_eq!(supersede(early, 0), Ok(()), "perhaps decided before that was known");
    let mut ended = begin();
    ended.kills(0, 0).expect("no replacement");
    assert_eq!(supersede(ended, 0), Ok(()), "nothing takes its place");
    let mut overridden = begin();
    overridden.asked(ApiCall::OverrideBrake);
    assert_eq!(supersede(overridden, 0), Ok(()), "the operator said so");
    let mut returned = begin();
    for slot in 0..2 {
        returned.told(slot, u64::from(slot), TaskState::Running);
    }
    assert_eq!(supersede(returned, 2), Ok(()), "agents have returned");
}

fn offer(agent: &str, rack: &str) -> Event {
    let rack = Attribute { name: "rack".into(), value: AttributeValue::Text(rack.into()) };
    Event::Offers(vec![Offer {
        id: OfferId::from(agent),
        framework_id: FrameworkId::from("F"),
        agent_id: AgentId::from(agent),
        agent: AgentFacts {
            hostname: format!("{agent}.test"),
            address: None,
            domain: None,
            attributes: vec![rack],
        }
        .into(),
        resources: vec![],
        role: None,
        unavailability: None,
        executor_ids: vec![],
    }])
}

#[test]
fn s24_launches_obey_the_rules_of_their_app() {
    let judged = |rule: Rule, launches: &[(u32, &str)]| {
        let definition = Definition { rules: vec![rule], ..plain("a") };
        let mut it = Watched::new(placement_rules::PlacementRules::default(), &[definition]);
        for (agent, rack) in [("A1", "r1"), ("A2", "r1"), ("A3", "r2")] {
            it.hears(offer(agent, rack));
        }
        for &(slot, agent) in launches {
            it.now += 1;
            it.launches(slot, u64::from(slot), agent, "a").expect("judged at the end of the step");
        }
        it.truth()
    };
    let rack = || Field::Rack;
    assert_eq!(judged(Rule::Unique(rack()), &[(0, "A1"), (1, "A3")]), Ok(()));
    assert!(judged(Rule::Unique(rack()), &[(0, "A1"), (1, "A2")]).is_err(), "one rack twice");
    assert!(judged(Rule::Like(rack(), vec!["r2".into()]), &[(0, "A1")]).is_err(), "another rack");
    assert_eq!(judged(Rule::GroupBy(rack(), None), &[(0, "A1"), (1, "A2"), (2, "A3")]), Ok(()));
    let uneven = [(0, "A1"), (1, "A3"), (2, "A2"), (3, "A1")];
    assert!(judged(Rule::GroupBy(rack(), None), &uneven).is_err(), "three and one");
    assert!(judged(Rule::Unique(rack()), &[(0, "A9")]).is_err(), "never offered");
}

#[test]
fn l4_a_rollout_ends_or_says_why_not() {
    let rollout = |state: &'static str, error: &str| RolloutView {
        id: 1,
        operation: "updating",
        state,
        error: error.into(),
        from_version: None,
        to_version: String::new(),
        instances: (1, 1),
        ready: 0,
        limits: (1, 2),
        failures: (0, 3),
        deadline_in: None,
        automatic: false,
        started: Timestamp(0),
        ended: None,
    };
    let policy = Policy { deadline: 60, ..Policy::default() };
    let judged = |rollout: &RolloutView| {
        let mut checker = rollout_deadlines::RolloutDeadlines::default();
        (0..200).try_for_each(|_| checker.judge("web", Some(rollout), 5_000, &policy))
    };
    assert!(judged(&rollout("running", "")).is_err(), "it goes on and on");
    assert_eq!(judged(&rollout("running", "no agent suits")), Ok(()), "it says so");
    assert_eq!(judged(&rollout("paused", "")), Ok(()), "a user let it rest");
    assert_eq!(judged(&rollout("failed", "")), Ok(()), "it has ended");
    let mut watched = Watched::new(rollout_deadlines::RolloutDeadlines::default(), &[]);
    let running = rollout("running", "");
    for _ in 0..4 {
        let mut looks = 0..60;
        looks
            .try_for_each(|_| watched.checker.judge("web", Some(&running), 5_000, &policy))
            .expect("it has time");
        let released = publishes(1, EventKind::BrakeReleased { by_operator: false });
        watched.see(Seen::Does(&released)).expect("the brake held it");
    }
}

impl Watched<RolloutVersions> {
    /// A step ends, and each rollout that a user has paused rests.
    fn finds_paused(&mut self) {
        let Self { checker, fleet, stored, book, now, .. } = self;
        let at = context(*now, stored, fleet, book);
        checker.look_at_pauses(at, |_| true);
    }
}

/// A slot that waited for an offer when a user asked for a pause once more, after the process had begun anew.
#[test]
fn s10_what_ran_the_version_before_the_pause_may_get_it_again() {
    let launched = |ran: &str| {
        let mut watched = Watched::new(RolloutVersions::default(), &[]);
        watched.wants_at(2, "a", "updating", "paused");
        watched.launches(1, 1, "A1", "a").expect("before the pause");
        watched.records_version(1, 1, version("a"), 0).expect("it was so");
        let record = prost::Message::encode_to_vec(&SlotMessage { task: None, ran: version(ran) });
        watched.put(b"sweb\0\0\0\0\0", record).expect("it was so");
        watched.asked(ApiCall::SteerRollout { app: DottedId::from_text("web"), verb: RolloutVerb::Pause });
        for at in [0, 1_000_000] {
            watched.now = at;
            watched.truth().expect("nothing is launched");
            watched.finds_paused();
        }
        watched.now += 1_000_000;
        watched.launches(0, 7, "A1", "a")
    };
    assert_eq!(launched("a"), Ok(()));
    assert!(launched("b").is_err(), "its slot ran another");
}

/// It is answered again by its key, and was gone before anybody looked.
#[test]
fn s18_what_was_stored_between_two_looks_was_stored() {
    let judged = |stored: bool| {
        let mut watched = Watched::new(DurableReplies::default(), &[]);
        if stored {
            watched.wants(1, "a", "creating");
            let gone = entry(vec![Op { key: RecordKey(b"aweb".to_vec()), value: None }]);
            watched.stored.apply(&gone);
            watched.see(Seen::Stored(&gone)).expect("a deletion is no answer");
        }
        let (app, version) = (DottedId::from_text("web"), "1".into());
        let result = Ok(ApiReply::Created { app, revision: 1, version });
        watched.see(Seen::Does(&ManagerEffect::Reply { id: RequestId(1), result }))
    };
    assert_eq!(judged(true), Ok(()));
    assert!(judged(false).is_err());
}

/// R8: after a pause, what waited is told on a connection that was given up.
#[test]
fn what_is_told_on_a_closed_connection_is_not_known() {
    let served = |closes: bool| {
        let mut it = Watched::new(back_off::BackOff::default(), &[plain("a")]);
        it.launches(0, 1, "A1", "a").expect("a sound launch");
        if closes {
            let close = ManagerEffect::Link(LinkEffect::Close { conn: ConnId(1) });
            it.see(Seen::Does(&close)).expect("closing breaks nothing");
        }
        it.told(0, 1, TaskState::Running);
        it.fleet.get(&task(0, 1)).is_some_and(Member::serves)
    };
    assert!(served(false));
    assert!(!served(true));
}
