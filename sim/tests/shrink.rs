//! Owns the proof that traces of failures become small and still fail in the same way.

use swan_sim::ask::Ask;
use swan_sim::chance::{Asked, Event};
use swan_sim::definition::Definition;
use swan_sim::failure::Kind;
use swan_sim::options::Options;
use swan_sim::run::{Keep, replay, run};
use swan_sim::shrink::{Progress, shrink};
use swan_sim::trace::Trace;

const COMMIT: &str = "a commit";

/// A run under many faults in which a user swears that an image is good that is none: what is wanted never runs.
fn with_a_lie(seed: u64) -> Trace {
    let mut options = Options::swarm(seed, Some(2));
    options.settle_ms = 15 * 60_000;
    let outcome = run(seed, &options, Keep::Events);
    assert_eq!(outcome.failure, None, "the machines do their work");
    let mut trace = outcome.trace(seed, COMMIT, options);
    let lie = Definition { trouble: None, ..Definition::plain("image:0-bad-health", 1, true) };
    let ask = Ask::Create { app: "liar".into(), definition: lie };
    let asked = Asked { at: 30_000, client: 0, ask, matched: false, keyed: true };
    trace.events.push(Event::Ask(asked));
    trace
}

#[test]
fn only_what_makes_it_fail_is_left() {
    let trace = with_a_lie(8);
    let small = shrink(&trace, &mut |_| true).expect("it fails");
    assert!(trace.events.len() > 20, "there is something to leave out: {}", trace.events.len());
    assert_eq!(small.events.iter().map(Event::app).collect::<Vec<_>>(), ["liar"]);
    assert_eq!(small.options.agents, 1);
    assert_eq!(small.failure.as_ref().map(|failure| failure.kind), Some(Kind::Liveness));
    assert!(small.options.safety_ms < trace.options.safety_ms, "{}", small.options.safety_ms);
    let again = replay(&small, Keep::Nothing);
    assert_eq!((again.digest, again.failure), (small.digest, small.failure));
}

#[test]
fn it_ends_when_it_is_told() {
    let trace = with_a_lie(8);
    let mut runs = 0;
    let small = shrink(&trace, &mut |progress: Progress| {
        runs = progress.runs;
        progress.runs < 5
    });
    let small = small.expect("it fails");
    assert_eq!(runs, 5);
    assert_eq!(replay(&small, Keep::Nothing).failure, small.failure);
}

#[test]
fn what_does_not_fail_as_it_tells_is_refused() {
    let mut trace = with_a_lie(8);
    let lie = trace.events.pop();
    assert_eq!(shrink(&trace, &mut |_| true), Err("it does not fail".into()));
    trace.events.extend(lie);
    let mut failure = replay(&trace, Keep::Nothing).failure.expect("it fails");
    failure.kind = Kind::Crash;
    trace.failure = Some(failure);
    let why = shrink(&trace, &mut |_| true).expect_err("it fails otherwise");
    assert!(why.contains("Liveness") && why.contains("Crash"), "{why}");
}
