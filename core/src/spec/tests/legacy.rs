//! Owns pairs of documents that mean the same: legacy or lax, and canonical.

use alloc::format;
use alloc::string::String;

use super::parse;

const BRIDGE: &str = r#","networks":[{"mode":"container/bridge"}]"#;

/// An app whose `container.docker` also says `docker`.
fn docker(docker: &str, more: &str) -> String {
    format!(r#"{{"id":"a","container":{{"docker":{{"image":"nginx"{docker}}}}}{more}}}"#)
}

/// The same, of which `container` also says `container`.
fn canonical(container: &str, more: &str) -> String {
    format!(r#"{{"id":"/a","container":{{"type":"DOCKER","docker":{{"image":"nginx"}}{container}}}{more}}}"#)
}

fn check(pairs: &[(String, String)]) {
    for (legacy, canonical) in pairs {
        assert_eq!(parse(legacy).spec.canonical_json(), parse(canonical).spec.canonical_json(), "{legacy}");
    }
}

#[test]
fn legacy_networks_and_ports_become_canonical_ones() {
    check(&[
        (docker(r#","network":"HOST""#, ""), canonical("", r#","networks":[{"mode":"host"}]"#)),
        (docker(r#","network":"host","portMappings":[{"containerPort":80}]"#, ""), canonical("", "")),
        (
            docker(r#","network":"BRIDGE""#, ""),
            canonical(r#","portMappings":[{"containerPort":0,"hostPort":0,"name":"default"}]"#, BRIDGE),
        ),
        (
            docker(r#","network":"bridge","portMappings":[{"containerPort":80}]"#, r#","requirePorts":true"#),
            canonical(r#","portMappings":[{"containerPort":80,"hostPort":0}]"#, BRIDGE),
        ),
        (
            docker(r#","network":"BRIDGE""#, r#","ports":[10000,10001]"#),
            canonical(r#","portMappings":[{"servicePort":10000},{"servicePort":10001}]"#, BRIDGE),
        ),
        (docker(r#","network":"BRIDGE","portMappings":[]"#, ""), canonical(r#","portMappings":[]"#, BRIDGE)),
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
    ]);
}

#[test]
fn networks_of_users_have_a_legacy_form() {
    check(&[
        (
            docker(
                r#","network":"USER","portMappings":[{"containerPort":80},{"containerPort":81,"hostPort":0}]"#,
                r#","ipAddress":{"networkName":"dcos"}"#,
            ),
            canonical(
                r#","portMappings":[{"containerPort":80},{"containerPort":81,"hostPort":0}]"#,
                r#","networks":[{"mode":"container","name":"dcos"}]"#,
            ),
        ),
        (
            docker("", r#","ipAddress":{"networkName":"dcos"}"#),
            canonical(r#","portMappings":[{"name":"default"}]"#, r#","networks":[{"name":"dcos"}]"#),
        ),
        (docker("", r#","ipAddress":{"networkName":"mesos-bridge"}"#), canonical("", BRIDGE)),
        (
            docker("", r#","networks":[{"name":"dcos"}],"portDefinitions":[{"port":10000}]"#),
            canonical(r#","portMappings":[{"servicePort":10000}]"#, r#","networks":[{"name":"dcos"}]"#),
        ),
    ]);
}

#[test]
fn lax_policies_become_canonical_ones() {
    check(&[
        (
            docker(
                "",
                r#","upgradeStrategy":{"minimumHealthCapacity":0.5},"unreachableStrategy":{"inactiveAfterSeconds":9}"#,
            ),
            canonical(
                "",
                r#","upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":1},"unreachableStrategy":{"inactiveAfterSeconds":9,"expungeAfterSeconds":9}"#,
            ),
        ),
        (
            docker("", r#","kill":{"duration":7},"restart":{"retries":2}"#),
            canonical("", r#","taskKillGracePeriodSeconds":7,"failover":{"retries":2,"onExhausted":"stop"}"#),
        ),
        (
            docker("", r#","labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"}"#),
            canonical(
                "",
                r#","labels":{"MARATHON_SINGLE_INSTANCE_APP":"true"},"upgradeStrategy":{"minimumHealthCapacity":0,"maximumOverCapacity":0}"#,
            ),
        ),
        (
            docker("", r#","killSelection":"oldest_first""#),
            canonical("", r#","killSelection":"OLDEST_FIRST""#),
        ),
        (
            docker("", r#","dependencies":["db","../cache"]"#),
            canonical("", r#","dependencies":["/db","/cache"]"#),
        ),
        (
            docker("", r#","proxy":{"enabled":true,"alias":"A.example.com","listen":"80"}"#),
            canonical("", r#","proxy":{"proxies":[{"alias":"a.example.com","listen":80,"sticky":false}]}"#),
        ),
    ]);
}

/// Ports of Mesos's own containers, which run under Docker here.
#[test]
fn ports_to_discover_become_mappings_without_a_host_port() {
    let spec = parse(
        r#"{"id":"/a","container":{"type":"MESOS","docker":{"image":"nginx"}},
            "ipAddress":{"networkName":"dcos","labels":{"a":"b"},"discovery":{"ports":[{"name":"http","number":80,"protocol":"tcp"}]}}}"#,
    )
    .spec;
    let port = &spec.ports[0];
    assert_eq!((port.container_port, port.mapped, port.name.as_deref()), (80, false, Some("http")));
    assert!(spec.canonical_json().contains(r#""networks":[{"mode":"container","name":"dcos"}]"#));
}
