//! Owns reading of labels and environment variables.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use super::carried::NOT_YET;
use super::json::Value;
use super::read::{At, Findings};
use crate::limits;

/// An object of texts, within the limits for labels.
pub(super) fn read(at: &At<'_>, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let Some(fields) = at.object(findings) else { return labels };
    for (key, value) in fields.entries() {
        if key.is_empty() || key.len() > limits::LABEL_KEY_BYTES_MAX || key.chars().any(char::is_control) {
            let must = format!(
                "must have a key of 1 to {} bytes without control characters",
                limits::LABEL_KEY_BYTES_MAX
            );
            findings.problem(&value.path, must);
            continue;
        }
        let Some(text) = value.text(findings) else { continue };
        if text.len() > limits::LABEL_VALUE_BYTES_MAX {
            let (is, max) = (text.len(), limits::LABEL_VALUE_BYTES_MAX);
            findings.problem(&value.path, format!("has {is} bytes; must have at most {max}"));
        }
        labels.insert(key.into(), text.into());
    }
    if labels.len() > limits::LABELS_MAX {
        let (are, max) = (labels.len(), limits::LABELS_MAX);
        findings.problem(&at.path, format!("has {are} labels; must have at most {max}"));
    }
    labels
}

/// Variables: with their values, and those whose values are secrets, by the secrets' names.
#[derive(Default)]
pub(super) struct Environment {
    pub(super) plain: BTreeMap<String, String>,
    pub(super) secret: BTreeMap<String, String>,
}

/// `env`: no value is ever shown, since it may be secret.
pub(super) fn read_env(at: &At<'_>, findings: &mut Findings) -> Environment {
    let mut env = Environment::default();
    let Some(fields) = at.object(findings) else { return env };
    let mut bytes = 0;
    for (name, value) in fields.entries() {
        if name.is_empty() || name.contains(['=', '\0', '\n', '\r']) {
            findings
                .problem(&value.path, "must have a name that is not empty and has no '=', NUL or line break");
            continue;
        }
        match value.value {
            Value::Text(text) if !text.contains('\0') => {
                bytes += name.len() + text.len();
                env.plain.insert(name.into(), text.clone());
            }
            Value::Text(_) => value.refuse_unseen(findings, "must not contain the character NUL"),
            Value::Object(entries) => match &entries[..] {
                [(key, Value::Text(secret))] if key == "secret" && !secret.is_empty() => {
                    findings.warn(&value.path, NOT_YET);
                    bytes += name.len() + secret.len();
                    env.secret.insert(name.into(), secret.clone());
                }
                _ => value
                    .refuse_unseen(findings, "must be text, or the name of a secret, as {\"secret\":\"…\"}"),
            },
            _ => value.refuse_unseen(findings, "must be text, in quotes"),
        }
    }
    if bytes > limits::ENV_BYTES_MAX {
        findings.problem(&at.path, format!("has {bytes} bytes; must have at most {}", limits::ENV_BYTES_MAX));
    }
    env
}
