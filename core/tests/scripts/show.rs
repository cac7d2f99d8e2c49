//! Owns how effects stand in a transcript: one line each, with names for what chance made.

use swan_core::mesos::{Resource, ResourceValue, Uuid};
use swan_core::record::{Op, RecordKey};
use swan_core::scheduler::api::{ApiError, ApiReply};
use swan_core::scheduler::effect::{Effect, MesosCall, RouteChange};
use swan_core::scheduler::event::{Event, EventKind};
use swan_core::scheduler::launch::Launch;
use swan_core::scheduler::view::{FailureView, RolloutView, TaskView};
use swan_core::time::Millis;

use crate::names::Names;

/// The lines of one effect.
pub(crate) fn effect(names: &mut Names, effect: &Effect) -> Vec<String> {
    match effect {
        Effect::Store { seq, ops } => {
            let ops: Vec<String> = ops.iter().map(|op| change(names, op)).collect();
            vec![format!("store {}: {}", seq.0, ops.join(", "))]
        }
        Effect::Mesos(call) => mesos(names, call),
        Effect::Reply { id, result } => vec![format!("reply {}: {}", id.0, reply(names, result))],
        Effect::Publish(event) => vec![publish(names, event)],
        Effect::Route(delta) => delta.changes.iter().map(|change| route(names, change)).collect(),
    }
}

fn mesos(names: &mut Names, call: &MesosCall) -> Vec<String> {
    let line = match call {
        MesosCall::Subscribe { framework_info, .. } => {
            let id = framework_info.id.as_ref().map_or_else(|| "none yet".into(), ToString::to_string);
            format!("subscribe roles={} id={id}", framework_info.roles.join(","))
        }
        MesosCall::Accept { offers, launches, refuse } => {
            let mut lines = vec![format!("accept {} refuse={}", list(offers), span(*refuse))];
            lines.extend(launches.iter().map(|launch| launched(names, launch)));
            return lines;
        }
        MesosCall::Decline { offers, refuse } => format!("decline {} refuse={}", list(offers), span(*refuse)),
        MesosCall::Kill { task, agent, grace } => {
            let grace = grace.map_or(String::new(), |grace| format!(" grace={}", span(grace)));
            let agent = agent.as_ref().map_or(String::new(), |agent| format!(" on {agent}"));
            format!("kill {}{agent}{grace}", names.task(task))
        }
        MesosCall::Acknowledge { task, agent, uuid } => {
            format!("ack {} {} on {agent}", names.task(task), show_uuid(uuid))
        }
        MesosCall::Reconcile { tasks } if tasks.is_empty() => "reconcile whatever there is".into(),
        MesosCall::Reconcile { tasks } => {
            let tasks: Vec<String> = tasks
                .iter()
                .map(|(task, agent)| match agent {
                    Some(agent) => format!("{} on {agent}", names.task(task)),
                    None => names.task(task),
                })
                .collect();
            match &tasks[..] {
                [first, .., last] if tasks.len() > 4 => {
                    format!("reconcile {} tasks, {first} to {last}", tasks.len())
                }
                _ => format!("reconcile {}", tasks.join(", ")),
            }
        }
        MesosCall::Suppress { roles } => format!("suppress {}", roles.join(",")),
        MesosCall::Revive { roles } => format!("revive {}", roles.join(",")),
        MesosCall::AcceptInverse { offers } => format!("accept-inverse {}", list(offers)),
        MesosCall::DeclineInverse { offers, refuse } => {
            format!("decline-inverse {} refuse={}", list(offers), span(*refuse))
        }
        MesosCall::Disconnect => "disconnect".into(),
    };
    vec![line]
}

fn launched(names: &mut Names, launch: &Launch) -> String {
    let resources: Vec<String> = launch.resources().iter().map(resource).collect();
    let version = names.version(&launch.template.app, &launch.template.version);
    format!("  launch {} {version} on {}: {}", names.task(&launch.task), launch.agent, resources.join(" "))
}

