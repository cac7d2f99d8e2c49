//! Owns the counts of an app's placed tasks, by the values that counting rules look at.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::matcher::{Host, Matcher};
use crate::limits::SMALL_GROUPS_MAX;

/// Stands for a value where rules count: equal if, and only if, the values' texts are.
pub trait Tally: Ord {
    /// Its own number, if it has one: groups with small numbers are counted in a list, in which they are found at once.
    fn number(&self) -> Option<usize>;
}

impl Tally for String {
    fn number(&self) -> Option<usize> {
        None
    }
}

/// How many placed tasks there are in each group of agents, for each key that a rule counts by. A task on an agent without
/// a value is not counted.
///
/// The order of changes leaves no trace: a census counted anew is equal to one kept up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census<G: Tally = String> {
    /// In the order of [`Matcher::counters`].
    counters: Vec<Counter<G>>,
}

/// The tasks of each group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter<G: Tally> {
    /// Of groups with small numbers, by these; the last is not zero.
    small: Vec<u32>,
    /// Of all other groups; never zero.
    others: BTreeMap<G, u32>,
    /// Groups with tasks.
    groups: u32,
    /// How many groups have so many tasks; never zero.
    sizes: BTreeMap<u32, u32>,
    /// Tasks of the smallest group; 0 if there is none.
    least: u32,
}

impl<G: Tally> Default for Census<G> {
    /// For rules that count nothing.
    fn default() -> Self {
        Self { counters: Vec::new() }
    }
}

impl<G: Tally> Census<G> {
    /// No tasks.
    pub fn new(matcher: &Matcher) -> Self {
        Self { counters: matcher.counters().iter().map(|_| Counter::none()).collect() }
    }

    /// A task is placed on `host`.
    pub fn add(&mut self, matcher: &Matcher, host: &impl Host<Group = G>) {
        self.change(matcher, host, Counter::add);
    }

    /// A task that was added with the same values is there no more.
    pub fn remove(&mut self, matcher: &Matcher, host: &impl Host<Group = G>) {
        self.change(matcher, host, Counter::remove);
    }

    fn change(&mut self, matcher: &Matcher, host: &impl Host<Group = G>, change: fn(&mut Counter<G>, G)) {
        let keys = matcher.counters();
        assert_eq!(keys.len(), self.counters.len(), "a census is kept for the rules it was made for");
        for (index, (counter, key)) in self.counters.iter_mut().zip(keys).enumerate() {
            if let Some(group) = host.group(index, key) {
                change(counter, group);
            }
        }
    }

    pub(super) fn counter(&self, index: usize) -> &Counter<G> {
        self.counters.get(index).expect("a census is asked by the rules it was made for")
    }
}

impl<G: Tally> Counter<G> {
    const fn none() -> Self {
        Self { small: Vec::new(), others: BTreeMap::new(), groups: 0, sizes: BTreeMap::new(), least: 0 }
    }

    fn add(&mut self, group: G) {
        let tasks = match small(&group) {
            Some(at) => {
                if self.small.len() <= at {
                    self.small.resize(at + 1, 0);
                }
                &mut self.small[at]
            }
            None => self.others.entry(group).or_default(),
        };
        *tasks += 1;
        let now = *tasks;
        self.resize(now - 1, now);
    }

    fn remove(&mut self, group: G) {
        let at = small(&group);
        let tasks = match at {
            Some(at) => self.small.get_mut(at),
            None => self.others.get_mut(&group),
        };
        let tasks = tasks.filter(|tasks| **tasks > 0).expect("what is removed was added");
        *tasks -= 1;
        let now = *tasks;
        if at.is_none() && now == 0 {
            self.others.remove(&group);
        }
        while self.small.last() == Some(&0) {
            self.small.pop();
        }
        self.resize(now + 1, now);
    }

    fn resize(&mut self, from: u32, to: u32) {
        self.groups = self.groups + u32::from(from == 0) - u32::from(to == 0);
        if to > 0 {
            *self.sizes.entry(to).or_default() += 1;
        }
        if from > 0 {
            let groups = self.sizes.get_mut(&from).expect("each group is among those of its size");
            *groups -= 1;
            if *groups == 0 {
                self.sizes.remove(&from);
            }
        }
        self.least = self.sizes.first_key_value().map_or(0, |(size, _)| *size);
    }

    /// Tasks on agents of this group.
    pub(super) fn tasks(&self, group: &G) -> u32 {
        let tasks = match small(group) {
            Some(at) => self.small.get(at),
            None => self.others.get(group),
        };
        tasks.copied().unwrap_or(0)
    }

    /// Whether no other group has more tasks.
    pub(super) fn is_largest(&self, group: &G) -> bool {
        self.sizes.last_key_value().is_none_or(|(size, _)| *size == self.tasks(group))
    }

    /// Whether one more task in this group keeps groups even: it is new, or there are at least `least` groups, and none
    /// of them has fewer tasks.
    pub(super) fn keeps_even(&self, group: &G, least: u32) -> bool {
        let own = self.tasks(group);
        own == 0 || (self.groups >= least && self.least == own)
    }
}

/// Its place in the list of groups with small numbers.
fn small(group: &impl Tally) -> Option<usize> {
    group.number().filter(|&number| number < SMALL_GROUPS_MAX)
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    /// Some groups that are counted in the list, and some that are not.
    const NUMBERS: [u32; 5] = [1, 3, SMALL_GROUPS_MAX as u32, SMALL_GROUPS_MAX as u32 + 1, 9_999];

    proptest! {
        #[test]
        fn small_and_large_numbers_count_alike(
            changes in prop::collection::vec((0..NUMBERS.len(), any::<bool>()), 0..60),
            least in 1_u32..4,
        ) {
            let (mut counter, mut tasks) = (Counter::none(), [0_u32; NUMBERS.len()]);
            let group = |at: usize| NonZeroU32::new(NUMBERS[at]).expect("not zero");
            for (at, comes) in changes {
                if comes {
                    counter.add(group(at));
                    tasks[at] += 1;
                } else if tasks[at] > 0 {
                    counter.remove(group(at));
                    tasks[at] -= 1;
                }
            }
            let groups: Vec<u32> = tasks.into_iter().filter(|&tasks| tasks > 0).collect();
            let (fewest, most) = (groups.iter().min(), groups.iter().max());
            for (at, &own) in tasks.iter().enumerate() {
                prop_assert_eq!(counter.tasks(&group(at)), own);
                prop_assert_eq!(counter.is_largest(&group(at)), most.is_none_or(|&most| most == own));
                let even = own == 0 || (groups.len() >= least as usize && fewest == Some(&own));
                prop_assert_eq!(counter.keeps_even(&group(at), least), even);
            }
            for (at, &tasks) in tasks.iter().enumerate() {
                (0..tasks).for_each(|_| counter.remove(group(at)));
            }
            prop_assert_eq!(counter, Counter::none(), "what went leaves no trace");
        }
    }
}
