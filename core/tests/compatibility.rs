//! Owns the proof that the table of fields is true of the reader, and that `docs/COMPATIBILITY.md` is made from it.
//!
//! `UPDATE=1` writes the document anew.

#[path = "compatibility/examples.rs"]
mod examples;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use swan_core::spec::fates::{FIELDS, Fate, Field, Format};
use swan_core::spec::{AppSpec, Parsed};

use examples::EXAMPLES;

const MARATHON: &str = r#"{"id":"/shop/web","container":{"docker":{"image":"nginx"}}}"#;
const ORIGINAL: &str = r#"{"name":"web","runAs":"shop","instances":2,"container":{"docker":{"image":"nginx","network":"bridge"}}}"#;
const NOT_YET: &str = "is kept and shown, but not acted on yet";

/// The document that says `example`, and the same without the field.
fn with_and_without(field: &Field, example: &str) -> (Value, Value) {
    let base = if field.format == Format::Original { ORIGINAL } else { MARATHON };
    let mut with: Value = serde_json::from_str(base).expect("the base is JSON");
    merge(&mut with, serde_json::from_str(example).unwrap_or_else(|error| panic!("{}: {error}", field.path)));
    let mut without = with.clone();
    assert!(remove(&mut without, field.path), "the example of {} lacks it: {example}", field.path);
    (with, without)
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

/// Takes the field out of the document; `false` if it is not in there.
fn remove(document: &mut Value, path: &str) -> bool {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let key = first.trim_end_matches("[]");
    let Some(object) = document.as_object_mut() else { return false };
    let key = if key == "*" { object.keys().next().cloned().unwrap_or_default() } else { key.into() };
    let Some(rest) = rest else { return object.remove(&key).is_some() };
    let Some(inner) = object.get_mut(&key) else { return false };
    let inner = if first.ends_with("[]") { inner.get_mut(0) } else { Some(inner) };
    inner.is_some_and(|inner| remove(inner, rest))
}

fn parse(document: &Value) -> Result<Parsed, Vec<String>> {
    let problems = AppSpec::parse(document.to_string().as_bytes());
    problems.map_err(|problems| problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect())
}

/// A place in a document as the table writes it.
fn shape(place: &str) -> String {
    let mut shape = String::new();
    for part in place.split_inclusive('[') {
        let digits = part.trim_start_matches(|c: char| c.is_ascii_digit());
        shape.push_str(if digits.starts_with(']') { digits } else { part });
    }
    shape
}

/// `Err` says how the reader treats the field otherwise than the table has it.
fn prove(field: &Field, example: &str) -> Result<(), String> {
    let (with, without) = with_and_without(field, example);
    let canonical = |parsed: &Result<Parsed, Vec<String>>| match parsed {
        Ok(parsed) => Ok(parsed.spec.canonical_json()),
        Err(problems) => Err(problems.clone()),
    };
    let without = canonical(&parse(&without));
    let parsed = parse(&with);
    if field.fate == Fate::Refused {
        let Err(problems) = AppSpec::parse(with.to_string().as_bytes()) else {
            return Err("is taken".into());
        };
        let said = problems
            .iter()
            .any(|problem| shape(&problem.path) == field.path && problem.message == field.note);
        return if said { Ok(()) } else { Err(format!("is refused with {problems:?}")) };
    }
    let with = canonical(&parsed).map_err(|problems| format!("is refused: {problems:?}"))?;
    let warnings = parsed.map(|parsed| parsed.warnings).unwrap_or_default();
    let key = field.path.split(['.', '[']).next().unwrap_or_default();
    let kept = warnings.iter().any(|warning| warning.path.starts_with(key) && warning.message == NOT_YET);
    let matters = without != Ok(with);
    match (field.fate, matters, kept) {
        (Fate::Honoured, true, false) | (Fate::Carried, true, true) | (Fate::Ignored, false, false) => Ok(()),
        _ => Err(format!("makes a difference: {matters}, is kept only: {kept}, with {warnings:?}")),
    }
}

#[test]
fn every_field_has_the_fate_that_the_table_says() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for field in FIELDS {
        let found =
            EXAMPLES.iter().position(|(format, path, _)| (*format, *path) == (field.format, field.path));
        let Some(index) = found else {
            wrong.push(format!("{:?} {}: has no example", field.format, field.path));
            continue;
        };
        used.insert(index);
        if let Err(how) = prove(field, EXAMPLES[index].2) {
            wrong.push(format!("{:?} {}: {how}", field.format, field.path));
        }
    }
    let unused = (0..EXAMPLES.len()).filter(|index| !used.contains(index));
    wrong.extend(unused.map(|index| format!("{} is no field of the table", EXAMPLES[index].1)));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_field_stands_in_the_table_twice() {
    let mut seen = BTreeSet::new();
    for field in FIELDS {
        assert!(seen.insert((format!("{:?}", field.format), field.path)), "{} is there twice", field.path);
    }
}

/// Places are compared by their shape.
#[test]
fn places_have_a_shape() {
    assert_eq!(shape("container.volumes[12].mode"), "container.volumes[].mode");
    assert_eq!(shape("env[\"a b\"]"), "env[\"a b\"]");
}

const INTRODUCTION: &str = "\
# What becomes of each field

Swan reads Marathon's app definitions, canonical and legacy, and original Swan's. It keeps and shows one form: Marathon's
canonical one with Swan's own keys beside it. Reading that form again changes nothing.

- **honoured**: it does what it says;
- **carried**: it is kept and shown, but not acted on yet, and a warning says so;
- **ignored**: it may be there, and is dropped;
- **refused**: a definition with it is refused, with the reason that is given here.

Names of choices may be written in any case; `null` means that a field is not there. A key that is in no table here is
ignored with a warning that names the nearest known one; in Swan's own objects (`failover`, `update`, `placement`, `kill`,
`restart`, `healthCheck`, `proxy`, `canary`, `autoscale`, an object of `constraints`) it is refused. All problems of a
definition are told at once, each with its place, what is there, and what would be right; `swan app validate` tells them
without a manager, also for lists of apps and Marathon's groups.

