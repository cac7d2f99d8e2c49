//! Owns the tests of traces: what is written is read, and does the same again.

use swan_core::rng::Rng;
use swan_sim::chance::{Event, Site};
use swan_sim::failure::Kind;
use swan_sim::options::Options;
use swan_sim::run::{Keep, replay, run};
use swan_sim::trace::Trace;

fn recorded(seed: u64) -> Trace {
    let options = Options::swarm(seed, Some(2));
    let outcome = run(seed, &options, Keep::Events);
    outcome.trace(seed, "a commit", options)
}

#[test]
fn a_trace_does_the_same_again() {
    for seed in 0..6 {
        let trace = recorded(seed);
        assert!(!trace.events.is_empty(), "seed {seed}");
        let read = Trace::read(&trace.write()).expect("what was written");
        assert_eq!(read, trace);
        let again = replay(&read, Keep::Events);
        let again = again.trace(seed, "a commit", read.options);
        assert_eq!(again.events, trace.events, "seed {seed}");
        assert_eq!((again.digest, again.failure), (trace.digest, trace.failure), "seed {seed}");
    }
}

#[test]
fn what_is_left_out_does_not_happen() {
    let whole = (0..).map(recorded).find(|trace| has(trace, Site::CrashBefore) && has(trace, Site::Cut));
    let mut trace = whole.expect("some seed");
    let Some(Event::Ask(first)) = trace.events.iter().find(|event| event.site().is_none()).cloned() else {
        panic!("a client asks for something");
    };
    let gone = |event: &Event| matches!(event.site(), Some(Site::CrashBefore | Site::Cut));
    trace.events.retain(|event| !gone(event) && *event != Event::Ask(first.clone()));
    let again = replay(&trace, Keep::Events);
    assert!(!again.ledger.counts.contains_key("network: cut"));
    assert!(!again.ledger.counts.contains_key(swan_sim::world::CRASH_BEFORE_EFFECT));
    let asks = |it: &Event| matches!(it, Event::Ask(asked) if asked.ask == first.ask);
    let count = |events: &[Event]| events.iter().filter(|event| asks(event)).count();
    assert_eq!(count(&again.events), count(&trace.events));
    assert!(again.events.len() > 5, "all else happens");
}

#[test]
fn any_part_of_a_trace_is_a_trace() {
    let mut rng = Rng::new(11);
    for seed in 0..12 {
        let mut part = recorded(seed);
        let share = rng.between(100_000, 900_000) as u32;
        part.events.retain(|_| rng.chance(share));
        part.options.agents = rng.between(1, u64::from(part.options.agents)) as u32;
        let outcome = replay(&part, Keep::Events);
        assert_ne!(outcome.failure.as_ref().map(|it| it.kind), Some(Kind::Crash), "seed {seed}");
        assert!(outcome.events.len() <= part.events.len(), "seed {seed}");
        let came_true = outcome.trace(seed, "a commit", part.options);
        let again = replay(&came_true, Keep::Events);
        assert_eq!(again.digest, came_true.digest, "seed {seed}");
        assert_eq!(again.events, came_true.events, "seed {seed}");
    }
}

fn has(trace: &Trace, site: Site) -> bool {
    trace.events.iter().any(|event| event.site() == Some(site))
}

#[test]
fn a_bad_file_is_told_by_its_line() {
    let good = recorded(1).write();
    let lines: Vec<&str> = good.lines().collect();
    let wrong = |edit: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        edit(&mut lines);
        Trace::read(&lines.join("\n")).expect_err("it is wrong")
    };
    let end = lines.len();
    let draw = r#"{"draw":{"at":1,"site":"cut"}}"#;
    for (why, parts) in [
        (wrong(&|all| all.clear()), vec!["line 1", r#"begins with {"trace":"#]),
        (wrong(&|all| drop(all.remove(0))), vec!["line 1", r#"begins with {"trace":"#]),
        (wrong(&|all| all[1] = "{".into()), vec!["line 2, column 1", "EOF"]),
        (wrong(&|all| all[1] = "\u{1f4a5}".into()), vec!["line 2, column 1"]),
        (wrong(&|all| all[1] = draw.replace("cut", "cuts")), vec!["line 2", "`cuts`", "`cut`"]),
        (wrong(&|all| all[1] = draw.replace("at", "on")), vec!["line 2", "`on`", "`at`"]),
        (wrong(&|all| all[1] = draw.replace('1', "-1")), vec!["line 2", "-1", "u64"]),
        (wrong(&|all| all[0] = all[0].replace(r#""format":1"#, r#""format":2"#)), vec!["line 1", "only 1"]),
        (wrong(&|all| all[0] = all[0].replace(r#""agents":"#, r#""agents":9999"#)), vec!["line 1", "1000"]),
        (wrong(&|all| all.insert(1, all[0].clone())), vec!["line 2", "only the first line"]),
        (wrong(&|all| drop(all.pop())), vec!["cut off", r#"{"end":"#]),
        (wrong(&|all| all.push(draw.into())), vec!["nothing may follow", &format!("line {}", end + 1)]),
    ] {
        assert!(parts.iter().all(|part| why.contains(part)), "{why:?} has not {parts:?}");
    }
}
