//! Owns the check of S24: every launch obeys its app's rules, as a naive matcher finds them in the offers as they came.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::journal::Entry;
use swan_core::mesos::{AgentId, TaskId};
use swan_core::scheduler::effect::MesosCall;

use super::stored::StoredSeat;
use super::{Checker, Context, Seen, call_of};
use crate::rules::{Peers, Place};

/// A task that has ended may have been counted for so long when a launch was decided.
const LAG_MS: u64 = 120_000;

/// Launches obey the rules.
#[derive(Clone, Debug, Default)]
pub struct PlacementRules {
    /// Launched in this step: judged together, since the order in which they leave is not that of the decisions.
    launched: Vec<(String, TaskId)>,
    /// What was recorded lately, by app: where, and when. It counted, also if it is gone before it could be launched.
    recorded: BTreeMap<String, BTreeMap<TaskId, (AgentId, u64)>>,
}

impl Checker for PlacementRules {
    fn number(&self) -> &'static str {
        "S24"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Seen::Does(effect) = seen {
            if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                let them = launches.iter().map(|it| (it.template.app.clone(), it.task.clone()));
                self.launched.extend(them);
            }
            return Ok(());
        }
        let launched = std::mem::take(&mut self.launched);
        let judged = launched.iter().try_for_each(|(app, task)| self.judge(at, app, task));
        if let Seen::Stored(entry) = seen {
            self.learn(at, entry);
        }
        judged
    }
}

impl PlacementRules {
    fn learn(&mut self, at: Context<'_>, entry: &Entry) {
        let changed: BTreeSet<String> =
            entry.ops.iter().filter_map(StoredSeat::of).map(|seat| seat.app).collect();
        for app in changed {
            let recorded = self.recorded.entry(app.clone()).or_default();
            recorded.retain(|_, (_, since)| *since + LAG_MS > at.now);
            recorded.extend(at.stored.tasks(&app).into_iter().map(|(task, agent)| (task, (agent, at.now))));
        }
    }

    fn judge(&self, at: Context<'_>, app: &str, task: &TaskId) -> Result<(), String> {
        let Some(new) = at.fleet.get(task) else { return Ok(()) };
        let Some(definition) = at.book.get(&new.image).filter(|it| !it.rules.is_empty()) else {
            return Ok(());
        };
        let Some(place) = &new.place else {
            return Err(format!("{task} is launched on an agent that was never offered"));
        };
        let members: Vec<_> = at.fleet.of(app).collect();
        let peers: Vec<_> =
            members.iter().map(|(_, it)| it).filter(|it| it.version == new.version && it.stays()).collect();
        let sure: Vec<&Place> = peers.iter().filter_map(|it| it.place.as_ref()).collect();
        let earlier = peers.iter().filter(|it| it.launched < new.launched);
        let before: Vec<&Place> = earlier.filter_map(|it| it.place.as_ref()).collect();
        let lately = |ended: Option<u64>| ended.is_none_or(|ended| ended + LAG_MS > at.now);
        // Whose end was heard and not stored counts for the next process.
        let counts = |id: &TaskId, ended| lately(ended) || at.stored.current(id).is_some();
        let mut all: Vec<&Place> = members
            .iter()
            .filter(|(id, it)| counts(id, it.ended))
            .filter_map(|(_, it)| it.place.as_ref())
            .collect();
        // What a process recorded and never launched is counted by the next one, until it knows better.
        let launched: BTreeSet<&TaskId> = members.iter().map(|(id, _)| *id).collect();
        let recorded = self.recorded.get(app).into_iter().flatten();
        let waiting = recorded.filter(|(id, _)| !launched.contains(id)).map(|(_, (agent, _))| agent);
        all.extend(waiting.filter_map(|agent| at.fleet.place(agent)));
        for rule in &definition.rules {
            let broken = rule.broken_by(place, Peers { sure: &sure, before: &before, all: &all });
            if let Some(why) = broken.filter(|_| new.stays()) {
                return Err(format!("{task}: {why}"));
            }
        }
        Ok(())
    }
}
