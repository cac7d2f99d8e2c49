//! Owns the check of S11: a slot whose tasks fail waits longer and longer, and what is the cluster's fault costs nothing.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::TaskName;
use swan_core::journal::{Entry, StoreOp};
use swan_core::link::LinkInput;
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{Event, TaskId, TaskState, TaskStatus};
use swan_core::scheduler::View;
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::event::EventKind;

use super::fleet::{Fault, fault};
use super::stored::StoredSeat;
use super::{Checker, Context, Seen, call_of};

/// `backoffSeconds` and `maxLaunchDelaySeconds` of documents that do not say, ms; the factor is 1.15.
const PAUSE_MS: u64 = 1_000;
const PAUSE_MAX_MS: u64 = 300_000;
/// A task that ran for so long may have ended the row of failures.
const STEADY_MS: u64 = 30_000;
/// Steps between two looks at the API's counts.
const VIEW_EVERY: u64 = 64;

/// A slot and the version that fails there.
type Place = (String, u32, String);

/// New tasks come after a pause that grows with each failure.
#[derive(Clone, Debug, Default)]
pub struct BackOff {
    steps: u64,
    rows: BTreeMap<Place, Row>,
    /// Tasks whose launch is on its way to the log, or waits for what is.
    decided: BTreeSet<TaskId>,
    /// All tasks whose end may have been a failure of the app's own, ever.
    all: BTreeMap<(String, u32), BTreeSet<TaskId>>,
}

/// Failures in a row.
#[derive(Clone, Debug)]
struct Row {
    failures: u32,
    /// When the last was told, and of which task.
    at: u64,
    last: TaskId,
    /// Another task of the slot went on beside it: should that be lost, the row says nothing of what takes its place.
    beside: bool,
    /// What was decided by then.
    decided: BTreeSet<TaskId>,
}

impl Checker for BackOff {
    fn number(&self) -> &'static str {
        "S11"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            // A new leader may hear of a failure that was not durable by a reconciliation, which does not tell whose fault
            // it was.
            Seen::Leads => {
                self.rows.clear();
                self.decided.clear();
            }
            Seen::Does(ManagerEffect::Store { op: StoreOp::Append { index, entry, .. }, .. }) => {
                let ops = Entry::decode(u8::MAX, *index, entry.as_slice())
                    .map(|entry| entry.ops)
                    .unwrap_or_default();
                let tasks = ops.iter().filter_map(StoredSeat::of).filter_map(|seat| seat.task_id());
                self.decided.extend(tasks.filter(|task| at.fleet.get(task).is_none()));
            }
            Seen::Told(ManagerInput::Link(LinkInput::Event { event, .. })) => {
                if let Event::Update(status) = &**event {
                    self.told(at, status);
                }
            }
            Seen::Does(effect) => {
                if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                    self.decided.retain(|task| launches.iter().all(|launch| launch.task != *task));
                    return launches.iter().try_for_each(|launch| self.launched(at, &launch.task));
                }
                if let Some(task) = is_drained(effect) {
                    // Its end was decided before it was told, and not yet durable then.
                    self.rows.retain(|_, row| row.last != *task);
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
    fn told(&mut self, at: Context<'_>, status: &TaskStatus) {
        let task = &status.task_id;
        let (Some(name), Some(member)) = (TaskName::parse(task.as_str()), at.fleet.get(task)) else { return };
        if status.state.is_terminal() && fault(status).is_some() {
            // Whoever starts again may learn more of an end than whoever was there.
            self.all.entry((name.app.to_owned(), name.slot)).or_default().insert(task.clone());
        }
        let place = (name.app.to_owned(), name.slot, member.version.clone());
        let steady = member.running.is_some_and(|since| since + STEADY_MS < at.now);
        if steady && member.ended.is_none_or(|ended| ended == at.now) {
            // Whatever becomes of it, it was no failure in the row.
            self.rows.remove(&place);
        }
        let Some(fault) = member.failed.filter(|_| member.ended == Some(at.now)) else { return };
        // Its end was decided, whether the KILL has left or not, or another has its slot by now.
        let decided =
            at.stored.current(task).is_some_and(|stored| stored.stop > 0) || at.stored.is_former(task);
        if decided || self.rows.get(&place).is_some_and(|row| row.last == *task) {
            return;
        }
        let before = self.rows.remove(&place);
        if fault != Fault::Own || steady {
            return;
        }
        let asked = at.fleet.asked(name.app);
        let beside = goes_on_beside(at, name, task);
        let goes_on = before.filter(|row| asked.is_none_or(|asked| asked <= row.at));
        let goes_on = goes_on.filter(|row| beside || !row.beside);
        let failures = goes_on.map_or(0, |row| row.failures) + 1;
        let decided = self.decided.clone();
        self.rows.insert(place, Row { failures, at: at.now, last: task.clone(), beside, decided });
    }

    fn launched(&self, at: Context<'_>, task: &TaskId) -> Result<(), String> {
        let Some(name) = TaskName::parse(task.as_str()) else { return Ok(()) };
        let Some(member) = at.fleet.get(task) else { return Ok(()) };
        let place = (name.app.to_owned(), name.slot, member.version.clone());
        let Some(Row { failures, at: last, decided, .. }) = self.rows.get(&place) else { return Ok(()) };
        let (failures, last) = (*failures, *last);
        if decided.contains(task) {
            return Ok(());
        }
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
                let most = self.all.get(&(app.to_owned(), task.slot)).map_or(0, BTreeSet::len);
                if task.retries as usize > most {
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

/// Whether another task of the slot has been running for long.
fn goes_on_beside(at: Context<'_>, name: TaskName<'_>, task: &TaskId) -> bool {
    at.fleet.of(name.app).any(|(other, it)| {
        let steady = it.running.is_some_and(|since| since + STEADY_MS < at.now);
        other != task && it.slot == name.slot && it.state == TaskState::Running && steady
    })
}

/// The task of which it is told that its end was decided.
fn is_drained(effect: &ManagerEffect) -> Option<&TaskId> {
    let ManagerEffect::Publish(news) = effect else { return None };
    match &news.kind {
        EventKind::TaskChanged { task, state, .. } if state == "TASK_DRAINING" => Some(task),
        _ => None,
    }
}

/// The least pause after so many failures in a row: one less than counted, should the machine have missed one.
fn pause(failures: u32) -> u64 {
    (2..failures).fold(PAUSE_MS, |pause, _| (pause * 115 / 100).min(PAUSE_MAX_MS))
}
