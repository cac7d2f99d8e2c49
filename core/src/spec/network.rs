//! Owns how an app meets the network: which one it joins, with Marathon's legacy forms normalised.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ports::{self, Mapping, Port};
use super::read::{At, Fields, Findings, Path};

/// How containers meet the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Docker's bridge: container ports are mapped to host ports.
    Bridge,
    /// The host's own.
    Host,
    /// A network that users made, by name: each container has an address of its own in it.
    User(String),
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
    pub(super) legacy: Option<Mode>,
    /// `container.portMappings` or `container.docker.portMappings`.
    pub(super) mappings: Option<Vec<Mapping>>,
    /// The mappings stood in `container.docker`.
    pub(super) legacy_mappings: bool,
    /// `container.type` is MESOS.
    pub(super) mesos: bool,
}

/// The kinds of network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Bridge,
    Host,
    User,
}

/// `ipAddress`, a legacy form.
struct IpAddress {
    name: Option<String>,
    ports: Vec<Mapping>,
}

const MODES: &[(&str, Mode)] =
    &[("container/bridge", Mode::Bridge), ("host", Mode::Host), ("container", Mode::User)];
const DOCKER_NETWORKS: &[(&str, Option<Mode>)] =
    &[("BRIDGE", Some(Mode::Bridge)), ("HOST", Some(Mode::Host)), ("USER", Some(Mode::User)), ("NONE", None)];
/// What Marathon took for Docker's bridge when it was given as a network's name.
const BRIDGE_BY_NAME: &str = "mesos-bridge";
const NAME_NEEDED: &str = "Network name must be specified when container network is selected";
const MIXED: &str = "mixes deprecated and canonical network APIs";
const MAPPINGS_ON_HOST: &str = "are for networks other than the host's; must be given with \"networks\":[{\"mode\":\"container/bridge\"}], or replaced by portDefinitions";
const LABELS_IGNORED: &str = "are ignored: only Mesos's own containers have labels of networks";

/// Reads `networks`, `ipAddress`, `portDefinitions`, `ports`, `requirePorts`, and settles them with what `container` says.
pub(super) fn read(
    app: &mut Fields<'_>,
    findings: &mut Findings,
    mut container: ContainerSide,
) -> Networking {
    let root = app.path();
    let given = read_network(app, findings, &mut container);
    let sure = given.is_ok();
    let network = given.ok().flatten().unwrap_or(Network::Host);
    let require_ports = app.flag(findings, "requirePorts", false) && network == Network::Host;
    let definitions = ports::read_definitions(app, findings, require_ports);
    let inside = Path::Key(root, "container");
    let docker = Path::Key(&inside, "docker");
    let mappings_at = Path::Key(if container.legacy_mappings { &docker } else { &inside }, "portMappings");
    let ports = match (&network, container.mappings) {
        (Network::Host, mappings) => {
            if sure && container.legacy.is_none() && mappings.is_some_and(|mappings| !mappings.is_empty()) {
                findings.problem(&mappings_at, MAPPINGS_ON_HOST);
            }
            definitions.unwrap_or_else(|| vec![Port::any()])
        }
        (network, Some(mappings)) => {
            if definitions.is_some_and(|definitions| !definitions.is_empty()) {
                let path = Path::Key(root, "portDefinitions");
                findings.warn(&path, "are ignored beside container.portMappings");
            }
            let settle =
                |(index, mapping)| settle(mapping, network, &Path::Index(&mappings_at, index), findings);
            mappings.into_iter().enumerate().map(settle).collect()
        }
        (network, None) => {
            let mapped = *network == Network::Bridge;
            let ports = definitions.filter(|ports| !ports.is_empty()).unwrap_or_else(|| vec![Port::any()]);
            ports.into_iter().map(|port| Port { mapped, ..port }).collect()
        }
    };
    Networking { network, ports, require_ports }
}

/// A mapping in its network: on a bridge each has a port of the host, on others only where one is given.
fn settle(mapping: Mapping, network: &Network, path: &Path<'_>, findings: &mut Findings) -> Port {
    let Mapping { port, networks } = mapping;
    let path = Path::Key(path, "networkNames");
    match network {
        Network::User(name) => {
            if let Some(other) = networks.iter().find(|other| *other != name) {
                findings
                    .problem(&path, format!("names {other}, which is not declared; must be [\"{name}\"]"));
            }
            port
        }
        Network::Bridge | Network::Host => {
            if !networks.is_empty() {
                findings.problem(&path, "must not be given: only container networks have names");
            }
            Port { mapped: true, ..port }
        }
    }
}

