//! Owns the link machine: the connection to Mesos. Subscribes and stays subscribed, tells a dead stream from a silent one,
//! chooses masters and pauses, and keeps calls of one subscription out of the next.
//!
//! Calls are at most once. One that cannot be sent is dropped and counted. If a dropped or lost call was to answer offers,
//! the subscription is renewed: nothing else gives the resources of those offers back.

mod answer;
mod calls;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::{
    HEARTBEAT_DEFAULT, HEARTBEATS_MISSED_MAX, REDIRECTS_MAX, SUBSCRIBE_ANSWER, SUBSCRIBE_BACKOFF,
    SUBSCRIBE_BACKOFF_MAX, SUBSCRIBE_STABLE,
};
use crate::mesos::{Event, FrameworkId, FrameworkInfo, ListedFramework, Subscribed};
use crate::predecessor;
use crate::rng::Rng;
use crate::scheduler::effect::MesosCall;
use crate::scheduler::input::LinkEvent;
use crate::time::{Instant, Millis, Now};

use answer::{Fault, Verdict};
pub use answer::{Response, excerpt};
use calls::Calls;

/// What a master may tell of its heartbeats and be believed.
const HEARTBEAT_MIN: Millis = Millis::from_secs(1);
const HEARTBEAT_MAX: Millis = Millis::from_secs(120);

/// One attempt at a subscription, and all that hangs on it; never reused by a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnId(pub u64);

/// One call sent; never reused by a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// Where a master listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MasterAddress {
    /// Name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for MasterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// One stimulus of the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkInput {
    /// The first input. `masters` are the only hosts ever connected to (S20), the first to be tried first.
    Boot { seed: u64, masters: Vec<MasterAddress> },
    /// The masters have changed.
    Masters(Vec<MasterAddress>),
    /// The scheduler calls. `seen` is the connection of the last [`LinkEffect::Up`] that the scheduler had been told when
    /// it decided so; a call decided under another subscription than the current one is dropped (R2, R8).
    Call { seen: ConnId, call: Box<MesosCall> },
    /// SUBSCRIBE was answered, whatever the status; or the question for frameworks was, and not with a list.
    Opened { conn: ConnId, response: Response },
    /// The question for frameworks was answered.
    Listed { conn: ConnId, frameworks: Vec<ListedFramework> },
    /// The stream carries a whole event.
    Event { conn: ConnId, event: Box<Event> },
    /// The stream carries a whole record that is no event.
    Unreadable { conn: ConnId, why: String },
    /// The stream carries a part of a record.
    Alive { conn: ConnId },
    /// The stream has ended, broken, or could not be opened.
    Closed { conn: ConnId, why: String },
    /// A call was answered, or its connection is gone before an answer.
    Answered { conn: ConnId, id: CallId, answer: CallAnswer },
    /// `next_deadline` has come; spurious ones are harmless.
    Wake,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CallAnswer {
    /// The master's answer; 202 only says that the call is well-formed.
    Response(Response),
    /// Nobody knows whether the master got it.
    Lost { why: String },
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkEffect {
    /// Open a connection to this master and SUBSCRIBE on it, without a stream id (R1, R2). The framework id beside the
    /// call is the one in `framework`.
    Subscribe {
        conn: ConnId,
        master: MasterAddress,
        framework: Box<FrameworkInfo>,
        suppressed_roles: Vec<String>,
    },
    /// Open a connection to this master and ask it for its frameworks, by GET_FRAMEWORKS of the operator API (S14).
    Ask { conn: ConnId, master: MasterAddress },
    /// Send on the one other connection to the master of `conn`, in order, with its stream id (R1, R2).
    Send { conn: ConnId, id: CallId, stream_id: String, framework: FrameworkId, call: Box<MesosCall> },
    /// Close both connections of `conn`. Nothing that they still say is believed.
    Close { conn: ConnId },
    /// Tell the scheduler, in order.
    Up { conn: ConnId, event: LinkEvent },
}

/// What the link has seen, since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct LinkStats {
    /// Questions for frameworks sent.
    pub questions: u64,
    /// SUBSCRIBEs sent.
    pub attempts: u64,
    pub subscriptions: u64,
    /// Streams that died of silence (R6).
    pub silences: u64,
    pub redirects: u64,
    /// Events that belong to no current subscription, or came before it stood.
    pub stale_events: u64,
    pub unreadable_events: u64,
    pub calls_sent: u64,
    /// Calls dropped because no subscription stood.
    pub calls_offline: u64,
    /// Calls dropped because they were decided under another subscription.
    pub calls_stale: u64,
    /// Calls dropped because the queue was full (R18).
    pub calls_overflowed: u64,
    /// Calls that got no answer.
    pub calls_lost: u64,
    /// Calls that the master refused.
    pub calls_refused: u64,
    /// What went wrong last, for people.
    pub last_trouble: String,
}

