//! Owns the requests that change something, their answers, and their errors.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::DottedId;
use crate::mesos::TaskId;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiRequest {
    /// Who asks.
    pub who: Caller,
    /// The same key with the same fingerprint is done once, and answered alike.
    pub idempotency: Option<IdempotencyKey>,
    /// What to do.
    pub call: ApiCall,
}

/// Who made a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Caller {
    /// The name that belongs to the token, or `anonymous`.
    pub name: String,
    /// The address it came from; empty if none.
    pub address: String,
}

/// A client's own name for a request, so that it may send it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The client's key, at most [`crate::limits::IDEMPOTENCY_KEY_BYTES_MAX`] bytes.
    pub key: String,
    /// A digest of method, path and body.
    pub fingerprint: u64,
}

/// A change that a user asks for. `if_match` is the revision the caller has seen. `Debug` shows documents by size only,
/// since they may hold secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ApiCall {
    /// `document` is the app's JSON as it came.
    CreateApp {
        document: Vec<u8>,
    },
    /// Replaces the definition; containers are replaced one by one if their configuration changed.
    UpdateApp {
        app: DottedId,
        document: Vec<u8>,
        if_match: Option<u64>,
    },
    ScaleApp {
        app: DottedId,
        instances: u32,
        if_match: Option<u64>,
    },
    DeleteApp {
        app: DottedId,
        if_match: Option<u64>,
    },
    /// Ends one task; its slot gets a new one.
    KillTask {
        app: DottedId,
        task: TaskId,
    },
    /// Ends all tasks of an app; their slots get new ones.
    KillTasks {
        app: DottedId,
    },
    /// Lets the planner at an app again that was quarantined after crashes.
    ReleaseApp {
        app: DottedId,
    },
}

/// The answer to a request that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ApiReply {
    /// `version` is the new version's id.
    Created { app: DottedId, revision: u64, version: String },
    /// The change is durable and under way.
    Accepted { app: DottedId, revision: u64 },
    /// There was nothing to change.
    Unchanged { app: DottedId, revision: u64 },
}

/// Why a request was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// The class, which decides the HTTP status.
    pub kind: ErrorKind,
    /// One sentence for people.
    pub detail: String,
    /// Each thing that is wrong with a document.
    pub problems: Vec<Problem>,
}

/// The classes of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// The document is no app: 400.
    Invalid,
    /// No such app, task or version: 404.
    NotFound,
    /// It exists already, or a name collides: 409.
    Conflict,
    /// An idempotency key was used for another request: 422.
    KeyReused,
    /// `if_match` is not the current revision: 412.
    PreconditionFailed,
    /// A change is under way: 423.
    Locked,
    /// A limit is reached: 429.
    TooMany,
    /// Not leading, or the store is stalled: 503.
    Unavailable,
}

/// One thing wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where, as `container.portMappings[1].hostPort`; empty for the whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Debug for ApiCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateApp { document } => write!(f, "create ({} B)", document.len()),
            Self::UpdateApp { app, document, if_match } => {
                write!(f, "update {app} ({} B, if {if_match:?})", document.len())
            }
            Self::ScaleApp { app, instances, if_match } => {
                write!(f, "scale {app} to {instances} (if {if_match:?})")
            }
            Self::DeleteApp { app, if_match } => write!(f, "delete {app} (if {if_match:?})"),
            Self::KillTask { app, task } => write!(f, "kill {task} of {app}"),
            Self::KillTasks { app } => write!(f, "kill all of {app}"),
            Self::ReleaseApp { app } => write!(f, "release {app}"),
        }
    }
}

impl ApiError {
    /// A refusal without document problems.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), problems: Vec::new() }
    }
}
