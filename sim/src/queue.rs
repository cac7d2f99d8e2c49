//! Owns the order of everything that happens: one queue by time, then by the order of insertion.

use std::collections::BTreeMap;

/// What is to happen, by virtual milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    items: BTreeMap<(u64, u64), T>,
    inserted: u64,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { items: BTreeMap::new(), inserted: 0 }
    }

    /// Adds something that happens at `at`, after everything else added for that time.
    pub(crate) fn push(&mut self, at: u64, item: T) {
        self.inserted += 1;
        self.items.insert((at, self.inserted), item);
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next thing.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.items.pop_first().map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_comes_first_and_then_the_order_of_insertion() {
        let mut queue = Queue::new();
        for (at, item) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b')] {
            queue.push(at, item);
        }
        assert_eq!(queue.next_at(), Some(3));
        let all: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(all, "abcd");
    }
}
