//! Owns the check of S11: a slot whose tasks fail waits longer and longer, and what is the cluster's fault costs nothing.

use std::collections::BTreeMap;

use swan_core::id::TaskName;
use swan_core::link::LinkInput;
use swan_core::manager::ManagerInput;
use swan_core::mesos::{Event, TaskId};
use swan_core::scheduler::View;
use swan_core::scheduler::effect::MesosCall;

use super::fleet::Fault;
use super::{Checker, Context, Seen};
use crate::world::call_of;

/// `backoffSeconds` and `maxLaunchDelaySeconds` of documents that do not say, ms; the factor is 1.15.
const PAUSE_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 300_000;
/// A task that ran for so long may have ended the row of failures.
const STEADY_MS: u64 = 30_000;
/// Steps between two looks at the API's counts.
const VIEW_EVERY: u64 = 64;

/// A slot and the image that fails there.
type Place = (String, u32, String);

/// New tasks come after a pause that grows with each failure.
#[derive(Clone, Debug, Default)]
pub struct BackOff {
    steps: u64,
    /// Failures in a row, and when the last was told.
    rows: BTreeMap<Place, (u32, u64)>,
    /// All that may have been failures of the app's own, ever.
    all: BTreeMap<(String, u32), u32>,
}

impl Checker for BackOff {
    fn number(&self) -> &'static str {
        "S11"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            // A new process may hear of a failure that was not durable by a reconciliation, which does not tell whose fault
            // it was.
            Seen::Started => self.rows.clear(),
            Seen::Told(ManagerInput::Link(LinkInput::Event { event, .. })) => {
                if let Event::Update(status) = &**event {
                    self.told(at, &status.task_id);
                }
            }
            Seen::Does(effect) => {
                if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                    return launches.iter().try_for_each(|launch| self.launched(at, &launch.task));
                }
            }
            Seen::Stepped(view) => {
                self.steps += 1;
                if self.steps.is_multiple_of(VIEW_EVERY) {
                    return self.look(at, view);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl BackOff {
    /// Only what was told just now counts; the fleet knows whether it is the first time.
    fn told(&mut self, at: Context<'_>, task: &TaskId) {
        let Some(name) = TaskName::parse(task.as_str()) else { return };
        let Some(member) = at.fleet.get(task).filter(|member| member.ended == Some(at.now)) else { return };
        let place = (name.app.to_owned(), name.slot, member.image.clone());
        let Some(fault) = member.failed else { return };
        // Its end was decided, whether the KILL has left or not.
        if at.stored.current(task).is_some_and(|stored| stored.stop > 0) {
            return;
        }
        *self.all.entry((name.app.to_owned(), name.slot)).or_default() += 1;
        let steady = member.running.is_some_and(|since| since + STEADY_MS < at.now);
        if fault != Fault::Own || steady {
            self.rows.remove(&place);
            return;
        }
        let row = self.rows.entry(place).or_default();
        if at.fleet.asked(name.app).is_some_and(|asked| asked > row.1) {
            row.0 = 0;
        }
        *row = (row.0 + 1, at.now);
    }

    fn launched(&self, at: Context<'_>, task: &TaskId) -> Result<(), String> {
        let Some(name) = TaskName::parse(task.as_str()) else { return Ok(()) };
        let Some(member) = at.fleet.get(task) else { return Ok(()) };
        let place = (name.app.to_owned(), name.slot, member.image.clone());
        let Some(&(failures, last)) = self.rows.get(&place) else { return Ok(()) };
        // Whoever changes an app, or ends its tasks, begins anew.
        if at.fleet.asked(name.app).is_some_and(|asked| asked > last) {
            return Ok(());
        }
        let pause = pause(failures);
        // The machine may have counted from a moment earlier.
        if at.now + PAUSE_MS / 10 < last + pause {
            return Err(format!(
                "{task} is launched {} ms after failure {failures} in a row, and must wait {pause} ms",
                at.now - last
            ));
        }
        Ok(())
    }

    fn look(&self, at: Context<'_>, view: View<'_>) -> Result<(), String> {
        for app in at.fleet.apps() {
            let page = view.tasks(&swan_core::id::DottedId::from_text(app), None, usize::MAX - 1);
            for task in page.into_iter().flat_map(|page| page.items) {
                let most = self.all.get(&(app.to_owned(), task.slot)).copied().unwrap_or_default();
                if task.retries > most {
                    let said = task.retries;
                    return Err(format!(
                        "{}: {said} failures are counted, and {most} were told",
                        task.slot_name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The least pause after so many failures in a row: one less than counted, should the machine have missed one.
fn pause(failures: u32) -> u64 {
    (2..failures).fold(PAUSE_MS, |pause, _| (pause * 115 / 100).min(PAUSE_MAX_MS))
}
