//! Owns the JSON documents of `/v1`: original Swan's field names, with what is new beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use swan_core::scheduler::event::{Event, EventKind};
use swan_core::scheduler::view::{AppView, QuarantinedView, TaskView, VersionView};
use utoipa::ToSchema;

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
    /// `noop`, or what is under way: `creating`, `scaling_up`, `scaling_down`, `updating`, `deleting`.
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
}

/// The body of a scale request.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Scale)]
pub struct ScaleDto {
    /// How many instances there shall be.
    pub instances: u32,
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
}

/// Who Swan is for Mesos.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Framework)]
pub struct FrameworkDto {
    /// Empty until Mesos has given one.
    #[serde(rename = "ID")]
    pub id: String,
    /// The Mesos master, `host:port`; empty until known.
    pub master: String,
    /// Whether a subscription stands.
    pub connected: bool,
}

/// The leading manager.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Leader)]
pub struct LeaderDto {
    /// `host:port`.
    pub leader: String,
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

/// Who asked for a change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Who)]
pub struct WhoDto {
    pub name: String,
    pub address: String,
}

/// The data of an event; which fields stand depends on `type`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventDto {
    /// `<epoch>-<seq>-<n>`.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<WhoDto>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// The task's new state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why, or how a change failed; empty if all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What has ended, as `operationStatus` named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_instances: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
}

/// The data of a `gap` event: events may be missing here, so read again what you hold.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Gap)]
pub struct GapDto {
    /// Always `gap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `unknown`: the id that you came back with is not known (any more). `slow`: you read too slowly; come back.
    pub reason: String,
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
        }
    }
}

impl From<&Event> for EventDto {
    fn from(event: &Event) -> Self {
        let bare = Self {
            id: event.id.to_string(),
            kind: event.kind.name().to_owned(),
            at: rfc3339(event.at),
            who: event.who.clone().map(|who| WhoDto { name: who.name, address: who.address }),
            app_id: event.app.as_ref().map(ToString::to_string),
            ..Self::default()
        };
        bare.with_kind(event.kind.clone())
    }
}

impl EventDto {
    fn with_kind(self, kind: EventKind) -> Self {
        match kind {
            EventKind::AppCreated { version, instances } => {
                Self { version_id: Some(version), instances: Some(instances), ..self }
            }
            EventKind::AppUpdated { version } => Self { version_id: Some(version), ..self },
            EventKind::AppScaled { from, to } => {
                Self { previous_instances: Some(from), instances: Some(to), ..self }
            }
            EventKind::AppDeleting | EventKind::AppDeleted | EventKind::AppReleased => self,
            EventKind::RolloutEnded { operation, error } => {
                Self { operation: Some(operation), message: Some(error), ..self }
            }
            EventKind::TaskChanged { task, slot, version, agent, host, state, message } => Self {
                agent_id: Some(agent.to_string()),
                status: Some(state),
                message: Some(message),
                ..self.with_task(task.as_str(), slot, version, &host)
            },
            EventKind::TaskHealthy { task, slot, version, host, ports }
            | EventKind::TaskUnhealthy { task, slot, version, host, ports } => {
                Self { ports: Some(ports.to_vec()), ..self.with_task(task.as_str(), slot, version, &host) }
            }
            EventKind::TaskQuarantined { task, state } => {
                Self { task_id: Some(task.to_string()), status: Some(state), ..self }
            }
            EventKind::FrameworkSubscribed { framework, master } => {
                Self { framework_id: Some(framework), master: Some(master), ..self }
            }
            EventKind::AppQuarantined { reason } => Self { message: Some(reason), ..self },
            EventKind::AppRolledBack { version, reason } => {
                Self { version_id: Some(version), message: Some(reason), ..self }
            }
            EventKind::AppRestarting { version } => Self { version_id: Some(version), ..self },
            EventKind::AppStopping
            | EventKind::AppStarting
            | EventKind::RolloutPaused
            | EventKind::RolloutResumed
            | EventKind::RolloutCancelled => self,
            EventKind::SlotGivenUp { slot, reason } => {
                Self { slot: Some(slot), message: Some(reason), ..self }
            }
            EventKind::BrakeEngaged { agents, tasks } => {
                Self { message: Some(format!("{tasks} tasks on {agents} agents are lost at once")), ..self }
            }
            EventKind::BrakeReleased { by_operator } => {
                let by =
                    if by_operator { "overridden by an operator" } else { "enough agents have returned" };
                Self { message: Some(by.into()), ..self }
            }
        }
    }

    fn with_task(self, task: &str, slot: u32, version: u64, host: &str) -> Self {
        Self {
            task_id: Some(task.to_owned()),
            slot: Some(slot),
            version_id: Some(version.to_string()),
            host: Some(host.to_owned()),
            ..self
        }
    }
}
