//! Owns the model of a Mesos 1.12 cluster: one master, its agents, their tasks. Sans I/O, deterministic.
//!
//! The model behaves like the recorded traces. It is one state machine: feed it inputs with [`Cluster::step`], carry out
//! the outputs front to back, and step [`ClusterInput::Wake`] when [`Cluster::next_deadline`] has come.
//!
//! A driver (the simulator, or a server that speaks the v1 HTTP API) does this:
//!
//! 1. `Cluster::new(options, seed)`, then one `AgentJoin` per agent. The output `Joined` names the agent; with an `id` in
//!    the spec the agent keeps it, and with `tasks` containers of an earlier master's time are adopted without updates
//!    (their framework may subscribe again with its old id).
//! 2. An HTTP request is decoded. A SUBSCRIBE becomes `Subscribe` with a fresh [`ConnId`]; the output is `Rejected` (a
//!    status and a text body) or `Accepted` (200, header `Mesos-Stream-Id`) and then `Event`s, until `End` (finish the body
//!    properly) or until the driver says `Closed`. After `End` a `Closed` is neither needed nor harmful.
//! 3. Any other call becomes `Call` with a fresh [`RequestNo`]; exactly one `Answer` bears it. The driver itself answers
//!    what never becomes a call: 405, 415, 406, and 400 for a body that cannot be decoded.
//! 4. `Launch` says: run this task. Its executor, real or simulated, lives outside the model and reports facts: `Starting`
//!    when the image is there, `Started` when the container runs, `Probe` for every run of the task's health check (by the
//!    check's own delay, interval and timeout, from `Started` on), `Exited` at the end; or `LaunchFailed`, or
//!    `ExecutorLost`. The model makes Mesos's statuses of them: which are sent, with which reason and message, when an
//!    unhealthy task is killed, what is queued until the acknowledgement and sent again after 10, 20, 40 s.
//! 5. `Kill` says: SIGTERM, and after `grace` SIGKILL, then report `Exited`. It may come for a task that was never
//!    `Started`: abandon the launch, and report `Exited` all the same if a container was made. It may also come for a task
//!    that the framework has forgotten: teardown, an agent marked gone, a framework without checkpointing.
//! 6. Reports for tasks that the model does not know are ignored; they may come at any time, also while the agent is down:
//!    their updates leave the agent once it is back.
//!
//! Agents die and come back by `AgentCrash`, `AgentReturn`, `AgentStop`, `Partition`, `Heal`, masters by `MasterFailover`
//! (`Break` then means a connection that ends without a last chunk); operators act by `Operator`. Faults inside the cluster
//! are inputs too, so that a seed and a list of inputs decide everything; loss and duplication of calls and events are the
//! driver's: it need not deliver what it was given.
//!
//! What is really so (containers alive, launches and kills per task, unacknowledged updates) is told by the methods in
//! `observe.rs`; checkers compare it with what a framework believes.

mod agents;
mod allocator;
mod calls;
mod executors;
mod failover;
mod maintenance;
mod observe;
mod offers;
mod pool;
mod pressure;
mod reconcile;
mod round;
mod state;
#[cfg(test)]
mod tests;
mod types;
mod updates;
mod validation;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use swan_core::mesos::{AgentId, Event, FrameworkId, FrameworkInfo};
use swan_core::rng::Rng;
use swan_core::time::{Instant, Now};

use maintenance::Maintenance;
pub use observe::{OfferSeen, TaskSeen};
use offers::Offers;
use state::{Agent, Framework, Index, TaskKey, Timer};
pub use types::{
    AdoptedTask, AgentSpec, ClusterInput, ClusterOptions, ClusterOutput, ConnId, CutOff, OperatorCall,
    RequestNo, TaskReport,
};

/// The cluster. See the module's text on how to drive it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    options: ClusterOptions,
    rng: Rng,
    now: Now,
    master_id: String,
    next_framework: u64,
    next_agent: u64,
    frameworks: BTreeMap<FrameworkId, Framework>,
    /// Torn down, or without a scheduler for too long; their ids are burned.
    completed: BTreeSet<FrameworkId>,
    /// What agents know of frameworks, for a master that does not.
    checkpointed: BTreeMap<FrameworkId, FrameworkInfo>,
    agents: Index<AgentId, Agent>,
    /// All that ever registered from a host and port.
    addresses: BTreeMap<(String, u16), BTreeSet<AgentId>>,
    offers: Offers,
    maintenance: Maintenance,
    /// The allocator rests.
    paused: bool,
    /// No agent is expected to register again.
    registry_lost: bool,
    /// Every agent is offered in so many pieces.
    pieces: u32,
    /// What each role may have, in thousandths of cpus.
    limit: Option<i64>,
    streams: BTreeMap<ConnId, FrameworkId>,
    timers: BTreeSet<(Instant, Timer)>,
    started: bool,
    launches: BTreeMap<TaskKey, u32>,
    kills: BTreeMap<TaskKey, u32>,
}

impl Cluster {
    /// A master without agents and frameworks. Its allocator's beat starts with the first step.
    pub fn new(options: ClusterOptions, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let master_id = options.master_id.clone().unwrap_or_else(|| uuid_text(uuid(&mut rng)));
        Self {
            options,
            rng,
            now: Now::default(),
            next_framework: 0,
            next_agent: 0,
            frameworks: BTreeMap::new(),
            completed: BTreeSet::new(),
            checkpointed: BTreeMap::new(),
            agents: Index::default(),
            addresses: BTreeMap::new(),
            offers: Offers::of(&master_id),
            master_id,
            maintenance: Maintenance::default(),
            paused: false,
            registry_lost: false,
            pieces: 1,
            limit: None,
            streams: BTreeMap::new(),
            timers: BTreeSet::new(),
            started: false,
            launches: BTreeMap::new(),
            kills: BTreeMap::new(),
        }
    }

