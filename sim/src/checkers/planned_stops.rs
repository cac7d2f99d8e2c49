//! Owns the check of S1: what Swan itself ends to replace or to move it never takes an app below its floor of healthy
//! tasks.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::journal::StoreOp;
use swan_core::manager::ManagerEffect;
use swan_core::mesos::{TaskId, TaskState};

use super::convergence::Book;
use super::fleet::Member;
use super::stored::{REPLACE, StoredSeat};
use super::{Checker, Context, Seen};
use crate::definition::{Definition, Policy};

/// A task that fails counts as healthy for so long: the stop of another may have been decided before that was known.
const LAG_MS: u64 = 60_000;
/// A stop is decided at most so long before it is durable, if its write does not hang.
const YOUNG_MS: u64 = 40_000;
/// What is written so soon after the write before it may have waited for that.
const AT_ONCE_MS: u64 = 1_000;
/// Why a task is ended, as its record has it: it leaves an agent with a planned outage.
const MOVE: u32 = 7;

/// Enough healthy tasks stay while others are replaced or moved. Judged when the stop becomes durable: its KILL may come
/// much later, from another process, when other things have happened.
#[derive(Clone, Debug, Default)]
pub struct PlannedStops {
    judged: BTreeSet<TaskId>,
    writes: Writes,
}

/// When what is written was decided.
#[derive(Clone, Debug, Default)]
struct Writes {
    /// Entries that are not durable yet, and when their first writes began.
    under_way: BTreeMap<u64, u64>,
    /// The newest durable one, when its first write began, and when it became durable.
    index: Option<u64>,
    begun: u64,
    done: u64,
}

impl Writes {
    fn begin(&mut self, now: u64, index: u64) {
        if self.index.is_none_or(|newest| newest < index) {
            self.under_way.entry(index).or_insert(now);
        }
    }

    /// The next entry is durable; gives when what it says was decided, at the earliest.
    fn end(&mut self, now: u64) -> u64 {
        let Some((index, begun)) = self.under_way.pop_first() else { return now };
        let waited = begun <= self.done + AT_ONCE_MS;
        let decided = if waited { self.begun } else { begun };
        (self.index, self.begun, self.done) = (Some(index), begun, now);
        decided
    }
}

impl Checker for PlannedStops {
    fn number(&self) -> &'static str {
        "S1"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Seen::Does(ManagerEffect::Store { op: StoreOp::Append { index, .. }, .. }) = seen {
            self.writes.begin(at.now, *index);
        }
        let Seen::Stored(entry) = seen else { return Ok(()) };
        let decided = self.writes.end(at.now);
        for seat in entry.ops.iter().filter_map(StoredSeat::of) {
            let (Some(task), Some((stored, _))) = (seat.task_id(), &seat.task) else { continue };
            let planned = [REPLACE, MOVE].contains(&stored.stop) && self.judged.insert(task.clone());
            // One that is not known to run does not serve, though a process that is gone may have heard of it.
            if planned && stored.state == TaskState::Running {
                judge(at, &seat.app, &task, stored.stop, decided)?;
            }
        }
        Ok(())
    }
}

fn judge(at: Context<'_>, name: &str, task: &TaskId, why: u32, decided: u64) -> Result<(), String> {
    let (Some(ended), Some(app)) = (at.fleet.get(task), at.stored.app(name)) else { return Ok(()) };
    let serves =
        |served: Option<u64>| served.is_some_and(|served| served + LAG_MS > at.now || served >= decided);
    // One that does not serve is no loss.
    // One that became well while its stop was being written down did not serve when that was decided.
    let young = ended.well.is_none_or(|since| since + YOUNG_MS > at.now || since >= decided);
    let well = serves(ended.served) && ended.lost.is_none() && ended.healthy != Some(false) && !young;
    // What a rollout that has ended leaves beside the task of a slot is surplus: others may never be healthy again.
    let judged = why == MOVE || app.operation() != "noop";
    if ended.killed.is_some() || !judged || !well {
        return Ok(());
    }
    // What users end, or want no more, may not have been known yet.
    let planned =
        |task: &TaskId| at.stored.current(task).is_some_and(|it| [REPLACE, MOVE].contains(&it.stop));
    let target = at.stored.target_image(name).unwrap_or_default();
    let floor = floor(at.book, &[&target, &ended.image], app.instances);
    // One that was lost since this was decided makes way at once, perhaps in the same entry.
    let makes_way =
        |task: &TaskId, lost: Option<u64>| planned(task) && lost.is_none_or(|lost| lost < decided);
    let stays = |(task, it): &(&TaskId, &Member)| it.killed.is_none() && !makes_way(task, it.lost);
    // Nobody relies on one of which only the journal tells.
    let serving = at.fleet.of(name).filter(|(_, it)| it.heard && (it.is_well() || serves(it.served)));
    let left = serving.filter(stays).count();
    if left < floor as usize {
        let others = at.fleet.of(name).filter(|(_, it)| it.ended.is_none()).map(|(task, it)| {
            format!(
                "{task} {:?} heard {} checked {} healthy {:?} lost {:?} killed {:?}",
                it.state, it.heard, it.checked, it.healthy, it.lost, it.killed
            )
        });
        let others = others.collect::<Vec<_>>().join("; ");
        return Err(format!(
            "{task} is ended to replace it, which leaves {left} healthy tasks of {name} instead of {floor}: {others}"
        ));
    }
    Ok(())
}

/// The lowest floor that any of these images' definitions has.
fn floor(book: &Book, images: &[&String], instances: u32) -> u32 {
    let policies = images.iter().filter_map(|image| book.get(*image)).map(Definition::policy);
    policies.map(|policy: Policy| policy.floor(instances)).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waited_for_a_write_may_have_been_decided_since_that_began() {
        let mut writes = Writes::default();
        writes.begin(1_000, 1);
        assert_eq!(writes.end(50_000), 0);
        writes.begin(50_000, 2);
        assert_eq!(writes.end(50_100), 1_000, "the write before it hung");
        writes.begin(90_000, 3);
        writes.begin(91_000, 4);
        writes.begin(180_000, 3);
        assert_eq!(writes.end(180_100), 90_000, "it was written when it was decided, and again");
        assert_eq!(writes.end(180_100), 90_000, "this one may have waited for that");
        assert_eq!(writes.end(180_200), 180_200, "nothing is known of others");
    }
}
