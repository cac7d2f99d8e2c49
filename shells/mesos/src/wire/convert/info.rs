//! Owns the conversion of ids, labels, addresses, domains and frameworks.

use std::net::Ipv4Addr;

use swan_core::mesos as core;

use super::number::{seconds, to_seconds};
use crate::wire::error::{At, WireError, each, need};
use crate::wire::v1;

macro_rules! ids {
    ($($from:ident $to:ident: $wire:ident => $core:ident;)*) => {$(
        pub(super) fn $from(id: Option<v1::$wire>, field: &'static str) -> Result<core::$core, WireError> {
            let value = need(need(id, field)?.value, "value").at(field)?;
            Ok(core::$core::new(value))
        }

        pub(super) fn $to(id: &core::$core) -> Option<v1::$wire> {
            Some(v1::$wire { value: Some(id.as_str().to_owned()) })
        }
    )*};
}

ids! {
    agent_id to_agent_id: AgentId => AgentId;
    offer_id to_offer_id: OfferId => OfferId;
    framework_id to_framework_id: FrameworkId => FrameworkId;
    executor_id to_executor_id: ExecutorId => ExecutorId;
    task_id to_task_id: TaskId => TaskId;
}

/// An optional id; present but empty is an error.
pub(super) fn maybe<W, C>(
    id: Option<W>,
    field: &'static str,
    convert: impl Fn(Option<W>, &'static str) -> Result<C, WireError>,
) -> Result<Option<C>, WireError> {
    if id.is_some() { convert(id, field).map(Some) } else { Ok(None) }
}

pub(super) fn offer_ids(ids: Vec<v1::OfferId>, field: &'static str) -> Result<Vec<core::OfferId>, WireError> {
    each(field, ids, |id| Ok(core::OfferId::new(need(id.value, "value")?)))
}

pub(super) fn to_offer_ids(ids: &[core::OfferId]) -> Vec<v1::OfferId> {
    ids.iter().filter_map(to_offer_id).collect()
}

pub(super) fn uuid(bytes: Vec<u8>) -> core::Uuid {
    core::Uuid(bytes.into())
}

pub(super) fn labels(labels: Option<v1::Labels>) -> Result<core::Labels, WireError> {
    let list = labels.unwrap_or_default().labels;
    each("labels", list, |label| Ok((need(label.key, "key")?, label.value))).at("labels")
}

pub(super) fn to_labels(labels: &core::Labels) -> Option<v1::Labels> {
    if labels.is_empty() {
        return None;
    }
    let label =
        |(key, value): &(String, Option<String>)| v1::Label { key: Some(key.clone()), value: value.clone() };
    Some(v1::Labels { labels: labels.iter().map(label).collect() })
}

pub(super) fn address(address: v1::Address) -> Result<core::Address, WireError> {
    let port = need(address.port, "port")?;
    let port = u16::try_from(port).map_err(|_| WireError::new("port", "must be 0 to 65535"))?;
    Ok(core::Address { hostname: address.hostname, ip: address.ip, port })
}

pub(super) fn to_address(address: &core::Address) -> v1::Address {
    v1::Address {
        hostname: address.hostname.clone(),
        ip: address.ip.clone(),
        port: Some(address.port.into()),
    }
}

pub(super) fn url_address(url: Option<v1::Url>) -> Result<Option<core::Address>, WireError> {
    url.and_then(|url| url.address).map(address).transpose().at("address").at("url")
}

pub(super) fn to_url(address: &core::Address) -> v1::Url {
    v1::Url { scheme: Some("http".to_owned()), address: Some(to_address(address)), path: None }
}

pub(super) fn domain(domain: Option<v1::DomainInfo>) -> Result<Option<core::DomainInfo>, WireError> {
    let Some(fault) = domain.and_then(|domain| domain.fault_domain) else { return Ok(None) };
    let read = |fault: v1::domain_info::FaultDomain| {
        let region = need(fault.region.and_then(|region| region.name), "region")?;
        let zone = need(fault.zone.and_then(|zone| zone.name), "zone")?;
        Ok(core::DomainInfo { region, zone })
    };
    read(fault).map(Some).at("fault_domain").at("domain")
}

pub(super) fn to_domain(domain: &core::DomainInfo) -> v1::DomainInfo {
    use v1::domain_info::FaultDomain;
    use v1::domain_info::fault_domain::{RegionInfo, ZoneInfo};
    let region = Some(RegionInfo { name: Some(domain.region.clone()) });
    let zone = Some(ZoneInfo { name: Some(domain.zone.clone()) });
    v1::DomainInfo { fault_domain: Some(FaultDomain { region, zone }) }
}

pub(super) fn unavailability(window: v1::Unavailability) -> Result<core::Unavailability, WireError> {
    let start_ns = need(window.start.and_then(|start| start.nanoseconds), "start")?;
    Ok(core::Unavailability {
        start_ns,
        duration_ns: window.duration.and_then(|duration| duration.nanoseconds),
    })
}

pub(super) fn to_unavailability(window: core::Unavailability) -> v1::Unavailability {
    v1::Unavailability {
        start: Some(v1::TimeInfo { nanoseconds: Some(window.start_ns) }),
        duration: window.duration_ns.map(|duration| v1::DurationInfo { nanoseconds: Some(duration) }),
    }
}

pub(super) fn framework_info(info: Option<v1::FrameworkInfo>) -> Result<Box<core::FrameworkInfo>, WireError> {
    let info = need(info, "framework_info")?;
    let read = |info: v1::FrameworkInfo| {
        Ok(core::FrameworkInfo {
            id: maybe(info.id, "id", framework_id)?,
            user: need(info.user, "user")?,
            name: need(info.name, "name")?,
            roles: info.roles,
            role: info.role,
            principal: info.principal,
            failover_timeout: seconds(info.failover_timeout, "failover_timeout")?,
            checkpoint: info.checkpoint,
            hostname: info.hostname,
            webui_url: info.webui_url,
            capabilities: info
                .capabilities
                .iter()
                .map(|found| core::Capability(found.r#type.unwrap_or(0)))
                .collect(),
            labels: labels(info.labels)?,
        })
    };
    read(info).map(Box::new).at("framework_info")
}

pub(super) fn to_framework_info(info: &core::FrameworkInfo) -> v1::FrameworkInfo {
    let capability = |found: &core::Capability| v1::framework_info::Capability { r#type: Some(found.0) };
    v1::FrameworkInfo {
        user: Some(info.user.clone()),
        name: Some(info.name.clone()),
        id: info.id.as_ref().and_then(to_framework_id),
        failover_timeout: to_seconds(info.failover_timeout),
        checkpoint: info.checkpoint,
        role: info.role.clone(),
        roles: info.roles.clone(),
        hostname: info.hostname.clone(),
        principal: info.principal.clone(),
        webui_url: info.webui_url.clone(),
        capabilities: info.capabilities.iter().map(capability).collect(),
        labels: to_labels(&info.labels),
    }
}

pub(super) fn master_info(info: v1::MasterInfo) -> Result<core::MasterInfo, WireError> {
    Ok(core::MasterInfo {
        id: need(info.id, "id")?,
        hostname: info.hostname,
        address: info.address.map(address).transpose().at("address")?,
        version: info.version,
        domain: domain(info.domain)?,
        capabilities: info.capabilities.iter().map(|found| found.r#type.unwrap_or(0)).collect(),
    })
}

pub(super) fn to_master_info(info: &core::MasterInfo) -> v1::MasterInfo {
    let ip = info.address.as_ref().and_then(|address| address.ip.as_deref()?.parse::<Ipv4Addr>().ok());
    let capability = |&number: &i32| v1::master_info::Capability { r#type: Some(number) };
    v1::MasterInfo {
        id: Some(info.id.clone()),
        ip: Some(ip.map_or(0, |ip| u32::from_le_bytes(ip.octets()))),
        port: Some(info.address.as_ref().map_or(5050, |address| address.port.into())),
        pid: None,
        hostname: info.hostname.clone(),
        version: info.version.clone(),
        address: info.address.as_ref().map(to_address),
        domain: info.domain.as_ref().map(to_domain),
        capabilities: info.capabilities.iter().map(capability).collect(),
    }
}
