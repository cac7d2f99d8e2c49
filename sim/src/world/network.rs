//! Owns the network between Swan and Mesos: what is on its way, in which order, and what gets lost or comes twice.

use std::collections::BTreeMap;

use swan_core::link::{
    CallAnswer, CallId, ConnId as LinkConn, LinkEffect, LinkInput, MasterAddress, Response,
};
use swan_core::mesos::{AgentId, Event, FrameworkId, FrameworkInfo, ListedFramework, Reason, TaskState};
use swan_core::rng::Rng;
use swan_core::scheduler::effect::MesosCall;

use super::Happening;
use super::oddities::Oddities;
use crate::chance::Site;
use crate::draws::{Draws, Named, SlotOf};
use crate::ledger::Ledger;
use crate::mesos::{ClusterInput, ClusterOutput, ConnId, RequestNo};
use crate::options::{MasterOptions, NetworkOptions};
use crate::queue::Queue;

/// Something on its way to the master.
#[derive(Clone, Debug)]
pub(super) enum ToMaster {
    Subscribe {
        conn: ConnId,
        framework: Box<FrameworkInfo>,
        suppressed: Vec<String>,
    },
    Ask {
        conn: ConnId,
    },
    Call {
        conn: ConnId,
        id: CallId,
        stream_id: String,
        framework: FrameworkId,
        call: Box<MesosCall>,
        fate: Fate,
    },
    Closed {
        conn: ConnId,
    },
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has its effect and is answered.
    Good,
    /// It is answered with 202 and has no effect (M7).
    Ignored,
    /// It has its effect, and the answer is lost (M8).
    Unanswered,
    /// It is lost, and so is the answer.
    Lost,
}

/// A subscription's two connections.
#[derive(Clone, Debug)]
struct Conn {
    process: u64,
    link: LinkConn,
    /// Nothing arrives any more, in either direction, and nobody is told.
    dead: bool,
    /// The process has closed it, or was told that it is closed.
    closed: bool,
    /// The master was not told that the process has closed it: what it writes from then on is answered by a reset.
    resets_from: Option<u64>,
    /// What is wrong with its stream.
    oddity: Option<Oddity>,
    to_process_at: u64,
    to_master_at: u64,
}

/// How a stream is odd that was accepted (M4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Oddity {
    /// Nothing follows.
    Silent,
    /// Nothing but heartbeats follows.
    OnlyHeartbeats,
    /// A heartbeat comes before SUBSCRIBED.
    HeartbeatFirst,
}

/// The network.
#[derive(Clone, Debug)]
pub(super) struct Network {
    options: NetworkOptions,
    masters: MasterOptions,
    /// A master leads; else SUBSCRIBE is refused, and calls are lost.
    pub(super) has_leader: bool,
    /// Which of the masters leads, or led last.
    leader: usize,
    rng: Rng,
    conns: BTreeMap<ConnId, Conn>,
    next_conn: u64,
    next_request: u64,
    requests: BTreeMap<RequestNo, (ConnId, CallId, Fate)>,
    oddities: Oddities,
    /// Until when, and by how much at most, messages are late, ms.
    slow: (u64, u64),
}

/// How many masters there are where one may redirect to another.
const MASTERS: usize = 3;
/// Linux gives a connection up when what it has sent was not acknowledged for so long, ms.
const RETRANSMITS_MS: u64 = 924_000;

type ToCome = Vec<(u64, Happening)>;

fn no_leader() -> Response {
    Response { body: "No leader elected".into(), ..Response::of_status(503) }
}

impl Network {
    pub(super) const fn new(
        options: NetworkOptions,
        masters: MasterOptions,
        odd_updates: u32,
        rng: Rng,
    ) -> Self {
        Self {
            options,
            oddities: Oddities::new(odd_updates, masters.odd_offers),
            masters,
            has_leader: true,
            leader: 0,
            rng,
            conns: BTreeMap::new(),
            next_conn: 0,
            next_request: 0,
            requests: BTreeMap::new(),
            slow: (0, 0),
        }
    }

    /// Messages are late until then, by up to so many ms.
    pub(super) const fn slow_down(&mut self, until: u64, by: u64) {
        self.slow = (until, by);
    }

