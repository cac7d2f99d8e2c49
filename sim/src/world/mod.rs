//! Owns the world: managers' processes, a Mesos cluster, a disk or a ZooKeeper, a network, executors and clients, moved
//! by one queue.
//!
//! A seed and the options decide everything. The world goes through two phases: first all faults happen and the checkers
//! watch; then faults are over and everything must become as wanted within a stated time.

mod agents;
mod builds;
mod clients;
mod clock;
mod disaster;
mod executors;
mod faults;
mod healed;
mod invent;
mod managers;
mod masters;
mod network;
mod oddities;
mod process;
mod watch;
mod wishes;

use std::collections::VecDeque;
use std::fmt;

use swan_core::id::TaskName;
use swan_core::journal::Entry;
use swan_core::journal::frame::FORMAT_FIRST;
use swan_core::link::LinkInput;
use swan_core::manager::ManagerEffect;
use swan_core::mesos::{AgentId, DomainInfo, FrameworkId, TaskId};
use swan_core::rng::Rng;
use swan_core::scheduler::View;
use swan_core::scheduler::input::RequestId;
use swan_core::time::{Instant, Now, Timestamp};

use self::agents::Agents;
use self::clients::Clients;
use self::clock::WallClock;
use self::disaster::Backup;
use self::executors::{Executors, Turn};
use self::faults::Sequel;
use self::network::{Network, ToMaster};
pub use self::process::CRASH_BEFORE_EFFECT;
use self::process::Process;
#[cfg(test)]
pub(crate) use self::process::boot;
pub use self::watch::Violation;
use self::watch::Watch;
use crate::ask::Ask;
use crate::chance::{Event, Site};
use crate::checkers::Seen;
use crate::checkers::convergence;
use crate::checkers::stored::Stored;
use crate::checkers::wall_clock::Outline;
use crate::digest::Digest;
use crate::disk::{Disk, Done};
use crate::draws::Draws;
use crate::ledger::Ledger;
use crate::marks::phases;
use crate::mesos::{Cluster, ClusterInput, ClusterOptions, ClusterOutput};
use crate::options::Options;
use crate::queue::Queue;
use crate::zookeeper::ZooKeeper;

/// Wall time at the beginning: some day in 2026.
const WALL_START: u64 = 1_780_000_000_000;
/// Between two looks at what is really so.
const TRUTH_EVERY: u64 = 1_000;
/// Lines and bytes of each that are kept of what happened.
const LOG_LINES: usize = 4096;
const LOG_LINE_BYTES: usize = 400;
/// Wakes in a row at one instant after which a manager counts as spinning.
const WAKES_MAX: u32 = 20_000;

/// What happens next to the world.
#[derive(Clone, Debug)]
enum Happening {
    /// A manager starts: in a new process, or in the one whose clock this is.
    Start {
        manager: usize,
        clock: Option<u64>,
    },
    /// It is elected.
    Elected {
        process: u64,
    },
    /// It runs again after a pause.
    Resume {
        process: u64,
    },
    /// Something arrives at it from the network.
    Arrive {
        process: u64,
        input: LinkInput,
    },
    /// Something arrives at the master.
    Reach(ToMaster),
    /// Something happens to a container.
    Container {
        agent: AgentId,
        task: TaskId,
        turn: Turn,
    },
    /// A client does something.
    Client(usize),
    /// A standby passes a client's request on to the manager that leads.
    Forward {
        manager: usize,
        client: usize,
        id: RequestId,
    },
    /// A standby reads on, since it has passed on what the leader has answered.
    ReadOn {
        manager: usize,
    },
    /// A fault, and what follows one.
    Fault(Site),
    Sequel(Sequel),
    /// A look at what is really so.
    Truth,
}

