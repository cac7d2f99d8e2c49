//! Owns `swan app validate`: what a manager would say to definitions, without one.

use std::path::PathBuf;

use serde_json::{Value, json};
use swan_core::scheduler::api::Problem;
use swan_core::spec::{Document, read_documents};

use super::apps::read;
use super::output::{self, plain, remark};
use crate::failure::Failure;

/// What was said so far, for people and for scripts.
#[derive(Debug, Default)]
struct Report {
    text: String,
    documents: Vec<Value>,
    bad: usize,
}

/// Checks every definition in `files`, and says everything that is wrong with each.
pub(crate) fn run(files: &[PathBuf], json: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    for file in files {
        let name = file.display().to_string();
        for document in &read_documents(&read(file)?) {
            report.add(&name, document);
        }
    }
    if json {
        output::json(&Value::Array(report.documents.clone()))?;
    } else {
        output::text(&report.text)?;
    }
    match (report.bad, report.documents.len()) {
        (0, _) => Ok(()),
        (bad, all) => Err(Failure::failed(format!("{bad} of {all} definitions would be refused"))),
    }
}

impl Report {
    fn add(&mut self, file: &str, document: &Document) {
        let (path, problems) = match &document.outcome {
            Ok(spec) => (spec.as_ref().map(|spec| spec.path.to_string()), &[][..]),
            Err(problems) => (None, &problems[..]),
        };
        let place = if document.place.is_empty() { String::new() } else { format!(": {}", document.place) };
        let verdict = match (&path, problems) {
            (Some(path), _) => format!("{path} is good"),
            (None, []) => "is a group".to_owned(),
            (None, _) => "would be refused".to_owned(),
        };
        self.text.push_str(&format!("{}{}: {}\n", plain(file), plain(&place), plain(&verdict)));
        self.text.extend(problems.iter().map(|problem| line("", problem)));
        self.text.extend(document.warnings.iter().map(|warning| line("warning: ", warning)));
        self.bad += usize::from(!problems.is_empty());
        self.documents
            .push(json!({"file": file, "place": document.place, "valid": problems.is_empty(), "path": path,
            "problems": items(problems), "warnings": items(&document.warnings)}));
    }
}

fn line(kind: &str, problem: &Problem) -> String {
    format!("  {kind}{}\n", remark(&problem.path, &problem.message))
}

fn items(problems: &[Problem]) -> Value {
    problems.iter().map(|problem| json!({"path": problem.path, "message": problem.message})).collect()
}
