//! Owns a manager at work in this process: its threads, its sockets, and how it ends.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use swan_api::{Manager as _, Tokens};
use swan_core::manager::{Boot, End};
use swan_core::scheduler::input::{Build, Config, DeposeReason};
use swan_mesos::client::Credential;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::copied_events;
use crate::driver::{self, Handle, Hands, Inbox};
use crate::failure::Failure;
use crate::masters::{Masters, MastersPlan};
use crate::memory::{Memory, MemoryPlan};
use crate::mesos::{MesosClient, link_hand, mesos_client};

/// All that a manager is told before it starts.
pub(crate) struct Plan {
    /// Where its memory is.
    pub(crate) memory: MemoryPlan,
    /// Where Mesos is.
    pub(crate) masters: MastersPlan,
    /// Whether masters are spoken to over TLS.
    pub(crate) tls: bool,
    /// Who Swan is to a Mesos that asks.
    pub(crate) credential: Option<Credential>,
    /// The framework's name in Mesos.
    pub(crate) framework_name: String,
    /// Its roles.
    pub(crate) roles: Vec<String>,
    /// Where the API is served.
    pub(crate) listener: TcpListener,
    /// Where others reach it; the listener's own address if not told.
    pub(crate) advertise: Option<String>,
    /// Whom to let in.
    pub(crate) tokens: Option<Tokens>,
    /// How this manager asks the others of its cluster.
    pub(crate) authorization: Option<HeaderValue>,
    /// Whether all apps may be deleted at once.
    pub(crate) allow_purge: bool,
}

/// Opens the API's socket; says which flag is wrong if it cannot.
pub(crate) fn listen(flag: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let fail = |error| Failure::failed(format!("{flag} {address} cannot be listened on: {error}"));
    let listener = TcpListener::bind(address).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(listener)
}

/// The runtime that everything but the machine's thread and the disk's runs on.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Failure::failed(format!("the threads of the process cannot be started: {error}")))
}

/// Runs a manager until a signal ends it, or it is over for good.
pub(crate) fn run(plan: Plan, runtime: &Runtime) -> Result<(), Failure> {
    driver::note_panics();
    let clock = Clock::new();
    let advertise = advertise(&plan)?;
    let (handle, inbox) = Handle::new(clock);
    let inside = runtime.enter();
    let journal = plan.memory.place();
    let memory = Memory::open(plan.memory, &advertise, clock)?;
    let masters = Masters::watch(plan.masters)?;
    let cluster = memory.cluster(&advertise, plan.authorization, &handle)?;
    if let Some(cluster) = &cluster {
        tokio::spawn(copied_events::copy(cluster.clone(), handle.standings.clone(), handle.events().clone()));
    }
    drop(inside);
    let shells = Shells {
        memory: memory.clone(),
        masters,
        mesos: mesos_client(plan.tls, plan.credential.clone())?,
        boot: Boot {
            seed: 0,
            build: build(),
            scheduler: Config {
                journal,
                ..scheduler_config(plan.framework_name, plan.roles, plan.credential, &advertise)
            },
            masters: Vec::new(),
            tenure: memory.tenure(),
            crash_notes: Vec::new(),
        },
        runtime: runtime.handle().clone(),
    };
    let (ended, end) = oneshot::channel();
    let machine = spawn_machine(shells, inbox, ended)?;
    let config = swan_api::Config {
        advertise,
        build: build(),
        tokens: plan.tokens,
        allow_purge: plan.allow_purge,
        peers: cluster.map(|cluster| cluster as Arc<dyn swan_api::Peers>),
    };
    let served = runtime.block_on(serve(plan.listener, handle.clone(), config, end));
    if memory.is_shared() {
        runtime.block_on(step_down(&handle));
    }
    handle.stop();
    // A panic there has ended the process already.
    drop(machine.join());
    runtime.block_on(memory.resign());
    served
}

