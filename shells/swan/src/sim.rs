//! Owns `swan sim`: runs of the simulated cluster, and the proof that they are deterministic.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueEnum};
use swan_sim::failure::Kind;
use swan_sim::ledger::Ledger;
use swan_sim::marks::missing;
use swan_sim::options::Options;
use swan_sim::run::{Keep, run as run_seed};

use crate::batch;
use crate::failure::Failure;
use crate::measure::{self, MeasureArgs};
use crate::traces::{self, ShrinkArgs};

/// Lines of what led to a failure.
pub(crate) const CONTEXT_LINES: usize = 40;
/// Seeds that are run unless others are named.
const SEEDS: (u64, u64) = (0, 1000);
/// Between two refreshes of the progress line.
pub(crate) const REFRESH: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run seeds until one fails: each a cluster of its own, under faults of its own.
    ///
    /// Exit codes: 0 all is well, 127 a machine panicked, 128 not everything became as wanted, 129 an invariant was
    /// broken. A seed that fails leaves a trace of all that happened by chance, which can be run again and made small.
    Run(RunArgs),
    /// Leave out of a failing run what it fails without: apps, agents, faults, requests, time.
    ///
    /// What is left fails in the same way; it is told, and written beside TRACE with '.shrunk' added to the name.
    Shrink(ShrinkArgs),
    /// Prove that a seed decides everything: the same effects twice, in another process, and by another build.
    Meta(MetaArgs),
    /// Show which seeded bugs are found, and by how many seeds.
    #[cfg(feature = "mutants")]
    Mutants(crate::mutants::MutantsArgs),
}

/// What is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// Small worlds under faults, watched by all checkers.
    #[default]
    Swarm,
    /// The same worlds and requests without faults, watched all the same.
    Lite,
    /// One cluster of a given size, without faults and unwatched: how fast it is.
    Performance,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

#[derive(Debug, Args)]
struct RunArgs {
    /// What is run.
    #[arg(long, value_enum, default_value_t)]
    profile: Profile,
    /// One seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Seeds: how many from 0 on, or A..B without B. [default: 1000]
    #[arg(long, value_parser = seeds, value_name = "N|A..B")]
    seeds: Option<(u64, u64)>,
    /// Virtual minutes of faults and requests; otherwise drawn by the seed, or 60 with 'performance'.
    #[arg(long)]
    minutes: Option<u64>,
    #[command(flatten)]
    size: MeasureArgs,
    /// Go on after failures, and count them.
    #[arg(long)]
    keep_going: bool,
    /// Fail also if some fault was met in no run while an app was in some phase of a change; for some hundred seeds.
    #[arg(long)]
    marks: bool,
    /// Print what happened last in each run that is made.
    #[arg(long)]
    log: bool,
    /// Run the trace of an earlier run again instead of seeds: just what it tells happens by chance.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "seed", "seeds", "minutes", "agents", "tasks", "keep_going", "marks", "trace_dir"])]
    trace: Option<PathBuf>,
    /// Where traces of seeds that fail are written, as swan-sim-SEED.trace. [default: .]
    #[arg(long, value_name = "DIR")]
    trace_dir: Option<PathBuf>,
}

impl RunArgs {
    /// The command that runs one of the seeds again.
    fn again(&self, seed: u64) -> String {
        let mut command = format!("swan sim run --seed {seed}");
        if self.profile != Profile::default() {
            command += &format!(" --profile {}", self.profile);
        }
        if let Some(minutes) = self.minutes {
            command += &format!(" --minutes {minutes}");
        }
        command
    }

