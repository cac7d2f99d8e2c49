//! Owns whole copies of a journal: how its content is put into a store that holds none.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::entry::{ChunkRef, Manifest, encode_chunk, item_bytes};
use super::frame::HEADER_BYTES;
use super::op::{ChunkName, StoreOp};
use super::{Journal, Phase};
use crate::limits::CHUNK_BYTES_FILL;
use crate::record::{Epoch, RecordKey, Seq};
use crate::time::ClusterTime;

/// How far a journal has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
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
        Extent { epoch: self.tail.epoch, seq: self.tail.seq, cluster_time: self.tail.cluster_time }
    }

    /// Whether it has ended: refused, or replaced under it.
    pub const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }
}

/// What puts `records` into a store that holds no journal, in order; each must be answered `Done`. The epoch is a new
/// one, so that no earlier leader can write there.
pub fn written_anew(extent: Extent, records: BTreeMap<RecordKey, Vec<u8>>) -> Vec<StoreOp> {
    let epoch = Epoch(extent.epoch.0 + 1);
    let mut ops = vec![StoreOp::ClaimEpoch { expected: Epoch(0), epoch }];
    let mut chunks = Vec::new();
    for items in filled(records) {
        let name = ChunkName { epoch, number: chunks.len() as u64 };
        // The first chunk's range begins at the lowest key there could be.
        let from = if chunks.is_empty() { RecordKey(Vec::new()) } else { items[0].0.clone() };
        let bytes = encode_chunk(name, items);
        let crc = crc32fast::hash(bytes.as_slice());
        chunks.push(ChunkRef { from, name, bytes: bytes.as_slice().len() as u64, crc });
        ops.push(StoreOp::WriteChunk { epoch, name, bytes });
    }
    let Extent { seq, cluster_time, epoch: before } = extent;
    let manifest =
        Manifest { number: 1, replay_from: 0, epoch: before, seq, cluster_time, chunks, previous_crc: 0 };
    ops.push(StoreOp::SwitchManifest { epoch, expected: 0, manifest: manifest.encode() });
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
