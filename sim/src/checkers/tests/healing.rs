//! Owns the tests of the checkers of what must come to pass once all faults are over (L3, L6, L7).

use swan_core::limits::KILL_STUCK;

use super::*;
use crate::checkers::offers_taken::OffersTaken;

/// What one checker and the fleet see, at any time.
struct Scene {
    checker: Box<dyn Checker>,
    fleet: Fleet,
    cluster: Cluster,
}

impl Scene {
    fn new(checker: impl Checker + 'static) -> Self {
        Self { checker: Box::new(checker), fleet: Fleet::default(), cluster: with_a_task() }
    }

    fn see(&mut self, now: u64, seen: Seen<'_>) {
        self.fleet.note(now, seen);
        self.show(now, &[seen]).expect("nothing is late yet");
    }

    fn judge(&mut self, now: u64) -> Result<(), String> {
        let cluster = self.cluster.clone();
        self.show(now, &[Seen::Told(&ManagerInput::Wake), Seen::Truth(&cluster)])
    }

    fn show(&mut self, now: u64, all: &[Seen<'_>]) -> Result<(), String> {
        let (stored, fleet, book) = (&stored(None), &self.fleet, &Book::new());
        let at = Context { healed: Some(0), ..context(now, stored, fleet, book) };
        all.iter().try_for_each(|seen| self.checker.see(at, *seen))
    }
}

#[test]
fn l3_what_may_run_anywhere_does_not_wait_for_long() {
    let web = || ["web".to_owned()];
    let mut checker = OffersTaken::default();
    assert_eq!(checker.look(0, web()), Ok(()));
    assert_eq!(checker.look(100_000, web()), Ok(()));
    assert_eq!(checker.look(110_000, []), Ok(()), "it was placed");
    assert_eq!(checker.look(130_000, web()), Ok(()), "and waits anew");
    assert!(checker.look(251_000, web()).is_err());
}

#[test]
fn l6_what_is_told_to_end_ends_or_is_said_to_be_stuck() {
    let told_to_end = || {
        let mut scene = Scene::new(kills_end::KillsEnd::default());
        scene.see(0, Seen::Does(&accepts("O", vec![launch(1, 100, &[31_000])])));
        scene.see(0, Seen::Does(&sends(MesosCall::Kill { task: task(1), agent: None, grace: None })));
        assert_eq!(scene.judge(KILL_STUCK.0), Ok(()), "it may be said now");
        scene
    };
    let late = 2 * KILL_STUCK.0;
    assert!(told_to_end().judge(late).is_err(), "nobody says so");
    let mut said = told_to_end();
    let kind = EventKind::TaskStuck { task: task(1), slot: 0 };
    let id = EventId { epoch: Epoch(1), seq: Seq(1), n: 0 };
    let stuck = News { id, at: Timestamp(0), who: None, app: None, kind };
    said.see(KILL_STUCK.0, Seen::Does(&ManagerEffect::Publish(stuck.into())));
    assert_eq!(said.judge(late), Ok(()));
    let mut ended = told_to_end();
    ended.cluster = Cluster::new(crate::mesos::ClusterOptions::default(), 1);
    assert_eq!(ended.judge(late), Ok(()));
}

#[test]
fn l7_what_is_heard_is_soon_acknowledged() {
    let uuid = Uuid([7; 16].into());
    let heard = || {
        let mut scene = Scene::new(updates_acknowledged::UpdatesAcknowledged::default());
        let subscribe = ManagerEffect::Link(LinkEffect::Subscribe {
            conn: ConnId(1),
            master: swan_core::link::MasterAddress { host: "master.test".into(), port: 5050 },
            framework: Box::default(),
            suppressed_roles: Vec::new(),
        });
        scene.see(0, Seen::Does(&subscribe));
        let subscribed = swan_core::mesos::Subscribed {
            framework_id: FrameworkId::from("F"),
            heartbeat_interval: None,
            master_info: None,
        };
        scene.see(0, Seen::Told(&hears(Event::Subscribed(subscribed.into()))));
        let (uuid, agent_id) = (Some(uuid.clone()), Some(AgentId::from("S")));
        let update = TaskStatus { uuid, agent_id, ..status(1, TaskState::Running) };
        scene.see(0, Seen::Told(&hears(Event::Update(update.into()))));
        assert_eq!(scene.judge(9_000), Ok(()));
        scene
    };
    assert!(heard().judge(11_000).is_err(), "it is forgotten");
    let mut done = heard();
    let acknowledge = MesosCall::Acknowledge { task: task(1), agent: AgentId::from("S"), uuid: uuid.clone() };
    done.see(1, Seen::Does(&sends(acknowledge)));
    assert_eq!(done.judge(11_000), Ok(()));
    let mut closed = heard();
    closed.see(1, Seen::Does(&ManagerEffect::Link(LinkEffect::Close { conn: ConnId(1) })));
    assert_eq!(closed.judge(11_000), Ok(()), "it comes again on the next connection");
}
