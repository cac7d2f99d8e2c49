//! Owns where Swan's memory is kept: execution of journal operations and elections on a directory or on ZooKeeper.
//!
//! What to store, when, who may, and what damage means is decided by `swan_core::journal` and `swan_core::lease`; this
//! crate does as told and answers what happened.

mod error;
mod file;
mod zookeeper;

pub use crate::error::StoreError;
pub use crate::file::{CrashNotes, FileStore, StoreThread, spawn};
pub use crate::zookeeper::{
    Address, AddressError, Credentials, Election, Heard, Member, Options, Registry, Sessions, TlsFiles,
    ZkCrashNotes, ZkStore, masters_in, watch_masters,
};
