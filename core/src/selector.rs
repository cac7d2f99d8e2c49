//! Owns label selectors, in the grammar of Kubernetes: what a listing may be narrowed to.

use alloc::string::String;

/// Requirements on labels, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {}

impl Selector {
    /// Reads `env in (a,b),!old,tier=web`; `Err` says what is wrong and where.
    pub fn parse(_text: &str) -> Result<Self, String> {
        Ok(Self {})
    }
}
