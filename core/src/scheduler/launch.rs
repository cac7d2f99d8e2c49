//! Owns how a placement becomes a Mesos task: the template of a version, and its expansion.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::mesos::{AgentId, TaskId, TaskInfo};
use crate::spec::{Network, Port};

/// One decided launch: what differs from task to task, beside what all tasks of a version share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The new task.
    pub task: TaskId,
    /// The slot it is for.
    pub slot: u32,
    /// Where.
    pub agent: AgentId,
    /// The agent's host name.
    pub host: String,
    /// Host ports, in the order of the port mappings.
    pub ports: Vec<u16>,
    /// What it claims, cut out of the offers: exact in role and reservation (R35).
    pub resources: Vec<crate::mesos::Resource>,
    /// What all tasks of the version share.
    pub template: Arc<LaunchTemplate>,
}

/// What all tasks of one version share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// The app's dotted id.
    pub app: String,
    /// The version's id.
    pub version: String,
    /// The task as Mesos gets it, but for ids, resources and whatever depends on ports: no port mappings, no ports for
    /// discovery. Its environment is what all tasks share; a variable that it has is the user's last word.
    pub task: TaskInfo,
    /// How containers meet the network.
    pub network: Network,
    /// The ports, in the order of [`Launch::ports`].
    pub ports: Vec<Port>,
    /// The one of `ports` that the health check asks; `None` if it asks none, or one by number.
    pub health_port: Option<usize>,
}
