//! Owns the walk through an app's document in original Swan's form: what it says becomes the one canonical form.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::app::{read_ips, read_roles};
use super::carried::{self, Surroundings};
use super::container::{self, Container};
use super::network::{Network, read_network_name};
use super::policy::read::Policies;
use super::policy::{Failover, OnExhausted, Update, Upgrade};
use super::ports::{self, Port, Protocol};
use super::read::{At, Fields, Findings, Path};
use super::resources::{self, Resources};
use super::{AppSpec, Command, constraints, health, labels};
use crate::id::AppPath;
use crate::limits;
use crate::time::Millis;

/// The cluster of an app that names none, and its group.
const CLUSTER: &str = "unnamed";
const COMPOSE: &str = "default";
/// Bytes of a name in original Swan.
const NAME_BYTES_MAX: usize = 64;

/// Whether a document is in this form: it has a name, and no path. What original Swan showed has an id of digits.
pub(super) fn is_one(app: &mut Fields<'_>) -> bool {
    let named = app.get("name").is_some() || app.get("runAs").is_some();
    let numbered = |at: At<'_>| at.value.as_text().is_some_and(|id| id.bytes().all(|b| b.is_ascii_digit()));
    named && app.get("id").is_none_or(numbered)
}

/// Reads a whole document; `None` only if a problem was noted.
pub(super) fn read(mut app: Fields<'_>, findings: &mut Findings) -> Option<AppSpec> {
    let path = read_path(&mut app, findings);
    let command = read_command(&mut app, findings);
    let (container, network, ports) = read_container(&mut app, findings);
    let health = app.get("healthCheck").and_then(|at| health::read_original(&at, findings, &ports, &network));
    let labels = app.get("labels").map(|at| labels::read(&at, findings)).unwrap_or_default();
    let env = app.get("env").map(|at| labels::read_env(&at, findings)).unwrap_or_default();
    let instances = app
        .require(findings, "instances")
        .and_then(|at| at.count(findings, 1..=limits::INSTANCES_MAX))
        .unwrap_or(1);
    let Resources { cpus, mem, disk, gpus, limits } = resources::read_originals(&mut app, findings);
    let (role, accepted_roles) = read_roles(&mut app, findings);
    let rules = app.get("constraints").map(|at| constraints::read(&at, findings)).unwrap_or_default();
    let policies = policies().read(&mut app, findings, false);
    let fetch = container::read_fetch(&mut app, findings);
    let ips = read_ips(&mut app, findings, &network);
    let around = Surroundings { path: path.as_ref(), ports: &ports, env_secrets: &env.secret };
    let carried = carried::read_originals(&mut app, findings, &around);
    app.finish(findings);
    let require_ports = network == Network::Host && ports.iter().any(|port| port.host_port != 0);
    Some(AppSpec {
        path: path?,
        command,
        user: None,
        image: container.image,
        force_pull_image: container.force_pull_image,
        privileged: container.privileged,
        parameters: container.parameters,
        volumes: container.volumes,
        fetch,
        cpus,
        mem,
        disk,
        gpus,
        limits,
        instances,
        env: env.plain,
        env_secrets: env.secret,
        labels,
        network,
        ips,
        ports,
        require_ports,
        health,
        kill_grace: policies.kill_grace,
        backoff: policies.backoff,
        rules,
        strategy: policies.strategy,
        upgrade: policies.upgrade,
        update: policies.update,
        failover: policies.failover,
        unreachable: policies.unreachable,
        kill_selection: policies.kill_selection,
        role,
        accepted_roles,
        carried,
    })
}

/// Those of an app that says nothing: tasks are replaced one by one, the old one first, and restarted three times.
fn policies() -> Policies {
    Policies {
        upgrade: Upgrade { min_healthy_ppm: 0, max_over_ppm: 0 },
        update: Update {
            parallel: Some(1),
            delay: Millis::from_secs(1),
            progress_deadline: Millis::from_secs(120),
            ..Update::default()
        },
        failover: Failover { retries: Some(3), on_exhausted: OnExhausted::Stop, ..Failover::default() },
        ..Policies::marathons()
    }
}

/// `/<cluster>/<runAs>/<compose>/<name>`, in lower case.
fn read_path(app: &mut Fields<'_>, findings: &mut Findings) -> Option<AppPath> {
    app.get("id");
    let cluster = read_word(app, findings, "cluster", Some(CLUSTER));
    let compose = read_word(app, findings, "compose", Some(COMPOSE));
    let run_as = read_word(app, findings, "runAs", None);
    let name = read_word(app, findings, "name", None);
    let text = format!("/{}/{}/{}/{}", cluster?, run_as?, compose?, name?);
    let name_path = Path::Key(app.path(), "name");
    match AppPath::parse(&text) {
        Ok(path) if path.dotted().as_str().len() <= limits::DOTTED_ID_BYTES_MAX => Some(path),
        Ok(_) => {
            let max = limits::DOTTED_ID_BYTES_MAX;
            let message = format!(
                "makes {text}, which is too long; name, runAs and cluster must have at most {max} bytes together"
            );
            findings.problem(&name_path, message);
            None
        }
        Err(must) => {
            findings.problem(&name_path, format!("makes {text}, which is no path; {must}"));
            None
        }
    }
}

