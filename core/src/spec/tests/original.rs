//! Owns original Swan's form: what it becomes, and what of it is refused.

use super::{parse, problems};
use crate::spec::*;

const CONTAINER: &str = r#""container":{"type":"docker","docker":{"image":"nginx","network":"bridge",
    "portMappings":[{"name":"http","protocol":"tcp","containerPort":80,"hostPort":80}]}}"#;

/// `{"name":"Web","runAs":"shop","instances":1,"container":…, <more>}`.
fn swan(more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!(",{more}") };
    format!(r#"{{"name":"Web","runAs":"shop","instances":1,{CONTAINER}{more}}}"#)
}

#[test]
fn a_name_becomes_a_path_and_the_rest_the_canonical_form() {
    let document = r#"{"id":"1514764800000000000","name":"Web","runAs":"xcm","cluster":"Prod","cmd":"","cpus":0.01,"mem":5,"gpus":0,"disk":0,"instances":10,
        "container":{"type":"Docker","volumes":[{"hostPath":"/srv","containerPath":"/data","mode":"RW"}],
            "docker":{"image":"nginx","network":"bridge","forcePullImage":false,"privileged":true,"parameters":[{"key":"hostname","value":"a"}],
                "portMappings":[{"name":"http","protocol":"tcp","containerPort":80,"hostPort":80}]}},
        "labels":{"a":"b"},"env":{"C":"d"},"uris":["http://e/f.tgz"],
        "healthCheck":{"protocol":"http","portName":"http","path":"/up","gracePeriodSeconds":5,"intervalSeconds":3,"timeoutSeconds":2,"delaySeconds":1,"consecutiveFailures":4},
        "constraints":[{"attribute":"vcluster","operator":"==","value":"a"},{"attribute":"rack","operator":"~=","value":"r.*"}],
        "kill":{"duration":7},"restart":{"retries":2},"update":{"delay":5,"onFailure":"continue"},
        "proxy":{"enabled":true,"alias":"www.example.com","listen":"8080","sticky":true}}"#;
    let canonical = r#"{"id":"/prod/xcm/default/web","cpus":0.01,"mem":5,"instances":10,
        "container":{"docker":{"image":"nginx","privileged":true,"parameters":[{"key":"hostname","value":"a"}]},
            "volumes":[{"hostPath":"/srv","containerPath":"/data","mode":"RW"}],
            "portMappings":[{"name":"http","containerPort":80,"hostPort":0}]},
        "networks":[{"mode":"container/bridge"}],"labels":{"a":"b"},"env":{"C":"d"},"uris":["http://e/f.tgz"],
        "healthChecks":[{"protocol":"MESOS_HTTP","portIndex":0,"path":"/up","gracePeriodSeconds":5,"intervalSeconds":3,"timeoutSeconds":2,"delaySeconds":1,"maxConsecutiveFailures":4}],
        "constraints":["vcluster == a","rack ~= \"r.*\""],
        "taskKillGracePeriodSeconds":7,"failover":{"retries":2,"onExhausted":"stop"},
        "upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":0},
        "update":{"parallel":1,"delay":5,"onFailure":"continue","progressDeadlineSeconds":120},
        "proxy":{"enabled":true,"proxies":[{"alias":"www.example.com","listen":8080,"sticky":true}]}}"#;
    assert_eq!(parse(document).spec.canonical_json(), parse(canonical).spec.canonical_json());
}

