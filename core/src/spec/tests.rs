//! Tests of specs as a whole: what is understood, what is refused and how, and that the canonical form is a fixed point.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;

const WEB: &str = r#""id":"/shop/web","container":{"docker":{"image":"nginx"}}"#;

/// The document `{"id":"/shop/web","container":…, <more>}`.
fn web(more: &str) -> String {
    if more.is_empty() { format!("{{{WEB}}}") } else { format!("{{{WEB},{more}}}") }
}

/// Parses, and checks on the way that the canonical form is a fixed point.
fn parse(document: &str) -> Parsed {
    let parsed =
        AppSpec::parse(document.as_bytes()).unwrap_or_else(|problems| panic!("{document}: {problems:?}"));
    let canonical = parsed.spec.canonical_json();
    let again =
        AppSpec::parse(canonical.as_bytes()).unwrap_or_else(|problems| panic!("{canonical}: {problems:?}"));
    assert_eq!(again.spec.canonical_json(), canonical);
    assert!(again.spec == parsed.spec, "{canonical}");
    for warning in again.warnings {
        assert!(parsed.warnings.contains(&warning), "{warning:?} is new in {canonical}");
    }
    parsed
}

/// What is wrong, as `path: message`.
fn problems(document: &str) -> Vec<String> {
    match AppSpec::parse(document.as_bytes()) {
        Ok(parsed) => panic!("{document} was taken as {}", parsed.spec.canonical_json()),
        Err(problems) => {
            problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
        }
    }
}

#[test]
fn an_image_is_enough() {
    let Parsed { spec, warnings } = parse(&web(""));
    assert_eq!(warnings, []);
    assert_eq!(
        spec.canonical_json(),
        concat!(
            r#"{"id":"/shop/web","instances":1,"cpus":1,"mem":128,"disk":0,"labels":{},"#,
            r#""container":{"type":"DOCKER","docker":{"image":"nginx","forcePullImage":false,"privileged":false}},"#,
            r#""networks":[{"mode":"host"}],"portDefinitions":[{"port":0,"protocol":"tcp","name":"default"}],"#,
            r#""requirePorts":false,"backoffSeconds":1,"backoffFactor":1.15,"maxLaunchDelaySeconds":300}"#,
        )
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_path() {
    let document = r#"{"id":"/Shop","cpus":-1,"instances":1.5,"cmd":"a","args":["b"],"env":{"PASSWORD":12345},
        "container":{"docker":{"image":"nginx","portMappings":[{"containerPort":65536}]}},"cpus":2,"constraints":[["hostname","UNIQUE"]]}"#;
    let told = problems(document);
    for expected in [
        "id: is \"/Shop\"; segment 'Shop' must",
        "cpus: is -1; must be a number from 0.001 to 1000000000",
        "cpus: is given more than once",
        "instances: is 1.5; must be a whole number from 0 to 50000",
        "args: is a list; must be left out, since cmd is given",
        "env.PASSWORD: is a number; must be text, in quotes",
        "container.docker.portMappings[0].containerPort: is 65536; must be a whole number from 0 to 65535",
        "container.docker.portMappings: are for bridge networks; must be given with",
        "constraints: is not supported yet",
    ] {
        assert!(
            told.iter().any(|problem| problem.starts_with(expected)),
            "{expected} is not among {told:#?}"
        );
    }
    assert_eq!(told.len(), 9, "{told:#?}");
}
