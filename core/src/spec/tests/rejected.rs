//! Owns the table of what is refused, and how.

use super::{parse, problems, web};
use crate::spec::*;

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
    (r#""env":{"A":{"secret":"s"}}"#, "env.A", "references an undefined secret"),
    (r#""env":{"A":{"secret":"s","b":"c"}}"#, "env.A", "is an object; must be text, or the name of a secret"),
    (r#""env":{"A=B":"c"}"#, "env[\"A=B\"]", "no '='"),
    (r#""env":{"A\nB":"c"}"#, "env[\"A\\nB\"]", "line break"),
    (r#""env":{"":"c"}"#, "env[\"\"]", "not empty"),
    (r#""env":[]"#, "env", "is a list; must be an object"),
    (r#""labels":{"a":1}"#, "labels.a", "is 1; must be text, in quotes"),
    (r#""gpus":0.5"#, "gpus", "is 0.5; must be a whole number from 0 to 1000"),
    (r#""backoffSeconds":"1h""#, "backoffSeconds", "is \"1h\"; must be a whole number of seconds"),
    (r#""backoffSeconds":-5"#, "backoffSeconds", "is -5; must"),
    (r#""backoffSeconds":1e20"#, "backoffSeconds", "must be a whole number from 0 to"),
    (r#""backoffFactor":0.5"#, "backoffFactor", "is 0.5; must be a number from 1 to 1000"),
    (r#""maxLaunchDelaySeconds":1.5"#, "maxLaunchDelaySeconds", "is 1.5; must be a whole number"),
    (r#""constraints":7"#, "constraints", "is 7; must be a text such as"),
    (r#""constraints":[7]"#, "constraints[0]", "is 7; must be a list such as"),
    (r#""constraints":"UNIQUE hostname AND""#, "constraints", "column "),
    (r#""constraints":["UNIQUE hostname",["hostname"]]"#, "constraints[1]", "has two or three texts"),
    (r#""constraints":[["","UNIQUE"]]"#, "constraints[0]", "is empty"),
    (r#""constraints":[["hostname","UNIQUE","x"]]"#, "constraints[0]", "UNIQUE takes no value"),
    (r#""constraints":[["a","MAX_PER"]]"#, "constraints[0]", "MAX_PER needs a value"),
    (r#""constraints":[["a","MAX_PER","b"]]"#, "constraints[0]", "MAX_PER"),
    (r#""constraints":[["a","LIKE","["]]"#, "constraints[0]", "regular expression"),
    (r#""constraints":[["a","IS","a b"]]"#, "constraints[0]", "IS takes a value of letters"),
    (r#""constraints":[["a","FOO"]]"#, "constraints[0]", "\"FOO\" is no operator"),
    (r#""constraints":[["a","LIKE",1]]"#, "constraints[0][2]", "is 1; must be text, in quotes"),
    (r#""constraints":[{"operator":"==","value":"b"}]"#, "constraints[0].attribute", "is missing"),
    (
        r#""constraints":[{"attribute":"a","operator":"~","value":"b"}]"#,
        "constraints[0]",
        "operator: \"~\" is none",
    ),
    (
        r#""constraints":[{"attribute":"a","operator":"==","values":"b"}]"#,
        "constraints[0].values",
        "must be value",
    ),
    (r#""check":{"tcp":{}}"#, "check", "healthChecks"),
    (r#""residency":{"taskLostBehavior":"WAIT_FOREVER"}"#, "residency", "not supported"),
    (r#""groups":[{"id":"a"}]"#, "groups", "makes this a group"),
    (r#""containers":[{"name":"a"}]"#, "containers", "makes this a pod"),
    (r#""proxy":{"enabled":1}"#, "proxy.enabled", "is 1; must be true or false"),
    (r#""proxy":{"alias":"a b"}"#, "proxy.alias", "must be a host name"),
    (
        r#""proxy":{"proxies":[{"listen":"65536"}]}"#,
        "proxy.proxies[0].listen",
        "must be a port from 0 to 65535",
    ),
    (r#""proxy":{"proxies":[{"listen":-1}]}"#, "proxy.proxies[0].listen", "is -1; must be a whole number"),
    (r#""proxy":{"proxies":[{},{}]}"#, "proxy", "serves 2 ports, but the app has 1"),
    (r#""proxy":{"proxies":[{"aliases":"a"}]}"#, "proxy.proxies[0].aliases", "is unknown; must be alias"),
    (r#""proxy":{"alias":"a","proxies":[]}"#, "proxy.proxies", "must be left out, or alias"),
    (r#""ports":[0,0],"proxy":{"proxies":[{"alias":"a"},{"alias":"A"}]}"#, "proxy", "has the alias a twice"),
    (r#""canary":{"value":0.5}"#, "canary.instances", "is missing"),
    (r#""canary":{"instances":1,"value":1.5}"#, "canary.value", "is 1.5; must be a number from 0 to 1"),
    (r#""canary":{"instances":1,"weight":1}"#, "canary.weight", "is unknown"),
    (
        r#""autoscale":{"minInstances":2,"maxInstances":1,"metric":"cpu","target":0.5}"#,
        "autoscale",
        "has minInstances 2 and maxInstances 1",
    ),
    (
        r#""autoscale":{"minInstances":1,"maxInstances":2,"metric":"luck","target":0.5}"#,
        "autoscale.metric",
        "must be one of cpu, mem, requests",
    ),
    (r#""gpus":-1"#, "gpus", "is -1; must be a whole number"),
    (
        r#""resourceLimits":{"cpus":0.5}"#,
        "resourceLimits.cpus",
        "is 0.5; must be at least the 1 cpus that are claimed",
    ),
    (r#""resourceLimits":{"mem":"none"}"#, "resourceLimits.mem", "must be a number, or \"unlimited\""),
    (
        r#""upgradeStrategy":{"minimumHealthCapacity":1.01}"#,
        "upgradeStrategy.minimumHealthCapacity",
        "from 0 to 1",
    ),
    (
        r#""labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},"upgradeStrategy":{"minimumHealthCapacity":1}"#,
        "upgradeStrategy",
        "must have both capacities 0",
    ),
    (
        r#""unreachableStrategy":{"inactiveAfterSeconds":2,"expungeAfterSeconds":1}"#,
        "unreachableStrategy",
        "has inactiveAfterSeconds 2 and expungeAfterSeconds 1",
    ),
    (r#""unreachableStrategy":"never""#, "unreachableStrategy", "must be \"disabled\""),
    (r#""killSelection":"RANDOM""#, "killSelection", "must be one of YOUNGEST_FIRST, OLDEST_FIRST"),
    (
        r#""taskKillGracePeriodSeconds":5,"kill":{"duration":6}"#,
        "kill",
        "taskKillGracePeriodSeconds is given",
    ),
    (
        r#""kill":{"duration":1,"seconds":6}"#,
        "kill.seconds",
        "is unknown; must be left out; known here: duration",
    ),
    (r#""restart":{"retries":1},"failover":{"retries":1}"#, "restart", "since failover is given"),
    (r#""restart":{"retries":-1}"#, "restart.retries", "is -1; must"),
    (r#""failover":{"retrys":1}"#, "failover.retrys", "is unknown; must be retries, or left out"),
    (r#""failover":{"colour":1}"#, "failover.colour", "is unknown; must be left out; known here: errors"),
    (r#""failover":{"windowSeconds":0}"#, "failover.windowSeconds", "is 0; must"),
    (
        r#""failover":{"historyLength":51}"#,
        "failover.historyLength",
        "is 51; must be a whole number from 0 to 50",
    ),
    (
        r#""failover":{"onExhausted":"giveUp"}"#,
        "failover.onExhausted",
        "must be one of keepTrying, stop, rollback",
    ),
    (r#""failover":{"errors":{}}"#, "failover.errors", "must name states, reasons or exitCodes"),
    (
        r#""failover":{"errors":{"states":["TASK_RUNNING"]}}"#,
        "failover.errors.states[0]",
        "must be the end of a task",
    ),
    (
        r#""failover":{"ignore":{"reasons":["REASON_X"]}}"#,
        "failover.ignore.reasons[0]",
        "one of Mesos's reasons",
    ),
    (
        r#""failover":{"ignore":{"exitCodes":["9-3"]}}"#,
        "failover.ignore.exitCodes[0]",
        "an exit code from 0 to 255",
    ),
    (
        r#""failover":{"ignore":{"exitCodes":[256]}}"#,
        "failover.ignore.exitCodes[0]",
        "is 256; must be an exit code",
    ),
    (
        r#""failover":{"errors":{"states":["TASK_FAILED"],"x":1}}"#,
        "failover.errors.x",
        "is unknown; must be left out; known here: states, reasons, exitCodes",
    ),
    (r#""update":{"parallel":0}"#, "update.parallel", "is 0; must be a whole number from 1"),
    (r#""update":{"delay":-1}"#, "update.delay", "is -1; must be a number from 0"),
    (r#""update":{"delay":"1s"}"#, "update.delay", "must be a number of seconds, without quotes"),
    (r#""update":{"onFailure":"panic"}"#, "update.onFailure", "must be one of stop, continue, rollback"),
    (r#""update":{"progressDeadlineSeconds":0}"#, "update.progressDeadlineSeconds", "is 0; must"),
    (r#""placement":{}"#, "placement.strategy", "is missing"),
    (
        r#""placement":{"strategy":"best"}"#,
        "placement.strategy",
        "must be one of spread, binpack, random, weighted",
    ),
    (r#""placement":{"strategy":"weighted"}"#, "placement", "has strategy weighted but no weights"),
    (
        r#""placement":{"strategy":"spread","weights":{"cpus":1}}"#,
        "placement.weights",
        "only be given with strategy weighted",
    ),
    (
        r#""placement":{"strategy":"weighted","weights":{"cpus":1001}}"#,
        "placement.weights.cpus",
        "is 1001; must be a whole number from -1000 to 1000",
    ),
    (r#""ips":["10.0.0.1"]"#, "ips", "only in a network that users made"),
    (r#""dependencies":["/shop/web"]"#, "dependencies[0]", "must be another app"),
    (r#""dependencies":["/Db"]"#, "dependencies[0]", "lower case letters"),
    (r#""readinessChecks":[{},{}]"#, "readinessChecks", "has 2 readiness checks; must have one"),
    (
        r#""readinessChecks":[{"portName":"x"}]"#,
        "readinessChecks[0].portName",
        "must be the name of one of the app's ports",
    ),
    (
        r#""readinessChecks":[{"timeoutSeconds":30}]"#,
        "readinessChecks[0]",
        "has timeoutSeconds 30 and intervalSeconds 30",
    ),
    (
        r#""readinessChecks":[{"httpStatusCodesForReady":[]}]"#,
        "readinessChecks[0].httpStatusCodesForReady",
        "at least one status",
    ),
    (r#""secrets":{"a":{}}"#, "secrets.a.source", "is missing"),
    (r#""healthCheck":{"protocol":"cmd"}"#, "healthCheck", "must be one element of healthChecks"),
    (r#""runAs":"shop""#, "runAs", "must be left out, since id is given"),
    (r#""executor":"/bin/mine""#, "executor", "Mesos's own executors"),
    (r#""ipAddress":{"labels":{}}"#, "ipAddress.networkName", "Network name must be specified"),
    (
        r#""ipAddress":{"networkName":"dcos"},"ports":[1]"#,
        "ipAddress",
        "mixes deprecated and canonical network APIs",
    ),
    (
        r#""ipAddress":{"networkName":"dcos"},"networks":[{"mode":"host"}]"#,
        "networks",
        "mixes deprecated and canonical network APIs",
    ),
    (
        r#""ipAddress":{"networkName":"dcos","discovery":{"ports":[{"number":80}]}}"#,
        "ipAddress.discovery",
        "ipAddress/discovery is not allowed for Docker containers",
    ),
    (
        r#""networks":[{"mode":"container"}]"#,
        "networks[0].name",
        "Network name must be specified when container network",
    ),
    (r#""networks":[{}]"#, "networks[0].name", "Network name must be specified when container network"),
    (r#""networks":[{"name":"host"}]"#, "networks[0].name", "must be a network that users made"),
    (r#""networks":[{"name":"container:x"}]"#, "networks[0].name", "must be a network's name"),
    (r#""networks":[{"name":"a"},{"name":"b"}]"#, "networks", "has 2 networks; must have one"),
    (r#""networks":[{"mode":"host"},{"name":"b"}]"#, "networks", "has 2 networks; must have one"),
    (
        r#""networks":[{"mode":"host","labels":{"a":"b"}}]"#,
        "networks[0].labels",
        "only container networks take labels",
    ),
    (r#""networks":[{"mode":"bridged"}]"#, "networks[0].mode", "must be one of container/bridge, host"),
    (r#""networks":[{"mode":"host","name":"x"}]"#, "networks[0].name", "must be left out"),
    (r#""networks":[{"mode":"host"},{"mode":"host"}]"#, "networks", "has 2 networks; must have one"),
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
    let mut wrong = Vec::new();
    for &(more, path, part) in BAD_ADDITIONS {
        let problems = AppSpec::parse(web(more).as_bytes()).map_or_else(|problems| problems, |_| Vec::new());
        let good = problems.len() == 1 && problems[0].path == path && problems[0].message.contains(part);
        if !good {
            wrong.push(format!("{more}: {problems:?} is not {path}: {part}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
            "ipAddress: is missing: Network name must be specified",
        ),
        (
            r#"{"docker":{"image":"a","network":"NONE"}}"#,
            "container.docker.network: is \"NONE\"; must be BRIDGE, HOST or USER",
        ),
        (
            r#"{"docker":{"image":"a","network":"BRIDGE"},"portMappings":[{"networkNames":["dcos"]}]}"#,
            "container.portMappings[0].networkNames: must not be given",
        ),
        (
            r#"{"docker":{"image":"a","pullConfig":{"secret":"a"}}}"#,
            "container.docker.pullConfig: is not supported",
        ),
        (r#"{"docker":{"image":"a"},"linuxInfo":{"seccomp":{}}}"#, "container.linuxInfo: is not supported"),
        (
            r#"{"docker":{"image":"a"},"volumes":[{"containerPath":"d","mode":"RW","external":{"name":"a"}}]}"#,
            "container.volumes[0].external: external volumes are not supported",
        ),
        (
            r#"{"docker":{"image":"a"},"volumes":[{"containerPath":"d","secret":"s"}]}"#,
            "container.volumes[0].secret: secret volumes are not supported",
        ),
        (
            r#"{"docker":{"image":"a"},"portMappings":[{"hostPort":1}]}"#,
            "container.portMappings: are for networks other than the host's",
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
fn ports_and_addresses_must_fit_their_network() {
    let in_network = |more: &str| {
        problems(&format!(
            r#"{{"id":"/a","networks":[{{"name":"dcos"}}],"container":{{"docker":{{"image":"a"}}{more}}}"#
        ))
    };
    let cases = [
        (
            r#","portMappings":[{"networkNames":["other"]}]}"#,
            "container.portMappings[0].networkNames: names other, which is not declared",
        ),
        (r#"},"ips":["xx"]"#, "ips[0]: is \"xx\"; must be an IP address"),
        (r#"},"ips":["127.0.0.1"]"#, "ips[0]: is \"127.0.0.1\"; must be the address of one container"),
        (r#"},"ips":["10.0.0.1","10.0.0.1"]"#, "ips[1]: is \"10.0.0.1\"; must be given once"),
        (r#"},"ips":["::1"]"#, "ips[0]: is \"::1\"; must be the address of one container"),
        (r#"},"ips":"10.0.0.1""#, "ips: is \"10.0.0.1\"; must be a list"),
    ];
    for (more, expected) in cases {
        let told = in_network(more);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{more}: {told:?} is not {expected}");
    }
}

#[test]
fn what_may_be_secret_is_not_shown_in_a_refusal() {
    let told = problems(
        r#"{"id":"/a","env":{"A":4711},"uris":[4711,"a 4711"],"container":{"docker":{"image":"x@4711",
            "parameters":[{"key":"a","value":4711},{"key":"b","value":"4711\u0000"}]}}}"#,
    );
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(!told.iter().any(|problem| problem.contains("4711")), "{told:?}");
}
