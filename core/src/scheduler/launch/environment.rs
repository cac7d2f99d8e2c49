//! Owns what a task is told of itself beyond its app: Swan's own variables, and Marathon's, so that what runs there runs here.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Launch, TaskPort};
use crate::spec::Network;

/// What one task is told.
pub(super) struct Told {
    /// Variables, without those that the template has: there the user had the last word.
    pub(super) environment: Vec<(String, String)>,
    /// Labels of the task and of its Docker container.
    pub(super) labels: Vec<(String, String)>,
}

/// Variables in a fixed order; the first of a name stays.
#[derive(Default)]
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn set(&mut self, name: impl Into<String>, value: impl ToString) {
        self.0.entry(name.into()).or_insert_with(|| value.to_string());
    }
}

/// What the task of `launch` is told, whose ports are `ports`.
pub(super) fn of(launch: &Launch, ports: &[TaskPort<'_>]) -> Told {
    let mut swan = Variables::default();
    swan_variables(launch, ports, &mut swan);
    let labels = swan.0.iter().map(|(name, value)| (name.clone(), value.clone()));
    let labels = labels.chain([("MESOS_TASK_ID".to_string(), launch.task.to_string())]).collect();
    if launch.template.network == Network::Host {
        for port in ports {
            if let Some(name) = &port.of.name {
                swan.set(format!("SWAN_HOST_PORT_{}", name.to_uppercase()), port.host);
            }
        }
    }
    marathon_variables(launch, ports, &mut swan);
    let given = launch.template.task.command.as_ref().map_or(&[][..], |command| &command.environment);
    let mut environment = swan.0;
    for (name, _) in given {
        environment.remove(name);
    }
    Told { environment: environment.into_iter().collect(), labels }
}

fn swan_variables(launch: &Launch, ports: &[TaskPort<'_>], variables: &mut Variables) {
    let template = &launch.template;
    variables.set("SWAN_APP_ID", &template.app);
    variables.set("SWAN_APP_VERSION", &template.version);
    variables.set("SWAN_TASK_ID", &launch.task);
    variables.set("SWAN_TASK_NAME", format!("{}.{}", launch.slot, template.app));
    variables.set("SWAN_HOST", &launch.host);
    variables.set("SWAN_PORTS", comma_list(ports));
    for (index, port) in ports.iter().enumerate() {
        variables.set(format!("SWAN_PORT{index}"), port.host);
        variables.set(format!("SWAN_PORT_{}", port.asked), port.host);
    }
}

fn marathon_variables(launch: &Launch, ports: &[TaskPort<'_>], variables: &mut Variables) {
    variables.set("MESOS_TASK_ID", &launch.task);
    variables.set("HOST", &launch.host);
    let Some(first) = ports.first() else { return };
    variables.set("PORT", first.host);
    variables.set("PORTS", comma_list(ports));
    for (index, port) in ports.iter().enumerate() {
        variables.set(format!("PORT{index}"), port.host);
        variables.set(format!("PORT_{}", port.asked), port.host);
        if let Some(name) = &port.of.name {
            variables.set(format!("PORT_{}", name.to_uppercase()), port.host);
        }
    }
}

fn comma_list(ports: &[TaskPort<'_>]) -> String {
    let ports: Vec<String> = ports.iter().map(|port| port.host.to_string()).collect();
    ports.join(",")
}
