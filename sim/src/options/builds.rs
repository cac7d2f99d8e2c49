//! Owns what a seed decides about processes of several builds, which read the journal up to different format levels.

use serde::{Deserialize, Serialize};

use super::share;
use crate::streams;

/// Which builds there are, and what an operator does with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BuildOptions {
    /// Up to which format level the newest build reads; with 1 there is only one. All managers begin with level 1.
    pub newest: u8,
    /// Mean time between two managers that are started as another build, ms.
    pub roll_every: u64,
    /// The format level rises when all have been able to read the next for so long, ms.
    pub raise_after_ms: u64,
    /// Share of reads of the register that are answered by a server that lags (Z4), ppm.
    pub stale: u32,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self { newest: 1, roll_every: 0, raise_after_ms: 600_000, stale: 0 }
    }
}

impl BuildOptions {
    /// Whether there are several.
    pub const fn several(&self) -> bool {
        self.newest > 1
    }

    /// Two worlds in three with several managers have several builds, and one in four of the others.
    pub(super) fn swarm(seed: u64, managers: u32) -> Self {
        let mut rng = streams::named(seed, "builds");
        if !rng.chance(if managers > 1 { 666_666 } else { 250_000 }) {
            return Self::default();
        }
        Self {
            newest: rng.between(2, 4) as u8,
            roll_every: rng.between(3_000, 40_000),
            raise_after_ms: rng.below(30_000),
            stale: share(&mut rng, 1_000_000),
        }
    }
}
