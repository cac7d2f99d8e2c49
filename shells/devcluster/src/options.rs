//! Owns how a development cluster is set up: its agents, its executor, where it remembers.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use swan_core::mesos::{Attribute, AttributeValue, DomainInfo, Resource};
use swan_sim::mesos::{AgentSpec, ClusterOptions};

/// How a cluster is set up.
#[derive(Clone, Debug)]
pub struct DevOptions {
    /// The emulated agents. An agent is known again after a restart by its address; one that is no longer listed is
    /// removed, and its tasks are ended.
    pub agents: Vec<AgentOptions>,
    /// What runs tasks.
    pub executor: ExecutorChoice,
    /// The Docker engine's socket; without one there is no engine.
    pub docker_socket: Option<PathBuf>,
    /// Where the cluster remembers its frameworks, agents and tasks, and keeps sandboxes. Without it nothing outlives
    /// the process, and tasks have no sandbox.
    pub state_dir: Option<PathBuf>,
    /// Decides the ids of a new cluster; must differ between clusters.
    pub seed: u64,
    /// The master's own settings. `ip` and `port` are overwritten with the listener's.
    pub master: ClusterOptions,
}

impl DevOptions {
    /// So many equal agents on 127.0.0.2, .3, …, the built-in executor, nothing remembered.
    pub fn with_agents(agents: u8, seed: u64) -> Self {
        Self {
            agents: (0..agents).map(AgentOptions::numbered).collect(),
            executor: ExecutorChoice::Builtin,
            docker_socket: None,
            state_dir: None,
            seed,
            master: ClusterOptions { domain: Some(domain(0)), ..ClusterOptions::default() },
        }
    }
}

/// What runs tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorChoice {
    /// Docker where an engine answers, else built-in.
    Auto,
    /// Real containers; it is an error if no engine answers.
    Docker,
    /// A small HTTP server per task, in this process.
    Builtin,
}

/// One emulated agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentOptions {
    /// Its own loopback address; tasks' ports are bound to it. Also its host name, so that it resolves.
    pub ip: Ipv4Addr,
    /// Thousandths of a CPU.
    pub cpus: i64,
    /// MiB of memory.
    pub mem: i64,
    /// MiB of disk.
    pub disk: i64,
    /// Inclusive. Containers on the host's network share one machine: let agents' ranges be disjoint.
    pub ports: Vec<(u64, u64)>,
    /// Whole GPUs. An agent that has some is offered to frameworks with GPU_RESOURCES only.
    pub gpus: u32,
    /// What the operator says of it.
    pub attributes: Vec<Attribute>,
    /// Region and zone.
    pub domain: Option<DomainInfo>,
}

/// Two zones of one region, in turn.
fn domain(n: u8) -> DomainInfo {
    DomainInfo { region: "dev".into(), zone: format!("z{}", n % 2 + 1) }
}

impl AgentOptions {
    /// The agent on `127.0.0.(2 + n)`: 4 CPUs, 4 GiB, 1000 ports of its own from `31000 + 1000 * n` while there are any,
    /// a rack of its own, and one of two zones.
    pub fn numbered(n: u8) -> Self {
        let first_port = 31_000 + u64::from(n % 32) * 1000;
        Self {
            ip: Ipv4Addr::new(127, 0, 0, n.saturating_add(2).min(254)),
            cpus: 4000,
            mem: 4096,
            disk: 10_000,
            ports: vec![(first_port, first_port + 999)],
            gpus: 0,
            attributes: vec![Attribute {
                name: "rack".into(),
                value: AttributeValue::Text(format!("r{}", u16::from(n) + 1)),
            }],
            domain: Some(domain(n)),
        }
    }

    pub(crate) fn spec(&self) -> AgentSpec {
        let mut resources = vec![
            Resource::scalar("cpus", self.cpus),
            Resource::scalar("mem", self.mem.saturating_mul(1000)),
            Resource::scalar("disk", self.disk.saturating_mul(1000)),
            Resource::ranges("ports", self.ports.clone()),
        ];
        if self.gpus > 0 {
            resources.push(Resource::scalar("gpus", i64::from(self.gpus) * 1000));
        }
        AgentSpec {
            hostname: self.ip.to_string(),
            ip: self.ip.to_string(),
            port: 5051,
            resources,
            attributes: self.attributes.clone(),
            domain: self.domain.clone(),
            ..AgentSpec::default()
        }
    }
}
