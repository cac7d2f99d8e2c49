//! Owns what Swan tells the world about changes.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::api::Caller;
use crate::id::DottedId;
use crate::mesos::{AgentId, TaskId};
use crate::record::{Epoch, Seq};
use crate::time::Timestamp;

/// A change, published once it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place among all events.
    pub id: EventId,
    /// When, by the leader's wall clock.
    pub at: Timestamp,
    /// Who asked for it, if someone did.
    pub who: Option<Caller>,
    /// The app concerned, if one is.
    pub app: Option<DottedId>,
    /// What happened.
    pub kind: EventKind,
}

/// `<epoch>-<seq>-<n>`: the leadership, the batch that made it durable, its place in that batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct EventId {
    pub epoch: Epoch,
    pub seq: Seq,
    pub n: u32,
}

impl EventId {
    /// Parses `<epoch>-<seq>-<n>`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            if digits { part.parse::<u64>().ok() } else { None }
        });
        let (epoch, seq, n) = (parts.next()??, parts.next()??, parts.next()??);
        let end = parts.next().is_none();
        end.then_some(Self { epoch: Epoch(epoch), seq: Seq(seq), n: u32::try_from(n).ok()? })
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.epoch.0, self.seq.0, self.n)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum EventKind {
    AppCreated {
        version: String,
        instances: u32,
    },
    AppUpdated {
        version: String,
    },
    AppScaled {
        from: u32,
        to: u32,
    },
    AppDeleting,
    AppDeleted,
    /// A change under way has ended; `operation` is what `operationStatus` was, `error` is empty on success.
    RolloutEnded {
        operation: String,
        error: String,
    },
    /// A task has a new state; `state` is Mesos's name for it, or `TASK_PENDING`, `TASK_DRAINING`.
    TaskChanged {
        task: TaskId,
        slot: u32,
        version: u64,
        agent: AgentId,
        host: Arc<str>,
        state: String,
        message: String,
    },
    /// A task may get traffic.
    TaskHealthy {
        task: TaskId,
        slot: u32,
        version: u64,
        host: Arc<str>,
        ports: Arc<[u16]>,
    },
    /// A task must not get traffic any more.
    TaskUnhealthy {
        task: TaskId,
        slot: u32,
        version: u64,
        host: Arc<str>,
        ports: Arc<[u16]>,
    },
    /// A task of ours that no record knows was seen; it is left alone.
    TaskQuarantined {
        task: TaskId,
        state: String,
    },
    FrameworkSubscribed {
        framework: String,
        master: String,
    },
    /// The journal was lost: these frameworks still hold something, and an operator must decide (S14).
    FrameworkHeld {
        frameworks: Vec<String>,
    },
    /// The operator has decided: this framework is adopted, or else a new one is made.
    FrameworkDecided {
        adopted: Option<String>,
    },
    AppQuarantined {
        reason: String,
    },
    AppReleased,
    /// An earlier version is rolled out; `reason` is why, if the machine itself decided so.
    AppRolledBack {
        version: String,
        reason: String,
    },
    AppRestarting {
        version: String,
    },
    AppStopping,
    AppStarting,
    RolloutPaused,
    RolloutResumed,
    RolloutCancelled,
    /// No task is tried in the slot any more, until the app changes.
    SlotGivenUp {
        slot: u32,
        reason: String,
    },
    /// A task was told to end long ago and is still there; it is told again and again.
    TaskStuck {
        task: TaskId,
        slot: u32,
    },
    /// So much was lost at once that nothing is replaced or ended for now (R54).
    BrakeEngaged {
        agents: u64,
        tasks: u64,
    },
    BrakeReleased {
        by_operator: bool,
    },
}

impl EventKind {
    /// The SSE event type.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AppCreated { .. } => "app_created",
            Self::AppUpdated { .. } => "app_updated",
            Self::AppScaled { .. } => "app_scaled",
            Self::AppDeleting => "app_deleting",
            Self::AppDeleted => "app_deleted",
            Self::RolloutEnded { .. } => "rollout_ended",
            Self::TaskChanged { .. } => "task_changed",
            Self::TaskHealthy { .. } => "task_healthy",
            Self::TaskUnhealthy { .. } => "task_unhealthy",
            Self::TaskQuarantined { .. } => "task_quarantined",
            Self::FrameworkSubscribed { .. } => "framework_subscribed",
            Self::FrameworkHeld { .. } => "framework_held",
            Self::FrameworkDecided { .. } => "framework_decided",
            Self::AppQuarantined { .. } => "app_quarantined",
            Self::AppReleased => "app_released",
            Self::AppRolledBack { .. } => "app_rolled_back",
            Self::AppRestarting { .. } => "app_restarting",
            Self::AppStopping => "app_stopping",
            Self::AppStarting => "app_starting",
            Self::RolloutPaused => "rollout_paused",
            Self::RolloutResumed => "rollout_resumed",
            Self::RolloutCancelled => "rollout_cancelled",
            Self::SlotGivenUp { .. } => "slot_given_up",
            Self::TaskStuck { .. } => "task_stuck",
            Self::BrakeEngaged { .. } => "brake_engaged",
            Self::BrakeReleased { .. } => "brake_released",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn event_ids_round_trip_and_junk_is_refused() {
        let id = EventId { epoch: Epoch(3), seq: Seq(77), n: 2 };
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
        for bad in ["", "1-2", "1-2-3-4", "-1-2-3", "1-2-99999999999", "a-b-c", "1-+2-3"] {
            assert_eq!(EventId::parse(bad), None, "{bad}");
        }
    }
}
