//! The `swan` command.
fn main() {}
