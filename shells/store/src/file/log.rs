//! Owns the log on disk: entries one after the other in segment files named by their first index.

use std::fs::File;
use std::os::unix::fs::FileExt;

use swan_core::journal::frame::{self, HEADER_BYTES, Kind};
use swan_core::journal::{Blob, LogPart, Payload, StoreResult};

use super::disk::{Directory, private_file};
use super::mark::Mark;
use crate::error::StoreError;

pub(crate) const PREFIX: &str = "log-";
/// A segment of this size is followed by a new one.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of an item whose end cannot be told.
const REST_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Log {
    /// The first indexes of all segments, ascending.
    segments: Vec<u64>,
    /// The last segment.
    tail: Option<Tail>,
    mark: Mark,
    /// Where a read ended, since the next one mostly goes on there.
    cursor: Option<Place>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    /// Bytes of entries that are there; more may follow in the file until `next` is known.
    bytes: u64,
    /// The index of the next entry; `None` until a cut says where the log ends.
    next: Option<u64>,
}

/// An entry's place.
#[derive(Clone, Copy, Debug)]
struct Place {
    segment: u64,
    index: u64,
    offset: u64,
}

fn name(first: u64) -> String {
    format!("{PREFIX}{first:016x}")
}

impl Log {
    pub(crate) fn open(dir: &Directory, names: &[String]) -> Result<Self, StoreError> {
        let first = |name: &String| u64::from_str_radix(name.strip_prefix(PREFIX)?, 16).ok();
        let mut segments: Vec<u64> = names.iter().filter_map(first).collect();
        segments.sort_unstable();
        let mark = Mark::open(dir)?;
        let mut log = Self { segments, tail: None, mark, cursor: None };
        if let Some(&last) = log.segments.last() {
            let file = log.segment(dir, last)?;
            // What an earlier process wrote and did not sync is read and acted upon from now on.
            file.sync_all().map_err(|error| dir.error("sync", &name(last), error))?;
            let bytes = length(dir, last, &file)?;
            log.tail = Some(Tail { file, bytes, next: None });
            dir.sync()?;
        }
        Ok(log)
    }

    fn segment(&self, dir: &Directory, first: u64) -> Result<File, StoreError> {
        private_file().open(dir.path(&name(first))).map_err(|error| dir.error("open", &name(first), error))
    }

    /// Where the next entry goes; `None` if a cut must say first.
    fn next(&self) -> Option<u64> {
        match &self.tail {
            None => self.segments.is_empty().then_some(0),
            Some(tail) => tail.next,
        }
    }

    /// Appends what follows the log's end and each other, with one fsync; one answer for each.
    pub(crate) fn append<'a>(
        &mut self,
        dir: &Directory,
        entries: impl Iterator<Item = (u64, &'a Blob)>,
    ) -> Vec<StoreResult> {
        let (mut group, mut fitting, mut answers) = (Vec::new(), 0, 0_usize);
        let mut next = self.next();
        for (index, entry) in entries {
            answers += 1;
            if next == Some(index) && fitting + 1 == answers {
                group.extend_from_slice(entry.as_slice());
                next = Some(index + 1);
                fitting += 1;
            }
        }
        let result = match next {
            Some(next) if fitting > 0 => match self.write(dir, next - fitting as u64, &group, next) {
                Ok(()) => StoreResult::Done(Payload::Nothing),
                Err(error) => StoreResult::FailedClean(error.to_string()),
            },
            _ => StoreResult::Conflict,
        };
        let conflicts = std::iter::repeat_n(StoreResult::Conflict, answers - fitting);
        std::iter::repeat_n(result, fitting).chain(conflicts).collect()
    }

    /// Writes a group behind the last entry. If it fails, the group is not there: nothing of it is ever read by this
    /// process, and the next group overwrites it in pages that are synced anew.
    fn write(&mut self, dir: &Directory, first: u64, group: &[u8], next: u64) -> Result<(), StoreError> {
        if self.tail.as_ref().is_none_or(|tail| tail.bytes >= SEGMENT_BYTES) {
            self.roll(dir, first)?;
        }
        let segment = self.segments.last().copied().unwrap_or_default();
        let tail = self.tail.as_mut().expect("a segment was opened");
        let write = || {
            tail.file.write_all_at(group, tail.bytes)?;
            tail.file.sync_data()
        };
        if let Err(error) = write() {
            // Best effort: what stays beyond the end is overwritten, or cut by the next leader.
            let _ = tail.file.set_len(tail.bytes).and_then(|()| tail.file.sync_data());
            return Err(dir.error("write", &name(segment), error));
        }
        tail.bytes += group.len() as u64;
        tail.next = Some(next);
        self.mark.note(next);
        Ok(())
    }

    fn roll(&mut self, dir: &Directory, first: u64) -> Result<(), StoreError> {
        self.mark.sync(dir)?;
        let error = |error| dir.error("create", &name(first), error);
        let file = private_file().create(true).truncate(true).open(dir.path(&name(first))).map_err(error)?;
        dir.sync()?;
        if self.segments.last() != Some(&first) {
            self.segments.push(first);
        }
        self.tail = Some(Tail { file, bytes: 0, next: Some(first) });
        Ok(())
    }

    pub(crate) fn sync_mark(&mut self, dir: &Directory) -> Result<(), StoreError> {
        self.mark.sync(dir)
    }

