//! Owns the built-in executor: a small HTTP server per task, in this process, that can be told to misbehave.
//!
//! The server listens on the agent's address at each host port assigned to the task, and answers every request with
//! JSON: `task`, `app`, `version`, `agent`, `uptime_ms`, `pid`, `healthy`, `method`, `path`. It is told to misbehave by
//! POST:
//!
//! | path | what follows |
//! |---|---|
//! | `/_swan/fail?code=N` | the task exits with status N (default 1) |
//! | `/_swan/hang` | connections are accepted, other requests never answered |
//! | `/_swan/unhealthy` | every answer is 503, COMMAND checks fail |
//! | `/_swan/healthy` | back to normal: not hanging, not slow, healthy |
//! | `/_swan/slow?ms=N` | every answer takes so long (default 1000) |
//! | `/_swan/stubborn` | the polite signal is ignored; the task ends when the kill's grace is over |
//!
//! A task without ports can only be killed. A port that is taken ends the task with status 125, as Docker does.
//!
//! A version that misbehaves from its start is made by its environment: with `SWAN_DEV_EXIT=N` each task exits with status
//! N a second after its start, with `SWAN_DEV_UNHEALTHY=1` none is ever healthy, as if told so.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use swan_core::mesos::{HealthProbe, TaskInfo};
use swan_sim::mesos::TaskReport;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Job, Kills, Signal, host_ports, probe};

/// How long a task runs that is to exit by its environment.
const DIES_AFTER: Duration = Duration::from_secs(1);

/// SIGTERM and SIGKILL as Docker shows them.
const TERMINATED: i32 = 143;
const KILLED: i32 = 137;

/// What the task is, and how it has been told to behave.
#[derive(Debug)]
struct Task {
    facts: Value,
    started: Instant,
    unhealthy: AtomicBool,
    hang: AtomicBool,
    stubborn: AtomicBool,
    slow_ms: AtomicU64,
    exit: mpsc::UnboundedSender<i32>,
    /// It exits with this status soon after its start.
    dies: Option<i32>,
}

/// Runs the task to its end.
pub(super) async fn launch(job: Job, mut kills: Kills) {
    job.report(TaskReport::Starting).await;
    let status = run(&job, &mut kills).await;
    job.report(TaskReport::Exited { status }).await;
}

async fn run(job: &Job, kills: &mut Kills) -> i32 {
    let (exit, mut exits) = mpsc::unbounded_channel();
    let task = Arc::new(Task::new(job, exit));
    let mut servers = JoinSet::new();
    for port in host_ports(job.info()) {
        match TcpListener::bind((job.agent_ip, port)).await {
            Ok(listener) => servers.spawn(serve(listener, task.clone())),
            Err(error) => {
                tracing::warn!("{}: port {port} of {}: {error}", job.key.1, job.agent_ip);
                return 125;
            }
        };
    }
    job.report(TaskReport::Started { data: None, ips: Vec::new() }).await;
    let probes = probe::repeat(job, |asked| check(task.clone(), job, asked));
    let death = tokio::time::sleep(DIES_AFTER);
    tokio::pin!(probes, death);
    loop {
        let asked = kills.asked();
        tokio::select! {
            Some(status) = exits.recv() => return status,
            () = &mut death, if task.dies.is_some() => return task.dies.unwrap_or_default(),
            signal = kills.next() => match signal {
                Signal::Polite if task.stubborn.load(Ordering::Relaxed) => {}
                Signal::Polite => return TERMINATED,
                Signal::Forceful => return KILLED,
            },
            () = &mut probes, if !asked => {}
        }
    }
}

async fn check(task: Arc<Task>, job: &Job, asked: HealthProbe) -> bool {
    match probe::port(&asked) {
        Some(port) => {
            let port = mapped(job.info(), port);
            probe::network(asked, vec![SocketAddr::new(job.agent_ip, port)]).await
        }
        None => !task.unhealthy.load(Ordering::Relaxed) && !task.hang.load(Ordering::Relaxed),
    }
}

/// There is no container: what a check calls by the container's port listens on the host's.
fn mapped(info: &TaskInfo, port: u16) -> u16 {
    let docker = info.container.as_ref().and_then(|container| container.docker.as_ref());
    let mappings = docker.map_or(&[][..], |docker| &docker.port_mappings);
    let found = mappings.iter().find(|mapping| mapping.container_port == u32::from(port));
    found.and_then(|mapping| u16::try_from(mapping.host_port).ok()).unwrap_or(port)
}

impl Task {
    fn new(job: &Job, exit: mpsc::UnboundedSender<i32>) -> Self {
        let environment = job.info().command.as_ref().map_or(&[][..], |command| &command.environment);
        let variable = |names: &[&str]| {
            let found = names.iter().find_map(|name| environment.iter().find(|(key, _)| key == name));
            found.map(|(_, value)| value.clone())
        };
        let facts = json!({
            "task": job.key.1.as_str(),
            "app": variable(&["SWAN_APP_ID", "MARATHON_APP_ID"]),
            "version": variable(&["SWAN_APP_VERSION", "MARATHON_APP_VERSION"]),
            "agent": job.agent_ip.to_string(),
            "pid": std::process::id(),
        });
        Self {
            facts,
            started: Instant::now(),
            unhealthy: AtomicBool::new(variable(&["SWAN_DEV_UNHEALTHY"]).is_some_and(|value| value == "1")),
            hang: AtomicBool::new(false),
            stubborn: AtomicBool::new(false),
            slow_ms: AtomicU64::new(0),
            dies: variable(&["SWAN_DEV_EXIT"]).and_then(|status| status.parse().ok()),
            exit,
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(command) = request.uri().path().strip_prefix("/_swan/") {
            if *request.method() != Method::POST {
                return respond(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": "use POST" }));
            }
            let known = self.behave(command, request.uri().query().unwrap_or_default());
            let status = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
            return respond(status, &json!({ "told": command, "known": known }));
        }
        if self.hang.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        tokio::time::sleep(Duration::from_millis(self.slow_ms.load(Ordering::Relaxed))).await;
        let healthy = !self.unhealthy.load(Ordering::Relaxed);
        let mut body = self.facts.clone();
        body["uptime_ms"] = json!(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        body["healthy"] = json!(healthy);
        body["method"] = json!(request.method().as_str());
        body["path"] = json!(request.uri().path());
        respond(if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body)
    }

    /// Says whether there is such a command.
    fn behave(&self, command: &str, query: &str) -> bool {
        let number = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.parse::<u64>().ok())
        };
        match command {
            "fail" => {
                let code = number("code").and_then(|code| i32::try_from(code).ok()).unwrap_or(1);
                let _ending_already = self.exit.send(code);
            }
            "hang" => self.hang.store(true, Ordering::Relaxed),
            "unhealthy" => self.unhealthy.store(true, Ordering::Relaxed),
            "healthy" => {
                self.hang.store(false, Ordering::Relaxed);
                self.unhealthy.store(false, Ordering::Relaxed);
                self.slow_ms.store(0, Ordering::Relaxed);
            }
            "slow" => self.slow_ms.store(number("ms").unwrap_or(1000), Ordering::Relaxed),
            "stubborn" => self.stubborn.store(true, Ordering::Relaxed),
            _ => return false,
        }
        true
    }
}

async fn serve(listener: TcpListener, task: Arc<Task>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let task = task.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let task = task.clone();
                async move { Ok::<_, Infallible>(task.answer(request).await) }
            });
            let server = hyper::server::conn::http1::Builder::new();
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!("a connection to a task ended: {error}");
            }
        });
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
