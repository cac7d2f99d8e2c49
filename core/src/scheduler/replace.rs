//! Owns how tasks are replaced: which are ended first, which get a successor beside them, and when the two change places;
//! always within the app's limits.

use super::Scheduler;
use super::apps::AppIdx;
use super::codec::Key;
use super::ledger::Change;
use super::rollout::Bounds;
use super::slot::{SUCCESSOR, StopReason};
use crate::limits::SLOTS_PER_PLAN;

/// What the two seats of a slot ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PairStep {
    /// The second seat is of no use (any more), and idle.
    Drop,
    /// The first seat is free: the successor takes it.
    Promote,
    /// The successor is not wanted (any more), while the first seat has a task.
    EndSuccessor(StopReason),
    /// The successor is ready: the task before it can go.
    EndFirst,
    Wait,
}

impl Scheduler {
    /// Replaces tasks of another configuration, and those that shall leave their agents, as far as the limits allow now; true if some are left to look at.
    pub(super) fn replace_outdated(&mut self, idx: AppIdx) -> bool {
        let mut budget = SLOTS_PER_PLAN;
        self.call_off_moves(idx);
        self.settle_pairs(idx, &mut budget);
        if self.may_begin(idx) {
            self.begin_replacements(idx, &mut budget);
        }
        self.begin_moves(idx, &mut budget);
        budget == 0
    }

    /// Whether the rollout under way may begin to change another slot now.
    fn may_begin(&self, idx: AppIdx) -> bool {
        let clock = self.clock.read(self.now.mono);
        let Some(app) = self.apps.get(idx).filter(|app| app.is_replacing()) else { return false };
        !self.brake.holds() && app.rollout.as_ref().is_some_and(|rollout| rollout.next_at <= clock)
    }

    fn begin_replacements(&mut self, idx: AppIdx, budget: &mut usize) {
        while *budget > 0 {
            let app = self.apps.get_mut(idx).expect("the planner plans living apps");
            let Bounds { floor, ceiling, parallel } = app.bounds();
            let Some(&(_, number)) = app.outdated.first() else { return };
            // Those that are as wanted, were given up, or were not touched yet, do not change now.
            let untouched = u32::try_from(app.outdated.len()).expect("slots are limited");
            let changing = app.instances.saturating_sub(app.counts.ready + app.given_up() + untouched);
            if changing >= parallel && !mutant!(ParallelIgnored) {
                return;
            }
            *budget -= 1;
            let left = app.healthy_without(number);
            if app.can_spare(number) {
                self.stop_task(idx, number, StopReason::Replace);
            } else if app.occupied() + app.successor_count()
                < ceiling + u32::from(mutant!(CeilingOneMore)) + if mutant!(NoCeiling) { 1000 } else { 0 }
            {
                self.begin_successor(idx, number);
            } else if left + u32::from(mutant!(FloorOneLess)) >= floor || mutant!(NoFloor) {
                self.stop_task(idx, number, StopReason::Replace);
            } else {
                return;
            }
        }
    }

