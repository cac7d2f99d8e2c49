//! Owns scripted tests of facts that the recorded traces do not show, or show only by the way.

use swan_core::mesos::{
    Call, Event, InverseRespond, Reason, ReconcileTask, Source, TaskId, TaskState, Unavailability,
};
use swan_core::time::Millis;

use super::bench::{Bench, agent_spec, framework_info, states, task, with_health_check};
use super::properties::{resources_are_conserved, what_runs_is_counted};
use crate::mesos::{
    AdoptedTask, AgentSpec, ClusterInput, ClusterOptions, ClusterOutput, CutOff, OperatorCall, RequestNo,
    TaskReport,
};

const RUNS: TaskReport = TaskReport::Started { data: None, ips: Vec::new() };

#[test]
fn an_unhealthy_task_is_killed_and_only_a_flag_tells() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(with_health_check(task("t", &agent), 2, Millis::from_secs(5)));
    bench.report(&agent, "t", TaskReport::Probe { ok: false });
    assert_eq!(bench.take_updates(), [], "failures within the grace period are silent");
    bench.pass(Millis::from_secs(6));
    bench.out.clear();
    for _ in 0..2 {
        bench.report(&agent, "t", TaskReport::Probe { ok: false });
    }
    assert_eq!(bench.cluster.kills(bench.framework.as_ref().expect("subscribed"), &TaskId::from("t")), 1);
    bench.report(&agent, "t", TaskReport::Probe { ok: false });
    bench.report(&agent, "t", TaskReport::Exited { status: 137 });
    let updates = bench.acknowledge_all();
    let running = TaskState::Running;
    assert_eq!(states(&updates), [running, running, TaskState::Killing, TaskState::Killed]);
    let healthy: Vec<Option<bool>> = updates.iter().map(|status| status.healthy).collect();
    assert_eq!(healthy, [Some(false), Some(false), None, Some(false)]);
    assert_eq!(updates[3].reason, None);
}

#[test]
fn success_ends_the_grace_period_and_is_told_on_change_only() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(with_health_check(task("t", &agent), 9, Millis::from_secs(60)));
    for ok in [true, true, false, false, true] {
        bench.report(&agent, "t", TaskReport::Probe { ok });
    }
    let healthy: Vec<Option<bool>> = bench.acknowledge_all().iter().map(|status| status.healthy).collect();
    assert_eq!(healthy, [Some(true), Some(false), Some(false), Some(true)]);
}

#[test]
fn a_kill_while_staging_is_answered_at_once() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.launch(task("t", &agent));
    bench.out.clear();
    bench.kill("t", None);
    let updates = bench.acknowledge_all();
    assert_eq!(states(&updates), [TaskState::Killed]);
    assert_eq!(updates[0].reason, Some(Reason::TaskKilledDuringLaunch));
    assert_eq!(updates[0].source, Some(Source::Agent));
}

#[test]
fn a_container_that_comes_after_its_kill_is_ended() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.launch(task("t", &agent));
    bench.kill("t", None);
    bench.out.clear();
    bench.report(&agent, "t", RUNS);
    assert!(matches!(bench.out[..], [ClusterOutput::Kill { grace: Millis(0), .. }]), "{:?}", bench.out);
    assert_eq!(bench.cluster.alive_on(&agent).count(), 1);
    bench.report(&agent, "t", TaskReport::Exited { status: 137 });
    assert_eq!(bench.cluster.alive_on(&agent).count(), 0);
}

#[test]
fn a_second_kill_can_only_shorten_the_grace() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    let mut graces = Vec::new();
    for grace in [Some(Millis(60_000)), None, Some(Millis(90_000)), Some(Millis(1000))] {
        bench.kill("t", grace);
        graces.extend(bench.out.drain(..).filter_map(|output| match output {
            ClusterOutput::Kill { grace, .. } => Some(grace),
            _ => None,
        }));
    }
    assert_eq!(graces, [Millis(60_000), Millis(1000)]);
}

#[test]
fn a_kill_is_repeated_to_an_agent_that_was_away() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.step(ClusterInput::AgentCrash { agent: agent.clone() });
    bench.kill("t", None);
    assert!(!bench.out.iter().any(|output| matches!(output, ClusterOutput::Kill { .. })));
    bench.out.clear();
    bench.step(ClusterInput::AgentReturn { agent });
    assert!(bench.out.iter().any(|output| matches!(output, ClusterOutput::Kill { .. })));
}

