//! Owns the reading and writing of `constraints`.

use super::json::Value;
use super::read::{At, Findings};
use crate::constraint::Rules;

/// Reads `constraints`.
pub(super) fn read(at: &At<'_>, findings: &mut Findings) -> Rules {
    if !at.value.is_empty() {
        findings.problem(&at.path, "is not supported yet; must be left out or empty");
    }
    Rules::default()
}

/// `None` if there are none.
pub(super) fn written(rules: &Rules) -> Option<Value> {
    let _ = rules;
    None
}
