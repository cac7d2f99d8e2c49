//! Property tests: no bytes whatever bring the reader down, and any spec survives its canonical form.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', ""))
}

fn word() -> impl Strategy<Value = String> {
    "[a-z*äß][a-zA-Z0-9 \"\\\\é🦀]{0,8}[a-z]"
}

fn role() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,8}"
}

fn seconds() -> impl Strategy<Value = Millis> {
    (0..=limits::SECONDS_MAX).prop_map(Millis::from_secs)
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-zA-Z0-9._/ é-]{1,10}", text(), 0..4)
}

fn port(network: Network, require: bool) -> impl Strategy<Value = Port> {
    let protocol = select(alloc::vec![Protocol::Tcp, Protocol::Udp, Protocol::TcpUdp]);
    (any::<[u16; 3]>(), protocol, labels()).prop_map(move |([container, host, service], protocol, labels)| {
        let (container_port, host_port) = match network {
            Network::Bridge => (container, host),
            Network::Host => (0, if require { service } else { 0 }),
        };
        Port { name: None, container_port, host_port, service_port: service, protocol, labels }
    })
}

/// Network, ports with numbers and names of their own, and whether they are required.
fn networking() -> impl Strategy<Value = (Network, Vec<Port>, bool)> {
    let network =
        select(alloc::vec![(Network::Bridge, false), (Network::Host, false), (Network::Host, true)]);
    network.prop_flat_map(|(network, require)| {
        vec(port(network, require), 0..4).prop_map(move |mut ports| {
            for (index, port) in (0_u16..).zip(&mut ports) {
                port.name = port.labels.is_empty().then(|| format!("port-{index}"));
                let own = |number: u16| if number == 0 { 0 } else { number / 8 * 8 + index + 1 };
                (port.host_port, port.service_port) = (own(port.host_port), own(port.service_port));
            }
            (network, ports, require)
        })
    })
}

fn health(ports: usize) -> impl Strategy<Value = Health> {
    let index = (0..ports.max(1)).prop_map(move |index| match (ports, u32::try_from(index)) {
        (1.., Ok(index)) => PortRef::Index(index),
        _ => PortRef::Number(80),
    });
    let port = || prop_oneof![index.clone(), (1_u16..).prop_map(PortRef::Number)];
    let scheme = select(alloc::vec![Scheme::Http, Scheme::Https]);
    let http = (scheme, "/[a-z0-9?=&%\"\\\\é/]{0,8}", port());
    let probe = prop_oneof![
        http.prop_map(|(scheme, path, port)| (Probe::Http { scheme, path, port }, true)),
        port().prop_map(|port| (Probe::Tcp { port }, true)),
        word().prop_map(|line| (Probe::Command(line), false)),
    ];
    let spans = (seconds(), (1..=limits::SECONDS_MAX).prop_map(Millis::from_secs), seconds(), seconds());
    let flags = (any::<bool>(), any::<bool>(), 0..=1_000_000_u32);
    (probe, spans, flags).prop_map(
        |((probe, network), (grace, interval, timeout, delay), (mesos, ipv6, max))| Health {
            probe,
            mesos: mesos && network,
            ipv6: ipv6 && network,
            grace,
            interval,
            timeout,
            delay,
            max_consecutive_failures: max,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Image),
        word().prop_map(Command::Shell),
        vec(text(), 1..4).prop_map(Command::Args),
    ]
}

fn container(spec: AppSpec) -> impl Strategy<Value = AppSpec> {
    let volume = ("/[a-z]{1,8}", word(), any::<bool>()).prop_map(|(container_path, host_path, read_only)| {
        HostVolume { container_path, host_path, read_only }
    });
    let fetch = ("http://[a-z]{1,8}", any::<[bool; 3]>(), of(word())).prop_map(
        |(uri, [extract, executable, cache], dest_path)| Fetch { uri, extract, executable, cache, dest_path },
    );
    let lists = (vec(("[a-z-]{0,3}[a-z]", text()), 0..3), vec(volume, 0..3), vec(fetch, 0..3));
    let env = btree_map("[^=\\x00\\r\\n]{1,8}", text(), 0..4);
    (command(), of(word()), any::<[bool; 2]>(), lists, env).prop_filter_map(
        "a parameter begins with no dash",
        move |(command, user, [force_pull_image, privileged], (parameters, volumes, fetch), env)| {
            let good = !parameters.iter().any(|(key, _)| key.starts_with('-'));
            let spec = spec.clone();
            good.then_some(AppSpec {
                command,
                user,
                force_pull_image,
                privileged,
                parameters,
                volumes,
                fetch,
                env,
                ..spec
            })
        },
    )
}

