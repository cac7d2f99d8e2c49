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
    let Parsed { spec, warnings } = parse(document);
    assert_eq!(
        warnings.iter().map(|warning| warning.path.as_str()).collect::<Vec<_>>(),
        ["dependencies", "killSelection"]
    );
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

/// Each pair of documents says the same: a legacy or lax form, and Marathon's canonical one.
#[test]
fn legacy_forms_become_canonical_ones() {
    let docker = |docker: &str, more: &str| {
        format!(r#"{{"id":"a","container":{{"docker":{{"image":"nginx"{docker}}}}}{more}}}"#)
    };
    let canonical = |container: &str, more: &str| {
        format!(
            r#"{{"id":"/a","container":{{"type":"DOCKER","docker":{{"image":"nginx"}}{container}}}{more}}}"#
        )
    };
    let bridge = r#","networks":[{"mode":"container/bridge"}]"#;
    let pairs = [
        (docker(r#","network":"HOST""#, ""), canonical("", r#","networks":[{"mode":"host"}]"#)),
        (docker(r#","network":"host","portMappings":[{"containerPort":80}]"#, ""), canonical("", "")),
        (
            docker(r#","network":"BRIDGE""#, ""),
            canonical(r#","portMappings":[{"containerPort":0,"hostPort":0,"name":"default"}]"#, bridge),
        ),
        (
            docker(r#","network":"bridge","portMappings":[{"containerPort":80}]"#, r#","requirePorts":true"#),
            canonical(r#","portMappings":[{"containerPort":80,"hostPort":0}]"#, bridge),
        ),
        (
            docker(r#","network":"BRIDGE""#, r#","ports":[10000,10001]"#),
            canonical(r#","portMappings":[{"servicePort":10000},{"servicePort":10001}]"#, bridge),
        ),
        (docker(r#","network":"BRIDGE","portMappings":[]"#, ""), canonical(r#","portMappings":[]"#, bridge)),
        (
            docker("", r#","ports":[8080,0]"#),
            canonical("", r#","portDefinitions":[{"port":8080,"protocol":"tcp"},{"port":0}]"#),
        ),
        (docker("", r#","ports":[]"#), canonical("", r#","portDefinitions":[]"#)),
        (
            docker("", r#","uris":["http://a/b.tgz","http://a/b"]"#),
            canonical("", r#","fetch":[{"uri":"http://a/b.tgz"},{"uri":"http://a/b","extract":false}]"#),
        ),
        (
            docker(
                "",
                r#","cmd":null,"args":[],"env":null,"healthChecks":null,"networks":null,"cpus":1.0,"executor":"","gpus":0"#,
            ),
            canonical("", r#","cpus":1,"networks":[]"#),
        ),
        (
            docker("", r#","healthChecks":[{"path":"/"}]"#),
            canonical("", r#","healthChecks":[{"protocol":"HTTP","portIndex":0}]"#),
        ),
    ];
    for (legacy, canonical) in pairs {
        assert_eq!(parse(&legacy).spec.canonical_json(), parse(&canonical).spec.canonical_json(), "{legacy}");
    }
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

/// Each addition to a good document makes it bad: the one problem's path, and part of what it says.
const BAD_ADDITIONS: &[(&str, &str, &str)] = &[
    (r#""cpus":0"#, "cpus", "is 0; must be a number from 0.001 to 1000000000"),
    (r#""cpus":1e-9"#, "cpus", "is 0.000000001; must"),
    (r#""cpus":0.0004"#, "cpus", "is 0.0004; must"),
    (r#""cpus":1e308"#, "cpus", "is 1e308; must"),
    (r#""cpus":"1""#, "cpus", "is \"1\"; must be a number"),
    (r#""mem":-1"#, "mem", "is -1; must"),
    (r#""mem":9223372036854775808"#, "mem", "must be a number from 0"),
    (r#""disk":[]"#, "disk", "is a list; must be a number"),
    (r#""instances":-1"#, "instances", "is -1; must be a whole number from 0 to 50000"),
    (r#""instances":2147483648"#, "instances", "is 2147483648; must"),
    (r#""instances":1e9"#, "instances", "is 1000000000; must"),
    (r#""cmd":"""#, "cmd", "must not be empty"),
    (r#""cmd":5"#, "cmd", "is 5; must be text, in quotes"),
    (r#""cmd":"a\u0000b""#, "cmd", "NUL"),
    (r#""args":["a",null]"#, "args[1]", "is null; must be text"),
    (r#""user":"""#, "user", "must not be empty"),
    (r#""env":{"A":{"secret":"s"}}"#, "env.A", "secrets are not supported yet"),
    (r#""env":{"A=B":"c"}"#, "env[\"A=B\"]", "no '='"),
    (r#""env":{"A\nB":"c"}"#, "env[\"A\\nB\"]", "line break"),
    (r#""env":{"":"c"}"#, "env[\"\"]", "not empty"),
    (r#""env":[]"#, "env", "is a list; must be an object"),
    (r#""labels":{"a":1}"#, "labels.a", "is 1; must be text, in quotes"),
    (r#""gpus":1"#, "gpus", "is 1; must be a whole number from 0 to 0"),
    (r#""backoffSeconds":"1h""#, "backoffSeconds", "is \"1h\"; must be a whole number of seconds"),
    (r#""backoffSeconds":-5"#, "backoffSeconds", "is -5; must"),
    (r#""backoffSeconds":1e20"#, "backoffSeconds", "must be a whole number from 0 to"),
    (r#""backoffFactor":0.5"#, "backoffFactor", "is 0.5; must be a number from 1 to 1000"),
    (r#""maxLaunchDelaySeconds":1.5"#, "maxLaunchDelaySeconds", "is 1.5; must be a whole number"),
    (r#""constraints":[["hostname","UNIQUE"]]"#, "constraints", "not supported yet"),
    (r#""check":{"tcp":{}}"#, "check", "healthChecks"),
    (r#""residency":{"taskLostBehavior":"WAIT_FOREVER"}"#, "residency", "not supported"),
    (r#""groups":[{"id":"a"}]"#, "groups", "makes this a group"),
    (r#""containers":[{"name":"a"}]"#, "containers", "makes this a pod"),
    (r#""proxy":{"enabled":true}"#, "proxy", "Swan's own and not supported yet"),
    (r#""executor":"/bin/mine""#, "executor", "Mesos's own executors"),
    (r#""ipAddress":{"networkName":"dcos"}"#, "ipAddress", "only bridge and host networks"),
    (r#""networks":[{"mode":"container","name":"dcos"}]"#, "networks[0]", "only bridge and host networks"),
    (r#""networks":[{"name":"dcos"}]"#, "networks[0]", "only bridge and host networks"),
    (r#""networks":[{"mode":"bridged"}]"#, "networks[0].mode", "must be one of container/bridge, host"),
    (r#""networks":[{"mode":"host","name":"x"}]"#, "networks[0].name", "must be left out"),
    (r#""networks":[{"mode":"host"},{"mode":"host"}]"#, "networks", "must have one element"),
    (
        r#""portDefinitions":[{"port":-1}]"#,
        "portDefinitions[0].port",
        "is -1; must be a whole number from 0 to 65535",
    ),
    (r#""portDefinitions":[{"port":80},{"port":80}]"#, "portDefinitions[1]", "second to claim port 80"),
    (r#""portDefinitions":[{"name":"a"},{"name":"a"}]"#, "portDefinitions[1]", "second port of name a"),
    (
        r#""portDefinitions":[{"name":"A_b"}]"#,
        "portDefinitions[0].name",
        "is \"A_b\"; must be 1 to 63 lower case",
    ),
    (
        r#""portDefinitions":[{"protocol":"sctp"}]"#,
        "portDefinitions[0].protocol",
        "is \"sctp\"; must be one of tcp, udp",
    ),
    (r#""portDefinitions":[{"port":1}],"ports":[2]"#, "ports", "agree with portDefinitions"),
    (r#""healthChecks":{}"#, "healthChecks", "must be a list"),
    (
        r#""healthChecks":[{"protocol":"GRPC"}]"#,
        "healthChecks[0].protocol",
        "is \"GRPC\"; must be one of HTTP, HTTPS",
    ),
    (r#""healthChecks":[{"path":"up"}]"#, "healthChecks[0].path", "must begin with '/'"),
    (
        r#""healthChecks":[{"portIndex":1}]"#,
        "healthChecks[0].portIndex",
        "is 1; must be a whole number from 0 to 0",
    ),
    (r#""healthChecks":[{"port":0}]"#, "healthChecks[0].port", "is 0; must be a port from 1"),
    (r#""healthChecks":[{"port":1,"portIndex":0}]"#, "healthChecks[0].portIndex", "beside port"),
    (r#""healthChecks":[{}],"ports":[]"#, "healthChecks[0]", "must have port"),
    (r#""healthChecks":[{"intervalSeconds":0}]"#, "healthChecks[0].intervalSeconds", "is 0; must"),
    (r#""healthChecks":[{"protocol":"COMMAND"}]"#, "healthChecks[0]", "\"command\":{\"value\""),
    (r#""healthChecks":[{"command":{"value":"x"}}]"#, "healthChecks[0].command", "protocol COMMAND"),
    (
        r#""healthChecks":[{"protocol":"TCP"},{"protocol":"MESOS_HTTP"}]"#,
        "healthChecks",
        "has 2 health checks; must have one: keep healthChecks[1] (MESOS_HTTP) and drop the others",
    ),
    (r#""fetch":[{"extract":true}]"#, "fetch[0].uri", "is missing"),
    (r#""fetch":[{"uri":"a"}],"uris":["b"]"#, "uris", "since fetch is given"),
    (r#""acceptedResourceRoles":[]"#, "acceptedResourceRoles", "at least one role"),
    (
        r#""role":"a","acceptedResourceRoles":["b"]"#,
        "acceptedResourceRoles[0]",
        "is \"b\"; must be \"*\" or the app's role",
    ),
    (r#""role":"a b""#, "role", "no spaces"),
    (r#""cmd":"x","cmd":"y""#, "cmd", "given more than once"),
    (r#""labels":{"a":"b","a":"b"}"#, "labels.a", "given more than once"),
];

#[test]
fn what_is_wrong_is_refused_with_path_value_and_remedy() {
    for &(more, path, part) in BAD_ADDITIONS {
        let document = web(more);
        let problems = AppSpec::parse(document.as_bytes()).expect_err(more);
        assert_eq!(problems.len(), 1, "{more}: {problems:?}");
        assert_eq!(problems[0].path, path, "{more}");
        assert!(problems[0].message.contains(part), "{more}: {} lacks {part}", problems[0].message);
    }
}

#[test]
fn containers_that_swan_does_not_run_are_refused_by_name() {
    let cases = [
        ("null", "container: is missing: Swan runs Docker images only"),
        (r#"{"type":"MESOS"}"#, "container.docker: is missing: Swan runs Docker images only"),
        (r#"{"docker":{}}"#, "container.docker.image: is missing: Swan runs Docker images only"),
        (r#"{"docker":{"image":"a b"}}"#, "container.docker.image: is \"a b\"; must name an image"),
        (
            r#"{"docker":{"image":"user:pass@host/web"}}"#,
            "container.docker.image: is text; must end in a whole digest",
        ),
        (
            r#"{"type":"POD","docker":{"image":"a"}}"#,
            "container.type: is \"POD\"; must be one of DOCKER, MESOS",
        ),
        (
            r#"{"docker":{"image":"a","network":"USER"}}"#,
            "container.docker.network: is \"USER\"; must be BRIDGE or HOST",
        ),
        (
            r#"{"docker":{"image":"a"},"portMappings":[{"hostPort":1}]}"#,
            "container.portMappings: are for bridge networks",
        ),
        (
            r#"{"docker":{"image":"a"},"volumes":[{"containerPath":"d","mode":"RW","persistent":{"size":1}}]}"#,
            "container.volumes[0].persistent: persistent volumes are not supported",
        ),
        (
            r#"{"docker":{"image":"a"},"volumes":[{"containerPath":"/a:b","hostPath":"/c","mode":"RO"}]}"#,
            "container.volumes[0].containerPath: is \"/a:b\"; must not contain ':'",
        ),
        (
            r#"{"docker":{"image":"a","parameters":[{"key":"--privileged","value":""}]}}"#,
            "container.docker.parameters[0].key: is \"--privileged\"; must be the name of an option",
        ),
        (
            r#"{"docker":{"image":"a","network":"BRIDGE","portMappings":[{"hostPort":1},{"hostPort":1,"protocol":"udp"}]}}"#,
            "container.docker.portMappings[1]: is the second to claim port 1 of the host",
        ),
    ];
    for (container, expected) in cases {
        let told = problems(&format!(r#"{{"id":"/a","container":{container}}}"#));
        assert!(told.len() == 1 && told[0].starts_with(expected), "{container}: {told:?} is not {expected}");
    }
    let parsed = parse(r#"{"id":"/a","container":{"type":"MESOS","docker":{"image":"a"}}}"#);
    assert_eq!(parsed.warnings[0].message, "is MESOS; the image will run under Docker");
}

#[test]
fn documents_that_are_no_app_say_what_one_is() {
    assert_eq!(problems("[]"), [": is a list; must be an object"]);
    assert_eq!(problems("null"), [": is null; must be an object"]);
    assert!(problems("{}")[0].starts_with("id: is missing; must be the app's path"));
    assert!(
        problems(r#"{"name":"web","runAs":"shop"}"#)[0].starts_with("id: is missing; original Swan's form")
    );
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
        (format!(r#""dependencies":[{}]"#, vec!["1e20"; 40_000].join(",")), ""),
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
fn changes_that_running_tasks_do_not_see_replace_no_container() {
    let base = parse(&web("")).spec;
    for same in [
        r#""instances":7"#,
        r#""labels":{"a":"b"}"#,
        r#""backoffSeconds":9,"backoffFactor":2,"maxLaunchDelaySeconds":1"#,
        r#""taskKillGracePeriodSeconds":5"#,
        r#""dependencies":["/b"]"#,
        r#""portDefinitions":[{"name":"default","labels":{"a":"b"}}]"#,
    ] {
        assert!(base.same_containers(&parse(&web(same)).spec), "{same}");
    }
    for other in [
        r#""cmd":"x""#,
        r#""cpus":2"#,
        r#""mem":1"#,
        r#""env":{"A":"b"}"#,
        r#""healthChecks":[{}]"#,
        r#""portDefinitions":[{"name":"default","port":1}]"#,
        r#""user":"u""#,
        r#""networks":[{"mode":"container/bridge"}]"#,
        r#""fetch":[{"uri":"a"}]"#,
    ] {
        assert!(!base.same_containers(&parse(&web(other)).spec), "{other}");
    }
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
