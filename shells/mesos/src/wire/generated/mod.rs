//! Owns the types generated from `proto`; see `tests/generated.rs`.

#[rustfmt::skip]
pub mod v1;
