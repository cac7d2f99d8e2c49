//! Owns how a placement becomes a Mesos task: the template of a version, and its expansion.

mod environment;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::effect::MesosCall;
use crate::mesos::{
    AgentId, Call, Filters, HealthProbe, InverseRespond, Operation, PortMapping, ReconcileTask, TaskId,
    TaskInfo,
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
    pub host: String,
    /// Host ports, in the order of the port mappings.
    pub ports: Vec<u16>,
    /// What it claims, cut out of the offers: exact in role and reservation (R35).
    pub resources: Vec<crate::mesos::Resource>,
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
    /// The ports, in the order of [`Launch::ports`].
    pub ports: Vec<Port>,
    /// The one of `ports` that the health check asks; `None` if it asks none, or one by number.
    pub health_port: Option<usize>,
}

/// A port of one task, resolved.
struct TaskPort<'a> {
    of: &'a Port,
    /// What others connect to.
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
        task.resources.clone_from(&self.resources);
        let told = environment::of(self, &ports);
        if let Some(docker) = task.container.as_mut().and_then(|container| container.docker.as_mut()) {
            if self.template.network == Network::Bridge {
                docker.port_mappings = port_mappings(&ports);
            }
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

    fn resolved_ports(&self) -> Vec<TaskPort<'_>> {
        assert!(
            self.template.ports.len() == self.ports.len(),
            "a launch has one host port for each of its ports"
        );
        let on_bridge = self.template.network == Network::Bridge;
        let resolve = |(of, host): (_, u16)| resolve(of, host, on_bridge);
        self.template.ports.iter().zip(self.ports.iter().copied()).map(resolve).collect()
    }
}

fn resolve(of: &Port, host: u16, on_bridge: bool) -> TaskPort<'_> {
    // In the host's network the number in the definition is a wish unless it is required; it names the port all the same.
    let (inside, asked) =
        if on_bridge { (of.container_port, of.container_port) } else { (host, of.service_port) };
    let or_host = |port| if port == 0 { host } else { port };
    TaskPort { of, host, inside: or_host(inside), asked: or_host(asked) }
}

fn port_mappings(ports: &[TaskPort<'_>]) -> Vec<PortMapping> {
    let mut mappings = Vec::new();
    for port in ports {
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
            Self::Subscribe { framework_info, suppressed_roles } => {
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
