//! Owns the shape of Swan's memory: keyed records, and changes to them as whole-record puts and deletes.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

/// A record's key: one kind byte, then parts whose byte order is the order of recovery and of snapshot ranges.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordKey(pub Vec<u8>);

/// One change to one record. Shown without its content, which may hold secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Which record.
    pub key: RecordKey,
    /// Its new encoding; `None` deletes it.
    pub value: Option<Vec<u8>>,
}

/// The number of a batch of changes within an epoch's life; a later batch has a higher one, over all epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a leadership; grows with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "put {:?} ({} B)", self.key, value.len()),
            None => write!(f, "delete {:?}", self.key),
        }
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in &self.0 {
            match byte {
                b'!'..=b'~' => write!(f, "{}", byte as char)?,
                _ => write!(f, "\\{byte:02x}")?,
            }
        }
        Ok(())
    }
}
