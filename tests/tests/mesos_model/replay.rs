//! Owns the replay: builds the cluster a trace was recorded from, and does to it what was done then.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use swan_core::mesos::{
    AgentId, Attribute, AttributeValue, Call, DomainInfo, FrameworkId, Reservation, Resource, TaskId,
};
use swan_core::time::{Instant, Millis, Now, Timestamp};
use swan_mesos::wire::event_to_wire;
use swan_sim::mesos::{
    AgentSpec, Cluster, ClusterInput, ClusterOptions, ClusterOutput, ConnId, OperatorCall, RequestNo,
    TaskReport,
};

use super::names::Names;
use super::trace::{Line, Send, Trace, What, decode, text};

/// Wall time at the recording's start; any will do.
const WALL: u64 = 1_795_424_840_000;

/// A request whose answer is not compared.
const NOBODYS: RequestNo = RequestNo(u64::MAX);

/// From an agent's restart to its registration, when it has executors to recover.
const RECOVERY_MS: f64 = 3190.0;

/// What the model answered.
#[derive(Default)]
pub(crate) struct Run {
    /// Time, stream by order of acceptance, event.
    pub(crate) events: Vec<(f64, u64, Value)>,
    /// Streams that ended properly, with their times.
    pub(crate) ends: Vec<(f64, u64)>,
    /// Status and body per request, by its place among all requests; none if it was refused by the decoder.
    pub(crate) answers: BTreeMap<usize, Option<(u64, String)>>,
    pub(crate) names: Names,
}

