//! Owns the one thread that steps the model: inputs in batches, state to disk, then outputs front to back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use swan_core::mesos::{AgentId, Call, Event, FrameworkId, TaskId};
use swan_core::time::{self, Now, Timestamp};
use swan_mesos::wire::frameworks_to_wire;
use swan_mesos::wire::v1::master::Response;
use swan_sim::mesos::{ClusterInput, ClusterOutput, ConnId, OperatorCall, RequestNo, TaskReport};
use tokio::sync::{mpsc as events, oneshot};

use crate::disk::{StateDir, Step};
use crate::executor::{Executors, Order};
use crate::http::{EventBody, Format};
use crate::options::AgentOptions;
use crate::state::{Saved, TaskKey};

/// So many inputs share one write to disk.
const BATCH_MAX: usize = 1024;
/// A client that lets so many events wait is cut off.
const BACKLOG_MAX: usize = 64 * 1024;
/// So long an orderly end waits for tasks to die.
const END_WAIT: Duration = Duration::from_secs(30);

/// What the driver is told.
#[derive(Debug)]
pub(crate) enum Message {
    Subscribe {
        stream_id: Option<String>,
        framework_id: Option<FrameworkId>,
        call: Box<Call>,
        format: Format,
        head: oneshot::Sender<Head>,
    },
    Call {
        stream_id: Option<String>,
        framework_id: Option<FrameworkId>,
        call: Box<Call>,
        answer: oneshot::Sender<(u16, String)>,
    },
    Operate {
        call: OperatorCall,
        answer: oneshot::Sender<(u16, String)>,
    },
    /// What the master tells operators of its frameworks; an error says what has no form on the wire.
    Frameworks(oneshot::Sender<Result<Response, String>>),
    /// What the master shows of its state.
    Show(oneshot::Sender<Value>),
    Closed(ConnId),
    Report(Report),
    Stop {
        end_tasks: bool,
        done: oneshot::Sender<()>,
    },
}

/// A fact about one container.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) key: TaskKey,
    pub(crate) agent: AgentId,
    pub(crate) container_id: String,
    pub(crate) what: TaskReport,
    /// Told once the fact is on disk.
    pub(crate) noted: Option<oneshot::Sender<()>>,
}

/// The beginning of the answer to a SUBSCRIBE.
#[derive(Debug)]
pub(crate) enum Head {
    Accepted { stream_id: String, body: EventBody },
    Rejected { status: u16, body: String },
}

#[derive(Debug)]
struct Stream {
    format: Format,
    head: Option<oneshot::Sender<Head>>,
    events: Option<events::Sender<Bytes>>,
    cut: Arc<AtomicBool>,
}

/// What need not be on disk before it shows: the beat of timers and health checks, and acknowledgements, without which
/// an update is only told once more.
fn is_late(input: &ClusterInput) -> bool {
    match input {
        ClusterInput::Wake | ClusterInput::Report { what: TaskReport::Probe { .. }, .. } => true,
        ClusterInput::Call { call, .. } => matches!(**call, Call::Acknowledge { .. }),
        _ => false,
    }
}

/// Both clocks; the monotonic one counts from `base`.
pub(crate) fn now_in(base: u64) -> Now {
    Clock { base, started: Instant::now() }.now()
}

#[derive(Debug)]
struct Clock {
    base: u64,
    started: Instant,
}