    /// Gives a slot its second seat, which waits at least as long as the slot would have to (S11).
    pub(super) fn begin_successor(&mut self, idx: AppIdx, number: u32) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        app.add_successor(number);
        let seat = number | SUCCESSOR;
        let not_before = app.slot(number).map_or(clock, |first| first.not_before);
        if not_before > clock {
            app.edit(seat, |slot| slot.not_before = not_before);
            self.note_slot(idx, seat);
            self.arm_slot(idx, seat, Some(self.now.mono + not_before.since(clock)));
        } else {
            self.enqueue(idx, seat);
        }
    }

    /// Goes through the slots with two seats that have changed.
    fn settle_pairs(&mut self, idx: AppIdx, budget: &mut usize) {
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let due = core::mem::take(&mut app.pairs);
        for &number in &due {
            if *budget == 0 {
                self.apps.get_mut(idx).expect("it lives on").pairs.insert(number);
                continue;
            }
            *budget -= 1;
            match self.pair_step(idx, number) {
                PairStep::Drop => self.drop_successor(idx, number),
                PairStep::Promote => self.promote(idx, number),
                PairStep::EndSuccessor(why) => self.end_successor(idx, number, why),
                PairStep::EndFirst => self.end_first(idx, number),
                PairStep::Wait => {}
            }
        }
    }

    fn pair_step(&self, idx: AppIdx, number: u32) -> PairStep {
        let Some(app) = self.apps.get(idx) else { return PairStep::Wait };
        let (Some(first), Some(second)) = (app.slot(number), app.slot(number | SUCCESSOR)) else {
            return PairStep::Wait;
        };
        let (Some(task), Some(successor)) = (&first.task, &second.task) else {
            return match (&first.task, &second.task) {
                (None, Some(successor)) if !app.is_place(number) && successor.stop.is_none() => {
                    PairStep::EndSuccessor(app.surplus_reason())
                }
                (None, Some(_)) => PairStep::Promote,
                (_, None) if first.task.is_none() || !app.wants(number | SUCCESSOR) => PairStep::Drop,
                // It was made within the limits of a definition that has been replaced since.
                (_, None) if app.occupied() + app.successor_count() > app.bounds().ceiling => PairStep::Drop,
                _ => PairStep::Wait,
            };
        };
        let stays = task.stop.is_none() && successor.stop.is_none();
        let wanted =
            app.wants(number | SUCCESSOR) && successor.version == app.version_for(number | SUCCESSOR);
        if !stays {
            PairStep::Wait
        } else if app.is_paused() {
            // Both stay until it goes on.
            PairStep::Wait
        } else if !wanted {
            PairStep::EndSuccessor(if app.is_place(number) { StopReason::Replace } else { StopReason::Scale })
        } else if successor.serves() && successor.settled || mutant!(UnreadySuccessor) {
            PairStep::EndFirst
        } else {
            PairStep::Wait
        }
    }

    /// Ends a successor that is not wanted any more, unless it is what keeps enough healthy: then it stays until others
    /// are, and takes the place of the task before it if no rollout will make that one well.
    fn end_successor(&mut self, idx: AppIdx, number: u32, why: StopReason) {
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let serving = app.counts.serving - app.counts.unheard;
        let needed = !app.can_spare(number | SUCCESSOR) && serving <= app.bounds().floor;
        if !app.is_place(number) || !needed {
            self.stop_task(idx, number | SUCCESSOR, why);
        } else if app.rollout.is_none() && app.can_spare(number) {
            self.stop_task(idx, number, StopReason::Replace);
        } else {
            app.pairs.insert(number);
        }
    }

    /// Ends the task before a ready successor, unless too few would be healthy then.
    fn end_first(&mut self, idx: AppIdx, number: u32) {
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let task = |seat| app.task(seat);
        let needed = !app.can_spare(number);
        let (moves, uncounted) = (
            app.moving.contains(&number),
            task(number | SUCCESSOR).is_some_and(|successor| successor.version != app.wanted_runs()),
        );
        let left = app.healthy_without(number) + u32::from(uncounted);
        let unready = mutant!(UnreadySuccessor);
        if !unready && (self.brake.holds() || needed && left < app.bounds().floor) {
            // Looked at again with whatever changes next.
            app.pairs.insert(number);
            return;
        }
        self.stop_task(idx, number, if moves { StopReason::Move } else { StopReason::Replace });
    }

    /// Takes an idle second seat away.
    pub(super) fn drop_successor(&mut self, idx: AppIdx, number: u32) {
        let seat = number | SUCCESSOR;
        self.arm_slot(idx, seat, None);
        self.unqueue(idx, seat);
        self.inherit_pause(idx, number);
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        if app.remove_successor(number) {
            let key = Key::Slot(app.dotted.as_str().into(), seat).encode();
            self.ledger.note(Change::Gone(key));
        }
        self.enqueue_if_free(idx, number);
    }

    /// A slot whose successor failed does not try again at once because its first seat is free, or gets another successor
    /// (S11).
    fn inherit_pause(&mut self, idx: AppIdx, number: u32) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let Some((not_before, failures)) = app.slot(number | SUCCESSOR).map(|s| (s.not_before, s.failures))
        else {
            return;
        };
        let Some(first) = app.slot(number).filter(|first| first.not_before < not_before) else { return };
        let (free, stays) =
            (first.task.is_none(), first.task.as_ref().is_some_and(|task| task.stop.is_none()));
        app.edit(number, |first| {
            first.not_before = not_before;
            // Of a task that stays, what stood beside it says nothing.
            if !stays {
                first.failures = first.failures.max(failures);
            }
        });
        self.note_slot(idx, number);
        if free && not_before > clock {
            self.arm_slot(idx, number, Some(self.now.mono + not_before.since(clock)));
        }
    }

    /// The successor takes the first seat, which is free.
    fn promote(&mut self, idx: AppIdx, number: u32) {
        let seat = number | SUCCESSOR;
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let due = *app.slot_timer(seat);
        self.arm_slot(idx, seat, None);
        self.arm_slot(idx, number, None);
        self.unqueue(idx, number);
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let (task, failures, heard) = app.edit(seat, |slot| (slot.task.take(), slot.failures, slot.heard));
        // What failed in this seat is not forgotten because another task takes it.
        app.edit(number, |slot| {
            (slot.task, slot.heard) = (task, heard);
            slot.failures = slot.failures.max(failures);
        });
        self.note_slot(idx, number);
        self.drop_successor(idx, number);
        self.arm_slot(idx, number, due);
    }
}
