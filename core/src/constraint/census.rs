//! Owns the counts of an app's placed tasks, by the values that counting rules look at.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::matcher::{Host, Matcher};

/// How many placed tasks there are on agents of each value, for each key that a rule counts by. A task on an agent
/// without a value is not counted.
///
/// The order of changes leaves no trace: a census counted anew is equal to one kept up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// In the order of [`Matcher::counters`].
    counters: Vec<Counter>,
}

/// The tasks of each value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counter {
    /// Never zero.
    tasks: BTreeMap<String, u32>,
    /// How many values have so many tasks; never zero.
    sizes: BTreeMap<u32, u32>,
}

impl Census {
    /// No tasks.
    pub fn new(matcher: &Matcher) -> Self {
        Self { counters: matcher.counters().iter().map(|_| Counter::default()).collect() }
    }

    /// A task is placed on `host`.
    pub fn add(&mut self, matcher: &Matcher, host: &impl Host) {
        self.change(matcher, host, Counter::add);
    }

    /// A task that was added with the same values is there no more.
    pub fn remove(&mut self, matcher: &Matcher, host: &impl Host) {
        self.change(matcher, host, Counter::remove);
    }

    fn change(&mut self, matcher: &Matcher, host: &impl Host, change: fn(&mut Counter, &str)) {
        let keys = matcher.counters();
        assert_eq!(keys.len(), self.counters.len(), "a census is kept for the rules it was made for");
        for (counter, key) in self.counters.iter_mut().zip(keys) {
            if let Some(value) = host.value(key) {
                change(counter, value.spell().as_str());
            }
        }
    }

    pub(super) fn counter(&self, index: usize) -> &Counter {
        self.counters.get(index).expect("a census is asked by the rules it was made for")
    }
}

impl Counter {
    fn add(&mut self, value: &str) {
        let now = match self.tasks.get_mut(value) {
            Some(tasks) => {
                *tasks += 1;
                *tasks
            }
            None => {
                self.tasks.insert(value.into(), 1);
                1
            }
        };
        self.resize(now - 1, now);
    }

    fn remove(&mut self, value: &str) {
        let tasks = self.tasks.get_mut(value).expect("what is removed was added");
        *tasks -= 1;
        let now = *tasks;
        if now == 0 {
            self.tasks.remove(value);
        }
        self.resize(now + 1, now);
    }

    fn resize(&mut self, from: u32, to: u32) {
        if to > 0 {
            *self.sizes.entry(to).or_default() += 1;
        }
        if from > 0 {
            let values = self.sizes.get_mut(&from).expect("each value is among those of its size");
            *values -= 1;
            if *values == 0 {
                self.sizes.remove(&from);
            }
        }
    }

    /// Tasks on agents with this value.
    pub(super) fn tasks(&self, value: &str) -> u32 {
        self.tasks.get(value).copied().unwrap_or(0)
    }

    /// Whether no other value has more tasks.
    pub(super) fn is_largest(&self, value: &str) -> bool {
        self.sizes.last_key_value().is_none_or(|(size, _)| *size == self.tasks(value))
    }

    /// Whether one more task of this value keeps groups even: its group is new, or there are at least `least` groups, and
    /// none of them has fewer tasks.
    pub(super) fn keeps_even(&self, value: &str, least: u32) -> bool {
        let own = self.tasks(value);
        let smallest = self.sizes.first_key_value().map(|(size, _)| *size);
        own == 0 || (self.tasks.len() >= least as usize && smallest == Some(own))
    }
}
