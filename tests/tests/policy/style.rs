//! Owns how files look: their size, their first line, their names, and what must not be left behind.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::expect_none;
use crate::repository::{TextFile, read, rust_files, text_files};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn files_are_short() {
    let is_code = |file: &TextFile| [".rs", ".ts", ".tsx"].iter().any(|end| file.path.ends_with(end));
    let files = text_files().into_iter().filter(|file| is_code(file) && !file.is_generated());
    let long: Vec<String> = files
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    expect_none(&long, "A file has at most 800 lines: split it by what it owns.");
}

/// Collects functions that are too long.
struct Functions<'a> {
    path: &'a str,
    long: Vec<String>,
}

impl Functions<'_> {
    fn judge(&mut self, name: &syn::Ident, from: Span, to: Span) {
        let lines = to.end().line - from.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.long.push(format!("{}:{}: {name} has {lines} lines", self.path, from.start().line));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.judge(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.judge(&item.sig.ident, item.sig.span(), item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.judge(&item.sig.ident, item.sig.span(), block.span());
        }
        visit::visit_trait_item_fn(self, item);
    }
}

#[test]
fn functions_fit_on_a_screen() {
    let mut long = Vec::new();
    for file in rust_files() {
        let mut functions = Functions { path: &file.path, long: Vec::new() };
        functions.visit_file(&file.syntax());
        long.append(&mut functions.long);
    }
    expect_none(&long, "A function has at most 70 lines: name its parts.");
}

#[test]
fn modules_say_what_they_own() {
    let silent = rust_files().into_iter().filter(|file| !file.text.starts_with("//! "));
    let silent: Vec<String> = silent.map(|file| file.path).collect();
    expect_none(&silent, "The first line of a module is `//! ` and says what the module owns.");
}

#[test]
fn names_say_something() {
    const EMPTY: [&str; 7] = ["util", "utils", "helper", "helpers", "misc", "common", "manager2"];
    let mut found = Vec::new();
    for file in rust_files() {
        let stem = file.path.trim_end_matches(".rs").to_owned();
        if stem.split('/').any(|part| EMPTY.contains(&part)) {
            found.push(file.path.clone());
        }
        for item in &file.syntax().items {
            if let syn::Item::Mod(module) = item
                && EMPTY.contains(&module.ident.to_string().as_str())
            {
                found.push(format!("{}: mod {}", file.path, module.ident));
            }
        }
    }
    expect_none(&found, "Such a name says nothing: name the module for what it owns.");
}

#[test]
fn nothing_is_left_behind() {
    // Joined here so that this file does not contain what it looks for.
    let marks =
        [["to", "do!("], ["unimple", "mented!("], ["db", "g!("], ["#[ign", "ore"], ["#[should_", "panic"]];
    let words = [["FIX", "ME"], ["XX", "X"]];
    let (marks, words) = (marks.map(|parts| parts.concat()), words.map(|parts| parts.concat()));
    let has_word =
        |line: &str| line.split(|c: char| !c.is_alphanumeric()).any(|word| words.iter().any(|w| w == word));
    let mut found = Vec::new();
    for file in rust_files() {
        for (index, line) in file.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) || has_word(line) {
                found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    expect_none(&found, "Finish it, or delete it; a test asserts the behaviour that is.");
}

#[test]
fn no_file_names_a_machine() {
    let homes = ["work", "home", "root", "Users"].map(|folder| format!("/{folder}/"));
    let mut found = Vec::new();
    for file in text_files() {
        for (index, line) in file.text.lines().enumerate() {
            if homes.iter().any(|home| contains_path(line, home)) {
                found.push(format!("{}:{}: {}", file.path, index + 1, line.trim()));
            }
        }
    }
    expect_none(
        &found,
        "A path of somebody's machine means nothing elsewhere: make it relative, or an argument.",
    );
}

/// Whether `line` has a path that begins with `home`; not one that merely contains it, as a URL may.
fn contains_path(line: &str, home: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || "._-/~$}".contains(c);
    line.match_indices(home).any(|(at, _)| !line[..at].ends_with(is_inner))
}

#[test]
fn documents_do_not_repeat_versions() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("the root manifest is TOML");
    let dependencies = manifest["workspace"]["dependencies"].as_table().expect("a table of dependencies");
    let mut found = Vec::new();
    for file in text_files().iter().filter(|file| file.path.ends_with(".md")) {
        for (name, value) in dependencies {
            let version = value.as_str().or_else(|| value.get("version").and_then(toml::Value::as_str));
            let Some(version) = version else { continue };
            for written in
                [format!("{name} {version}"), format!("{name} v{version}"), format!("`{name}` {version}")]
            {
                if file.text.contains(&written) {
                    found.push(format!("{}: {written}", file.path));
                }
            }
        }
    }
    expect_none(&found, "Versions stand in Cargo.toml alone: name the crate without one.");
}
