//! Owns what a manager does whose journal was lost while its tasks ran: it holds until an operator has spoken, whatever
//! process leads (S14).

use swan_core::mesos::{Event as MesosEvent, FrameworkId, Reason, Subscribed, TaskId, TaskState, TaskStatus};
use swan_core::predecessor::{JOURNAL_LABEL, Predecessor};
use swan_core::record::{Epoch, Op, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiReply, ApiRequest, Caller, ErrorKind, FrameworkWord};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Millis, Now};

/// A machine that leads, and what is durable.
struct Rig {
    machine: Scheduler,
    stored: Vec<Op>,
    seq: Seq,
    now: Now,
}

impl Rig {
    fn following(stored: Vec<Op>) -> (Self, Vec<Effect>) {
        let mut rig =
            Self { machine: Scheduler::new(), stored: Vec::new(), seq: Seq(0), now: Now::default() };
        let config = Config {
            framework_name: "swan".into(),
            roles: vec!["*".into()],
            journal: "file:/a".into(),
            ..Config::default()
        };
        rig.step(Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
        rig.step(Input::Follow { entries: stored.clone() });
        rig.stored = stored;
        let lead = Lead {
            epoch: Epoch(1),
            seed: 2,
            seq: rig.seq,
            cluster_time: ClusterTime(0),
            crash_notes: vec![],
        };
        let effects = rig.step(Input::Lead(Box::new(lead)));
        (rig, effects)
    }

    /// One with an empty journal, which was found to be held.
    fn held() -> Self {
        let (mut rig, effects) = Self::following(Vec::new());
        assert_eq!(subscriptions(&effects), [(None, false)]);
        let predecessors = vec![predecessor("F1"), predecessor("F2")];
        let effects = rig.step(Input::Mesos(LinkEvent::Held { predecessors }));
        assert_eq!(events(&rig.durable(effects)), ["framework_held"]);
        rig
    }

    fn step(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = vec![];
        self.machine.step(self.now, input, &mut effects);
        effects
    }

    /// What happens in so many ms.
    fn wait(&mut self, ms: u64) -> Vec<Effect> {
        let (until, mut effects) = (self.now.mono + Millis(ms), vec![]);
        while let Some(at) = self.machine.next_deadline().filter(|at| *at <= until) {
            self.now.mono = self.now.mono.max(at);
            let woken = self.step(Input::Wake);
            effects.extend(self.durable(woken));
        }
        self.now.mono = until;
        effects
    }

    /// What it does once it hears so of a task of its own.
    fn hears(&mut self, task: &TaskId, state: TaskState) -> Vec<Effect> {
        let status = TaskStatus::from_master(task.clone(), state, Reason::Reconciliation);
        let event = Box::new(MesosEvent::Update(Box::new(status)));
        let effects = self.step(Input::Mesos(LinkEvent::Event(event)));
        self.durable(effects)
    }

    /// What follows once all that was handed over is durable; `effects` are what handed it over.
    fn durable(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut after = vec![];
        for effect in effects {
            match effect {
                Effect::Store { seq, ops } => {
                    self.stored.extend(ops);
                    self.seq = seq;
                    after.extend(self.step(Input::Store(StoreEvent::Stored { upto: seq })));
                }
                other => after.push(other),
            }
        }
        after
    }

    fn ask(&mut self, call: ApiCall) -> Vec<Effect> {
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        self.step(Input::Api { id: RequestId(1), request: Box::new(request) })
    }

    fn say(&mut self, word: FrameworkWord) -> Vec<Effect> {
        self.ask(ApiCall::ChooseFramework { word })
    }

    fn connect(&mut self, framework: &str) -> Vec<Effect> {
        let (framework_id, master_info) = (framework.into(), None);
        let subscribed = Subscribed { framework_id, heartbeat_interval: None, master_info };
        let effects = self.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
        self.durable(effects)
    }
}

fn predecessor(id: &str) -> Predecessor {
    Predecessor { id: id.into(), connected: false, cpus: 1_500, mem: 64_000, disk: 0, gpus: 0 }
}

/// As whom it subscribes, and whether anew.
fn subscriptions(effects: &[Effect]) -> Vec<(Option<FrameworkId>, bool)> {
    let of = |effect: &Effect| match effect {
        Effect::Mesos(call) => match &**call {
            MesosCall::Subscribe { framework_info, anew, .. } => {
                assert_eq!(framework_info.labels, [(JOURNAL_LABEL.into(), Some("file:/a".into()))]);
                Some((framework_info.id.clone(), *anew))
            }
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn events(effects: &[Effect]) -> Vec<&'static str> {
    let of = |effect: &Effect| match effect {
        Effect::Publish(event) => Some(event.kind.name()),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn kills(effects: &[Effect]) -> usize {
    let kill =
        |effect: &&Effect| matches!(effect, Effect::Mesos(call) if matches!(**call, MesosCall::Kill { .. }));
    effects.iter().filter(kill).count()
}

fn reply(effects: &[Effect]) -> Result<ApiReply, (ErrorKind, String)> {
    let of = |effect: &Effect| match effect {
        Effect::Reply { result, .. } => Some(result.clone()),
        _ => None,
    };
    let result = effects.iter().find_map(of).expect("it is answered");
    result.map_err(|error| (error.kind, error.detail))
}

fn adopt(id: &str) -> FrameworkWord {
    FrameworkWord::Adopt(id.into())
}

#[test]
fn s14_while_held_nothing_but_the_word_is_taken_and_the_hold_outlives_the_process() {
    let mut rig = Rig::held();
    for call in [ApiCall::CreateApp { document: b"{}".to_vec() }, ApiCall::Purge, ApiCall::OverrideBrake] {
        let (kind, detail) = reply(&rig.ask(call)).expect_err("it holds");
        assert_eq!(kind, ErrorKind::Unavailable);
        assert!(detail.contains("F1 (1.500 cpus, 64 MiB), F2"), "{detail}");
        assert!(detail.contains("swan framework adopt ID"), "{detail}");
    }
    assert_eq!(reply(&rig.say(adopt("F3"))).expect_err("it is not held").0, ErrorKind::NotFound);
    let (again, effects) = Rig::following(rig.stored.clone());
    assert_eq!(subscriptions(&effects), [], "it does not even ask");
    assert_eq!(again.machine.view().hold(), rig.machine.view().hold());
    assert!(again.machine.view().hold().is_some_and(|hold| hold.word.is_none()));
}

#[test]
fn s14_the_word_is_durable_before_it_is_done_and_outlives_the_process() {
    for (word, wanted) in [(adopt("F1"), (Some("F1".into()), false)), (FrameworkWord::New, (None, true))] {
        let mut rig = Rig::held();
        let effects = rig.say(word.clone());
        assert_eq!(subscriptions(&effects), [], "not durable yet");
        let effects = rig.durable(effects);
        assert_eq!(events(&effects), ["framework_decided"]);
        assert_eq!(subscriptions(&effects), std::slice::from_ref(&wanted));
        assert_eq!(reply(&effects), Ok(ApiReply::Done));
        assert_eq!(reply(&rig.say(word.clone())), Ok(ApiReply::Done), "said again");
        let other = if word == FrameworkWord::New { adopt("F1") } else { FrameworkWord::New };
        assert_eq!(reply(&rig.say(other)).expect_err("it is under way").0, ErrorKind::Conflict);
        let (_, effects) = Rig::following(rig.stored.clone());
        assert_eq!(subscriptions(&effects), [wanted]);
        rig.connect("F1");
        assert_eq!(rig.machine.view().hold(), None);
        let (after, effects) = Rig::following(rig.stored.clone());
        assert_eq!(
            (after.machine.view().hold(), subscriptions(&effects)),
            (None, vec![(Some("F1".into()), false)])
        );
        assert_eq!(reply(&rig.say(FrameworkWord::New)).expect_err("nothing is held").0, ErrorKind::Conflict);
        assert_eq!(reply(&rig.say(adopt("F1"))), Ok(ApiReply::Done), "it is that one");
    }
}

#[test]
fn s14_what_cannot_be_adopted_is_held_again_and_says_why() {
    let mut rig = Rig::held();
    let effects = rig.say(adopt("F1"));
    rig.durable(effects);
    let message = "Framework has been removed".into();
    let effects = rig.step(Input::Mesos(LinkEvent::Removed { message }));
    let effects = rig.durable(effects);
    assert_eq!((events(&effects), subscriptions(&effects)), (vec!["framework_held"], vec![]));
    let (kind, detail) = reply(&rig.ask(ApiCall::Purge)).expect_err("it holds again");
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(detail.starts_with("framework F1 could not be adopted: Framework has been removed"), "{detail}");
    assert!(!detail.contains("hold resources: F1"), "{detail}");
    let effects = rig.say(adopt("F2"));
    assert_eq!(subscriptions(&rig.durable(effects)), [(Some("F2".into()), false)]);
}

#[test]
fn s14_a_quarantined_task_ends_by_an_operators_word_only_and_again_until_it_is_over() {
    let mut rig = Rig::held();
    let effects = rig.say(adopt("F1"));
    rig.durable(effects);
    rig.connect("F1");
    let task = TaskId::from("stray");
    let hears = |rig: &mut Rig, state| rig.hears(&task, state);
    assert_eq!(kills(&hears(&mut rig, TaskState::Running)), 0);
    assert_eq!(kills(&hears(&mut rig, TaskState::Running)), 0);
    let end = ApiCall::KillQuarantined { task: task.clone() };
    let effects = rig.ask(end.clone());
    assert_eq!(kills(&effects), 0, "not durable yet");
    assert_eq!(kills(&rig.durable(effects)), 1);
    assert!(rig.machine.view().quarantined(None, 9).items[0].ending);
    assert_eq!(kills(&hears(&mut rig, TaskState::Killing)), 0);
    assert_eq!(kills(&hears(&mut rig, TaskState::Running)), 1, "the KILL was lost");
    let (mut rig, _) = Rig::following(rig.stored);
    rig.connect("F1");
    assert_eq!(kills(&hears(&mut rig, TaskState::Running)), 1, "another process remembers");
    hears(&mut rig, TaskState::Killed);
    assert_eq!(reply(&rig.ask(end)).expect_err("it is gone").0, ErrorKind::NotFound);
}

/// L6, R85: silence is no end.
#[test]
fn s14_the_kill_of_a_quarantined_task_is_repeated_until_its_end_is_known() {
    let mut rig = Rig::held();
    let effects = rig.say(adopt("F1"));
    rig.durable(effects);
    rig.connect("F1");
    let task = TaskId::from("stray");
    rig.hears(&task, TaskState::Running);
    assert_eq!(kills(&rig.wait(600_000)), 0, "nobody has asked for it");
    let effects = rig.ask(ApiCall::KillQuarantined { task: task.clone() });
    assert_eq!(kills(&rig.durable(effects)), 1);
    assert_eq!(kills(&rig.wait(4_999)), 0);
    assert_eq!(kills(&rig.wait(1)), 1);
    assert_eq!(kills(&rig.wait(600_000)), 7, "with longer and longer pauses");
    rig.hears(&task, TaskState::Killing);
    assert_eq!(kills(&rig.wait(120_000)), 1, "it may hang");
    rig.hears(&task, TaskState::Unreachable);
    assert_eq!(kills(&rig.wait(600_000)), 0, "no KILL reaches it");
    assert_eq!(kills(&rig.hears(&task, TaskState::Running)), 1);
    let (mut rig, _) = Rig::following(rig.stored);
    assert_eq!(kills(&rig.wait(600_000)), 0, "it is not connected");
    rig.connect("F1");
    assert_eq!(kills(&rig.wait(5_000)), 1, "another process goes on");
    rig.hears(&task, TaskState::Killed);
    assert_eq!(kills(&rig.wait(600_000)), 0);
}