#[test]
fn what_is_left_out_is_as_it_was_in_original_swan() {
    let spec = parse(&swan("")).spec;
    assert_eq!(spec.path.as_str(), "/unnamed/shop/default/web");
    assert_eq!(spec.path.dotted().as_str(), "web.default.shop.unnamed");
    assert_eq!(spec.command, Command::Image);
    assert_eq!((spec.failover.retries, spec.failover.on_exhausted), (Some(3), OnExhausted::Stop));
    assert_eq!((spec.update.delay, spec.update.parallel), (Millis(1_000), Some(1)));
    assert_eq!((spec.update.progress_deadline, spec.update.on_failure), (Millis(120_000), OnFailure::Stop));
    assert_eq!(spec.upgrade, Upgrade { min_healthy_ppm: 0, max_over_ppm: 0 });
    let path = |more: &str| parse(&swan(more)).spec.path.as_str().to_string();
    assert_eq!(path(r#""cluster":"","compose":"Blog""#), "/unnamed/shop/blog/web");
    assert_eq!(parse(&swan(r#""cpus":0"#)).spec.cpus, 1);
}

#[test]
fn ports_mean_what_their_network_makes_of_them() {
    let of = |network: &str| {
        let spec = parse(&swan("").replace("bridge", network)).spec;
        let port = &spec.ports[0];
        (spec.network, spec.require_ports, port.container_port, port.mapped, port.host_port)
    };
    assert_eq!(of("bridge"), (Network::Bridge, false, 80, true, 0));
    assert_eq!(of("host"), (Network::Host, true, 0, true, 80));
    assert_eq!(of("swan"), (Network::User("swan".into()), false, 80, false, 0));
}

#[test]
fn checks_find_their_port_by_name() {
    let with = |check: &str| parse(&swan(&format!(r#""healthCheck":{check}"#))).spec.health;
    let tcp = with(r#"{"protocol":"TCP","portName":"http","intervalSeconds":3}"#).expect("a check");
    assert_eq!(tcp.probe, Probe::Tcp { port: PortRef::Index(0) });
    assert_eq!((tcp.interval, tcp.max_consecutive_failures), (Millis(3_000), 3));
    let cmd = with(r#"{"protocol":"cmd","cmd":"true","intervalSeconds":3,"consecutiveFailures":0}"#);
    let cmd = cmd.expect("a check");
    assert_eq!((cmd.probe, cmd.max_consecutive_failures), (Probe::Command("true".into()), 1));
    assert_eq!(with("null"), None);
}

/// A document that original Swan refuses, by what replaces a part of a good one, and what is said.
const REFUSED: &[(&str, &str, &str)] = &[
    (r#""Web""#, r#""de..mo""#, "name: is \"de..mo\"; must be 1 to 64 letters"),
    (r#""Web""#, r#""<**$""#, "name: is \"<**$\"; must be 1 to 64 letters"),
    (r#""Web""#, r#""  ""#, "name: is \"  \"; must be 1 to 64 letters"),
    (r#""Web""#, r#""""#, "name: is \"\"; must be 1 to 64 letters"),
    (r#""Web""#, r#""tasks""#, "name: makes /unnamed/shop/default/tasks, which is no path"),
    (r#""name":"Web","#, "", "name: is missing"),
    (r#""shop""#, r#""sh..op""#, "runAs: is \"sh..op\"; must be 1 to 64 letters"),
    (r#""shop""#, r#""""#, "runAs: is \"\"; must be 1 to 64 letters"),
    (r#""runAs":"shop","#, "", "runAs: is missing"),
    (r#""runAs":"#, r#""cluster":"a b","runAs":"#, "cluster: is \"a b\"; must be 1 to 64 letters"),
    (r#""instances":1"#, r#""instances":0"#, "instances: is 0; must be a whole number from 1"),
    (r#""instances":1"#, r#""instances":-1"#, "instances: is -1; must be a whole number from 1"),
    (r#""instances":1,"#, "", "instances: is missing"),
    (r#""runAs":"#, r#""cpus":-1,"runAs":"#, "cpus: is -1; must be a number from 0"),
    (r#""runAs":"#, r#""gpus":-1,"runAs":"#, "gpus: is -1; must be"),
    (r#""runAs":"#, r#""mem":-1,"runAs":"#, "mem: is -1; must be"),
    (r#""runAs":"#, r#""disk":-1,"runAs":"#, "disk: is -1; must be"),
    (r#""nginx""#, r#""""#, "container.docker.image: is \"\"; must have 1 to 512 bytes"),
    (r#""bridge""#, r#""""#, "container.docker.network: is \"\"; must be a network's name"),
    (r#""bridge""#, r#""none""#, "container.docker.network: is \"none\"; must be host, bridge, or a network"),
    (r#""network":"bridge","#, "", "container.docker.network: is missing"),
    (r#""docker","#, r#""lxc","#, "container.type: is \"lxc\"; must be one of docker"),
    (r#""docker","#, r#""mesos","#, "container.type: is \"mesos\"; must be one of docker"),
    (r#""docker":{"#, r#""rocket":{"#, "container.docker: is missing"),
    (r#""name":"http","#, "", "container.docker.portMappings[0].name: is missing"),
    (
        r#""tcp""#,
        r#""sctp""#,
        "container.docker.portMappings[0].protocol: is \"sctp\"; must be one of tcp, udp",
    ),
    (
        r#""containerPort":80"#,
        r#""containerPort":-1"#,
        "container.docker.portMappings[0].containerPort: is -1; must",
    ),
    (
        r#""containerPort":80"#,
        r#""containerPort":65536"#,
        "container.docker.portMappings[0].containerPort: is 65536",
    ),
    (r#""hostPort":80"#, r#""hostPort":-1"#, "container.docker.portMappings[0].hostPort: is -1; must"),
    (r#""hostPort":80"#, r#""hostPort":65536"#, "container.docker.portMappings[0].hostPort: is 65536; must"),
    (
        r#""portMappings":["#,
        r#""portMappings":[{"name":"http"},"#,
        "container.docker.portMappings[1]: is the second port of name http",
    ),
    (
        r#""portMappings""#,
        r#""parameters":[{"value":"b"}],"portMappings""#,
        "container.docker.parameters[0].key: is missing",
    ),
    (
        r#""type":"docker""#,
        r#""volumes":[{"hostPath":"srv","containerPath":"/a","mode":"RO"}]"#,
        "container.volumes[0].hostPath: is \"srv\"; must be absolute",
    ),
    (
        r#""type":"docker""#,
        r#""volumes":[{"hostPath":"/srv","containerPath":"/a","mode":"ro"}]"#,
        "container.volumes[0].mode: is \"ro\"; must be RO or RW",
    ),
    (
        r#""runAs":"#,
        r#""constraints":[{"operator":"==","value":"a"}],"runAs":"#,
        "constraints[0].attribute: is missing",
    ),
    (
        r#""runAs":"#,
        r#""constraints":[{"attribute":"a","operator":">","value":"a"}],"runAs":"#,
        "constraints[0]: operator: \">\" is none",
    ),
    (r#""runAs":"#, r#""restart":{"retries":-1},"runAs":"#, "restart.retries: is -1; must"),
    (r#""runAs":"#, r#""kill":{"duration":-1},"runAs":"#, "kill.duration: is -1; must"),
    (r#""runAs":"#, r#""update":{"delay":-1},"runAs":"#, "update.delay: is -1; must"),
    (
        r#""runAs":"#,
        r#""update":{"onFailure":"x"},"runAs":"#,
        "update.onFailure: is \"x\"; must be one of stop",
    ),
    (r#""runAs":"#, r#""update":{"delays":1},"runAs":"#, "update.delays: is unknown; must be delay"),
    (r#""runAs":"#, r#""ips":["10.0.0.1"],"runAs":"#, "ips: is a list; must be left out: only in a network"),
    (
        r#""runAs":"#,
        r#""proxy":{"enabled":true,"proxies":[{"listen":"-1"}]},"runAs":"#,
        "proxy.proxies[0].listen: is \"-1\"; must be a port",
    ),
];

#[test]
fn what_original_swan_refuses_is_refused_by_name() {
    for (part, replaced, expected) in REFUSED {
        let document = swan("").replacen(part, replaced, 1);
        let told = problems(&document);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{document}: {told:?} is not {expected}");
    }
    let long = "a".repeat(65);
    let told = problems(&swan("").replacen("Web", &long, 1));
    assert!(told.len() == 1 && told[0].starts_with("name: is \""), "{told:?}");
}

#[test]
fn bad_checks_of_original_swan_are_refused_by_name() {
    let cases = [
        (
            r#"{"protocol":"udp","intervalSeconds":1}"#,
            "healthCheck.protocol: is \"udp\"; must be one of cmd, tcp, http",
        ),
        (r#"{"intervalSeconds":1}"#, "healthCheck.protocol: is missing"),
        (r#"{"protocol":"cmd","intervalSeconds":1}"#, "healthCheck.cmd: is missing"),
        (r#"{"protocol":"tcp","intervalSeconds":1}"#, "healthCheck.portName: is missing"),
        (r#"{"protocol":"http","portName":"http","intervalSeconds":1}"#, "healthCheck.path: is missing"),
        (
            r#"{"protocol":"tcp","portName":"x","intervalSeconds":1}"#,
            "healthCheck.portName: is \"x\"; must be the name of one of container.docker.portMappings",
        ),
        (r#"{"protocol":"tcp","portName":"http"}"#, "healthCheck.intervalSeconds: is missing"),
        (
            r#"{"protocol":"tcp","portName":"http","intervalSeconds":0}"#,
            "healthCheck.intervalSeconds: is 0; must be a whole number from 1",
        ),
        (
            r#"{"protocol":"tcp","portName":"http","intervalSeconds":1,"timeoutSeconds":-1}"#,
            "healthCheck.timeoutSeconds: is -1",
        ),
        (
            r#"{"protocol":"tcp","portName":"http","intervalSeconds":1,"gracePeriodSeconds":-1}"#,
            "healthCheck.gracePeriodSeconds: is -1",
        ),
        (
            r#"{"protocol":"tcp","portName":"http","intervalSeconds":1,"delaySeconds":-1}"#,
            "healthCheck.delaySeconds: is -1",
        ),
        (
            r#"{"protocol":"tcp","portName":"http","intervalSeconds":1,"maxConsecutiveFailures":1}"#,
            "healthCheck.maxConsecutiveFailures: is unknown; must be consecutiveFailures",
        ),
    ];
    for (check, expected) in cases {
        let told = problems(&swan(&format!(r#""healthCheck":{check}"#)));
        assert!(told.len() == 1 && told[0].starts_with(expected), "{check}: {told:?} is not {expected}");
    }
    let check = r#""healthCheck":{"protocol":"cmd","cmd":"true","intervalSeconds":1}"#;
    let told = problems(&swan(check).replace("bridge", "swan"));
    assert!(told[0].starts_with("healthCheck.protocol: is \"cmd\"; must be tcp or http"), "{told:?}");
}
