//! Owns what is understood, key by key.

use super::{parse, web};
use crate::mesos::{Reason, TaskState};
use crate::spec::*;

#[test]
fn resources_go_beyond_cpus_and_memory() {
    let spec = parse(&web(r#""gpus":2,"resourceLimits":{"cpus":"Unlimited","mem":256.5}"#)).spec;
    assert_eq!(spec.gpus, 2);
    let limits = ResourceLimits { cpus: Some(Limit::Unlimited), mem: Some(Limit::Thousandths(256_500)) };
    assert_eq!(spec.limits, limits);
    let task = spec.template(&spec.path.dotted(), "v").task;
    assert_eq!(task.limits, [("cpus".into(), i64::MAX), ("mem".into(), 256_500)]);
    assert_eq!(parse(&web(r#""resourceLimits":{}"#)).spec, parse(&web("")).spec);
}

#[test]
fn policies_are_read_whole() {
    let spec = parse(&web(
        r#""upgradeStrategy":{"minimumHealthCapacity":0.333,"maximumOverCapacity":0},
        "update":{"parallel":2,"delay":0.5,"minHealthySeconds":3,"progressDeadlineSeconds":4,"maxFailures":5,"onFailure":"Rollback"},
        "failover":{"retries":3,"windowSeconds":60,"historyLength":7,"onExhausted":"rollback",
            "errors":{"states":["TASK_FAILED","task_error","TASK_FAILED"],"reasons":["REASON_CONTAINER_LIMITATION_MEMORY"]},
            "ignore":{"exitCodes":["3-10",1,"3-3"]}},
        "unreachableStrategy":{"inactiveAfterSeconds":60,"expungeAfterSeconds":600},
        "killSelection":"OLDEST_FIRST",
        "placement":{"strategy":"weighted","weights":{"cpus":1,"tasks":-1}}"#,
    ))
    .spec;
    assert_eq!(spec.upgrade, Upgrade { min_healthy_ppm: 333_000, max_over_ppm: 0 });
    let update = Update {
        parallel: Some(2),
        delay: Millis(500),
        min_healthy: Millis(3_000),
        progress_deadline: Millis(4_000),
        max_failures: Some(5),
        on_failure: OnFailure::Rollback,
    };
    assert_eq!(spec.update, update);
    let errors = EndPattern {
        states: vec![TaskState::Failed, TaskState::Error],
        reasons: vec![Reason::ContainerLimitationMemory],
        exit_codes: vec![],
    };
    let ignore = EndPattern { exit_codes: vec![(1, 1), (3, 3), (3, 10)], ..EndPattern::default() };
    let failover = Failover {
        errors: Some(errors),
        ignore: Some(ignore),
        retries: Some(3),
        window: Millis(60_000),
        history: 7,
        on_exhausted: OnExhausted::Rollback,
    };
    assert_eq!(spec.failover, failover);
    assert_eq!(spec.unreachable, Unreachable::Replace { after: Millis(60_000), expunge: Millis(600_000) });
    assert_eq!(spec.kill_selection, KillSelection::OldestFirst);
    let weights = Weights { cpus: 1, tasks: -1, ..Weights::default() };
    assert_eq!(spec.strategy, PlacementStrategy::Weighted(weights));
    assert_eq!(parse(&web(r#""unreachableStrategy":"DISABLED""#)).spec.unreachable, Unreachable::Wait);
}

/// An object of Swan's that says nothing new is not written.
#[test]
fn what_is_as_by_default_is_not_written() {
    let says =
        r#""failover":{"historyLength":5},"update":{"onFailure":"stop"},"placement":{"strategy":"spread"}"#;
    assert_eq!(parse(&web(says)).spec.canonical_json(), parse(&web("")).spec.canonical_json());
}

#[test]
fn containers_join_networks_that_users_made() {
    let spec = parse(
        r#"{"id":"/a","networks":[{"mode":"Container","name":"dcos"}],"ips":["10.0.0.7","fd00::0:7"],
            "container":{"docker":{"image":"a"},"portMappings":[{"containerPort":80,"networkNames":["dcos"]},{"containerPort":81,"hostPort":0}]}}"#,
    )
    .spec;
    assert_eq!(spec.network, Network::User("dcos".into()));
    assert_eq!(spec.ips, ["10.0.0.7", "fd00::7"]);
    assert_eq!(spec.ports.iter().map(|port| port.mapped).collect::<Vec<_>>(), [false, true]);
    let canonical = spec.canonical_json();
    assert!(canonical.contains(r#""portMappings":[{"containerPort":80,"servicePort":0,"#), "{canonical}");
}

#[test]
fn secrets_are_kept_by_name() {
    let parsed = parse(&web(
        r#""env":{"A":"b","PASSWORD":{"secret":"db"}},"secrets":{"db":{"source":"/db/password"}}"#,
    ));
    let paths: Vec<&str> = parsed.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(paths, ["env.PASSWORD", "secrets"]);
    assert_eq!(parsed.spec.env_secrets["PASSWORD"], "db");
    let canonical = parsed.spec.canonical_json();
    assert!(canonical.contains(r#""env":{"A":"b","PASSWORD":{"secret":"db"}}"#), "{canonical}");
}

/// What Marathon can say is written as it says it, the rest as text.
#[test]
fn constraints_of_all_forms_are_one_list() {
    let canonical = |constraints: &str| {
        let text = parse(&web(&format!(r#""constraints":{constraints}"#))).spec.canonical_json();
        let (_, rest) = text.split_once(r#""constraints":"#).unwrap_or(("", ""));
        rest.split_once(r#","backoffSeconds""#).map_or("", |(list, _)| list).to_string()
    };
    assert_eq!(canonical(r#"[["hostname","unique"]]"#), r#"[["hostname","UNIQUE"]]"#);
    assert_eq!(canonical(r#""UNIQUE hostname""#), r#"[["hostname","UNIQUE"]]"#);
    assert_eq!(
        canonical(r#"[["hostname","UNIQUE",""],["rack","GROUP_BY","3"]]"#),
        r#"[["hostname","UNIQUE"],["rack","GROUP_BY","3"]]"#
    );
    let mixed =
        r#"["rack == a OR rack == b",{"attribute":"ssd","operator":"!=","value":"no"},["zone","IS","x"]]"#;
    let written = canonical(mixed);
    assert_eq!(canonical(&written), written, "what was written is read as the same");
    assert_eq!(written.matches("rack").count(), 2, "{written}");
    for nothing in ["[]", "null", r#""""#] {
        assert_eq!(canonical(nothing), "", "{nothing}");
    }
}
