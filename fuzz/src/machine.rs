//! Owns the bodies for bytes that machines wrote: recorded inputs and effects, and notes of crashes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use swan_core::scheduler::effect::Effect;
use swan_core::scheduler::input::{CrashNote, Input};

/// Recorded inputs and effects, and crash notes: what decodes encodes to something that decodes to the same.
pub fn inputs(data: &[u8]) {
    survives_encoding::<Input>(data);
    survives_encoding::<Effect>(data);
    survives_encoding::<CrashNote>(data);
}

fn survives_encoding<T: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug>(data: &[u8]) {
    if let Ok(value) = postcard::from_bytes::<T>(data) {
        let bytes = postcard::to_allocvec(&value).expect("memory is the only limit of an encoding");
        assert_eq!(postcard::from_bytes::<T>(&bytes).as_ref(), Ok(&value));
    }
}
