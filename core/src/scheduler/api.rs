//! Owns the requests that change something, their answers, and their errors.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::id::DottedId;
use crate::mesos::{FrameworkId, TaskId};

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

/// A change that a user asks for. `Debug` shows documents by size only, since they may hold secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum ApiCall {
    /// `document` is the app's JSON as it came.
    CreateApp { document: Vec<u8> },
    /// Changes an existing app.
    ChangeApp { app: DottedId, change: AppChange, guard: Guard },
    /// Ends one task; its slot gets a new one.
    KillTask { app: DottedId, task: TaskId },
    /// Ends all tasks of an app; their slots get new ones.
    KillTasks { app: DottedId },
    /// Steers the rollout under way.
    SteerRollout { app: DottedId, verb: RolloutVerb },
    /// Lets the planner at an app again that was quarantined after crashes.
    ReleaseApp { app: DottedId },
    /// Original Swan's `reset`: the change under way is forgotten where it stands.
    ResetApp { app: DottedId },
    /// Original Swan's `POST versions`: keeps a version without rolling it out.
    AddVersion { app: DottedId, document: Vec<u8> },
    /// Deletes every app.
    Purge,
    /// The operator says who Swan is for Mesos, after its journal was lost (S14).
    ChooseFramework { word: FrameworkWord },
    /// The operator ends a task that no record knows.
    KillQuarantined { task: TaskId },
    /// The operator overrides the disaster brake (R54): what is lost is replaced in spite of it, until it would let go
    /// by itself.
    OverrideBrake,
}

/// Which framework a manager is to be whose journal was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrameworkWord {
    /// The one that its tasks belong to: they are quarantined, and none is ended.
    Adopt(FrameworkId),
    /// A new one: the tasks of those before run on, and Swan knows nothing of them.
    New,
}

/// What is to become of an app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum AppChange {
    /// Another definition; tasks are replaced if their containers' configuration differs.
    Update {
        document: Vec<u8>,
    },
    /// The definition of an earlier version; without one, of the newest earlier one of another configuration.
    Rollback {
        version: Option<String>,
    },
    /// `ips` replaces the static addresses, if given.
    Scale {
        instances: u32,
        ips: Option<Vec<String>>,
    },
    /// Every task is replaced by one of the same configuration.
    Restart,
    /// All tasks end; the app stays.
    Stop,
    /// The reverse of `Stop`; also tries again what was given up.
    Start,
    Delete,
}

/// On what condition a change is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The revision that the caller has seen.
    pub if_match: Option<u64>,
    /// It replaces a change that is under way.
    pub force: bool,
}

/// What can be done to a rollout under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RolloutVerb {
    /// Begins nothing new; tasks of both versions are kept alive.
    Pause,
    /// Goes on.
    Resume,
    /// Goes back to the version before.
    Cancel,
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
    /// The change is durable; it concerns no single app.
    Done,
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
            Self::ChangeApp { app, change, guard } => write!(f, "{change:?} {app} ({guard:?})"),
            Self::KillTask { app, task } => write!(f, "kill {task} of {app}"),
            Self::KillTasks { app } => write!(f, "kill all of {app}"),
            Self::SteerRollout { app, verb } => write!(f, "{verb:?} the rollout of {app}"),
            Self::ReleaseApp { app } => write!(f, "release {app}"),
            Self::ResetApp { app } => write!(f, "reset {app}"),
            Self::AddVersion { app, document } => write!(f, "add a version of {app} ({} B)", document.len()),
            Self::Purge => f.write_str("purge"),
            Self::ChooseFramework { word } => word.fmt(f),
            Self::KillQuarantined { task } => write!(f, "kill {task}, which no record knows"),
            Self::OverrideBrake => f.write_str("override the brake"),
        }
    }
}

impl fmt::Display for FrameworkWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adopt(id) => write!(f, "to adopt framework {id}"),
            Self::New => f.write_str("to be a new framework"),
        }
    }
}

impl fmt::Debug for AppChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Update { document } => write!(f, "update ({} B)", document.len()),
            Self::Rollback { version } => write!(f, "rollback to {version:?}"),
            Self::Scale { instances, .. } => write!(f, "scale to {instances}"),
            Self::Restart => f.write_str("restart"),
            Self::Stop => f.write_str("stop"),
            Self::Start => f.write_str("start"),
            Self::Delete => f.write_str("delete"),
        }
    }
}

impl ApiCall {
    /// A change of an app that does not replace one under way.
    pub const fn of_app(app: DottedId, change: AppChange, if_match: Option<u64>) -> Self {
        Self::ChangeApp { app, change, guard: Guard { if_match, force: false } }
    }
}

impl ApiError {
    /// A refusal without document problems.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), problems: Vec::new() }
    }
}
