//! Tests of specs as a whole: what is understood, what is refused and how, and that the canonical form is a fixed point.

mod documents;
mod honoured;
mod legacy;
mod original;
mod rejected;
mod same_containers;

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
    let Parsed { spec, warnings, .. } = parse(&web(""));
    assert_eq!(warnings, []);
    assert_eq!(
        spec.canonical_json(),
        concat!(
            r#"{"id":"/shop/web","instances":1,"cpus":1,"mem":128,"disk":0,"gpus":0,"labels":{},"#,
            r#""container":{"type":"DOCKER","docker":{"image":"nginx","forcePullImage":false,"privileged":false}},"#,
            r#""networks":[{"mode":"host"}],"portDefinitions":[{"port":0,"protocol":"tcp","name":"default"}],"#,
            r#""requirePorts":false,"backoffSeconds":1,"backoffFactor":1.15,"maxLaunchDelaySeconds":300,"#,
            r#""upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":1},"#,
            r#""unreachableStrategy":{"inactiveAfterSeconds":0,"expungeAfterSeconds":0},"killSelection":"YOUNGEST_FIRST"}"#,
        )
    );
}

#[test]
fn every_problem_is_told_at_once_with_its_path() {
    let document = r#"{"id":"/Shop","cpus":-1,"instances":1.5,"cmd":"a","args":["b"],"env":{"PASSWORD":12345},
        "container":{"docker":{"image":"nginx","portMappings":[{"containerPort":65536}]}},"cpus":2,"constraints":[["hostname","ONLY"]]}"#;
    let told = problems(document);
    for expected in [
        "id: is \"/Shop\"; segment 'Shop' must",
        "cpus: is -1; must be a number from 0.001 to 1000000000",
        "cpus: is given more than once",
        "instances: is 1.5; must be a whole number from 0 to 50000",
        "args: is a list; must be left out, since cmd is given",
        "env.PASSWORD: is a number; must be text, in quotes",
        "container.docker.portMappings[0].containerPort: is 65536; must be a whole number from 0 to 65535",
        "container.docker.portMappings: are for networks other than the host's; must be given with",
        "constraints[0]: \"ONLY\" is no operator",
    ] {
        assert!(
            told.iter().any(|problem| problem.starts_with(expected)),
            "{expected} is not among {told:#?}"
        );
    }
    assert_eq!(told.len(), 9, "{told:#?}");
}

#[test]
fn everything_that_is_honoured_survives() {
    let document = r#"{"id":"/prod/shop/web","args":["-p","80"],"user":"web","instances":3,"cpus":0.25,"mem":64.5,"disk":10,
        "env":{"A":"1","B":""},"labels":{"team":"shop"},"networks":[{"mode":"container/bridge"}],
        "container":{"type":"docker","docker":{"image":"nginx:1.27","forcePullImage":true,"privileged":true,
            "parameters":[{"key":"hostname","value":"a"},{"key":"hostname","value":"b"}]},
            "volumes":[{"containerPath":"/data","hostPath":"/srv/data","mode":"ro"}],
            "portMappings":[{"containerPort":80,"hostPort":8080,"servicePort":10000,"protocol":"TCP","name":"http","labels":{"a":"b"}},
                {"containerPort":53,"protocol":"tcp,udp"}]},
        "healthChecks":[{"protocol":"mesos_https","path":"/up","portIndex":1,"gracePeriodSeconds":5,"intervalSeconds":6,
            "timeoutSeconds":7,"delaySeconds":8,"maxConsecutiveFailures":9,"ipProtocol":"ipv6"}],
        "fetch":[{"uri":"http://example.com/a.tgz","extract":false,"executable":true,"cache":true,"destPath":"b"}],
        "backoffSeconds":2,"backoffFactor":2.5,"maxLaunchDelaySeconds":60,"taskKillGracePeriodSeconds":30,
        "role":"web","acceptedResourceRoles":["web","*"],"dependencies":["/db"],"killSelection":"OLDEST_FIRST"}"#;
    let Parsed { spec, warnings, .. } = parse(document);
    assert_eq!(warnings.iter().map(|warning| warning.path.as_str()).collect::<Vec<_>>(), ["dependencies"]);
    assert_eq!(spec.command, Command::Args(vec!["-p".into(), "80".into()]));
    assert_eq!((spec.cpus, spec.mem, spec.disk, spec.instances), (250, 64_500, 10_000, 3));
    assert_eq!(spec.network, Network::Bridge);
    let port = &spec.ports[0];
    assert_eq!((port.container_port, port.host_port, port.service_port), (80, 8080, 10_000));
    assert_eq!((spec.ports[1].protocol, spec.ports[1].host_port), (Protocol::TcpUdp, 0));
    let health = spec.health.as_ref().expect("a check");
    assert_eq!(health.protocol(), "MESOS_HTTPS");
    assert_eq!(health.probe.port(), Some(PortRef::Index(1)));
    assert_eq!(
        (health.grace, health.delay, health.max_consecutive_failures),
        (Millis(5000), Millis(8000), 9)
    );
    assert_eq!(
        spec.backoff,
        Backoff { initial: Millis(2000), factor_thousandths: 2500, max: Millis(60_000) }
    );
    assert_eq!(spec.accepted_roles, ["*", "web"]);
    assert_eq!(spec.carried["dependencies"], r#"["/db"]"#);
    let postcard = postcard::to_allocvec(&spec).expect("a spec can be frozen");
    assert!(postcard::from_bytes::<AppSpec>(&postcard).expect("and thawed") == spec);
}

