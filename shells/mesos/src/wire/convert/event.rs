//! Owns the conversion of events.

use swan_core::mesos as core;

use super::info::{
    agent_id, domain, executor_id, framework_id, master_info, maybe, offer_id, to_agent_id, to_domain,
    to_executor_id, to_framework_id, to_master_info, to_offer_id, to_unavailability, to_url, unavailability,
    url_address,
};
use super::number::{seconds, to_seconds};
use super::resource::{attribute, resources, to_attribute, to_resources};
use super::status::{operation_status, task_status, to_operation_status, to_task_status};
use crate::wire::error::{At, WireError, each, need};
use crate::wire::v1;
use crate::wire::v1::scheduler::event::{
    Error, Failure, InverseOffers, Message, Offers, Rescind, RescindInverseOffer, Subscribed, Type, Update,
    UpdateOperationStatus,
};
use crate::wire::v1::scheduler::{self, event};

/// What a master says, in core's terms. An unknown type is no error.
pub fn event_from_wire(event: scheduler::Event) -> Result<core::Event, WireError> {
    let number = need(event.r#type, "type")?;
    let Ok(kind) = Type::try_from(number) else { return Ok(core::Event::Other(number)) };
    Ok(match kind {
        Type::Unknown => core::Event::Other(number),
        Type::Subscribed => subscribed(need(event.subscribed, "subscribed")?).at("subscribed")?,
        Type::Offers => {
            core::Event::Offers(each("offers", need(event.offers, "offers")?.offers, offer).at("offers")?)
        }
        Type::InverseOffers => {
            let offers = need(event.inverse_offers, "inverse_offers")?.inverse_offers;
            core::Event::InverseOffers(each("inverse_offers", offers, inverse_offer).at("inverse_offers")?)
        }
        Type::Rescind => core::Event::Rescind(
            offer_id(need(event.rescind, "rescind")?.offer_id, "offer_id").at("rescind")?,
        ),
        Type::RescindInverseOffer => {
            let id = need(event.rescind_inverse_offer, "rescind_inverse_offer")?.inverse_offer_id;
            core::Event::RescindInverseOffer(offer_id(id, "inverse_offer_id").at("rescind_inverse_offer")?)
        }
        Type::Update => {
            let status = need(need(event.update, "update")?.status, "status").at("update")?;
            core::Event::Update(Box::new(task_status(status).at("status").at("update")?))
        }
        Type::UpdateOperationStatus => {
            let update = need(event.update_operation_status, "update_operation_status")?;
            let status =
                need(update.status, "status").and_then(|status| operation_status(status).at("status"));
            core::Event::UpdateOperationStatus(Box::new(status.at("update_operation_status")?))
        }
        Type::Message => message(need(event.message, "message")?).at("message")?,
        Type::Failure => failure(need(event.failure, "failure")?).at("failure")?,
        Type::Error => {
            core::Event::Error { message: need(need(event.error, "error")?.message, "message").at("error")? }
        }
        Type::Heartbeat => core::Event::Heartbeat,
    })
}

fn subscribed(event: event::Subscribed) -> Result<core::Event, WireError> {
    Ok(core::Event::Subscribed(Box::new(core::Subscribed {
        framework_id: framework_id(event.framework_id, "framework_id")?,
        // Without a sane interval the link uses its own.
        heartbeat_interval: seconds(event.heartbeat_interval_seconds, "heartbeat_interval_seconds")
            .unwrap_or_default(),
        master_info: event.master_info.map(master_info).transpose().at("master_info")?,
    })))
}

fn offer(offer: v1::Offer) -> Result<core::Offer, WireError> {
    Ok(core::Offer {
        id: offer_id(offer.id, "id")?,
        framework_id: framework_id(offer.framework_id, "framework_id")?,
        agent_id: agent_id(offer.agent_id, "agent_id")?,
        agent: core::AgentFacts {
            hostname: need(offer.hostname, "hostname")?,
            address: url_address(offer.url)?,
            domain: domain(offer.domain)?,
            attributes: each("attributes", offer.attributes, attribute)?,
        }
        .into(),
        resources: resources(offer.resources)?,
        role: offer.allocation_info.and_then(|info| info.role),
        unavailability: offer.unavailability.map(unavailability).transpose().at("unavailability")?,
        executor_ids: each("executor_ids", offer.executor_ids, |id| {
            Ok(core::ExecutorId::new(need(id.value, "value")?))
        })?,
    })
}

fn inverse_offer(offer: v1::InverseOffer) -> Result<core::InverseOffer, WireError> {
    Ok(core::InverseOffer {
        id: offer_id(offer.id, "id")?,
        framework_id: framework_id(offer.framework_id, "framework_id")?,
        agent_id: maybe(offer.agent_id, "agent_id", agent_id)?,
        unavailability: unavailability(need(offer.unavailability, "unavailability")?).at("unavailability")?,
        resources: resources(offer.resources)?,
    })
}

fn message(event: Message) -> Result<core::Event, WireError> {
    Ok(core::Event::Message {
        agent_id: agent_id(event.agent_id, "agent_id")?,
        executor_id: executor_id(event.executor_id, "executor_id")?,
        data: need(event.data, "data")?,
    })
}

fn failure(event: Failure) -> Result<core::Event, WireError> {
    Ok(core::Event::Failure(Box::new(core::Failure {
        agent_id: maybe(event.agent_id, "agent_id", agent_id)?,
        executor_id: maybe(event.executor_id, "executor_id", executor_id)?,
        status: event.status,
    })))
}

/// The event as a master sends it; fails only on opaque bytes that are not what they should be.
pub fn event_to_wire(event: &core::Event) -> Result<scheduler::Event, WireError> {
    let mut made = scheduler::Event::default();
    let kind = match event {
        core::Event::Subscribed(subscribed) => {
            made.subscribed = Some(Subscribed {
                framework_id: to_framework_id(&subscribed.framework_id),
                heartbeat_interval_seconds: to_seconds(subscribed.heartbeat_interval),
                master_info: subscribed.master_info.as_ref().map(to_master_info),
            });
            Type::Subscribed
        }
        core::Event::Offers(offers) => {
            made.offers = Some(Offers { offers: each("offers", offers, to_offer).at("offers")? });
            Type::Offers
        }
        core::Event::InverseOffers(offers) => {
            let inverse_offers = each("inverse_offers", offers, to_inverse_offer).at("inverse_offers")?;
            made.inverse_offers = Some(InverseOffers { inverse_offers });
            Type::InverseOffers
        }
        core::Event::Rescind(id) => {
            made.rescind = Some(Rescind { offer_id: to_offer_id(id) });
            Type::Rescind
        }
        core::Event::RescindInverseOffer(id) => {
            made.rescind_inverse_offer = Some(RescindInverseOffer { inverse_offer_id: to_offer_id(id) });
            Type::RescindInverseOffer
        }
        core::Event::Update(status) => {
            made.update = Some(Update { status: Some(to_task_status(status)) });
            Type::Update
        }
        core::Event::UpdateOperationStatus(status) => {
            made.update_operation_status =
                Some(UpdateOperationStatus { status: Some(to_operation_status(status)) });
            Type::UpdateOperationStatus
        }
        core::Event::Message { agent_id, executor_id, data } => {
            let (agent_id, executor_id) = (to_agent_id(agent_id), to_executor_id(executor_id));
            made.message = Some(Message { agent_id, executor_id, data: Some(data.clone()) });
            Type::Message
        }
        core::Event::Failure(failure) => {
            made.failure = Some(Failure {
                agent_id: failure.agent_id.as_ref().and_then(to_agent_id),
                executor_id: failure.executor_id.as_ref().and_then(to_executor_id),
                status: failure.status,
            });
            Type::Failure
        }
        core::Event::Error { message } => {
            made.error = Some(Error { message: Some(message.clone()) });
            Type::Error
        }
        core::Event::Heartbeat => Type::Heartbeat,
        core::Event::Other(number) => return Ok(scheduler::Event { r#type: Some(*number), ..made }),
    };
    made.r#type = Some(kind.into());
    Ok(made)
}

fn to_offer(offer: &core::Offer) -> Result<v1::Offer, WireError> {
    Ok(v1::Offer {
        id: to_offer_id(&offer.id),
        framework_id: to_framework_id(&offer.framework_id),
        agent_id: to_agent_id(&offer.agent_id),
        hostname: Some(offer.agent.hostname.clone()),
        url: offer.agent.address.as_ref().map(to_url),
        domain: offer.agent.domain.as_ref().map(to_domain),
        resources: to_resources(&offer.resources)?,
        attributes: offer.agent.attributes.iter().map(to_attribute).collect(),
        executor_ids: offer.executor_ids.iter().filter_map(to_executor_id).collect(),
        unavailability: offer.unavailability.map(to_unavailability),
        allocation_info: offer.role.clone().map(|role| v1::resource::AllocationInfo { role: Some(role) }),
    })
}

fn to_inverse_offer(offer: &core::InverseOffer) -> Result<v1::InverseOffer, WireError> {
    Ok(v1::InverseOffer {
        id: to_offer_id(&offer.id),
        url: None,
        framework_id: to_framework_id(&offer.framework_id),
        agent_id: offer.agent_id.as_ref().and_then(to_agent_id),
        unavailability: Some(to_unavailability(offer.unavailability)),
        resources: to_resources(&offer.resources)?,
    })
}
