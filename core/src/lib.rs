//! The machines that decide everything Swan does: pure, synchronous, deterministic.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod id;
pub mod mesos;
pub mod rng;
pub mod limits;
pub mod record;
pub mod scheduler;
pub mod time;
