//! Owns the ports of an app: how they are written for each kind of network, and which of them hosts have.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::json::Value;
use super::labels;
use super::read::{At, Fields, Findings, Path};
use crate::limits;

/// One port of each task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Unique in the app.
    pub name: Option<String>,
    /// Where the container listens; 0 means the number of the host port. Always 0 with the host network.
    pub container_port: u16,
    /// A port of the host belongs to it. Always true but in networks that users made, where each container has an
    /// address of its own.
    pub mapped: bool,
    /// The port on the host; 0 means any that is offered, or none if it is not mapped.
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

/// A port mapping before the network is known.
pub(super) struct Mapping {
    /// It is mapped if it has a host port.
    pub(super) port: Port,
    /// `networkNames`.
    pub(super) networks: Vec<String>,
}

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("tcp", Protocol::Tcp),
    ("udp", Protocol::Udp),
    ("udp,tcp", Protocol::TcpUdp),
    ("tcp,udp", Protocol::TcpUdp),
];

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

/// `portDefinitions`, or its legacy form `ports`.
pub(super) fn read_definitions(
    app: &mut Fields<'_>,
    findings: &mut Findings,
    require_ports: bool,
) -> Option<Vec<Port>> {
    let of_number = |port| if require_ports { port } else { 0 };
    let definitions = app.get("portDefinitions").map(|at| {
        let ports = read_each(&at, findings, |at, findings| {
            let mut fields = at.object(findings)?;
            let port = fields.get("port").and_then(|port| port.port(findings)).unwrap_or(0);
            let shared = read_shared(&mut fields, findings);
            fields.finish(findings);
            Some(Port { service_port: port, host_port: of_number(port), ..shared })
        });
        refuse_repetitions(&at, findings, &ports, |port| port.service_port);
        ports
    });
    let legacy = app.get("ports").map(|at| {
        let ports = read_each(&at, findings, |at, findings| {
            let port = at.port(findings)?;
            Some(Port { service_port: port, host_port: of_number(port), ..Port::unnamed() })
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
pub(super) fn read_mappings(at: &At<'_>, findings: &mut Findings) -> Vec<Mapping> {
    let mappings = read_each(at, findings, |at, findings| {
        let mut fields = at.object(findings)?;
        let mut port = |key| fields.get(key).map(|port| port.port(findings).unwrap_or(0));
        let (container_port, host_port, service_port) =
            (port("containerPort"), port("hostPort"), port("servicePort"));
        let shared = read_shared(&mut fields, findings);
        let networks = fields.get("networkNames").map_or_else(Vec::new, |at| {
            at.list(findings).filter_map(|at| at.word(findings).map(String::from)).collect()
        });
        fields.finish(findings);
        let port = Port {
            container_port: container_port.unwrap_or(0),
            mapped: host_port.is_some(),
            host_port: host_port.unwrap_or(0),
            service_port: service_port.unwrap_or(0),
            ..shared
        };
        Some(Mapping { port, networks })
    });
    refuse_repetitions(at, findings, mappings.iter().map(|mapping| &mapping.port), |port| port.host_port);
    mappings
}

/// `ipAddress.discovery.ports`.
pub(super) fn read_discovery(at: &At<'_>, findings: &mut Findings) -> Vec<Mapping> {
    let mappings = read_each(at, findings, |at, findings| {
        let mut fields = at.object(findings)?;
        let container_port = fields.require(findings, "number").and_then(|number| number.port(findings));
        let shared = read_shared(&mut fields, findings);
        fields.finish(findings);
        let port = Port { container_port: container_port?, mapped: false, ..shared };
        Some(Mapping { port, networks: Vec::new() })
    });
    refuse_repetitions(at, findings, mappings.iter().map(|mapping| &mapping.port), |port| port.host_port);
    mappings
}

/// Each element of a list of ports, unless there are too many.
pub(super) fn read_each<T>(
    at: &At<'_>,
    findings: &mut Findings,
    mut read: impl FnMut(&At<'_>, &mut Findings) -> Option<T>,
) -> Vec<T> {
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
fn read_shared(fields: &mut Fields<'_>, findings: &mut Findings) -> Port {
    let protocol = fields.get("protocol").and_then(|at| at.choice(findings, PROTOCOLS));
    let name = fields.get("name").and_then(|at| read_name(&at, findings));
    let labels = fields.get("labels").map(|at| labels::read(&at, findings)).unwrap_or_default();
    Port { name, protocol: protocol.unwrap_or(Protocol::Tcp), labels, ..Port::unnamed() }
}

/// A port's name.
pub(super) fn read_name(at: &At<'_>, findings: &mut Findings) -> Option<String> {
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
pub(super) fn refuse_repetitions<'p>(
    at: &At<'_>,
    findings: &mut Findings,
    ports: impl IntoIterator<Item = &'p Port>,
    number: impl Fn(&Port) -> u16,
) {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for (index, port) in ports.into_iter().enumerate() {
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
    pub(super) const fn unnamed() -> Self {
        Self {
            name: None,
            container_port: 0,
            mapped: true,
            host_port: 0,
            service_port: 0,
            protocol: Protocol::Tcp,
            labels: BTreeMap::new(),
        }
    }

    /// What an app gets that names no port.
    pub(super) fn any() -> Self {
        Self { name: Some("default".into()), ..Self::unnamed() }
    }
}
