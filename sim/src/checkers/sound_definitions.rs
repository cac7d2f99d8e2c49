//! Owns the check of S19: what was accepted as a definition starts as a task, and says the same when it is posted again.

use swan_core::mesos::TaskState;
use swan_core::spec::AppSpec;

use super::stored::definition_in;
use super::{Checker, Context, Seen};

/// No accepted definition leads to a TASK_ERROR, and each is stored in the one form that it keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoundDefinitions;

impl Checker for SoundDefinitions {
    fn number(&self) -> &'static str {
        "S19"
    }

    fn see(&mut self, _: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Some(status) = seen.update().filter(|status| status.state == TaskState::Error) {
            return Err(format!("{} is refused: {:?}", status.task_id, status.message));
        }
        match seen {
            Seen::Stored(entry) => {
                entry.ops.iter().filter_map(definition_in).try_for_each(|text| judge(&text))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn judge(text: &str) -> Result<(), String> {
    match AppSpec::parse(text.as_bytes()).map(|parsed| parsed.spec.canonical_json()) {
        Ok(again) if again == text => Ok(()),
        Ok(again) => Err(format!("a definition changes when it is posted again: {text} becomes {again}")),
        Err(problems) => Err(format!("a stored definition is refused: {text}: {problems:?}")),
    }
}
