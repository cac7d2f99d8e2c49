//! Owns the machine's thread: one input after another into the manager, its effects carried out front to back.
//!
//! A turn executes effects, then wakes the machine if it is due, then takes the next message. Nothing here decides
//! anything about apps, tasks or leadership.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use swan_api::{Answer, Deliver, EventFeed, Read};
use swan_core::journal::{JournalConfig, OpId, Readers, StoreOp, StoreResult};
use swan_core::lease::ElectionEvent;
use swan_core::link::{LinkEffect, LinkInput};
use swan_core::manager::{Boot, End, Manager, ManagerEffect, ManagerInput};
use swan_core::record::Seq;
use swan_core::scheduler::api::ApiRequest;
use swan_core::scheduler::input::{CrashNote, RequestId};
use swan_core::time::Instant;

use crate::answers::Answers;
use crate::clock::Clock;
use crate::standing::Standings;

/// Requests and reads that may wait for the machine; more are refused at once.
const QUEUE_MAX: usize = 4096;
/// Messages taken before the clock is looked at again.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Whatever the machine's thread is sent.
enum Message {
    /// For one life of the manager; void in any other.
    Input {
        life: u64,
        input: Box<ManagerInput>,
    },
    Call(Box<ApiRequest>, Answer),
    Read(Read),
    /// For whichever life it is.
    Readers(Readers),
    Follow,
    Abdicate,
    Stop,
}

/// A way for clients to reach the machine's thread, whichever life it is in; cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    sender: Sender<Message>,
    queued: Arc<AtomicUsize>,
    events: EventFeed,
    pub(crate) standings: Standings,
}

/// A way for shells to reach one life of the manager; cheap to clone.
#[derive(Clone)]
pub(crate) struct Voice {
    sender: Sender<Message>,
    life: u64,
}

/// What the driver hands effects to, for one life of the manager.
pub(crate) struct Hands {
    /// Executes a storage operation.
    pub(crate) store: Box<dyn Fn(OpId, StoreOp) + Send>,
    /// Acts on the connections to Mesos.
    pub(crate) link: Box<dyn FnMut(LinkEffect) + Send>,
    /// Stands for election, or withdraws.
    pub(crate) election: Box<dyn Fn(Candidacy) + Send>,
    /// Keeps what ended a process.
    pub(crate) crash_note: Box<dyn Fn(&CrashNote) + Send>,
}

/// What to do about elections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidacy {
    Stand,
    Withdraw,
}

impl Handle {
    /// A handle, and the end of it that the machine's thread takes.
    pub(crate) fn new(clock: Clock) -> (Self, Inbox) {
        let (sender, receiver) = channel();
        let handle = Self {
            sender,
            queued: Arc::default(),
            events: EventFeed::new(),
            standings: Standings::new(clock),
        };
        (handle.clone(), Inbox { receiver, handle, clock, life: 0 })
    }

    /// Ends the thread after what it is doing.
    pub(crate) fn stop(&self) {
        // Gone already: then it has stopped.
        let _ = self.sender.send(Message::Stop);
    }

    /// What all registered managers can read.
    pub(crate) fn readers(&self, readers: Readers) {
        // A thread that is gone needs no news.
        let _ = self.sender.send(Message::Readers(readers));
    }

