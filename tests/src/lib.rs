//! Owns what several test programs share: real parts that they start and end, and what histories are judged by.

pub mod ensemble;
pub mod linearizable;
