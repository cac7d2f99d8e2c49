//! Holds the wire codec against streams recorded from a real Mesos master: JSON, protobuf, and what both mean to core.

#![allow(clippy::unwrap_used, reason = "a recorded stream that cannot be read fails the test")]

use std::fs;
use std::path::PathBuf;

use prost::Message;
use serde_json::Value;
use swan_mesos::wire::v1::scheduler::{Call, Event};
use swan_mesos::wire::{RecordDecoder, call_from_wire, call_to_wire, event_from_wire, event_to_wire};

fn traces(extension: &str) -> Vec<(String, Vec<u8>)> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/traces");
    let mut found: Vec<_> = fs::read_dir(directory)
        .expect("the traces are part of the source")
        .map(|entry| entry.expect("the directory is readable").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 4, "the traces are there");
    found
}

/// Whole doubles and wide integers as integers, and nothing for what is empty, so that only meaning is compared.
fn normal(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(list) => Value::Array(list.into_iter().map(normal).collect()),
        Value::Object(map) => {
            let fields = map.into_iter().map(|(key, value)| (key.clone(), wide(&key, normal(value))));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        other => other,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn wide(key: &str, value: Value) -> Value {
    match (key, &value) {
        ("begin" | "end" | "nanoseconds", Value::String(text)) => {
            text.parse::<i64>().map_or(value, Value::from)
        }
        _ => value,
    }
}

fn json_lines() -> Vec<(String, Value)> {
    let mut lines = Vec::new();
    for (name, bytes) in traces("jsonl") {
        for (number, line) in String::from_utf8(bytes).unwrap().lines().enumerate() {
            lines.push((format!("{name}:{}", number + 1), serde_json::from_str(line).unwrap()));
        }
    }
    lines
}

fn event_of(place: &str, found: &Value) -> Option<(Value, Event)> {
    let raw = match found.get("event")? {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    let event = serde_json::from_value(raw.clone()).unwrap_or_else(|why| panic!("{place}: {why}"));
    Some((raw, event))
}

#[test]
fn every_recorded_event_survives_json_and_protobuf() {
    let mut count = 0;
    for (place, line) in json_lines() {
        let Some((raw, event)) = event_of(&place, &line) else { continue };
        let again = serde_json::to_value(&event).unwrap();
        assert_eq!(normal(again), normal(raw), "{place}");
        assert_eq!(Event::decode(&event.encode_to_vec()[..]).unwrap(), event, "{place}");
        count += 1;
    }
    assert!(count > 500, "{count}");
}

#[test]
fn every_recorded_call_survives_json_and_protobuf() {
    let mut count = 0;
    for (place, line) in json_lines() {
        let Some(raw) = line.get("call") else { continue };
        let call: Call = match serde_json::from_value(raw.clone()) {
            Ok(call) => call,
            Err(why) => {
                assert!(place.starts_with("15-invalid-calls"), "{place}: {why}");
                continue;
            }
        };
        assert_eq!(normal(serde_json::to_value(&call).unwrap()), normal(raw.clone()), "{place}");
        assert_eq!(Call::decode(&call.encode_to_vec()[..]).unwrap(), call, "{place}");
        count += 1;
    }
    assert!(count > 200, "{count}");
}

#[test]
fn every_raw_stream_decodes_to_the_events_noted_beside_it() {
    let noted = json_lines();
    for (name, bytes) in traces("recordio") {
        let mut decoder = RecordDecoder::new();
        let mut events = Vec::new();
        for chunk in bytes.chunks(61) {
            decoder.push(chunk);
            while let Some(record) = decoder.next_record() {
                let record = record.unwrap();
                events.push(if name.ends_with(".json.recordio") {
                    serde_json::from_slice::<Event>(&record).unwrap()
                } else {
                    let event = Event::decode(&record[..]).unwrap();
                    assert_eq!(Event::decode(&event.encode_to_vec()[..]).unwrap(), event, "{name}");
                    event
                });
            }
        }
        assert!(decoder.is_between_records(), "{name}");
        let stem = name.trim_end_matches(".recordio");
        let beside = if stem.ends_with(".json") {
            format!("{}.jsonl", stem.trim_end_matches(".json"))
        } else {
            format!("{stem}.pb.jsonl")
        };
        let of_stream_one = noted.iter().filter(|(place, line)| {
            place.split(':').next() == Some(&beside) && line.get("stream").is_none_or(|stream| stream == 1)
        });
        let noted: Vec<Event> =
            of_stream_one.filter_map(|(place, line)| Some(event_of(place, line)?.1)).collect();
        assert!(!noted.is_empty(), "{beside}");
        assert_eq!(events.len(), noted.len(), "{name}");
        for (number, (event, noted)) in events.iter().zip(&noted).enumerate() {
            assert_eq!(event, noted, "{name}, event {number}");
        }
    }
}

#[test]
fn recorded_calls_in_protobuf_equal_those_in_json() {
    use base64::Engine;
    let mut count = 0;
    for (place, line) in json_lines() {
        let (Some(raw), Some(Value::String(bytes))) = (line.get("call"), line.get("call_pb")) else {
            continue;
        };
        let bytes = base64::engine::general_purpose::STANDARD.decode(bytes).unwrap();
        let call: Call = serde_json::from_value(raw.clone()).unwrap_or_else(|why| panic!("{place}: {why}"));
        assert_eq!(Call::decode(&bytes[..]).unwrap(), call, "{place}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[test]
fn core_understands_every_event_and_says_it_again() {
    for (place, line) in json_lines() {
        let Some((_, event)) = event_of(&place, &line) else { continue };
        let meaning = event_from_wire(event).unwrap_or_else(|why| panic!("{place}: {why}"));
        let again = event_to_wire(&meaning).unwrap();
        assert_eq!(event_from_wire(again), Ok(meaning), "{place}");
    }
}

#[test]
fn core_understands_every_call_but_those_meant_to_be_bad() {
    let mut refused = Vec::new();
    for (place, line) in json_lines() {
        let Some(Ok(call)) = line.get("call").map(|raw| serde_json::from_value::<Call>(raw.clone())) else {
            continue;
        };
        match call_from_wire(call.clone()) {
            Ok((framework, meaning)) => {
                let again = call_to_wire(framework.as_ref(), &meaning).unwrap();
                assert_eq!(
                    normal(serde_json::to_value(&again).unwrap()),
                    normal(serde_json::to_value(&call).unwrap()),
                    "{place}"
                );
            }
            Err(why) => {
                assert!(place.starts_with("15-invalid-calls"), "{place}: {why}");
                refused.push(why.to_string());
            }
        }
    }
    refused.sort();
    refused.dedup();
    let expected = [
        "accept.operations[0].launch.task_infos[0].health_check.delay_seconds: must be a number of seconds, zero or more",
        "accept.operations[0].launch.task_infos[0].kill_policy.grace_period: must not be negative",
    ];
    for wanted in expected {
        assert!(refused.iter().any(|found| found == wanted), "{refused:#?}");
    }
}
