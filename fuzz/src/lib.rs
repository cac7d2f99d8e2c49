//! Owns the fuzz bodies: plain functions that take any bytes and panic only if a promise is broken.
//!
//! Each promises two things: no input panics, hangs or allocates without bound (S21), and what was accepted
//! survives its own encoding. `fuzz/README.md` says how to run them and what to do with a crash.

mod api;
mod journal;
mod machine;
mod mesos;
mod scheduler;
mod text;
mod zookeeper;

pub use api::{api_bodies, api_compose, api_queries};
pub use journal::{journal_frames, journal_recovery};
pub use machine::inputs;
pub use mesos::{mesos_answers, mesos_json, mesos_protobuf, recordio};
pub use scheduler::{records, scheduler_actions};
pub use text::{app_spec, constraints, names};
pub use zookeeper::{zookeeper_masters, zookeeper_members};

/// A body and the name of its corpus, `fuzz/corpora/NAME`, and of its target, `fuzz/fuzz_targets/NAME.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called everywhere.
    pub name: &'static str,
    /// Takes any bytes.
    pub body: fn(&[u8]),
}

/// All bodies, in order of name.
pub const TARGETS: &[Target] = &[
    Target { name: "api_bodies", body: api_bodies },
    Target { name: "api_compose", body: api_compose },
    Target { name: "api_queries", body: api_queries },
    Target { name: "app_spec", body: app_spec },
    Target { name: "constraints", body: constraints },
    Target { name: "inputs", body: inputs },
    Target { name: "journal_frames", body: journal_frames },
    Target { name: "journal_recovery", body: journal_recovery },
    Target { name: "mesos_answers", body: mesos_answers },
    Target { name: "mesos_json", body: mesos_json },
    Target { name: "mesos_protobuf", body: mesos_protobuf },
    Target { name: "names", body: names },
    Target { name: "recordio", body: recordio },
    Target { name: "records", body: records },
    Target { name: "scheduler_actions", body: scheduler_actions },
    Target { name: "zookeeper_masters", body: zookeeper_masters },
    Target { name: "zookeeper_members", body: zookeeper_members },
];
