//! Owns a run: one seed from beginning to end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::chance::Event;
use crate::failure::{Failure, Kind};
use crate::ledger::Ledger;
use crate::options::Options;
use crate::trace::Trace;
use crate::world::World;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it did.
    pub ledger: Ledger,
    /// The digest of all its effects.
    pub digest: u64,
    /// The digest after each step, if asked for.
    pub digests: Vec<u64>,
    /// What happened by chance and was asked by clients, if asked for.
    pub events: Vec<Event>,
    /// The newest inputs and effects in words, if asked for.
    pub log: Vec<String>,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// The trace of a run whose events were kept.
    pub fn trace(&self, seed: u64, commit: &str, options: Options) -> Trace {
        let (events, failure) = (self.events.clone(), self.failure.clone());
        Trace { seed, commit: commit.to_owned(), options, events, digest: self.digest, failure }
    }
}

/// What to keep of a run beside its account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    #[default]
    Nothing,
    /// The digest after each step.
    Digests,
    /// What makes a trace.
    Events,
    /// That, and the newest inputs and effects in words.
    Log,
}

/// Runs one seed.
pub fn run(seed: u64, options: &Options, keep: Keep) -> Outcome {
    run_world(seed, options, None, keep)
}

/// Runs a trace again: just what it tells happens by chance.
pub fn replay(trace: &Trace, keep: Keep) -> Outcome {
    run_world(trace.seed, &trace.options, Some(&trace.events), keep)
}

fn run_world(seed: u64, options: &Options, script: Option<&[Event]>, keep: Keep) -> Outcome {
    let record = matches!(keep, Keep::Events | Keep::Log);
    let mut world = World::scripted(seed, options.clone(), script, record);
    match keep {
        Keep::Nothing | Keep::Events => {}
        Keep::Digests => world.keep_digests(),
        Keep::Log => world.keep_log(),
    }
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let failure = failure_of(&world, result);
    let log = world.log().map(str::to_owned).collect();
    let (ledger, digest) = (world.ledger(), world.digest());
    Outcome { ledger, digest, digests: world.take_digests(), events: world.take_events(), log, failure }
}

fn failure_of(world: &World, result: std::thread::Result<Option<String>>) -> Option<Failure> {
    let (at, effects) = (world.now(), world.ledger().effects);
    let pending = match result {
        Err(panic) => {
            return Some(Failure { kind: Kind::Crash, what: words(panic.as_ref()), at, effects });
        }
        Ok(pending) => pending,
    };
    let broken = world.violation().map(|it| {
        let what = format!("{}: {}", it.number, it.what);
        Failure { kind: Kind::Correctness, what, at: it.at, effects: it.effects }
    });
    let late = |why| Failure { kind: Kind::Liveness, what: format!("L1: {why}"), at, effects };
    broken.or_else(|| pending.map(late))
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}
