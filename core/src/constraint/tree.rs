//! Owns the syntax tree of placement rules, and its text: what is printed reads back as the same tree.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::lexer::{is_word_char, keyword};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// `hostname`: the agent's host name, as it advertises it.
    Hostname,
    /// `agentid`: the id that Mesos gave the agent.
    AgentId,
    /// `ip`: the agent's own address.
    Ip,
    /// `region`: of the agent's fault domain.
    Region,
    /// `zone`: of the agent's fault domain.
    Zone,
    /// `attribute.NAME`, or `NAME` alone where that means nothing else: what the operator says of the agent.
    Attribute(String),
    /// `offered.NAME`: what is left of the agent's offers.
    Resource(Resource),
}

/// A resource that can be asked for; each is a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Resource {
    /// `offered.cpus`.
    Cpus,
    /// `offered.mem`, in MiB.
    Mem,
    /// `offered.disk`, in MiB.
    Disk,
    /// `offered.gpus`.
    Gpus,
    /// `offered.ports`: how many.
    Ports,
}

const ATTRIBUTE: &str = "attribute.";
const OFFERED: &str = "offered.";

/// Names with a meaning of their own, in any case; the first of each key is the one that is printed.
const NAMES: [(&str, Key); 15] = [
    ("hostname", Key::Hostname),
    ("@hostname", Key::Hostname),
    ("agentid", Key::AgentId),
    ("agent.id", Key::AgentId),
    ("ip", Key::Ip),
    ("agent.ip", Key::Ip),
    ("region", Key::Region),
    ("@region", Key::Region),
    ("zone", Key::Zone),
    ("@zone", Key::Zone),
    ("offered.cpus", Key::Resource(Resource::Cpus)),
    ("offered.mem", Key::Resource(Resource::Mem)),
    ("offered.disk", Key::Resource(Resource::Disk)),
    ("offered.gpus", Key::Resource(Resource::Gpus)),
    ("offered.ports", Key::Resource(Resource::Ports)),
];

impl Key {
    /// What `name` means in a text; `Err` says what would be right.
    pub(super) fn named(name: &str) -> Result<Self, &'static str> {
        if let Some((_, key)) = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Ok(key.clone());
        }
        if has_prefix(name, OFFERED) {
            return Err("names no resource: offered.cpus, .mem, .disk, .gpus and .ports are known");
        }
        let name = if has_prefix(name, ATTRIBUTE) { &name[ATTRIBUTE.len()..] } else { name };
        if name.is_empty() {
            return Err("names no attribute: a name is expected, such as rack");
        }
        Ok(Self::Attribute(name.into()))
    }
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Attribute(name) = self else {
            let known = NAMES.iter().find(|(_, key)| key == self);
            return f.write_str(known.expect("every other key has a name").0);
        };
        let is_free = Self::named(name).as_ref() == Ok(self) && keyword(name).is_none();
        match (is_free, name.chars().all(is_word_char)) {
            (true, _) => write_word(f, name),
            (false, true) => write!(f, "{ATTRIBUTE}{name}"),
            (false, false) => write_quoted(f, &[ATTRIBUTE, name]),
        }
    }
}

/// A rule, or a combination of rules. Made by the functions below only, which keep it in its one normal shape: an `All`
/// holds at least two and no further `All`, and so does an `Any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// All hold.
    All(Vec<Self>),
    /// At least one holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// One look at the agent.
    Test(Test),
}

/// One look at an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) key: Key,
    pub(super) op: Op,
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// No task of the app is on an agent with this value.
    Unique,
    /// It is the one given, or else the one that most of the app's tasks have.
    Cluster(Option<String>),
    /// No other group has fewer tasks of the app; the number is the least of groups.
    GroupBy(Option<u32>),
    /// Fewer tasks of the app than this are on agents with this value.
    MaxPer(u32),
    /// The regular expression matches the whole.
    Like(String),
    /// It does not, or there is no value.
    Unlike(String),
    /// The same text, a number in its shortest form.
    Is(String),
    /// The same text, or the same number as a scalar.
    Equal(String),
    /// Not [`Self::Equal`].
    Unequal(String),
    /// The regular expression matches a part.
    Search(String),
    /// As a number it is less, or more; never true of what is no number.
    Compare(Comparison, String),
    /// An element of a set, a number in a range, a part of a text.
    Contains(String),
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A rule that is better kept than not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preference {
    pub(super) expr: Expr,
    /// Counted for an agent that keeps it.
    pub(super) weight: i16,
}

