//! Owns damage and loss: what is stored is not what was written (Z5), or an old copy of it (Z6).

use swan_core::journal::frame::HEADER_BYTES;
use swan_core::journal::{Blob, ChunkName, Place, Refusal, StoreOp};

use super::{Disk, Platter};
use crate::chance::Site;
use crate::draws::Draws;

/// Something stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Manifest,
    Chunk(ChunkName),
    Entry(u64),
}

/// One damaged part.
#[derive(Clone, Debug)]
pub(super) struct Rot {
    part: Part,
    intact: Blob,
    /// `None` if it is missing.
    damaged: Option<Blob>,
    /// Somebody has seen it.
    read: bool,
}

impl Part {
    /// Whether a refusal tells people of the damage to this part. Without its manifest a log does not begin where it
    /// should, which is what is told then.
    pub(crate) fn is_named(self, refusal: &Refusal) -> bool {
        let (Refusal::Corruption { place, .. } | Refusal::NewerFormat { place, .. }) = refusal;
        match (self, place) {
            (Self::Manifest, Place::Manifest) => true,
            (Self::Chunk(name), Place::Chunk(named)) => name == *named,
            (Self::Entry(index), Place::Entry(named)) => index == *named,
            _ => false,
        }
    }
}

impl Disk {
    /// Perhaps damages something that is stored; says whether.
    pub(crate) fn rot(&mut self, share: u32, draws: &mut Draws) -> bool {
        self.mend();
        !self.platter.parts().is_empty()
            && draws.chance(Site::DiskRots, &"", share)
            && self.platter.rot(false, draws)
    }

    /// What is damaged, if a process has read it.
    pub(crate) fn read_rotten(&self) -> Option<Part> {
        self.platter.rot.as_ref().filter(|rot| rot.read).map(|rot| rot.part)
    }

    /// Puts what was written in the place of what is damaged, unless it was written anew.
    pub(crate) fn mend(&mut self) {
        self.platter.mend();
    }
}

impl Disk {
    /// An intact copy of what is stored.
    pub(crate) fn copy(&self) -> Platter {
        self.platter.intact()
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

    /// Damages something, unless something is damaged already; says whether. Of a log with `holes` an entry alone may be
    /// missing.
    pub(crate) fn rot(&mut self, holes: bool, draws: &mut Draws) -> bool {
        let parts = self.parts();
        if parts.is_empty() || self.rot.is_some() {
            return false;
        }
        let part = parts[draws.number("part", 0, parts.len() as u64 - 1) as usize];
        let Some(intact) = self.place(part).cloned() else { return false };
        let Some(damaged) = damage(&intact, self.is_missed(part, holes), draws) else { return false };
        match (&damaged, part) {
            (Some(damaged), _) => {
                if let Some(place) = self.place(part) {
                    *place = damaged.clone();
                }
            }
            (None, Part::Manifest) => self.manifest = None,
            (None, Part::Chunk(name)) => drop(self.chunks.remove(&name)),
            // Readers find the hole.
            (None, Part::Entry(_)) => {}
        }
        self.rot = Some(Rot { part, intact, damaged, read: false });
        true
    }

    /// Whether anybody could miss it: not a manifest that a whole log makes up for, nor the newest entry, which might
    /// never have been written.
    fn is_missed(&self, part: Part, holes: bool) -> bool {
        match part {
            Part::Manifest => self.first > 0,
            Part::Chunk(_) => true,
            Part::Entry(index) => holes && index + 1 < self.end(),
        }
    }

    /// Puts what was written in the place of what is damaged, unless it was written anew.
    pub(crate) fn mend(&mut self) {
        let Some(Rot { part, intact, damaged, .. }) = self.rot.take() else { return };
        match (part, damaged) {
            (_, Some(damaged)) => {
                if let Some(place) = self.place(part).filter(|place| **place == damaged) {
                    *place = intact;
                }
            }
            (Part::Manifest, None) => drop(self.manifest.get_or_insert(intact)),
            (Part::Chunk(name), None) => drop(self.chunks.entry(name).or_insert(intact)),
            (Part::Entry(_), None) => {}
        }
    }

    /// A copy without damage.
    pub(crate) fn intact(&self) -> Self {
        let mut copy = self.clone();
        copy.mend();
        copy
    }

    fn place(&mut self, part: Part) -> Option<&mut Blob> {
        match part {
            Part::Manifest => self.manifest.as_mut(),
            Part::Chunk(name) => self.chunks.get_mut(&name),
            Part::Entry(index) => self.log.get_mut(index.checked_sub(self.first)? as usize),
        }
    }

    /// The entry that is not there, if it would be there but for damage.
    pub(super) fn hole(&self) -> Option<u64> {
        match self.rot {
            Some(Rot { part: Part::Entry(index), damaged: None, .. }) => Some(index),
            _ => None,
        }
    }

    /// What is damaged, if this reads it.
    pub(crate) fn reads_rotten(&self, op: &StoreOp) -> Option<Part> {
        let Rot { part, damaged, .. } = self.rot.as_ref()?;
        let reads = match (op, *part) {
            (StoreOp::ReadManifest, Part::Manifest) => self.manifest == *damaged,
            (StoreOp::ReadChunk { name }, Part::Chunk(rotten)) => {
                *name == rotten && self.chunks.get(name) == damaged.as_ref()
            }
            (StoreOp::ReadLog { from, max_bytes }, Part::Entry(index)) => {
                let read = self.read(*from, *max_bytes);
                // The reader comes to the hole, or to what is damaged.
                let upto = read.first + read.entries.len() as u64 + u64::from(damaged.is_none() && read.end);
                let stands = || self.log.get(index.checked_sub(self.first)? as usize);
                (read.first..upto).contains(&index)
                    && damaged.as_ref().is_none_or(|damaged| stands() == Some(damaged))
            }
            _ => false,
        };
        reads.then_some(*part)
    }

    /// Takes note of who reads what is damaged.
    pub(super) fn note_rot(&mut self, op: &StoreOp) {
        let read = self.reads_rotten(op).is_some();
        self.rot.iter_mut().for_each(|rot| rot.read |= read);
    }
}

/// What becomes of some bytes: `Some(None)` if they are lost altogether, `None` if they stay as they are.
fn damage(intact: &Blob, can_be_missing: bool, draws: &mut Draws) -> Option<Option<Blob>> {
    let mut bytes = intact.as_slice().to_vec();
    let at = draws.number("byte", 0, bytes.len() as u64 - 1) as usize;
    match draws.number("kind", 0, if can_be_missing { 5 } else { 4 }) {
        0 => bytes[at] ^= 1 << draws.number("bit", 0, 7),
        1 => bytes.truncate(at),
        2 => bytes[at..].fill(0),
        3 => {
            let junk = draws.number("junk", 0, u64::MAX - 1).to_le_bytes();
            bytes.iter_mut().zip(junk.iter().cycle()).for_each(|(byte, junk)| *byte ^= junk | 1);
        }
        4 => make_newer(&mut bytes),
        _ => return Some(None),
    }
    let damaged = Blob::from(bytes);
    (damaged != *intact).then_some(Some(damaged))
}

/// A frame as a newer build writes it.
fn make_newer(frame: &mut [u8]) {
    let Some(head) = frame.first_chunk_mut::<HEADER_BYTES>() else { return };
    // Newer than any build of these worlds.
    head[3] = u8::MAX;
    let crc = crc32fast::hash(&head[..HEADER_BYTES - 4]);
    head[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
}