    /// Sends what a client waits for, unless too many wait.
    fn enqueue(&self, message: Message) {
        if self.queued.fetch_add(1, Ordering::Relaxed) >= QUEUE_MAX || self.sender.send(message).is_err() {
            self.queued.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl swan_api::Manager for Handle {
    fn call(&self, request: ApiRequest, answer: Answer) {
        self.enqueue(Message::Call(Box::new(request), answer));
    }

    fn read(&self, read: Read) {
        self.enqueue(Message::Read(read));
    }

    fn events(&self) -> &EventFeed {
        &self.events
    }

    fn standing(&self) -> swan_api::Standing {
        self.standings.now()
    }

    fn follow(&self) {
        // A thread that is gone follows nobody.
        let _ = self.sender.send(Message::Follow);
    }

    fn abdicate(&self) {
        // A thread that is gone leads no more.
        let _ = self.sender.send(Message::Abdicate);
    }
}

impl Voice {
    /// The result of a storage operation.
    pub(crate) fn stored(&self, id: OpId, result: StoreResult) {
        self.input(ManagerInput::Stored { id, result });
    }

    /// News from the connections to Mesos.
    pub(crate) fn link(&self, input: LinkInput) {
        self.input(ManagerInput::Link(input));
    }

    /// News from the election.
    pub(crate) fn election(&self, event: ElectionEvent) {
        self.input(ManagerInput::Election(event));
    }

    /// What ended processes.
    pub(crate) fn crash_notes(&self, notes: Vec<CrashNote>) {
        self.input(ManagerInput::CrashNotes(notes));
    }

    fn input(&self, input: ManagerInput) {
        // A thread that is gone needs no news.
        let _ = self.sender.send(Message::Input { life: self.life, input: Box::new(input) });
    }
}

/// The receiving end of a handle.
pub(crate) struct Inbox {
    receiver: Receiver<Message>,
    handle: Handle,
    clock: Clock,
    life: u64,
}

impl Inbox {
    /// Begins a life of the manager: what is still on its way from an earlier one is void.
    pub(crate) fn begin(&mut self) -> Voice {
        self.life += 1;
        Voice { sender: self.handle.sender.clone(), life: self.life }
    }

    /// Waits; says whether it was told to stop meanwhile. Changes are refused, reads are answered from what was known.
    pub(crate) fn pause(&self, pause: Duration, past: Option<&Past>) -> bool {
        let until = std::time::Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(std::time::Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return true,
                Ok(Message::Call(..)) => self.taken(),
                Ok(Message::Read(read)) => {
                    self.taken();
                    if let Some(past) = past {
                        read(&past.manager.view())();
                    }
                }
                Ok(Message::Input { .. } | Message::Readers(_) | Message::Follow | Message::Abdicate) => {}
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// What a client waits for is no longer in the queue.
    fn taken(&self) {
        self.handle.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A life of the manager that is over: what it knew answers reads until the next one has read all that is stored.
pub(crate) struct Past {
    manager: Manager,
    /// When what it knew was all that was stored.
    fresh: Instant,
}

/// The machine with all that its thread needs.
struct Driver<'a> {
    manager: Manager,
    hands: Hands,
    inbox: &'a Inbox,
    answers: Answers,
    /// What readers were shown, until all that it rests on is durable.
    copied: VecDeque<(Seq, Deliver)>,
    next_request: u64,
    effects: Vec<ManagerEffect>,
    end: Option<End>,
    past: Option<Past>,
}

/// Runs one life of the manager on this thread until it is stopped (`None`) or over; beside how it ended, what it leaves
/// to the next.
pub(crate) fn run(
    boot: Boot,
    inbox: &Inbox,
    hands: Hands,
    past: Option<Past>,
) -> Option<(End, Option<Past>)> {
    let mut driver = Driver {
        manager: Manager::new(JournalConfig::default()),
        hands,
        inbox,
        answers: Answers::default(),
        copied: VecDeque::new(),
        next_request: 0,
        effects: Vec::new(),
        end: None,
        past,
    };
    driver.step(ManagerInput::Boot(Box::new(boot)));
    while driver.end.is_none() {
        let message = match inbox.receiver.recv_timeout(driver.patience()) {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        // Before the message: the process may have been stopped for long, and its lease be over.
        driver.wake();
        if driver.end.is_none()
            && let Some(message) = message
            && driver.take(message) == Turn::Stop
        {
            return None;
        }
    }
    Some((driver.end?, driver.leave()))
}

#[derive(PartialEq, Eq)]
enum Turn {
    GoOn,
    Stop,
}

impl Driver<'_> {
    fn patience(&self) -> Duration {
        let now = self.inbox.clock.mono();
        let wait = self.manager.next_deadline().map(|at| Duration::from_millis(at.since(now).0));
        wait.map_or(LONGEST_SLEEP, |wait| wait.min(LONGEST_SLEEP))
    }

    fn wake(&mut self) {
        if self.manager.next_deadline().is_some_and(|at| at <= self.inbox.clock.mono()) {
            self.step(ManagerInput::Wake);
        }
    }

    fn take(&mut self, message: Message) -> Turn {
        match message {
            Message::Stop => return Turn::Stop,
            Message::Input { life, input } if life == self.inbox.life => self.step(*input),
            Message::Input { .. } => {}
            Message::Readers(readers) => self.step(ManagerInput::Readers(readers)),
            Message::Follow => self.step(ManagerInput::Follow),
            Message::Abdicate => self.step(ManagerInput::Abdicate),
            Message::Call(request, answer) => {
                self.inbox.taken();
                self.next_request += 1;
                let id = RequestId(self.next_request);
                self.answers.expect(id, answer);
                self.step(ManagerInput::Api { id, request });
            }
            Message::Read(read) => {
                self.inbox.taken();
                self.read(read);
            }
        }
        Turn::GoOn
    }

    fn read(&mut self, read: Read) {
        if let Some(past) = &self.past {
            return read(&past.manager.view())();
        }
        let deliver = read(&self.manager.view());
        self.copied.push_back((self.manager.scheduler().as_of(), deliver));
        self.deliver();
    }

    /// Gives readers what is durable by now: what was seen must not be forgotten by a failover. A stalled store is
    /// marked instead.
    fn deliver(&mut self) {
        let durable = self.manager.journal().durable;
        let view = self.manager.view();
        let all = !view.leads() || view.stalled();
        while let Some((_, deliver)) = self.copied.pop_front_if(|(as_of, _)| all || *as_of <= durable) {
            deliver();
        }
    }

    fn step(&mut self, input: ManagerInput) {
        let now = self.inbox.clock.now();
        let (manager, effects) = (&mut self.manager, &mut self.effects);
        if catch_unwind(AssertUnwindSafe(|| manager.step(now, input, effects))).is_err() {
            self.crash();
        }
        // Before anybody hears of it: whoever was answered finds it here.
        self.tell_standing();
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            if self.manager.may_carry_out(self.inbox.clock.mono(), &effect) {
                self.execute(effect);
            }
        }
        self.effects = effects;
        if !self.copied.is_empty() {
            self.deliver();
        }
    }

    fn execute(&mut self, effect: ManagerEffect) {
        match effect {
            ManagerEffect::Store { id, op } => (self.hands.store)(id, op),
            ManagerEffect::Link(effect) => (self.hands.link)(effect),
            ManagerEffect::Reply { id, result } => self.answers.reply(id, result),
            ManagerEffect::Publish(event) => self.inbox.handle.events.publish(event),
            // There are no gateways to tell yet.
            ManagerEffect::Route(_) => {}
            ManagerEffect::Campaign => (self.hands.election)(Candidacy::Stand),
            ManagerEffect::Resign => (self.hands.election)(Candidacy::Withdraw),
            ManagerEffect::Trouble(text) => tracing::warn!("{text}"),
            ManagerEffect::End(why) => self.end = Some(why),
        }
    }

    fn tell_standing(&mut self) {
        let now = self.inbox.clock.mono();
        let fresh = self.manager.fresh(now);
        if fresh.is_some() {
            self.past = None;
        }
        let fresh = fresh.or_else(|| self.past.as_ref().map(|past| past.fresh));
        let journal = self.manager.journal();
        self.inbox.handle.standings.set(self.manager.leads(now), fresh, journal.durable, journal.format);
    }

    /// What the next life answers reads from, until it knows more itself.
    fn leave(self) -> Option<Past> {
        let now = self.inbox.clock.mono();
        let past = match self.manager.fresh(now) {
            Some(fresh) => Some(Past { manager: self.manager, fresh }),
            None => self.past,
        };
        let (fresh, format) =
            (past.as_ref().map(|past| past.fresh), self.inbox.handle.standings.now().format);
        self.inbox.handle.standings.set(false, fresh, Seq(0), format);
        past
    }

    /// A broken invariant: keep a note of what was being done, and end the process, so that nothing acts on it.
    fn crash(&self) -> ! {
        let breadcrumb = self.manager.breadcrumb().clone();
        let assertion = PANIC_PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.hands.crash_note)(&CrashNote { assertion, breadcrumb });
        std::process::exit(70);
    }
}

/// Where the last panic happened, for the crash note.
static PANIC_PLACE: Mutex<String> = Mutex::new(String::new());

/// Remembers where a panic happens, besides showing it.
pub(crate) fn note_panics() {
    let show = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Some(place) = info.location() {
            *PANIC_PLACE.lock().unwrap_or_else(PoisonError::into_inner) =
                format!("{}:{}", place.file(), place.line());
        }
        show(info);
    }));
}
