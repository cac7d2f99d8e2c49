//! Owns AppSpec, the validated definition of an app: Marathon's app JSON comes in, the canonical form goes out.
//!
//! [`AppSpec::parse`] reads a document in one walk that collects every problem with its path; legacy forms are
//! normalised on the way, also original Swan's. [`AppSpec::canonical_json`] writes the one form that is stored and shown; reading it gives the
//! same spec again, without a warning that was not there before.

mod addresses;
mod app;
mod canonical;
mod carried;
mod constraints;
mod container;
mod documents;
pub mod fates;
mod health;
mod json;
mod labels;
mod network;
mod original;
mod policy;
mod ports;
#[cfg(test)]
mod properties;
mod proxy;
mod read;
mod resources;
mod template;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use container::{Fetch, HostVolume};
pub use documents::{Document, read_documents};
pub use health::{Health, PortRef, Probe, Scheme};
pub use network::Network;
pub use policy::{
    EndPattern, Failover, KillSelection, Limit, OnExhausted, OnFailure, PlacementStrategy, ResourceLimits,
    Unreachable, Update, Upgrade, WHOLE_PPM, Weights,
};
pub use ports::{Port, Protocol};

use crate::constraint::Rules;
use crate::id::AppPath;
use crate::limits;
use crate::scheduler::api::Problem;
use crate::time::Millis;
use read::{At, Findings, Path};

/// What an app's user wants, validated and free of legacy forms.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSpec {
    /// The app's absolute path.
    pub path: AppPath,
    /// What runs in the container.
    pub command: Command,
    /// The user it runs as; `None` means the framework's.
    pub user: Option<String>,
    /// The Docker image.
    pub image: String,
    /// Pull the image at every start.
    pub force_pull_image: bool,
    /// Run with all of the host's privileges.
    pub privileged: bool,
    /// Options of `docker run`, without their dashes, in order.
    pub parameters: Vec<(String, String)>,
    /// Directories of the host.
    pub volumes: Vec<HostVolume>,
    /// What is fetched into the sandbox before the start.
    pub fetch: Vec<Fetch>,
    /// Thousandths of a CPU.
    pub cpus: u64,
    /// Thousandths of a MiB.
    pub mem: u64,
    /// Thousandths of a MiB.
    pub disk: u64,
    /// Whole GPUs.
    pub gpus: u32,
    /// How far a task may go beyond what it claims.
    pub limits: ResourceLimits,
    /// How many tasks are wanted.
    pub instances: u32,
    /// Environment variables; the values may be secret, so `Debug` does not show them.
    pub env: BTreeMap<String, String>,
    /// Environment variables whose values are secrets, with the secrets' names; kept and shown, but not acted on yet.
    pub env_secrets: BTreeMap<String, String>,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
    /// How containers meet the network.
    pub network: Network,
    /// The addresses of the first instances, in a network that users made; others get any that is free.
    pub ips: Vec<String>,
    /// The ports, in order.
    pub ports: Vec<Port>,
    /// Host network only: the ports must be exactly those given.
    pub require_ports: bool,
    /// How a running task is known to be well.
    pub health: Option<Health>,
    /// How long a task may take to end; `None` means the agent's default.
    pub kill_grace: Option<Millis>,
    /// How long to wait before a failed task is started again.
    pub backoff: Backoff,
    /// What the agents of its tasks must be like.
    pub rules: Rules,
    /// Which of the agents that suit is taken.
    pub strategy: PlacementStrategy,
    /// How far the number of tasks may leave the wanted one during a rollout.
    pub upgrade: Upgrade,
    /// How a rollout goes on, and when it has failed.
    pub update: Update,
    /// What the end of a task that nobody asked for means.
    pub failover: Failover,
    /// What becomes of a task that nobody can reach.
    pub unreachable: Unreachable,
    /// Which tasks go first when fewer are wanted.
    pub kill_selection: KillSelection,
    /// The Mesos role it is placed in; `None` means the manager's default.
    pub role: Option<String>,
    /// The roles whose resources it may take, `*` being unreserved ones; empty means the default. Sorted.
    pub accepted_roles: Vec<String>,
    /// What is kept and shown, but not acted on yet: Marathon's key and compact JSON.
    pub carried: BTreeMap<String, String>,
}

