//! Owns the bodies for what a Mesos master may send, and what a framework may send to an emulated one.

use core::fmt::Debug;

use prost::Message;
use swan_core::limits::MESOS_RECORD_BYTES_MAX;
use swan_core::mesos::FrameworkInfo;
use swan_mesos::wire::v1::{master, scheduler};
use swan_mesos::wire::{
    Answer, AnswerDecoder, AnswerError, RecordDecoder, RecordError, call_from_wire, call_to_wire,
    encode_record, event_from_wire, event_to_wire, frameworks_from_wire, frameworks_to_wire,
};

/// RecordIO: the same records however the stream is cut, and none above the limit (R3).
pub fn recordio(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = records(stream, stream.len().max(1));
    assert_eq!(records(stream, usize::from(cut).max(1)), whole, "chunks of {cut} bytes change the records");
    for record in whole.iter().flatten() {
        assert!(record.len() <= MESOS_RECORD_BYTES_MAX);
    }
    let sound: Vec<Vec<u8>> = whole.into_iter().flatten().collect();
    let again: Vec<u8> = sound.iter().flat_map(|record| encode_record(record).to_vec()).collect();
    let expected: Vec<Result<Vec<u8>, RecordError>> = sound.into_iter().map(Ok).collect();
    assert_eq!(records(&again, 7), expected);
}

fn records(stream: &[u8], chunk: usize) -> Vec<Result<Vec<u8>, RecordError>> {
    let mut decoder = RecordDecoder::new();
    let mut records = Vec::new();
    for piece in stream.chunks(chunk) {
        decoder.push(piece);
        while let Some(record) = decoder.next_record() {
            let is_broken = record.is_err();
            records.push(record.map(|bytes| bytes.to_vec()));
            if is_broken {
                return records;
            }
        }
    }
    records
}

/// Answers to calls: the same ones however the connection is cut.
pub fn mesos_answers(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = answers(stream, stream.len().max(1));
    assert_eq!(answers(stream, usize::from(cut).max(1)), whole, "pieces of {cut} bytes change the answers");
}

fn answers(stream: &[u8], piece: usize) -> Vec<Result<Answer, AnswerError>> {
    let mut decoder = AnswerDecoder::new();
    let mut answers = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.push(piece);
        while let Some(answer) = decoder.next_answer() {
            answers.push(answer);
            if answers.last().is_some_and(Result::is_err) {
                return answers;
            }
        }
    }
    answers.extend(decoder.end().map(Ok));
    answers
}

/// Events, calls and lists of frameworks in protobuf: what is understood means the same after its own encoding.
pub fn mesos_protobuf(data: &[u8]) {
    if let Ok(event) = scheduler::Event::decode(data) {
        event_survives(event);
    }
    if let Ok(call) = scheduler::Call::decode(data) {
        call_survives(call);
    }
    if let Ok(response) = master::Response::decode(data) {
        frameworks_survive(response);
    }
}

/// Events and calls in Mesos's JSON: as protobuf, and JSON and protobuf mean the same.
pub fn mesos_json(data: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<scheduler::Event>(data) {
        same_in_json(&event);
        event_survives(event);
    }
    if let Ok(call) = serde_json::from_slice::<scheduler::Call>(data) {
        same_in_json(&call);
        call_survives(call);
    }
}

fn same_in_json<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(message: &T) {
    let json = serde_json::to_vec(message).expect("what was read from JSON can be written as JSON");
    assert_eq!(&serde_json::from_slice::<T>(&json).expect("what was written can be read"), message);
}

fn event_survives(event: scheduler::Event) {
    let Ok(event) = event_from_wire(event) else { return };
    let Ok(wire) = event_to_wire(&event) else { return };
    let bytes = wire.encode_to_vec();
    let wire = scheduler::Event::decode(&bytes[..]).expect("what was encoded decodes");
    assert_eq!(event_from_wire(wire), Ok(event));
}

fn call_survives(call: scheduler::Call) {
    let Ok((framework, call)) = call_from_wire(call) else { return };
    let Ok(wire) = call_to_wire(framework.as_ref(), &call) else { return };
    let bytes = wire.encode_to_vec();
    let wire = scheduler::Call::decode(&bytes[..]).expect("what was encoded decodes");
    assert_eq!(call_from_wire(wire), Ok((framework, call)));
}

fn frameworks_survive(response: master::Response) {
    let Ok(frameworks) = frameworks_from_wire(response) else { return };
    let infos: Vec<FrameworkInfo> = frameworks
        .iter()
        .map(|listed| FrameworkInfo {
            name: listed.name.clone(),
            labels: listed.labels.clone(),
            ..FrameworkInfo::default()
        })
        .collect();
    let Ok(wire) = frameworks_to_wire(infos.iter().zip(frameworks.iter().cloned())) else { return };
    let wire = master::Response::decode(&wire.encode_to_vec()[..]).expect("what was encoded decodes");
    assert_eq!(frameworks_from_wire(wire), Ok(frameworks));
}
