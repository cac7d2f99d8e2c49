//! Owns `swan dev`: the whole product in one process, on an embedded cluster. Its manager knows nothing of that: it
//! connects over HTTP like any other.

use std::path::PathBuf;

use swan_core::link::MasterAddress;
use swan_devcluster::{DevCluster, DevOptions, ExecutorChoice};
use tokio::runtime::Runtime;

use crate::arguments::{AgentAttributes, DevArgs, Executor};
use crate::failure::Failure;
use crate::masters::MastersPlan;
use crate::memory::MemoryPlan;
use crate::service::{self, Plan};

/// Where a Docker engine listens unless `DOCKER_HOST` says otherwise.
const DOCKER_SOCKET: &str = "/var/run/docker.sock";

/// Runs until it is told to stop.
pub(crate) fn run(arguments: DevArgs) -> Result<(), Failure> {
    let tokens = arguments.serving.tokens()?;
    let directory = match arguments.data_dir.clone() {
        Some(directory) => directory,
        None => default_directory()?,
    };
    let listener = service::listen("--listen", arguments.serving.listen)?;
    let runtime = service::runtime()?;
    let cluster = start_cluster(&arguments, directory.join("mesos"), &runtime)?;
    let address = cluster.address();
    let (kind, api) = (
        if cluster.runs_docker() { "Docker containers" } else { "built-in HTTP servers" },
        listener.local_addr(),
    );
    tracing::info!(
        "Mesos on http://{address}, {} agents, tasks are {kind}; data in {}",
        arguments.agents,
        directory.display()
    );
    if let Ok(api) = api {
        tracing::info!("try: swan app create docs/examples/hello.json --wait --server http://{api}");
    }
    let plan = Plan {
        memory: MemoryPlan::Files(directory.join("journal")),
        masters: MastersPlan::Fixed(vec![MasterAddress {
            host: address.ip().to_string(),
            port: address.port(),
        }]),
        tls: false,
        credential: None,
        framework_name: "swan".to_owned(),
        roles: vec!["*".to_owned()],
        listener,
        advertise: None,
        tokens,
        authorization: arguments.serving.authorization(),
        allow_purge: arguments.serving.allow_purge,
    };
    let served = service::run(plan, &runtime);
    runtime.block_on(cluster.stop());
    served
}

fn start_cluster(arguments: &DevArgs, state: PathBuf, runtime: &Runtime) -> Result<DevCluster, Failure> {
    let mut options = DevOptions::with_agents(arguments.agents, service::seed()?);
    options.executor = match arguments.executor {
        Executor::Auto => ExecutorChoice::Auto,
        Executor::Docker => ExecutorChoice::Docker,
        Executor::Builtin => ExecutorChoice::Builtin,
    };
    for agent in &mut options.agents {
        agent.gpus = arguments.agent_gpus;
    }
    for (agent, AgentAttributes(given)) in options.agents.iter_mut().zip(&arguments.agent_attributes) {
        agent.attributes.clone_from(given);
    }
    options.docker_socket = docker_socket(std::env::var("DOCKER_HOST").ok())?;
    options.state_dir = Some(state);
    let listener = service::listen("--mesos-listen", arguments.mesos_listen)?;
    let started = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        DevCluster::start(options, listener).await
    });
    started.map_err(|error| Failure::failed(format!("the embedded cluster does not start: {error}")))
}

/// The engine's socket: what `DOCKER_HOST` says, else the usual one if it is there.
fn docker_socket(host: Option<String>) -> Result<Option<PathBuf>, Failure> {
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Ok(Some(PathBuf::from(DOCKER_SOCKET)).filter(|socket| socket.exists()));
    };
    match host.strip_prefix("unix://") {
        Some(path) => Ok(Some(PathBuf::from(path))),
        None => Err(Failure::usage(format!(
            "DOCKER_HOST is '{host}', but only an engine on this machine can be used: unix:///PATH"
        ))),
    }
}

/// `swan/dev` in `$XDG_STATE_HOME` or `~/.local/state`.
fn default_directory() -> Result<PathBuf, Failure> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = state
        .or_else(home)
        .ok_or_else(|| Failure::usage("give --data-dir DIR: neither XDG_STATE_HOME nor HOME is set"))?;
    Ok(state.join("swan/dev"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_where_docker_host_says_and_on_this_machine() {
        let socket = docker_socket(Some("unix:///run/other.sock".into())).expect("good");
        assert_eq!(socket, Some(PathBuf::from("/run/other.sock")));
        assert!(docker_socket(Some("tcp://10.0.0.1:2375".into())).is_err());
        assert!(docker_socket(Some(String::new())).is_ok());
    }
}
