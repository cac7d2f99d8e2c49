//! Owns the model disk: executes storage operations one group at a time, slowly, wrongly, or not at all, and keeps what
//! a crash leaves. It honours the contract of `swan_core::journal::StoreOp`.

pub(crate) mod rot;

use std::collections::{BTreeMap, VecDeque};

use swan_core::journal::frame::{self, FORMAT_FIRST, Kind};
use swan_core::journal::{Blob, ChunkName, LogPart, OpId, Payload, StoreOp, StoreResult};
use swan_core::record::Epoch;
use swan_core::rng::Rng;

use self::rot::Rot;
use crate::chance::Site;
use crate::draws::{Draws, Named};
use crate::ledger::Ledger;
use crate::options::StoreOptions;

/// What is stored: what a new process finds.
#[derive(Clone, Debug, Default)]
pub struct Platter {
    epoch: Epoch,
    first: u64,
    log: VecDeque<Blob>,
    /// What a crash left of an entry, behind the last whole one.
    torn: Option<Blob>,
    /// Entries below were durable once.
    durable: u64,
    chunks: BTreeMap<ChunkName, Blob>,
    manifest: Option<Blob>,
    /// How often managers have joined the register; a disk has none.
    joined: u64,
    rot: Option<Rot>,
}

/// What came of some time passing.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Answers, in order.
    pub answers: Vec<(OpId, StoreResult)>,
    /// Entries that are in the log from now on, with their indexes.
    pub applied: Vec<(u64, Blob)>,
    /// Whole entries that were cut off: index of the first.
    pub cut: Option<u64>,
    /// The format level of a manifest that was switched to.
    pub switched: Option<u8>,
}

/// The disk: a platter and a queue before it.
#[derive(Clone, Debug)]
pub struct Disk {
    options: StoreOptions,
    rng: Rng,
    platter: Platter,
    waiting: VecDeque<(OpId, StoreOp)>,
    busy: Option<Busy>,
    /// Appends of unknown outcome that take effect only now (R94).
    late: Vec<(u64, StoreOp)>,
    /// Until then there is no room for anything new (S-3).
    full_until: u64,
}

#[derive(Clone, Debug)]
struct Busy {
    until: u64,
    group: Vec<(OpId, StoreOp)>,
}

impl Disk {
    /// An empty disk.
    pub fn new(options: StoreOptions, rng: Rng) -> Self {
        let platter = Platter::default();
        Self { options, rng, platter, waiting: VecDeque::new(), busy: None, late: Vec::new(), full_until: 0 }
    }

    /// There is no room for anything new until then.
    pub(crate) const fn fill(&mut self, until: u64) {
        self.full_until = until;
    }

    /// What is stored now.
    pub const fn platter(&self) -> &Platter {
        &self.platter
    }

    /// Takes an operation.
    pub(crate) fn submit(&mut self, now: u64, id: OpId, op: StoreOp, draws: &mut Draws, ledger: &mut Ledger) {
        self.waiting.push_back((id, op));
        self.begin(now, draws, ledger);
    }

    /// When to call [`Self::step`].
    pub fn next_deadline(&self) -> Option<u64> {
        let late = self.late.iter().map(|(at, _)| *at).min();
        self.busy.as_ref().map(|busy| busy.until).into_iter().chain(late).min()
    }

    /// Ends what is due.
    pub(crate) fn step(&mut self, now: u64, draws: &mut Draws, ledger: &mut Ledger) -> Done {
        let mut done = Done::default();
        let due: Vec<StoreOp> = self.late.extract_if(.., |(at, _)| *at <= now).map(|(_, op)| op).collect();
        for op in due {
            if self.platter.apply(&op, &mut done) == StoreResult::Done(Payload::Nothing) {
                ledger.note("store: write applied late");
            }
        }
        if self.busy.as_ref().is_some_and(|busy| busy.until <= now) {
            let busy = self.busy.take().expect("checked just now");
            self.finish(now, busy.group, &mut done, draws, ledger);
            self.begin(now, draws, ledger);
        }
        done
    }

