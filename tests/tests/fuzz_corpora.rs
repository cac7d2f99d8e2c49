//! Owns the replay of the fuzz corpora on stable Rust: each seed as it is, cut short everywhere, and mutated.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use swan_core::rng::Rng;
use swan_fuzz::{TARGETS, Target};

/// Mutations of each seed, unless `SWAN_FUZZ_ROUNDS` says otherwise.
const ROUNDS: u64 = 60;
/// Seeds longer than this are cut at random places, not everywhere.
const CUT_EVERYWHERE_BYTES_MAX: usize = 256;
/// At so many.
const CUTS: usize = 64;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz_folder().join(folder)).expect("the folder is part of the repository");
    let names =
        entries.map(|entry| entry.expect("a folder is readable").file_name().to_string_lossy().into_owned());
    names.map(|name| name.trim_end_matches(".rs").to_owned()).collect()
}

/// The seeds of a target, in order of name.
fn seeds(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz_folder().join("corpora").join(target.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut seeds: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.expect("a folder is readable"))
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).expect("a seed is readable"),
            )
        })
        .collect();
    seeds.sort();
    seeds
}

fn try_body(target: &Target, seed: &str, how: &str, data: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.body)(data)));
    assert!(outcome.is_ok(), "{}: {seed} {how}: {}", target.name, data.escape_ascii());
}

/// One small change: a byte, a bit, a piece taken out, doubled or put in place of another.
fn mutate(data: &mut Vec<u8>, rng: &mut Rng) {
    const NASTY: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'9', b'"', b'\n'];
    if data.is_empty() {
        data.push(rng.next() as u8);
        return;
    }
    let at = rng.below(data.len() as u64) as usize;
    let end = (at + 1 + rng.below(16) as usize).min(data.len());
    match rng.below(5) {
        0 => data[at] = NASTY[rng.below(NASTY.len() as u64) as usize],
        1 => data[at] ^= 1 << rng.below(8),
        2 => drop(data.drain(at..end)),
        3 => {
            let piece = data[at..end].to_vec();
            data.splice(at..at, piece);
        }
        _ => {
            let piece = data[at..end].to_vec();
            let to = rng.below((data.len() - piece.len() + 1) as u64) as usize;
            data[to..to + piece.len()].copy_from_slice(&piece);
        }
    }
}

fn replay(target: &Target, rounds: u64) {
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "fuzz/corpora/{} needs seeds", target.name);
    for (name, seed) in &seeds {
        try_body(target, name, "as it is", seed);
        let mut rng = Rng::new(rounds ^ seed.len() as u64);
        let cuts: Vec<usize> = if seed.len() <= CUT_EVERYWHERE_BYTES_MAX {
            (0..seed.len()).collect()
        } else {
            (0..CUTS).map(|_| rng.below(seed.len() as u64) as usize).collect()
        };
        for length in cuts {
            try_body(target, name, "cut short", &seed[..length]);
        }
        for _ in 0..rounds {
            let mut data = seed.clone();
            for _ in 0..=rng.below(4) {
                mutate(&mut data, &mut rng);
            }
            try_body(target, name, "mutated", &data);
        }
    }
}

#[test]
fn every_seed_and_what_is_near_it_is_survived() {
    let rounds = std::env::var("SWAN_FUZZ_ROUNDS")
        .map_or(ROUNDS, |text| text.parse().expect("SWAN_FUZZ_ROUNDS is a number"));
    for target in TARGETS {
        replay(target, rounds);
    }
}

#[test]
fn every_body_has_its_target_and_corpus() {
    let bodies: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(bodies, names_in("corpora"), "TARGETS and fuzz/corpora differ");
    assert_eq!(bodies, names_in("fuzz_targets"), "TARGETS and fuzz/fuzz_targets differ");
}
