//! Owns the life of a development cluster: start, restart on its old state, and the end.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use swan_sim::mesos::Cluster;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::disk::{StateDir, StateError};
use crate::driver::{Driver, Message, now_in};
use crate::executor::{Engine, Executors};
use crate::http;
use crate::options::{DevOptions, ExecutorChoice};
use crate::state::Saved;

/// A running cluster. Dropping it ends this process's part: containers go on, built-in tasks die.
#[derive(Debug)]
pub struct DevCluster {
    inbox: mpsc::Sender<Message>,
    server: JoinHandle<()>,
    driver: Option<thread::JoinHandle<()>>,
    address: SocketAddr,
    master_id: String,
    docker: bool,
}

/// Why a cluster does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// Docker was asked for.
    #[error("the docker executor needs a Docker engine, but none answers: {0}")]
    NoEngine(String),
    /// The listener or a thread failed.
    #[error("the cluster cannot serve: {0}")]
    Io(#[from] std::io::Error),
}

impl DevCluster {
    /// Serves the scheduler API on `listener` until stopped. Must be called on a tokio runtime, which also runs the
    /// executors. With a state directory that was used before, agents, frameworks and tasks are the old ones; Docker
    /// containers that still run are adopted, built-in tasks are reported as failed.
    pub async fn start(options: DevOptions, listener: TcpListener) -> Result<Self, StartError> {
        let address = listener.local_addr()?;
        let state = options.state_dir.as_deref().map(StateDir::open).transpose()?;
        let mut saved = match state.as_ref().map(StateDir::load).transpose()?.flatten() {
            Some(saved) => saved,
            None => Saved::new(now_in(0).mono.0, Cluster::new(options.master.clone(), options.seed)),
        };
        saved.cluster.serve_at(&options.master.hostname, &address.ip().to_string(), address.port());
        let master_id = saved.cluster.master_id().to_owned();
        let engine = choose_engine(&options).await?;
        let docker = engine.is_some();
        if let Some(engine) = &engine {
            let known = saved.tasks.values().map(|task| task.container_id.clone()).collect();
            engine.remove_strays(&master_id, &known).await;
        }
        let (inbox, messages) = mpsc::channel();
        let sandboxes = state.as_ref().map(|state| state.path().join("sandboxes"));
        let executors = Executors::new(Handle::current(), inbox.clone(), engine, &master_id, sandboxes);
        let driver = Driver::new(saved, state, executors, inbox.clone(), messages);
        let agents = options.agents;
        let driver = thread::Builder::new().name("devcluster".into()).spawn(move || driver.run(&agents))?;
        let server = tokio::spawn(http::serve(listener, inbox.clone()));
        Ok(Self { inbox, server, driver: Some(driver), address, master_id, docker })
    }

    /// Where the scheduler API is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The master's id, prefix of all ids it gives; containers bear it in the label `swan.devcluster`.
    pub fn master_id(&self) -> &str {
        &self.master_id
    }

    /// Whether tasks are Docker containers; else they live in this process.
    pub fn runs_docker(&self) -> bool {
        self.docker
    }

    /// Ends this process's part; Docker containers go on, to be adopted by the next start on the same state.
    pub async fn stop(self) {
        self.finish(false).await;
    }

    /// Kills every task, waits until none is left, and stops.
    pub async fn stop_with_tasks(self) {
        self.finish(true).await;
    }

    async fn finish(mut self, end_tasks: bool) {
        self.server.abort();
        let (done, finished) = oneshot::channel();
        let _closed_already = self.inbox.send(Message::Stop { end_tasks, done });
        let _driver_gone = finished.await;
        if let Some(driver) = self.driver.take() {
            let _panicked = driver.join();
        }
    }
}

impl Drop for DevCluster {
    fn drop(&mut self) {
        self.server.abort();
        if self.driver.is_some() {
            let (done, _) = oneshot::channel();
            let _closed_already = self.inbox.send(Message::Stop { end_tasks: false, done });
        }
    }
}

async fn choose_engine(options: &DevOptions) -> Result<Option<Engine>, StartError> {
    if options.executor == ExecutorChoice::Builtin {
        return Ok(None);
    }
    let problem = match &options.docker_socket {
        None => "no socket is given".to_owned(),
        Some(socket) => {
            let engine = Engine::at(socket);
            match engine.ping().await {
                Ok(()) => return Ok(Some(engine)),
                Err(error) => format!("{}: {error}", socket.display()),
            }
        }
    };
    if options.executor == ExecutorChoice::Docker {
        return Err(StartError::NoEngine(problem));
    }
    tracing::info!("no Docker engine ({problem}): tasks run built in");
    Ok(None)
}