/// Something to do at a time.
enum Act<'a> {
    Join { host: &'a str, flags: &'a [(String, String)] },
    Crash(&'a str),
    Return(&'a str),
    Stop(&'a str),
    Close(u64),
    Send(usize, &'a Send),
    Operate(&'a Value),
    Fact { host: String, task: String, what: TaskReport },
}

struct Replay<'a> {
    cluster: Cluster,
    recorded: Names,
    run: Run,
    /// The model's agent of each host.
    agents: BTreeMap<String, AgentId>,
    /// Whose each task is, from its launch.
    owners: BTreeMap<String, FrameworkId>,
    /// Connection of each of the model's streams, and the number of each connection's stream.
    streams: BTreeMap<ConnId, u64>,
    trace: &'a Trace,
    now: f64,
}

pub(crate) fn replay(trace: &Trace) -> Run {
    let acts = acts(trace);
    let recorded = recorded_names(trace);
    let mut replay = Replay {
        cluster: Cluster::new(options(trace), 7),
        recorded,
        run: Run::default(),
        agents: BTreeMap::new(),
        owners: BTreeMap::new(),
        streams: BTreeMap::new(),
        trace,
        now: 0.0,
    };
    let beat = allocation_beat(trace);
    replay.step(beat, ClusterInput::Wake);
    for (at, act) in acts {
        replay.run_until(at);
        replay.act(at, act);
    }
    let end = trace.lines.last().unwrap().at;
    replay.run_until(end);
    replay.run
}

/// All ids of the recorded side; their order of appearance does not depend on the model.
pub(crate) fn recorded_names(trace: &Trace) -> Names {
    let mut names = Names::default();
    for line in &trace.lines {
        match &line.what {
            What::Event { event, .. } => names.learn_event(event),
            What::Send(send) => names.learn(send.given_stream_id.as_deref().unwrap_or_default(), "stream"),
            _ => {}
        }
    }
    names
}

impl Replay<'_> {
    fn run_until(&mut self, at: f64) {
        while let Some(due) = self.cluster.next_deadline().filter(|due| (due.0 as f64) < at) {
            self.step(due.0 as f64, ClusterInput::Wake);
        }
    }

    fn step(&mut self, at: f64, input: ClusterInput) {
        self.now = self.now.max(at);
        let mono = self.now.ceil() as u64;
        let mut out = Vec::new();
        let now = Now { mono: Instant(mono), wall: Timestamp(WALL + mono) };
        self.cluster.step(now, input, &mut out);
        for output in out {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: ClusterOutput) {
        match output {
            ClusterOutput::Accepted { conn, stream_id } => {
                let number = self.streams.len() as u64 + 1;
                self.streams.insert(conn, number);
                self.run.names.learn(&stream_id, "stream");
                self.run.answers.insert(conn.0 as usize, Some((200, String::new())));
            }
            ClusterOutput::Answer { request: NOBODYS, .. } | ClusterOutput::Kill { .. } => {}
            ClusterOutput::Rejected { conn: ConnId(number), status, body }
            | ClusterOutput::Answer { request: RequestNo(number), status, body } => {
                self.run.answers.insert(number as usize, Some((status.into(), body)));
            }
            ClusterOutput::Event { conn, event } => {
                let event = serde_json::to_value(event_to_wire(&event).unwrap()).unwrap();
                self.run.names.learn_event(&event);
                self.run.events.push((self.now, self.streams[&conn], event));
            }
            ClusterOutput::Break { .. } => panic!("no recorded master fails over"),
            ClusterOutput::End { conn } => self.run.ends.push((self.now, self.streams[&conn])),
            ClusterOutput::Joined { hostname, agent, .. } => {
                self.agents.insert(hostname, agent);
            }
            ClusterOutput::Launch { framework_id, task, .. } => {
                self.owners.insert(task.task_id.as_str().to_owned(), framework_id);
            }
        }
    }

    fn act(&mut self, at: f64, act: Act<'_>) {
        let input = match act {
            Act::Join { host, flags } => ClusterInput::AgentJoin(Box::new(agent_spec(host, flags))),
            Act::Crash(host) => ClusterInput::AgentCrash { agent: self.agents[host].clone() },
            Act::Return(host) => ClusterInput::AgentReturn { agent: self.agents[host].clone() },
            Act::Stop(host) => ClusterInput::AgentStop { agent: self.agents[host].clone() },
            Act::Close(stream) => {
                let found = self.streams.iter().find(|(_, number)| **number == stream);
                ClusterInput::Closed { conn: *found.expect("the stream was accepted").0 }
            }
            Act::Send(number, send) => return self.send(at, number, send),
            Act::Operate(request) => match self.operator_call(request) {
                Some(call) => ClusterInput::Operator { request: NOBODYS, call },
                None => return,
            },
            Act::Fact { host, task, what } => {
                let Some(framework_id) = self.owners.get(&task).cloned() else { return };
                let agent = self.agents[&host].clone();
                ClusterInput::Report { agent, framework_id, task: TaskId::new(task), what }
            }
        };
        self.step(at, input);
    }

    fn send(&mut self, at: f64, number: usize, send: &Send) {
        let Some(call) = &send.call else { return };
        let call = self.recorded.translate(&self.run.names, call);
        let stream_id = send.stream_id.as_deref().map(|id| self.recorded.translate_text(&self.run.names, id));
        let Some((framework_id, decoded)) = decode(&call) else {
            self.run.answers.insert(number, None);
            return self.decline_instead(at, &call, stream_id);
        };
        let call = Box::new(decoded);
        let number = number as u64;
        let input = match *call {
            Call::Subscribe { .. } => {
                ClusterInput::Subscribe { conn: ConnId(number), stream_id, framework_id, call }
            }
            _ => ClusterInput::Call { request: RequestNo(number), stream_id, framework_id, call },
        };
        self.step(at, input);
    }

    /// Keeps the rest of a trace in step when the decoder refuses an ACCEPT: its offers are declined.
    fn decline_instead(&mut self, at: f64, call: &Value, stream_id: Option<String>) {
        let Some(offers) = call.pointer("/accept/offer_ids") else { return };
        let filters = &call["accept"]["filters"];
        let decline = serde_json::json!({
            "type": "DECLINE", "framework_id": call["framework_id"],
            "decline": { "offer_ids": offers, "filters": filters },
        });
        let (framework_id, call) = decode(&decline).unwrap();
        let call = Box::new(call);
        let request = NOBODYS;
        self.step(at, ClusterInput::Call { request, stream_id, framework_id, call });
    }

    fn operator_call(&self, request: &Value) -> Option<OperatorCall> {
        let agent = |pointer: &str| {
            let id = text(request, pointer);
            let (_, offer) =
                self.trace.offers().find(|(_, offer)| text(offer, "/agent_id/value") == id).unwrap();
            self.agents[text(offer, "/hostname")].clone()
        };
        Some(match text(request, "/type") {
            "MARK_AGENT_GONE" => {
                OperatorCall::MarkAgentGone { agent: agent("/mark_agent_gone/agent_id/value") }
            }
            "DRAIN_AGENT" => OperatorCall::DrainAgent {
                agent: agent("/drain_agent/agent_id/value"),
                max_grace: request
                    .pointer("/drain_agent/max_grace_period/seconds")
                    .and_then(Value::as_u64)
                    .map(Millis::from_secs),
            },
            "DEACTIVATE_AGENT" => {
                OperatorCall::DeactivateAgent { agent: agent("/deactivate_agent/agent_id/value") }
            }
            "REACTIVATE_AGENT" => {
                OperatorCall::ReactivateAgent { agent: agent("/reactivate_agent/agent_id/value") }
            }
            "TEARDOWN" => {
                let id = text(request, "/teardown/framework_id/value");
                let framework = FrameworkId::new(self.recorded.translate_text(&self.run.names, id));
                OperatorCall::Teardown { framework }
            }
            _ => return None,
        })
    }
}

fn acts(trace: &Trace) -> Vec<(f64, Act<'_>)> {
    let mut acts = Vec::new();
    let mut seen = BTreeSet::new();
    let mut requests = 0;
    for line in &trace.lines {
        match &line.what {
            What::Started { host, .. } if host.starts_with("master") => {}
            What::Started { host, flags } if seen.insert(host.as_str()) => {
                acts.push((join_time(trace, host, line.at), Act::Join { host, flags }));
            }
            What::Started { host, .. } => acts.push((return_time(trace, host, line.at), Act::Return(host))),
            What::Note { text, stream } => note_act(line, text, *stream, trace, &mut acts),
            What::Send(send) => {
                acts.push((line.at, Act::Send(requests, send)));
                requests += 1;
            }
            What::Operator { request, status: 200 } => acts.push((line.at, Act::Operate(request))),
            _ => {}
        }
    }
    acts.extend(facts(trace));
    acts.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    acts
}

fn note_act<'a>(
    line: &Line,
    text: &str,
    stream: Option<u64>,
    trace: &'a Trace,
    acts: &mut Vec<(f64, Act<'a>)>,
) {
    if text.contains("scheduler side closes the connection") {
        acts.push((line.at, Act::Close(stream.unwrap())));
    }
    let Some((signal, rest)) = text.split_once(" to agent") else { return };
    let Some(number) = rest.chars().next().filter(char::is_ascii_digit) else { return };
    let wanted = format!("node{number}.test");
    let host = trace.lines.iter().find_map(|line| match &line.what {
        What::Started { host, .. } if *host == wanted => Some(host.as_str()),
        _ => None,
    });
    let host = host.expect("the agent was started");
    if signal.ends_with("SIGKILL") || signal.ends_with("SIGTERM") {
        acts.push((line.at, Act::Crash(host)));
    } else if signal.ends_with("SIGUSR1") {
        acts.push((line.at, Act::Stop(host)));
    }
}

/// What really happened to containers, told by the statuses and when they were made.
fn facts(trace: &Trace) -> Vec<(f64, Act<'static>)> {
    let made = |status: &Value| status["timestamp"].as_f64().unwrap() * 1000.0;
    let late: Vec<f64> = trace
        .statuses()
        .filter(|(_, status)| status.get("uuid").is_some())
        .map(|(at, status)| at - made(status))
        .collect();
    let offset = late.into_iter().fold(f64::INFINITY, f64::min);
    let hosts: BTreeMap<&str, &str> =
        trace.offers().map(|(_, offer)| (text(offer, "/agent_id/value"), text(offer, "/hostname"))).collect();
    let mut seen = BTreeSet::new();
    let mut facts = Vec::new();
    for (_, status) in trace.statuses() {
        let uuid = text(status, "/uuid");
        if uuid.is_empty() || !seen.insert(uuid) {
            continue;
        }
        if let Some(what) = fact(status) {
            let host = hosts[text(status, "/agent_id/value")].to_owned();
            let task = text(status, "/task_id/value").to_owned();
            facts.push((made(status) + offset, Act::Fact { host, task, what }));
        }
    }
    facts
}

fn fact(status: &Value) -> Option<TaskReport> {
    let message = text(status, "/message");
    let exit = message.strip_prefix("Container exited with status ").map(|status| status.parse().unwrap());
    match (text(status, "/state"), text(status, "/reason")) {
        ("TASK_STARTING", _) => Some(TaskReport::Starting),
        ("TASK_RUNNING", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED") => {
            Some(TaskReport::Probe { ok: status["healthy"].as_bool().unwrap() })
        }
        ("TASK_RUNNING", _) => {
            let ip = text(status, "/container_status/network_infos/0/ip_addresses/0/ip_address");
            let ips = if ip == "127.0.0.1" { vec![] } else { vec![ip.to_owned()] };
            Some(TaskReport::Started { data: Some(b"inspected".to_vec()), ips })
        }
        ("TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED") => {
            let message = message.strip_prefix("Failed to launch container: ").unwrap().to_owned();
            Some(TaskReport::LaunchFailed { message })
        }
        ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED") => Some(TaskReport::ExecutorLost),
        _ => exit.map(|status| TaskReport::Exited { status }),
    }
}

fn options(trace: &Trace) -> ClusterOptions {
    let flags = trace.lines.iter().find_map(|line| match &line.what {
        What::Started { host, flags } if host.starts_with("master") => Some(flags),
        _ => None,
    });
    let flag = |key: &str| flags?.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let mut options = ClusterOptions {
        hostname: flag("hostname").unwrap().into(),
        ip: flag("ip").unwrap().into(),
        port: flag("port").unwrap().parse().unwrap(),
        domain: flag("domain").map(domain),
        ..ClusterOptions::default()
    };
    if let Some(timeout) = flag("agent_ping_timeout") {
        options.ping_timeout = Millis::from_secs(timeout.trim_end_matches("secs").parse().unwrap());
    }
    if let Some(most) = flag("max_agent_ping_timeouts") {
        options.max_ping_timeouts = most.parse().unwrap();
    }
    options
}

fn domain(json: &str) -> DomainInfo {
    let json: Value = serde_json::from_str(json).unwrap();
    DomainInfo {
        region: text(&json, "/fault_domain/region/name").into(),
        zone: text(&json, "/fault_domain/zone/name").into(),
    }
}

/// When the master's allocator beats: told by the first offers that nothing but its clock can have caused.
fn allocation_beat(trace: &Trace) -> f64 {
    let mut last_cause = f64::NEG_INFINITY;
    for line in &trace.lines {
        match &line.what {
            What::Started { host, .. } if host.starts_with("master") => last_cause = line.at + 100.0,
            What::Send(send) => {
                let kind = send.call.as_ref().map(|call| text(call, "/type"));
                if matches!(kind, Some("SUBSCRIBE" | "REVIVE")) {
                    last_cause = line.at;
                }
            }
            What::Event { event, .. } if event.get("offers").is_some() && line.at - last_cause > 150.0 => {
                return line.at.rem_euclid(1000.0) - 1.0;
            }
            _ => {}
        }
    }
    90.0
}

/// Pings beat from an agent's registration: told by when it was given up.
fn join_time(trace: &Trace, host: &str, started: f64) -> f64 {
    let id = trace
        .offers()
        .find(|(_, offer)| text(offer, "/hostname") == host)
        .map(|(_, offer)| text(offer, "/agent_id/value"));
    let crashed = |line: &&Line| matches!(&line.what, What::Note { text, .. } if (text.starts_with("SIGKILL to agent") || text.starts_with("SIGTERM")));
    let first_crash = trace.lines.iter().find(crashed).map_or(f64::INFINITY, |line| line.at);
    let given_up = trace.events().find(|(at, _, event)| {
        *at > first_crash && id.is_some_and(|id| text(event, "/failure/agent_id/value") == id)
    });
    let earliest = started + 200.0;
    match given_up {
        Some((at, ..)) => earliest + (at - 2.0 - earliest).rem_euclid(1000.0),
        None => earliest,
    }
}

/// When a restarted agent has registered again: told by what followed.
fn return_time(trace: &Trace, host: &str, started: f64) -> f64 {
    let id = trace
        .offers()
        .find(|(_, offer)| text(offer, "/hostname") == host)
        .map(|(_, offer)| text(offer, "/agent_id/value"));
    let again = trace.statuses().find(|(at, status)| {
        *at > started
            && text(status, "/reason") == "REASON_AGENT_REREGISTERED"
            && id.is_some_and(|id| text(status, "/agent_id/value") == id)
    });
    let offered = trace.offers().find(|(at, offer)| *at > started && text(offer, "/hostname") == host);
    match (again, offered) {
        (Some((again, _)), _) => again - 1.0,
        (None, Some((offered, _))) => (offered - 100.0).min(started + RECOVERY_MS),
        (None, None) => started + RECOVERY_MS,
    }
}

fn agent_spec(host: &str, flags: &[(String, String)]) -> AgentSpec {
    let flag = |key: &str| flags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let pairs = |key: &str| -> Vec<(String, String)> {
        let pairs = flag(key).into_iter().flat_map(|text| text.split(';'));
        pairs
            .map(|pair| pair.split_once(':').unwrap())
            .map(|(key, value)| (key.into(), value.into()))
            .collect()
    };
    AgentSpec {
        id: None,
        hostname: host.into(),
        ip: flag("ip").unwrap().into(),
        port: flag("port").unwrap().parse().unwrap(),
        resources: pairs("resources").iter().map(|(name, value)| resource(name, value)).collect(),
        attributes: pairs("attributes").iter().map(|(name, value)| attribute(name, value)).collect(),
        domain: flag("domain").map(domain),
        tasks: Vec::new(),
    }
}

fn resource(name: &str, value: &str) -> Resource {
    let (name, role) = match name.split_once('(') {
        Some((name, role)) => (name, Some(role.trim_end_matches(')'))),
        None => (name, None),
    };
    let mut resource = match ranges(value) {
        Some(ranges) => Resource::ranges(name, ranges),
        None => Resource::scalar(name, milli(value).unwrap()),
    };
    if let Some(role) = role {
        let reservation =
            Reservation { role: role.into(), dynamic: false, principal: None, labels: Vec::new() };
        resource.reservations.push(reservation);
    }
    resource
}

fn attribute(name: &str, value: &str) -> Attribute {
    let value = match (ranges(value), milli(value)) {
        (Some(ranges), _) => AttributeValue::Ranges(ranges),
        (None, Some(milli)) => AttributeValue::Scalar(milli),
        (None, None) => AttributeValue::Text(value.into()),
    };
    Attribute { name: name.into(), value }
}

fn ranges(text: &str) -> Option<Vec<(u64, u64)>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let range = |part: &str| part.split_once('-').map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap()));
    inner.split(',').map(range).collect()
}

fn milli(text: &str) -> Option<i64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits: i64 = format!("{rest:0<3}").parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 1000 + digits)
}
