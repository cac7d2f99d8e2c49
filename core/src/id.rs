//! Owns Swan's own names: app paths and their dotted form, slots, task ids.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::mesos::mesos_text_id as text_id;

text_id! {
    /// A task, known to Mesos for ever (R31). Swan's own are `<12 hex>.<slot>.<app>`; others are any text.
    TaskId
}

/// The absolute path of an app, `/prod/shop/web`: lower case segments of letters, digits, `-` and `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppPath(String);

/// An app's path reversed and joined by dots, `web.shop.prod`: in URLs, DNS, slot and task names. Lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DottedId(Arc<str>);

impl AppPath {
    /// Parses an absolute or relative path; `Err` says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut segments = Vec::new();
        for segment in text.split('/').filter(|segment| !segment.is_empty()) {
            if segment == ".." {
                segments.pop();
            } else if segment != "." {
                check_segment(segment)?;
                segments.push(segment);
            }
        }
        match segments.last() {
            None => Err("must name an app, such as /shop/web".to_owned()),
            Some(&last) if ["restart", "tasks", "versions"].contains(&last) => {
                Err(format!("must not end in '{last}', which is a word of the API"))
            }
            Some(_) => Ok(Self(segments.iter().flat_map(|segment| ["/", segment]).collect())),
        }
    }

    /// The path, beginning with `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The dotted form.
    pub fn dotted(&self) -> DottedId {
        let mut segments: Vec<&str> = self.0.split('/').skip(1).collect();
        segments.reverse();
        DottedId(segments.join(".").into())
    }
}

/// Whether `segment` can be part of a path; `Err` says what would be right.
pub(crate) fn check_segment(segment: &str) -> Result<(), String> {
    let of_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !word.starts_with('-')
            && !word.ends_with('-')
    };
    if segment.split('.').all(of_word) {
        return Ok(());
    }
    Err(format!(
        "segment '{segment}' must consist of lower case letters, digits, '-' and '.', and neither begin nor end with '-' or '.'"
    ))
}

impl DottedId {
    /// Takes any text as it comes in a URL; case is folded.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_ascii_lowercase().into())
    }

    /// The id, lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AppPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for DottedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DottedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The parts of a task id that Swan made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskName<'a> {
    /// 48 random bits that make the id unique for ever.
    pub hex: u64,
    /// The slot's number.
    pub slot: u32,
    /// The app's dotted id.
    pub app: &'a str,
}

impl<'a> TaskName<'a> {
    /// Takes a task id apart; `None` if it is none of ours.
    pub fn parse(id: &'a str) -> Option<Self> {
        let (hex, rest) = id.split_once('.')?;
        let (slot, app) = rest.split_once('.')?;
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() != 12 || !hex.bytes().all(lower_hex) || app.is_empty() || slot.starts_with('+') {
            return None;
        }
        if slot.len() > 1 && slot.starts_with('0') {
            return None;
        }
        Some(Self { hex: u64::from_str_radix(hex, 16).ok()?, slot: slot.parse().ok()?, app })
    }

    /// The task id.
    pub fn id(&self) -> TaskId {
        // Written by hand: every launch makes one.
        let mut text = String::with_capacity(12 + 1 + 10 + 1 + self.app.len());
        for place in (0..12).rev() {
            let digit = (self.hex >> (4 * place)) as u32 & 0xf;
            text.extend(char::from_digit(digit, 16));
        }
        text.push('.');
        push_decimal(self.slot, &mut text);
        text.push('.');
        text.push_str(self.app);
        TaskId::new(text)
    }
}

fn push_decimal(number: u32, text: &mut String) {
    if number >= 10 {
        push_decimal(number / 10, text);
    }
    text.extend(char::from_digit(number % 10, 10));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_dotted_form_mirror_each_other() {
        let path = AppPath::parse("/prod/shop/web").expect("a good path");
        assert_eq!(path.dotted().as_str(), "web.shop.prod");
        assert_eq!(AppPath::parse("prod//shop/x/../web/").expect("a good path"), path);
    }

    #[test]
    fn bad_paths_say_why() {
        for bad in ["", "/", "/A", "/-a", "/a-", "/a..b", "/a b", "/shop/tasks", "/é"] {
            assert!(AppPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn task_names_round_trip_and_foreign_ids_are_refused() {
        let name = TaskName { hex: 0x00ab_cdef_0123, slot: 7, app: "web.shop" };
        assert_eq!(name.id().as_str(), "00abcdef0123.7.web.shop");
        assert_eq!(TaskName::parse(name.id().as_str()), Some(name));
        for bad in [
            "",
            "x",
            "00abcdef0123.7",
            "00abcdef0123.07.web",
            "00ABCDEF0123.7.web",
            "00abcdef0123.+7.web",
            "0.7.web",
        ] {
            assert_eq!(TaskName::parse(bad), None, "{bad}");
        }
    }
}
