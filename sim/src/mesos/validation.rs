//! Owns what a master refuses, and the words in which it says so.

use std::collections::BTreeSet;
use std::sync::Arc;

use swan_core::mesos::{
    Capability, CommandInfo, ContainerInfo, ContainerType, DockerNetwork, FrameworkInfo, HealthCheck,
    HealthProbe, Resource, ResourceValue, TaskInfo,
};

use super::pool::{Pool, text};

/// The roles a framework is in.
pub(crate) fn roles(info: &FrameworkInfo) -> Vec<String> {
    if info.has(Capability::MULTI_ROLE) {
        return info.roles.clone();
    }
    vec![info.role.clone().unwrap_or_else(|| "*".into())]
}

/// Checks a `FrameworkInfo` by itself.
pub(crate) fn framework(info: &FrameworkInfo, suppressed: &[String]) -> Result<(), String> {
    if info.has(Capability::MULTI_ROLE) {
        multi_role(info)?;
    } else {
        if !info.roles.is_empty() {
            return Err(
                "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable".into()
            );
        }
        let role = info.role.as_deref().unwrap_or("*");
        check_role(role).map_err(|error| format!("'FrameworkInfo.role' is not a valid role: {error}"))?;
    }
    if let Some(framework_id) = info.id.as_ref().filter(|framework_id| !framework_id.as_str().is_empty()) {
        id(framework_id.as_str())?;
    }
    let mine: BTreeSet<String> = roles(info).into_iter().collect();
    let foreign: BTreeSet<&String> = suppressed.iter().filter(|role| !mine.contains(*role)).collect();
    if foreign.is_empty() {
        return Ok(());
    }
    let foreign: Vec<&str> = foreign.into_iter().map(String::as_str).collect();
    Err(format!("Suppressed roles {{ {} }} are not contained in the set of roles", foreign.join(", ")))
}

fn multi_role(info: &FrameworkInfo) -> Result<(), String> {
    if info.role.is_some() {
        return Err("'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable".into());
    }
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> =
        info.roles.iter().map(String::as_str).filter(|role| !seen.insert(role.to_owned())).collect();
    if !twice.is_empty() {
        let twice: Vec<&str> = twice.into_iter().collect();
        return Err(format!("'FrameworkInfo.roles' contains duplicate items: {{ {} }}", twice.join(", ")));
    }
    for role in &info.roles {
        check_role(role).map_err(|error| format!("'FrameworkInfo.roles' contains invalid role: {error}"))?;
    }
    Ok(())
}

fn check_role(role: &str) -> Result<(), String> {
    if role == "*" {
        return Ok(());
    }
    let bad = |what: &str| Err(format!("Role '{role}' cannot {what}"));
    if role.is_empty() {
        return Err("Role names cannot be the empty string".into());
    }
    if role.starts_with('/') {
        return bad("start with a slash");
    }
    if role.ends_with('/') {
        return bad("end with a slash");
    }
    if role.contains("//") {
        return bad("contain two adjacent slashes");
    }
    for component in role.split('/') {
        if [".", "..", "*"].contains(&component) {
            return bad(&format!("include '{component}' as a component"));
        }
        let invalid = |why: &str| Err(format!("Role component '{component}' is invalid because it {why}"));
        if component.starts_with('-') {
            return invalid("starts with a dash");
        }
        if component.contains(['\t', '\n', '\u{b}', '\u{c}', '\r', ' ', '\u{7f}']) {
            return invalid("contains backspace or whitespace");
        }
    }
    Ok(())
}

/// Checks a `FrameworkInfo` against the one it is to replace.
pub(crate) fn framework_update(old: &FrameworkInfo, new: &FrameworkInfo) -> Result<(), String> {
    if old.principal != new.principal {
        return Err("Changing framework's principal is not allowed.".into());
    }
    if old.user != new.user {
        let (old, new) = (&old.user, &new.user);
        return Err(format!(
            "Updating 'FrameworkInfo.user' is unsupported; attempted to update from '{old}' to '{new}'"
        ));
    }
    let (old, new) = (old.checkpoint == Some(true), new.checkpoint == Some(true));
    if old != new {
        return Err(format!(
            "Updating 'FrameworkInfo.checkpoint' is unsupported; attempted to update from '{old}' to '{new}'"
        ));
    }
    Ok(())
}

fn id(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("ID must not be empty".into());
    }
    if text.len() > 255 {
        return Err("ID must not be greater than 255 characters".into());
    }
    if text == "." || text == ".." {
        return Err(format!("'{text}' is disallowed"));
    }
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b'/' || byte == b'\\') {
        return Err(format!("'{text}' contains invalid characters"));
    }
    Ok(())
}

/// Checks the shape of resources, before anything else of an operation is looked at.
pub(crate) fn resources(resources: &[Resource]) -> Result<(), String> {
    for resource in resources {
        let wrong = match &resource.value {
            ResourceValue::Scalar(milli) if *milli <= 0 => "Invalid scalar resource: value <= 0",
            ResourceValue::Ranges(ranges) if ranges.iter().any(|(begin, end)| begin > end) => {
                "Invalid ranges resource: end < begin"
            }
            _ => continue,
        };
        return Err(format!("Resource '{}' is invalid: {wrong}", text(resource)));
    }
    Ok(())
}