    /// The process is gone: what it had under way is there, or not, or in part.
    pub(crate) fn crash(&mut self, draws: &mut Draws, ledger: &mut Ledger) -> Done {
        let mut done = Done::default();
        self.waiting.clear();
        let Some(busy) = self.busy.take() else { return done };
        let all = busy.group.len() as u64;
        let mut kept = 0;
        if draws.chance(Site::DiskKeeps, &"", (1_000_000 * all / (all + 1)) as u32) {
            ledger.note("store: write survived crash");
            kept = draws.number("writes", 1, all) as usize;
        }
        for (_, op) in &busy.group[..kept] {
            self.platter.apply(op, &mut done);
        }
        if let Some((_, StoreOp::Append { epoch, entry, .. })) = busy.group.get(kept)
            && *epoch == self.platter.epoch
            && draws.chance(Site::DiskTears, &"", self.options.torn)
        {
            ledger.note("store: torn entry");
            let whole = entry.as_slice();
            let mut bytes = whole[..draws.number("bytes", 1, whole.len() as u64 - 1) as usize].to_vec();
            if draws.also("madeLonger", 300_000) {
                // The file was made longer before its content was written.
                bytes.resize(whole.len(), 0);
            }
            if bytes != whole {
                self.platter.torn = Some(bytes.into());
            }
        }
        done
    }

    fn begin(&mut self, now: u64, draws: &mut Draws, ledger: &mut Ledger) {
        if self.busy.is_some() {
            return;
        }
        let Some(first) = self.waiting.pop_front() else { return };
        let mut group = vec![first];
        if matches!(group[0].1, StoreOp::Append { .. }) {
            while let Some(next) = self.waiting.pop_front_if(|(_, op)| matches!(op, StoreOp::Append { .. })) {
                group.push(next);
            }
        }
        let (low, high) = self.options.latency_ms;
        let mut takes = self.rng.between(low, high);
        if draws.chance(Site::DiskStalls, &Named(&group[0].1), self.options.stalls.0) {
            takes += draws.number("ms", 1_000, self.options.stalls.1);
            ledger.note("store: stall");
        }
        self.busy = Some(Busy { until: now + takes, group });
    }

    fn finish(
        &mut self,
        now: u64,
        group: Vec<(OpId, StoreOp)>,
        done: &mut Done,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) {
        let full = now < self.full_until && adds(&group[0].1);
        if full || draws.chance(Site::DiskFails, &Named(&group[0].1), self.options.fails) {
            ledger.note(if full { "store: write to a full disk (S-3)" } else { "store: failed" });
            let failed = |(id, _)| (id, StoreResult::FailedClean("no space is left".into()));
            done.answers.extend(group.into_iter().map(failed));
            return;
        }
        if draws.chance(Site::DiskUnknown, &Named(&group[0].1), self.options.unknown) {
            ledger.note("store: unknown outcome");
            let kept = draws.number("writes", 0, group.len() as u64) as usize;
            for (_, op) in &group[..kept] {
                self.platter.apply(op, done);
            }
            if let Some((_, op @ StoreOp::Append { .. })) = group.get(kept)
                && draws.also("oneMoreLater", 300_000)
            {
                self.late.push((now + draws.number("laterMs", 1, 3_000), op.clone()));
            }
            let unknown = |(id, _)| (id, StoreResult::Unknown("the connection was lost".into()));
            done.answers.extend(group.into_iter().map(unknown));
            return;
        }
        for (id, op) in group {
            let result = self.platter.apply(&op, done);
            match (&result, &op) {
                (StoreResult::Done(_), StoreOp::Append { index, .. }) => {
                    self.platter.durable = self.platter.durable.max(index + 1);
                }
                (StoreResult::Done(_), StoreOp::SwitchManifest { .. }) => ledger.note("store: snapshot"),
                _ => {}
            }
            done.answers.push((id, result));
        }
    }
}

impl Platter {
    /// The index of the next entry.
    pub fn end(&self) -> u64 {
        self.first + self.log.len() as u64
    }

