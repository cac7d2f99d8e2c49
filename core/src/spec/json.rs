//! Owns JSON as a tree that keeps order, exact numbers and repeated keys, so that whoever reads it can name what is
//! wrong with each.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::limits;
use crate::number::{Number, visit_numbers};

/// One JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    /// In the order written; a key may occur more than once.
    Object(Vec<(String, Self)>),
}

/// Reads one document of at most [`limits::SPEC_BYTES_MAX`] bytes; `Err` says what keeps it from being JSON.
pub(crate) fn parse(document: &[u8]) -> Result<Value, String> {
    parse_within(document, limits::SPEC_BYTES_MAX)
}

/// As [`parse`], with a limit of its own.
pub(super) fn parse_within(document: &[u8], max: usize) -> Result<Value, String> {
    if document.len() > max {
        return Err(format!("has {} bytes; must have at most {max}", document.len()));
    }
    if document.starts_with(b"\xef\xbb\xbf") {
        return Err("begins with a byte order mark; must begin with the JSON text".into());
    }
    let text = core::str::from_utf8(document).map_err(|error| format!("is not UTF-8: {error}"))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Nested { depth: limits::JSON_DEPTH_MAX }.deserialize(&mut deserializer);
    value
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| format!("is not JSON: {error}; must be one JSON object"))
}

/// Takes a value and at most `depth` levels below it.
#[derive(Clone, Copy)]
struct Nested {
    depth: usize,
}

impl Nested {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!("nested deeper than {} levels", limits::JSON_DEPTH_MAX))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    visit_numbers!(Value::Number);

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            entries.push((key, map.next_value_seed(inner)?));
        }
        Ok(Value::Object(entries))
    }
}

impl Value {
    /// An object with the entries that are there.
    pub(super) fn object<const N: usize>(entries: [(&str, Option<Self>); N]) -> Self {
        Self::Object(
            entries
                .into_iter()
                .filter_map(|(key, value)| value.map(|value| (key.to_string(), value)))
                .collect(),
        )
    }

    /// An object of texts.
    pub(super) fn texts<'a>(entries: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        Self::Object(entries.into_iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect())
    }

    /// `null`, an empty text, list or object.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::List(values) => values.is_empty(),
            Self::Object(entries) => entries.is_empty(),
            Self::Bool(_) | Self::Number(_) => false,
        }
    }

    /// The text, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value it is, for people.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

/// Compact JSON text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{}:{value}", if index == 0 { "" } else { "," }, quoted(key))?;
                }
                f.write_str("}")
            }
        }
    }
}

/// `text` as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text can be written as JSON")
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn order_and_repeated_keys_are_kept() {
        let text = r#"{"b":1,"a":[null,true,-0.5,"x\u0000\n"],"b":{}}"#;
        assert_eq!(parse(text.as_bytes()).expect("JSON").to_string(), text);
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        let cases: [(&[u8], &str); 14] = [
            (b"", "EOF"),
            (b"{", "EOF"),
            (b"{} {}", "trailing characters at line 1 column 4"),
            (b"{\"a\":1,}", "trailing comma at line 1 column 8"),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"\xff\xfe{\0}\0", "UTF-8"),
            (b"{\0}\0", "line 1 column 2"),
            (b"\"\\ud800\"", "line 1"),
            (b"1e999", "number out of range"),
            (b"NaN", "line 1 column 1"),
            (b"01", "line 1"),
            (b"{'a':1}", "line 1 column 2"),
            (&deep(65), "nested deeper than 64 levels"),
            (&deep(100_000), "nested deeper than 64 levels"),
        ];
        for (document, part) in cases {
            let message = parse(document).expect_err("no JSON");
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
        assert!(parse(&deep(64)).is_ok());
        assert!(parse(&vec![b' '; limits::SPEC_BYTES_MAX + 1]).expect_err("too large").contains("at most"));
        assert!(parse(&vec![b'1'; limits::SPEC_BYTES_MAX]).is_err(), "a number of 256 KiB");
    }
}
