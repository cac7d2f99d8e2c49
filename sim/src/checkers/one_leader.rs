//! Owns the check of S6: who leads no more does nothing more, and what an earlier epoch writes has no effect.

use std::collections::BTreeMap;

use swan_core::lease::{ElectionEvent, Tenure};
use swan_core::link::LinkEffect;
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::record::Epoch;
use swan_core::time::{Instant, Millis};

use super::{Checker, Context, Seen};

/// Each manager acts only in the time that it was granted, and only the newest epoch writes.
#[derive(Clone, Debug, Default)]
pub struct OneLeader {
    /// How long a word on leadership holds, and until when each manager leads, by its own clock; 0 if it does not. Those
    /// who lead for as long as they live are not here.
    grants: BTreeMap<usize, (Millis, Instant)>,
    claimed: Option<Epoch>,
}

impl Checker for OneLeader {
    fn number(&self) -> &'static str {
        "S6"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(input) => self.told(at, input),
            Seen::Does(effect) => return self.judge(at, effect),
            Seen::Claimed(epoch) => {
                if let Some(before) = self.claimed.filter(|before| *before >= epoch) {
                    return Err(format!("{epoch:?} is claimed after {before:?}"));
                }
                self.claimed = Some(epoch);
            }
            Seen::Stored(entry) if self.claimed.is_some_and(|claimed| claimed != entry.epoch) => {
                return Err(format!("an entry of {:?} is stored in {:?}", entry.epoch, self.claimed));
            }
            _ => {}
        }
        Ok(())
    }
}

impl OneLeader {
    fn told(&mut self, at: Context<'_>, input: &ManagerInput) {
        if let ManagerInput::Boot(boot) = input
            && let Tenure::Session(timeout) = boot.tenure
        {
            self.grants.insert(at.manager, (Millis(timeout.0 / 3 * 2), Instant(0)));
        }
        let Some((holds, until)) = self.grants.get_mut(&at.manager) else { return };
        match input {
            ManagerInput::Election(ElectionEvent::Acquired { asked }) => *until = *asked + *holds,
            // What comes after the time was over does not prolong it.
            ManagerInput::Election(ElectionEvent::Confirmed { asked }) if at.clock < *until => {
                *until = (*until).max(*asked + *holds);
            }
            // Who abdicates leads on until it resigns: it finishes what it has taken.
            ManagerInput::Election(ElectionEvent::Lost | ElectionEvent::Failed { .. }) => *until = Instant(0),
            _ => {}
        }
    }

    fn judge(&mut self, at: Context<'_>, effect: &ManagerEffect) -> Result<(), String> {
        let Some((_, until)) = self.grants.get_mut(&at.manager) else { return Ok(()) };
        let what = match effect {
            ManagerEffect::Link(LinkEffect::Subscribe { .. }) => "subscribes",
            ManagerEffect::Link(LinkEffect::Ask { .. }) => "asks a master",
            ManagerEffect::Link(LinkEffect::Send { .. }) => "calls Mesos",
            ManagerEffect::Reply { result: Ok(_), .. } => "answers a request",
            ManagerEffect::Publish(_) => "tells an event",
            ManagerEffect::Route(_) => "tells gateways",
            ManagerEffect::Resign | ManagerEffect::End(_) => {
                *until = Instant(0);
                return Ok(());
            }
            _ => return Ok(()),
        };
        if at.clock < *until {
            return Ok(());
        }
        let (manager, clock) = (at.manager, at.clock);
        Err(format!("manager {manager} {what} at {clock:?}, and led until {until:?}: {effect:?}"))
    }
}