#[test]
fn required_host_ports_are_the_ports_given() {
    let ports = |more: &str| {
        let spec = parse(&web(more)).spec;
        spec.ports.iter().map(|port| (port.service_port, port.host_port)).collect::<Vec<_>>()
    };
    assert_eq!(ports(r#""portDefinitions":[{"port":80}],"requirePorts":true"#), [(80, 80)]);
    assert_eq!(ports(r#""portDefinitions":[{"port":80}]"#), [(80, 0)]);
}

#[test]
fn unknown_keys_are_told_with_the_nearest_known_one() {
    let warnings =
        parse(&web(r#""instance":2,"colour":"red","healthChecks":[{"gracePeriodSecond":1}]"#)).warnings;
    let told: Vec<String> =
        warnings.iter().map(|warning| format!("{}: {}", warning.path, warning.message)).collect();
    assert_eq!(
        told,
        [
            "healthChecks[0].gracePeriodSecond: is unknown and ignored; is gracePeriodSeconds meant?",
            "instance: is unknown and ignored; is instances meant?",
            "colour: is unknown and ignored",
        ]
    );
}

#[test]
fn documents_that_are_no_app_say_what_one_is() {
    assert_eq!(problems("[]"), [": is a list; must be an object"]);
    assert_eq!(problems("null"), [": is null; must be an object"]);
    assert!(problems("{}")[0].starts_with("id: is missing; must be the app's path"));
    for id in ["", "/", "a b", "/A", "/shop/tasks", "/-a", "a\\\\b", "%2e%2e", "/é", "/../..", "🦀"] {
        let told = problems(&format!(r#"{{"id":"{id}","container":{{"docker":{{"image":"a"}}}}}}"#));
        assert!(told.len() == 1 && told[0].starts_with("id: is \""), "{id}: {told:?}");
    }
    let long = format!(r#"{{"id":"/{}","container":{{"docker":{{"image":"a"}}}}}}"#, "a".repeat(250_000));
    assert!(problems(&long)[0].len() < 200);
}

#[test]
fn what_exceeds_a_limit_is_refused() {
    let texts = |count: usize, size: usize| {
        let entries: Vec<String> = (0..count).map(|n| format!("\"k{n}\":\"{}\"", "x".repeat(size))).collect();
        format!("{{{}}}", entries.join(","))
    };
    for (more, path) in [
        (format!(r#""labels":{}"#, texts(65, 1)), "labels"),
        (format!(r#""labels":{}"#, texts(1, 5000)), "labels.k0"),
        (format!(r#""env":{}"#, texts(20, 10_000)), "env"),
        (format!(r#""ports":[{}]"#, vec!["0"; 65].join(",")), "ports"),
        (format!(r#""executorResources":{{"x":[{}]}}"#, vec!["1e20"; 40_000].join(",")), ""),
    ] {
        let problems = AppSpec::parse(web(&more).as_bytes()).expect_err(path);
        assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), [path]);
        assert!(problems[0].message.contains("must have at most"), "{}", problems[0].message);
    }
    let told = problems(&web(&format!(r#""args":[{}]"#, vec!["1"; 500].join(","))));
    assert_eq!(told.len(), limits::PROBLEMS_MAX + 1);
    assert_eq!(told[limits::PROBLEMS_MAX], ": has more like these");
}

#[test]
fn debug_shows_no_environment() {
    let spec = parse(&web(r#""env":{"PASSWORD":"hunter2"}"#)).spec;
    assert!(!format!("{spec:?}").contains("hunter2"));
}

#[test]
fn an_app_of_a_single_instance_is_warned_of_more() {
    let warnings = parse(&web(r#""instances":2,"labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"}"#)).warnings;
    assert_eq!(warnings[0].path, "instances");
    assert!(warnings[0].message.contains("says 0 or 1"));
}

/// A definition at the very limit can still be read after it was scaled, or a stored one would be lost.
#[test]
fn whatever_fits_can_be_scaled() {
    let of = |bytes: usize| web(&format!(r#""cmd":"{}""#, "x".repeat(bytes)));
    let shortest = parse(&of(1)).spec.canonical_json().len();
    let room = limits::SPEC_BYTES_MAX - shortest - 4;
    let mut spec = parse(&of(1 + room)).spec;
    spec.instances = limits::INSTANCES_MAX;
    assert_eq!(spec.canonical_json().len(), limits::SPEC_BYTES_MAX);
    parse(&spec.canonical_json());
    assert!(problems(&of(2 + room))[0].contains("in canonical form"));
}
