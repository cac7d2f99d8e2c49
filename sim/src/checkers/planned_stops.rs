//! Owns the check of S1: what Swan itself ends to replace or to move it never takes an app below its floor of healthy
//! tasks.

use std::collections::BTreeMap;

use swan_core::id::TaskName;
use swan_core::manager::ManagerEffect;
use swan_core::mesos::TaskId;
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::event::EventKind;

use super::convergence::Book;
use super::{Checker, Context, Seen};
use crate::definition::{Definition, Policy};
use crate::world::call_of;

/// A task that fails counts as healthy for so long: the stop of another may have been decided before that was known.
const LAG_MS: u64 = 60_000;
/// A stop is decided at most so long before its KILL leaves: the store may hang in between.
const YOUNG_MS: u64 = 40_000;
/// Reasons of a stop, as its record has them: a rollout replaces the task.
const REPLACE: u32 = 2;
/// The task leaves an agent with a planned outage.
const MOVE: u32 = 7;

/// Enough healthy tasks stay while others are replaced or moved.
#[derive(Clone, Debug, Default)]
pub struct PlannedStops {
    /// When stops were decided, and the floor at that time: a KILL may leave much later.
    decided: BTreeMap<TaskId, (u64, u32)>,
}

impl Checker for PlannedStops {
    fn number(&self) -> &'static str {
        "S1"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if matches!(seen, Seen::Truth(_)) {
            self.note_decided(at);
        }
        let Seen::Does(effect) = seen else { return Ok(()) };
        if let ManagerEffect::Publish(event) = effect
            && let EventKind::TaskChanged { task, state, .. } = &event.kind
            && state == "TASK_DRAINING"
        {
            self.note(at, task);
        }
        match call_of(effect) {
            Some(MesosCall::Kill { task, .. }) => self.judge(at, task),
            _ => Ok(()),
        }
    }
}

impl PlannedStops {
    fn note(&mut self, at: Context<'_>, task: &TaskId) {
        let (Some(name), Some(member)) = (TaskName::parse(task.as_str()), at.fleet.get(task)) else { return };
        let floor = floor_of(at, name.app, &member.image);
        self.decided.entry(task.clone()).or_insert((at.now, floor));
    }

    fn note_decided(&mut self, at: Context<'_>) {
        let tasks = at.fleet.apps().flat_map(|app| at.fleet.of(app)).filter(|(_, it)| it.ended.is_none());
        let stops = tasks.filter(|(task, _)| at.stored.current(task).is_some_and(|it| it.stop != 0));
        for (task, _) in stops {
            self.note(at, task);
        }
    }

    /// Whether the stop of one task was decided before that of another.
    fn is_before(&self, task: &TaskId, other: &TaskId) -> bool {
        match (self.decided.get(task), self.decided.get(other)) {
            (Some((task, _)), Some((other, _))) => task < other,
            _ => false,
        }
    }

    fn judge(&self, at: Context<'_>, task: &TaskId) -> Result<(), String> {
        let Some(name) = TaskName::parse(task.as_str()) else { return Ok(()) };
        let (Some(killed), Some(app)) = (at.fleet.get(task), at.stored.app(name.app)) else { return Ok(()) };
        let why = at.stored.current(task).map(|it| it.stop);
        let serves = |served: Option<u64>| served.is_some_and(|served| served + LAG_MS > at.now);
        // One that does not serve is no loss.
        // One that became well while its stop was being written down did not serve when that was decided.
        let young = killed.well.is_none_or(|since| since + YOUNG_MS > at.now);
        let well = serves(killed.served) && killed.lost.is_none() && killed.healthy != Some(false) && !young;
        // What a rollout that has ended leaves beside the task of a slot is surplus: others may never be healthy again.
        let judged = why == Some(MOVE) || why == Some(REPLACE) && app.operation() != "noop";
        if killed.kills != 1 || !judged || !well {
            return Ok(());
        }
        let floor = floor_of(at, name.app, &killed.image);
        let floor = self.decided.get(task).map_or(floor, |(_, then)| floor.min(*then));
        let left = at
            .fleet
            .of(name.app)
            .filter(|(other, it)| {
                let stayed = it.killed.is_none() || self.is_before(task, other);
                *other != task && stayed && (it.is_well() || serves(it.served))
            })
            .count();
        if left < floor as usize {
            let others = at.fleet.of(name.app).filter(|(_, it)| it.ended.is_none()).map(|(task, it)| {
                format!(
                    "{task} {:?} checked {} healthy {:?} lost {:?} killed {:?}",
                    it.state, it.checked, it.healthy, it.lost, it.killed
                )
            });
            let others = others.collect::<Vec<_>>().join("; ");
            return Err(format!(
                "{task} is ended to replace it, which leaves {left} healthy tasks of {} instead of {floor}: {others}",
                name.app
            ));
        }
        Ok(())
    }
}

/// The lower of the floors of what is wanted of an app and of what one of its tasks runs.
fn floor_of(at: Context<'_>, app: &str, image: &String) -> u32 {
    let target = at.stored.target_image(app).unwrap_or_default();
    at.stored.app(app).map_or(0, |stored| floor(at.book, &[&target, image], stored.instances))
}

/// The lowest floor that any of these images' definitions has.
fn floor(book: &Book, images: &[&String], instances: u32) -> u32 {
    let policies = images.iter().filter_map(|image| book.get(*image)).map(Definition::policy);
    policies.map(|policy: Policy| policy.floor(instances)).min().unwrap_or(0)
}
