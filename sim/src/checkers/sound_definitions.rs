//! Owns the check of S19: what was accepted as a definition starts as a task, and says the same when it is posted again.

use std::collections::BTreeSet;

use swan_core::mesos::TaskState;
use swan_core::spec::AppSpec;

use super::{Checker, Context, Seen};

/// No accepted definition leads to a TASK_ERROR, and each is stored in the one form that it keeps.
#[derive(Clone, Debug, Default)]
pub struct SoundDefinitions {
    /// What was found sound already.
    judged: BTreeSet<String>,
}

impl Checker for SoundDefinitions {
    fn number(&self) -> &'static str {
        "S19"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Some(status) = seen.update().filter(|status| status.state == TaskState::Error) {
            return Err(format!("{} is refused: {:?}", status.task_id, status.message));
        }
        match seen {
            Seen::Truth(_) => at.stored.definitions().try_for_each(|text| self.judge(text)),
            _ => Ok(()),
        }
    }
}

impl SoundDefinitions {
    pub(super) fn judge(&mut self, text: String) -> Result<(), String> {
        if self.judged.contains(&text) {
            return Ok(());
        }
        let again = AppSpec::parse(text.as_bytes()).map(|parsed| parsed.spec.canonical_json());
        match again {
            Ok(again) if again == text => {
                self.judged.insert(text);
                Ok(())
            }
            Ok(again) => Err(format!("a definition changes when it is posted again: {text} becomes {again}")),
            Err(problems) => Err(format!("a stored definition is refused: {text}: {problems:?}")),
        }
    }
}
