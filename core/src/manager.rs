//! Owns the wiring of the four machines into one: what one of them says becomes what another hears. Decides nothing.
//!
//! The simulator and the production shell drive this same composition, so that neither wires it differently.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

use serde::{Deserialize, Serialize};

use crate::journal::{
    Journal, JournalConfig, JournalEffect, JournalInput, OpId, Readers, Records, Refusal, StoreOp,
    StoreResult,
};
use crate::lease::{ElectionEvent, Lease, LeaseEffect, LeaseEvent, LeaseInput, Tenure};
use crate::link::{ConnId, Link, LinkEffect, LinkInput, LinkStats, MasterAddress};
use crate::rng::Rng;
use crate::scheduler::api::{ApiError, ApiReply, ApiRequest, ErrorKind};
use crate::scheduler::effect::{Effect, RouteDelta};
use crate::scheduler::event::Event;
use crate::scheduler::input::{
    Breadcrumb, Build, Config, CrashNote, DeposeReason, Input, Lead, LinkEvent, RequestId, StoreEvent,
};
use crate::scheduler::{Hold, Scheduler, View};
use crate::time::{Instant, Millis, Now};

/// One stimulus of the manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManagerInput {
    /// The first input.
    Boot(Box<Boot>),
    /// News from the election.
    Election(ElectionEvent),
    /// Answers a storage operation.
    Stored { id: OpId, result: StoreResult },
    /// News from the connections to Mesos.
    Link(LinkInput),
    /// A request to change something.
    Api { id: RequestId, request: Box<ApiRequest> },
    /// Steps that ended processes, as they are known now; replaces what was known.
    CrashNotes(Vec<CrashNote>),
    /// What all registered managers can read, as it is known now; told again and again where there is a register.
    Readers(Readers),
    /// A client of this process waits until what the leader has just told it can be seen here.
    Follow,
    /// The operator wants another manager to lead: no new changes are taken, and it is over once all that were are
    /// durable, or soon. Without effect on one that does not lead.
    Abdicate,
    /// `next_deadline` has come; spurious ones are harmless.
    Wake,
}

/// What a manager begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Decides all randomness.
    pub seed: u64,
    /// Which build runs.
    pub build: Build,
    /// What the operator configured for the scheduler.
    pub scheduler: Config,
    /// The only hosts that are ever asked for Mesos, the first to be tried first.
    pub masters: Vec<MasterAddress>,
    /// How long the backend's word on leadership holds.
    pub tenure: Tenure,
    /// Steps that ended earlier processes.
    pub crash_notes: Vec<CrashNote>,
}

/// One thing to do; executed front to back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ManagerEffect {
    /// Execute a storage operation and answer with `Stored`.
    Store { id: OpId, op: StoreOp },
    /// Act on the connections to Mesos.
    Link(LinkEffect),
    /// Answer a request.
    Reply { id: RequestId, result: Result<ApiReply, Box<ApiError>> },
    /// Tell whoever listens.
    Publish(Arc<Event>),
    /// Tell the gateways.
    Route(Box<RouteDelta>),
    /// Stand for election.
    Campaign,
    /// Withdraw from the election.
    Resign,
    /// A log line for people.
    Trouble(String),
    /// This manager is over: drop it, and begin anew unless it says otherwise.
    End(End),
}

/// Why a manager is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// What is stored cannot be used; end the process and show this.
    Refused(Refusal),
    /// What it followed was replaced under it.
    Restart,
    /// It leads no more.
    Deposed(DeposeReason),
}

/// The four machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    scheduler: Scheduler,
    journal: Journal,
    lease: Lease,
    link: Link,
    rng: Rng,
    crash_notes: Vec<CrashNote>,
    /// The connection of the newest event that the scheduler was told: what its calls are about.
    seen: ConnId,
    /// What the link was in trouble with when people were last told.
    told_trouble: String,
    /// What was held when people were last told.
    told_hold: Option<Hold>,
    /// Abdicates at this time at the latest.
    abdicates: Option<Instant>,
    /// Until when it led, as far as it knew in the newest step; `None` if it did not lead in it.
    led_until: Option<Instant>,
    ended: bool,
    /// Inputs of one machine that another has caused in the step under way.
    #[serde(skip)]
    queue: VecDeque<Inner>,
    #[serde(skip)]
    scratch: Scratch,
}

/// An input to one of the machines.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Inner {
    Scheduler(Input),
    Mesos { conn: ConnId, event: LinkEvent },
    Journal(JournalInput),
    Lease(LeaseInput),
    Link(LinkInput),
}

