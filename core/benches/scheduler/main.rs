//! Owns the benchmarks of the scheduler core: one thread, simulated agents, no wire, no disk.
//!
//! `cargo bench -p swan-core` prints a table; `-- quick` takes a tenth of the sizes, and `memory`, `place`, `rules`,
//! `offer`, `updates` and `rollout` run these rows only; so does the operator of a rule, as `GROUP_BY`. `once` measures
//! placement once, for those who count instructions. Every batch of changes is handed
//! over and released inside the clock, as if the journal were infinitely fast. The clock counts this thread's time on a
//! processor, so that whatever else the machine does is left out.

mod clock;
mod rig;
mod validator;

use std::time::{Duration, Instant};

use clock::Clock;
use rig::{Agent, Rig};
use validator::Validator;

/// The allocator of the production binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tasks per app.
const INSTANCES: u32 = 1000;

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let divisor = if quick { 10 } else { 1 };
    println!("scheduler core, simulated agents, one thread; {}", cpu());
    println!("{:<58} {:>14} {:>12} {:>8}", "benchmark", "measured", "must", "ratio");
    let (apps, agents) = (1000 / divisor, Agent::fleet(50_000 / divisor as usize, 7));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let turns = if words.iter().any(|word| word == "once") { 1 } else { PLACEMENTS };
    let only: Vec<&String> =
        words.iter().filter(|word| !["--bench", "quick", "once"].contains(&word.as_str())).collect();
    let wanted = |group: &str| only.is_empty() || only.iter().any(|word| *word == group);
    // Memory first: what earlier benchmarks gave back to the allocator would hide it.
    if wanted("memory") {
        follow(memory(apps, &agents));
    }
    let rules: Vec<_> =
        RULES.into_iter().filter(|(name, ..)| wanted("rules") || name.split(' ').any(wanted)).collect();
    if wanted("place") || !rules.is_empty() {
        placement(apps, &agents, &rules, turns);
    }
    if wanted("offer") {
        one_offer(&agents);
    }
    if wanted("updates") {
        updates(100_000 / divisor);
        flatness(divisor);
    }
    if wanted("rollout") {
        rollout(10_000 / divisor);
    }
}

