//! Owns the check of S3: no container runs that no record accounts for, and surplus ends in bounded time.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::TaskName;
use swan_core::mesos::{FrameworkId, TaskId, TaskState, TaskStatus};

use super::{Checker, Context, Seen};
use crate::mesos::Cluster;

/// Surplus may last this long after the last fault: the longest pauses between two questions and two KILLs, and room.
const SURPLUS_MS: u64 = 20 * 60_000;

/// Containers of an app beyond those wanted are accounted for and do not stay.
#[derive(Clone, Debug, Default)]
pub struct BoundedDuplication {
    /// Since when an app has had more containers than wanted.
    surplus_since: BTreeMap<String, u64>,
    /// Tasks of which some process was told that they are over; what still runs of them is Mesos's error.
    over: BTreeSet<TaskId>,
}

impl Checker for BoundedDuplication {
    fn number(&self) -> &'static str {
        "S3"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        let over =
            |status: &&TaskStatus| status.state.is_terminal() && status.state != TaskState::GoneByOperator;
        if let Some(status) = seen.update().filter(over) {
            self.over.insert(status.task_id.clone());
        }
        match seen {
            Seen::Truth(cluster) => {
                let mut running = running(cluster);
                running.retain(|task| !self.over.contains(task));
                self.judge(at, &running)
            }
            _ => Ok(()),
        }
    }
}

/// Tasks with a container on a reachable agent.
fn running(cluster: &Cluster) -> Vec<TaskId> {
    let reachable: BTreeSet<_> = cluster.agents().filter(|(_, up)| *up).map(|(id, _)| id.clone()).collect();
    let ids: Vec<FrameworkId> = cluster.frameworks().map(|(id, _)| id.clone()).collect();
    let alive = ids.iter().flat_map(|id| cluster.alive_of(id));
    alive.filter(|(agent, _)| reachable.contains(*agent)).map(|(_, task)| task.clone()).collect()
}

impl BoundedDuplication {
    pub(super) fn judge(&mut self, at: Context<'_>, running: &[TaskId]) -> Result<(), String> {
        let mut by_app: BTreeMap<String, u32> = BTreeMap::new();
        for task in running {
            // What a tool has launched under Swan's id is none of Swan's.
            let Some(name) = TaskName::parse(task.as_str()) else { continue };
            let known = at.stored.current(task).is_some()
                || at.stored.is_former(task)
                || at.stored.is_quarantined(task);
            if !known {
                return Err(format!("{task} runs, and no record accounts for it"));
            }
            *by_app.entry(name.app.to_owned()).or_default() += 1;
        }
        for (app, count) in &by_app {
            let wanted = at.stored.app(app).map_or(0, |app| app.instances);
            if *count <= wanted {
                self.surplus_since.remove(app);
                continue;
            }
            let since = (*self.surplus_since.entry(app.clone()).or_insert(at.now)).max(at.calm_since);
            if at.now - since > SURPLUS_MS {
                return Err(format!("{app} has had {count} containers instead of {wanted} for too long"));
            }
        }
        self.surplus_since.retain(|app, _| by_app.contains_key(app));
        Ok(())
    }
}
