//! Owns whole copies of a journal: how its content is put into a store that holds none.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::Journal;
use super::entry::{ChunkRef, Manifest, encode_chunk, item_bytes};
use super::frame::HEADER_BYTES;
use super::op::{ChunkName, StoreOp};
use super::recover::Tail;
use crate::limits::CHUNK_BYTES_FILL;
use crate::record::{Epoch, RecordKey, Seq};
use crate::time::ClusterTime;

/// How far a journal has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The format level in force.
    pub level: u8,
    /// The leadership that wrote last.
    pub epoch: Epoch,
    /// The newest batch.
    pub seq: Seq,
    /// Cluster time when it was written.
    pub cluster_time: ClusterTime,
}

impl Journal {
    /// How far what was followed reaches; of no meaning for a machine that leads.
    pub const fn extent(&self) -> Extent {
        let Tail { epoch, seq, cluster_time, .. } = self.tail;
        Extent { level: self.snapshot.levels.in_force(), epoch, seq, cluster_time }
    }
}

/// What puts `records` into a store that holds no journal, in order; each must be answered `Done`. The epoch is a new
/// one, so that no earlier leader can write there.
pub fn written_anew(extent: Extent, records: BTreeMap<RecordKey, Vec<u8>>) -> Vec<StoreOp> {
    let Extent { level, epoch: before, seq, cluster_time } = extent;
    let epoch = Epoch(before.0 + 1);
    let mut ops = vec![StoreOp::ClaimEpoch { expected: Epoch(0), epoch }];
    let mut chunks = Vec::new();
    for items in filled(records) {
        let name = ChunkName { epoch, number: chunks.len() as u64 };
        // The first chunk's range begins at the lowest key there could be.
        let from = if chunks.is_empty() { RecordKey(Vec::new()) } else { items[0].0.clone() };
        let bytes = encode_chunk(level, name, items);
        let crc = crc32fast::hash(bytes.as_slice());
        chunks.push(ChunkRef { from, name, bytes: bytes.as_slice().len() as u64, crc });
        ops.push(StoreOp::WriteChunk { epoch, name, bytes });
    }
    let manifest = Manifest {
        level,
        number: 1,
        replay_from: 0,
        epoch: before,
        seq,
        cluster_time,
        chunks,
        previous_crc: 0,
    };
    ops.push(StoreOp::SwitchManifest { epoch, expected: 0, joined: None, manifest: manifest.encode() });
    ops
}

/// Records in groups that fill a chunk each.
fn filled(records: BTreeMap<RecordKey, Vec<u8>>) -> Vec<Vec<(RecordKey, Vec<u8>)>> {
    let (mut groups, mut bytes) = (Vec::<Vec<_>>::new(), usize::MAX);
    for (key, value) in records {
        let item = item_bytes(&key, &value);
        if bytes.saturating_add(item) > CHUNK_BYTES_FILL.max(HEADER_BYTES + item) {
            groups.push(Vec::new());
            bytes = HEADER_BYTES;
        }
        bytes += item;
        groups.last_mut().expect("one was begun").push((key, value));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Blob, JournalConfig, JournalEffect, JournalInput, LogPart, Payload, StoreResult};
    use crate::time::Now;

    /// What a store answers that was told just these operations.
    fn answer(written: &[StoreOp], op: &StoreOp) -> StoreResult {
        let chunk = |wanted: ChunkName| {
            written.iter().find_map(|op| match op {
                StoreOp::WriteChunk { name, bytes, .. } if *name == wanted => Some(bytes.clone()),
                _ => None,
            })
        };
        let manifest = |op: &StoreOp| -> Option<Blob> {
            if let StoreOp::SwitchManifest { manifest, .. } = op { Some(manifest.clone()) } else { None }
        };
        StoreResult::Done(match op {
            StoreOp::ReadManifest => Payload::Manifest(written.iter().find_map(manifest)),
            StoreOp::ReadChunk { name } => Payload::Chunk(chunk(*name)),
            StoreOp::ReadLog { from, .. } => {
                Payload::Log(LogPart { first: *from, begins: 0, entries: Vec::new(), end: true, durable: 0 })
            }
            other => panic!("a journal that follows does not ask for {other:?}"),
        })
    }

    fn read_back(written: &[StoreOp]) -> (Extent, BTreeMap<RecordKey, Vec<u8>>) {
        let mut journal = Journal::new(JournalConfig::default());
        let (mut records, mut inputs) = (BTreeMap::new(), vec![JournalInput::Boot]);
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            journal.step(Now::default(), input, &mut effects);
            for effect in effects {
                match effect {
                    JournalEffect::Op { id, op } => {
                        inputs.push(JournalInput::Result { id, result: answer(written, &op) });
                    }
                    JournalEffect::Follow(ops) => {
                        records.extend(ops.into_iter().map(|op| (op.key, op.value.expect("a record"))));
                    }
                    JournalEffect::CaughtUp { .. } => return (journal.extent(), records),
                    other => panic!("{other:?}"),
                }
            }
        }
        panic!("it was not read to its end")
    }

    #[test]
    fn what_is_written_anew_is_what_was_there() {
        let extent = Extent { level: 1, epoch: Epoch(7), seq: Seq(1234), cluster_time: ClusterTime(56_789) };
        for count in [0_u32, 1, 40] {
            // Some forty of these fill more than one chunk.
            let record = |n: u32| (RecordKey(n.to_be_bytes().to_vec()), vec![n as u8; 20_000]);
            let records: BTreeMap<_, _> = (0..count).map(record).collect();
            let written = written_anew(extent, records.clone());
            assert_eq!(written.len(), 2 + (count as usize).div_ceil(13), "claim, chunks, manifest");
            assert_eq!(read_back(&written), (extent, records));
        }
    }
}
