//! Owns crash notes: one small file for each step that ended a process, the newest few kept.

use std::path::Path;

use swan_core::limits::CRASH_NOTES_MAX;
use swan_core::scheduler::input::CrashNote;

use super::disk::Directory;
use crate::error::StoreError;

const PREFIX: &str = "crash-";
const NOTE_BYTES_MAX: u64 = 64 * 1024;

/// The crash notes in a journal's directory. Needs no lock: a process that is about to end writes one beside its store.
#[derive(Debug)]
pub struct CrashNotes {
    dir: Directory,
}

impl CrashNotes {
    /// Those of the journal in `path`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { dir: Directory::create(path)? })
    }

    fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let number = |name: &String| u64::from_str_radix(name.strip_prefix(PREFIX)?, 16).ok();
        Ok(self.dir.names()?.iter().filter_map(number).collect())
    }

    /// Writes a note, durably, and forgets the oldest beyond `CRASH_NOTES_MAX`.
    pub fn write(&self, note: &CrashNote) -> Result<(), StoreError> {
        let numbers = self.numbers()?;
        let next = numbers.last().map_or(0, |last| last + 1);
        let bytes = postcard::to_allocvec(note).expect("a note is plain data");
        self.dir.replace(&file(next), &bytes)?;
        let kept = CRASH_NOTES_MAX - 1;
        for number in &numbers[..numbers.len().saturating_sub(kept)] {
            self.dir.remove(&file(*number))?;
        }
        Ok(())
    }

    /// The newest notes, oldest first. One that cannot be read is left out: it must not keep Swan from starting.
    pub fn read(&self) -> Result<Vec<CrashNote>, StoreError> {
        let numbers = self.numbers()?;
        let mut notes = Vec::new();
        for number in &numbers[numbers.len().saturating_sub(CRASH_NOTES_MAX)..] {
            let bytes = self.dir.read(&file(*number), NOTE_BYTES_MAX)?.unwrap_or_default();
            notes.extend(postcard::from_bytes::<CrashNote>(&bytes).ok());
        }
        Ok(notes)
    }
}

fn file(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}
