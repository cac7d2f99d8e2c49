//! Owns regular expressions: Java's and Go's, as far as they can be matched in linear time, compiled within limits.

use alloc::format;
use alloc::string::{String, ToString};

use regex::{Regex, RegexBuilder};

use crate::limits::{REGEX_BYTES_MAX, REGEX_DEPTH_MAX};

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Is exactly this.
    Exact(String),
    /// Begins with this, and what follows has no line's end.
    Prefix(String),
    /// Holds this.
    Within(String),
    /// Whatever only the engine can tell.
    Regex(Regex),
}

/// Whether the whole value has to match, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

impl Pattern {
    /// `Err` says what is wrong with the expression.
    pub(super) fn new(text: &str, whole: Whole) -> Result<Self, String> {
        match (whole, text.strip_suffix(".*").unwrap_or(text)) {
            (Whole::Yes, _) if is_literal(text) => return Ok(Self::Exact(text.into())),
            (Whole::No, _) if is_literal(text) => return Ok(Self::Within(text.into())),
            (Whole::Yes, prefix) if is_literal(prefix) => return Ok(Self::Prefix(prefix.into())),
            _ => {}
        }
        let ascii = translate(text)?;
        // By itself first: in its frame, parentheses that do not match could seem to.
        let bare = compile(&ascii)?;
        Ok(Self::Regex(match whole {
            Whole::Yes => compile(&format!(r"\A(?:{ascii})\z"))?,
            Whole::No => bare,
        }))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(literal) => text == literal,
            Self::Prefix(literal) => text.strip_prefix(&**literal).is_some_and(|rest| !rest.contains('\n')),
            Self::Within(literal) => text.contains(&**literal),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

fn is_literal(text: &str) -> bool {
    !text.contains(|c| r"\.+*?()|[]{}^$".contains(c))
}

fn compile(text: &str) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).nest_limit(REGEX_DEPTH_MAX);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => {
            format!(
                "the regular expression takes more than {REGEX_BYTES_MAX} bytes compiled: repeat less in it"
            )
        }
        other => format!("the regular expression is not understood: {}", last_line(&other.to_string())),
    })
}

/// The engine draws a picture of several lines; the last one says what is wrong.
fn last_line(text: &str) -> &str {
    let line = text.lines().last().unwrap_or(text);
    line.strip_prefix("error: ").unwrap_or(line)
}

/// The classes and borders that both Java and Go take for ASCII, which the engine takes for Unicode; and by name what
/// only Java has.
fn translate(text: &str) -> Result<String, String> {
    let mut ascii = String::new();
    let mut rest = text.chars();
    let mut class_depth = 0_usize;
    while let Some(c) = rest.next() {
        let after = rest.as_str();
        match c {
            '\\' => match rest.next() {
                // Its braces repeat nothing.
                Some(code @ ('x' | 'u' | 'U')) if rest.as_str().starts_with('{') => {
                    ascii.extend(['\\', code]);
                    ascii.extend(rest.by_ref().take_while(|c| *c != '}'));
                    ascii.push('}');
                }
                Some(escaped) => ascii.push_str(&escape(escaped)?),
                None => ascii.push(c),
            },
            '[' => {
                class_depth += 1;
                ascii.push(c);
            }
            ']' => {
                class_depth = class_depth.saturating_sub(1);
                ascii.push(c);
            }
            '*' | '+' | '?' | '}' if class_depth == 0 && after.starts_with('+') => {
                return Err(unsupported("possessive repetition, such as a*+,"));
            }
            '(' if class_depth == 0 && ["?=", "?!", "?<=", "?<!"].iter().any(|s| after.starts_with(s)) => {
                return Err(unsupported("looking ahead or behind, such as (?!a),"));
            }
            '(' if class_depth == 0 && after.starts_with("?>") => {
                return Err(unsupported("an atomic group, such as (?>a),"));
            }
            other => ascii.push(other),
        }
    }
    Ok(ascii)
}

/// What stands for `\` and `escaped`.
fn escape(escaped: char) -> Result<String, String> {
    Ok(match escaped {
        'd' => "[0-9]".into(),
        'D' => "[^0-9]".into(),
        'w' => "[0-9A-Za-z_]".into(),
        'W' => "[^0-9A-Za-z_]".into(),
        's' => r"[\t\n\x0B\f\r\x20]".into(),
        'S' => r"[^\t\n\x0B\f\r\x20]".into(),
        'b' => r"(?-u:\b)".into(),
        'B' => r"(?-u:\B)".into(),
        '1'..='9' | 'k' => return Err(unsupported(r"a reference to an earlier group, such as \1,")),
        'p' | 'P' => return Err(unsupported(r"a class of Unicode, such as \p{L},")),
        other => ['\\', other].iter().collect(),
    })
}

fn unsupported(what: &str) -> String {
    format!("the regular expression has {what} which is not supported here")
}
