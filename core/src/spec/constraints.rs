//! Owns the reading and writing of `constraints`: a text, or a list of texts, Marathon's lists and original Swan's objects,
//! all of which must hold.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::json::Value;
use super::read::{At, Findings};
use crate::constraint::{Element, Rules};
use crate::limits;

/// Reads `constraints`.
pub(super) fn read(at: &At<'_>, findings: &mut Findings) -> Rules {
    let rules = match at.value {
        Value::Text(text) if text.trim().is_empty() => Rules::default(),
        Value::Text(_) => read_text(at, findings),
        Value::List(_) => {
            at.list(findings).fold(Rules::default(), |rules, at| rules.and(read_element(&at, findings)))
        }
        _ => {
            let must = "must be a text such as \"UNIQUE hostname\", or a list of texts, of lists such as [\"hostname\",\"UNIQUE\"], and of objects";
            at.refuse(findings, must);
            Rules::default()
        }
    };
    if rules.len() > limits::CONSTRAINTS_MAX {
        let (are, max) = (rules.len(), limits::CONSTRAINTS_MAX);
        findings.problem(&at.path, format!("has {are} rules; must have at most {max}"));
    }
    rules
}

fn read_element(at: &At<'_>, findings: &mut Findings) -> Rules {
    match at.value {
        Value::Text(_) => read_text(at, findings),
        Value::List(_) => read_marathons(at, findings),
        Value::Object(_) => read_originals(at, findings).unwrap_or_default(),
        _ => {
            let must = "must be a list such as [\"hostname\",\"UNIQUE\"], an object with attribute, operator and value, or a text";
            at.refuse(findings, must);
            Rules::default()
        }
    }
}

fn read_text(at: &At<'_>, findings: &mut Findings) -> Rules {
    let Some(text) = at.text(findings) else { return Rules::default() };
    Rules::parse(text).unwrap_or_else(|error| {
        findings.problem(&at.path, error.to_string());
        Rules::default()
    })
}

/// `["rack", "GROUP_BY", "3"]`.
fn read_marathons(at: &At<'_>, findings: &mut Findings) -> Rules {
    let elements: Vec<At<'_>> = at.list(findings).collect();
    let texts: Vec<String> = elements.iter().filter_map(|at| at.text(findings).map(String::from)).collect();
    if texts.len() < elements.len() {
        return Rules::default();
    }
    Rules::marathon(&texts).unwrap_or_else(|message| {
        findings.problem(&at.path, message);
        Rules::default()
    })
}

/// `{"attribute": "rack", "operator": "==", "value": "3"}`.
fn read_originals(at: &At<'_>, findings: &mut Findings) -> Option<Rules> {
    let mut fields = at.own_object(findings)?;
    let attribute = fields.require(findings, "attribute").and_then(|at| at.text(findings));
    let operator = fields.require(findings, "operator").and_then(|at| at.text(findings));
    let value = fields.get("value").map_or(Some(""), |at| at.text(findings));
    fields.finish(findings);
    let rules = Rules::swan(attribute?, operator?, value?);
    rules.map_err(|message| findings.problem(&at.path, message)).ok()
}

/// One element for each rule; `None` if there are none.
pub(super) fn written(rules: &Rules) -> Option<Value> {
    let element = |element| match element {
        Element::Marathon(texts) => {
            Value::List(texts.iter().map(|text| Value::from(text.as_str())).collect())
        }
        Element::Text(text) => Value::from(text.as_str()),
    };
    (!rules.is_empty()).then(|| Value::List(rules.elements().into_iter().map(element).collect()))
}