    /// Takes one input. What has come due by `now` happens before it.
    pub fn step(&mut self, now: Now, input: ClusterInput, out: &mut Vec<ClusterOutput>) {
        self.now = now;
        if !self.started {
            self.started = true;
            self.arm(now.mono + self.options.allocation_interval, Timer::Allocate);
        }
        while let Some((at, timer)) = self.timers.first().filter(|(at, _)| *at <= now.mono).cloned() {
            self.timers.pop_first();
            self.fire(at, timer, out);
        }
        self.take(input, out);
    }

    /// When to step [`ClusterInput::Wake`]; `None` before the first step.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Says where the master is served from now on, after a restart for instance. Events to come tell it.
    pub fn serve_at(&mut self, hostname: &str, ip: &str, port: u16) {
        self.options.hostname = hostname.into();
        self.options.ip = ip.into();
        self.options.port = port;
    }

    fn take(&mut self, input: ClusterInput, out: &mut Vec<ClusterOutput>) {
        match input {
            ClusterInput::Subscribe { conn, stream_id, framework_id, call } => {
                self.subscribe(conn, stream_id.as_deref(), framework_id, *call, out);
            }
            ClusterInput::Call { request, stream_id, framework_id, call } => {
                let (status, body) = self.call(stream_id.as_deref(), framework_id, *call, request, out);
                if let Some(status) = status {
                    out.push(ClusterOutput::Answer { request, status, body });
                }
            }
            ClusterInput::Closed { conn } => self.closed(conn),
            ClusterInput::AgentJoin(spec) => self.join(*spec, out),
            ClusterInput::AgentCrash { agent } => self.crash(&agent, out),
            ClusterInput::AgentReturn { agent } => self.come_back(&agent, out),
            ClusterInput::AgentStop { agent } => self.stop(&agent, out),
            ClusterInput::Partition { agent, cut } => self.partition(&agent, cut),
            ClusterInput::Heal { agent } => self.heal(&agent, out),
            ClusterInput::MasterFailover => self.master_fails_over(out),
            ClusterInput::AgentReboot { agent } => self.reboot(&agent, out),
            ClusterInput::AgentReconfigured { agent, attributes } => self.reconfigure(&agent, attributes),
            ClusterInput::ForgetUnreachable => self.forget_unreachable(),
            ClusterInput::LoseRegistry => self.registry_lost = true,
            ClusterInput::PauseOffers(paused) => self.pause_offers(paused, out),
            ClusterInput::SplitOffers(pieces) => self.pieces = pieces.max(1),
            ClusterInput::OthersTake { percent } => self.others_take(percent, out),
            ClusterInput::OthersEnd => self.others_end(out),
            ClusterInput::Intrude { framework, task } => self.intrude(&framework, *task, out),
            ClusterInput::LimitRoles { cpus } => self.limit_roles(cpus, out),
            ClusterInput::EndStreams { message } => self.end_streams(&message, out),
            ClusterInput::Rescind { agent } => {
                self.rescind_where(|offer| agent.as_ref().is_none_or(|id| *id == offer.agent), out)
            }
            ClusterInput::Report { agent, framework_id, task, what } => {
                self.report(&agent, &(framework_id, task), what, out);
            }
            ClusterInput::Operator { request, call } => {
                let (status, body) = self.operate(call, out);
                out.push(ClusterOutput::Answer { request, status, body });
            }
            ClusterInput::Wake => {}
        }
    }

    fn fire(&mut self, at: Instant, timer: Timer, out: &mut Vec<ClusterOutput>) {
        match timer {
            Timer::Allocate => {
                let interval = self.options.allocation_interval;
                let next = at + interval;
                self.arm(if next > self.now.mono { next } else { self.now.mono + interval }, Timer::Allocate);
                self.allocate(None, out);
                self.ask_to_leave(out);
            }
            Timer::Heartbeat(framework) => self.heartbeat(at, &framework, out),
            Timer::Ping(agent) => self.ping_due(at, &agent, out),
            Timer::Failover(framework) => self.failover_due(at, &framework, out),
            Timer::Reregister(agent) => self.reregister_due(&agent, out),
            Timer::Retry(agent, task) => self.retry_due(at, &agent, &task, out),
        }
    }

    fn arm(&mut self, at: Instant, timer: Timer) {
        self.timers.insert((at, timer));
    }

    /// Sends an event if the framework is connected; says whether it is.
    fn send(&self, framework: &FrameworkId, event: Event, out: &mut Vec<ClusterOutput>) -> bool {
        let stream = self.frameworks.get(framework).and_then(|framework| framework.stream.as_ref());
        let Some(stream) = stream else { return false };
        out.push(ClusterOutput::Event { conn: stream.conn, event: Box::new(event) });
        true
    }

    fn is_partition_aware(&self, framework: &FrameworkId) -> bool {
        self.has(framework, swan_core::mesos::Capability::PARTITION_AWARE)
    }

    fn has(&self, framework: &FrameworkId, capability: swan_core::mesos::Capability) -> bool {
        self.frameworks.get(framework).is_some_and(|framework| framework.info.has(capability))
    }
}

/// A random UUID of version 4.
fn uuid(rng: &mut Rng) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&rng.next().to_be_bytes());
    bytes[8..].copy_from_slice(&rng.next().to_be_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        text += &format!("{byte:02x}");
    }
    text
}
