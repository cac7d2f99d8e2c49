//! Owns one scheduler machine under replay: its link to the recorded master, and a journal that makes its changes durable
//! a little later.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use swan_core::link::{CallAnswer, ConnId, Link, LinkEffect, LinkInput, LinkStatus, MasterAddress, Response};
use swan_core::mesos::{Event as MesosEvent, FrameworkInfo};
use swan_core::record::{Epoch, Op, RecordKey, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiError, ApiRequest};
use swan_core::scheduler::effect::{Effect, MesosCall};
use swan_core::scheduler::event::Event;
use swan_core::scheduler::input::{Build, Config, Input, Lead, LinkEvent, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Now, Timestamp};

use crate::run::words;

/// From handing a batch over until it is durable, in ms.
pub(super) const STORE_MS: u64 = 3;
/// Steps at the same instant after which a machine is taken to spin.
const STEPS_AT_ONCE_MAX: u32 = 100_000;
/// Each stream has a link of its own, and each link one connection.
const CONN: ConnId = ConnId(1);

/// What a machine says to the world.
#[derive(Debug)]
pub(super) enum Said {
    /// A call that leaves, and what was durable by then.
    Call {
        call: MesosCall,
        durable: Seq,
    },
    Refused {
        id: RequestId,
        error: ApiError,
    },
    Event(Arc<Event>),
}

/// What of the machines of one framework is durable.
#[derive(Debug, Default)]
pub(super) struct Journal {
    records: BTreeMap<RecordKey, Vec<u8>>,
    epoch: Epoch,
    seq: Seq,
    cluster_time: ClusterTime,
}

/// One life of a scheduler.
#[derive(Debug)]
pub(super) struct Machine {
    scheduler: Scheduler,
    link: Link,
    /// As whom it wants to subscribe.
    identity: Option<Box<FrameworkInfo>>,
    /// Batches that are not durable yet: when each will be, its number, its changes.
    store: VecDeque<(u64, Seq, Vec<Op>)>,
    durable: Seq,
    /// Another machine leads in its place: nothing of it becomes durable any more.
    superseded: bool,
    deposed: bool,
    /// What an assertion said that fell.
    fallen: Option<String>,
    /// In ms since 1970, when the recording began.
    wall: u64,
    said: Vec<Said>,
    /// Inputs that the step under way has caused.
    inputs: VecDeque<Input>,
}

impl Journal {
    fn apply(&mut self, now: u64, seq: Seq, ops: Vec<Op>) {
        for Op { key, value } in ops {
            match value {
                Some(value) => self.records.insert(key, value),
                None => self.records.remove(&key),
            };
        }
        self.seq = seq;
        self.cluster_time = ClusterTime(now);
    }
}

impl Machine {
    /// A machine that has followed the journal and leads.
    pub(super) fn lead(journal: &mut Journal, config: &Config, wall: u64, now: u64) -> Self {
        journal.epoch = Epoch(journal.epoch.0 + 1);
        let mut machine = Self {
            scheduler: Scheduler::new(),
            link: Link::new(),
            identity: None,
            store: VecDeque::new(),
            durable: journal.seq,
            superseded: false,
            deposed: false,
            fallen: None,
            wall,
            said: Vec::new(),
            inputs: VecDeque::new(),
        };
        let (build, config) = (Box::new(Build::default()), Box::new(config.clone()));
        machine.step(now, Input::Boot { seed: journal.epoch.0, build, config });
        let put = |(key, value): (&RecordKey, &Vec<u8>)| Op { key: key.clone(), value: Some(value.clone()) };
        machine.step(now, Input::Follow { entries: journal.records.iter().map(put).collect() });
        let lead = Lead {
            epoch: journal.epoch,
            seed: journal.epoch.0,
            seq: journal.seq,
            cluster_time: journal.cluster_time,
            crash_notes: Vec::new(),
        };
        machine.step(now, Input::Lead(Box::new(lead)));
        machine.settle(now);
        machine
    }

    /// What it has said since it was asked last.
    pub(super) fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// What an assertion said that fell, told once.
    pub(super) fn take_fallen(&mut self) -> Option<String> {
        self.fallen.as_mut().map(std::mem::take).filter(|words| !words.is_empty())
    }

    /// Whether it cannot go on.
    pub(super) const fn is_over(&self) -> bool {
        self.deposed || self.fallen.is_some()
    }

    pub(super) const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// A stream of its framework begins.
    pub(super) fn open(&mut self, now: u64, response: Response) {
        self.link = Link::new();
        let master = MasterAddress { host: "recorded.master".into(), port: 5050 };
        self.tell_link(now, LinkInput::Boot { seed: 0, masters: vec![master] });
        if let Some(framework_info) = self.identity.clone() {
            let call = MesosCall::Subscribe { framework_info, suppressed_roles: Vec::new(), anew: false };
            self.tell_link(now, LinkInput::Call { seen: ConnId(0), call: Box::new(call) });
        }
        self.tell_link(now, LinkInput::Opened { conn: CONN, response });
        self.run(now);
    }

    /// The open stream says something. Gives the batch that holds what it has changed, or `None` if it was passed over.
    pub(super) fn hear(&mut self, now: u64, event: Result<Box<MesosEvent>, String>) -> Option<Seq> {
        let before = self.link.stats().stale_events;
        let input = match event {
            Ok(event) => LinkInput::Event { conn: CONN, event },
            Err(why) => LinkInput::Unreadable { conn: CONN, why },
        };
        self.tell_link(now, input);
        self.run(now);
        let as_of = self.scheduler.as_of();
        self.settle(now);
        (self.link.stats().stale_events == before && self.fallen.is_none()).then_some(as_of)
    }

