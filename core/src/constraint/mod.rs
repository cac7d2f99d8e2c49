//! Owns placement rules: one expression language over what is known of an agent.
//!
//! `docs/CONSTRAINTS.md` describes it for users. [`Rules`] are read from its text, from Marathon's arrays or from original
//! Swan's objects, into one tree; a [`Matcher`] is what is asked for each agent, and a [`Census`] counts where tasks are.

mod census;
mod forms;
mod lexer;
mod matcher;
mod parser;
mod pattern;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

pub use census::{Census, Tally};
pub use forms::Element;
pub use matcher::{Host, Matcher};
pub use tree::{Key, Resource};
pub use value::Value;

use pattern::{Pattern, Whole};
use tree::{Expr, Op, Preference, Test};
use value::Decimal;

use crate::limits::CONSTRAINT_WEIGHT_MAX;

/// What must hold of an agent, and what is preferred. Encoded as its texts, which are checked when they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", try_from = "Vec<String>")]
pub struct Rules {
    /// None of them an `All`.
    required: Vec<Expr>,
    preferred: Vec<Preference>,
}

/// What is wrong with a rule's text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl core::error::Error for Error {}

impl Rules {
    /// Reads a text of the language, infix or prefix. What is accepted can be compiled.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parser::parse(text)
    }

    /// Reads one of Marathon's constraints: field, operator and perhaps a value. `Err` says what is wrong.
    pub fn marathon(texts: &[String]) -> Result<Self, String> {
        forms::marathon(texts).and_then(Self::of_test)
    }

    /// Reads one of original Swan's constraint objects; `Err` says what is wrong, and with which key.
    pub fn swan(attribute: &str, operator: &str, value: &str) -> Result<Self, String> {
        forms::swan(attribute, operator, value).and_then(Self::of_test)
    }

    fn of_test(test: Test) -> Result<Self, String> {
        check_test(&test)?;
        let text = test.to_string();
        if text.len() > crate::limits::CONSTRAINT_BYTES_MAX {
            return Err(parser::too_long(text.len()));
        }
        Ok(Self { required: Vec::from([Expr::Test(test)]), preferred: Vec::new() })
    }

    /// Both: all that either requires, and all that either prefers.
    pub fn and(mut self, other: Self) -> Self {
        self.required.extend(other.required);
        self.preferred.extend(other.preferred);
        self
    }

    /// The canonical form: one element for each rule that must hold and for each preference. Read again and joined by
    /// [`Self::and`], they are the same rules.
    pub fn elements(&self) -> Vec<Element> {
        let required = self.required.iter().map(Element::of);
        let preferred = self.preferred.iter().map(|preference| Element::Text(preference.to_string()));
        required.chain(preferred).collect()
    }

    /// The texts of all elements.
    fn texts(&self) -> impl Iterator<Item = String> {
        let required = self.required.iter().map(ToString::to_string);
        required.chain(self.preferred.iter().map(ToString::to_string))
    }

    /// Every agent suits, and all equally.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.preferred.is_empty()
    }

    /// Rules and preferences together, for whoever limits them.
    pub fn len(&self) -> usize {
        self.required.len() + self.preferred.len()
    }

    /// Makes what is asked for each agent; once for each version of an app, since regular expressions are compiled.
    pub fn compile(&self) -> Matcher {
        Matcher::new(self.clone())
    }
}

impl From<Rules> for Vec<String> {
    fn from(rules: Rules) -> Self {
        rules.texts().collect()
    }
}

impl TryFrom<Vec<String>> for Rules {
    type Error = Error;

    fn try_from(texts: Vec<String>) -> Result<Self, Error> {
        texts.iter().try_fold(Self::default(), |rules, text| Ok(rules.and(Self::parse(text)?)))
    }
}

/// Refuses what cannot be asked, whatever form it came in.
fn check_test(test: &Test) -> Result<(), String> {
    let (word, key) = (test.op.word(), &test.key);
    if test.op.counts() && matches!(key, Key::Resource(_)) {
        return Err(format!("{word} counts tasks by a value that stays, and {key} changes with every offer"));
    }
    match &test.op {
        Op::Like(regex) | Op::Unlike(regex) if regex.is_empty() => {
            Err(format!("{word} needs a regular expression, such as web.*"))
        }
        Op::Like(regex) | Op::Unlike(regex) => Pattern::new(regex, Whole::Yes).map(drop),
        Op::Search(regex) => Pattern::new(regex, Whole::No).map(drop),
        Op::Compare(_, number) if Decimal::parse(number).is_none() => {
            Err(format!("{word} compares with a decimal number, such as 4 or 0.5, and {number:?} is none"))
        }
        _ => Ok(()),
    }
}

/// The number of `GROUP_BY` or `MAX_PER`.
fn count(text: &str, operator: &str) -> Result<u32, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|count| is_plain && *count >= 1).ok_or_else(|| {
        format!("{operator} takes a whole number from 1 to {}, and {text:?} is none", u32::MAX)
    })
}

/// The weight of a preference.
fn weight(text: &str) -> Result<i16, String> {
    let weight = text.parse().ok().filter(|weight: &i16| weight.unsigned_abs() <= CONSTRAINT_WEIGHT_MAX);
    weight.ok_or_else(|| {
        format!(
            "a weight is a whole number from -{CONSTRAINT_WEIGHT_MAX} to {CONSTRAINT_WEIGHT_MAX}, and {text:?} is none"
        )
    })
}
