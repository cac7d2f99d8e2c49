//! Owns the content of log entries, chunks and manifests: prost messages inside frames.

use alloc::vec::Vec;

use prost::Message;

use super::frame::{self, Damage, FORMAT_FIRST, FrameError, Kind};
use super::op::{Blob, ChunkName};
use crate::record::{Epoch, Op, RecordKey, Seq};
use crate::time::ClusterTime;

/// No cluster counts this far: a larger number is damage that happened before the checksum was made.
pub(super) const NUMBER_MAX: u64 = 1 << 62;
/// Bytes that framing adds to an entry at most, beside its operations.
const ENTRY_OVERHEAD: usize = 128;
/// Bytes that an operation takes at most, beside key and value.
const OP_OVERHEAD: usize = 16;

#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(uint64, tag = "2")]
    first_seq: u64,
    #[prost(uint64, tag = "3")]
    last_seq: u64,
    #[prost(uint64, tag = "4")]
    cluster_time: u64,
    #[prost(message, repeated, tag = "5")]
    ops: Vec<OpMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct OpMessage {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    value: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ChunkMessage {
    #[prost(message, repeated, tag = "1")]
    items: Vec<OpMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ManifestMessage {
    #[prost(uint64, tag = "1")]
    replay_from: u64,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    seq: u64,
    #[prost(uint64, tag = "4")]
    cluster_time: u64,
    #[prost(message, repeated, tag = "5")]
    chunks: Vec<ChunkRefMessage>,
    #[prost(uint32, tag = "6")]
    previous_crc: u32,
}

#[derive(Clone, PartialEq, Message)]
struct ChunkRefMessage {
    #[prost(bytes = "vec", tag = "1")]
    from: Vec<u8>,
    #[prost(uint64, tag = "2")]
    epoch: u64,
    #[prost(uint64, tag = "3")]
    number: u64,
    #[prost(uint64, tag = "4")]
    bytes: u64,
    #[prost(uint32, tag = "5")]
    crc: u32,
}

/// A group of batches, made durable as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The format level of its frame.
    pub level: u8,
    /// Which leadership wrote it.
    pub epoch: Epoch,
    /// Its first batch.
    pub first: Seq,
    /// Its last batch.
    pub last: Seq,
    /// Cluster time when it was written.
    pub cluster_time: ClusterTime,
    /// The changes of all its batches, in order.
    pub ops: Vec<Op>,
}

impl Entry {
    /// Its frame.
    pub fn encode(self, index: u64) -> Blob {
        let message = EntryMessage {
            epoch: self.epoch.0,
            first_seq: self.first.0,
            last_seq: self.last.0,
            cluster_time: self.cluster_time.0,
            ops: self.ops.into_iter().map(|op| OpMessage { key: op.key.0, value: op.value }).collect(),
        };
        frame::seal(Kind::Entry, self.level, index, &message.encode_to_vec()).into()
    }

    /// Reads the frame, of a level up to `newest`, of the entry that should stand at `index`.
    pub fn decode(newest: u8, index: u64, bytes: &[u8]) -> Result<Self, FrameError> {
        let (header, body) = frame::open(Kind::Entry, newest, bytes)?;
        let message = EntryMessage::decode(body).map_err(|_| FrameError::Damaged(Damage::Content))?;
        if header.number != index || message.last_seq < message.first_seq {
            return Err(FrameError::Damaged(Damage::Order));
        }
        check_numbers(&[message.epoch, message.last_seq, message.cluster_time])?;
        Ok(Self {
            level: header.level,
            epoch: Epoch(message.epoch),
            first: Seq(message.first_seq),
            last: Seq(message.last_seq),
            cluster_time: ClusterTime(message.cluster_time),
            ops: message.ops.into_iter().map(|op| Op { key: RecordKey(op.key), value: op.value }).collect(),
        })
    }
}

fn check_numbers(numbers: &[u64]) -> Result<(), FrameError> {
    let sound = numbers.iter().all(|&number| number <= NUMBER_MAX);
    if sound { Ok(()) } else { Err(FrameError::Damaged(Damage::Content)) }
}

/// An upper bound of the bytes that `ops` take in an entry.
pub(super) fn encoded_bytes(ops: &[Op]) -> usize {
    ENTRY_OVERHEAD
        + ops.iter().map(|op| item_bytes(&op.key, op.value.as_deref().unwrap_or_default())).sum::<usize>()
}

/// An upper bound of the bytes that a record takes in an entry or chunk.
pub(super) const fn item_bytes(key: &RecordKey, value: &[u8]) -> usize {
    OP_OVERHEAD + key.0.len() + value.len()
}

/// The frame of a chunk, of this format level.
pub(super) fn encode_chunk(level: u8, name: ChunkName, items: Vec<(RecordKey, Vec<u8>)>) -> Blob {
    let items = items.into_iter().map(|(key, value)| OpMessage { key: key.0, value: Some(value) }).collect();
    frame::seal(Kind::Chunk, level, name.number, &ChunkMessage { items }.encode_to_vec()).into()
}

/// Reads the records of a chunk of a level up to `newest`, as puts; they must be in order, and within `from..to`.
pub(super) fn decode_chunk(
    newest: u8,
    at: &ChunkRef,
    to: Option<&RecordKey>,
    bytes: &[u8],
) -> Result<Vec<Op>, FrameError> {
    let (header, body) = frame::open(Kind::Chunk, newest, bytes)?;
    if header.number != at.name.number || crc32fast::hash(bytes) != at.crc {
        return Err(FrameError::Damaged(Damage::Order));
    }
    let message = ChunkMessage::decode(body).map_err(|_| FrameError::Damaged(Damage::Content))?;
    let ordered = message.items.windows(2).all(|pair| pair[0].key < pair[1].key)
        && message.items.first().is_none_or(|first| first.key >= at.from.0)
        && message.items.last().is_none_or(|last| to.is_none_or(|to| last.key < to.0));
    if !ordered {
        return Err(FrameError::Damaged(Damage::Content));
    }
    Ok(message.items.into_iter().map(|item| Op { key: RecordKey(item.key), value: item.value }).collect())
}

/// Where a chunk is and what it must look like.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ChunkRef {
    /// The lowest key that it may hold; the next chunk's bounds it above.
    pub from: RecordKey,
    /// Its name.
    pub name: ChunkName,
    /// Bytes of its frame.
    pub bytes: u64,
    /// CRC of its frame.
    pub crc: u32,
}