    /// Removes entries from `from` on; false if the log does not reach so far.
    pub(crate) fn cut(&mut self, dir: &Directory, from: u64) -> Result<bool, StoreError> {
        self.cursor = None;
        let Some(place) = self.find(dir, from)? else { return Ok(self.segments.is_empty() && from == 0) };
        while let Some(&last) = self.segments.last().filter(|last| **last > place.segment) {
            self.tail = None;
            dir.remove(&name(last))?;
            self.segments.pop();
        }
        let file = self.segment(dir, place.segment)?;
        file.set_len(place.offset)
            .and_then(|()| file.sync_all())
            .map_err(|error| dir.error("cut", &name(place.segment), error))?;
        self.tail = Some(Tail { file, bytes: place.offset, next: Some(from) });
        self.mark.note(from);
        self.mark.sync(dir)?;
        Ok(true)
    }

    /// Removes segments of which every entry is below `below`.
    pub(crate) fn trim(&mut self, dir: &Directory, below: u64) -> Result<(), StoreError> {
        while self.segments.get(1).is_some_and(|second| *second <= below) {
            dir.remove(&name(self.segments[0]))?;
            self.segments.remove(0);
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, dir: &Directory, from: u64, max_bytes: u64) -> Result<LogPart, StoreError> {
        let durable = self.mark.durable();
        let begins = self.segments.first().copied().unwrap_or_default();
        let mut part = LogPart { first: from.max(begins), begins, entries: Vec::new(), end: true, durable };
        let known = self.cursor.filter(|cursor| cursor.index == part.first);
        let Some(mut place) = (match known {
            Some(cursor) => Some(cursor),
            None => self.find(dir, part.first)?,
        }) else {
            return Ok(part);
        };
        let next_segment = self.segments.iter().copied().find(|segment| *segment > place.segment);
        let (file, bytes) = self.extent(dir, place.segment)?;
        let mut taken = 0;
        while place.offset < bytes && (part.entries.is_empty() || taken < max_bytes) {
            let (entry, sound) = read_entry(dir, place, &file, bytes)?;
            taken += entry.as_slice().len() as u64;
            part.entries.push(entry);
            if !sound {
                // Nothing behind it can be found.
                part.end = next_segment.is_none();
                return Ok(part);
            }
            place.offset += part.entries.last().map_or(0, |entry| entry.as_slice().len() as u64);
            place.index += 1;
        }
        self.cursor = Some(place);
        part.end = place.offset >= bytes && next_segment.is_none();
        if part.entries.is_empty() && next_segment.is_some() {
            return self.read_next_segment(dir, next_segment, max_bytes);
        }
        Ok(part)
    }

    fn read_next_segment(
        &mut self,
        dir: &Directory,
        next: Option<u64>,
        max_bytes: u64,
    ) -> Result<LogPart, StoreError> {
        let segment = next.unwrap_or_default();
        self.cursor = Some(Place { segment, index: segment, offset: 0 });
        self.read(dir, segment, max_bytes)
    }

    /// A segment and how many of its bytes are entries.
    fn extent(&self, dir: &Directory, segment: u64) -> Result<(File, u64), StoreError> {
        let file = self.segment(dir, segment)?;
        let bytes = match &self.tail {
            Some(tail) if self.segments.last() == Some(&segment) => tail.bytes,
            _ => length(dir, segment, &file)?,
        };
        Ok((file, bytes))
    }

    /// Where the entry `index` is, or would be; `None` if the log ends before.
    fn find(&self, dir: &Directory, index: u64) -> Result<Option<Place>, StoreError> {
        let after = self.segments.partition_point(|segment| *segment <= index);
        let Some(&segment) = after.checked_sub(1).and_then(|at| self.segments.get(at)) else {
            return Ok(None);
        };
        let (file, bytes) = self.extent(dir, segment)?;
        let mut place = Place { segment, index: segment, offset: 0 };
        while place.index < index {
            let mut head = [0; HEADER_BYTES];
            if place.offset + HEADER_BYTES as u64 > bytes
                || file.read_exact_at(&mut head, place.offset).is_err()
            {
                break;
            }
            let Ok(header) = frame::header(Kind::Entry, &head) else { break };
            place.offset += header.frame_bytes as u64;
            place.index += 1;
        }
        let next_segment = self.segments.get(after).copied();
        match next_segment {
            _ if place.index == index && place.offset <= bytes => Ok(Some(place)),
            // A hole: the reader is given what follows, and sees that it does not fit.
            Some(segment) => Ok(Some(Place { segment, index: segment, offset: 0 })),
            None => Ok(None),
        }
    }
}

fn length(dir: &Directory, segment: u64, file: &File) -> Result<u64, StoreError> {
    Ok(file.metadata().map_err(|error| dir.error("read", &name(segment), error))?.len())
}

/// The entry at `place`, and whether its end could be told.
fn read_entry(dir: &Directory, place: Place, file: &File, bytes: u64) -> Result<(Blob, bool), StoreError> {
    let rest = bytes - place.offset;
    let error = |error| dir.error("read", &name(place.segment), error);
    let mut entry = vec![0; rest.min(HEADER_BYTES as u64) as usize];
    file.read_exact_at(&mut entry, place.offset).map_err(error)?;
    let announced = frame::header(Kind::Entry, &entry).ok().map(|header| header.frame_bytes as u64);
    let whole = announced.filter(|announced| *announced <= rest);
    entry.resize(whole.unwrap_or_else(|| rest.min(REST_BYTES_MAX)) as usize, 0);
    file.read_exact_at(&mut entry, place.offset).map_err(error)?;
    Ok((entry.into(), whole.is_some()))
}
