//! Owns the simulated executors: how long a task takes to start, whether it stays, is healthy, and how it ends.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::TaskName;
use swan_core::mesos::{AgentId, FrameworkId, Resource, TaskId, TaskInfo};
use swan_core::rng::Rng;

use crate::chance::Site;
use crate::checkers::convergence::Running;
use crate::definition::Trouble;
use crate::draws::{Draws, SlotOf};
use crate::ledger::Ledger;
use crate::mesos::{Cluster, TaskReport};
use crate::options::TaskOptions;

/// How long a container runs whose image crashes.
const CRASHES_AFTER_MS: u64 = 30_000;

/// Why a container cannot be started.
const NO_IMAGE: &str = "no such image";
const NO_SPACE: &str = "no space left on device";
const PORT_TAKEN: &str = "port is already allocated";

/// Something that happens to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It cannot be started, for this reason.
    Fails(&'static str),
    /// The image is there.
    Starting,
    /// The container runs.
    Started,
    /// Its health is asked for.
    Probe,
    /// It ends by itself.
    Exits(i32),
    /// It ends because it was told so.
    Killed,
    /// Its agent cannot find its executor any more (A3).
    ExecutorLost,
    /// Its executor says once more that it runs, at another address perhaps (T5, T7).
    RunsAgain { elsewhere: bool },
    /// Its agent says that it failed, after it has ended (T5).
    FailsToo,
    /// Long after its end, it lets go of its ports (T6).
    PortsFree,
}

/// What a turn leads to.
pub(super) struct Turned {
    pub(super) framework: FrameworkId,
    pub(super) report: Option<TaskReport>,
    pub(super) next: Option<(u64, Turn)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    Never,
    /// Good and bad for so many probes each.
    Flaps(u64),
}

#[derive(Clone, Debug)]
struct Container {
    framework: FrameworkId,
    image: String,
    health: Health,
    /// Delay and interval of its health check, ms.
    check: Option<(u64, u64)>,
    probes: u64,
    stubborn: bool,
    /// It does not end, whatever it is told (T4).
    hangs: bool,
    told_to_end: bool,
    odd_end: Option<OddEnd>,
    /// It never starts.
    stuck: bool,
    orphan: Option<Orphan>,
    started: bool,
    over: bool,
}

/// A container that outlives its end for so many ms, and keeps its ports.
#[derive(Clone, Debug)]
struct Orphan {
    ms: u64,
    ports: Vec<(u64, u64)>,
}

/// How a container ends oddly that is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OddEnd {
    Finishes,
    Fails,
    FailsToo,
}

fn ports_of(info: &TaskInfo) -> Vec<(u64, u64)> {
    info.resources.iter().flat_map(Resource::ports).copied().collect()
}

/// What becomes of every container of an image that does not stay.
fn misbehaves(trouble: Option<Trouble>, starts: u64) -> Option<Vec<(u64, Turn)>> {
    let started = [(starts / 2, Turn::Starting), (starts, Turn::Started)];
    match trouble? {
        Trouble::NoImage => Some(vec![(starts, Turn::Fails(NO_IMAGE))]),
        Trouble::Exits => Some([&started[..], &[(starts, Turn::Exits(1))]].concat()),
        Trouble::Crashes => Some([&started[..], &[(starts + CRASHES_AFTER_MS, Turn::Exits(1))]].concat()),
        Trouble::Sick => None,
    }
}

/// All containers ever.
#[derive(Clone, Debug)]
pub(super) struct Executors {
    options: TaskOptions,
    rng: Rng,
    faults: bool,
    /// Agents on which everything fails.
    black_holes: BTreeSet<AgentId>,
    /// Agents on which nothing ever starts.
    hanging: BTreeSet<AgentId>,
    /// Agents that have no space for anything more.
    full: BTreeSet<AgentId>,
    /// Ports of containers that have ended and keep them.
    kept_ports: BTreeMap<(AgentId, TaskId), Vec<(u64, u64)>>,
    containers: BTreeMap<(AgentId, TaskId), Container>,
}

impl Executors {
    pub(super) const fn new(options: TaskOptions, rng: Rng) -> Self {
        Self {
            options,
            rng,
            faults: true,
            black_holes: BTreeSet::new(),
            hanging: BTreeSet::new(),
            full: BTreeSet::new(),
            kept_ports: BTreeMap::new(),
            containers: BTreeMap::new(),
        }
    }

    /// Nothing starts on this agent.
    pub(super) fn hang_on(&mut self, agent: AgentId) {
        self.hanging.insert(agent);
    }

