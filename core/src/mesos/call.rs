//! Owns what a framework asks of a master.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{AgentId, ExecutorId, FrameworkInfo, OfferId, Resource, TaskId, TaskInfo, Uuid};
use crate::time::Millis;

/// One call of the v1 scheduler API. The framework id and the stream id travel beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Call {
    Subscribe {
        framework_info: Box<FrameworkInfo>,
        suppressed_roles: Vec<String>,
    },
    Teardown,
    Accept {
        offer_ids: Vec<OfferId>,
        operations: Vec<Operation>,
        filters: Filters,
    },
    Decline {
        offer_ids: Vec<OfferId>,
        filters: Filters,
    },
    AcceptInverseOffers(InverseRespond),
    DeclineInverseOffers(InverseRespond),
    /// No role means all of the framework's.
    Revive {
        roles: Vec<String>,
    },
    /// No role means all of the framework's.
    Suppress {
        roles: Vec<String>,
    },
    /// `grace` overrides the task's own kill policy.
    Kill {
        task_id: TaskId,
        agent_id: Option<AgentId>,
        grace: Option<Millis>,
    },
    Shutdown {
        executor_id: ExecutorId,
        agent_id: AgentId,
    },
    Acknowledge {
        agent_id: AgentId,
        task_id: TaskId,
        uuid: Uuid,
    },
    /// No task means an implicit reconciliation: tell all you know.
    Reconcile {
        tasks: Vec<ReconcileTask>,
    },
    Message {
        agent_id: AgentId,
        executor_id: ExecutorId,
        data: Vec<u8>,
    },
    /// Asks for resources; masters ignore it.
    Request,
    UpdateFramework {
        framework_info: Box<FrameworkInfo>,
        suppressed_roles: Vec<String>,
    },
    ReconcileOperations {
        operation_ids: Vec<String>,
    },
    AcknowledgeOperationStatus {
        agent_id: Option<AgentId>,
        operation_id: String,
        uuid: Uuid,
    },
}

/// One task of an explicit reconciliation; with the agent the answer is better (R44).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ReconcileTask {
    pub task_id: TaskId,
    pub agent_id: Option<AgentId>,
}

/// An answer to inverse offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct InverseRespond {
    pub inverse_offer_ids: Vec<OfferId>,
    pub filters: Filters,
}

/// How long what was declined stays away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    /// Absent means the master's default, five seconds.
    pub refuse: Option<Millis>,
}

/// One operation of an ACCEPT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Operation {
    Launch(Vec<TaskInfo>),
    /// `executor` is kept as its wire bytes.
    LaunchGroup {
        executor: Vec<u8>,
        tasks: Vec<TaskInfo>,
    },
    Reserve {
        id: Option<String>,
        resources: Vec<Resource>,
    },
    Unreserve {
        id: Option<String>,
        resources: Vec<Resource>,
    },
    /// Any other, by its wire number.
    Other {
        id: Option<String>,
        number: i32,
    },
}