    /// An agent's clock is so much ahead.
    pub(super) fn skew_clock(&mut self, agent: AgentId, by: i64) {
        self.oddities.skew_clock(agent, by);
    }

    /// Agents' clocks are right, and packets arrive.
    pub(super) fn heal(&mut self, now: u64) {
        self.oddities.heal();
        self.slow = (0, 0);
        for conn in self.conns.values_mut() {
            conn.resets_from = conn.resets_from.map(|from| from.min(now));
        }
    }

    /// How long a message may take.
    pub(super) const fn longest(&self) -> u64 {
        self.options.latency_ms.1 + self.slow.1
    }

    fn latency(&mut self, now: u64) -> u64 {
        let (until, by) = self.slow;
        let late = if now < until { self.rng.between(0, by) } else { 0 };
        late + self.rng.between(self.options.latency_ms.0, self.options.latency_ms.1)
    }

    fn arrive(&self, conn: ConnId, at: u64, input: LinkInput) -> (u64, Happening) {
        (at, Happening::Arrive { process: self.conns[&conn].process, input })
    }

    /// When a message sent now arrives, in order behind all before it.
    fn arrives_here(&mut self, now: u64, conn: ConnId) -> u64 {
        let latency = self.latency(now);
        let conn = self.conns.get_mut(&conn).expect("connections are kept");
        conn.to_process_at = conn.to_process_at.max(now + latency);
        conn.to_process_at
    }

    fn arrives_there(&mut self, now: u64, conn: ConnId) -> u64 {
        let latency = self.latency(now);
        let conn = self.conns.get_mut(&conn).expect("connections are kept");
        conn.to_master_at = conn.to_master_at.max(now + latency);
        conn.to_master_at
    }

    fn find(&self, process: u64, link: LinkConn) -> Option<ConnId> {
        let found = self.conns.iter().rev().find(|(_, conn)| conn.process == process && conn.link == link);
        found.map(|(id, _)| *id)
    }

    /// Carries out what the process wants of the network.
    pub(super) fn carry_out(
        &mut self,
        now: u64,
        process: u64,
        effect: LinkEffect,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> ToCome {
        match effect {
            LinkEffect::Subscribe { conn, master, framework, suppressed_roles } => {
                let opened = self.open(now, process, conn);
                if let Some(answer) = self.turned_away(now, opened, &master, draws, ledger) {
                    return answer;
                }
                if draws.chance(Site::OddStream, &"", self.masters.odd_streams)
                    && let Some(instead) = self.oddly(now, opened, draws, ledger)
                {
                    return instead;
                }
                let at = self.arrives_there(now, opened);
                let suppressed = suppressed_roles;
                vec![(at, Happening::Reach(ToMaster::Subscribe { conn: opened, framework, suppressed }))]
            }
            LinkEffect::Ask { conn, master } => {
                let opened = self.open(now, process, conn);
                if let Some(answer) = self.turned_away(now, opened, &master, draws, ledger) {
                    return answer;
                }
                let at = self.arrives_there(now, opened);
                vec![(at, Happening::Reach(ToMaster::Ask { conn: opened }))]
            }
            LinkEffect::Send { conn, id, stream_id, framework, call } => {
                let Some(conn) = self.find(process, conn) else { return Vec::new() };
                if self.conns[&conn].dead {
                    return Vec::new();
                }
                let fate = self.fate(&call, draws, ledger);
                let at = self.arrives_there(now, conn);
                let message = ToMaster::Call { conn, id, stream_id, framework, call, fate };
                vec![(at, Happening::Reach(message))]
            }
            LinkEffect::Close { conn } => {
                let Some(conn) = self.find(process, conn) else { return Vec::new() };
                self.close(now, conn, draws, ledger)
            }
            LinkEffect::Up { .. } => Vec::new(),
        }
    }

    fn open(&mut self, now: u64, process: u64, link: LinkConn) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        let (to_process_at, to_master_at) = (now, now);
        let (dead, closed, resets_from, oddity) = (false, false, None, None);
        let new = Conn { process, link, dead, closed, resets_from, oddity, to_process_at, to_master_at };
        self.conns.insert(conn, new);
        conn
    }

