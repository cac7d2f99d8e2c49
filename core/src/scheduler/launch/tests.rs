//! Owns the tests of the expansion of a placement into a task.

use alloc::collections::BTreeMap;

use super::*;
use crate::mesos::{OfferId, Resource, Uuid};
use crate::spec::{AppSpec, Protocol};
use crate::time::Millis;

fn port(name: Option<&str>, container_port: u16, host_port: u16) -> Port {
    let (name, protocol) = (name.map(Into::into), Protocol::Tcp);
    Port { name, container_port, mapped: true, host_port, service_port: 0, protocol, labels: BTreeMap::new() }
}

fn launch(document: &str, ports: Vec<Port>, claimed: Vec<u16>) -> Launch {
    let spec = AppSpec::parse(document.as_bytes()).expect("a good document").spec;
    let mut template = spec.template(&spec.path.dotted(), "7");
    template.ports = ports;
    template.health_port = Some(0);
    Launch {
        task: "00abcdef0123.2.web.prod".into(),
        slot: 2,
        agent: "S0".into(),
        host: "node1.test".into(),
        ports: claimed.into(),
        claims: vec![Resource::scalar("cpus", 100)].into(),
        template: Arc::new(template),
    }
}

fn bridge(ports: Vec<Port>, claimed: Vec<u16>) -> Launch {
    let document = r#"{"id":"/prod/web","env":{"HOST":"mine"},"container":{"type":"DOCKER","docker":{"image":"web:1.0"},
        "portMappings":[{"containerPort":1}]},"networks":[{"mode":"container/bridge"}],
        "healthChecks":[{"protocol":"MESOS_HTTP","portIndex":0}]}"#;
    launch(document, ports, claimed)
}

fn host(ports: Vec<Port>, claimed: Vec<u16>) -> Launch {
    let document = r#"{"id":"/prod/web","container":{"type":"DOCKER","docker":{"image":"web:1.0"}},
        "portDefinitions":[{"port":0}],"networks":[{"mode":"host"}],
        "healthChecks":[{"protocol":"MESOS_HTTP","portIndex":0}]}"#;
    launch(document, ports, claimed)
}

fn variable<'a>(task: &'a TaskInfo, name: &str) -> Option<&'a str> {
    let environment = &task.command.as_ref().expect("a task has a command").environment;
    let found: Vec<&str> =
        environment.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect();
    assert!(found.len() < 2, "{name} is given twice");
    found.first().copied()
}

