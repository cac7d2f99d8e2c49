//! Owns the check of S8: every kill was decided, for a reason, before it is sent.

use swan_core::mesos::TaskId;
use swan_core::scheduler::effect::MesosCall;

use super::stored::Stored;
use super::{Checker, Context, Seen, call_of};

/// Every KILL is of a task whose durable record says why it ends, that it was replaced, or that an operator ends it.
#[derive(Clone, Copy, Debug, Default)]
pub struct KillReasons;

impl Checker for KillReasons {
    fn number(&self) -> &'static str {
        "S8"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        let Seen::Does(effect) = seen else { return Ok(()) };
        match call_of(effect) {
            Some(MesosCall::Kill { task, .. }) => judge(at.stored, task),
            _ => Ok(()),
        }
    }
}

fn judge(stored: &Stored, task: &TaskId) -> Result<(), String> {
    match stored.current(task) {
        Some(current) if current.stop == 0 => {
            Err(format!("{task} is killed, but no record says that it ends"))
        }
        Some(_) => Ok(()),
        None if stored.is_former(task) || stored.is_ended_by_operator(task) => Ok(()),
        None => Err(format!("{task} is killed, but no record knows it")),
    }
}
