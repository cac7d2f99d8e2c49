//! Owns what holds whatever happens to a cluster.

use proptest::prelude::*;
use swan_core::mesos::{Call, Filters, TaskId, Unavailability};
use swan_core::time::Millis;

use super::bench::{Bench, agent_spec, task, with_health_check};
use crate::mesos::pool::Pool;
use crate::mesos::state::{Phase, Standing};
use crate::mesos::{
    Cluster, ClusterInput, ClusterOptions, ClusterOutput, ConnId, CutOff, OperatorCall, RequestNo, TaskReport,
};

const AGENTS: usize = 3;
/// Few, so that ids are used again.
const TASKS: usize = 3;

/// Something that may happen to a cluster.
#[derive(Clone, Debug)]
enum Act {
    Pass(u64),
    Launch(usize, usize),
    Decline(usize, u64),
    AcknowledgeAll,
    Kill(usize),
    Reconcile(usize),
    ReconcileAll,
    Suppress,
    Revive,
    Report(usize, usize, TaskReport),
    Crash(usize),
    Return(usize),
    Stop(usize),
    Partition(usize, CutOff),
    Heal(usize),
    Rescind,
    Subscribe,
    Close,
    MasterFailover,
    Gone(usize),
    Drain(usize),
    Reactivate(usize),
    PlanOutage(usize, bool),
    BeginOutage(usize),
}