/// The weight of a preference that names none.
pub(super) const WEIGHT_DEFAULT: i16 = 1;

impl Expr {
    /// All of `parts`, which are one or more.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(Self::into_conjuncts).collect();
        Self::single(flat).unwrap_or_else(Self::All)
    }

    /// Any of `parts`, which are one or more.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| match part {
            Self::Any(inner) => inner,
            other => Vec::from([other]),
        });
        Self::single(flat.collect()).unwrap_or_else(Self::Any)
    }

    fn single(mut parts: Vec<Self>) -> Result<Self, Vec<Self>> {
        if parts.len() == 1 { Ok(parts.remove(0)) } else { Err(parts) }
    }

    /// The parts that must all hold.
    pub(super) fn into_conjuncts(self) -> Vec<Self> {
        match self {
            Self::All(parts) => parts,
            other => Vec::from([other]),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, around: Binding) -> fmt::Result {
        let (parts, word, own) = match self {
            Self::Test(test) => return write!(f, "{test}"),
            Self::Not(inner) => {
                f.write_str("NOT ")?;
                return inner.write(f, Binding::Not);
            }
            Self::All(parts) => (parts, " AND ", Binding::And),
            Self::Any(parts) => (parts, " OR ", Binding::Or),
        };
        let needs_parentheses = own < around;
        if needs_parentheses {
            f.write_str("(")?;
        }
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(word)?;
            }
            part.write(f, own)?;
        }
        if needs_parentheses { f.write_str(")") } else { Ok(()) }
    }
}

/// How strongly words bind what stands beside them, weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Binding::Or)
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A weight right after an operator that may take a value would be read as that value.
        let is_plain = match &self.expr {
            Expr::Test(test) => !matches!(test.op, Op::Cluster(None) | Op::GroupBy(None)),
            Expr::All(_) | Expr::Any(_) | Expr::Not(_) => false,
        };
        if is_plain {
            write!(f, "PREFER {}", self.expr)?;
        } else {
            write!(f, "PREFER ({})", self.expr)?;
        }
        if self.weight == WEIGHT_DEFAULT { Ok(()) } else { write!(f, " {}", self.weight) }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.op.word())?;
        match &self.op {
            Op::Unique | Op::Cluster(None) | Op::GroupBy(None) => Ok(()),
            Op::GroupBy(Some(number)) | Op::MaxPer(number) => write!(f, " {number}"),
            Op::Cluster(Some(value))
            | Op::Like(value)
            | Op::Unlike(value)
            | Op::Is(value)
            | Op::Equal(value)
            | Op::Unequal(value)
            | Op::Search(value)
            | Op::Compare(_, value)
            | Op::Contains(value) => {
                f.write_str(" ")?;
                write_word(f, value)
            }
        }
    }
}

impl Op {
    /// How it is written between a key and a value.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unique => "UNIQUE",
            Self::Cluster(_) => "CLUSTER",
            Self::GroupBy(_) => "GROUP_BY",
            Self::MaxPer(_) => "MAX_PER",
            Self::Like(_) => "LIKE",
            Self::Unlike(_) => "UNLIKE",
            Self::Is(_) => "IS",
            Self::Equal(_) => "==",
            Self::Unequal(_) => "!=",
            Self::Search(_) => "~=",
            Self::Compare(comparison, _) => comparison.word(),
            Self::Contains(_) => "CONTAINS",
        }
    }

    /// Whether the verdict rests on where the app's tasks are.
    pub(super) fn counts(&self) -> bool {
        matches!(self, Self::Unique | Self::Cluster(None) | Self::GroupBy(_) | Self::MaxPer(_))
    }
}

impl Comparison {
    fn word(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

fn write_word(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    if !word.is_empty() && word.chars().all(is_word_char) && keyword(word).is_none() {
        return f.write_str(word);
    }
    write_quoted(f, &[word])
}

fn write_quoted(f: &mut fmt::Formatter<'_>, pieces: &[&str]) -> fmt::Result {
    use fmt::Write;
    f.write_str("\"")?;
    for c in pieces.iter().flat_map(|piece| piece.chars()) {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        f.write_char(c)?;
    }
    f.write_str("\"")
}