fn resource(resource: &Resource) -> String {
    let value = match &resource.value {
        ResourceValue::Scalar(milli) if milli % 1000 == 0 => format!("{}", milli / 1000),
        ResourceValue::Scalar(milli) => {
            format!("{}.{:03}", milli / 1000, milli % 1000).trim_end_matches('0').into()
        }
        ResourceValue::Ranges(ranges) => {
            let range = |&(low, high)| if low == high { format!("{low}") } else { format!("{low}-{high}") };
            ranges.iter().map(range).collect::<Vec<_>>().join(",")
        }
        ResourceValue::Set(names) => names.join(","),
    };
    let reserved = resource.reservations.last().map_or(String::new(), |last| format!("({})", last.role));
    let role = resource.allocation_role.as_ref().map_or(String::new(), |role| format!("@{role}"));
    format!("{}{reserved}={value}{role}", resource.name)
}

fn reply(names: &mut Names, result: &Result<ApiReply, Box<ApiError>>) -> String {
    match result {
        Ok(ApiReply::Created { app, revision, version }) => {
            format!("created {app} {} revision={revision}", names.version(app.as_str(), version))
        }
        Ok(ApiReply::Accepted { app, revision }) => format!("accepted {app} revision={revision}"),
        Ok(ApiReply::Unchanged { app, revision }) => format!("unchanged {app} revision={revision}"),
        Ok(ApiReply::Done) => "done".into(),
        Err(error) => {
            let problems: Vec<String> =
                error.problems.iter().map(|p| format!("\n    {}: {}", p.path, p.message)).collect();
            format!("refused ({:?}): {}{}", error.kind, error.detail, problems.concat())
        }
    }
}

fn publish(names: &mut Names, event: &Event) -> String {
    let who = event.who.as_ref().filter(|who| !who.name.is_empty());
    let by = who.map_or(String::new(), |who| format!(" by {}", who.name));
    let app = event.app.as_ref().map_or("", |app| app.as_str());
    let what = match &event.kind {
        EventKind::AppCreated { version, instances } => {
            format!("{app} {} instances={instances}", names.version(app, version))
        }
        EventKind::AppUpdated { version } => format!("{app} {}", names.version(app, version)),
        EventKind::AppScaled { from, to } => format!("{app} from {from} to {to}"),
        EventKind::AppDeleting | EventKind::AppDeleted | EventKind::AppReleased => app.into(),
        EventKind::RolloutEnded { operation, error } if error.is_empty() => format!("{app} {operation}"),
        EventKind::RolloutEnded { operation, error } => format!("{app} {operation}: {error}"),
        EventKind::TaskChanged { task, state, message, .. } => {
            let message = if message.is_empty() { String::new() } else { format!(" ({message})") };
            format!("{} {state}{message}", names.task(task))
        }
        EventKind::TaskHealthy { task, .. } | EventKind::TaskUnhealthy { task, .. } => names.task(task),
        EventKind::TaskQuarantined { task, state } => format!("{} {state}", names.task(task)),
        EventKind::FrameworkSubscribed { framework, .. } => framework.clone(),
        EventKind::FrameworkHeld { frameworks } => list(frameworks),
        EventKind::FrameworkDecided { adopted } => adopted.clone().unwrap_or_else(|| "a new one".into()),
        EventKind::AppQuarantined { reason } => format!("{app}: {reason}"),
        EventKind::AppRolledBack { version, reason } => {
            format!("{app} to {} {reason}", names.version(app, version))
        }
        EventKind::AppRestarting { version } => format!("{app} {}", names.version(app, version)),
        EventKind::AppStopping | EventKind::AppStarting => app.into(),
        EventKind::RolloutPaused | EventKind::RolloutResumed | EventKind::RolloutCancelled => app.into(),
        EventKind::SlotGivenUp { slot, reason } => format!("{slot}.{app}: {reason}"),
        EventKind::TaskStuck { task, .. } => names.task(task),
        EventKind::BrakeEngaged { agents, tasks } => format!("{tasks} tasks on {agents} agents are lost"),
        EventKind::BrakeReleased { by_operator } => {
            if *by_operator {
                "by the operator".into()
            } else {
                "by itself".into()
            }
        }
    };
    format!("event {} {}: {what}{by}", event.id, event.kind.name())
}

fn route(names: &mut Names, change: &RouteChange) -> String {
    match change {
        RouteChange::Put { task, host, ports, .. } => {
            format!("route + {} at {host}:{}", names.task(task), list(ports))
        }
        RouteChange::Remove { task, .. } => format!("route - {}", names.task(task)),
    }
}

