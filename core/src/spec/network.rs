//! Owns how an app meets the network: mode and ports, with Marathon's legacy forms normalised.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::json::Value;
use super::labels;
use super::read::{At, Fields, Findings, Path};
use crate::limits;

/// How containers meet the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Docker's bridge: container ports are mapped to host ports.
    Bridge,
    /// The host's own.
    Host,
}

/// One port of each task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Unique in the app.
    pub name: Option<String>,
    /// Where the container listens; 0 means the number of the host port. Always 0 with the host network.
    pub container_port: u16,
    /// The port on the host; 0 means any that is offered.
    pub host_port: u16,
    /// The port at which the app is served to others; 0 means none is wished.
    pub service_port: u16,
    /// What it carries.
    pub protocol: Protocol,
    /// Free-form labels.
    pub labels: BTreeMap<String, String>,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
    TcpUdp,
}

impl Protocol {
    /// As Marathon writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::TcpUdp => "udp,tcp",
        }
    }

    /// Each single protocol.
    pub const fn each(self) -> &'static [&'static str] {
        match self {
            Self::Tcp => &["tcp"],
            Self::Udp => &["udp"],
            Self::TcpUdp => &["tcp", "udp"],
        }
    }
}

/// The network side of a spec.
pub(super) struct Networking {
    pub(super) network: Network,
    pub(super) ports: Vec<Port>,
    pub(super) require_ports: bool,
}

/// What `container` says about the network, in its own and in legacy form.
#[derive(Default)]
pub(super) struct ContainerSide {
    /// `container.docker.network`.
    pub(super) legacy: Option<Network>,
    /// `container.portMappings` or `container.docker.portMappings`.
    pub(super) mappings: Option<Vec<Port>>,
    /// The mappings stood in `container.docker`.
    pub(super) legacy_mappings: bool,
}

const MODES: &[(&str, Option<Network>)] =
    &[("container/bridge", Some(Network::Bridge)), ("host", Some(Network::Host)), ("container", None)];
const DOCKER_NETWORKS: &[(&str, Option<Network>)] =
    &[("BRIDGE", Some(Network::Bridge)), ("HOST", Some(Network::Host)), ("USER", None), ("NONE", None)];
const PROTOCOLS: &[(&str, Protocol)] = &[
    ("tcp", Protocol::Tcp),
    ("udp", Protocol::Udp),
    ("udp,tcp", Protocol::TcpUdp),
    ("tcp,udp", Protocol::TcpUdp),
];
const ONLY_BRIDGE_AND_HOST: &str = "only bridge and host networks are supported yet; must be [{\"mode\":\"container/bridge\"}] or [{\"mode\":\"host\"}]";
const ONLY_BRIDGE_AND_HOST_LEGACY: &str = "must be BRIDGE or HOST: other networks are not supported yet";
const MAPPINGS_PATH: Path<'_> = Path::Key(&Path::Key(&Path::Root, "container"), "portMappings");
const LEGACY_MAPPINGS_PATH: Path<'_> =
    Path::Key(&Path::Key(&Path::Key(&Path::Root, "container"), "docker"), "portMappings");
const DEFINITIONS_PATH: Path<'_> = Path::Key(&Path::Root, "portDefinitions");
const MAPPINGS_ON_HOST: &str = "are for bridge networks; must be given with \"networks\":[{\"mode\":\"container/bridge\"}], or replaced by portDefinitions";

/// Reads `networks`, `portDefinitions`, `ports`, `requirePorts`, and settles them with what `container` says.
pub(super) fn read(app: &mut Fields<'_>, findings: &mut Findings, container: ContainerSide) -> Networking {
    let networks = app.get("networks").filter(|at| !at.value.is_empty());
    let given = networks.as_ref().and_then(|at| read_networks(at, findings));
    if let Some(networks) = networks.filter(|_| container.legacy.is_some()) {
        let message =
            "mixes deprecated and canonical network APIs; must be given without container.docker.network";
        findings.problem(&networks.path, message);
    }
    app.refuse(
        findings,
        "ipAddress",
        &format!("is a legacy form of networks; {ONLY_BRIDGE_AND_HOST}, in networks"),
    );
    let network = given.or(container.legacy).unwrap_or(Network::Host);
    let require_ports = app.flag(findings, "requirePorts", false) && network == Network::Host;
    let definitions = read_definitions(app, findings, require_ports);
    let ports = match (network, container.mappings) {
        (Network::Host, mappings) => {
            let misplaced =
                container.legacy.is_none() && mappings.is_some_and(|mappings| !mappings.is_empty());
            if misplaced && (given.is_some() || networks.is_none()) {
                let path = if container.legacy_mappings { LEGACY_MAPPINGS_PATH } else { MAPPINGS_PATH };
                findings.problem(&path, MAPPINGS_ON_HOST);
            }
            definitions.unwrap_or_else(|| vec![Port::any()])
        }
        (Network::Bridge, Some(mappings)) => {
            if definitions.is_some_and(|definitions| !definitions.is_empty()) {
                findings.warn(&DEFINITIONS_PATH, "are ignored beside container.portMappings");
            }
            mappings
        }
        (Network::Bridge, None) => {
            definitions.filter(|ports| !ports.is_empty()).unwrap_or_else(|| vec![Port::any()])
        }
    };
    Networking { network, ports, require_ports }
}