/// How long a manager that abdicates waits for its last changes to become durable.
const ABDICATION: Millis = Millis(1_000);

fn going(id: RequestId) -> ManagerEffect {
    let error = ApiError::new(ErrorKind::Unavailable, "this manager gives up leadership just now; try again");
    ManagerEffect::Reply { id, result: Err(Box::new(error)) }
}

/// Buffers that keep their memory from step to step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Scratch {
    scheduler: Vec<Effect>,
    journal: Vec<JournalEffect>,
    lease: Vec<LeaseEffect>,
    link: Vec<LinkEffect>,
}

impl Manager {
    /// A manager that has not been booted.
    pub fn new(journal: JournalConfig) -> Self {
        Self {
            scheduler: Scheduler::new(),
            journal: Journal::new(journal),
            lease: Lease::new(),
            link: Link::new(),
            rng: Rng::default(),
            crash_notes: Vec::new(),
            seen: ConnId::default(),
            told_trouble: String::new(),
            told_hold: None,
            abdicates: None,
            led_until: None,
            ended: false,
            queue: VecDeque::new(),
            scratch: Scratch::default(),
        }
    }

    /// Handles exactly one input, and all that it causes within.
    pub fn step(&mut self, now: Now, input: ManagerInput, out: &mut Vec<ManagerEffect>) {
        assert!(out.is_empty(), "effects of the step before were executed");
        self.led_until = self.lease.until();
        self.expire_lease(now);
        match input {
            ManagerInput::Boot(boot) => self.boot(*boot),
            ManagerInput::Election(event) => self.push(Inner::Lease(LeaseInput::Election(event))),
            ManagerInput::Stored { id, result } => {
                self.push(Inner::Journal(JournalInput::Result { id, result }))
            }
            ManagerInput::Link(input) => self.push(Inner::Link(input)),
            ManagerInput::Api { id, .. } if self.abdicates.is_some() => out.push(going(id)),
            ManagerInput::Api { id, request } => self.push(Inner::Scheduler(Input::Api { id, request })),
            ManagerInput::CrashNotes(notes) => self.crash_notes = notes,
            ManagerInput::Readers(readers) => self.push(Inner::Journal(JournalInput::Readers(readers))),
            ManagerInput::Follow => self.push(Inner::Journal(JournalInput::Follow)),
            // Who does not lead has nothing to give, and goes on standing for election.
            ManagerInput::Abdicate if self.lease.leads(now.mono) => {
                self.abdicates = self.abdicates.or(Some(now.mono + ABDICATION));
            }
            ManagerInput::Abdicate => {}
            ManagerInput::Wake => self.wake(now),
        }
        self.drain(now, out);
        self.abdicate(now);
        self.drain(now, out);
        self.led_until = self.led_until.max(self.lease.until());
    }

    /// Whether an effect of the newest step may still be carried out: to be asked right before each, since the process may
    /// have been stopped between two of them, and another manager lead by now (S6, R90). What may not is left out; the
    /// next step ends this manager. Writes check the epoch themselves.
    pub fn may_carry_out(&self, now: Instant, effect: &ManagerEffect) -> bool {
        match effect {
            ManagerEffect::Link(_)
            | ManagerEffect::Reply { .. }
            | ManagerEffect::Publish(_)
            | ManagerEffect::Route(_) => self.led_until.is_none_or(|until| now < until),
            ManagerEffect::Store { .. }
            | ManagerEffect::Campaign
            | ManagerEffect::Resign
            | ManagerEffect::Trouble(_)
            | ManagerEffect::End(_) => true,
        }
    }

    fn drain(&mut self, now: Now, out: &mut Vec<ManagerEffect>) {
        while let Some(inner) = self.queue.pop_front() {
            self.inner(now, inner, out);
        }
    }

    /// Time first: after a pause of the whole process, nothing that comes later may count as still leading (R90).
    fn expire_lease(&mut self, now: Now) {
        if self.lease.next_deadline().is_some_and(|at| at <= now.mono) {
            self.push(Inner::Lease(LeaseInput::Wake));
        }
    }

    /// Gives leadership back once nothing is on its way to the store.
    fn abdicate(&mut self, now: Now) {
        let Some(latest) = self.abdicates else { return };
        if latest <= now.mono || self.journal.view().durable >= self.scheduler.as_of() {
            self.push(Inner::Lease(LeaseInput::Abdicate));
        }
    }

