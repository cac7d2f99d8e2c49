//! Owns the check of S7: tasks live under one framework id only.

use std::collections::BTreeSet;

use swan_core::mesos::FrameworkId;

use super::{Checker, Context, Seen};
use crate::mesos::Cluster;

/// Whatever runs belongs to one framework.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneFramework;

impl Checker for OneFramework {
    fn number(&self) -> &'static str {
        "S7"
    }

    fn see(&mut self, _: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Truth(cluster) => judge(&owners(cluster)),
            _ => Ok(()),
        }
    }
}

/// Frameworks with a container on any agent, whether a master knows of it or not.
fn owners(cluster: &Cluster) -> BTreeSet<&FrameworkId> {
    let agents = cluster.agents().map(|(agent, _)| agent);
    agents.flat_map(|agent| cluster.alive_on(agent)).map(|(framework, _)| framework).collect()
}

pub(super) fn judge(owners: &BTreeSet<&FrameworkId>) -> Result<(), String> {
    if owners.len() > 1 { Err(format!("tasks live under {owners:?}")) } else { Ok(()) }
}
