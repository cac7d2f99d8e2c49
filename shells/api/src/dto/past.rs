//! Owns the JSON documents of changes: those under way, those that ended, those that are only thought of, and failures.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use swan_core::scheduler::view::{DryRunView, FailureView, RolloutView};
use utoipa::ToSchema;

use super::spec_value;
use crate::problem::ProblemItem;
use crate::timestamp::rfc3339;

/// A change of an app that is under way or has ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Rollout)]
pub struct RolloutDto {
    /// Grows with each rollout of the app.
    pub id: u64,
    /// What was asked for, as `operationStatus` names it.
    pub operation: String,
    /// `running`, `paused`, `done`, `failed`, `cancelled`, `replaced` (by a forced change).
    pub state: String,
    /// Why it has failed, or what is in its way; empty if nothing is.
    pub error: String,
    /// The version before it; null if it is the same.
    pub from_version: Option<String>,
    /// The version that it brings.
    pub to_version: String,
    pub from_instances: u32,
    pub to_instances: u32,
    /// Instances already as wanted.
    pub ready: u32,
    /// So many stay ready while it goes on.
    pub min_ready: u32,
    /// So many tasks may exist at the same time while it goes on.
    pub max_tasks: u32,
    /// Errors of its new tasks so far.
    pub failures: u32,
    /// With more errors than this it has failed.
    pub max_failures: u32,
    /// Seconds until it has failed for lack of progress; null if it is not running.
    pub deadline_in_seconds: Option<u64>,
    /// Begun by Swan itself, because the one before failed.
    pub automatic: bool,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC; null while it is under way.
    pub ended: Option<String>,
}

/// The end of one task that nobody asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Failure)]
pub struct FailureDto {
    pub slot: u32,
    pub task_id: String,
    /// The version that it ran.
    pub version: String,
    /// Mesos's state.
    pub state: String,
    /// Mesos's reason; empty if none was told.
    pub reason: String,
    pub message: String,
    /// Null if it is not known.
    pub exit_code: Option<i32>,
    /// Whether it counted as an error of the app.
    pub counted: bool,
    pub agent_id: String,
    /// The agent's host name.
    pub host: String,
    /// Where its files are, below the agent's `--work_dir`.
    pub sandbox: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC.
    pub ended: String,
}

/// What a change would do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DryRun)]
pub struct DryRunDto {
    /// The operation that it would begin, as `operationStatus` names it; `noop` if it would change nothing.
    pub operation: String,
    /// What is odd in the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ProblemItem>,
    /// Tasks that would be replaced.
    pub replaced: u32,
    /// Tasks that would be started.
    pub started: u32,
    /// Tasks that would be ended.
    pub ended: u32,
    /// So many would stay ready meanwhile.
    pub min_ready: u32,
    /// So many tasks could exist at the same time meanwhile.
    pub max_tasks: u32,
    /// Of the tasks to start, how many the agents as last heard of have room for.
    pub placeable: u32,
    /// The canonical definition that would be stored.
    #[schema(value_type = Object)]
    pub spec: Value,
}

impl From<RolloutView> for RolloutDto {
    fn from(rollout: RolloutView) -> Self {
        Self {
            id: rollout.id,
            operation: rollout.operation.to_owned(),
            state: rollout.state.to_owned(),
            error: rollout.error,
            from_version: rollout.from_version,
            to_version: rollout.to_version,
            from_instances: rollout.instances.0,
            to_instances: rollout.instances.1,
            ready: rollout.ready,
            min_ready: rollout.limits.0,
            max_tasks: rollout.limits.1,
            failures: rollout.failures.0,
            max_failures: rollout.failures.1,
            deadline_in_seconds: rollout.deadline_in.map(|left| left.0 / 1000),
            automatic: rollout.automatic,
            started: rfc3339(rollout.started),
            ended: rollout.ended.map(rfc3339),
        }
    }
}

impl From<FailureView> for FailureDto {
    fn from(failure: FailureView) -> Self {
        Self {
            slot: failure.slot,
            task_id: failure.task.to_string(),
            version: failure.version,
            state: failure.state.to_owned(),
            reason: failure.reason.to_owned(),
            message: failure.message,
            exit_code: failure.exit_code,
            counted: failure.counted,
            agent_id: failure.agent_id,
            host: failure.host,
            sandbox: failure.sandbox,
            started: rfc3339(failure.started),
            ended: rfc3339(failure.ended),
        }
    }
}

impl From<DryRunView> for DryRunDto {
    fn from(change: DryRunView) -> Self {
        let warnings = change.warnings.into_iter().map(ProblemItem::from).collect();
        Self {
            operation: change.operation.to_owned(),
            warnings,
            replaced: change.replaced,
            started: change.started,
            ended: change.ended,
            min_ready: change.limits.0,
            max_tasks: change.limits.1,
            placeable: change.placeable,
            spec: spec_value(&change.spec),
        }
    }
}
