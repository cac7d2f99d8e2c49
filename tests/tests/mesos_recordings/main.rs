//! Holds the scheduler against recordings of a real Mesos master: every event is consumed, every update acknowledged once
//! durable, every task ends as recorded; and a recording that is not what it seems is found out.

#![allow(clippy::unwrap_used, reason = "a recording that cannot be read fails the test")]

mod altered;
mod modelled;
mod written;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use swan_core::mesos::{Call, Event, FrameworkId};
use swan_mesos::wire::{call_from_json, event_from_json};
use swan_sim::recording::{Recording, Report, Wire, replay};

/// Mesos's JSON, as a manager reads it.
struct MesosJson;

impl Wire for MesosJson {
    fn event(&self, json: &Value) -> Result<Event, String> {
        event_from_json(json)
    }

    fn call(&self, json: &Value) -> Result<(Option<FrameworkId>, Call), String> {
        call_from_json(json)
    }
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces")
}

fn replayed(bytes: &[u8]) -> Report {
    let recording = Recording::read(bytes).unwrap_or_else(|error| panic!("{error}"));
    replay(&recording, &MesosJson)
}

fn lines_of(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory().join(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_lines(lines: &[Value]) -> Report {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    replayed(text.join("\n").as_bytes())
}

/// How often the machine diverged in a way that is told by words that begin so.
fn diverged(report: &Report, kind: &str) -> u64 {
    let of_kind = report.divergences.iter().filter(|(told, _)| told.starts_with(kind));
    of_kind.map(|(_, tally)| tally.count).sum()
}

fn of_file(name: &str) -> Report {
    replayed(&fs::read(directory().join(name)).unwrap())
}

#[test]
fn every_recording_replays_without_a_fault() {
    let mut names: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".jsonl"))
        .collect();
    names.sort();
    assert!(names.len() > 20, "the recordings are there");
    let (mut ended, mut living) = (0, 0);
    for name in names {
        let report = of_file(&name);
        println!("{name}\n{report}");
        (ended, living) = (ended + report.ended, living + report.living);
        let refused = diverged(&report, "a launch that Swan does not make");
        assert_eq!(report.launches, report.mapped + refused, "{name}: every launch");
        assert!(report.is_good(), "{name}\n{report}");
        let events = lines_of(&name).iter().filter(|line| line["dir"] == "recv").count();
        assert_eq!(report.events.values().sum::<u64>(), events as u64, "{name}: every event");
        assert_eq!(report.with_uuid, report.acknowledged + report.cut_off, "{name}: every uuid");
        assert_eq!(report.mapped, report.ended + report.living, "{name}: every task");
    }
    assert!(ended >= 55 && living >= 15, "nearly all of what was launched: {ended} ended, {living} alive");
}
