//! Owns descriptions: of frameworks, masters, agents and tasks.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{AgentId, FrameworkId, Resource, TaskId};
use crate::time::Millis;

/// Ordered key and value pairs; Mesos lets keys repeat and values be absent.
pub type Labels = Vec<(String, Option<String>)>;

/// What a framework says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkInfo {
    /// Absent on the very first subscription.
    pub id: Option<FrameworkId>,
    /// The user tasks run as by default.
    pub user: String,
    /// Its name.
    pub name: String,
    /// Its roles (MULTI_ROLE).
    pub roles: Vec<String>,
    /// The deprecated single role of a framework without MULTI_ROLE.
    pub role: Option<String>,
    /// Whom it authenticates as.
    pub principal: Option<String>,
    /// How long its tasks outlive its connection.
    pub failover_timeout: Option<Millis>,
    /// Agents keep its tasks over their own restarts.
    pub checkpoint: Option<bool>,
    /// Where it runs.
    pub hostname: Option<String>,
    /// Its web page.
    pub webui_url: Option<String>,
    /// What it can handle.
    pub capabilities: Vec<Capability>,
    /// Free-form labels.
    pub labels: Labels,
}

/// A framework that is not completed, as a master lists it to operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedFramework {
    /// Its id.
    pub id: FrameworkId,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// A scheduler is connected.
    pub connected: bool,
    /// The master knows it only from its agents: it has not subscribed since the master leads.
    pub recovered: bool,
    /// What its tasks and executors have; not what it is offered.
    pub allocated: Vec<Resource>,
}

/// A framework capability, as `mesos.v1.FrameworkInfo.Capability.Type`, by its wire number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Capability(pub i32);

#[allow(missing_docs)]
impl Capability {
    pub const REVOCABLE_RESOURCES: Self = Self(1);
    pub const TASK_KILLING_STATE: Self = Self(2);
    pub const GPU_RESOURCES: Self = Self(3);
    pub const SHARED_RESOURCES: Self = Self(4);
    pub const PARTITION_AWARE: Self = Self(5);
    pub const MULTI_ROLE: Self = Self(6);
    pub const RESERVATION_REFINEMENT: Self = Self(7);
    pub const REGION_AWARE: Self = Self(8);
}

impl FrameworkInfo {
    /// Whether it declares `capability`.
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// The leading master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MasterInfo {
    pub id: String,
    pub hostname: Option<String>,
    pub address: Option<Address>,
    pub version: Option<String>,
    pub domain: Option<DomainInfo>,
    /// `MasterInfo.Capability.Type`, by number.
    pub capabilities: Vec<i32>,
}

/// An HTTP address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Address {
    pub hostname: Option<String>,
    pub ip: Option<String>,
    pub port: u16,
}

/// Region and zone of a fault domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DomainInfo {
    pub region: String,
    pub zone: String,
}

/// One attribute of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Attribute {
    pub name: String,
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum AttributeValue {
    Text(String),
    /// Thousandths.
    Scalar(i64),
    Ranges(Vec<(u64, u64)>),
    Set(Vec<String>),
}

/// A planned outage; nanoseconds as Mesos has them, the start since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unavailability {
    /// When it begins.
    pub start_ns: i64,
    /// How long it lasts; absent means for ever.
    pub duration_ns: Option<i64>,
}

/// One task to launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TaskInfo {
    pub name: String,
    pub task_id: TaskId,
    pub agent_id: AgentId,
    pub resources: Vec<Resource>,
    pub command: Option<CommandInfo>,
    pub container: Option<ContainerInfo>,
    pub health_check: Option<HealthCheck>,
    pub check: Option<Check>,
    /// `kill_policy.grace_period`.
    pub kill_grace: Option<Millis>,
    pub labels: Labels,
    pub discovery: Option<DiscoveryInfo>,
    pub max_completion_time: Option<Millis>,
    /// `limits`, in thousandths; infinity is `i64::MAX`.
    pub limits: Vec<(String, i64)>,
    pub data: Option<Vec<u8>>,
    /// A custom executor, kept as its wire bytes.
    pub executor: Option<Vec<u8>>,
}

/// What to run. Its `Debug` names variables without their values, and leaves out what else may be secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CommandInfo {
    /// Absent means true, as in Mesos.
    pub shell: Option<bool>,
    pub value: Option<String>,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub uris: Vec<UriInfo>,
    pub user: Option<String>,
}

/// Something to fetch into the sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct UriInfo {
    pub value: String,
    pub executable: Option<bool>,
    pub extract: Option<bool>,
    pub cache: Option<bool>,
    pub output_file: Option<String>,
}

/// What to run it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ContainerInfo {
    pub kind: ContainerType,
    pub docker: Option<DockerInfo>,
    pub volumes: Vec<Volume>,
    pub network_infos: Vec<NetworkInfo>,
    pub hostname: Option<String>,
}

/// Which containerizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ContainerType {
    Docker,
    Mesos,
    Other(i32),
}

/// A Docker container. Its `Debug` names parameters without their values.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DockerInfo {
    pub image: String,
    pub network: Option<DockerNetwork>,
    pub port_mappings: Vec<PortMapping>,
    pub privileged: Option<bool>,
    pub parameters: Vec<(String, String)>,
    pub force_pull_image: Option<bool>,
}

/// How a Docker container meets the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DockerNetwork {
    Host,
    Bridge,
    None,
    User,
    Other(i32),
}

/// A port of the host led into the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PortMapping {
    pub host_port: u32,
    pub container_port: u32,
    pub protocol: Option<String>,
}

/// A directory of the host in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Volume {
    pub container_path: String,
    pub host_path: Option<String>,
    pub read_only: bool,
}

/// A network to join.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NetworkInfo {
    pub name: Option<String>,
    pub ip_addresses: Vec<String>,
    pub labels: Labels,
    pub port_mappings: Vec<PortMapping>,
}

/// A health check, which the agent runs and which may kill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct HealthCheck {
    pub probe: HealthProbe,
    pub delay: Option<Millis>,
    pub interval: Option<Millis>,
    pub timeout: Option<Millis>,
    pub grace_period: Option<Millis>,
    pub consecutive_failures: Option<u32>,
}

/// What a check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum HealthProbe {
    Http {
        scheme: Option<String>,
        port: u32,
        path: Option<String>,
        statuses: Vec<u32>,
        ipv6: bool,
    },
    Tcp {
        port: u32,
        ipv6: bool,
    },
    Command(CommandInfo),
    /// An unknown type, by number, or none at all.
    Other(Option<i32>),
}

/// A check that only reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Check {
    pub probe: HealthProbe,
    pub delay: Option<Millis>,
    pub interval: Option<Millis>,
    pub timeout: Option<Millis>,
}

/// How the task is found by others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryInfo {
    /// `DiscoveryInfo.Visibility`: 0 framework, 1 cluster, 2 external.
    pub visibility: i32,
    /// The service's name.
    pub name: Option<String>,
    /// Number, name and protocol of each port.
    pub ports: Vec<(u32, Option<String>, Option<String>)>,
    /// Free-form labels.
    pub labels: Labels,
}

impl fmt::Debug for CommandInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CommandInfo");
        debug.field("shell", &self.shell).field("environment", &names(&self.environment));
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for DockerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerInfo")
            .field("image", &self.image)
            .field("network", &self.network)
            .field("port_mappings", &self.port_mappings)
            .field("privileged", &self.privileged)
            .field("parameters", &names(&self.parameters))
            .field("force_pull_image", &self.force_pull_image)
            .finish()
    }
}

fn names(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}
