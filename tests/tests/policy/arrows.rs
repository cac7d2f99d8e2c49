//! Owns who may depend on whom.

use std::collections::BTreeMap;

use crate::expect_none;
use crate::repository::{packages, text};

/// Every crate, and the crates of this repository that it may name.
const ARROWS: [(&str, &[&str]); 9] = [
    ("swan-core", &[]),
    ("swan-sim", &["swan-core"]),
    ("swan-mesos", &["swan-core"]),
    ("swan-store", &["swan-core"]),
    ("swan-api", &["swan-core"]),
    ("swan-devcluster", &["swan-core", "swan-sim", "swan-mesos"]),
    ("swan", &["swan-core", "swan-sim", "swan-mesos", "swan-store", "swan-api", "swan-devcluster"]),
    ("swan-fuzz", &["swan-core", "swan-sim", "swan-mesos", "swan-store", "swan-api", "swan-devcluster"]),
    (
        "swan-tests",
        &["swan-core", "swan-sim", "swan-mesos", "swan-store", "swan-api", "swan-devcluster", "swan-fuzz"],
    ),
];

#[test]
fn crates_name_only_the_crates_they_may() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let members = packages();
    let mut problems = Vec::new();
    for member in &members {
        let name = text(member, "name");
        let Some(targets) = allowed.get(name) else {
            problems.push(format!("{name} has no line in ARROWS"));
            continue;
        };
        for dependency in member["dependencies"].as_array().expect("a package lists dependencies") {
            let target = text(dependency, "name");
            let is_ours = allowed.contains_key(target) || !dependency["path"].is_null();
            if is_ours && !targets.contains(&target) {
                problems.push(format!("{name} depends on {target}"));
            }
        }
    }
    let names: Vec<&str> = members.iter().map(|member| text(member, "name")).collect();
    let gone = ARROWS.iter().filter(|(name, _)| !names.contains(name));
    problems.extend(gone.map(|(name, _)| format!("{name} is in ARROWS and no longer in the workspace")));
    expect_none(
        &problems,
        "What two libraries share belongs in swan-core, or is a small trait wired in shells/swan. \
         Dev- and build-dependencies count. A new crate gets its line in ARROWS and in docs/ARCHITECTURE.md.",
    );
}
