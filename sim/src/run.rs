//! Owns a run: one seed from beginning to end, and what is told of a failure.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::options::Options;
use crate::trace::{Event, Trace};
use crate::world::World;

/// What kind of failure, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Kind {
    /// A machine panicked.
    Crash,
    /// Not everything became as wanted in time.
    Liveness,
    /// An invariant was broken.
    Correctness,
}

impl Kind {
    /// The exit code of a process that found such a failure.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Crash => 127,
            Self::Liveness => 128,
            Self::Correctness => 129,
        }
    }
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// What is wrong, with the number of the invariant.
    pub what: String,
    /// When, in virtual ms.
    pub at: u64,
    /// After how many effects.
    pub effects: u64,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, what, at, effects } = self;
        let (seconds, ms) = (at / 1000, at % 1000);
        write!(f, "{kind:?} at {seconds}.{ms:03} s, effect {effects}: {what}")
    }
}

impl Failure {
    /// Whether another failure is the same, as far as one can tell: broken is the same invariant, or words of the panic
    /// differ in numbers only.
    pub fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.gist() == other.gist()
    }

    fn gist(&self) -> String {
        match self.kind {
            Kind::Crash => self.what.chars().filter(|c| !c.is_ascii_digit()).collect(),
            Kind::Liveness | Kind::Correctness => self.what.split(':').next().unwrap_or_default().to_owned(),
        }
    }
}

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
