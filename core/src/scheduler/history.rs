//! Owns what readers see of the past of an app: its rollouts, and the failures of its slots.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::apps::App;
use super::reading::View;
use super::rollout::{Bounds, Rollout, Stage};
use super::slot::FailureNote;
use super::view::{FailureView, Page, RolloutView};
use crate::id::DottedId;

impl View<'_> {
    /// The rollouts of an app that are remembered, newest first; the first may be under way.
    pub fn rollouts(&self, id: &DottedId) -> Option<Vec<RolloutView>> {
        let app = self.find(id)?;
        let all = app.rollout.as_deref().into_iter().chain(app.ended.iter().rev());
        Some(all.map(|rollout| self.rollout_view(app, rollout)).collect())
    }

    fn rollout_view(&self, app: &App, rollout: &Rollout) -> RolloutView {
        let spec = app.versions.get(&rollout.to).map(|version| &version.spec);
        let Bounds { floor, ceiling, .. } =
            spec.map_or_else(Bounds::default, |spec| Bounds::of(spec, rollout.to_instances));
        let now = self.machine.clock.read(self.machine.now.mono);
        let deadline_in = spec
            .filter(|_| rollout.stage == Stage::Running)
            .map(|spec| (rollout.progress_at + spec.update.progress_deadline).since(now));
        let under_way = rollout.ended.is_none();
        RolloutView {
            id: rollout.id,
            operation: rollout.operation.name(),
            state: rollout.stage.name(),
            error: rollout.error.clone(),
            from_version: (rollout.from != 0 && rollout.from != rollout.to).then(|| rollout.from.to_string()),
            to_version: rollout.to.to_string(),
            instances: (rollout.from_instances, rollout.to_instances),
            ready: if under_way { app.progress() } else { rollout.best },
            limits: (floor, ceiling),
            failures: (rollout.failures, app.failures_max()),
            deadline_in,
            automatic: rollout.automatic,
            started: rollout.started,
            ended: rollout.ended,
        }
    }

    /// The failures that are remembered, by slot, newest first within one: of `slot` only, or of all slots after
    /// `after_slot`; pages end between slots.
    pub fn failures(
        &self,
        id: &DottedId,
        slot: Option<u32>,
        after_slot: Option<u32>,
        limit: usize,
    ) -> Option<Page<FailureView>> {
        let app = self.find(id)?;
        let from = slot.unwrap_or_else(|| after_slot.map_or(0, |after| after.saturating_add(1)));
        let upto = slot.map_or(u32::MAX, |slot| slot.saturating_add(1)).min(app.slot_count());
        let mut items = Vec::new();
        for number in from..upto {
            if items.len() >= limit {
                let next = items.last().map(|last: &FailureView| last.slot.to_string());
                return Some(Page { items, next });
            }
            let trouble = app.slot(number).and_then(|slot| slot.trouble.as_deref());
            let notes = trouble.into_iter().flat_map(|trouble| trouble.history.iter().rev());
            items.extend(notes.map(|note| self.failure_view(app, number, note)));
        }
        Some(Page { items, next: None })
    }

    fn failure_view(&self, app: &App, slot: u32, note: &FailureNote) -> FailureView {
        let task = app.task_id(slot, note.hex);
        let framework = self.machine.framework.id.as_ref().map_or_else(Default::default, ToString::to_string);
        let run = if note.container.is_empty() { "latest" } else { &note.container };
        FailureView {
            slot,
            version: note.version.to_string(),
            state: note.state.name().unwrap_or("TASK_UNKNOWN"),
            reason: note.reason.and_then(crate::mesos::Reason::name).unwrap_or_default(),
            message: note.message.clone(),
            exit_code: note.exit_code,
            counted: note.counted,
            agent_id: note.agent.to_string(),
            host: note.host.clone(),
            // The command executor of a task bears the task's id.
            sandbox: format!("slaves/{}/frameworks/{framework}/executors/{task}/runs/{run}", note.agent),
            started: note.started,
            ended: note.at,
            task,
        }
    }
}
