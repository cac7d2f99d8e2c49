//! Owns the checkers that are about one manager: each manager has one of its own.

use std::collections::BTreeMap;

use super::{Checker, Context, Seen};

/// One checker of a kind for each manager.
#[derive(Clone, Debug, Default)]
pub struct Each<C> {
    checkers: BTreeMap<usize, C>,
    any: C,
}

impl<C: Checker + Clone + Default> Checker for Each<C> {
    fn number(&self) -> &'static str {
        self.any.number()
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Started { .. } | Seen::Leads | Seen::Told(_) | Seen::Does(_) | Seen::Stepped(_) => {
                self.checkers.entry(at.manager).or_default().see(at, seen)
            }
            Seen::Stored(_)
            | Seen::Switched { .. }
            | Seen::Claimed(_)
            | Seen::Away(_)
            | Seen::Launched(..)
            | Seen::Truth(_) => self.checkers.values_mut().try_for_each(|checker| checker.see(at, seen)),
        }
    }
}
