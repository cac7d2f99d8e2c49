//! Owns `swan replay`: recordings of a real Mesos master, told to the machines of a manager.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use swan_core::mesos::{Call, Event, FrameworkId};
use swan_mesos::wire::{call_from_json, event_from_json};
use swan_sim::recording::{Recording, Wire, replay};

use crate::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A recording: one JSON object a line (.jsonl, .pb.jsonl); may be given more than once.
    #[arg(long, required = true, value_name = "FILE")]
    mesos_trace: Vec<PathBuf>,
}

/// Mesos's JSON, read by the decoders that a manager reads it with.
struct MesosJson;

impl Wire for MesosJson {
    fn event(&self, json: &Value) -> Result<Event, String> {
        event_from_json(json)
    }

    fn call(&self, json: &Value) -> Result<(Option<FrameworkId>, Call), String> {
        call_from_json(json)
    }
}

/// Replays each file, and tells how it went.
pub(crate) fn run(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let mut good = true;
    for (index, path) in args.mesos_trace.iter().enumerate() {
        let recording = read(path)?;
        let report = replay(&recording, &MesosJson);
        if args.mesos_trace.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            println!("{gap}{}", path.display());
        }
        print!("{report}");
        good &= report.is_good();
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> Result<Recording, Failure> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NotFound } else { Exit::Failed };
        Failure::new(exit, format!("--mesos-trace {name} cannot be read: {error}"))
    })?;
    Recording::read(&bytes)
        .map_err(|error| Failure::failed(format!("--mesos-trace {name} is no recording: {error}")))
}
