//! Owns the mark: how far the log was durable at least. It tells a torn write from damage done later.
//!
//! It is written after each fsync of the log, not synced by itself: after a crash of the process it is exact, after a
//! loss of power it may lag, and then damage above it passes for a torn write. Two slots are written in turn, each in
//! a sector of its own.

use std::fs::File;
use std::os::unix::fs::FileExt;

use swan_core::journal::frame::{self, HEADER_BYTES, Kind};

use super::disk::{Directory, private_file};
use crate::error::StoreError;

const NAME: &str = "mark";
const SLOT_BYTES: u64 = 4096;

#[derive(Debug)]
pub(crate) struct Mark {
    file: File,
    durable: u64,
    slot: u64,
}

/// Writes the mark of an empty log.
pub(crate) fn create(dir: &Directory) -> Result<(), StoreError> {
    let slot = frame::seal_number(Kind::Mark, 0);
    let mut both = slot.clone();
    both.resize(SLOT_BYTES as usize, 0);
    both.extend_from_slice(&slot);
    dir.replace(NAME, &both)
}

impl Mark {
    pub(crate) fn open(dir: &Directory) -> Result<Self, StoreError> {
        let file = match private_file().open(dir.path(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(dir.damaged(NAME, "is missing"));
            }
            Err(error) => return Err(dir.error("open", NAME, error)),
        };
        let read = |slot: u64| {
            let mut bytes = [0; HEADER_BYTES];
            file.read_exact_at(&mut bytes, slot * SLOT_BYTES).ok()?;
            frame::open_number(Kind::Mark, &bytes).ok().map(|number| (number, slot))
        };
        let newest = [0, 1].into_iter().filter_map(read).max();
        let Some((durable, slot)) = newest else { return Err(dir.damaged(NAME, "is unreadable")) };
        Ok(Self { file, durable, slot })
    }

    /// Entries below this index were durable.
    pub(crate) const fn durable(&self) -> u64 {
        self.durable
    }

    /// Notes that the log is durable up to here. A mark that cannot be written lags, which is harmless; it never
    /// runs ahead.
    pub(crate) fn note(&mut self, durable: u64) {
        let slot = 1 - self.slot;
        if self.file.write_all_at(&frame::seal_number(Kind::Mark, durable), slot * SLOT_BYTES).is_ok() {
            self.slot = slot;
        }
        self.durable = durable;
    }

    /// Makes the mark durable, exactly.
    pub(crate) fn sync(&mut self, dir: &Directory) -> Result<(), StoreError> {
        let bytes = frame::seal_number(Kind::Mark, self.durable);
        let write = || {
            self.file.write_all_at(&bytes, (1 - self.slot) * SLOT_BYTES)?;
            self.file.sync_data()
        };
        write().map_err(|error| dir.error("write", NAME, error))?;
        self.slot = 1 - self.slot;
        Ok(())
    }
}
