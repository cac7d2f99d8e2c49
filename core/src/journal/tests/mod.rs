//! Owns the journal's tests against a naive model: a map, and a store in memory that fails in every way.

mod memory;
mod world;

use std::vec::Vec;

use proptest::prelude::*;

use self::memory::{Faults, Memory};
use self::world::World;
use super::contract::Executor;
use super::frame::Damage;
use super::*;
use crate::record::RecordKey;

#[test]
fn the_memory_store_keeps_the_contract() {
    contract::check(Memory::default);
}

#[test]
fn an_empty_store_recovers_to_nothing() {
    let found = world::recover(&mut Memory::default()).expect("an empty journal is fine");
    assert_eq!((found.epoch, found.seq), (Epoch(1), Seq(0)));
    assert!(found.records.is_empty());
}

/// S-1: the store is recovered from after every single operation, with and without a torn write behind it.
#[test]
fn a_crash_after_any_operation_keeps_all_that_was_acknowledged() {
    for seed in 0..16 {
        let mut world = World::new(seed, Faults::NONE);
        world.run(4_000);
        assert!(world.snapshots() >= 3, "seed {seed}: {} snapshots", world.snapshots());
    }
}

/// Z1: clean failures, unknown outcomes, late writes.
#[test]
fn failures_and_unknown_outcomes_lose_nothing() {
    for seed in 100..124 {
        let mut world = World::new(seed, Faults { clean_ppm: 50_000, unknown_ppm: 80_000 });
        world.run(2_000);
        assert!(world.acknowledged() > Seq(10) && world.settles(), "seed {seed}");
    }
}

/// U1, S13, S25: builds that read up to different levels lead by turns, others come and go, and no failure leaves anybody
/// behind who is registered.
#[test]
fn a_level_rises_only_when_all_who_are_registered_can_read_it() {
    let mut raises = 0;
    for seed in 200..232 {
        let faults =
            if seed % 2 == 0 { Faults::NONE } else { Faults { clean_ppm: 50_000, unknown_ppm: 80_000 } };
        let mut world = World::of_builds(seed, faults);
        world.run(4_000);
        raises += world.raises();
        assert!(world.settles(), "seed {seed}");
    }
    assert!(raises >= 20, "{raises} raises");
}

#[test]
fn a_second_leader_fences_the_first() {
    let mut world = World::new(7, Faults::NONE);
    world.run(60);
    assert!(world.usurped_leader_is_fenced());
}

#[test]
fn a_hanging_append_is_a_stall_and_a_late_answer_ends_it() {
    let mut store = Memory::default();
    let mut journal = world::recover(&mut store).expect("an empty journal is fine").journal;
    let at = |mono| Now { mono: Instant(mono), ..Now::default() };
    let mut out = Vec::new();
    journal.step(at(10), JournalInput::Store { seq: Seq(1), ops: Vec::new() }, &mut out);
    let Some(JournalEffect::Op { id, .. }) = out.pop() else { panic!("an append was expected") };
    let due = journal.next_deadline().expect("a stall is watched for");
    journal.step(at(due.0), JournalInput::Wake, &mut out);
    assert_eq!(out, [JournalEffect::Up(StoreEvent::Stalled)]);
    assert_eq!(journal.next_deadline(), None, "told once");
    out.clear();
    journal.step(
        at(due.0 + 1),
        JournalInput::Result { id, result: StoreResult::Done(Payload::Nothing) },
        &mut out,
    );
    assert_eq!(out, [JournalEffect::Up(StoreEvent::Stored { upto: Seq(1) })]);
}

