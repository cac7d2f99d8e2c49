//! Owns the check of S15: while nobody can reach the store, nothing is launched, ended or acknowledged.

use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};
use crate::zookeeper::SESSION_MS;

/// What was durable may still leave for as long as whoever leads may know that it does.
const LEAVES_MS: u64 = SESSION_MS / 3 * 2;

/// A store that is away changes nothing of what runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreAway {
    since: Option<u64>,
}

impl Checker for StoreAway {
    fn number(&self) -> &'static str {
        "S15"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Away(away) => self.since = if away { self.since.or(Some(at.now)) } else { None },
            Seen::Does(effect) => {
                let Some(since) = self.since.filter(|since| at.now > since + LEAVES_MS) else {
                    return Ok(());
                };
                return match call_of(effect) {
                    Some(
                        call @ (MesosCall::Accept { .. }
                        | MesosCall::Kill { .. }
                        | MesosCall::Acknowledge { .. }),
                    ) => Err(format!("the store is away since {since} ms, and {call:?} leaves")),
                    _ => Ok(()),
                };
            }
            _ => {}
        }
        Ok(())
    }
}
