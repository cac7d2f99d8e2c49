//! Owns the Docker executor: the life of one container, from its image to its exit status, and its adoption.

mod container;
mod engine;
mod image;
mod parameters;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use swan_core::mesos::{CommandInfo, DockerNetwork, HealthProbe};
use swan_sim::mesos::TaskReport;

pub(crate) use engine::Engine;

use self::engine::EngineError;
use super::{Job, Kills, Signal, probe};

/// As after SIGKILL; also for a container that vanished.
const KILLED: i32 = 137;

/// Why there is no running container.
enum NoContainer {
    /// The agent could not get so far: no image, no such option.
    Failed(String),
    /// `docker run` would have ended with this status.
    Status(i32),
}

/// Runs a new task to its end.
pub(super) async fn launch(engine: Engine, cluster: String, job: Job, mut kills: Kills) {
    let name = container::name(&job);
    let ready = tokio::select! {
        ready = fetch(&engine, &job) => ready,
        _signal = kills.next() => Err(NoContainer::Status(KILLED)),
    };
    let ready = match ready {
        Ok(()) => start(&engine, &cluster, &job, &name).await,
        Err(problem) => Err(problem),
    };
    match ready {
        Ok(()) => follow(&engine, &job, &name, kills).await,
        Err(NoContainer::Status(status)) => job.report(TaskReport::Exited { status }).await,
        Err(NoContainer::Failed(message)) => job.report(TaskReport::LaunchFailed { message }).await,
    }
    tidy(&engine, &job, &name).await;
}

/// Goes on with the container of an earlier process.
pub(super) async fn adopt(engine: Engine, job: Job, kills: Kills) {
    let name = container::name(&job);
    match settled(&engine, &name).await {
        // It never ran, so that nobody was told of it: whoever wanted it is told that it failed.
        Some(state) if state["Status"] == "created" => job.report(TaskReport::ExecutorLost).await,
        None if !job.launched.started => job.report(TaskReport::ExecutorLost).await,
        _ => follow(&engine, &job, &name, kills).await,
    }
    tidy(&engine, &job, &name).await;
}

/// The end is on disk: the container and its empty sandbox are no longer needed.
async fn tidy(engine: &Engine, job: &Job, name: &str) {
    if let Err(error) = engine.remove(name).await {
        tracing::warn!("container {name} is not removed: {error}");
    }
    if let Some(sandbox) = &job.sandbox {
        let _holds_files_or_never_was = std::fs::remove_dir(sandbox);
    }
}

/// The image is here; an old one does unless the task wants it pulled.
async fn fetch(engine: &Engine, job: &Job) -> Result<(), NoContainer> {
    let docker = job.info().container.as_ref().and_then(|container| container.docker.as_ref());
    let Some(docker) = docker else {
        let message = "this cluster runs Docker containers only: set container.type to DOCKER".to_owned();
        return Err(NoContainer::Failed(message));
    };
    if docker.force_pull_image != Some(true) && engine.has_image(&docker.image).await {
        return Ok(());
    }
    engine.pull(&docker.image).await.map_err(|error| {
        NoContainer::Failed(format!(
            "Failed to run 'docker -H unix://{} pull {}': exited with status 1; stderr='{error}\n'",
            engine.socket().display(),
            docker.image
        ))
    })
}

async fn start(engine: &Engine, cluster: &str, job: &Job, name: &str) -> Result<(), NoContainer> {
    let config = container::config(cluster, job).map_err(NoContainer::Failed)?;
    if let Some(sandbox) = &job.sandbox {
        let made = std::fs::create_dir_all(sandbox);
        made.map_err(|error| NoContainer::Failed(format!("{}: {error}", sandbox.display())))?;
    }
    job.report(TaskReport::Starting).await;
    let created = engine.create(name, &config).await;
    let started = match created {
        Ok(()) => engine.start(name).await,
        Err(error) => Err(error),
    };
    started.map_err(|error| {
        tracing::warn!("{}: {error}", job.key.1);
        NoContainer::Status(run_status(&error))
    })
}

/// With which status `docker run` ends when a container does not start.
fn run_status(error: &EngineError) -> i32 {
    let text = error.to_string();
    if text.contains("permission denied") && text.contains("exec") {
        126
    } else if text.contains("executable file not found") || text.contains("no such file or directory") {
        127
    } else {
        125
    }
}

/// From the running container to its exit.
async fn follow(engine: &Engine, job: &Job, name: &str, mut kills: Kills) {
    let mut ips = Vec::new();
    if let Ok(inspected) = engine.inspect(name).await {
        ips = addresses(&inspected);
        let data = serde_json::to_vec_pretty(&Value::Array(vec![inspected])).ok();
        let shown = ips.iter().map(ToString::to_string).collect();
        job.report(TaskReport::Started { data, ips: shown }).await;
    }
    let exit = exit_status(engine, name);
    let probes = probe::repeat(job, |asked| check(engine, job, name, &ips, asked));
    tokio::pin!(exit, probes);
    let status = loop {
        let asked = kills.asked();
        tokio::select! {
            status = &mut exit => break status,
            signal = kills.next() => match signal {
                Signal::Polite => engine.signal(name, None).await,
                Signal::Forceful => engine.signal(name, Some("KILL")).await,
            },
            () = &mut probes, if !asked => {}
        }
    };
    job.report(TaskReport::Exited { status }).await;
}

/// Waits for the end, however often the engine goes away meanwhile.
async fn exit_status(engine: &Engine, name: &str) -> i32 {
    loop {
        if let Ok(status) = engine.wait(name).await {
            return status;
        }
        match settled(engine, name).await {
            None => return KILLED,
            Some(state) if state["Running"] == false => {
                return state["ExitCode"]
                    .as_i64()
                    .and_then(|code| i32::try_from(code).ok())
                    .unwrap_or(KILLED);
            }
            Some(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// The container's state; `None` if there is no such container. Waits for the engine to know.
async fn settled(engine: &Engine, name: &str) -> Option<Value> {
    loop {
        match engine.inspect(name).await {
            Ok(mut inspected) => return Some(inspected["State"].take()),
            Err(EngineError::Refused { status: 404, .. }) => return None,
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

/// The container's own addresses; none on the host's network.
fn addresses(inspected: &Value) -> Vec<IpAddr> {
    let networks = inspected["NetworkSettings"]["Networks"].as_object();
    let given = networks.into_iter().flat_map(|networks| networks.values());
    given.filter_map(|network| network["IPAddress"].as_str()?.parse().ok()).collect()
}

async fn check(engine: &Engine, job: &Job, name: &str, ips: &[IpAddr], asked: HealthProbe) -> bool {
    if let HealthProbe::Command(command) = &asked {
        return engine.exec(name, &exec_arguments(command)).await.is_ok_and(|status| status == 0);
    }
    let Some(port) = probe::port(&asked) else { return false };
    let own = [job.agent_ip, Ipv4Addr::LOCALHOST.into()];
    let ips = if container::network(job.info()) == DockerNetwork::Host { &own[..] } else { ips };
    probe::network(asked, ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect()).await
}

fn exec_arguments(command: &CommandInfo) -> Vec<String> {
    let value = command.value.clone().unwrap_or_default();
    if command.shell.unwrap_or(true) {
        return vec!["sh".into(), "-c".into(), value];
    }
    // As in Mesos the first argument is the program's own name.
    std::iter::once(value).chain(command.arguments.iter().skip(1).cloned()).collect()
}
