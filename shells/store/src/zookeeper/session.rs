//! Owns sessions with an ensemble: a client for as long as its session lives, then another.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use zookeeper_client::{Client, Error, SessionState, TlsCa, TlsCerts, TlsIdentity, TlsOptions};

use super::address::Address;
use super::layout::Tree;
use super::registry::{self, Member};
use crate::error::StoreError;

/// Pause before a session that could not be had is asked for again.
const RETRY: Duration = Duration::from_millis(500);

/// Who Swan is to ZooKeeper: `user:password`, for its `digest` scheme. Never shown.
#[derive(Clone)]
pub struct Credentials(String);

impl Credentials {
    /// Takes `user:password`; fails if it is something else.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        match text.split_once(':') {
            Some((user, password)) if !user.is_empty() && !password.is_empty() => Ok(Self(text.to_owned())),
            _ => Err(StoreError::new("it must hold one line 'user:password'".to_owned())),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// PEM files for TLS to ZooKeeper.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Whom to trust.
    pub ca: PathBuf,
    /// Our certificate and its key, if servers ask for one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How to reach an ensemble.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// How long a silent session lives.
    pub session_timeout: Duration,
    /// With these, nodes are open to nobody else.
    pub credentials: Option<Credentials>,
    /// Without these, connections are not encrypted.
    pub tls: Option<TlsFiles>,
}

/// The session of this process, whichever it is now. Cheap to clone; it ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Sessions {
    state: watch::Receiver<State>,
    tree: Tree,
    timeout: Duration,
}

/// What is expected of a journal's nodes.
#[derive(Clone, Copy, Debug)]
enum Journal {
    /// They are made if there are none.
    Wanted,
    /// They are there.
    Present,
}

/// What a session needs before anything else is done in it.
struct Beginning {
    journal: Journal,
    tree: Tree,
    /// The manager that it is of.
    member: Option<Member>,
}

#[derive(Clone, Debug)]
enum State {
    /// Nobody has been asked yet.
    New,
    Up(Client),
    /// Says why, to people.
    Down(String),
}

impl Sessions {
    /// Begins to keep a session with the ensemble that holds a journal, on the runtime that this is called in.
    /// ZooKeeper need not be there. What a journal needs is made if it is not there.
    pub fn of_journal(options: Options) -> Result<Self, StoreError> {
        Self::keep(options, Some((Journal::Wanted, None)))
    }

    /// As [`Self::of_journal`], for a manager: in each session it joins the register before anything is read, so that
    /// whoever raises the format level either counts it, or has done so before it reads.
    pub fn of_manager(options: Options, member: Member) -> Result<Self, StoreError> {
        Self::keep(options, Some((Journal::Wanted, Some(member))))
    }

    /// As [`Self::of_journal`], but makes nothing: there is no session if there is no journal.
    pub fn of_present_journal(options: Options) -> Result<Self, StoreError> {
        Self::keep(options, Some((Journal::Present, None)))
    }

    /// Begins to keep a session with the ensemble in which Mesos's masters tell of themselves; makes nothing there.
    pub fn of_masters(options: Options) -> Result<Self, StoreError> {
        Self::keep(options, None)
    }

    fn keep(options: Options, journal: Option<(Journal, Option<Member>)>) -> Result<Self, StoreError> {
        let tls = options.tls.as_ref().map(tls).transpose()?;
        let tree = Tree::new(options.address.root(), options.credentials.is_some());
        let timeout = options.session_timeout;
        let (sender, state) = watch::channel(State::New);
        let beginning = journal.map(|(journal, member)| Beginning { journal, tree: tree.clone(), member });
        tokio::spawn(keep(options, tls, beginning, sender));
        Ok(Self { state, tree, timeout })
    }

    /// Where things are.
    pub(super) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The session's timeout.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The client of the present session; `Err` says why there is none.
    pub(super) fn client(&self) -> Result<Client, String> {
        match &*self.state.borrow() {
            State::Up(client) => Ok(client.clone()),
            State::Down(why) => Err(why.clone()),
            State::New => Err("ZooKeeper has not answered yet".to_owned()),
        }
    }

