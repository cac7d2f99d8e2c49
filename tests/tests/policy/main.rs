//! Owns the rules that every file and crate of this repository keeps, as tests that say what to do.

mod arrows;
mod citations;
mod core_purity;
mod repository;
mod style;
mod supply;

/// Fails with all `problems` and the remedy, unless there are none.
fn expect_none(problems: &[String], remedy: &str) {
    assert!(problems.is_empty(), "\n{}\n\n{remedy}\n", problems.join("\n"));
}
