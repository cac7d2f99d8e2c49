//! Owns which slots of an app are wanted: the first ones by number, but for those that a scale-down of the oldest left
//! vacant between them.

use alloc::vec::Vec;

use super::apps::App;
use super::slot::SUCCESSOR;
use crate::spec::KillSelection;

impl App {
    /// Slot numbers in use: the wanted ones and the vacant ones between them.
    pub(super) fn span(&self) -> u32 {
        self.instances + u32::try_from(self.vacant.len()).expect("slots are limited")
    }

    /// Whether a seat is the first one of a slot that is wanted.
    pub(super) fn is_place(&self, seat: u32) -> bool {
        seat < self.span() && !self.vacant.contains(&seat)
    }

    /// Slots that have, wait for, or still hold a task.
    pub(super) fn occupied(&self) -> u32 {
        let idle = |number: &&u32| self.slot(**number).is_none_or(|slot| slot.task.is_none());
        let idle = self.vacant.iter().filter(idle).count();
        self.slot_count() - u32::try_from(idle).expect("slots are limited")
    }

    /// Whether no task is left that is one too many.
    pub(super) fn surplus_is_gone(&self) -> bool {
        let idle = |number: &u32| [*number, number | SUCCESSOR].iter().all(|&seat| self.task(seat).is_none());
        self.slot_count() == self.span() && self.vacant.iter().all(idle)
    }

    /// The next slot below `above` that is not wanted.
    pub(super) fn unwanted_below(&self, above: u32) -> Option<u32> {
        let last = above.min(self.slot_count()).checked_sub(1)?;
        if last >= self.span() { Some(last) } else { self.vacant.range(..=last).next_back().copied() }
    }

    /// Wants another number of instances; gives the slots that became, or cease to be, vacant.
    pub(super) fn resize(&mut self, instances: u32) -> Vec<u32> {
        let before = self.vacant.clone();
        if instances >= self.instances {
            // Vacant slots first, so that numbers stay low.
            let reused = (instances - self.instances) as usize;
            let filled: Vec<u32> = self.vacant.iter().take(reused).copied().collect();
            for number in filled {
                self.vacant.remove(&number);
            }
        } else {
            let surplus = (self.instances - instances) as usize;
            let gone = match self.wanted().spec.kill_selection {
                KillSelection::YoungestFirst => self.last_places(surplus),
                KillSelection::OldestFirst => self.oldest_places(surplus),
            };
            self.vacant.extend(gone);
        }
        self.instances = instances;
        while let Some(last) = self.vacant.last().filter(|&&last| last + 1 >= self.span()).copied() {
            // Behind it nothing is wanted: it is none of the slots in use.
            self.vacant.remove(&last);
        }
        before.symmetric_difference(&self.vacant).copied().collect()
    }

    fn last_places(&self, count: usize) -> Vec<u32> {
        (0..self.span()).rev().filter(|&number| self.is_place(number)).take(count).collect()
    }

    /// Places without a task first, then those whose tasks are oldest.
    fn oldest_places(&self, count: usize) -> Vec<u32> {
        let mut places: Vec<_> = (0..self.span())
            .filter(|&number| self.is_place(number))
            .map(|number| {
                let task = self.slot(number).and_then(|slot| slot.task.as_ref());
                (task.map(|task| (task.created, task.hex)), number)
            })
            .collect();
        places.sort_unstable();
        places.into_iter().take(count).map(|(_, number)| number).collect()
    }
}
