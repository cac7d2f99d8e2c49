//! Owns what the scheduler machine asks for: a closed set, executed front to back.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::api::{ApiError, ApiReply};
use super::event::Event;
use super::input::RequestId;
use super::launch::Launch;
use crate::mesos::{AgentId, FrameworkInfo, OfferId, TaskId, Uuid};
use crate::record::{Epoch, Op, Seq};
use crate::time::Millis;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Make these changes durable, atomically, after all batches before.
    Store { seq: Seq, ops: Vec<Op> },
    /// Tell Mesos.
    Mesos(Box<MesosCall>),
    /// Answer a request.
    Reply { id: RequestId, result: Result<ApiReply, Box<ApiError>> },
    /// Tell whoever listens.
    Publish(Arc<Event>),
    /// Tell the gateways.
    Route(Box<RouteDelta>),
}

/// What the scheduler tells Mesos. Each is at most once: nothing says that it arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum MesosCall {
    /// Connect, and stay connected, as this framework. Its id is in `framework_info` once known.
    /// Without one, the master is asked for predecessors first, unless it is to be a new framework `anew`, by an operator's
    /// word (S14).
    Subscribe {
        framework_info: Box<FrameworkInfo>,
        suppressed_roles: Vec<String>,
        anew: bool,
    },
    /// All launches are on the one agent of `offers`.
    Accept {
        offers: Vec<OfferId>,
        launches: Vec<Launch>,
        refuse: Millis,
    },
    Decline {
        offers: Vec<OfferId>,
        refuse: Millis,
    },
    Kill {
        task: TaskId,
        agent: Option<AgentId>,
        grace: Option<Millis>,
    },
    Acknowledge {
        task: TaskId,
        agent: AgentId,
        uuid: Uuid,
    },
    /// Empty means implicit.
    Reconcile {
        tasks: Vec<(TaskId, Option<AgentId>)>,
    },
    Suppress {
        roles: Vec<String>,
    },
    Revive {
        roles: Vec<String>,
    },
    /// Agree to planned outages of agents.
    AcceptInverse {
        offers: Vec<OfferId>,
    },
    /// Ask for another time; the master may ask again after `refuse`.
    DeclineInverse {
        offers: Vec<OfferId>,
        refuse: Millis,
    },
    /// Close the connection and stay away; tasks go on.
    Disconnect,
}

/// A change to the table that gateways serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RouteDelta {
    pub epoch: Epoch,
    pub seq: Seq,
    pub changes: Vec<RouteChange>,
}

/// One backend appears, changes or goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum RouteChange {
    Put { app: String, task: TaskId, host: String, ports: Vec<u16>, weight: u32 },
    Remove { app: String, task: TaskId },
}

/// Where a step puts its effects; owned, drained and reused by the caller.
pub type Effects = Vec<Effect>;