/// A record change: `slot 0.web.shop`, or `-slot 0.web.shop` if it goes.
fn change(names: &mut Names, op: &Op) -> String {
    let sign = if op.value.is_some() { "" } else { "-" };
    format!("{sign}{}", key(names, &op.key))
}

/// A record's key in words.
pub(crate) fn key(names: &mut Names, key: &RecordKey) -> String {
    let (kind, rest) = key.0.split_first().expect("a key has a kind");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let numbered = |width: usize| {
        let (name, number) = rest.split_at(rest.len() - width);
        let number = number.iter().fold(0u64, |n, &b| n << 8 | u64::from(b));
        (text(&name[..name.len() - 1]), number)
    };
    match kind {
        b'f' => "framework".into(),
        b'a' => format!("app {}", text(rest)),
        b'v' => {
            let (app, number) = numbered(8);
            format!("version {} of {app}", names.version(&app, &number.to_string()))
        }
        b's' => {
            let (app, number) = numbered(4);
            let (what, number) =
                if number >> 31 == 0 { ("slot", number) } else { ("successor", number & !(1 << 31)) };
            format!("{what} {number}.{app}")
        }
        b'o' => format!("superseded {}", names.task(&text(rest).as_str().into())),
        b'q' => format!("quarantined {}", names.task(&text(rest).as_str().into())),
        b'i' => format!("key {}", text(rest)),
        b'h' => format!("agent {}", text(rest)),
        _ => format!("{key:?}"),
    }
}

/// One task of a view.
pub(crate) fn task(names: &mut Names, app: &str, task: &TaskView) -> String {
    let name = task.id.as_ref().map_or_else(|| task.slot_name.clone(), |id| names.task(id));
    let mut line = format!("  {name} {} {}", names.version(app, &task.version), task.status);
    match task.healthy {
        Some(true) => line.push_str(" healthy"),
        Some(false) => line.push_str(" unhealthy"),
        None => {}
    }
    if !task.host.is_empty() {
        line.push_str(&format!(" at {}:{}", task.ip, list(&task.ports)));
    }
    if task.retries > 0 {
        line.push_str(&format!(" retries={}", task.retries));
    }
    if !task.error_message.is_empty() {
        line.push_str(&format!(" ({})", task.error_message));
    }
    line
}

/// A span in seconds.
pub(crate) fn span(span: Millis) -> String {
    let (seconds, millis) = (span.0 / 1000, span.0 % 1000);
    if millis == 0 { format!("{seconds}s") } else { format!("{seconds}.{millis:03}s") }
}

fn show_uuid(uuid: &Uuid) -> String {
    String::from_utf8_lossy(&uuid.0).into_owned()
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// One rollout of a view.
pub(crate) fn rollout(names: &mut Names, app: &str, rollout: &RolloutView) -> String {
    let from =
        rollout.from_version.as_ref().map_or_else(|| "-".into(), |version| names.version(app, version));
    let mut line = format!(
        "  {} {} {} {from} to {} instances={}..{} ready={} limits={}..{} failures={}/{}",
        rollout.id,
        rollout.operation,
        rollout.state,
        names.version(app, &rollout.to_version),
        rollout.instances.0,
        rollout.instances.1,
        rollout.ready,
        rollout.limits.0,
        rollout.limits.1,
        rollout.failures.0,
        rollout.failures.1,
    );
    if rollout.automatic {
        line.push_str(" automatic");
    }
    if let Some(left) = rollout.deadline_in {
        line.push_str(&format!(" {} s left", left.0 / 1000));
    }
    if !rollout.error.is_empty() {
        line.push_str(&format!(" ({})", rollout.error));
    }
    line
}

/// One failure of a view.
pub(crate) fn failure(names: &mut Names, app: &str, failure: &FailureView) -> String {
    let code = failure.exit_code.map_or(String::new(), |code| format!(" code={code}"));
    let counted = if failure.counted { "" } else { " not counted" };
    format!(
        "  {} {} {} {} {} on {}{code}{counted}",
        names.task(&failure.task),
        names.version(app, &failure.version),
        failure.state,
        failure.reason,
        failure.message,
        failure.host
    )
}
