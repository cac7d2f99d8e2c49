//! The machines that decide everything Swan does: pure, synchronous, deterministic.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[macro_use]
pub mod mutants;

pub mod constraint;
pub mod id;
pub mod journal;
pub mod lease;
pub mod limits;
pub mod link;
pub mod manager;
pub mod mesos;
mod number;
pub mod predecessor;
pub mod record;
pub mod rng;
pub mod scheduler;
pub mod selector;
pub mod spec;
pub mod time;
