//! Owns what the servers keep: the journal, the candidates, the register, who is heard of, and what a server that lags still shows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use swan_core::journal::{Payload, Readers, StoreOp, StoreResult};

use crate::disk::{Done, Platter};
use crate::draws::Draws;

/// A session ends when nothing was heard of it for so long, ms, or later.
pub(crate) const SESSION_MS: u64 = 6_000;
/// A client that has nothing else to say says so every so many ms.
const PING_MS: u64 = SESSION_MS / 3;
/// No server lags more than this, ms.
pub(super) const LAG_MAX_MS: u64 = 10_000;

/// Names a session.
pub(super) type SessionId = u64;
/// Names a connection, never used twice.
pub(super) type ConnId = u64;

/// What the servers know of a session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The connection on which it is heard.
    pub(super) conn: Option<ConnId>,
    /// When that was opened, and when it was heard last beside its pings.
    since: u64,
    heard: u64,
    /// Grows when contact is lost or made: an end that was due before is not.
    pub(super) turn: u64,
}

/// One write, when it was made, and which.
#[derive(Clone, Debug)]
struct Commit {
    zxid: u64,
    at: u64,
    op: StoreOp,
}

/// The servers, as far as a client can tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Ensemble {
    /// All that a majority has.
    journal: Platter,
    /// The number of the newest write.
    zxid: u64,
    /// How often the log was cut: the version of the node that holds it, which each cut checks.
    cuts: u64,
    /// Who stands for election: the session of each, by sequence number.
    candidates: BTreeMap<u64, SessionId>,
    stood: u64,
    /// Up to which format level each manager reads that has joined, by its session; and what that came to, since when.
    register: BTreeMap<SessionId, u8>,
    counted: VecDeque<(u64, Readers)>,
    /// Connections to be told when a candidate goes, once.
    watches: BTreeMap<u64, BTreeSet<ConnId>>,
    sessions: BTreeMap<SessionId, Session>,
    begun: u64,
    /// What a server that lags has, up to which write, and the writes that it has not seen.
    lagging: (Platter, u64),
    unseen: VecDeque<Commit>,
}

/// Where a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Behind,
    /// It does not stand any more.
    Gone,
}

impl Ensemble {
    pub(super) const fn journal(&self) -> &Platter {
        &self.journal
    }

    /// Damages something; says whether.
    pub(super) fn rot(&mut self, draws: &mut Draws) -> bool {
        self.journal.rot(true, draws)
    }

    /// An operator mends what is damaged.
    pub(super) fn mend(&mut self) {
        self.journal.mend();
    }

    pub(super) const fn zxid(&self) -> u64 {
        self.zxid
    }

    pub(super) const fn cuts(&self) -> u64 {
        self.cuts
    }

    /// An operator puts an old copy in the place of everything.
    pub(super) fn restore(&mut self, journal: Platter) {
        let (begun, stood) = (self.begun, self.stood);
        *self = Self { lagging: (journal.clone(), 0), journal, begun, stood, ..Self::default() };
    }

    /// Carries out an operation on what a majority has. One that carries an epoch is one transaction with a check of
    /// the epoch's node (R91).
    pub(super) fn apply(&mut self, now: u64, op: &StoreOp, done: &mut Done) -> StoreResult {
        let result = self.journal.apply(op, done);
        if is_read(op) {
            return result;
        }
        self.zxid += 1;
        self.cuts += u64::from(matches!((op, &result), (StoreOp::Cut { .. }, StoreResult::Done(_))));
        // What a majority has is durable.
        self.journal.settle();
        if let StoreResult::Done(_) = result {
            // What damage here has made fail has no effect anywhere.
            self.unseen.push_back(Commit { zxid: self.zxid, at: now, op: unconditional(op) });
        }
        self.see(|commit| commit.at + LAG_MAX_MS < now);
        result
    }

    /// Answers a read as a server does that lags by so many ms, but knows all that the client has seen.
    pub(super) fn read_stale(&mut self, now: u64, lag: u64, seen: u64, op: &StoreOp) -> StoreResult {
        self.see(|commit| commit.zxid <= seen || commit.at + lag < now);
        self.lagging.0.apply(op, &mut Done::default())
    }

    /// How far the server has come that lags.
    pub(super) const fn lagging_at(&self) -> u64 {
        self.lagging.1
    }

    /// Lets the server that lags see writes.
    fn see(&mut self, is_seen: impl Fn(&Commit) -> bool) {
        while let Some(Commit { zxid, op, .. }) = self.unseen.pop_front_if(|commit| is_seen(commit)) {
            self.lagging.0.apply(&op, &mut Done::default());
            self.lagging.0.settle();
            self.lagging.1 = zxid;
        }
    }

    /// A manager enters the register, once in each session.
    pub(super) fn join(&mut self, now: u64, session: SessionId, reads: u8) {
        if self.register.insert(session, reads).is_none() {
            self.journal.join();
            self.count(now);
        }
    }

    fn count(&mut self, now: u64) {
        let counted = self.readers();
        self.counted.push_back((now, counted));
    }

    /// Up to which level each registered manager reads.
    pub(super) fn registered(&self) -> Vec<u8> {
        self.register.values().copied().collect()
    }

    /// What the register comes to.
    pub(super) fn readers(&self) -> Readers {
        let lowest = self.register.values().copied().min().unwrap_or(u8::MAX);
        Readers { lowest, joined: self.journal.joined() }
    }

    /// The same, as a server shows it that lags by so many ms.
    pub(super) fn readers_before(&mut self, now: u64, lag: u64) -> Readers {
        while self.counted.len() > 1 && self.counted[1].0 + LAG_MAX_MS < now {
            self.counted.pop_front();
        }
        let seen = self.counted.iter().rev().find(|(at, _)| at + lag <= now).or_else(|| self.counted.front());
        seen.map_or_else(|| self.readers(), |(_, readers)| *readers)
    }

