//! Owns the canonical form: the one way a spec is written.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::constraints;
use super::json::{Value, quoted};
use super::policy::write::seconds;
use super::{AppSpec, Command, Fetch, Health, HostVolume, Network, Port, PortRef, Probe};
use crate::number::Number;

/// Writes `spec` as compact JSON.
pub(super) fn write(spec: &AppSpec) -> String {
    let (line, args) = match &spec.command {
        Command::Image => (None, None),
        Command::Shell(line) => (Some(line.as_str().into()), None),
        Command::Args(args) => (None, Some(list(args, |arg| arg.as_str().into()))),
    };
    let host = spec.network == Network::Host;
    let value = Value::object([
        ("id", Some(spec.path.as_str().into())),
        ("cmd", line),
        ("args", args),
        ("user", spec.user.as_deref().map(Value::from)),
        ("instances", Some(u64::from(spec.instances).into())),
        ("cpus", Some(thousandths(spec.cpus))),
        ("mem", Some(thousandths(spec.mem))),
        ("disk", Some(thousandths(spec.disk))),
        ("gpus", Some(u64::from(spec.gpus).into())),
        ("resourceLimits", spec.limits.written()),
        ("env", unless_empty(env(spec))),
        ("labels", Some(Value::texts(&spec.labels))),
        ("container", Some(container(spec))),
        ("networks", Some(Value::List([network(&spec.network)].into()))),
        ("ips", unless_empty(list(&spec.ips, |ip| ip.as_str().into()))),
        ("portDefinitions", host.then(|| list(&spec.ports, definition))),
        ("requirePorts", Some(spec.require_ports.into())),
        ("healthChecks", spec.health.as_ref().map(|check| Value::List([health(check)].into()))),
        ("fetch", unless_empty(list(&spec.fetch, fetch))),
        ("constraints", constraints::written(&spec.rules)),
        ("placement", spec.strategy.written()),
        ("role", spec.role.as_deref().map(Value::from)),
        ("acceptedResourceRoles", unless_empty(list(&spec.accepted_roles, |role| role.as_str().into()))),
        ("backoffSeconds", Some(seconds(spec.backoff.initial))),
        ("backoffFactor", Some(thousandths(u64::from(spec.backoff.factor_thousandths)))),
        ("maxLaunchDelaySeconds", Some(seconds(spec.backoff.max))),
        ("failover", spec.failover.written()),
        ("upgradeStrategy", Some(spec.upgrade.written())),
        ("update", spec.update.written()),
        ("unreachableStrategy", Some(spec.unreachable.written())),
        ("killSelection", Some(spec.kill_selection.as_str().into())),
        ("taskKillGracePeriodSeconds", spec.kill_grace.map(seconds)),
    ]);
    let mut text = value.to_string();
    for (key, carried) in &spec.carried {
        text.pop();
        text.push_str(&format!(",{}:{carried}}}", quoted(key)));
    }
    text
}

fn env(spec: &AppSpec) -> Value {
    let plain = spec.env.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    let secret = |(name, secret): (&String, &String)| {
        (name.clone(), Value::object([("secret", Some(secret.as_str().into()))]))
    };
    Value::Object(plain.chain(spec.env_secrets.iter().map(secret)).collect())
}

fn network(network: &Network) -> Value {
    let (mode, name) = match network {
        Network::Host => ("host", None),
        Network::Bridge => ("container/bridge", None),
        Network::User(name) => ("container", Some(name.as_str().into())),
    };
    Value::object([("mode", Some(mode.into())), ("name", name)])
}

fn container(spec: &AppSpec) -> Value {
    let parameter = |(key, value): &(String, String)| {
        Value::object([("key", Some(key.as_str().into())), ("value", Some(value.as_str().into()))])
    };
    let docker = Value::object([
        ("image", Some(spec.image.as_str().into())),
        ("forcePullImage", Some(spec.force_pull_image.into())),
        ("privileged", Some(spec.privileged.into())),
        ("parameters", unless_empty(list(&spec.parameters, parameter))),
    ]);
    Value::object([
        ("type", Some("DOCKER".into())),
        ("docker", Some(docker)),
        ("volumes", unless_empty(list(&spec.volumes, volume))),
        ("portMappings", (spec.network != Network::Host).then(|| list(&spec.ports, mapping))),
    ])
}

fn volume(volume: &HostVolume) -> Value {
    Value::object([
        ("containerPath", Some(volume.container_path.as_str().into())),
        ("hostPath", Some(volume.host_path.as_str().into())),
        ("mode", Some(if volume.read_only { "RO" } else { "RW" }.into())),
    ])
}

fn mapping(port: &Port) -> Value {
    Value::object([
        ("containerPort", Some(u64::from(port.container_port).into())),
        ("hostPort", port.mapped.then(|| u64::from(port.host_port).into())),
        ("servicePort", Some(u64::from(port.service_port).into())),
        ("protocol", Some(port.protocol.as_str().into())),
        ("name", port.name.as_deref().map(Value::from)),
        ("labels", unless_empty(Value::texts(&port.labels))),
    ])
}

fn definition(port: &Port) -> Value {
    Value::object([
        ("port", Some(u64::from(port.service_port).into())),
        ("protocol", Some(port.protocol.as_str().into())),
        ("name", port.name.as_deref().map(Value::from)),
        ("labels", unless_empty(Value::texts(&port.labels))),
    ])
}

fn health(check: &Health) -> Value {
    let (path, port, command) = match &check.probe {
        Probe::Http { path, port, .. } => (Some(path.as_str().into()), Some(*port), None),
        Probe::Tcp { port } => (None, Some(*port), None),
        Probe::Command(line) => (None, None, Some(Value::object([("value", Some(line.as_str().into()))]))),
    };
    let (number, index) = match port {
        Some(PortRef::Number(number)) => (Some(u64::from(number).into()), None),
        Some(PortRef::Index(index)) => (None, Some(u64::from(index).into())),
        None => (None, None),
    };
    Value::object([
        ("protocol", Some(check.protocol().into())),
        ("path", path),
        ("port", number),
        ("portIndex", index),
        ("command", command),
        ("ipProtocol", check.ipv6.then(|| "IPv6".into())),
        ("gracePeriodSeconds", Some(seconds(check.grace))),
        ("intervalSeconds", Some(seconds(check.interval))),
        ("timeoutSeconds", Some(seconds(check.timeout))),
        ("delaySeconds", Some(seconds(check.delay))),
        ("maxConsecutiveFailures", Some(u64::from(check.max_consecutive_failures).into())),
    ])
}

fn fetch(fetch: &Fetch) -> Value {
    Value::object([
        ("uri", Some(fetch.uri.as_str().into())),
        ("extract", Some(fetch.extract.into())),
        ("executable", Some(fetch.executable.into())),
        ("cache", Some(fetch.cache.into())),
        ("destPath", fetch.dest_path.as_deref().map(Value::from)),
    ])
}

fn list<T>(items: &[T], write: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(write).collect::<Vec<_>>())
}

fn unless_empty(value: Value) -> Option<Value> {
    (!value.is_empty()).then_some(value)
}

fn thousandths(value: u64) -> Value {
    Value::Number(Number::from_thousandths(value))
}
