//! Owns the conversion of resources and attributes.

use prost::Message;
use swan_core::mesos as core;

use super::info::{labels, to_labels};
use super::number::{from_thousandths, thousandths};
use crate::wire::error::{WireError, each, need};
use crate::wire::v1;
use crate::wire::v1::resource::{AllocationInfo, DiskInfo, ReservationInfo, RevocableInfo, reservation_info};
use crate::wire::v1::value::{Range, Ranges, Scalar, Set, Text, Type};

pub(super) fn resources(list: Vec<v1::Resource>) -> Result<Vec<core::Resource>, WireError> {
    each("resources", list, resource)
}

pub(super) fn to_resources(list: &[core::Resource]) -> Result<Vec<v1::Resource>, WireError> {
    each("resources", list, to_resource)
}

fn resource(found: v1::Resource) -> Result<core::Resource, WireError> {
    let reservations = reservations(found.reservations, found.role, found.reservation)?;
    let value = match found.r#type.and_then(|number| Type::try_from(number).ok()) {
        Some(Type::Scalar) => core::ResourceValue::Scalar(scalar(found.scalar)?),
        Some(Type::Ranges) => core::ResourceValue::Ranges(ranges(found.ranges)?),
        Some(Type::Set) => core::ResourceValue::Set(need(found.set, "set")?.item),
        Some(Type::Text) | None => return Err(WireError::new("type", "must be SCALAR, RANGES or SET")),
    };
    Ok(core::Resource {
        name: need(found.name, "name")?.into(),
        value,
        allocation_role: found.allocation_info.and_then(|info| info.role).map(Into::into),
        reservations,
        revocable: found.revocable.is_some(),
        disk: found.disk.map(|disk| disk.encode_to_vec()),
    })
}

fn to_resource(resource: &core::Resource) -> Result<v1::Resource, WireError> {
    let disk = resource.disk.as_deref().map(DiskInfo::decode).transpose();
    let mut made = v1::Resource {
        name: Some(resource.name.to_string()),
        allocation_info: resource
            .allocation_role
            .as_deref()
            .map(|role| AllocationInfo { role: Some(role.into()) }),
        reservations: resource.reservations.iter().map(to_reservation).collect(),
        revocable: resource.revocable.then_some(RevocableInfo {}),
        disk: disk.map_err(|_| WireError::new("disk", "must be the bytes of a DiskInfo"))?,
        ..Default::default()
    };
    let kind = match &resource.value {
        core::ResourceValue::Scalar(milli) => {
            made.scalar = Some(Scalar { value: Some(from_thousandths(*milli)) });
            Type::Scalar
        }
        core::ResourceValue::Ranges(ranges) => {
            made.ranges = Some(to_ranges(ranges));
            Type::Ranges
        }
        core::ResourceValue::Set(names) => {
            made.set = Some(Set { item: names.clone() });
            Type::Set
        }
    };
    made.r#type = Some(kind.into());
    Ok(made)
}

fn scalar(found: Option<Scalar>) -> Result<i64, WireError> {
    thousandths(need(found.and_then(|scalar| scalar.value), "scalar")?, "scalar")
}

fn ranges(found: Option<Ranges>) -> Result<Vec<(u64, u64)>, WireError> {
    let range = |range: Range| Ok((need(range.begin, "begin")?, need(range.end, "end")?));
    each("ranges", need(found, "ranges")?.range, range)
}

fn to_ranges(ranges: &[(u64, u64)]) -> Ranges {
    let range = |&(begin, end): &(u64, u64)| Range { begin: Some(begin), end: Some(end) };
    Ranges { range: ranges.iter().map(range).collect() }
}

/// The stack of reservations; a role beside none is the older form of a stack of one.
fn reservations(
    stack: Vec<ReservationInfo>,
    role: Option<String>,
    dynamic: Option<ReservationInfo>,
) -> Result<Vec<core::Reservation>, WireError> {
    if !stack.is_empty() {
        return each("reservations", stack, reservation);
    }
    let Some(role) = role.filter(|role| role != "*") else { return Ok(Vec::new()) };
    let is_dynamic = dynamic.is_some();
    let info = dynamic.unwrap_or_default();
    Ok(vec![core::Reservation {
        role,
        dynamic: is_dynamic,
        principal: info.principal,
        labels: labels(info.labels)?,
    }])
}

fn reservation(info: ReservationInfo) -> Result<core::Reservation, WireError> {
    Ok(core::Reservation {
        role: need(info.role, "role")?,
        dynamic: info.r#type == Some(reservation_info::Type::Dynamic.into()),
        principal: info.principal,
        labels: labels(info.labels)?,
    })
}

fn to_reservation(reservation: &core::Reservation) -> ReservationInfo {
    let kind =
        if reservation.dynamic { reservation_info::Type::Dynamic } else { reservation_info::Type::Static };
    ReservationInfo {
        r#type: Some(kind.into()),
        role: Some(reservation.role.clone()),
        principal: reservation.principal.clone(),
        labels: to_labels(&reservation.labels),
    }
}

pub(super) fn attribute(found: v1::Attribute) -> Result<core::Attribute, WireError> {
    let value = match found.r#type.and_then(|number| Type::try_from(number).ok()) {
        Some(Type::Text) => core::AttributeValue::Text(need(found.text.and_then(|text| text.value), "text")?),
        Some(Type::Scalar) => core::AttributeValue::Scalar(scalar(found.scalar)?),
        Some(Type::Ranges) => core::AttributeValue::Ranges(ranges(found.ranges)?),
        Some(Type::Set) => core::AttributeValue::Set(need(found.set, "set")?.item),
        None => return Err(WireError::new("type", "must be TEXT, SCALAR, RANGES or SET")),
    };
    Ok(core::Attribute { name: need(found.name, "name")?, value })
}

pub(super) fn to_attribute(attribute: &core::Attribute) -> v1::Attribute {
    let mut made = v1::Attribute { name: Some(attribute.name.clone()), ..Default::default() };
    let kind = match &attribute.value {
        core::AttributeValue::Text(text) => {
            made.text = Some(Text { value: Some(text.clone()) });
            Type::Text
        }
        core::AttributeValue::Scalar(milli) => {
            made.scalar = Some(Scalar { value: Some(from_thousandths(*milli)) });
            Type::Scalar
        }
        core::AttributeValue::Ranges(ranges) => {
            made.ranges = Some(to_ranges(ranges));
            Type::Ranges
        }
        core::AttributeValue::Set(names) => {
            made.set = Some(Set { item: names.clone() });
            Type::Set
        }
    };
    made.r#type = Some(kind.into());
    made
}
