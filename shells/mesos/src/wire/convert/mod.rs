//! Owns the meaning of wire messages: each to core's type and back.

mod call;
mod event;
mod info;
mod master;
mod number;
mod probe;
mod resource;
mod status;
mod task;

pub use call::{call_from_wire, call_to_wire};
pub use event::{event_from_wire, event_to_wire};
pub use master::{frameworks_call, frameworks_from_wire, frameworks_to_wire};