    /// The format level in force.
    pub(crate) fn level(&self) -> u8 {
        self.manifest.as_ref().map_or(FORMAT_FIRST, level_of)
    }

    /// How often managers have joined the register.
    pub(crate) const fn joined(&self) -> u64 {
        self.joined
    }

    /// A manager joins the register.
    pub(crate) const fn join(&mut self) {
        self.joined += 1;
    }

    /// All that is stored is durable.
    pub(crate) fn settle(&mut self) {
        self.durable = self.end();
    }

    /// Executes one operation, faultlessly.
    pub fn apply(&mut self, op: &StoreOp, done: &mut Done) -> StoreResult {
        self.note_rot(op);
        match self.conditional(op, done) {
            Ok(payload) => StoreResult::Done(payload),
            Err(refused) => refused,
        }
    }

    fn conditional(&mut self, op: &StoreOp, done: &mut Done) -> Result<Payload, StoreResult> {
        match op {
            StoreOp::Append { epoch, .. }
            | StoreOp::Cut { epoch, .. }
            | StoreOp::Trim { epoch, .. }
            | StoreOp::WriteChunk { epoch, .. }
            | StoreOp::DeleteChunk { epoch, .. }
            | StoreOp::SwitchManifest { epoch, .. }
                if *epoch != self.epoch =>
            {
                return Err(StoreResult::Fenced);
            }
            StoreOp::ReadEpoch => return Ok(Payload::Epoch(self.epoch)),
            StoreOp::ClaimEpoch { expected, epoch } => {
                if self.epoch != *expected {
                    return Err(StoreResult::Conflict);
                }
                self.epoch = *epoch;
            }
            StoreOp::Append { index, entry, .. } => self.append(*index, entry, done)?,
            StoreOp::ReadLog { from, max_bytes } => return Ok(Payload::Log(self.read(*from, *max_bytes))),
            StoreOp::Cut { from, .. } => self.cut(*from, done)?,
            StoreOp::Trim { below, .. } => {
                while self.first < *below && self.log.pop_front().is_some() {
                    self.first += 1;
                }
            }
            StoreOp::WriteChunk { name, bytes, .. } => drop(self.chunks.insert(*name, bytes.clone())),
            StoreOp::ReadChunk { name } => return Ok(Payload::Chunk(self.chunks.get(name).cloned())),
            StoreOp::DeleteChunk { name, .. } => drop(self.chunks.remove(name)),
            StoreOp::ListChunks => return Ok(Payload::Chunks(self.chunks.keys().copied().collect())),
            StoreOp::ReadManifest => return Ok(Payload::Manifest(self.manifest.clone())),
            StoreOp::SwitchManifest { expected, joined, manifest, .. } => {
                let present = self.manifest.as_ref().map_or(0, number_of);
                if present != *expected || joined.is_some_and(|joined| joined != self.joined) {
                    return Err(StoreResult::Conflict);
                }
                done.switched = Some(level_of(manifest));
                // What a manifest builds upon was durable, also if its writer learnt so only by reading.
                self.durable = self.end();
                self.manifest = Some(manifest.clone());
            }
        }
        Ok(Payload::Nothing)
    }

    fn append(&mut self, index: u64, entry: &Blob, done: &mut Done) -> Result<(), StoreResult> {
        if self.torn.is_some() || index != self.end() {
            return Err(StoreResult::Conflict);
        }
        self.log.push_back(entry.clone());
        done.applied.push((index, entry.clone()));
        Ok(())
    }

    fn cut(&mut self, from: u64, done: &mut Done) -> Result<(), StoreResult> {
        if from > self.end() {
            return Err(StoreResult::Conflict);
        }
        self.torn = None;
        if from < self.end() {
            done.cut = Some(from.max(self.first));
            self.log.truncate(from.saturating_sub(self.first) as usize);
        }
        self.durable = self.end();
        Ok(())
    }

