//! Owns what the scheduler machine is told: a closed set, each one recordable.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::api::ApiRequest;
use crate::id::DottedId;
use crate::mesos::{Event as MesosEvent, Subscribed};
use crate::predecessor::Predecessor;
use crate::record::{Epoch, Op, Seq};
use crate::time::{ClusterTime, Instant};

/// One stimulus of the scheduler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The first input: a new machine that knows nothing yet.
    Boot {
        /// Seeds what little randomness a standby needs.
        seed: u64,
        /// Which build runs it.
        build: Box<Build>,
        /// What the operator configured.
        config: Box<Config>,
    },
    /// A bounded batch of durable changes, in order.
    Follow { entries: Vec<Op> },
    /// This manager now leads: everything durable has been followed.
    Lead(Box<Lead>),
    /// The leadership is known to be held until this instant.
    Lease { until: Instant },
    /// Leadership is gone; the machine acts no more and will be dropped.
    Depose { why: DeposeReason },
    /// News from Mesos.
    Mesos(LinkEvent),
    /// A request to change something.
    Api { id: RequestId, request: Box<ApiRequest> },
    /// News from the journal.
    Store(StoreEvent),
    /// What a gateway reports.
    Gateway(GatewayReport),
    /// `next_deadline` has come; spurious ones are harmless.
    Wake,
}

/// The content of [`Input::Lead`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// The number of this leadership.
    pub epoch: Epoch,
    /// Seeds task ids and jitter.
    pub seed: u64,
    /// The newest durable batch; the next one gets the number after.
    pub seq: Seq,
    /// Where cluster time stood in the newest durable batch.
    pub cluster_time: ClusterTime,
    /// Steps that ended earlier processes.
    pub crash_notes: Vec<CrashNote>,
}

/// What the operator configured for the scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// `FrameworkInfo.name`.
    pub framework_name: String,
    /// `FrameworkInfo.roles`; never empty.
    pub roles: Vec<String>,
    /// `FrameworkInfo.principal`.
    pub principal: Option<String>,
    /// `FrameworkInfo.hostname`.
    pub hostname: String,
    /// `FrameworkInfo.webui_url`.
    pub webui_url: Option<String>,
    /// `FrameworkInfo.user`.
    pub user: String,
    /// Where the journal is kept, in words that another process which keeps it there would use, too; without secrets. Empty
    /// if nobody is to look for an earlier framework of the same journal (S14).
    pub journal: String,
}

/// Which software drives the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// The release, `0.1.0`.
    pub version: String,
    /// The source revision, if known.
    pub commit: String,
}

/// Why a manager leads no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeposeReason {
    /// The lease ran out or was lost.
    LeaseLost,
    /// The store refused a write: a newer epoch exists.
    Fenced,
    /// The operator asked for it.
    Abdicated,
    /// Records are not understood by this build; [`View::unreadable`](super::View::unreadable) names them.
    Unreadable,
    /// Mesos gave the framework to another scheduler (R13).
    FailedOver,
}

/// Identifies a request from its arrival to its reply; chosen by whoever drives the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// News from Mesos, as the link machine passes it up. Offers of an earlier connection never follow a `Connected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkEvent {
    /// A subscription stands; all offers of an earlier one are void (R8).
    Connected(Box<Subscribed>),
    /// The subscription is gone; the link is already trying again.
    Disconnected {
        /// For people.
        why: String,
    },
    /// Anything else the master said, in stream order (R28).
    Event(Box<MesosEvent>),
    /// The master has removed the framework for good: its id is dead, and taking a new one would abandon whatever still
    /// runs (R12). The link has stopped.
    Removed {
        /// The master's own words.
        message: String,
    },
    /// Frameworks of this journal hold something, and the journal knows of none: the link waits for a word (S14).
    Held {
        /// At least one.
        predecessors: Vec<Predecessor>,
    },
    /// Another scheduler subscribed with our id. The link has stopped and must not fight back (R13).
    FailedOver,
}

/// News from the journal machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StoreEvent {
    /// Every batch up to this one is durable. Ends a stall.
    Stored { upto: Seq },
    /// Writes hang or fail; retried by the journal.
    Stalled,
    /// Writes work again, though nothing new is durable yet.
    Resumed,
    /// A newer leader exists; nothing more can be written.
    Fenced,
}

/// What a gateway says of itself. Gateways report nothing yet that the scheduler acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayReport {
    /// Which gateway.
    pub gateway: String,
    /// The route table it serves.
    pub table: (Epoch, Seq),
}

/// A step that ended a process: what was being handled when an assertion fell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashNote {
    /// `file:line` of the assertion.
    pub assertion: String,
    /// What the step was doing.
    pub breadcrumb: Breadcrumb,
}

/// What a step is doing, kept while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breadcrumb {
    /// The kind of input, `Mesos.Update`.
    pub input: Cow<'static, str>,
    /// The app concerned, once known.
    pub entity: Option<DottedId>,
}
