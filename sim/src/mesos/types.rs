//! Owns what the cluster is told and what it says: options, inputs, outputs, and what executors report.

use serde::{Deserialize, Serialize};
use swan_core::mesos::{
    AgentId, Attribute, Call, DomainInfo, Event, FrameworkId, FrameworkInfo, Resource, TaskId, TaskInfo,
    Unavailability,
};
use swan_core::time::Millis;

/// How the cluster is set up; the defaults are those of Mesos.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterOptions {
    /// The master's own id, prefix of all ids it gives; absent means a random UUID.
    pub master_id: Option<String>,
    /// The master's host name, as it advertises it.
    pub hostname: String,
    /// The master's address.
    pub ip: String,
    /// The master's port.
    pub port: u16,
    /// The master's fault domain. Agents of another region are offered to REGION_AWARE frameworks only.
    pub domain: Option<DomainInfo>,
    /// Between two heartbeats of a stream.
    pub heartbeat: Millis,
    /// Between two rounds of the allocator; also the least lifetime of a filter.
    pub allocation_interval: Millis,
    /// How long an agent may take to answer a ping.
    pub ping_timeout: Millis,
    /// So many unanswered pings make an agent unreachable.
    pub max_ping_timeouts: u32,
    /// How long a new master waits for its predecessor's agents.
    pub reregister_timeout: Millis,
    /// Until an unacknowledged update is sent again; doubles each time.
    pub retry_min: Millis,
    /// The longest such wait.
    pub retry_max: Millis,
    /// From the polite to the impolite signal, if neither task nor KILL says otherwise.
    pub kill_grace: Millis,
    /// So many lost tasks are remembered per framework.
    pub max_unreachable_tasks: usize,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            master_id: None,
            hostname: "localhost".into(),
            ip: "127.0.0.1".into(),
            port: 5050,
            domain: None,
            heartbeat: Millis::from_secs(15),
            allocation_interval: Millis::from_secs(1),
            ping_timeout: Millis::from_secs(15),
            max_ping_timeouts: 5,
            reregister_timeout: Millis::from_secs(600),
            retry_min: Millis::from_secs(10),
            retry_max: Millis::from_secs(600),
            kill_grace: Millis::from_secs(5),
            max_unreachable_tasks: 1000,
        }
    }
}

/// A connection that carries, or wants to carry, an event stream; chosen by the driver, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnId(pub u64);

/// A request that gets exactly one [`ClusterOutput::Answer`]; chosen by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestNo(pub u64);

/// Which messages between a master and an agent do not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CutOff {
    /// None do.
    Both,
    /// The agent hears nothing; what it says arrives.
    ToAgent,
    /// The agent is not heard; what it is told arrives.
    ToMaster,
}

/// One stimulus of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ClusterInput {
    /// A SUBSCRIBE call; `stream_id` is the request's `Mesos-Stream-Id` header (there should be none).
    Subscribe { conn: ConnId, stream_id: Option<String>, framework_id: Option<FrameworkId>, call: Box<Call> },
    /// Any other call of the scheduler API.
    Call { request: RequestNo, stream_id: Option<String>, framework_id: Option<FrameworkId>, call: Box<Call> },
    /// A stream's connection is gone.
    Closed { conn: ConnId },
    /// An agent registers; answered by [`ClusterOutput::Joined`].
    AgentJoin(Box<AgentSpec>),
    /// The agent's process dies; executors and containers of checkpointing frameworks go on.
    AgentCrash { agent: AgentId },
    /// A crashed agent is up again with its old work directory and has recovered its executors.
    AgentReturn { agent: AgentId },
    /// The agent unregisters and ends its executors (SIGUSR1).
    AgentStop { agent: AgentId },
    /// Master and agent cannot talk, but neither sees a broken connection.
    Partition { agent: AgentId, cut: CutOff },
    /// They can talk again.
    Heal { agent: AgentId },
    /// The master dies and another leads, who knows only which agents there were. Each of them comes back by
    /// `AgentReturn`; after `reregister_timeout` the others are unreachable. The same follows when two agents bring a new
    /// master tasks of one id: it dies of it.
    MasterFailover,
    /// The agent's host starts again: all its tasks are gone, and it comes back as a new agent, if at all.
    AgentReboot { agent: AgentId },
    /// An agent that is down has other attributes when it comes back.
    AgentReconfigured { agent: AgentId, attributes: Vec<Attribute> },
    /// The registry drops agents that cannot be reached, and the master what it knew of their tasks.
    ForgetUnreachable,
    /// The master, which has just begun to lead, knows of no agents until they register, and says so of their tasks.
    LoseRegistry,
    /// The allocator rests, or goes on with all that is free.
    PauseOffers(bool),
    /// From now on every agent is offered in so many pieces, the first of them tiny.
    SplitOffers(u32),
    /// Other frameworks take so much of what nobody uses, after the master has taken all offers back.
    OthersTake { percent: u32 },
    /// They give back all that they have taken.
    OthersEnd,
    /// No role is offered what would give it more cpus than so many thousandths; `None` ends the limit.
    LimitRoles { cpus: Option<i64> },
    /// The master ends all streams with an ERROR.
    EndStreams { message: String },
    /// Another scheduler subscribes as this framework, launches this task if its agent has room for it, and goes.
    Intrude { framework: FrameworkId, task: Box<TaskInfo> },
    /// The master takes back the offers of one agent, or of all.
    Rescind { agent: Option<AgentId> },
    /// What really happens to a task's container. Accepted in any order, also while the agent is down.
    Report { agent: AgentId, framework_id: FrameworkId, task: TaskId, what: TaskReport },
    /// A call of the operator API.
    Operator { request: RequestNo, call: OperatorCall },
    /// `next_deadline` has come; spurious ones are harmless.
    Wake,
}

