//! Owns the check of S25 (U1): builds that read different format levels share a journal, and none of them is left behind.

use std::collections::BTreeSet;

use swan_core::journal::frame::FORMAT_FIRST;
use swan_core::journal::{Blob, StoreOp};
use swan_core::link::LinkEffect;
use swan_core::manager::ManagerEffect;

use super::{Checker, Context, Seen};

/// The level rises by one, when all who are registered can read the next; nothing is stored above it; and who starts
/// without being able to read it says so, and does nothing else.
#[derive(Clone, Debug)]
pub struct FormatLevels {
    in_force: u8,
    /// Of the newest entry.
    written: u8,
    /// Managers that were started below the level in force.
    blind: BTreeSet<usize>,
}

impl Default for FormatLevels {
    fn default() -> Self {
        Self { in_force: FORMAT_FIRST, written: FORMAT_FIRST, blind: BTreeSet::new() }
    }
}

impl Checker for FormatLevels {
    fn number(&self) -> &'static str {
        "S25"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Started { reads } if reads < self.in_force => drop(self.blind.insert(at.manager)),
            Seen::Started { .. } => drop(self.blind.remove(&at.manager)),
            Seen::Switched { level, readers } => return self.switched(level, readers),
            Seen::Stored(entry) => {
                let (before, in_force) = (self.written, self.in_force);
                if !(before..=in_force).contains(&entry.level) {
                    let level = entry.level;
                    return Err(format!(
                        "an entry of level {level} is stored after {before}, {in_force} is in force"
                    ));
                }
                self.written = entry.level;
            }
            Seen::Does(effect) => {
                self.judge_frame(effect)?;
                return self.judge_blind(at, effect);
            }
            _ => {}
        }
        Ok(())
    }
}

impl FormatLevels {
    fn switched(&mut self, level: u8, readers: &[u8]) -> Result<(), String> {
        let before = std::mem::replace(&mut self.in_force, level);
        if level < before || level > before + 1 {
            return Err(format!("the format level goes from {before} to {level}"));
        }
        match readers.iter().find(|reads| level > before && **reads < level) {
            Some(reads) => {
                Err(format!("level {level} takes force, and a registered manager reads up to {reads}"))
            }
            None => Ok(()),
        }
    }

    /// Nothing is even to be written above the level in force, but a manifest that raises it.
    fn judge_frame(&self, effect: &ManagerEffect) -> Result<(), String> {
        let ManagerEffect::Store { op, .. } = effect else { return Ok(()) };
        let (frame, highest) = match op {
            StoreOp::Append { entry, .. } => (entry, self.in_force),
            StoreOp::WriteChunk { bytes, .. } => (bytes, self.in_force),
            StoreOp::SwitchManifest { manifest, .. } => (manifest, self.in_force + 1),
            _ => return Ok(()),
        };
        let level = level_of(frame);
        if level <= highest {
            return Ok(());
        }
        Err(format!("{op:?} is of level {level}, {} is in force", self.in_force))
    }

    /// Until it has read that it is too old, it may follow what a server that lags shows, and be elected.
    fn judge_blind(&self, at: Context<'_>, effect: &ManagerEffect) -> Result<(), String> {
        if !self.blind.contains(&at.manager) {
            return Ok(());
        }
        match effect {
            ManagerEffect::Store {
                op:
                    StoreOp::Append { .. }
                    | StoreOp::Cut { .. }
                    | StoreOp::Trim { .. }
                    | StoreOp::WriteChunk { .. }
                    | StoreOp::DeleteChunk { .. }
                    | StoreOp::SwitchManifest { .. },
                ..
            }
            | ManagerEffect::Link(LinkEffect::Subscribe { .. } | LinkEffect::Send { .. })
            | ManagerEffect::Reply { result: Ok(_), .. }
            | ManagerEffect::Publish(_)
            | ManagerEffect::Route(_) => {
                Err(format!("manager {} cannot read the journal, and acts: {effect:?}", at.manager))
            }
            _ => Ok(()),
        }
    }
}

/// The format level of a frame: the byte behind its three letters.
fn level_of(frame: &Blob) -> u8 {
    frame.as_slice().get(3).copied().unwrap_or_default()
}
