//! Owns typed reading of a JSON tree: follows paths, collects every problem, and knows which keys nobody asked for.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use super::json::{Value, quoted};
use super::policy::WHOLE_PPM;
use crate::limits;
use crate::number::Number;
use crate::scheduler::api::Problem;
use crate::time::Millis;

/// The place of a value in its document.
#[derive(Clone, Copy)]
pub(super) enum Path<'p> {
    Root,
    Key(&'p Self, &'p str),
    Index(&'p Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
            Self::Key(parent, key) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
                match parent {
                    _ if key.is_empty() || !key.bytes().all(plain) => {
                        write!(f, "{parent}[{}]", shortened(&quoted(key)))
                    }
                    Path::Root => f.write_str(&shortened(key)),
                    _ => write!(f, "{parent}.{}", shortened(key)),
                }
            }
        }
    }
}

/// At most 64 characters of `text`.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(64) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// What is wrong with a document, and what is odd.
#[derive(Default)]
pub(super) struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Some keys are unknown.
    pub(super) ignored: bool,
}

impl Findings {
    /// Notes what is wrong; the first [`limits::PROBLEMS_MAX`] are kept.
    pub(super) fn problem(&mut self, path: &Path<'_>, message: impl Into<String>) {
        note(&mut self.problems, path, message.into());
    }

    /// Notes what is odd but harmless.
    pub(super) fn warn(&mut self, path: &Path<'_>, message: impl Into<String>) {
        note(&mut self.warnings, path, message.into());
    }

    /// The warnings, or the problems if there is any.
    pub(super) fn into_warnings(self) -> Result<Vec<Problem>, Vec<Problem>> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(self.problems) }
    }

    /// Refuses keys that occur twice in one object, anywhere at or below `value`.
    pub(super) fn refuse_repeated_keys(&mut self, path: &Path<'_>, value: &Value) {
        match value {
            Value::List(values) => {
                for (index, value) in values.iter().enumerate() {
                    self.refuse_repeated_keys(&Path::Index(path, index), value);
                }
            }
            Value::Object(entries) => {
                let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
                keys.sort_unstable();
                let mut last = None;
                for pair in keys.windows(2).filter(|pair| pair[0] == pair[1]) {
                    if last != Some(pair[0]) {
                        self.problem(
                            &Path::Key(path, pair[0]),
                            "is given more than once; must be given once",
                        );
                    }
                    last = Some(pair[0]);
                }
                for (key, value) in entries {
                    self.refuse_repeated_keys(&Path::Key(path, key), value);
                }
            }
            _ => {}
        }
    }
}

fn note(list: &mut Vec<Problem>, path: &Path<'_>, message: String) {
    if list.len() < limits::PROBLEMS_MAX {
        list.push(Problem { path: path.to_string(), message });
    } else if list.len() == limits::PROBLEMS_MAX {
        list.push(Problem { path: String::new(), message: "has more like these".into() });
    }
}

/// A value and its place.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) value: &'a Value,
    pub(super) path: Path<'a>,
}

/// An object that is being read; remembers which keys are known.
pub(super) struct Fields<'a> {
    path: &'a Path<'a>,
    entries: &'a [(String, Value)],
    known: Vec<&'static str>,
    /// Whose keys nobody but Swan has set: an unknown one is a mistake.
    own: bool,
}

impl<'a> At<'a> {
    /// Notes that the value is wrong: it `is` that, and `must` …
    pub(super) fn refuse(&self, findings: &mut Findings, must: impl fmt::Display) {
        let is = match self.value {
            Value::List(_) | Value::Object(_) => self.value.kind().to_string(),
            scalar => shortened(&scalar.to_string()),
        };
        findings.problem(&self.path, format!("is {is}; {must}"));
    }

    /// As [`Self::refuse`], for values that may be secret.
    pub(super) fn refuse_unseen(&self, findings: &mut Findings, must: impl fmt::Display) {
        findings.problem(&self.path, format!("is {}; {must}", self.value.kind()));
    }

