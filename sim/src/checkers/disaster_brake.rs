//! Owns the check of S12: when a great part of the cluster is lost at once, it is not replaced in one wave.

use std::collections::BTreeMap;

use swan_core::id::TaskName;
use swan_core::manager::ManagerInput;
use swan_core::mesos::{AgentId, TaskId, TaskState};
use swan_core::record::Op;
use swan_core::scheduler::api::ApiCall;

use super::{Checker, Context, Seen};

/// So many agents with so many tasks, and so great a part of all (percent), lost within so long (ms) are a disaster;
/// clearly so, since the machine may count a little otherwise.
const AGENTS: usize = 4;
const TASKS: usize = 12;
const TASKS_PERCENT: usize = 40;
const WINDOW_MS: u64 = 3 * 60_000;
/// What was decided before may become durable for so long, ms: the store may hang.
const LAG_MS: u64 = 40_000;

/// What is lost in a disaster is not replaced until it is over, or an operator says so.
#[derive(Clone, Debug, Default)]
pub struct DisasterBrake {
    overridden: Option<u64>,
    /// Since when it is a disaster.
    since: Option<u64>,
}

impl Checker for DisasterBrake {
    fn number(&self) -> &'static str {
        "S12"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(ManagerInput::Api { request, .. }) if request.call == ApiCall::OverrideBrake => {
                self.overridden = Some(at.now);
            }
            Seen::Truth(_) => self.look(at),
            // What was lost is not durable, so that a new process counts anew.
            Seen::Started => self.since = None,
            Seen::Stored(entry) => return entry.ops.iter().try_for_each(|op| self.judge(at, op)),
            _ if seen.update().is_some() => self.look(at),
            _ => {}
        }
        Ok(())
    }
}

impl DisasterBrake {
    fn look(&mut self, at: Context<'_>) {
        self.since = if is_disaster(at) { self.since.or(Some(at.now)) } else { None };
    }

    /// A task is superseded: something takes its place while it may still run.
    fn judge(&self, at: Context<'_>, op: &Op) -> Result<(), String> {
        let Some(since) = self.since.filter(|since| since + LAG_MS < at.now) else { return Ok(()) };
        let task = op.key.0.strip_prefix(b"o").filter(|_| op.value.is_some());
        let Some(task) = task.and_then(|task| Some(TaskId::from(std::str::from_utf8(task).ok()?))) else {
            return Ok(());
        };
        let (Some(name), Some(member)) = (TaskName::parse(task.as_str()), at.fleet.get(&task)) else {
            return Ok(());
        };
        // What users end, or want no more, is not replaced.
        let asked = at.fleet.asked(name.app).is_some_and(|asked| asked + LAG_MS > at.now);
        let ended = member.ended.is_some() || member.killed.is_some() || asked;
        let overridden = self.overridden.is_some_and(|at| since <= at);
        if member.lost.is_some() && !ended && !overridden {
            return Err(format!("{task} is replaced in the middle of a disaster"));
        }
        Ok(())
    }
}

fn is_disaster(at: Context<'_>) -> bool {
    let (mut agents, mut tasks, mut lost) = (BTreeMap::<&AgentId, bool>::new(), 0, 0);
    for app in at.fleet.apps() {
        for (_, member) in at.fleet.of(app).filter(|(_, it)| it.ended.is_none()) {
            let gone = member.state == TaskState::Unreachable
                && member.lost.is_some_and(|lost| lost + WINDOW_MS > at.now);
            *agents.entry(&member.agent).or_insert(true) &= gone;
            tasks += 1;
            lost += usize::from(gone);
        }
    }
    let gone = agents.values().filter(|gone| **gone).count();
    gone >= AGENTS && lost >= TASKS && lost * 100 > tasks * TASKS_PERCENT
}
