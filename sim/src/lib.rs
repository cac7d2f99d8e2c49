//! A deterministic cluster that breaks everything: the world around Swan's machines, as a library.

pub mod mesos;
