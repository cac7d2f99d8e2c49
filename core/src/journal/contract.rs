//! Owns the contract of whoever executes storage operations, as checks that each executor's tests run.

use alloc::vec;
use alloc::vec::Vec;

use super::entry::{Entry, Manifest, encode_chunk};
use super::op::{Blob, ChunkName, LogPart, Payload, StoreOp, StoreResult};
use crate::record::{Epoch, Op, RecordKey, Seq};
use crate::time::ClusterTime;

/// What is under test.
pub trait Executor {
    /// Executes one operation to its end.
    fn execute(&mut self, op: StoreOp) -> StoreResult;
    /// Ends without ceremony and opens what is stored again.
    fn reopen(self) -> Self;
}

/// Checks everything; panics at the first breach. `fresh` makes an executor of an empty store.
pub fn check<E: Executor>(mut fresh: impl FnMut() -> E) {
    epochs_fence(&mut fresh());
    the_log_has_no_gaps(fresh());
    reads_are_bounded(&mut fresh());
    a_cut_removes_the_end(fresh());
    trimming_leaves_what_is_above(fresh());
    chunks_come_and_go(fresh());
    manifests_switch_on_condition(fresh());
}

const DONE: StoreResult = StoreResult::Done(Payload::Nothing);

fn entry(index: u64) -> Blob {
    let op = Op { key: RecordKey(vec![b'k']), value: Some(vec![index as u8; 100]) };
    let seq = Seq(index + 1);
    let content = Entry {
        level: 1,
        epoch: Epoch(1),
        first: seq,
        last: seq,
        cluster_time: ClusterTime(index),
        ops: vec![op],
    };
    content.encode(index)
}

fn claim(store: &mut impl Executor, expected: u64, epoch: u64) -> StoreResult {
    store.execute(StoreOp::ClaimEpoch { expected: Epoch(expected), epoch: Epoch(epoch) })
}

fn append(store: &mut impl Executor, epoch: u64, index: u64) -> StoreResult {
    store.execute(StoreOp::Append { epoch: Epoch(epoch), index, entry: entry(index) })
}

/// Claims an epoch as a leader does.
fn lead(store: &mut impl Executor, expected: u64, epoch: u64, next_index: u64) {
    assert_eq!(claim(store, expected, epoch), DONE);
    assert_eq!(store.execute(StoreOp::Cut { epoch: Epoch(epoch), from: next_index }), DONE);
}

fn log(store: &mut impl Executor, from: u64, max_bytes: u64) -> LogPart {
    match store.execute(StoreOp::ReadLog { from, max_bytes }) {
        StoreResult::Done(Payload::Log(part)) => part,
        other => panic!("a log was asked for, not {other:?}"),
    }
}

fn holds(store: &mut impl Executor, from: u64, to: u64) {
    let part = log(store, from, u64::MAX);
    assert_eq!(part.entries, (from..to).map(entry).collect::<Vec<_>>());
    assert!(part.end && part.durable >= to, "{part:?}");
    assert!(from == to || part.first == from, "{part:?}");
}

fn epochs_fence(store: &mut impl Executor) {
    assert_eq!(store.execute(StoreOp::ReadEpoch), StoreResult::Done(Payload::Epoch(Epoch(0))));
    assert_eq!(claim(store, 1, 2), StoreResult::Conflict);
    lead(store, 0, 1, 0);
    assert_eq!(claim(store, 0, 1), StoreResult::Conflict, "the second to claim");
    assert_eq!(append(store, 1, 0), DONE);
    lead(store, 1, 5, 1);
    let (epoch, name, bytes) = (Epoch(1), ChunkName { epoch: Epoch(1), number: 0 }, entry(0));
    let late = [
        StoreOp::Append { epoch, index: 1, entry: entry(1) },
        StoreOp::Cut { epoch, from: 0 },
        StoreOp::Trim { epoch, below: 1 },
        StoreOp::WriteChunk { epoch, name, bytes: bytes.clone() },
        StoreOp::DeleteChunk { epoch, name },
        StoreOp::SwitchManifest { epoch, expected: 0, joined: None, manifest: bytes },
    ];
    for op in late {
        assert_eq!(store.execute(op.clone()), StoreResult::Fenced, "{op:?}");
    }
    holds(store, 0, 1);
}

fn the_log_has_no_gaps(mut store: impl Executor) {
    lead(&mut store, 0, 1, 0);
    assert_eq!(append(&mut store, 1, 1), StoreResult::Conflict, "a gap at the beginning");
    for index in 0..5 {
        assert_eq!(append(&mut store, 1, index), DONE);
    }
    assert_eq!(append(&mut store, 1, 4), StoreResult::Conflict, "it is there already");
    assert_eq!(append(&mut store, 1, 6), StoreResult::Conflict, "a gap");
    holds(&mut store, 0, 5);
    let mut store = store.reopen();
    holds(&mut store, 0, 5);
    holds(&mut store, 5, 5);
    lead(&mut store, 1, 2, 5);
    assert_eq!(append(&mut store, 2, 5), DONE);
    holds(&mut store, 3, 6);
}

