//! Owns recordings that the Mesos model makes up: a client, agents and operators that do anything at any time. Whatever a
//! master may say in whatever order, the machines take it without a fault.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use swan_core::mesos::{
    AgentId, Call, Capability, CommandInfo, ContainerInfo, ContainerType, DockerInfo, Event, Filters,
    FrameworkId, FrameworkInfo, HealthCheck, HealthProbe, Offer, OfferId, Operation, ReconcileTask, Resource,
    TaskId, TaskInfo, TaskStatus, Unavailability,
};
use swan_core::rng::Rng;
use swan_core::time::{Instant, Millis, Now, Timestamp};
use swan_mesos::wire::{call_to_wire, event_to_wire};
use swan_sim::mesos::{
    AgentSpec, Cluster, ClusterInput, ClusterOptions, ClusterOutput, ConnId, CutOff, OperatorCall, RequestNo,
    TaskReport,
};

use super::of_lines;

const WALL: u64 = 1_795_424_840_000;
const AGENTS: u16 = 3;

/// A cluster, a client of it, and what both have said.
struct Recorder {
    cluster: Cluster,
    rng: Rng,
    now: u64,
    lines: Vec<Value>,
    /// The line of each connection's SUBSCRIBE, and of each call.
    asked: BTreeMap<u64, usize>,
    /// The stream of each connection.
    streams: BTreeMap<ConnId, u64>,
    conn: Option<ConnId>,
    stream_id: Option<String>,
    framework: Option<FrameworkId>,
    offers: BTreeMap<OfferId, Offer>,
    unacknowledged: Vec<TaskStatus>,
    tasks: Vec<(TaskId, AgentId)>,
    next: u64,
}

fn agent(number: u16) -> AgentSpec {
    AgentSpec {
        hostname: format!("node{number}.test"),
        ip: format!("127.0.0.{number}"),
        port: 5050 + number,
        resources: vec![Resource::scalar("cpus", 4000), Resource::scalar("mem", 4_096_000)],
        ..AgentSpec::default()
    }
}

fn task(id: &str, agent_id: &AgentId) -> TaskInfo {
    let docker = DockerInfo { image: "web:1.0".into(), ..DockerInfo::default() };
    TaskInfo {
        name: id.into(),
        task_id: TaskId::from(id),
        agent_id: agent_id.clone(),
        resources: vec![Resource::scalar("cpus", 100), Resource::scalar("mem", 32_000)],
        command: Some(CommandInfo { value: Some("sleep 1000".into()), ..CommandInfo::default() }),
        container: Some(ContainerInfo {
            kind: ContainerType::Docker,
            docker: Some(docker),
            volumes: Vec::new(),
            network_infos: Vec::new(),
            hostname: None,
        }),
        health_check: Some(HealthCheck {
            probe: HealthProbe::Tcp { port: 8080, ipv6: false },
            delay: None,
            interval: None,
            timeout: None,
            grace_period: Some(Millis(1000)),
            consecutive_failures: Some(2),
        }),
        check: None,
        kill_grace: None,
        labels: Vec::new(),
        discovery: None,
        max_completion_time: None,
        limits: Vec::new(),
        data: None,
        executor: None,
    }
}

impl Recorder {
    fn new(seed: u64) -> Self {
        let options = ClusterOptions { ping_timeout: Millis(1000), ..ClusterOptions::default() };
        let mut recorder = Self {
            cluster: Cluster::new(options, seed),
            rng: Rng::new(seed),
            now: 1000,
            lines: Vec::new(),
            asked: BTreeMap::new(),
            streams: BTreeMap::new(),
            conn: None,
            stream_id: None,
            framework: None,
            offers: BTreeMap::new(),
            unacknowledged: Vec::new(),
            tasks: Vec::new(),
            next: 0,
        };
        for number in 1..=AGENTS {
            recorder.step(ClusterInput::AgentJoin(Box::new(agent(number))));
        }
        recorder.subscribe();
        recorder
    }

    fn line(&mut self, mut line: Value) -> usize {
        line["t_ms"] = json!(self.now as f64 + 0.5);
        self.lines.push(line);
        self.lines.len() - 1
    }

    fn step(&mut self, input: ClusterInput) {
        let now = Now { mono: Instant(self.now), wall: Timestamp(WALL + self.now) };
        let mut out = Vec::new();
        self.cluster.step(now, input, &mut out);
        out.into_iter().for_each(|output| self.carry_out(output));
    }

