//! Owns the vocabulary of the Mesos v1 scheduler API as plain types; decides nothing.
//!
//! The scheduler, the link, the simulated master and the wire codec all speak these types. Numbers are fixed point:
//! scalars in thousandths (as Mesos rounds them), durations in milliseconds.

mod call;
mod event;
mod ids;
mod info;
mod resource;
mod status;

pub use call::{Call, Filters, InverseRespond, Operation, ReconcileTask};
pub use event::{AgentFacts, Event, Failure, InverseOffer, Offer, OperationStatusUpdate, Subscribed};
pub(crate) use ids::mesos_text_id;
pub use ids::{AgentId, ExecutorId, FrameworkId, OfferId, Uuid};
pub use info::{
    Address, Attribute, AttributeValue, Capability, Check, CommandInfo, ContainerInfo, ContainerType,
    DiscoveryInfo, DockerInfo, DockerNetwork, DomainInfo, FrameworkInfo, HealthCheck, HealthProbe, Labels,
    ListedFramework, MasterInfo, NetworkInfo, PortMapping, TaskInfo, Unavailability, UriInfo, Volume,
};
pub use resource::{Reservation, Resource, ResourceValue};
pub use status::{Reason, Source, TaskState, TaskStatus};

pub use crate::id::TaskId;
