//! Serves the simulated Mesos cluster over the real v1 HTTP API, and runs its tasks for real on emulated agents.

pub mod attributes;
mod cluster;
mod disk;
mod driver;
mod executor;
mod http;
mod options;
mod state;

pub use cluster::{DevCluster, StartError};
pub use disk::StateError;
pub use options::{AgentOptions, DevOptions, ExecutorChoice};
