//! Owns what the store's tests share: a scratch directory, and a writer whose every state can be told from its number.

#![allow(dead_code, unreachable_pub, missing_debug_implementations)]

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use swan_core::journal::{Journal, JournalConfig, JournalEffect, JournalInput, OpId, Records, StoreOp};
use swan_core::record::{Op, RecordKey, Seq};
use swan_core::scheduler::input::StoreEvent;
use swan_core::time::{Instant, Now};
use swan_store::FileStore;

pub type Map = BTreeMap<RecordKey, Vec<u8>>;

/// A directory that goes when the test ends well.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("swan-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// So small that snapshots happen all the time.
pub fn tiny() -> JournalConfig {
    JournalConfig {
        snapshot_log_bytes: 4_000,
        snapshot_log_entries: 64,
        chunk_bytes_max: 1_500,
        chunk_bytes_fill: 800,
        chunk_bytes_merge: 400,
        records_ask_bytes: 300,
        ..JournalConfig::default()
    }
}

/// The change that batch `seq` makes.
pub fn change(seq: Seq) -> Vec<Op> {
    let key = |n: u64| RecordKey(format!("key-{:02}", n % 37).into_bytes());
    let put = Op {
        key: key(seq.0 * 7),
        value: Some(format!("{}-{}", seq.0, "x".repeat((seq.0 % 90) as usize)).into()),
    };
    vec![put, Op { key: key(seq.0 * 11 + 3), value: None }]
}

/// The state after batch `seq`.
pub fn state(seq: Seq) -> Map {
    let mut map = Map::new();
    for n in 1..=seq.0 {
        apply(&mut map, change(Seq(n)));
    }
    map
}

pub fn apply(map: &mut Map, ops: Vec<Op>) {
    for op in ops {
        match op.value {
            Some(value) => drop(map.insert(op.key, value)),
            None => drop(map.remove(&op.key)),
        }
    }
}

/// A journal, its store, and a scheduler that is a map.
pub struct Writer {
    pub journal: Journal,
    pub store: FileStore,
    pub records: Map,
    pub handed: Seq,
    pub stored: Seq,
    /// Appends that are made but not executed, if wanted so.
    pub held: Option<Vec<(OpId, StoreOp)>>,
}

impl Writer {
    /// Recovers and leads; the error is the text for people.
    pub fn open(path: &Path, config: JournalConfig) -> Result<Self, String> {
        let store = FileStore::open(path).map_err(|error| error.to_string())?;
        let journal = Journal::new(config);
        let (handed, stored) = (Seq(0), Seq(0));
        let mut writer = Self { journal, store, records: Map::new(), handed, stored, held: None };
        writer.drive([JournalInput::Boot, JournalInput::Lead])?;
        Ok(writer)
    }

    pub fn write_next(&mut self) -> Result<(), String> {
        self.handed = self.handed.next();
        apply(&mut self.records, change(self.handed));
        self.drive([JournalInput::Store { seq: self.handed, ops: change(self.handed) }])
    }

    fn drive(&mut self, inputs: impl IntoIterator<Item = JournalInput>) -> Result<(), String> {
        let mut inputs: VecDeque<JournalInput> = inputs.into_iter().collect();
        let mut effects = Vec::new();
        while let Some(input) = inputs.pop_front() {
            self.journal.step(Now { mono: Instant(1), ..Now::default() }, input, &mut effects);
            for effect in effects.drain(..) {
                match effect {
                    JournalEffect::Op { id, op } => match &mut self.held {
                        Some(held) => held.push((id, op)),
                        None => inputs.push_back(JournalInput::Result { id, result: self.store.execute(op) }),
                    },
                    JournalEffect::Follow(ops) => apply(&mut self.records, ops),
                    JournalEffect::Recovered { seq, .. } => (self.handed, self.stored) = (seq, seq),
                    JournalEffect::NeedRecords { from, to, max_bytes } => {
                        inputs.push_back(JournalInput::Records(self.give(from, to, max_bytes)));
                    }
                    JournalEffect::Up(StoreEvent::Stored { upto }) => self.stored = upto,
                    JournalEffect::Refused(refusal) => return Err(refusal.to_string()),
                    JournalEffect::CaughtUp { .. } => {}
                    other => return Err(format!("{other:?}")),
                }
            }
        }
        Ok(())
    }

    fn give(&self, from: RecordKey, to: Option<RecordKey>, max_bytes: u64) -> Records {
        let mut records = Records { from: from.clone(), items: Vec::new(), next: None, as_of: self.handed };
        let mut bytes = 0;
        for (key, value) in
            self.records.range(from..).take_while(|(key, _)| to.as_ref().is_none_or(|to| *key < to))
        {
            bytes += (key.0.len() + value.len()) as u64;
            if bytes > max_bytes && !records.items.is_empty() {
                records.next = Some(key.clone());
                break;
            }
            records.items.push((key.clone(), value.clone()));
        }
        records
    }
}
