//! Owns the check of S14 where the store is lost altogether: who remembers nothing takes no identity, new or old, before an
//! operator has said which, and ends nothing by itself.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::link::{LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{AgentId, FrameworkId, TaskId};
use swan_core::scheduler::api::{ApiCall, FrameworkWord};
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};
use crate::mesos::Cluster;

/// So long after its framework was adopted, each task was asked after.
const QUARANTINED_MS: u64 = 20 * 60_000;

/// What there was before the loss, and what an operator has said since.
#[derive(Clone, Debug)]
pub struct LostStore {
    frameworks: BTreeSet<FrameworkId>,
    /// Tasks of before the loss.
    lived: BTreeMap<TaskId, AgentId>,
    /// They hold something, as the master last saw.
    held: bool,
    word: Option<(u64, FrameworkWord)>,
    /// Tasks that the operator ends.
    ended: BTreeSet<TaskId>,
}

impl LostStore {
    /// Watches from the loss on.
    pub fn new(cluster: &Cluster) -> Self {
        let alive = cluster.frameworks().flat_map(|(id, _)| cluster.alive_of(id));
        Self {
            frameworks: cluster.frameworks().map(|(id, _)| id.clone()).collect(),
            lived: alive.map(|(agent, task)| (task.clone(), agent.clone())).collect(),
            held: cluster.listed_frameworks().any(|(_, listed)| !listed.allocated.is_empty()),
            word: None,
            ended: BTreeSet::new(),
        }
    }

    fn told(&mut self, now: u64, call: &ApiCall) {
        match call {
            ApiCall::ChooseFramework { word } => {
                self.word.get_or_insert_with(|| (now, word.clone()));
            }
            ApiCall::KillQuarantined { task } => {
                self.ended.insert(task.clone());
            }
            _ => {}
        }
    }

    fn subscribes(&self, at: Context<'_>, id: Option<&FrameworkId>) -> Result<(), String> {
        let word = self.word.as_ref().map(|(_, word)| word);
        let (stored, old) = (at.stored.framework(), id.filter(|id| self.frameworks.contains(*id)));
        let may = match (word, id) {
            (Some(FrameworkWord::Adopt(said)), Some(id)) => said == id && stored.as_ref() == Some(id),
            (Some(FrameworkWord::New), None) => at.stored.wants_new_framework(),
            (Some(FrameworkWord::New), Some(_)) => old.is_none(),
            (Some(FrameworkWord::Adopt(_)), None) => false,
            (None, _) => !self.held && old.is_none(),
        };
        if may { Ok(()) } else { Err(format!("it subscribes as {id:?}; the operator has said: {word:?}")) }
    }

    fn judge(&self, at: Context<'_>, cluster: &Cluster) -> Result<(), String> {
        let Some((said, FrameworkWord::Adopt(_))) = &self.word else { return Ok(()) };
        if at.now < said + QUARANTINED_MS {
            return Ok(());
        }
        for (task, agent) in &self.lived {
            let there = cluster.is_reachable(agent);
            let alive = cluster.alive_on(agent).any(|(_, alive)| alive == task);
            if there && alive && !at.stored.is_quarantined(task) {
                return Err(format!("{task} lives, its framework was adopted, and it is not in quarantine"));
            }
        }
        Ok(())
    }
}

impl Checker for LostStore {
    fn number(&self) -> &'static str {
        "S14"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Truth(cluster) => self.judge(at, cluster),
            Seen::Told(ManagerInput::Api { request, .. }) => {
                self.told(at.now, &request.call);
                Ok(())
            }
            // Tasks may have ended by themselves since the loss: then nothing holds anything any more.
            Seen::Told(ManagerInput::Link(LinkInput::Listed { frameworks, .. })) => {
                self.held = frameworks.iter().any(|it| it.recovered || !it.allocated.is_empty());
                Ok(())
            }
            Seen::Does(ManagerEffect::Link(LinkEffect::Subscribe { framework, .. })) => {
                self.subscribes(at, framework.id.as_ref())
            }
            Seen::Does(effect) => match call_of(effect) {
                Some(MesosCall::Kill { task, .. })
                    if self.lived.contains_key(task) && !self.ended.contains(task) =>
                {
                    Err(format!("{task} is ended, which ran before the loss, and nobody asked for it"))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
