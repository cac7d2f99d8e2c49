//! Owns short scripted stories in a quiet world, and what is left when each has come to rest; so that one that a crash
//! interrupted can be compared with one that went through.

use std::collections::BTreeMap;

use prost::Message;
use swan_core::id::TaskName;
use swan_core::mesos::TaskState;
use swan_core::record::RecordKey;

use crate::ask::{Ask, Change};
use crate::checkers::convergence::Running;
use crate::definition::{Definition, Trouble, image};
use crate::options::Options;
use crate::world::{CRASH_BEFORE_EFFECT, World};

/// Virtual time that one part of a story may take.
const PATIENCE_MS: u64 = 30 * 60_000;
/// A world is at rest when this long nothing was left to do.
const STILL_MS: u64 = 3_000;

/// A story: parts that each begin when the one before has come to rest.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// What happens.
    pub parts: &'static [Part],
}

/// One part of a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A user wants the app, with so many instances of the first image.
    Create(u32),
    /// A user wants so many instances of the second image.
    Update(u32),
    /// A user wants so many instances.
    Scale(u32),
    /// A user wants it no more.
    Delete,
    /// A user ends the task of this slot.
    Kill(u32),
    /// The container of this slot ends by itself.
    Fail(u32),
    /// The connection to Mesos breaks.
    Cut,
    /// A user wants so many instances of an image that is never healthy.
    UpdateSick(u32),
    /// A user wants the version before.
    Rollback,
    /// A user wants new tasks of the same version.
    Restart,
    /// A user wants no tasks for now.
    Stop,
    /// A user wants tasks again.
    Start,
}

/// All stories.
pub const ALL: &[Scenario] = &[
    Scenario { name: "deploy", parts: &[Part::Create(3)] },
    Scenario { name: "scale up", parts: &[Part::Create(1), Part::Scale(3)] },
    Scenario { name: "scale down", parts: &[Part::Create(3), Part::Scale(1)] },
    Scenario { name: "update", parts: &[Part::Create(2), Part::Update(2)] },
    Scenario { name: "kill", parts: &[Part::Create(2), Part::Kill(0)] },
    Scenario { name: "failure", parts: &[Part::Create(2), Part::Fail(1)] },
    Scenario { name: "delete", parts: &[Part::Create(2), Part::Delete] },
    Scenario { name: "reconnect", parts: &[Part::Create(2), Part::Cut, Part::Scale(3)] },
    Scenario { name: "rollback", parts: &[Part::Create(2), Part::Update(2), Part::Rollback] },
    Scenario { name: "restart", parts: &[Part::Create(2), Part::Restart] },
    Scenario { name: "stop and start", parts: &[Part::Create(2), Part::Stop, Part::Start] },
    Scenario { name: "give up", parts: &[Part::Create(1), Part::UpdateSick(1), Part::Rollback] },
];

/// What is left of a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// What runs.
    pub containers: Vec<Running>,
    /// What is stored, without what differs from run to run: ids, times, addresses.
    pub records: Vec<String>,
    /// Containers started, by slot.
    pub started: BTreeMap<u32, u32>,
    /// Tasks that an executor was told to end, by slot.
    pub killed: BTreeMap<u32, u32>,
    /// Effects that all of it took.
    pub effects: u64,
    /// Crashes that really happened.
    pub crashes: u64,
}

const APP: &str = "web.shop";

fn definition(instances: u32, image: &str) -> Definition {
    Definition::plain(image, instances, true)
}

/// Plays a story, with a crash before the effect of this number, if any. An error says what went wrong.
pub fn play(scenario: &Scenario, seed: u64, crash_before: Option<u64>) -> Result<Rest, String> {
    let mut options = Options::quiet();
    options.store.torn = 500_000;
    options.store.snapshot_entries = 8;
    let mut world = World::new(seed, options);
    if let Some(effect) = crash_before {
        world.crash_before(effect);
    }
    for part in scenario.parts {
        begin(&mut world, *part);
        come_to_rest(&mut world)?;
    }
    rest_of(&world)
}