    pub(super) fn object<'b>(&'b self, findings: &mut Findings) -> Option<Fields<'b>> {
        if let Value::Object(entries) = self.value {
            return Some(Fields { path: &self.path, entries, known: Vec::new(), own: false });
        }
        self.refuse(findings, "must be an object");
        None
    }

    /// One of Swan's own objects: other than in Marathon's, unknown keys are problems.
    pub(super) fn own_object<'b>(&'b self, findings: &mut Findings) -> Option<Fields<'b>> {
        self.object(findings).map(|fields| Fields { own: true, ..fields })
    }

    /// The elements of a list; empty if it is none.
    pub(super) fn list<'b>(&'b self, findings: &mut Findings) -> impl Iterator<Item = At<'b>> + use<'a, 'b> {
        let values: &'b [Value] = if let Value::List(values) = self.value {
            values
        } else {
            self.refuse(findings, "must be a list");
            &[]
        };
        values.iter().enumerate().map(|(index, value)| At { value, path: Path::Index(&self.path, index) })
    }

    /// Text without NUL, which no command line, environment or label can hold.
    pub(super) fn text(&self, findings: &mut Findings) -> Option<&'a str> {
        match self.value {
            Value::Text(text) if !text.contains('\0') => return Some(text),
            Value::Text(_) => self.refuse_unseen(findings, "must not contain the character NUL"),
            Value::Number(_) | Value::Bool(_) => self.refuse(findings, "must be text, in quotes"),
            _ => self.refuse(findings, "must be text"),
        }
        None
    }

    /// As [`Self::text`], of what may be secret: no message shows it.
    pub(super) fn secret_text(&self, findings: &mut Findings) -> Option<&'a str> {
        match self.value {
            Value::Text(text) if !text.contains('\0') => return Some(text),
            Value::Text(_) => self.refuse_unseen(findings, "must not contain the character NUL"),
            _ => self.refuse_unseen(findings, "must be text, in quotes"),
        }
        None
    }

    pub(super) fn word(&self, findings: &mut Findings) -> Option<&'a str> {
        let text = self.text(findings)?;
        if text.is_empty() || text.chars().any(char::is_control) {
            self.refuse(findings, "must not be empty and must not contain control characters");
            return None;
        }
        Some(text)
    }

    pub(super) fn boolean(&self, findings: &mut Findings) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            return Some(*value);
        }
        self.refuse(findings, "must be true or false");
        None
    }

    pub(super) fn whole(&self, findings: &mut Findings, range: RangeInclusive<u64>) -> Option<u64> {
        if let Value::Number(number) = self.value
            && let Some(whole) = number.whole()
            && range.contains(&whole)
        {
            return Some(whole);
        }
        let (low, high) = range.into_inner();
        self.refuse(findings, format_args!("must be a whole number from {low} to {high}"));
        None
    }

    /// A whole number that may be negative.
    pub(super) fn signed(&self, findings: &mut Findings, range: RangeInclusive<i64>) -> Option<i64> {
        if let Value::Number(number) = self.value
            && let Some(whole) = number.signed()
            && range.contains(&whole)
        {
            return Some(whole);
        }
        let (low, high) = range.into_inner();
        self.refuse(findings, format_args!("must be a whole number from {low} to {high}"));
        None
    }

    /// A decimal number in thousandths; what is finer is rounded, with a warning.
    pub(super) fn thousandths(&self, findings: &mut Findings, range: RangeInclusive<u64>) -> Option<u64> {
        let written = Number::from_thousandths;
        if let Value::Number(number) = self.value
            && let Some(parts) = number.thousandths()
            && range.contains(&parts.value)
        {
            if parts.rounded {
                let nearest = written(parts.value);
                findings
                    .warn(&self.path, format!("is {number}; counts as {nearest}, the nearest thousandth"));
            }
            return Some(parts.value);
        }
        self.refuse_number(findings, written(*range.start()), written(*range.end()));
        None
    }

    /// A part of the whole, from 0 to 1, in parts per million; what is finer is rounded, with a warning.
    pub(super) fn part(&self, findings: &mut Findings) -> Option<u32> {
        if let Value::Number(number) = self.value
            && let Some(parts) = number.millionths()
            && let Ok(value) = u32::try_from(parts.value)
            && value <= WHOLE_PPM
        {
            if parts.rounded {
                let nearest = Number::from_millionths(parts.value);
                findings.warn(&self.path, format!("is {number}; counts as {nearest}, the nearest millionth"));
            }
            return Some(value);
        }
        self.refuse_number(findings, 0_u64.into(), 1_u64.into());
        None
    }

    fn refuse_number(&self, findings: &mut Findings, low: Number, high: Number) {
        self.refuse(findings, format_args!("must be a number from {low} to {high}"));
    }

    pub(super) fn seconds(&self, findings: &mut Findings, range: RangeInclusive<u64>) -> Option<Millis> {
        if let Value::Text(_) = self.value {
            self.refuse(findings, "must be a whole number of seconds, without quotes and unit");
            return None;
        }
        self.whole(findings, range).map(Millis::from_secs)
    }

    /// Seconds that may have a fraction, down to the millisecond.
    pub(super) fn exact_seconds(&self, findings: &mut Findings) -> Option<Millis> {
        if let Value::Text(_) = self.value {
            self.refuse(findings, "must be a number of seconds, without quotes and unit");
            return None;
        }
        self.thousandths(findings, 0..=limits::SECONDS_MAX * 1000).map(Millis)
    }

    /// A whole number that fits 32 bits.
    pub(super) fn count(&self, findings: &mut Findings, range: RangeInclusive<u32>) -> Option<u32> {
        let (low, high) = range.into_inner();
        self.whole(findings, low.into()..=high.into()).and_then(|count| u32::try_from(count).ok())
    }

    pub(super) fn port(&self, findings: &mut Findings) -> Option<u16> {
        self.whole(findings, 0..=u64::from(u16::MAX)).and_then(|port| u16::try_from(port).ok())
    }

    /// One of `choices`, in any case.
    pub(super) fn choice<T: Copy>(&self, findings: &mut Findings, choices: &[(&str, T)]) -> Option<T> {
        if let Value::Text(text) = self.value
            && let Some((_, choice)) = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text))
        {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.refuse(findings, format_args!("must be one of {}", names.join(", ")));
        None
    }
}

