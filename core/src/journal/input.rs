//! Owns what the journal machine is told.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::level::Readers;
use super::op::{OpId, StoreResult};
use crate::record::{Op, RecordKey, Seq};

/// One stimulus of the journal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JournalInput {
    /// The first input: read what is stored, and follow it.
    Boot,
    /// The lease is ours: claim an epoch as soon as all is read.
    Lead,
    /// The lease is gone: write no more. The machine is to be dropped.
    Depose,
    /// The scheduler's next batch; its number follows that of the one before.
    Store { seq: Seq, ops: Vec<Op> },
    /// Answers `NeedRecords` from the scheduler's live state.
    Records(Records),
    /// Answers an operation.
    Result { id: OpId, result: StoreResult },
    /// What all registered managers can read, as it is known now.
    Readers(Readers),
    /// Somebody waits for what another has stored by now: whoever follows reads on at once.
    Follow,
    /// `next_deadline` has come; spurious ones are harmless.
    Wake,
}

/// A stretch of the scheduler's records.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Records {
    /// As asked.
    pub from: RecordKey,
    /// Records from there on, in key order: at least one if there is one, then as many as fit.
    pub items: Vec<(RecordKey, Vec<u8>)>,
    /// The key of the first record that did not fit; `None` if there is none below the asked `to`.
    pub next: Option<RecordKey>,
    /// The newest batch that these values may contain; it may not be durable nor even handed over yet.
    pub as_of: Seq,
}

impl fmt::Debug for JournalInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("Boot"),
            Self::Lead => f.write_str("Lead"),
            Self::Depose => f.write_str("Depose"),
            Self::Store { seq, ops } => write!(f, "Store {{ {seq:?}, {} ops }}", ops.len()),
            Self::Records(records) => records.fmt(f),
            Self::Result { id, result } => write!(f, "Result {{ {id:?}, {result:?} }}"),
            Self::Readers(readers) => readers.fmt(f),
            Self::Follow => f.write_str("Follow"),
            Self::Wake => f.write_str("Wake"),
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, items, next, as_of } = self;
        write!(f, "Records {{ from {from:?}, {} items, next {next:?}, as of {as_of:?} }}", items.len())
    }
}