    /// Refuses options that mean nothing with the profile.
    fn check(&self) -> Result<(), Failure> {
        use Profile::{Lite, Performance, Swarm};
        let options: [(&str, bool, &[Profile]); 7] = [
            ("--agents", self.size.agents.is_some(), &[Performance]),
            ("--tasks", self.size.tasks.is_some(), &[Performance]),
            ("--seeds", self.seeds.is_some(), &[Swarm, Lite]),
            ("--keep-going", self.keep_going, &[Swarm, Lite]),
            ("--log", self.log, &[Swarm, Lite]),
            ("--trace-dir", self.trace_dir.is_some(), &[Swarm, Lite]),
            // Without faults none is ever met.
            ("--marks", self.marks, &[Swarm]),
        ];
        for (option, given, profiles) in options {
            if given && !profiles.contains(&self.profile) {
                let names: Vec<String> = profiles.iter().map(ToString::to_string).collect();
                return Err(Failure::usage(format!("{option} needs --profile {}", names.join(" or "))));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
struct MetaArgs {
    /// Seeds: how many from 0 on, or A..B without B.
    #[arg(long, value_parser = seeds, default_value = "10", value_name = "N|A..B")]
    seeds: (u64, u64),
    /// Virtual minutes under faults; otherwise drawn by the seed.
    #[arg(long)]
    minutes: Option<u64>,
    /// Another build of the same source to compare with: the debug build with the release build, or the reverse.
    #[arg(long, value_name = "PATH")]
    other: Option<PathBuf>,
    /// Print the digest after each step, for whoever compares.
    #[arg(long, hide = true)]
    emit: bool,
}

pub(crate) fn seeds(text: &str) -> Result<(u64, u64), String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("'{text}' is no number"));
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (number(from)?, number(to)?),
        None => (0, number(text)?),
    };
    if from < to { Ok((from, to)) } else { Err("there must be at least one seed".into()) }
}

/// Does what was asked.
pub(crate) fn run(args: SimArgs) -> Result<ExitCode, Failure> {
    Ok(match args.what {
        What::Run(RunArgs { trace: Some(trace), log, .. }) => return traces::run_again(&trace, log),
        What::Run(args) => {
            args.check()?;
            match args.profile {
                Profile::Swarm => run_seeds(&args, Options::swarm),
                Profile::Lite => run_seeds(&args, Options::lite),
                Profile::Performance => return measure::run(&args.size, args.seed, args.minutes),
            }
        }
        What::Shrink(args) => return traces::make_small(&args),
        What::Meta(args) if args.emit => emit(&args),
        What::Meta(args) => meta(&args),
        #[cfg(feature = "mutants")]
        What::Mutants(args) => crate::mutants::run_all(&args),
    })
}

/// Runs seeds, each with the options that it draws.
fn run_seeds(args: &RunArgs, draw: fn(u64, Option<u64>) -> Options) -> ExitCode {
    let (from, to) = args.seed.map_or_else(|| args.seeds.unwrap_or(SEEDS), |seed| (seed, seed + 1));
    let (began, mut shown) = (Instant::now(), Instant::now());
    let (mut total, mut failures, mut worst) = (Ledger::default(), 0_u64, None);
    let keep = if args.log { Keep::Log } else { Keep::Nothing };
    let run = |seed| run_seed(seed, &draw(seed, args.minutes), keep);
    batch::run_all(from..to, run, |seed, outcome| {
        total.add(&outcome.ledger);
        outcome.log.iter().for_each(|line| println!("{line}"));
        if let Some(failure) = outcome.failure {
            failures += 1;
            worst.get_or_insert(failure.kind);
            clear_line();
            let dir = args.trace_dir.as_deref().unwrap_or_else(|| Path::new("."));
            traces::tell(seed, draw(seed, args.minutes), &failure, dir);
            println!("again:   {}", args.again(seed));
            if !args.keep_going {
                return ControlFlow::Break(());
            }
        }
        if shown.elapsed() >= REFRESH {
            shown = Instant::now();
            progress(seed + 1 - from, to - from, &total, failures, began);
        }
        ControlFlow::Continue(())
    });
    clear_line();
    let (seconds, factor) = (began.elapsed().as_secs_f64(), total.virtual_ms as f64 / 1000.0);
    print!("{total}");
    println!("failures         {failures:>12}");
    println!("real seconds     {seconds:>12.1}");
    println!("seeds/s          {:>12.1}", total.seeds as f64 / seconds.max(0.001));
    println!("times real time  {:>12.0}", factor / seconds.max(0.001));
    if args.marks {
        let missing = missing(&total);
        println!("marks missing    {:>12}", missing.len());
        for mark in &missing {
            println!("NEVER MET: {mark}");
            worst.get_or_insert(Kind::Correctness);
        }
    }
    worst.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.exit_code()))
}

