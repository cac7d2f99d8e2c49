//! Owns the translation of a recorded task into the definition of an app: of one instance, pinned to the agent, and small
//! enough for the offer that it was launched from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use swan_core::limits::PORTS_MAX;
use swan_core::mesos::{
    CommandInfo, ContainerInfo, DockerNetwork, HealthCheck, HealthProbe, Offer, Resource, ResourceValue,
    TaskInfo, TaskState,
};

/// What is left of an offer, in thousandths, and its ports.
#[derive(Clone, Debug, Default)]
pub(super) struct Left {
    scalars: BTreeMap<Arc<str>, i64>,
    ports: Vec<(u64, u64)>,
    used_ports: Vec<u16>,
}

/// The definition of an app, and whether it asks for the same as the task.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    /// JSON.
    pub(super) document: Vec<u8>,
    /// Resources or ports are others than the task's, since the offer did not have those.
    pub(super) fitted: bool,
}

/// The amounts that Swan's definitions know.
const AMOUNTS: [&str; 4] = ["cpus", "mem", "disk", "gpus"];

impl Left {
    /// All that Swan may take of an offer.
    pub(super) fn of(offer: &Offer) -> Self {
        let mut left = Self::default();
        let is_plain = |resource: &&Resource| {
            let labelled = resource.reservations.iter().any(|layer| !layer.labels.is_empty());
            !resource.revocable && resource.disk.is_none() && !labelled
        };
        for resource in offer.resources.iter().filter(is_plain) {
            match &resource.value {
                ResourceValue::Scalar(milli) => {
                    let sum = left.scalars.entry(resource.name.clone()).or_default();
                    *sum = sum.saturating_add(*milli);
                }
                ResourceValue::Ranges(_) => left.ports.extend(resource.ports()),
                ResourceValue::Set(_) => {}
            }
        }
        left
    }

    /// Takes as much as there is, up to `wanted` thousandths.
    fn take(&mut self, name: &str, wanted: i64) -> i64 {
        let Some(free) = self.scalars.get_mut(name) else { return 0 };
        let taken = wanted.clamp(0, (*free).max(0));
        *free -= taken;
        taken
    }

    fn take_port(&mut self, port: u16) -> bool {
        let wide = u64::from(port);
        let is_free = port > 0
            && self.ports.iter().any(|(begin, end)| (*begin..=*end).contains(&wide))
            && !self.used_ports.contains(&port);
        if is_free {
            self.used_ports.push(port);
        }
        is_free
    }
}

/// Defines the app `path` that does what a task did, out of what is left of the offer; an error says in words why Swan
/// could not have launched such a task.
pub(super) fn define(
    path: &str,
    task: &TaskInfo,
    offer: &Offer,
    left: &mut Left,
) -> Result<Definition, &'static str> {
    if task.executor.is_some() {
        return Err("a custom executor: Swan's tasks have none");
    }
    let container = task.container.as_ref().ok_or("a task without a container: Swan runs Docker images")?;
    let docker = container.docker.as_ref().filter(|docker| !docker.image.is_empty());
    let docker = docker.ok_or("a task without a Docker image: Swan runs nothing else")?;
    let mut app = json!({
        "id": path,
        "instances": 1,
        "container": { "type": "DOCKER", "docker": {
            "image": docker.image,
            "forcePullImage": docker.force_pull_image.unwrap_or(false),
            "privileged": docker.privileged.unwrap_or(false),
        } },
        "constraints": [format!("agent.id IS {}", in_quotes(offer.agent_id.as_str()))],
        // What is not there may come back, and nothing takes its place: the recording knows of no other task.
        "unreachableStrategy": "disabled",
        // Or an agent would be avoided for what failed there, as the recorded client never does.
        "failover": { "ignore": { "states": ends() } },
    });
    let mut fitted = amounts(&mut app, task, left);
    fitted |= network(&mut app, task, container, left);
    if let Some(role) = offer.role.as_deref() {
        app["role"] = role.into();
    }
    command(&mut app, task.command.as_ref());
    if let Some(check) = task.health_check.as_ref().and_then(health_check) {
        app["healthChecks"] = json!([check]);
    }
    if let Some(grace) = task.kill_grace {
        app["taskKillGracePeriodSeconds"] = grace.0.div_ceil(1000).into();
    }
    Ok(Definition { document: app.to_string().into_bytes(), fitted })
}

