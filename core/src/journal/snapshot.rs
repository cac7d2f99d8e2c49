//! Owns snapshots: which key ranges changed, and how they are rewritten a few records at a time while changes go on.
//!
//! Why chunks may be taken at different times: a snapshot that begins when the next log entry is `R` reads each
//! changed range from the scheduler's live state some time later. Every batch handed over before `R` was fixed is in
//! what is read; every later one is in an entry from `R` on. Changes are whole-record puts and deletes, so replaying
//! from `R` over a chunk that already holds some of them ends in the same state, provided the log reaches as far as the
//! newest value in any chunk (`as_of`): the manifest is switched only once that is durable. A range that was not
//! rewritten had no change since its chunk was read.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::JournalConfig;
use super::append::FencedOff;
use super::effect::JournalEffect;
use super::entry::{ChunkRef, Manifest, encode_chunk, item_bytes};
use super::frame::{self, HEADER_BYTES, Kind};
use super::input::Records;
use super::lane::{Issuer, Lane};
use super::level::{Levels, Raise};
use super::op::{Blob, ChunkName, Payload, StoreOp, StoreResult};
use crate::record::{Epoch, RecordKey, Seq};
use crate::time::{ClusterTime, Instant};

/// The snapshot that is stored, what changed since, and the next one in the making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshotter {
    /// The manifest holds the one in force.
    pub(super) levels: Levels,
    epoch: Epoch,
    /// Covers all keys: the first begins at the empty key.
    ranges: Vec<Range>,
    manifest_number: u64,
    manifest_crc: u32,
    replay_from: u64,
    bytes: u64,
    next_chunk: u64,
    stage: Stage,
    /// A write whose outcome is unknown, while it is being read back (R94).
    doubt: Option<StoreOp>,
}

/// Keys from `from` to the next range's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Range {
    from: RecordKey,
    /// Where its records are; `None` if it had none.
    chunk: Option<Stored>,
    /// Changed since its chunk was read.
    dirty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    name: ChunkName,
    bytes: u64,
    crc: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Idle,
    /// Looks for chunks that no manifest names.
    Sweeping,
    Collecting(Collect),
    /// All chunks are written; waits until `as_of` is durable.
    Settling {
        next: Next,
        as_of: Seq,
    },
    Switching(Next),
    /// Forgets what the new manifest made superfluous.
    Cleaning {
        garbage: Vec<ChunkName>,
        trimmed: bool,
    },
}

/// Where the log stands when a snapshot begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) replay_from: u64,
    pub(super) epoch: Epoch,
    /// The newest batch in an entry.
    pub(super) seq: Seq,
    pub(super) cluster_time: ClusterTime,
    /// The newest batch handed over.
    pub(super) handed: Seq,
    /// Bytes of the log below.
    pub(super) log_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Collect {
    start: Position,
    /// `ranges[..at]` are dealt with: kept, or part of `open`, or rewritten.
    at: usize,
    /// What `ranges` becomes.
    fresh: Vec<Range>,
    open: Option<Open>,
    asked: bool,
    as_of: Seq,
    garbage: Vec<ChunkName>,
}

/// A chunk being filled. The only record values that the journal ever holds, beside those on their way to the log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    from: RecordKey,
    /// The first key not yet read; `None` once all below `to` are.
    cursor: Option<RecordKey>,
    /// Where the next range begins; `None` at the end of all.
    to: Option<RecordKey>,
    items: Vec<(RecordKey, Vec<u8>)>,
    bytes: usize,
    /// Something already read has changed since.
    dirty: bool,
    /// No more goes in.
    full: bool,
}

/// A manifest about to be switched to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Next {
    /// Its level is decided when it is switched to.
    manifest: Manifest,
    log_bytes: u64,
    bytes: u64,
    garbage: Vec<ChunkName>,
}

impl Next {
    fn encode(&self, level: u8) -> Blob {
        Manifest { level, ..self.manifest.clone() }.encode()
    }
}

impl core::fmt::Debug for Open {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Open {{ from {:?}, {} items, {} B }}", self.from, self.items.len(), self.bytes)
    }
}

impl Open {
    const fn new(from: RecordKey, cursor: RecordKey, to: Option<RecordKey>) -> Self {
        Self {
            from,
            cursor: Some(cursor),
            to,
            items: Vec::new(),
            bytes: HEADER_BYTES,
            dirty: false,
            full: false,
        }
    }

