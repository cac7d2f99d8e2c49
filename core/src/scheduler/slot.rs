//! Owns one slot and its task: what is recorded of them, and how they are counted and shown.
//!
//! A slot has two seats. The first holds its task; the second, only while a rollout replaces that task without ending it
//! first, its successor. A seat is addressed by the slot's number, the second one with [`SUCCESSOR`] added.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::agents::AgentIdx;
use super::apps::VersionId;
use crate::limits::INSTANCES_MAX;
use crate::mesos::{AgentId, Reason, TaskState};
use crate::time::{ClusterTime, Instant, Timestamp};

/// Added to a slot's number, it addresses the slot's second seat.
pub(super) const SUCCESSOR: u32 = 1 << 31;
const _: () = assert!(INSTANCES_MAX < SUCCESSOR, "slot numbers leave room for the mark of the second seat");

/// The number of the slot that a seat belongs to.
pub(super) const fn number_of(seat: u32) -> u32 {
    seat & !SUCCESSOR
}

/// Whether it is a slot's second seat.
pub(super) const fn is_successor(seat: u32) -> bool {
    seat & SUCCESSOR != 0
}

/// One seat of a numbered place of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// Its current task.
    pub(super) task: Option<Task>,
    /// Failures of the app's own since a task last ran steadily.
    pub(super) failures: u16,
    /// No new task before this.
    pub(super) not_before: ClusterTime,
    /// The version of the task it held last; 0 if it held none.
    pub(super) ran: VersionId,
    /// What went wrong in it; most slots have none.
    pub(super) trouble: Option<Box<Trouble>>,
    /// Its task has ended with its agent while the brake held: no new one before the brake lets go (S12).
    pub(super) held: bool,
    /// It is below the last wanted slot of its app without being wanted itself.
    pub(super) vacant: bool,
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
    /// Known from the journal alone: nothing was heard of it since this manager leads, so that more may be true by now.
    pub(super) inherited: bool,
    /// The version has a health check.
    pub(super) checked: bool,
    /// It has served for as long as its version asks for.
    pub(super) settled: bool,
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
    /// When its state, or whether it serves, changed last, in the time that deadlines are made of.
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
    /// It was said that it does not end.
    pub(super) stuck: bool,
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
    /// Its agent has a planned outage.
    Move = 7,
}

impl StopReason {
    /// Whether Swan itself has chosen to put another task in its place.
    pub(super) const fn makes_way(self) -> bool {
        matches!(self, Self::Replace | Self::Stuck | Self::Move)
    }

    /// From its number in a record.
    pub(super) const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Scale,
            2 => Self::Replace,
            3 => Self::Delete,
            4 => Self::Operator,
            5 => Self::Stuck,
            6 => Self::Surplus,
            7 => Self::Move,
            _ => return None,
        })
    }
}

/// What went wrong in a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trouble {
    /// The newest failures, oldest first.
    pub(super) history: VecDeque<FailureNote>,
    /// When the errors happened that the app's retries are counted by.
    pub(super) recent: Vec<ClusterTime>,
    /// Why no task is tried any more, until the next change of the app.
    pub(super) given_up: Option<String>,
}

/// The end of a task that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FailureNote {
    /// The unique part of the task's id.
    pub(super) hex: u64,
    /// The version it ran.
    pub(super) version: VersionId,
    /// Mesos's state.
    pub(super) state: TaskState,
    /// Mesos's reason.
    pub(super) reason: Option<Reason>,
    /// Text for people, cut to the limit.
    pub(super) message: String,
    /// Told by the message of a container that ended.
    pub(super) exit_code: Option<i32>,
    /// It counted as an error of the app.
    pub(super) counted: bool,
    /// Where.
    pub(super) agent: AgentId,
    /// Where, by name.
    pub(super) host: String,
    /// Mesos's container id; empty if never told.
    pub(super) container: String,
    /// When the task was made.
    pub(super) started: Timestamp,
    /// When it ended.
    pub(super) at: Timestamp,
}

/// A slot's state as people and clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Shown {
    /// No task; waits for one.
    Pending,
    /// No task, and none is tried any more.
    GivenUp,
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
            Self::GivenUp => "failed",
            Self::Draining => "TASK_DRAINING",
            Self::Mesos(state) => state.name().unwrap_or("TASK_UNKNOWN"),
        }
    }
}

/// What one seat adds to its app's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// The state shown; `None` for an idle seat that is not wanted.
    pub(super) state: Option<Shown>,
    pub(super) running: bool,
    pub(super) healthy: Option<bool>,
    /// Runs the wanted configuration, well and for long enough.
    pub(super) ready: bool,
    /// Runs any configuration well and for long enough, in a place that is wanted.
    pub(super) settled: bool,
    /// Runs another configuration in a wanted place and is not being ended: whether it serves.
    pub(super) outdated: Option<bool>,
    /// May get traffic.
    pub(super) serves: bool,
    /// As far as the journal tells; nothing was heard of it since.
    pub(super) unheard: bool,
    /// Is being ended.
    pub(super) stopping: bool,
    pub(super) version: Option<VersionId>,
    pub(super) agent: Option<AgentIdx>,
}

impl Slot {
    /// What it counts for; `wanted_runs` is the version that wanted tasks run.
    pub(super) fn tally(&self, wanted_runs: VersionId, wanted: bool) -> Tally {
        let Some(task) = &self.task else {
            let waiting = if self.given_up().is_some() { Shown::GivenUp } else { Shown::Pending };
            return Tally {
                state: wanted.then_some(waiting),
                running: false,
                healthy: None,
                ready: false,
                settled: false,
                outdated: None,
                serves: false,
                unheard: false,
                stopping: false,
                version: None,
                agent: None,
            };
        };
        let running = task.state == TaskState::Running && task.stop.is_none();
        let settled = task.serves() && task.settled;
        let current = task.version == wanted_runs;
        Tally {
            state: Some(task.shown_state()),
            running,
            healthy: if running { task.healthy } else { None },
            ready: settled && current,
            settled: settled && wanted,
            outdated: (!current && wanted && task.stop.is_none()).then(|| task.serves()),
            serves: task.serves(),
            unheard: task.inherited,
            stopping: task.stop.is_some(),
            version: Some(task.version),
            agent: Some(task.agent),
        }
    }

    /// Why no task is tried any more.
    pub(super) fn given_up(&self) -> Option<&str> {
        self.trouble.as_ref()?.given_up.as_deref()
    }

    /// The last failure.
    pub(super) fn last_failure(&self) -> Option<&FailureNote> {
        self.trouble.as_ref()?.history.back()
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