fn spec() -> impl Strategy<Value = AppSpec> {
    let base = AppSpec::parse(br#"{"id":"/shop/web","container":{"docker":{"image":"nginx"}}}"#)
        .expect("a good document")
        .spec;
    let resource = || 0..=limits::RESOURCE_THOUSANDTHS_MAX;
    let numbers = (1..=limits::RESOURCE_THOUSANDTHS_MAX, resource(), resource(), 0..=limits::INSTANCES_MAX);
    let backoff = (seconds(), 1000..=1_000_000_u32, seconds());
    let roles = (of(role()), any::<[bool; 2]>(), btree_set(role(), 0..3));
    let network = networking().prop_flat_map(|(network, ports, require)| {
        let count = ports.len();
        (Just((network, ports, require)), of(health(count)))
    });
    (container(base), numbers, backoff, roles, network, labels(), of(seconds())).prop_map(
        |(
            spec,
            (cpus, mem, disk, instances),
            (initial, factor_thousandths, max),
            (role, accept, any),
            network,
            labels,
            kill_grace,
        )| {
            let ((network, ports, require_ports), health) = network;
            let own = match &role {
                None => any.into_iter().collect(),
                Some(role) => [("*", accept[0]), (role.as_str(), accept[1])]
                    .into_iter()
                    .filter(|(_, there)| *there)
                    .map(|(role, _)| role.into())
                    .collect(),
            };
            let backoff = Backoff { initial, factor_thousandths, max };
            AppSpec {
                cpus,
                mem,
                disk,
                instances,
                backoff,
                role,
                accepted_roles: own,
                gpus: 0,
                ips: Vec::new(),
                limits: ResourceLimits::default(),
                rules: Rules::default(),
                strategy: PlacementStrategy::default(),
                upgrade: Upgrade::default(),
                update: Update::default(),
                failover: Failover::default(),
                unreachable: Unreachable::default(),
                kill_selection: KillSelection::default(),
                network,
                ports,
                require_ports,
                health,
                labels,
                kill_grace,
                ..spec
            }
        },
    )
}

/// A document that says nearly everything.
const FULL: &str = r#"{"id":"/a/b","cmd":"x","cpus":0.1,"mem":32,"instances":2,"env":{"A":"b"},"labels":{"c":"d"},
    "container":{"type":"DOCKER","docker":{"image":"r.io:5000/a/b:c","network":"BRIDGE","parameters":[{"key":"e","value":"f"}],
    "portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp","name":"http"}]},
    "volumes":[{"containerPath":"/g","hostPath":"/h","mode":"RW"}]},"healthChecks":[{"path":"/","portIndex":0}],
    "fetch":[{"uri":"http://i/j"}],"backoffFactor":1.15,"upgradeStrategy":{"minimumHealthCapacity":0.333},"acceptedResourceRoles":["*"]}"#;

/// Whatever is understood has a canonical form that is a fixed point.
fn check(document: &[u8]) {
    let Ok(parsed) = AppSpec::parse(document) else { return };
    let canonical = parsed.spec.canonical_json();
    let again = AppSpec::parse(canonical.as_bytes()).expect("the canonical form is understood");
    assert!(again.spec == parsed.spec, "{canonical}");
    assert_eq!(again.spec.canonical_json(), canonical);
    parsed.spec.template(&parsed.spec.path.dotted(), "v");
}

proptest! {
    #[test]
    fn any_spec_survives_its_canonical_form(spec in spec()) {
        let canonical = spec.canonical_json();
        let again = AppSpec::parse(canonical.as_bytes()).map_err(|problems| TestCaseError::fail(format!("{problems:?} in {canonical}")))?;
        prop_assert!(again.spec == spec, "{canonical}\n{}", again.spec.canonical_json());
        prop_assert_eq!(again.spec.canonical_json(), canonical);
        prop_assert_eq!(again.warnings, []);
        prop_assert!(spec.same_containers(&again.spec));
    }

    #[test]
    fn no_bytes_bring_the_reader_down(bytes in vec(any::<u8>(), 0..512)) {
        check(&bytes);
    }

    #[test]
    fn no_damage_to_a_document_brings_the_reader_down(
        edits in vec((any::<prop::sample::Index>(), 0..4_usize, prop_oneof![
            select(alloc::vec!["", "null", "0", "-1", "1e308", "1e-9", "0.30000000000000004", "\"\"", "[]", "{}", "true", "\"\\ud83d\"", ",", "\""]).prop_map(String::from),
            "[ -~]{0,3}",
        ]), 1..4)
    ) {
        let mut document = FULL.as_bytes().to_vec();
        for (at, length, new) in edits {
            let start = at.index(document.len());
            let end = (start + length).min(document.len());
            document.splice(start..end, new.bytes());
        }
        check(&document);
    }

    /// Replaces whole values, so that the text stays JSON.
    #[test]
    fn no_value_in_any_place_brings_the_reader_down(
        at in any::<prop::sample::Index>(),
        new in select(alloc::vec!["null", "0", "-1", "1e308", "1e-9", "65536", "18446744073709551616", "\"\"", "\"\\u0000\"", "[]", "[[]]", "{}", "[{}]", "{\"\":0}", "true"]),
    ) {
        let starts: Vec<usize> = FULL.match_indices(':').map(|(colon, _)| colon + 1).filter(|&at| FULL[at..].starts_with(['"', '[', '{', '0', '1', '2', '3', '8'])).collect();
        let start = starts[at.index(starts.len())];
        let mut stream = serde_json::Deserializer::from_str(&FULL[start..]).into_iter::<serde::de::IgnoredAny>();
        if matches!(stream.next(), Some(Ok(_))) {
            let end = start + stream.byte_offset();
            check(format!("{}{new}{}", &FULL[..start], &FULL[end..]).as_bytes());
        }
    }
}
