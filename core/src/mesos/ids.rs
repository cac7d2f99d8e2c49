//! Owns the identifiers that Mesos gives or is given: opaque text, cheap to clone.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! mesos_text_id {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub struct $name(alloc::sync::Arc<str>);

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