    /// All masters, as an operator would name them.
    pub(super) fn masters(&self) -> Vec<MasterAddress> {
        let count = if self.masters.redirects > 0 { MASTERS } else { 1 };
        (1..=count).map(|n| MasterAddress { host: format!("master{n}.test"), port: 5050 }).collect()
    }

    /// Another master is elected.
    pub(super) fn next_leads(&mut self) {
        self.leader = (self.leader + 1) % self.masters().len();
    }

    /// Where a master sends who subscribes there: to the leader if it is another; wrongly, to any, itself, or a stranger.
    fn redirect(&self, asked: &MasterAddress, draws: &mut Draws, ledger: &mut Ledger) -> Option<String> {
        let all = self.masters();
        let place = |master: &MasterAddress| format!("//{master}/api/v1/scheduler");
        if draws.chance(Site::Redirected, &"", self.masters.redirects) {
            ledger.note("master: wrong redirect (M3)");
            return Some(match draws.number("kind", 0, 3) {
                0 => place(asked),
                1 => place(&all[draws.number("to", 0, all.len() as u64 - 1) as usize]),
                2 => "//stranger.test:5050/api/v1/scheduler".into(),
                _ => "/api/v1/scheduler".into(),
            });
        }
        let leader = &all[self.leader];
        (self.has_leader && leader != asked).then(|| place(leader))
    }

