//! Owns the comparison of placement with a naive oracle: each task that is placed is where the rules allow it, as good
//! as any other place by its app's strategy; and nothing that could be placed on an open offer waits (S24, L3).

#[path = "placement/oracle.rs"]
mod oracle;
#[path = "placement/rig.rs"]
mod rig;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use oracle::{RULES, STRATEGIES};
use rig::Rig;

/// Something that happens. Numbers pick among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Create { rule: usize, strategy: usize, instances: u32, cpus: i64, ports: usize },
    Scale(usize, u32),
    Offer { agent: usize, cpus: i64, mem: i64, ports: u64 },
    Rescind(usize),
    End(usize),
    Vanish(usize),
    Advance(u64),
    Crash,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    prop_oneof![
        3 => (0..RULES.len(), 0..STRATEGIES.len(), 0..7u32, 1..5i64, 0..3usize).prop_map(
            |(rule, strategy, instances, cpus, ports)| H::Create { rule, strategy, instances, cpus, ports }
        ),
        1 => (any::<usize>(), 0..7u32).prop_map(|(app, instances)| H::Scale(app, instances)),
        14 => (0..rig::AGENTS, 1..12i64, 1..12i64, 0..6u64)
            .prop_map(|(agent, cpus, mem, ports)| H::Offer { agent, cpus, mem, ports }),
        1 => any::<usize>().prop_map(H::Rescind),
        3 => any::<usize>().prop_map(H::End),
        1 => any::<usize>().prop_map(H::Vanish),
        2 => prop_oneof![0..1_500u64, 2_000..6_000u64].prop_map(H::Advance),
        1 => Just(H::Crash),
    ]
}

fn happen(rig: &mut Rig, happening: Happening) {
    use Happening as H;
    match happening {
        H::Create { rule, strategy, instances, cpus, ports } => {
            rig.create(rule, strategy, instances, cpus * 250, ports)
        }
        H::Scale(app, instances) => rig.scale(app, instances),
        H::Offer { agent, cpus, mem, ports } => rig.offer(agent, cpus * 250, mem * 16_000, ports),
        H::Rescind(offer) => rig.rescind(offer),
        H::End(task) => rig.end(task),
        H::Vanish(task) => rig.vanish(task),
        H::Advance(millis) => rig.advance(millis),
        H::Crash => rig.crash(),
    }
}

/// The same few cases in every run; `PROPTEST_CASES` and `SEED` ask for others.
fn config() -> ProptestConfig {
    let given = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    ProptestConfig {
        cases: given("PROPTEST_CASES").map_or(64, |cases: u64| cases as u32),
        rng_seed: RngSeed::Fixed(given("SEED").unwrap_or(1)),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_placed_the_oracle_allows_and_whatever_it_finds_a_place_for_is_placed(
        happenings in prop::collection::vec(happening(), 20..120),
    ) {
        let mut rig = Rig::new();
        for happening in happenings {
            happen(&mut rig, happening);
            rig.nothing_waits_in_vain();
        }
    }
}
