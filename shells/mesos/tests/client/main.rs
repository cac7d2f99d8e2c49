//! Owns the tests of the client: against a small master over loopback, and over a simulated network.

#![allow(clippy::unwrap_used, reason = "a rig that cannot be set up fails the test")]

mod loopback;
mod master;
mod network;
mod rig;
mod tls;
