//! Owns elections: each candidate is an ephemeral node with a number; the lowest is elected, and each of the others
//! watches only the one before it (R97).
//!
//! Nodes are known as ours by the session that owns them: neither one whose creation was never answered, nor one of an
//! earlier session is mistaken (R94, R96).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use swan_core::lease::ElectionEvent;
use swan_core::scheduler::input::CrashNote;
use swan_core::time::Instant;
use tokio::sync::{mpsc, oneshot};
use zookeeper_client::{Client, CreateMode, Error};

use super::layout::Tree;
use super::notes::ZkCrashNotes;
use super::session::Sessions;

const PREFIX: &str = "candidate-";
/// A watch that is lost does not keep a candidate waiting for longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Confirmations asked for within a session's timeout.
const CONFIRMATIONS: u32 = 6;
/// Pause after an error while the session lives.
const RETRY: Duration = Duration::from_millis(200);

/// What a candidate hears.
#[derive(Debug)]
pub enum Heard {
    /// What ended processes of this cluster, as known when the election was won; told before that is.
    CrashNotes(Vec<CrashNote>),
    /// News of the election.
    Election(ElectionEvent),
}

/// Whom it is told.
type News = Box<dyn Fn(Heard) + Send + Sync>;

enum Command {
    Campaign(News),
    Resign(oneshot::Sender<()>),
}

/// This process's part in elections.
#[derive(Clone)]
pub struct Election {
    commands: mpsc::UnboundedSender<Command>,
}

impl fmt::Debug for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Election")
    }
}

impl Election {
    /// Takes part by `sessions`, as the manager at `address`, on the runtime that this is called in. `clock` is the
    /// monotonic clock by which leadership is counted.
    pub fn new(
        sessions: Sessions,
        notes: ZkCrashNotes,
        address: String,
        clock: impl Fn() -> Instant + Send + Sync + 'static,
    ) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let clock = Box::new(clock);
        let candidate = Candidate { sessions, notes, address, clock, told: Mutex::default() };
        tokio::spawn(candidate.run(inbox));
        Self { commands }
    }

    /// Stands for election, once; `news` hears what comes of it until the next command.
    pub fn campaign(&self, news: impl Fn(Heard) + Send + Sync + 'static) {
        self.command(Command::Campaign(Box::new(news)));
    }

    /// Withdraws, or gives leadership back. Returns a future that ends when it is done.
    pub fn resign(&self) -> impl Future<Output = ()> + Send + use<> {
        let (done, ended) = oneshot::channel();
        self.command(Command::Resign(done));
        async move { drop(ended.await) }
    }

    fn command(&self, command: Command) {
        // The candidate lives as long as its runtime; after that nobody elects.
        let _ = self.commands.send(command);
    }
}

struct Candidate {
    sessions: Sessions,
    notes: ZkCrashNotes,
    address: String,
    clock: Box<dyn Fn() -> Instant + Send + Sync>,
    /// The trouble that people were last told of: it is tried again too often to repeat it each time.
    told: Mutex<String>,
}

impl Candidate {
    async fn run(self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let mut next = inbox.recv().await;
        while let Some(command) = next {
            next = match command {
                Command::Campaign(news) => tokio::select! {
                    biased;
                    next = inbox.recv() => next,
                    () = self.campaign(&news) => inbox.recv().await,
                },
                Command::Resign(done) => {
                    self.withdraw().await;
                    // Whoever asked may not care.
                    let _ = done.send(());
                    inbox.recv().await
                }
            };
        }
    }

    /// Stands, leads, and tells, until it is over.
    async fn campaign(&self, news: &News) {
        let client = self.sessions.up().await;
        let seat = Seat { client: &client, tree: self.sessions.tree() };
        let ended = async {
            let mut states = client.state_watcher();
            while !states.state().is_terminated() {
                states.changed().await;
            }
        };
        let stand = async {
            if let Some(own) = self.stand(seat, news).await {
                self.lead(seat, &own, news).await;
            }
        };
        tokio::select! {
            () = ended => news(Heard::Election(ElectionEvent::Lost)),
            () = stand => {}
        }
    }

    /// Becomes the lowest candidate; returns its node. `None` if it was taken away.
    async fn stand(&self, seat: Seat<'_>, news: &News) -> Option<String> {
        let own = loop {
            match seat.take(&self.address).await {
                Ok(own) => break own,
                Err(error) => self.pause(&error, news).await,
            }
        };
        loop {
            let asked = (self.clock)();
            match seat.before(&own).await {
                Ok(Place::First) => {
                    self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    news(Heard::CrashNotes(self.notes.read().await));
                    news(Heard::Election(ElectionEvent::Acquired { asked }));
                    return Some(own);
                }
                Ok(Place::Behind(other)) => {
                    if let Err(error) = seat.wait_for(&other).await {
                        self.pause(&error, news).await;
                    }
                }
                Ok(Place::Gone) => {
                    news(Heard::Election(ElectionEvent::Lost));
                    return None;
                }
                Err(error) => self.pause(&error, news).await,
            }
        }
    }

