//! Owns the model ZooKeeper: sessions, connections that break at any point, writes whose answers are lost, reads from
//! servers that lag; and what each manager's client of it does. It honours the contract of
//! `swan_core::journal::StoreOp` and of `swan_core::lease::ElectionEvent`.
//!
//! Requests of one connection are carried out in order. What was on its way when a connection broke is lost, or carried
//! out, or carried out later, also after its client is back, as long as the session lives (R94).

mod client;
mod ensemble;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use swan_core::journal::{OpId, Readers, StoreOp, StoreResult};
use swan_core::record::Epoch;
use swan_core::rng::Rng;

use self::client::Client;
pub(crate) use self::ensemble::SESSION_MS;
use self::ensemble::{ConnId, Ensemble, LAG_MAX_MS, Place, SessionId, claimed, is_read};
use crate::chance::Site;
use crate::disk::rot::Part;
use crate::disk::{Done, Platter};
use crate::draws::{Draws, Named};
use crate::ledger::Ledger;
use crate::options::EnsembleOptions;
use crate::queue::Queue;

/// The servers need so long to see that a session is over, ms.
const TICK_MS: u64 = 2_000;

/// What a client asks of the servers.
#[derive(Clone, Debug)]
enum Request {
    /// A storage operation of one life of a manager.
    Op { life: u64, id: OpId, op: StoreOp },
    /// Stand for election, if this session does not yet.
    Stand,
    /// Enter the register as one that reads up to this format level, if this session is not there yet.
    Join { reads: u8 },
    /// What can all registered managers read?
    Readers,
    /// Withdraw this node.
    Leave { node: u64 },
    /// Withdraw all nodes of this session.
    Sweep,
    /// Where does this node stand?
    Look { node: u64, asked: u64 },
    /// Is this node, the first, still there?
    Confirm { node: u64, asked: u64 },
}

/// What the servers answer.
#[derive(Clone, Debug)]
enum Answer {
    Op { life: u64, id: OpId, result: StoreResult, rotten: Option<Part> },
    Stands { node: u64 },
    Joined,
    Readers(Readers),
    Left,
    Place { asked: u64, place: Place },
    Confirmed { asked: u64, stands: bool },
}

/// What happens next.
#[derive(Clone, Debug)]
enum Due {
    /// A request arrives at a server.
    Reach { conn: ConnId, request: Request },
    /// A write of a connection that broke is carried out after all; a cut only if there was none since.
    Late { session: SessionId, op: StoreOp, cuts: u64 },
    /// A session is over, if nothing was heard since this turn of it.
    Expire { session: SessionId, turn: u64 },
    /// Something happens to a client.
    Client { client: usize, conn: ConnId, what: ToClient },
}

/// What happens to a client.
#[derive(Clone, Debug)]
enum ToClient {
    Answered(Answer),
    /// A candidate that was watched is gone.
    Watched,
    /// It notices that its connection is gone.
    Broken,
    /// It tries to connect.
    Connects,
    /// It asks again what all can read.
    Counts,
    /// It gives up an operation that it could not even send.
    Unsent {
        life: u64,
        id: OpId,
    },
    /// A time of its own has come.
    Timer {
        turn: u64,
    },
}

/// News for a manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The end of an operation of this life.
    Stored {
        life: u64,
        id: OpId,
        result: StoreResult,
        /// What it reads that is damaged.
        rotten: Option<Part>,
    },
    /// What all registered managers can read.
    Readers(Readers),
    /// From the election; times are the world's.
    Acquired {
        asked: u64,
    },
    Confirmed {
        asked: u64,
    },
    Disconnected,
    Lost,
}

/// What came of some time passing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Came {
    /// What became of the journal.
    pub(crate) done: Done,
    /// Epochs that are claimed from now on.
    pub(crate) claimed: Vec<Epoch>,
    /// What each manager is told, in order.
    pub(crate) news: Vec<(usize, News)>,
}

