//! Owns what the journal machine asks for and tells.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::frame::{Damage, FrameError};
use super::op::{ChunkName, OpId, StoreOp};
use crate::record::{Epoch, Op, RecordKey, Seq};
use crate::scheduler::input::StoreEvent;
use crate::time::ClusterTime;

/// One thing to do; executed front to back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JournalEffect {
    /// Execute this, in order of issue, and answer with `Result`.
    Op { id: OpId, op: StoreOp },
    /// Hand these durable changes to the scheduler (`Input::Follow`).
    Follow(Vec<Op>),
    /// All that is stored has been followed; a standby is warm. Told once.
    CaughtUp { seq: Seq },
    /// An epoch is claimed and all that is durable followed: the scheduler may lead.
    Recovered { epoch: Epoch, seq: Seq, cluster_time: ClusterTime },
    /// Tell the scheduler (`Input::Store`).
    Up(StoreEvent),
    /// Answer with `Records`: live values of keys in `from..to`, up to `max_bytes`, read after this was asked.
    NeedRecords { from: RecordKey, to: Option<RecordKey>, max_bytes: u64 },
    /// A log line for people: what hangs or fails, and what to do. It is being retried.
    Trouble(String),
    /// What is stored cannot be used; the machine has ended. End the process and show this.
    Refused(Refusal),
    /// What this machine followed was replaced under it: drop it and the scheduler, and begin with `Boot`.
    Restart,
}

/// Why a journal is refused. Its text tells people what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// Stored bytes are not what was written.
    Corruption {
        /// What is wrong.
        what: Damage,
        /// With which part.
        place: Place,
    },
    /// A newer build wrote it.
    NewerFormat {
        /// Which part.
        place: Place,
        /// Its format level.
        level: u8,
        /// Up to which level this build reads.
        newest: u8,
    },
}

/// A part of the stored journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The manifest.
    Manifest,
    /// The log entry of this index.
    Entry(u64),
    /// The chunk of this name.
    Chunk(ChunkName),
}

impl Refusal {
    pub(super) const fn missing(place: Place) -> Self {
        Self::Corruption { what: Damage::Missing, place }
    }

    pub(super) const fn new(place: Place, error: FrameError) -> Self {
        match error {
            FrameError::Damaged(what) => Self::Corruption { what, place },
            FrameError::Newer { level, newest } => Self::NewerFormat { place, level, newest },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("the manifest"),
            Self::Entry(index) => write!(f, "log entry {index}"),
            Self::Chunk(name) => write!(f, "snapshot chunk {name}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corruption { what, place } => write!(
                f,
                "the journal is damaged: {place} {what}. Swan does not start, because going on without it could lose \
                 or repeat changes; running tasks are not touched. Keep a copy of the journal, check the disk, then \
                 restore the journal from the newest backup"
            ),
            Self::NewerFormat { place, level, newest } => write!(
                f,
                "the journal was written by a newer Swan: {place} has format level {level}, this build reads up to \
                 {newest}. Start a Swan of that release or later"
            ),
        }
    }
}

impl fmt::Debug for JournalEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op { id, op } => write!(f, "Op {{ {id:?}, {op:?} }}"),
            Self::Follow(ops) => write!(f, "Follow({} ops)", ops.len()),
            Self::CaughtUp { seq } => write!(f, "CaughtUp({seq:?})"),
            Self::Recovered { epoch, seq, cluster_time } => {
                write!(f, "Recovered {{ {epoch:?}, {seq:?}, {cluster_time:?} }}")
            }
            Self::Up(event) => write!(f, "Up({event:?})"),
            Self::NeedRecords { from, to, max_bytes } => {
                write!(f, "NeedRecords {{ from {from:?}, to {to:?}, {max_bytes} B }}")
            }
            Self::Trouble(text) => write!(f, "Trouble({text:?})"),
            Self::Refused(refusal) => write!(f, "Refused({refusal:?})"),
            Self::Restart => f.write_str("Restart"),
        }
    }
}
