//! Owns the check of L4: every rollout ends, or says what is in its way, within its own deadlines.

use std::collections::BTreeMap;

use swan_core::manager::ManagerEffect;
use swan_core::scheduler::View;
use swan_core::scheduler::event::EventKind;
use swan_core::scheduler::view::RolloutView;

use super::{Checker, Context, Seen};
use crate::definition::Policy;

/// Steps between two looks.
const EVERY: u64 = 32;
/// What a rollout may take beyond its deadline, ms: stops, pauses between tasks, a stalled store.
const SLACK_MS: u64 = 5 * 60_000;
/// Between two looks no more is counted: the machine may have been away.
const GAP_MAX_MS: u64 = 5_000;
/// Operations that bring tasks, so that a lack of progress can be seen.
const BRINGING: [&str; 6] = ["creating", "updating", "rollbacking", "restarting", "starting", "scaling_up"];

/// Every rollout moves on or ends.
#[derive(Clone, Debug, Default)]
pub struct RolloutDeadlines {
    steps: u64,
    seen: u64,
    /// Milliseconds led without progress, by app and rollout.
    still: BTreeMap<String, (u64, u64)>,
}

impl Checker for RolloutDeadlines {
    fn number(&self) -> &'static str {
        "L4"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            // What was before is not counted against the new process.
            Seen::Started { .. } => self.seen = at.now,
            // All that went on while the disaster brake held begin their time anew.
            Seen::Does(ManagerEffect::Publish(event))
                if matches!(event.kind, EventKind::BrakeReleased { .. }) =>
            {
                self.still.clear();
            }
            Seen::Does(ManagerEffect::Publish(event)) => {
                let moves =
                    matches!(event.kind, EventKind::TaskHealthy { .. } | EventKind::RolloutEnded { .. });
                if let Some(app) = event.app.as_ref().filter(|_| moves) {
                    self.still.remove(app.as_str());
                }
            }
            Seen::Stepped(view) => {
                self.steps += 1;
                if self.steps.is_multiple_of(EVERY) {
                    return self.look(at, view);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl RolloutDeadlines {
    fn look(&mut self, at: Context<'_>, view: View<'_>) -> Result<(), String> {
        let passed = (at.now - self.seen).min(GAP_MAX_MS);
        self.seen = at.now;
        let manager = view.manager();
        if !manager.leading || !manager.connected || manager.stalled {
            return Ok(());
        }
        let apps: Vec<String> = at.fleet.apps().map(str::to_owned).collect();
        for app in apps {
            let rollouts = view.rollouts(&swan_core::id::DottedId::from_text(&app)).unwrap_or_default();
            self.judge(&app, rollouts.first(), passed, &at.policy(&app))?;
        }
        Ok(())
    }

    pub(super) fn judge(
        &mut self,
        app: &str,
        newest: Option<&RolloutView>,
        passed: u64,
        policy: &Policy,
    ) -> Result<(), String> {
        let running = newest.filter(|it| it.state == "running" && BRINGING.contains(&it.operation));
        let Some(rollout) = running.filter(|it| it.error.is_empty()) else {
            self.still.remove(app);
            return Ok(());
        };
        let still = self.still.entry(app.to_owned()).or_insert((rollout.id, 0));
        *still = if still.0 == rollout.id { (still.0, still.1 + passed) } else { (rollout.id, 0) };
        let most = u64::from(policy.deadline + policy.delay + policy.min_ready) * 1_000 + SLACK_MS;
        if still.1 > most {
            let (operation, ms) = (rollout.operation, still.1);
            return Err(format!("{app} has been {operation} for {ms} ms without progress, an end or a word"));
        }
        Ok(())
    }
}
