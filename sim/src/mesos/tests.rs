//! Owns the model's own tests: facts that no recorded trace shows, and what holds whatever happens.

mod bench;
mod facts;
mod properties;
