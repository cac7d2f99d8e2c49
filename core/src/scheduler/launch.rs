//! Owns how a placement becomes a Mesos task: the template of a version, and its expansion.

mod environment;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::effect::MesosCall;
pub use super::room::Claims;
use crate::limits::UNMAPPED_PORT_FIRST;
use crate::mesos::{
    AgentId, Call, Filters, HealthProbe, InverseRespond, Operation, PortMapping, ReconcileTask, Resource,
    TaskId, TaskInfo,
};
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
    pub host: Arc<str>,
    /// Host ports, in the order of the ports that are mapped.
    pub ports: Arc<[u16]>,
    /// What it claims of the offers.
    pub claims: Claims,
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
    /// The addresses of the first slots, in a network that users made.
    pub ips: Vec<String>,
    /// The ports; those that are mapped are in the order of [`Launch::ports`].
    pub ports: Vec<Port>,
    /// The one of `ports` that the health check asks; `None` if it asks none, or one by number.
    pub health_port: Option<usize>,
}

/// A port of one task, resolved.
struct TaskPort<'a> {
    of: &'a Port,
    /// What others connect to: at the host, or at the container's own address if it is not mapped.
    host: u16,
    /// Where the process listens, as seen from inside its network.
    inside: u16,
    /// The number by which the user knows it.
    asked: u16,
}

impl Launch {
    /// The task as Mesos gets it.
    pub fn task_info(&self) -> TaskInfo {
        let ports = self.resolved_ports();
        let mut task = self.template.task.clone();
        task.task_id = self.task.clone();
        task.agent_id = self.agent.clone();
        task.resources = self.resources();
        let told = environment::of(self, &ports);
        if let Some(docker) = task.container.as_mut().and_then(|container| container.docker.as_mut()) {
            if self.template.network != Network::Host {
                docker.port_mappings = port_mappings(&ports);
            }
            // The containerizer asks no network for an address: docker run does.
            docker.parameters.extend(self.address().map(|(option, ip)| (option.to_string(), ip.to_string())));
            let labels =
                told.labels.iter().map(|(name, value)| ("label".to_string(), format!("{name}={value}")));
            docker.parameters.extend(labels);
        }
        if let Some(discovery) = &mut task.discovery {
            discovery.ports = discovery_ports(&ports);
        }
        if let Some(check) = &mut task.health_check
            && let Some(asked) = self.template.health_port.and_then(|index| ports.get(index))
            && let HealthProbe::Http { port, .. } | HealthProbe::Tcp { port, .. } = &mut check.probe
        {
            // The probe runs inside the container's network.
            *port = asked.inside.into();
        }
        task.labels.extend(told.labels.into_iter().map(|(name, value)| (name, Some(value))));
        task.command.get_or_insert_default().environment.extend(told.environment);
        task
    }

    /// What it claims, cut out of the offers: exact in role and reservation (R35).
    pub fn resources(&self) -> Vec<Resource> {
        self.claims.resources()
    }

    /// The address that is set aside for the slot, and the option of `docker run` that asks for it.
    fn address(&self) -> Option<(&'static str, &str)> {
        let ip = self.template.ips.get(self.slot as usize)?;
        Some((if ip.contains(':') { "ip6" } else { "ip" }, ip))
    }

    fn resolved_ports(&self) -> Vec<TaskPort<'_>> {
        let ports = &self.template.ports;
        assert!(
            ports.iter().filter(|port| port.mapped).count() == self.ports.len(),
            "a launch has one host port for each of its ports that are mapped"
        );
        let on_host = self.template.network == Network::Host;
        let mut claimed = self.ports.iter().copied();
        let is_free = |number: &u16| ports.iter().all(|port| port.container_port != *number);
        let mut free = (UNMAPPED_PORT_FIRST..).filter(is_free);
        let mut resolved = Vec::new();
        for of in ports {
            let host = if of.mapped { claimed.next() } else { None };
            resolved.push(match host {
                Some(host) => resolve(of, host, on_host),
                None => unmapped(of, &mut free),
            });
        }
        resolved
    }
}

/// Nothing else listens at the container's own address, so that any number will do for a port without one.
fn unmapped<'a>(of: &'a Port, free: &mut impl Iterator<Item = u16>) -> TaskPort<'a> {
    let own = if of.container_port == 0 { free.next() } else { Some(of.container_port) };
    let own = own.expect("ports are limited");
    TaskPort { of, host: own, inside: own, asked: own }
}

fn resolve(of: &Port, host: u16, on_host: bool) -> TaskPort<'_> {
    // In the host's network the number in the definition is a wish unless it is required; it names the port all the same.
    let (inside, asked) =
        if on_host { (host, of.service_port) } else { (of.container_port, of.container_port) };
    let or_host = |port| if port == 0 { host } else { port };
    TaskPort { of, host, inside: or_host(inside), asked: or_host(asked) }
}

fn port_mappings(ports: &[TaskPort<'_>]) -> Vec<PortMapping> {
    let mut mappings = Vec::new();
    for port in ports.iter().filter(|port| port.of.mapped) {
        for &protocol in port.of.protocol.each() {
            let (host_port, container_port) = (port.host.into(), port.inside.into());
            mappings.push(PortMapping { host_port, container_port, protocol: Some(protocol.into()) });
        }
    }
    mappings
}

fn discovery_ports(ports: &[TaskPort<'_>]) -> Vec<(u32, Option<String>, Option<String>)> {
    let mut found = Vec::new();
    for port in ports {
        for &protocol in port.of.protocol.each() {
            found.push((port.host.into(), port.of.name.clone(), Some(protocol.into())));
        }
    }
    found
}

impl MesosCall {
    /// The call as Mesos gets it; `None` for what only the link understands.
    pub fn into_call(self) -> Option<Call> {
        Some(match self {
            Self::Subscribe { framework_info, suppressed_roles, anew: _ } => {
                Call::Subscribe { framework_info, suppressed_roles }
            }
            Self::Accept { offers, launches, refuse } => {
                let tasks: Vec<TaskInfo> = launches.iter().map(Launch::task_info).collect();
                let operations = if tasks.is_empty() { Vec::new() } else { vec![Operation::Launch(tasks)] };
                Call::Accept { offer_ids: offers, operations, filters: Filters { refuse: Some(refuse) } }
            }
            Self::Decline { offers, refuse } => {
                Call::Decline { offer_ids: offers, filters: Filters { refuse: Some(refuse) } }
            }
            Self::Kill { task, agent, grace } => Call::Kill { task_id: task, agent_id: agent, grace },
            Self::Acknowledge { task, agent, uuid } => {
                Call::Acknowledge { agent_id: agent, task_id: task, uuid }
            }
            Self::Reconcile { tasks } => {
                let task = |(task_id, agent_id)| ReconcileTask { task_id, agent_id };
                Call::Reconcile { tasks: tasks.into_iter().map(task).collect() }
            }
            Self::Suppress { roles } => Call::Suppress { roles },
            Self::Revive { roles } => Call::Revive { roles },
            Self::AcceptInverse { offers } => Call::AcceptInverseOffers(InverseRespond {
                inverse_offer_ids: offers,
                filters: Filters::default(),
            }),
            Self::DeclineInverse { offers, refuse } => Call::DeclineInverseOffers(InverseRespond {
                inverse_offer_ids: offers,
                filters: Filters { refuse: Some(refuse) },
            }),
            Self::Disconnect => return None,
        })
    }
}

#[cfg(test)]
mod tests;
