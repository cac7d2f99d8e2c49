//! Owns a run: one seed from beginning to end, and what is told of a failure.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ledger::Ledger;
use crate::options::Options;
use crate::world::World;

/// What kind of failure, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it did.
    pub ledger: Ledger,
    /// The digest of all its effects.
    pub digest: u64,
    /// The digest after each step, if asked for.
    pub trace: Vec<u64>,
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
    Trace,
    /// The newest inputs and effects in words.
    Log,
}

/// Runs one seed.
pub fn run(seed: u64, options: &Options, keep: Keep) -> Outcome {
    let mut world = World::new(seed, options.clone());
    match keep {
        Keep::Nothing => {}
        Keep::Trace => world.keep_trace(),
        Keep::Log => world.keep_log(),
    }
    let result = catch_unwind(AssertUnwindSafe(|| world.run()));
    let (at, effects) = (world.now(), world.ledger().effects);
    let failure = match result {
        Err(panic) => Some(Failure { kind: Kind::Crash, what: words(panic.as_ref()), at, effects }),
        Ok(pending) => world
            .violation()
            .map(|it| Failure {
                kind: Kind::Correctness,
                what: format!("{}: {}", it.number, it.what),
                at: it.at,
                effects: it.effects,
            })
            .or_else(|| {
                pending.map(|why| Failure { kind: Kind::Liveness, what: format!("L1: {why}"), at, effects })
            }),
    };
    let log = world.log().map(str::to_owned).collect();
    Outcome { ledger: world.ledger(), digest: world.digest(), trace: world.take_trace(), log, failure }
}

/// What a panic said.
pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}
