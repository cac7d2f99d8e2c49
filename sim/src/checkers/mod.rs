//! Owns the checkers: each watches a run from outside and says when a numbered invariant is broken.
//!
//! A checker sees what a process is told and does, what is durable, and what is really so in the cluster; never what a
//! machine believes, except through answers and views that users get too.

pub mod ack_rule;
pub mod back_off;
pub mod bounded;
pub mod bounded_duplication;
pub mod conservation;
pub mod convergence;
pub mod dead_connections;
pub mod disaster_brake;
pub mod durable_replies;
pub mod each;
pub mod fleet;
pub mod format_levels;
pub mod kept_versions;
pub mod kill_reasons;
pub mod kills_end;
pub mod known_masters;
pub mod launch_limits;
pub mod lost_memory;
pub mod lost_store;
pub mod never_twice;
pub mod offers_taken;
pub mod one_framework;
pub mod one_leader;
pub mod placement_rules;
pub mod planned_stops;
pub mod recovery;
pub mod resource_soundness;
pub mod resting_rollouts;
pub mod rollout_deadlines;
pub mod rollout_steps;
pub mod rollout_versions;
pub mod sound_definitions;
pub mod state_monotonic;
pub mod store_away;
pub mod stored;
pub mod unique_launch;
pub mod updates_acknowledged;
pub mod wall_clock;

#[cfg(test)]
mod tests;

use swan_core::journal::Entry;
use swan_core::link::{LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{AgentId, Event, TaskId, TaskStatus};
use swan_core::record::Epoch;
use swan_core::scheduler::View;
use swan_core::scheduler::effect::MesosCall;
use swan_core::time::Instant;

use self::convergence::Book;
use self::each::Each;
use self::fleet::Fleet;
use self::stored::Stored;
use crate::definition::{Definition, Policy};
use crate::mesos::Cluster;

/// One thing that can be seen from outside.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A manager begins, with nothing in memory; its build reads the journal up to this format level.
    Started {
        /// See there.
        reads: u8,
    },
    /// It leads from now on, as far as it knows.
    Leads,
    /// The process is told this.
    Told(&'a ManagerInput),
    /// The process does this.
    Does(&'a ManagerEffect),
    /// An entry is durable from now on, and part of what is stored.
    Stored(&'a Entry),
    /// The manifest is one of this format level from now on.
    Switched {
        /// See there.
        level: u8,
        /// Up to which level each manager reads that is registered now.
        readers: &'a [u8],
    },
    /// An epoch is claimed: nothing of an earlier one may become part of what is stored.
    Claimed(Epoch),
    /// The store cannot be reached by anybody from now on, or can be again.
    Away(bool),
    /// The process has taken a step.
    Stepped(View<'a>),
    /// An executor is told to start a task.
    Launched(&'a TaskId, &'a AgentId),
    /// From time to time: what is really so.
    Truth(&'a Cluster),
}

impl<'a> Seen<'a> {
    /// The status update that the process is told.
    fn update(self) -> Option<&'a TaskStatus> {
        let Self::Told(ManagerInput::Link(LinkInput::Event { event, .. })) = self else { return None };
        if let Event::Update(status) = &**event { Some(status) } else { None }
    }
}

/// The call to Mesos that an effect sends.
fn call_of(effect: &ManagerEffect) -> Option<&MesosCall> {
    match effect {
        ManagerEffect::Link(LinkEffect::Send { call, .. }) => Some(call),
        _ => None,
    }
}

/// What every checker may look at.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Virtual milliseconds.
    pub now: u64,
    /// Which manager is told and does things now, and what its own clock shows.
    pub manager: usize,
    /// See there.
    pub clock: Instant,
    /// The newest fault or request.
    pub calm_since: u64,
    /// Since when all faults are over.
    pub healed: Option<u64>,
    /// What all durable entries amount to.
    pub stored: &'a Stored,
    /// What was launched and told.
    pub fleet: &'a Fleet,
    /// What users have said, by image.
    pub book: &'a Book,
}

impl Context<'_> {
    /// What the definition that an app wants says of its changes.
    fn policy(&self, app: &str) -> Policy {
        let image = self.stored.target_image(app).unwrap_or_default();
        self.book.get(&image).map(Definition::policy).unwrap_or_default()
    }
}

/// Watches for one invariant.
pub trait Checker: std::fmt::Debug {
    /// The invariant, as `docs/INVARIANTS.md` numbers it.
    fn number(&self) -> &'static str;
    /// Looks at one thing; an error says what is broken.
    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String>;
}

/// Those that watch what follows a disaster: what users want may be out of reach then.
pub fn after_disaster(stored: &Stored, cluster: &Cluster) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(lost_memory::LostMemory::new(stored, cluster)),
        Box::new(one_framework::OneFramework),
        Box::new(one_leader::OneLeader::default()),
        Box::new(known_masters::KnownMasters::default()),
        Box::new(Each::<bounded::Bounded>::default()),
        Box::new(sound_definitions::SoundDefinitions),
    ]
}

/// Those that watch what follows the loss of the whole store.
pub fn after_loss(cluster: &Cluster) -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(lost_store::LostStore::new(cluster)),
        Box::new(kill_reasons::KillReasons),
        Box::new(one_framework::OneFramework),
        Box::new(one_leader::OneLeader::default()),
        Box::new(known_masters::KnownMasters::default()),
        Box::new(Each::<bounded::Bounded>::default()),
        Box::new(sound_definitions::SoundDefinitions),
    ]
}

/// All checkers that watch while a run goes on.
pub fn all() -> Vec<Box<dyn Checker>> {
    vec![
        Box::new(unique_launch::UniqueLaunch::default()),
        Box::new(bounded_duplication::BoundedDuplication::default()),
        Box::new(ack_rule::AckRule::default()),
        Box::new(state_monotonic::StateMonotonic::default()),
        Box::new(Each::<resource_soundness::ResourceSoundness>::default()),
        Box::new(conservation::Conservation::default()),
        Box::new(Each::<dead_connections::DeadConnections>::default()),
        Box::new(durable_replies::DurableReplies::default()),
        Box::new(never_twice::NeverTwice::default()),
        Box::new(kill_reasons::KillReasons),
        Box::new(known_masters::KnownMasters::default()),
        Box::new(one_framework::OneFramework),
        Box::new(one_leader::OneLeader::default()),
        Box::new(Each::<bounded::Bounded>::default()),
        Box::new(sound_definitions::SoundDefinitions),
        Box::new(launch_limits::LaunchLimits::default()),
        Box::new(back_off::BackOff::default()),
        Box::new(store_away::StoreAway::default()),
        Box::new(placement_rules::PlacementRules::default()),
        Box::new(format_levels::FormatLevels::default()),
        Box::new(planned_stops::PlannedStops::default()),
        Box::new(kept_versions::KeptVersions::default()),
        Box::new(rollout_steps::RolloutSteps::default()),
        Box::new(rollout_versions::RolloutVersions::default()),
        Box::new(resting_rollouts::RestingRollouts::default()),
        Box::new(Each::<rollout_deadlines::RolloutDeadlines>::default()),
        Box::new(disaster_brake::DisasterBrake::default()),
        Box::new(kills_end::KillsEnd::default()),
        Box::new(Each::<updates_acknowledged::UpdatesAcknowledged>::default()),
    ]
}
