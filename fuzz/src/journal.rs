//! Owns the bodies for what a journal finds stored: single frames, and whole recoveries.

use swan_core::journal::frame::{FORMAT_LEVEL, Kind, seal};
use swan_core::journal::{
    Blob, ChunkName, ChunkRef, Entry, Journal, JournalConfig, JournalEffect, JournalInput, LogPart, Manifest,
    Payload, Records, StoreOp, StoreResult,
};
use swan_core::record::{Epoch, RecordKey, Seq};
use swan_core::time::{Instant, Now, Timestamp};

/// Storage operations that one recovery may take before it counts as stuck in retries, which is allowed.
const OPERATIONS_MAX: usize = 256;

/// Entries and manifests: any bytes, and any body in a sound frame.
pub fn journal_frames(data: &[u8]) {
    let index = data.first().map_or(0, |&byte| u64::from(byte));
    let sealed = |kind| seal(kind, FORMAT_LEVEL, index, data.get(1..).unwrap_or_default());
    for bytes in [data.to_vec(), sealed(Kind::Entry)] {
        if let Ok(entry) = Entry::decode(FORMAT_LEVEL, index, &bytes) {
            assert_eq!(Entry::decode(FORMAT_LEVEL, index, entry.clone().encode(index).as_slice()), Ok(entry));
        }
    }
    for bytes in [data.to_vec(), sealed(Kind::Manifest)] {
        if let Ok(manifest) = Manifest::decode(FORMAT_LEVEL, &bytes) {
            assert_eq!(Manifest::decode(FORMAT_LEVEL, manifest.encode().as_slice()), Ok(manifest));
        }
    }
    if let Ok(text) = core::str::from_utf8(data)
        && let Some(name) = ChunkName::parse(text)
    {
        assert_eq!(name.to_string(), text);
    }
}

/// A recovery and a take-over from a store that holds and answers whatever the bytes say. While nothing is on its way,
/// time passes, or a client asks that it reads on.
pub fn journal_recovery(data: &[u8]) {
    let mut store = Store { script: data, chunks: Vec::new(), asked: false };
    let mut journal = Journal::new(JournalConfig::default());
    let mut inputs = vec![JournalInput::Boot, JournalInput::Lead];
    let mut now = Now { mono: Instant(0), wall: Timestamp(0) };
    for _ in 0..OPERATIONS_MAX {
        let mut effects = Vec::new();
        for input in inputs.drain(..) {
            journal.step(now, input, &mut effects);
        }
        for effect in effects {
            match effect {
                JournalEffect::Op { id, op } => {
                    inputs.push(JournalInput::Result { id, result: store.answer(op) })
                }
                JournalEffect::NeedRecords { from, .. } => {
                    let as_of = journal.view().durable;
                    inputs.push(JournalInput::Records(Records {
                        from,
                        items: Vec::new(),
                        next: None,
                        as_of,
                    }));
                }
                JournalEffect::Refused(refusal) => assert!(!refusal.to_string().is_empty()),
                _ => {}
            }
        }
        if inputs.is_empty() {
            if core::mem::take(&mut store.asked) {
                inputs.push(JournalInput::Follow);
                continue;
            }
            let Some(deadline) = journal.next_deadline() else { break };
            now.mono = now.mono.max(deadline);
            inputs.push(JournalInput::Wake);
        }
    }
    assert_eq!(Journal::thaw(&journal.freeze()).as_ref(), Some(&journal));
}

/// A store whose content and answers are read from a script of items; when it ends, everything is empty and succeeds.
struct Store<'a> {
    script: &'a [u8],
    chunks: Vec<(ChunkName, Blob)>,
    /// A client waits for what the leader did, as the last item said.
    asked: bool,
}

/// A tag byte (its third highest bit: a client waits then), a number (8 bytes if the tag's highest bit is set, else 1), a length (2 bytes if the next bit is set,
/// else 1), and so many bytes. Sound frames are made of it where the lowest bit is set.
struct Item<'a> {
    tag: u8,
    number: u64,
    body: &'a [u8],
}

impl Item<'_> {
    fn framed(&self, kind: Kind, number: u64) -> Blob {
        if self.tag & 1 == 0 {
            self.body.to_vec().into()
        } else {
            seal(kind, FORMAT_LEVEL, number, self.body).into()
        }
    }
}

