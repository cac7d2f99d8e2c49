//! Owns the answer, for every field, whether a change of it replaces running containers.

use super::{parse, web};
use crate::spec::*;

/// Taken apart, so that a new field cannot be forgotten in the list below.
fn name_every_field(spec: &AppSpec) {
    let AppSpec {
        path: _,
        command: _,
        user: _,
        image: _,
        force_pull_image: _,
        privileged: _,
        parameters: _,
        volumes: _,
        fetch: _,
        cpus: _,
        mem: _,
        disk: _,
        gpus: _,
        limits: _,
        instances: _,
        env: _,
        env_secrets: _,
        labels: _,
        network: _,
        ips: _,
        ports: _,
        require_ports: _,
        health: _,
        kill_grace: _,
        backoff: _,
        rules: _,
        strategy: _,
        upgrade: _,
        update: _,
        failover: _,
        unreachable: _,
        kill_selection: _,
        role: _,
        accepted_roles: _,
        carried: _,
    } = spec;
}

/// A change of one field, and whether running tasks stay as they are.
fn changes(base: &AppSpec) -> Vec<(&'static str, AppSpec, bool)> {
    let with = |more: &str| parse(&web(more)).spec;
    let contained = |container: &str| {
        parse(&format!(r#"{{"id":"/shop/web","container":{{"docker":{{"image":"nginx"{container}}}}}"#)).spec
    };
    let in_network = |more: &str| with(&format!(r#""networks":[{{"name":"dcos"}}]{more}"#));
    vec![
        ("command", with(r#""cmd":"x""#), false),
        ("user", with(r#""user":"u""#), false),
        ("image", AppSpec { image: "nginx:2".into(), ..base.clone() }, false),
        ("force_pull_image", contained(r#","forcePullImage":true}"#), false),
        ("privileged", contained(r#","privileged":true}"#), false),
        ("parameters", contained(r#","parameters":[{"key":"a","value":"b"}]}"#), false),
        ("volumes", contained(r#"},"volumes":[{"containerPath":"/a","hostPath":"/b","mode":"RO"}]"#), false),
        ("fetch", with(r#""fetch":[{"uri":"a"}]"#), false),
        ("cpus", with(r#""cpus":2"#), false),
        ("mem", with(r#""mem":1"#), false),
        ("disk", with(r#""disk":1"#), false),
        ("gpus", with(r#""gpus":1"#), false),
        ("limits", with(r#""resourceLimits":{"mem":"unlimited"}"#), false),
        ("instances", with(r#""instances":7"#), true),
        ("env", with(r#""env":{"A":"b"}"#), false),
        ("env_secrets", with(r#""env":{"A":{"secret":"b"}},"secrets":{"b":{"source":"/b"}}"#), true),
        ("labels", with(r#""labels":{"a":"b"}"#), true),
        ("network", with(r#""networks":[{"mode":"container/bridge"}]"#), false),
        ("network, of users", in_network(""), false),
        ("ports", with(r#""portDefinitions":[{"name":"default","port":1}]"#), false),
        ("ports, labels", with(r#""portDefinitions":[{"name":"default","labels":{"a":"b"}}]"#), true),
        ("require_ports", with(r#""requirePorts":true"#), false),
        ("health", with(r#""healthChecks":[{}]"#), false),
        ("kill_grace", with(r#""taskKillGracePeriodSeconds":5"#), true),
        ("backoff", with(r#""backoffSeconds":9,"backoffFactor":2,"maxLaunchDelaySeconds":1"#), true),
        ("rules", with(r#""constraints":[["hostname","UNIQUE"]]"#), true),
        ("strategy", with(r#""placement":{"strategy":"binpack"}"#), true),
        ("upgrade", with(r#""upgradeStrategy":{"minimumHealthCapacity":0}"#), true),
        ("update", with(r#""update":{"parallel":1}"#), true),
        ("failover", with(r#""failover":{"retries":1}"#), true),
        ("unreachable", with(r#""unreachableStrategy":"disabled""#), true),
        ("kill_selection", with(r#""killSelection":"OLDEST_FIRST""#), true),
        ("role", with(r#""role":"a""#), false),
        ("accepted_roles", with(r#""acceptedResourceRoles":["*"]"#), false),
        ("carried", with(r#""dependencies":["/b"],"proxy":{"alias":"a"}"#), true),
    ]
}

#[test]
fn only_what_a_running_task_sees_replaces_it() {
    let base = parse(&web("")).spec;
    name_every_field(&base);
    for (field, changed, same) in changes(&base) {
        assert!(changed != base, "{field} was not changed");
        assert_eq!(base.same_containers(&changed), same, "{field}");
    }
}

#[test]
fn addresses_of_a_network_are_of_its_containers() {
    let with = |more: &str| parse(&web(&format!(r#""networks":[{{"name":"dcos"}}]{more}"#))).spec;
    assert!(!with("").same_containers(&with(r#","ips":["10.0.0.7"]"#)));
}

/// The mark that a check was given as `MESOS_…` is for the canonical form only, as is the service port of a mapping.
#[test]
fn what_only_the_canonical_form_tells_apart_replaces_nothing() {
    let with = |protocol: &str, service: u16| {
        let document = format!(
            r#"{{"id":"/a","networks":[{{"mode":"container/bridge"}}],"container":{{"docker":{{"image":"a"}},"portMappings":[{{"servicePort":{service}}}]}},"healthChecks":[{{"protocol":"{protocol}","delaySeconds":1}}]}}"#
        );
        parse(&document).spec
    };
    assert!(with("HTTP", 0).same_containers(&with("MESOS_HTTP", 0)));
    assert!(with("HTTP", 0).same_containers(&with("HTTP", 10_000)));
    let in_own = |service: u16| {
        parse(&format!(
            r#"{{"id":"/a","networks":[{{"name":"dcos"}}],"container":{{"docker":{{"image":"a"}},"portMappings":[{{"servicePort":{service}}}]}}}}"#
        ))
        .spec
    };
    assert!(in_own(0).same_containers(&in_own(10_000)));
}
