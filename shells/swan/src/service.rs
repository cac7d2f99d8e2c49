//! Owns a manager at work in this process: its threads, its sockets, and how it ends.

use std::fs::File;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use swan_api::Tokens;
use swan_core::lease::Tenure;
use swan_core::limits::MESOS_CALLS_IN_FLIGHT_MAX;
use swan_core::link::{LinkEffect, MasterAddress};
use swan_core::manager::{Boot, End};
use swan_core::scheduler::input::{Build, Config, DeposeReason};
use swan_mesos::client::{Client, Connector, Credential, Tls};
use swan_store::{CrashNotes, FileStore};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::driver::{self, Handle, Hands, Inbox};
use crate::failure::Failure;

/// All that a manager is told before it starts.
pub(crate) struct Plan {
    /// The journal's directory.
    pub(crate) directory: PathBuf,
    /// The only hosts that are asked for Mesos.
    pub(crate) masters: Vec<MasterAddress>,
    /// Whether they are spoken to over TLS.
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

/// Runs a manager until a signal ends it, or it is over.
pub(crate) fn run(plan: Plan, runtime: &Runtime) -> Result<(), Failure> {
    driver::note_panics();
    let failed = |error: swan_store::StoreError| Failure::failed(error.to_string());
    let store = FileStore::open(&plan.directory).map_err(failed)?;
    let crash_notes = CrashNotes::open(&plan.directory).map_err(failed)?;
    let boot = boot(&plan, crash_notes.read().map_err(failed)?)?;
    let (handle, inbox) = Handle::new();
    let answer = handle.clone();
    let store = swan_store::spawn(store, move |id, result| answer.stored(id, result)).map_err(failed)?;
    let hands = Hands {
        store: Box::new(move |id, op| store.submit(id, op)),
        link: link(&plan, &handle, runtime)?,
        crash_notes,
    };
    let (ended, end) = oneshot::channel();
    let machine = spawn_machine(boot, inbox, hands, ended)?;
    let served = runtime.block_on(serve(plan, handle.clone(), end));
    handle.stop();
    // A panic there has ended the process already.
    drop(machine.join());
    served
}

fn spawn_machine(
    boot: Boot,
    inbox: Inbox,
    hands: Hands,
    ended: oneshot::Sender<Option<End>>,
) -> Result<std::thread::JoinHandle<()>, Failure> {
    let run = move || {
        let end = driver::run(boot, inbox, hands);
        // Nobody waits for it once the process is ending.
        let _ = ended.send(end);
    };
    let spawned = std::thread::Builder::new().name("machine".to_owned()).spawn(run);
    spawned.map_err(|error| Failure::failed(format!("the machine's thread cannot be started: {error}")))
}

/// Serves the API until a signal comes or the machine is over.
async fn serve(plan: Plan, handle: Handle, end: oneshot::Receiver<Option<End>>) -> Result<(), Failure> {
    let fail = |error| Failure::failed(format!("the API cannot be served: {error}"));
    let listener = tokio::net::TcpListener::from_std(plan.listener).map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    let advertise = plan.advertise.unwrap_or_else(|| address.to_string());
    let (tokens, allow_purge) = (plan.tokens, plan.allow_purge);
    let config = swan_api::Config { advertise, build: build(), tokens, allow_purge };
    tracing::info!("listening on http://{address}");
    tokio::select! {
        end = end => over(end.unwrap_or(None)),
        never = swan_api::serve(listener, Arc::new(handle), config) => match never {},
        () = signal() => Ok(()),
    }
}

/// How the process ends when its machine is over by itself.
fn over(end: Option<End>) -> Result<(), Failure> {
    match end {
        None => Ok(()),
        Some(End::Refused(refusal)) => Err(Failure::failed(refusal.to_string())),
        Some(End::Restart) => {
            Err(Failure::failed("the journal was replaced under this manager; start it again"))
        }
        Some(End::Deposed(DeposeReason::FailedOver)) => {
            Err(Failure::failed("another scheduler has taken over this framework in Mesos; this one stops"))
        }
        Some(End::Deposed(why)) => {
            Err(Failure::failed(format!("this manager leads no more ({why:?}); start it again")))
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

fn boot(plan: &Plan, crash_notes: Vec<swan_core::scheduler::input::CrashNote>) -> Result<Boot, Failure> {
    let address =
        plan.listener.local_addr().map_err(|error| Failure::failed(format!("--listen: {error}")))?;
    let advertise = plan.advertise.clone().unwrap_or_else(|| address.to_string());
    let hostname = advertise.rsplit_once(':').map_or(advertise.as_str(), |(host, _)| host).to_owned();
    let scheduler = Config {
        framework_name: plan.framework_name.clone(),
        roles: plan.roles.clone(),
        principal: plan.credential.as_ref().map(|credential| credential.principal.clone()),
        hostname,
        webui_url: Some(format!("http://{advertise}")),
        user: "root".to_owned(),
    };
    let (masters, tenure) = (plan.masters.clone(), Tenure::Forever);
    Ok(Boot { seed: seed()?, build: build(), scheduler, masters, tenure, crash_notes })
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

/// Opens TCP connections to masters.
#[derive(Debug)]
struct Tcp;

impl Connector for Tcp {
    type Stream = TcpStream;

    async fn connect(&self, master: &MasterAddress) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((master.host.as_str(), master.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

type LinkHand = Box<dyn FnMut(LinkEffect) + Send>;

/// What executes the link's effects: over TLS if the masters are `https`.
fn link(plan: &Plan, handle: &Handle, runtime: &Runtime) -> Result<LinkHand, Failure> {
    if !plan.tls {
        return Ok(hand(Tcp, plan, handle, runtime));
    }
    use rustls_platform_verifier::ConfigVerifierExt as _;
    let config = rustls::ClientConfig::with_platform_verifier()
        .map_err(|error| Failure::failed(format!("the system's certificates cannot be used: {error}")))?;
    Ok(hand(Tls::new(Tcp, Arc::new(config)), plan, handle, runtime))
}

fn hand(connector: impl Connector, plan: &Plan, handle: &Handle, runtime: &Runtime) -> LinkHand {
    let (inputs, mut news) = mpsc::channel(MESOS_CALLS_IN_FLIGHT_MAX);
    let listener = handle.clone();
    runtime.spawn(async move {
        while let Some(input) = news.recv().await {
            listener.link(input);
        }
    });
    let mut client = Client::new(connector, plan.credential.clone(), inputs);
    let runtime = runtime.handle().clone();
    Box::new(move |effect| {
        let _inside = runtime.enter();
        let up = client.execute(effect);
        assert!(up.is_none(), "what is for the scheduler never leaves the manager");
    })
}
