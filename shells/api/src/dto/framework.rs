//! Owns the JSON documents about who Swan is for Mesos.

use serde::{Deserialize, Serialize};
use swan_core::mesos::FrameworkId;
use swan_core::predecessor::Predecessor;
use swan_core::scheduler::Hold;
use swan_core::scheduler::api::FrameworkWord;
use swan_core::scheduler::view::ManagerView;
use utoipa::ToSchema;

use super::placement::in_wholes;
use crate::timestamp::rfc3339;

/// Who Swan is for Mesos.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Framework)]
pub struct FrameworkDto {
    /// Empty until Mesos has given one.
    #[serde(rename = "ID")]
    pub id: String,
    /// The Mesos master, `host:port`; empty until known.
    pub master: String,
    /// Whether a subscription stands.
    pub connected: bool,
    /// The journal was lost: nothing is changed until an operator decides, by `POST /v1/framework`, who Swan is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldDto>,
}

/// What is held.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldDto {
    /// RFC 3339, UTC.
    pub since: String,
    /// For people.
    pub reason: String,
    /// What was decided and is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<FrameworkWordDto>,
    /// The frameworks of this journal that held something when the master was asked.
    pub frameworks: Vec<PredecessorDto>,
}

/// A framework that Swan was before its journal was lost, and what its tasks hold.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Predecessor)]
pub struct PredecessorDto {
    #[serde(rename = "ID")]
    pub id: String,
    /// A scheduler was connected as this framework: is there another manager?
    pub connected: bool,
    pub cpus: f64,
    /// MiB.
    pub mem: f64,
    /// MiB.
    pub disk: f64,
    pub gpus: f64,
}

/// Who Swan is to be: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FrameworkWord)]
pub struct FrameworkWordDto {
    /// The framework of this id: its tasks are quarantined, and none is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<String>,
    /// A new framework: the tasks of those before run on, and Swan knows nothing of them. Only `true` may be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
}

impl FrameworkWordDto {
    /// What it says, if it says one thing.
    pub(crate) fn word(&self) -> Option<FrameworkWord> {
        match (&self.adopt, self.new) {
            (Some(id), None) if !id.is_empty() => Some(FrameworkWord::Adopt(FrameworkId::new(id.clone()))),
            (None, Some(true)) => Some(FrameworkWord::New),
            _ => None,
        }
    }
}

impl From<&FrameworkWord> for FrameworkWordDto {
    fn from(word: &FrameworkWord) -> Self {
        match word {
            FrameworkWord::Adopt(id) => Self { adopt: Some(id.to_string()), new: None },
            FrameworkWord::New => Self { adopt: None, new: Some(true) },
        }
    }
}

impl From<&Predecessor> for PredecessorDto {
    fn from(it: &Predecessor) -> Self {
        Self {
            id: it.id.to_string(),
            connected: it.connected,
            cpus: in_wholes(it.cpus),
            mem: in_wholes(it.mem),
            disk: in_wholes(it.disk),
            gpus: in_wholes(it.gpus),
        }
    }
}

impl From<&Hold> for HoldDto {
    fn from(hold: &Hold) -> Self {
        Self {
            since: rfc3339(hold.since),
            reason: hold.reason(),
            decision: hold.word.as_ref().map(FrameworkWordDto::from),
            frameworks: hold.predecessors.iter().map(PredecessorDto::from).collect(),
        }
    }
}

impl From<ManagerView> for FrameworkDto {
    fn from(manager: ManagerView) -> Self {
        Self {
            id: manager.framework_id,
            master: manager.master,
            connected: manager.connected,
            hold: manager.hold.as_ref().map(HoldDto::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_one_thing() {
        let word = |text: &str| serde_json::from_str::<FrameworkWordDto>(text).ok()?.word();
        assert_eq!(word(r#"{"adopt":"F"}"#), Some(FrameworkWord::Adopt("F".into())));
        assert_eq!(word(r#"{"new":true}"#), Some(FrameworkWord::New));
        for bad in
            [r#"{}"#, r#"{"adopt":"F","new":true}"#, r#"{"new":false}"#, r#"{"adopt":""}"#, r#"{"kill":1}"#]
        {
            assert_eq!(word(bad), None, "{bad}");
        }
    }
}
