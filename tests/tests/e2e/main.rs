//! Holds the real program against a real cluster on this machine: `swan dev` and `swan manager` as processes, tasks that
//! answer over HTTP, kills from outside.
//!
//! Emulated agents live on 127.0.0.2, .3, …, which also other tests use: cargo runs one test binary after another, and
//! `Turn` makes the tests of this one (and of another run on this machine) wait for each other.

mod api;
mod builtin;
mod commands;
mod docker;
mod docker_rollouts;
mod events;
mod failover;
mod history;
mod http;
mod journals;
mod lost_journal;
mod manager;
mod managers;
mod original;
mod patience;
mod program;
mod proxy;
mod requests;
mod scene;
mod zookeeper_lost;
mod zookeeper_masters;
