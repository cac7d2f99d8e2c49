//! Owns the journal machine: the ordered log of record changes and its snapshots, over any store of entries and chunks.
//!
//! What is stored: an epoch cell, a log of entries (each a group of batches, numbered without gaps), chunks (each the
//! records of a key range) and a manifest that names the chunks and where in the log replay begins. The machine keeps
//! no record's value; see `snapshot` for why chunks taken at different times are right.

mod append;
pub mod contract;
pub mod copy;
mod effect;
mod entry;
pub mod frame;
mod input;
mod lane;
mod level;
mod op;
mod recover;
mod snapshot;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use self::effect::{JournalEffect, Place, Refusal};
pub use self::entry::{ChunkRef, Entry, Manifest};
pub use self::input::{JournalInput, Records};
pub use self::level::Readers;
pub use self::op::{Blob, ChunkName, LogPart, OpId, Payload, StoreOp, StoreResult};

use self::append::{Appender, FencedOff};
use self::lane::{Issuer, Lane};
use self::recover::{Claim, Reading, Tail};
use self::snapshot::{Position, Snapshotter};
use crate::limits;
use crate::record::{Epoch, Op, Seq};
use crate::scheduler::input::StoreEvent;
use crate::time::{ClusterTime, Instant, Millis, Now};

/// Which build this is, and when snapshots happen; `default` takes that from `frame` and `limits`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalConfig {
    /// The newest format level that this build reads and writes.
    pub format: u8,
    /// See `limits::FORMAT_RAISE_AFTER`.
    pub format_raise_after: Millis,
    /// See `limits::SNAPSHOT_LOG_BYTES`.
    pub snapshot_log_bytes: u64,
    /// See `limits::SNAPSHOT_LOG_ENTRIES`.
    pub snapshot_log_entries: u64,
    /// See `limits::CHUNK_BYTES_MAX`; never more than that.
    pub chunk_bytes_max: usize,
    /// See `limits::CHUNK_BYTES_FILL`.
    pub chunk_bytes_fill: usize,
    /// See `limits::CHUNK_BYTES_MERGE`.
    pub chunk_bytes_merge: usize,
    /// See `limits::RECORDS_ASK_BYTES`.
    pub records_ask_bytes: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self {
            format: frame::FORMAT_LEVEL,
            format_raise_after: limits::FORMAT_RAISE_AFTER,
            snapshot_log_bytes: limits::SNAPSHOT_LOG_BYTES,
            snapshot_log_entries: limits::SNAPSHOT_LOG_ENTRIES,
            chunk_bytes_max: limits::CHUNK_BYTES_MAX,
            chunk_bytes_fill: limits::CHUNK_BYTES_FILL,
            chunk_bytes_merge: limits::CHUNK_BYTES_MERGE,
            records_ask_bytes: limits::RECORDS_ASK_BYTES,
        }
    }
}

/// The journal machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    config: JournalConfig,
    phase: Phase,
    lead_wanted: bool,
    ids: Issuer,
    lane: Lane,
    tail: Tail,
    snapshot: Snapshotter,
    /// When the tail read under way was asked for.
    asked: Instant,
    /// All that was stored at this time has been followed.
    fresh: Option<Instant>,
    /// Inputs that did not fit the state: late answers, mostly.
    odd: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Waits for `Boot`.
    New,
    /// Reads what is stored, for the first time.
    Reading(Reading),
    /// Knows all that was stored; looks for more at this time.
    Following { poll_at: Instant },
    /// Takes over.
    Claiming(Claim),
    /// Writes.
    Leading(Leader),
    /// Deposed, fenced, refused, or to be restarted.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leader {
    epoch: Epoch,
    /// When this leadership began, and where cluster time stood then.
    since: Instant,
    base: ClusterTime,
    appender: Appender,
}