/// An agent that registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSpec {
    /// An agent that an earlier master knew brings its id; a new one gets one.
    pub id: Option<AgentId>,
    /// As it advertises itself.
    pub hostname: String,
    /// As it advertises itself.
    pub ip: String,
    /// As it advertises itself.
    pub port: u16,
    /// All it has; allocated to nobody.
    pub resources: Vec<Resource>,
    /// What the operator says of it.
    pub attributes: Vec<Attribute>,
    /// Region and zone.
    pub domain: Option<DomainInfo>,
    /// Tasks that an earlier master launched on it and that still run: they cause no update.
    pub tasks: Vec<AdoptedTask>,
}

/// A task that outlived its master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedTask {
    /// Whose it is; must hold the framework's id.
    pub framework: FrameworkInfo,
    /// What was launched; resources with `allocation_role`.
    pub info: TaskInfo,
    /// As in its earlier updates.
    pub container_id: String,
    /// Addresses of the container.
    pub ips: Vec<String>,
    /// The last verdict.
    pub healthy: Option<bool>,
}

/// What an executor, real or simulated, tells of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskReport {
    /// The image is there, the container is being created: TASK_STARTING.
    Starting,
    /// The container runs: TASK_RUNNING. `ips` empty means those of the agent (host network).
    Started {
        /// What the executor attaches; for Docker the output of `inspect`.
        data: Option<Vec<u8>>,
        /// The container's own addresses.
        ips: Vec<String>,
    },
    /// One health check has run. Grace period, thresholds and the kill are the model's.
    Probe {
        /// Whether it passed.
        ok: bool,
    },
    /// The container is gone; `status` is Docker's: 128 plus the signal, 125 and 127 if it never ran.
    Exited {
        /// The exit status.
        status: i32,
    },
    /// There will be no container, no image for example: TASK_FAILED by the agent, without TASK_STARTING.
    LaunchFailed {
        /// The reason, after "Failed to launch container: ".
        message: String,
    },
    /// The executor process died; the agent removes the container.
    ExecutorLost,
    /// The executor says once more that the container runs.
    RunningAgain {
        /// As in `Started`.
        ips: Vec<String>,
    },
    /// As `Exited`, but the executor does not know that it was told to end the container (MESOS-7975).
    EndedUnasked {
        /// As in `Exited`.
        status: i32,
    },
    /// The agent takes a container that has ended for one that failed.
    FailedToo,
}

/// A call of the operator API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum OperatorCall {
    MarkAgentGone {
        agent: AgentId,
    },
    DrainAgent {
        agent: AgentId,
        /// Shortens the tasks' own grace.
        max_grace: Option<Millis>,
    },
    DeactivateAgent {
        agent: AgentId,
    },
    ReactivateAgent {
        agent: AgentId,
    },
    /// A maintenance window of the agent's machine; `None` lifts it.
    PlanOutage {
        agent: AgentId,
        window: Option<Unavailability>,
    },
    /// The machine goes down, as planned. It comes back as another agent.
    BeginOutage {
        agent: AgentId,
    },
    Teardown {
        framework: FrameworkId,
    },
}

/// What the cluster does; to be carried out front to back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterOutput {
    /// 200 with the header `Mesos-Stream-Id`; events follow on the connection.
    Accepted {
        /// Which connection.
        conn: ConnId,
        /// The header's value.
        stream_id: String,
    },
    /// A SUBSCRIBE is refused.
    Rejected {
        /// Which connection.
        conn: ConnId,
        /// The HTTP status.
        status: u16,
        /// Plain text.
        body: String,
    },
    /// The answer to a call.
    Answer {
        /// Which request.
        request: RequestNo,
        /// The HTTP status.
        status: u16,
        /// Plain text.
        body: String,
    },
    /// One event on a stream.
    Event {
        /// Which connection.
        conn: ConnId,
        /// What to send; fields a framework's capabilities forbid are already left out.
        event: Box<Event>,
    },
    /// The orderly end of a stream: last chunk, then close.
    End {
        /// Which connection.
        conn: ConnId,
    },
    /// The connection breaks, without a last chunk.
    Break {
        /// Which connection.
        conn: ConnId,
    },
    /// An agent has registered.
    Joined {
        /// As it said in its [`AgentSpec`].
        hostname: String,
        /// As it said in its [`AgentSpec`].
        port: u16,
        /// Its id from now on.
        agent: AgentId,
    },
    /// Start this task and report on it.
    Launch {
        /// Where.
        agent: AgentId,
        /// Whose.
        framework_id: FrameworkId,
        /// The container's id in updates.
        container_id: String,
        /// What.
        task: Box<TaskInfo>,
    },
    /// End this task's container: polite signal, then SIGKILL after `grace`. Then report `Exited`. A later one counts
    /// from its own arrival and only ever shortens the time.
    Kill {
        /// Where.
        agent: AgentId,
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        task: TaskId,
        /// Between the signals.
        grace: Millis,
    },
}
