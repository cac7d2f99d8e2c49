//! Owns a store in memory for tests: plain maps, and faults on demand.

use std::collections::BTreeMap;
use std::string::ToString;
use std::vec::Vec;

use proptest::sample::Index;

use crate::journal::contract::Executor;
use crate::journal::frame::{self, Kind};
use crate::journal::*;
use crate::record::Epoch;
use crate::rng::Rng;

/// How often operations fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) clean_ppm: u32,
    pub(super) unknown_ppm: u32,
}

impl Faults {
    pub(super) const NONE: Self = Self { clean_ppm: 0, unknown_ppm: 0 };
}

#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) epoch: Epoch,
    pub(super) log: BTreeMap<u64, Blob>,
    pub(super) durable: u64,
    pub(super) chunks: BTreeMap<ChunkName, Blob>,
    pub(super) manifest: Option<Blob>,
    /// How often managers have joined the register.
    pub(super) joined: u64,
    /// How often the log was cut.
    pub(super) cuts: u64,
    /// Written by someone who gave up waiting; may still happen (Z1), but a cut only if there was none since.
    pub(super) late: Vec<(u64, StoreOp)>,
}

impl Memory {
    fn next(&self) -> u64 {
        self.log.keys().next_back().map_or(0, |last| last + 1)
    }

    fn number(&self) -> u64 {
        let header =
            |blob: &Blob| frame::header(Kind::Manifest, blob.as_slice()).map_or(u64::MAX, |h| h.number);
        self.manifest.as_ref().map_or(0, header)
    }

    /// The format level of the manifest.
    pub(super) fn level(&self) -> u8 {
        self.manifest.as_ref().map_or(frame::FORMAT_FIRST, |manifest| manifest.as_slice()[3])
    }

    pub(super) fn execute_with_faults(&mut self, op: StoreOp, faults: Faults, rng: &mut Rng) -> StoreResult {
        if !self.late.is_empty() && rng.chance(200_000) {
            let (cuts, late) = self.late.remove(rng.below(self.late.len() as u64) as usize);
            if cuts == self.cuts || !matches!(late, StoreOp::Cut { .. }) {
                self.execute(late);
            }
        }
        if rng.chance(faults.clean_ppm) {
            return StoreResult::FailedClean("out of luck".to_string());
        }
        if rng.chance(faults.unknown_ppm) {
            match rng.below(3) {
                0 => drop(self.execute(op)),
                1 => self.late.push((self.cuts, op)),
                _ => {}
            }
            return StoreResult::Unknown("no answer".to_string());
        }
        self.execute(op)
    }

    /// What is still under way.
    pub(super) fn take_late(&mut self) -> impl Iterator<Item = StoreOp> + use<> {
        std::mem::take(&mut self.late).into_iter().map(|(_, op)| op)
    }

    fn read_log(&self, from: u64, max_bytes: u64) -> LogPart {
        let begins = self.log.keys().next().copied().unwrap_or_default();
        let mut part = LogPart {
            first: from.max(begins),
            begins,
            entries: Vec::new(),
            end: true,
            durable: self.durable,
        };
        let mut bytes = 0;
        for entry in self.log.range(from..).map(|(_, entry)| entry) {
            if !part.entries.is_empty() && bytes >= max_bytes {
                part.end = false;
                break;
            }
            bytes += entry.as_slice().len() as u64;
            part.entries.push(entry.clone());
        }
        part
    }

    /// A write that was under way when the power went.
    pub(super) fn tear(&mut self, entry: &Blob, rng: &mut Rng) {
        let mut bytes = entry.as_slice().to_vec();
        match rng.below(3) {
            0 => bytes.truncate(rng.below(bytes.len() as u64) as usize),
            1 => bytes.fill(0),
            _ => {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] ^= 0x55;
            }
        }
        if !bytes.is_empty() {
            self.log.insert(self.next(), bytes.into());
        }
    }

    /// Flips one bit somewhere.
    pub(super) fn flip(&mut self, which: Index, bit: Index) {
        let all: Vec<&mut Blob> =
            self.log.values_mut().chain(self.chunks.values_mut()).chain(self.manifest.as_mut()).collect();
        let at = which.index(all.len());
        let blob = all.into_iter().nth(at).expect("an index within");
        let mut bytes = blob.as_slice().to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        *blob = bytes.into();
    }
}

impl Executor for Memory {
    fn execute(&mut self, op: StoreOp) -> StoreResult {
        let current = self.epoch;
        let payload = match op {
            StoreOp::Append { epoch, .. }
            | StoreOp::Cut { epoch, .. }
            | StoreOp::Trim { epoch, .. }
            | StoreOp::WriteChunk { epoch, .. }
            | StoreOp::DeleteChunk { epoch, .. }
            | StoreOp::SwitchManifest { epoch, .. }
                if epoch != current =>
            {
                return StoreResult::Fenced;
            }
            StoreOp::ClaimEpoch { expected, .. } if expected != current => return StoreResult::Conflict,
            StoreOp::Append { index, .. } if index != self.next() => return StoreResult::Conflict,
            StoreOp::SwitchManifest { expected, joined, .. }
                if expected != self.number() || joined.is_some_and(|joined| joined != self.joined) =>
            {
                return StoreResult::Conflict;
            }
            StoreOp::ReadEpoch => Payload::Epoch(current),
            StoreOp::ReadLog { from, max_bytes } => Payload::Log(self.read_log(from, max_bytes)),
            StoreOp::ReadChunk { name } => Payload::Chunk(self.chunks.get(&name).cloned()),
            StoreOp::ListChunks => Payload::Chunks(self.chunks.keys().copied().collect()),
            StoreOp::ReadManifest => Payload::Manifest(self.manifest.clone()),
            StoreOp::ClaimEpoch { epoch, .. } => {
                self.epoch = epoch;
                Payload::Nothing
            }
            StoreOp::Append { index, entry, .. } => {
                self.log.insert(index, entry);
                self.durable = index + 1;
                Payload::Nothing
            }
            StoreOp::Cut { from, .. } => {
                self.cuts += 1;
                drop(self.log.split_off(&from));
                self.durable = from;
                Payload::Nothing
            }
            StoreOp::Trim { below, .. } => {
                self.log = self.log.split_off(&below);
                Payload::Nothing
            }
            StoreOp::WriteChunk { name, bytes, .. } => {
                self.chunks.insert(name, bytes);
                Payload::Nothing
            }
            StoreOp::DeleteChunk { name, .. } => {
                self.chunks.remove(&name);
                Payload::Nothing
            }
            StoreOp::SwitchManifest { manifest, .. } => {
                self.manifest = Some(manifest);
                Payload::Nothing
            }
        };
        StoreResult::Done(payload)
    }

    fn reopen(self) -> Self {
        self
    }
}