/// Figures for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalView {
    /// The newest batch that is durable, or was followed.
    pub durable: Seq,
    /// The index that the next log entry will get.
    pub next_index: u64,
    /// The first log entry that a recovery would replay.
    pub replay_from: u64,
    /// Bytes of the log that a recovery would replay.
    pub log_bytes: u64,
    /// Bytes of the newest snapshot.
    pub snapshot_bytes: u64,
    /// The format level in force, as far as it was followed.
    pub format: u8,
    /// All that was stored when it last looked has been followed, or it leads.
    pub caught_up: bool,
    /// Inputs that did not fit the state.
    pub odd: u64,
}

impl Journal {
    /// A machine that knows nothing; its first input is `Boot`.
    pub fn new(config: JournalConfig) -> Self {
        assert!(config.chunk_bytes_max <= limits::CHUNK_BYTES_MAX, "chunks have an upper bound");
        let snapshot = Snapshotter::new(config.format);
        Self {
            config,
            phase: Phase::New,
            lead_wanted: false,
            ids: Issuer::default(),
            lane: Lane::default(),
            tail: Tail::default(),
            snapshot,
            asked: Instant(0),
            fresh: None,
            odd: 0,
        }
    }

    /// Exactly one input; runs to completion; cannot fail. `out` is appended to.
    pub fn step(&mut self, now: Now, input: JournalInput, out: &mut Vec<JournalEffect>) {
        let now = now.mono;
        match input {
            JournalInput::Boot => self.boot(out),
            JournalInput::Lead => self.lead(out),
            JournalInput::Depose => self.phase = Phase::Ended,
            JournalInput::Store { seq, ops } => self.store(now, seq, ops, out),
            JournalInput::Records(records) => self.records(records, out),
            JournalInput::Result { id, result } => self.result(now, id, result, out),
            JournalInput::Readers(readers) => self.readers(now, readers, out),
            JournalInput::Follow => self.follow(now, out),
            JournalInput::Wake => self.wake(now, out),
        }
    }