impl<'a> Store<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.script.split_at_checked(length)?;
        self.script = rest;
        Some(taken)
    }

    fn item(&mut self) -> Option<Item<'a>> {
        let tag = self.take(1)?[0];
        self.asked = tag & 0x20 != 0;
        let little_endian =
            |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        let number = little_endian(self.take(if tag & 0x80 == 0 { 1 } else { 8 })?);
        let length = little_endian(self.take(if tag & 0x40 == 0 { 1 } else { 2 })?);
        Some(Item { tag, number, body: self.take(length as usize)? })
    }

    fn answer(&mut self, op: StoreOp) -> StoreResult {
        let Some(item) = self.item() else { return StoreResult::Done(self.nothing(&op)) };
        match item.tag >> 2 & 7 {
            1 => StoreResult::Conflict,
            2 => StoreResult::FailedClean("as scripted".to_owned()),
            3 => StoreResult::Unknown("as scripted".to_owned()),
            4 => StoreResult::Fenced,
            5 => StoreResult::Done(Payload::Nothing),
            _ => StoreResult::Done(self.something(&op, &item)),
        }
    }

    fn nothing(&self, op: &StoreOp) -> Payload {
        match op {
            StoreOp::ReadEpoch => Payload::Epoch(Epoch(0)),
            StoreOp::ReadLog { from, .. } => {
                Payload::Log(LogPart { first: *from, begins: 0, entries: Vec::new(), end: true, durable: 0 })
            }
            StoreOp::ReadChunk { name } => {
                let known = self.chunks.iter().find(|(known, _)| known == name);
                Payload::Chunk(known.map(|(_, blob)| blob.clone()))
            }
            StoreOp::ListChunks => Payload::Chunks(self.chunks.iter().map(|(name, _)| *name).collect()),
            StoreOp::ReadManifest => Payload::Manifest(None),
            _ => Payload::Nothing,
        }
    }

    fn something(&mut self, op: &StoreOp, item: &Item<'_>) -> Payload {
        match op {
            StoreOp::ReadEpoch => Payload::Epoch(Epoch(item.number)),
            StoreOp::ReadLog { from, .. } => self.log(*from, item),
            StoreOp::ReadChunk { .. } if item.body.is_empty() => self.nothing(op),
            StoreOp::ReadChunk { name } => Payload::Chunk(Some(item.framed(Kind::Chunk, name.number))),
            StoreOp::ReadManifest if item.tag & 2 == 0 => {
                Payload::Manifest(Some(item.framed(Kind::Manifest, item.number)))
            }
            StoreOp::ReadManifest => Payload::Manifest(Some(self.snapshot(item))),
            _ => self.nothing(op),
        }
    }

    /// As many entries as the item's number says, each an item of its own.
    fn log(&mut self, from: u64, item: &Item<'_>) -> Payload {
        let mut entries = Vec::new();
        for index in 0..item.number.min(8) {
            let Some(entry) = self.item() else { break };
            entries.push(entry.framed(Kind::Entry, from.wrapping_add(index)));
        }
        let skipped = item.body.first().map_or(0, |&byte| u64::from(byte));
        let durable = item.body.get(1).map_or(0, |&byte| u64::from(byte));
        let end = item.tag & 2 == 0;
        let first = from.saturating_add(skipped);
        let begins = if skipped > 0 { first } else { 0 };
        Payload::Log(LogPart { first, begins, entries, end, durable })
    }

    /// A sound manifest of as many chunks as the item's number says, each an item of its own.
    fn snapshot(&mut self, item: &Item<'_>) -> Blob {
        let mut manifest = Manifest { number: 1, replay_from: 1, seq: Seq(1), ..Manifest::default() };
        for number in 0..item.number.min(8) {
            let Some(chunk) = self.item() else { break };
            let name = ChunkName { epoch: Epoch(1), number };
            let blob = chunk.framed(Kind::Chunk, number);
            let from = RecordKey(if number == 0 { Vec::new() } else { vec![chunk.number as u8] });
            let (bytes, crc) = (blob.as_slice().len() as u64, crc32fast::hash(blob.as_slice()));
            manifest.chunks.push(ChunkRef { from, name, bytes, crc });
            self.chunks.push((name, blob));
        }
        manifest.encode()
    }
}
