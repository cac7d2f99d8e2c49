//! Owns memory and elections on a ZooKeeper ensemble.
//!
//! Below the root of a cluster, `/swan` say:
//!
//! | node | what |
//! |---|---|
//! | `epoch` | the epoch cell; its version is what every write checks (R91) |
//! | `log` | the index of the first entry that is kept; its children are the entries, by index |
//! | `chunks` | its children are the chunks of snapshots |
//! | `manifest` | the manifest |
//! | `candidates` | its children stand for election; the lowest leads |
//! | `managers` | its children are the managers that are connected; its version is how often one has joined |
//! | `crash-notes` | its children are crash notes |
//!
//! The client library opens sockets and reads clocks by itself; nothing else in this crate does.

mod address;
mod election;
mod execute;
mod layout;
mod log;
mod masters;
mod notes;
mod registry;
mod session;
mod write;

pub use self::address::{Address, AddressError};
pub use self::election::{Election, Heard};
pub use self::execute::ZkStore;
pub use self::masters::{masters_in, watch_masters};
pub use self::notes::ZkCrashNotes;
pub use self::registry::{Member, Registry};
pub use self::session::{Credentials, Options, Sessions, TlsFiles};
