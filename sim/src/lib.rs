//! A deterministic cluster that breaks everything: the world around Swan's machines, as a library.

pub mod ask;
pub mod chance;
pub mod checkers;
pub mod definition;
pub mod digest;
pub mod disk;
pub mod draws;
pub mod failure;
pub mod ledger;
pub mod marks;
pub mod mesos;
pub mod options;
pub mod performance;
mod queue;
pub mod recording;
pub mod rules;
pub mod run;
pub mod scenario;
pub mod shrink;
mod streams;
pub mod trace;
pub mod world;
mod zookeeper;