/// The network that is asked for; `Err` if what is asked for is wrong, which is noted, `None` if nothing is.
fn read_network(
    app: &mut Fields<'_>,
    findings: &mut Findings,
    container: &mut ContainerSide,
) -> Result<Option<Network>, ()> {
    let networks = app.get("networks").filter(|at| !at.value.is_empty());
    let address = app.get("ipAddress").filter(|at| !at.value.is_empty());
    let read_address = address.as_ref().and_then(|at| read_address(at, findings, container.mesos));
    if let Some(at) = networks {
        if container.legacy.is_some() {
            findings.problem(&at.path, format!("{MIXED}; must be given without container.docker.network"));
        }
        if address.is_some() {
            findings.problem(&at.path, format!("{MIXED}; must be given without ipAddress"));
        }
        return read_networks(&at, findings).map(Some);
    }
    if let Some(at) = &address {
        if app.get("ports").is_some_and(|ports| !ports.value.is_empty()) {
            at.refuse(findings, format_args!("{MIXED}; must be given without ports"));
        }
        if matches!(container.legacy, Some(Mode::Bridge | Mode::Host)) {
            at.refuse(findings, "must be left out: it belongs to container.docker.network USER");
        }
    }
    let of_legacy = match container.legacy {
        Some(Mode::Bridge) => return Ok(Some(Network::Bridge)),
        Some(Mode::Host) => return Ok(Some(Network::Host)),
        Some(Mode::User) => true,
        None => false,
    };
    let Some(IpAddress { name, ports }) = read_address else {
        return match (address, of_legacy) {
            (None, true) => {
                let at = Path::Key(app.path(), "ipAddress");
                let must = "as \"ipAddress\":{\"networkName\":\"…\"}, or better by networks";
                findings.problem(&at, format!("is missing: {NAME_NEEDED}, {must}"));
                Err(())
            }
            (None, false) => Ok(None),
            (Some(_), _) => Err(()),
        };
    };
    if !ports.is_empty() {
        let mappings = container.mappings.get_or_insert_default();
        if !mappings.is_empty() {
            let address = Path::Key(app.path(), "ipAddress");
            let path = Path::Key(&address, "discovery");
            findings.problem(&path, "must be left out, since container.portMappings is given");
        }
        *mappings = ports;
    }
    match name {
        Some(name) if name == BRIDGE_BY_NAME && !of_legacy => Ok(Some(Network::Bridge)),
        Some(name) => Ok(Some(Network::User(name))),
        None => Err(()),
    }
}

/// `Err` if it is none that is supported, which is noted.
fn read_networks(at: &At<'_>, findings: &mut Findings) -> Result<Network, ()> {
    let mut found = Vec::new();
    for element in at.list(findings) {
        found.push(read_one_network(&element, findings));
    }
    match found.len() {
        1 => found.remove(0).ok_or(()),
        0 => Err(()),
        several => {
            let message =
                format!("has {several} networks; must have one: a Docker container joins one network");
            findings.problem(&at.path, message);
            Err(())
        }
    }
}

fn read_one_network(at: &At<'_>, findings: &mut Findings) -> Option<Network> {
    let mut fields = at.object(findings)?;
    let mode = fields.get("mode").map_or(Some(Mode::User), |mode| mode.choice(findings, MODES))?;
    let name = fields.get("name");
    let labels = fields.get("labels").filter(|at| !at.value.is_empty());
    fields.finish(findings);
    if let Some(labels) = labels {
        if mode == Mode::User {
            findings.warn(&labels.path, LABELS_IGNORED);
        } else {
            findings.problem(&labels.path, "must be left out: only container networks take labels");
        }
    }
    match (mode, name) {
        (Mode::User, Some(name)) => read_network_name(&name, findings).map(Network::User),
        (Mode::User, None) => {
            findings.problem(&Path::Key(&at.path, "name"), format!("is missing: {NAME_NEEDED}"));
            None
        }
        (Mode::Bridge | Mode::Host, name) => {
            if let Some(name) = name.filter(|name| !name.value.is_empty()) {
                findings.problem(&name.path, "must be left out: bridge and host networks have no name");
            }
            Some(if mode == Mode::Bridge { Network::Bridge } else { Network::Host })
        }
    }
}

/// The name of a network that users made: what Docker would take for something else is none.
pub(super) fn read_network_name(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let name = at.text(findings)?;
    let of_name = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    let fits = (1..=128).contains(&name.len()) && name.bytes().all(of_name);
    if !fits || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let must = "must be a network's name of 1 to 128 letters, digits, '_', '.' and '-', beginning with a letter or digit";
        at.refuse(findings, must);
        return None;
    }
    if ["bridge", "default", "host", "none"].contains(&name) {
        at.refuse(findings, "must be a network that users made: Docker's own ones have modes of their own, host and container/bridge");
        return None;
    }
    Some(name.into())
}

/// `container.docker.network`.
pub(super) fn read_legacy(at: &At<'_>, findings: &mut Findings) -> Option<Mode> {
    let mode = at.choice(findings, DOCKER_NETWORKS)?;
    if mode.is_none() {
        at.refuse(findings, "must be BRIDGE, HOST or USER: a container without network is not supported");
    }
    mode
}

/// `ipAddress`; its ports are for Mesos's own containers only.
fn read_address(at: &At<'_>, findings: &mut Findings, mesos: bool) -> Option<IpAddress> {
    let mut fields = at.object(findings)?;
    let name = fields.get("networkName").or_else(|| {
        findings.problem(&Path::Key(&at.path, "networkName"), format!("is missing: {NAME_NEEDED}"));
        None
    });
    let name = name.and_then(|name| read_network_name(&name, findings));
    if let Some(labels) = fields.get("labels").filter(|at| !at.value.is_empty()) {
        findings.warn(&labels.path, LABELS_IGNORED);
    }
    fields.refuse(findings, "groups", "are not supported; must be left out");
    let mut ports = Vec::new();
    if let Some(discovery) = fields.get("discovery").filter(|at| !at.value.is_empty()) {
        let mut inner = discovery.object(findings)?;
        if let Some(list) = inner.get("ports").filter(|at| !at.value.is_empty()) {
            ports = ports::read_discovery(&list, findings);
            if !mesos {
                let must = "is not allowed for Docker containers; must be given as container.portMappings";
                findings.problem(&discovery.path, format!("ipAddress/discovery {must}"));
            }
        }
        inner.finish(findings);
    }
    fields.finish(findings);
    Some(IpAddress { name, ports })
}
