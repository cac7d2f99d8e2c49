//! Owns damage and loss: what is stored is not what was written (Z5), or an old copy of it (Z6).

use swan_core::journal::{Blob, ChunkName, StoreOp};

use super::{Disk, Platter};
use crate::draws::{Draws, Site};

/// Something stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Manifest,
    Chunk(ChunkName),
    Entry(u64),
}

/// One damaged part.
#[derive(Clone, Debug)]
pub(super) struct Rot {
    part: Part,
    intact: Blob,
    damaged: Blob,
    /// Somebody has seen it.
    read: bool,
}

impl Disk {
    /// Perhaps damages something that is stored; says whether.
    pub(crate) fn rot(&mut self, share: u32, draws: &mut Draws) -> bool {
        self.mend();
        let parts = self.platter.parts();
        if parts.is_empty() || !draws.chance(Site::DiskRots, &"", share) {
            return false;
        }
        let part = parts[draws.number("part", 0, parts.len() as u64 - 1) as usize];
        let Some(intact) = self.platter.place(part).cloned() else { return false };
        let mut bytes = intact.as_slice().to_vec();
        let at = draws.number("byte", 0, bytes.len() as u64 - 1) as usize;
        match draws.number("kind", 0, 2) {
            0 => bytes[at] ^= 1 << draws.number("bit", 0, 7),
            1 => bytes.truncate(at),
            _ => bytes[at..].fill(0),
        }
        let damaged = Blob::from(bytes);
        if damaged == intact {
            return false;
        }
        if let Some(place) = self.platter.place(part) {
            *place = damaged.clone();
        }
        self.platter.rot = Some(Rot { part, intact, damaged, read: false });
        true
    }

    /// Whether a process has read what is damaged.
    pub(crate) fn is_read_rotten(&self) -> bool {
        self.platter.rot.as_ref().is_some_and(|rot| rot.read)
    }

    /// Puts what was written in the place of what is damaged, unless it was written anew.
    pub(crate) fn mend(&mut self) {
        let Some(Rot { part, intact, damaged, .. }) = self.platter.rot.take() else { return };
        if let Some(place) = self.platter.place(part).filter(|place| **place == damaged) {
            *place = intact;
        }
    }
}

impl Disk {
    /// An intact copy of what is stored.
    pub(crate) fn copy(&self) -> Platter {
        let mut copy = self.clone();
        copy.mend();
        copy.platter
    }

    /// Puts a copy in the place of what is stored.
    pub(crate) fn restore(&mut self, copy: Platter) {
        self.platter = copy;
        self.late.clear();
    }
}

impl Platter {
    /// All that nobody may take for a write that a crash has cut off.
    fn parts(&self) -> Vec<Part> {
        let manifest = self.manifest.iter().map(|_| Part::Manifest);
        let entries = (self.first..self.durable.min(self.end())).map(Part::Entry);
        manifest.chain(self.chunks.keys().map(|name| Part::Chunk(*name))).chain(entries).collect()
    }

    fn place(&mut self, part: Part) -> Option<&mut Blob> {
        match part {
            Part::Manifest => self.manifest.as_mut(),
            Part::Chunk(name) => self.chunks.get_mut(&name),
            Part::Entry(index) => self.log.get_mut(index.checked_sub(self.first)? as usize),
        }
    }

    /// Takes note of who reads what is damaged.
    pub(super) fn note_rot(&mut self, op: &StoreOp) {
        let Some(part) = self.rot.as_ref().map(|rot| rot.part) else { return };
        let read = match (op, part) {
            (StoreOp::ReadManifest, Part::Manifest) => true,
            (StoreOp::ReadChunk { name }, Part::Chunk(damaged)) => *name == damaged,
            (StoreOp::ReadLog { from, max_bytes }, Part::Entry(index)) => {
                let part = self.read(*from, *max_bytes);
                (part.first..part.first + part.entries.len() as u64).contains(&index)
            }
            _ => false,
        };
        if let Some(rot) = self.rot.as_mut().filter(|_| read) {
            rot.read = true;
        }
    }
}
