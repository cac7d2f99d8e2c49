//! Owns a manager's process: it starts, steps, carries out effects one by one, and ends between any two of them.

use std::fmt;

use swan_core::journal::{JournalConfig, OpId, Refusal, StoreResult};
use swan_core::lease::{ElectionEvent, Tenure};
use swan_core::link::{LinkEffect, LinkInput, MasterAddress};
use swan_core::manager::{Boot, End, Manager, ManagerEffect, ManagerInput};
use swan_core::scheduler::input::{Build, Config, DeposeReason};
use swan_core::time::{Instant, Millis, Now};

use super::agents::SECOND_ROLE;
use super::{Happening, WAKES_MAX, World};
use crate::chance::Site;
use crate::checkers::{Seen, recovery};
use crate::disk::rot::Part;
use crate::draws::Named;

/// How the account names a process that ended between two effects.
pub const CRASH_BEFORE_EFFECT: &str = "process: crash before an effect";
/// Steps between two comparisons of a live machine at rest with what is stored.
const COMPARE_EVERY: u64 = 256;

/// One life of the manager.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) manager: Manager,
    /// Which life, of all managers.
    pub(super) number: u64,
    /// Up to which format level its build reads.
    pub(super) format: u8,
    /// What its monotonic clock shows when the world is 0 ms old.
    pub(super) base: u64,
    /// Effects left before it ends, if it will.
    pub(super) left: Option<u64>,
    /// While it is paused: what has arrived since.
    pub(super) waiting: Option<Vec<ManagerInput>>,
    /// What is left to do of the step in which it was paused.
    pub(super) undone: Vec<ManagerEffect>,
    /// What it has read of the store that was damaged.
    pub(super) rotten: Option<Part>,
}

/// An effect by name, and by whom where there are several.
struct By<'a> {
    manager: Option<usize>,
    what: Named<'a>,
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        self.manager.map_or(Ok(()), |manager| write!(f, "@{manager}"))
    }
}

impl Process {
    /// Whether it leads, as far as it knows.
    pub(super) const fn leads(&self) -> bool {
        self.manager.view().leads()
    }

    /// When to wake it, in the world's time.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.manager
            .next_deadline()
            .filter(|_| self.waiting.is_none())
            .map(|at| at.0.saturating_sub(self.base))
    }
}

/// `second_role`: see [`crate::options::MasterOptions`].
fn config(second_role: bool) -> Config {
    Config {
        framework_name: "swan".into(),
        roles: if second_role { vec!["*".into(), SECOND_ROLE.into()] } else { vec!["*".into()] },
        user: "root".into(),
        hostname: "swan.test".into(),
        ..Config::default()
    }
}

pub(crate) fn boot(seed: u64, second_role: bool) -> Boot {
    Boot {
        seed,
        build: Build::default(),
        scheduler: config(second_role),
        masters: vec![MasterAddress { host: "master.test".into(), port: 5050 }],
        tenure: Tenure::Forever,
        crash_notes: Vec::new(),
    }
}

/// Snapshots in chunks of so many bytes at most, or as in production if 0.
fn chunks(bytes: u64) -> JournalConfig {
    let production = JournalConfig::default();
    match usize::try_from(bytes) {
        Ok(0) | Err(_) => production,
        Ok(most) => JournalConfig {
            chunk_bytes_max: most,
            chunk_bytes_fill: most / 2,
            chunk_bytes_merge: most / 4,
            records_ask_bytes: bytes / 8,
            ..production
        },
    }
}

