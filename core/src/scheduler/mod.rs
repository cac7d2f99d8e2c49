//! Owns the scheduler machine.

pub mod api;
pub mod effect;
pub mod event;
pub mod input;
pub mod launch;
pub mod view;
