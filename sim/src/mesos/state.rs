//! Owns the cluster's state: what the master knows, and what is really so on the agents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};
use swan_core::mesos::{
    AgentFacts, AgentId, FrameworkId, FrameworkInfo, TaskId, TaskInfo, TaskState, TaskStatus, Unavailability,
    Uuid,
};
use swan_core::time::{Instant, Millis, Timestamp};

use super::pool::Pool;
use super::types::{ConnId, CutOff};

/// What is looked up often, in an order that depends only on what was done to it.
pub(crate) type Index<K, V> = IndexMap<K, V, FxBuildHasher>;

/// A task under its framework: task ids are unique per framework only.
pub(crate) type TaskKey = (FrameworkId, TaskId);

/// What the master knows of a framework.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Framework {
    pub(crate) info: FrameworkInfo,
    pub(crate) stream: Option<Stream>,
    /// Known from an agent only; has not subscribed at this master.
    pub(crate) recovered: bool,
    pub(crate) suppressed: BTreeSet<String>,
    pub(crate) tasks: Index<TaskId, Known>,
    /// Tasks of unreachable agents, oldest first.
    pub(crate) unreachable: VecDeque<(TaskId, AgentId)>,
    /// Without a scheduler until then, the framework is removed.
    pub(crate) failover_deadline: Option<Instant>,
}

/// An event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) conn: ConnId,
    pub(crate) id: String,
    pub(crate) next_heartbeat: Instant,
}

/// Resources of an agent that a framework does not want for one of its roles for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    pub(crate) framework: FrameworkId,
    pub(crate) role: Arc<str>,
    pub(crate) refused: Pool,
    pub(crate) until: Instant,
}

/// What the master knows of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) agent: AgentId,
    /// With their allocation.
    pub(crate) resources: Pool,
    /// The newest state the agent told of, acknowledged or not.
    pub(crate) state: TaskState,
    /// The newest status the agent told of.
    pub(crate) last: Option<TaskStatus>,
    /// The newest update handed to the framework.
    pub(crate) handed: Option<(TaskState, Uuid)>,
    /// To be killed again when its agent is back.
    pub(crate) kill_requested: bool,
}

/// How the master sees an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    Registered,
    /// Known from the master's predecessor, and not yet registered again.
    Recovered,
    Unreachable(Timestamp),
    /// As that, but the registry has no trace of it any more.
    Forgotten,
    GoneByOperator,
    /// Unregistered by itself.
    Removed,
}

/// An agent, both as the master knows it and as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Agent {
    pub(crate) ip: String,
    pub(crate) port: u16,
    /// As its offers show it.
    pub(crate) facts: Arc<AgentFacts>,
    pub(crate) total: Pool,
    /// Neither used nor offered.
    pub(crate) free: Pool,
    /// Used by frameworks that are not modelled.
    pub(crate) others: Pool,
    pub(crate) filters: Vec<Filter>,
    pub(crate) standing: Standing,
    /// The master's connection to it stands, as far as the master knows.
    pub(crate) connected: bool,
    pub(crate) deactivated: bool,
    pub(crate) draining: Option<Drain>,
    /// A planned outage.
    pub(crate) unavailability: Option<Unavailability>,
    /// The master's pings keep this beat.
    pub(crate) ping_since: Instant,
    /// Without an answer until then, the agent is unreachable.
    pub(crate) ping_deadline: Option<Instant>,
    /// The process runs.
    pub(crate) up: bool,
    /// What does not pass, though the process runs.
    pub(crate) cut: Option<CutOff>,
    /// What is really on it.
    pub(crate) tasks: BTreeMap<TaskKey, Task>,
}

impl Agent {
    /// Messages between master and agent pass.
    pub(crate) fn reachable(&self) -> bool {
        self.hears() && self.is_heard()
    }

    /// What the master tells it arrives.
    pub(crate) fn hears(&self) -> bool {
        self.talks() && matches!(self.cut, None | Some(CutOff::ToMaster))
    }

    /// What it tells the master arrives.
    pub(crate) fn is_heard(&self) -> bool {
        self.talks() && matches!(self.cut, None | Some(CutOff::ToAgent))
    }

    fn talks(&self) -> bool {
        self.up && self.standing == Standing::Registered
    }

    /// Its free resources may be offered.
    pub(crate) fn active(&self) -> bool {
        self.standing == Standing::Registered
            && self.connected
            && !self.deactivated
            && self.draining.is_none()
    }
}

/// An operator's wish to empty an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drain {
    pub(crate) max_grace: Option<Millis>,
}

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Being fetched.
    Staging,
    /// Being created.
    Starting,
    Running,
    /// No more statuses will be made.
    Ended,
}

/// A task on its agent: container, executor, and the updates that wait for acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) info: TaskInfo,
    pub(crate) container_id: String,
    pub(crate) phase: Phase,
    /// There is a container, whatever Mesos believes.
    pub(crate) alive: bool,
    /// Nobody asks for it any more; it goes once its container is gone.
    pub(crate) forsaken: bool,
    /// SIGKILL is due then.
    pub(crate) kill_deadline: Option<Instant>,
    pub(crate) killed_by_health: bool,
    pub(crate) ips: Vec<String>,
    pub(crate) health: Health,
    /// The newest status made.
    pub(crate) latest: Option<TaskStatus>,
    /// Made and not acknowledged, oldest first; only the first is on its way.
    pub(crate) updates: VecDeque<TaskStatus>,
    pub(crate) retry: Option<Retry>,
}

/// When the first update is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retry {
    pub(crate) at: Instant,
    pub(crate) wait: Millis,
}

/// What the health checker remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) since: Instant,
    pub(crate) passed_once: bool,
    pub(crate) failures: u32,
    pub(crate) healthy: Option<bool>,
}

/// An offer that a framework holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outstanding {
    pub(crate) framework: FrameworkId,
    pub(crate) agent: AgentId,
    pub(crate) role: Arc<str>,
    /// Without their allocation to the role.
    pub(crate) resources: Pool,
    /// As the framework was told.
    pub(crate) unavailability: Option<Unavailability>,
}

/// Something to look at when its time comes; whether it is still due is asked then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Timer {
    Allocate,
    Heartbeat(FrameworkId),
    Ping(AgentId),
    Failover(FrameworkId),
    Reregister(AgentId),
    Retry(AgentId, TaskKey),
}
