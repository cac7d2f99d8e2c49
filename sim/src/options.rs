//! Owns what a seed decides about a run before it begins: sizes, times, and which faults happen how often.

mod builds;
mod clocks;
mod ensemble;
mod masters;

use serde::{Deserialize, Serialize};
use swan_core::rng::Rng;

pub use self::builds::BuildOptions;
pub use self::clocks::ClockOptions;
pub use self::ensemble::EnsembleOptions;
pub use self::masters::MasterOptions;
use crate::streams;

/// Most agents, and most clients, of a world.
const SIZE_MAX: u64 = 1_000;
/// Longest time that makes sense in a world, ms: some thirty years.
const TIME_MAX: u64 = 1 << 40;

/// Everything that a run depends on, beside its seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// Milliseconds under faults.
    pub safety_ms: u64,
    /// Milliseconds within which everything must be as wanted once all faults are over (L1).
    pub settle_ms: u64,
    /// Agents at the beginning, and again at the end.
    pub agents: u32,
    /// Different apps that clients deal with.
    pub apps: u32,
    /// See there.
    pub clients: ClientOptions,
    /// See there.
    pub store: StoreOptions,
    /// See there.
    pub network: NetworkOptions,
    /// See there.
    pub tasks: TaskOptions,
    /// See there.
    pub agent_faults: AgentOptions,
    /// See there.
    pub process: ProcessOptions,
    /// See there.
    #[serde(default)]
    pub masters: MasterOptions,
    /// See there.
    #[serde(default)]
    pub clocks: ClockOptions,
    /// See there.
    #[serde(default)]
    pub ensemble: EnsembleOptions,
    /// See there.
    #[serde(default)]
    pub builds: BuildOptions,
    /// How it ends, when all is as wanted.
    #[serde(default)]
    pub disaster: Option<Disaster>,
    /// When the copy is made that may then take the store's place, ms.
    #[serde(default)]
    pub backup_ms: u64,
    /// Managers say where their journal is, and so ask for earlier frameworks of it (S14).
    #[serde(default)]
    pub journal_named: bool,
}

/// What no machine can mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Disaster {
    /// The store is lost, and replaced by an old copy (Z6).
    OldBackup,
    /// The master removes the framework (M6).
    FrameworkRemoved,
    /// The store is lost altogether, and an operator has the framework adopted (Z6).
    StoreLostAdopted,
    /// The store is lost altogether, and an operator wants a new framework (Z6).
    StoreLostNew,
}

impl Disaster {
    fn swarm(seed: u64) -> Option<Self> {
        let mut lost = streams::named(seed, "disaster.storeLost");
        if lost.chance(150_000) {
            return Some(if lost.chance(600_000) { Self::StoreLostAdopted } else { Self::StoreLostNew });
        }
        let mut rng = streams::named(seed, "disaster");
        match rng.below(6) {
            0..3 => None,
            3..5 => Some(Self::OldBackup),
            _ => Some(Self::FrameworkRemoved),
        }
    }

    /// The store is lost altogether.
    pub(crate) const fn is_loss(self) -> bool {
        matches!(self, Self::StoreLostAdopted | Self::StoreLostNew)
    }
}

/// Three of four of the other worlds are of managers that say nothing of their journal.
fn journal_named(seed: u64) -> bool {
    let lost = Disaster::swarm(seed).is_some_and(Disaster::is_loss);
    lost || streams::named(seed, "journalNamed").chance(250_000)
}

/// What API clients do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientOptions {
    /// How many there are.
    pub count: u32,
    /// Longest pause between two requests of one client, in ms.
    pub think_ms: u64,
    /// See there.
    pub verbs: Verbs,
    /// Share of definitions whose image is bad, ppm.
    pub bad_images: u32,
    /// Share of definitions with policies, ppm.
    pub policies: u32,
    /// Share of definitions with placement rules, ppm.
    pub rules: u32,
    /// Share of changes that replace one under way, ppm.
    pub forced: u32,
    /// Share of requests with an idempotency key, ppm.
    pub keyed: u32,
    /// Share of requests that name the revision they have seen, ppm.
    pub matched: u32,
    /// Most instances asked for.
    pub instances: u64,
}

/// Weights of what clients ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Verbs {
    pub create: u64,
    pub update: u64,
    pub scale: u64,
    pub delete: u64,
    pub kill_one: u64,
    pub kill_all: u64,
    pub rollback: u64,
    pub restart: u64,
    pub stop: u64,
    pub start: u64,
    pub pause: u64,
    pub resume: u64,
    pub cancel: u64,
}