    /// The open stream ends.
    pub(super) fn close(&mut self, now: u64, why: String) {
        self.tell_link(now, LinkInput::Closed { conn: CONN, why });
        self.run(now);
        self.settle(now);
    }

    /// A user asks for something.
    pub(super) fn ask(&mut self, now: u64, id: RequestId, request: ApiRequest) {
        self.step(now, Input::Api { id, request: Box::new(request) });
        self.settle(now);
    }

    /// The recorded client stayed with a stream that was silent for longer than Swan waits: so that the rest of it can be
    /// told, the link is made to believe that something came. Gives how often.
    pub(super) fn outlast_silence(&mut self, until: u64) -> u64 {
        let mut silences = 0;
        while self.link.status() == LinkStatus::Subscribed
            && let Some(due) = self.link.next_deadline().filter(|due| due.0 <= until)
        {
            self.tell_link(due.0.saturating_sub(1), LinkInput::Alive { conn: CONN });
            silences += 1;
        }
        silences
    }

    /// Lets time pass: batches become durable, and timers fire.
    pub(super) fn run_until(&mut self, journal: &mut Journal, until: u64) {
        while self.fallen.is_none() {
            let stored = self.store.front().map(|(due, ..)| *due);
            let timer = self.scheduler.next_deadline().map(|at| at.0);
            let Some(due) = stored.into_iter().chain(timer).min().filter(|due| *due <= until) else { return };
            if stored == Some(due) { self.make_durable(journal, due) } else { self.settle(due) }
        }
    }

    /// The disk is quick: all that was handed over is durable now.
    pub(super) fn flush(&mut self, journal: &mut Journal, now: u64) {
        while !self.store.is_empty() && self.fallen.is_none() {
            self.make_durable(journal, now);
        }
    }

    /// Another machine takes its place; what was handed over is durable before that one reads.
    pub(super) fn supersede(&mut self, journal: &mut Journal, now: u64) {
        self.flush(journal, now);
        self.superseded = true;
    }

    fn make_durable(&mut self, journal: &mut Journal, now: u64) {
        let Some((_, seq, ops)) = self.store.pop_front() else { return };
        journal.apply(now, seq, ops);
        self.durable = seq;
        self.step(now, Input::Store(StoreEvent::Stored { upto: seq }));
        self.settle(now);
    }

    /// Wakes it until it has nothing left to do at this instant.
    fn settle(&mut self, now: u64) {
        for _ in 0..STEPS_AT_ONCE_MAX {
            let due = self.scheduler.next_deadline().is_some_and(|at| at.0 <= now);
            if !due || self.fallen.is_some() {
                return;
            }
            self.step(now, Input::Wake);
        }
        self.fallen = Some(format!("it wants to be woken again and again at {now} ms"));
    }

    fn step(&mut self, now: u64, input: Input) {
        self.inputs.push_back(input);
        self.run(now);
    }

    fn run(&mut self, now: u64) {
        let clocks = Now { mono: Instant(now), wall: Timestamp(self.wall + now) };
        while let Some(input) = self.inputs.pop_front() {
            if self.fallen.is_some() {
                return;
            }
            self.deposed |= matches!(input, Input::Mesos(LinkEvent::FailedOver));
            let (scheduler, mut effects) = (&mut self.scheduler, Vec::new());
            let step = AssertUnwindSafe(|| scheduler.step(clocks, input, &mut effects));
            if let Err(panic) = catch_unwind(step) {
                self.fallen = Some(words(panic.as_ref()));
                return;
            }
            for effect in effects {
                self.carry_out(now, effect);
            }
        }
    }

    fn carry_out(&mut self, now: u64, effect: Effect) {
        match effect {
            // Who leads no more is fenced off by the journal.
            Effect::Store { .. } if self.superseded => {}
            Effect::Store { seq, ops } => self.store.push_back((now + STORE_MS, seq, ops)),
            Effect::Mesos(call) => match *call {
                MesosCall::Subscribe { framework_info, .. } => self.identity = Some(framework_info),
                call => self.tell_link(now, LinkInput::Call { seen: CONN, call: Box::new(call) }),
            },
            Effect::Reply { id, result: Err(error) } => self.said.push(Said::Refused { id, error: *error }),
            Effect::Reply { .. } | Effect::Route(_) => {}
            Effect::Publish(event) => self.said.push(Said::Event(event)),
        }
    }

    fn tell_link(&mut self, now: u64, input: LinkInput) {
        let clocks = Now { mono: Instant(now), wall: Timestamp(self.wall + now) };
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let (link, mut effects) = (&mut self.link, Vec::new());
            let step = AssertUnwindSafe(|| link.step(clocks, input, &mut effects));
            if let Err(panic) = catch_unwind(step) {
                self.fallen = Some(words(panic.as_ref()));
                return;
            }
            for effect in effects {
                match effect {
                    LinkEffect::Up { event, .. } => self.inputs.push_back(Input::Mesos(event)),
                    LinkEffect::Send { conn, id, call, .. } => {
                        self.said.push(Said::Call { call: *call, durable: self.durable });
                        let answer = CallAnswer::Response(Response::of_status(202));
                        inputs.push_back(LinkInput::Answered { conn, id, answer });
                    }
                    LinkEffect::Subscribe { .. } | LinkEffect::Ask { .. } | LinkEffect::Close { .. } => {}
                }
            }
        }
    }
}