/// R94: reading says what is there, and not what a loss of power would leave.
#[test]
fn what_was_read_back_counts_once_a_cut_behind_it_has_made_it_durable() {
    let mut store = Memory::default();
    let mut journal = world::recover(&mut store).expect("an empty journal is fine").journal;
    let mut told = Vec::new();
    let mut next = |journal: &mut Journal, input| {
        let mono = journal.next_deadline().unwrap_or(Instant(1));
        let mut out = Vec::new();
        journal.step(Now { mono, ..Now::default() }, input, &mut out);
        let (ops, rest): (Vec<_>, Vec<_>) =
            out.into_iter().partition(|it| matches!(it, JournalEffect::Op { .. }));
        told.extend(rest);
        ops.into_iter()
            .find_map(|it| if let JournalEffect::Op { id, op } = it { Some((id, op)) } else { None })
    };
    let (id, append) =
        next(&mut journal, JournalInput::Store { seq: Seq(1), ops: Vec::new() }).expect("an append");
    store.execute(append);
    let result = StoreResult::Unknown("the cable was pulled".into());
    assert_eq!(next(&mut journal, JournalInput::Result { id, result }), None, "after a pause");
    let (id, read) = next(&mut journal, JournalInput::Wake).expect("it reads");
    assert!(matches!(read, StoreOp::ReadLog { .. }));
    let result = store.execute(read);
    next(&mut journal, JournalInput::Result { id, result });
    let (id, cut) = next(&mut journal, JournalInput::Wake).expect("it settles");
    assert!(matches!(cut, StoreOp::Cut { .. }), "{cut:?}");
    let result = store.execute(cut);
    next(&mut journal, JournalInput::Result { id, result });
    let stored = told.iter().position(|it| *it == JournalEffect::Up(StoreEvent::Stored { upto: Seq(1) }));
    assert_eq!(stored, Some(told.len() - 1), "told last, and once: {told:?}");
}

/// Steps a machine, and carries out what it asks for; gives the answers to what `late` says. There is nothing that a
/// snapshot could hold.
fn drive(
    journal: &mut Journal,
    store: &mut Memory,
    mono: u64,
    input: JournalInput,
    late: fn(&StoreOp) -> bool,
) -> Vec<JournalInput> {
    let (mut inputs, mut later) = (Vec::from([input]), Vec::new());
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        journal.step(Now { mono: Instant(mono), ..Now::default() }, input, &mut out);
        for effect in out {
            match effect {
                JournalEffect::Op { id, op } => {
                    let to = if late(&op) { &mut later } else { &mut inputs };
                    to.push(JournalInput::Result { id, result: store.execute(op) });
                }
                JournalEffect::NeedRecords { from, .. } => {
                    let records = Records { from, items: Vec::new(), next: None, as_of: Seq(1) };
                    inputs.push(JournalInput::Records(records));
                }
                _ => {}
            }
        }
    }
    later
}

/// Found by the simulator: such a journal was refused for ever.
#[test]
fn who_has_followed_the_log_may_go_on_behind_a_snapshot_that_was_begun_after_its_last_entry() {
    let mut store = Memory::default();
    let (mut leader, mut standby) = (Journal::new(world::tiny()), Journal::new(world::tiny()));
    let none = |_: &StoreOp| false;
    drive(&mut leader, &mut store, 0, JournalInput::Boot, none);
    let sweeps = |op: &StoreOp| matches!(op, StoreOp::ListChunks);
    let swept = drive(&mut leader, &mut store, 0, JournalInput::Lead, sweeps);
    let large = Op { key: RecordKey(b"k".to_vec()), value: Some([0; 800].to_vec()) };
    let batch = JournalInput::Store { seq: Seq(1), ops: Vec::from([large]) };
    let appends = |op: &StoreOp| matches!(op, StoreOp::Append { .. });
    let appended = drive(&mut leader, &mut store, 10, batch, appends);
    drive(&mut standby, &mut store, 20, JournalInput::Boot, none);
    for answer in swept.into_iter().chain(appended) {
        drive(&mut leader, &mut store, 5_000, answer, none);
    }
    assert!(store.manifest.is_some(), "a snapshot was due");
    drive(&mut standby, &mut store, 6_000, JournalInput::Lead, sweeps);
    let batch = JournalInput::Store { seq: Seq(2), ops: Vec::new() };
    drive(&mut standby, &mut store, 6_001, batch, none);
    let found = world::recover(&mut store).map(|found| found.seq);
    assert_eq!(found, Ok(Seq(2)));
}