/// The world.
#[derive(Debug)]
pub struct World {
    options: Options,
    now: u64,
    queue: Queue<Happening>,
    cluster: Cluster,
    /// The process of each manager, while it is there.
    managers: Vec<Option<Process>>,
    processes: u64,
    /// Up to which format level the build of each manager reads, and that of the build that all are to be of.
    builds: Vec<u8>,
    goal: u8,
    /// The highest format level that has been in force.
    raised: u8,
    wall: WallClock,
    wall_ahead_ms: u64,
    /// What one manager has, and what several share.
    disk: Disk,
    zookeeper: Option<ZooKeeper>,
    backup: Option<Backup>,
    network: Network,
    executors: Executors,
    clients: Clients,
    agents: Agents,
    draws: Draws,
    rng: Rng,
    watch: Watch,
    /// The newest fault.
    rough: u64,
    ledger: Ledger,
    digest: Digest,
    /// The digest after each step, if wanted.
    digests: Option<Vec<u64>>,
    /// What each step does but for times of day, if wanted.
    outline: Option<Outline>,
    /// The newest inputs and effects in words, if wanted.
    log: Option<VecDeque<String>>,
    /// The process ends before this effect, counted from the beginning of the world.
    crash_before: Option<u64>,
    /// Wakes in a row at one instant.
    wakes: u32,
}

impl World {
    /// A world at its beginning.
    pub fn new(seed: u64, options: Options) -> Self {
        Self::scripted(seed, options, None, false)
    }

    /// A world at its beginning, in which just this happens by chance, and clients ask just this, if anything is told.
    /// What does is recorded if wanted.
    pub fn scripted(seed: u64, options: Options, script: Option<&[Event]>, record: bool) -> Self {
        let mut rng = Rng::new(seed);
        let domain = DomainInfo { region: agents::REGION.into(), zone: "z0".into() };
        let cluster_options =
            ClusterOptions { master_id: Some("M".into()), domain: Some(domain), ..ClusterOptions::default() };
        let mut world = Self {
            now: 0,
            queue: Queue::new(),
            cluster: Cluster::new(cluster_options, rng.next()),
            managers: (0..options.ensemble.managers).map(|_| None).collect(),
            processes: 0,
            builds: (0..options.ensemble.managers).map(|_| FORMAT_FIRST).collect(),
            goal: FORMAT_FIRST,
            raised: FORMAT_FIRST,
            wall: WallClock::right(0),
            wall_ahead_ms: 0,
            disk: Disk::new(options.store.clone(), rng.fork()),
            zookeeper: managers::zookeeper(seed, &options),
            backup: None,
            network: Network::new(
                options.network.clone(),
                options.masters.clone(),
                options.tasks.odd_updates,
                rng.fork(),
            ),
            executors: Executors::new(options.tasks.clone(), rng.fork()),
            clients: Clients::new(options.clients.clone(), options.apps, rng.fork()),
            agents: Agents::new(),
            draws: Draws::new(rng.fork(), script, record),
            rng: rng.fork(),
            watch: Watch::new(),
            rough: 0,
            ledger: Ledger { seeds: 1, ..Ledger::default() },
            digest: Digest::default(),
            digests: None,
            outline: None,
            log: None,
            crash_before: None,
            wakes: 0,
            options,
        };
        if world.options.masters.second_role {
            world.ledger.note("master: second role (M11)");
        }
        for _ in 0..world.options.agents {
            world.join_agent();
        }
        for manager in 0..world.managers.len() {
            world.queue.push(0, Happening::Start { manager, clock: None });
        }
        world.queue.push(TRUTH_EVERY, Happening::Truth);
        for client in 0..world.clients.count() {
            world.let_client_think(client);
        }
        world.schedule_faults();
        world
    }

    /// The same world to be measured: nothing is checked, no effect becomes part of a digest, and scripts know no rest.
    #[must_use]
    pub const fn measured(mut self) -> Self {
        self.watch.closed = true;
        self.clients.hurry();
        self
    }

