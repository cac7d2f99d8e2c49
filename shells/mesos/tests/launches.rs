//! Holds that whatever a definition says of a task reaches Mesos, and is understood again as it was meant.

use std::sync::Arc;

use prost::Message;
use swan_core::mesos::{Call, Filters, Operation, Resource};
use swan_core::scheduler::launch::Launch;
use swan_core::spec::AppSpec;
use swan_mesos::wire::v1::scheduler::Call as WireCall;
use swan_mesos::wire::{call_from_wire, call_to_wire};

fn launched(document: &str, ports: Vec<u16>) -> Call {
    let spec = AppSpec::parse(document.as_bytes()).expect("a good definition").spec;
    let launch = Launch {
        task: "00abcdef0123.0.web".into(),
        slot: 0,
        agent: "S0".into(),
        host: "node1.test".into(),
        ports: ports.into(),
        claims: vec![Resource::scalar("cpus", 500), Resource::scalar("gpus", 2_000)].into(),
        template: Arc::new(spec.template(&spec.path.dotted(), "7")),
    };
    let operations = vec![Operation::Launch(vec![launch.task_info()])];
    Call::Accept { offer_ids: vec!["O0".into()], operations, filters: Filters { refuse: None } }
}

#[test]
fn a_task_keeps_its_limits_its_network_and_its_fetched_files() {
    let call = launched(
        r#"{"id":"/web","cpus":0.5,"gpus":2,"resourceLimits":{"cpus":"unlimited","mem":256.5},
            "networks":[{"mode":"container","name":"dcos"}],"ips":["10.0.0.7"],
            "container":{"docker":{"image":"web:1","forcePullImage":true,"privileged":true,"parameters":[{"key":"hostname","value":"a"}]},
                "volumes":[{"containerPath":"/a","hostPath":"/b","mode":"RO"}],
                "portMappings":[{"containerPort":80,"name":"http"},{"containerPort":81,"hostPort":0,"protocol":"udp"}]},
            "fetch":[{"uri":"http://a/b","executable":true,"destPath":"c"}],"taskKillGracePeriodSeconds":7,
            "healthChecks":[{"protocol":"MESOS_TCP","portIndex":0}]}"#,
        vec![31000],
    );
    let wire = call_to_wire(None, &call).expect("it can be said");
    let bytes = wire.encode_to_vec();
    let again = WireCall::decode(&*bytes).expect("protobuf");
    assert_eq!(call_from_wire(again).expect("it is understood").1, call);
    let json = serde_json::to_value(&wire).expect("JSON");
    let task = json.pointer("/accept/operations/0/launch/task_infos/0").expect("a task");
    for (place, value) in [
        ("/limits/cpus/value", serde_json::json!("Infinity")),
        ("/limits/mem/value", serde_json::json!(256.5)),
        ("/container/docker/network", serde_json::json!("USER")),
        ("/container/network_infos/0/name", serde_json::json!("dcos")),
        ("/container/docker/port_mappings/0/host_port", serde_json::json!(31000)),
        ("/container/docker/parameters/1/key", serde_json::json!("ip")),
        ("/command/uris/0/output_file", serde_json::json!("c")),
        ("/resources/1/name", serde_json::json!("gpus")),
    ] {
        assert_eq!(task.pointer(place), Some(&value), "{place} in {task}");
    }
}