/// The names of all states that end a task.
fn ends() -> Vec<&'static str> {
    TaskState::ALL.iter().filter(|state| state.is_terminal()).filter_map(|state| state.name()).collect()
}

/// A value in the language of placement rules.
fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn amounts(app: &mut Value, task: &TaskInfo, left: &mut Left) -> bool {
    let mut fitted = false;
    for name in AMOUNTS {
        let of_name = task.resources.iter().filter(|resource| resource.has_name(name));
        let wanted = of_name.fold(0_i64, |sum, resource| match resource.value {
            ResourceValue::Scalar(milli) => sum.saturating_add(milli),
            ResourceValue::Ranges(_) | ResourceValue::Set(_) => sum,
        });
        // Mesos may refuse a task without CPUs; a definition cannot even ask for one.
        let least = if name == "cpus" { 1 } else { 0 };
        let taken = left.take(name, wanted.max(least));
        fitted |= taken != wanted;
        app[name] = match name {
            "gpus" => (taken / 1000).into(),
            _ => (taken as f64 / 1000.0).into(),
        };
    }
    fitted
}

/// Sets how the container meets the network, and its ports: those of the task, as far as the offer has them.
fn network(app: &mut Value, task: &TaskInfo, container: &ContainerInfo, left: &mut Left) -> bool {
    let claimed = claimed_ports(task);
    let docker = container.docker.as_ref().expect("checked by the caller");
    let mode = docker.network.unwrap_or(DockerNetwork::Host);
    let mut fitted = false;
    let mut ports = Vec::new();
    for port in claimed {
        let has = ports.len() < PORTS_MAX && left.take_port(port);
        fitted |= !has;
        ports.extend(has.then_some(port));
    }
    if matches!(mode, DockerNetwork::Host | DockerNetwork::None | DockerNetwork::Other(_)) {
        app["networks"] = json!([{ "mode": "host" }]);
        app["requirePorts"] = true.into();
        app["portDefinitions"] = ports.iter().map(|port| json!({ "port": port })).collect();
        return fitted;
    }
    let name = container.network_infos.first().and_then(|info| info.name.as_deref());
    app["networks"] = match (mode, name) {
        (DockerNetwork::User, Some(name)) => json!([{ "mode": "container", "name": name }]),
        _ => json!([{ "mode": "container/bridge" }]),
    };
    let mapping = |port: &u16| {
        let inside = docker.port_mappings.iter().find(|mapping| mapping.host_port == u32::from(*port));
        let inside = inside.and_then(|mapping| u16::try_from(mapping.container_port).ok()).unwrap_or(0);
        json!({ "hostPort": port, "containerPort": inside, "protocol": "tcp" })
    };
    app["container"]["portMappings"] = ports.iter().map(mapping).collect();
    fitted
}

/// Host ports that a task claims, at most a few more than an app may have.
fn claimed_ports(task: &TaskInfo) -> Vec<u16> {
    let numbers = task.resources.iter().flat_map(Resource::ports).flat_map(|&(begin, end)| begin..=end);
    numbers.map_while(|port| u16::try_from(port).ok()).take(PORTS_MAX + 1).collect()
}

fn command(app: &mut Value, command: Option<&CommandInfo>) {
    let Some(command) = command else { return };
    match command.value.as_deref() {
        Some(line) if command.shell.unwrap_or(true) && !line.is_empty() => app["cmd"] = line.into(),
        _ if !command.arguments.is_empty() => app["args"] = command.arguments.clone().into(),
        _ => {}
    }
}

/// A check in Marathon's form; `None` for what definitions have no word for. What it does is done by the recorded agent.
fn health_check(check: &HealthCheck) -> Option<Value> {
    let number = |port: &u32| u16::try_from(*port).ok().filter(|port| *port > 0);
    Some(match &check.probe {
        HealthProbe::Http { port, path, .. } => {
            let path = path.as_deref().filter(|path| path.starts_with('/')).unwrap_or("/");
            json!({ "protocol": "MESOS_HTTP", "port": number(port)?, "path": path })
        }
        HealthProbe::Tcp { port, .. } => json!({ "protocol": "MESOS_TCP", "port": number(port)? }),
        HealthProbe::Command(command) => {
            let line = command.value.as_deref().filter(|line| !line.is_empty())?;
            json!({ "protocol": "COMMAND", "command": { "value": line } })
        }
        HealthProbe::Other(_) => return None,
    })
}