/// What runs in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The image's own entry point and command.
    Image,
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// Arguments for the image's entry point.
    Args(Vec<String>),
}

/// The pause before a failed task is started again: grows by a factor up to a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first pause.
    pub initial: Millis,
    /// What each further pause is multiplied with, in thousandths; at least 1000.
    pub factor_thousandths: u32,
    /// The longest pause.
    pub max: Millis,
}

/// A definition that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// What it says.
    pub spec: AppSpec,
    /// What is odd in it, such as unknown keys, or is kept without being acted on.
    pub warnings: Vec<Problem>,
    /// Whether some keys are unknown, and were left out.
    pub ignored: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Millis::from_secs(1), factor_thousandths: 1150, max: Millis::from_secs(300) }
    }
}

impl AppSpec {
    /// Reads a document, Marathon's canonical or legacy app JSON or original Swan's; `Err` holds everything that is
    /// wrong with it.
    pub fn parse(document: &[u8]) -> Result<Parsed, Vec<Problem>> {
        let value =
            json::parse(document).map_err(|message| vec![Problem { path: String::new(), message }])?;
        Self::from_value(&At { value: &value, path: Path::Root }, "")
    }

    /// Reads the app at a place of a document, which lies in `group`; that has no slash at its end.
    fn from_value(at: &At<'_>, group: &str) -> Result<Parsed, Vec<Problem>> {
        let mut findings = Findings::default();
        findings.refuse_repeated_keys(&at.path, at.value);
        let spec = app::read(at, &mut findings, group);
        if let Some(spec) = &spec {
            let (bytes, max) = (spec.canonical_bytes_max(), limits::SPEC_BYTES_MAX);
            if bytes > max {
                findings.problem(
                    &at.path,
                    format!("has {bytes} bytes in canonical form; must have at most {max}"),
                );
            }
        }
        let ignored = findings.ignored;
        let warnings = findings.into_warnings()?;
        Ok(Parsed { spec: spec.expect("a document without problems gives a spec"), warnings, ignored })
    }

    /// The canonical form: Marathon's app JSON without legacy forms, compact, with its defaults written out, and of Swan's
    /// own keys those that say something.
    pub fn canonical_json(&self) -> String {
        canonical::write(self)
    }

    /// Bytes of the canonical form with any number of instances: what can be stored can be scaled.
    fn canonical_bytes_max(&self) -> usize {
        let digits = |instances: u32| instances.to_string().len();
        self.canonical_json().len() + digits(limits::INSTANCES_MAX) - digits(self.instances)
    }

    /// Whether a change between the two leaves every running container as it should be, so that none is replaced:
    /// number of instances, labels, policies, and whatever else a task does not get to see.
    pub fn same_containers(&self, other: &Self) -> bool {
        self.container_side() == other.container_side()
    }

    /// The spec with all that running containers do not depend on set to one value.
    fn container_side(&self) -> Self {
        let mut side = Self {
            instances: 0,
            labels: BTreeMap::new(),
            kill_grace: None,
            backoff: Backoff::default(),
            rules: Rules::default(),
            strategy: PlacementStrategy::default(),
            upgrade: Upgrade::default(),
            update: Update::default(),
            failover: Failover::default(),
            unreachable: Unreachable::default(),
            kill_selection: KillSelection::default(),
            env_secrets: BTreeMap::new(),
            carried: BTreeMap::new(),
            ..self.clone()
        };
        if let Some(health) = &mut side.health {
            health.mesos = false;
        }
        for port in &mut side.ports {
            port.labels.clear();
            if side.network != Network::Host {
                port.service_port = 0;
            }
        }
        side
    }
}

/// Leaves out what may be secret.
impl fmt::Debug for AppSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AppSpec");
        debug.field("path", &self.path).field("image", &self.image).field("instances", &self.instances);
        debug.finish_non_exhaustive()
    }
}
