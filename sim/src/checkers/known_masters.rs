//! Owns the check of S20: Swan connects only to masters that the operator named, wherever it is redirected.

use swan_core::link::{LinkEffect, MasterAddress};
use swan_core::manager::{ManagerEffect, ManagerInput};

use super::{Checker, Context, Seen};

/// Every SUBSCRIBE and every question goes to a configured master.
#[derive(Clone, Debug, Default)]
pub struct KnownMasters {
    /// None until a process has been told.
    configured: Vec<MasterAddress>,
}

impl Checker for KnownMasters {
    fn number(&self) -> &'static str {
        "S20"
    }

    fn see(&mut self, _: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Told(ManagerInput::Boot(boot)) => self.configured.clone_from(&boot.masters),
            Seen::Does(ManagerEffect::Link(
                LinkEffect::Subscribe { master, .. } | LinkEffect::Ask { master, .. },
            )) if !self.configured.is_empty() && !self.configured.contains(master) => {
                return Err(format!("{master} is asked, which nobody configured"));
            }
            _ => {}
        }
        Ok(())
    }
}