/// The model.
#[derive(Debug)]
pub(crate) struct ZooKeeper {
    options: EnsembleOptions,
    /// Share of reads of the register that are answered by a server that lags, ppm.
    stale_register: u32,
    rng: Rng,
    ensemble: Ensemble,
    /// A majority of servers can talk to each other.
    quorum: bool,
    clients: BTreeMap<usize, Client>,
    conns: u64,
    queue: Queue<Due>,
    came: Came,
}

impl ZooKeeper {
    /// An empty one, without clients.
    pub(crate) fn new(options: EnsembleOptions, stale_register: u32, rng: Rng) -> Self {
        Self {
            options,
            stale_register,
            rng,
            ensemble: Ensemble::default(),
            quorum: true,
            clients: BTreeMap::new(),
            conns: 0,
            queue: Queue::new(),
            came: Came::default(),
        }
    }

    /// The journal as a majority has it.
    pub(crate) const fn journal(&self) -> &Platter {
        self.ensemble.journal()
    }

    /// Puts an old copy in the place of everything that is kept. Nobody may be connected.
    pub(crate) fn restore(&mut self, journal: Platter) {
        self.ensemble.restore(journal);
        self.queue = Queue::new();
    }

    /// Whose candidate is the first.
    pub(crate) fn first(&self) -> Option<usize> {
        let session = self.ensemble.first()?;
        self.clients.iter().find(|(_, client)| client.session == Some(session)).map(|(number, _)| *number)
    }

    /// Whether the client of this manager has a connection, as far as it knows.
    pub(crate) fn is_connected(&self, client: usize) -> bool {
        self.clients.get(&client).is_some_and(|client| client.conn.is_some())
    }

    /// Up to which level each registered manager reads.
    pub(crate) fn registered(&self) -> Vec<u8> {
        self.ensemble.registered()
    }

    /// A new process of a manager begins, with a client that knows nothing. It enters the register as one that reads up
    /// to this format level, where there are builds of several.
    pub(crate) fn process_starts(&mut self, now: u64, client: usize, joins: Option<u8>) {
        self.clients.insert(client, Client::new(joins));
        self.connect_later(now, client, 1);
    }

    /// A process is gone; its session lives on until the servers miss it.
    pub(crate) fn process_gone(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        self.sever(now, client, draws, ledger);
        self.clients.remove(&client);
    }

    /// A process does not run for a while.
    pub(crate) fn pause(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.paused = Some(Vec::new());
        if let Some(session) = it.conn.and_then(|conn| self.ensemble.session_of(conn)) {
            self.lose_contact(now, session, draws, ledger);
        }
    }

