//! Owns files of definitions: one app, a list of apps, or a group with all that is below it, each app read on its own.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::{self, Value};
use super::read::{At, Fields, Findings, Path};
use super::{AppSpec, Parsed};
use crate::id::{AppPath, check_segment};
use crate::limits;
use crate::scheduler::api::Problem;

/// One app of a file, or what is wrong with the file beside its apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where in the file, as `groups[0].apps[1]`; empty for the whole. Paths of problems and warnings begin with it.
    pub place: String,
    /// What is said there; `Ok(None)` for a group, of which only the warnings count.
    pub outcome: Result<Option<AppSpec>, Vec<Problem>>,
    /// What is odd, but harmless.
    pub warnings: Vec<Problem>,
}

/// Reads a file of at most [`limits::DEFINITIONS_BYTES_MAX`] bytes. Relative ids are meant from their group; apps are also
/// held against each other.
pub fn read_documents(bytes: &[u8]) -> Vec<Document> {
    let value = match json::parse_within(bytes, limits::DEFINITIONS_BYTES_MAX) {
        Ok(value) => value,
        Err(message) => return Vec::from([broken(message)]),
    };
    let mut walk = Walk::default();
    walk.any(&At { value: &value, path: Path::Root });
    walk.compare();
    if walk.found.is_empty() {
        walk.found.push(broken("holds no app; must hold at least one".into()));
    }
    walk.found
}

/// A file of which nothing can be used.
fn broken(message: String) -> Document {
    let problem = Problem { path: String::new(), message };
    Document { place: String::new(), outcome: Err(Vec::from([problem])), warnings: Vec::new() }
}

#[derive(Default)]
struct Walk {
    found: Vec<Document>,
    /// The paths of the groups, each with its place.
    groups: BTreeMap<String, String>,
    full: bool,
}

impl Walk {
    /// An app, a list, a group, or what Marathon answers about one app.
    fn any(&mut self, at: &At<'_>) {
        let entry = |key: &str| match at.value {
            Value::Object(entries) => entries
                .iter()
                .find(|(name, value)| name == key && *value != Value::Null)
                .map(|(_, value)| value),
            _ => None,
        };
        if let Value::List(_) = at.value {
            for element in at.list(&mut Findings::default()) {
                self.any(&element);
            }
        } else if entry("apps").or_else(|| entry("groups")).is_some() {
            self.group(at, "");
        } else if let (Some(app @ Value::Object(_)), None) = (entry("app"), entry("id")) {
            self.app(&At { value: app, path: Path::Key(&at.path, "app") }, "");
        } else {
            self.app(at, "");
        }
    }

    /// The group below `parent`, which has no slash at its end; that of the root is empty.
    fn group(&mut self, at: &At<'_>, parent: &str) {
        let mut findings = Findings::default();
        let Some(mut fields) = at.object(&mut findings) else { return self.note(at, findings) };
        let id = match fields.get("id") {
            None => Some(parent.to_string()),
            Some(id) => read_group_id(&id, &mut findings, parent),
        };
        let (apps, groups) = (fields.get("apps"), fields.get("groups"));
        read_rest(&mut fields, &mut findings);
        fields.finish(&mut findings);
        if let Some(id) = &id
            && let Some(other) = self.groups.insert(id.clone(), at.path.to_string())
            && !id.is_empty()
        {
            findings.problem(&at.path, format!("is the group {id} again, which is at {other}; must be one"));
        }
        let apps_inside: Vec<At<'_>> =
            apps.iter().flat_map(|at| at.list(&mut findings).collect::<Vec<_>>()).collect();
        let groups_inside: Vec<At<'_>> =
            groups.iter().flat_map(|at| at.list(&mut findings).collect::<Vec<_>>()).collect();
        self.note(at, findings);
        let base = id.as_deref().unwrap_or(parent);
        for app in &apps_inside {
            self.app(app, base);
        }
        for group in &groups_inside {
            self.group(group, base);
        }
    }

    /// Keeps what was found at a group, if anything was.
    fn note(&mut self, at: &At<'_>, findings: Findings) {
        let place = at.path.to_string();
        match findings.into_warnings() {
            Ok(warnings) if warnings.is_empty() => {}
            Ok(warnings) => self.found.push(Document { place, outcome: Ok(None), warnings }),
            Err(problems) => {
                self.found.push(Document { place, outcome: Err(problems), warnings: Vec::new() });
            }
        }
    }

