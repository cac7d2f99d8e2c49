//! Owns the properties of the scheduler machine: whatever happens to it in whatever order, an outside model agrees with
//! all that it does; and once nothing more happens, it has what is wanted and rests.

#[path = "properties/cluster.rs"]
mod cluster;
#[path = "properties/world.rs"]
mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use swan_core::id::DottedId;
use swan_core::mesos::{AgentFacts, Event as MesosEvent, OfferId, TaskId, TaskState};
use swan_core::record::RecordKey;
use swan_core::scheduler::api::{ApiCall, AppChange, Guard, RolloutVerb};
use swan_core::scheduler::input::{Input, StoreEvent};
use swan_core::time::Millis;

use world::World;

const APPS: [&str; 4] = ["a", "b", "c", "d"];

/// Something that happens. Numbers pick among what there is.
#[derive(Clone, Debug)]
enum Happening {
    Create(usize, u8, u32),
    Change(usize, Verb, bool),
    Steer(usize, RolloutVerb),
    Reset(usize),
    OverrideBrake,
    KillAll(usize),
    Kill(usize),
    Offer { agent: usize, parts: i64, reserved: bool, role: usize },
    OfferAgain(usize),
    Rescind(usize),
    Update { task: usize, state: i32, healthy: Option<bool>, uuid: bool },
    Unknown { task: u8, state: i32, uuid: bool },
    Store(usize),
    StoreAll,
    Stall,
    Resume,
    Connect,
    Disconnect,
    Advance(u64),
    Crash { stored: usize, by_history: bool },
}

/// What an app is to become.
#[derive(Clone, Debug)]
enum Verb {
    Update(u8, u32),
    Rollback,
    Scale(u32),
    Restart,
    Stop,
    Start,
    Delete,
}

/// Shapes of apps.
const SHAPES: u8 = 7;

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        4 => (0..SHAPES, 0..5u32).prop_map(|(shape, n)| Verb::Update(shape, n)),
        2 => Just(Verb::Rollback),
        4 => (0..5u32).prop_map(Verb::Scale),
        2 => Just(Verb::Restart),
        1 => Just(Verb::Stop),
        2 => Just(Verb::Start),
        1 => Just(Verb::Delete),
    ]
}

fn steering() -> impl Strategy<Value = RolloutVerb> {
    use RolloutVerb as V;
    prop_oneof![Just(V::Pause), Just(V::Resume), Just(V::Cancel)]
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let app = 0..APPS.len();
    let pick = 0..64usize;
    // Every state that Mesos knows, and two numbers that it does not.
    let state = prop_oneof![3 => Just(1), 1 => Just(0), 2 => -1..15i32];
    prop_oneof![
        4 => (app.clone(), 0..SHAPES, 0..5u32).prop_map(|(app, shape, n)| H::Create(app, shape, n)),
        6 => (app.clone(), verb(), any::<bool>()).prop_map(|(app, verb, force)| H::Change(app, verb, force)),
        2 => (app.clone(), steering()).prop_map(|(app, verb)| H::Steer(app, verb)),
        1 => app.clone().prop_map(H::Reset),
        1 => Just(H::OverrideBrake),
        1 => app.prop_map(H::KillAll),
        1 => pick.clone().prop_map(H::Kill),
        8 => (0..6usize, 1..4i64, any::<bool>(), 0..2usize)
            .prop_map(|(agent, parts, reserved, role)| H::Offer { agent, parts, reserved, role }),
        1 => pick.clone().prop_map(H::OfferAgain),
        2 => pick.clone().prop_map(H::Rescind),
        12 => (pick, state.clone(), any::<Option<bool>>(), any::<bool>())
            .prop_map(|(task, state, healthy, uuid)| H::Update { task, state, healthy, uuid }),
        1 => (0..4u8, state, any::<bool>()).prop_map(|(task, state, uuid)| H::Unknown { task, state, uuid }),
        8 => (1..4usize).prop_map(H::Store),
        4 => Just(H::StoreAll),
        1 => Just(H::Stall),
        1 => Just(H::Resume),
        2 => Just(H::Connect),
        1 => Just(H::Disconnect),
        4 => prop_oneof![0..3_000u64, 0..200_000u64].prop_map(H::Advance),
        1 => (0..3usize, any::<bool>()).prop_map(|(stored, by_history)| H::Crash { stored, by_history }),
    ]
}

