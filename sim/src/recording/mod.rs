//! Owns the replay of recordings of a real Mesos master: the machines are told what a recorded framework was told, in
//! order and at the recorded times, and are asked for what its user had it do.
//!
//! Recorded LAUNCHes become apps of one instance that fit the agent that was used; recorded KILLs become a user's. What
//! Swan would not do in the place of the recorded client is counted, and no fault. A fault is what a scheduler must never
//! do: pass over an event, acknowledge too early, too much or too little, or believe in another end of a task.

mod acknowledgements;
mod client;
mod definition;
mod framework;
mod machine;
mod plan;
mod read;
mod replay;
mod report;
#[cfg(test)]
mod tests;

pub use read::{Line, ReadError, Recording, Sent, What};
pub use replay::replay;
pub use report::{Report, Tally};

use serde_json::Value;
use swan_core::mesos::{Call, Event, FrameworkId};

/// Reads Mesos's JSON; what stands between this crate and the wire.
pub trait Wire {
    /// An event as a master sends it; an error says what is wrong with it.
    fn event(&self, json: &Value) -> Result<Event, String>;

    /// A call and the framework's id beside it; an error says what is wrong with it.
    fn call(&self, json: &Value) -> Result<(Option<FrameworkId>, Call), String>;
}
