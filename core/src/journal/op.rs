//! Owns the vocabulary between the journal machine and whoever executes its storage operations.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::record::Epoch;

/// Identifies an operation from its issue to its answer. Every operation is answered exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpId(pub u64);

/// Opaque bytes, shared and not copied; shown by their length only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob(Arc<[u8]>);

impl Blob {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0.len())
    }
}

/// A snapshot chunk's name, never used twice: the leadership that wrote it and a number within that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkName {
    /// Who wrote it.
    pub epoch: Epoch,
    /// Its number.
    pub number: u64,
}

impl fmt::Display for ChunkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}", self.epoch.0, self.number)
    }
}

impl ChunkName {
    /// Reads what `Display` wrote; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let hex = |part: &str| {
            let lower =
                part.len() == 16 && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if lower { u64::from_str_radix(part, 16).ok() } else { None }
        };
        Some(Self { epoch: Epoch(hex(epoch)?), number: hex(number)? })
    }
}

/// One storage operation. Whatever carries an `epoch` applies only if the epoch cell holds that very number (R91),
/// else it is answered `Fenced`. A read sees every write that was answered `Done` before it was issued (R92).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreOp {
    /// Answers `Epoch`; 0 if there never was one.
    ReadEpoch,
    /// Sets the epoch cell if it holds `expected`, else `Conflict`.
    ClaimEpoch { expected: Epoch, epoch: Epoch },
    /// Adds the log entry `index`, durable when answered, if the log ends just before it; else `Conflict`.
    /// A new log begins at 0. A failed or unknown append leaves no later one applied.
    Append { epoch: Epoch, index: u64, entry: Blob },
    /// Answers `Log`: entries from `from` on, at least one if there is one, then as many as fit `max_bytes`.
    ReadLog { from: u64, max_bytes: u64 },
    /// Removes the entries `from` and above; afterwards all that remain are durable. If its outcome was unknown, it
    /// never takes effect once a later cut has: what is appended then would go with it.
    Cut { epoch: Epoch, from: u64 },
    /// Allows to forget entries below `below`; they may linger.
    Trim { epoch: Epoch, below: u64 },
    /// Writes a whole chunk, durable when answered; one of that name is replaced.
    WriteChunk { epoch: Epoch, name: ChunkName, bytes: Blob },
    /// Answers `Chunk`.
    ReadChunk { name: ChunkName },
    /// Forgets a chunk; one that is not there is `Done` too.
    DeleteChunk { epoch: Epoch, name: ChunkName },
    /// Answers `Chunks`.
    ListChunks,
    /// Answers `Manifest`.
    ReadManifest,
    /// Replaces the manifest, atomically, durable when answered, if the number in the present one's frame is
    /// `expected` (0: there is none) and managers have joined the register just `joined` times, if that matters;
    /// else `Conflict`. Where there is no register, nobody ever has.
    SwitchManifest { epoch: Epoch, expected: u64, joined: Option<u64>, manifest: Blob },
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreResult {
    /// It took effect, durably.
    Done(Payload),
    /// Its condition does not hold; it had no effect. An earlier copy of the same operation may have had.
    Conflict,
    /// It had no effect and never will. Says why, and what to do, to people.
    FailedClean(String),
    /// It may have taken effect, or may yet (R94). Says why.
    Unknown(String),
    /// A newer epoch exists.
    Fenced,
}

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// It is done.
    Nothing,
    /// The number in the epoch cell.
    Epoch(Epoch),
    /// A stretch of the log.
    Log(LogPart),
    /// A chunk; `None` if there is none of that name.
    Chunk(Option<Blob>),
    /// All chunks, also those that no manifest names.
    Chunks(Vec<ChunkName>),
    /// The manifest; `None` if there never was one.
    Manifest(Option<Blob>),
}

/// A stretch of the log, as it is stored: entries are not checked. Where their boundaries cannot be told, the rest
/// comes as one last item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// The index of the first entry here; higher than asked if the ones before were trimmed.
    pub first: u64,
    /// The index of the first entry that is kept at all; 0 if none was ever trimmed.
    pub begins: u64,
    /// Consecutive entries.
    pub entries: Vec<Blob>,
    /// Nothing follows.
    pub end: bool,
    /// Entries below this index were durable once: damage to them is no torn write. Never below where the manifest's
    /// replay begins.
    pub durable: u64,
}