fn report() -> impl Strategy<Value = TaskReport> {
    prop_oneof![
        3 => Just(TaskReport::Starting),
        5 => Just(TaskReport::Started { data: None, ips: Vec::new() }),
        3 => any::<bool>().prop_map(|ok| TaskReport::Probe { ok }),
        3 => (0..3).prop_map(|status| TaskReport::Exited { status }),
        1 => Just(TaskReport::LaunchFailed { message: "no image".into() }),
        1 => Just(TaskReport::ExecutorLost),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let agent = || 0..AGENTS;
    let cut = || prop_oneof![Just(CutOff::Both), Just(CutOff::ToAgent), Just(CutOff::ToMaster)];
    prop_oneof![
        6 => (0..30_000u64).prop_map(Act::Pass),
        12 => (agent(), 0..TASKS).prop_map(|(agent, task)| Act::Launch(agent, task)),
        2 => (agent(), 0..20_000u64).prop_map(|(agent, refuse)| Act::Decline(agent, refuse)),
        6 => Just(Act::AcknowledgeAll),
        3 => (0..TASKS).prop_map(Act::Kill),
        1 => (0..TASKS).prop_map(Act::Reconcile),
        1 => Just(Act::ReconcileAll),
        1 => Just(Act::Suppress),
        2 => Just(Act::Revive),
        16 => (agent(), 0..TASKS, report()).prop_map(|(agent, task, what)| Act::Report(agent, task, what)),
        2 => agent().prop_map(Act::Crash),
        3 => agent().prop_map(Act::Return),
        1 => agent().prop_map(Act::Stop),
        1 => (agent(), cut()).prop_map(|(agent, cut)| Act::Partition(agent, cut)),
        2 => agent().prop_map(Act::Heal),
        1 => Just(Act::Rescind),
        2 => Just(Act::Subscribe),
        1 => Just(Act::Close),
        1 => Just(Act::MasterFailover),
        1 => agent().prop_map(Act::Gone),
        1 => agent().prop_map(Act::Drain),
        1 => agent().prop_map(Act::Reactivate),
        2 => (agent(), any::<bool>()).prop_map(|(agent, lift)| Act::PlanOutage(agent, lift)),
        1 => agent().prop_map(Act::BeginOutage),
    ]
}

fn do_act(bench: &mut Bench, act: Act, conn: &mut ConnId) {
    let agents: Vec<_> = bench.cluster.agents().map(|(id, _)| id.clone()).collect();
    let id = |number: usize| format!("t{number}");
    let operator = |call| ClusterInput::Operator { request: RequestNo(0), call };
    match act {
        Act::Pass(span) => bench.pass(Millis(span)),
        Act::Launch(agent, number) => {
            if bench.offer(&agents[agent]).is_some() {
                let task = task(&id(number), &agents[agent]);
                bench.launch(with_health_check(task, 2, Millis(1000)));
            }
        }
        Act::Decline(agent, refuse) => {
            if let Some(offer) = bench.offer(&agents[agent]).map(|seen| seen.id) {
                let filters = Filters { refuse: Some(Millis(refuse)) };
                bench.call(Call::Decline { offer_ids: vec![offer], filters });
            }
        }
        Act::AcknowledgeAll => {
            bench.acknowledge_all();
        }
        Act::Kill(number) => bench.kill(&id(number), None),
        Act::Reconcile(number) => {
            let task_id = TaskId::new(id(number));
            let tasks = vec![swan_core::mesos::ReconcileTask { task_id, agent_id: None }];
            bench.call(Call::Reconcile { tasks });
        }
        Act::ReconcileAll => bench.call(Call::Reconcile { tasks: Vec::new() }),
        Act::Suppress => bench.call(Call::Suppress { roles: Vec::new() }),
        Act::Revive => bench.call(Call::Revive { roles: Vec::new() }),
        Act::Report(agent, number, what) => bench.report(&agents[agent], &id(number), what),
        Act::Crash(agent) => bench.step(ClusterInput::AgentCrash { agent: agents[agent].clone() }),
        Act::Return(agent) => bench.step(ClusterInput::AgentReturn { agent: agents[agent].clone() }),
        Act::Stop(agent) => bench.step(ClusterInput::AgentStop { agent: agents[agent].clone() }),
        Act::Partition(agent, cut) => {
            bench.step(ClusterInput::Partition { agent: agents[agent].clone(), cut })
        }
        Act::Heal(agent) => bench.step(ClusterInput::Heal { agent: agents[agent].clone() }),
        Act::Rescind => bench.step(ClusterInput::Rescind { agent: None }),
        Act::Subscribe => *conn = bench.subscribe(bench.framework.clone()),
        Act::Close => bench.step(ClusterInput::Closed { conn: *conn }),
        Act::MasterFailover => bench.step(ClusterInput::MasterFailover),
        Act::Gone(agent) => {
            bench.step(operator(OperatorCall::MarkAgentGone { agent: agents[agent].clone() }))
        }
        Act::Drain(agent) => {
            let call = OperatorCall::DrainAgent { agent: agents[agent].clone(), max_grace: None };
            bench.step(operator(call));
        }
        Act::PlanOutage(agent, lift) => {
            let window = Unavailability { start_ns: 0, duration_ns: None };
            let agent = agents[agent].clone();
            bench.step(operator(OperatorCall::PlanOutage { agent, window: (!lift).then_some(window) }));
        }
        Act::BeginOutage(agent) => {
            bench.step(operator(OperatorCall::BeginOutage { agent: agents[agent].clone() }));
        }
        Act::Reactivate(agent) => {
            bench.step(operator(OperatorCall::ReactivateAgent { agent: agents[agent].clone() }));
        }
    }
}

/// What each registered agent has is free, offered, or used: nothing is lost, nothing counted twice.
pub(super) fn resources_are_conserved(cluster: &Cluster) {
    for (id, agent) in &cluster.agents {
        if agent.standing != Standing::Registered {
            continue;
        }
        let mut sum = agent.free.clone();
        for offer in cluster.offers.values().filter(|offer| offer.agent == *id) {
            sum.add(offer.resources.clone().allocated(None).resources());
        }
        for known in cluster.frameworks.values().flat_map(|framework| framework.tasks.values()) {
            if known.agent == *id && !known.state.is_terminal() {
                sum.add(known.resources.clone().allocated(None).resources());
            }
        }
        let sum = Pool::of(sum.resources());
        assert!(
            sum.contains(&agent.total) && agent.total.contains(&sum),
            "{id}: {sum} is not {}",
            agent.total
        );
    }
}

/// What runs on a reachable agent is in the master's books: its resources are not offered to others.
pub(super) fn what_runs_is_counted(cluster: &Cluster) {
    for (id, agent) in cluster.agents.iter().filter(|(_, agent)| agent.reachable()) {
        for (key, _) in agent.tasks.iter().filter(|(_, task)| task.phase < Phase::Ended) {
            let known = cluster.frameworks.get(&key.0).and_then(|framework| framework.tasks.get(&key.1));
            let counted = known.is_some_and(|known| known.agent == *id && !known.state.is_terminal());
            assert!(counted, "{id}: {key:?}");
        }
    }
}

/// An update that waits on a reachable agent will be sent again (R22), and only ever the first of a task.
fn waiting_updates_are_repeated(cluster: &Cluster) {
    for agent in cluster.agents.values().filter(|agent| agent.reachable()) {
        for (key, task) in &agent.tasks {
            assert_eq!(task.retry.is_some(), !task.updates.is_empty(), "{key:?}");
        }
    }
}

/// Every offer is a connected framework's and an active agent's.
fn offers_are_good(cluster: &Cluster) {
    for offer in cluster.offers.values() {
        assert!(cluster.agents[&offer.agent].active(), "{}", offer.agent);
        assert!(cluster.frameworks[&offer.framework].stream.is_some());
    }
}

fn start(seed: u64) -> (Bench, ConnId) {
    let mut bench = Bench::bare(ClusterOptions::default(), seed);
    for number in 1..=AGENTS as u16 {
        bench.step(ClusterInput::AgentJoin(Box::new(agent_spec(number))));
    }
    let conn = bench.subscribe(None);
    (bench, conn)
}

/// Other cases in every run; what fails is printed as the acts that lead to it. `PROPTEST_CASES` asks for more of them,
/// `PROPTEST_RNG_SEED` for the same again.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(200);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn invariants_hold_whatever_happens(acts in prop::collection::vec(act(), 1..120)) {
        let (mut bench, mut conn) = start(11);
        for act in acts {
            do_act(&mut bench, act, &mut conn);
            resources_are_conserved(&bench.cluster);
            what_runs_is_counted(&bench.cluster);
            waiting_updates_are_repeated(&bench.cluster);
            offers_are_good(&bench.cluster);
        }
    }

    #[test]
    fn the_seed_decides_everything(acts in prop::collection::vec(act(), 1..60), seed: u64) {
        let mut seen: Vec<(Cluster, Vec<ClusterOutput>)> = Vec::new();
        for _ in 0..2 {
            let (mut bench, mut conn) = start(seed);
            for act in acts.clone() {
                do_act(&mut bench, act, &mut conn);
            }
            seen.push((bench.cluster, bench.out));
        }
        prop_assert_eq!(&seen[0], &seen[1]);
    }

    #[test]
    fn a_frozen_cluster_goes_on_where_it_was(acts in prop::collection::vec(act(), 1..60), at in 0usize..60) {
        let (mut bench, mut conn) = start(2);
        let (mut thawed, mut thawed_conn) = start(2);
        for (done, act) in acts.into_iter().enumerate() {
            if done == at {
                let frozen = postcard::to_allocvec(&thawed.cluster).expect("all state has an encoding");
                thawed.cluster = postcard::from_bytes(&frozen).expect("what was frozen thaws");
            }
            do_act(&mut bench, act.clone(), &mut conn);
            do_act(&mut thawed, act, &mut thawed_conn);
        }
        prop_assert_eq!((bench.cluster, bench.out), (thawed.cluster, thawed.out));
    }

    #[test]
    fn every_update_arrives_once_all_is_well(acts in prop::collection::vec(act(), 1..120)) {
        let (mut bench, mut conn) = start(5);
        for act in acts {
            do_act(&mut bench, act, &mut conn);
        }
        for agent in bench.cluster.agents().map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            bench.step(ClusterInput::Heal { agent: agent.clone() });
            bench.step(ClusterInput::AgentReturn { agent });
        }
        bench.subscribe(bench.framework.clone());
        bench.pass(Millis::from_secs(600));
        bench.acknowledge_all();
        for (agent, _, status) in bench.cluster.unacknowledged() {
            let reachable = bench.cluster.is_reachable(agent);
            prop_assert!(!reachable, "{status:?}");
        }
    }
}
