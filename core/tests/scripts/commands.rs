//! Owns the commands of scripts: what each makes of its words.

use swan_core::id::DottedId;
use swan_core::mesos::{
    AgentId, Event, FrameworkId, OfferId, Reason, Source, Subscribed, TaskState, TaskStatus, Uuid,
};
use swan_core::record::RecordKey;
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller, Guard, IdempotencyKey, RolloutVerb};
use swan_core::scheduler::input::{Breadcrumb, CrashNote, DeposeReason, Input, LinkEvent, StoreEvent};
use swan_core::time::Millis;

use crate::documents::document;
use crate::explained;
use crate::offers::{inverse_offer, offer};
use crate::show;
use crate::stage::Stage;

/// The words of a command after its name: plain ones, and `key=value`.
pub(crate) struct Words<'a> {
    plain: Vec<&'a str>,
    pub(crate) named: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        let (mut plain, mut named) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(pair) => named.push(pair),
                None => plain.push(word),
            }
        }
        Self { plain, named }
    }

    pub(crate) fn first(&self) -> &'a str {
        self.plain.first().copied().expect("the command needs a word")
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.named.iter().find(|(name, _)| *name == key).map(|&(_, value)| value)
    }

    fn has(&self, word: &str) -> bool {
        self.plain.contains(&word)
    }
}

/// Performs one command.
pub(crate) fn perform(stage: &mut Stage, command: &str) {
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    let words = Words::of(rest);
    match name {
        "boot" => {
            let roles: Vec<&str> = words.get("roles").unwrap_or("*").split(',').collect();
            stage.boot(&roles);
        }
        "lead" => stage.lead(),
        "crash" => stage.crash(),
        "note" => {
            let breadcrumb =
                Breadcrumb { input: "Wake".into(), entity: words.get("app").map(DottedId::from_text) };
            stage.crash_notes.push(CrashNote { assertion: words.first().into(), breadcrumb });
        }
        "lease" => {
            let until = stage.now + span_of(words.first());
            stage.step(Input::Lease { until });
        }
        "depose" => stage.step(Input::Depose { why: DeposeReason::Abdicated }),
        "advance" => stage.advance(span_of(words.first())),
        "repeat" => {
            let (times, command) = rest.split_once(' ').expect("repeat needs a number and a command");
            stage.repeating = true;
            for number in 0..times.parse().expect("a number of times") {
                perform(stage, &command.replace('%', &format!("{number:04}")));
            }
            stage.repeating = false;
        }
        "journal" => stage.manual = words.has("manual"),
        "stored" => stage.store_upto(if words.has("all") { None } else { words.first().parse().ok() }),
        "stall" => stage.step(Input::Store(StoreEvent::Stalled)),
        "resume" => stage.step(Input::Store(StoreEvent::Resumed)),
        "fence" => stage.step(Input::Store(StoreEvent::Fenced)),
        "hide" => stage.hidden = words.plain.iter().map(ToString::to_string).collect(),
        "view" | "manager" | "stats" | "quarantined" | "records" | "rollouts" | "failures" => {
            look(stage, name, &words);
        }
        "try" => dry_run(stage, rest),
        "explain" => explained::explain(stage, words.first()),
        "agents" => explained::agents(stage),
        "connect" | "disconnect" | "offer" | "inverse" | "rescind" | "rescind-inverse" | "update"
        | "event" => mesos(stage, name, &words),
        _ => request(stage, name, rest, &words),
    }
}

fn mesos(stage: &mut Stage, name: &str, words: &Words<'_>) {
    let event = match name {
        "connect" => {
            let framework_id = FrameworkId::from(words.first());
            let subscribed = Subscribed { framework_id, heartbeat_interval: None, master_info: None };
            return stage.step(Input::Mesos(LinkEvent::Connected(Box::new(subscribed))));
        }
        "disconnect" => {
            return stage.step(Input::Mesos(LinkEvent::Disconnected { why: "the script says so".into() }));
        }
        "offer" => Event::Offers(vec![offer(stage, words)]),
        "inverse" => Event::InverseOffers(vec![inverse_offer(stage, words)]),
        "rescind-inverse" => Event::RescindInverseOffer(OfferId::from(words.first())),
        "rescind" => Event::Rescind(OfferId::from(words.first())),
        "update" => Event::Update(Box::new(status(stage, words))),
        _ => Event::Heartbeat,
    };
    stage.step(Input::Mesos(LinkEvent::Event(Box::new(event))));
}

