//! Owns how many may be served at once, in all and for each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Seats, counted by who sits on them.
#[derive(Debug)]
pub(crate) struct Quota<K: Ord> {
    taken: Mutex<Taken<K>>,
    /// In all.
    total_max: usize,
    /// For one key.
    each_max: usize,
}

#[derive(Debug)]
struct Taken<K: Ord> {
    total: usize,
    each: BTreeMap<K, usize>,
}

/// A seat, free again when dropped.
#[derive(Debug)]
pub(crate) struct Seat<K: Ord + Clone> {
    quota: Arc<Quota<K>>,
    key: K,
}

impl<K: Ord + Clone> Quota<K> {
    pub(crate) fn new(total_max: usize, each_max: usize) -> Arc<Self> {
        let taken = Mutex::new(Taken { total: 0, each: BTreeMap::new() });
        Arc::new(Self { taken, total_max, each_max })
    }

    /// A seat for `key`, unless all are taken or it has its share.
    pub(crate) fn take(self: &Arc<Self>, key: K) -> Option<Seat<K>> {
        let mut taken = self.taken();
        let own = taken.each.get(&key).copied().unwrap_or(0);
        if taken.total >= self.total_max || own >= self.each_max {
            return None;
        }
        taken.each.insert(key.clone(), own + 1);
        taken.total += 1;
        Some(Seat { quota: Arc::clone(self), key })
    }

    /// How many are taken.
    pub(crate) fn count(&self) -> usize {
        self.taken().total
    }

    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().expect("nothing panics while it counts")
    }
}

impl<K: Ord + Clone> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut taken = self.quota.taken();
        taken.total -= 1;
        if let Some(own) = taken.each.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                taken.each.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_end_in_all_and_for_each_and_come_back() {
        let quota = Quota::new(3, 2);
        let first = quota.take("a").expect("free");
        let _second = quota.take("a").expect("free");
        assert!(quota.take("a").is_none());
        let third = quota.take("b").expect("free");
        assert!(quota.take("c").is_none());
        drop((first, third));
        assert_eq!(quota.count(), 1);
        assert!(quota.take("a").is_some());
    }
}
