//! Owns the hold of a manager whose journal was lost: which frameworks still hold something, and what the operator says
//! (S14). Until then nothing subscribes, and nothing is changed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use prost::Message;
use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::api::{ApiError, ApiReply, Caller, ErrorKind, FrameworkWord};
use super::event::EventKind;
use super::ledger::{Change, Gated};
use super::requests::Outcome;
use crate::mesos::FrameworkId;
use crate::predecessor::Predecessor;
use crate::time::Timestamp;

/// Why a manager does not subscribe, or has not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: Timestamp,
    /// The frameworks of this journal that hold something, as they were found.
    pub predecessors: Vec<Predecessor>,
    /// What the operator has said, which is under way.
    pub word: Option<FrameworkWord>,
    /// Why the word before came to nothing; empty if it did not.
    pub trouble: String,
}

/// A hold as it is stored.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct HoldRecord {
    #[prost(uint64, tag = "1")]
    since: u64,
    #[prost(message, repeated, tag = "2")]
    predecessors: Vec<PredecessorRecord>,
    /// 0 none, 1 to adopt the framework of the record, 2 to be a new one.
    #[prost(uint32, tag = "3")]
    word: u32,
    #[prost(string, tag = "4")]
    trouble: String,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PredecessorRecord {
    #[prost(string, tag = "1")]
    framework_id: String,
    #[prost(bool, tag = "2")]
    connected: bool,
    #[prost(uint64, tag = "3")]
    cpus: u64,
    #[prost(uint64, tag = "4")]
    mem: u64,
    #[prost(uint64, tag = "5")]
    disk: u64,
    #[prost(uint64, tag = "6")]
    gpus: u64,
}

impl PredecessorRecord {
    fn of(it: &Predecessor) -> Self {
        let Predecessor { connected, cpus, mem, disk, gpus, .. } = *it;
        Self { framework_id: it.id.to_string(), connected, cpus, mem, disk, gpus }
    }

    fn read(self) -> Predecessor {
        let Self { framework_id, connected, cpus, mem, disk, gpus } = self;
        Predecessor { id: FrameworkId::new(framework_id), connected, cpus, mem, disk, gpus }
    }
}

impl HoldRecord {
    pub(super) fn of(hold: &Hold) -> Self {
        let word = match hold.word {
            None => 0,
            Some(FrameworkWord::Adopt(_)) => 1,
            Some(FrameworkWord::New) => 2,
        };
        let predecessors = hold.predecessors.iter().map(PredecessorRecord::of).collect();
        Self { since: hold.since.0, predecessors, word, trouble: hold.trouble.clone() }
    }

    /// `None` if it holds what this build does not know.
    pub(super) fn read(self, framework: Option<&FrameworkId>) -> Option<Hold> {
        let word = match (self.word, framework) {
            (0, _) => None,
            (1, Some(id)) => Some(FrameworkWord::Adopt(id.clone())),
            (2, _) => Some(FrameworkWord::New),
            _ => return None,
        };
        let predecessors = self.predecessors.into_iter().map(PredecessorRecord::read).collect();
        Some(Hold { since: Timestamp(self.since), predecessors, word, trouble: self.trouble })
    }
}

impl Hold {
    /// What it waits for, for people.
    pub fn reason(&self) -> String {
        let found: Vec<String> = self.predecessors.iter().map(Predecessor::to_string).collect();
        let found = if found.is_empty() { "none".to_string() } else { found.join(", ") };
        let trouble = if self.trouble.is_empty() { String::new() } else { format!("{}; ", self.trouble) };
        match &self.word {
            None => format!(
                "{trouble}the journal is empty, but frameworks of this manager still hold resources: {found}. Restore the \
                 journal, or decide by `swan framework adopt ID` or `swan framework new`"
            ),
            Some(word @ FrameworkWord::Adopt(_)) => {
                format!("an operator has decided {word}; it is under way")
            }
            Some(word @ FrameworkWord::New) => format!(
                "an operator has decided {word}; it is under way. What others hold runs on, and Swan knows nothing of it: \
                 {found}"
            ),
        }
    }
}

impl Scheduler {
    /// The link has found frameworks whose memory should be here.
    pub(super) fn on_held(&mut self, predecessors: Vec<Predecessor>) {
        if self.framework.id.is_some() || self.framework.hold.is_some() {
            return;
        }
        self.hold(Hold { since: self.now.wall, predecessors, word: None, trouble: String::new() });
    }

    fn hold(&mut self, hold: Hold) {
        let frameworks = hold.predecessors.iter().map(|it| it.id.to_string()).collect();
        self.framework.hold = Some(hold);
        self.ledger.note(Change::Framework);
        self.publish(None, None, EventKind::FrameworkHeld { frameworks });
    }

    /// Whether nothing may subscribe before the operator has spoken.
    pub(super) fn awaits_word(&self) -> bool {
        self.framework.hold.as_ref().is_some_and(|hold| hold.word.is_none())
    }

    /// The operator speaks: what is said is durable before it is done.
    pub(super) fn take_word(&mut self, who: &Caller, word: &FrameworkWord) -> Outcome {
        let Some(hold) = &mut self.framework.hold else {
            return match word {
                FrameworkWord::Adopt(id) if self.framework.id.as_ref() == Some(id) => Ok(ApiReply::Done),
                _ => Err(ApiError::new(ErrorKind::Conflict, "nothing is held: there is nothing to decide")),
            };
        };
        match &hold.word {
            Some(given) if given == word => return Ok(ApiReply::Done),
            Some(given) => {
                let detail = format!("something else was decided, which is under way: {given}");
                return Err(ApiError::new(ErrorKind::Conflict, detail));
            }
            None => {}
        }
        if let FrameworkWord::Adopt(id) = word {
            if !hold.predecessors.iter().any(|it| it.id == *id) {
                let detail = format!("no framework '{id}' is held; GET /v1/framework lists those that are");
                return Err(ApiError::new(ErrorKind::NotFound, detail));
            }
            self.framework.id = Some(id.clone());
        }
        hold.word = Some(word.clone());
        self.ledger.note(Change::Framework);
        let adopted = self.framework.id.as_ref().map(FrameworkId::to_string);
        self.publish(None, Some(who), EventKind::FrameworkDecided { adopted });
        self.gate(Gated::Subscribe);
        Ok(ApiReply::Done)
    }

    /// A subscription stands, whatever was held.
    pub(super) fn end_hold(&mut self) {
        if self.framework.hold.take().is_some() {
            self.ledger.note(Change::Framework);
        }
    }

    /// The master refuses the framework for ever. One that was to be adopted never was ours: the operator decides anew.
    pub(super) fn on_removed(&mut self, message: &str) {
        match self.framework.hold.take() {
            Some(Hold { word: Some(FrameworkWord::Adopt(id)), since, mut predecessors, .. }) => {
                predecessors.retain(|it| it.id != id);
                self.framework.id = None;
                let trouble = format!("framework {id} could not be adopted: {message}");
                self.hold(Hold { since, predecessors, word: None, trouble });
            }
            hold => {
                self.framework.hold = hold;
                self.framework.removed = true;
            }
        }
        self.on_disconnected();
    }

    /// While something is held, nothing but the decision is taken.
    pub(super) fn refuse_while_held(&self) -> Result<(), ApiError> {
        match &self.framework.hold {
            Some(hold) => Err(ApiError::new(ErrorKind::Unavailable, hold.reason())),
            None => Ok(()),
        }
    }
}
