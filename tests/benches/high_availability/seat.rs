//! Owns a manager at work on real ZooKeeper in this process, stepped by whoever waits for something.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant as StdInstant};

use swan_core::id::DottedId;
use swan_core::journal::JournalConfig;
use swan_core::lease::Tenure;
use swan_core::link::{LinkInput, MasterAddress};
use swan_core::manager::{Boot, Manager, ManagerEffect, ManagerInput};
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller, Guard};
use swan_core::scheduler::input::{Build, Config, RequestId};
use swan_core::time::{Instant, Millis, Now};
use swan_store::{Election, Heard, Sessions, ZkCrashNotes, ZkStore};
use tokio::runtime::Runtime;

use crate::mesos::Mesos;

/// Nothing that is measured takes so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// A manager and its shells.
pub(crate) struct Seat {
    manager: Manager,
    store: ZkStore,
    election: Election,
    pub(crate) mesos: Mesos,
    /// Whether a request was answered.
    pub(crate) replied: bool,
    began: StdInstant,
    sender: Sender<ManagerInput>,
    inbox: Receiver<ManagerInput>,
}

impl Seat {
    /// A manager that has just been started. Its Mesos offers so many agents.
    pub(crate) fn sit(runtime: &Runtime, sessions: Sessions, address: &str, offers: u32) -> Self {
        let _inside = runtime.enter();
        let began = StdInstant::now();
        let notes = ZkCrashNotes::new(sessions.clone());
        let election =
            Election::new(sessions.clone(), notes, address.to_owned(), move || Instant(millis(began)));
        let (sender, inbox) = channel();
        let mut seat = Self {
            manager: Manager::new(JournalConfig::default()),
            store: ZkStore::new(sessions),
            election,
            mesos: Mesos::new(offers),
            replied: false,
            began,
            sender,
            inbox,
        };
        seat.step(ManagerInput::Boot(Box::new(Boot {
            seed: 1,
            build: Build::default(),
            scheduler: Config { framework_name: "swan".into(), roles: vec!["*".into()], ..Config::default() },
            masters: vec![MasterAddress { host: "master".into(), port: 5050 }],
            tenure: Tenure::Session(Millis(6_000)),
            crash_notes: Vec::new(),
        })));
        seat
    }

    /// Whether it has followed all that is stored.
    pub(crate) fn is_warm(&self) -> bool {
        self.manager.fresh(Instant(millis(self.began))).is_some()
    }

    /// Asks for another number of instances.
    pub(crate) fn scale(&mut self, app: &str, instances: u32) {
        let change = AppChange::Scale { instances, ips: None };
        let call = ApiCall::ChangeApp { app: DottedId::from_text(app), change, guard: Guard::default() };
        let request = Box::new(ApiRequest { who: Caller::default(), idempotency: None, call });
        self.step(ManagerInput::Api { id: RequestId(1), request });
    }

    /// Works until this is so.
    pub(crate) fn run_until(&mut self, so: impl Fn(&Self) -> bool) {
        let deadline = StdInstant::now() + PATIENCE;
        while !so(self) {
            assert!(StdInstant::now() < deadline, "it takes too long");
            let now = Instant(millis(self.began));
            let due = self.manager.next_deadline();
            if due.is_some_and(|at| at <= now) {
                self.step(ManagerInput::Wake);
                continue;
            }
            let patience = due.map_or(1_000, |at| at.since(now).0).min(1_000);
            if let Ok(input) = self.inbox.recv_timeout(Duration::from_millis(patience)) {
                self.step(input);
            }
        }
    }

    fn step(&mut self, input: ManagerInput) {
        let now = Now { mono: Instant(millis(self.began)), ..Now::default() };
        let mut effects = Vec::new();
        self.manager.step(now, input, &mut effects);
        for effect in effects {
            self.execute(effect);
        }
    }

    fn execute(&mut self, effect: ManagerEffect) {
        let sender = self.sender.clone();
        match effect {
            ManagerEffect::Store { id, op } => {
                self.store.submit(id, op, move |id, result| {
                    drop(sender.send(ManagerInput::Stored { id, result }));
                });
            }
            ManagerEffect::Link(effect) => {
                let tell = |input: LinkInput| drop(sender.send(ManagerInput::Link(input)));
                self.mesos.execute(effect, tell);
            }
            ManagerEffect::Reply { result, .. } => {
                result.expect("the change is taken");
                self.replied = true;
            }
            ManagerEffect::Campaign => self.election.campaign(move |heard| {
                let input = match heard {
                    Heard::CrashNotes(notes) => ManagerInput::CrashNotes(notes),
                    Heard::Election(event) => ManagerInput::Election(event),
                };
                drop(sender.send(input));
            }),
            ManagerEffect::Resign => drop(self.election.resign()),
            ManagerEffect::Publish(_) | ManagerEffect::Route(_) => {}
            ManagerEffect::Trouble(text) => eprintln!("{text}"),
            ManagerEffect::End(why) => panic!("the manager has ended: {why:?}"),
        }
    }
}

fn millis(began: StdInstant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).expect("a short run")
}