/// How the disk behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreOptions {
    /// Milliseconds that an operation takes, from and to.
    pub latency_ms: (u64, u64),
    /// Share of operations that fail without an effect, ppm.
    pub fails: u32,
    /// Share of operations whose outcome is not told, ppm.
    pub unknown: u32,
    /// Share of operations that hang, ppm, and for how long at most, ms.
    pub stalls: (u32, u64),
    /// Share of crashes that leave a torn entry, ppm.
    pub torn: u32,
    /// A snapshot is taken after this many log entries.
    pub snapshot_entries: u64,
    /// Share of starts that find what is stored damaged (Z5), ppm.
    #[serde(default)]
    pub rots: u32,
    /// Nothing can be written for a while (S-3); a mean in ms, 0 is never.
    #[serde(default)]
    pub full_every: u64,
    /// Most bytes of a snapshot's chunk (S-4); 0 is as in production.
    #[serde(default)]
    pub chunk_bytes: u64,
}

/// How the network between Swan and Mesos behaves. Intervals are means in ms; 0 is never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NetworkOptions {
    /// Milliseconds that a message takes, from and to.
    pub latency_ms: (u64, u64),
    /// Calls answered with 202 and then lost (M7), ppm.
    pub lost_calls: u32,
    /// Calls that have their effect but whose answer is lost (M8), ppm.
    pub lost_answers: u32,
    /// Status updates delivered twice (M9), ppm.
    pub duplicates: u32,
    /// Status updates delivered once more much later (M9), ppm.
    pub replays: u32,
    /// Broken connections.
    pub cut_every: u64,
    /// Connections that die without a word (M5).
    pub half_open_every: u64,
    /// SUBSCRIBEs refused with 503 or not answered at all, ppm.
    pub refusals: u32,
    /// Offers taken back (M10).
    pub rescind_every: u64,
    /// Records of the stream that cannot be read (N2), ppm.
    #[serde(default)]
    pub garbled: u32,
}

/// How tasks behave. Shares are ppm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskOptions {
    /// Milliseconds until a task runs (T1), from and to.
    pub start_ms: (u64, u64),
    /// Launches that fail.
    pub launch_fails: u32,
    /// Tasks that exit by themselves (T2).
    pub exits: u32,
    /// Tasks that are never healthy (T3).
    pub never_healthy: u32,
    /// Tasks whose health flaps (T3).
    pub flaps: u32,
    /// Tasks that ignore the polite signal (T4).
    pub stubborn: u32,
    /// Tasks that never start (T1).
    #[serde(default)]
    pub stuck: u32,
    /// Tasks that are told to end and then finish, fail, or fail after they were killed (T5).
    #[serde(default)]
    pub odd_ends: u32,
    /// Tasks that are told to run twice, with another address perhaps (T5, T7).
    #[serde(default)]
    pub run_twice: u32,
    /// Updates without what they should have, or with what nobody knows (T7, T8).
    #[serde(default)]
    pub odd_updates: u32,
    /// Images that are pulled for minutes (T1).
    #[serde(default)]
    pub slow_pulls: u32,
    /// Tasks that do not end, whatever they are told (T4).
    #[serde(default)]
    pub hanging_kills: u32,
    /// Containers that let go of their ports long after their end (T6).
    #[serde(default)]
    pub orphans: u32,
}

impl TaskOptions {
    fn swarm(rng: &mut Rng, seed: u64) -> Self {
        let part = |name: &str, most| share(&mut streams::named(seed, name), most);
        Self {
            start_ms: (50, rng.between(100, 20_000)),
            launch_fails: share(rng, 200_000),
            exits: share(rng, 500_000),
            never_healthy: share(rng, 200_000),
            flaps: share(rng, 200_000),
            stubborn: share(rng, 500_000),
            stuck: part("tasks.stuck", 100_000),
            odd_ends: part("tasks.oddEnds", 500_000),
            run_twice: part("tasks.runTwice", 500_000),
            odd_updates: part("tasks.oddUpdates", 200_000),
            slow_pulls: part("tasks.slowPulls", 200_000),
            hanging_kills: part("tasks.hangingKills", 200_000),
            orphans: part("tasks.orphans", 300_000),
        }
    }
}

