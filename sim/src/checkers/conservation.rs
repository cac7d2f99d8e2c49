//! Owns the check of S23: every count that users see equals a recount.

use swan_core::id::DottedId;
use swan_core::scheduler::View;

use super::{Checker, Context, Seen};

/// Steps between two recounts of the views.
const VIEW_EVERY: u64 = 64;
/// The machine's own counts are recounted after every step or, where there are many slots, so that each step counts so many on
/// average.
const RECOUNTED: u64 = 200;

/// Counts equal recounts.
#[derive(Clone, Debug, Default)]
pub struct Conservation {
    steps: u64,
}

impl Checker for Conservation {
    fn number(&self) -> &'static str {
        "S23"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        let Seen::Stepped(view) = seen else { return Ok(()) };
        self.steps += 1;
        let slots: u64 = at.stored.apps().map(|app| u64::from(app.instances)).sum();
        if self.steps.is_multiple_of(slots / RECOUNTED + 1) && !view.counts_are_exact() {
            return Err("a count differs from a recount".into());
        }
        if self.steps.is_multiple_of(VIEW_EVERY) { pages_add_up(view) } else { Ok(()) }
    }
}

fn pages_add_up(view: View<'_>) -> Result<(), String> {
    for app in view.apps(None, usize::MAX - 1).items {
        add_up(&app.tasks_status, app.task_count, &listed(view, &app.id))
            .map_err(|why| format!("{}: {why}", app.id))?;
    }
    Ok(())
}

fn listed(view: View<'_>, app: &DottedId) -> Vec<&'static str> {
    let page = view.tasks(app, None, usize::MAX - 1);
    page.map_or_else(Vec::new, |page| page.items.iter().map(|task| task.status).collect())
}

/// Whether the counts by state, their sum and the listing tell the same.
pub(super) fn add_up(states: &[(&str, u32)], total: u32, listed: &[&str]) -> Result<(), String> {
    for (state, count) in states {
        let found = listed.iter().filter(|status| *status == state).count();
        if found != *count as usize {
            return Err(format!("{count} tasks are said to be {state}, {found} are listed"));
        }
    }
    if listed.len() == total as usize {
        Ok(())
    } else {
        Err(format!("{total} tasks are counted, {} are listed", listed.len()))
    }
}