    /// When to step `Wake`; at or before now means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::New | Phase::Ended => None,
            Phase::Reading(_) | Phase::Claiming(_) => self.lane.deadline(),
            Phase::Following { poll_at } => {
                self.lane.deadline().or_else(|| self.lane.is_idle().then_some(*poll_at))
            }
            Phase::Leading(leader) => {
                let levels = self.snapshot.levels.deadline(self.config.format_raise_after);
                self.lane.deadline().into_iter().chain(leader.appender.deadline()).chain(levels).min()
            }
        }
    }

    /// Figures for people.
    pub fn view(&self) -> JournalView {
        let (durable, next_index) = match &self.phase {
            Phase::Leading(leader) => (leader.appender.durable(), leader.appender.next_index()),
            _ => (self.tail.seq, self.tail.next_index),
        };
        JournalView {
            durable,
            next_index,
            replay_from: self.snapshot.replay_from(),
            log_bytes: self.tail.bytes,
            snapshot_bytes: self.snapshot.bytes(),
            format: self.snapshot.levels.in_force(),
            caught_up: matches!(self.phase, Phase::Following { .. } | Phase::Leading(_)),
            odd: self.odd,
        }
    }

    /// All that was stored at this time has been followed; `None` before all was read once.
    pub const fn fresh(&self) -> Option<Instant> {
        self.fresh
    }

    /// The whole state.
    pub fn freeze(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("the state is plain data")
    }

    /// What `freeze` gave, as a machine; `None` if it is something else.
    pub fn thaw(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    fn store(&mut self, now: Instant, seq: Seq, ops: Vec<Op>, out: &mut Vec<JournalEffect>) {
        let Phase::Leading(leader) = &mut self.phase else {
            self.odd += 1;
            return;
        };
        for op in &ops {
            self.snapshot.mark(&op.key);
        }
        leader.appender.hand_over(seq, ops);
        self.pump(now, out);
    }

    /// Appends what may be appended, and takes the snapshot a step further.
    fn pump(&mut self, now: Instant, out: &mut Vec<JournalEffect>) {
        let Phase::Leading(leader) = &mut self.phase else { return };
        let (cluster_time, level) = (leader.cluster_time(now), self.snapshot.levels.written());
        self.tail.bytes += leader.appender.pump(now, cluster_time, level, &mut self.ids, out);
        if self.snapshot.is_due(&self.config, self.tail.bytes, leader.appender.next_index())
            && self.lane.is_idle()
        {
            self.snapshot.begin(Position {
                replay_from: leader.appender.next_index(),
                epoch: leader.epoch,
                seq: leader.appender.grouped(),
                // Not the time of now: who followed the log instead goes on from that of its last entry.
                cluster_time: leader.appender.grouped_at(),
                handed: leader.appender.handed(),
                log_bytes: self.tail.bytes,
            });
        }
        let (durable, durable_index) = (leader.appender.durable(), leader.appender.durable_index());
        self.snapshot.advance(&self.config, durable, durable_index, &mut self.lane, &mut self.ids, out);
    }

    /// What all readers can read if this machine is the only one.
    pub(crate) const fn only_reader(&self) -> Readers {
        Readers { lowest: self.config.format, joined: 0 }
    }

    /// Who can read what is heard by every machine; only one that leads acts on it.
    fn readers(&mut self, now: Instant, readers: Readers, out: &mut Vec<JournalEffect>) {
        self.snapshot.levels.hear(now, readers, self.config.format_raise_after);
        self.pump(now, out);
    }

    fn records(&mut self, records: Records, out: &mut Vec<JournalEffect>) {
        let Phase::Leading(leader) = &mut self.phase else {
            self.odd += 1;
            return;
        };
        let (durable, durable_index) = (leader.appender.durable(), leader.appender.durable_index());
        if !self.snapshot.take_records(&self.config, records) {
            self.odd += 1;
        }
        self.snapshot.advance(&self.config, durable, durable_index, &mut self.lane, &mut self.ids, out);
    }

    fn result(&mut self, now: Instant, id: OpId, result: StoreResult, out: &mut Vec<JournalEffect>) {
        if let Phase::Leading(leader) = &mut self.phase
            && leader.appender.expects(id)
        {
            return match leader.appender.answered(now, id, result, out) {
                Ok(()) => self.pump(now, out),
                Err(FencedOff) => self.fenced(out),
            };
        }
        let Some(op) = self.lane.answered(id) else {
            self.odd += 1;
            return;
        };
        match &self.phase {
            Phase::Reading(_) | Phase::Following { .. } => self.read(now, op, result, out),
            Phase::Claiming(claim) => self.claimed(now, claim.clone(), op, result, out),
            Phase::Leading(_) => {
                match self.snapshot.answered(now, op, result, &mut self.tail.bytes, &mut self.lane, out) {
                    Ok(()) => self.pump(now, out),
                    Err(FencedOff) => self.fenced(out),
                }
            }
            Phase::New | Phase::Ended => self.odd += 1,
        }
    }

    fn wake(&mut self, now: Instant, out: &mut Vec<JournalEffect>) {
        match &mut self.phase {
            Phase::New | Phase::Ended => return,
            Phase::Reading(_) | Phase::Claiming(_) => {}
            Phase::Following { poll_at } if *poll_at <= now => self.follow(now, out),
            Phase::Following { .. } => {}
            Phase::Leading(leader) => leader.appender.wake(now, &mut self.ids, out),
        }
        self.lane.wake(now, &mut self.ids, out);
        if self.snapshot.levels.ripen(now, self.config.format_raise_after) {
            self.pump(now, out);
        }
    }

    /// Reads on, unless it does so already, or waits to try again.
    fn follow(&mut self, now: Instant, out: &mut Vec<JournalEffect>) {
        if matches!(self.phase, Phase::Following { .. }) && self.lane.is_idle() {
            self.read_tail(now, out);
        }
    }

    fn fenced(&mut self, out: &mut Vec<JournalEffect>) {
        self.phase = Phase::Ended;
        out.push(JournalEffect::Up(StoreEvent::Fenced));
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut Vec<JournalEffect>) {
        self.phase = Phase::Ended;
        out.push(JournalEffect::Refused(refusal));
    }
}

impl Leader {
    fn cluster_time(&self, now: Instant) -> ClusterTime {
        self.base + now.since(self.since)
    }
}