/// What happens to agents. Intervals are means in ms; 0 is never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentOptions {
    /// Crashes (A1).
    pub crash_every: u64,
    /// Partitions from the master (A4).
    pub partition_every: u64,
    /// Agents that leave in order.
    pub stop_every: u64,
    /// Longest absence, ms.
    pub away_ms: u64,
    /// Share of crashes from which there is no return, ppm.
    pub forever: u32,
    /// Share of agents on which every task fails at once (A6), ppm.
    pub black_holes: u32,
    /// A fifth to three fifths of all agents gone at the same time (A5).
    pub mass_loss_every: u64,
    /// Agents that go and come back again and again (A9).
    pub flap_every: u64,
    /// Maintenance windows, some of which are used (M16).
    pub maintenance_every: u64,
    /// Share of agents that tell their attributes only when they come back (M11), ppm.
    #[serde(default)]
    pub untold_attributes: u32,
    /// Hosts that start again and become other agents (A2).
    #[serde(default)]
    pub reboot_every: u64,
    /// Share of agents whose clock is wrong by up to an hour (A7), ppm.
    #[serde(default)]
    pub skewed_clocks: u32,
    /// All agents of one or two racks of three cut off for minutes (A5).
    #[serde(default)]
    pub racks_cut_every: u64,
    /// Agents that an operator marks as gone, whether they are or not (M16).
    #[serde(default)]
    pub gone_every: u64,
    /// Agents that an operator drains (M16).
    #[serde(default)]
    pub drain_every: u64,
    /// Share of agents that come back from a crash without their executors (A3), ppm.
    #[serde(default)]
    pub lost_executors: u32,
    /// Share of agents on which no task ever starts (A6), ppm.
    #[serde(default)]
    pub hanging: u32,
    /// All agents started again, one after another (A5).
    #[serde(default)]
    pub rolling_every: u64,
    /// Agents that offer what they have not any more, for a while (A8).
    #[serde(default)]
    pub full_every: u64,
    /// Containers that somebody kills, and not through Swan (O4).
    #[serde(default)]
    pub killed_every: u64,
}

/// What happens to the manager's process. 0 is never.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessOptions {
    /// Mean number of effects between two crashes, each before a certain effect.
    pub crash_effects: u64,
    /// Mean time between two crashes at any moment, ms.
    pub crash_every: u64,
    /// Longest time until it is started again, ms.
    pub down_ms: u64,
    /// Mean time between two wakes at which nothing need be due (S-4), ms.
    #[serde(default)]
    pub idle_wakes_every: u64,
}

impl Options {
    /// A quiet world: small latencies, no faults, no clients.
    pub fn quiet() -> Self {
        Self {
            safety_ms: 0,
            settle_ms: 40 * 60_000,
            agents: 3,
            apps: 1,
            clients: ClientOptions::none(),
            store: StoreOptions { latency_ms: (2, 2), snapshot_entries: 1000, ..StoreOptions::default() },
            network: NetworkOptions { latency_ms: (1, 1), ..NetworkOptions::default() },
            tasks: TaskOptions { start_ms: (300, 300), ..TaskOptions::default() },
            agent_faults: AgentOptions { away_ms: 1, ..AgentOptions::default() },
            process: ProcessOptions { down_ms: 2_000, ..ProcessOptions::default() },
            masters: MasterOptions::default(),
            clocks: ClockOptions::default(),
            ensemble: EnsembleOptions::default(),
            builds: BuildOptions::default(),
            disaster: None,
            backup_ms: 0,
            journal_named: false,
        }
    }

