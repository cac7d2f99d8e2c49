//! Owns the command `swan`: what it is told, and who does it.

mod answers;
mod arguments;
mod batch;
mod cli;
mod clock;
mod configuration;
mod copied_events;
mod dev;
mod driver;
mod failure;
mod journal;
mod manager;
mod masters;
mod measure;
mod memory;
mod mesos;
#[cfg(feature = "mutants")]
mod mutants;
mod peers;
mod places;
mod replay;
mod service;
mod sim;
mod standing;
mod traces;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::{CommandFactory, FromArgMatches};
use failure::Failure;

/// A manager makes and drops many small things: this one does it in half the time of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    log();
    // One library of cryptography for all that speaks TLS. Fails if there is one already, which is as good.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let arguments: Vec<_> = std::env::args_os().collect();
    let result = configuration::layered(Arguments::command(), &arguments).and_then(|command| {
        let matches = command.get_matches_from(&arguments);
        let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        run(arguments.command)
    });
    result.unwrap_or_else(Failure::report)
}

/// Log lines go to standard error; `SWAN_LOG` says which, as `info` or `swan=debug`.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SWAN_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,zookeeper_client=error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Dev(arguments) => dev::run(*arguments)?,
        Command::Manager(arguments) => manager::run(*arguments)?,
        Command::App(arguments) => cli::app(arguments)?,
        Command::Journal(arguments) => journal::run(&arguments)?,
        Command::Task(arguments) => cli::task(arguments)?,
        Command::Rollout(arguments) => cli::rollout(arguments)?,
        Command::Explain(arguments) => cli::explain(arguments)?,
        Command::Agent(arguments) => cli::agent(arguments)?,
        Command::Leader(arguments) => cli::leader(arguments)?,
        Command::Framework(arguments) => cli::framework(arguments)?,
        Command::Brake(arguments) => cli::brake(arguments)?,
        Command::Events(arguments) => cli::events(arguments)?,
        Command::Version(arguments) => cli::version(arguments)?,
        Command::Replay(arguments) => return replay::run(&arguments),
        Command::Sim(arguments) => return sim::run(arguments),
        Command::Completions { shell } => cli::completions(shell)?,
    }
    Ok(ExitCode::SUCCESS)
}