    /// An agent has space no more, or again.
    pub(super) fn fill(&mut self, agent: AgentId, full: bool) {
        if full {
            self.full.insert(agent);
        } else {
            self.full.remove(&agent);
        }
    }

    /// Everything fails on this agent.
    pub(super) fn black_hole(&mut self, agent: AgentId) {
        self.black_holes.insert(agent);
    }

    /// Every task starts, stays and is healthy from now on, if its image is good, and ends when told to: gives those that
    /// were told already.
    pub(super) fn heal(&mut self) -> Vec<(AgentId, TaskId)> {
        self.faults = false;
        self.black_holes.clear();
        self.hanging.clear();
        self.full.clear();
        self.kept_ports.clear();
        for container in self.containers.values_mut() {
            if Trouble::of_image(&container.image) != Some(Trouble::Sick) {
                container.health = Health::Good;
            }
        }
        let told = self.containers.iter().filter(|(_, container)| container.told_to_end && !container.over);
        told.map(|(key, _)| key.clone()).collect()
    }

    /// A new container, and what will happen to it.
    pub(super) fn launch(
        &mut self,
        agent: &AgentId,
        framework: FrameworkId,
        info: &TaskInfo,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> Vec<(u64, Turn)> {
        let docker = info.container.as_ref().and_then(|container| container.docker.as_ref());
        let image = docker.map_or_else(String::new, |docker| docker.image.clone());
        let trouble = Trouble::of_image(&image);
        let slot = SlotOf(&info.task_id);
        let sick = trouble == Some(Trouble::Sick);
        let health = if sick || draws.chance(Site::NeverHealthy, &slot, self.options.never_healthy) {
            Health::Never
        } else if draws.chance(Site::HealthFlaps, &slot, self.options.flaps) {
            Health::Flaps(draws.number("probes", 1, 6))
        } else {
            Health::Good
        };
        let check = info.health_check.as_ref().map(|check| {
            let ms = |span: Option<swan_core::time::Millis>, default| span.map_or(default, |span| span.0);
            (ms(check.delay, 15_000), ms(check.interval, 10_000).max(100))
        });
        if check.is_some() && health != Health::Good {
            ledger.note("task: sick (T3)");
        }
        let container = Container {
            framework,
            image,
            health,
            check,
            probes: 0,
            stubborn: draws.chance(Site::Stubborn, &slot, self.options.stubborn),
            hangs: draws.chance(Site::KillHangs, &slot, self.options.hanging_kills),
            told_to_end: false,
            odd_end: self.odd_end(slot, draws, ledger),
            stuck: false,
            orphan: self.orphan(info, draws),
            started: false,
            over: false,
        };
        self.containers.insert((agent.clone(), info.task_id.clone()), container);
        self.turns_of(agent, info, trouble, draws, ledger)
    }

    /// What will happen to a new container, and when.
    fn turns_of(
        &mut self,
        agent: &AgentId,
        info: &TaskInfo,
        trouble: Option<Trouble>,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> Vec<(u64, Turn)> {
        let slot = SlotOf(&info.task_id);
        let starts = self.rng.between(self.options.start_ms.0, self.options.start_ms.1);
        if let Some(turns) = misbehaves(trouble, starts) {
            ledger.note("task: bad image (O3)");
            return turns;
        }
        if self.black_holes.contains(agent) {
            ledger.note("task: in a black hole (A6)");
            let ends = if self.rng.chance(500_000) { Turn::Fails(NO_IMAGE) } else { Turn::Exits(1) };
            return vec![(1, Turn::Starting), (2, ends)];
        }
        if self.full.contains(agent) {
            ledger.note("task: no space for it (A8)");
            return vec![(starts, Turn::Fails(NO_SPACE))];
        }
        if self.is_port_taken(agent, info) {
            ledger.note("task: its port is taken (T6)");
            return vec![(starts, Turn::Fails(PORT_TAKEN))];
        }
        let hanging = self.hanging.contains(agent);
        if hanging || draws.chance(Site::TaskStuck, &slot, self.options.stuck) {
            ledger.note(if hanging { "task: where nothing starts (A6)" } else { "task: stuck (T1)" });
            let stuck = self.containers.get_mut(&(agent.clone(), info.task_id.clone()));
            stuck.expect("launched just now").stuck = true;
            return Vec::new();
        }
        let starts = if draws.chance(Site::SlowPull, &slot, self.options.slow_pulls) {
            ledger.note("task: slow pull (T1)");
            draws.number("ms", 60_000, 600_000)
        } else {
            starts
        };
        if draws.chance(Site::LaunchFails, &slot, self.options.launch_fails) {
            ledger.note("task: launch failed (T1)");
            return vec![(starts, Turn::Fails(NO_IMAGE))];
        }
        let mut turns = vec![(starts / 2, Turn::Starting), (starts, Turn::Started)];
        if draws.chance(Site::TaskExits, &slot, self.options.exits) {
            ledger.note("task: will exit (T2)");
            let status = draws.one_of("status", &[0, 1, 137]).unwrap_or(1) as i32;
            let stays = if draws.also("atOnce", 300_000) { 0 } else { draws.number("afterMs", 1, 180_000) };
            turns.push((starts + stays, Turn::Exits(status)));
        }
        turns.extend(self.runs_again(slot, draws, ledger).map(|(later, turn)| (starts + later, turn)));
        turns
    }

    /// Whether a task is told to run once more, and so long after its start.
    fn runs_again(&self, slot: SlotOf<'_>, draws: &mut Draws, ledger: &mut Ledger) -> Option<(u64, Turn)> {
        if !draws.chance(Site::RunsTwice, &slot, self.options.run_twice) {
            return None;
        }
        ledger.note("task: runs twice (T5)");
        let later = draws.number("laterMs", 1, 60_000);
        Some((later, Turn::RunsAgain { elsewhere: draws.also("elsewhere", 500_000) }))
    }

    fn odd_end(&self, slot: SlotOf<'_>, draws: &mut Draws, ledger: &mut Ledger) -> Option<OddEnd> {
        if !draws.chance(Site::OddEnd, &slot, self.options.odd_ends) {
            return None;
        }
        ledger.note("task: will end oddly (T5)");
        Some(match draws.number("kind", 0, 2) {
            0 => OddEnd::Finishes,
            1 => OddEnd::Fails,
            _ => OddEnd::FailsToo,
        })
    }

    fn orphan(&self, info: &TaskInfo, draws: &mut Draws) -> Option<Orphan> {
        if !draws.chance(Site::PortsKept, &SlotOf(&info.task_id), self.options.orphans) {
            return None;
        }
        Some(Orphan { ms: draws.number("ms", 1_000, 300_000), ports: ports_of(info) })
    }

    /// Whether a container that has ended keeps a port that this one is to have.
    fn is_port_taken(&self, agent: &AgentId, info: &TaskInfo) -> bool {
        let kept = self.kept_ports.iter().filter(|((its, _), _)| its == agent);
        let mut kept = kept.flat_map(|(_, ports)| ports).peekable();
        kept.peek().is_some() && {
            let wanted = ports_of(info);
            kept.any(|kept| wanted.iter().any(|port| port.0 <= kept.1 && kept.0 <= port.1))
        }
    }

    /// All containers of an agent are gone, and nobody can tell of it.
    pub(super) fn lose(&mut self, agent: &AgentId) {
        let theirs = self.containers.iter_mut().filter(|((its, _), _)| its == agent);
        theirs.for_each(|(_, container)| container.over = true);
        self.kept_ports.retain(|(its, _), _| its != agent);
    }

    /// One that runs, by the draws.
    pub(super) fn pick(&self, draws: &mut Draws) -> Option<(AgentId, TaskId)> {
        let running = self.containers.iter().filter(|(_, container)| container.started && !container.over);
        let running: Vec<_> = running.map(|(key, _)| key).collect();
        let nth = draws.number("nth", 0, running.len().checked_sub(1)? as u64);
        Some(running[nth as usize].clone())
    }

    /// The tasks of an agent that have not ended.
    pub(super) fn open_on(&self, agent: &AgentId) -> Vec<TaskId> {
        let theirs = self.containers.iter().filter(|((its, _), container)| its == agent && !container.over);
        theirs.map(|((_, task), _)| task.clone()).collect()
    }

    /// A container is told to end: when it will have.
    pub(super) fn kill(
        &mut self,
        agent: &AgentId,
        task: &TaskId,
        grace: u64,
        ledger: &mut Ledger,
    ) -> Option<u64> {
        let takes = self.rng.between(0, grace / 2);
        let container = self.containers.get_mut(&(agent.clone(), task.clone()))?;
        if container.over {
            return None;
        }
        container.told_to_end = true;
        if container.hangs && self.faults {
            ledger.note("task: does not end (T4)");
            return None;
        }
        if container.stubborn {
            ledger.note("task: ignores the signal (T4)");
        }
        Some(if container.stubborn { grace } else { takes })
    }

    /// Something happens to a container, if it is still there.
    pub(super) fn turn(&mut self, agent: &AgentId, task: &TaskId, turn: Turn) -> Option<Turned> {
        let faults = self.faults;
        let key = (agent.clone(), task.clone());
        let container = self.containers.get_mut(&key)?;
        if container.over && !matches!(turn, Turn::FailsToo | Turn::PortsFree) {
            return None;
        }
        let mut next = None;
        let report = match turn {
            Turn::Fails(why) => {
                container.over = true;
                Some(TaskReport::LaunchFailed { message: why.into() })
            }
            Turn::Starting => Some(TaskReport::Starting),
            Turn::Started => {
                container.started = true;
                next = container.check.map(|(delay, _)| (delay, Turn::Probe));
                Some(TaskReport::Started { data: None, ips: vec!["172.17.0.2".into()] })
            }
            Turn::Probe => {
                container.probes += 1;
                next = container.check.map(|(_, interval)| (interval, Turn::Probe));
                let ok = match container.health {
                    Health::Good => true,
                    Health::Never => false,
                    Health::Flaps(period) => (container.probes / period).is_multiple_of(2),
                };
                Some(TaskReport::Probe { ok })
            }
            // Nothing ends by itself any more once all is well, but what is bad by itself.
            Turn::Exits(_) if !faults && Trouble::of_image(&container.image).is_none() => None,
            Turn::Exits(status) => {
                container.over = true;
                Some(TaskReport::Exited { status })
            }
            Turn::Killed => {
                container.over = true;
                let status = if container.stubborn { 137 } else { 143 };
                match container.odd_end.filter(|_| faults) {
                    Some(OddEnd::Finishes) => Some(TaskReport::EndedUnasked { status: 0 }),
                    Some(OddEnd::Fails) => Some(TaskReport::EndedUnasked { status }),
                    Some(OddEnd::FailsToo) => {
                        next = Some((1, Turn::FailsToo));
                        Some(TaskReport::Exited { status })
                    }
                    None => Some(TaskReport::Exited { status }),
                }
            }
            Turn::ExecutorLost => {
                container.over = true;
                Some(TaskReport::ExecutorLost)
            }
            Turn::RunsAgain { elsewhere } => {
                let ip = if elsewhere { "172.17.0.3" } else { "172.17.0.2" };
                (container.started && faults).then(|| TaskReport::RunningAgain { ips: vec![ip.into()] })
            }
            Turn::FailsToo => Some(TaskReport::FailedToo),
            Turn::PortsFree => {
                self.kept_ports.remove(&key);
                None
            }
        };
        let ends = matches!(turn, Turn::Exits(_) | Turn::Killed) && container.over && faults;
        if let Some(Orphan { ms, ports }) = container.orphan.take_if(|_| ends && next.is_none()) {
            self.kept_ports.insert(key, ports);
            next = Some((ms, Turn::PortsFree));
        }
        Some(Turned { framework: container.framework.clone(), report, next })
    }

    /// The containers of a slot.
    pub(super) fn in_slot(&self, app: &str, slot: u32) -> Vec<(AgentId, TaskId)> {
        let here = |task: &TaskId| {
            TaskName::parse(task.as_str()).is_some_and(|name| name.app == app && name.slot == slot)
        };
        let open = self.containers.iter().filter(|((_, task), container)| !container.over && here(task));
        open.map(|(key, _)| key.clone()).collect()
    }

    /// A container that never starts, and is not given up yet, on an agent that can be reached.
    pub(super) fn stuck(&self, cluster: &Cluster) -> Option<&TaskId> {
        let stuck = self.containers.iter().filter(|(_, container)| container.stuck && !container.over);
        // What a tool has launched nobody gives up.
        let mut stuck = stuck.filter(|((_, task), _)| TaskName::parse(task.as_str()).is_some());
        stuck.find(|((agent, _), _)| cluster.is_reachable(agent)).map(|((_, task), _)| task)
    }

    /// What runs on agents that can be reached.
    pub(super) fn running(&self, cluster: &Cluster) -> Vec<Running> {
        let reachable: BTreeSet<&AgentId> =
            cluster.agents().filter(|(_, up)| *up).map(|(agent, _)| agent).collect();
        let mut running = Vec::new();
        for ((agent, task), container) in &self.containers {
            if container.over || !container.started || !reachable.contains(agent) {
                continue;
            }
            if let Some(name) = TaskName::parse(task.as_str()) {
                let (app, slot) = (name.app.to_owned(), name.slot);
                running.push(Running { app, slot, image: container.image.clone() });
            }
        }
        running
    }
}
