//! Owns the tests of traces from the command line: run again, made small, and refused.

use swan_sim::ask::Ask;
use swan_sim::chance::{Asked, Event};
use swan_sim::definition::Definition;
use swan_sim::options::Options;
use swan_sim::run::{Keep, run};
use swan_sim::trace::Trace;

use super::{file, nobody, swan};

/// A run in a quiet world, and what a client asks in it.
fn trace(asks: &[(&str, Definition)]) -> Trace {
    let mut options = Options::quiet();
    options.settle_ms = 15 * 60_000;
    options.clients.count = 1;
    options.clients.verbs.create = 1;
    let mut trace = run(7, &options, Keep::Events).trace(7, "a commit", options.clone());
    trace.events = (0..)
        .zip(asks)
        .map(|(nth, (app, definition))| {
            let ask = Ask::Create { app: (*app).into(), definition: definition.clone() };
            Event::Ask(Asked { at: 5_000 * nth, client: 0, ask, matched: false, keyed: true })
        })
        .collect();
    trace.options.safety_ms = 60_000;
    trace
}

/// An image that a user swears is good, and is never healthy.
fn lie() -> Definition {
    Definition { trouble: None, ..Definition::plain("image:9-bad-health", 1, true) }
}

#[test]
fn a_failing_trace_becomes_small_and_fails_again() {
    let asks = [("good", Definition::plain("image:1", 2, false)), ("liar", lie())];
    let path = file("lie.trace", &trace(&asks).write());
    let path = path.display();
    let edited = swan(nobody(), &format!("sim run --trace {path}"));
    assert_eq!(edited.code, 128, "{edited:?}");
    assert!(edited.out.contains("NOT as told") && edited.out.contains("FAILED:  Liveness"), "{edited:?}");

    let small = swan(nobody(), &format!("sim shrink {path}"));
    assert_eq!(small.code, 0, "{small:?}");
    assert!(small.out.starts_with("1 of 2 faults and requests are left"), "{small:?}");
    assert!(small.out.contains("1 agents of 3") && small.out.contains("client 0 creates liar"), "{small:?}");
    assert!(!small.out.contains("good"), "{small:?}");
    let again = small.out.lines().find_map(|line| line.strip_prefix("again:   swan ")).expect("a command");
    let again = swan(nobody(), again);
    assert_eq!(again.code, 128, "{again:?}");
    assert!(again.out.contains("as told:  the same effects and the same end"), "{again:?}");
    assert!(again.out.contains("image:9-bad-health"), "with a log: {again:?}");
}

#[test]
fn what_is_no_failing_trace_is_refused() {
    let good = trace(&[("good", Definition::plain("image:1", 2, false))]).write();
    let path = file("good.trace", &good);
    let well = swan(nobody(), &format!("sim run --trace {}", path.display()));
    assert_eq!(well.code, 0, "{well:?}");
    assert!(well.out.ends_with("nothing fails\n"), "{well:?}");
    let sound = swan(nobody(), &format!("sim shrink {}", path.display()));
    assert_eq!((sound.code, sound.out.as_str()), (1, ""), "{sound:?}");
    assert!(
        sound.err.contains("good.trace: it does not fail; it is of commit a commit, this is "),
        "{sound:?}"
    );

    let path = file("bad.trace", &good.replace(r#""ask":{"create""#, r#""ask":{"creat""#));
    for command in ["sim run --trace", "sim shrink"] {
        let bad = swan(nobody(), &format!("{command} {}", path.display()));
        assert_eq!(bad.code, 1, "{bad:?}");
        let says = |part: &str| bad.err.contains(part);
        assert!(says("bad.trace: line 2, column ") && says("`creat`") && says("`create`"), "{bad:?}");
        let missing = swan(nobody(), &format!("{command} no-such.trace"));
        assert_eq!(missing.code, 3, "{missing:?}");
    }
    let both = swan(nobody(), &format!("sim run --seed 1 --trace {}", path.display()));
    assert_eq!(both.code, 2, "{both:?}");
}
