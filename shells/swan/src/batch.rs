//! Owns running seeds on all processors at once, told in their order: what is printed does not depend on how many there are.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// As large as that of a main thread, on which a seed runs alone.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs each seed, and tells of one after another until `tell` has heard enough.
pub(crate) fn run_all<T: Send>(
    seeds: Range<u64>,
    run: impl Fn(u64) -> T + Sync,
    mut tell: impl FnMut(u64, T) -> ControlFlow<()>,
) {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    thread::scope(|scope| {
        let (done, outcomes) = mpsc::channel();
        for _ in 0..workers {
            let (done, next, run) = (done.clone(), &next, &run);
            let work = move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more once enough was heard.
                    if seed >= end || done.send((seed, run(seed))).is_err() {
                        return;
                    }
                }
            };
            let worker = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            worker.expect("the process may start a thread for each processor");
        }
        drop(done);
        let (mut early, mut turn) = (BTreeMap::new(), seeds.start);
        for (seed, outcome) in outcomes {
            early.insert(seed, outcome);
            while let Some(outcome) = early.remove(&turn) {
                if tell(turn, outcome).is_break() {
                    return;
                }
                turn += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_seed_is_run_once_and_told_in_its_turn() {
        let mut told = Vec::new();
        let run = |seed| {
            // Later ones are done earlier.
            thread::sleep(Duration::from_millis(10 - seed % 10));
            seed * 2
        };
        run_all(5..45, run, |seed, outcome| {
            told.push((seed, outcome));
            ControlFlow::Continue(())
        });
        assert_eq!(told, (5..45).map(|seed| (seed, seed * 2)).collect::<Vec<_>>());
    }

    #[test]
    fn it_ends_with_the_first_that_is_enough() {
        let mut told = Vec::new();
        run_all(
            0..u64::MAX,
            |seed| seed,
            |seed, _| {
                told.push(seed);
                if seed == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(told, (0..8).collect::<Vec<_>>());
    }
}