/// Rules of apps, and by how much they may lengthen the time of placement.
const RULES: [(&str, &str, f64); 5] = [
    ("hostname UNIQUE", r#"[["hostname","UNIQUE"]]"#, 1.5),
    ("rack GROUP_BY", r#"[["rack","GROUP_BY"]]"#, 1.5),
    ("rack MAX_PER 40", r#"[["rack","MAX_PER","40"]]"#, 1.5),
    ("hostname LIKE node[0-9]+.example", r#"[["hostname","LIKE","node[0-9]+.example"]]"#, 1.5),
    (
        "all of them",
        r#"[["hostname","UNIQUE"],["rack","GROUP_BY"],["rack","MAX_PER","40"],["hostname","LIKE","node[0-9]+.example"]]"#,
        2.5,
    ),
];

/// How often each placement is measured; the median counts.
const PLACEMENTS: usize = 5;

/// 1,000,000 tasks of 1,000 apps on 50,000 agents of five sizes, offers in random order, demands interleaved; then the same
/// with rules, against the plain time of the same turn.
fn placement(apps: u32, agents: &[Agent], rules: &[(&str, &'static str, f64)], turns: usize) {
    let mut plain = Vec::new();
    let mut ratios = vec![Vec::new(); rules.len()];
    for _ in 0..turns {
        let spent = place(apps, agents, "[]").as_secs_f64();
        plain.push(spent);
        for (ratios, (_, rules, _)) in ratios.iter_mut().zip(rules) {
            ratios.push(place(apps, agents, rules).as_secs_f64() / spent);
        }
    }
    let total = u64::from(apps) * u64::from(INSTANCES);
    let name = format!("place {total} tasks of {apps} apps on {} agents", agents.len());
    report_rate(&name, total, Duration::from_secs_f64(median(&mut plain)), 300_000);
    for (ratios, (name, _, most)) in ratios.iter_mut().zip(rules) {
        let times = median(ratios);
        let span = format!("{:.2} to {:.2}×", ratios[0], ratios[turns - 1]);
        row(
            &format!("the same with {name} ({span})"),
            &format!("{times:.2}×"),
            &format!("{most}×"),
            most / times,
        );
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One offer at a time against 10,000 waiting instances of 2,000 apps, by a clock on the wall: from the offer to its
/// answer.
fn one_offer(agents: &[Agent]) {
    let mut rig = Rig::new();
    for app in 0..2_000 {
        rig.create(app, 5);
    }
    rig.rest();
    let mut spans = Vec::new();
    for agent in &agents[..1_000] {
        // Some have room for a few tasks, some for none.
        let cpus = [1_000, 100, 500, 150][spans.len() % 4];
        let started = Instant::now();
        rig.offer_one(agent, cpus);
        spans.push(started.elapsed());
    }
    spans.sort_unstable();
    let p99 = spans[spans.len() * 99 / 100].as_secs_f64() * 1e6;
    let name = format!("one offer, 10000 waiting of 2000 apps, p99 (p50 {} µs)", spans[500].as_micros());
    row(&name, &format!("{p99:.1} µs"), "50 µs", 50.0 / p99);
}

fn place(apps: u32, agents: &[Agent], rules: &'static str) -> Duration {
    let mut rig = Rig::new();
    rig.set_rules(rules);
    for app in 0..apps {
        rig.create(app, INSTANCES);
    }
    rig.rest();
    let total = u64::from(apps) * u64::from(INSTANCES);
    let mut validator = Validator::new(agents);
    let spent = rig.place_all(agents, total, |offer, launches| validator.see(offer, launches));
    validator.check(total);
    spent
}

/// What the process holds once all tasks run.
fn memory(apps: u32, agents: &[Agent]) -> Rig {
    let before = resident_bytes();
    let rig = Rig::bare(apps, INSTANCES, agents);
    let total = u64::from(apps) * u64::from(INSTANCES);
    let per_task = resident_bytes().saturating_sub(before) / total;
    let name = format!("memory per running task, {total} tasks, whole process");
    row(&name, &format!("{per_task} B"), "512 B", 512.0 / per_task as f64);
    rig
}

/// A standby's way to a full state.
fn follow(rig: Rig) {
    let ops = rig.durable_ops();
    let count = ops.len();
    drop(rig);
    let started = Clock::start();
    let follower = Rig::follow(ops);
    let spent = started.elapsed();
    let millis = spent.as_millis();
    row(
        &format!("follow {count} records and lead"),
        &format!("{millis} ms"),
        "3000 ms",
        3000.0 / millis as f64,
    );
    drop(follower);
}

/// Health flips of running tasks: each changes a record and is acknowledged.
fn updates(tasks: u32) {
    let mut rig = Rig::running(tasks / INSTANCES, INSTANCES);
    let count = 1_000_000;
    let prepared = rig.health_flips(count);
    let started = Clock::start();
    let acknowledged = rig.feed(prepared);
    let spent = started.elapsed();
    assert_eq!(acknowledged, count, "every update was acknowledged");
    report_rate(
        &format!("status updates, {tasks} running tasks, stored and acknowledged"),
        count,
        spent,
        300_000,
    );
}

/// An app's tasks are all replaced: at once beside the old ones, and a tenth at a time.
fn rollout(instances: u32) {
    let agents = instances as usize / 20;
    for (name, strategy) in [
        ("all at once", "1,\"maximumOverCapacity\":1"),
        ("a tenth at a time", "0.9,\"maximumOverCapacity\":0.1"),
    ] {
        let mut rig = Rig::running(1, instances);
        let room = Agent::numbered(agents.max(10)..agents.max(10) * 2, 8);
        let started = Clock::start();
        rig.roll(0, instances, strategy, &room);
        let spent = started.elapsed().as_secs_f64();
        row(
            &format!("rolling update of {instances} instances, {name}"),
            &format!("{spent:.2} s"),
            "2 s",
            2.0 / spent,
        );
    }
}

/// The same events in clusters of one, ten and hundred times the size.
fn flatness(divisor: u32) {
    let mut first = None;
    for scale in [1, 10, 100] {
        let tasks = 10_000 * scale / divisor.min(10);
        let mut rig = Rig::running((tasks / INSTANCES).max(1), INSTANCES.min(tasks));
        let count = 200_000;
        let prepared = rig.health_flips(count);
        let started = Clock::start();
        rig.feed(prepared);
        let nanos = started.elapsed().as_nanos() as f64 / count as f64;
        let base = *first.get_or_insert(nanos);
        let name = format!("cost of one status update at {tasks} tasks");
        println!("{name:<58} {:>14} {:>12} {:>7.2}×", format!("{nanos:.0} ns"), "flat", nanos / base);
    }
}

fn report_rate(name: &str, count: u64, spent: Duration, must: u64) {
    let rate = count as f64 / spent.as_secs_f64();
    row(name, &format!("{rate:.0}/s"), &format!("{must}/s"), rate / must as f64);
}

fn row(name: &str, measured: &str, must: &str, ratio: f64) {
    println!("{name:<58} {measured:>14} {must:>12} {ratio:>7.2}×");
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("statm has numbers");
    pages * 4096
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(": "));
    model.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.to_owned())
}
