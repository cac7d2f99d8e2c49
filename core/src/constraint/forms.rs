//! Owns the foreign forms of rules: Marathon's arrays in both directions, and original Swan's objects.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::count;
use super::parser::sign_operator;
use super::tree::{Expr, Key, Op, Test};

/// One rule in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// What Marathon can say: field, operator and perhaps a value.
    Marathon(Vec<String>),
    /// Anything else, in the language's infix form.
    Text(String),
}

/// The fields that are not attributes; the first name of each is the one that is written.
const FIELDS: [(&str, Key); 4] = [
    ("hostname", Key::Hostname),
    ("@hostname", Key::Hostname),
    ("@region", Key::Region),
    ("@zone", Key::Zone),
];

/// What `name` means to Marathon and to original Swan: all but these few is an attribute.
fn key(name: &str) -> Key {
    let known = FIELDS.iter().find(|(field, _)| *field == name);
    known.map_or_else(|| Key::Attribute(name.into()), |(_, key)| key.clone())
}

/// What Marathon calls `wanted`.
fn field(wanted: &Key) -> Option<&str> {
    match wanted {
        Key::Attribute(name) => Some(name.as_str()).filter(|name| key(name) == *wanted),
        _ => FIELDS.iter().find(|(_, key)| key == wanted).map(|(field, _)| *field),
    }
}

/// Reads one of Marathon's arrays.
pub(super) fn marathon(texts: &[String]) -> Result<Test, String> {
    let (field, operator, value) = match texts {
        [field, operator] => (field, operator, None),
        [field, operator, value] => (field, operator, Some(value.as_str()).filter(|value| !value.is_empty())),
        _ => {
            let number = texts.len();
            return Err(format!(
                "a constraint has two or three texts, as in [\"hostname\", \"UNIQUE\"], and this one has {number}"
            ));
        }
    };
    if field.is_empty() {
        return Err(
            "the field, which is the first text, is empty: hostname or an attribute's name is expected"
                .into(),
        );
    }
    Ok(Test { key: key(field), op: operation(operator, value)? })
}

fn operation(operator: &str, value: Option<&str>) -> Result<Op, String> {
    let operator = operator.to_uppercase();
    let needed = |example: &str| {
        value.map(String::from).ok_or_else(|| {
            format!("{operator} needs a value, as in [\"rack\", \"{operator}\", \"{example}\"]")
        })
    };
    Ok(match operator.as_str() {
        "UNIQUE" => match value {
            None => Op::Unique,
            Some(value) => return Err(format!("UNIQUE takes no value, and {value:?} is given")),
        },
        "CLUSTER" => Op::Cluster(value.map(String::from)),
        // Marathon tolerates "inf" and makes nothing of it.
        "GROUP_BY" => match value.filter(|value| !value.eq_ignore_ascii_case("inf")) {
            None => Op::GroupBy(None),
            Some(value) => Op::GroupBy(Some(count(value, "GROUP_BY")?)),
        },
        "MAX_PER" => Op::MaxPer(count(&needed("2")?, "MAX_PER")?),
        "LIKE" => Op::Like(needed("rack-[1-3]")?),
        "UNLIKE" => Op::Unlike(needed("rack-[1-3]")?),
        "IS" => {
            let value = value.unwrap_or_default();
            if !value.chars().all(is_plain) {
                return Err(format!(
                    "IS takes a value of letters, digits, _, /, ., and - only, and {value:?} holds others"
                ));
            }
            Op::Is(value.into())
        }
        _ => {
            return Err(format!(
                "{operator:?} is no operator; UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER and IS are"
            ));
        }
    })
}

/// What Marathon takes in the value of IS.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-')
}

/// Reads one of original Swan's objects.
pub(super) fn swan(attribute: &str, operator: &str, value: &str) -> Result<Test, String> {
    if attribute.is_empty() {
        return Err("attribute: is empty: hostname or an attribute's name is expected".into());
    }
    if !matches!(operator, "==" | "!=" | "~=") {
        return Err(format!("operator: {operator:?} is none: ==, != and ~= are"));
    }
    Ok(Test { key: key(attribute), op: sign_operator(operator, value.into()) })
}

impl Element {
    /// The canonical form of one rule that must hold.
    pub(super) fn of(expr: &Expr) -> Self {
        let array = match expr {
            Expr::Test(test) => array(test),
            Expr::All(_) | Expr::Any(_) | Expr::Not(_) => None,
        };
        array.map_or_else(|| Self::Text(expr.to_string()), Self::Marathon)
    }
}

/// How Marathon says it, if it can.
fn array(test: &Test) -> Option<Vec<String>> {
    let value = match &test.op {
        Op::Unique | Op::Cluster(None) | Op::GroupBy(None) => None,
        Op::GroupBy(Some(number)) | Op::MaxPer(number) => Some(number.to_string()),
        Op::Cluster(Some(value)) if !value.is_empty() => Some(value.clone()),
        Op::Like(value) | Op::Unlike(value) => Some(value.clone()),
        Op::Is(value) if value.chars().all(is_plain) => Some(value.clone()),
        Op::Cluster(_)
        | Op::Is(_)
        | Op::Equal(_)
        | Op::Unequal(_)
        | Op::Search(_)
        | Op::Compare(..)
        | Op::Contains(_) => return None,
    };
    let head = [field(&test.key)?.to_string(), test.op.word().to_string()];
    Some(head.into_iter().chain(value).collect())
}
