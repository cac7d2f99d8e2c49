//! Owns the digest of a run: one number that changes with every effect, so that two runs can be compared.

use serde::Serialize;

/// A running FNV-1a digest of everything added to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Adds a value by its one encoding.
    pub fn add(&mut self, value: &impl Serialize) {
        self.bytes(&postcard::to_allocvec(value).expect("plain data has an encoding"));
    }

    /// The digest of all so far.
    pub const fn value(self) -> u64 {
        self.0
    }
}
