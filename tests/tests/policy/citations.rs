//! Owns that what code and documents say of each other is true: cited rules exist, limits are as documented.

use std::collections::BTreeSet;

use crate::expect_none;
use crate::repository::{TextFile, read, root, rust_files, text_files};

/// Rules and invariants cited in `text`: `S2`, `L1`, `P4`, `D3`, `DT1`, `R28`.
fn citations(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
        let letters = &word[..word.len() - digits.len()];
        let number = digits.parse::<u32>().is_ok_and(|number| number > 0 && !digits.starts_with('0'));
        number
            && digits.len() <= 2 + usize::from(letters == "R")
            && ["S", "L", "P", "D", "DT", "R"].contains(&letters)
    })
}

/// The numbers that `docs/INVARIANTS.md` defines: the first cell of each row of its tables.
fn defined(document: &str) -> BTreeSet<&str> {
    let cells = document.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    cells.filter(|cell| citations(cell).next() == Some(cell)).collect()
}

#[test]
fn citations_are_recognised() {
    let found: Vec<&str> = citations("asks (R28, S2), R100; DT1 not: 0xD1 R0 S007 P256 std L_1 A1").collect();
    assert_eq!(found, ["R28", "S2", "R100", "DT1"]);
    assert_eq!(
        defined("| S2 | once |\n| number | statement |\n| x S3 | y |").into_iter().collect::<Vec<_>>(),
        ["S2"]
    );
}

#[test]
fn cited_rules_and_invariants_exist() {
    let document = read("docs/INVARIANTS.md");
    let defined = defined(&document);
    let mut unknown = Vec::new();
    let cites = |file: &TextFile| match file.path.as_str() {
        "tests/tests/policy/citations.rs" | "docs/INVARIANTS.md" => false,
        path => path.ends_with(".rs") || path.ends_with(".md"),
    };
    for file in text_files().iter().filter(|file| cites(file) && !file.is_generated()) {
        for (index, line) in file.text.lines().enumerate() {
            let missing = citations(line).filter(|number| !defined.contains(number));
            unknown.extend(missing.map(|number| format!("{}:{}: {number}", file.path, index + 1)));
        }
    }
    expect_none(
        &unknown,
        "docs/INVARIANTS.md numbers what we hold: give it a row that says so and where, or cite another.",
    );
}

#[test]
fn files_named_in_documents_exist() {
    let mut missing = Vec::new();
    for file in text_files().iter().filter(|file| file.path.ends_with(".md")) {
        for span in file.text.split('`').skip(1).step_by(2) {
            let is_path = span.contains('/')
                && [".rs", ".md", ".txt", ".toml", ".json"].iter().any(|end| span.ends_with(end));
            let is_ours =
                is_path && !span.contains(['<', '*', ' ', '{', '$']) && !span.starts_with(['/', '.']);
            if is_ours && !root().join(span).exists() {
                missing.push(format!("{}: `{span}`", file.path));
            }
        }
        for target in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let folder = root().join(&file.path).parent().expect("a file is in a folder").to_path_buf();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                missing.push(format!("{}: ({target})", file.path));
            }
        }
    }
    expect_none(
        &missing,
        "Paths in documents are relative to the root, links to the document; mend or remove them.",
    );
}

/// `256 KiB`, `20,000` and `25` as numbers.
fn documented(value: &str) -> Option<u64> {
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let scale = match unit {
        "" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number.replace(',', "").parse::<u64>().ok().map(|number| number * scale)
}

/// The value of `pub const NAME: T = 256 * 1024;` in `limits.rs`.
fn limit(source: &str, name: &str) -> Option<u64> {
    let line = source.lines().find(|line| line.starts_with(&format!("pub const {name}:")))?;
    let expression = line.split_once('=')?.1.trim().trim_end_matches(';').replace('_', "");
    expression.split('*').map(|factor| factor.trim().parse::<u64>().ok()).product()
}

#[test]
fn documented_limits_are_the_limits() {
    let source = read("core/src/limits.rs");
    let document = read("docs/OPERATING.md");
    let rows =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    let rows: Vec<(&str, &str)> =
        rows.filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')).collect();
    assert!(rows.len() > 5, "docs/OPERATING.md must have its table of limits");
    let wrong = rows
        .iter()
        .filter(|(name, value)| limit(&source, name).is_none() || limit(&source, name) != documented(value));
    let wrong: Vec<String> =
        wrong.map(|(name, value)| format!("{name}: {value}, but {:?}", limit(&source, name))).collect();
    expect_none(&wrong, "Mend the table of limits in docs/OPERATING.md.");
}

/// The long flags that a document tells people to give to `swan`.
fn flags(document: &str) -> BTreeSet<&str> {
    const OF_OTHERS: [&str; 7] =
        ["--nocapture", "--release", "--locked", "--test", "--fuzz-dir", "--features", "--all"];
    let is_flag = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = document.split(|c: char| !is_flag(c)).filter(|word| word.starts_with("--") && word.len() > 3);
    words.filter(|word| word.as_bytes()[2].is_ascii_lowercase() && !OF_OTHERS.contains(word)).collect()
}

#[test]
fn documented_flags_and_variables_are_those_of_the_program() {
    let files = rust_files();
    let program: String = files
        .iter()
        .filter(|file| file.path.starts_with("shells/swan/src/"))
        .map(|file| &*file.text)
        .collect();
    let operating = read("docs/OPERATING.md");
    let documents = operating.clone() + &read("README.md");
    let is_known = |flag: &str| {
        let field = format!(" {}: ", flag[2..].replace('-', "_"));
        program.contains(&field) || program.contains(&format!("long = \"{}\"", &flag[2..]))
    };
    let unknown = flags(&documents).into_iter().filter(|flag| !is_known(flag));
    let mut wrong: Vec<String> = unknown.map(|flag| format!("{flag} is documented and unknown")).collect();
    for variable in program.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
        if !operating.contains(&format!("`{variable}`")) {
            wrong.push(format!("{variable} is not documented"));
        }
    }
    expect_none(&wrong, "docs/OPERATING.md and README.md speak of the flags and variables that swan has.");
}
