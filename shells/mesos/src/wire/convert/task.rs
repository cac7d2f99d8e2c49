//! Owns the conversion of tasks, and of what they run in.

use prost::Message;
use swan_core::mesos as core;

use super::info::{agent_id, labels, task_id, to_agent_id, to_labels, to_task_id};
use super::number::{duration, from_thousandths, thousandths, to_duration};
use super::probe::{check, health_check, to_check, to_health_check};
use super::resource::{resources, to_resources};
use super::status::to_ip_addresses;
use crate::wire::error::{At, WireError, each, need};
use crate::wire::v1;
use crate::wire::v1::container_info::docker_info;
use crate::wire::v1::environment::Variable;
use crate::wire::v1::{container_info, network_info, value, volume};

pub(super) fn task_info(task: v1::TaskInfo) -> Result<core::TaskInfo, WireError> {
    let limits = task.limits.into_iter().map(|(name, limit)| {
        let milli = thousandths(need(limit.value, "value").at("limits")?, "limits")?;
        Ok((name, milli))
    });
    let grace = task.kill_policy.and_then(|policy| policy.grace_period);
    Ok(core::TaskInfo {
        name: need(task.name, "name")?,
        task_id: task_id(task.task_id, "task_id")?,
        agent_id: agent_id(task.agent_id, "agent_id")?,
        resources: resources(task.resources)?,
        command: task.command.map(command).transpose().at("command")?,
        container: task.container.map(container).transpose().at("container")?,
        health_check: task.health_check.map(health_check).transpose().at("health_check")?,
        check: task.check.map(check).transpose().at("check")?,
        kill_grace: duration(grace, "grace_period").at("kill_policy")?,
        labels: labels(task.labels)?,
        discovery: task.discovery.map(discovery).transpose().at("discovery")?,
        max_completion_time: duration(task.max_completion_time, "max_completion_time")?,
        limits: limits.collect::<Result<_, WireError>>()?,
        data: task.data,
        executor: task.executor.map(|executor| executor.encode_to_vec()),
    })
}

pub(super) fn to_task_info(task: &core::TaskInfo) -> Result<v1::TaskInfo, WireError> {
    let limit = |(name, milli): &(String, i64)| {
        (name.clone(), value::Scalar { value: Some(from_thousandths(*milli)) })
    };
    Ok(v1::TaskInfo {
        name: Some(task.name.clone()),
        task_id: to_task_id(&task.task_id),
        agent_id: to_agent_id(&task.agent_id),
        resources: to_resources(&task.resources)?,
        executor: task.executor.as_deref().map(to_executor).transpose()?,
        command: task.command.as_ref().map(to_command),
        container: task.container.as_ref().map(to_container),
        health_check: task.health_check.as_ref().map(to_health_check),
        check: task.check.as_ref().map(to_check),
        kill_policy: task.kill_grace.map(|grace| v1::KillPolicy { grace_period: Some(to_duration(grace)) }),
        data: task.data.clone(),
        labels: to_labels(&task.labels),
        discovery: task.discovery.as_ref().map(to_discovery),
        max_completion_time: task.max_completion_time.map(to_duration),
        limits: task.limits.iter().map(limit).collect(),
    })
}

pub(super) fn to_executor(bytes: &[u8]) -> Result<v1::ExecutorInfo, WireError> {
    v1::ExecutorInfo::decode(bytes)
        .map_err(|_| WireError::new("executor", "must be the bytes of an ExecutorInfo"))
}

pub(super) fn command(command: v1::CommandInfo) -> Result<core::CommandInfo, WireError> {
    let variables = command.environment.unwrap_or_default().variables;
    let variable = |variable: Variable| Ok((need(variable.name, "name")?, need(variable.value, "value")?));
    let uri = |uri: v1::command_info::Uri| {
        let value = need(uri.value, "value")?;
        let (executable, extract, cache, output_file) =
            (uri.executable, uri.extract, uri.cache, uri.output_file);
        Ok(core::UriInfo { value, executable, extract, cache, output_file })
    };
    Ok(core::CommandInfo {
        shell: command.shell,
        value: command.value,
        arguments: command.arguments,
        environment: each("variables", variables, variable).at("environment")?,
        uris: each("uris", command.uris, uri)?,
        user: command.user,
    })
}