/// Found by the simulator: a manifest without chunks, which had only raised the format level, made it forget them, and
/// the next snapshot was without them.
#[test]
fn changes_followed_before_a_manifest_is_met_at_take_over_are_in_the_next_snapshot() {
    let mut store = Memory::default();
    let mut leader = world::recover(&mut store).expect("an empty journal is fine").journal;
    let none = |_: &StoreOp| false;
    let change = Op { key: RecordKey(b"k".to_vec()), value: Some(b"v".to_vec()) };
    drive(&mut leader, &mut store, 1, JournalInput::Store { seq: Seq(1), ops: Vec::from([change]) }, none);
    let mut standby = Journal::new(world::tiny());
    drive(&mut standby, &mut store, 2, JournalInput::Boot, none);
    store.manifest = Some(Manifest { number: 1, ..Manifest::default() }.encode());
    drive(&mut standby, &mut store, 3, JournalInput::Lead, none);
    let asks_for_records = (2..100).any(|seq| {
        let mut inputs = Vec::from([JournalInput::Store { seq: Seq(seq), ops: Vec::new() }]);
        let mut asked = false;
        while let Some(input) = inputs.pop() {
            let mut out = Vec::new();
            standby.step(Now { mono: Instant(4), ..Now::default() }, input, &mut out);
            for effect in out {
                match effect {
                    JournalEffect::Op { id, op } => {
                        inputs.push(JournalInput::Result { id, result: store.execute(op) });
                    }
                    JournalEffect::NeedRecords { .. } => asked = true,
                    _ => {}
                }
            }
        }
        asked
    });
    assert!(asks_for_records, "{:?}", store.manifest);
}

