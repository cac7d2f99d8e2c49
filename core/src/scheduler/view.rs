//! Owns what readers see: bounded pages copied out of the machine between steps, never through `step`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::id::{AppPath, DottedId};
use crate::mesos::TaskId;
use crate::time::Timestamp;

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
    /// `noop` or what is under way: `creating`, `scaling_up`, `scaling_down`, `updating`, `deleting`.
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
