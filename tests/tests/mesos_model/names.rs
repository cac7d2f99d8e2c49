//! Owns the names under which the two sides' random ids are compared: by order of appearance.

use std::collections::BTreeMap;

use serde_json::Value;

use super::trace::text;

/// One side's ids and their common names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    to_name: BTreeMap<String, String>,
    counts: BTreeMap<String, usize>,
}

impl Names {
    /// Gives an id the next name of a kind, once.
    pub(crate) fn learn(&mut self, id: &str, kind: &str) {
        if id.is_empty() || self.to_name.contains_key(id) {
            return;
        }
        let count = self.counts.entry(kind.into()).or_default();
        self.to_name.insert(id.into(), format!("<{kind} {count}>"));
        *count += 1;
    }

    /// Gives an id a name that is not counted.
    pub(crate) fn learn_exactly(&mut self, id: &str, name: &str) {
        self.to_name.insert(id.into(), format!("<{name}>"));
    }

    /// Learns all ids of an event.
    pub(crate) fn learn_event(&mut self, event: &Value) {
        if let Some(subscribed) = event.get("subscribed") {
            self.learn(text(subscribed, "/framework_id/value"), "framework");
            self.learn_exactly(text(subscribed, "/master_info/id"), "master");
        }
        for offer in event.pointer("/offers/offers").and_then(Value::as_array).into_iter().flatten() {
            let host = text(offer, "/hostname");
            self.learn_exactly(text(offer, "/agent_id/value"), &format!("agent {host}"));
            let role = text(offer, "/allocation_info/role");
            self.learn(text(offer, "/id/value"), &format!("offer {host} {role}"));
        }
        if let Some(status) = event.pointer("/update/status") {
            let task = text(status, "/task_id/value");
            self.learn(text(status, "/uuid"), &format!("update {task}"));
            self.learn(text(status, "/container_status/container_id/value"), &format!("container {task}"));
        }
    }

    /// The text with every id replaced by its name; longer ids first, since some begin with others.
    pub(crate) fn rename(&self, from: &str) -> String {
        let mut ids: Vec<&String> = self.to_name.keys().filter(|id| from.contains(id.as_str())).collect();
        ids.sort_by_key(|id| std::cmp::Reverse(id.len()));
        ids.iter().fold(from.to_owned(), |text, id| text.replace(id.as_str(), &self.to_name[*id]))
    }

    fn id_of(&self, name: &str) -> Option<&str> {
        self.to_name.iter().find(|(_, known)| *known == name).map(|(id, _)| id.as_str())
    }

    /// The text with every id of this side replaced by the other side's.
    pub(crate) fn translate_text(&self, other: &Self, from: &str) -> String {
        match self.to_name.get(from).and_then(|name| other.id_of(name)) {
            Some(theirs) => theirs.to_owned(),
            None => from.to_owned(),
        }
    }

    /// All strings of a JSON value, translated.
    pub(crate) fn translate(&self, other: &Self, value: &Value) -> Value {
        map_strings(value, &|text| self.translate_text(other, text))
    }

    /// All strings of a JSON value, renamed.
    pub(crate) fn rename_all(&self, value: &Value) -> Value {
        map_strings(value, &|text| self.rename(text))
    }
}

fn map_strings(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(list) => Value::Array(list.iter().map(|item| map_strings(item, change)).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, item)| (key.clone(), map_strings(item, change))).collect())
        }
        other => other.clone(),
    }
}
