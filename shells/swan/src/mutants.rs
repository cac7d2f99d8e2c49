//! Owns `swan sim mutants`: which of the seeded bugs the simulator finds, and by how many seeds.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::process::ExitCode;

use clap::Args;
use swan_core::mutants::{Mutant, switch_on};
use swan_sim::failure::{Failure, Kind};
use swan_sim::options::Options;
use swan_sim::run::{Keep, run};

use crate::batch;

#[derive(Debug, Args)]
pub(crate) struct MutantsArgs {
    /// Seeds: how many from 0 on, or A..B without B.
    #[arg(long, value_parser = crate::sim::seeds, default_value = "100", value_name = "N|A..B")]
    seeds: (u64, u64),
    /// Only the bugs of these names.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Runs all seeds with each seeded bug, and without any. Prints a table in Markdown.
pub(crate) fn run_all(args: &MutantsArgs) -> ExitCode {
    // A machine that panics with a bug is a bug found, and needs no words of its own.
    std::panic::set_hook(Box::new(|_| {}));
    let wanted = |mutant: &&Mutant| args.names.is_empty() || args.names.contains(&format!("{mutant:?}"));
    let mutants: Vec<Mutant> = Mutant::ALL.iter().filter(wanted).copied().collect();
    let seeds = args.seeds.1 - args.seeds.0;
    println!("| bug | what it does | found by, of {seeds} seeds | first | as |");
    println!("|---|---|---|---|---|");
    let mut missed = Vec::new();
    for &mutant in &mutants {
        let found = failures(Some(mutant), args.seeds);
        println!("| {mutant:?} | {} | {} |", mutant.what(), row(&found));
        // Whoever watches wants each row as soon as it is there.
        let _ = std::io::stdout().flush();
        if found.is_empty() {
            missed.push(mutant);
        }
    }
    let clean = failures(None, args.seeds);
    println!("\n{} of {} bugs were found", mutants.len() - missed.len(), mutants.len());
    println!("without any bug: {} of {seeds} seeds fail", clean.len());
    for (seed, failure) in &clean {
        println!("seed {seed}: {failure}");
    }
    missed.iter().for_each(|mutant| println!("MISSED: {mutant:?}: {}", mutant.what()));
    if missed.is_empty() && clean.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Kind::Correctness.exit_code())
    }
}

/// What fails, by seed.
fn failures(mutant: Option<Mutant>, (from, to): (u64, u64)) -> BTreeMap<u64, Failure> {
    switch_on(mutant);
    let mut found = BTreeMap::new();
    let one = |seed| run(seed, &Options::swarm(seed, None), Keep::Nothing).failure;
    batch::run_all(from..to, one, |seed, failure| {
        found.extend(failure.map(|failure| (seed, failure)));
        ControlFlow::Continue(())
    });
    switch_on(None);
    found
}

fn row(found: &BTreeMap<u64, Failure>) -> String {
    let first = found.keys().next().map_or_else(String::new, |seed| format!("seed {seed}"));
    let mut ways: BTreeMap<String, u64> = BTreeMap::new();
    for failure in found.values() {
        let way = match failure.kind {
            Kind::Crash => "assertion".into(),
            Kind::Liveness | Kind::Correctness => failure.what.split(':').next().unwrap_or("").to_owned(),
        };
        *ways.entry(way).or_default() += 1;
    }
    let ways: Vec<String> = ways.iter().map(|(way, count)| format!("{way} {count}×")).collect();
    format!("{} | {first} | {}", found.len(), ways.join(", "))
}