/// Gives leadership back in good order, so that another manager need not wait for the end of this one's session.
async fn step_down(handle: &Handle) {
    handle.abdicate();
    let deadline = tokio::time::Instant::now() + STEP_DOWN;
    while handle.standing().leading && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How long a leader that is told to end may take to give leadership back.
const STEP_DOWN: Duration = Duration::from_secs(2);
/// Pause between two lives of a manager.
const PAUSE: Duration = Duration::from_millis(200);

/// All that each life of the manager is given anew.
struct Shells {
    memory: Memory,
    masters: Masters,
    mesos: MesosClient,
    /// But for seed, masters and crash notes.
    boot: Boot,
    runtime: tokio::runtime::Handle,
}

impl Shells {
    /// One life after another, until one ends for good.
    fn live(&self, mut inbox: Inbox) -> Result<Option<End>, Failure> {
        let mut past = None;
        loop {
            let voice = inbox.begin();
            let inside = self.runtime.enter();
            let remembered = self.memory.begin(&voice)?;
            let masters = self.masters.tell(&voice);
            let hands = Hands {
                store: remembered.store,
                election: remembered.election,
                crash_note: remembered.crash_note,
                link: link_hand(&self.mesos, &voice, &self.runtime),
            };
            drop(inside);
            let crash_notes = remembered.crash_notes;
            let boot = Boot { seed: seed()?, masters, crash_notes, ..self.boot.clone() };
            let Some((end, left)) = driver::run(boot, &inbox, hands, past) else { return Ok(None) };
            if !self.memory.goes_on_after(end) {
                return Ok(Some(end));
            }
            tracing::warn!("{}; this manager follows", Over(end));
            drop(self.memory.resign());
            past = left;
            if inbox.pause(PAUSE, past.as_ref()) {
                return Ok(None);
            }
        }
    }
}

fn spawn_machine(
    shells: Shells,
    inbox: Inbox,
    ended: oneshot::Sender<Result<Option<End>, Failure>>,
) -> Result<std::thread::JoinHandle<()>, Failure> {
    let run = move || {
        let end = shells.live(inbox);
        // Nobody waits for it once the process is ending.
        let _ = ended.send(end);
    };
    let spawned = std::thread::Builder::new().name("machine".to_owned()).spawn(run);
    spawned.map_err(|error| Failure::failed(format!("the machine's thread cannot be started: {error}")))
}

/// Serves the API until a signal comes or the machine is over.
async fn serve(
    listener: TcpListener,
    handle: Handle,
    config: swan_api::Config,
    end: oneshot::Receiver<Result<Option<End>, Failure>>,
) -> Result<(), Failure> {
    let fail = |error| Failure::failed(format!("the API cannot be served: {error}"));
    let listener = tokio::net::TcpListener::from_std(listener).map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    tracing::info!("listening on http://{address}");
    tokio::select! {
        end = end => match end.unwrap_or(Ok(None))? {
            None => Ok(()),
            Some(end) => Err(Failure::failed(Over(end).to_string())),
        },
        never = swan_api::serve(listener, Arc::new(handle), config) => match never {},
        () = signal() => Ok(()),
    }
}

/// Why a life of the manager is over, for people.
struct Over(End);

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            End::Refused(refusal) => refusal.fmt(f),
            End::Restart => f.write_str("the journal was replaced under this manager; start it again"),
            End::Deposed(DeposeReason::FailedOver) => {
                f.write_str("another scheduler has taken over this framework in Mesos; this one stops")
            }
            End::Deposed(DeposeReason::LeaseLost) => f.write_str("this manager leads no more"),
            End::Deposed(DeposeReason::Fenced) => f.write_str("another manager leads"),
            End::Deposed(why) => write!(f, "this manager cannot lead ({why:?})"),
        }
    }
}

async fn signal() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("signals can be listened to inside the runtime");
    tokio::select! {
        _ = terminate.recv() => {}
        // An error means that the signal cannot be had; then only SIGTERM ends the process.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}

/// Where others reach the API.
fn advertise(plan: &Plan) -> Result<String, Failure> {
    let address =
        plan.listener.local_addr().map_err(|error| Failure::failed(format!("--listen: {error}")))?;
    Ok(plan.advertise.clone().unwrap_or_else(|| address.to_string()))
}

fn scheduler_config(
    framework_name: String,
    roles: Vec<String>,
    credential: Option<Credential>,
    advertise: &str,
) -> Config {
    let hostname = advertise.rsplit_once(':').map_or(advertise, |(host, _)| host).to_owned();
    Config {
        framework_name,
        roles,
        principal: credential.map(|credential| credential.principal),
        hostname,
        webui_url: Some(format!("http://{advertise}")),
        user: "root".to_owned(),
        ..Config::default()
    }
}

/// The only randomness that does not come from the machine's own generator.
pub(crate) fn seed() -> Result<u64, Failure> {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|error| Failure::failed(format!("/dev/urandom cannot be read: {error}")))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Which software this is.
pub(crate) fn build() -> Build {
    Build {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("SWAN_COMMIT").unwrap_or_default().to_owned(),
    }
}