    /// A process runs again: all that waited for it comes at once.
    pub(crate) fn resume(&mut self, now: u64, client: usize) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        let (conn, waiting) = (it.conn, it.paused.take().unwrap_or_default());
        if let Some(conn) = conn
            && let Some(session) = self.ensemble.session_of(conn)
        {
            self.ensemble.attach(now, session, conn);
        }
        for (conn, what) in waiting {
            self.queue.push(now, Due::Client { client, conn, what });
        }
    }

    /// The connection of a client breaks, and there is no other for so long. It notices at once, or, where packets just
    /// vanish, when it has heard nothing for too long.
    pub(crate) fn cut(
        &mut self,
        now: u64,
        client: usize,
        away: u64,
        silent: bool,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.away_until = it.away_until.max(now + away);
        let Some(conn) = it.conn else { return };
        self.sever(now, client, draws, ledger);
        let notices = now + if silent { SESSION_MS / 3 * 2 } else { self.latency() };
        self.tell(notices, client, conn, ToClient::Broken);
    }

    /// No majority of servers is left, or there is one again.
    pub(crate) fn set_quorum(&mut self, now: u64, quorum: bool, draws: &mut Draws, ledger: &mut Ledger) {
        if quorum == self.quorum {
            return;
        }
        self.quorum = quorum;
        if quorum {
            for (session, turn) in self.ensemble.touch_all(now) {
                self.queue.push(now + SESSION_MS + TICK_MS, Due::Expire { session, turn });
            }
            return;
        }
        let all: Vec<usize> = self.clients.keys().copied().collect();
        for client in all {
            self.cut(now, client, 0, false, draws, ledger);
        }
    }

    /// Damages something of the journal (Z5); says whether.
    pub(crate) fn rot(&mut self, draws: &mut Draws) -> bool {
        self.ensemble.rot(draws)
    }

    /// An operator mends what is damaged.
    pub(crate) fn mend(&mut self) {
        self.ensemble.mend();
    }

    /// Nobody is kept away any more, and nothing is damaged.
    pub(crate) fn heal(&mut self, now: u64) {
        self.mend();
        for client in self.clients.values_mut() {
            client.away_until = now;
        }
    }

    /// Takes a storage operation of one life of a manager.
    pub(crate) fn submit(
        &mut self,
        now: u64,
        client: usize,
        life: u64,
        (id, op): (OpId, StoreOp),
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) {
        if self.is_connected(client) {
            return self.send(now, client, Request::Op { life, id, op }, draws, ledger);
        }
        let gives_up = now + self.rng.between(10, 1_000);
        self.tell(gives_up, client, 0, ToClient::Unsent { life, id });
    }

    /// When to call [`Self::step`].
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.queue.next_at()
    }

    /// Lets the next thing happen that is due.
    pub(crate) fn step(&mut self, now: u64, draws: &mut Draws, ledger: &mut Ledger) -> Came {
        if self.queue.next_at().is_some_and(|at| at <= now)
            && let Some(due) = self.queue.pop()
        {
            match due {
                Due::Reach { conn, request } => self.reach(now, conn, request, draws, ledger),
                Due::Late { session, op, cuts } => {
                    let stands = !matches!(op, StoreOp::Cut { .. }) || cuts == self.ensemble.cuts();
                    if self.quorum && stands && self.ensemble.lives(session) {
                        ledger.note("zookeeper: write after its connection (R94)");
                        self.apply(now, &op);
                    }
                }
                Due::Expire { session, turn } => self.expire(now, session, turn, draws, ledger),
                Due::Client { client, conn, what } => self.client(now, client, conn, what, draws, ledger),
            }
        }
        std::mem::take(&mut self.came)
    }

    fn latency(&mut self) -> u64 {
        self.rng.between(self.options.latency_ms.0, self.options.latency_ms.1)
    }

    fn tell(&mut self, at: u64, client: usize, conn: ConnId, what: ToClient) {
        self.queue.push(at, Due::Client { client, conn, what });
    }

    /// Sends a request on the connection that there is.
    fn send(&mut self, now: u64, client: usize, request: Request, draws: &mut Draws, ledger: &mut Ledger) {
        let mut takes = self.latency();
        let what: &dyn std::fmt::Debug = if let Request::Op { op, .. } = &request { op } else { &request };
        if draws.chance(Site::ZooKeeperSlow, &Named(what), self.options.slow) {
            ledger.note("zookeeper: slow (Z1)");
            takes += draws.number("ms", 100, SESSION_MS / 2);
        }
        let Some(it) = self.clients.get_mut(&client) else { return };
        let Some(conn) = it.conn else { return };
        it.reaches_at = it.reaches_at.max(now + takes);
        it.waits.push_back((false, request.clone()));
        self.queue.push(it.reaches_at, Due::Reach { conn, request });
    }

    /// A request arrives at a server, unless its connection is gone there.
    fn reach(&mut self, now: u64, conn: ConnId, request: Request, draws: &mut Draws, ledger: &mut Ledger) {
        let Some(session) = self.ensemble.session_of(conn) else { return };
        let Some(client) = self.client_of(conn) else { return };
        self.ensemble.hear(now, session);
        if let Request::Op { op, .. } = &request
            && draws.chance(Site::ZooKeeperLost, &Named(op), self.options.lost)
        {
            ledger.note("zookeeper: connection lost at an operation (Z2)");
            if draws.also("applied", 500_000) {
                self.take_first(client);
                self.apply(now, op);
            }
            return self.cut(now, client, 0, false, draws, ledger);
        }
        self.take_first(client);
        let answer = self.answer(now, (conn, session), request, draws, ledger);
        let takes = self.latency();
        let Some(it) = self.clients.get_mut(&client) else { return };
        it.answers_at = it.answers_at.max(now + takes);
        let at = it.answers_at;
        self.tell(at, client, conn, ToClient::Answered(answer));
    }

    fn client_of(&self, conn: ConnId) -> Option<usize> {
        self.clients.iter().find(|(_, client)| client.conn == Some(conn)).map(|(number, _)| *number)
    }

    /// The first request of a client that had not reached a server has.
    fn take_first(&mut self, client: usize) {
        let waits = self.clients.get_mut(&client).map(|it| &mut it.waits);
        if let Some((reached, _)) = waits.and_then(|all| all.iter_mut().find(|(reached, _)| !reached)) {
            *reached = true;
        }
    }

    fn answer(
        &mut self,
        now: u64,
        (conn, session): (ConnId, SessionId),
        request: Request,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> Answer {
        match request {
            Request::Op { life, id, op } => {
                let (result, rotten) = if is_read(&op) {
                    self.read(now, conn, &op, draws, ledger)
                } else {
                    let result = self.apply(now, &op);
                    if let StoreOp::SwitchManifest { joined: Some(joined), .. } = op
                        && joined != self.ensemble.readers().joined
                    {
                        ledger.note("format: somebody joined before it rose (U1)");
                    }
                    self.has_seen(conn, self.ensemble.zxid());
                    (result, None)
                };
                Answer::Op { life, id, result, rotten }
            }
            Request::Stand => Answer::Stands { node: self.ensemble.stand(session) },
            Request::Join { reads } => {
                self.ensemble.join(now, session, reads);
                Answer::Joined
            }
            Request::Readers => Answer::Readers(self.count(now, draws, ledger)),
            Request::Leave { node } => {
                let told = self.ensemble.leave(node);
                self.notify(now, told, draws, ledger);
                Answer::Left
            }
            Request::Sweep => {
                let told = self.ensemble.sweep(session);
                self.notify(now, told, draws, ledger);
                Answer::Left
            }
            Request::Look { node, asked } => Answer::Place { asked, place: self.ensemble.look(node, conn) },
            Request::Confirm { node, asked } => {
                Answer::Confirmed { asked, stands: self.ensemble.stands(node) }
            }
        }
    }

    /// A read comes after a `sync`, which most often helps (R92). Gives what is damaged of it, too.
    fn read(
        &mut self,
        now: u64,
        conn: ConnId,
        op: &StoreOp,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> (StoreResult, Option<Part>) {
        if draws.chance(Site::StaleRead, &Named(op), self.options.stale) {
            ledger.note("zookeeper: stale read (Z4)");
            let lag = draws.number("lagMs", 1, LAG_MAX_MS);
            let seen = self.client_of(conn).map_or(0, |client| self.clients[&client].seen);
            let result = self.ensemble.read_stale(now, lag, seen, op);
            self.has_seen(conn, self.ensemble.lagging_at());
            return (result, None);
        }
        self.has_seen(conn, self.ensemble.zxid());
        let rotten = self.ensemble.journal().reads_rotten(op);
        (self.ensemble.apply(now, op, &mut self.came.done), rotten)
    }

    /// What all can read; a server that lags may say what was so before.
    fn count(&mut self, now: u64, draws: &mut Draws, ledger: &mut Ledger) -> Readers {
        if draws.chance(Site::StaleRegister, &"", self.stale_register) {
            ledger.note("zookeeper: stale register (Z4)");
            let lag = draws.number("lagMs", 1, LAG_MAX_MS);
            return self.ensemble.readers_before(now, lag);
        }
        self.ensemble.readers()
    }

    /// A client takes no server that has seen less than it.
    fn has_seen(&mut self, conn: ConnId, zxid: u64) {
        if let Some(it) = self.client_of(conn).and_then(|client| self.clients.get_mut(&client)) {
            it.seen = it.seen.max(zxid);
        }
    }

    fn apply(&mut self, now: u64, op: &StoreOp) -> StoreResult {
        let result = self.ensemble.apply(now, op, &mut self.came.done);
        self.came.claimed.extend(claimed(op, &result));
        result
    }

    /// Those who watch a candidate hear that it is gone.
    fn notify(
        &mut self,
        now: u64,
        told: impl IntoIterator<Item = ConnId>,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) {
        for conn in told {
            let Some(client) = self.client_of(conn) else { continue };
            if draws.chance(Site::WatchLost, &client, self.options.lost_watches) {
                ledger.note("zookeeper: watch not told (Z4)");
                continue;
            }
            let at = now + self.latency();
            self.tell(at, client, conn, ToClient::Watched);
        }
    }

    /// The servers' side of a connection is gone. Of what was on its way, in order, some may be carried out at once,
    /// and one more write later.
    fn sever(&mut self, now: u64, client: usize, draws: &mut Draws, ledger: &mut Ledger) {
        let Some(it) = self.clients.get_mut(&client) else { return };
        let Some(session) = it.conn.and_then(|conn| self.ensemble.session_of(conn)) else { return };
        let unreached = it.waits.iter().filter(|(reached, _)| !reached).map(|(_, request)| request.clone());
        let mut unreached: Vec<Request> = unreached.collect();
        let all = unreached.len() as u64;
        if all > 0 && draws.chance(Site::ZooKeeperKeeps, &client, (1_000_000 * all / (all + 1)) as u32) {
            let kept = draws.number("requests", 0, all) as usize;
            let later = draws.also("oneMoreLater", 500_000);
            let wait = if later { draws.number("laterMs", 1, 10_000) } else { 0 };
            unreached.truncate(kept + usize::from(later));
            for (at, request) in unreached.into_iter().enumerate() {
                if let Request::Join { reads } = request {
                    self.ensemble.join(now, session, reads);
                } else if let Request::Op { op, .. } = request
                    && !is_read(&op)
                {
                    let at = now + if at < kept { 0 } else { wait };
                    let cuts = self.ensemble.cuts();
                    self.queue.push(at, Due::Late { session, op, cuts });
                }
            }
        }
        self.lose_contact(now, session, draws, ledger);
        self.ensemble.detach(session);
    }

    fn lose_contact(&mut self, now: u64, session: SessionId, draws: &mut Draws, ledger: &mut Ledger) {
        let Some((earliest, turn)) = self.ensemble.lose_contact(now, session) else { return };
        let mut at = earliest + self.rng.between(0, TICK_MS);
        if draws.chance(Site::LateExpiry, &"", self.options.late_expiry) {
            ledger.note("zookeeper: session ends late (Z2)");
            at += draws.number("ms", 1, 5 * SESSION_MS);
        }
        self.queue.push(at.max(now), Due::Expire { session, turn });
    }

    fn expire(&mut self, now: u64, session: SessionId, turn: u64, draws: &mut Draws, ledger: &mut Ledger) {
        // Only a majority can end a session, and whoever leads it next begins to count anew.
        let Some(earliest) = self.ensemble.ends_at(session, turn).filter(|_| self.quorum) else { return };
        if now < earliest {
            return self.queue.push(earliest, Due::Expire { session, turn });
        }
        ledger.note("zookeeper: session over (Z2)");
        let (told, conn) = self.ensemble.end_session(now, session);
        if let Some(conn) = conn
            && let Some(client) = self.client_of(conn)
        {
            self.tell(now, client, conn, ToClient::Broken);
        }
        self.notify(now, told, draws, ledger);
    }
}