fn check_port(task: &TaskInfo) -> u32 {
    match &task.health_check.as_ref().expect("a check").probe {
        HealthProbe::Http { port, .. } => *port,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bridge_tasks_get_mappings_variables_and_the_containers_port_checked() {
    let mut both = port(Some("admin-http"), 0, 0);
    both.protocol = Protocol::TcpUdp;
    let task = bridge(vec![port(Some("http"), 8080, 0), both], vec![31000, 31005]).task_info();
    let docker = task.container.as_ref().and_then(|container| container.docker.as_ref()).expect("docker");
    let mapping = |m: &PortMapping| (m.host_port, m.container_port, m.protocol.clone().unwrap_or_default());
    let mappings: Vec<_> = docker.port_mappings.iter().map(mapping).collect();
    let wanted = [(31000, 8080, "tcp".into()), (31005, 31005, "tcp".into()), (31005, 31005, "udp".into())];
    assert_eq!(mappings, wanted);
    assert_eq!(check_port(&task), 8080, "probed inside the container's network");
    for (name, value) in [
        ("SWAN_APP_ID", "web.prod"),
        ("SWAN_APP_VERSION", "7"),
        ("SWAN_TASK_ID", "00abcdef0123.2.web.prod"),
        ("SWAN_TASK_NAME", "2.web.prod"),
        ("SWAN_PORTS", "31000,31005"),
        ("SWAN_HOST", "node1.test"),
        ("SWAN_PORT0", "31000"),
        ("SWAN_PORT_8080", "31000"),
        ("SWAN_PORT_31005", "31005"),
        ("MESOS_TASK_ID", "00abcdef0123.2.web.prod"),
        ("MARATHON_APP_ID", "/prod/web"),
        ("PORT", "31000"),
        ("PORT1", "31005"),
        ("PORTS", "31000,31005"),
        ("PORT_8080", "31000"),
        ("PORT_HTTP", "31000"),
        ("PORT_ADMIN-HTTP", "31005"),
    ] {
        assert_eq!(variable(&task, name), Some(value), "{name}");
    }
    assert_eq!(variable(&task, "HOST"), Some("mine"), "the user's own value wins");
    assert_eq!(variable(&task, "SWAN_HOST_PORT_HTTP"), None, "only in the host's network");
}

#[test]
fn host_tasks_get_no_mappings_and_the_host_port_checked() {
    // As the spec reads `portDefinitions` without `requirePorts`.
    let wished = Port { service_port: 8080, ..port(Some("http"), 0, 0) };
    let task = host(vec![wished], vec![31000]).task_info();
    let docker = task.container.as_ref().and_then(|found| found.docker.as_ref()).expect("docker");
    assert_eq!(docker.port_mappings, []);
    assert_eq!(check_port(&task), 31000);
    assert_eq!(variable(&task, "SWAN_HOST_PORT_HTTP"), Some("31000"));
    assert_eq!(variable(&task, "PORT_8080"), Some("31000"), "asked for 8080, got 31000");
    let discovery = task.discovery.expect("a discovery");
    assert_eq!(discovery.ports, [(31000, Some("http".into()), Some("tcp".into()))]);
}

#[test]
fn tasks_in_a_network_of_users_are_reached_at_their_own_address() {
    let document = r#"{"id":"/prod/web","networks":[{"name":"dcos"}],"ips":["10.0.0.7","10.0.0.8","fd00::9"],
        "container":{"docker":{"image":"web:1.0"},"portMappings":[{}]},"healthChecks":[{"portIndex":0}]}"#;
    let unmapped = |name, container_port| Port { mapped: false, ..port(Some(name), container_port, 0) };
    let ports = vec![unmapped("http", 8080), port(Some("admin"), 81, 0), unmapped("any", 0)];
    let mut launch = launch(document, ports, vec![31000]);
    let task = launch.task_info();
    let container = task.container.as_ref().expect("a container");
    let docker = container.docker.as_ref().expect("docker");
    assert_eq!(docker.network, Some(crate::mesos::DockerNetwork::User));
    assert_eq!(container.network_infos.iter().map(|n| n.name.as_deref()).collect::<Vec<_>>(), [Some("dcos")]);
    assert_eq!(docker.port_mappings.len(), 1, "only what is mapped");
    assert_eq!((docker.port_mappings[0].host_port, docker.port_mappings[0].container_port), (31000, 81));
    assert_eq!(check_port(&task), 8080);
    assert_eq!(variable(&task, "PORTS"), Some("8080,31000,10000"));
    assert_eq!(variable(&task, "PORT_ANY"), Some("10000"), "any number will do, and the task is told");
    let told = |task: &TaskInfo| {
        let docker = task.container.as_ref().and_then(|found| found.docker.as_ref()).expect("docker");
        docker.parameters.iter().filter(|(key, _)| key.starts_with("ip")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(told(&task), [("ip6".into(), "fd00::9".into())], "slot 2 has the third address");
    launch.slot = 1;
    assert_eq!(told(&launch.task_info()), [("ip".into(), "10.0.0.8".into())]);
    launch.slot = 3;
    assert_eq!(told(&launch.task_info()), [], "any that is free");
}

#[test]
fn labels_of_task_and_container_tell_whose_it_is() {
    let task = bridge(vec![], vec![]).task_info();
    assert!(task.labels.contains(&("SWAN_TASK_NAME".into(), Some("2.web.prod".into()))));
    let docker = task.container.and_then(|container| container.docker).expect("docker");
    let wanted = ("label".to_string(), format!("MESOS_TASK_ID={}", task.task_id));
    assert!(docker.parameters.contains(&wanted), "{:?}", docker.parameters);
    assert_eq!(variable(&bridge(vec![], vec![]).task_info(), "PORT"), None);
}

#[test]
fn a_launch_without_its_ports_is_a_broken_invariant() {
    let launch = bridge(vec![port(None, 80, 0)], vec![]);
    assert!(std::panic::catch_unwind(|| launch.task_info()).is_err());
}

#[test]
fn calls_say_what_the_scheduler_means() {
    let accept = MesosCall::Accept {
        offers: vec![OfferId::new("O1")],
        launches: vec![bridge(vec![], vec![])],
        refuse: Millis(5000),
    };
    match accept.into_call() {
        Some(Call::Accept { offer_ids, operations, filters }) => {
            assert_eq!((offer_ids.len(), filters.refuse), (1, Some(Millis(5000))));
            assert!(matches!(&operations[..], [Operation::Launch(tasks)] if tasks.len() == 1));
        }
        other => panic!("{other:?}"),
    }
    let uuid = Uuid(vec![1; 16].into());
    let acknowledge = MesosCall::Acknowledge { task: "t".into(), agent: "S0".into(), uuid: uuid.clone() };
    let wanted = Call::Acknowledge { agent_id: "S0".into(), task_id: "t".into(), uuid };
    assert_eq!(acknowledge.into_call(), Some(wanted));
    assert_eq!(MesosCall::Disconnect.into_call(), None);
}
