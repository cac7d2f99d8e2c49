//! Owns the check of S3 for apps that must never run twice (R52): nothing takes the place of what may still run.

use std::collections::BTreeSet;

use swan_core::id::TaskName;
use swan_core::mesos::{TaskId, TaskState};
use swan_core::record::Op;

use super::{Checker, Context, Seen};

/// A task that cannot be reached is not replaced if its app says so.
#[derive(Clone, Debug, Default)]
pub struct NeverTwice {
    /// Tasks that their operators gave up, and those that users wanted no more by then: who wants them again starts new
    /// ones, beside what may still run.
    gone: BTreeSet<TaskId>,
}

impl Checker for NeverTwice {
    fn number(&self) -> &'static str {
        "S3"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Some(status) = seen.update().filter(|status| status.state == TaskState::GoneByOperator) {
            self.gone.insert(status.task_id.clone());
        }
        match seen {
            Seen::Stored(entry) => {
                let may_go = |task: &TaskId| !is_wanted(at, task) || !app_waits(at, task);
                self.gone.extend(entry.ops.iter().filter_map(superseded).filter(may_go));
                Ok(())
            }
            Seen::Launched(task, _) => self.judge(at, task),
            _ => Ok(()),
        }
    }
}

/// The task that a change remembers as superseded.
pub(super) fn superseded(op: &Op) -> Option<TaskId> {
    let task = op.key.0.strip_prefix(b"o").filter(|_| op.value.is_some())?;
    Some(TaskId::from(std::str::from_utf8(task).ok()?))
}

fn is_wanted(at: Context<'_>, task: &TaskId) -> bool {
    let name = TaskName::parse(task.as_str());
    name.is_some_and(|name| at.stored.app(name.app).is_some_and(|app| name.slot < app.instances))
}

/// Whether an app waits for what is lost, as its users want it now: another version of it may have waited before.
fn app_waits(at: Context<'_>, task: &TaskId) -> bool {
    let app = TaskName::parse(task.as_str()).map(|name| name.app);
    let image = app.and_then(|app| at.stored.target_image(app));
    let definition = image.and_then(|image| at.book.get(&image));
    definition.is_none_or(|definition| definition.policy().unreachable.is_none())
}

impl NeverTwice {
    /// A task starts: no other of its slot may live that nobody has ended.
    fn judge(&self, at: Context<'_>, task: &TaskId) -> Result<(), String> {
        let Some(name) = TaskName::parse(task.as_str()) else { return Ok(()) };
        let waits = |image: &String| at.book.get(image).is_some_and(|it| it.policy().unreachable.is_none());
        if !at.fleet.of(name.app).all(|(_, member)| waits(&member.image)) {
            return Ok(());
        }
        let mut others = at.fleet.of(name.app).filter(|(other, member)| {
            *other != task
                && member.slot == name.slot
                && member.ended.is_none()
                && member.killed.is_none()
                && member.lost.is_some()
                && at.stored.is_former(other)
                && !self.gone.contains(*other)
        });
        match others.next() {
            Some((other, _)) => Err(format!("{task} takes the place of {other}, which may still run")),
            None => Ok(()),
        }
    }
}
