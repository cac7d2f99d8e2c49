//! Owns placement rules: one expression language over what is known of an agent.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// What must hold of an agent, and what is preferred.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// One text each, all of which must hold.
    pub texts: Vec<String>,
}
