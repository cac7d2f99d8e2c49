//! Owns the reading of whole files: lists and groups.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::spec::*;

const DOCKER: &str = r#""container":{"docker":{"image":"nginx"}}"#;

/// What is said of each: `place: path`, or `place: problem`.
fn told(file: &str) -> Vec<String> {
    let mut told = Vec::new();
    for document in read_documents(file.as_bytes()) {
        match document.outcome {
            Ok(Some(spec)) => told.push(format!("{}: {}", document.place, spec.path)),
            Ok(None) => told.push(format!("{}: a group", document.place)),
            Err(problems) => {
                told.extend(problems.iter().map(|problem| format!("{}! {}", problem.path, problem.message)));
            }
        }
        told.extend(document.warnings.iter().map(|warning| format!("{}? {}", warning.path, warning.message)));
    }
    told
}

#[test]
fn a_file_may_hold_one_app_or_a_list_of_them() {
    let app = |id: &str| format!(r#"{{"id":"{id}",{DOCKER}}}"#);
    assert_eq!(told(&app("web")), [": /web"]);
    assert_eq!(told(&format!("[{},{}]", app("/a/b"), app("c"))), ["[0]: /a/b", "[1]: /c"]);
    assert_eq!(told(&format!(r#"{{"apps":[{}]}}"#, app("/a"))), ["apps[0]: /a"]);
    assert_eq!(told(&format!(r#"{{"app":{}}}"#, app("/a"))), ["app: /a"]);
    assert!(told("{")[0].starts_with("! is not JSON"));
    assert!(told("7")[0].starts_with("! is 7; must be an object"));
    assert!(told("[7]")[0].starts_with("[0]! is 7; must be an object"));
    for nothing in ["[]", r#"{"id":"/","apps":[],"groups":[{"id":"a"}]}"#] {
        assert_eq!(told(nothing), ["! holds no app; must hold at least one"], "{nothing}");
    }
}

#[test]
fn ids_in_groups_are_meant_from_there() {
    let file = format!(
        r#"{{"id":"prod","apps":[{{"id":"web",{DOCKER}}}],"groups":[
            {{"id":"shop","apps":[{{"id":"db",{DOCKER},"dependencies":["../web"]}},{{"id":"/prod/shop/cache",{DOCKER}}}]}},
            {{"id":"/prod/blog/","apps":[{{"id":"web",{DOCKER},"cpu":1}}],"groups":null}}]}}"#
    );
    let expected = [
        "apps[0]: /prod/web",
        "groups[0].apps[0]: /prod/shop/db",
        "groups[0].apps[0].dependencies? is kept and shown, but not acted on yet",
        "groups[0].apps[1]: /prod/shop/cache",
        "groups[1].apps[0]: /prod/blog/web",
        "groups[1].apps[0].cpu? is unknown and ignored; is cpus meant?",
    ];
    assert_eq!(told(&file), expected);
    let documents = read_documents(file.as_bytes());
    let spec = documents[1].outcome.as_ref().ok().and_then(Option::as_ref).expect("an app");
    assert_eq!(spec.carried["dependencies"], r#"["/prod/web"]"#);
}

#[test]
fn apps_and_groups_stay_in_their_group() {
    let file = format!(
        r#"{{"id":"/a","apps":[{{"id":"/b/c",{DOCKER}}},{{"id":"/ab",{DOCKER}}},{{"id":"../d",{DOCKER}}}],
            "groups":[{{"id":"/x"}},{{"id":"B c"}},{{"id":"e","pods":[{{}}],"color":1,"dependencies":["/f"]}}]}}"#
    );
    let expected = [
        "apps[0].id! is \"/b/c\"; must be below /a, the group that it is in",
        "apps[1].id! is \"/ab\"; must be below /a, the group that it is in",
        "apps[2].id! is \"../d\"; must be below /a, the group that it is in",
        "groups[0].id! is \"/x\"; must be below /a, the group that it is in",
        "groups[1].id! is \"B c\"; segment 'B c' must consist of lower case letters, digits, '-' and '.', and neither begin nor end with '-' or '.'",
        "groups[2].pods! are not supported; must be replaced by apps with one container each",
    ];
    assert_eq!(told(&file), expected);
}

#[test]
fn apps_of_a_file_are_held_against_each_other() {
    let app = |id: &str, more: &str| format!(r#"{{"id":"{id}",{DOCKER}{more}}}"#);
    let twice = format!("[{},{}]", app("/a", ""), app("a", ""));
    assert_eq!(
        told(&twice),
        ["[0]: /a", "[1].id! is /a, as is the app at [0]; each app must have an id of its own"]
    );
    let clash = format!(r#"{{"apps":[{}],"groups":[{{"id":"a","apps":[]}}]}}"#, app("/a", ""));
    let expected =
        "apps[0].id! is /a, as is the group at groups[0]; groups and apps must not have the same id";
    assert_eq!(told(&clash), [expected]);
    let circle = format!(
        "[{},{},{},{}]",
        app("/a", r#","dependencies":["b"]"#),
        app("/b", r#","dependencies":["c","a"]"#),
        app("/c", ""),
        app("/d", r#","dependencies":["a"]"#)
    );
    let expected = told(&circle);
    assert!(
        expected[0].starts_with("[0].dependencies! Dependency graph has cyclic dependencies"),
        "{expected:?}"
    );
    assert!(expected[1].starts_with("[1].dependencies! Dependency graph"), "{expected:?}");
    assert_eq!(expected[2..4], ["[2]: /c", "[3]: /d"], "only those in the circle are refused");
}
