//! Serves the simulated Mesos cluster over the real v1 HTTP API, and runs its tasks for real on emulated agents.

pub mod attributes;
mod cluster;
mod driver;
mod executor;
mod http;
mod options;
mod state;

pub use cluster::{DevCluster, StartError};
pub use options::{AgentOptions, DevOptions, ExecutorChoice};
pub use state::StateError;
