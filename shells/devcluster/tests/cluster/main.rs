//! Holds a development cluster against raw clients of its HTTP APIs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod docker;
mod loopback;