/// Checks a task by itself; `fits` and the uniqueness of its id are the caller's.
pub(crate) fn task(task: &TaskInfo) -> Result<(), String> {
    id(task.task_id.as_str())?;
    if let Some(check) = &task.health_check {
        health_check(check).map_err(|error| format!("Task uses invalid health check: {error}"))?;
    }
    if task.resources.is_empty() {
        return Err("Task uses no resources".into());
    }
    let roles: BTreeSet<&Option<Arc<str>>> =
        task.resources.iter().map(|resource| &resource.allocation_role).collect();
    if roles.len() > 1 {
        return Err("Invalid task resources: The resources have multiple allocation roles".into());
    }
    if let Some(container) = &task.container {
        check_container(container).map_err(|error| format!("Task's `ContainerInfo` is invalid: {error}"))?;
    }
    limits(task)?;
    if task.command.is_some() == task.executor.is_some() {
        return Err(
            "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present".into()
        );
    }
    Ok(())
}

/// Checks that a task fits into what is left of the offers.
pub(crate) fn fits(wanted: &Pool, available: &Pool) -> Result<(), String> {
    if available.contains(wanted) {
        return Ok(());
    }
    Err(format!(
        "Total resources {wanted} required by task and its executor is more than available {available}"
    ))
}

fn check_container(container: &ContainerInfo) -> Result<(), String> {
    if container.kind != ContainerType::Docker {
        return Ok(());
    }
    let Some(docker) = &container.docker else {
        return Err("DockerInfo 'docker' is not set for DOCKER typed ContainerInfo".into());
    };
    if docker.parameters.iter().any(|(key, _)| key == "name") {
        return Err("Parameter in DockerInfo must not be 'name'".into());
    }
    Ok(())
}

fn limits(task: &TaskInfo) -> Result<(), String> {
    let claimed = Pool::of(&task.resources);
    for (name, limit) in &task.limits {
        let (wanted, words) = match name.as_str() {
            "cpus" => (claimed.scalar("cpus"), "cpu"),
            "mem" => (claimed.scalar("mem"), "memory"),
            _ => return Err("Only cpus and mem may be included in a task's resource limits".into()),
        };
        if *limit < wanted {
            return Err(format!("The {words} limit must be greater than or equal to the {words} request"));
        }
    }
    Ok(())
}

fn health_check(check: &HealthCheck) -> Result<(), String> {
    match &check.probe {
        HealthProbe::Command(command) => check_command(command),
        HealthProbe::Http { scheme, path, .. } => {
            if let Some(scheme) = scheme.as_deref().filter(|scheme| !["http", "https"].contains(scheme)) {
                return Err(format!("Unsupported HTTP health check scheme: '{scheme}'"));
            }
            match path.as_deref().filter(|path| !path.starts_with('/')) {
                Some(path) => Err(format!("The path '{path}' of HTTP health check must start with '/'")),
                None => Ok(()),
            }
        }
        HealthProbe::Tcp { .. } => Ok(()),
        HealthProbe::Other(None) => Err("HealthCheck must specify 'type'".into()),
        HealthProbe::Other(Some(number)) => match number {
            1 => Err("Expecting 'command' to be set for COMMAND health check".into()),
            2 => Err("Expecting 'http' to be set for HTTP health check".into()),
            3 => Err("Expecting 'tcp' to be set for TCP health check".into()),
            _ => Err("'UNKNOWN' is not a valid health check type".into()),
        },
    }
}

fn check_command(command: &CommandInfo) -> Result<(), String> {
    if command.value.is_some() {
        return Ok(());
    }
    let kind = if command.shell == Some(false) { "'executable path'" } else { "'shell command'" };
    Err(format!("Command health check must contain {kind}"))
}

/// What Docker's executor refuses before it makes a container.
pub(crate) fn docker_run_options(task: &TaskInfo) -> Result<(), String> {
    let docker = task.container.as_ref().and_then(|container| container.docker.as_ref());
    let Some(docker) = docker.filter(|docker| !docker.port_mappings.is_empty()) else { return Ok(()) };
    let failed = |why: &str| Err(format!("Failed to create docker run options: {why}"));
    if !matches!(docker.network, Some(DockerNetwork::Bridge | DockerNetwork::User)) {
        return failed("Port mappings are only supported for bridge and user-defined networks");
    }
    if !task.resources.iter().any(|resource| resource.has_name("ports")) {
        return failed("Port mappings require port resources");
    }
    let claims = |port: u32| {
        let mut ranges = task.resources.iter().flat_map(Resource::ports);
        ranges.any(|(begin, end)| (*begin..=*end).contains(&u64::from(port)))
    };
    match docker.port_mappings.iter().find(|mapping| !claims(mapping.host_port)) {
        Some(mapping) => failed(&format!("Port [{}] not included in resources", mapping.host_port)),
        None => Ok(()),
    }
}
