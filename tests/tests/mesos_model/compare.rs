//! Owns the comparison: both sides as groups of lines whose order is a fact, and what differs between them.
//!
//! Order is compared within a stream's own course, within one task's updates, within one agent's offers, and within what
//! the master says of a lost agent; between tasks and between agents it depends on hash tables and races.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::names::Names;
use super::replay::{Run, recorded_names};
use super::trace::{Trace, What, text};

/// The two sides' clocks may be apart by one round of the allocator.
const TOLERANCE_MS: f64 = 1100.0;

/// A line of a group and when it came.
pub(crate) type Entry = (f64, String);
pub(crate) type Groups = BTreeMap<String, Vec<Entry>>;

pub(crate) struct Difference {
    pub(crate) group: String,
    pub(crate) text: String,
}

pub(crate) fn recorded(trace: &Trace) -> Groups {
    let names = recorded_names(trace);
    let mut groups = Groups::new();
    let mut request = 0;
    for line in &trace.lines {
        match &line.what {
            What::Event { stream, event } => add_event(&mut groups, line.at, *stream, event, &names),
            What::Ended { stream } => add(&mut groups, format!("stream {stream}"), line.at, "end".into()),
            What::Send(send) => {
                if send.call.is_some() {
                    let answer = format!("{} {}", send.status, names.rename(&send.body));
                    add(&mut groups, format!("request {request}"), line.at, answer.trim().into());
                }
                request += 1;
            }
            _ => {}
        }
    }
    sort_rescinds(&mut groups);
    groups
}

pub(crate) fn modelled(run: &Run) -> Groups {
    let mut groups = Groups::new();
    for (at, stream, event) in &run.events {
        add_event(&mut groups, *at, *stream, event, &run.names);
    }
    for (at, stream) in &run.ends {
        add(&mut groups, format!("stream {stream}"), *at, "end".into());
    }
    for (request, answer) in &run.answers {
        let line = match answer {
            Some((status, body)) => format!("{status} {}", run.names.rename(body)),
            None => "400 Failed to decode".into(),
        };
        add(&mut groups, format!("request {request}"), f64::NAN, line.trim().into());
    }
    sort_rescinds(&mut groups);
    groups
}

/// Offers that are rescinded together go in the order of a hash table.
fn sort_rescinds(groups: &mut Groups) {
    let is_rescind = |(_, line): &Entry| line.starts_with("rescind");
    for entries in groups.values_mut() {
        for run in entries.chunk_by_mut(|a, b| is_rescind(a) && is_rescind(b)) {
            run.sort_by(|(_, a), (_, b)| a.cmp(b));
        }
    }
}

fn add(groups: &mut Groups, group: String, at: f64, line: String) {
    groups.entry(group).or_default().push((at, line));
}

fn add_event(groups: &mut Groups, at: f64, stream: u64, event: &Value, names: &Names) {
    let kind = text(event, "/type");
    add_loss(groups, at, stream, event, names);
    if let Some(status) = event.pointer("/update/status") {
        let group = format!("stream {stream} task {}", text(status, "/task_id/value"));
        add(groups, group, at, normal_status(status, names).to_string());
        return;
    }
    if let Some(offers) = event.pointer("/offers/offers").and_then(Value::as_array) {
        for offer in offers {
            let group = format!("stream {stream} offers of {}", text(offer, "/hostname"));
            add(groups, group, at, normal_offer(offer, names).to_string());
        }
        return;
    }
    if let Some(offer) = event.pointer("/rescind/offer_id/value").and_then(Value::as_str) {
        let offer = names.rename(offer);
        let host = offer.split(' ').nth(1).unwrap_or_default();
        add(groups, format!("stream {stream} offers of {host}"), at, format!("rescind {offer}"));
        return;
    }
    let line = names.rename_all(&plain(event.clone())).to_string();
    let group = match kind {
        "HEARTBEAT" => format!("stream {stream} heartbeats"),
        "FAILURE" => format!("stream {stream} failures"),
        _ => format!("stream {stream}"),
    };
    add(groups, group, at, line);
}