/// The root of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Manifest {
    /// The format level of its frame: the one that is in force from then on.
    pub level: u8,
    /// Counts the switches; 0 before the first.
    pub number: u64,
    /// The first log entry to replay.
    pub replay_from: u64,
    /// The epoch of the newest entry before that.
    pub epoch: Epoch,
    /// The newest batch before that.
    pub seq: Seq,
    /// Cluster time of the newest entry before that.
    pub cluster_time: ClusterTime,
    /// All chunks, in key order.
    pub chunks: Vec<ChunkRef>,
    /// CRC of the manifest that this one replaces; 0 if none.
    pub previous_crc: u32,
}

impl Default for Manifest {
    /// What there is before the first.
    fn default() -> Self {
        Self {
            level: FORMAT_FIRST,
            number: 0,
            replay_from: 0,
            epoch: Epoch(0),
            seq: Seq(0),
            cluster_time: ClusterTime(0),
            chunks: Vec::new(),
            previous_crc: 0,
        }
    }
}

impl Manifest {
    /// Its frame.
    pub fn encode(&self) -> Blob {
        let chunk = |at: &ChunkRef| ChunkRefMessage {
            from: at.from.0.clone(),
            epoch: at.name.epoch.0,
            number: at.name.number,
            bytes: at.bytes,
            crc: at.crc,
        };
        let message = ManifestMessage {
            replay_from: self.replay_from,
            epoch: self.epoch.0,
            seq: self.seq.0,
            cluster_time: self.cluster_time.0,
            chunks: self.chunks.iter().map(chunk).collect(),
            previous_crc: self.previous_crc,
        };
        frame::seal(Kind::Manifest, self.level, self.number, &message.encode_to_vec()).into()
    }

    /// Reads a manifest's frame, of a level up to `newest`.
    pub fn decode(newest: u8, bytes: &[u8]) -> Result<Self, FrameError> {
        let (header, body) = frame::open(Kind::Manifest, newest, bytes)?;
        let message = ManifestMessage::decode(body).map_err(|_| FrameError::Damaged(Damage::Content))?;
        let chunk = |at: ChunkRefMessage| ChunkRef {
            from: RecordKey(at.from),
            name: ChunkName { epoch: Epoch(at.epoch), number: at.number },
            bytes: at.bytes,
            crc: at.crc,
        };
        let chunks: Vec<ChunkRef> = message.chunks.into_iter().map(chunk).collect();
        if !chunks.windows(2).all(|pair| pair[0].from < pair[1].from) {
            return Err(FrameError::Damaged(Damage::Content));
        }
        check_numbers(&[
            header.number,
            message.replay_from,
            message.epoch,
            message.seq,
            message.cluster_time,
        ])?;
        if chunks.iter().any(|at| at.bytes > u64::from(u32::MAX) || at.name.number > NUMBER_MAX) {
            return Err(FrameError::Damaged(Damage::Content));
        }
        Ok(Self {
            level: header.level,
            number: header.number,
            replay_from: message.replay_from,
            epoch: Epoch(message.epoch),
            seq: Seq(message.seq),
            cluster_time: ClusterTime(message.cluster_time),
            chunks,
            previous_crc: message.previous_crc,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_nobody_counted_to_are_damage() {
        let entry = |last| Entry {
            level: 1,
            epoch: Epoch(1),
            first: Seq(1),
            last: Seq(last),
            cluster_time: ClusterTime(0),
            ops: Vec::new(),
        };
        assert!(Entry::decode(1, 1, entry(NUMBER_MAX).encode(1).as_slice()).is_ok());
        let damage = Err(FrameError::Damaged(Damage::Content));
        assert_eq!(Entry::decode(1, 1, entry(NUMBER_MAX + 1).encode(1).as_slice()), damage);
        let manifest = Manifest { replay_from: u64::MAX, ..Manifest::default() };
        assert_eq!(
            Manifest::decode(1, manifest.encode().as_slice()),
            Err(FrameError::Damaged(Damage::Content))
        );
    }
}
