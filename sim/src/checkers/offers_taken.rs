//! Owns the check of L3: what waits for an agent, and may run on any, is placed while agents are offered.

use std::collections::BTreeMap;

/// How long a slot may wait in a cluster that is well and has room for all, ms: a few rounds of offers that were refused
/// for a while, and the wait before they are asked for once more.
const PATIENCE_MS: u64 = 120_000;

/// Since when slots of each app have been waiting.
#[derive(Clone, Debug, Default)]
pub struct OffersTaken {
    since: BTreeMap<String, u64>,
}

impl OffersTaken {
    /// Looks at the apps of which slots wait now, though every agent suits them; an error says which waits for too long.
    pub fn look(&mut self, now: u64, waiting: impl IntoIterator<Item = String>) -> Result<(), String> {
        let before = std::mem::take(&mut self.since);
        self.since =
            waiting.into_iter().map(|app| (app.clone(), before.get(&app).copied().unwrap_or(now))).collect();
        match self.since.iter().find(|(_, since)| now > **since + PATIENCE_MS) {
            Some((app, since)) => {
                Err(format!("{app} has waited {} ms for an agent; any would do", now - since))
            }
            None => Ok(()),
        }
    }
}