/// How the link stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum LinkStatus {
    /// Nobody asked for a subscription.
    Off,
    /// Waits before the next attempt.
    Waiting,
    /// Asks a master whether a framework of this journal still holds something.
    Asking,
    /// One does: waits for a word (S14).
    Held,
    /// Asked a master and has no subscription yet.
    Subscribing,
    Subscribed,
    /// The master removed the framework (R12).
    Removed,
    /// Another scheduler took over (R13).
    FailedOver,
}

/// The link machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    rng: Rng,
    masters: Vec<MasterAddress>,
    /// Which of `masters` is or will be asked.
    master: usize,
    /// What to subscribe as; `None` while nobody asked for it.
    wanted: Option<Wanted>,
    state: State,
    last_conn: ConnId,
    /// Failures in a row, for the pause.
    tries: u32,
    /// Redirects in a row.
    redirects: u32,
    stats: LinkStats,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Wanted {
    framework: Box<FrameworkInfo>,
    suppressed_roles: Vec<String>,
    /// An operator wants a new framework, whatever there was before.
    anew: bool,
}

impl Wanted {
    /// Whether the master must be asked for predecessors first.
    fn asks(&self) -> bool {
        let knows = self.anew || self.framework.id.is_some();
        !knows && predecessor::journal_of(&self.framework.labels).is_some() && !mutant!(SubscribesAnew)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Off,
    Waiting {
        until: Instant,
    },
    /// No list of frameworks yet.
    Asking {
        until: Instant,
    },
    /// A predecessor holds something.
    Held,
    /// No answer yet, or none but the headers: then `stream_id` is there.
    Subscribing {
        until: Instant,
        stream_id: Option<String>,
    },
    Subscribed(Box<Subscription>),
    Removed,
    FailedOver,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Subscription {
    since: Instant,
    heard: Instant,
    /// Silence of this length means that the stream is dead.
    patience: Millis,
    stream_id: String,
    framework: FrameworkId,
    calls: Calls,
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

impl Link {
    /// A machine that knows no master yet; its first input is `Boot`.
    pub const fn new() -> Self {
        Self {
            rng: Rng::new(0),
            masters: Vec::new(),
            master: 0,
            wanted: None,
            state: State::Off,
            last_conn: ConnId(0),
            tries: 0,
            redirects: 0,
            stats: LinkStats {
                questions: 0,
                attempts: 0,
                subscriptions: 0,
                silences: 0,
                redirects: 0,
                stale_events: 0,
                unreadable_events: 0,
                calls_sent: 0,
                calls_offline: 0,
                calls_stale: 0,
                calls_overflowed: 0,
                calls_lost: 0,
                calls_refused: 0,
                last_trouble: String::new(),
            },
        }
    }

    /// Exactly one input; runs to completion; cannot fail. `out` is appended to.
    pub fn step(&mut self, now: Now, input: LinkInput, out: &mut Vec<LinkEffect>) {
        let now = now.mono;
        match input {
            LinkInput::Boot { seed, masters } => {
                self.rng = Rng::new(seed);
                self.take_masters(now, masters, out);
            }
            LinkInput::Masters(masters) => self.take_masters(now, masters, out),
            LinkInput::Call { seen, call } => self.call(now, seen, *call, out),
            LinkInput::Opened { conn, response } if self.is_current(conn) => self.opened(now, response, out),
            LinkInput::Listed { conn, frameworks } if self.is_current(conn) => {
                self.listed(now, &frameworks, out);
            }
            LinkInput::Event { conn, event } if self.is_current(conn) => self.event(now, *event, out),
            LinkInput::Unreadable { conn, why } if self.is_current(conn) => {
                self.stats.unreadable_events += 1;
                self.stats.last_trouble = excerpt(&why);
                self.heard(now);
            }
            LinkInput::Alive { conn } if self.is_current(conn) => self.heard(now),
            LinkInput::Closed { conn, why } if self.is_current(conn) => {
                self.fail(
                    now,
                    Fault::passing(format!("the stream from {} ended: {}", self.asked(), excerpt(&why))),
                    out,
                );
            }
            LinkInput::Answered { conn, id, answer } if self.is_current(conn) => {
                self.answered(now, id, answer, out)
            }
            LinkInput::Event { .. } | LinkInput::Unreadable { .. } => self.stats.stale_events += 1,
            LinkInput::Opened { .. } | LinkInput::Alive { .. } | LinkInput::Closed { .. } => {}
            LinkInput::Listed { .. } | LinkInput::Answered { .. } | LinkInput::Wake => {}
        }
        self.expire(now, out);
    }

    /// When to step `Wake`; at or before now means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Off | State::Held | State::Removed | State::FailedOver => None,
            State::Waiting { until } | State::Asking { until } | State::Subscribing { until, .. } => {
                Some(*until)
            }
            State::Subscribed(subscription) => {
                let deaf = if mutant!(NoHeartbeatDeadline) { 1_000_000 } else { 1 };
                let silent = subscription.heard + subscription.patience.times(deaf);
                Some(subscription.calls.oldest_due().map_or(silent, |due| due.min(silent)))
            }
        }
    }

    /// What it has seen.
    pub const fn stats(&self) -> &LinkStats {
        &self.stats
    }

    /// How it stands.
    pub const fn status(&self) -> LinkStatus {
        match self.state {
            State::Off => LinkStatus::Off,
            State::Waiting { .. } => LinkStatus::Waiting,
            State::Asking { .. } => LinkStatus::Asking,
            State::Held => LinkStatus::Held,
            State::Subscribing { .. } => LinkStatus::Subscribing,
            State::Subscribed(_) => LinkStatus::Subscribed,
            State::Removed => LinkStatus::Removed,
            State::FailedOver => LinkStatus::FailedOver,
        }
    }

    /// The master that is or will be asked.
    pub fn master(&self) -> Option<&MasterAddress> {
        self.masters.get(self.master)
    }

    /// The whole state.
    pub fn freeze(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("the state is plain data")
    }

    /// What `freeze` gave, as a machine; `None` if it is something else.
    pub fn thaw(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    fn asked(&self) -> String {
        self.master().map_or_else(|| "no master".to_string(), MasterAddress::to_string)
    }

    fn has_connection(&self) -> bool {
        matches!(self.state, State::Asking { .. } | State::Subscribing { .. } | State::Subscribed(_))
    }

    fn is_current(&self, conn: ConnId) -> bool {
        conn == self.last_conn && self.has_connection()
    }

    fn take_masters(&mut self, now: Instant, masters: Vec<MasterAddress>, out: &mut Vec<LinkEffect>) {
        let current = self.master().cloned();
        let place = masters.iter().position(|master| Some(master) == current.as_ref());
        self.masters = masters;
        // A subscription that stands is left alone: if its master no longer leads, it says so itself.
        let stands = matches!(self.state, State::Subscribed(_));
        self.master = place.filter(|_| stands).unwrap_or(0);
        if let State::Asking { .. } | State::Subscribing { .. } = self.state
            && place != Some(0)
        {
            // Who is asked may never answer.
            self.leave(State::Waiting { until: now }, out);
        }
        if let State::Waiting { until } = &mut self.state {
            *until = now;
        }
    }

    fn call(&mut self, now: Instant, seen: ConnId, call: MesosCall, out: &mut Vec<LinkEffect>) {
        match call {
            MesosCall::Subscribe { framework_info, suppressed_roles, anew } => {
                self.wanted = Some(Wanted { framework: framework_info, suppressed_roles, anew });
                if !self.has_connection() && !matches!(self.state, State::Waiting { .. }) {
                    self.tries = 0;
                    self.state = State::Waiting { until: now };
                }
            }
            MesosCall::Disconnect => {
                self.wanted = None;
                self.leave(State::Off, out);
                let why = "the scheduler asked for it".to_string();
                out.push(LinkEffect::Up { conn: self.last_conn, event: LinkEvent::Disconnected { why } });
            }
            call => self.enqueue(now, seen, call, out),
        }
    }

    fn enqueue(&mut self, now: Instant, seen: ConnId, call: MesosCall, out: &mut Vec<LinkEffect>) {
        let State::Subscribed(subscription) = &mut self.state else {
            self.stats.calls_offline += 1;
            return;
        };
        if seen != self.last_conn {
            self.stats.calls_stale += 1;
            return;
        }
        match subscription.calls.push(call) {
            Ok(()) => self.pump(now, out),
            Err(dropped) => {
                self.stats.calls_overflowed += 1;
                if calls::answers_offers(&dropped) {
                    let why = "the master is too slow: a call that answers offers did not fit into the queue";
                    self.fail(now, Fault::passing(why.to_string()), out);
                }
            }
        }
    }

    /// Sends what may be in flight (R18).
    fn pump(&mut self, now: Instant, out: &mut Vec<LinkEffect>) {
        let State::Subscribed(subscription) = &mut self.state else { return };
        while let Some((id, call)) = subscription.calls.next_to_send(now) {
            self.stats.calls_sent += 1;
            out.push(LinkEffect::Send {
                conn: self.last_conn,
                id,
                stream_id: subscription.stream_id.clone(),
                framework: subscription.framework.clone(),
                call: Box::new(call),
            });
        }
    }

    fn answered(&mut self, now: Instant, id: CallId, answer: CallAnswer, out: &mut Vec<LinkEffect>) {
        let State::Subscribed(subscription) = &mut self.state else { return };
        let Some(answered_offers) = subscription.calls.settle(now, id) else { return };
        match answer {
            CallAnswer::Lost { why } => {
                self.stats.calls_lost += 1;
                self.stats.last_trouble = excerpt(&why);
                if answered_offers {
                    let why = format!("a call that answers offers got lost: {}", excerpt(&why));
                    return self.fail(now, Fault::passing(why), out);
                }
            }
            CallAnswer::Response(response) if response.is_success() => {}
            CallAnswer::Response(response) => {
                self.stats.calls_refused += 1;
                self.stats.last_trouble = format!("a call was refused: {response}");
                if response.denies_subscription() {
                    let why = format!("{} refuses calls of this subscription: {response}", self.asked());
                    return self.fail(now, Fault::passing(why), out);
                }
            }
        }
        self.pump(now, out);
    }

    fn opened(&mut self, now: Instant, response: Response, out: &mut Vec<LinkEffect>) {
        if let State::Asking { .. } = self.state {
            return self.unlisted(now, &response, out);
        }
        let State::Subscribing { stream_id: stream_id @ None, .. } = &mut self.state else { return };
        match response.verdict() {
            Verdict::Stream(id) => *stream_id = Some(id),
            Verdict::Redirect(target) => self.redirected(now, &target, out),
            Verdict::Refused(fault) => {
                let Fault { why, lasting } = fault;
                self.fail(now, Fault { why: format!("{} {why}", self.asked()), lasting }, out);
            }
        }
    }

    /// Follows a redirect at once, but only to a master that the operator named (R4, S20).
    fn redirected(&mut self, now: Instant, target: &MasterAddress, out: &mut Vec<LinkEffect>) {
        self.stats.redirects += 1;
        let same = |master: &MasterAddress| {
            master.port == target.port && master.host.eq_ignore_ascii_case(&target.host)
        };
        let Some(place) = self.masters.iter().position(same) else {
            let target = excerpt(&target.to_string());
            let why = format!(
                "{} says that {target} leads, which is none of the configured masters; if it is one, add it",
                self.asked()
            );
            return self.fail(now, Fault::passing(why), out);
        };
        if self.redirects >= REDIRECTS_MAX {
            let why =
                format!("the masters redirected {REDIRECTS_MAX} times in a row without agreeing on a leader");
            return self.fail(now, Fault::passing(why), out);
        }
        self.redirects += 1;
        self.leave(State::Waiting { until: now }, out);
        self.master = place;
    }

    fn event(&mut self, now: Instant, event: Event, out: &mut Vec<LinkEffect>) {
        self.heard(now);
        match event {
            Event::Error { message } => self.master_error(now, message, out),
            Event::Heartbeat => {}
            Event::Subscribed(subscribed) => self.subscribed(now, subscribed, out),
            event if matches!(self.state, State::Subscribed(_)) => {
                out.push(LinkEffect::Up { conn: self.last_conn, event: LinkEvent::Event(Box::new(event)) });
            }
            _ => self.stats.stale_events += 1,
        }
    }

    fn subscribed(&mut self, now: Instant, subscribed: Box<Subscribed>, out: &mut Vec<LinkEffect>) {
        let State::Subscribing { stream_id: Some(stream_id), .. } = &mut self.state else {
            // Twice, or before the headers: no master does that.
            self.stats.stale_events += 1;
            return;
        };
        let interval = subscribed.heartbeat_interval.unwrap_or(HEARTBEAT_DEFAULT);
        let interval = interval.clamp(HEARTBEAT_MIN, HEARTBEAT_MAX);
        let subscription = Subscription {
            since: now,
            heard: now,
            patience: interval.times(HEARTBEATS_MISSED_MAX),
            stream_id: core::mem::take(stream_id),
            framework: subscribed.framework_id.clone(),
            calls: Calls::after(self.stats.calls_sent),
        };
        self.state = State::Subscribed(Box::new(subscription));
        self.redirects = 0;
        self.stats.subscriptions += 1;
        if let Some(wanted) = &mut self.wanted {
            // From now on we are this framework: a new id would orphan every task (R9).
            if !mutant!(NewFrameworkId) {
                wanted.framework.id.get_or_insert_with(|| subscribed.framework_id.clone());
            }
        }
        out.push(LinkEffect::Up { conn: self.last_conn, event: LinkEvent::Connected(subscribed) });
    }

    /// An ERROR ends the subscription, whatever it says.
    fn master_error(&mut self, now: Instant, message: String, out: &mut Vec<LinkEffect>) {
        let conn = self.last_conn;
        self.stats.last_trouble = excerpt(&message);
        if message.contains("failed over") {
            self.leave(State::FailedOver, out);
            out.push(LinkEffect::Up { conn, event: LinkEvent::FailedOver });
        } else if message.contains("has been removed") {
            self.leave(State::Removed, out);
            out.push(LinkEffect::Up { conn, event: LinkEvent::Removed { message: excerpt(&message) } });
        } else {
            let lasting = !matches!(self.state, State::Subscribed(_));
            let why = format!("{} reports an error: {}", self.asked(), excerpt(&message));
            self.fail(now, Fault { why, lasting }, out);
        }
    }

    const fn heard(&mut self, now: Instant) {
        if let State::Subscribed(subscription) = &mut self.state {
            subscription.heard = now;
        }
    }

    /// Gives this attempt or subscription up and tries the next master after a pause.
    fn fail(&mut self, now: Instant, fault: Fault, out: &mut Vec<LinkEffect>) {
        if let State::Subscribed(subscription) = &self.state
            && now.since(subscription.since) >= SUBSCRIBE_STABLE
        {
            self.tries = 0;
        }
        let pause = self.pause(fault.lasting);
        self.tries = self.tries.saturating_add(1);
        self.redirects = 0;
        self.leave(State::Waiting { until: now + pause }, out);
        if !self.masters.is_empty() {
            self.master = (self.master + 1) % self.masters.len();
        }
        self.stats.last_trouble.clone_from(&fault.why);
        out.push(LinkEffect::Up { conn: self.last_conn, event: LinkEvent::Disconnected { why: fault.why } });
    }

    /// Full jitter below a bound that doubles (R7); for what only people can mend, always the largest bound's upper half.
    fn pause(&mut self, lasting: bool) -> Millis {
        let max = SUBSCRIBE_BACKOFF_MAX.0;
        if lasting {
            return Millis(self.rng.between(max / 2, max));
        }
        let doubled = SUBSCRIBE_BACKOFF.0.saturating_mul(1 << self.tries.min(32));
        Millis(self.rng.between(0, doubled.min(max)))
    }

    /// Closes the connection, if there is one; all calls die with it (R8).
    fn leave(&mut self, state: State, out: &mut Vec<LinkEffect>) {
        if self.has_connection() {
            out.push(LinkEffect::Close { conn: self.last_conn });
        }
        if let State::Subscribed(subscription) = &self.state {
            self.stats.calls_lost += subscription.calls.in_flight() as u64;
            self.stats.calls_offline += subscription.calls.queued() as u64;
        }
        self.state = state;
    }

    fn expire(&mut self, now: Instant, out: &mut Vec<LinkEffect>) {
        if self.next_deadline().is_none_or(|due| now < due) {
            return;
        }
        match &self.state {
            State::Off | State::Held | State::Removed | State::FailedOver => {}
            State::Waiting { .. } => self.attempt(now, out),
            State::Asking { .. } => {
                let (asked, limit) = (self.asked(), SUBSCRIBE_ANSWER.0 / 1000);
                let why = format!("{asked} did not answer GET_FRAMEWORKS within {limit} s");
                self.fail(now, Fault::passing(why), out);
            }
            State::Subscribing { .. } => {
                let why = format!(
                    "{} did not answer SUBSCRIBE within {} s",
                    self.asked(),
                    SUBSCRIBE_ANSWER.0 / 1000
                );
                self.fail(now, Fault::passing(why), out);
            }
            State::Subscribed(subscription) if now < subscription.heard + subscription.patience => {
                let why = format!("{} did not answer a call in time", self.asked());
                self.fail(now, Fault::passing(why), out);
            }
            State::Subscribed(subscription) => {
                let silence = now.since(subscription.heard).0 / 1000;
                self.stats.silences += 1;
                let why = format!("{} has been silent for {silence} s", self.asked());
                self.fail(now, Fault::passing(why), out);
            }
        }
    }

    /// Subscribes, or asks first.
    fn attempt(&mut self, now: Instant, out: &mut Vec<LinkEffect>) {
        let Some(wanted) = &self.wanted else {
            self.state = State::Off;
            return;
        };
        let asks = wanted.asks();
        let Some(master) = self.masters.get(self.master).cloned() else {
            return self.fail(now, Fault { why: "no Mesos master is known".to_string(), lasting: true }, out);
        };
        if !asks {
            return self.subscribe(now, master, out);
        }
        self.last_conn = ConnId(self.last_conn.0 + 1);
        self.stats.questions += 1;
        self.state = State::Asking { until: now + SUBSCRIBE_ANSWER };
        out.push(LinkEffect::Ask { conn: self.last_conn, master });
    }

    fn subscribe(&mut self, now: Instant, master: MasterAddress, out: &mut Vec<LinkEffect>) {
        let Some(wanted) = &self.wanted else { return };
        self.last_conn = ConnId(self.last_conn.0 + 1);
        self.stats.attempts += 1;
        self.state = State::Subscribing { until: now + SUBSCRIBE_ANSWER, stream_id: None };
        out.push(LinkEffect::Subscribe {
            conn: self.last_conn,
            master,
            framework: wanted.framework.clone(),
            suppressed_roles: wanted.suppressed_roles.clone(),
        });
    }

    /// The master told its frameworks: it may be a new one, unless the memory of an earlier one should be here (S14).
    fn listed(&mut self, now: Instant, frameworks: &[ListedFramework], out: &mut Vec<LinkEffect>) {
        let (State::Asking { .. }, Some(wanted)) = (&self.state, &self.wanted) else { return };
        let predecessors = predecessor::predecessors(&wanted.framework, frameworks);
        if predecessors.is_empty() {
            return self.subscribe_where_asked(now, out);
        }
        self.leave(State::Held, out);
        out.push(LinkEffect::Up { conn: self.last_conn, event: LinkEvent::Held { predecessors } });
    }

    /// The question got no list.
    fn unlisted(&mut self, now: Instant, response: &Response, out: &mut Vec<LinkEffect>) {
        match response.verdict() {
            Verdict::Redirect(target) => self.redirected(now, &target, out),
            // Who is not allowed to ask, or asks a master that does not know the question, begins all the same.
            _ if matches!(response.status, 400..=499) => {
                let asked = self.asked();
                self.stats.last_trouble = format!(
                    "{asked} does not tell its frameworks ({response}), so that nobody sees whether an earlier one of \
                     this journal still holds something"
                );
                self.subscribe_where_asked(now, out);
            }
            _ => {
                let why = format!("{} does not answer GET_FRAMEWORKS: {response}", self.asked());
                self.fail(now, Fault::passing(why), out);
            }
        }
    }

    fn subscribe_where_asked(&mut self, now: Instant, out: &mut Vec<LinkEffect>) {
        self.leave(State::Waiting { until: now }, out);
        if let Some(master) = self.master().cloned() {
            self.subscribe(now, master, out);
        }
    }
}