    /// The answer of a master that does not lead, or does not want to be asked.
    fn turned_away(
        &mut self,
        now: u64,
        opened: ConnId,
        master: &MasterAddress,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> Option<ToCome> {
        if let Some(location) = self.redirect(master, draws, ledger) {
            let response = Response { location: Some(location), ..Response::of_status(307) };
            return Some(self.carry(now, opened, |conn| LinkInput::Opened { conn, response }));
        }
        let refused = draws.chance(Site::SubscribeRefused, &"", self.options.refusals);
        refused.then(|| self.refuse(now, opened, draws, ledger))
    }

    fn refuse(&mut self, now: u64, conn: ConnId, draws: &mut Draws, ledger: &mut Ledger) -> ToCome {
        if draws.also("swallowed", 300_000) {
            ledger.note("network: SUBSCRIBE swallowed");
            self.conns.get_mut(&conn).expect("connections are kept").dead = true;
            return Vec::new();
        }
        let response = if draws.chance(Site::Forbidden, &"", 300_000) {
            ledger.note("master: SUBSCRIBE forbidden (M6)");
            Response::of_status(if draws.also("unknown", 500_000) { 401 } else { 403 })
        } else {
            ledger.note("network: SUBSCRIBE refused");
            no_leader()
        };
        self.carry(now, conn, |conn| LinkInput::Opened { conn, response })
    }

    /// The stream will be odd; gives what comes instead of it, if the master never hears of it.
    fn oddly(&mut self, now: u64, conn: ConnId, draws: &mut Draws, ledger: &mut Ledger) -> Option<ToCome> {
        let oddity = match draws.number("kind", 0, 3) {
            0 => Oddity::Silent,
            1 => Oddity::OnlyHeartbeats,
            2 => Oddity::HeartbeatFirst,
            _ => {
                ledger.note("master: ERROR before SUBSCRIBED (M4)");
                return Some(self.error_first(now, conn));
            }
        };
        ledger.note(match oddity {
            Oddity::HeartbeatFirst => "master: HEARTBEAT before SUBSCRIBED (M4)",
            Oddity::Silent | Oddity::OnlyHeartbeats => "master: no SUBSCRIBED (M4)",
        });
        self.conns.get_mut(&conn).expect("connections are kept").oddity = Some(oddity);
        None
    }

    fn error_first(&mut self, now: u64, conn: ConnId) -> ToCome {
        let response = Response { stream_id: Some("odd".into()), ..Response::of_status(200) };
        let mut to_come = self.carry(now, conn, |conn| LinkInput::Opened { conn, response });
        let event = Box::new(Event::Error { message: "Framework is not allowed to subscribe".into() });
        to_come.extend(self.carry(now, conn, |conn| LinkInput::Event { conn, event }));
        let why = "end of the stream".into();
        to_come.extend(self.carry(now, conn, |conn| LinkInput::Closed { conn, why }));
        to_come
    }

    fn fate(&self, call: &MesosCall, draws: &mut Draws, ledger: &mut Ledger) -> Fate {
        if draws.chance(Site::CallIgnored, &Named(call), self.options.lost_calls) {
            ledger.note("network: call ignored after 202 (M7)");
            return Fate::Ignored;
        }
        if draws.chance(Site::AnswerLost, &Named(call), self.options.lost_answers) {
            if !draws.also("andTheCall", 500_000) {
                ledger.note("network: answer lost (M8)");
                return Fate::Unanswered;
            }
            ledger.note("network: call lost");
            return Fate::Lost;
        }
        Fate::Good
    }

    /// Something arrives at the master's side: what it becomes there.
    pub(super) fn reach(
        &mut self,
        now: u64,
        message: ToMaster,
        queue: &mut Queue<Happening>,
    ) -> Option<ClusterInput> {
        match message {
            ToMaster::Ask { conn } | ToMaster::Subscribe { conn, .. } if !self.has_leader => {
                let refused = self.carry(now, conn, |conn| LinkInput::Opened { conn, response: no_leader() });
                refused.into_iter().for_each(|(at, happening)| queue.push(at, happening));
                None
            }
            // The world answers it by itself.
            ToMaster::Ask { .. } => None,
            ToMaster::Subscribe { conn, framework, suppressed } => {
                let call = swan_core::mesos::Call::Subscribe {
                    framework_info: framework.clone(),
                    suppressed_roles: suppressed,
                };
                let framework_id = framework.id;
                Some(ClusterInput::Subscribe { conn, stream_id: None, framework_id, call: call.into() })
            }
            ToMaster::Call { conn, id, stream_id, framework, call, fate } => {
                let link = self.conns[&conn].link;
                let fate = if self.has_leader { fate } else { Fate::Lost };
                if fate == Fate::Ignored || fate == Fate::Lost {
                    let answer = match fate {
                        Fate::Ignored => CallAnswer::Response(Response::of_status(202)),
                        _ => CallAnswer::Lost { why: "connection reset".into() },
                    };
                    if !self.conns[&conn].dead {
                        let at = self.arrives_here(now, conn);
                        let input = LinkInput::Answered { conn: link, id, answer };
                        let (at, happening) = self.arrive(conn, at, input);
                        queue.push(at, happening);
                    }
                    return None;
                }
                self.next_request += 1;
                let request = RequestNo(self.next_request);
                self.requests.insert(request, (conn, id, fate));
                let call = Box::new(call.into_call()?);
                let (stream_id, framework_id) = (Some(stream_id), Some(framework));
                Some(ClusterInput::Call { request, stream_id, framework_id, call })
            }
            ToMaster::Closed { conn } => Some(ClusterInput::Closed { conn }),
        }
    }

    /// Carries what the master says.
    pub(super) fn deliver(
        &mut self,
        now: u64,
        output: ClusterOutput,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> ToCome {
        if let Some(reset) = self.reset(now, &output) {
            ledger.note("network: reset of what was half open (M5)");
            return vec![reset];
        }
        match output {
            ClusterOutput::Accepted { conn, stream_id } => {
                let response = Response { stream_id: Some(stream_id), ..Response::of_status(200) };
                self.carry(now, conn, |conn| LinkInput::Opened { conn, response })
            }
            ClusterOutput::Rejected { conn, status, body } => {
                let response = Response { body, ..Response::of_status(status) };
                self.carry(now, conn, |conn| LinkInput::Opened { conn, response })
            }
            ClusterOutput::Answer { request, status, body } => {
                let Some((conn, id, fate)) = self.requests.remove(&request) else { return Vec::new() };
                let answer = match fate {
                    Fate::Unanswered => CallAnswer::Lost { why: "connection reset".into() },
                    _ => CallAnswer::Response(Response { body, ..Response::of_status(status) }),
                };
                self.carry(now, conn, |conn| LinkInput::Answered { conn, id, answer })
            }
            ClusterOutput::Event { conn, event } => self.event(now, conn, event, draws, ledger),
            ClusterOutput::End { conn } => {
                self.carry(now, conn, |conn| LinkInput::Closed { conn, why: "end of the stream".into() })
            }
            ClusterOutput::Break { conn } => {
                self.carry(now, conn, |conn| LinkInput::Closed { conn, why: "connection reset".into() })
            }
            ClusterOutput::Joined { .. } | ClusterOutput::Launch { .. } | ClusterOutput::Kill { .. } => {
                Vec::new()
            }
        }
    }

    /// Carries the master's list of its frameworks.
    pub(super) fn tell_frameworks(
        &mut self,
        now: u64,
        conn: ConnId,
        frameworks: Vec<ListedFramework>,
    ) -> ToCome {
        self.carry(now, conn, |conn| LinkInput::Listed { conn, frameworks })
    }

    fn carry(&mut self, now: u64, conn: ConnId, input: impl FnOnce(LinkConn) -> LinkInput) -> ToCome {
        if self.conns.get(&conn).is_none_or(|conn| conn.dead) {
            return Vec::new();
        }
        let at = self.arrives_here(now, conn);
        vec![self.arrive(conn, at, input(self.conns[&conn].link))]
    }

    fn event(
        &mut self,
        now: u64,
        conn: ConnId,
        event: Box<Event>,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> ToCome {
        let mut to_come = Vec::new();
        match self.conns.get_mut(&conn).and_then(|conn| conn.oddity) {
            Some(Oddity::Silent) => return to_come,
            Some(Oddity::OnlyHeartbeats) if !matches!(*event, Event::Heartbeat) => return to_come,
            Some(Oddity::OnlyHeartbeats) | None => {}
            Some(Oddity::HeartbeatFirst) => {
                self.conns.get_mut(&conn).expect("found just now").oddity = None;
                let event = Box::new(Event::Heartbeat);
                to_come.extend(self.carry(now, conn, |conn| LinkInput::Event { conn, event }));
            }
        }
        let mut event = match self.answer(now, conn, event, draws, ledger) {
            Ok(event) => event,
            Err(instead) => return instead,
        };
        if let Event::Offers(offers) = &mut *event {
            offers.iter_mut().for_each(|offer| self.oddities.distort_offer(offer, draws, ledger));
        }
        if let Event::Update(status) = &mut *event
            && let Some(before) = self.oddities.distort(status, draws, ledger)
        {
            let event = Box::new(Event::Update(Box::new(before)));
            to_come.extend(self.carry(now, conn, |conn| LinkInput::Event { conn, event }));
        }
        if let Event::Update(update) = &*event {
            let slot = SlotOf(&update.task_id);
            if draws.chance(Site::UpdateTwice, &slot, self.options.duplicates) {
                ledger.note("network: update twice (M9)");
                let twice = event.clone();
                to_come.extend(self.carry(now, conn, |conn| LinkInput::Event { conn, event: twice }));
            }
            if self.conns.get(&conn).is_some_and(|conn| !conn.dead)
                && draws.chance(Site::UpdateReplayed, &slot, self.options.replays)
            {
                ledger.note("network: update replayed late (M9)");
                let at = now + self.longest() + draws.number("laterMs", 1, 120_000);
                let link = self.conns[&conn].link;
                to_come.push(self.arrive(conn, at, LinkInput::Event { conn: link, event: event.clone() }));
            }
        }
        to_come.extend(if draws.chance(Site::Garbled, &"", self.options.garbled) {
            ledger.note("network: unreadable record (N2)");
            self.carry(now, conn, |conn| LinkInput::Unreadable { conn, why: "no event".into() })
        } else {
            self.carry(now, conn, |conn| LinkInput::Event { conn, event })
        });
        to_come
    }

    /// An answer to RECONCILE may be lost, late, or older than it could be (M13); gives what comes instead of the event.
    fn answer(
        &mut self,
        now: u64,
        conn: ConnId,
        mut event: Box<Event>,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> Result<Box<Event>, ToCome> {
        let Event::Update(status) = &mut *event else { return Ok(event) };
        let is_answer = status.reason == Some(Reason::Reconciliation) && status.uuid.is_none();
        if !is_answer || !draws.chance(Site::OddAnswer, &SlotOf(&status.task_id), self.masters.odd_answers) {
            return Ok(event);
        }
        match draws.number("kind", 0, 2) {
            0 => {
                ledger.note("master: does not answer RECONCILE (M13)");
                Err(Vec::new())
            }
            1 => {
                ledger.note("master: answers RECONCILE late (M13)");
                let at = now + self.longest() + draws.number("laterMs", 1, 300_000);
                let Some(link) = self.conns.get(&conn).filter(|conn| !conn.dead).map(|conn| conn.link) else {
                    return Err(Vec::new());
                };
                Err(vec![self.arrive(conn, at, LinkInput::Event { conn: link, event })])
            }
            _ => {
                if matches!(status.state, TaskState::Running | TaskState::Starting) {
                    ledger.note("master: answers RECONCILE with an old state (M13)");
                    status.state = TaskState::Staging;
                    status.healthy = None;
                    status.ip_addresses.clear();
                }
                Ok(event)
            }
        }
    }

    /// The connections of a process that is gone: the master hears of it, sooner or later.
    pub(super) fn process_gone(
        &mut self,
        now: u64,
        process: u64,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> ToCome {
        let theirs = self.conns.iter().filter(|(_, conn)| !conn.closed && conn.process == process);
        let open: Vec<ConnId> = theirs.map(|(id, _)| *id).collect();
        open.into_iter().flat_map(|id| self.close(now, id, draws, ledger)).collect()
    }

    /// The process's side of a connection is closed. Of one that died without a word the master learns only by writing:
    /// a reset answers it once packets arrive again, and until then it waits for an acknowledgement.
    fn close(&mut self, now: u64, id: ConnId, draws: &mut Draws, ledger: &mut Ledger) -> ToCome {
        let at = self.arrives_there(now, id);
        let conn = self.conns.get_mut(&id).expect("connections are kept");
        conn.closed = true;
        if !conn.dead {
            return vec![(at, Happening::Reach(ToMaster::Closed { conn: id }))];
        }
        let lasts = draws.chance(Site::StaysHalfOpen, &"", 500_000);
        if lasts {
            ledger.note("network: stays half open after its process (M5)");
        }
        conn.resets_from = Some(now + if lasts { draws.number("forMs", 1, RETRANSMITS_MS) } else { 0 });
        Vec::new()
    }

    /// What comes of writing to a connection whose process has closed it unheard.
    fn reset(&mut self, now: u64, output: &ClusterOutput) -> Option<(u64, Happening)> {
        let (ClusterOutput::Event { conn, .. } | ClusterOutput::Accepted { conn, .. }) = *output else {
            return None;
        };
        self.conns.get_mut(&conn)?.resets_from.take_if(|from| *from <= now)?;
        Some((self.arrives_there(now, conn), Happening::Reach(ToMaster::Closed { conn })))
    }

    /// Breaks the newest connection; both sides see it, each in its time.
    pub(super) fn cut(&mut self, now: u64, draws: &mut Draws) -> Option<ToCome> {
        let (&id, conn) = self.conns.iter().next_back().filter(|(_, conn)| !conn.closed && !conn.dead)?;
        let link = conn.link;
        let here = self.arrives_here(now, id);
        let there =
            self.arrives_there(now, id) + if draws.also("masterSeesItLater", 300_000) { 5_000 } else { 0 };
        let why = "connection reset by peer".into();
        let told = self.arrive(id, here, LinkInput::Closed { conn: link, why });
        let conn = self.conns.get_mut(&id).expect("found just now");
        (conn.dead, conn.closed) = (true, true);
        Some(vec![told, (there, Happening::Reach(ToMaster::Closed { conn: id }))])
    }

    /// Lets the newest connection die without a word.
    pub(super) fn half_open(&mut self) -> bool {
        let newest = self.conns.values_mut().next_back().filter(|conn| !conn.closed && !conn.dead);
        newest.is_some_and(|conn| {
            conn.dead = true;
            true
        })
    }
}
