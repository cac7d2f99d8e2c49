//! Speaks the Mesos v1 HTTP API: what its bytes mean, and a client that does what core's link machine says.

pub mod client;
pub mod wire;