#[test]
fn facts_of_a_down_time_are_told_afterwards() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.step(ClusterInput::AgentCrash { agent: agent.clone() });
    bench.report(&agent, "t", TaskReport::Exited { status: 0 });
    assert_eq!(bench.take_updates(), []);
    bench.pass(Millis::from_secs(30));
    bench.out.clear();
    bench.step(ClusterInput::AgentReturn { agent });
    assert_eq!(states(&bench.acknowledge_all()), [TaskState::Finished]);
    assert_eq!(bench.cluster.unacknowledged().count(), 0);
}

#[test]
fn a_launch_into_a_partition_is_dropped_when_it_heals() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.step(ClusterInput::Partition { agent: agent.clone(), cut: CutOff::Both });
    bench.launch(task("t", &agent));
    assert!(!bench.out.iter().any(|output| matches!(output, ClusterOutput::Launch { .. })));
    bench.out.clear();
    bench.pass(Millis::from_secs(5));
    bench.step(ClusterInput::Heal { agent });
    let updates = bench.acknowledge_all();
    assert_eq!(states(&updates), [TaskState::Dropped]);
    assert!(updates[0].uuid.is_some());
}

#[test]
fn a_partition_shows_only_when_pings_fail() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.step(ClusterInput::Partition { agent: agent.clone(), cut: CutOff::Both });
    bench.pass(Millis::from_secs(74));
    assert!(bench.take_events().iter().all(|event| matches!(event, Event::Heartbeat | Event::Offers(_))));
    bench.pass(Millis::from_secs(17));
    assert_eq!(states(&bench.take_updates()), [TaskState::Unreachable]);
    bench.step(ClusterInput::Heal { agent });
    let updates = bench.take_updates();
    assert_eq!(states(&updates), [TaskState::Running]);
    assert_eq!(updates[0].reason, Some(Reason::AgentReregistered));
}

#[test]
fn an_agent_is_awaited_until_it_is_back_or_given_up() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    assert_eq!(bench.cluster.awaited_agent(), None);
    bench.step(ClusterInput::Partition { agent: agent.clone(), cut: CutOff::Both });
    assert_eq!(bench.cluster.awaited_agent(), Some(&agent), "its pings fail");
    bench.pass(Millis::from_secs(91));
    assert_eq!(bench.cluster.awaited_agent(), None, "it is given up");
    bench.step(ClusterInput::Heal { agent: agent.clone() });
    bench.step(ClusterInput::MasterFailover);
    assert_eq!(bench.cluster.awaited_agent(), Some(&agent), "the new master has not heard of it yet");
    bench.step(ClusterInput::AgentReturn { agent });
    assert_eq!(bench.cluster.awaited_agent(), None);
    bench.step(ClusterInput::MasterFailover);
    bench.pass(ClusterOptions::default().reregister_timeout);
    assert_eq!(bench.cluster.awaited_agent(), None, "it never came");
}

#[test]
fn a_new_master_says_nothing_of_tasks_that_may_come_back() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    let framework = bench.framework.clone();
    bench.step(ClusterInput::MasterFailover);
    assert!(bench.out.iter().any(|output| matches!(output, ClusterOutput::Break { .. })));
    bench.subscribe(framework);
    bench.out.clear();
    for agent_id in [None, Some(agent.clone())] {
        bench.call(Call::Reconcile { tasks: vec![ReconcileTask { task_id: TaskId::from("t"), agent_id }] });
    }
    bench.call(Call::Reconcile { tasks: Vec::new() });
    bench.kill("t", None);
    assert_eq!(bench.take_updates(), []);
    bench.step(ClusterInput::AgentReturn { agent });
    assert_eq!(bench.take_updates(), [], "tasks that return to a new master cause no update");
    bench.call(Call::Reconcile { tasks: Vec::new() });
    assert_eq!(states(&bench.take_updates()), [TaskState::Running]);
}

