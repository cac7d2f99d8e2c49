//! Owns the JSON documents of `/v1`: original Swan's field names, with what is new beside them.

mod event;
mod framework;
mod past;
mod placement;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use swan_core::scheduler::view::{AppView, QuarantinedView, TaskView, VersionView};
use utoipa::ToSchema;

pub use self::event::{EventDto, GapDto, WhoDto};
pub use self::framework::{FrameworkDto, FrameworkWordDto, HoldDto, PredecessorDto};
pub use self::past::{DryRunDto, FailureDto, RolloutDto};
pub use self::placement::{
    AgentDto, ExplainDto, FailingDto, GivenUpDto, NearestDto, OfferedDto, OutageDto, PlacedDto, WaitingDto,
};
use crate::problem::ProblemItem;
use crate::timestamp::rfc3339;

/// An app.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = App)]
pub struct AppDto {
    /// The dotted id, `web.shop.prod`.
    pub id: String,
    /// The path, `/prod/shop/web`.
    pub path: String,
    pub name: String,
    pub run_as: String,
    pub cluster: String,
    /// `noop`, or what is under way: `creating`, `scaling_up`, `scaling_down`, `updating`, `rollbacking`, `restarting`,
    /// `stopping`, `starting`, `deleting`.
    pub operation_status: String,
    /// Instances already where the change under way wants them; -1 if none is under way.
    pub progress: i64,
    /// How many there will be at its end; -1 if none is under way.
    pub progress_goal: i64,
    /// Wanted instances.
    pub instances: u32,
    /// Tasks and places that wait for one.
    #[serde(rename = "task_count")]
    pub task_count: u32,
    /// Number of tasks by state.
    #[serde(rename = "tasks_status")]
    pub tasks_status: BTreeMap<String, u32>,
    pub health: HealthDto,
    /// Versions that tasks run, oldest first.
    pub current_version: Vec<String>,
    /// Versions kept.
    #[serde(rename = "version_count")]
    pub version_count: u32,
    /// `available` while at least one task runs, else `unavailable`.
    pub status: String,
    /// Why the last change failed; empty if it did not.
    pub errmsg: String,
    /// Left alone after crashes, until released.
    pub quarantined: bool,
    /// Grows with each change to the app; the first part of the ETag.
    pub revision: u64,
    pub labels: BTreeMap<String, String>,
    /// The canonical definition.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// RFC 3339, UTC.
    pub created: String,
    /// RFC 3339, UTC.
    pub updated: String,
}

/// How many tasks of an app are in which health.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthDto {
    pub total: u32,
    pub healthy: u32,
    pub unhealthy: u32,
    /// Running without a verdict.
    pub unset: u32,
}

/// A slot of an app with its task.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Task)]
pub struct TaskDto {
    /// The task's id, `0a1b2c3d4e5f.0.web.shop.prod`; empty while the slot waits for a task.
    pub id: String,
    /// The slot, `0.web.shop.prod`.
    pub name: String,
    pub slot: u32,
    /// Where it is reached.
    pub ip: String,
    /// The agent's host name.
    pub host: String,
    /// Host ports in the order of the app's port mappings.
    pub ports: Vec<u16>,
    /// `healthy`, `unhealthy` or `unset`.
    pub healthy: String,
    /// The share of traffic; 100 is normal.
    pub weight: u32,
    pub agent_id: String,
    pub version: String,
    /// `TASK_RUNNING` and so on, `TASK_PENDING`, `TASK_DRAINING`.
    pub status: String,
    /// The last failure; empty if none.
    pub errmsg: String,
    #[serde(rename = "container_name")]
    pub container_name: String,
    /// Failures since it last ran well.
    pub retries: u32,
    /// RFC 3339, UTC.
    pub created: String,
    /// RFC 3339, UTC.
    pub updated: String,
}

/// One immutable revision of an app.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Version)]
pub struct VersionDto {
    pub id: String,
    /// The canonical definition.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// RFC 3339, UTC.
    pub created: String,
}

/// The answer to a create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Created)]
pub struct CreatedDto {
    /// The new app's dotted id.
    pub id: String,
    /// Its first version.
    pub version: String,
    /// What is odd in the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ProblemItem>,
}

/// The answer to an update: durable and under way.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Accepted)]
pub enum AcceptedDto {
    /// `accepted`, all that original Swan says.
    Plain(String),
    /// Something is odd in the definition.
    Warned {
        /// `accepted`.
        status: String,
        /// What is odd.
        warnings: Vec<ProblemItem>,
    },
}

/// The body of a scale request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Scale)]
pub struct ScaleDto {
    /// How many instances there shall be.
    pub instances: u32,
    /// Static addresses that replace those of the app; without them, or with an empty list, it keeps its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ips: Option<Vec<String>>,
}

