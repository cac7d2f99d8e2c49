//! Owns health checks: Marathon's, which all become Mesos's own, run by the agent beside the task.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::json::Value;
use super::network::Network;
use super::ports::Port;
use super::read::{At, Fields, Findings};
use crate::limits;
use crate::time::Millis;

/// How a running task is known to be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// The protocol was given as `MESOS_…`. All checks are Mesos's own; the canonical form keeps the name given.
    pub mesos: bool,
    /// Ask over IPv6.
    pub ipv6: bool,
    /// Failures within this span after the start do not count, until the first success.
    pub grace: Millis,
    /// From one question to the next.
    pub interval: Millis,
    /// An answer later than this is a failure.
    pub timeout: Millis,
    /// The first question comes this long after the start.
    pub delay: Millis,
    /// So many failures in a row end the task; 0 means it is never ended.
    pub max_consecutive_failures: u32,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A GET that must be answered with 200 to 399.
    Http {
        /// With or without TLS; certificates are not checked.
        scheme: Scheme,
        /// Begins with `/`.
        path: String,
        /// Where.
        port: PortRef,
    },
    /// A connection that must be accepted.
    Tcp {
        /// Where.
        port: PortRef,
    },
    /// A shell command in the container that must end with 0.
    Command(String),
}

/// With or without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Scheme {
    Http,
    Https,
}

/// The port that is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PortRef {
    /// One of the app's ports, by position.
    Index(u32),
    /// That number, where the task sees it.
    Number(u16),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Https,
    Tcp,
    Command,
}

const PROTOCOLS: &[(&str, (Kind, bool))] = &[
    ("HTTP", (Kind::Http, false)),
    ("HTTPS", (Kind::Https, false)),
    ("TCP", (Kind::Tcp, false)),
    ("COMMAND", (Kind::Command, false)),
    ("MESOS_HTTP", (Kind::Http, true)),
    ("MESOS_HTTPS", (Kind::Https, true)),
    ("MESOS_TCP", (Kind::Tcp, true)),
];

impl Health {
    /// Marathon's name of the protocol, as it was given.
    pub const fn protocol(&self) -> &'static str {
        match (&self.probe, self.mesos) {
            (Probe::Http { scheme: Scheme::Http, .. }, false) => "HTTP",
            (Probe::Http { scheme: Scheme::Http, .. }, true) => "MESOS_HTTP",
            (Probe::Http { scheme: Scheme::Https, .. }, false) => "HTTPS",
            (Probe::Http { scheme: Scheme::Https, .. }, true) => "MESOS_HTTPS",
            (Probe::Tcp { .. }, false) => "TCP",
            (Probe::Tcp { .. }, true) => "MESOS_TCP",
            (Probe::Command(_), _) => "COMMAND",
        }
    }
}

impl Probe {
    /// The port that is asked, if any is.
    pub(super) const fn port(&self) -> Option<PortRef> {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => Some(*port),
            Self::Command(_) => None,
        }
    }
}

/// Reads `healthChecks`: none or one.
pub(super) fn read(at: &At<'_>, findings: &mut Findings, ports: &[Port]) -> Option<Health> {
    let checks: Vec<At<'_>> = at.list(findings).collect();
    match &checks[..] {
        [] => None,
        [check] => read_one(check, findings, ports),
        several => {
            let best = (0..several.len()).min_by_key(|&index| rank(&several[index])).unwrap_or(0);
            let message = format!(
                "has {} health checks; must have one: keep {} ({}) and drop the others",
                several.len(),
                several[best].path,
                protocol_text(&several[best])
            );
            findings.problem(&at.path, message);
            None
        }
    }
}

/// The protocol of a check as it is written.
fn protocol_text<'a>(check: &At<'a>) -> &'a str {
    if let Value::Object(entries) = check.value
        && let Some((_, Value::Text(text))) = entries.iter().find(|(key, _)| key == "protocol")
        && PROTOCOLS.iter().any(|(name, _)| name.eq_ignore_ascii_case(text))
    {
        return text;
    }
    "HTTP"
}