impl Clock {
    fn now(&self) -> Now {
        let passed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now {
            mono: time::Instant(self.base.saturating_add(passed)),
            wall: Timestamp(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// The model and all that is tied to it.
#[derive(Debug)]
pub(crate) struct Driver {
    saved: Saved,
    state: Option<StateDir>,
    executors: Executors,
    clock: Clock,
    inbox: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    streams: BTreeMap<ConnId, Stream>,
    /// Calls of frameworks, told at once what the master says: what it has taken may be lost with it.
    calls: BTreeMap<RequestNo, oneshot::Sender<(u16, String)>>,
    /// Calls of operators, told once it is on disk.
    operations: BTreeMap<RequestNo, oneshot::Sender<(u16, String)>>,
    out: Vec<ClusterOutput>,
    noted: Vec<oneshot::Sender<()>>,
    /// Something changed that must survive.
    dirty: bool,
    stopping: Option<(Instant, oneshot::Sender<()>)>,
}

impl Driver {
    pub(crate) fn new(
        mut saved: Saved,
        state: Option<StateDir>,
        executors: Executors,
        inbox: mpsc::Sender<Message>,
        messages: mpsc::Receiver<Message>,
    ) -> Self {
        saved.docker = executors.runs_docker();
        let clock = Clock { base: saved.mono.saturating_add(1), started: Instant::now() };
        Self {
            saved,
            state,
            executors,
            clock,
            inbox,
            messages,
            streams: BTreeMap::new(),
            calls: BTreeMap::new(),
            operations: BTreeMap::new(),
            out: Vec::new(),
            noted: Vec::new(),
            dirty: true,
            stopping: None,
        }
    }

    /// Until told to stop.
    pub(crate) fn run(mut self, agents: &[AgentOptions]) {
        self.resume(agents);
        self.settle();
        loop {
            let mut next = self.wait();
            if next.is_none() {
                self.step(ClusterInput::Wake);
            }
            let mut taken = 0;
            while let Some(message) = next.take() {
                if !self.take(message) {
                    return;
                }
                taken += 1;
                next = if taken < BATCH_MAX { self.messages.try_recv().ok() } else { None };
            }
            self.settle();
            let finished = match &self.stopping {
                Some((until, _)) => self.executors.all_done() || Instant::now() >= *until,
                None => false,
            };
            if finished && let Some((_, done)) = self.stopping.take() {
                self.leave();
                let _nobody_waits = done.send(());
                return;
            }
        }
    }

    /// The next message; `None` when the model wants to be woken.
    fn wait(&self) -> Option<Message> {
        let now = self.clock.now().mono;
        let due = self.saved.cluster.next_deadline().map_or(1000, |at| at.since(now).0);
        let most = if self.stopping.is_some() { 100 } else { 60_000 };
        self.messages.recv_timeout(Duration::from_millis(due.min(most))).ok()
    }

    /// Takes up what an earlier process left: no streams, the agents that are wanted, the tasks.
    fn resume(&mut self, agents: &[AgentOptions]) {
        for conn in self.saved.streams.clone() {
            self.step(ClusterInput::Closed { conn });
        }
        let surplus: Vec<AgentId> = self
            .saved
            .agents
            .iter()
            .filter(|(_, ip)| agents.iter().all(|agent| agent.ip != **ip))
            .map(|(id, _)| id.clone())
            .collect();
        for agent in surplus {
            self.step(ClusterInput::AgentStop { agent });
        }
        for agent in agents {
            if !self.saved.agents.values().any(|ip| *ip == agent.ip) {
                self.step(ClusterInput::AgentJoin(Box::new(agent.spec())));
            }
        }
        for (key, task) in &self.saved.tasks {
            let ip = self.saved.agents.get(&task.agent).copied();
            self.executors.adopt(key.clone(), task.clone(), ip);
        }
    }

    fn step(&mut self, input: ClusterInput) {
        let (now, from, late) = (self.clock.now(), self.out.len(), is_late(&input));
        let wake = matches!(input, ClusterInput::Wake);
        let step = self.state.is_some().then(|| Step::new(now, &input));
        self.saved.step(now, input, &mut self.out);
        let out = &self.out[from..];
        if let Some((state, step)) = self.state.as_mut().zip(step) {
            state.note(&step, out);
        }
        let lasting = |output: &ClusterOutput| match output {
            ClusterOutput::Event { event, .. } => match **event {
                Event::Heartbeat => false,
                Event::Update(_) => !wake,
                _ => true,
            },
            ClusterOutput::Answer { .. } => !late,
            _ => true,
        };
        self.dirty |= !late || out.iter().any(lasting);
    }

    /// Of the next connection or request.
    fn number(&self) -> u64 {
        self.saved.last + 1
    }

    /// Takes one message; says whether to go on.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Subscribe { stream_id, framework_id, call, format, head } => {
                let conn = ConnId(self.number());
                let cut = Arc::new(AtomicBool::new(false));
                self.streams.insert(conn, Stream { format, head: Some(head), events: None, cut });
                self.step(ClusterInput::Subscribe { conn, stream_id, framework_id, call });
            }
            Message::Call { stream_id, framework_id, call, answer } => {
                let request = RequestNo(self.number());
                self.calls.insert(request, answer);
                self.step(ClusterInput::Call { request, stream_id, framework_id, call });
            }
            Message::Operate { call, answer } => {
                let request = RequestNo(self.number());
                self.operations.insert(request, answer);
                self.step(ClusterInput::Operator { request, call });
            }
            Message::Frameworks(answer) => {
                let list = frameworks_to_wire(self.saved.cluster.listed_frameworks());
                let _asker_gone = answer.send(list.map_err(|why| why.to_string()));
            }
            Message::Show(answer) => {
                let _asker_gone = answer.send(self.show());
            }
            Message::Closed(conn) => {
                self.streams.remove(&conn);
                if self.saved.streams.contains(&conn) {
                    self.step(ClusterInput::Closed { conn });
                }
            }
            Message::Report(report) => self.report(report),
            Message::Stop { end_tasks: true, done } => {
                self.executors.order_all(Order::Kill(time::Millis(0)));
                self.stopping = Some((Instant::now() + END_WAIT, done));
            }
            Message::Stop { end_tasks: false, done } => {
                self.settle();
                self.leave();
                let _nobody_waits = done.send(());
                return false;
            }
        }
        true
    }

    fn report(&mut self, report: Report) {
        self.noted.extend(report.noted);
        let known = self.saved.tasks.get(&report.key);
        if known.is_none_or(|task| task.container_id != report.container_id) {
            return;
        }
        let (framework_id, task) = report.key;
        let key = (framework_id.clone(), task.clone());
        self.step(ClusterInput::Report { agent: report.agent, framework_id, task, what: report.what });
        if !self.saved.tasks.contains_key(&key) {
            self.executors.forget(&key);
        }
    }

    /// Answers calls, writes what changed, then carries out what else the model said.
    fn settle(&mut self) {
        while self.dirty || !self.out.is_empty() || !self.noted.is_empty() {
            let outputs = std::mem::take(&mut self.out);
            for output in &outputs {
                self.answer_call(output);
            }
            self.save();
            for noted in self.noted.drain(..) {
                let _executor_gone = noted.send(());
            }
            for output in outputs {
                self.carry_out(output);
            }
        }
    }

    fn answer_call(&mut self, output: &ClusterOutput) {
        if let ClusterOutput::Answer { request, status, body } = output
            && let Some(answer) = self.calls.remove(request)
        {
            let _client_gone = answer.send((*status, body.clone()));
        }
    }

    fn save(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        let Some(state) = self.state.as_mut().filter(|state| dirty || state.is_full()) else { return };
        if let Err(error) = state.save(&self.saved) {
            tracing::error!("the cluster's state is not saved, a restart would not know its tasks: {error}");
        }
    }

    /// Leaves nothing that only this build's model could read.
    fn leave(&mut self) {
        if let Some(state) = &mut self.state
            && let Err(error) = state.write_state(&self.saved)
        {
            tracing::error!("the cluster's state is not saved: {error}");
        }
    }

    fn carry_out(&mut self, output: ClusterOutput) {
        match output {
            ClusterOutput::Accepted { conn, stream_id } => self.accept(conn, stream_id),
            ClusterOutput::Rejected { conn, status, body } => {
                if let Some(head) = self.streams.remove(&conn).and_then(|stream| stream.head) {
                    let _client_gone = head.send(Head::Rejected { status, body });
                }
            }
            ClusterOutput::Answer { request, status, body } => {
                if let Some(answer) = self.operations.remove(&request) {
                    let _client_gone = answer.send((status, body));
                }
            }
            ClusterOutput::Event { conn, event } => self.send(conn, &event),
            ClusterOutput::End { conn } => {
                self.streams.remove(&conn);
            }
            ClusterOutput::Break { conn } => self.cut(conn),
            ClusterOutput::Joined { hostname, agent, .. } => {
                tracing::info!("agent {agent} is on {hostname}");
            }
            ClusterOutput::Launch { framework_id, task, .. } => {
                let key = (framework_id, task.task_id);
                if let Some(launched) = self.saved.tasks.get(&key) {
                    let ip = self.saved.agents.get(&launched.agent).copied();
                    self.executors.launch(key, launched.clone(), ip);
                }
            }
            ClusterOutput::Kill { agent, framework_id, task, grace } => {
                self.kill(agent, (framework_id, task), grace);
            }
        }
    }

    fn accept(&mut self, conn: ConnId, stream_id: String) {
        let Some(stream) = self.streams.get_mut(&conn) else { return };
        let (sender, receiver) = events::channel(BACKLOG_MAX);
        let body = EventBody::new(receiver, stream.cut.clone(), conn, self.inbox.clone());
        stream.events = Some(sender);
        if let Some(head) = stream.head.take() {
            // A client that left meanwhile drops the body, and the body says that the stream is closed.
            let _client_gone = head.send(Head::Accepted { stream_id, body });
        }
    }

    fn send(&mut self, conn: ConnId, event: &Event) {
        let Some(stream) = self.streams.get(&conn) else { return };
        let Some(record) = stream.format.event(event) else { return };
        let sent = stream.events.as_ref().is_some_and(|events| events.try_send(record).is_ok());
        if !sent {
            self.cut(conn);
        }
    }

    /// Breaks a stream off without a last chunk.
    fn cut(&mut self, conn: ConnId) {
        if let Some(stream) = self.streams.remove(&conn) {
            stream.cut.store(true, Ordering::Release);
        }
    }

    fn kill(&mut self, agent: AgentId, key: TaskKey, grace: time::Millis) {
        if self.executors.order(&key, Order::Kill(grace)) {
            return;
        }
        // Nobody runs it: whatever the model believes, it is gone.
        let (framework_id, task) = key;
        self.step(ClusterInput::Report {
            agent,
            framework_id,
            task,
            what: TaskReport::Exited { status: 137 },
        });
    }

    fn show(&self) -> Value {
        let cluster = &self.saved.cluster;
        let slave = |(id, active): (&AgentId, bool)| {
            let ip = self.saved.agents.get(id).map(ToString::to_string);
            json!({ "id": id.as_str(), "hostname": ip, "active": active })
        };
        let task = |framework: &FrameworkId, id: &TaskId, agent: &AgentId, state: Option<&str>| {
            json!({
                "id": id.as_str(), "framework_id": framework.as_str(), "slave_id": agent.as_str(), "state": state,
            })
        };
        let framework = |(id, connected): (&FrameworkId, bool)| {
            let tasks = cluster.known_of(id).map(|seen| task(id, seen.id, seen.agent, seen.state.name()));
            let gone = cluster
                .all_launches()
                .filter(|(of, task, _)| *of == id && cluster.known_of(id).all(|seen| seen.id != *task));
            let completed =
                gone.map(|(_, task, _)| json!({ "id": task.as_str(), "framework_id": id.as_str() }));
            json!({
                "id": id.as_str(), "active": connected, "connected": connected,
                "tasks": tasks.collect::<Vec<_>>(), "completed_tasks": completed.collect::<Vec<_>>(),
            })
        };
        json!({
            "id": cluster.master_id(),
            "version": "1.12.0",
            "slaves": cluster.agents().map(slave).collect::<Vec<_>>(),
            "frameworks": cluster.frameworks().map(framework).collect::<Vec<_>>(),
        })
    }
}