/// The body of a rollback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Rollback)]
pub struct RollbackDto {
    /// The version to go back to; without one, the newest earlier one of another configuration.
    pub version: Option<String>,
}

/// The answer to a reset.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Reset)]
pub struct ResetDto {
    /// What was under way, as `operationStatus`.
    pub previous: String,
    /// Always `noop`.
    pub current: String,
}

/// The answer to a version that was added.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Added)]
pub struct AddedDto {
    /// The version's id.
    pub id: String,
    /// What is odd in the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ProblemItem>,
}

/// A task of ours that no record knows; it is left alone.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Quarantined)]
pub struct QuarantinedDto {
    pub id: String,
    pub agent_id: String,
    pub status: String,
    /// RFC 3339, UTC.
    pub first_seen: String,
    /// An operator ends it.
    #[serde(default)]
    pub ending: bool,
}

/// The leading manager.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Leader)]
pub struct LeaderDto {
    /// `host:port`.
    pub leader: String,
    /// All managers that are connected, in order of address.
    #[serde(default)]
    pub managers: Vec<ManagerDto>,
    /// The format level of the journal that is in force: no manager that reads less can start. 0 if it is not known.
    #[serde(default, rename = "formatInForce")]
    pub format_in_force: u8,
}

/// A manager.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Manager)]
pub struct ManagerDto {
    /// `host:port`.
    pub address: String,
    /// `leader` or `standby`.
    pub role: String,
    /// Of its build.
    pub version: String,
    /// The newest format level of the journal that it reads.
    pub format: u8,
    /// Batches of changes that it had not followed when it last told, which it does every other second.
    pub lag: u64,
}

/// Which software answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Build)]
pub(crate) struct BuildDto {
    pub(crate) version: String,
    pub(crate) commit: String,
    pub(crate) os: String,
    pub(crate) arch: String,
}

impl From<AppView> for AppDto {
    fn from(app: AppView) -> Self {
        let (healthy, unhealthy, unset) = app.health;
        let running = app.tasks_status.iter().any(|&(state, count)| state == "TASK_RUNNING" && count > 0);
        let (progress, progress_goal) =
            app.progress.map_or((-1, -1), |(done, goal)| (done.into(), goal.into()));
        Self {
            id: app.id.to_string(),
            path: app.path.to_string(),
            name: app.name,
            run_as: app.run_as,
            cluster: app.cluster,
            operation_status: app.operation_status.to_owned(),
            progress,
            progress_goal,
            instances: app.instances,
            task_count: app.task_count,
            tasks_status: app
                .tasks_status
                .into_iter()
                .map(|(state, count)| (state.to_owned(), count))
                .collect(),
            health: HealthDto { total: healthy + unhealthy + unset, healthy, unhealthy, unset },
            current_version: app.current_versions,
            version_count: app.version_count,
            status: if running { "available" } else { "unavailable" }.to_owned(),
            errmsg: app.error_message,
            quarantined: app.quarantined,
            revision: app.revision,
            labels: app.labels.into_iter().collect(),
            spec: spec_value(&app.spec),
            created: rfc3339(app.created),
            updated: rfc3339(app.updated),
        }
    }
}

/// Core writes canonical JSON; what does not parse is shown as the text that it is.
fn spec_value(spec: &str) -> Value {
    serde_json::from_str(spec).unwrap_or_else(|_| Value::from(spec))
}

impl From<TaskView> for TaskDto {
    fn from(task: TaskView) -> Self {
        let healthy = match task.healthy {
            Some(true) => "healthy",
            Some(false) => "unhealthy",
            None => "unset",
        };
        Self {
            id: task.id.map(|id| id.to_string()).unwrap_or_default(),
            name: task.slot_name,
            slot: task.slot,
            ip: task.ip,
            host: task.host,
            ports: task.ports,
            healthy: healthy.to_owned(),
            weight: task.weight,
            agent_id: task.agent_id,
            version: task.version,
            status: task.status.to_owned(),
            errmsg: task.error_message,
            container_name: task.container_name,
            retries: task.retries,
            created: rfc3339(task.created),
            updated: rfc3339(task.updated),
        }
    }
}

impl From<VersionView> for VersionDto {
    fn from(version: VersionView) -> Self {
        Self { id: version.id, spec: spec_value(&version.spec), created: rfc3339(version.created) }
    }
}

impl From<QuarantinedView> for QuarantinedDto {
    fn from(task: QuarantinedView) -> Self {
        Self {
            id: task.task.to_string(),
            agent_id: task.agent,
            status: task.state.to_owned(),
            first_seen: rfc3339(task.first_seen),
            ending: task.ending,
        }
    }
}