    /// Takes what fits.
    fn take(&mut self, config: &JournalConfig, records: Records) {
        for (key, value) in records.items {
            let before = self.items.last().map_or(&self.from, |(before, _)| before);
            assert!(*before < key || (*before == key && self.items.is_empty()), "records come in key order");
            if self.to.as_ref().is_some_and(|to| *to <= key) {
                self.cursor = None;
                return;
            }
            let bytes = item_bytes(&key, &value);
            if self.bytes + bytes > config.chunk_bytes_max && !self.items.is_empty() {
                self.full = true;
                self.cursor = Some(key);
                return;
            }
            self.bytes += bytes;
            self.items.push((key, value));
        }
        self.cursor = records.next.filter(|next| self.to.as_ref().is_none_or(|to| next < to));
        self.full = self.bytes >= config.chunk_bytes_fill;
    }
}

/// The range that holds `key`.
fn find<'a>(ranges: &'a mut [Range], key: &RecordKey) -> Option<&'a mut Range> {
    let after = ranges.partition_point(|range| range.from <= *key);
    ranges.get_mut(after.checked_sub(1)?)
}

impl Snapshotter {
    /// Nothing is stored. `format` is the newest format level of this build.
    pub(super) fn new(format: u8) -> Self {
        Self {
            levels: Levels::new(format),
            epoch: Epoch(0),
            ranges: Vec::new(),
            manifest_number: 0,
            manifest_crc: 0,
            replay_from: 0,
            bytes: 0,
            next_chunk: 0,
            stage: Stage::Idle,
            doubt: None,
        }
    }

    pub(super) const fn manifest_number(&self) -> u64 {
        self.manifest_number
    }

