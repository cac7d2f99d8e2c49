//! Owns `swan manager`: one manager against a Mesos cluster.

use crate::arguments::{Journal, ManagerArgs};
use crate::failure::Failure;

/// Runs until it is told to stop.
pub(crate) fn run(arguments: ManagerArgs) -> Result<(), Failure> {
    let ManagerArgs { serving, mesos, journal, advertise, framework_name, role, principal, secret_file } =
        arguments;
    serving.tokens()?;
    let Journal::File(directory) = journal;
    Err(Failure::failed(format!(
        "manager is not wired yet: {mesos:?} {directory:?} {advertise:?} {framework_name} {role:?} {principal:?} {secret_file:?}"
    )))
}
