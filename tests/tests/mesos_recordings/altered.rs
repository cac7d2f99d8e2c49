//! Owns recordings of which something was changed: each change is found.

use serde_json::{Value, json};
use swan_core::rng::Rng;

use super::{diverged, lines_of, of_file, of_lines, replayed};

const NEVER_DELIVERED: &str = "ACKNOWLEDGE of what was never delivered";
const TOO_LATE: &str = "an update that was made before another one";
const MISPLACED: &str = "a line that stands after a later one";

/// One task that ends with status 0: STARTING, RUNNING, FINISHED.
const EXIT_0: &str = "05-exit-0.jsonl";

fn state(line: &Value) -> &str {
    line.pointer("/event/update/status/state").and_then(Value::as_str).unwrap_or_default()
}

fn place(lines: &[Value], is_meant: impl Fn(&Value) -> bool) -> usize {
    lines.iter().position(is_meant).unwrap()
}

fn is_event(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |line| line.pointer("/event/type").is_some_and(|found| found == kind)
}

#[test]
fn an_update_that_has_lost_its_uuid_is_not_acknowledged() {
    let before = of_file(EXIT_0);
    assert_eq!(
        (diverged(&before, NEVER_DELIVERED), before.acknowledged, before.ended),
        (0, 3, 1),
        "{before}"
    );
    let mut lines = lines_of(EXIT_0);
    let running = place(&lines, |line| state(line) == "TASK_RUNNING");
    lines[running]["event"]["update"]["status"].as_object_mut().unwrap().remove("uuid").unwrap();
    let after = of_lines(&lines);
    assert_eq!((diverged(&after, NEVER_DELIVERED), after.acknowledged, after.ended), (1, 2, 1), "{after}");
    assert_eq!((after.updates, after.with_uuid), (3, 2), "{after}");
}

#[test]
fn an_update_that_is_missing_is_missed() {
    let mut lines = lines_of(EXIT_0);
    let finished = place(&lines, |line| state(line) == "TASK_FINISHED");
    lines.remove(finished);
    let report = of_lines(&lines);
    assert_eq!((diverged(&report, NEVER_DELIVERED), report.acknowledged), (1, 2), "{report}");
    assert_eq!((report.ended, report.living), (0, 1), "{report}");
}

#[test]
fn a_task_that_is_recorded_to_end_otherwise_is_a_fault() {
    let mut lines = lines_of(EXIT_0);
    let finished = place(&lines, |line| state(line) == "TASK_FINISHED");
    let mut again = lines[finished].clone();
    again["event"]["update"]["status"]["state"] = json!("TASK_FAILED");
    again["event"]["update"]["status"]["uuid"] = json!("AAAAAAAAAAAAAAAAAAAAAA==");
    lines.insert(finished + 1, again);
    let report = of_lines(&lines);
    assert!(!report.is_good(), "{report}");
    let (_, what) = &report.faults[0];
    assert!(what.contains("recorded TASK_FAILED, for the machine TASK_FINISHED"), "{report}");
}

#[test]
fn an_end_that_comes_on_no_stream_is_a_fault() {
    let mut lines = lines_of(EXIT_0);
    let finished = place(&lines, |line| state(line) == "TASK_FINISHED");
    lines[finished]["stream"] = json!(7);
    let report = of_lines(&lines);
    let [(line, what)] = &report.faults[..] else { panic!("{report}") };
    assert_eq!((*line, what.as_str()), (finished + 1, "the event UPDATE of stream 7 was passed over"));
    assert_eq!(diverged(&report, NEVER_DELIVERED), 1, "{report}");
}

#[test]
fn an_event_before_its_subscription_is_passed_over_and_that_is_a_fault() {
    let mut lines = lines_of(EXIT_0);
    let (subscribed, offers) = (place(&lines, is_event("SUBSCRIBED")), place(&lines, is_event("OFFERS")));
    let event = lines[subscribed]["event"].take();
    lines[subscribed]["event"] = lines[offers]["event"].take();
    lines[offers]["event"] = event;
    let report = of_lines(&lines);
    assert!(!report.is_good(), "{report}");
    let passed_over = report.faults.iter().find(|(line, _)| *line == subscribed + 1);
    assert!(passed_over.is_some_and(|(_, what)| what.contains("the event OFFERS")), "{report}");
    assert_eq!(report.mapped, 0, "no offer, no launch: {report}");
    assert_eq!(diverged(&report, "a launch from an offer of an earlier stream"), 1, "{report}");
}