impl<'a> Fields<'a> {
    /// The value of `key`; `null` counts as absent.
    pub(super) fn get(&mut self, key: &'static str) -> Option<At<'a>> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let (_, value) = self.entries.iter().find(|(name, _)| name == key)?;
        (*value != Value::Null).then_some(At { value, path: Path::Key(self.path, key) })
    }

    /// As [`Self::get`], but a problem if it is not there.
    pub(super) fn require(&mut self, findings: &mut Findings, key: &'static str) -> Option<At<'a>> {
        let found = self.get(key);
        if found.is_none() {
            findings.problem(&Path::Key(self.path, key), "is missing; must be given");
        }
        found
    }

    /// `true` or `false`, or `default`.
    pub(super) fn flag(&mut self, findings: &mut Findings, key: &'static str, default: bool) -> bool {
        self.get(key).and_then(|at| at.boolean(findings)).unwrap_or(default)
    }

    /// A problem if `key` has a value that is not empty.
    pub(super) fn refuse(&mut self, findings: &mut Findings, key: &'static str, why: &str) {
        if let Some(at) = self.get(key)
            && !at.value.is_empty()
        {
            findings.problem(&at.path, why);
        }
    }

    /// Every entry that is not `null`.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + use<'a> {
        let path = self.path;
        let there = self.entries.iter().filter(|(_, value)| *value != Value::Null);
        there.map(move |(key, value)| (key.as_str(), At { value, path: Path::Key(path, key) }))
    }

    /// The object's own place.
    pub(super) const fn path(&self) -> &'a Path<'a> {
        self.path
    }

    /// Warns of every key that nobody has asked for; in Swan's own objects refuses them.
    pub(super) fn finish(self, findings: &mut Findings) {
        for (key, _) in self
            .entries
            .iter()
            .filter(|(key, _)| !self.known.contains(&key.as_str()))
            .take(limits::PROBLEMS_MAX)
        {
            let path = Path::Key(self.path, key);
            findings.ignored = true;
            match (nearest(key, &self.known), self.own) {
                (Some(known), false) => {
                    findings.warn(&path, format!("is unknown and ignored; is {known} meant?"))
                }
                (None, false) => findings.warn(&path, "is unknown and ignored"),
                (Some(known), true) => {
                    findings.problem(&path, format!("is unknown; must be {known}, or left out"))
                }
                (None, true) => {
                    let known = self.known.join(", ");
                    findings.problem(&path, format!("is unknown; must be left out; known here: {known}"));
                }
            }
        }
    }
}

/// The known key that differs least from `key`, if by little.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    if key.len() > 64 {
        return None;
    }
    let distances =
        known.iter().map(|known| (distance(&key.to_ascii_lowercase(), &known.to_ascii_lowercase()), *known));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + nearest.len() / 5).then_some(nearest)
}

/// How many letters must be put in, taken out or replaced to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_near() {
        let known = ["instances", "cpus", "mem", "healthChecks"];
        assert_eq!(nearest("instance", &known), Some("instances"));
        assert_eq!(nearest("cpu", &known), Some("cpus"));
        assert_eq!(nearest("healthchecks", &known), Some("healthChecks"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn paths_read_as_people_write_them() {
        let labels = Path::Key(&Path::Root, "labels");
        assert_eq!(Path::Key(&labels, "a.b").to_string(), "labels[\"a.b\"]");
        assert_eq!(Path::Key(&Path::Index(&labels, 3), "name").to_string(), "labels[3].name");
        assert!(Path::Key(&labels, &"x".repeat(100_000)).to_string().len() < 100);
    }
}
