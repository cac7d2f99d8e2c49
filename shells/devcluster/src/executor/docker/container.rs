//! Owns what a container is made of: the engine's configuration for a task, as Mesos's Docker executor would make it.

use serde_json::{Value, json};
use swan_core::mesos::{CommandInfo, ContainerInfo, DockerInfo, DockerNetwork, TaskInfo, Volume};

use super::super::{Job, scalar};
use super::parameters;

/// Says whose a container is.
pub(super) const CLUSTER_LABEL: &str = "swan.devcluster";
/// The parameter of `docker run` that names the container's address.
const STATIC_IP: &str = "ip";
/// Where a task finds its sandbox.
const SANDBOX: &str = "/mnt/mesos/sandbox";
/// Docker's share of one CPU, and the least that it takes.
const SHARES_PER_CPU: i64 = 1024;
const SHARES_MIN: i64 = 2;
const MIB: i64 = 1024 * 1024;
/// Mesos gives no container less memory.
const MEMORY_MIN_MIB: i64 = 32;

pub(super) fn name(job: &Job) -> String {
    format!("mesos-{}", job.launched.container_id)
}

/// Mesos's default is the host's.
pub(super) fn network(info: &TaskInfo) -> DockerNetwork {
    let docker = info.container.as_ref().and_then(|container| container.docker.as_ref());
    docker.and_then(|docker| docker.network).unwrap_or(DockerNetwork::Host)
}

/// The body of the engine's create call; the error is for whoever wrote the app.
pub(super) fn config(cluster: &str, job: &Job) -> Result<Value, String> {
    let info = job.info();
    let Some((container, docker)) =
        info.container.as_ref().and_then(|container| Some((container, container.docker.as_ref()?)))
    else {
        return Err("container.docker is missing".into());
    };
    let command = info.command.clone().unwrap_or_default();
    if !command.uris.is_empty() {
        return Err(
            "command.uris are not fetched by a development cluster: put the files into the image".into()
        );
    }
    let mut config = json!({
        "Image": docker.image,
        "Env": environment(job, &command),
        "Labels": {
            CLUSTER_LABEL: cluster,
            "swan.task": info.task_id.as_str(),
            "swan.agent": job.launched.agent.as_str(),
            "swan.framework": job.key.0.as_str(),
        },
        "HostConfig": host_config(job, docker),
    });
    add_command(&mut config, &command)?;
    add_network(&mut config, job, container, docker)?;
    for volume in &container.volumes {
        add_volume(&mut config, job, volume)?;
    }
    if let Some(sandbox) = &job.sandbox {
        push(&mut config["HostConfig"]["Binds"], format!("{}:{SANDBOX}", sandbox.display()));
    }
    for (key, value) in docker.parameters.iter().filter(|(key, _)| key != STATIC_IP) {
        parameters::apply(&mut config, key, value)?;
    }
    add_static_ip(&mut config, container, docker)?;
    Ok(config)
}

/// Adds to a list that may not be there yet.
pub(super) fn push(list: &mut Value, item: impl Into<Value>) {
    match list {
        Value::Array(items) => items.push(item.into()),
        other => *other = Value::Array(vec![item.into()]),
    }
}

fn environment(job: &Job, command: &CommandInfo) -> Vec<String> {
    let mut variables: Vec<String> =
        command.environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let role = job.info().resources.iter().find_map(|resource| resource.allocation_role.as_deref());
    variables.push(format!("MESOS_ALLOCATION_ROLE={}", role.unwrap_or("*")));
    variables.push(format!("MESOS_CONTAINER_NAME={}", name(job)));
    variables.push(format!("MESOS_SANDBOX={SANDBOX}"));
    variables
}

fn host_config(job: &Job, docker: &DockerInfo) -> Value {
    let info = job.info();
    let shares = (scalar(info, "cpus").saturating_mul(SHARES_PER_CPU) / 1000).max(SHARES_MIN);
    let limit = |name: &str| info.limits.iter().find(|(key, _)| key == name).map(|(_, milli)| *milli);
    let memory = match limit("mem") {
        Some(i64::MAX) => 0,
        given => {
            (given.unwrap_or_else(|| scalar(info, "mem")) / 1000).max(MEMORY_MIN_MIB).saturating_mul(MIB)
        }
    };
    let mut config = json!({
        "CpuShares": shares,
        "Memory": memory,
        "Privileged": docker.privileged.unwrap_or(false),
    });
    let gpus = scalar(info, "gpus") / 1000;
    if gpus > 0 {
        config["DeviceRequests"] = json!([{ "Count": gpus, "Capabilities": [["gpu"]] }]);
    }
    if let Some(milli) = limit("cpus").filter(|milli| *milli != i64::MAX) {
        config["NanoCpus"] = json!(milli.saturating_mul(1_000_000));
    }
    config
}

