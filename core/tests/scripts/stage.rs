//! Owns the stage on which a script is played: the machine, its journal, its clock, and the transcript.

use swan_core::limits::ENTRY_BYTES_MAX;
use swan_core::record::{Epoch, Op, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::effect::Effect;
use swan_core::scheduler::input::{Build, Config, CrashNote, Input, Lead, RequestId, StoreEvent};
use swan_core::time::{ClusterTime, Instant, Millis, Now, Timestamp};

use crate::names::Names;
use crate::show;

/// Wakes after one input before the machine must rest.
const WAKES_MAX: u32 = 1000;

/// Everything around the machine.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) machine: Scheduler,
    pub(crate) names: Names,
    pub(crate) crash_notes: Vec<CrashNote>,
    /// Batches wait for `stored`; otherwise each is durable at once, and not shown.
    pub(crate) manual: bool,
    /// One of many steps that are much alike, and are not examined so closely.
    pub(crate) repeating: bool,
    /// Kinds of lines that are left out.
    pub(crate) hidden: Vec<String>,
    pub(crate) now: Instant,
    pub(crate) offers: u32,
    pub(crate) updates: u32,
    roles: Vec<String>,
    requests: u64,
    epoch: u64,
    led_since: Instant,
    cluster_time: ClusterTime,
    durable: Vec<Op>,
    stored: Seq,
    in_flight: Vec<(Seq, Vec<Op>)>,
    lines: Vec<String>,
}

impl Stage {
    /// What happened since this was asked last.
    pub(crate) fn transcript(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Adds to the transcript.
    pub(crate) fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// A new machine that has followed what is durable.
    pub(crate) fn boot(&mut self, roles: &[&str]) {
        if !roles.is_empty() {
            self.roles = roles.iter().map(ToString::to_string).collect();
        }
        self.machine = Scheduler::new();
        self.in_flight.clear();
        let config = Config {
            framework_name: "swan".into(),
            roles: self.roles.clone(),
            user: "root".into(),
            ..Config::default()
        };
        self.step(Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
        for entries in self.durable.clone().chunks(100) {
            self.step(Input::Follow { entries: entries.to_vec() });
        }
    }

    /// The machine leads, after everything durable.
    pub(crate) fn lead(&mut self) {
        self.epoch += 1;
        self.led_since = self.now;
        let lead = Lead {
            epoch: Epoch(self.epoch),
            seed: 1000 + self.epoch,
            seq: self.stored,
            cluster_time: self.cluster_time,
            crash_notes: self.crash_notes.clone(),
        };
        self.step(Input::Lead(Box::new(lead)));
    }

    /// The machine is lost; the next one knows what is durable, and time without a leader does not count.
    pub(crate) fn crash(&mut self) {
        self.cluster_time = self.cluster_time + self.now.since(self.led_since);
        self.boot(&[]);
    }

    /// A number for the next request.
    pub(crate) fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Makes batches up to one durable.
    pub(crate) fn store_upto(&mut self, upto: Option<u64>) {
        let upto = upto.map_or_else(|| self.in_flight.last().map_or(self.stored, |(seq, _)| *seq), Seq);
        while self.in_flight.first().is_some_and(|(seq, _)| *seq <= upto) {
            let (seq, ops) = self.in_flight.remove(0);
            self.durable.extend(ops);
            self.stored = seq;
        }
        self.step(Input::Store(StoreEvent::Stored { upto: self.stored }));
    }

    /// Steps, and lets the machine go on until it rests.
    pub(crate) fn step(&mut self, input: Input) {
        self.one_step(input);
        let mut wakes = 0;
        loop {
            if !self.manual && !self.in_flight.is_empty() {
                self.store_upto(None);
            } else if self.machine.next_deadline().is_some_and(|at| at <= self.now) {
                self.one_step(Input::Wake);
            } else {
                return;
            }
            wakes += 1;
            assert!(wakes < WAKES_MAX, "the machine comes to rest (L9)");
        }
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn advance(&mut self, span: Millis) {
        let until = self.now + span;
        while let Some(at) = self.machine.next_deadline().filter(|&at| at <= until) {
            self.now = at.max(self.now);
            let before = self.lines.len();
            self.step(Input::Wake);
            if self.lines.len() > before {
                self.lines.insert(before, format!("@{}", show::span(Millis(self.now.0))));
            }
        }
        self.now = until;
    }

    /// The clock on the wall.
    pub(crate) const fn wall(&self) -> Timestamp {
        Timestamp(1_000_000 + self.now.0)
    }

    fn one_step(&mut self, input: Input) {
        if !self.repeating {
            // Whatever decides what comes next is in the encoding.
            self.machine = Scheduler::thaw(&self.machine.freeze()).expect("a frozen machine thaws");
        }
        let now = Now { mono: self.now, wall: self.wall() };
        let mut effects = Vec::new();
        self.machine.step(now, input, &mut effects);
        assert!(self.machine.view().counts_are_exact(), "counts equal a recount (S23)");
        for effect in effects {
            let mut lines = show::effect(&mut self.names, &effect);
            lines.iter_mut().for_each(|line| *line = self.names.replace(line));
            let kind = lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
            let quiet = !self.manual && kind == "store";
            if !quiet && !self.hidden.iter().any(|hidden| hidden == kind) {
                self.lines.extend(lines);
            }
            if let Effect::Store { seq, ops } = effect {
                let values = ops.iter().filter_map(|op| op.value.as_ref());
                assert!(values.map(Vec::len).sum::<usize>() < ENTRY_BYTES_MAX, "a batch fits an entry");
                self.in_flight.push((seq, ops));
            }
        }
    }
}
