//! Owns what is said about a message that does not mean anything to Swan.

use std::borrow::Cow;
use std::fmt;

/// A field that is missing or has a value Swan cannot hold. Names the field, never quotes values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// Innermost first.
    path: Vec<Cow<'static, str>>,
    problem: &'static str,
}

impl WireError {
    pub(crate) fn new(field: &'static str, problem: &'static str) -> Self {
        Self { path: vec![Cow::Borrowed(field)], problem }
    }

    pub(crate) fn inside(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.path.push(field.into());
        self
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, field) in self.path.iter().rev().enumerate() {
            let dot = if place == 0 || field.starts_with('[') { "" } else { "." };
            write!(f, "{dot}{field}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for WireError {}

/// Says where inside a message an error was found.
pub(crate) trait At {
    fn at(self, field: &'static str) -> Self;
}

impl<T> At for Result<T, WireError> {
    fn at(self, field: &'static str) -> Self {
        self.map_err(|error| error.inside(field))
    }
}

/// Converts each element; an error tells which one.
pub(crate) fn each<T, U>(
    field: &'static str,
    list: impl IntoIterator<Item = T>,
    convert: impl Fn(T) -> Result<U, WireError>,
) -> Result<Vec<U>, WireError> {
    let numbered = list.into_iter().enumerate();
    numbered
        .map(|(n, element)| convert(element).map_err(|error| error.inside(format!("[{n}]")).inside(field)))
        .collect()
}

/// The value of a field that must be there.
pub(crate) fn need<T>(value: Option<T>, field: &'static str) -> Result<T, WireError> {
    value.ok_or_else(|| WireError::new(field, "is missing"))
}