/// An app in one of a few shapes.
fn document(app: usize, shape: u8, instances: u32) -> Vec<u8> {
    let mapped = |port: u16| {
        format!(
            r#","portMappings":[{{"containerPort":80,"hostPort":{port}}}]}},"networks":[{{"mode":"container/bridge"}}]"#
        )
    };
    let host = r#"},"networks":[{"mode":"host"}],"portDefinitions":[{"port":0},{"port":0}]"#;
    let (network, more) = match shape {
        0 => (mapped(0), ""),
        1 => (mapped(0), r#","healthChecks":[{"protocol":"MESOS_HTTP","portIndex":0}]"#),
        2 => (mapped(cluster::FIXED_PORTS.start + app as u16), r#","cmd":"other""#),
        3 => (host.into(), r#","cpus":1.5"#),
        4 => (mapped(0), r#","upgradeStrategy":{"minimumHealthCapacity":0.5,"maximumOverCapacity":0}"#),
        5 => (mapped(0), r#","upgradeStrategy":{"minimumHealthCapacity":1,"maximumOverCapacity":0}"#),
        _ => (host.into(), r#","role":"*","acceptedResourceRoles":["*"],"backoffFactor":3"#),
    };
    let name = APPS[app];
    format!(
        r#"{{"id":"/p/{name}","instances":{instances},"cpus":0.5,"mem":64,"container":{{"type":"DOCKER","docker":{{"image":"web:{shape}"}}{network}{more}}}"#
    )
    .replace(r#""cpus":0.5,"mem":64"#, if shape == 3 { r#""mem":64"# } else { r#""cpus":0.5,"mem":64"# })
    .into_bytes()
}

fn dotted(app: usize) -> DottedId {
    DottedId::from_text(&format!("{}.p", APPS[app]))
}

fn pick<T>(mut items: impl ExactSizeIterator<Item = T>, number: usize) -> Option<T> {
    let count = items.len();
    if count == 0 { None } else { items.nth(number % count) }
}

fn happen(world: &mut World, happening: Happening) {
    use Happening as H;
    match happening {
        H::Create(app, shape, instances) => {
            world.request(ApiCall::CreateApp { document: document(app, shape, instances) });
        }
        H::Change(app, verb, force) => {
            let change = match verb {
                Verb::Update(shape, n) => AppChange::Update { document: document(app, shape, n) },
                Verb::Rollback => AppChange::Rollback { version: None },
                Verb::Scale(instances) => AppChange::Scale { instances, ips: None },
                Verb::Restart => AppChange::Restart,
                Verb::Stop => AppChange::Stop,
                Verb::Start => AppChange::Start,
                Verb::Delete => AppChange::Delete,
            };
            let guard = Guard { if_match: None, force };
            world.request(ApiCall::ChangeApp { app: dotted(app), change, guard });
        }
        H::Steer(app, verb) => world.request(ApiCall::SteerRollout { app: dotted(app), verb }),
        H::Reset(app) => world.request(ApiCall::ResetApp { app: dotted(app) }),
        H::OverrideBrake => world.request(ApiCall::OverrideBrake),
        H::KillAll(app) => world.request(ApiCall::KillTasks { app: dotted(app) }),
        H::Kill(number) => {
            if let Some(task) = pick(world.cluster.tasks.keys(), number).cloned() {
                let app = task.as_str().splitn(3, '.').nth(2).unwrap_or_default();
                world.request(ApiCall::KillTask { app: DottedId::from_text(app), task: task.clone() });
            }
        }
        H::Offer { agent, parts, reserved, role } => {
            let role = world.roles[role % world.roles.len()].clone();
            let reserved = reserved && role != "*";
            if world.connected
                && let Some(offer) = world.cluster.offer(agent, parts, reserved, &role)
            {
                world.mesos(MesosEvent::Offers(vec![offer]));
            }
        }
        H::OfferAgain(number) => offer_again(world, number),
        H::Rescind(number) => {
            if let Some(id) = pick(world.cluster.offers.keys(), number).cloned() {
                world.cluster.take_back(&id);
                world.mesos(MesosEvent::Rescind(id));
            }
        }
        H::Update { task, state, healthy, uuid } => {
            if let Some(task) = pick(world.cluster.tasks.keys(), task).cloned() {
                update(world, &task, TaskState::from_number(state), healthy, uuid);
            }
        }
        H::Unknown { task, state, uuid } => {
            let id = TaskId::new(format!("00000000000{task}.{task}.a.p"));
            world.update(&id, TaskState::from_number(state), None, uuid);
        }
        H::Store(batches) => world.store(batches),
        H::StoreAll => world.store_all(),
        H::Stall => world.step(Input::Store(StoreEvent::Stalled)),
        H::Resume => world.step(Input::Store(StoreEvent::Resumed)),
        H::Connect => world.connect(),
        H::Disconnect => world.disconnect(),
        H::Advance(millis) => world.advance(Millis(millis)),
        H::Crash { stored, by_history } => {
            world.store(stored);
            world.lead(by_history);
            world.connect();
        }
    }
}

/// The same offer once more, while it is out.
fn offer_again(world: &mut World, number: usize) {
    let Some((id, (agent, resources))) = pick(world.cluster.offers.iter(), number) else { return };
    let (id, agent, resources) = (id.clone(), cluster::agent_id(*agent), resources.clone());
    let role = resources[0].allocation_role.as_deref().map(Into::into);
    let (framework_id, hostname) = ("F".into(), String::new());
    let again = swan_core::mesos::Offer {
        id,
        framework_id,
        agent_id: agent,
        agent: AgentFacts { hostname, address: None, domain: None, attributes: vec![] }.into(),
        resources,
        role,
        unavailability: None,
        executor_ids: vec![],
    };
    world.mesos(MesosEvent::Offers(vec![again]));
}

/// An update of a launched task; what it says becomes true, as far as it can.
fn update(world: &mut World, task: &TaskId, state: TaskState, healthy: Option<bool>, uuid: bool) {
    if !world.connected {
        return;
    }
    let running = world.cluster.tasks.get_mut(task).expect("picked among them");
    running.dying |= state == TaskState::Killing;
    // Gone by an operator's word it may still run.
    if state.is_terminal() && state != TaskState::GoneByOperator {
        world.cluster.end(task);
    }
    world.update(task, state, healthy, uuid);
}

/// Some apps that run already, so that what happens has something to happen to.
fn begin(world: &mut World, shapes: &[(u8, u32)]) {
    for (app, &(shape, instances)) in shapes.iter().enumerate() {
        happen(world, Happening::Create(app, shape, instances));
    }
    happen(world, Happening::StoreAll);
    happen(world, Happening::Advance(3_000));
    for agent in 0..6 {
        happen(world, Happening::Offer { agent, parts: 2, reserved: false, role: 0 });
    }
    happen(world, Happening::StoreAll);
    for task in 0..world.cluster.tasks.len() {
        happen(world, Happening::Update { task, state: 1, healthy: Some(true), uuid: true });
    }
}

/// Everything works from now on: questions are answered, tasks run well, what is killed ends, all is offered.
fn heal(world: &mut World) {
    world.step(Input::Store(StoreEvent::Resumed));
    world.disconnect();
    world.store_all();
    world.connect();
    for app in 0..APPS.len() {
        world.request(ApiCall::SteerRollout { app: dotted(app), verb: RolloutVerb::Resume });
    }
    world.request(ApiCall::OverrideBrake);
    // Long enough for a rollout to fail for lack of progress, and for what it goes back to.
    for round in 0..200 {
        world.store_all();
        answer(world);
        world.store_all();
        let out: Vec<OfferId> = world.cluster.offers.keys().cloned().collect();
        assert!(out.len() <= 64, "offers are not held for long");
        let role = world.roles[round % world.roles.len()].clone();
        for agent in 0..6 {
            if let Some(offer) = world.cluster.offer(agent, 1, false, &role) {
                world.mesos(MesosEvent::Offers(vec![offer]));
            }
        }
        world.store_all();
        if world.machine.view().pending().is_none() && world.kills.is_empty() {
            return;
        }
        world.advance(Millis(10_000));
    }
    let view = world.machine.view();
    let tasks: Vec<_> =
        APPS.iter().enumerate().filter_map(|(app, _)| view.tasks(&dotted(app), None, 100)).collect();
    let rollouts: Vec<_> = (0..APPS.len()).filter_map(|app| view.rollouts(&dotted(app))).collect();
    panic!("all is well, but: {:?}; {rollouts:?}; {tasks:?}", view.pending());
}

/// Mesos answers all that it was asked, and tells of all tasks.
fn answer(world: &mut World) {
    for task in std::mem::take(&mut world.kills) {
        let alive = world.cluster.tasks.get(&task).is_some_and(|running| running.alive);
        world.cluster.end(&task);
        world.update(&task, if alive { TaskState::Killed } else { TaskState::Lost }, None, alive);
    }
    world.asked_all = false;
    for (task, _) in std::mem::take(&mut world.asked) {
        if !world.cluster.tasks.get(&task).is_some_and(|running| running.alive) {
            world.update(&task, TaskState::Gone, None, false);
        }
    }
    let alive: Vec<(TaskId, bool)> = world
        .cluster
        .tasks
        .iter()
        .filter(|(_, running)| running.alive)
        .map(|(task, running)| (task.clone(), running.dying))
        .collect();
    for (task, dying) in alive {
        if dying {
            world.cluster.end(&task);
        }
        world.update(&task, if dying { TaskState::Killed } else { TaskState::Running }, Some(true), true);
    }
}

/// What runs is what is wanted, or the app says why not, and no more runs than may.
fn agree(world: &World) {
    let view = world.machine.view();
    let mut known = 0;
    for name in APPS {
        let dotted = DottedId::from_text(&format!("{name}.p"));
        let running: Vec<_> = world.cluster.running(dotted.as_str()).collect();
        let Some(app) = view.app(&dotted) else {
            assert_eq!(running.len(), 0, "{name} is gone, and so are its tasks");
            continue;
        };
        known += running.len();
        let slots: BTreeSet<u32> = running.iter().map(|(slot, _)| *slot).collect();
        if app.error_message.is_empty() {
            assert_eq!(
                running.len(),
                app.instances as usize,
                "as many tasks run as are wanted (L1): {app:?}"
            );
            assert_eq!(slots, (0..app.instances).collect(), "one in each slot");
            let image = format!(r#""image":"{}""#, running.first().map_or("", |(_, image)| image));
            let alike = running.windows(2).all(|two| two[0].1 == two[1].1);
            assert!(
                alike && (running.is_empty() || app.spec.contains(&image)),
                "{image} is not wanted: {app:?}"
            );
        } else {
            let most = world.ceiling(&app);
            assert!(
                running.len() <= most as usize,
                "no more than {most} run, whatever has failed (S3): {app:?}"
            );
        }
        for task in view.tasks(&app.id, None, 100).expect("the app is there").items {
            let alive = task.id.as_ref().is_some_and(|id| world.cluster.tasks[id].alive);
            assert!(
                alive || !app.error_message.is_empty(),
                "a task that is shown runs, or it is said why not"
            );
        }
    }
    let running = world.cluster.tasks.values().filter(|running| running.alive).count();
    assert_eq!(running, known, "nothing runs but tasks of apps");
}

/// Nothing is left to do, and nothing is done, but to ask from time to time (L8, L9).
fn rest(world: &mut World) {
    // Also what was left with an error comes to rest.
    for _ in 0..3 {
        world.advance(Millis::from_secs(180));
        answer(world);
        world.store_all();
    }
    world.advance(Millis::from_secs(180));
    world.store_all();
    world.busy = 0;
    for _ in 0..60 {
        world.advance(Millis::from_secs(60));
        // Answers without a uuid: nobody acknowledges.
        for (task, _) in std::mem::take(&mut world.asked) {
            world.update(&task, TaskState::Running, None, false);
        }
    }
    assert_eq!(world.busy, 0, "who has nothing to do does nothing");
    let held = world.machine.view().gauges().find(|(name, ..)| *name == "offers_held").expect("a gauge").2;
    assert_eq!(held, 0, "no offer is held for nothing");
}

/// The same few cases in every run, so that the suite stays short and says the same twice; `PROPTEST_CASES` and `SEED`
/// ask for others.
fn config() -> ProptestConfig {
    let given = |name| std::env::var(name).ok().and_then(|value| value.parse().ok());
    ProptestConfig {
        cases: given("PROPTEST_CASES").map_or(48, |cases: u64| cases as u32),
        rng_seed: RngSeed::Fixed(given("SEED").unwrap_or(1)),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_the_outside_agrees_and_in_the_end_all_is_as_wanted(
        shapes in prop::collection::vec((0..SHAPES, 1..5u32), 0..3),
        happenings in prop::collection::vec(happening(), 1..200),
        two_roles in any::<bool>(),
    ) {
        let mut world = World::new(if two_roles { &["web", "*"] } else { &["*"] });
        world.connect();
        begin(&mut world, &shapes);
        for happening in happenings {
            happen(&mut world, happening);
        }
        heal(&mut world);
        agree(&world);
        rest(&mut world);
        agree(&world);
    }

    #[test]
    fn pages_of_records_join_at_any_key(
        happenings in prop::collection::vec(happening(), 20..60),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, any::<Vec<u8>>()), 8),
        bytes_max in 0..2000usize,
    ) {
        let mut world = World::new(&["*"]);
        world.connect();
        for happening in happenings {
            happen(&mut world, happening);
        }
        let begin = RecordKey(vec![]);
        let all = world.records(&begin, None, usize::MAX);
        prop_assert!(all.is_sorted_by(|a, b| a.0 < b.0), "records come in order of key");
        prop_assert_eq!(&world.records(&begin, None, bytes_max), &all);
        for (at, length, more) in cuts {
            if all.is_empty() {
                break;
            }
            // A key that exists, cut short, or with something in its end's place.
            let mut cut = at.get(&all).0.clone();
            cut.0.truncate(length);
            cut.0.extend(more.iter().take(6));
            let mut joined = world.records(&begin, Some(&cut), bytes_max);
            prop_assert!(joined.iter().all(|(key, _)| *key < cut));
            joined.extend(world.records(&cut, None, bytes_max));
            prop_assert_eq!(&joined, &all, "cut at {:?}", cut);
        }
    }
}