/// A shell replaces the image's entrypoint, anything else is an argument to it.
fn add_command(config: &mut Value, command: &CommandInfo) -> Result<(), String> {
    let has_command = command.value.is_some() || !command.arguments.is_empty();
    if command.shell.unwrap_or(true) && has_command {
        let Some(value) = &command.value else {
            return Err("Shell specified but no command value provided".into());
        };
        config["Entrypoint"] = json!(["/bin/sh"]);
        config["Cmd"] = json!(["-c", value]);
    } else if has_command {
        config["Cmd"] = command.value.iter().chain(&command.arguments).cloned().collect();
    }
    Ok(())
}

fn add_network(
    config: &mut Value,
    job: &Job,
    container: &ContainerInfo,
    docker: &DockerInfo,
) -> Result<(), String> {
    let network = network(job.info());
    let mode = match network {
        DockerNetwork::Host => "host",
        DockerNetwork::Bridge => "bridge",
        DockerNetwork::None => "none",
        DockerNetwork::User => {
            let named = container.network_infos.iter().find_map(|network| network.name.as_deref());
            named.ok_or("network_infos must name the user network to join")?
        }
        DockerNetwork::Other(number) => return Err(format!("docker.network {number} is unknown")),
    };
    config["HostConfig"]["NetworkMode"] = json!(mode);
    if let Some(hostname) = container.hostname.as_ref().filter(|_| network != DockerNetwork::Host) {
        config["Hostname"] = json!(hostname);
    }
    for mapping in &docker.port_mappings {
        let protocol = mapping.protocol.as_deref().unwrap_or("tcp").to_ascii_lowercase();
        let port = format!("{}/{protocol}", mapping.container_port);
        config["ExposedPorts"][&port] = json!({});
        let binding =
            json!({ "HostIp": job.agent_ip.to_string(), "HostPort": mapping.host_port.to_string() });
        push(&mut config["HostConfig"]["PortBindings"][&port], binding);
    }
    Ok(())
}

/// An address that the container is to have in its user network: of its network, or a parameter of `docker run`.
fn add_static_ip(config: &mut Value, container: &ContainerInfo, docker: &DockerInfo) -> Result<(), String> {
    let parameter = docker.parameters.iter().find(|(key, _)| key == STATIC_IP).map(|(_, value)| value);
    let given = container.network_infos.iter().find_map(|network| network.ip_addresses.first());
    let Some(ip) = parameter.or(given) else { return Ok(()) };
    let network = config["HostConfig"]["NetworkMode"].as_str().unwrap_or_default().to_owned();
    if ["", "host", "bridge", "none"].contains(&network.as_str()) {
        return Err(format!(
            "the address {ip} needs a user network: Docker gives none of one's own in '{network}'"
        ));
    }
    config["NetworkingConfig"]["EndpointsConfig"][&network]["IPAMConfig"]["IPv4Address"] = json!(ip);
    Ok(())
}

