//! Owns the check of S14: who has lost its memory, or its framework, ends nothing by itself and takes no new identity.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::link::LinkEffect;
use swan_core::manager::ManagerEffect;
use swan_core::mesos::{AgentId, FrameworkId, TaskId};
use swan_core::scheduler::effect::MesosCall;

use super::stored::Stored;
use super::{Checker, Context, Seen, call_of};
use crate::mesos::Cluster;

/// By then every task was asked after, and what is unknown is in quarantine.
const QUARANTINED_MS: u64 = 20 * 60_000;

/// Tasks that live and that no record knows are left alone, under the framework that they have.
#[derive(Clone, Debug)]
pub struct LostMemory {
    frameworks: BTreeSet<FrameworkId>,
    unknown: BTreeMap<TaskId, AgentId>,
    /// Since when it watches.
    since: Option<u64>,
}

impl LostMemory {
    /// Watches from now on, where this is what is stored.
    pub fn new(stored: &Stored, cluster: &Cluster) -> Self {
        let alive = cluster.frameworks().flat_map(|(id, _)| cluster.alive_of(id));
        let unknown = alive.filter(|(_, task)| !knows(stored, task));
        // A master that has just begun to lead knows no framework yet.
        let known = cluster.frameworks().map(|(id, _)| id.clone());
        Self {
            frameworks: known.chain(stored.framework()).collect(),
            unknown: unknown.map(|(agent, task)| (task.clone(), agent.clone())).collect(),
            since: None,
        }
    }

    fn judge(&self, at: Context<'_>, cluster: &Cluster) -> Result<(), String> {
        let since = self.since.unwrap_or(at.now);
        let asked = at.now > since + QUARANTINED_MS;
        for (task, agent) in self.unknown.iter().filter(|_| asked) {
            let there = cluster.is_reachable(agent);
            let alive = cluster.alive_on(agent).any(|(_, alive)| alive == task);
            if there && alive && !at.stored.is_quarantined(task) {
                return Err(format!("{task} lives, no record knew it, and it is not in quarantine"));
            }
        }
        Ok(())
    }
}

impl Checker for LostMemory {
    fn number(&self) -> &'static str {
        "S14"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Truth(cluster) => {
                self.since.get_or_insert(at.now);
                self.judge(at, cluster)
            }
            // A master that leads since just now knew of none.
            Seen::Does(ManagerEffect::Link(LinkEffect::Subscribe { framework, .. }))
                if self.frameworks.is_empty() && framework.id.is_some() =>
            {
                self.frameworks.extend(framework.id.clone());
                Ok(())
            }
            Seen::Does(ManagerEffect::Link(LinkEffect::Subscribe { framework, .. }))
                if framework.id.as_ref().is_none_or(|id| !self.frameworks.contains(id)) =>
            {
                Err(format!("it subscribes as {:?}, and was {:?}", framework.id, self.frameworks))
            }
            Seen::Does(effect) => match call_of(effect) {
                Some(MesosCall::Kill { task, .. }) if self.unknown.contains_key(task) => {
                    Err(format!("{task} is ended, which no record knew"))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

fn knows(stored: &Stored, task: &TaskId) -> bool {
    stored.current(task).is_some() || stored.is_former(task) || stored.is_quarantined(task)
}