/// How the loss of an agent shows, as a course of its own: RESCIND, then the tasks' last words, then FAILURE.
fn add_loss(groups: &mut Groups, at: f64, stream: u64, event: &Value, names: &Names) {
    let reason = text(event, "/update/status/reason");
    let step = match text(event, "/type") {
        "RESCIND" => names
            .rename(text(event, "/rescind/offer_id/value"))
            .split(' ')
            .nth(1)
            .map(|host| (host.to_owned(), "rescind")),
        "UPDATE" if ["REASON_AGENT_REMOVED", "REASON_AGENT_DISCONNECTED"].contains(&reason) => {
            Some((host_of(names, text(event, "/update/status/agent_id/value")), "last words"))
        }
        "FAILURE" => Some((host_of(names, text(event, "/failure/agent_id/value")), "failure")),
        _ => None,
    };
    let Some((host, step)) = step else { return };
    let course = groups.entry(format!("stream {stream} loss of {host}")).or_default();
    if course.last().is_none_or(|(_, last)| last != step) {
        course.push((at, step.into()));
    }
}

fn host_of(names: &Names, agent: &str) -> String {
    names.rename(agent).trim_start_matches("<agent ").trim_end_matches('>').to_owned()
}

fn normal_status(status: &Value, names: &Names) -> Value {
    let mut status = names.rename_all(&plain(status.clone()));
    let map = status.as_object_mut().unwrap();
    map.remove("timestamp");
    for key in ["data", "unreachable_time"] {
        if map.contains_key(key) {
            map.insert(key.into(), json!("present"));
        }
    }
    status
}

fn normal_offer(offer: &Value, names: &Names) -> Value {
    let mut offer = names.rename_all(&plain(offer.clone()));
    if let Some(resources) = offer["resources"].as_array_mut() {
        resources.sort_by_key(Value::to_string);
    }
    offer
}

/// Numbers of one kind, nothing for what is empty, and none of what the wire types leave out.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from((number.as_f64().unwrap() * 1000.0).round() as i64),
        Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        Value::Object(map) => {
            let kept: Map<String, Value> = map
                .into_iter()
                .filter(|(key, value)| !is_left_out(key, value))
                .map(|(key, value)| (key, plain(value)))
                .filter(|(_, value)| *value != json!([]) && *value != json!({}))
                .collect();
            Value::Object(kept)
        }
        Value::String(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
            text.parse::<i64>().map_or(Value::String(text), |number| Value::from(number.saturating_mul(1000)))
        }
        other => other,
    }
}

/// Doubles of `address`, and the path of an agent's process: core has no word for them.
fn is_left_out(key: &str, value: &Value) -> bool {
    matches!(key, "pid" | "scheme" | "path") || (key == "ip" && value.is_number())
}

pub(crate) fn differences(recorded: &Groups, modelled: &Groups) -> Vec<Difference> {
    let mut found = Vec::new();
    let empty = Vec::new();
    let all: std::collections::BTreeSet<&String> = recorded.keys().chain(modelled.keys()).collect();
    for group in all {
        let (theirs, ours) = (recorded.get(group).unwrap_or(&empty), modelled.get(group).unwrap_or(&empty));
        for text in differing(theirs, ours) {
            found.push(Difference { group: group.clone(), text });
        }
    }
    found
}

fn differing(recorded: &[Entry], modelled: &[Entry]) -> Vec<String> {
    let mut found = Vec::new();
    for at in 0..recorded.len().max(modelled.len()) {
        match (recorded.get(at), modelled.get(at)) {
            (Some((then, a)), Some((now, b))) if a == b => {
                if (then - now).abs() > TOLERANCE_MS {
                    found.push(format!("{at}: recorded at {then} ms, modelled at {now} ms: {a}"));
                }
            }
            (a, b) => {
                let show = |entry: Option<&Entry>| {
                    entry.map_or_else(|| "nothing".into(), |(at, line)| format!("at {at:.0}: {line}"))
                };
                found.push(format!("{at}:\n    recorded {}\n    modelled {}", show(a), show(b)));
            }
        }
    }
    found
}
