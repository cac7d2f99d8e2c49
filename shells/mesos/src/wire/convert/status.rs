//! Owns the conversion of task and operation updates.

use swan_core::mesos as core;

use super::info::{agent_id, executor_id, maybe, task_id, to_agent_id, to_executor_id, to_task_id, uuid};
use super::number::{moment, time, to_moment, to_time};
use crate::wire::error::{WireError, need};
use crate::wire::v1;
use crate::wire::v1::network_info::{IpAddress, Protocol};

/// Times that make no sense are left out rather than losing the update with them: it must be acknowledged.
pub(super) fn task_status(status: v1::TaskStatus) -> Result<core::TaskStatus, WireError> {
    let container = status.container_status.unwrap_or_default();
    let addresses = container.network_infos.into_iter().flat_map(|network| network.ip_addresses);
    Ok(core::TaskStatus {
        task_id: task_id(status.task_id, "task_id")?,
        state: core::TaskState::from_number(need(status.state, "state")?),
        source: status.source.map(core::Source::from_number),
        reason: status.reason.map(core::Reason::from_number),
        message: status.message,
        agent_id: maybe(status.agent_id, "agent_id", agent_id)?,
        executor_id: maybe(status.executor_id, "executor_id", executor_id)?,
        uuid: status.uuid.map(uuid),
        timestamp: moment(status.timestamp),
        healthy: status.healthy,
        data: status.data,
        container_id: container.container_id.and_then(|id| id.value),
        ip_addresses: addresses.filter_map(|address| address.ip_address).collect(),
        unreachable_time: time(status.unreachable_time),
    })
}

pub(super) fn to_task_status(status: &core::TaskStatus) -> v1::TaskStatus {
    v1::TaskStatus {
        task_id: to_task_id(&status.task_id),
        state: Some(status.state.number()),
        message: status.message.clone(),
        source: status.source.map(core::Source::number),
        reason: status.reason.map(core::Reason::number),
        data: status.data.clone(),
        agent_id: status.agent_id.as_ref().and_then(to_agent_id),
        executor_id: status.executor_id.as_ref().and_then(to_executor_id),
        timestamp: to_moment(status.timestamp),
        uuid: status.uuid.as_ref().map(|uuid| uuid.0.to_vec()),
        healthy: status.healthy,
        container_status: to_container_status(status),
        unreachable_time: status.unreachable_time.map(to_time),
    }
}

fn to_container_status(status: &core::TaskStatus) -> Option<v1::ContainerStatus> {
    if status.container_id.is_none() && status.ip_addresses.is_empty() {
        return None;
    }
    let network = (!status.ip_addresses.is_empty()).then(|| v1::NetworkInfo {
        ip_addresses: to_ip_addresses(&status.ip_addresses),
        ..Default::default()
    });
    Some(v1::ContainerStatus {
        container_id: status.container_id.clone().map(|id| v1::ContainerId { value: Some(id) }),
        network_infos: network.into_iter().collect(),
    })
}

pub(super) fn to_ip_addresses(addresses: &[String]) -> Vec<IpAddress> {
    let protocol = |text: &str| if text.contains(':') { Protocol::IPv6 } else { Protocol::IPv4 };
    let address =
        |text: &String| IpAddress { protocol: Some(protocol(text).into()), ip_address: Some(text.clone()) };
    addresses.iter().map(address).collect()
}

pub(super) fn operation_status(
    status: v1::OperationStatus,
) -> Result<core::OperationStatusUpdate, WireError> {
    Ok(core::OperationStatusUpdate {
        operation_id: status.operation_id.and_then(|id| id.value),
        state: need(status.state, "state")?,
        message: status.message,
        uuid: status.uuid.and_then(|found| found.value).map(uuid),
        agent_id: maybe(status.agent_id, "agent_id", agent_id)?,
    })
}

pub(super) fn to_operation_status(status: &core::OperationStatusUpdate) -> v1::OperationStatus {
    v1::OperationStatus {
        operation_id: status.operation_id.clone().map(|id| v1::OperationId { value: Some(id) }),
        state: Some(status.state),
        message: status.message.clone(),
        converted_resources: Vec::new(),
        uuid: status.uuid.as_ref().map(|uuid| v1::Uuid { value: Some(uuid.0.to_vec()) }),
        agent_id: status.agent_id.as_ref().and_then(to_agent_id),
    }
}
