//! Owns the check of S4: an update is acknowledged only once what it says is durable.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::link::LinkInput;
use swan_core::manager::ManagerInput;
use swan_core::mesos::{Event, TaskId, TaskState, Uuid};
use swan_core::scheduler::effect::MesosCall;

use super::stored::Stored;
use super::{Checker, Context, Seen, call_of};

/// Every acknowledgement follows a durable record of this or a later state.
#[derive(Clone, Debug, Default)]
pub struct AckRule {
    told: BTreeMap<Uuid, (TaskId, TaskState)>,
    /// Tasks of which some process heard that they are over, or that nobody knows them.
    over: BTreeSet<TaskId>,
    /// Tasks of which something older was heard again after their end: nobody remembers them, so they may be quarantined.
    haunting: BTreeSet<TaskId>,
}

impl Checker for AckRule {
    fn number(&self) -> &'static str {
        "S4"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(ManagerInput::Link(LinkInput::Event { event, .. })) => {
                if let Event::Update(status) = &**event {
                    if status.state.is_terminal() || status.state == TaskState::Unknown {
                        self.over.insert(status.task_id.clone());
                    } else if self.over.contains(&status.task_id) {
                        self.haunting.insert(status.task_id.clone());
                    }
                    if let Some(uuid) = &status.uuid {
                        self.told.insert(uuid.clone(), (status.task_id.clone(), status.state));
                    }
                }
                Ok(())
            }
            Seen::Does(effect) => match call_of(effect) {
                Some(MesosCall::Acknowledge { task, uuid, .. }) => self.judge(at.stored, task, uuid),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl AckRule {
    fn judge(&self, stored: &Stored, task: &TaskId, uuid: &Uuid) -> Result<(), String> {
        let Some((told, state)) = self.told.get(uuid) else {
            return Err(format!("{task}: an update that never came is acknowledged"));
        };
        if told != task {
            return Err(format!("{task}: an update of {told} is acknowledged"));
        }
        let current = stored.current(task);
        if state.is_terminal() {
            let quarantined = stored.is_quarantined(task) && !self.haunting.contains(task);
            let remembered = current.is_some() || quarantined;
            let former = stored.is_former(task) && *state != TaskState::GoneByOperator;
            return if remembered || former {
                Err(format!("{task}: {state:?} is acknowledged, but a record still has the task alive"))
            } else {
                Ok(())
            };
        }
        match current {
            // A state that nobody knows changes no record.
            Some(_) if matches!(state, TaskState::Other(_)) => Ok(()),
            Some(current) if rank(current.state) < rank(*state) => Err(format!(
                "{task}: {state:?} is acknowledged, but its durable record says {:?}",
                current.state
            )),
            Some(_) => Ok(()),
            None if stored.is_former(task) || stored.is_quarantined(task) => Ok(()),
            None if self.over.contains(task) => Ok(()),
            None => Err(format!("{task}: {state:?} is acknowledged, but no record knows the task")),
        }
    }
}

const fn rank(state: TaskState) -> u8 {
    match state {
        TaskState::Staging => 0,
        TaskState::Starting => 1,
        TaskState::Running => 2,
        TaskState::Killing => 3,
        _ => 4,
    }
}