fn reads_are_bounded(store: &mut impl Executor) {
    lead(store, 0, 1, 0);
    for index in 0..10 {
        assert_eq!(append(store, 1, index), DONE);
    }
    let (mut from, mut reads) = (0, 0);
    while from < 10 {
        let part = log(store, from, 300);
        assert!((1..=3).contains(&part.entries.len()), "{part:?}");
        from += part.entries.len() as u64;
        reads += 1;
        assert!(part.end == (from == 10) || part.entries.len() < 3, "{part:?}");
    }
    assert!(reads >= 4);
    assert_eq!(log(store, 0, 0).entries.len(), 1, "at least one");
}

fn a_cut_removes_the_end(mut store: impl Executor) {
    lead(&mut store, 0, 1, 0);
    for index in 0..5 {
        assert_eq!(append(&mut store, 1, index), DONE);
    }
    lead(&mut store, 1, 2, 3);
    holds(&mut store, 0, 3);
    assert_eq!(append(&mut store, 2, 5), StoreResult::Conflict);
    assert_eq!(append(&mut store, 2, 3), DONE);
    holds(&mut store.reopen(), 0, 4);
}

fn trimming_leaves_what_is_above(mut store: impl Executor) {
    lead(&mut store, 0, 1, 0);
    for index in 0..8 {
        assert_eq!(append(&mut store, 1, index), DONE);
    }
    assert_eq!(store.execute(StoreOp::Trim { epoch: Epoch(1), below: 5 }), DONE);
    let part = log(&mut store, 0, u64::MAX);
    assert!(part.first <= 5 && part.entries == (part.first..8).map(entry).collect::<Vec<_>>(), "{part:?}");
    assert_eq!((part.begins, log(&mut store, 6, 0).begins), (part.first, part.first), "{part:?}");
    assert_eq!(append(&mut store, 1, 0), StoreResult::Conflict, "trimmed is not empty");
    assert_eq!(append(&mut store, 1, 8), DONE);
    holds(&mut store.reopen(), 5, 9);
}

fn chunks_come_and_go(mut store: impl Executor) {
    lead(&mut store, 0, 1, 0);
    let epoch = Epoch(1);
    let name = |number| ChunkName { epoch, number };
    let chunk =
        |number, value: u8| encode_chunk(1, name(number), vec![(RecordKey(vec![b'k']), vec![value; 50])]);
    let read = |store: &mut _, number| Executor::execute(store, StoreOp::ReadChunk { name: name(number) });
    assert_eq!(read(&mut store, 0), StoreResult::Done(Payload::Chunk(None)));
    for (number, value) in [(0, 1), (1, 1), (1, 2)] {
        let bytes = chunk(number, value);
        assert_eq!(store.execute(StoreOp::WriteChunk { epoch, name: name(number), bytes }), DONE);
    }
    let mut store = store.reopen();
    assert_eq!(read(&mut store, 1), StoreResult::Done(Payload::Chunk(Some(chunk(1, 2)))));
    for number in [0, 7] {
        assert_eq!(store.execute(StoreOp::DeleteChunk { epoch, name: name(number) }), DONE);
    }
    assert_eq!(store.execute(StoreOp::ListChunks), StoreResult::Done(Payload::Chunks(vec![name(1)])));
}

fn manifests_switch_on_condition(mut store: impl Executor) {
    lead(&mut store, 0, 1, 0);
    let manifest = |number| Manifest { number, ..Manifest::default() }.encode();
    let switch_if = |store: &mut _, joined, expected, number| {
        let (epoch, manifest) = (Epoch(1), manifest(number));
        Executor::execute(store, StoreOp::SwitchManifest { epoch, expected, joined, manifest })
    };
    let switch = |store: &mut _, expected, number| switch_if(store, None, expected, number);
    assert_eq!(store.execute(StoreOp::ReadManifest), StoreResult::Done(Payload::Manifest(None)));
    assert_eq!(switch(&mut store, 1, 2), StoreResult::Conflict);
    assert_eq!(switch_if(&mut store, Some(1), 0, 1), StoreResult::Conflict, "nobody has joined");
    assert_eq!(switch(&mut store, 0, 1), DONE);
    assert_eq!(switch(&mut store, 0, 1), StoreResult::Conflict);
    assert_eq!(switch(&mut store, 1, 2), DONE);
    let mut store = store.reopen();
    assert_eq!(store.execute(StoreOp::ReadManifest), StoreResult::Done(Payload::Manifest(Some(manifest(2)))));
    assert_eq!(switch_if(&mut store, Some(0), 2, 3), DONE);
}