    pub(super) const fn replay_from(&self) -> u64 {
        self.replay_from
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes a stored manifest for granted. Ranges are dirty if changes behind it have been followed already.
    pub(super) fn adopt(&mut self, manifest: Manifest, crc: u32, dirty: bool) {
        self.levels.follow(manifest.level);
        self.manifest_number = manifest.number;
        self.manifest_crc = crc;
        self.replay_from = manifest.replay_from;
        self.bytes = manifest.chunks.iter().map(|chunk| chunk.bytes).sum();
        let range = |at: ChunkRef| Range {
            from: at.from,
            chunk: Some(Stored { name: at.name, bytes: at.bytes, crc: at.crc }),
            dirty,
        };
        self.ranges = manifest.chunks.into_iter().map(range).collect();
        self.cover_the_beginning(dirty);
    }

    fn cover_the_beginning(&mut self, dirty: bool) {
        let beginning = RecordKey(Vec::new());
        if self.ranges.first().is_none_or(|first| first.from != beginning) {
            self.ranges.insert(0, Range { from: beginning, chunk: None, dirty });
        }
    }

    /// The chunk of the `at`-th range that has one, and where its keys end.
    pub(super) fn chunk(&self, at: usize) -> Option<(ChunkRef, Option<RecordKey>)> {
        let empty_first = usize::from(self.ranges.first().is_some_and(|first| first.chunk.is_none()));
        let range = self.ranges.get(at + empty_first)?;
        let Stored { name, bytes, crc } = range.chunk?;
        let to = self.ranges.get(at + empty_first + 1).map(|next| next.from.clone());
        Some((ChunkRef { from: range.from.clone(), name, bytes, crc }, to))
    }

    /// Notes a change that a chunk may not hold.
    pub(super) fn mark(&mut self, key: &RecordKey) {
        if self.ranges.is_empty() {
            self.cover_the_beginning(false);
        }
        let range = match &mut self.stage {
            Stage::Collecting(collect) => collect.marked(&mut self.ranges, key),
            _ => find(&mut self.ranges, key),
        };
        if let Some(range) = range {
            range.dirty = !mutant!(SnapshotMissesChanges);
        }
    }

    /// Begins to write snapshots: first sweeps what earlier leaders left behind.
    pub(super) fn lead(
        &mut self,
        epoch: Epoch,
        lane: &mut Lane,
        ids: &mut Issuer,
        out: &mut Vec<JournalEffect>,
    ) {
        self.epoch = epoch;
        self.stage = Stage::Sweeping;
        lane.issue(StoreOp::ListChunks, ids, out);
    }

    pub(super) fn is_due(&self, config: &JournalConfig, log_bytes: u64, next_index: u64) -> bool {
        let entries = next_index.saturating_sub(self.replay_from);
        let enough = log_bytes >= config.snapshot_log_bytes.max(self.bytes / 2);
        let grown = entries > 0 && (enough || entries >= config.snapshot_log_entries);
        self.stage == Stage::Idle && (grown || self.levels.next().is_some())
    }

    pub(super) fn begin(&mut self, start: Position) {
        self.stage = Stage::Collecting(Collect {
            start,
            at: 0,
            fresh: Vec::with_capacity(self.ranges.len()),
            open: None,
            asked: false,
            as_of: start.handed,
            garbage: Vec::new(),
        });
    }

    /// Takes records that were asked for; false if they were not.
    pub(super) fn take_records(&mut self, config: &JournalConfig, records: Records) -> bool {
        let Stage::Collecting(collect) = &mut self.stage else { return false };
        let Some(open) = collect.open.as_mut().filter(|open| open.cursor.as_ref() == Some(&records.from))
        else {
            return false;
        };
        if !core::mem::take(&mut collect.asked) {
            return false;
        }
        assert!(
            !records.items.is_empty() || records.next.is_none(),
            "an answer with more to come holds a record"
        );
        collect.as_of = collect.as_of.max(records.as_of);
        open.take(config, records);
        true
    }

    /// Does what can be done now; the lane takes one operation, so each call is bounded by one chunk.
    pub(super) fn advance(
        &mut self,
        config: &JournalConfig,
        durable: Seq,
        durable_index: u64,
        lane: &mut Lane,
        ids: &mut Issuer,
        out: &mut Vec<JournalEffect>,
    ) {
        if !lane.is_idle() {
            return;
        }
        if let Stage::Collecting(collect) = &mut self.stage {
            match collect.advance(config, &mut self.ranges, out) {
                Want::Records => return,
                Want::Write(open) => return self.write_chunk(open, lane, ids, out),
                Want::Nothing => self.settle(),
            }
        }
        if let Stage::Settling { next, as_of } = &self.stage
            && durable >= *as_of
        {
            let next = next.clone();
            lane.issue(self.switch(&next, self.levels.next()), ids, out);
            self.stage = Stage::Switching(next);
        } else if let Stage::Cleaning { garbage, trimmed } = &mut self.stage {
            let epoch = self.epoch;
            if let Some(name) = garbage.pop() {
                lane.issue(StoreOp::DeleteChunk { epoch, name }, ids, out);
            } else if !core::mem::replace(trimmed, true) {
                // The newest durable entry stays, so that a late append cannot pass for the first of an empty log.
                let below = self.replay_from.min(durable_index.saturating_sub(1));
                lane.issue(StoreOp::Trim { epoch, below }, ids, out);
            } else {
                self.stage = Stage::Idle;
            }
        }
    }

    /// Switches to the next manifest, and raises the format level with it if that may rise.
    fn switch(&self, next: &Next, raise: Option<Raise>) -> StoreOp {
        let manifest = next.encode(raise.map_or_else(|| self.levels.written(), |raise| raise.level));
        let joined = raise.and_then(|raise| raise.joined);
        StoreOp::SwitchManifest { epoch: self.epoch, expected: self.manifest_number, joined, manifest }
    }

    fn write_chunk(&mut self, open: Open, lane: &mut Lane, ids: &mut Issuer, out: &mut Vec<JournalEffect>) {
        let Stage::Collecting(collect) = &mut self.stage else { return };
        let name = ChunkName { epoch: self.epoch, number: self.next_chunk };
        self.next_chunk += 1;
        let bytes = encode_chunk(self.levels.written(), name, open.items);
        let stored =
            Stored { name, bytes: bytes.as_slice().len() as u64, crc: crc32fast::hash(bytes.as_slice()) };
        collect.fresh.push(Range { from: open.from, chunk: Some(stored), dirty: open.dirty });
        lane.issue(StoreOp::WriteChunk { epoch: self.epoch, name, bytes }, ids, out);
    }

    /// All ranges are dealt with: makes the manifest.
    fn settle(&mut self) {
        let Stage::Collecting(collect) = core::mem::take(&mut self.stage) else { return };
        let Collect { start, fresh, as_of, garbage, .. } = collect;
        self.ranges = fresh;
        let chunk = |range: &Range| {
            let Stored { name, bytes, crc } = range.chunk?;
            Some(ChunkRef { from: range.from.clone(), name, bytes, crc })
        };
        let manifest = Manifest {
            level: self.levels.written(),
            number: self.manifest_number + 1,
            replay_from: start.replay_from,
            epoch: start.epoch,
            seq: start.seq,
            cluster_time: start.cluster_time,
            chunks: self.ranges.iter().filter_map(chunk).collect(),
            previous_crc: self.manifest_crc,
        };
        let bytes = manifest.chunks.iter().map(|chunk| chunk.bytes).sum();
        let next = Next { manifest, log_bytes: start.log_bytes, bytes, garbage };
        self.stage = Stage::Settling { next, as_of };
    }

    /// Takes the answer to an operation of the lane. `log_bytes` is what a recovery would replay.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        op: StoreOp,
        result: StoreResult,
        log_bytes: &mut u64,
        lane: &mut Lane,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), FencedOff> {
        let payload = match result {
            StoreResult::Fenced => return Err(FencedOff),
            StoreResult::Done(payload) => payload,
            StoreResult::FailedClean(why) => {
                out.push(JournalEffect::Trouble(alloc::format!("a snapshot cannot be stored: {why}")));
                if is_needed(&op) {
                    lane.later(now, op);
                } else {
                    self.give_up_sweep();
                }
                return Ok(());
            }
            StoreResult::Unknown(why) => {
                out.push(JournalEffect::Trouble(alloc::format!(
                    "a snapshot may not have been stored: {why}"
                )));
                self.read_back(now, op, lane);
                return Ok(());
            }
            StoreResult::Conflict => {
                self.read_back(now, op, lane);
                return Ok(());
            }
        };
        lane.succeeded();
        if let Some(doubted) = self.doubt.take() {
            return self.resolve(now, doubted, payload, log_bytes, lane);
        }
        match (payload, op) {
            (Payload::Chunks(names), _) if self.stage == Stage::Sweeping => self.sweep(names),
            (_, StoreOp::SwitchManifest { manifest, .. }) => self.switched(&manifest, log_bytes),
            _ => self.give_up_sweep(),
        }
        Ok(())
    }