    fn carry_out(&mut self, output: ClusterOutput) {
        match output {
            ClusterOutput::Accepted { conn, stream_id } => {
                let stream = self.streams.len() as u64 + 1;
                self.streams.insert(conn, stream);
                let line = &mut self.lines[self.asked[&conn.0]];
                line["status"] = json!(200);
                line["stream"] = json!(stream);
                line["headers"] = json!({ "Mesos-Stream-Id": stream_id });
                (self.conn, self.stream_id) = (Some(conn), Some(stream_id));
            }
            ClusterOutput::Rejected { conn: ConnId(number), status, body }
            | ClusterOutput::Answer { request: RequestNo(number), status, body } => {
                if let Some(asked) = self.asked.get(&number) {
                    self.lines[*asked]["status"] = json!(status);
                    self.lines[*asked]["body"] = json!(body);
                }
            }
            ClusterOutput::Event { conn, event } => self.hear(conn, *event),
            ClusterOutput::End { conn } => {
                self.ended(conn, "closed by the other side: end of the chunked body")
            }
            ClusterOutput::Break { conn } => self.ended(conn, "broke without a last chunk"),
            ClusterOutput::Kill { agent, framework_id, task, .. } => {
                // Some containers take no notice.
                if self.rng.below(4) > 0 {
                    let what = TaskReport::Exited { status: 137 };
                    self.step(ClusterInput::Report { agent, framework_id, task, what });
                }
            }
            ClusterOutput::Joined { .. } | ClusterOutput::Launch { .. } => {}
        }
    }

    fn ended(&mut self, conn: ConnId, how: &str) {
        let stream = self.streams[&conn];
        self.line(json!({ "dir": "note", "stream": stream, "note": format!("stream {stream} {how}") }));
        if self.conn == Some(conn) {
            self.conn = None;
        }
    }

    fn hear(&mut self, conn: ConnId, event: Event) {
        let stream = self.streams[&conn];
        let wire = serde_json::to_value(event_to_wire(&event).unwrap()).unwrap();
        self.line(json!({ "dir": "recv", "stream": stream, "event": wire }));
        match event {
            Event::Subscribed(subscribed) => {
                self.framework = Some(subscribed.framework_id);
                self.offers.clear();
            }
            Event::Offers(offers) => {
                self.offers.extend(offers.into_iter().map(|offer| (offer.id.clone(), offer)));
            }
            Event::Rescind(id) => drop(self.offers.remove(&id)),
            Event::Update(status) if status.uuid.is_some() => self.unacknowledged.push(*status),
            Event::Error { message } if message.contains("removed") => self.framework = None,
            _ => {}
        }
    }

