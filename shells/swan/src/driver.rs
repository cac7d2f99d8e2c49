//! Owns the machine's thread: one input after another into the manager, its effects carried out front to back.
//!
//! A turn executes effects, then wakes the machine if it is due, then takes the next message. Nothing here decides
//! anything about apps, tasks or leadership.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as StdInstant, SystemTime, UNIX_EPOCH};

use swan_api::{Answer, EventFeed, Read};
use swan_core::journal::{JournalConfig, OpId, StoreOp, StoreResult};
use swan_core::lease::ElectionEvent;
use swan_core::link::{LinkEffect, LinkInput};
use swan_core::manager::{Boot, End, Manager, ManagerEffect, ManagerInput};
use swan_core::scheduler::api::ApiRequest;
use swan_core::scheduler::input::{CrashNote, RequestId};
use swan_core::time::{Instant, Now, Timestamp};
use swan_store::CrashNotes;

/// Requests and reads that may wait for the machine; more are refused at once.
const QUEUE_MAX: usize = 4096;
/// Messages taken before the clock is looked at again.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Whatever the machine's thread is sent.
enum Message {
    Input(Box<ManagerInput>),
    Call(Box<ApiRequest>, Answer),
    Read(Read),
    Stop,
}

/// A way to send to the machine's thread; cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    sender: Sender<Message>,
    queued: Arc<AtomicUsize>,
    events: EventFeed,
}

/// What the driver hands effects to.
pub(crate) struct Hands {
    /// Executes a storage operation; its result comes back through the handle.
    pub(crate) store: Box<dyn Fn(OpId, StoreOp) + Send>,
    /// Acts on the connections to Mesos.
    pub(crate) link: Box<dyn FnMut(LinkEffect) + Send>,
    /// Keeps what ended a process.
    pub(crate) crash_notes: CrashNotes,
}

impl Handle {
    /// A handle, and the end of it that the machine's thread takes.
    pub(crate) fn new() -> (Self, Inbox) {
        let (sender, receiver) = channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let handle = Self { sender, queued: queued.clone(), events: EventFeed::new() };
        let inbox = Inbox { receiver, queued, events: handle.events.clone() };
        (handle, inbox)
    }

    /// The result of a storage operation.
    pub(crate) fn stored(&self, id: OpId, result: StoreResult) {
        self.input(ManagerInput::Stored { id, result });
    }

    /// News from the connections to Mesos.
    pub(crate) fn link(&self, input: LinkInput) {
        self.input(ManagerInput::Link(input));
    }

    /// Ends the thread after what it is doing.
    pub(crate) fn stop(&self) {
        // Gone already: then it has stopped.
        let _ = self.sender.send(Message::Stop);
    }

    fn input(&self, input: ManagerInput) {
        // A thread that is gone needs no news.
        let _ = self.sender.send(Message::Input(Box::new(input)));
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
}

/// The receiving end of a handle.
pub(crate) struct Inbox {
    receiver: Receiver<Message>,
    queued: Arc<AtomicUsize>,
    events: EventFeed,
}

/// The clocks of this process, as core counts them.
struct Clock {
    start: StdInstant,
}

impl Clock {
    fn now(&self) -> Now {
        let mono = self.start.elapsed().as_millis();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let millis = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        Now { mono: Instant(millis(mono)), wall: Timestamp(millis(wall)) }
    }
}

/// The machine with all that its thread needs.
struct Driver {
    manager: Manager,
    hands: Hands,
    clock: Clock,
    events: EventFeed,
    answers: BTreeMap<RequestId, Answer>,
    next_request: u64,
    effects: Vec<ManagerEffect>,
    /// Elections are won at once: the journal's directory is locked by this process.
    elected: bool,
}

/// Runs the manager on this thread until it is stopped (`None`) or over.
pub(crate) fn run(boot: Boot, inbox: Inbox, hands: Hands) -> Option<End> {
    let mut driver = Driver {
        manager: Manager::new(JournalConfig::default()),
        hands,
        clock: Clock { start: StdInstant::now() },
        events: inbox.events,
        answers: BTreeMap::new(),
        next_request: 0,
        effects: Vec::new(),
        elected: false,
    };
    let mut end = driver.step(ManagerInput::Boot(Box::new(boot)));
    loop {
        if end.is_some() {
            return end;
        }
        if std::mem::take(&mut driver.elected) {
            let asked = driver.clock.now().mono;
            end = driver.step(ManagerInput::Election(ElectionEvent::Acquired { asked }));
            continue;
        }
        let now = driver.clock.now().mono;
        let wait = driver.manager.next_deadline().map(|at| at.since(now));
        if wait.is_some_and(|wait| wait.0 == 0) {
            end = driver.step(ManagerInput::Wake);
        }
        let patience =
            if end.is_some() || wait.is_some_and(|wait| wait.0 == 0) { Some(Duration::ZERO) } else { None };
        let patience =
            patience.unwrap_or_else(|| wait.map_or(LONGEST_SLEEP, |wait| Duration::from_millis(wait.0)));
        let message = match inbox.receiver.recv_timeout(patience.min(LONGEST_SLEEP)) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        if end.is_some() {
            continue;
        }
        match message {
            Message::Stop => return None,
            Message::Input(input) => end = driver.step(*input),
            Message::Call(request, answer) => {
                inbox.queued.fetch_sub(1, Ordering::Relaxed);
                end = driver.call(request, answer);
            }
            Message::Read(read) => {
                inbox.queued.fetch_sub(1, Ordering::Relaxed);
                read(&driver.manager.view());
            }
        }
    }
}

impl Driver {
    fn call(&mut self, request: Box<ApiRequest>, answer: Answer) -> Option<End> {
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.answers.insert(id, answer);
        self.step(ManagerInput::Api { id, request })
    }

    fn step(&mut self, input: ManagerInput) -> Option<End> {
        let now = self.clock.now();
        let (manager, effects) = (&mut self.manager, &mut self.effects);
        if catch_unwind(AssertUnwindSafe(|| manager.step(now, input, effects))).is_err() {
            self.crash();
        }
        let mut effects = std::mem::take(&mut self.effects);
        let mut end = None;
        for effect in effects.drain(..) {
            self.execute(effect, &mut end);
        }
        self.effects = effects;
        end
    }

    fn execute(&mut self, effect: ManagerEffect, end: &mut Option<End>) {
        match effect {
            ManagerEffect::Store { id, op } => (self.hands.store)(id, op),
            ManagerEffect::Link(effect) => (self.hands.link)(effect),
            ManagerEffect::Reply { id, result } => {
                if let Some(answer) = self.answers.remove(&id) {
                    // The client may have gone.
                    drop(answer.send(result));
                }
            }
            ManagerEffect::Publish(event) => self.events.publish(event),
            // There are no gateways to tell yet.
            ManagerEffect::Route(_) => {}
            ManagerEffect::Campaign => self.elected = true,
            ManagerEffect::Resign => self.elected = false,
            ManagerEffect::Trouble(text) => tracing::warn!("{text}"),
            ManagerEffect::End(why) => *end = Some(why),
        }
    }

    /// A broken invariant: keep a note of what was being done, and end the process, so that nothing acts on it.
    fn crash(&self) -> ! {
        let breadcrumb = self.manager.breadcrumb().clone();
        let assertion = PANIC_PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Err(error) = self.hands.crash_notes.write(&CrashNote { assertion, breadcrumb }) {
            tracing::error!("the crash note could not be written: {error}");
        }
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
