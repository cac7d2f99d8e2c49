//! Owns the identifiers that Mesos gives or is given: opaque text, cheap to clone.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! mesos_text_id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name(alloc::sync::Arc<str>);

        impl Ord for $name {
            /// Most ids that are equal are the same text in memory: then nothing is compared.
            fn cmp(&self, other: &Self) -> core::cmp::Ordering {
                if alloc::sync::Arc::ptr_eq(&self.0, &other.0) {
                    return core::cmp::Ordering::Equal;
                }
                self.0.cmp(&other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// Wraps any text.
            pub fn new(text: impl Into<alloc::sync::Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )*};
}
pub(crate) use mesos_text_id;

mesos_text_id! {
    /// An agent, as its master names it.
    AgentId
    /// One offer.
    OfferId
    /// A framework; survives its process.
    FrameworkId
    /// An executor; Docker tasks get one named like the task.
    ExecutorId
}

/// The uuid of a status update, as its raw bytes (16 from Mesos; anything from a hostile peer).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uuid(pub Arc<[u8]>);
