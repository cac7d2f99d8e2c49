//! Owns the check of S12: when a great part of the cluster is lost at once, it is not replaced in one wave.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use swan_core::manager::ManagerInput;
use swan_core::mesos::AgentId;
use swan_core::scheduler::api::ApiCall;
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen};
use crate::world::call_of;

/// More than this part of the agents with tasks, in percent, lost at the same time is a disaster.
const LOST_PERCENT: usize = 50;
/// The brake has had time to see it, ms.
const SEEN_MS: u64 = 10_000;
/// Replacements per minute while it holds.
const PER_MINUTE: usize = 10;
/// An operator's override holds so long, ms.
const OVERRIDDEN_MS: u64 = 3_600_000;

/// What is lost in a disaster is replaced slowly.
#[derive(Clone, Debug, Default)]
pub struct DisasterBrake {
    replaced: VecDeque<u64>,
    overridden: Option<u64>,
    /// Since when it is a disaster.
    since: Option<u64>,
}

impl Checker for DisasterBrake {
    fn number(&self) -> &'static str {
        "S12"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(ManagerInput::Api { request, .. }) if request.call == ApiCall::OverrideBrake => {
                self.overridden = Some(at.now);
            }
            Seen::Truth(_) => {
                self.since = if is_disaster(at) { self.since.or(Some(at.now)) } else { None };
            }
            Seen::Does(effect) => {
                if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                    let slots = launches.iter().map(|it| (it.template.app.as_str(), it.slot));
                    let replaces = slots.filter(|(app, slot)| is_lost(at, app, *slot)).count();
                    return self.judge(at.now, replaces);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl DisasterBrake {
    pub(super) fn judge(&mut self, now: u64, replaces: usize) -> Result<(), String> {
        self.replaced.extend(std::iter::repeat_n(now, replaces));
        while self.replaced.front().is_some_and(|at| at + 60_000 < now) {
            self.replaced.pop_front();
        }
        let holds = self.since.is_some_and(|since| since + SEEN_MS < now)
            && self.overridden.is_none_or(|at| at + OVERRIDDEN_MS < now);
        let after = self.since.map_or(0, |since| since + SEEN_MS);
        let count = self.replaced.iter().filter(|at| **at > after).count();
        if holds && replaces > 0 && count > PER_MINUTE {
            return Err(format!("{count} tasks are replaced within a minute of a disaster"));
        }
        Ok(())
    }
}

/// The slot's earlier task is out of reach.
fn is_lost(at: Context<'_>, app: &str, slot: u32) -> bool {
    at.fleet.of(app).any(|(_, it)| it.slot == slot && it.lost.is_some() && it.ended.is_none())
}

fn is_disaster(at: Context<'_>) -> bool {
    let mut agents: BTreeMap<&AgentId, bool> = BTreeMap::new();
    for app in at.fleet.apps() {
        for (_, member) in at.fleet.of(app).filter(|(_, it)| it.ended.is_none()) {
            let reached = agents.entry(&member.agent).or_default();
            *reached |= member.lost.is_none();
        }
    }
    let lost: BTreeSet<_> = agents.iter().filter(|(_, reached)| !**reached).collect();
    agents.len() > 2 && lost.len() * 100 > agents.len() * LOST_PERCENT
}