    /// Confirms leadership again and again, until it is lost.
    async fn lead(&self, seat: Seat<'_>, own: &str, news: &News) {
        let pause = self.sessions.timeout() / CONFIRMATIONS;
        loop {
            tokio::time::sleep(pause).await;
            let asked = (self.clock)();
            match seat.holds(own).await {
                Ok(true) => news(Heard::Election(ElectionEvent::Confirmed { asked })),
                Ok(false) => return news(Heard::Election(ElectionEvent::Lost)),
                Err(_) => news(Heard::Election(ElectionEvent::Disconnected)),
            }
        }
    }

    async fn pause(&self, error: &Error, news: &News) {
        self.complain(format!("the election in ZooKeeper waits: {error}"));
        news(Heard::Election(ElectionEvent::Disconnected));
        tokio::time::sleep(RETRY).await;
    }

    fn complain(&self, trouble: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != trouble {
            tracing::warn!("{trouble}");
            *told = trouble;
        }
    }

    /// Removes our nodes. Without a session there are none, or they end with it.
    async fn withdraw(&self) {
        let Ok(client) = self.sessions.client() else { return };
        let seat = Seat { client: &client, tree: self.sessions.tree() };
        while let Err(error) = seat.leave().await {
            if client.state().is_terminated() {
                return;
            }
            self.complain(format!("resigning in ZooKeeper waits: {error}"));
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Where a candidate stands.
enum Place {
    First,
    /// This one is next before it.
    Behind(String),
    Gone,
}

/// A session's part of the candidates' node.
#[derive(Clone, Copy)]
struct Seat<'a> {
    client: &'a Client,
    tree: &'a Tree,
}

impl Seat<'_> {
    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.tree.candidates())
    }

    /// All candidates in order, as of now and not of before.
    async fn all(&self) -> Result<Vec<String>, Error> {
        let path = self.tree.candidates();
        let (sync, list) = (self.client.sync(&path), self.client.list_children(&path));
        sync.await?;
        list.await.map(in_order)
    }

    /// Our own nodes: one, or two if a creation was not answered.
    async fn own(&self) -> Result<Vec<String>, Error> {
        let mut own = Vec::new();
        for name in self.all().await? {
            if self.holds(&name).await? {
                own.push(name);
            }
        }
        Ok(own)
    }

    /// Whether this node is there and ours.
    async fn holds(&self, name: &str) -> Result<bool, Error> {
        let path = self.path(name);
        let (sync, stat) = (self.client.sync(&path), self.client.check_stat(&path));
        sync.await?;
        let owner = stat.await?.map(|stat| stat.ephemeral_owner);
        Ok(owner == Some(self.client.session_id().0))
    }

    /// Makes our node, if there is none yet; returns its name.
    async fn take(&self, address: &str) -> Result<String, Error> {
        if let Some(own) = self.own().await?.into_iter().next() {
            return Ok(own);
        }
        let options = self.tree.options(CreateMode::EphemeralSequential);
        let (_, sequence) = self.client.create(&self.path(PREFIX), address.as_bytes(), &options).await?;
        Ok(format!("{PREFIX}{sequence}"))
    }

    async fn before(&self, own: &str) -> Result<Place, Error> {
        let all = self.all().await?;
        Ok(match all.iter().position(|name| name == own) {
            None => Place::Gone,
            Some(0) => Place::First,
            Some(at) => Place::Behind(all[at - 1].clone()),
        })
    }

    /// Waits until something happens to another candidate, or for long enough.
    async fn wait_for(&self, other: &str) -> Result<(), Error> {
        let (stat, watcher) = self.client.check_and_watch_stat(&self.path(other)).await?;
        if stat.is_some() {
            // After this time: the watch may have been lost (R95).
            drop(tokio::time::timeout(LOOK_AGAIN, watcher.changed()).await);
        }
        Ok(())
    }

    async fn leave(&self) -> Result<(), Error> {
        for name in self.own().await? {
            match self.client.delete(&self.path(&name), None).await {
                Ok(()) | Err(Error::NoNode) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Candidates by their number; what is none is left out.
pub(super) fn in_order(names: Vec<String>) -> Vec<String> {
    let number = |name: &String| name.strip_prefix(PREFIX)?.parse::<i64>().ok();
    let mut numbered: Vec<_> =
        names.into_iter().filter_map(|name| number(&name).map(|number| (number, name))).collect();
    numbered.sort_unstable();
    numbered.into_iter().map(|(_, name)| name).collect()
}
