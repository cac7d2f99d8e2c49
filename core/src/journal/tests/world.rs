//! Owns a small world around a journal: a scheduler that is a map, a store that fails, and a check after every step.

use std::collections::{BTreeMap, VecDeque};
use std::vec;
use std::vec::Vec;

use super::memory::{Faults, Memory};
use crate::journal::contract::Executor;
use crate::journal::*;
use crate::record::{Epoch, Op, RecordKey, Seq};
use crate::rng::Rng;
use crate::scheduler::input::StoreEvent;
use crate::time::{Instant, Millis, Now};

/// The newest build of these worlds.
pub(super) const LEVEL_MAX: u8 = 3;

pub(super) type Map = BTreeMap<RecordKey, Vec<u8>>;

/// What a recovery found.
pub(super) struct Found {
    pub(super) journal: Journal,
    pub(super) epoch: Epoch,
    pub(super) seq: Seq,
    pub(super) records: Map,
}

/// So small that everything happens often.
pub(super) fn tiny() -> JournalConfig {
    JournalConfig {
        format_raise_after: Millis(20),
        snapshot_log_bytes: 700,
        snapshot_log_entries: 25,
        chunk_bytes_max: 260,
        chunk_bytes_fill: 130,
        chunk_bytes_merge: 70,
        records_ask_bytes: 60,
        ..JournalConfig::default()
    }
}

pub(super) fn apply(map: &mut Map, ops: Vec<Op>) {
    for op in ops {
        match op.value {
            Some(value) => drop(map.insert(op.key, value)),
            None => drop(map.remove(&op.key)),
        }
    }
}

/// Recovers and leads, without faults.
pub(super) fn recover(store: &mut Memory) -> Result<Found, Refusal> {
    recover_as(store, LEVEL_MAX)
}

/// As a build does that reads up to a format level.
pub(super) fn recover_as(store: &mut Memory, format: u8) -> Result<Found, Refusal> {
    let mut journal = Journal::new(JournalConfig { format, ..tiny() });
    let (mut records, mut effects) = (Map::new(), Vec::new());
    let mut inputs = VecDeque::from([JournalInput::Boot, JournalInput::Lead]);
    let mut found = None;
    while let Some(input) = inputs.pop_front() {
        journal.step(Now::default(), input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                JournalEffect::Op { id, op } => {
                    inputs.push_back(JournalInput::Result { id, result: store.execute(op) });
                }
                JournalEffect::Follow(ops) => apply(&mut records, ops),
                JournalEffect::Recovered { epoch, seq, .. } => found = Some((epoch, seq)),
                JournalEffect::Refused(refusal) => return Err(refusal),
                JournalEffect::CaughtUp { .. } => {}
                other => panic!("not while recovering: {other:?}"),
            }
        }
    }
    let (epoch, seq) = found.expect("a recovery ends");
    Ok(Found { journal, epoch, seq, records })
}

pub(super) struct World {
    rng: Rng,
    faults: Faults,
    now: u64,
    journal: Journal,
    pub(super) store: Memory,
    ops: VecDeque<(OpId, StoreOp)>,
    answers: VecDeque<(OpId, StoreResult)>,
    asks: VecDeque<(RecordKey, Option<RecordKey>, u64)>,
    /// Read, but not yet delivered.
    records: VecDeque<Records>,
    /// Where most changes happen for a while, so that other ranges stay clean.
    focus: u8,
    /// What the scheduler believes; some of it is not handed over yet.
    live: Map,
    pending: BTreeMap<RecordKey, Option<Vec<u8>>>,
    /// The state after each batch handed over; `[0]` is what was recovered at `base`.
    history: Vec<Map>,
    base: Seq,
    acknowledged: Seq,
    snapshots: usize,
    /// Up to which level the running build reads.
    format: u8,
    /// Where builds of several levels share the store: those of the other managers, and what was heard of all.
    register: Option<Register>,
    raises: usize,
}

#[derive(Default)]
struct Register {
    others: Vec<u8>,
    /// Newest last; what is heard may be an older one.
    known: VecDeque<Readers>,
}

impl World {
    pub(super) fn new(seed: u64, faults: Faults) -> Self {
        let mut store = Memory::default();
        let journal = recover(&mut store).expect("an empty journal is fine").journal;
        Self {
            rng: Rng::new(seed),
            faults,
            now: 0,
            journal,
            store,
            ops: VecDeque::new(),
            answers: VecDeque::new(),
            asks: VecDeque::new(),
            records: VecDeque::new(),
            focus: 0,
            live: Map::new(),
            pending: BTreeMap::new(),
            history: vec![Map::new()],
            base: Seq(0),
            acknowledged: Seq(0),
            snapshots: 0,
            format: LEVEL_MAX,
            register: None,
            raises: 0,
        }
    }

    /// As [`World::new`], of builds of several levels.
    pub(super) fn of_builds(seed: u64, faults: Faults) -> Self {
        let mut world = Self::new(seed, faults);
        (world.format, world.register) = (1, Some(Register::default()));
        world.journal = recover_as(&mut world.store, 1).expect("a journal of the first level").journal;
        world
    }

