//! Owns what an agent offers and a task claims.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// One resource of an offer or of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// `cpus`, `mem` (MiB), `disk` (MiB), `gpus`, `ports`, or any other name.
    pub name: Arc<str>,
    /// How much, or which.
    pub value: ResourceValue,
    /// `allocation_info.role`: the framework's role the resource is offered to.
    pub allocation_role: Option<Arc<str>>,
    /// The stack of reservations, outermost first; empty means unreserved (role `*`).
    pub reservations: Vec<Reservation>,
    /// May be taken away at any time.
    pub revocable: bool,
    /// A `disk` with a source or a persistent volume, which is not plain space; its wire bytes, kept as they came.
    pub disk: Option<Vec<u8>>,
}

/// The amount or the set of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceValue {
    /// Thousandths of a unit.
    Scalar(i64),
    /// Inclusive ranges, as they came: maybe overlapping or unordered.
    Ranges(Vec<(u64, u64)>),
    /// Names.
    Set(Vec<String>),
}

/// One layer of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The role it is reserved for.
    pub role: String,
    /// Made by a framework or operator at run time, not by the agent's flags.
    pub dynamic: bool,
    /// Who made it.
    pub principal: Option<String>,
    /// Free-form labels.
    pub labels: super::Labels,
}

impl Resource {
    /// Whether it is called so.
    pub fn has_name(&self, name: &str) -> bool {
        *self.name == *name
    }

    /// Its ranges of ports; none of anything else.
    pub fn ports(&self) -> &[(u64, u64)] {
        match &self.value {
            ResourceValue::Ranges(ranges) if self.has_name("ports") => ranges,
            _ => &[],
        }
    }

    /// An unreserved scalar of `milli` thousandths.
    pub fn scalar(name: &str, milli: i64) -> Self {
        Self::plain(name, ResourceValue::Scalar(milli))
    }

    /// Unreserved ranges.
    pub fn ranges(name: &str, ranges: Vec<(u64, u64)>) -> Self {
        Self::plain(name, ResourceValue::Ranges(ranges))
    }

    fn plain(name: &str, value: ResourceValue) -> Self {
        Self {
            name: name.into(),
            value,
            allocation_role: None,
            reservations: Vec::new(),
            revocable: false,
            disk: None,
        }
    }

    /// The same resource allocated to `role`.
    pub fn allocated_to(mut self, role: &str) -> Self {
        self.allocation_role = Some(role.into());
        self
    }
}