    /// Reads what an operation of unknown outcome may have written; what is not needed is left as it is.
    fn read_back(&mut self, now: Instant, op: StoreOp, lane: &mut Lane) {
        match op {
            StoreOp::WriteChunk { name, .. } => {
                lane.later(now, StoreOp::ReadChunk { name });
                self.doubt = Some(op);
            }
            StoreOp::SwitchManifest { .. } => {
                lane.later(now, StoreOp::ReadManifest);
                self.doubt = Some(op);
            }
            StoreOp::ReadChunk { .. } | StoreOp::ReadManifest => lane.later(now, op),
            _ => self.give_up_sweep(),
        }
    }

    fn give_up_sweep(&mut self) {
        if self.stage == Stage::Sweeping {
            self.stage = Stage::Idle;
        }
    }

    fn resolve(
        &mut self,
        now: Instant,
        doubted: StoreOp,
        payload: Payload,
        log_bytes: &mut u64,
        lane: &mut Lane,
    ) -> Result<(), FencedOff> {
        match (&doubted, payload) {
            (StoreOp::WriteChunk { bytes, .. }, Payload::Chunk(Some(stored))) if stored == *bytes => {}
            (StoreOp::SwitchManifest { .. }, Payload::Manifest(stored)) => {
                return self.resolve_switch(now, doubted, stored, log_bytes, lane);
            }
            _ => lane.later(now, doubted),
        }
        Ok(())
    }

    /// The manifest was read after a switch in doubt. One that would have raised the level is tried again without that:
    /// somebody may have joined the register. Should it take effect later than that, it is still one of ours (R94).
    fn resolve_switch(
        &mut self,
        now: Instant,
        doubted: StoreOp,
        stored: Option<Blob>,
        log_bytes: &mut u64,
        lane: &mut Lane,
    ) -> Result<(), FencedOff> {
        let Stage::Switching(next) = &self.stage else { return Ok(()) };
        let level = self.levels.written();
        if let Some(stored) =
            stored.as_ref().filter(|stored| [level, level + 1].iter().any(|at| next.encode(*at) == **stored))
        {
            self.switched(stored, log_bytes);
            return Ok(());
        }
        if stored.map_or(0, |blob| crc32fast::hash(blob.as_slice())) != self.manifest_crc {
            return Err(FencedOff);
        }
        let again = if matches!(doubted, StoreOp::SwitchManifest { joined: Some(_), .. }) {
            let again = self.switch(next, None);
            self.levels.forget_readers();
            again
        } else {
            doubted
        };
        lane.later(now, again);
        Ok(())
    }

    fn switched(&mut self, manifest: &Blob, log_bytes: &mut u64) {
        let Stage::Switching(next) = core::mem::take(&mut self.stage) else { return };
        self.levels.follow(level_of(manifest));
        self.manifest_number += 1;
        self.manifest_crc = crc32fast::hash(manifest.as_slice());
        self.replay_from = next.manifest.replay_from;
        self.bytes = next.bytes;
        *log_bytes = log_bytes.saturating_sub(next.log_bytes);
        self.stage = Stage::Cleaning { garbage: next.garbage, trimmed: false };
    }

