//! Owns what a seed decides about the manager's clocks.

use serde::{Deserialize, Serialize};

use super::{every, share};
use crate::streams;

/// What happens to clocks, and to the process that reads them. Intervals are means in ms; 0 is never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClockOptions {
    /// The wall clock is set wrong, stops, or runs wrong (C1).
    pub wall_every: u64,
    /// The process is stopped for up to five minutes (C2).
    pub pause_every: u64,
    /// Effects before which it is stopped for up to five minutes, with those behind still to come (C2, S-1), ppm.
    pub pause_effects: u32,
}

impl ClockOptions {
    pub(super) fn swarm(seed: u64) -> Self {
        let often = |name: &str, least, most| every(&mut streams::named(seed, name), least, most);
        Self {
            wall_every: often("clocks.wallEvery", 20_000, 240_000),
            pause_every: often("clocks.pauseEvery", 40_000, 400_000),
            pause_effects: share(&mut streams::named(seed, "clocks.pauseEffects"), 5_000),
        }
    }
}
