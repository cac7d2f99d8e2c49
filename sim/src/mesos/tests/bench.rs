//! Owns a small bench to drive a cluster by hand: one framework, a few agents, short words for what a driver does.

use swan_core::mesos::{
    AgentId, Call, Capability, CommandInfo, ContainerInfo, ContainerType, DockerInfo, DockerNetwork, Event,
    Filters, FrameworkId, FrameworkInfo, HealthCheck, HealthProbe, Operation, Resource, TaskId, TaskInfo,
    TaskState, TaskStatus,
};
use swan_core::time::{Instant, Millis, Now, Timestamp};

use crate::mesos::{
    AgentSpec, Cluster, ClusterInput, ClusterOptions, ClusterOutput, ConnId, OfferSeen, RequestNo, TaskReport,
};

pub(super) struct Bench {
    pub(super) cluster: Cluster,
    pub(super) now: u64,
    /// All outputs since they were last taken.
    pub(super) out: Vec<ClusterOutput>,
    pub(super) framework: Option<FrameworkId>,
    stream_id: Option<String>,
    next: u64,
}

pub(super) fn framework_info() -> FrameworkInfo {
    FrameworkInfo {
        user: "root".into(),
        name: "test".into(),
        roles: vec!["apps".into()],
        failover_timeout: Some(Millis::from_secs(30 * 24 * 3600)),
        checkpoint: Some(true),
        capabilities: vec![
            Capability::MULTI_ROLE,
            Capability::PARTITION_AWARE,
            Capability::TASK_KILLING_STATE,
        ],
        ..FrameworkInfo::default()
    }
}

pub(super) fn agent_spec(number: u16) -> AgentSpec {
    AgentSpec {
        hostname: format!("node{number}.test"),
        ip: format!("127.0.0.{number}"),
        port: 5050 + number,
        resources: vec![
            Resource::scalar("cpus", 4000),
            Resource::scalar("mem", 4_096_000),
            Resource::ranges("ports", vec![(31000, 31099)]),
        ],
        ..AgentSpec::default()
    }
}

