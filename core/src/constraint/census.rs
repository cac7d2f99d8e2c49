//! Owns the counts of an app's placed tasks, by the values that counting rules look at.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::matcher::{Host, Matcher};

/// How many placed tasks there are in each group of agents, for each key that a rule counts by. A task on an agent without
/// a value is not counted.
///
/// The order of changes leaves no trace: a census counted anew is equal to one kept up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census<G: Ord = String> {
    /// In the order of [`Matcher::counters`].
    counters: Vec<Counter<G>>,
}

/// The tasks of each group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter<G: Ord> {
    /// Never zero.
    tasks: BTreeMap<G, u32>,
    /// How many groups have so many tasks; never zero.
    sizes: BTreeMap<u32, u32>,
    /// Tasks of the smallest group; 0 if there is none.
    least: u32,
}

impl<G: Ord> Default for Census<G> {
    /// For rules that count nothing.
    fn default() -> Self {
        Self { counters: Vec::new() }
    }
}

impl<G: Ord> Census<G> {
    /// No tasks.
    pub fn new(matcher: &Matcher) -> Self {
        let none = || Counter { tasks: BTreeMap::new(), sizes: BTreeMap::new(), least: 0 };
        Self { counters: matcher.counters().iter().map(|_| none()).collect() }
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

impl<G: Ord> Counter<G> {
    fn add(&mut self, group: G) {
        let tasks = self.tasks.entry(group).or_default();
        *tasks += 1;
        let now = *tasks;
        self.resize(now - 1, now);
    }

    fn remove(&mut self, group: G) {
        let tasks = self.tasks.get_mut(&group).expect("what is removed was added");
        *tasks -= 1;
        let now = *tasks;
        if now == 0 {
            self.tasks.remove(&group);
        }
        self.resize(now + 1, now);
    }

    fn resize(&mut self, from: u32, to: u32) {
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
        self.tasks.get(group).copied().unwrap_or(0)
    }

    /// Whether no other group has more tasks.
    pub(super) fn is_largest(&self, group: &G) -> bool {
        self.sizes.last_key_value().is_none_or(|(size, _)| *size == self.tasks(group))
    }

    /// Whether one more task in this group keeps groups even: it is new, or there are at least `least` groups, and none
    /// of them has fewer tasks.
    pub(super) fn keeps_even(&self, group: &G, least: u32) -> bool {
        let own = self.tasks(group);
        own == 0 || (self.tasks.len() >= least as usize && self.least == own)
    }
}