#[test]
fn updates_in_another_order_than_they_were_made_are_counted() {
    assert_eq!(diverged(&of_file(EXIT_0), TOO_LATE), 0);
    let mut lines = lines_of(EXIT_0);
    let (running, finished) = (
        place(&lines, |line| state(line) == "TASK_RUNNING"),
        place(&lines, |line| state(line) == "TASK_FINISHED"),
    );
    let event = lines[running]["event"].take();
    lines[running]["event"] = lines[finished]["event"].take();
    lines[finished]["event"] = event;
    let report = of_lines(&lines);
    assert_eq!(diverged(&report, TOO_LATE), 1, "{report}");
    // What comes after the end of a task tells nothing new, and is acknowledged all the same.
    assert_eq!((report.ended, report.acknowledged), (1, 3), "{report}");
}

#[test]
fn lines_out_of_order_are_counted_and_taken_in_order_of_time() {
    let mut lines = lines_of(EXIT_0);
    let subscribed = place(&lines, is_event("SUBSCRIBED"));
    lines.swap(subscribed, subscribed + 1);
    let report = of_lines(&lines);
    assert_eq!((diverged(&report, MISPLACED), report.is_good(), report.ended), (1, true, 1), "{report}");
}

/// Whatever stands in a recording: no assertion falls, and nothing is acknowledged that should not be.
#[test]
fn no_mixture_of_recorded_lines_brings_a_machine_down() {
    let names = [
        "06-exit-3.jsonl",
        "10-agent-lost-and-back.jsonl",
        "13-framework-failover.jsonl",
        "15-invalid-calls.jsonl",
        "20-multi-role.jsonl",
        "27-agent-drain.jsonl",
        "30-operator.jsonl",
    ];
    let mut rng = Rng::new(11);
    for name in names {
        let whole = lines_of(name);
        for round in 0..12 {
            let mut lines = whole.clone();
            for _ in 0..rng.between(1, 12) {
                let last = lines.len() as u64 - 1;
                let (a, b) = (rng.between(0, last) as usize, rng.between(0, last) as usize);
                match rng.below(4) {
                    0 if lines.len() > 2 => drop(lines.remove(a)),
                    1 => lines.insert(a, whole[b % whole.len()].clone()),
                    2 => lines.swap(a, b),
                    _ => {
                        let time = lines[a]["t_ms"].clone();
                        lines[b]["t_ms"] = time;
                    }
                }
            }
            let report = of_lines(&lines);
            let fell = report
                .faults
                .iter()
                .find(|(_, what)| what.contains("assertion") || what.contains("acknowledges"));
            assert_eq!(fell, None, "{name}, round {round}: {report}");
        }
    }
}

#[test]
fn a_cut_or_damaged_file_is_refused_by_line_or_read() {
    let whole = std::fs::read(super::directory().join(EXIT_0)).unwrap();
    let mut rng = Rng::new(5);
    let (mut refused, mut read) = (0, 0);
    for _ in 0..200 {
        let mut bytes = whole.clone();
        let at = rng.below(bytes.len() as u64) as usize;
        match rng.below(3) {
            0 => bytes.truncate(at),
            1 => bytes[at] = rng.below(256) as u8,
            _ => drop(bytes.drain(at..(at + 40).min(whole.len()))),
        }
        match swan_sim::recording::Recording::read(&bytes) {
            Err(error) => {
                assert!(error.to_string().contains("must") || error.to_string().contains("empty"), "{error}");
                refused += 1;
            }
            Ok(_) => {
                replayed(&bytes);
                read += 1;
            }
        }
    }
    assert!(refused > 20 && read > 20, "{refused} refused, {read} read");
}
