//! Owns what a seed decides about the masters: when nobody leads, what they say of tasks, and what they offer.

use serde::{Deserialize, Serialize};

use super::{every, share};
use crate::streams;

/// How masters behave. Intervals are means in ms, 0 is never; shares are ppm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MasterOptions {
    /// The leader crashes, and another leads within a minute (M1).
    pub fail_every: u64,
    /// Nobody leads for minutes (M2).
    pub vacancy_every: u64,
    /// SUBSCRIBEs that are accepted, and then not answered as they should be (M4).
    pub odd_streams: u32,
    /// Answers to RECONCILE that do not come, come late, or tell what was once so (M13).
    pub odd_answers: u32,
    /// The master forgets tasks and agents that cannot be reached (M14).
    pub forget_every: u64,
    /// The allocator offers nothing for a while, and then everything (M12).
    pub pause_every: u64,
    /// Offers come in small pieces for a while (M11).
    pub split_every: u64,
    /// Another framework takes whatever is free, for a while (M15).
    pub taken_every: u64,
    /// The master ends the subscription with an ERROR (M6).
    pub error_every: u64,
    /// Offers with resources that may be taken away, that are nothing, or that nobody knows (M11).
    pub odd_offers: u32,
    /// New masters that know of no agents, and so of no tasks, until each agent registers (M13).
    pub lost_registries: u32,
    /// The master answers and tells late for a while, by up to half a minute (M17, N1).
    pub slow_every: u64,
    /// There are several masters, and so many SUBSCRIBEs are redirected to none that leads (M3).
    pub redirects: u32,
    /// An operator limits what each role of a framework may have, for a while (M15).
    pub limited_every: u64,
    /// A tool subscribes as Swan, and launches a task of its own (O4).
    pub intruder_every: u64,
    /// Swan has a second role, for which a part of some agents is reserved (M11).
    pub second_role: bool,
}

impl MasterOptions {
    pub(super) fn swarm(seed: u64) -> Self {
        let often = |name: &str, least, most| every(&mut streams::named(seed, name), least, most);
        let part = |name: &str, most| share(&mut streams::named(seed, name), most);
        Self {
            fail_every: often("masters.failEvery", 40_000, 400_000),
            vacancy_every: often("masters.vacancyEvery", 120_000, 900_000),
            odd_streams: part("masters.oddStreams", 400_000),
            odd_answers: part("masters.oddAnswers", 400_000),
            forget_every: often("masters.forgetEvery", 20_000, 240_000),
            pause_every: often("masters.pauseEvery", 60_000, 600_000),
            split_every: often("masters.splitEvery", 30_000, 300_000),
            taken_every: often("masters.takenEvery", 60_000, 600_000),
            error_every: often("masters.errorEvery", 30_000, 400_000),
            odd_offers: part("masters.oddOffers", 400_000),
            lost_registries: part("masters.lostRegistries", 1_000_000),
            slow_every: often("masters.slowEvery", 60_000, 600_000),
            redirects: part("masters.redirects", 400_000),
            limited_every: often("masters.limitedEvery", 60_000, 600_000),
            intruder_every: often("masters.intruderEvery", 60_000, 600_000),
            second_role: streams::named(seed, "masters.secondRole").chance(250_000),
        }
    }
}
