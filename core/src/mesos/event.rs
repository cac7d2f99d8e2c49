//! Owns what a master tells a framework.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{
    Address, AgentId, Attribute, DomainInfo, ExecutorId, FrameworkId, MasterInfo, OfferId, Resource,
    TaskStatus, Unavailability, Uuid,
};
use crate::time::Millis;

/// One event of the v1 scheduler API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Event {
    Subscribed(Box<Subscribed>),
    Offers(Vec<Offer>),
    InverseOffers(Vec<InverseOffer>),
    Rescind(OfferId),
    RescindInverseOffer(OfferId),
    Update(Box<TaskStatus>),
    UpdateOperationStatus(Box<OperationStatusUpdate>),
    Message {
        agent_id: AgentId,
        executor_id: ExecutorId,
        data: Vec<u8>,
    },
    Failure(Box<Failure>),
    Error {
        message: String,
    },
    Heartbeat,
    /// A type this build does not know, by its wire number.
    Other(i32),
}

/// The first event of a healthy stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Subscribed {
    pub framework_id: FrameworkId,
    pub heartbeat_interval: Option<Millis>,
    pub master_info: Option<MasterInfo>,
}

/// Resources of one agent for one role, until rescinded, answered, or disconnected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Used in at most one ACCEPT or DECLINE (R34).
    pub id: OfferId,
    /// Whom it is for.
    pub framework_id: FrameworkId,
    /// Whose resources.
    pub agent_id: AgentId,
    /// Which agent that is; many offers may share it.
    pub agent: Arc<AgentFacts>,
    /// What is offered.
    pub resources: Vec<Resource>,
    /// `allocation_info.role`.
    pub role: Option<String>,
    /// A planned outage of the agent.
    pub unavailability: Option<Unavailability>,
    /// The framework's executors already on the agent.
    pub executor_ids: Vec<ExecutorId>,
}

/// What an offer says of its agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFacts {
    /// The agent's host name, as it advertises it.
    pub hostname: String,
    /// The agent's own HTTP address (`url.address`).
    pub address: Option<Address>,
    /// Region and zone.
    pub domain: Option<DomainInfo>,
    /// What the operator says of the agent.
    pub attributes: Vec<Attribute>,
}

impl AgentFacts {
    /// The address of its host.
    pub fn ip(&self) -> Option<&str> {
        self.address.as_ref()?.ip.as_deref()
    }
}

/// A request to free an agent for maintenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct InverseOffer {
    pub id: OfferId,
    pub framework_id: FrameworkId,
    pub agent_id: Option<AgentId>,
    pub unavailability: Unavailability,
    pub resources: Vec<Resource>,
}

/// An agent or an executor is gone; advisory only (R29).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Failure {
    pub agent_id: Option<AgentId>,
    pub executor_id: Option<ExecutorId>,
    pub status: Option<i32>,
}

/// The fate of a RESERVE or the like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct OperationStatusUpdate {
    pub operation_id: Option<String>,
    /// `mesos.v1.OperationState`, by number.
    pub state: i32,
    pub message: Option<String>,
    pub uuid: Option<Uuid>,
    pub agent_id: Option<AgentId>,
}
