//! Owns the JSON documents of events. Whatever fields a kind of event has are written, so that a new kind needs nothing
//! here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use swan_core::scheduler::event::{Event, EventKind};
use utoipa::ToSchema;

use crate::timestamp::rfc3339;

/// Who asked for a change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Who)]
pub struct WhoDto {
    pub name: String,
    pub address: String,
}

/// The data of an event; which fields stand depends on `type`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventDto {
    /// `<epoch>-<seq>-<n>`.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// RFC 3339, UTC.
    pub at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<WhoDto>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<u16>>,
    /// The task's new state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why, or how a change failed; empty if all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What has ended, as `operationStatus` named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_instances: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Further fields of this type of event.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub more: BTreeMap<String, Value>,
}

/// The data of a `gap` event: events may be missing here, so read again what you hold.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Gap)]
pub struct GapDto {
    /// Always `gap`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `unknown`: the id that you came back with is not known (any more). `slow`: you read too slowly; come back.
    pub reason: String,
}

impl From<&Event> for EventDto {
    fn from(event: &Event) -> Self {
        let mut dto = Self {
            id: event.id.to_string(),
            kind: event.kind.name().to_owned(),
            at: rfc3339(event.at),
            who: event.who.clone().map(|who| WhoDto { name: who.name, address: who.address }),
            app_id: event.app.as_ref().map(ToString::to_string),
            ..Self::default()
        };
        for (name, value) in fields(&event.kind) {
            dto.set(&name, value);
        }
        dto
    }
}

/// The fields of a kind, as core names them.
fn fields(kind: &EventKind) -> Map<String, Value> {
    let written = serde_json::to_value(kind).expect("events are texts, numbers and lists of those");
    let Value::Object(kinds) = written else { return Map::new() };
    match kinds.into_iter().next() {
        Some((_, Value::Object(fields))) => fields,
        _ => Map::new(),
    }
}

impl EventDto {
    /// Puts a field where `/v1` has a name for it, else under its own.
    fn set(&mut self, name: &str, value: Value) {
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match (name, number) {
            (_, None) if value.is_null() => {}
            ("version", _) => self.version_id = Some(text(value)),
            ("task", _) => self.task_id = Some(text(value)),
            ("agent", _) => self.agent_id = Some(text(value)),
            ("host", _) => self.host = Some(text(value)),
            ("state", _) => self.status = Some(text(value)),
            ("message" | "error" | "reason", _) => self.message = Some(text(value)),
            ("operation", _) => self.operation = Some(text(value)),
            ("framework", _) => self.framework_id = Some(text(value)),
            ("master", _) => self.master = Some(text(value)),
            ("slot", Some(_)) => self.slot = number,
            ("to" | "instances", Some(_)) => self.instances = number,
            ("from", Some(_)) => self.previous_instances = number,
            ("ports", None) => self.ports = serde_json::from_value(value).ok(),
            _ => drop(self.more.insert(name.to_owned(), value)),
        }
    }
}

/// Ids are texts in JSON, also those that are numbers inside: they may be too large for a client's numbers.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use swan_core::id::DottedId;
    use swan_core::mesos::{AgentId, TaskId};
    use swan_core::scheduler::event::EventId;
    use swan_core::time::Timestamp;

    use super::*;

    fn written(kind: EventKind) -> Value {
        let app = Some(DottedId::from_text("web"));
        let event = Event { id: EventId::default(), at: Timestamp(0), who: None, app, kind };
        let mut value = serde_json::to_value(EventDto::from(&event)).expect("it can be written");
        for same in ["id", "at", "app_id"] {
            value.as_object_mut().and_then(|fields| fields.remove(same)).expect("every event has it");
        }
        value
    }

    #[test]
    fn every_field_has_its_place() {
        let (task, agent) = (TaskId::from("t"), AgentId::from("a"));
        let (version, state) = (1_800_000_000_000_000_000, "TASK_RUNNING".to_owned());
        let (host, message) = ("h".into(), "m".to_owned());
        assert_eq!(
            written(EventKind::TaskChanged { task, slot: 3, version, agent, host, state, message }),
            serde_json::json!({"type": "task_changed", "task_id": "t", "slot": 3, "version_id": "1800000000000000000",
                "agent_id": "a", "host": "h", "status": "TASK_RUNNING", "message": "m"})
        );
        let (task, ports) = (TaskId::from("t"), [31000, 31001].into());
        assert_eq!(
            written(EventKind::TaskHealthy { task, slot: 3, version: 1, host: "h".into(), ports }),
            serde_json::json!({"type": "task_healthy", "task_id": "t", "slot": 3, "version_id": "1", "host": "h",
                "ports": [31000, 31001]})
        );
        assert_eq!(
            written(EventKind::AppScaled { from: 1, to: 2 }),
            serde_json::json!({"type": "app_scaled", "previous_instances": 1, "instances": 2})
        );
        assert_eq!(
            written(EventKind::RolloutEnded { operation: "updating".to_owned(), error: String::new() }),
            serde_json::json!({"type": "rollout_ended", "operation": "updating", "message": ""})
        );
        assert_eq!(written(EventKind::AppDeleting), serde_json::json!({"type": "app_deleting"}));
    }

    #[test]
    fn a_field_without_a_name_of_its_own_keeps_its_own() {
        let mut event = EventDto::default();
        event.set("tasks_ready", Value::from(3));
        event.set("from", Value::from("17"));
        event.set("nothing", Value::Null);
        let value = serde_json::to_value(event).expect("it can be written");
        assert_eq!(
            value,
            serde_json::json!({"id": "", "type": "", "at": "", "tasks_ready": 3, "from": "17"})
        );
    }
}