    pub(super) fn begin_session(&mut self) -> SessionId {
        self.begun += 1;
        let session = Session { conn: None, since: 0, heard: 0, turn: 0 };
        self.sessions.insert(self.begun, session);
        self.begun
    }

    pub(super) fn lives(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// The session that is heard on this connection.
    pub(super) fn session_of(&self, conn: ConnId) -> Option<SessionId> {
        let found = self.sessions.iter().find(|(_, session)| session.conn == Some(conn));
        found.map(|(id, _)| *id)
    }

    /// A session is heard on a connection from now on.
    pub(super) fn attach(&mut self, now: u64, session: SessionId, conn: ConnId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.turn += 1;
            *session = Session { conn: Some(conn), since: now, heard: now, turn: session.turn };
        }
    }

    /// Something was heard of a session.
    pub(super) fn hear(&mut self, now: u64, session: SessionId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.heard = now;
        }
    }

    /// A session is not heard any more, for now: when it may end at the earliest, and the turn that this is.
    pub(super) fn lose_contact(&mut self, now: u64, session: SessionId) -> Option<(u64, u64)> {
        let session = self.sessions.get_mut(&session)?;
        let pinged = now - (now - session.since) % PING_MS;
        session.heard = session.heard.max(pinged);
        session.turn += 1;
        Some((session.heard + SESSION_MS, session.turn))
    }

    /// The servers have a new leader, who gives each session all its time.
    pub(super) fn touch_all(&mut self, now: u64) -> Vec<(SessionId, u64)> {
        let touch = |(id, session): (&SessionId, &mut Session)| {
            session.turn += 1;
            session.heard = now;
            (*id, session.turn)
        };
        self.sessions.iter_mut().map(touch).collect()
    }

    pub(super) fn detach(&mut self, session: SessionId) {
        if let Some(session) = self.sessions.get_mut(&session) {
            session.conn = None;
        }
    }

    /// When a session may end at the earliest, if nothing was heard since this turn of it but what was on its way.
    pub(super) fn ends_at(&self, session: SessionId, turn: u64) -> Option<u64> {
        let session = self.sessions.get(&session).filter(|session| session.turn == turn)?;
        Some(session.heard + SESSION_MS)
    }

    /// A session is over, and so are its candidates: who is to be told, and on which connection it was heard.
    pub(super) fn end_session(&mut self, now: u64, session: SessionId) -> (Vec<ConnId>, Option<ConnId>) {
        if self.register.remove(&session).is_some() {
            self.count(now);
        }
        let conn = self.sessions.remove(&session).and_then(|session| session.conn);
        let theirs: Vec<u64> = self.nodes_of(session).collect();
        (theirs.into_iter().flat_map(|node| self.leave(node)).collect(), conn)
    }

    fn nodes_of(&self, session: SessionId) -> impl Iterator<Item = u64> {
        self.candidates.iter().filter(move |(_, owner)| **owner == session).map(|(node, _)| *node)
    }

    /// A session stands for election, if it does not yet; gives its node.
    pub(super) fn stand(&mut self, session: SessionId) -> u64 {
        if let Some(node) = self.nodes_of(session).next() {
            return node;
        }
        self.stood += 1;
        self.candidates.insert(self.stood, session);
        self.stood
    }

    /// A candidate withdraws: who is to be told.
    pub(super) fn leave(&mut self, node: u64) -> BTreeSet<ConnId> {
        self.candidates.remove(&node);
        self.watches.remove(&node).unwrap_or_default()
    }

    /// All nodes that a session has.
    pub(super) fn sweep(&mut self, session: SessionId) -> Vec<ConnId> {
        let theirs: Vec<u64> = self.nodes_of(session).collect();
        theirs.into_iter().flat_map(|node| self.leave(node)).collect()
    }

    pub(super) fn stands(&self, node: u64) -> bool {
        self.candidates.contains_key(&node)
    }

    /// Where a candidate stands; `conn` is told when the one before it goes.
    pub(super) fn look(&mut self, node: u64, conn: ConnId) -> Place {
        if !self.stands(node) {
            return Place::Gone;
        }
        match self.candidates.range(..node).next_back() {
            None => Place::First,
            Some((before, _)) => {
                self.watches.entry(*before).or_default().insert(conn);
                Place::Behind
            }
        }
    }

    /// The session that leads.
    pub(super) fn first(&self) -> Option<SessionId> {
        self.candidates.first_key_value().map(|(_, session)| *session)
    }
}

/// What a server that lags does in the end, since a majority did so.
fn unconditional(op: &StoreOp) -> StoreOp {
    match op.clone() {
        StoreOp::SwitchManifest { epoch, expected, manifest, .. } => {
            StoreOp::SwitchManifest { epoch, expected, joined: None, manifest }
        }
        op => op,
    }
}

/// Whether an operation changes nothing.
pub(super) const fn is_read(op: &StoreOp) -> bool {
    matches!(
        op,
        StoreOp::ReadEpoch
            | StoreOp::ReadLog { .. }
            | StoreOp::ReadChunk { .. }
            | StoreOp::ListChunks
            | StoreOp::ReadManifest
    )
}

/// The epoch that an operation has just claimed.
pub(super) const fn claimed(op: &StoreOp, result: &StoreResult) -> Option<swan_core::record::Epoch> {
    match (op, result) {
        (StoreOp::ClaimEpoch { epoch, .. }, StoreResult::Done(Payload::Nothing)) => Some(*epoch),
        _ => None,
    }
}