    /// Whether a world can be made of them; an error says what cannot be.
    pub fn check(&self) -> Result<(), String> {
        let Self { store, network, tasks, clients, process, .. } = self;
        for (name, (low, high)) in [
            ("store.latencyMs", store.latency_ms),
            ("network.latencyMs", network.latency_ms),
            ("tasks.startMs", tasks.start_ms),
            ("ensemble.latencyMs", self.ensemble.latency_ms),
        ] {
            if low > high {
                return Err(format!("{name}: from {low} to {high}; the first may not be greater"));
            }
        }
        for (name, value, least, most) in [
            ("agents", u64::from(self.agents), 1, SIZE_MAX),
            ("clients.count", u64::from(clients.count), 0, SIZE_MAX),
            ("ensemble.managers", u64::from(self.ensemble.managers), 1, 9),
            ("builds.newest", u64::from(self.builds.newest), 1, 100),
            ("builds.raiseAfterMs", self.builds.raise_after_ms, 0, TIME_MAX),
            ("ensemble.latencyMs", self.ensemble.latency_ms.1, 0, TIME_MAX),
            ("ensemble.noQuorumMs", self.ensemble.no_quorum_ms, 1_000, TIME_MAX),
            ("store.snapshotEntries", store.snapshot_entries, 1, TIME_MAX),
            ("safetyMs", self.safety_ms, 0, TIME_MAX),
            ("settleMs", self.settle_ms, 0, TIME_MAX),
            ("store.latencyMs", store.latency_ms.1, 0, TIME_MAX),
            ("network.latencyMs", network.latency_ms.1, 0, TIME_MAX),
            ("tasks.startMs", tasks.start_ms.1, 0, TIME_MAX),
            ("process.downMs", process.down_ms, 0, TIME_MAX),
            ("agentFaults.awayMs", self.agent_faults.away_ms, 0, TIME_MAX),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("{name}: {value} is not between {least} and {most}"));
            }
        }
        Ok(())
    }

    /// What the seed draws: each kind of fault is off in half of the runs, else of any intensity.
    pub fn swarm(seed: u64, minutes: Option<u64>) -> Self {
        let mut rng = Rng::new(seed ^ 0x0007_1005);
        let rng = &mut rng;
        let drawn = rng.between(2, 8);
        let safety_ms = minutes.unwrap_or(drawn) * 60_000;
        let ensemble = EnsembleOptions::swarm(seed);
        let small = Self {
            safety_ms,
            settle_ms: 60 * 60_000,
            agents: rng.between(2, 8) as u32,
            apps: rng.between(1, 5) as u32,
            clients: ClientOptions::swarm(rng),
            store: StoreOptions {
                latency_ms: (0, rng.between(1, 40)),
                fails: share(rng, 30_000),
                unknown: share(rng, 30_000),
                stalls: (share(rng, 5_000), rng.between(2_000, 30_000)),
                torn: share(rng, 1_000_000),
                snapshot_entries: rng.between(5, 400),
                rots: share(&mut streams::named(seed, "store.rots"), 300_000),
                full_every: every(&mut streams::named(seed, "store.fullEvery"), 60_000, 600_000),
                chunk_bytes: every(&mut streams::named(seed, "store.chunkBytes"), 200, 4_000),
            },
            network: NetworkOptions {
                latency_ms: (0, rng.between(1, 200)),
                lost_calls: share(rng, 150_000),
                lost_answers: share(rng, 30_000),
                duplicates: share(rng, 200_000),
                replays: share(rng, 100_000),
                cut_every: every(rng, 15_000, 240_000),
                half_open_every: every(rng, 60_000, 400_000),
                refusals: share(rng, 400_000),
                rescind_every: every(rng, 500, 30_000),
                garbled: share(&mut streams::named(seed, "network.garbled"), 30_000),
            },
            tasks: TaskOptions::swarm(rng, seed),
            agent_faults: AgentOptions::swarm(rng, seed),
            process: ProcessOptions {
                crash_effects: every(rng, 5, 600),
                crash_every: every(rng, 2_000, 120_000),
                down_ms: rng.between(1, 20_000),
                idle_wakes_every: every(&mut streams::named(seed, "process.idleWakesEvery"), 1_000, 30_000),
            },
            masters: MasterOptions::swarm(seed),
            clocks: ClockOptions::swarm(seed),
            builds: BuildOptions::swarm(seed, ensemble.managers),
            ensemble,
            disaster: Disaster::swarm(seed),
            backup_ms: streams::named(seed, "disaster.backup").between(safety_ms / 8, safety_ms),
            journal_named: journal_named(seed),
        };
        small.perhaps_large(&mut Rng::new(seed ^ 0x0051_2e50))
    }

    /// The same worlds, in which clients ask the same, without any fault.
    pub fn lite(seed: u64, minutes: Option<u64>) -> Self {
        let (quiet, swarm) = (Self::quiet(), Self::swarm(seed, minutes));
        let Self { store, network, tasks, .. } = &swarm;
        Self {
            store: StoreOptions {
                latency_ms: store.latency_ms,
                snapshot_entries: store.snapshot_entries,
                ..quiet.store
            },
            network: NetworkOptions { latency_ms: network.latency_ms, ..quiet.network },
            tasks: TaskOptions { start_ms: tasks.start_ms, ..quiet.tasks },
            agent_faults: quiet.agent_faults,
            process: quiet.process,
            masters: quiet.masters,
            clocks: quiet.clocks,
            builds: quiet.builds,
            disaster: None,
            ..swarm
        }
    }

    /// One world in four has more agents and larger apps: what happens to many at once, as when racks are cut off, which
    /// is rare in none but a quarter of them. `sizes` is a generator of its own, so that nothing else that the seed draws
    /// depends on this.
    fn perhaps_large(mut self, sizes: &mut Rng) -> Self {
        if sizes.chance(250_000) {
            self.agents = sizes.between(8, 16) as u32;
            self.clients.instances = sizes.between(8, 24);
            if sizes.chance(750_000) {
                self.agent_faults.racks_cut_every = sizes.between(40_000, 160_000);
            }
            // Few can have room (O2).
            if sizes.chance(15_000) {
                self.clients.instances = sizes.between(1_000, 10_000);
            }
        }
        self
    }
}