    /// When to step [`ManagerInput::Wake`] at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.ended {
            return None;
        }
        let all = [
            self.scheduler.next_deadline(),
            self.journal.next_deadline(),
            self.lease.next_deadline(),
            self.link.next_deadline(),
            self.abdicates,
        ];
        all.into_iter().flatten().min()
    }

    /// What readers may see.
    pub const fn view(&self) -> View<'_> {
        self.scheduler.view()
    }

    /// The journal's figures.
    pub fn journal(&self) -> crate::journal::JournalView {
        self.journal.view()
    }

    /// Whether it leads, and may act, now.
    pub fn leads(&self, now: Instant) -> bool {
        !self.ended && self.abdicates.is_none() && self.lease.leads(now) && self.scheduler.view().leads()
    }

    /// When what it knows was all that was stored: always now for who leads; `None` before all was read once.
    pub fn fresh(&self, now: Instant) -> Option<Instant> {
        if self.scheduler.view().leads() { Some(now) } else { self.journal.fresh() }
    }

    /// The link's counters.
    pub const fn link(&self) -> &LinkStats {
        self.link.stats()
    }

    /// What the step under way is doing, for a crash note should it end the process.
    pub const fn breadcrumb(&self) -> &Breadcrumb {
        self.scheduler.breadcrumb()
    }

    /// The scheduler's records, for comparing what is stored with what is believed.
    pub const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// The one full encoding of the state.
    pub fn freeze(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("every part of the state has an encoding")
    }

    /// The reverse; `None` if the bytes are no frozen manager of this build.
    pub fn thaw(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    fn push(&mut self, inner: Inner) {
        if !self.ended {
            self.queue.push_back(inner);
        }
    }

    fn boot(&mut self, boot: Boot) {
        self.rng = Rng::new(boot.seed);
        self.crash_notes = boot.crash_notes;
        let (build, config) = (Box::new(boot.build), Box::new(boot.scheduler));
        let seed = self.rng.next();
        self.push(Inner::Scheduler(Input::Boot { seed, build, config }));
        let seed = self.rng.next();
        self.push(Inner::Link(LinkInput::Boot { seed, masters: boot.masters }));
        self.push(Inner::Journal(JournalInput::Boot));
        if boot.tenure == Tenure::Forever {
            // Its store is its alone.
            self.push(Inner::Journal(JournalInput::Readers(self.journal.only_reader())));
        }
        self.push(Inner::Lease(LeaseInput::Boot(boot.tenure)));
    }

    /// Wakes the machines whose deadline has come; the lease has been, since it may forbid the others to act.
    fn wake(&mut self, now: Now) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now.mono);
        if due(self.journal.next_deadline()) {
            self.push(Inner::Journal(JournalInput::Wake));
        }
        if due(self.link.next_deadline()) {
            self.push(Inner::Link(LinkInput::Wake));
        }
        if due(self.scheduler.next_deadline()) {
            self.push(Inner::Scheduler(Input::Wake));
        }
    }

    fn inner(&mut self, now: Now, inner: Inner, out: &mut Vec<ManagerEffect>) {
        match inner {
            Inner::Mesos { conn, event } => {
                self.seen = conn;
                let failed_over = matches!(event, LinkEvent::FailedOver);
                self.inner(now, Inner::Scheduler(Input::Mesos(event)), out);
                if failed_over {
                    self.end(End::Deposed(DeposeReason::FailedOver), out);
                }
            }
            Inner::Scheduler(input) => {
                let mut effects = mem::take(&mut self.scratch.scheduler);
                self.scheduler.step(now, input, &mut effects);
                for effect in effects.drain(..) {
                    self.on_scheduler(effect, out);
                }
                self.scratch.scheduler = effects;
                self.tell_hold(out);
                if self.scheduler.view().deposed() == Some(DeposeReason::Unreadable) {
                    let unreadable = self.scheduler.view().unreadable().iter();
                    out.extend(
                        unreadable.map(|record| ManagerEffect::Trouble(format!("stored record {record}"))),
                    );
                    self.end(End::Deposed(DeposeReason::Unreadable), out);
                }
            }
            Inner::Journal(input) => {
                let mut effects = mem::take(&mut self.scratch.journal);
                self.journal.step(now, input, &mut effects);
                for effect in effects.drain(..) {
                    self.on_journal(effect, out);
                }
                self.scratch.journal = effects;
            }
            Inner::Lease(input) => {
                let mut effects = mem::take(&mut self.scratch.lease);
                self.lease.step(now, input, &mut effects);
                for effect in effects.drain(..) {
                    self.on_lease(effect, out);
                }
                self.scratch.lease = effects;
            }
            Inner::Link(input) => {
                let mut effects = mem::take(&mut self.scratch.link);
                self.link.step(now, input, &mut effects);
                for effect in effects.drain(..) {
                    match effect {
                        LinkEffect::Up { conn, event } => self.push(Inner::Mesos { conn, event }),
                        other => out.push(ManagerEffect::Link(other)),
                    }
                }
                self.scratch.link = effects;
                if self.link.stats().last_trouble != self.told_trouble {
                    self.told_trouble.clone_from(&self.link.stats().last_trouble);
                    out.push(ManagerEffect::Trouble(format!("Mesos: {}", self.told_trouble)));
                }
            }
        }
    }

    /// People are told once what a leader waits for whose journal was lost.
    fn tell_hold(&mut self, out: &mut Vec<ManagerEffect>) {
        let hold = self.scheduler.view().hold().filter(|_| self.scheduler.view().leads());
        if hold != self.told_hold.as_ref() {
            out.extend(hold.map(|hold| ManagerEffect::Trouble(hold.reason())));
            self.told_hold = hold.cloned();
        }
    }

    fn on_scheduler(&mut self, effect: Effect, out: &mut Vec<ManagerEffect>) {
        match effect {
            Effect::Store { seq, ops } => self.push(Inner::Journal(JournalInput::Store { seq, ops })),
            Effect::Mesos(call) => self.push(Inner::Link(LinkInput::Call { seen: self.seen, call })),
            Effect::Reply { id, result } => out.push(ManagerEffect::Reply { id, result }),
            Effect::Publish(event) => out.push(ManagerEffect::Publish(event)),
            Effect::Route(delta) => out.push(ManagerEffect::Route(delta)),
        }
    }

    fn on_journal(&mut self, effect: JournalEffect, out: &mut Vec<ManagerEffect>) {
        match effect {
            JournalEffect::Op { id, op } => out.push(ManagerEffect::Store { id, op }),
            JournalEffect::Follow(entries) => self.push(Inner::Scheduler(Input::Follow { entries })),
            JournalEffect::CaughtUp { .. } => {}
            JournalEffect::Recovered { epoch, seq, cluster_time } => {
                let crash_notes = mem::take(&mut self.crash_notes);
                let lead = Lead { epoch, seed: self.rng.next(), seq, cluster_time, crash_notes };
                self.push(Inner::Scheduler(Input::Lead(Box::new(lead))));
            }
            JournalEffect::Up(event) => {
                self.push(Inner::Scheduler(Input::Store(event)));
                if event == StoreEvent::Fenced {
                    self.end(End::Deposed(DeposeReason::Fenced), out);
                }
            }
            JournalEffect::NeedRecords { from, to, max_bytes } => {
                let max = usize::try_from(max_bytes).unwrap_or(usize::MAX);
                let (items, next) = self.scheduler.records(&from, to.as_ref(), max);
                let records = Records { from, items, next, as_of: self.scheduler.as_of() };
                // Before anything else: a batch handed over later must not be missing from these values.
                self.queue.push_front(Inner::Journal(JournalInput::Records(records)));
            }
            JournalEffect::Trouble(text) => out.push(ManagerEffect::Trouble(text)),
            JournalEffect::Refused(refusal) => self.end(End::Refused(refusal), out),
            JournalEffect::Restart => self.end(End::Restart, out),
        }
    }

    fn on_lease(&mut self, effect: LeaseEffect, out: &mut Vec<ManagerEffect>) {
        match effect {
            LeaseEffect::Campaign => out.push(ManagerEffect::Campaign),
            LeaseEffect::Resign => out.push(ManagerEffect::Resign),
            LeaseEffect::Up(LeaseEvent::Lead) => self.push(Inner::Journal(JournalInput::Lead)),
            LeaseEffect::Up(LeaseEvent::Until(until)) => self.push(Inner::Scheduler(Input::Lease { until })),
            LeaseEffect::Up(LeaseEvent::Lost) => self.end(End::Deposed(DeposeReason::LeaseLost), out),
        }
    }

    /// Acts no more: what the machines still wanted is void; the driver closes the connection to Mesos with the rest.
    fn end(&mut self, why: End, out: &mut Vec<ManagerEffect>) {
        if self.ended {
            return;
        }
        self.queue.clear();
        if let End::Deposed(why) = why {
            // What it knows may still be read, but is no leader's word any more.
            self.queue.push_back(Inner::Scheduler(Input::Depose { why }));
        }
        self.ended = true;
        out.push(ManagerEffect::End(why));
    }
}