fn begin(world: &mut World, part: Part) {
    let app = || APP.to_owned();
    match part {
        Part::Create(n) => {
            world.ask(Ask::Create { app: app(), definition: definition(n, "image:1") });
        }
        Part::Update(n) => world.ask(Ask::change(APP, Change::Update(definition(n, "image:2")))),
        Part::Scale(instances) => world.ask(Ask::change(APP, Change::Scale(instances))),
        Part::UpdateSick(n) => {
            let sick = definition(n, &image(3, Some(Trouble::Sick)));
            world.ask(Ask::change(APP, Change::Update(sick)));
        }
        Part::Rollback => world.ask(Ask::change(APP, Change::Rollback)),
        Part::Restart => world.ask(Ask::change(APP, Change::Restart)),
        Part::Stop => world.ask(Ask::change(APP, Change::Stop)),
        Part::Start => world.ask(Ask::change(APP, Change::Start)),
        Part::Delete => world.ask(Ask::change(APP, Change::Delete)),
        Part::Kill(slot) => world.ask(Ask::Kill { app: app(), slot }),
        Part::Fail(slot) => world.fail_container(APP, slot),
        Part::Cut => world.cut_network(),
    }
}

fn come_to_rest(world: &mut World) -> Result<(), String> {
    let deadline = world.now() + PATIENCE_MS;
    // What was begun must be seen first.
    let mut still = world.now();
    loop {
        world.run_until(world.now() + 100);
        if let Some(violation) = world.violation() {
            return Err(format!("{}: {}", violation.number, violation.what));
        }
        match world.pending() {
            Some(why) if world.now() > deadline => return Err(why),
            Some(_) => still = world.now(),
            None if world.now() - still >= STILL_MS => return Ok(()),
            None => {}
        }
    }
}

fn rest_of(world: &World) -> Result<Rest, String> {
    let cluster = world.cluster();
    let (mut started, mut killed) = (BTreeMap::new(), BTreeMap::new());
    for (framework, task, times) in cluster.all_launches() {
        let name = TaskName::parse(task.as_str()).ok_or_else(|| format!("{task} is no name of ours"))?;
        *started.entry(name.slot).or_default() += times;
        if cluster.kills(framework, task) > 0 {
            *killed.entry(name.slot).or_default() += 1;
        }
    }
    let mut containers = world.running();
    containers.sort_by(|a, b| (&a.app, a.slot).cmp(&(&b.app, b.slot)));
    let records = world.stored().records().iter().filter_map(|(key, value)| normal(key, value)).collect();
    let ledger = world.ledger();
    let crashes = ledger.counts.get(CRASH_BEFORE_EFFECT).copied().unwrap_or_default();
    Ok(Rest { containers, records, started, killed, effects: ledger.effects, crashes })
}

#[derive(Clone, PartialEq, Message)]
struct AppRecord {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(uint32, tag = "3")]
    instances: u32,
    #[prost(string, tag = "5")]
    error: String,
    #[prost(uint64, tag = "6")]
    revision: u64,
    #[prost(string, optional, tag = "7")]
    quarantined: Option<String>,
    #[prost(uint32, tag = "10")]
    size: u32,
    #[prost(message, optional, tag = "11")]
    rollout: Option<RolloutRecord>,
    #[prost(message, repeated, tag = "12")]
    ended: Vec<RolloutRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct RolloutRecord {
    #[prost(string, tag = "2")]
    operation: String,
    #[prost(string, tag = "3")]
    stage: String,
    #[prost(bool, tag = "4")]
    automatic: bool,
}

#[derive(Clone, PartialEq, Message)]
struct VersionRecord {
    #[prost(string, tag = "1")]
    spec: String,
}

#[derive(Clone, PartialEq, Message)]
struct SlotRecord {
    #[prost(message, optional, tag = "1")]
    task: Option<TaskRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct TaskRecord {
    #[prost(int32, tag = "5")]
    state: i32,
    #[prost(bool, optional, tag = "6")]
    healthy: Option<bool>,
    #[prost(uint32, tag = "10")]
    stop: u32,
}

/// A record in words, without what differs from run to run; `None` for what only keeps such things.
fn normal(key: &RecordKey, value: &[u8]) -> Option<String> {
    let (kind, rest) = key.0.split_first()?;
    let name = String::from_utf8_lossy(rest.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
    Some(match kind {
        b'a' => format!("app {:?}", AppRecord::decode(value).ok()?),
        b'v' => format!("version of {name}: {}", VersionRecord::decode(value).ok()?.spec),
        b's' => {
            let slot = rest.last().copied().unwrap_or_default();
            let task = SlotRecord::decode(value).ok()?.task;
            let task = task.map(|it| (TaskState::from_number(it.state), it.healthy, it.stop));
            format!("slot {slot} of {name}: {task:?}")
        }
        b'i' => format!("idempotency key {name}"),
        b'f' => "framework".into(),
        // Which hosts are remembered depends on where tasks happened to be placed.
        b'h' => return None,
        _ => format!("{} record", *kind as char),
    })
}