/// One part of the path; with a `default` it may be empty or missing.
fn read_word(
    app: &mut Fields<'_>,
    findings: &mut Findings,
    key: &'static str,
    default: Option<&str>,
) -> Option<String> {
    let at = match default {
        Some(default) => match app.get(key).filter(|at| !at.value.is_empty()) {
            Some(at) => at,
            None => return Some(default.to_string()),
        },
        None => app.require(findings, key)?,
    };
    let text = at.text(findings)?;
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fits || text.starts_with('-') || text.ends_with('-') {
        let must = format!(
            "must be 1 to {NAME_BYTES_MAX} letters, digits and '-', and neither begin nor end with '-'"
        );
        at.refuse(findings, must);
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// `cmd`; none, or an empty one, means the image's own.
fn read_command(app: &mut Fields<'_>, findings: &mut Findings) -> Command {
    let line = app.get("cmd").and_then(|at| at.text(findings)).filter(|line| !line.is_empty());
    line.map_or(Command::Image, |line| Command::Shell(line.into()))
}

fn read_container(app: &mut Fields<'_>, findings: &mut Findings) -> (Container, Network, Vec<Port>) {
    let mut container = Container::default();
    let nothing = (Network::Host, Vec::new());
    let Some(at) = app.require(findings, "container") else { return (container, nothing.0, nothing.1) };
    let Some(mut fields) = at.object(findings) else { return (container, nothing.0, nothing.1) };
    if let Some(kind) = fields.get("type") {
        kind.choice(findings, &[("docker", ())]);
    }
    if let Some(at) = fields.get("volumes") {
        let volumes = at.list(findings);
        container.volumes = volumes.filter_map(|at| container::read_original_volume(&at, findings)).collect();
    }
    let (network, ports) = match fields.require(findings, "docker") {
        Some(docker) => read_docker(&docker, findings, &mut container).unwrap_or(nothing),
        None => nothing,
    };
    fields.finish(findings);
    (container, network, ports)
}

fn read_docker(
    at: &At<'_>,
    findings: &mut Findings,
    container: &mut Container,
) -> Option<(Network, Vec<Port>)> {
    let mut docker = at.object(findings)?;
    container.read_image(&mut docker, findings);
    let network = docker.require(findings, "network").and_then(|at| read_network(&at, findings));
    let mappings = docker.get("portMappings");
    let ports = mappings.map(|at| read_ports(&at, findings, network.as_ref())).unwrap_or_default();
    docker.finish(findings);
    network.map(|network| (network, ports))
}

/// `host`, `bridge`, or the name of a network that users made.
fn read_network(at: &At<'_>, findings: &mut Findings) -> Option<Network> {
    match at.text(findings)?.to_ascii_lowercase().as_str() {
        "host" => Some(Network::Host),
        "bridge" => Some(Network::Bridge),
        "none" => {
            at.refuse(findings, "must be host, bridge, or a network that users made: a container without network is not supported");
            None
        }
        _ => read_network_name(at, findings).map(Network::User),
    }
}

/// Ports: on a bridge each gets any port of the host, on the host's network they are those ports, in others none.
fn read_ports(at: &At<'_>, findings: &mut Findings, network: Option<&Network>) -> Vec<Port> {
    let ports = ports::read_each(at, findings, |at, findings| {
        let mut fields = at.object(findings)?;
        let name = fields.require(findings, "name").and_then(|at| ports::read_name(&at, findings));
        let protocol = fields
            .get("protocol")
            .and_then(|at| at.choice(findings, &[("tcp", Protocol::Tcp), ("udp", Protocol::Udp)]));
        let mut port = |key| fields.get(key).and_then(|at| at.port(findings)).unwrap_or(0);
        let (container_port, host_port) = (port("containerPort"), port("hostPort"));
        fields.finish(findings);
        let port = Port { name: Some(name?), protocol: protocol.unwrap_or(Protocol::Tcp), ..Port::unnamed() };
        Some(match network {
            Some(Network::Host) => Port { host_port, service_port: host_port, ..port },
            Some(Network::User(_)) => Port { container_port, mapped: false, ..port },
            Some(Network::Bridge) | None => Port { container_port, ..port },
        })
    });
    ports::refuse_repetitions(at, findings, &ports, |port| port.host_port);
    ports
}
