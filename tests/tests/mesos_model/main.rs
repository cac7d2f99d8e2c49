//! Holds the Mesos model against the recorded traces: same calls and same facts in, same answers and same events out.
//!
//! What differs must stand in `model-differences.txt`, one line each: trace, group (`*`: the whole trace), reason. A line
//! that nothing needs fails the test too.

#![allow(clippy::unwrap_used, reason = "a trace that cannot be read fails the test")]

mod compare;
mod names;
mod replay;
mod trace;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// One line of the list: trace, group, and whether it was needed.
struct Allowed {
    trace: String,
    group: String,
    needed: bool,
}

fn allowed() -> Vec<Allowed> {
    let text = fs::read_to_string(here().join("model-differences.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [trace, group, reason] = fields[..] else { panic!("three fields, divided by '|': {line}") };
            assert!(!reason.is_empty(), "a reason: {line}");
            Allowed { trace: trace.into(), group: group.into(), needed: false }
        })
        .collect()
}

fn traces() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(here().join("traces")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    found.sort();
    assert!(found.len() > 20, "the traces are there");
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().trim_end_matches(".jsonl").to_owned()
}

#[test]
fn the_model_behaves_like_the_recorded_clusters() {
    let mut allowed = allowed();
    let mut unexpected = Vec::new();
    let mut compared = 0;
    for path in traces() {
        let name = name_of(&path);
        let trace = trace::Trace::read(&fs::read_to_string(&path).unwrap());
        let run = replay::replay(&trace);
        let recorded = compare::recorded(&trace);
        compared += recorded.values().map(Vec::len).sum::<usize>();
        for difference in compare::differences(&recorded, &compare::modelled(&run)) {
            let fits = |line: &&mut Allowed| {
                line.trace == name && (line.group == "*" || line.group == difference.group)
            };
            match allowed.iter_mut().find(fits) {
                Some(line) => line.needed = true,
                None => unexpected.push(format!("{name} | {} | {}", difference.group, difference.text)),
            }
        }
    }
    let unused: BTreeSet<String> = allowed
        .iter()
        .filter(|line| !line.needed)
        .map(|line| format!("{} | {}", line.trace, line.group))
        .collect();
    assert!(unexpected.is_empty(), "the model differs:\n{}", unexpected.join("\n"));
    assert!(unused.is_empty(), "lines that nothing needs: {unused:#?}");
    assert!(compared > 1000, "only {compared} events and answers were compared");
}