    fn sweep(&mut self, names: Vec<ChunkName>) {
        let mut used: Vec<ChunkName> =
            self.ranges.iter().filter_map(|range| Some(range.chunk?.name)).collect();
        used.sort_unstable();
        let garbage = names.into_iter().filter(|name| used.binary_search(name).is_err()).collect();
        self.stage = Stage::Cleaning { garbage, trimmed: false };
    }
}

/// The format level of a manifest of our own.
fn level_of(manifest: &Blob) -> u8 {
    let header = frame::header(Kind::Manifest, manifest.as_slice());
    header.expect("what was encoded here has a sound header").level
}

/// Whether a snapshot depends on this; what else fails is left to the next one.
const fn is_needed(op: &StoreOp) -> bool {
    !matches!(op, StoreOp::DeleteChunk { .. } | StoreOp::Trim { .. } | StoreOp::ListChunks)
}

enum Want {
    /// Records were asked for.
    Records,
    Write(Open),
    /// All ranges are dealt with.
    Nothing,
}

impl Collect {
    /// The range that must be rewritten by the next snapshot because `key` changes now; `None` if this one reads it
    /// later.
    fn marked<'a>(&'a mut self, ranges: &'a mut [Range], key: &RecordKey) -> Option<&'a mut Range> {
        if let Some(open) = &mut self.open {
            if *key < open.from {
                return find(&mut self.fresh, key);
            }
            if open.to.as_ref().is_none_or(|to| key < to) {
                // What was asked for may have been read before this change, and not yet be here.
                open.dirty |= self.asked || open.cursor.as_ref().is_none_or(|cursor| key < cursor);
                return None;
            }
        } else if ranges.get(self.at).is_none_or(|next| *key < next.from) {
            return find(&mut self.fresh, key);
        }
        find(&mut ranges[self.at..], key)
    }

    fn advance(
        &mut self,
        config: &JournalConfig,
        ranges: &mut [Range],
        out: &mut Vec<JournalEffect>,
    ) -> Want {
        loop {
            let Some(open) = &mut self.open else {
                let Some(range) = ranges.get_mut(self.at) else { return Want::Nothing };
                if range.dirty {
                    let from = range.from.clone();
                    let to = self.consume(ranges);
                    self.open = Some(Open::new(from.clone(), from, to));
                } else {
                    self.fresh.push(range.clone());
                    self.at += 1;
                }
                continue;
            };
            let merges = |next: &&Range| {
                let bytes = next.chunk.map_or(0, |chunk| chunk.bytes as usize);
                next.dirty || open.bytes + bytes <= config.chunk_bytes_merge
            };
            match &open.cursor {
                Some(cursor) if !open.full => {
                    if !core::mem::replace(&mut self.asked, true) {
                        let (from, to) = (cursor.clone(), open.to.clone());
                        out.push(JournalEffect::NeedRecords {
                            from,
                            to,
                            max_bytes: config.records_ask_bytes,
                        });
                    }
                    return Want::Records;
                }
                None if !open.full && ranges.get(self.at).filter(merges).is_some() => {
                    open.cursor = open.to.take();
                    let to = self.consume(ranges);
                    if let Some(open) = &mut self.open {
                        open.to = to;
                    }
                }
                _ => {
                    if let Some(open) = self.close() {
                        return Want::Write(open);
                    }
                }
            }
        }
    }

    /// Makes the next range part of the open chunk; returns where it ends.
    fn consume(&mut self, ranges: &[Range]) -> Option<RecordKey> {
        self.garbage.extend(ranges[self.at].chunk.map(|chunk| chunk.name));
        self.at += 1;
        ranges.get(self.at).map(|next| next.from.clone())
    }

    /// Ends the open chunk, and opens the next if its range goes on; returns it unless it is empty.
    fn close(&mut self) -> Option<Open> {
        let open = self.open.take()?;
        if let Some(cursor) = &open.cursor {
            self.open = Some(Open::new(cursor.clone(), cursor.clone(), open.to.clone()));
        }
        if !open.items.is_empty() {
            return Some(open);
        }
        match self.fresh.last_mut() {
            Some(before) => before.dirty |= open.dirty,
            None => self.fresh.push(Range { from: open.from, chunk: None, dirty: open.dirty }),
        }
        None
    }
}
