//! Owns what a user says about change and failure: limits of rollouts, what counts as an error, what follows from it.

pub(super) mod read;
pub(super) mod write;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::mesos::{Reason, TaskState};
use crate::time::Millis;

/// Parts per million in the whole.
pub const WHOLE_PPM: u32 = 1_000_000;

/// Marathon's `upgradeStrategy`: how far the number of tasks may leave the wanted one during a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upgrade {
    /// `minimumHealthCapacity` in parts per million: so many of the wanted instances stay healthy.
    pub min_healthy_ppm: u32,
    /// `maximumOverCapacity` in parts per million: so many more than the wanted instances may run.
    pub max_over_ppm: u32,
}

/// Swan's `update`: how a rollout goes on, and when it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// So many places change at the same time at most; `None` means as many as [`Upgrade`] allows.
    pub parallel: Option<u32>,
    /// The pause after a new task has become ready, before the next is begun.
    pub delay: Millis,
    /// A task counts as ready once it has been running and healthy for so long.
    pub min_healthy: Millis,
    /// Without any new task becoming ready for so long the rollout has failed.
    pub progress_deadline: Millis,
    /// With more failures of new tasks than this the rollout has failed; `None` means 3, or a tenth of the instances if
    /// that is more.
    pub max_failures: Option<u32>,
    /// What then.
    pub on_failure: OnFailure,
}

/// What becomes of a rollout that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It ends where it stands: what is not running is given up until the next change.
    Stop,
    /// It goes on trying; the failure is shown.
    Continue,
    /// The version before is rolled out again.
    Rollback,
}

/// Swan's `failover`: what the end of a task that nobody asked for means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// What counts as an error of the app; `None` means all but what is the cluster's fault (R87).
    pub errors: Option<EndPattern>,
    /// What never counts.
    pub ignore: Option<EndPattern>,
    /// Errors of one slot within `window` that are answered with a new task; `None` means any number.
    pub retries: Option<u32>,
    /// See `retries`.
    pub window: Millis,
    /// Failures kept and shown of each slot.
    pub history: u32,
    /// What follows when the retries are used up.
    pub on_exhausted: OnExhausted,
}

/// Which ends of tasks are meant: those that every list that is not empty names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndPattern {
    /// States.
    pub states: Vec<TaskState>,
    /// Reasons.
    pub reasons: Vec<Reason>,
    /// Exit codes, as inclusive ranges.
    pub exit_codes: Vec<(i32, i32)>,
}

/// What follows when the retries of a slot are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnExhausted {
    /// It goes on, at the longest pause.
    KeepTrying,
    /// The slot is given up until the next change.
    Stop,
    /// The version before is rolled out again; without one as [`Self::Stop`].
    Rollback,
}

/// Marathon's `unreachableStrategy`: what becomes of a task that nobody can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unreachable {
    /// `"disabled"`: it is waited for, and never replaced (R52).
    Wait,
    /// It is replaced.
    Replace {
        /// `inactiveAfterSeconds`: after so long.
        after: Millis,
        /// `expungeAfterSeconds`: kept and shown; a task that returns after it was replaced is ended in any case.
        expunge: Millis,
    },
}

/// Marathon's `killSelection`: which tasks go first when fewer are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KillSelection {
    /// Those with the highest slot numbers, which are the youngest places.
    #[default]
    YoungestFirst,
    /// Those whose tasks run longest.
    OldestFirst,
}

/// Which of the agents that suit is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlacementStrategy {
    /// The one with the fewest tasks of the app, then with most room.
    #[default]
    Spread,
    /// The one with least room that suffices.
    BinPack,
    /// Any.
    Random,
    /// The one with the highest sum of what is left, each resource times its weight.
    Weighted(Weights),
}

/// Weights of [`PlacementStrategy::Weighted`], each from -1000 to 1000 ([`crate::limits::WEIGHT_MAX`]); what is negative prefers agents with little of it left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Of free CPUs.
    pub cpus: i16,
    /// Of free memory, by the GiB.
    pub mem: i16,
    /// Of free disk, by the 10 GiB.
    pub disk: i16,
    /// Of free GPUs.
    pub gpus: i16,
    /// Of tasks of the app on the agent.
    pub tasks: i16,
}

/// Marathon's `resourceLimits`: how far a task may go beyond what it claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Of CPUs, in thousandths.
    pub cpus: Option<Limit>,
    /// Of memory, in thousandths of a MiB.
    pub mem: Option<Limit>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// So many thousandths.
    Thousandths(u64),
    /// `"unlimited"`.
    Unlimited,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self { min_healthy_ppm: WHOLE_PPM, max_over_ppm: WHOLE_PPM }
    }
}

impl Default for Update {
    fn default() -> Self {
        Self {
            parallel: None,
            delay: Millis(0),
            min_healthy: Millis(0),
            progress_deadline: Millis::from_secs(600),
            max_failures: None,
            on_failure: OnFailure::Stop,
        }
    }
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            errors: None,
            ignore: None,
            retries: None,
            window: Millis::from_secs(600),
            history: 5,
            on_exhausted: OnExhausted::KeepTrying,
        }
    }
}

impl Default for Unreachable {
    fn default() -> Self {
        Self::Replace { after: Millis(0), expunge: Millis(0) }
    }
}