    /// Keeps the digest after each step.
    pub fn keep_digests(&mut self) {
        self.digests = Some(Vec::new());
    }

    /// Keeps what each step does but for times of day.
    pub fn keep_outline(&mut self) {
        self.outline = Some(Outline::default());
    }

    /// What each step did but for times of day.
    pub fn take_outline(&mut self) -> Outline {
        self.outline.take().unwrap_or_default()
    }

    /// Keeps the newest inputs and effects in words.
    pub fn keep_log(&mut self) {
        self.log = Some(VecDeque::new());
    }

    /// The newest inputs and effects in words, oldest first.
    pub fn log(&self) -> impl Iterator<Item = &str> {
        self.log.iter().flatten().map(String::as_str)
    }

    fn write(&mut self, manager: usize, sign: &str, what: &dyn fmt::Debug) {
        let whose = if self.zookeeper.is_some() { format!("{manager} ") } else { String::new() };
        let Some(log) = &mut self.log else { return };
        if log.len() >= LOG_LINES {
            log.pop_front();
        }
        let (seconds, ms) = (self.now / 1000, self.now % 1000);
        let mut line = format!("{seconds:>6}.{ms:03} {:>6} {whose}{sign} {what:?}", self.ledger.effects);
        if line.len() > LOG_LINE_BYTES {
            let end = (0..=LOG_LINE_BYTES).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
            line.truncate(end);
        }
        log.push_back(line);
    }

    /// The digests after each step.
    pub fn take_digests(&mut self) -> Vec<u64> {
        self.digests.take().unwrap_or_default()
    }