/// `None` if the mode is not one that is supported, which is noted.
fn read_networks(at: &At<'_>, findings: &mut Findings) -> Option<Network> {
    let mut modes = Vec::new();
    for network in at.list(findings) {
        let Some(mut fields) = network.object(findings) else { continue };
        let mode = fields.get("mode").map_or(Some(None), |mode| mode.choice(findings, MODES));
        if mode == Some(None) {
            findings.problem(&network.path, format!("is a container network; {ONLY_BRIDGE_AND_HOST}"));
            continue;
        }
        fields.refuse(findings, "name", "must be left out: bridge and host networks have no name");
        fields.refuse(findings, "labels", "must be left out: only container networks take labels");
        fields.finish(findings);
        modes.push(mode.flatten());
    }
    match modes[..] {
        [mode] => mode,
        [] => None,
        _ => {
            at.refuse(findings, "must have one element: either one bridge or one host network");
            None
        }
    }
}

/// `portDefinitions`, or its legacy form `ports`.
fn read_definitions(app: &mut Fields<'_>, findings: &mut Findings, require_ports: bool) -> Option<Vec<Port>> {
    let definitions = app.get("portDefinitions").map(|at| {
        let ports = read_each(&at, findings, |at, findings| {
            let mut fields = at.object(findings)?;
            let port = fields.get("port").and_then(|port| port.port(findings)).unwrap_or(0);
            let common = read_common(&mut fields, findings);
            fields.finish(findings);
            Some(Port { service_port: port, host_port: if require_ports { port } else { 0 }, ..common })
        });
        refuse_repetitions(&at, findings, &ports, |port| port.service_port);
        ports
    });
    let legacy = app.get("ports").map(|at| {
        let ports = read_each(&at, findings, |at, findings| {
            let port = at.port(findings)?;
            let host_port = if require_ports { port } else { 0 };
            Some(Port { service_port: port, host_port, ..Port::unnamed() })
        });
        (at, ports)
    });
    let Some((at, legacy)) = legacy else { return definitions };
    let Some(definitions) = definitions else { return Some(legacy) };
    let numbers = |ports: &[Port]| ports.iter().map(|port| port.service_port).collect::<Vec<_>>();
    if !legacy.is_empty() && !definitions.is_empty() && numbers(&legacy) != numbers(&definitions) {
        at.refuse(findings, "must be left out, or agree with portDefinitions");
    }
    Some(definitions)
}

/// `portMappings`, wherever it stands.
pub(super) fn read_mappings(at: &At<'_>, findings: &mut Findings) -> Vec<Port> {
    let ports = read_each(at, findings, |at, findings| {
        let mut fields = at.object(findings)?;
        let mut port = |key| fields.get(key).and_then(|port| port.port(findings)).unwrap_or(0);
        let (container_port, host_port, service_port) =
            (port("containerPort"), port("hostPort"), port("servicePort"));
        let common = read_common(&mut fields, findings);
        fields.refuse(findings, "networkNames", "must not be given: only container networks have names");
        fields.finish(findings);
        Some(Port { container_port, host_port, service_port, ..common })
    });
    refuse_repetitions(at, findings, &ports, |port| port.host_port);
    ports
}

/// `container.docker.network`.
pub(super) fn read_legacy(at: &At<'_>, findings: &mut Findings) -> Option<Network> {
    let network = at.choice(findings, DOCKER_NETWORKS)?;
    if network.is_none() {
        at.refuse(findings, ONLY_BRIDGE_AND_HOST_LEGACY);
    }
    network
}

fn read_each(
    at: &At<'_>,
    findings: &mut Findings,
    mut read: impl FnMut(&At<'_>, &mut Findings) -> Option<Port>,
) -> Vec<Port> {
    if let Value::List(values) = at.value
        && values.len() > limits::PORTS_MAX
    {
        findings.problem(
            &at.path,
            format!("has {} ports; must have at most {}", values.len(), limits::PORTS_MAX),
        );
        return Vec::new();
    }
    at.list(findings).filter_map(|element| read(&element, findings)).collect::<Vec<_>>()
}

/// `protocol`, `name` and `labels`.
fn read_common(fields: &mut Fields<'_>, findings: &mut Findings) -> Port {
    let protocol =
        fields.get("protocol").and_then(|at| at.choice(findings, PROTOCOLS)).unwrap_or(Protocol::Tcp);
    let name = fields.get("name").and_then(|at| read_name(&at, findings));
    let labels = fields.get("labels").map(|at| labels::read(&at, findings)).unwrap_or_default();
    Port { name, protocol, labels, ..Port::unnamed() }
}

fn read_name(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let name = at.text(findings)?;
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = (1..=63).contains(&name.len()) && name.bytes().all(letter);
    if !fits || name.starts_with('-') || name.ends_with('-') {
        let must = "must be 1 to 63 lower case letters, digits and '-', and neither begin nor end with '-'";
        at.refuse(findings, must);
        return None;
    }
    Some(name.into())
}

/// Refuses names, and numbers other than 0, that occur twice.
fn refuse_repetitions(at: &At<'_>, findings: &mut Findings, ports: &[Port], number: impl Fn(&Port) -> u16) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let path = Path::Index(&at.path, index);
        if let Some(name) = &port.name
            && !names.insert(name)
        {
            findings.problem(
                &path,
                format!("is the second port of name {name}; each must have a name of its own"),
            );
        }
        let number = number(port);
        if number != 0 && !numbers.insert(number) {
            findings.problem(
                &path,
                format!("is the second to claim port {number} of the host; each must have its own, or protocol \"udp,tcp\""),
            );
        }
    }
}

impl Port {
    /// Any offered port, over TCP.
    const fn unnamed() -> Self {
        Self {
            name: None,
            container_port: 0,
            host_port: 0,
            service_port: 0,
            protocol: Protocol::Tcp,
            labels: BTreeMap::new(),
        }
    }

    /// What an app gets that names no port.
    fn any() -> Self {
        Self { name: Some("default".into()), ..Self::unnamed() }
    }
}
