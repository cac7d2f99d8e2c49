//! Owns the names that stand in scripts for what chance and clocks make: tasks and versions.

use std::collections::BTreeMap;

use swan_core::id::TaskName;
use swan_core::mesos::TaskId;

/// Names in the order of first appearance: tasks as `0.web.shop#1`, versions as `v1`, counted per slot and per app.
#[derive(Default)]
pub(crate) struct Names {
    tasks: BTreeMap<String, String>,
    ids: BTreeMap<String, TaskId>,
    versions: BTreeMap<(String, String), usize>,
}

impl Names {
    /// The name of a task; one that is not Swan's is shown as it is.
    pub(crate) fn task(&mut self, id: &TaskId) -> String {
        if let Some(known) = self.tasks.get(id.as_str()) {
            return known.clone();
        }
        let Some(parts) = TaskName::parse(id.as_str()) else { return id.to_string() };
        let slot = format!("{}.{}", parts.slot, parts.app);
        let count = 1 + self.tasks.values().filter(|name| name.split('#').next() == Some(&slot)).count();
        let name = format!("{slot}#{count}");
        self.tasks.insert(id.to_string(), name.clone());
        self.ids.insert(name.clone(), id.clone());
        self.ids.insert(slot, id.clone());
        name
    }

    /// The task that a script means: `0.web.shop#1`, the newest in a slot as `0.web.shop`, or any id as it is.
    pub(crate) fn find(&self, text: &str) -> TaskId {
        self.ids.get(text).cloned().unwrap_or_else(|| TaskId::from(text))
    }

    /// The text with names instead of the ids of known tasks.
    pub(crate) fn replace(&self, text: &str) -> String {
        let replace = |text: String, (id, name): (&String, &String)| text.replace(id, name);
        let quoted = text.contains('\'');
        if quoted { self.tasks.iter().fold(text.into(), replace) } else { text.into() }
    }

    /// The id of the version that a script names `v1`.
    pub(crate) fn version_id(&self, app: &str, name: &str) -> String {
        let number = name.strip_prefix('v').and_then(|number| number.parse::<usize>().ok());
        let known = self.versions.iter().find(|((of, _), n)| of == app && Some(**n) == number);
        known.map_or_else(|| name.into(), |((_, id), _)| id.clone())
    }

    /// The name of a version of an app.
    pub(crate) fn version(&mut self, app: &str, id: &str) -> String {
        let next = 1 + self.versions.keys().filter(|(of, _)| of == app).count();
        let number = self.versions.entry((app.into(), id.into())).or_insert(next);
        format!("v{number}")
    }
}
