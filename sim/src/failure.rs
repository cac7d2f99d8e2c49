//! Owns what a failure of a run is, and when two are the same.

use std::fmt;

use serde::{Deserialize, Serialize};

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