    /// What happened by chance and was asked by clients, if it was to be recorded.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.draws.recorded()
    }

    /// The account so far.
    pub fn ledger(&self) -> Ledger {
        Ledger { virtual_ms: self.now, ..self.ledger.clone() }
    }

    /// The digest of all effects so far.
    pub const fn digest(&self) -> u64 {
        self.digest.value()
    }

    /// The first violation.
    pub const fn violation(&self) -> Option<&Violation> {
        self.watch.violation.as_ref()
    }

    /// Virtual milliseconds since the beginning.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// The cluster as it really is.
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What all durable entries amount to.
    pub const fn stored(&self) -> &Stored {
        &self.watch.stored
    }

    /// What a user could read now of the manager that leads or, if none does, of any; if a process is there.
    pub fn view(&self) -> Option<View<'_>> {
        let process = self.managers[self.speaker()?].as_ref();
        process.map(|process| process.manager.view())
    }

    /// Ends the process right before the effect of this number, once.
    pub const fn crash_before(&mut self, effect: u64) {
        self.crash_before = Some(effect);
    }

    /// Lets the world go on until `until`, or until something is broken.
    pub fn run_until(&mut self, until: u64) {
        while self.watch.violation.is_none() && self.advance(until) {}
        self.now = self.now.max(until);
        self.draws.pass(self.now);
    }

    /// Lets the next thing happen, if it is due by `until`.
    fn advance(&mut self, until: u64) -> bool {
        let disk = self.disk.next_deadline();
        let zookeeper = self.zookeeper.as_ref().and_then(ZooKeeper::next_deadline);
        let (manager, awake) = self.next_wake().unzip();
        let cluster = self.cluster.next_deadline().map(|at| at.0);
        let queue = self.queue.next_at();
        let Some(next) = [disk, zookeeper, manager, cluster, queue].into_iter().flatten().min() else {
            return false;
        };
        if next > until {
            return false;
        }
        if next > self.now {
            self.now = next;
            self.draws.pass(next);
            self.wakes = 0;
        }
        self.ledger.events += 1;
        let due = |at: Option<u64>| at.is_some_and(|at| at <= next);
        if due(disk) {
            self.disk_step();
        } else if due(zookeeper) {
            self.zookeeper_step();
        } else if let Some(at) = awake.filter(|_| due(manager)) {
            self.wake_process(at);
        } else if due(cluster) {
            self.cluster_step(ClusterInput::Wake);
        } else if let Some(happening) = self.queue.pop() {
            self.happen(happening);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start { manager, clock } => self.start(manager, clock),
            Happening::Elected { process } => self.elected(process),
            Happening::Resume { process } => self.resume_process(process),
            Happening::Arrive { process, input } => self.arrive(process, input),
            Happening::Reach(message) => self.reach(message),
            Happening::Container { agent, task, turn } => self.container(&agent, &task, turn),
            Happening::Client(client) => self.client(client),
            Happening::Forward { manager, client, id } => self.forwarded(manager, client, id),
            Happening::ReadOn { manager } => self.read_on(manager),
            Happening::Fault(site) => self.fault(site),
            Happening::Sequel(sequel) => self.follow(sequel),
            Happening::Truth => {
                self.watch.see(
                    self.now,
                    self.ledger.effects,
                    self.clients.book(),
                    Seen::Truth(&self.cluster),
                );
                self.queue.push(self.now + TRUTH_EVERY, Happening::Truth);
            }
        }
    }

    /// The clocks as the cluster reads them.
    const fn clocks(&self) -> Now {
        Now { mono: Instant(self.now), wall: Timestamp(WALL_START + self.now) }
    }

    fn cluster_step(&mut self, input: ClusterInput) {
        let mut outputs = Vec::new();
        self.cluster.step(self.clocks(), input, &mut outputs);
        for output in outputs {
            self.cluster_says(output);
        }
    }

    fn cluster_says(&mut self, output: ClusterOutput) {
        match output {
            ClusterOutput::Launch { agent, framework_id, task, .. } => {
                let seen = Seen::Launched(&task.task_id, &agent);
                // What tools launch is none of Swan's.
                if TaskName::parse(task.task_id.as_str()).is_some() {
                    self.watch.see(self.now, self.ledger.effects, self.clients.book(), seen);
                }
                self.ledger.note("container started");
                self.launch(agent, framework_id, &task);
            }
            ClusterOutput::Kill { agent, task, grace, .. } => self.kill(agent, task, grace.0),
            ClusterOutput::Joined { agent, .. } => self.agent_joined(agent),
            ClusterOutput::Accepted { .. }
            | ClusterOutput::Rejected { .. }
            | ClusterOutput::Answer { .. }
            | ClusterOutput::Event { .. }
            | ClusterOutput::End { .. }
            | ClusterOutput::Break { .. } => {
                let to_come = self.network.deliver(self.now, output, &mut self.draws, &mut self.ledger);
                for (at, happening) in to_come {
                    self.queue.push(at, happening);
                }
            }
        }
    }

    fn disk_step(&mut self) {
        let done = self.disk.step(self.now, &mut self.draws, &mut self.ledger);
        self.take_durable(&done);
        for (id, result) in done.answers {
            self.answered_by_disk(id, result);
        }
    }

    /// What the disk has kept becomes part of what is stored.
    fn take_durable(&mut self, done: &Done) {
        if self.watch.closed {
            return;
        }
        if let Some(level) = done.switched {
            self.switched(level);
        }
        for (index, blob) in &done.applied {
            match Entry::decode(self.newest_format(), *index, blob.as_slice()) {
                Ok(entry) => {
                    self.watch.stored.apply(&entry);
                    let (now, effects) = (self.now, self.ledger.effects);
                    self.watch.see(now, effects, self.clients.book(), Seen::Stored(&entry));
                    if entry.ops.iter().any(|op| op.key.0.first() == Some(&b'a')) {
                        self.ledger.phases = phases(&self.watch.stored);
                    }
                }
                Err(error) => self.broken("S13", format!("entry {index} is stored damaged: {error:?}")),
            }
        }
        if let Some(index) = done.cut {
            self.broken("S13", format!("whole entries from {index} on are cut off"));
        }
    }

    fn broken(&mut self, number: &'static str, what: String) {
        let violation = Violation { number, what, at: self.now, effects: self.ledger.effects };
        self.watch.violation.get_or_insert(violation);
    }

    /// A fault has happened: nothing is calm.
    fn disturbed(&mut self, kind: &'static str) {
        self.rough = self.now;
        self.requested(kind);
    }

    /// A client asks for something: nothing is calm.
    fn requested(&mut self, kind: &'static str) {
        self.watch.calm_since = self.now;
        self.ledger.note(kind);
        self.write(self.watch.manager, "!", &kind);
    }

    /// Adds a container to those simulated.
    fn launch(&mut self, agent: AgentId, framework: FrameworkId, task: &swan_core::mesos::TaskInfo) {
        let turns = self.executors.launch(&agent, framework, task, &mut self.draws, &mut self.ledger);
        for (wait, turn) in turns {
            let (agent, task) = (agent.clone(), task.task_id.clone());
            self.queue.push(self.now + wait, Happening::Container { agent, task, turn });
        }
    }

    fn kill(&mut self, agent: AgentId, task: TaskId, grace: u64) {
        if let Some(wait) = self.executors.kill(&agent, &task, grace, &mut self.ledger) {
            let turn = Turn::Killed;
            self.queue.push(self.now + wait, Happening::Container { agent, task, turn });
        }
    }

    fn container(&mut self, agent: &AgentId, task: &TaskId, turn: Turn) {
        let Some(turned) = self.executors.turn(agent, task, turn) else { return };
        if let Some((wait, turn)) = turned.next {
            let (agent, task) = (agent.clone(), task.clone());
            self.queue.push(self.now + wait, Happening::Container { agent, task, turn });
        }
        let Some(what) = turned.report else { return };
        let (agent, task, framework_id) = (agent.clone(), task.clone(), turned.framework);
        self.cluster_step(ClusterInput::Report { agent, framework_id, task, what });
    }

    fn reach(&mut self, message: ToMaster) {
        if let ToMaster::Ask { conn } = message
            && self.network.has_leader
        {
            let frameworks = self.cluster.listed_frameworks().map(|(_, listed)| listed).collect();
            for (at, happening) in self.network.tell_frameworks(self.now, conn, frameworks) {
                self.queue.push(at, happening);
            }
            return;
        }
        if let Some(input) = self.network.reach(self.now, message, &mut self.queue) {
            self.cluster_step(input);
        }
    }

    fn mark_step(&mut self, effects: &Vec<ManagerEffect>) {
        self.ledger.steps += 1;
        if self.watch.closed {
            return;
        }
        self.digest.add(&(self.now, effects));
        if let Some(outline) = &mut self.outline {
            outline.step(self.now, effects);
        }
        if let Some(digests) = &mut self.digests {
            digests.push(self.digest.value());
        }
    }

    /// The environment of executors, for tests that look at containers.
    pub fn running(&self) -> Vec<convergence::Running> {
        self.executors.running(&self.cluster)
    }

    /// The container of a slot ends by itself, now.
    pub fn fail_container(&mut self, app: &str, slot: u32) {
        for (agent, task) in self.executors.in_slot(app, slot) {
            self.container(&agent, &task, Turn::Exits(1));
        }
    }

    /// The connection to Mesos breaks now.
    pub fn cut_network(&mut self) {
        for (at, happening) in self.network.cut(self.now, &mut self.draws).unwrap_or_default() {
            self.queue.push(at, happening);
        }
    }

    /// Takes a client's request, for scripts.
    pub fn ask(&mut self, ask: Ask) {
        let (client, idle) = self.clients.script(ask);
        if idle {
            self.call_client(client, 0);
        }
    }

    /// Whether every scripted request was answered; the other clients may have left without an answer.
    pub fn all_answered(&self) -> bool {
        self.clients.all_answered()
    }
}
