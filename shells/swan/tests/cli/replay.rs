//! Owns the tests of `swan replay`: exit codes and what is told; what a replay finds is tested in `tests`.

use std::path::PathBuf;

use super::{Ended, file, nobody, swan};

fn recording(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/traces").join(name)
}

fn replay(path: &std::path::Path) -> Ended {
    swan(nobody(), &format!("replay --mesos-trace {}", path.display()))
}

#[test]
fn a_recording_is_replayed_and_told_in_short() {
    let told = replay(&recording("05-exit-0.jsonl"));
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    for line in [
        "events             7  HEARTBEAT 1, OFFERS 2, SUBSCRIBED 1, UPDATE 3\n",
        "acknowledged       3  each after it was durable\n",
        "launches           1  made by the machines too 1\n",
        "tasks              1  ended as recorded; alive as recorded 0\n",
        "     1  TEARDOWN: Swan never makes it (first at line 17)\n",
        "faults             0\n",
    ] {
        assert!(told.out.contains(line), "{line}{told:?}");
    }
    let both = format!(
        "replay --mesos-trace {} --mesos-trace {}",
        recording("05-exit-0.jsonl").display(),
        recording("01-bridge-http-health.pb.jsonl").display()
    );
    let told = swan(nobody(), &both);
    assert_eq!((told.code, told.out.matches("faults             0\n").count()), (0, 2), "{told:?}");
    assert!(told.out.contains("01-bridge-http-health.pb.jsonl\nlines"), "{told:?}");
}

#[test]
fn a_fault_is_told_and_ends_with_1() {
    let text = std::fs::read_to_string(recording("05-exit-0.jsonl")).expect("a recording");
    // The SUBSCRIBE has got lost, and with it whose the stream is.
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("SUBSCRIBE")).collect();
    let path = file("altered.jsonl", &lines.join("\n"));
    let told = replay(&path);
    assert_eq!((told.code, told.err.as_str()), (1, ""), "{told:?}");
    assert!(told.out.contains("the event OFFERS of stream 1 was passed over"), "{told:?}");
}

#[test]
fn what_is_no_recording_is_refused_by_line() {
    let path =
        file("cut.jsonl", "{\"t_ms\": 1, \"dir\": \"note\", \"note\": \"x\"}\n{\"t_ms\": 2, \"dir\": \"re");
    let told = replay(&path);
    assert_eq!((told.code, told.out.as_str()), (1, ""), "{told:?}");
    assert!(told.err.contains("cut.jsonl is no recording: line 2: is no JSON"), "{told:?}");
    let told = replay(&recording("no-such.jsonl"));
    assert_eq!(told.code, 3, "{told:?}");
    assert_eq!(swan(nobody(), "replay").code, 2);
}