pub(super) fn to_command(command: &core::CommandInfo) -> v1::CommandInfo {
    let variable = |(name, value): &(String, String)| Variable {
        name: Some(name.clone()),
        r#type: None,
        value: Some(value.clone()),
    };
    let uri = |uri: &core::UriInfo| v1::command_info::Uri {
        value: Some(uri.value.clone()),
        executable: uri.executable,
        extract: uri.extract,
        cache: uri.cache,
        output_file: uri.output_file.clone(),
    };
    let variables: Vec<Variable> = command.environment.iter().map(variable).collect();
    v1::CommandInfo {
        uris: command.uris.iter().map(uri).collect(),
        environment: (!variables.is_empty()).then_some(v1::Environment { variables }),
        shell: command.shell,
        value: command.value.clone(),
        arguments: command.arguments.clone(),
        user: command.user.clone(),
    }
}

fn container(container: v1::ContainerInfo) -> Result<core::ContainerInfo, WireError> {
    let number = need(container.r#type, "type")?;
    let kind = match container_info::Type::try_from(number) {
        Ok(container_info::Type::Docker) => core::ContainerType::Docker,
        Ok(container_info::Type::Mesos) => core::ContainerType::Mesos,
        Err(_) => core::ContainerType::Other(number),
    };
    Ok(core::ContainerInfo {
        kind,
        docker: container.docker.map(docker).transpose().at("docker")?,
        volumes: each("volumes", container.volumes, volume)?,
        network_infos: each("network_infos", container.network_infos, network)?,
        hostname: container.hostname,
    })
}

fn to_container(container: &core::ContainerInfo) -> v1::ContainerInfo {
    let kind = match container.kind {
        core::ContainerType::Docker => container_info::Type::Docker.into(),
        core::ContainerType::Mesos => container_info::Type::Mesos.into(),
        core::ContainerType::Other(number) => number,
    };
    v1::ContainerInfo {
        r#type: Some(kind),
        volumes: container.volumes.iter().map(to_volume).collect(),
        hostname: container.hostname.clone(),
        docker: container.docker.as_ref().map(to_docker),
        network_infos: container.network_infos.iter().map(to_network).collect(),
    }
}

fn docker(docker: container_info::DockerInfo) -> Result<core::DockerInfo, WireError> {
    use docker_info::{Network, PortMapping};
    let network = docker.network.map(|number| match Network::try_from(number) {
        Ok(Network::Host) => core::DockerNetwork::Host,
        Ok(Network::Bridge) => core::DockerNetwork::Bridge,
        Ok(Network::None) => core::DockerNetwork::None,
        Ok(Network::User) => core::DockerNetwork::User,
        Err(_) => core::DockerNetwork::Other(number),
    });
    let mapping = |found: PortMapping| port_mapping(found.host_port, found.container_port, found.protocol);
    let parameter = |found: v1::Parameter| Ok((need(found.key, "key")?, need(found.value, "value")?));
    Ok(core::DockerInfo {
        image: need(docker.image, "image")?,
        network,
        port_mappings: each("port_mappings", docker.port_mappings, mapping)?,
        privileged: docker.privileged,
        parameters: each("parameters", docker.parameters, parameter)?,
        force_pull_image: docker.force_pull_image,
    })
}

fn to_docker(docker: &core::DockerInfo) -> container_info::DockerInfo {
    use docker_info::{Network, PortMapping};
    let network = docker.network.map(|network| match network {
        core::DockerNetwork::Host => Network::Host.into(),
        core::DockerNetwork::Bridge => Network::Bridge.into(),
        core::DockerNetwork::None => Network::None.into(),
        core::DockerNetwork::User => Network::User.into(),
        core::DockerNetwork::Other(number) => number,
    });
    let mapping = |mapping: &core::PortMapping| PortMapping {
        host_port: Some(mapping.host_port),
        container_port: Some(mapping.container_port),
        protocol: mapping.protocol.clone(),
    };
    let parameter = |(key, value): &(String, String)| v1::Parameter {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    container_info::DockerInfo {
        image: Some(docker.image.clone()),
        network,
        port_mappings: docker.port_mappings.iter().map(mapping).collect(),
        privileged: docker.privileged,
        parameters: docker.parameters.iter().map(parameter).collect(),
        force_pull_image: docker.force_pull_image,
    }
}

fn port_mapping(
    host: Option<u32>,
    container: Option<u32>,
    protocol: Option<String>,
) -> Result<core::PortMapping, WireError> {
    let (host_port, container_port) = (need(host, "host_port")?, need(container, "container_port")?);
    Ok(core::PortMapping { host_port, container_port, protocol })
}

fn volume(found: v1::Volume) -> Result<core::Volume, WireError> {
    let read_only = match volume::Mode::try_from(need(found.mode, "mode")?) {
        Ok(mode) => mode == volume::Mode::Ro,
        Err(_) => return Err(WireError::new("mode", "must be RW or RO")),
    };
    let container_path = need(found.container_path, "container_path")?;
    Ok(core::Volume { container_path, host_path: found.host_path, read_only })
}

fn to_volume(volume: &core::Volume) -> v1::Volume {
    let mode = if volume.read_only { volume::Mode::Ro } else { volume::Mode::Rw };
    v1::Volume {
        mode: Some(mode.into()),
        container_path: Some(volume.container_path.clone()),
        host_path: volume.host_path.clone(),
    }
}

fn network(network: v1::NetworkInfo) -> Result<core::NetworkInfo, WireError> {
    let mapping = |found: network_info::PortMapping| {
        port_mapping(found.host_port, found.container_port, found.protocol)
    };
    Ok(core::NetworkInfo {
        name: network.name,
        ip_addresses: network.ip_addresses.into_iter().filter_map(|address| address.ip_address).collect(),
        labels: labels(network.labels)?,
        port_mappings: each("port_mappings", network.port_mappings, mapping)?,
    })
}

fn to_network(network: &core::NetworkInfo) -> v1::NetworkInfo {
    let mapping = |mapping: &core::PortMapping| network_info::PortMapping {
        host_port: Some(mapping.host_port),
        container_port: Some(mapping.container_port),
        protocol: mapping.protocol.clone(),
    };
    v1::NetworkInfo {
        ip_addresses: to_ip_addresses(&network.ip_addresses),
        name: network.name.clone(),
        labels: to_labels(&network.labels),
        port_mappings: network.port_mappings.iter().map(mapping).collect(),
    }
}

fn discovery(discovery: v1::DiscoveryInfo) -> Result<core::DiscoveryInfo, WireError> {
    let port = |port: v1::Port| Ok((need(port.number, "number")?, port.name, port.protocol));
    Ok(core::DiscoveryInfo {
        visibility: need(discovery.visibility, "visibility")?,
        name: discovery.name,
        ports: each("ports", discovery.ports.unwrap_or_default().ports, port).at("ports")?,
        labels: labels(discovery.labels)?,
    })
}

fn to_discovery(discovery: &core::DiscoveryInfo) -> v1::DiscoveryInfo {
    let port = |(number, name, protocol): &(u32, Option<String>, Option<String>)| v1::Port {
        number: Some(*number),
        name: name.clone(),
        protocol: protocol.clone(),
    };
    let ports: Vec<v1::Port> = discovery.ports.iter().map(port).collect();
    v1::DiscoveryInfo {
        visibility: Some(discovery.visibility),
        name: discovery.name.clone(),
        ports: (!ports.is_empty()).then_some(v1::Ports { ports }),
        labels: to_labels(&discovery.labels),
    }
}
