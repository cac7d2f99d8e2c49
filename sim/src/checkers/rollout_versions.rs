//! Owns the check of S10: a rollout launches its own version and the one before, none that was rolled back, and while it
//! is paused no more of its own.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::DottedId;
use swan_core::manager::ManagerInput;
use swan_core::scheduler::View;
use swan_core::scheduler::api::{ApiCall, RolloutVerb};
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};

/// What was decided before a change of mind may leave for so long after it.
const LAG_MS: u64 = 120_000;

/// Launches are of the versions that a rollout is about.
#[derive(Clone, Debug, Default)]
pub struct RolloutVersions {
    apps: BTreeMap<String, Known>,
    /// Apps whose rollouts a user has paused, perhaps.
    pausing: BTreeSet<String>,
}

/// What is known of an app's rollouts.
#[derive(Clone, Debug, Default)]
struct Known {
    /// What is wanted now, and since when.
    target: String,
    since: u64,
    /// What was wanted since it was at rest last.
    streak: BTreeSet<String>,
    /// What the rollback under way leaves.
    bad: Option<String>,
    /// What is under way, and whether it rests.
    under_way: (String, bool),
    /// Launched since either changed.
    launched: BTreeSet<String>,
    /// Since when a rollout is paused, and the most tasks of its version since.
    paused: Option<(u64, usize)>,
}

impl Checker for RolloutVersions {
    fn number(&self) -> &'static str {
        "S10"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            // Also those of which no task has been launched yet: one that was decided may be lost with its process.
            Seen::Truth(_) => at.fleet.apps().chain(at.stored.app_names()).for_each(|app| {
                self.look(at, app);
            }),
            Seen::Told(ManagerInput::Api { request, .. }) => {
                if let ApiCall::SteerRollout { app, verb: RolloutVerb::Pause } = &request.call {
                    self.pausing.insert(app.to_string());
                }
            }
            Seen::Stepped(view) => self.look_at_pauses(at, |app| is_paused(view, app)),
            Seen::Does(effect) => {
                if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                    for launch in launches {
                        self.judge(at, &launch.template.app, launch.task.as_str())?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl RolloutVersions {
    /// Takes in what is stored of the app.
    fn look(&mut self, at: Context<'_>, app: &str) -> &mut Known {
        let known = self.apps.entry(app.to_owned()).or_default();
        let (Some(record), Some(target)) = (at.stored.app(app), at.stored.target_image(app)) else {
            *known = Known { since: at.now, ..Known::default() };
            return known;
        };
        let rolls_back = record.operation() == "rollbacking" && record.instances > 0;
        if target != known.target {
            known.bad = rolls_back.then(|| known.target.clone());
            (known.target, known.since) = (target, at.now);
            known.launched.clear();
        }
        if !rolls_back {
            known.bad = None;
        }
        let under_way = (record.operation().to_owned(), record.rests());
        if known.under_way != under_way {
            known.under_way = under_way;
            known.launched.clear();
        }
        // What ended where it stood keeps tasks of both versions alive.
        if record.operation() == "noop" && record.error.is_empty() {
            known.streak.clear();
        }
        known.streak.insert(known.target.clone());
        known
    }

    /// Takes in which rollouts rest, and what they may launch meanwhile.
    pub(super) fn look_at_pauses(&mut self, at: Context<'_>, is_paused: impl Fn(&str) -> bool) {
        let apps = &mut self.apps;
        self.pausing.retain(|app| {
            let paused = is_paused(app);
            let known = apps.entry(app.clone()).or_default();
            // What is out of reach, or ended by a user, gets a task of its own version again.
            let live =
                at.fleet.of(app).filter(|(_, it)| it.image == known.target && it.ended.is_none()).count();
            // So does a slot whose task ended before: it may have waited for an offer since.
            let live = if paused { live.max(at.stored.slots_of_target(app)) } else { live };
            known.paused = match known.paused {
                _ if !paused => None,
                // What was decided before the pause is still on its way.
                Some((since, most)) if at.now < since + LAG_MS => Some((since, most.max(live))),
                Some(paused) => Some(paused),
                None => Some((at.now, live)),
            };
            paused
        });
    }

    fn judge(&mut self, at: Context<'_>, app: &str, task: &str) -> Result<(), String> {
        let Some((_, member)) = at.fleet.of(app).find(|(id, _)| id.as_str() == task) else { return Ok(()) };
        let image = &member.image;
        let known = self.look(at, app);
        if known.target.is_empty() || at.now < known.since + LAG_MS {
            known.launched.clear();
            return Ok(());
        }
        known.launched.insert(image.clone());
        if !known.streak.contains(image) {
            return Err(format!("{task} runs {image}, but {app} is at {:?}", known.streak));
        }
        // Where several rollouts in a row failed, whatever dies comes back as it was.
        if known.launched.len() > 2 && !known.under_way.1 {
            return Err(format!("{app} launches more than two versions: {:?}", known.launched));
        }
        if known.bad.as_ref() == Some(image) {
            return Err(format!("{task} runs {image}, which {app} was rolled back from"));
        }
        let wanted = at.stored.app(app).map_or(0, |record| record.target).to_string();
        let live = at.fleet.of(app).filter(|(_, it)| it.version == wanted && it.stays()).count();
        match known.paused {
            // What ends while a rollback rests comes back as what is gone back to.
            _ if known.under_way.0 == "rollbacking" => Ok(()),
            // A restart brings the same image: what ran before it comes back as what it was.
            _ if member.version != wanted => Ok(()),
            Some((since, most)) if at.now > since + LAG_MS && live > most && *image == known.target => {
                Err(format!("{task} is one more of {image} than the {most} there were when {app} paused"))
            }
            _ => Ok(()),
        }
    }
}

fn is_paused(view: View<'_>, app: &str) -> bool {
    let rollouts = view.rollouts(&DottedId::from_text(app)).unwrap_or_default();
    rollouts.first().is_some_and(|rollout| rollout.state == "paused")
}