fn progress(done: u64, all: u64, total: &Ledger, failures: u64, began: Instant) {
    let (seconds, minutes) = (began.elapsed().as_secs(), total.virtual_ms / 60_000);
    show_line(&format!(
        "{done}/{all} seeds, {minutes} virtual minutes, {} steps, {failures} failures, {seconds} s",
        total.steps
    ));
}

/// Shows a line of progress instead of the one before, to people only.
pub(crate) fn show_line(line: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        // A progress line that cannot be written is no reason to stop.
        let _ = write!(err, "\r\x1b[K{line}");
    }
}

pub(crate) fn clear_line() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}

/// The running digest after each step, one line each, for all seeds.
fn emit(args: &MetaArgs) -> ExitCode {
    let mut out = std::io::stdout().lock();
    for seed in args.seeds.0..args.seeds.1 {
        for line in trace(seed, args.minutes) {
            if writeln!(out, "{line}").is_err() {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn trace(seed: u64, minutes: Option<u64>) -> Vec<String> {
    let outcome = run_seed(seed, &Options::swarm(seed, minutes), Keep::Digests);
    let end = format!("{seed} ended {:016x} {:?}", outcome.digest, outcome.failure);
    let steps = outcome.digests.iter().enumerate();
    steps.map(|(step, digest)| format!("{seed} {step} {digest:016x}")).chain([end]).collect()
}

fn meta(args: &MetaArgs) -> ExitCode {
    let first: Vec<String> =
        (args.seeds.0..args.seeds.1).flat_map(|seed| trace(seed, args.minutes)).collect();
    println!("{} steps of {} seeds", first.len(), args.seeds.1 - args.seeds.0);
    let second = (args.seeds.0..args.seeds.1).flat_map(|seed| trace(seed, args.minutes));
    let mut same = equal("a second run", &first, second);
    let own = std::env::current_exe().ok();
    if let Some(own) = &own {
        same &= compare_process("another process", own, args, &first);
    }
    match &args.other {
        Some(other) => same &= compare_process("another build", other, args, &first),
        None => println!("another build: not compared; --other PATH names one of the same source"),
    }
    if same { ExitCode::SUCCESS } else { ExitCode::from(Kind::Correctness.exit_code()) }
}

fn compare_process(name: &str, path: &Path, args: &MetaArgs, first: &[String]) -> bool {
    let mut command = Command::new(path);
    command.args(["sim", "meta", "--emit", "--seeds", &format!("{}..{}", args.seeds.0, args.seeds.1)]);
    if let Some(minutes) = args.minutes {
        command.args(["--minutes", &minutes.to_string()]);
    }
    let name = format!("{name} ({})", path.display());
    match command.stderr(Stdio::inherit()).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            equal(&name, first, text.lines().map(str::to_owned))
        }
        Err(error) => {
            println!("{name}: cannot be started: {error}");
            false
        }
    }
}

/// Compares step by step, and tells the first difference.
fn equal(name: &str, first: &[String], mut second: impl Iterator<Item = String>) -> bool {
    for expected in first {
        let found = second.next().unwrap_or_else(|| "nothing".into());
        if found != *expected {
            println!("{name}: DIFFERS: expected '{expected}', found '{found}' (seed, step, digest)");
            return false;
        }
    }
    match second.next() {
        Some(more) => {
            println!("{name}: DIFFERS: goes on with '{more}'");
            false
        }
        None => {
            println!("{name}: the same");
            true
        }
    }
}
