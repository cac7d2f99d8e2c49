//! Owns what Mesos reports of a task.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{AgentId, ExecutorId, TaskId, Uuid};
use crate::time::Timestamp;

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $number:literal $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A number this build does not know.
            Other(i32),
        }

        impl $name {
            /// Every known value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// From the wire number.
            pub const fn from_number(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The wire number.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// From the wire name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The wire name; `None` for an unknown number.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($text),)*
                    Self::Other(_) => None,
                }
            }
        }
    };
}

numbered! {
    /// The state of a task, as `mesos.v1.TaskState`.
    TaskState {
        Staging = 6 "TASK_STAGING",
        Starting = 0 "TASK_STARTING",
        Running = 1 "TASK_RUNNING",
        Killing = 8 "TASK_KILLING",
        Finished = 2 "TASK_FINISHED",
        Failed = 3 "TASK_FAILED",
        Killed = 4 "TASK_KILLED",
        Error = 7 "TASK_ERROR",
        Lost = 5 "TASK_LOST",
        Dropped = 9 "TASK_DROPPED",
        Unreachable = 10 "TASK_UNREACHABLE",
        Gone = 11 "TASK_GONE",
        GoneByOperator = 12 "TASK_GONE_BY_OPERATOR",
        Unknown = 13 "TASK_UNKNOWN",
    }
}

impl TaskState {
    /// No process of the task can be alive after it, as far as Mesos can tell (R24, R53).
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::Failed
                | Self::Killed
                | Self::Error
                | Self::Lost
                | Self::Dropped
                | Self::Gone
                | Self::GoneByOperator
        )
    }
}

numbered! {
    /// Who made an update, as `mesos.v1.TaskStatus.Source`.
    Source {
        Master = 0 "SOURCE_MASTER",
        Agent = 1 "SOURCE_AGENT",
        Executor = 2 "SOURCE_EXECUTOR",
    }
}

numbered! {
    /// Why a task is in its state, as `mesos.v1.TaskStatus.Reason`.
    Reason {
        CommandExecutorFailed = 0 "REASON_COMMAND_EXECUTOR_FAILED",
        ExecutorTerminated = 1 "REASON_EXECUTOR_TERMINATED",
        ExecutorUnregistered = 2 "REASON_EXECUTOR_UNREGISTERED",
        FrameworkRemoved = 3 "REASON_FRAMEWORK_REMOVED",
        GcError = 4 "REASON_GC_ERROR",
        InvalidFrameworkId = 5 "REASON_INVALID_FRAMEWORKID",
        InvalidOffers = 6 "REASON_INVALID_OFFERS",
        MasterDisconnected = 7 "REASON_MASTER_DISCONNECTED",
        ContainerLimitationMemory = 8 "REASON_CONTAINER_LIMITATION_MEMORY",
        Reconciliation = 9 "REASON_RECONCILIATION",
        AgentDisconnected = 10 "REASON_AGENT_DISCONNECTED",
        AgentRemoved = 11 "REASON_AGENT_REMOVED",
        AgentRestarted = 12 "REASON_AGENT_RESTARTED",
        AgentUnknown = 13 "REASON_AGENT_UNKNOWN",
        TaskInvalid = 14 "REASON_TASK_INVALID",
        TaskUnauthorized = 15 "REASON_TASK_UNAUTHORIZED",
        TaskUnknown = 16 "REASON_TASK_UNKNOWN",
        ContainerPreempted = 17 "REASON_CONTAINER_PREEMPTED",
        ResourcesUnknown = 18 "REASON_RESOURCES_UNKNOWN",
        ContainerLimitation = 19 "REASON_CONTAINER_LIMITATION",
        ContainerLimitationDisk = 20 "REASON_CONTAINER_LIMITATION_DISK",
        ContainerLaunchFailed = 21 "REASON_CONTAINER_LAUNCH_FAILED",
        ContainerUpdateFailed = 22 "REASON_CONTAINER_UPDATE_FAILED",
        ExecutorRegistrationTimeout = 23 "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
        ExecutorReregistrationTimeout = 24 "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
        TaskGroupInvalid = 25 "REASON_TASK_GROUP_INVALID",
        TaskGroupUnauthorized = 26 "REASON_TASK_GROUP_UNAUTHORIZED",
        IoSwitchboardExited = 27 "REASON_IO_SWITCHBOARD_EXITED",
        TaskCheckStatusUpdated = 28 "REASON_TASK_CHECK_STATUS_UPDATED",
        TaskHealthCheckStatusUpdated = 29 "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
        TaskKilledDuringLaunch = 30 "REASON_TASK_KILLED_DURING_LAUNCH",
        AgentRemovedByOperator = 31 "REASON_AGENT_REMOVED_BY_OPERATOR",
        AgentReregistered = 32 "REASON_AGENT_REREGISTERED",
        MaxCompletionTimeReached = 33 "REASON_MAX_COMPLETION_TIME_REACHED",
        AgentDraining = 34 "REASON_AGENT_DRAINING",
    }
}

/// One update of one task. Its `Debug` shows attached data by size only: for Docker it tells the whole environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Which task.
    pub task_id: TaskId,
    /// Its state.
    pub state: TaskState,
    /// Who says so.
    pub source: Option<Source>,
    /// Why.
    pub reason: Option<Reason>,
    /// Text for people.
    pub message: Option<String>,
    /// Where it runs, if known.
    pub agent_id: Option<AgentId>,
    /// Its executor, if known.
    pub executor_id: Option<ExecutorId>,
    /// Present iff the update must be acknowledged (R20).
    pub uuid: Option<Uuid>,
    /// When it was made, by the clock of who made it.
    pub timestamp: Option<Timestamp>,
    /// The last health verdict; absent is not unhealthy (R25).
    pub healthy: Option<bool>,
    /// Whatever the executor attached: for Docker the output of `inspect`, with RUNNING only.
    pub data: Option<Vec<u8>>,
    /// `container_status.container_id`.
    pub container_id: Option<String>,
    /// `container_status.network_infos`: addresses of the container, or of its agent.
    pub ip_addresses: Vec<String>,
    /// Since when the agent is unreachable.
    pub unreachable_time: Option<Timestamp>,
}

impl TaskStatus {
    /// A bare update as a master makes it: no uuid, nothing attached.
    pub fn from_master(task_id: TaskId, state: TaskState, reason: Reason) -> Self {
        Self {
            task_id,
            state,
            source: Some(Source::Master),
            reason: Some(reason),
            message: None,
            agent_id: None,
            executor_id: None,
            uuid: None,
            timestamp: None,
            healthy: None,
            data: None,
            container_id: None,
            ip_addresses: Vec::new(),
            unreachable_time: None,
        }
    }
}

impl fmt::Debug for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskStatus")
            .field("task_id", &self.task_id)
            .field("state", &self.state)
            .field("source", &self.source)
            .field("reason", &self.reason)
            .field("message", &self.message)
            .field("agent_id", &self.agent_id)
            .field("executor_id", &self.executor_id)
            .field("uuid", &self.uuid)
            .field("timestamp", &self.timestamp)
            .field("healthy", &self.healthy)
            .field("data_bytes", &self.data.as_ref().map(Vec::len))
            .field("container_id", &self.container_id)
            .field("ip_addresses", &self.ip_addresses)
            .field("unreachable_time", &self.unreachable_time)
            .finish()
    }
}
