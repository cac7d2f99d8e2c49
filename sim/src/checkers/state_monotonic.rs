//! Owns the check of S5: what was told of a task is never taken back.

use std::collections::BTreeMap;

use swan_core::journal::Entry;
use swan_core::manager::ManagerEffect;
use swan_core::mesos::{TaskId, TaskState};
use swan_core::scheduler::event::{EventId, EventKind};

use super::stored::StoredSeat;
use super::{Checker, Context, Seen};

/// Events are numbered upwards, and a task's states only go forward.
#[derive(Clone, Debug, Default)]
pub struct StateMonotonic {
    last: Option<EventId>,
    states: BTreeMap<TaskId, TaskState>,
}

impl Checker for StateMonotonic {
    fn number(&self) -> &'static str {
        "S5"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Seen::Stored(entry) = seen {
            self.note_lost(entry);
        }
        let Seen::Does(ManagerEffect::Publish(event)) = seen else { return Ok(()) };
        if let Some(last) = self.last
            && event.id <= last
        {
            return Err(format!("event {} follows event {last}", event.id));
        }
        self.last = Some(event.id);
        let EventKind::TaskChanged { task, state, .. } = &event.kind else { return Ok(()) };
        let new = match state.as_str() {
            "TASK_DRAINING" => TaskState::Running,
            name => TaskState::from_name(name).ok_or_else(|| format!("{task}: '{name}' is no state"))?,
        };
        if new.is_terminal() && at.stored.current(task).is_some() {
            return Err(format!("{task}: {new:?} is told before it is durable (event {})", event.id));
        }
        match self.states.insert(task.clone(), new) {
            Some(old) if old.is_terminal() => {
                Err(format!("{task}: was {old:?} and is {new:?} again (event {})", event.id))
            }
            Some(old) if live_rank(new).is_some_and(|new| live_rank(old).is_some_and(|old| new < old)) => {
                Err(format!("{task}: went back from {old:?} to {new:?} (event {})", event.id))
            }
            _ => Ok(()),
        }
    }
}

impl StateMonotonic {
    /// A task that nobody can reach may return in any state, also if a crash kept its loss from being told.
    fn note_lost(&mut self, entry: &Entry) {
        for lost in entry.ops.iter().filter_map(StoredSeat::of).filter(StoredSeat::is_lost) {
            let state = lost.task_id().and_then(|task| self.states.get_mut(&task));
            if let Some(state) = state.filter(|state| !state.is_terminal()) {
                *state = TaskState::Unreachable;
            }
        }
    }
}

/// The order of states that follow each other; `None` for those from which a task may return.
pub(super) const fn live_rank(state: TaskState) -> Option<u8> {
    match state {
        TaskState::Staging => Some(0),
        TaskState::Starting => Some(1),
        TaskState::Running => Some(2),
        TaskState::Killing => Some(3),
        _ => None,
    }
}