    fn app(&mut self, at: &At<'_>, group: &str) {
        if self.found.len() >= limits::DEFINITIONS_MAX {
            if !core::mem::replace(&mut self.full, true) {
                let mut findings = Findings::default();
                let message = format!("is one too many: must have at most {} apps", limits::DEFINITIONS_MAX);
                findings.problem(&at.path, message);
                self.note(at, findings);
            }
            return;
        }
        let (outcome, warnings) = match AppSpec::from_value(at, group) {
            Ok(Parsed { spec, warnings, .. }) => (Ok(Some(spec)), warnings),
            Err(problems) => (Err(problems), Vec::new()),
        };
        self.found.push(Document { place: at.path.to_string(), outcome, warnings });
    }

    /// Refuses apps that bear the path of another or of a group, and those that wait for each other.
    fn compare(&mut self) {
        let mut places: BTreeMap<AppPath, usize> = BTreeMap::new();
        for index in 0..self.found.len() {
            let Ok(Some(spec)) = &self.found[index].outcome else { continue };
            let path = spec.path.clone();
            let message = if let Some(place) = self.groups.get(path.as_str()) {
                Some(format!(
                    "is {path}, as is the group at {place}; groups and apps must not have the same id"
                ))
            } else {
                places.get(&path).map(|&other| {
                    let place = &self.found[other].place;
                    format!("is {path}, as is the app at {place}; each app must have an id of its own")
                })
            };
            places.entry(path).or_insert(index);
            if let Some(message) = message {
                self.refuse(index, "id", message);
            }
        }
        for index in circles(&self.found, &places) {
            self.refuse(
                index,
                "dependencies",
                "Dependency graph has cyclic dependencies: must not lead back here".into(),
            );
        }
    }

    fn refuse(&mut self, index: usize, key: &str, message: String) {
        let document = &mut self.found[index];
        let path = if document.place.is_empty() { key.into() } else { format!("{}.{key}", document.place) };
        document.outcome = Err(Vec::from([Problem { path, message }]));
        document.warnings.clear();
    }
}

/// The path of a group: absolute, or relative to `parent`; empty for the root.
fn read_group_id(at: &At<'_>, findings: &mut Findings, parent: &str) -> Option<String> {
    let text = at.text(findings)?;
    let mut path = if text.starts_with('/') { String::new() } else { parent.to_string() };
    for segment in text.split('/').filter(|segment| !segment.is_empty()) {
        if let Err(must) = check_segment(segment) {
            at.refuse(findings, must);
            return None;
        }
        path.push('/');
        path.push_str(segment);
    }
    if path.len() > limits::ID_BYTES_MAX {
        at.refuse(findings, format_args!("must have at most {} bytes", limits::ID_BYTES_MAX));
        return None;
    }
    if path.strip_prefix(parent).is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        at.refuse(findings, format_args!("must be below {parent}, the group that it is in"));
        return None;
    }
    Some(path)
}

/// What groups have beside apps and groups.
fn read_rest(fields: &mut Fields<'_>, findings: &mut Findings) {
    fields.refuse(findings, "pods", "are not supported; must be replaced by apps with one container each");
    for key in ["version", "enforceRole"] {
        fields.get(key);
    }
    if let Some(at) = fields.get("dependencies")
        && !at.value.is_empty()
    {
        findings.warn(&at.path, "are not acted on: only apps are kept");
    }
}

/// The apps that wait for each other, directly or by way of others.
fn circles(documents: &[Document], places: &BTreeMap<AppPath, usize>) -> BTreeSet<usize> {
    let mut edges = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let Ok(Some(spec)) = &document.outcome else { continue };
        let Some(text) = spec.carried.get("dependencies") else { continue };
        let Ok(Value::List(paths)) = json::parse(text.as_bytes()) else { continue };
        let paths = paths.iter().filter_map(|path| AppPath::parse(path.as_text()?).ok());
        edges.extend(paths.filter_map(|path| Some((index, *places.get(&path)?))));
    }
    let waiting = peel(&edges);
    edges.retain(|(from, to)| waiting.contains(from) && waiting.contains(to));
    let reversed: Vec<(usize, usize)> = edges.into_iter().map(|(from, to)| (to, from)).collect();
    peel(&reversed)
}

/// The nodes that are left when those from which no edge leads on are taken away, again and again.
fn peel(edges: &[(usize, usize)]) -> BTreeSet<usize> {
    let mut leading: BTreeMap<usize, usize> = BTreeMap::new();
    let mut behind: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(from, to) in edges {
        *leading.entry(from).or_default() += 1;
        leading.entry(to).or_default();
        behind.entry(to).or_default().push(from);
    }
    let mut free: Vec<usize> =
        leading.iter().filter(|(_, count)| **count == 0).map(|(index, _)| *index).collect();
    while let Some(index) = free.pop() {
        leading.remove(&index);
        for other in behind.remove(&index).unwrap_or_default() {
            let count = leading.get_mut(&other).expect("it leads here until now");
            *count -= 1;
            if *count == 0 {
                free.push(other);
            }
        }
    }
    leading.into_keys().collect()
}