/// `update TASK AGENT STATE [healthy|unhealthy] [uuid=none] [reason=…] [message=…|bytes=N] [ip=…] [container=…] [by=master]`.
/// An executor's update gets the next uuid, unless it says otherwise; one that answers a reconciliation has none.
fn status(stage: &mut Stage, words: &Words<'_>) -> TaskStatus {
    let &[task, agent, state, ..] = &words.plain[..] else {
        panic!("update needs a task, an agent, a state")
    };
    let state = match state.strip_prefix('#') {
        Some(number) => TaskState::from_number(number.parse().expect("the number of a state")),
        None => TaskState::from_name(&format!("TASK_{state}")).expect("the name of a state"),
    };
    let reason = words
        .get("reason")
        .map(|reason| Reason::from_name(&format!("REASON_{reason}")).expect("the name of a reason"));
    let by_master = words.get("by") == Some("master") || reason == Some(Reason::Reconciliation);
    let uuid = match words.get("uuid") {
        Some("none") => None,
        Some(given) => Some(given.to_string()),
        None if by_master => None,
        None => {
            stage.updates += 1;
            Some(format!("u{}", stage.updates))
        }
    };
    let verdict = |good: bool| words.has(if good { "healthy" } else { "unhealthy" }).then_some(good);
    TaskStatus {
        source: Some(if by_master { Source::Master } else { Source::Executor }),
        reason,
        message: words
            .get("exit")
            .map(|code| format!("Container exited with status {code}"))
            .or_else(|| words.get("bytes").map(|bytes| "x".repeat(bytes.parse().expect("a number"))))
            .or_else(|| words.get("message").map(Into::into)),
        agent_id: (agent != "-").then(|| AgentId::from(agent)),
        uuid: uuid.map(|uuid| Uuid(uuid.into_bytes().into())),
        healthy: verdict(true).or_else(|| verdict(false)),
        container_id: words.get("container").map(Into::into),
        ip_addresses: words.get("ip").map(String::from).into_iter().collect(),
        ..TaskStatus::from_master(stage.names.find(task), state, Reason::Reconciliation)
    }
}

/// Requests; `by=NAME` says who asks, `key=KEY/FINGERPRINT` makes it idempotent, `if=REVISION` conditional, `force`
/// replaces a change under way; `try` before it only says what it would do.
fn request(stage: &mut Stage, name: &str, rest: &str, words: &Words<'_>) {
    let call = call_of(stage, name, rest, words);
    let idempotency = words.get("key").map(|given| {
        let (key, fingerprint) = given.split_once('/').expect("a key and a fingerprint");
        IdempotencyKey { key: key.into(), fingerprint: fingerprint.parse().expect("a number") }
    });
    let who = Caller { name: words.get("by").unwrap_or_default().into(), address: String::new() };
    let id = stage.next_request();
    stage.step(Input::Api { id, request: Box::new(ApiRequest { who, idempotency, call }) });
}

fn call_of(stage: &Stage, name: &str, rest: &str, words: &Words<'_>) -> ApiCall {
    let own =
        |word: &&str| *word != "force" && !["by=", "key=", "if="].iter().any(|own| word.starts_with(own));
    let plain: String = rest.split(' ').filter(own).collect::<Vec<_>>().join(" ");
    let if_match = words.get("if").map(|revision| revision.parse().expect("a revision"));
    let app = || DottedId::from_text(words.first());
    let change = match name {
        "change" => {
            let (_, text) = plain.split_once(' ').expect("change needs an app and a document");
            AppChange::Update { document: document(text) }
        }
        "rollback" => {
            let version = words.get("to").map(|version| stage.names.version_id(words.first(), version));
            AppChange::Rollback { version }
        }
        "scale" => {
            let instances = words.plain.get(1).and_then(|n| n.parse().ok()).expect("a number of instances");
            AppChange::Scale { instances, ips: None }
        }
        "restart" => AppChange::Restart,
        "stop" => AppChange::Stop,
        "start" => AppChange::Start,
        "delete" => AppChange::Delete,
        _ => return other_call(stage, name, &plain, words),
    };
    ApiCall::ChangeApp { app: app(), change, guard: Guard { if_match, force: words.has("force") } }
}

