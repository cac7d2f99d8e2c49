//! Owns the check of L6: what was told to end ends, or is said to be stuck.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::limits::{KILL_RETRY_MAX, KILL_STUCK};
use swan_core::manager::ManagerEffect;
use swan_core::mesos::{AgentId, TaskId, TaskState};
use swan_core::scheduler::event::EventKind;

use super::{Checker, Context, Seen};
use crate::mesos::Cluster;

/// From the first KILL to the end of a task that can be reached, or to the word that it is stuck, ms.
const PATIENCE_MS: u64 = KILL_STUCK.0 + 2 * KILL_RETRY_MAX.0;

/// No task that can be reached is on its end for long without a word.
#[derive(Clone, Debug, Default)]
pub struct KillsEnd {
    stuck: BTreeSet<TaskId>,
    /// When nobody knew the task, or could reach it, last: such are asked for again only from time to time.
    lost: BTreeMap<TaskId, u64>,
}

impl Checker for KillsEnd {
    fn number(&self) -> &'static str {
        "L6"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Does(ManagerEffect::Publish(event)) => {
                if let EventKind::TaskStuck { task, .. } = &event.kind {
                    self.stuck.insert(task.clone());
                }
            }
            Seen::Truth(cluster) => return self.judge(at, cluster),
            _ => {}
        }
        Ok(())
    }
}

impl KillsEnd {
    fn judge(&mut self, at: Context<'_>, cluster: &Cluster) -> Result<(), String> {
        let Some(healed) = at.healed else { return Ok(()) };
        for (task, member) in at.fleet.apps().flat_map(|app| at.fleet.of(app)) {
            let Some(killed) = member.killed.filter(|_| member.ended.is_none()) else { continue };
            if matches!(member.state, TaskState::Unreachable | TaskState::Unknown) {
                self.lost.insert(task.clone(), at.now);
                continue;
            }
            let lost = self.lost.get(task).copied().unwrap_or_default();
            let due = killed.max(healed).max(lost) + PATIENCE_MS;
            if at.now > due && !self.stuck.contains(task) && can_end(cluster, &member.agent, task) {
                let ms = at.now - killed;
                return Err(format!("{task} was told to end {ms} ms ago; it goes on, and nobody says so"));
            }
        }
        Ok(())
    }
}

/// It is alive on an agent that can be reached.
fn can_end(cluster: &Cluster, agent: &AgentId, task: &TaskId) -> bool {
    cluster.is_reachable(agent) && cluster.alive_on(agent).any(|(_, it)| it == task)
}