    fn read(&self, from: u64, max_bytes: u64) -> LogPart {
        let first = from.max(self.first);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let rest = self.log.iter().skip((first - self.first) as usize).chain(&self.torn);
        let mut end = true;
        let hole = self.hole();
        for (index, entry) in (first..).zip(rest) {
            if Some(index) == hole {
                break;
            }
            bytes += entry.as_slice().len() as u64;
            if bytes > max_bytes && !entries.is_empty() {
                end = false;
                break;
            }
            entries.push(entry.clone());
        }
        if first > self.end() {
            entries.clear();
        }
        LogPart { first, begins: self.first, entries, end, durable: self.durable }
    }
}

/// Whether an operation needs more room.
const fn adds(op: &StoreOp) -> bool {
    matches!(
        op,
        StoreOp::ClaimEpoch { .. }
            | StoreOp::Append { .. }
            | StoreOp::WriteChunk { .. }
            | StoreOp::SwitchManifest { .. }
    )
}

fn level_of(manifest: &Blob) -> u8 {
    frame::header(Kind::Manifest, manifest.as_slice()).map_or(FORMAT_FIRST, |header| header.level)
}

fn number_of(manifest: &Blob) -> u64 {
    frame::header(Kind::Manifest, manifest.as_slice()).map_or(0, |header| header.number)
}

#[cfg(test)]
mod tests {
    use swan_core::journal::contract::{self, Executor};
    use swan_core::journal::{Entry, Manifest};
    use swan_core::record::Seq;
    use swan_core::time::ClusterTime;

    use super::*;
    use crate::options::Options;

    impl Executor for Disk {
        fn execute(&mut self, op: StoreOp) -> StoreResult {
            let (mut draws, mut ledger) = (Draws::new(self.rng.fork(), None, false), Ledger::default());
            self.submit(0, OpId(0), op, &mut draws, &mut ledger);
            let mut done = self.step(60_000, &mut draws, &mut ledger);
            done.answers.pop().expect("each operation is answered").1
        }

        fn reopen(self) -> Self {
            Self { platter: self.platter, ..disk(self.options) }
        }
    }

    fn disk(options: StoreOptions) -> Disk {
        Disk::new(options, Rng::new(1))
    }

    fn append(index: u64) -> StoreOp {
        let (seq, cluster_time) = (Seq(index + 1), ClusterTime(0));
        let entry = Entry { level: 1, epoch: Epoch(0), first: seq, last: seq, cluster_time, ops: Vec::new() };
        StoreOp::Append { epoch: Epoch(0), index, entry: entry.encode(index) }
    }

    #[test]
    fn it_keeps_the_contract() {
        contract::check(|| disk(Options::quiet().store));
    }

    #[test]
    fn after_a_failed_append_nothing_later_is_taken() {
        let mut disk = disk(StoreOptions { fails: 1_000_000, ..Options::quiet().store });
        assert!(matches!(disk.execute(append(0)), StoreResult::FailedClean(_)));
        disk.options.fails = 0;
        assert_eq!(disk.execute(append(1)), StoreResult::Conflict, "an empty log begins at 0");
        assert_eq!(disk.execute(append(0)), StoreResult::Done(Payload::Nothing));
    }

    #[test]
    fn what_a_manifest_builds_upon_was_durable() {
        let mut disk = disk(StoreOptions { unknown: 1_000_000, ..Options::quiet().store });
        for _ in 0..64 {
            assert!(matches!(disk.execute(append(0)), StoreResult::Unknown(_)));
        }
        assert_eq!((disk.platter.end(), disk.platter.durable), (1, 0), "one of them has taken effect");
        disk.options.unknown = 0;
        let manifest = Manifest { number: 1, replay_from: 1, ..Manifest::default() }.encode();
        let switch = StoreOp::SwitchManifest { epoch: Epoch(0), expected: 0, joined: None, manifest };
        assert_eq!(disk.execute(switch), StoreResult::Done(Payload::Nothing));
        assert_eq!(disk.platter.read(1, u64::MAX).durable, 1, "its writer knows that by reading");
    }
}
