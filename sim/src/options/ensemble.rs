//! Owns what a seed decides about several managers, and the ZooKeeper that they share.

use serde::{Deserialize, Serialize};

use super::{every, share};
use crate::streams;

/// How many managers there are, and what happens to them and to ZooKeeper. Intervals are means in ms, 0 is never; shares
/// are ppm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EnsembleOptions {
    /// Managers. Just one keeps its journal in a file, and nothing else here matters; more of them share a ZooKeeper.
    pub managers: u32,
    /// Milliseconds that a message to or from ZooKeeper takes, from and to.
    pub latency_ms: (u64, u64),
    /// Operations at which the connection is lost (Z1, Z2).
    pub lost: u32,
    /// Requests that are slow (Z1).
    pub slow: u32,
    /// Reads answered by a server that lags (Z4).
    pub stale: u32,
    /// Watches of which nobody is told (Z4).
    pub lost_watches: u32,
    /// Sessions that end later than they should (Z2).
    pub late_expiry: u32,
    /// A manager loses ZooKeeper for a while (Z2).
    pub cut_every: u64,
    /// ZooKeeper has no majority for a while (Z7), which lasts so many ms at most.
    pub no_quorum_every: u64,
    /// See there.
    pub no_quorum_ms: u64,
    /// Whoever leads does not run for a while (C2, Z3).
    pub leader_pause_every: u64,
    /// Whoever leads dies, again and again (S-2).
    pub leader_loop_every: u64,
    /// An operator lets another manager lead.
    pub abdicate_every: u64,
    /// Something that ZooKeeper keeps is damaged, until an operator mends it (Z5).
    pub rots_every: u64,
}

impl Default for EnsembleOptions {
    fn default() -> Self {
        Self {
            managers: 1,
            latency_ms: (1, 1),
            lost: 0,
            slow: 0,
            stale: 0,
            lost_watches: 0,
            late_expiry: 0,
            cut_every: 0,
            no_quorum_every: 0,
            no_quorum_ms: 60_000,
            leader_pause_every: 0,
            leader_loop_every: 0,
            abdicate_every: 0,
            rots_every: 0,
        }
    }
}

impl EnsembleOptions {
    /// One world in three has several managers.
    pub(super) fn swarm(seed: u64) -> Self {
        let often = |name: &str, least, most| every(&mut streams::named(seed, name), least, most);
        let part = |name: &str, most| share(&mut streams::named(seed, name), most);
        let mut sizes = streams::named(seed, "ensemble.managers");
        let managers = if sizes.chance(333_333) { sizes.between(3, 5) as u32 } else { 1 };
        Self {
            managers,
            latency_ms: (0, sizes.between(1, 50)),
            lost: part("ensemble.lost", 30_000),
            slow: part("ensemble.slow", 10_000),
            stale: part("ensemble.stale", 300_000),
            lost_watches: part("ensemble.lostWatches", 1_000_000),
            late_expiry: part("ensemble.lateExpiry", 1_000_000),
            cut_every: often("ensemble.cutEvery", 10_000, 240_000),
            no_quorum_every: often("ensemble.noQuorumEvery", 60_000, 400_000),
            no_quorum_ms: sizes.between(1_000, 300_000),
            leader_pause_every: often("ensemble.leaderPauseEvery", 10_000, 120_000),
            leader_loop_every: often("ensemble.leaderLoopEvery", 20_000, 240_000),
            abdicate_every: often("ensemble.abdicateEvery", 5_000, 240_000),
            rots_every: often("ensemble.rotsEvery", 20_000, 240_000),
        }
    }
}
