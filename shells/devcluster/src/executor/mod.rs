//! Owns the executors of the emulated agents: one asynchronous task per launched task, and the way its facts go back.

mod builtin;
mod docker;
mod probe;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use swan_core::mesos::{ResourceValue, TaskInfo};
use swan_core::time::Millis;
use swan_sim::mesos::TaskReport;
use tokio::runtime::Handle;
use tokio::sync::{mpsc as orders, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub(crate) use docker::Engine;

use crate::driver::{Message, Report};
use crate::state::{Launched, TaskKey};

/// What an executor is told about its task.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// End it: the polite signal, then the other one after this time. A later order only ever shortens it.
    Kill(Millis),
}

/// A task and its place, as its executor sees it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) key: TaskKey,
    pub(crate) launched: Launched,
    pub(crate) agent_ip: IpAddr,
    /// Where the container's `/mnt/mesos/sandbox` is kept.
    pub(crate) sandbox: Option<PathBuf>,
    pub(crate) inbox: mpsc::Sender<Message>,
}

impl Job {
    pub(crate) fn info(&self) -> &TaskInfo {
        &self.launched.info
    }

    /// Tells the model; returns once the fact is on disk, never if the driver ends before.
    pub(crate) async fn report(&self, what: TaskReport) {
        let (noted, done) = oneshot::channel();
        let report = Report {
            key: self.key.clone(),
            agent: self.launched.agent.clone(),
            container_id: self.launched.container_id.clone(),
            what,
            noted: Some(noted),
        };
        let _driver_gone = self.inbox.send(Message::Report(report));
        if done.await.is_err() {
            std::future::pending().await
        }
    }
}

/// What is to be sent to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, or the image's own stop signal.
    Polite,
    /// SIGKILL.
    Forceful,
}

/// The kills of one task: the first asks, each may shorten the time until force.
#[derive(Debug)]
pub(crate) struct Kills {
    orders: orders::UnboundedReceiver<Order>,
    force_at: Option<Instant>,
}

impl Kills {
    fn new(orders: orders::UnboundedReceiver<Order>) -> Self {
        Self { orders, force_at: None }
    }

    /// Waits for what is to be done next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Signal {
        loop {
            let force_at = self.force_at;
            let order = tokio::select! {
                order = self.orders.recv() => order,
                () = until(force_at) => {
                    // Again, if that does not help either.
                    self.force_at = Some(Instant::now() + Duration::from_secs(10));
                    return Signal::Forceful;
                }
            };
            let Some(Order::Kill(grace)) = order else { return std::future::pending().await };
            let ends = Instant::now() + Duration::from_millis(grace.0);
            self.force_at = Some(force_at.map_or(ends, |earlier| earlier.min(ends)));
            if force_at.is_none() {
                return Signal::Polite;
            }
        }
    }

    pub(crate) fn asked(&self) -> bool {
        self.force_at.is_some()
    }
}

/// Waits for an instant; for ever without one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[derive(Debug)]
struct Running {
    orders: orders::UnboundedSender<Order>,
    worker: JoinHandle<()>,
}

/// All executors of a cluster.
#[derive(Debug)]
pub(crate) struct Executors {
    runtime: Handle,
    inbox: mpsc::Sender<Message>,
    engine: Option<Engine>,
    cluster: String,
    sandboxes: Option<PathBuf>,
    running: BTreeMap<TaskKey, Running>,
    /// Their tasks have ended; they tidy up.
    ending: Vec<JoinHandle<()>>,
}

impl Executors {
    pub(crate) fn new(
        runtime: Handle,
        inbox: mpsc::Sender<Message>,
        engine: Option<Engine>,
        cluster: &str,
        sandboxes: Option<PathBuf>,
    ) -> Self {
        Self {
            runtime,
            inbox,
            engine,
            cluster: cluster.to_owned(),
            sandboxes,
            running: BTreeMap::new(),
            ending: Vec::new(),
        }
    }