    pub(super) const fn raises(&self) -> usize {
        self.raises
    }

    pub(super) const fn snapshots(&self) -> usize {
        self.snapshots
    }

    pub(super) const fn acknowledged(&self) -> Seq {
        self.acknowledged
    }

    fn handed(&self) -> Seq {
        Seq(self.base.0 + self.history.len() as u64 - 1)
    }

    pub(super) fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.rng.below(100) {
                0..=14 => self.change(),
                15..=26 => self.hand_over(),
                27..=51 => self.execute(),
                52..=71 => self.answer(),
                72..=93 => self.give_records(),
                94..=97 => self.wait(),
                98 if self.register.is_some() && self.rng.chance(800_000) => self.manage(),
                98 => {
                    self.journal = Journal::thaw(&self.journal.freeze()).expect("a frozen journal thaws");
                }
                _ if self.rng.chance(250_000) => self.crash(),
                _ => {}
            }
        }
    }

    fn change(&mut self) {
        if self.rng.chance(60_000) {
            self.focus = self.rng.below(6) as u8;
        }
        let group = if self.rng.chance(20_000) { self.rng.below(6) as u8 } else { self.focus };
        let key = RecordKey(vec![b'a' + group, b'0' + self.rng.below(10) as u8]);
        let value = (!self.rng.chance(300_000)).then(|| {
            let length = self.rng.below(60) as usize;
            vec![self.rng.next() as u8; length]
        });
        apply(&mut self.live, vec![Op { key: key.clone(), value: value.clone() }]);
        self.pending.insert(key, value);
    }

    fn hand_over(&mut self) {
        if self.pending.is_empty() || self.handed().0 >= self.acknowledged.0 + 8 {
            return;
        }
        let ops =
            std::mem::take(&mut self.pending).into_iter().map(|(key, value)| Op { key, value }).collect();
        self.history.push(self.live.clone());
        let seq = self.handed();
        self.step(JournalInput::Store { seq, ops });
    }

    fn execute(&mut self) {
        let Some((id, op)) = self.ops.pop_front() else { return };
        let switch = matches!(op, StoreOp::SwitchManifest { .. });
        let before = self.store.level();
        let result = self.store.execute_with_faults(op, self.faults, &mut self.rng);
        if switch && matches!(result, StoreResult::Done(_)) {
            self.snapshots += 1;
        }
        self.answers.push_back((id, result));
        self.check_levels(before);
        self.check_recovery();
    }

    /// Managers of other builds come and go, and the running one hears of it, perhaps late.
    fn manage(&mut self) {
        let stored = self.store.level();
        let Some(register) = &mut self.register else { return };
        match self.rng.below(8) {
            0 => {
                self.store.joined += 1;
                let format = 1 + self.rng.below(u64::from(LEVEL_MAX)) as u8;
                // One that cannot read what is stored says so, and is gone.
                register.others.extend((format >= stored).then_some(format));
            }
            1 => drop(register.others.pop()),
            2..4 => {
                register.others.retain(|_| self.rng.chance(700_000));
            }
            _ => {}
        }
        let lowest = register.others.iter().copied().chain([self.format]).min().unwrap_or(self.format);
        register.known.push_back(Readers { lowest, joined: self.store.joined });
        if register.known.len() > 3 {
            register.known.pop_front();
        }
        let which = self.rng.below(register.known.len() as u64) as usize;
        let heard = register.known[which];
        self.step(JournalInput::Readers(heard));
    }

    /// S25: whoever is registered can read whatever is stored, also just after the level rose.
    fn check_levels(&mut self, before: u8) {
        let level = self.store.level();
        let mut frames = self.store.log.values().chain(self.store.chunks.values());
        assert!(frames.all(|frame| frame.as_slice()[3] <= level), "a frame is above the level in force");
        assert!((before..=before + 1).contains(&level), "from {before} to {level}");
        self.raises += usize::from(level > before);
        let Some(register) = &self.register else { return };
        let readers = register.others.iter().chain([&self.format]);
        readers.for_each(|format| assert!(*format >= level, "{format} is registered, {level} is in force"));
    }

    fn answer(&mut self) {
        if let Some((id, result)) = self.answers.pop_front() {
            self.step(JournalInput::Result { id, result });
        }
    }

    fn give_records(&mut self) {
        if let Some(records) = self.records.pop_front() {
            return self.step(JournalInput::Records(records));
        }
        let Some((from, to, max_bytes)) = self.asks.pop_front() else { return };
        let mut records = Records { from: from.clone(), items: Vec::new(), next: None, as_of: self.handed() };
        if !self.pending.is_empty() {
            records.as_of = records.as_of.next();
        }
        let mut bytes = 0;
        for (key, value) in self.live.range(from..) {
            if to.as_ref().is_some_and(|to| to <= key) {
                break;
            }
            bytes += key.0.len() + value.len();
            if bytes as u64 > max_bytes && !records.items.is_empty() {
                records.next = Some(key.clone());
                break;
            }
            records.items.push((key.clone(), value.clone()));
        }
        if self.rng.chance(500_000) {
            // Changes that it does not hold are handed over before it arrives.
            self.records.push_back(records);
        } else {
            self.step(JournalInput::Records(records));
        }
    }

    /// Without faults, everything handed over is acknowledged in the end.
    pub(super) fn settles(&mut self) -> bool {
        self.faults = Faults::NONE;
        for _ in 0..200 {
            self.execute();
            self.answer();
            self.give_records();
            self.wait();
        }
        self.acknowledged == self.handed()
    }

    fn wait(&mut self) {
        self.now = self.journal.next_deadline().map_or(self.now + 1, |at| at.0.max(self.now));
        self.step(JournalInput::Wake);
    }

    fn step(&mut self, input: JournalInput) {
        let mut effects = Vec::new();
        self.journal.step(Now { mono: Instant(self.now), ..Now::default() }, input, &mut effects);
        for effect in effects {
            match effect {
                JournalEffect::Op { id, op } => self.ops.push_back((id, op)),
                JournalEffect::NeedRecords { from, to, max_bytes } => {
                    self.asks.push_back((from, to, max_bytes))
                }
                JournalEffect::Up(StoreEvent::Stored { upto }) => {
                    assert!(
                        upto > self.acknowledged && upto <= self.handed(),
                        "acknowledged in order, and once"
                    );
                    self.acknowledged = upto;
                }
                JournalEffect::Up(StoreEvent::Stalled) | JournalEffect::Trouble(_) => {}
                other => panic!("not while leading: {other:?}"),
            }
        }
    }

    /// Whoever recovers now finds all that was acknowledged, and nothing that was not written.
    fn check_recovery(&mut self) {
        let mut store = self.store.clone();
        let under_way = self.ops.iter().find_map(|(_, op)| match op {
            StoreOp::Append { entry, .. } => Some(entry),
            _ => None,
        });
        if let Some(entry) = under_way.filter(|_| self.rng.chance(300_000)) {
            store.tear(entry, &mut self.rng);
        }
        let (level, newest) = (store.level(), 1 + self.rng.below(u64::from(LEVEL_MAX)) as u8);
        let found = match recover_as(&mut store, newest) {
            Err(Refusal::NewerFormat { .. }) if newest < level => return,
            found => found.expect("a crash is no corruption"),
        };
        assert!(newest >= level, "a build for {newest} takes level {level} for its own");
        for late in store.take_late() {
            assert!(
                !matches!(store.execute(late), StoreResult::Done(Payload::Nothing)),
                "a late write got in"
            );
        }
        self.check(&found);
    }

    fn check(&self, found: &Found) {
        assert!(
            found.seq >= self.acknowledged,
            "{:?} was acknowledged, {:?} found",
            self.acknowledged,
            found.seq
        );
        assert!(found.seq <= self.handed());
        let expected = &self.history[(found.seq.0 - self.base.0) as usize];
        assert_eq!(&found.records, expected, "at {:?}", found.seq);
    }

    /// The process dies; what it had not sent is gone, what it had may arrive or not.
    fn crash(&mut self) {
        for (_, op) in std::mem::take(&mut self.ops) {
            if !self.rng.chance(500_000) {
                break;
            }
            self.store.execute(op);
        }
        self.answers.clear();
        self.asks.clear();
        self.records.clear();
        self.pending.clear();
        if let Some(register) = &mut self.register {
            let level = self.store.level();
            self.format = level + self.rng.below(u64::from(LEVEL_MAX - level) + 1) as u8;
            self.store.joined += 1;
            register.known.clear();
        }
        let found = recover_as(&mut self.store, self.format).expect("a crash is no corruption");
        self.check(&found);
        self.journal = found.journal;
        self.live.clone_from(&found.records);
        self.history = vec![found.records];
        (self.base, self.acknowledged) = (found.seq, found.seq);
    }

    /// Another manager takes over; whatever this one still does is refused.
    pub(super) fn usurped_leader_is_fenced(&mut self) -> bool {
        recover(&mut self.store).expect("a sound journal");
        let before = self.store.log.clone();
        self.change();
        let ops =
            std::mem::take(&mut self.pending).into_iter().map(|(key, value)| Op { key, value }).collect();
        self.history.push(self.live.clone());
        let mut effects = Vec::new();
        self.journal.step(Now::default(), JournalInput::Store { seq: self.handed(), ops }, &mut effects);
        let mut fenced = false;
        let mut queue: VecDeque<_> = std::mem::take(&mut self.ops);
        loop {
            for effect in effects.drain(..) {
                match effect {
                    JournalEffect::Op { id, op } => queue.push_back((id, op)),
                    JournalEffect::Up(StoreEvent::Fenced) => fenced = true,
                    _ => {}
                }
            }
            let Some((id, op)) = queue.pop_front() else { break };
            let result = self.store.execute(op);
            self.journal.step(Now::default(), JournalInput::Result { id, result }, &mut effects);
        }
        fenced && before == self.store.log && self.journal.next_deadline().is_none()
    }
}