Made from the table in `core/src/spec/fates.rs` by `core/tests/compatibility.rs`, which proves each line against the reader.
";

fn document() -> String {
    let sections = [
        (Format::Marathon, "Marathon", "As Marathon 1.5 and later write it."),
        (Format::Legacy, "Marathon before 1.5", "Read, and written in today's form."),
        (
            Format::Original,
            "Original Swan",
            "A definition with `name` and `runAs` and without a path as its `id`. Fields that both formats have are as in Marathon's. \
             Without more said, tasks are replaced one by one, the old one first, with a progress deadline of two minutes.",
        ),
        (Format::Swan, "Swan's own", "Beside Marathon's, in a definition with `id`."),
    ];
    let mut text = String::from(INTRODUCTION);
    for (format, title, about) in sections {
        write!(text, "\n## {title}\n\n{about}\n\n| field | fate | note |\n|---|---|---|\n")
            .expect("a text takes all");
        for field in FIELDS.iter().filter(|field| field.format == format) {
            let fate = format!("{:?}", field.fate).to_lowercase();
            writeln!(text, "| `{}` | {fate} | {} |", field.path, field.note).expect("a text takes all");
        }
    }
    text
}

#[test]
fn the_document_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COMPATIBILITY.md");
    let wanted = document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &wanted).expect("the document can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(there == wanted, "docs/COMPATIBILITY.md is not what the table says; UPDATE=1 writes it anew");
}

/// The bases alone are good, so that each proof is about its field.
#[test]
fn the_bases_are_good() {
    for base in [MARATHON, ORIGINAL] {
        assert_eq!(AppSpec::parse(base.as_bytes()).map(|parsed| parsed.warnings), Ok(Vec::new()));
    }
    let mut merged = json!({"a": {"b": 1}});
    merge(&mut merged, json!({"a": {"c": 2}}));
    assert_eq!(merged, json!({"a": {"b": 1, "c": 2}}));
}
