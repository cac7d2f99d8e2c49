//! Owns a manager's client of ZooKeeper: it connects, keeps its session, and stands for election by the usual recipe:
//! a sequential node that goes with the session, of which the first leads, and each watches the one before it.

use std::collections::VecDeque;

use swan_core::journal::StoreResult;

use super::ensemble::{ConnId, Place, SESSION_MS, SessionId};
use super::{Answer, Draws, Ledger, News, Request, ToClient, ZooKeeper};

/// How often a leader asks whether its node is still there, ms.
const CONFIRM_MS: u64 = SESSION_MS / 6;
/// How often a candidate asks where it stands, should it not be told, ms.
const LOOK_MS: u64 = 5_000;
/// How often a manager asks what all of them can read, ms.
const COUNT_MS: u64 = 2_000;
/// Longest pause between two attempts to connect, ms.
const RECONNECT_MS: u64 = 1_000;

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Option<SessionId>,
    /// The connection that it has, as far as it knows.
    pub(super) conn: Option<ConnId>,
    /// The newest write that it has seen, also in earlier sessions.
    pub(super) seen: u64,
    /// Requests without an answer, in order, and whether each has reached a server.
    pub(super) waits: VecDeque<(bool, Request)>,
    /// When the newest request reaches a server, and the newest answer this client.
    pub(super) reaches_at: u64,
    pub(super) answers_at: u64,
    /// Until then it does not get through.
    pub(super) away_until: u64,
    /// While its process does not run: what waits for it.
    pub(super) paused: Option<Vec<(ConnId, ToClient)>>,
    /// As which it enters the register, if it does; and the session in which it has.
    joins: Option<u8>,
    joined: Option<SessionId>,
    election: Election,
    /// Grows whenever a timer that is set shall mean nothing any more.
    turn: u64,
}

/// What it does about the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Election {
    /// Nothing.
    Out,
    /// It wants to stand, and does not know its node yet.
    Standing,
    /// It stands.
    Candidate { node: u64 },
    /// It leads, as far as it knows.
    Elected { node: u64 },
}

impl Client {
    pub(super) const fn new(joins: Option<u8>) -> Self {
        Self {
            joins,
            joined: None,
            session: None,
            conn: None,
            seen: 0,
            waits: VecDeque::new(),
            reaches_at: 0,
            answers_at: 0,
            away_until: 0,
            paused: None,
            election: Election::Out,
            turn: 0,
        }
    }
}

impl ZooKeeper {
    /// A manager stands for election.
    pub(crate) fn campaign(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.election = Election::Standing;
        if it.conn.is_some() {
            self.send(now, client, Request::Stand, draws, ledger);
        }
    }

    /// A manager withdraws.
    pub(crate) fn resign(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.turn += 1;
        let before = std::mem::replace(&mut it.election, Election::Out);
        let (Election::Candidate { node } | Election::Elected { node }) = before else { return };
        // Without a connection it does so as soon as there is one, if the session still lives then.
        if it.conn.is_some() {
            self.send(now, client, Request::Leave { node }, draws, ledger);
        }
    }

    pub(super) fn connect_later(&mut self, now: u64, client: usize, wait: u64) {
        self.tell(now + wait, client, 0, ToClient::Connects);
    }

    fn news(&mut self, client: usize, news: News) {
        self.came.news.push((client, news));
    }

    /// Something happens to a client, as soon as it runs.
    pub(super) fn client(
        &mut self,
        now: u64,
        client: usize,
        conn: ConnId,
        what: ToClient,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        if let Some(waiting) = &mut it.paused {
            return waiting.push((conn, what));
        }
        let current = it.conn == Some(conn);
        match what {
            ToClient::Answered(answer) if current => self.answered(now, client, answer, draws, ledger),
            ToClient::Watched if current => self.look(now, client, draws, ledger),
            ToClient::Broken if current => self.disconnected(now, client),
            ToClient::Answered(_) | ToClient::Watched | ToClient::Broken => {}
            ToClient::Connects => self.connect(now, client, draws, ledger),
            ToClient::Counts if current => self.send(now, client, Request::Readers, draws, ledger),
            ToClient::Counts => {}
            ToClient::Unsent { life, id } => {
                let result = StoreResult::FailedClean("there is no connection to ZooKeeper".into());
                self.news(client, News::Stored { life, id, result, rotten: None });
            }
            ToClient::Timer { turn } if turn == it.turn => match it.election {
                Election::Elected { node } => self.confirm(now, client, node, draws, ledger),
                Election::Candidate { .. } => self.look(now, client, draws, ledger),
                Election::Out | Election::Standing => {}
            },
            ToClient::Timer { .. } => {}
        }
    }

