//! Owns what may come from outside: licences, banned crates and sources, as deny.toml lists them.

use crate::expect_none;
use crate::repository::{cargo, packages, read, root, text};

/// `deny.toml`, so that this test and cargo-deny cannot disagree.
struct Policy {
    licences: Vec<String>,
    /// A crate, and a licence that only it may have.
    exceptions: Vec<(String, String)>,
    /// A crate, and those through which it may come nevertheless.
    banned: Vec<(String, Vec<String>)>,
}

impl Policy {
    fn read() -> Self {
        let deny: toml::Table = read("deny.toml").parse().expect("deny.toml is TOML");
        let strings = |value: &toml::Value| -> Vec<String> {
            value
                .as_array()
                .expect("a list")
                .iter()
                .map(|item| item.as_str().expect("a text").to_owned())
                .collect()
        };
        let ban = |item: &toml::Value| {
            let wrappers = item.get("wrappers").map(strings).unwrap_or_default();
            (item["crate"].as_str().expect("a crate's name").to_owned(), wrappers)
        };
        let exceptions = deny["licenses"]["exceptions"].as_array().expect("a list").iter();
        let of_crate = |item: &toml::Value| {
            let name = item["crate"].as_str().expect("a crate's name").to_owned();
            strings(&item["allow"]).into_iter().map(move |licence| (name.clone(), licence))
        };
        Self {
            licences: strings(&deny["licenses"]["allow"]),
            exceptions: exceptions.flat_map(of_crate).collect(),
            banned: deny["bans"]["deny"].as_array().expect("a list").iter().map(ban).collect(),
        }
    }

    /// Whether the SPDX expression of a crate leaves us a choice that is allowed.
    fn allows(&self, name: &str, expression: &str) -> bool {
        let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = &words[..];
        let verdict = self.any_of(name, &mut rest);
        verdict && rest.is_empty()
    }

    fn any_of(&self, name: &str, rest: &mut &[&str]) -> bool {
        let mut verdict = self.all_of(name, rest);
        while take(rest, "OR") {
            verdict |= self.all_of(name, rest);
        }
        verdict
    }

    fn all_of(&self, name: &str, rest: &mut &[&str]) -> bool {
        let mut verdict = self.one(name, rest);
        while take(rest, "AND") {
            verdict &= self.one(name, rest);
        }
        verdict
    }

    fn one(&self, name: &str, rest: &mut &[&str]) -> bool {
        if take(rest, "(") {
            let verdict = self.any_of(name, rest);
            return take(rest, ")") && verdict;
        }
        let Some((first, after)) = rest.split_first() else { return false };
        *rest = after;
        let mut licence = (*first).to_owned();
        if take(rest, "WITH") {
            let Some((exception, after)) = rest.split_first() else { return false };
            *rest = after;
            licence = format!("{licence} WITH {exception}");
        }
        let is_exception = self.exceptions.iter().any(|(of, allowed)| of == name && *allowed == licence);
        is_exception || self.licences.contains(&licence)
    }
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    let found = rest.first() == Some(&word);
    if found {
        *rest = &rest[1..];
    }
    found
}

/// A crate that is compiled for some target, test or tool of this repository.
struct Crate {
    name: String,
    /// Name, version, and where it comes from if that is not the registry.
    label: String,
    licence: String,
}

/// All of them, with all features; what the lock file names and nothing compiles is not among them.
fn crates() -> Vec<Crate> {
    let tree = ["tree", "--locked", "--workspace", "--all-features", "--prefix", "none", "--no-dedupe"];
    let text = cargo(&[&tree[..], &["-e", "normal,build,dev", "-f", "{p}|{l}"]].concat());
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines.dedup();
    let parse = |line: &str| {
        let (label, licence) = line.split_once('|').expect("the format has one separator");
        let label = label.replace(" (proc-macro)", "");
        let name = label.split(' ').next().unwrap_or_default().to_owned();
        Crate { name, label, licence: licence.to_owned() }
    };
    lines.into_iter().map(parse).collect()
}

#[test]
fn expressions_are_judged_as_spdx_says() {
    let exceptions = vec![("odd".to_owned(), "NCSA".to_owned())];
    let policy =
        Policy { licences: vec!["MIT".to_owned(), "Zlib".to_owned()], exceptions, banned: Vec::new() };
    for good in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Zlib"] {
        assert!(policy.allows("any", good), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT WITH odd", "(MIT", "MIT )", "NCSA"] {
        assert!(!policy.allows("any", bad), "{bad}");
    }
    assert!(policy.allows("odd", "(MIT OR Apache-2.0) AND NCSA"));
}

#[test]
fn licences_are_allowed() {
    let policy = Policy::read();
    let bad = crates().into_iter().filter(|found| !policy.allows(&found.name, &found.licence));
    let bad: Vec<String> = bad.map(|found| format!("{}: {}", found.label, found.licence)).collect();
    expect_none(&bad, "deny.toml lists the licences we may ship with: do without the crate.");
}

#[test]
fn banned_crates_stay_out() {
    let crates = crates();
    let mut bad = Vec::new();
    for (name, wrappers) in Policy::read().banned {
        for found in crates.iter().filter(|found| found.name == name) {
            let users = users(&found.name);
            if wrappers.is_empty() || users.iter().any(|user| !wrappers.contains(user)) {
                bad.push(format!("{}, used by {}", found.label, users.join(", ")));
            }
        }
    }
    expect_none(
        &bad,
        "deny.toml bans it and says why: turn off the feature that brings it (cargo tree -i NAME).",
    );
}

/// The crates that depend on this one.
fn users(name: &str) -> Vec<String> {
    let tree = ["tree", "--locked", "--workspace", "--all-features", "--prefix", "depth", "--depth", "1"];
    let text = cargo(&[&tree[..], &["-e", "normal,build,dev", "-f", " {p}", "-i", name]].concat());
    let users = text.lines().filter_map(|line| line.strip_prefix("1 ")?.split(' ').next());
    users.map(str::to_owned).collect()
}

#[test]
fn sources_are_the_registry_and_this_repository() {
    let here = format!("({}", root().display());
    let is_foreign = |found: &Crate| found.label.contains(" (") && !found.label.contains(&here);
    let bad: Vec<String> = crates().into_iter().filter(is_foreign).map(|found| found.label).collect();
    expect_none(&bad, "Dependencies come from crates.io.");
}

#[test]
fn our_own_licence_is_there() {
    assert!(read("LICENSE").contains("Apache License"), "LICENSE must hold the Apache License 2.0");
    let other = packages().into_iter().filter(|package| text(package, "license") != "Apache-2.0");
    let other: Vec<String> = other.map(|package| text(&package, "name").to_owned()).collect();
    expect_none(&other, "Crates of this repository say `license.workspace = true`.");
}
