//! Owns what keeps core pure: no std, no hash order, no floats, few dependencies.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item};

use crate::expect_none;
use crate::repository::{TextFile, cargo, packages, read, root, rust_files, text};

const DIRECT: [&str; 6] = ["crc32fast", "postcard", "prost", "regex", "serde", "serde_json"];
const FLOATS_IN: &str = "core/src/number.rs";

/// The files of core's library that are compiled outside of tests, with their items of that kind.
fn shipped_files() -> Vec<(TextFile, Vec<Item>)> {
    let files: Vec<TextFile> =
        rust_files().into_iter().filter(|file| file.path.starts_with("core/src/")).collect();
    let for_tests: Vec<String> = files.iter().flat_map(test_modules).collect();
    let is_shipped = |file: &TextFile| !for_tests.iter().any(|stem| is_under(&file.path, stem));
    let shipped = files.into_iter().filter(is_shipped);
    shipped
        .map(|file| {
            let items = file.syntax().items.into_iter().filter(|item| !is_for_tests(item)).collect();
            (file, items)
        })
        .collect()
}

fn is_under(path: &str, stem: &str) -> bool {
    path.strip_prefix(stem).is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

/// Paths without `.rs` of the modules that `file` declares for tests only.
fn test_modules(file: &TextFile) -> Vec<String> {
    let stem = file.path.trim_end_matches(".rs");
    let folder = ["/lib", "/mod"].iter().find_map(|name| stem.strip_suffix(name)).unwrap_or(stem);
    let modules = file.syntax().items.into_iter().filter(is_for_tests);
    modules
        .filter_map(|item| match item {
            Item::Mod(module) if module.content.is_none() => Some(format!("{folder}/{}", module.ident)),
            _ => None,
        })
        .collect()
}

fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Const(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    };
    attributes.iter().any(|attribute| attribute.to_token_stream().to_string() == "# [cfg (test)]")
}

/// Calls `visit` with each token that is no group, as text, and its line.
fn each_token(tokens: TokenStream, visit: &mut impl FnMut(&str, usize)) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => each_token(group.stream(), visit),
            TokenTree::Ident(ident) => visit(&ident.to_string(), ident.span().start().line),
            TokenTree::Literal(literal) => visit(&literal.to_string(), literal.span().start().line),
            TokenTree::Punct(_) => {}
        }
    }
}

/// Where core's shipped code contains a token that is `wrong` in that file.
fn tokens_that(wrong: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (file, items) in shipped_files() {
        for item in items {
            each_token(item.to_token_stream(), &mut |token, line| {
                if wrong(&file.path, token) {
                    found.push(format!("{}:{line}: {token}", file.path));
                }
            });
        }
    }
    found
}

#[test]
fn core_is_without_std() {
    let lib = read("core/src/lib.rs");
    assert!(lib.lines().any(|line| line == "#![no_std]"), "core/src/lib.rs must say #![no_std]");
    let found = tokens_that(|_, token| ["std", "println", "eprintln"].contains(&token));
    expect_none(
        &found,
        "core is no_std: use core:: and alloc::, and let a shell do what needs an operating system.",
    );
}

#[test]
fn core_has_no_hash_order() {
    let found = tokens_that(|_, token| token.starts_with("HashMap") || token.starts_with("HashSet"));
    expect_none(
        &found,
        "The order of a hash map is no function of the input: use BTreeMap, BTreeSet or a Vec.",
    );
}

#[test]
fn core_has_floats_in_one_file_only() {
    let is_float = |token: &str| {
        ["f32", "f64"].contains(&token) || matches!(syn::parse_str(token), Ok(syn::Lit::Float(_)))
    };
    let found = tokens_that(|path, token| path != FLOATS_IN && is_float(token));
    expect_none(
        &found,
        "Resources and ratios are integers; core/src/number.rs turns parsed JSON numbers into them.",
    );
}

#[test]
fn core_depends_on_what_was_agreed() {
    let members = packages();
    let core =
        members.iter().find(|member| text(member, "name") == "swan-core").expect("swan-core is a member");
    let dependencies = core["dependencies"].as_array().expect("a package lists dependencies");
    let shipped = dependencies.iter().filter(|dependency| text(dependency, "kind") != "dev");
    let unknown: Vec<String> = shipped
        .map(|dependency| text(dependency, "name").to_owned())
        .filter(|name| !DIRECT.contains(&name.as_str()))
        .collect();
    expect_none(
        &unknown,
        "core's dependencies are agreed: take it out, or write a decision record and add it to DIRECT.",
    );
}

#[test]
fn core_drags_in_what_is_listed_and_no_std_with_it() {
    let tree = ["tree", "--locked", "-p", "swan-core", "--prefix", "none"];
    let names = cargo(&[&tree[..], &["-e", "normal", "--no-dedupe", "-f", "{p}"]].concat());
    let mut actual: Vec<&str> = names.lines().filter_map(|line| line.split(' ').next()).collect();
    actual.sort_unstable();
    actual.dedup();
    actual.retain(|name| *name != "swan-core");
    let list = "tests/tests/policy/core-dependencies.txt";
    let expected = std::fs::read_to_string(root().join(list)).unwrap_or_default();
    let actual = actual.join("\n") + "\n";
    assert!(actual == expected, "{list} must list what core needs, which is now:\n{actual}");

    let features = cargo(&[&tree[..], &["-e", "normal,features,no-proc-macro", "-f", "{p}"]].concat());
    let with_std: Vec<String> =
        features.lines().filter(|line| line.contains("feature \"std\"")).map(str::to_owned).collect();
    expect_none(&with_std, "core alone must build without std: turn the feature off in the root Cargo.toml.");
}