#[test]
fn adopted_tasks_cause_no_update_and_end_like_others() {
    let mut bench = Bench::bare(ClusterOptions::default(), 3);
    let framework_id = swan_core::mesos::FrameworkId::from("earlier-0000");
    let agent_id = swan_core::mesos::AgentId::from("earlier-S0");
    let framework = swan_core::mesos::FrameworkInfo { id: Some(framework_id.clone()), ..framework_info() };
    let mut info = task("t", &agent_id);
    info.resources = info.resources.into_iter().map(|resource| resource.allocated_to("apps")).collect();
    let adopted = AdoptedTask { framework, info, container_id: "c".into(), ips: Vec::new(), healthy: None };
    let spec = AgentSpec { id: Some(agent_id.clone()), tasks: vec![adopted], ..agent_spec(1) };
    bench.step(ClusterInput::AgentJoin(Box::new(spec)));
    bench.subscribe(Some(framework_id));
    assert_eq!(bench.take_updates(), []);
    bench.call(Call::Reconcile { tasks: Vec::new() });
    assert_eq!(states(&bench.take_updates()), [TaskState::Running]);
    bench.report(&agent_id, "t", TaskReport::Exited { status: 1 });
    assert_eq!(states(&bench.acknowledge_all()), [TaskState::Failed]);
    assert_eq!(bench.cluster.known_of(&bench.framework.clone().expect("subscribed")).count(), 0);
}

#[test]
fn a_drained_agent_is_offered_no_more_and_its_tasks_end() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.pass(Millis::from_secs(1));
    bench.out.clear();
    let call = OperatorCall::DrainAgent { agent: agent.clone(), max_grace: None };
    bench.step(ClusterInput::Operator { request: RequestNo(900), call });
    bench.report(&agent, "t", TaskReport::Exited { status: 0 });
    let updates = bench.acknowledge_all();
    assert_eq!(states(&updates), [TaskState::Killing, TaskState::Killed]);
    assert!(updates.iter().all(|status| status.reason == Some(Reason::AgentDraining)));
    bench.pass(Millis::from_secs(10));
    assert_eq!(bench.offer(&agent), None);
    bench.step(ClusterInput::Operator {
        request: RequestNo(901),
        call: OperatorCall::ReactivateAgent { agent: agent.clone() },
    });
    bench.pass(Millis::from_secs(1));
    assert!(bench.offer(&agent).is_some());
}

#[test]
fn teardown_ends_the_stream_and_the_tasks() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.out.clear();
    bench.call(Call::Teardown);
    assert!(bench.out.iter().any(|output| matches!(output, ClusterOutput::Kill { .. })));
    assert!(matches!(bench.out.last(), Some(ClusterOutput::End { .. })));
    assert_eq!(bench.cluster.alive_on(&agent).count(), 1, "until its executor has done it");
    bench.report(&agent, "t", TaskReport::Exited { status: 137 });
    assert_eq!(bench.cluster.alive_on(&agent).count(), 0);
    assert_eq!(bench.cluster.unacknowledged().count(), 0);
}

fn plan(bench: &mut Bench, agent: &swan_core::mesos::AgentId, window: Option<Unavailability>) {
    let call = OperatorCall::PlanOutage { agent: agent.clone(), window };
    bench.step(ClusterInput::Operator { request: RequestNo(900), call });
}

#[test]
fn a_planned_outage_is_told_in_new_offers_and_asked_for_again_and_again() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.pass(Millis::from_secs(1));
    bench.out.clear();
    let window = Unavailability { start_ns: 2_000_000_000, duration_ns: Some(60_000_000_000) };
    plan(&mut bench, &agent, Some(window));
    let told = bench.take_events();
    assert!(matches!(told[..], [Event::Rescind(_), Event::Offers(_)]), "{told:?}");
    assert_eq!(bench.offer(&agent).expect("offered again").unavailability, Some(window));
    for again in 0..2 {
        bench.pass(Millis::from_secs(6));
        let asked: Vec<_> = bench
            .take_events()
            .into_iter()
            .filter_map(|event| match event {
                Event::InverseOffers(offers) => Some(offers),
                _ => None,
            })
            .flatten()
            .collect();
        assert_eq!(asked.len(), 1, "asked once until answered");
        assert_eq!((asked[0].agent_id.as_ref(), asked[0].unavailability), (Some(&agent), window));
        let answer =
            InverseRespond { inverse_offer_ids: vec![asked[0].id.clone()], filters: Default::default() };
        let accept = Call::AcceptInverseOffers(answer.clone());
        bench.call(if again == 0 { accept } else { Call::DeclineInverseOffers(answer) });
        bench.out.clear();
    }
    bench.pass(Millis::from_secs(6));
    bench.out.clear();
    plan(&mut bench, &agent, None);
    let told = bench.take_events();
    assert!(told.iter().any(|event| matches!(event, Event::RescindInverseOffer(_))), "{told:?}");
    assert_eq!(bench.offer(&agent).expect("offered again").unavailability, None);
}

