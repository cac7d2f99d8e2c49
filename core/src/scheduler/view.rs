//! Owns what readers see: bounded pages copied out of the machine between steps, never through `step`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::id::{AppPath, DottedId};
use crate::mesos::TaskId;
use crate::scheduler::Hold;
use crate::scheduler::api::Problem;
use crate::time::{Millis, Timestamp};

/// An app as readers see it. Its `Debug` leaves out the definition, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct AppView {
    /// The dotted id, original Swan's `id`.
    pub id: DottedId,
    /// The path.
    pub path: AppPath,
    /// Original Swan's names, or what the path gives for them.
    pub name: String,
    /// See `name`.
    pub run_as: String,
    /// See `name`.
    pub cluster: String,
    /// `noop` or what is under way: `creating`, `scaling_up`, `scaling_down`, `updating`, `rollbacking`, `restarting`,
    /// `stopping`, `starting`, `deleting`.
    pub operation_status: &'static str,
    /// Slots already where the change under way wants them; `None` if none is under way.
    pub progress: Option<(u32, u32)>,
    /// Why the last change failed; empty if it did not.
    pub error_message: String,
    /// Wanted instances.
    pub instances: u32,
    /// Tasks and places waiting for one.
    pub task_count: u32,
    /// Number of tasks by state name, `TASK_RUNNING`, …; only states that occur.
    pub tasks_status: Vec<(&'static str, u32)>,
    /// Healthy, unhealthy, and running without a verdict.
    pub health: (u32, u32, u32),
    /// Versions that tasks run, oldest first.
    pub current_versions: Vec<String>,
    /// Versions kept.
    pub version_count: u32,
    /// The canonical definition, as JSON text.
    pub spec: String,
    /// Grows with each change to the app's definition or operation; the ETag.
    pub revision: u64,
    /// Left alone after crashes, until released.
    pub quarantined: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
    /// The labels of the newest version.
    pub labels: Vec<(String, String)>,
}

/// A slot and its task as readers see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    /// The task, or `None` while the slot waits for one.
    pub id: Option<TaskId>,
    /// `0.web.shop.prod`.
    pub slot_name: String,
    /// The slot's number.
    pub slot: u32,
    /// Mesos's state name, or `TASK_PENDING`, `TASK_DRAINING`.
    pub status: &'static str,
    /// The last health verdict.
    pub healthy: Option<bool>,
    /// Where it is reached: its agent's host, or without mapped ports the container's own address.
    pub ip: String,
    /// The agent's host name.
    pub host: String,
    /// The agent.
    pub agent_id: String,
    /// Host ports, in the order of the app's port mappings.
    pub ports: Vec<u16>,
    /// The version it runs.
    pub version: String,
    /// The share of traffic relative to its peers; 100 is normal.
    pub weight: u32,
    /// Failures since it last ran well.
    pub retries: u32,
    /// The last failure's text; empty if none.
    pub error_message: String,
    /// The Docker container's name, if known.
    pub container_name: String,
    /// When this task was made.
    pub created: Timestamp,
    /// When its state changed last.
    pub updated: Timestamp,
}

/// One revision of an app. Its `Debug` leaves out the definition, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct VersionView {
    /// Its id.
    pub id: String,
    /// The canonical definition, as JSON text.
    pub spec: String,
    /// When it was made.
    pub created: Timestamp,
}

/// A task of ours that no record knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct QuarantinedView {
    pub task: TaskId,
    pub agent: String,
    pub state: &'static str,
    pub first_seen: Timestamp,
    /// An operator ends it.
    pub ending: bool,
}

/// The manager's standing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagerView {
    /// Whether it leads.
    pub leading: bool,
    /// Whether a subscription stands.
    pub connected: bool,
    /// Whether the store is stalled; reads may then show what is not durable yet.
    pub stalled: bool,
    /// The framework id, once known.
    pub framework_id: String,
    /// The master, `host:port`.
    pub master: String,
    /// Its journal was lost: which frameworks hold something, and what was decided.
    pub hold: Option<Hold>,
}

