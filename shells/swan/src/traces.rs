//! Owns what is done with traces of simulated runs: they are written when a seed fails, run again, and made small.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use swan_sim::failure::Failure as Broken;
use swan_sim::options::Options;
use swan_sim::run::{Keep, Outcome, replay, run as run_seed};
use swan_sim::shrink::{Progress, shrink};
use swan_sim::trace::Trace;

use crate::failure::{Exit, Failure};
use crate::sim::{CONTEXT_LINES, REFRESH, clear_line, show_line};

#[derive(Debug, Args)]
pub(crate) struct ShrinkArgs {
    /// A trace of a run that fails.
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// End after so many runs with what was reached by then.
    #[arg(long, default_value = "20000", value_name = "N")]
    runs: u64,
    /// End after so many seconds with what was reached by then.
    #[arg(long, default_value = "600", value_name = "N")]
    seconds: u64,
}

/// Tells of a failure: what, after what, and how to make it small; writes its trace into `dir`.
pub(crate) fn tell(seed: u64, options: Options, failure: &Broken, dir: &Path) {
    // The same seed does the same again: this time with a log and a trace.
    let again = run_seed(seed, &options, Keep::Log);
    show_context(&again);
    println!("options: {options:#?}");
    if again.failure.as_ref() != Some(failure) {
        println!("NOT DETERMINISTIC: a second run of this seed ended otherwise: {:?}", again.failure);
    }
    println!("commit:  {}", commit());
    let path = dir.join(format!("swan-sim-{seed}.trace"));
    let trace = again.trace(seed, commit(), options);
    match std::fs::write(&path, trace.write()) {
        Ok(()) => println!("trace:   {}, {} faults and requests", path.display(), trace.events.len()),
        Err(error) => println!("trace:   {} cannot be written: {error}", path.display()),
    }
    println!("FAILED:  seed {seed}: {failure}");
    println!("smaller: swan sim shrink {}", path.display());
}

fn show_context(outcome: &Outcome) {
    let lines = outcome.log.len().saturating_sub(CONTEXT_LINES);
    println!("what happened last (time in s, effects so far, < told, > does, ! fault):");
    outcome.log[lines..].iter().for_each(|line| println!("{line}"));
}

fn commit() -> &'static str {
    option_env!("SWAN_COMMIT").unwrap_or("unknown")
}

fn read(path: &Path) -> Result<Trace, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("cannot read {}: {error}", path.display()))
    })?;
    Trace::read(&text).map_err(|why| Failure::failed(format!("{}: {why}", path.display())))
}

/// Runs a trace again, and says whether it went as it tells.
pub(crate) fn run_again(path: &Path, log: bool) -> Result<ExitCode, Failure> {
    let trace = read(path)?;
    let outcome = replay(&trace, if log { Keep::Log } else { Keep::Nothing });
    outcome.log.iter().for_each(|line| println!("{line}"));
    print!("{}", outcome.ledger);
    if (outcome.digest, &outcome.failure) == (trace.digest, &trace.failure) {
        println!("as told:  the same effects and the same end (digest {:016x})", outcome.digest);
    } else {
        println!(
            "NOT as told: the trace was edited, or is of commit {} and this is {}",
            trace.commit,
            commit()
        );
    }
    let Some(failure) = outcome.failure else {
        println!("nothing fails");
        return Ok(ExitCode::SUCCESS);
    };
    println!("FAILED:  {failure}");
    Ok(ExitCode::from(failure.kind.exit_code()))
}

/// Makes a trace small, writes it beside the given one, and tells what is left.
pub(crate) fn make_small(args: &ShrinkArgs) -> Result<ExitCode, Failure> {
    let trace = read(&args.trace)?;
    let (began, mut shown, mut runs) = (Instant::now(), Instant::now(), 0);
    // The panics that it looks for need no words each time.
    std::panic::set_hook(Box::new(|_| {}));
    let small = shrink(&trace, &mut |progress: Progress| {
        runs = progress.runs;
        if shown.elapsed() >= REFRESH {
            shown = Instant::now();
            show(progress, began);
        }
        progress.runs < args.runs && began.elapsed() < Duration::from_secs(args.seconds)
    });
    // The default again, for whatever comes now.
    drop(std::panic::take_hook());
    clear_line();
    let small = small.map_err(|why| {
        let (path, of) = (args.trace.display(), &trace.commit);
        Failure::failed(format!("{path}: {why}; it is of commit {of}, this is {}", commit()))
    })?;
    let path = beside(&args.trace);
    std::fs::write(&path, small.write())
        .map_err(|error| Failure::failed(format!("cannot write {}: {error}", path.display())))?;
    let (before, left) = (trace.events.len(), small.events.len());
    let seconds = began.elapsed().as_secs();
    println!("{left} of {before} faults and requests are left, after {runs} runs in {seconds} s:");
    println!("{} agents of {}", small.options.agents, trace.options.agents);
    small.events.iter().for_each(|event| println!("{event}"));
    if let Some(failure) = &small.failure {
        println!("FAILED:  {failure}");
    }
    println!("trace:   {}", path.display());
    println!("again:   swan sim run --log --trace {}", path.display());
    Ok(ExitCode::SUCCESS)
}

fn show(progress: Progress, began: Instant) {
    let Progress { runs, events, agents, trying } = progress;
    let seconds = began.elapsed().as_secs();
    show_line(&format!(
        "{events} faults and requests, {agents} agents; leaving out {trying}, {runs} runs, {seconds} s"
    ));
}

/// The name of the small trace: that of the whole one with `.shrunk`.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".shrunk");
    name.into()
}
