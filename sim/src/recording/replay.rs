//! Owns the course of a replay: each line in order, told to the framework that it concerns.

use std::collections::BTreeMap;

use swan_core::link::Response;
use swan_core::mesos::Call;

use super::Wire;
use super::client::Wanted;
use super::framework::{Framework, Moment};
use super::plan::{Act, Plan, Uses};
use super::read::{Recording, Sent};
use super::report::{Divergence, Report};

/// After the last line the machines get so long to finish, in ms: longer than they hold offers.
const AFTERMATH_MS: u64 = 5_000;

/// Events that Swan must be able to read; others are consumed as what it does not know.
const KNOWN: [&str; 11] = [
    "SUBSCRIBED",
    "OFFERS",
    "INVERSE_OFFERS",
    "RESCIND",
    "RESCIND_INVERSE_OFFER",
    "UPDATE",
    "UPDATE_OPERATION_STATUS",
    "MESSAGE",
    "FAILURE",
    "ERROR",
    "HEARTBEAT",
];

struct Replay<'a> {
    plan: &'a Plan,
    frameworks: BTreeMap<String, Framework>,
    report: Report,
}

/// Replays a recording.
pub fn replay(recording: &Recording, wire: &dyn Wire) -> Report {
    let mut plan = Plan::of(recording, wire);
    let acts = std::mem::take(&mut plan.acts);
    let of_name = |name: &String| (name.clone(), Framework::new(name, &plan));
    let frameworks: BTreeMap<_, _> = plan.streams.values().map(of_name).collect();
    let report = Report {
        lines: recording.lines.len() as u64,
        streams: plan.streams.len() as u64,
        frameworks: frameworks.len() as u64,
        launches: plan.launches.len() as u64,
        ..Report::default()
    };
    let mut replay = Replay { plan: &plan, frameworks, report };
    for &line in &recording.misplaced {
        let kind = "a line that stands after a later one: taken in order of time".into();
        replay.report.diverge(Divergence { line, kind, detail: String::new() });
    }
    for divergence in &plan.divergences {
        replay.report.diverge(divergence.clone());
    }
    let mut at = 0;
    for (line, act) in recording.lines.iter().zip(acts) {
        at = line.at;
        let now = Moment { line: line.number, at };
        for framework in replay.frameworks.values_mut() {
            framework.run_until(now, &mut replay.report);
        }
        replay.act(now, act);
    }
    for framework in replay.frameworks.values_mut() {
        framework.finish(at + AFTERMATH_MS, &mut replay.report);
    }
    replay.report
}

impl Replay<'_> {
    fn act(&mut self, now: Moment, act: Act) {
        match act {
            Act::Nothing => {}
            Act::Ended { stream, why } => {
                if let Some(framework) = of_stream(self.plan, &mut self.frameworks, stream) {
                    framework.end(now, stream, &why, &mut self.report);
                }
            }
            Act::Subscribe { stream, answer } => {
                if let Some(framework) = of_stream(self.plan, &mut self.frameworks, stream) {
                    framework.subscribe(now, stream, response(*answer, stream), &mut self.report);
                }
            }
            Act::Refused { framework, answer } => {
                self.report.refused += 1;
                if let Some(framework) = framework.and_then(|name| self.frameworks.get_mut(&name)) {
                    framework.refused(now, response(*answer, 0), &mut self.report);
                }
            }
            Act::Strange { kind, detail } => {
                self.report.diverge(Divergence { line: now.line, kind, detail });
            }
            Act::Called { framework, call, uses } => self.called(now, &framework, &call, &uses),
            Act::Event { stream, kind, event } => {
                let unreadable = event.as_ref().err().cloned();
                let framework = of_stream(self.plan, &mut self.frameworks, stream);
                let report = &mut self.report;
                let consumed =
                    framework.is_some_and(|framework| framework.hear(now, stream, event, self.plan, report));
                if let Some(why) = unreadable.as_ref().filter(|_| KNOWN.contains(&kind.as_str())) {
                    report.fault(
                        now.line,
                        format!("the event {kind} of stream {stream} cannot be read: {why}"),
                    );
                } else if consumed {
                    *report.events.entry(kind).or_default() += 1;
                    report.unreadable += u64::from(unreadable.is_some());
                } else {
                    report.fault(now.line, format!("the event {kind} of stream {stream} was passed over"));
                }
            }
        }
    }

    fn called(&mut self, now: Moment, name: &str, call: &Call, uses: &Uses) {
        let Some(framework) = self.frameworks.get_mut(name) else { return };
        let kind = kind_of(call);
        framework.calls().count(kind);
        let report = &mut self.report;
        match call {
            Call::Accept { operations, .. } if !operations.is_empty() => {
                framework.launched(now, uses, self.plan, report);
            }
            Call::Accept { offer_ids, .. } | Call::Decline { offer_ids, .. } => {
                framework.answered(now, kind, offer_ids, report);
            }
            Call::AcceptInverseOffers(respond) | Call::DeclineInverseOffers(respond) => {
                framework.answered(now, kind, &respond.inverse_offer_ids, report);
            }
            Call::Kill { task_id, .. } => framework.kill(now, task_id, report),
            Call::Acknowledge { uuid, .. } => {
                framework.calls().want(now.line, Wanted::Acknowledge(uuid.clone()));
            }
            Call::Reconcile { .. } | Call::Suppress { .. } | Call::Revive { .. } => {
                framework.calls().want(now.line, Wanted::Kind(kind));
            }
            _ => {
                let kind = format!("{kind}: Swan never makes it");
                report.diverge(Divergence { line: now.line, kind, detail: String::new() });
            }
        }
    }
}

fn of_stream<'a>(
    plan: &Plan,
    frameworks: &'a mut BTreeMap<String, Framework>,
    stream: u64,
) -> Option<&'a mut Framework> {
    frameworks.get_mut(plan.streams.get(&stream)?)
}

/// What the link is told of an answer to SUBSCRIBE.
fn response(answer: Sent, stream: u64) -> Response {
    Response {
        status: answer.status.unwrap_or(503),
        stream_id: answer.stream_id.or_else(|| (stream > 0).then(|| format!("recorded-{stream}"))),
        location: answer.location,
        body: answer.body,
    }
}

/// A call's type; the two forms of RECONCILE are told apart.
const fn kind_of(call: &Call) -> &'static str {
    match call {
        Call::Subscribe { .. } => "SUBSCRIBE",
        Call::Teardown => "TEARDOWN",
        Call::Accept { .. } => "ACCEPT",
        Call::Decline { .. } => "DECLINE",
        Call::AcceptInverseOffers(_) => "ACCEPT_INVERSE_OFFERS",
        Call::DeclineInverseOffers(_) => "DECLINE_INVERSE_OFFERS",
        Call::Revive { .. } => "REVIVE",
        Call::Suppress { .. } => "SUPPRESS",
        Call::Kill { .. } => "KILL",
        Call::Shutdown { .. } => "SHUTDOWN",
        Call::Acknowledge { .. } => "ACKNOWLEDGE",
        Call::Reconcile { tasks } if tasks.is_empty() => "RECONCILE of all",
        Call::Reconcile { .. } => "RECONCILE of tasks",
        Call::Message { .. } => "MESSAGE",
        Call::Request => "REQUEST",
        Call::UpdateFramework { .. } => "UPDATE_FRAMEWORK",
        Call::ReconcileOperations { .. } => "RECONCILE_OPERATIONS",
        Call::AcknowledgeOperationStatus { .. } => "ACKNOWLEDGE_OPERATION_STATUS",
    }
}