#[test]
fn an_outage_that_begins_loses_the_tasks_and_the_agent() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    let begin = OperatorCall::BeginOutage { agent: agent.clone() };
    bench.step(ClusterInput::Operator { request: RequestNo(901), call: begin.clone() });
    assert_eq!(bench.take_updates(), [], "what was not planned is refused");
    plan(&mut bench, &agent, Some(Unavailability { start_ns: 0, duration_ns: None }));
    bench.out.clear();
    bench.step(ClusterInput::Operator { request: RequestNo(902), call: begin });
    let ended = bench.out.iter().any(|output| matches!(output, ClusterOutput::Kill { .. }));
    let updates = bench.take_updates();
    assert_eq!(states(&updates), [TaskState::Lost]);
    assert_eq!(updates[0].reason, Some(Reason::AgentRemoved));
    assert!(ended, "its executors are ended");
    bench.step(ClusterInput::AgentReturn { agent: agent.clone() });
    bench.pass(Millis::from_secs(5));
    assert_eq!(bench.offer(&agent), None, "it does not come back under its id");
}

#[test]
fn an_update_of_an_earlier_task_is_no_news_of_its_namesake() {
    let mut bench = Bench::new(2);
    let (first, second) = (bench.agent(1), bench.agent(2));
    bench.run(task("t", &first));
    bench.report(&first, "t", TaskReport::Exited { status: 0 });
    bench.step(ClusterInput::Partition { agent: first.clone(), cut: CutOff::Both });
    bench.acknowledge_all();
    bench.run(task("t", &second));
    bench.step(ClusterInput::Heal { agent: first });
    assert_eq!(states(&bench.acknowledge_all()), [TaskState::Finished], "the acknowledgement was lost");
    let framework = bench.framework.clone().expect("subscribed");
    let known: Vec<_> = bench.cluster.known_of(&framework).map(|seen| (seen.agent, seen.state)).collect();
    assert_eq!(known, [(&second, TaskState::Running)]);
    what_runs_is_counted(&bench.cluster);
}

#[test]
fn a_new_master_dies_of_one_task_id_on_two_agents() {
    let breaks = |bench: &Bench| bench.out.iter().any(|output| matches!(output, ClusterOutput::Break { .. }));
    // The first of them is back in time, or was given up before.
    for away in [Millis(0), Millis::from_secs(601)] {
        let mut bench = Bench::new(2);
        let (first, second) = (bench.agent(1), bench.agent(2));
        bench.run(task("t", &first));
        bench.step(ClusterInput::MasterFailover);
        bench.subscribe(bench.framework.clone());
        bench.step(ClusterInput::AgentReturn { agent: second.clone() });
        bench.run(task("t", &second));
        bench.pass(away);
        bench.out.clear();
        bench.step(ClusterInput::AgentReturn { agent: first.clone() });
        assert!(breaks(&bench));
        assert!(bench.cluster.agents().all(|(_, registered)| !registered));
        bench.subscribe(bench.framework.clone());
        bench.out.clear();
        bench.step(ClusterInput::AgentReturn { agent: first });
        resources_are_conserved(&bench.cluster);
        assert!(!breaks(&bench), "the first of them to come is welcome");
        bench.step(ClusterInput::AgentReturn { agent: second });
        assert!(breaks(&bench), "and the next is the end of this master too");
    }
}

#[test]
fn each_new_master_waits_for_the_agents_anew() {
    let mut bench = Bench::new(1);
    let agent = bench.agent(1);
    bench.run(task("t", &agent));
    bench.step(ClusterInput::MasterFailover);
    bench.pass(Millis::from_secs(500));
    bench.step(ClusterInput::MasterFailover);
    bench.subscribe(bench.framework.clone());
    let ask = ReconcileTask { task_id: TaskId::from("t"), agent_id: Some(agent) };
    for (span, told) in [(500, vec![]), (101, vec![TaskState::Unreachable])] {
        bench.pass(Millis::from_secs(span));
        bench.out.clear();
        bench.call(Call::Reconcile { tasks: vec![ask.clone()] });
        assert_eq!(states(&bench.take_updates()), told);
    }
}