    /// As [`Self::client`], but waits for the outcome of the very first try.
    pub(super) async fn settled_client(&self) -> Result<Client, String> {
        let mut state = self.state.clone();
        // The keeper lives as long as its runtime.
        drop(state.wait_for(|state| !matches!(state, State::New)).await);
        self.client()
    }

    /// Waits until there is a session.
    pub async fn connected(&self) {
        drop(self.up().await);
    }

    /// Waits for a session.
    pub(super) async fn up(&self) -> Client {
        let mut state = self.state.clone();
        loop {
            if let State::Up(client) = &*state.borrow_and_update() {
                return client.clone();
            }
            if state.changed().await.is_err() {
                // The keeper lives as long as its runtime.
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn keep(
    options: Options,
    tls: Option<TlsOptions>,
    mut beginning: Option<Beginning>,
    sender: watch::Sender<State>,
) {
    let mut told = String::new();
    while !sender.is_closed() {
        let why = match connect(&options, tls.clone(), beginning.as_ref()).await {
            Ok(client) => {
                // What was there once and is gone is not made anew: the memory of a cluster that runs is lost.
                if let Some(beginning) = &mut beginning {
                    beginning.journal = Journal::Present;
                }
                told.clear();
                tracing::info!("ZooKeeper session {} on {}", client.session_id(), options.address);
                sender.send_replace(State::Up(client.clone()));
                let mut states = client.state_watcher();
                drop(client);
                tokio::select! {
                    why = ended(&mut states) => why,
                    () = sender.closed() => return,
                }
            }
            Err(why) => why,
        };
        if told != why {
            tracing::warn!("{why}");
            told.clone_from(&why);
        }
        sender.send_replace(State::Down(why));
        tokio::time::sleep(RETRY).await;
    }
}

async fn connect(
    options: &Options,
    tls: Option<TlsOptions>,
    beginning: Option<&Beginning>,
) -> Result<Client, String> {
    let mut connector = Client::connector().with_session_timeout(options.session_timeout);
    if let Some(Credentials(digest)) = &options.credentials {
        connector = connector.with_auth("digest", digest.as_bytes());
    }
    let servers = options.address.servers();
    let connected = match tls {
        Some(tls) => connector.with_tls(tls).secure_connect(servers).await,
        None => connector.connect(servers).await,
    };
    let client = connected.map_err(|error| match error {
        Error::Timeout | Error::NoHosts => format!("no ZooKeeper server of {servers} serves"),
        Error::AuthFailed => "ZooKeeper refuses the credentials of --zk-auth-file".to_owned(),
        error => format!("ZooKeeper at {servers}: {error}"),
    })?;
    let Some(Beginning { journal, tree, member }) = beginning else { return Ok(client) };
    match journal {
        Journal::Wanted => tree.prepare(&client).await?,
        Journal::Present => tree.check(&client).await?,
    }
    if let Some(member) = member {
        let joined = registry::join(&client, tree, member).await;
        joined.map_err(|error| format!("this manager cannot be registered in ZooKeeper: {error}"))?;
    }
    Ok(client)
}

/// Waits for the end of a session; says what ended it.
async fn ended(states: &mut zookeeper_client::StateWatcher) -> String {
    loop {
        match states.changed().await {
            SessionState::Disconnected => tracing::warn!("the connection to ZooKeeper is lost"),
            SessionState::SyncConnected => tracing::info!("connected to ZooKeeper again"),
            SessionState::ConnectedReadOnly => {}
            state => return format!("the ZooKeeper session has ended: {state}"),
        }
    }
}

fn tls(files: &TlsFiles) -> Result<TlsOptions, StoreError> {
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| StoreError::io("read", path, error));
    let bad = |path: &PathBuf| {
        let path = path.display().to_string();
        move |error: Error| StoreError::new(format!("{path} cannot be used for TLS: {error}"))
    };
    let ca = TlsCa::from_pem(&read(&files.ca)?).map_err(bad(&files.ca))?;
    let mut certificates = TlsCerts::builder().with_ca(ca);
    if let Some((certificate, key)) = &files.identity {
        let identity = TlsIdentity::from_pem(&read(certificate)?, &read(key)?).map_err(bad(certificate))?;
        certificates = certificates.with_identity(identity);
    }
    let certificates = certificates.build().map_err(bad(&files.ca))?;
    Ok(TlsOptions::new().with_certs(certificates))
}