/// Found by the simulator: it led, and swept the chunks of a snapshot of which only the manifest was lost.
#[test]
fn who_began_before_the_first_snapshot_sees_by_a_trimmed_log_that_a_manifest_is_lost() {
    let mut store = Memory::default();
    let mut leader = world::recover(&mut store).expect("an empty journal is fine").journal;
    let none = |_: &StoreOp| false;
    for seq in 1..=3 {
        drive(&mut leader, &mut store, 1, JournalInput::Store { seq: Seq(seq), ops: Vec::new() }, none);
    }
    let mut standby = Journal::new(world::tiny());
    drive(&mut standby, &mut store, 2, JournalInput::Boot, none);
    store.log = store.log.split_off(&2);
    let (mut inputs, mut refused) = (Vec::from([JournalInput::Lead]), None);
    while let Some(input) = inputs.pop() {
        let mut out = Vec::new();
        standby.step(Now::default(), input, &mut out);
        match out.pop() {
            Some(JournalEffect::Op { id, op }) => {
                inputs.push(JournalInput::Result { id, result: store.execute(op) });
            }
            Some(JournalEffect::Refused(refusal)) => refused = Some(refusal),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, Some(Refusal::Corruption { what: Damage::Missing, place: Place::Manifest }));
}

/// Found by the simulator: it named an entry that was rightly gone.
#[test]
fn who_is_behind_a_trimmed_log_whose_first_entry_is_lost_looks_for_the_new_beginning() {
    let mut standby = Journal::new(world::tiny());
    drive(&mut standby, &mut Memory::default(), 0, JournalInput::Boot, |_| false);
    let mut next = |input| {
        let (mono, mut out) = (Instant(60_000), Vec::new());
        standby.step(Now { mono, ..Now::default() }, input, &mut out);
        out.pop()
    };
    let Some(JournalEffect::Op { id, op: StoreOp::ReadLog { .. } }) = next(JournalInput::Wake) else {
        panic!("it follows")
    };
    let part = LogPart { first: 2, begins: 2, entries: Vec::new(), end: true, durable: 4 };
    let result = StoreResult::Done(Payload::Log(part));
    let Some(JournalEffect::Op { id, op }) = next(JournalInput::Result { id, result }) else {
        panic!("the manifest may be another")
    };
    assert_eq!(op, StoreOp::ReadManifest);
    let manifest = Manifest { number: 1, replay_from: 2, ..Manifest::default() }.encode();
    let result = StoreResult::Done(Payload::Manifest(Some(manifest)));
    assert_eq!(next(JournalInput::Result { id, result }), Some(JournalEffect::Restart));
}

#[test]
fn batches_that_wait_share_an_entry() {
    let mut store = Memory::default();
    let mut journal = world::recover(&mut store).expect("an empty journal is fine").journal;
    let mut out = Vec::new();
    for seq in 1..=100 {
        journal.step(Now::default(), JournalInput::Store { seq: Seq(seq), ops: Vec::new() }, &mut out);
    }
    assert_eq!(out.len(), limits::APPENDS_IN_FLIGHT_MAX);
    let Some(JournalEffect::Op { id, .. }) = out.first().cloned() else { panic!("appends were expected") };
    out.clear();
    journal.step(
        Now::default(),
        JournalInput::Result { id, result: StoreResult::Done(Payload::Nothing) },
        &mut out,
    );
    let Some(JournalEffect::Op { op: StoreOp::Append { index, entry, .. }, .. }) = out.pop() else {
        panic!("the rest was expected in one entry")
    };
    let entry = Entry::decode(1, index, entry.as_slice()).expect("a sound entry");
    assert_eq!((entry.first, entry.last), (Seq(5), Seq(100)));
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let manifest = Some(Manifest { level: 4, ..Manifest::default() }.encode());
    let mut store = Memory { manifest, ..Memory::default() };
    let refusal = world::recover_as(&mut store, 3).map(|_| ()).expect_err("a newer manifest");
    assert_eq!(refusal, Refusal::NewerFormat { place: Place::Manifest, level: 4, newest: 3 });
    let said = "the journal was written by a newer Swan: the manifest has format level 4, this build reads up to 3. \
                Start a Swan of that release or later";
    assert_eq!(std::format!("{refusal}"), said);
    assert!(world::recover_as(&mut store, 4).is_ok());
}

#[test]
fn what_is_missing_is_named() {
    let mut world = World::new(3, Faults::NONE);
    world.run(1_000);
    let sound = world.store.clone();
    let name = *sound.chunks.keys().next().expect("a chunk");
    let mut store = sound.clone();
    store.chunks.remove(&name);
    let missing = |place| Refusal::Corruption { what: Damage::Missing, place };
    // A chunk may be left over from an unfinished snapshot; then nothing needs it.
    if let Err(refusal) = world::recover(&mut store) {
        assert_eq!(refusal, missing(Place::Chunk(name)));
    }
    let mut store = sound;
    let last = *store.log.keys().next_back().expect("an entry");
    store.log.remove(&last);
    assert_eq!(world::recover(&mut store).map(|_| ()), Err(missing(Place::Entry(last))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is stored: one flipped bit is refused, or changes nothing.
    #[test]
    fn a_flipped_bit_is_never_accepted(seed in 0..8_u64, which in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>()) {
        let mut world = World::new(seed, Faults::NONE);
        world.run(600);
        let mut store = world.store.clone();
        let sound = world::recover(&mut world.store.clone()).expect("a sound journal");
        store.flip(which, bit);
        match world::recover(&mut store) {
            Err(refusal) => prop_assert!(matches!(refusal, Refusal::Corruption { .. }), "{refusal:?}"),
            Ok(found) => prop_assert_eq!((found.seq, found.records), (sound.seq, sound.records)),
        }
    }

    /// Any bytes at all where an entry, chunk or manifest is expected: an error, no panic.
    #[test]
    fn junk_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Entry::decode(1, 0, &bytes).is_err());
        prop_assert!(Manifest::decode(1, &bytes).is_err());
        let mut store = Memory { manifest: Some(bytes.into()), ..Memory::default() };
        prop_assert!(world::recover(&mut store).is_err());
    }
}
