//! Holds the codec against bytes that no Mesos sends: they are read or refused, never a panic, and what is understood can be
//! said again.

use proptest::prelude::*;
use prost::Message;
use swan_core::mesos as core;
use swan_mesos::wire::v1::scheduler::{Call, Event};
use swan_mesos::wire::{call_from_wire, call_to_wire, event_from_wire, event_to_wire};

/// A recorded message with some bytes changed.
fn mutated(message: Vec<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = message;
    for &(place, value) in changes {
        let length = bytes.len();
        if let Some(byte) = bytes.get_mut(place % length.max(1)) {
            *byte = value;
        }
    }
    bytes
}

fn recorded<M: Message + Default + serde::de::DeserializeOwned>(kind: &str) -> Vec<Vec<u8>> {
    let trace = include_str!("../../../tests/traces/09-offers-three-agents.jsonl");
    let found = trace.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let found: M = serde_json::from_value(line.get(kind)?.clone()).ok()?;
        Some(found.encode_to_vec())
    });
    let found: Vec<_> = found.collect();
    assert!(found.len() > 10, "{kind}");
    found
}

fn check_event(bytes: &[u8]) {
    let Ok(Ok(meaning)) = Event::decode(bytes).map(event_from_wire) else { return };
    let Ok(again) = event_to_wire(&meaning) else { return };
    event_from_wire(again).expect("what was understood once is understood again");
}

fn check_call(bytes: &[u8]) {
    let Ok(Ok((framework, meaning))) = Call::decode(bytes).map(call_from_wire) else { return };
    let Ok(again) = call_to_wire(framework.as_ref(), &meaning) else { return };
    call_from_wire(again).expect("what was understood once is understood again");
}

proptest! {
    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_event(&bytes);
        check_call(&bytes);
        let _ = serde_json::from_slice::<Event>(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(which in any::<usize>(), changes in prop::collection::vec(any::<(usize, u8)>(), 1..6)) {
        let (events, calls) = (recorded::<Event>("event"), recorded::<Call>("call"));
        check_event(&mutated(events[which % events.len()].clone(), &changes));
        check_call(&mutated(calls[which % calls.len()].clone(), &changes));
    }
}

#[test]
fn unknown_numbers_survive_protobuf_and_unknown_names_are_errors() {
    let event = Event { r#type: Some(77), ..Default::default() };
    let decoded = Event::decode(&event.encode_to_vec()[..]).expect("protobuf");
    assert_eq!(event_from_wire(decoded), Ok(core::Event::Other(77)));
    let refused = serde_json::from_str::<Event>(r#"{"type":"SURPRISE"}"#).expect_err("no such type");
    assert!(refused.to_string().contains("SURPRISE") && refused.to_string().contains("Type"), "{refused}");
    let ignored: Event =
        serde_json::from_str(r#"{"type":"HEARTBEAT","brand_new":{"a":[1]}}"#).expect("ignored");
    assert_eq!(event_from_wire(ignored), Ok(core::Event::Heartbeat));
}

#[test]
fn an_error_names_the_field() {
    let event: Event =
        serde_json::from_str(r#"{"type":"OFFERS","offers":{"offers":[{"id":{"value":"O1"}}]}}"#)
            .expect("JSON");
    assert_eq!(
        event_from_wire(event).expect_err("incomplete").to_string(),
        "offers.offers[0].framework_id: is missing"
    );
}
