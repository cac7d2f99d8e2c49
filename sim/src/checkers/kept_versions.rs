//! Owns the second check of S10: after a rollout that failed or was broken off, a slot that its version had not reached
//! does not get it.

use std::collections::BTreeMap;

use swan_core::id::TaskName;
use swan_core::mesos::TaskId;
use swan_core::scheduler::effect::MesosCall;

use super::fleet::Member;
use super::stored::StoredApp;
use super::{Checker, Context, Seen, call_of};

/// What was decided before a rollout ended may leave for so long after it.
const LAG_MS: u64 = 120_000;

/// Nobody spreads a version whose rollout has not come to its end.
#[derive(Clone, Debug, Default)]
pub struct KeptVersions {
    /// Since when each app rests after such a rollout.
    since: BTreeMap<String, u64>,
}

impl Checker for KeptVersions {
    fn number(&self) -> &'static str {
        "S10"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Truth(_) => {
                for app in at.fleet.apps() {
                    if at.stored.app(app).is_some_and(|record| was_broken_off(&record)) {
                        self.since.entry(app.to_owned()).or_insert(at.now);
                    } else {
                        self.since.remove(app);
                    }
                }
                Ok(())
            }
            Seen::Does(effect) => {
                let Some(MesosCall::Accept { launches, .. }) = call_of(effect) else { return Ok(()) };
                launches.iter().try_for_each(|launch| self.judge(at, &launch.task))
            }
            _ => Ok(()),
        }
    }
}

impl KeptVersions {
    fn judge(&self, at: Context<'_>, task: &TaskId) -> Result<(), String> {
        let Some(name) = TaskName::parse(task.as_str()) else { return Ok(()) };
        let rests = at.stored.app(name.app).is_some_and(|record| was_broken_off(&record));
        if !rests || self.since.get(name.app).is_none_or(|since| at.now < since + LAG_MS) {
            return Ok(());
        }
        let Some(launched) = at.fleet.get(task) else { return Ok(()) };
        let mut earlier: Vec<&Member> = at
            .fleet
            .of(name.app)
            .filter(|(id, it)| *id != task && it.slot == name.slot)
            .map(|(_, it)| it)
            .collect();
        if earlier.iter().any(|ran| ran.image == launched.image) {
            return Ok(());
        }
        earlier.retain(|ran| at.stored.has_version(name.app, &ran.version));
        match earlier.last() {
            Some(ran) => Err(format!(
                "{task} runs {}, though its slot only ever ran {} and the rollout was broken off",
                launched.image, ran.image
            )),
            None => Ok(()),
        }
    }
}

/// The newest rollout that brought a version did not come to its end, and nothing is under way.
fn was_broken_off(app: &StoredApp) -> bool {
    let brings = |operation: &str| {
        matches!(operation, "updating" | "rollbacking" | "restarting" | "creating" | "starting")
    };
    let newest = app.ended.iter().rev().find(|rollout| brings(&rollout.operation));
    app.rollout.is_none()
        && newest.is_some_and(|rollout| {
            rollout.operation != "rollbacking"
                && matches!(rollout.stage.as_str(), "failed" | "cancelled" | "replaced")
        })
}
