//! Owns `swan sim run --profile performance`: how fast a simulated cluster of a given size is.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use swan_sim::performance::{Bench, ROOM, Size};

use crate::failure::Failure;

/// Virtual minutes of steady work.
const MINUTES: u64 = 60;
/// Agents unless told otherwise.
const AGENTS: u32 = 10;
/// Tasks unless told otherwise.
const TASKS: u32 = 100;

/// The size of a cluster that is measured.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct MeasureArgs {
    /// With 'performance': agents, each with room for 32 tasks. [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) agents: Option<u32>,
    /// With 'performance': tasks, spread over apps of up to 1,000 each. [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) tasks: Option<u32>,
}

impl MeasureArgs {
    fn size(self) -> Result<Size, Failure> {
        let size = Size { agents: self.agents.unwrap_or(AGENTS), tasks: self.tasks.unwrap_or(TASKS) };
        let room = size.agents.saturating_mul(ROOM);
        if size.tasks > room {
            return Err(Failure::usage(format!(
                "--tasks: {} are more than the {room} that {} agents have room for",
                size.tasks, size.agents
            )));
        }
        Ok(size)
    }
}

/// What passed in one part of a measurement.
struct Part {
    virtual_ms: u64,
    events: u64,
    spent: Duration,
}

/// Deploys all tasks at once, then lets a user have one replaced in each of some minutes; prints how long that took.
pub(crate) fn run(args: &MeasureArgs, seed: Option<u64>, minutes: Option<u64>) -> Result<ExitCode, Failure> {
    let (size, seed, minutes) = (args.size()?, seed.unwrap_or(0), minutes.unwrap_or(MINUTES));
    let mut bench = Bench::new(seed, size);
    println!("agents           {:>12}", size.agents);
    println!("tasks            {:>12}", size.tasks);
    println!("all deployed at once, until all run");
    measure(&mut bench, Bench::deploy)?;
    println!("one task replaced a minute");
    measure(&mut bench, |bench| bench.work(minutes))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what a part took, also if it fails.
fn measure(bench: &mut Bench, part: impl FnOnce(&mut Bench) -> Result<(), String>) -> Result<(), Failure> {
    let (before, began) = (bench.ledger(), Instant::now());
    let done = part(bench);
    let (after, spent) = (bench.ledger(), began.elapsed());
    let virtual_ms = after.virtual_ms - before.virtual_ms;
    Part { virtual_ms, events: after.events - before.events, spent }.print();
    done.map_err(|why| Failure::failed(format!("the cluster does not settle: {why}")))
}

impl Part {
    fn print(&self) {
        let (seconds, virtual_s) = (self.spent.as_secs_f64().max(1e-6), self.virtual_ms as f64 / 1000.0);
        println!("  virtual seconds {virtual_s:>11.0}");
        println!("  real seconds    {seconds:>11.3}");
        println!("  times real time {:>11.0}", virtual_s / seconds);
        println!("  events/s        {:>11.0}", self.events as f64 / seconds);
    }
}