    pub(crate) fn runs_docker(&self) -> bool {
        self.engine.is_some()
    }

    /// Starts a new task.
    pub(crate) fn launch(&mut self, key: TaskKey, launched: Launched, agent_ip: Option<Ipv4Addr>) {
        let job = self.job(&key, launched, agent_ip);
        let (sender, receiver) = orders::unbounded_channel();
        let kills = Kills::new(receiver);
        let worker = match &self.engine {
            Some(engine) => {
                self.runtime.spawn(docker::launch(engine.clone(), self.cluster.clone(), job, kills))
            }
            None => self.runtime.spawn(builtin::launch(job, kills)),
        };
        self.running.insert(key, Running { orders: sender, worker });
    }

    /// Takes over a task of an earlier process: its container if it still runs, else the news of its end.
    pub(crate) fn adopt(&mut self, key: TaskKey, launched: Launched, agent_ip: Option<Ipv4Addr>) {
        let (in_docker, kill) = (launched.docker, launched.kill);
        let job = self.job(&key, launched, agent_ip);
        let (sender, receiver) = orders::unbounded_channel();
        let worker = match self.engine.clone().filter(|_| in_docker) {
            Some(engine) => self.runtime.spawn(docker::adopt(engine, job, Kills::new(receiver))),
            None => self.runtime.spawn(async move { job.report(TaskReport::ExecutorLost).await }),
        };
        if let Some(grace) = kill {
            let _worker_ended = sender.send(Order::Kill(grace));
        }
        self.running.insert(key, Running { orders: sender, worker });
    }

    /// Gives an order; false if nobody runs the task.
    pub(crate) fn order(&self, key: &TaskKey, order: Order) -> bool {
        self.running.get(key).is_some_and(|running| running.orders.send(order).is_ok())
    }

    pub(crate) fn order_all(&self, order: Order) {
        for running in self.running.values() {
            let _worker_ended = running.orders.send(order);
        }
    }

    /// The task has ended; its worker may still tidy up.
    pub(crate) fn forget(&mut self, key: &TaskKey) {
        self.ending.retain(|worker| !worker.is_finished());
        self.ending.extend(self.running.remove(key).map(|running| running.worker));
    }

    /// Nothing runs, and nothing is left to tidy up.
    pub(crate) fn all_done(&self) -> bool {
        self.running.is_empty() && self.ending.iter().all(JoinHandle::is_finished)
    }

    fn job(&self, key: &TaskKey, launched: Launched, agent_ip: Option<Ipv4Addr>) -> Job {
        let sandbox = self.sandboxes.as_ref().map(|all| all.join(&launched.container_id));
        Job {
            key: key.clone(),
            launched,
            agent_ip: agent_ip.unwrap_or(Ipv4Addr::LOCALHOST).into(),
            sandbox,
            inbox: self.inbox.clone(),
        }
    }
}

impl Drop for Executors {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.worker.abort();
        }
    }
}

/// The sum of a task's scalars of this name, in thousandths.
pub(crate) fn scalar(info: &TaskInfo, name: &str) -> i64 {
    let scalars = info.resources.iter().filter(|resource| resource.has_name(name));
    scalars.fold(0, |sum, resource| match resource.value {
        ResourceValue::Scalar(milli) => sum.saturating_add(milli),
        _ => sum,
    })
}

/// The host ports assigned to a task, in order; not more than a task can sensibly have.
pub(crate) fn host_ports(info: &TaskInfo) -> Vec<u16> {
    const PORTS_MAX: usize = 256;
    let ports = info.resources.iter().filter(|resource| resource.has_name("ports"));
    let ranges = ports.flat_map(|resource| match &resource.value {
        ResourceValue::Ranges(ranges) => ranges.clone(),
        _ => Vec::new(),
    });
    ranges
        .flat_map(|(first, last)| first..=last)
        .filter_map(|port| port.try_into().ok())
        .take(PORTS_MAX)
        .collect()
}
