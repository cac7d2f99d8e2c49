//! Owns the proof that failures of seeded bugs become short stories. One test, since a bug is on in the whole process.
#![cfg(feature = "mutants")]

use swan_core::mutants::{Mutant, switch_on};
use swan_sim::options::Options;
use swan_sim::run::{Keep, replay, run};
use swan_sim::shrink::shrink;
use swan_sim::trace::Trace;

#[test]
fn seeded_bugs_become_short_stories() {
    for mutant in [Mutant::NoFloor, Mutant::KillsOnce] {
        switch_on(Some(mutant));
        let failing = (0..200).find_map(|seed| {
            let options = Options::swarm(seed, None);
            let outcome = run(seed, &options, Keep::Events);
            outcome.failure.as_ref()?;
            Some(outcome.trace(seed, "a commit", options))
        });
        let trace = failing.expect("the bug is found");
        let mut runs = 0;
        let small = shrink(&trace, &mut |progress| {
            runs = progress.runs;
            true
        });
        let small = small.expect("it fails");
        println!("{mutant:?}, seed {}: {} events before, {runs} runs", trace.seed, trace.events.len());
        println!("{} agents, {} ms", small.options.agents, small.options.safety_ms);
        small.events.iter().for_each(|event| println!("{event}"));
        println!("{}", small.failure.as_ref().expect("a failure"));
        let again = replay(&small, Keep::Nothing);
        switch_on(None);
        assert!(small.events.len() * 10 < trace.events.len());
        assert_eq!((again.digest, again.failure), (small.digest, small.failure));
    }
}