fn other_call(stage: &Stage, name: &str, plain: &str, words: &Words<'_>) -> ApiCall {
    let app = || DottedId::from_text(words.first());
    let steer = |verb| ApiCall::SteerRollout { app: app(), verb };
    match name {
        "create" => ApiCall::CreateApp { document: document(plain) },
        "kill" => {
            let task = stage.names.find(words.plain.get(1).expect("kill needs an app and a task"));
            ApiCall::KillTask { app: app(), task }
        }
        "kill-all" => ApiCall::KillTasks { app: app() },
        "release" => ApiCall::ReleaseApp { app: app() },
        "pause" => steer(RolloutVerb::Pause),
        "go-on" => steer(RolloutVerb::Resume),
        "cancel" => steer(RolloutVerb::Cancel),
        "reset" => ApiCall::ResetApp { app: app() },
        "keep" => {
            let (_, text) = plain.split_once(' ').expect("keep needs an app and a document");
            ApiCall::AddVersion { app: app(), document: document(text) }
        }
        "purge" => ApiCall::Purge,
        "override-brake" => ApiCall::OverrideBrake,
        _ => panic!("no such command: {name}"),
    }
}

/// What a change would do.
fn dry_run(stage: &mut Stage, rest: &str) {
    let (name, rest) = rest.split_once(' ').expect("try needs a request");
    let call = call_of(stage, name, rest, &Words::of(rest));
    let line = match stage.machine.view().dry_run(&call) {
        Ok(view) => format!(
            "would be {}: {} replaced, {} started, {} ended, {} to {} at a time, {} placeable",
            view.operation,
            view.replaced,
            view.started,
            view.ended,
            view.limits.0,
            view.limits.1,
            view.placeable
        ),
        Err(error) => format!("would be refused ({:?}): {}", error.kind, error.detail),
    };
    stage.say(line);
}

/// Commands that only look.
fn look(stage: &mut Stage, name: &str, words: &Words<'_>) {
    match name {
        "view" => view(stage, &DottedId::from_text(words.first())),
        "manager" => {
            let manager = stage.machine.view().manager();
            let id = if manager.framework_id.is_empty() { "none yet" } else { &manager.framework_id };
            let line = format!(
                "leading={} connected={} stalled={} framework={id}",
                manager.leading, manager.connected, manager.stalled
            );
            stage.say(line);
        }
        "stats" => {
            for wanted in &words.plain {
                let view = stage.machine.view();
                let totals = view.stats().all().find(|(name, ..)| name == wanted);
                let (.., value) =
                    totals.or_else(|| view.gauges().find(|(name, ..)| name == wanted)).expect("a counter");
                stage.say(format!("{wanted}={value}"));
            }
        }
        "rollouts" => {
            let rollouts = stage.machine.view().rollouts(&DottedId::from_text(words.first()));
            for rollout in rollouts.expect("the app is there") {
                let line = show::rollout(&mut stage.names, words.first(), &rollout);
                stage.say(line);
            }
        }
        "failures" => {
            let page = stage.machine.view().failures(&DottedId::from_text(words.first()), None, None, 100);
            for failure in page.expect("the app is there").items {
                let line = show::failure(&mut stage.names, words.first(), &failure);
                stage.say(line);
            }
        }
        "quarantined" => {
            for entry in stage.machine.view().quarantined(None, 100).items {
                let task = stage.names.task(&entry.task);
                stage.say(format!("  {task} {} on {}", entry.state, entry.agent));
            }
        }
        _ => {
            let (records, rest) = stage.machine.records(&RecordKey(vec![]), None, usize::MAX);
            assert_eq!(rest, None, "everything fits");
            for (key, _) in records {
                let key = show::key(&mut stage.names, &key);
                stage.say(format!("  {key}"));
            }
        }
    }
}

fn view(stage: &mut Stage, id: &DottedId) {
    let view = stage.machine.view();
    let Some(app) = view.app(id) else { return stage.say("there is no such app") };
    let tasks = view.tasks(id, None, 1000).expect("the app is there").items;
    let mut line = format!("{} {} instances={}", app.id, app.operation_status, app.instances);
    if let Some((ready, wanted)) = app.progress {
        line.push_str(&format!(" progress={ready}/{wanted}"));
    }
    line.push_str(&format!(" revision={}", app.revision));
    if !app.error_message.is_empty() {
        line.push_str(&format!(" ({})", app.error_message));
    }
    stage.say(line);
    for task in tasks {
        let line = show::task(&mut stage.names, id.as_str(), &task);
        stage.say(line);
    }
}

/// `10m` and the like.
pub(crate) fn span_of(text: &str) -> Millis {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    for (unit, millis) in units {
        if let Some(number) = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok()) {
            return Millis(number * millis);
        }
    }
    panic!("no span: {text}")
}