    fn pass(&mut self, span: u64) {
        let end = self.now + span;
        while let Some(due) = self.cluster.next_deadline().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            self.step(ClusterInput::Wake);
        }
        self.now = end;
    }

    fn send(&mut self, call: &Call) -> u64 {
        self.next += 1;
        let wire = serde_json::to_value(call_to_wire(self.framework.as_ref(), call).unwrap()).unwrap();
        let stream = self.conn.and_then(|conn| self.streams.get(&conn)).copied();
        let line = self.line(json!({ "dir": "send", "stream": stream, "call": wire }));
        self.asked.insert(self.next, line);
        self.next
    }

    fn subscribe(&mut self) {
        let framework_info = FrameworkInfo {
            id: self.framework.clone(),
            user: "root".into(),
            name: "modelled".into(),
            roles: vec!["apps".into()],
            failover_timeout: Some(Millis::from_secs(3600)),
            checkpoint: Some(true),
            capabilities: vec![
                Capability::MULTI_ROLE,
                Capability::PARTITION_AWARE,
                Capability::TASK_KILLING_STATE,
            ],
            ..FrameworkInfo::default()
        };
        let call = Call::Subscribe { framework_info: Box::new(framework_info), suppressed_roles: Vec::new() };
        let conn = ConnId(self.send(&call));
        let framework_id = self.framework.clone();
        self.step(ClusterInput::Subscribe { conn, stream_id: None, framework_id, call: Box::new(call) });
    }

    fn call(&mut self, call: Call) {
        let request = RequestNo(self.send(&call));
        let (stream_id, framework_id) = (self.stream_id.clone(), self.framework.clone());
        self.step(ClusterInput::Call { request, stream_id, framework_id, call: Box::new(call) });
    }

    fn operate(&mut self, call: OperatorCall) {
        self.step(ClusterInput::Operator { request: RequestNo(u64::MAX), call });
    }

    fn launch(&mut self) {
        let offers: Vec<Offer> = self.offers.values().cloned().collect();
        if offers.is_empty() {
            return;
        }
        let offer = &offers[self.rng.below(offers.len() as u64) as usize];
        // Offers stay in the client's hands now and then, to be used once more.
        if self.rng.below(8) > 0 {
            self.offers.remove(&offer.id);
        }
        let mut tasks = Vec::new();
        for _ in 0..self.rng.between(1, 3) {
            let id = format!("task.{}", self.tasks.len());
            tasks.push(task(&id, &offer.agent_id));
            self.tasks.push((TaskId::new(id), offer.agent_id.clone()));
        }
        let operations = vec![Operation::Launch(tasks)];
        let filters = Filters { refuse: Some(Millis(0)) };
        self.call(Call::Accept { offer_ids: vec![offer.id.clone()], operations, filters });
    }

    fn acknowledge(&mut self) {
        for status in std::mem::take(&mut self.unacknowledged) {
            if let (Some(uuid), Some(agent_id)) = (status.uuid, status.agent_id) {
                self.call(Call::Acknowledge { agent_id, task_id: status.task_id, uuid });
            }
        }
    }

    fn report(&mut self, task: TaskId, agent: AgentId) {
        let what = match self.rng.below(14) {
            0..3 => TaskReport::Starting,
            3..8 => TaskReport::Started { data: None, ips: Vec::new() },
            8 => TaskReport::LaunchFailed { message: "no image".into() },
            9 => TaskReport::ExecutorLost,
            status @ 10..12 => TaskReport::Exited { status: (status - 10) as i32 },
            _ => TaskReport::Probe { ok: self.rng.below(3) == 0 },
        };
        let Some(framework_id) = self.framework.clone() else { return };
        self.step(ClusterInput::Report { agent, framework_id, task, what });
    }

    /// Something that a client or a container does.
    fn daily(&mut self) {
        let known = self.tasks.len() as u64;
        let some = (known > 0).then(|| self.tasks[self.rng.below(known) as usize].clone());
        match (self.rng.below(20), some) {
            (0..4, _) => self.launch(),
            (4..9, Some((task, agent))) => self.report(task, agent),
            (9..12, _) => self.acknowledge(),
            (12 | 13, Some((task_id, agent_id))) => {
                self.call(Call::Kill { task_id, agent_id: Some(agent_id), grace: None });
            }
            (14, Some((task_id, agent_id))) => {
                let tasks = vec![ReconcileTask { task_id, agent_id: Some(agent_id) }];
                self.call(Call::Reconcile { tasks });
            }
            (15, _) => self.call(Call::Reconcile { tasks: Vec::new() }),
            (16, _) => {
                let offer_ids: Vec<OfferId> = std::mem::take(&mut self.offers).into_keys().collect();
                if !offer_ids.is_empty() {
                    self.call(Call::Decline { offer_ids, filters: Filters { refuse: Some(Millis(500)) } });
                }
            }
            (17, _) => self.call(Call::Suppress { roles: Vec::new() }),
            _ => self.call(Call::Revive { roles: Vec::new() }),
        }
    }

    /// Something that happens to the cluster or to the connection.
    fn trouble(&mut self) {
        let agents: Vec<AgentId> = self.cluster.agents().map(|(id, _)| id.clone()).collect();
        let agent = agents[self.rng.below(agents.len() as u64) as usize].clone();
        match self.rng.below(16) {
            0 | 1 => self.step(ClusterInput::AgentCrash { agent }),
            2 | 3 => self.step(ClusterInput::AgentReturn { agent }),
            4 => self.step(ClusterInput::Partition { agent, cut: CutOff::Both }),
            5 | 6 => self.step(ClusterInput::Heal { agent }),
            7 => self.step(ClusterInput::Rescind { agent: Some(agent) }),
            8 => self.subscribe(),
            9 => {
                if let Some(conn) = self.conn {
                    self.ended(conn, "scheduler side closes the connection");
                    self.step(ClusterInput::Closed { conn });
                }
            }
            10 => {
                self.step(ClusterInput::MasterFailover);
                for agent in agents {
                    self.step(ClusterInput::AgentReturn { agent });
                }
            }
            11 => self.step(ClusterInput::AgentStop { agent }),
            12 => self.operate(OperatorCall::DrainAgent { agent, max_grace: None }),
            13 => self.operate(OperatorCall::ReactivateAgent { agent }),
            14 => self.operate(OperatorCall::MarkAgentGone { agent }),
            _ => {
                let start_ns = ((WALL + self.now + self.rng.below(7_200_000)) * 1_000_000) as i64;
                let window =
                    Some(Unavailability { start_ns, duration_ns: None }).filter(|_| self.rng.below(2) > 0);
                self.operate(OperatorCall::PlanOutage { agent, window });
            }
        }
    }
}

#[test]
fn recordings_of_anything_that_a_master_may_do_replay_without_a_fault() {
    let (mut ended, mut living, mut takeovers) = (0, 0, 0);
    for seed in 0..60 {
        let mut recorder = Recorder::new(seed);
        for _ in 0..120 {
            let span = recorder.rng.below(1500);
            recorder.pass(span);
            if recorder.conn.is_none() {
                recorder.subscribe();
            } else if recorder.rng.below(6) == 0 {
                recorder.trouble();
            } else {
                recorder.daily();
            }
        }
        let report = of_lines(&recorder.lines);
        assert!(report.is_good(), "seed {seed}\n{report}");
        (ended, living) = (ended + report.ended, living + report.living);
        takeovers += report.takeovers;
    }
    assert!(
        ended > 300 && living > 100 && takeovers > 20,
        "{ended} ended, {living} alive, {takeovers} takeovers"
    );
}