impl ClientOptions {
    /// Nobody asks for anything.
    fn none() -> Self {
        Self {
            count: 0,
            think_ms: 1,
            verbs: Verbs { create: 1, ..Verbs::default() },
            bad_images: 0,
            policies: 0,
            rules: 0,
            forced: 0,
            keyed: 0,
            matched: 0,
            instances: 1,
        }
    }

    fn swarm(rng: &mut Rng) -> Self {
        let (rollback, restart, stop, start) = (rng.below(4), rng.below(3), rng.below(3), rng.below(3));
        let (pause, resume, cancel) = (rng.below(5), rng.below(3), rng.below(3));
        let verbs = Verbs {
            create: 3,
            update: rng.below(5),
            scale: 1 + rng.below(6),
            delete: rng.below(3),
            kill_one: rng.below(4),
            kill_all: rng.below(2),
            rollback,
            restart,
            stop,
            start,
            pause,
            resume,
            cancel,
        };
        Self {
            count: rng.between(1, 3) as u32,
            think_ms: rng.between(1_000, 60_000),
            verbs,
            keyed: share(rng, 1_000_000),
            matched: share(rng, 500_000),
            instances: rng.between(1, 8),
            bad_images: share(rng, 400_000),
            policies: share(rng, 1_000_000),
            rules: share(rng, 700_000),
            forced: share(rng, 400_000),
        }
    }
}

impl AgentOptions {
    fn swarm(rng: &mut Rng, seed: u64) -> Self {
        let maintenance_every = every(rng, 60_000, 400_000);
        Self {
            crash_every: every(rng, 20_000, 240_000),
            partition_every: every(rng, 20_000, 240_000),
            stop_every: every(rng, 120_000, 480_000),
            away_ms: rng.between(1_000, 300_000),
            forever: share(rng, 300_000),
            black_holes: share(rng, 300_000),
            mass_loss_every: every(rng, 60_000, 600_000),
            flap_every: every(rng, 60_000, 400_000),
            maintenance_every,
            untold_attributes: share(&mut streams::named(seed, "agents.untoldAttributes"), 400_000),
            reboot_every: every(&mut streams::named(seed, "agents.rebootEvery"), 60_000, 600_000),
            skewed_clocks: share(&mut streams::named(seed, "agents.skewedClocks"), 1_000_000),
            racks_cut_every: every(&mut streams::named(seed, "agents.racksCutEvery"), 60_000, 400_000),
            gone_every: every(&mut streams::named(seed, "agents.goneEvery"), 60_000, 600_000),
            drain_every: every(&mut streams::named(seed, "agents.drainEvery"), 60_000, 400_000),
            lost_executors: share(&mut streams::named(seed, "agents.lostExecutors"), 500_000),
            hanging: share(&mut streams::named(seed, "agents.hanging"), 300_000),
            rolling_every: every(&mut streams::named(seed, "agents.rollingEvery"), 60_000, 400_000),
            full_every: every(&mut streams::named(seed, "agents.fullEvery"), 40_000, 400_000),
            killed_every: every(&mut streams::named(seed, "agents.killedEvery"), 10_000, 200_000),
        }
    }
}

/// Nothing, or anything up to a share.
fn share(rng: &mut Rng, most: u64) -> u32 {
    if rng.chance(500_000) { 0 } else { rng.between(1, most) as u32 }
}

/// Never, or a mean.
fn every(rng: &mut Rng, least: u64, most: u64) -> u64 {
    if rng.chance(500_000) { 0 } else { rng.between(least, most) }
}