    /// The connection is gone: nobody knows what became of what had no answer yet (R94).
    fn disconnected(&mut self, now: u64, client: usize) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.conn = None;
        it.turn += 1;
        let waits = std::mem::take(&mut it.waits);
        let stands = it.election != Election::Out;
        for (_, request) in waits {
            if let Request::Op { life, id, .. } = request {
                let result = StoreResult::Unknown("the connection to ZooKeeper was lost".into());
                self.news(client, News::Stored { life, id, result, rotten: None });
            }
        }
        if stands {
            self.news(client, News::Disconnected);
        }
        let wait = self.rng.between(1, RECONNECT_MS);
        self.connect_later(now, client, wait);
    }

    /// It connects, if it gets through, with the session that it has or, if that is over, a new one.
    fn connect(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        let wait = self.rng.between(1, RECONNECT_MS);
        let Some(it) = self.clients.get_mut(&client) else { return };
        if it.conn.is_some() {
            return;
        }
        if !self.quorum || now < it.away_until {
            return self.connect_later(now, client, wait);
        }
        let before = it.session.filter(|session| self.ensemble.lives(*session));
        let lost = before.is_none() && it.session.is_some();
        let session = before.unwrap_or_else(|| self.ensemble.begin_session());
        self.conns += 1;
        let conn = self.conns;
        self.ensemble.attach(now, session, conn);
        (it.session, it.conn) = (Some(session), Some(conn));
        (it.reaches_at, it.answers_at) = (now, now);
        // Before anything else: whoever raises the format level must know of it before it reads.
        if let Some(reads) = it.joins {
            let first = if it.joined == Some(session) { Request::Readers } else { Request::Join { reads } };
            self.send(now, client, first, draws, ledger);
        }
        let Some(it) = self.clients.get_mut(&client) else { return };
        if lost && matches!(it.election, Election::Candidate { .. } | Election::Elected { .. }) {
            it.election = Election::Out;
            return self.news(client, News::Lost);
        }
        let request = match it.election {
            Election::Out => Request::Sweep,
            Election::Standing => Request::Stand,
            Election::Candidate { node } => Request::Look { node, asked: now },
            Election::Elected { node } => Request::Confirm { node, asked: now },
        };
        self.send(now, client, request, draws, ledger);
    }

    fn look(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        if let Some(Client { election: Election::Candidate { node }, conn: Some(_), .. }) =
            self.clients.get(&client)
        {
            let node = *node;
            self.send(now, client, Request::Look { node, asked: now }, draws, ledger);
        }
    }

    fn confirm(&mut self, now: u64, client: usize, node: u64, draws: &mut Draws, ledger: &mut Ledger) {
        self.send(now, client, Request::Confirm { node, asked: now }, draws, ledger);
    }

    fn set_timer(&mut self, at: u64, client: usize) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.turn += 1;
        let turn = it.turn;
        self.tell(at, client, 0, ToClient::Timer { turn });
    }

    fn answered(&mut self, now: u64, client: usize, answer: Answer, draws: &mut Draws, ledger: &mut Ledger) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.waits.pop_front();
        match answer {
            Answer::Op { life, id, result, rotten } => {
                self.news(client, News::Stored { life, id, result, rotten });
            }
            Answer::Left => {}
            Answer::Joined => {
                it.joined = it.session;
                self.send(now, client, Request::Readers, draws, ledger);
            }
            Answer::Readers(readers) => {
                self.news(client, News::Readers(readers));
                let Some(conn) = self.clients.get(&client).and_then(|it| it.conn) else { return };
                self.tell(now + COUNT_MS, client, conn, ToClient::Counts);
            }
            Answer::Stands { node } if it.election == Election::Standing => {
                it.election = Election::Candidate { node };
                self.look(now, client, draws, ledger);
            }
            // It has withdrawn meanwhile, unless it stands again by another request.
            Answer::Stands { node } if it.election == Election::Out => {
                self.send(now, client, Request::Leave { node }, draws, ledger);
            }
            Answer::Stands { .. } => {}
            Answer::Place { asked, place } => self.placed(now, client, asked, place),
            Answer::Confirmed { asked, stands } => {
                let Election::Elected { .. } = it.election else { return };
                if !stands {
                    return self.is_out(client);
                }
                self.news(client, News::Confirmed { asked });
                self.set_timer((asked + CONFIRM_MS).max(now + 1), client);
            }
        }
    }

    fn placed(&mut self, now: u64, client: usize, asked: u64, place: Place) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        let Election::Candidate { node } = it.election else { return };
        match place {
            Place::First => {
                it.election = Election::Elected { node };
                self.news(client, News::Acquired { asked });
                self.set_timer(now + CONFIRM_MS, client);
            }
            Place::Behind => self.set_timer(now + LOOK_MS, client),
            Place::Gone => self.is_out(client),
        }
    }

    fn is_out(&mut self, client: usize) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.election = Election::Out;
        it.turn += 1;
        self.news(client, News::Lost);
    }
}