/// The lower, the more a check says about an app.
fn rank(check: &At<'_>) -> u8 {
    let text = protocol_text(check);
    match PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some((_, (Kind::Http | Kind::Https, _))) => 0,
        Some((_, (Kind::Tcp, _))) => 1,
        _ => 2,
    }
}

fn read_one(at: &At<'_>, findings: &mut Findings, ports: &[Port]) -> Option<Health> {
    let mut fields = at.object(findings)?;
    let protocol = fields.get("protocol");
    let (kind, mesos) = protocol.map_or(Some((Kind::Http, false)), |at| at.choice(findings, PROTOCOLS))?;
    let probe = read_probe(&mut fields, findings, kind, ports);
    // Marathon's own checks begin at once; only those that the agent runs wait for the delay.
    let delay_default = if mesos || kind == Kind::Command { 15 } else { 0 };
    let mut seconds = |key, default: u64, low| {
        let given = fields.get(key).and_then(|at| at.seconds(findings, low..=limits::SECONDS_MAX));
        given.unwrap_or_else(|| Millis::from_secs(default))
    };
    let (grace, interval) = (seconds("gracePeriodSeconds", 300, 0), seconds("intervalSeconds", 60, 1));
    let (timeout, delay) = (seconds("timeoutSeconds", 20, 0), seconds("delaySeconds", delay_default, 0));
    let max = fields
        .get("maxConsecutiveFailures")
        .and_then(|at| at.whole(findings, 0..=limits::HEALTH_FAILURES_MAX));
    let ipv6 =
        fields.get("ipProtocol").and_then(|at| at.choice(findings, &[("IPv4", false), ("IPv6", true)]));
    let ipv6 = ipv6.unwrap_or(false) && kind != Kind::Command;
    // Marathon itself drops this one.
    fields.get("ignoreHttp1xx");
    fields.finish(findings);
    let max_consecutive_failures = max.and_then(|max| u32::try_from(max).ok()).unwrap_or(3);
    Some(Health { probe: probe?, mesos, ipv6, grace, interval, timeout, delay, max_consecutive_failures })
}

/// Reads `healthCheck`, original Swan's form.
pub(super) fn read_original(
    at: &At<'_>,
    findings: &mut Findings,
    ports: &[Port],
    network: &Network,
) -> Option<Health> {
    const KINDS: &[(&str, Kind)] = &[("cmd", Kind::Command), ("tcp", Kind::Tcp), ("http", Kind::Http)];
    let mut fields = at.own_object(findings)?;
    let protocol = fields.require(findings, "protocol");
    let kind = protocol.as_ref().and_then(|at| at.choice(findings, KINDS));
    if let (Some(at), Some(Kind::Command), Network::User(_)) = (&protocol, kind, network) {
        at.refuse(findings, "must be tcp or http: in a network that users made no command is run as a check");
    }
    let probe = kind.and_then(|kind| read_original_probe(&mut fields, findings, kind, ports));
    let mut seconds = |key, default: Option<u64>, low| {
        let given = match default {
            Some(_) => fields.get(key),
            None => fields.require(findings, key),
        };
        let span = given.and_then(|at| at.seconds(findings, low..=limits::SECONDS_MAX));
        span.unwrap_or_else(|| Millis::from_secs(default.unwrap_or_default()))
    };
    let (grace, interval) =
        (seconds("gracePeriodSeconds", Some(300), 0), seconds("intervalSeconds", None, 1));
    let (timeout, delay) = (seconds("timeoutSeconds", Some(20), 0), seconds("delaySeconds", Some(0), 0));
    let max = fields
        .get("consecutiveFailures")
        .and_then(|at| at.whole(findings, 0..=limits::HEALTH_FAILURES_MAX))
        .and_then(|max| u32::try_from(max).ok());
    fields.finish(findings);
    // Where Marathon's 0 means that a task is never ended, original Swan's lets the first failure end it.
    let max_consecutive_failures = max.map_or(3, |max| max.max(1));
    let (mesos, ipv6) = (kind != Some(Kind::Command), false);
    Some(Health { probe: probe?, mesos, ipv6, grace, interval, timeout, delay, max_consecutive_failures })
}

