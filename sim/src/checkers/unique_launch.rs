//! Owns the check of S2: no task is launched twice, and none before its record is durable.

use std::collections::BTreeSet;

use swan_core::mesos::TaskId;
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};

/// Every launch has a durable record, and an id that was never launched before.
#[derive(Clone, Debug, Default)]
pub struct UniqueLaunch {
    sent: BTreeSet<TaskId>,
    started: BTreeSet<TaskId>,
}

impl Checker for UniqueLaunch {
    fn number(&self) -> &'static str {
        "S2"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Seen::Launched(task, agent) = seen
            && !self.started.insert(task.clone())
        {
            return Err(format!("{task} was started twice, now on {agent}"));
        }
        let Seen::Does(effect) = seen else { return Ok(()) };
        let Some(MesosCall::Accept { launches, .. }) = call_of(effect) else { return Ok(()) };
        for launch in launches {
            let task = &launch.task;
            if !self.sent.insert(task.clone()) {
                return Err(format!("{task} is launched a second time"));
            }
            if at.stored.current(task).is_none() {
                return Err(format!("{task} is launched before its record is durable"));
            }
        }
        Ok(())
    }
}