/// A relative host path lies in the sandbox; without one Docker makes an anonymous volume.
fn add_volume(config: &mut Value, job: &Job, volume: &Volume) -> Result<(), String> {
    let inside = match volume.container_path.as_str() {
        path if path.starts_with('/') => path.to_owned(),
        path => format!("{SANDBOX}/{path}"),
    };
    let Some(host) = &volume.host_path else {
        config["Volumes"][&inside] = json!({});
        return Ok(());
    };
    let host = if host.starts_with('/') {
        host.clone()
    } else {
        let sandbox =
            job.sandbox.as_ref().ok_or("a relative host_path needs a sandbox, which this cluster has not")?;
        sandbox.join(host).display().to_string()
    };
    let mode = if volume.read_only { "ro" } else { "rw" };
    push(&mut config["HostConfig"]["Binds"], format!("{host}:{inside}:{mode}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use swan_core::mesos::{AgentId, ContainerType, FrameworkId, NetworkInfo, PortMapping, Resource, TaskId};

    use super::*;
    use crate::state::Launched;

    fn job(command: CommandInfo, docker: DockerInfo) -> Job {
        let info = TaskInfo {
            name: "web".into(),
            task_id: TaskId::new("t"),
            agent_id: AgentId::new("S0"),
            resources: vec![
                Resource::scalar("cpus", 100).allocated_to("apps"),
                Resource::scalar("mem", 8000).allocated_to("apps"),
            ],
            command: Some(command),
            container: Some(ContainerInfo {
                kind: ContainerType::Docker,
                docker: Some(docker),
                volumes: Vec::new(),
                network_infos: Vec::new(),
                hostname: None,
            }),
            health_check: None,
            check: None,
            kill_grace: None,
            labels: Vec::new(),
            discovery: None,
            max_completion_time: None,
            limits: Vec::new(),
            data: None,
            executor: None,
        };
        let launched = Launched {
            agent: AgentId::new("S0"),
            container_id: "c".into(),
            info,
            docker: true,
            started: false,
            kill: None,
        };
        Job {
            key: (FrameworkId::new("F"), TaskId::new("t")),
            launched,
            agent_ip: [127, 0, 0, 3].into(),
            sandbox: Some("/state/sandboxes/c".into()),
            inbox: mpsc::channel().0,
        }
    }

    #[test]
    fn a_container_looks_as_mesos_makes_it() {
        let command = CommandInfo {
            value: Some("httpd -f".into()),
            environment: vec![("A".into(), "1".into())],
            ..CommandInfo::default()
        };
        let docker = DockerInfo {
            image: "web:1.0".into(),
            network: Some(DockerNetwork::Bridge),
            port_mappings: vec![PortMapping { host_port: 31000, container_port: 8080, protocol: None }],
            ..DockerInfo::default()
        };
        let mut job = job(command, docker);
        if let Some(container) = &mut job.launched.info.container {
            let volume = |container_path: &str, host_path: Option<&str>, read_only| Volume {
                container_path: container_path.into(),
                host_path: host_path.map(Into::into),
                read_only,
            };
            container.volumes = vec![
                volume("/data", Some("/srv"), true),
                volume("own", Some("x"), false),
                volume("/tmp/a", None, false),
            ];
        }
        assert_eq!(
            config("m", &job),
            Ok(json!({
                "Image": "web:1.0",
                "Entrypoint": ["/bin/sh"],
                "Cmd": ["-c", "httpd -f"],
                "Env": ["A=1", "MESOS_ALLOCATION_ROLE=apps", "MESOS_CONTAINER_NAME=mesos-c", "MESOS_SANDBOX=/mnt/mesos/sandbox"],
                "Labels": { "swan.devcluster": "m", "swan.task": "t", "swan.agent": "S0", "swan.framework": "F" },
                "ExposedPorts": { "8080/tcp": {} },
                "Volumes": { "/tmp/a": {} },
                "HostConfig": {
                    "CpuShares": 102,
                    "Memory": 33_554_432,
                    "Privileged": false,
                    "NetworkMode": "bridge",
                    "PortBindings": { "8080/tcp": [{ "HostIp": "127.0.0.3", "HostPort": "31000" }] },
                    "Binds": [
                        "/srv:/data:ro", "/state/sandboxes/c/x:/mnt/mesos/sandbox/own:rw",
                        "/state/sandboxes/c:/mnt/mesos/sandbox",
                    ],
                },
            }))
        );
    }

    #[test]
    fn a_user_network_gpus_and_an_address_are_passed_on() {
        let docker = |parameters: &[(&str, &str)], network| DockerInfo {
            network: Some(network),
            parameters: parameters.iter().map(|&(key, value)| (key.into(), value.into())).collect(),
            ..DockerInfo::default()
        };
        let made = |docker: DockerInfo| {
            let mut job = job(CommandInfo::default(), docker);
            job.launched.info.resources.push(Resource::scalar("gpus", 2000));
            if let Some(container) = &mut job.launched.info.container {
                container.network_infos =
                    vec![NetworkInfo { name: Some("shop".into()), ..NetworkInfo::default() }];
            }
            config("m", &job)
        };
        let shown = made(docker(&[("ip", "10.9.0.7")], DockerNetwork::User)).expect("a container");
        assert_eq!(shown["HostConfig"]["NetworkMode"], "shop");
        assert_eq!(
            shown["NetworkingConfig"]["EndpointsConfig"]["shop"]["IPAMConfig"]["IPv4Address"],
            "10.9.0.7"
        );
        let gpus = json!([{ "Count": 2, "Capabilities": [["gpu"]] }]);
        assert_eq!(shown["HostConfig"]["DeviceRequests"], gpus);
        let refused =
            made(docker(&[("ip", "10.9.0.7")], DockerNetwork::Bridge)).expect_err("no user network");
        assert!(refused.contains("10.9.0.7") && refused.contains("user network"), "{refused}");
    }

    #[test]
    fn a_command_without_a_shell_is_an_argument_to_the_entrypoint() {
        let command = |shell, value: Option<&str>, arguments: &[&str]| CommandInfo {
            shell,
            value: value.map(Into::into),
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
            ..CommandInfo::default()
        };
        let made = |command| {
            config("m", &job(command, DockerInfo::default()))
                .map(|it| (it["Entrypoint"].clone(), it["Cmd"].clone()))
        };
        assert_eq!(made(command(Some(false), None, &["a", "b"])), Ok((Value::Null, json!(["a", "b"]))));
        assert_eq!(made(command(Some(false), Some("x"), &["a"])), Ok((Value::Null, json!(["x", "a"]))));
        assert_eq!(made(command(Some(false), None, &[])), Ok((Value::Null, Value::Null)));
        assert_eq!(made(command(None, None, &[])), Ok((Value::Null, Value::Null)));
        assert_eq!(
            made(command(None, None, &["a"])),
            Err("Shell specified but no command value provided".into())
        );
    }
}
