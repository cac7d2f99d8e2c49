//! Owns the tests of `swan sim run --profile`: what each profile runs, and which options it has.

use super::{nobody, swan};

#[test]
fn a_cluster_of_a_given_size_is_measured() {
    let ended = swan(nobody(), "sim run --profile performance --agents 2 --tasks 30 --minutes 3 --seed 4");
    assert_eq!(ended.code, 0, "{ended:?}");
    let number = |name: &str| {
        let line = ended.out.lines().find_map(|line| line.trim().strip_prefix(name)).expect(name);
        line.trim().parse::<f64>().expect("a number")
    };
    assert_eq!((number("agents"), number("tasks")), (2.0, 30.0));
    assert!(number("times real time") > 1.0, "{ended:?}");
    assert_eq!(ended.out.matches("events/s").count(), 2, "of deploying, and of what follows: {ended:?}");
}

#[test]
fn the_lite_profile_runs_the_same_worlds_without_faults() {
    let ended = swan(nobody(), "sim run --profile lite --seeds 20");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("container started") && !ended.out.contains("network: "), "{ended:?}");
    let swarm = swan(nobody(), "sim run --seeds 5");
    assert!(swarm.out.contains("network: "), "{swarm:?}");
}

#[test]
fn options_that_mean_nothing_with_a_profile_are_refused() {
    for (arguments, says) in [
        ("--agents 5", "--agents needs --profile performance"),
        ("--profile lite --tasks 5", "--tasks needs --profile performance"),
        ("--profile performance --seeds 5", "--seeds needs --profile swarm or lite"),
        ("--profile performance --log", "--log needs --profile swarm or lite"),
        ("--profile lite --marks", "--marks needs --profile swarm"),
        (
            "--profile performance --agents 2 --tasks 65",
            "65 are more than the 64 that 2 agents have room for",
        ),
        ("--profile performance --agents 0", "--agents"),
        ("--profile lite --trace some.trace", "--trace"),
        ("--profile heavy", "[possible values: swarm, lite, performance]"),
    ] {
        let refused = swan(nobody(), &format!("sim run {arguments}"));
        assert_eq!(refused.code, 2, "{arguments}: {refused:?}");
        assert!(refused.err.contains(says), "{arguments}: {refused:?}");
    }
}
