//! Owns `swan dev`: the whole product in one process.

use crate::arguments::DevArgs;
use crate::failure::Failure;

/// Runs until it is told to stop.
pub(crate) fn run(arguments: DevArgs) -> Result<(), Failure> {
    let DevArgs { serving, mesos_listen, agents, executor, data_dir } = arguments;
    serving.tokens()?;
    Err(Failure::failed(format!("dev is not wired yet: {mesos_listen} {agents} {executor:?} {data_dir:?}")))
}
