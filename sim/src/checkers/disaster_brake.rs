//! Owns the check of S12: when a great part of the cluster is lost at once, it is not replaced in one wave.

use std::collections::BTreeMap;

use swan_core::manager::ManagerInput;
use swan_core::mesos::{AgentId, TaskState};
use swan_core::scheduler::api::ApiCall;
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen};
use crate::world::call_of;

/// So many agents with so great a part of the tasks (percent) lost within so long (ms) are a disaster; clearly so, since
/// the machine may count a little otherwise.
const AGENTS: usize = 4;
const TASKS_PERCENT: usize = 40;
const WINDOW_MS: u64 = 3 * 60_000;
/// What was decided before may leave for so long, ms.
const LAG_MS: u64 = 60_000;

/// What is lost in a disaster is not replaced until it is over, or an operator says so.
#[derive(Clone, Debug, Default)]
pub struct DisasterBrake {
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
            // What was lost is not durable, so that a new process counts anew.
            Seen::Started => self.since = None,
            Seen::Does(effect) => {
                if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                    let mut slots = launches.iter().map(|it| (it.template.app.as_str(), it.slot));
                    // What has just returned may have ended it.
                    let replaced = slots.find(|(app, slot)| is_lost(at, app, *slot) && is_disaster(at));
                    return self.judge(at.now, replaced);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl DisasterBrake {
    fn judge(&self, now: u64, replaced: Option<(&str, u32)>) -> Result<(), String> {
        let overridden = self.overridden.is_some_and(|at| self.since.is_none_or(|since| since <= at));
        match replaced {
            Some((app, slot)) if self.since.is_some_and(|since| since + LAG_MS < now) && !overridden => {
                Err(format!("slot {slot} of {app} is replaced in the middle of a disaster"))
            }
            _ => Ok(()),
        }
    }
}

/// The slot's earlier task is out of reach.
fn is_lost(at: Context<'_>, app: &str, slot: u32) -> bool {
    at.fleet.of(app).any(|(_, it)| it.slot == slot && it.lost.is_some() && it.ended.is_none())
}

fn is_disaster(at: Context<'_>) -> bool {
    let (mut agents, mut tasks, mut lost) = (BTreeMap::<&AgentId, bool>::new(), 0, 0);
    for app in at.fleet.apps() {
        for (_, member) in at.fleet.of(app).filter(|(_, it)| it.ended.is_none()) {
            let gone = member.state == TaskState::Unreachable
                && member.lost.is_some_and(|lost| lost + WINDOW_MS > at.now);
            *agents.entry(&member.agent).or_insert(true) &= gone;
            tasks += 1;
            lost += usize::from(gone);
        }
    }
    let gone = agents.values().filter(|gone| **gone).count();
    gone >= AGENTS && lost * 100 > tasks * TASKS_PERCENT
}