pub(super) fn task(id: &str, agent: &AgentId) -> TaskInfo {
    let docker =
        DockerInfo { image: "web:1.0".into(), network: Some(DockerNetwork::Bridge), ..DockerInfo::default() };
    TaskInfo {
        name: id.into(),
        task_id: TaskId::from(id),
        agent_id: agent.clone(),
        resources: vec![Resource::scalar("cpus", 100), Resource::scalar("mem", 32_000)],
        command: Some(CommandInfo { value: Some("sleep 1000".into()), ..CommandInfo::default() }),
        container: Some(ContainerInfo {
            kind: ContainerType::Docker,
            docker: Some(docker),
            volumes: Vec::new(),
            network_infos: Vec::new(),
            hostname: None,
        }),
        health_check: None,
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

pub(super) fn with_health_check(mut task: TaskInfo, failures: u32, grace: Millis) -> TaskInfo {
    task.health_check = Some(HealthCheck {
        probe: HealthProbe::Tcp { port: 8080, ipv6: false },
        delay: None,
        interval: None,
        timeout: None,
        grace_period: Some(grace),
        consecutive_failures: Some(failures),
    });
    task
}

impl Bench {
    /// A cluster of so many agents, and a framework that is subscribed and holds an offer of each.
    pub(super) fn new(agents: u16) -> Self {
        let mut bench = Self::bare(ClusterOptions::default(), 1);
        for number in 1..=agents {
            bench.step(ClusterInput::AgentJoin(Box::new(agent_spec(number))));
        }
        bench.subscribe(None);
        bench
    }

    pub(super) fn bare(options: ClusterOptions, seed: u64) -> Self {
        let cluster = Cluster::new(options, seed);
        Self { cluster, now: 1000, out: Vec::new(), framework: None, stream_id: None, next: 0 }
    }

    pub(super) fn step(&mut self, input: ClusterInput) {
        let now = Now { mono: Instant(self.now), wall: Timestamp(1_000_000 + self.now) };
        self.cluster.step(now, input, &mut self.out);
    }

    /// Lets time pass, waking the cluster when it asks for it.
    pub(super) fn pass(&mut self, span: Millis) {
        let end = self.now + span.0;
        while let Some(due) = self.cluster.next_deadline().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            self.step(ClusterInput::Wake);
        }
        self.now = end;
    }

    pub(super) fn subscribe(&mut self, id: Option<FrameworkId>) -> ConnId {
        self.next += 1;
        let conn = ConnId(self.next);
        let framework_info = Box::new(FrameworkInfo { id: id.clone(), ..framework_info() });
        let call = Box::new(Call::Subscribe { framework_info, suppressed_roles: Vec::new() });
        self.step(ClusterInput::Subscribe { conn, stream_id: None, framework_id: id, call });
        for output in &self.out {
            match output {
                ClusterOutput::Accepted { stream_id, .. } => self.stream_id = Some(stream_id.clone()),
                ClusterOutput::Event { event, .. } => {
                    if let Event::Subscribed(subscribed) = &**event {
                        self.framework = Some(subscribed.framework_id.clone());
                    }
                }
                _ => {}
            }
        }
        conn
    }

    pub(super) fn call(&mut self, call: Call) {
        self.next += 1;
        self.step(ClusterInput::Call {
            request: RequestNo(self.next),
            stream_id: self.stream_id.clone(),
            framework_id: self.framework.clone(),
            call: Box::new(call),
        });
    }

    /// The newest offer of an agent that is still good.
    pub(super) fn offer(&self, agent: &AgentId) -> Option<OfferSeen<'_>> {
        self.cluster.outstanding_offers().find(|seen| seen.agent == agent)
    }

    pub(super) fn agent(&self, number: usize) -> AgentId {
        self.cluster.agents().nth(number - 1).expect("it has joined").0.clone()
    }

    pub(super) fn launch(&mut self, task: TaskInfo) {
        let offer = self.offer(&task.agent_id).expect("an offer of the agent").id;
        self.call(Call::Accept {
            offer_ids: vec![offer],
            operations: vec![Operation::Launch(vec![task])],
            filters: Filters { refuse: Some(Millis(0)) },
        });
    }

    pub(super) fn report(&mut self, agent: &AgentId, task: &str, what: TaskReport) {
        let framework_id = self.framework.clone().expect("subscribed");
        let task = TaskId::from(task);
        self.step(ClusterInput::Report { agent: agent.clone(), framework_id, task, what });
    }

    /// A task that runs, its updates so far acknowledged.
    pub(super) fn run(&mut self, task: TaskInfo) {
        let (agent, id) = (task.agent_id.clone(), task.task_id.clone());
        self.launch(task);
        self.report(&agent, id.as_str(), TaskReport::Starting);
        self.report(&agent, id.as_str(), TaskReport::Started { data: None, ips: Vec::new() });
        self.acknowledge_all();
    }

    /// All updates sent since they were last taken.
    pub(super) fn take_updates(&mut self) -> Vec<TaskStatus> {
        let events = self.take_events();
        let updates = events.into_iter().filter_map(|event| match event {
            Event::Update(status) => Some(*status),
            _ => None,
        });
        updates.collect()
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        let events = std::mem::take(&mut self.out).into_iter().filter_map(|output| match output {
            ClusterOutput::Event { event, .. } => Some(*event),
            _ => None,
        });
        events.collect()
    }

    /// Takes and acknowledges updates until none comes any more.
    pub(super) fn acknowledge_all(&mut self) -> Vec<TaskStatus> {
        let mut all = Vec::new();
        loop {
            let updates = self.take_updates();
            if updates.is_empty() {
                return all;
            }
            for status in &updates {
                if let (Some(uuid), Some(agent_id)) = (status.uuid.clone(), status.agent_id.clone()) {
                    self.call(Call::Acknowledge { agent_id, task_id: status.task_id.clone(), uuid });
                }
            }
            all.extend(updates);
        }
    }

    pub(super) fn kill(&mut self, task: &str, grace: Option<Millis>) {
        self.call(Call::Kill { task_id: TaskId::from(task), agent_id: None, grace });
    }
}

pub(super) fn states(updates: &[TaskStatus]) -> Vec<TaskState> {
    updates.iter().map(|status| status.state).collect()
}
