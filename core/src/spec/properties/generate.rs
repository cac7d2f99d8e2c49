//! Owns the generation of any spec whatever that a document can describe.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::limits;
use crate::mesos::{Reason, TaskState};
use crate::spec::*;

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
    let flags = (any::<bool>(), protocol);
    (any::<[u16; 3]>(), flags, labels()).prop_map(move |([container, host, service], flags, labels)| {
        let (mapped, protocol) = flags;
        let (container_port, mapped, host_port) = match network {
            Network::Bridge => (container, true, host),
            Network::Host => (0, true, if require { service } else { 0 }),
            Network::User(_) => (container, mapped, if mapped { host } else { 0 }),
        };
        Port { name: None, container_port, mapped, host_port, service_port: service, protocol, labels }
    })
}

/// Network, ports with numbers and names of their own, and whether they are required.
fn networking() -> impl Strategy<Value = (Network, Vec<Port>, bool)> {
    let user = "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,8}[A-Z]".prop_map(|name| (Network::User(name), false));
    let network = prop_oneof![
        Just((Network::Bridge, false)),
        Just((Network::Host, false)),
        Just((Network::Host, true)),
        user
    ];
    network.prop_flat_map(|(network, require)| {
        vec(port(network.clone(), require), 0..4).prop_map(move |mut ports| {
            for (index, port) in (0_u16..).zip(&mut ports) {
                port.name = port.labels.is_empty().then(|| format!("port-{index}"));
                let own = |number: u16| if number == 0 { 0 } else { number / 8 * 8 + index + 1 };
                (port.host_port, port.service_port) = (own(port.host_port), own(port.service_port));
            }
            (network.clone(), ports, require)
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

fn millis() -> impl Strategy<Value = Millis> {
    (0..=limits::SECONDS_MAX * 1000).prop_map(Millis)
}

/// At least one second.
fn positive() -> impl Strategy<Value = Millis> {
    (1..=limits::SECONDS_MAX).prop_map(Millis::from_secs)
}

fn update() -> impl Strategy<Value = Update> {
    let then = select(alloc::vec![OnFailure::Stop, OnFailure::Continue, OnFailure::Rollback]);
    let numbers = (of(1..=limits::INSTANCES_MAX), of(0..=limits::ROLLOUT_FAILURES_MAX));
    (numbers, millis(), seconds(), positive(), then).prop_map(
        |((parallel, max_failures), delay, min_healthy, progress_deadline, on_failure)| Update {
            parallel,
            delay,
            min_healthy,
            progress_deadline,
            max_failures,
            on_failure,
        },
    )
}

fn pattern() -> impl Strategy<Value = EndPattern> {
    let ends: Vec<TaskState> = TaskState::ALL.iter().copied().filter(|state| state.is_terminal()).collect();
    let codes = btree_set((0..256, 0..256).prop_map(|(a, b): (i32, i32)| (a.min(b), a.max(b))), 0..3);
    (subsequence(ends, 0..3), subsequence(Reason::ALL.to_vec(), 0..3), codes).prop_map(
        |(mut states, mut reasons, codes)| {
            states.sort_unstable();
            reasons.sort_unstable();
            if states.is_empty() && reasons.is_empty() {
                states.push(TaskState::Failed);
            }
            EndPattern { states, reasons, exit_codes: codes.into_iter().collect() }
        },
    )
}

fn failover() -> impl Strategy<Value = Failover> {
    let then = select(alloc::vec![OnExhausted::KeepTrying, OnExhausted::Stop, OnExhausted::Rollback]);
    let numbers = (of(0..=limits::FAILOVER_RETRIES_MAX), 0..=limits::FAILURES_PER_SLOT_MAX);
    (of(pattern()), of(pattern()), numbers, positive(), then).prop_map(
        |(errors, ignore, (retries, history), window, on_exhausted)| Failover {
            errors,
            ignore,
            retries,
            window,
            history,
            on_exhausted,
        },
    )
}

fn strategy() -> impl Strategy<Value = PlacementStrategy> {
    let max = limits::WEIGHT_MAX;
    let weights = [-max..=max, -max..=max, -max..=max, -max..=max, -max..=max];
    prop_oneof![
        select(alloc::vec![PlacementStrategy::Spread, PlacementStrategy::BinPack, PlacementStrategy::Random]),
        weights.prop_map(|[cpus, mem, disk, gpus, tasks]| {
            PlacementStrategy::Weighted(Weights { cpus, mem, disk, gpus, tasks })
        }),
    ]
}

fn unreachable() -> impl Strategy<Value = Unreachable> {
    let replace =
        (seconds(), seconds()).prop_map(|(a, b)| Unreachable::Replace { after: a.min(b), expunge: a.max(b) });
    prop_oneof![Just(Unreachable::Wait), replace]
}

fn rules() -> impl Strategy<Value = Rules> {
    const TEXTS: [&str; 8] = [
        "UNIQUE hostname",
        "rack GROUP_BY 3",
        "rack MAX_PER 2",
        "rack LIKE \"r[0-9]+\"",
        "hostname != a OR rack == b",
        "NOT (cpus < 2 AND ssd IS yes)",
        "PREFER rack == a 5",
        "PREFER ssd == yes",
    ];
    subsequence(TEXTS.to_vec(), 0..4).prop_map(|texts| {
        let read = |text: &&str| Rules::parse(text).expect("a good rule");
        texts.iter().map(read).fold(Rules::default(), Rules::and)
    })
}

/// With all its policies.
fn policies(spec: AppSpec) -> impl Strategy<Value = AppSpec> {
    let upgrade = (0..=WHOLE_PPM, 0..=WHOLE_PPM)
        .prop_map(|(min_healthy_ppm, max_over_ppm)| Upgrade { min_healthy_ppm, max_over_ppm });
    let backoff = (seconds(), 1000..=1_000_000_u32, seconds())
        .prop_map(|(initial, factor_thousandths, max)| Backoff { initial, factor_thousandths, max });
    let selection = select(alloc::vec![KillSelection::YoungestFirst, KillSelection::OldestFirst]);
    let ends = (of(seconds()), unreachable(), selection);
    let place = (strategy(), rules());
    (upgrade, update(), failover(), backoff, place, ends).prop_map(
        move |(upgrade, update, failover, backoff, (strategy, rules), ends)| {
            let (kill_grace, unreachable, kill_selection) = ends;
            AppSpec {
                rules,
                upgrade,
                update,
                failover,
                backoff,
                strategy,
                kill_grace,
                unreachable,
                kill_selection,
                ..spec.clone()
            }
        },
    )
}

/// With what is kept only.
fn carried(spec: AppSpec) -> impl Strategy<Value = AppSpec> {
    const KEPT: [(&str, &str); 6] = [
        ("dependencies", r#"["/db","/shop/cache"]"#),
        ("tty", "true"),
        ("executorResources", r#"{"cpus":0.1,"mem":32}"#),
        ("readinessChecks", r#"[{"path":"/ready"}]"#),
        ("canary", r#"{"instances":1,"value":0.5}"#),
        ("autoscale", r#"{"minInstances":1,"maxInstances":9,"metric":"cpu","target":0.5}"#),
    ];
    let secrets = btree_map("[A-Z]{1,4}", word(), 0..3);
    (subsequence(KEPT.to_vec(), 0..4), secrets).prop_map(move |(kept, secrets)| {
        let mut spec = spec.clone();
        spec.carried = kept.into_iter().map(|(key, json)| (key.into(), json.into())).collect();
        if !secrets.is_empty() {
            let sources = secrets.values().map(|name| (name.clone(), "{\"source\":\"/s\"}"));
            let sources: BTreeMap<String, &str> = sources.collect();
            let entries: Vec<String> =
                sources.iter().map(|(name, source)| format!("{}:{source}", json::quoted(name))).collect();
            spec.carried.insert("secrets".into(), format!("{{{}}}", entries.join(",")));
        }
        spec.env.retain(|name, _| !secrets.contains_key(name));
        spec.env_secrets = secrets;
        spec
    })
}

/// With resources and roles.
fn claims(spec: AppSpec) -> impl Strategy<Value = AppSpec> {
    let resource = || 0..=limits::RESOURCE_THOUSANDTHS_MAX;
    let numbers = (1..=limits::RESOURCE_THOUSANDTHS_MAX, resource(), resource(), 0..=limits::GPUS_MAX);
    let limit = || of(of(resource()));
    let roles = (of(role()), any::<[bool; 2]>(), btree_set(role(), 0..3));
    (numbers, 0..=limits::INSTANCES_MAX, (limit(), limit()), roles).prop_map(
        move |((cpus, mem, disk, gpus), instances, (cpu_limit, mem_limit), (role, accept, any))| {
            let accepted_roles = match &role {
                None => any.into_iter().collect(),
                Some(role) => [("*", accept[0]), (role.as_str(), accept[1])]
                    .into_iter()
                    .filter(|(_, there)| *there)
                    .map(|(role, _)| role.into())
                    .collect(),
            };
            let limit = |limit: Option<Option<u64>>, claimed: u64| {
                limit.map(|limit| {
                    limit.map_or(Limit::Unlimited, |limit| Limit::Thousandths(limit.max(claimed)))
                })
            };
            let limits = ResourceLimits { cpus: limit(cpu_limit, cpus), mem: limit(mem_limit, mem) };
            AppSpec { cpus, mem, disk, gpus, instances, limits, role, accepted_roles, ..spec.clone() }
        },
    )
}

/// With network, ports and health.
fn connected(spec: AppSpec) -> impl Strategy<Value = AppSpec> {
    let network = networking().prop_flat_map(|(network, ports, require)| {
        let count = ports.len();
        (Just((network, ports, require)), of(health(count)))
    });
    let ips = btree_set("10\\.[1-9]\\.[1-9][0-9]\\.[0-9]", 0..3);
    (network, ips, labels()).prop_map(move |(((network, ports, require_ports), health), ips, labels)| {
        let in_own = matches!(network, Network::User(_));
        let ips = ips.into_iter().filter(|_| in_own).collect();
        AppSpec { network, ips, ports, require_ports, health, labels, ..spec.clone() }
    })
}

/// Any spec.
pub(super) fn spec() -> impl Strategy<Value = AppSpec> {
    let base = AppSpec::parse(br#"{"id":"/shop/web","container":{"docker":{"image":"nginx"}}}"#)
        .expect("a good document")
        .spec;
    container(base)
        .prop_flat_map(claims)
        .prop_flat_map(connected)
        .prop_flat_map(policies)
        .prop_flat_map(carried)
}