/// A change of an app that is under way or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutView {
    /// Grows with each rollout of the app.
    pub id: u64,
    /// What was asked for: `creating`, `scaling_up`, `scaling_down`, `updating`, `rollbacking`, `restarting`, `stopping`,
    /// `starting`, `deleting`.
    pub operation: &'static str,
    /// `running`, `paused`, `done`, `failed`, `cancelled`, `replaced` (by a forced change).
    pub state: &'static str,
    /// Why it has failed, or what is in its way; empty if nothing is.
    pub error: String,
    /// The version before it, if another.
    pub from_version: Option<String>,
    /// The version that it brings.
    pub to_version: String,
    /// Instances before and after.
    pub instances: (u32, u32),
    /// Instances already as wanted.
    pub ready: u32,
    /// So many stay ready, and so many may exist at the same time, while it goes on.
    pub limits: (u32, u32),
    /// Errors of its new tasks so far, and how many it bears.
    pub failures: (u32, u32),
    /// Milliseconds until it has failed for lack of progress; `None` if it is not running.
    pub deadline_in: Option<Millis>,
    /// Begun by the machine itself, because the one before failed.
    pub automatic: bool,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// The end of one task that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureView {
    /// The slot it was in.
    pub slot: u32,
    /// The task.
    pub task: TaskId,
    /// The version it ran.
    pub version: String,
    /// Mesos's state name.
    pub state: &'static str,
    /// Mesos's reason name; empty if none was told.
    pub reason: &'static str,
    /// Text for people.
    pub message: String,
    /// The exit code, if the message told one.
    pub exit_code: Option<i32>,
    /// Whether it counted as an error of the app.
    pub counted: bool,
    /// The agent.
    pub agent_id: String,
    /// The agent's host name.
    pub host: String,
    /// Where its files are, below the agent's `--work_dir`.
    pub sandbox: String,
    /// When the task was made.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// Why waiting slots wait, and why running tasks are where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainView {
    /// Slots that wait, by launch class.
    pub waiting: Vec<WaitingView>,
    /// Tasks that run, up to a limit, in order of slot.
    pub placed: Vec<PlacedView>,
    /// Slots that were given up, with the reason of the first few.
    pub given_up: Vec<(u32, String)>,
}

/// One launch class that waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingView {
    /// The version whose tasks wait.
    pub version: String,
    /// The role whose resources they may take.
    pub role: String,
    /// How many slots wait for an agent now.
    pub slots: u32,
    /// How many wait for their back-off to end.
    pub backing_off: u32,
    /// Agents known, and how many of them were looked at.
    pub agents: (u32, u32),
    /// Agents that would suit now.
    pub suitable: u32,
    /// Per requirement, as text: how many of the agents looked at fail at it first.
    pub failing: Vec<(String, u32)>,
    /// The agent that lacks least: its host name and what it lacks.
    pub nearest: Option<(String, String)>,
}

/// Why a task is where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlacedView {
    /// The slot.
    pub slot: u32,
    /// The agent's host name.
    pub host: String,
    /// In words: the rules that hold there, and what the strategy saw in it.
    pub why: String,
}

/// An agent as last heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentView {
    /// Its id.
    pub id: String,
    /// Its host name.
    pub host: String,
    /// Attributes, as text.
    pub attributes: Vec<(String, String)>,
    /// Region and zone, if told.
    pub domain: Option<(String, String)>,
    /// Tasks of Swan's on it.
    pub tasks: u32,
    /// Free in the newest offer: thousandths of CPUs, thousandths of MiB of memory and of disk, GPUs, ports; `None` if it
    /// offered nothing lately.
    pub offered: Option<(u64, u64, u64, u64, u64)>,
    /// A planned outage: when it begins and ends.
    pub maintenance: Option<(Timestamp, Option<Timestamp>)>,
}

/// What a change would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DryRunView {
    /// The operation that it would begin, as in [`RolloutView::operation`]; `noop` if it would change nothing.
    pub operation: &'static str,
    /// What is odd in the definition.
    pub warnings: Vec<Problem>,
    /// Tasks that would be replaced, started and ended.
    pub replaced: u32,
    /// See `replaced`.
    pub started: u32,
    /// See `replaced`.
    pub ended: u32,
    /// So many stay ready, and so many may exist at the same time, meanwhile.
    pub limits: (u32, u32),
    /// Of the tasks to start, how many the agents as last heard of have room for.
    pub placeable: u32,
    /// The canonical definition that would be stored, as JSON text.
    pub spec: String,
}

/// Part of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In order of key.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

impl fmt::Debug for AppView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppView")
            .field("id", &self.id)
            .field("operation_status", &self.operation_status)
            .field("progress", &self.progress)
            .field("error_message", &self.error_message)
            .field("instances", &self.instances)
            .field("task_count", &self.task_count)
            .field("tasks_status", &self.tasks_status)
            .field("health", &self.health)
            .field("current_versions", &self.current_versions)
            .field("revision", &self.revision)
            .field("quarantined", &self.quarantined)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for VersionView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VersionView").field("id", &self.id).finish_non_exhaustive()
    }
}
