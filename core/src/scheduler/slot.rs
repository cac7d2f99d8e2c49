//! Owns one slot and its task: what is recorded of them, and how they are counted and shown.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::agents::AgentIdx;
use super::apps::VersionId;
use crate::mesos::TaskState;
use crate::time::{ClusterTime, Instant, Timestamp};

/// One numbered place of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// Its current task.
    pub(super) task: Option<Task>,
    /// Failures of the app's own since a task last ran steadily.
    pub(super) failures: u16,
    /// No new task before this.
    pub(super) not_before: ClusterTime,
    /// The last failure.
    pub(super) last_failure: Option<Box<FailureNote>>,
    /// It waits in the app's queue of demand.
    pub(super) queued: bool,
    /// Its record waits to be written.
    pub(super) dirty: bool,
    /// A record of it is, or is about to be, durable.
    pub(super) recorded: bool,
    /// Its next deadline.
    pub(super) timer: Option<Instant>,
    /// The reconciliation in which its task was last heard of.
    pub(super) heard: u32,
}

/// One attempt in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Task {
    /// The unique part of its id.
    pub(super) hex: u64,
    /// The version it runs.
    pub(super) version: VersionId,
    /// Where.
    pub(super) agent: AgentIdx,
    /// The newest state accepted; `Staging` from the moment it is decided.
    pub(super) state: TaskState,
    /// An ACCEPT with it may have left this process or an earlier one.
    pub(super) sent: bool,
    /// The version has a health check.
    pub(super) checked: bool,
    /// The last verdict.
    pub(super) healthy: Option<bool>,
    /// Host ports claimed.
    pub(super) ports: Arc<[u16]>,
    /// The container's address, if it has one of its own.
    pub(super) ip: Option<Box<str>>,
    /// Mesos's container id.
    pub(super) container: Option<Box<str>>,
    /// It is being ended.
    pub(super) stop: Option<Stop>,
    /// When it was decided.
    pub(super) created: Timestamp,
    /// When its state changed last.
    pub(super) updated: Timestamp,
    /// When its state changed last, in the time that deadlines are made of.
    pub(super) since: ClusterTime,
}

/// A planned end of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// Why; recorded before the first KILL (S8).
    pub(super) why: StopReason,
    /// Until when traffic drains.
    pub(super) drain_until: ClusterTime,
    /// KILLs sent by this process.
    pub(super) kills: u8,
}

/// Why a task is ended by Swan: a closed set (S8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum StopReason {
    /// Fewer instances are wanted.
    Scale = 1,
    /// Another configuration is wanted.
    Replace = 2,
    /// The app is deleted.
    Delete = 3,
    /// A user said so.
    Operator = 4,
    /// It did not start in time.
    Stuck = 5,
    /// It came back after it had been replaced.
    Surplus = 6,
}

impl StopReason {
    /// From its number in a record.
    pub(super) const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Scale,
            2 => Self::Replace,
            3 => Self::Delete,
            4 => Self::Operator,
            5 => Self::Stuck,
            6 => Self::Surplus,
            _ => return None,
        })
    }
}

/// The end of a task that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FailureNote {
    /// Mesos's state name.
    pub(super) state: TaskState,
    /// Reason and message, cut to the limit.
    pub(super) message: String,
    /// Where.
    pub(super) host: String,
    /// When.
    pub(super) at: Timestamp,
}

/// A slot's state as people and clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Shown {
    /// No task; waits for one.
    Pending,
    /// Running, but shall get no traffic any more.
    Draining,
    /// What Mesos says.
    Mesos(TaskState),
}

impl Shown {
    /// The name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "TASK_PENDING",
            Self::Draining => "TASK_DRAINING",
            Self::Mesos(state) => state.name().unwrap_or("TASK_UNKNOWN"),
        }
    }
}

/// What one slot adds to its app's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// The state shown; `None` for an idle slot beyond the wanted number.
    pub(super) state: Option<Shown>,
    pub(super) running: bool,
    pub(super) healthy: Option<bool>,
    pub(super) ready: bool,
    pub(super) version: Option<VersionId>,
    pub(super) agent: Option<AgentIdx>,
}

impl Slot {
    /// What it counts for; `wanted_runs` is the version that wanted tasks run.
    pub(super) fn tally(&self, wanted_runs: VersionId, wanted: bool) -> Tally {
        let Some(task) = &self.task else {
            let state = wanted.then_some(Shown::Pending);
            return Tally { state, running: false, healthy: None, ready: false, version: None, agent: None };
        };
        let running = task.state == TaskState::Running && task.stop.is_none();
        Tally {
            state: Some(task.shown_state()),
            running,
            healthy: if running { task.healthy } else { None },
            ready: task.serves() && task.version == wanted_runs,
            version: Some(task.version),
            agent: Some(task.agent),
        }
    }
}

impl Task {
    /// The state as people and clients see it.
    pub(super) const fn shown_state(&self) -> Shown {
        match (self.stop, self.state) {
            (Some(_), TaskState::Running) => Shown::Draining,
            (_, state) => Shown::Mesos(state),
        }
    }

    /// Where it is reached: its agent, on whose ports those of the container are mapped; without ports its own address.
    pub(super) fn address<'a>(&'a self, host: &'a str) -> &'a str {
        self.ip.as_deref().filter(|_| self.ports.is_empty()).unwrap_or(host)
    }

    /// It may get traffic.
    pub(super) fn serves(&self) -> bool {
        let well = if self.checked { self.healthy == Some(true) } else { self.healthy != Some(false) };
        self.state == TaskState::Running && self.stop.is_none() && well
    }
}