impl World {
    /// A manager begins, in a new process or, with the clock that it has, in the same as before.
    pub(super) fn start(&mut self, at: usize, clock: Option<u64>) {
        if self.managers[at].is_some() {
            return;
        }
        self.processes += 1;
        let format = self.builds[at];
        let journal = JournalConfig {
            format,
            format_raise_after: Millis(self.options.builds.raise_after_ms),
            snapshot_log_entries: self.options.store.snapshot_entries,
            ..chunks(self.options.store.chunk_bytes)
        };
        let mean = self.options.process.crash_effects;
        let left = (mean > 0).then(|| self.draws.below(2 * mean + 1));
        let number = self.processes;
        let base = clock.unwrap_or_else(|| self.rng.below(1 << 40));
        self.managers[at] = Some(Process {
            manager: Manager::new(journal),
            number,
            format,
            base,
            left,
            waiting: None,
            undone: Vec::new(),
            rotten: None,
        });
        self.speaks(at);
        self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Started { reads: format });
        let (masters, tenure) = (self.network.masters(), self.tenure());
        let mut boot = Boot { masters, tenure, ..boot(self.rng.next(), self.options.masters.second_role) };
        if self.options.journal_named {
            boot.scheduler.journal = "simulated:/journal".into();
        }
        match &mut self.zookeeper {
            Some(zookeeper) if clock.is_none() => {
                let joins = self.options.builds.several().then_some(format);
                zookeeper.process_starts(self.now, at, joins);
            }
            Some(_) => {}
            None => {
                if self.disk.rot(self.options.store.rots, &mut self.draws) {
                    self.disturbed("store: damaged (Z5)");
                }
            }
        }
        self.step(at, ManagerInput::Boot(Box::new(boot)));
    }

    pub(super) fn elected(&mut self, process: u64) {
        if let Some(at) = self.manager_of(process) {
            let asked = self.process_clocks(at).mono;
            self.step(at, ManagerInput::Election(ElectionEvent::Acquired { asked }));
        }
    }

    pub(super) fn arrive(&mut self, process: u64, input: LinkInput) {
        if let Some(at) = self.manager_of(process) {
            self.step(at, ManagerInput::Link(input));
        }
    }

    pub(super) fn answered_by_disk(&mut self, id: OpId, result: StoreResult) {
        // It may be stopped before it says so, and the damage mended meanwhile.
        self.reads_rotten(0, self.disk.read_rotten());
        self.step(0, ManagerInput::Stored { id, result });
    }

    pub(super) fn wake_process(&mut self, at: usize) {
        self.wakes += 1;
        if self.wakes > WAKES_MAX {
            self.broken("L1", "the manager wants to be woken again and again at once".into());
        }
        self.step(at, ManagerInput::Wake);
    }

    /// A manager is woken though nothing need be due.
    pub(super) fn wake_idly(&mut self) {
        if let Some(at) = self.any_manager().filter(|&at| self.managers[at].is_some()) {
            self.ledger.note("process: woken for nothing (S-4)");
            self.step(at, ManagerInput::Wake);
        }
    }

    /// Nothing can be written to the disk for a while.
    pub(super) fn fill_disk(&mut self) {
        if self.zookeeper.is_none() {
            self.disturbed("store: full (S-3)");
            self.disk.fill(self.now + self.draws.number("forMs", 1_000, 120_000));
        }
    }

    fn process_clocks(&self, at: usize) -> Now {
        let base = self.managers[at].as_ref().map_or(0, |process| process.base);
        Now { mono: Instant(base + self.now), wall: self.wall.at(self.now) }
    }

    /// Whatever is seen from now on is of this manager.
    pub(super) fn speaks(&mut self, at: usize) {
        (self.watch.manager, self.watch.clock) = (at, self.process_clocks(at).mono);
    }

    /// Tells a process something, and carries out what it wants, unless it ends on the way.
    pub(super) fn step(&mut self, at: usize, input: ManagerInput) {
        if let Some(waiting) = self.managers[at].as_mut().and_then(|process| process.waiting.as_mut()) {
            return waiting.push(input);
        }
        let now = self.process_clocks(at);
        self.write(at, "<", &input);
        self.speaks(at);
        let Some(process) = &mut self.managers[at] else { return };
        self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Told(&input));
        let mut effects = Vec::new();
        let led = process.leads();
        process.manager.step(now, input, &mut effects);
        if process.leads() && !led {
            self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Leads);
        }
        // Until all was read once, apps are there in parts, and nobody is shown them.
        if process.manager.fresh(now.mono).is_some() {
            let seen = Seen::Stepped(process.manager.view());
            self.watch.see(self.now, self.ledger.effects, self.clients.book(), seen);
        }
        if self.managers[at].as_ref().is_some_and(Process::leads) && self.has_read_rotten(at).is_some() {
            self.broken("S13", "what is stored is damaged, and taken for sound".into());
        }
        self.mark_step(&effects);
        if self.ledger.steps.is_multiple_of(COMPARE_EVERY) {
            self.compare_at_rest(at);
        }
        self.carry_out(at, effects);
    }

    /// Carries out effects one by one, as the driver does; the process may end or be stopped before any of them.
    pub(super) fn carry_out(&mut self, at: usize, effects: Vec<ManagerEffect>) {
        let mut effects = effects.into_iter();
        while let Some(effect) = effects.next() {
            let now = self.process_clocks(at).mono;
            let Some(process) = &mut self.managers[at] else { return };
            if !process.manager.may_carry_out(now, &effect) {
                self.ledger.note("leader: effect left out, its time is over (S6)");
                continue;
            }
            if self.ends_before(at, &effect) {
                return self.crash(at, CRASH_BEFORE_EFFECT);
            }
            if self.pauses_before(at, &effect)
                && let Some(process) = &mut self.managers[at]
            {
                process.undone = std::iter::once(effect).chain(effects).collect();
                return;
            }
            self.ledger.effects += 1;
            self.write(at, ">", &effect);
            self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Does(&effect));
            self.execute(at, effect);
        }
    }

    /// An effect in words that are the same in every run.
    fn by<'a>(&self, at: usize, effect: &'a ManagerEffect) -> By<'a> {
        let what: &dyn fmt::Debug = match effect {
            ManagerEffect::Store { op, .. } => op,
            ManagerEffect::Link(LinkEffect::Send { call, .. }) => call,
            ManagerEffect::Link(effect) => effect,
            other => other,
        };
        By { manager: self.zookeeper.is_some().then_some(at), what: Named(what) }
    }

    fn pauses_before(&mut self, at: usize, effect: &ManagerEffect) -> bool {
        let what = self.by(at, effect);
        self.draws.chance(Site::PausesBefore, &what, self.options.clocks.pause_effects)
            && self.pause_process(at, "process: paused before an effect (C2)")
    }

    fn ends_before(&mut self, at: usize, effect: &ManagerEffect) -> bool {
        if self.crash_before == Some(self.ledger.effects + 1) {
            self.crash_before = None;
            return true;
        }
        let what = self.by(at, effect);
        let left = self.managers[at].as_mut().and_then(|process| process.left.as_mut());
        self.draws.comes_true(Site::CrashBefore, &what, |_| {
            left.is_some_and(|left| {
                let none = *left == 0;
                *left = left.saturating_sub(1);
                none
            })
        })
    }

    fn execute(&mut self, at: usize, effect: ManagerEffect) {
        let number = self.managers[at].as_ref().map_or(0, |process| process.number);
        match effect {
            ManagerEffect::Store { id, op } => {
                let Self { zookeeper, disk, draws, ledger, .. } = self;
                match zookeeper {
                    Some(zookeeper) => zookeeper.submit(self.now, at, number, (id, op), draws, ledger),
                    None => disk.submit(self.now, id, op, draws, ledger),
                }
            }
            ManagerEffect::Link(effect) => {
                let to_come =
                    self.network.carry_out(self.now, number, effect, &mut self.draws, &mut self.ledger);
                for (at, happening) in to_come {
                    self.queue.push(at, happening);
                }
            }
            ManagerEffect::Reply { id, result } => self.replied(id, &result),
            ManagerEffect::Campaign => self.campaign(at, number),
            ManagerEffect::Resign => self.resign(at),
            ManagerEffect::End(why) => self.end(at, why),
            ManagerEffect::Trouble(_) => self.ledger.note("process: trouble told"),
            ManagerEffect::Publish(_) | ManagerEffect::Route(_) => {}
        }
    }

    /// What a process has read that is damaged.
    fn has_read_rotten(&self, at: usize) -> Option<Part> {
        self.managers[at].as_ref().and_then(|process| process.rotten)
    }

    fn end(&mut self, at: usize, why: End) {
        match why {
            End::Refused(refusal) => match (self.has_read_rotten(at), refusal) {
                (Some(part), _) if part.is_named(&refusal) => self.crash(at, "store: damage refused (Z5)"),
                // It was damage, which has been mended since it was read.
                (_, Refusal::NewerFormat { level, .. }) if level > self.newest_format() => {
                    self.crash(at, "store: damage refused (Z5)");
                }
                (_, Refusal::NewerFormat { .. }) => self.too_old(at),
                (found, _) => {
                    self.broken("S13", format!("with {found:?} damaged it refuses its journal: {refusal}"));
                }
            },
            End::Restart | End::Deposed(DeposeReason::LeaseLost | DeposeReason::Fenced)
                if self.zookeeper.is_some() =>
            {
                self.begin_anew(at);
            }
            End::Restart | End::Deposed(DeposeReason::FailedOver) => {
                self.crash(at, "process: began anew");
            }
            End::Deposed(why) => self.broken("S6", format!("a manager without a rival was deposed: {why:?}")),
        }
    }

    /// The process is gone. What is in its memory is lost, and the store keeps what its rules say.
    pub(super) fn crash(&mut self, at: usize, kind: &'static str) {
        let Some(Process { number, .. }) = self.managers[at].take() else { return };
        self.disturbed(kind);
        let Self { zookeeper, disk, draws, ledger, .. } = self;
        if let Some(zookeeper) = zookeeper {
            zookeeper.process_gone(self.now, at, draws, ledger);
        } else {
            // It starts again with an intact copy.
            disk.mend();
            let done = disk.crash(draws, ledger);
            self.take_durable(&done);
        }
        let builds = 1..=self.newest_format();
        if let Err(why) = recovery::judge(
            &self.copy_journal(),
            &self.watch.stored,
            &boot(0, self.options.masters.second_role),
            builds,
        ) {
            self.broken("S13", why);
        }
        self.process_gone(at, number);
        let down = self.rng.between(1, self.options.process.down_ms.max(1));
        let starts = Happening::Start { manager: at, clock: None };
        self.queue.push(self.now + self.network.longest() + down, starts);
    }

    /// The connections of a process that is gone, or of a manager that is dropped, close.
    pub(super) fn process_gone(&mut self, at: usize, number: u64) {
        let Self { network, draws, ledger, .. } = self;
        for (at, happening) in network.process_gone(self.now, number, draws, ledger) {
            self.queue.push(at, happening);
        }
        self.clients_lose_process(at);
    }

    /// Compares a live machine that knows all that is durable with what is stored.
    fn compare_at_rest(&mut self, at: usize) {
        let Some(process) = self.managers[at].as_ref().filter(|_| !self.watch.closed) else { return };
        let (machine, journal) = (process.manager.scheduler(), process.manager.journal());
        if process.manager.view().deposed().is_some() {
            // What it had not stored is gone with it.
            return;
        }
        let rests = if process.leads() { machine.as_of() == journal.durable } else { journal.caught_up };
        if !rests || journal.durable != self.watch.stored.seq {
            return;
        }
        let live = recovery::records_of(machine);
        let same = recovery::equal(&live, self.watch.stored.records(), "the live machine", "the entries");
        self.ledger.note(if process.leads() { "live state compared" } else { "standby compared" });
        if let Err(why) = same {
            self.broken("S13", why);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ask::Ask;
    use crate::definition::Definition;
    use crate::options::{Options, ProcessOptions, StoreOptions};
    use crate::world::World;

    /// L5: whoever dies every few seconds gets on with its work between.
    #[test]
    fn progress_is_made_between_crashes() {
        let quiet = Options::quiet();
        let process = ProcessOptions { down_ms: 500, crash_every: 4_000, ..quiet.process };
        for seed in 0..8 {
            let store = StoreOptions { snapshot_entries: 10 + seed, ..quiet.store.clone() };
            let mut world = World::new(seed, Options { process: process.clone(), store, ..quiet.clone() });
            let definition = Definition::plain("image:1", 24, false);
            world.ask(Ask::Create { app: "web.shop".into(), definition });
            world.run_until(300_000);
            let crashes = world.ledger().counts["process: crash at rest"];
            assert!(crashes > 40 && world.violation().is_none(), "seed {seed}: {crashes} crashes");
            assert_eq!(world.running().len(), 24, "seed {seed}");
        }
    }

    /// M5: packets vanish, and the process ends. Once they arrive again, the answer to the next heartbeat is a reset.
    #[test]
    fn a_master_learns_by_writing_that_nobody_holds_a_connection() {
        let quiet = Options::quiet();
        let process = ProcessOptions { down_ms: 3_600_000, ..quiet.process };
        let mut world = World::new(7, Options { process, ..quiet });
        world.ask(Ask::Create { app: "web.shop".into(), definition: Definition::plain("image:1", 3, false) });
        assert_eq!(world.settle(600_000), None);
        let connected = |world: &World| world.cluster().frameworks().any(|(_, connected)| connected);
        let mut lasted = Vec::new();
        for _ in 0..20 {
            assert!(connected(&world));
            assert!(world.network.half_open());
            world.crash(0, "process: crash at rest");
            let gone = world.now;
            while world.managers[0].is_none() && connected(&world) {
                world.run_until(world.now + 1_000);
            }
            if !connected(&world) {
                lasted.push(world.now - gone);
            }
            assert_eq!(world.settle(world.now + 7_200_000), None);
        }
        assert!(lasted.iter().any(|ms| *ms <= 16_000), "at the next heartbeat: {lasted:?}");
        assert!(lasted.iter().any(|ms| *ms > 60_000), "or when packets arrive again: {lasted:?}");
        assert!(lasted.iter().all(|ms| *ms < 950_000), "or have not for long: {lasted:?}");
    }
}
