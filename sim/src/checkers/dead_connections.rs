//! Owns the check of L2: a connection that is silent is given up in time.

use swan_core::link::{ConnId, LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};

use super::{Checker, Context, Seen};

/// Five heartbeats of the modelled master, and room for what is on its way.
const SILENCE_MS: u64 = 5 * 15_000 + 5_000;

/// No connection is silent for long without being closed.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadConnections {
    /// The connection on which the manager relies, and when it said something last.
    current: Option<(ConnId, u64)>,
    /// When the process was woken last; one that is gone, or paused, gives nothing up.
    woken: u64,
}

impl Checker for DeadConnections {
    fn number(&self) -> &'static str {
        "L2"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        // Not at once after it was woken: it may end before it gives the connection up.
        if let Seen::Told(_) = seen {
            self.judge()?;
        }
        match seen {
            Seen::Started { .. } => self.current = None,
            Seen::Does(ManagerEffect::Link(
                LinkEffect::Subscribe { conn, .. } | LinkEffect::Ask { conn, .. },
            )) => {
                self.current = Some((*conn, at.now));
            }
            Seen::Does(ManagerEffect::Link(LinkEffect::Close { .. }) | ManagerEffect::End(_)) => {
                self.current = None;
            }
            Seen::Told(ManagerInput::Link(
                LinkInput::Opened { conn, .. }
                | LinkInput::Event { conn, .. }
                | LinkInput::Unreadable { conn, .. }
                | LinkInput::Alive { conn },
            )) => {
                if let Some((current, heard)) = &mut self.current
                    && current == conn
                {
                    *heard = at.now;
                }
            }
            Seen::Told(ManagerInput::Wake) => self.woken = at.now,
            _ => {}
        }
        Ok(())
    }
}

impl DeadConnections {
    fn judge(&self) -> Result<(), String> {
        match self.current {
            Some((conn, heard)) if self.woken > heard + SILENCE_MS => {
                let silence = self.woken - heard;
                Err(format!("{conn:?} has been silent for {silence} ms, and is not given up"))
            }
            _ => Ok(()),
        }
    }
}
