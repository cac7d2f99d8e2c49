//! Owns which commit a build says it is of: `SWAN_COMMIT` if set, else what git says of the sources, if they are in git.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=SWAN_COMMIT");
    let commit = std::env::var("SWAN_COMMIT").ok().filter(|commit| !commit.is_empty());
    if let Some(commit) = commit.or_else(head) {
        println!("cargo::rustc-env=SWAN_COMMIT={commit}");
    }
}

/// The commit that is checked out. It is asked again only when that may have changed: at the next entry of its log.
fn head() -> Option<String> {
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let done = Command::new("git").args(arguments).output().ok().filter(|done| done.status.success())?;
    Some(String::from_utf8(done.stdout).ok()?.trim().to_owned())
}
