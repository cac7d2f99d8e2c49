//! Owns what several test programs share: real parts that they start and end.

pub mod ensemble;