fn read_original_probe(
    fields: &mut Fields<'_>,
    findings: &mut Findings,
    kind: Kind,
    ports: &[Port],
) -> Option<Probe> {
    if kind == Kind::Command {
        let line = fields.require(findings, "cmd").and_then(|at| {
            let line = at.text(findings)?;
            if line.is_empty() {
                at.refuse(findings, "must not be empty");
            }
            Some(line)
        });
        fields.get("portName");
        fields.get("path");
        return line.map(|line| Probe::Command(line.into()));
    }
    fields.get("cmd");
    let port = fields.require(findings, "portName").and_then(|at| {
        let name = at.text(findings)?;
        let place = ports.iter().position(|port| port.name.as_deref() == Some(name));
        if place.is_none() {
            at.refuse(findings, "must be the name of one of container.docker.portMappings");
        }
        place.and_then(|place| u32::try_from(place).ok()).map(PortRef::Index)
    });
    if kind == Kind::Tcp {
        fields.get("path");
        return port.map(|port| Probe::Tcp { port });
    }
    let path = fields.require(findings, "path").and_then(|at| read_http_path(&at, findings));
    Some(Probe::Http { scheme: Scheme::Http, path: path?, port: port? })
}

/// The path that is asked for.
fn read_http_path(at: &At<'_>, findings: &mut Findings) -> Option<String> {
    let text = at.text(findings)?;
    if !text.starts_with('/') || text.contains(|c: char| c.is_control() || c == ' ') {
        at.refuse(findings, "must begin with '/' and have no spaces and control characters, as /health");
        return None;
    }
    Some(text.into())
}

fn read_probe(fields: &mut Fields<'_>, findings: &mut Findings, kind: Kind, ports: &[Port]) -> Option<Probe> {
    let (path, port, index) = (fields.get("path"), fields.get("port"), fields.get("portIndex"));
    let command = fields.get("command");
    if kind == Kind::Command {
        // Clients send path and port with a command, too: they mean nothing.
        let Some(command) = command else {
            findings.problem(
                fields.path(),
                "has protocol COMMAND but no command; must have \"command\":{\"value\":\"…\"}",
            );
            return None;
        };
        let mut command = command.object(findings)?;
        let line = command.require(findings, "value").and_then(|at| {
            let line = at.text(findings)?;
            if line.is_empty() {
                at.refuse(findings, "must not be empty");
            }
            Some(line)
        });
        command.finish(findings);
        return line.map(|line| Probe::Command(line.into()));
    }
    if let Some(command) = command {
        findings.problem(&command.path, "must only be given with protocol COMMAND");
    }
    let port = read_port(fields, findings, port, index, ports);
    if kind == Kind::Tcp {
        return port.map(|port| Probe::Tcp { port });
    }
    let path = match path {
        None => "/".into(),
        Some(at) => read_http_path(&at, findings)?,
    };
    let scheme = if kind == Kind::Https { Scheme::Https } else { Scheme::Http };
    port.map(|port| Probe::Http { scheme, path, port })
}

/// The port by number or position, the first one by default.
fn read_port(
    fields: &Fields<'_>,
    findings: &mut Findings,
    port: Option<At<'_>>,
    index: Option<At<'_>>,
    ports: &[Port],
) -> Option<PortRef> {
    match (port, index) {
        (Some(port), None) => {
            let number = port.port(findings)?;
            if number == 0 {
                port.refuse(findings, "must be a port from 1 to 65535");
            }
            Some(PortRef::Number(number))
        }
        (None, Some(index)) => {
            let Some(last) = ports.len().checked_sub(1) else {
                index.refuse(findings, "must be replaced by port: the app has no ports");
                return None;
            };
            let position = index.whole(findings, 0..=u64::try_from(last).ok()?)?;
            u32::try_from(position).ok().map(PortRef::Index)
        }
        (None, None) if ports.is_empty() => {
            findings.problem(fields.path(), "names no port and the app has none; must have port");
            None
        }
        (None, None) => Some(PortRef::Index(0)),
        (Some(_), Some(index)) => {
            index.refuse(findings, "must not be given beside port");
            None
        }
    }
}
