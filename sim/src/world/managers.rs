//! Owns what is so of several managers: which of them leads, what ZooKeeper tells each, and their own kinds of faults.

use swan_core::lease::{ElectionEvent, Tenure};
use swan_core::manager::ManagerInput;
use swan_core::rng::Rng;
use swan_core::scheduler::input::RequestId;
use swan_core::time::{Instant, Millis};

use super::process::Process;
use super::{Happening, World};
use crate::chance::Site;
use crate::checkers::Seen;
use crate::disk::Platter;
use crate::disk::rot::Part;
use crate::options::Options;
use crate::streams;
use crate::world::faults::Sequel;
use crate::zookeeper::{News, SESSION_MS, ZooKeeper};

/// Longest time until a manager that was deposed begins anew in the same process, ms.
const ANEW_MS: u64 = 1_000;

/// What several managers share.
pub(super) fn zookeeper(seed: u64, options: &Options) -> Option<ZooKeeper> {
    let rng = streams::named(seed, "zookeeper");
    let ensemble = options.ensemble.clone();
    (ensemble.managers > 1).then(|| ZooKeeper::new(ensemble, options.builds.stale, rng))
}

impl World {
    /// Which manager has this life.
    pub(super) fn manager_of(&self, process: u64) -> Option<usize> {
        self.managers.iter().position(|it| it.as_ref().is_some_and(|it| it.number == process))
    }

    /// The manager that users hear: who leads, else anybody.
    pub(super) fn speaker(&self) -> Option<usize> {
        let leads = |at: &usize| self.managers[*at].as_ref().is_some_and(Process::leads);
        let there = |at: &usize| self.managers[*at].is_some();
        let first = self.zookeeper.as_ref().and_then(ZooKeeper::first);
        let all = || 0..self.managers.len();
        first.filter(leads).or_else(|| all().find(leads)).or_else(|| all().find(there))
    }

    /// Who leads and runs, as far as it knows itself.
    fn acting(&self) -> Option<usize> {
        let acts = |it: &Option<Process>| it.as_ref().is_some_and(|it| it.leads() && it.waiting.is_none());
        self.managers.iter().position(acts)
    }

    /// When a manager wants to be woken next, and which.
    pub(super) fn next_wake(&self) -> Option<(u64, usize)> {
        let each = self.managers.iter().enumerate();
        each.filter_map(|(at, process)| Some((process.as_ref()?.next_deadline()?, at))).min()
    }

    /// How long the word on who leads holds.
    pub(super) const fn tenure(&self) -> Tenure {
        if self.zookeeper.is_some() { Tenure::Session(Millis(SESSION_MS)) } else { Tenure::Forever }
    }

    /// An intact copy of the journal.
    pub(super) fn copy_journal(&self) -> Platter {
        self.zookeeper.as_ref().map_or_else(|| self.disk.copy(), |zookeeper| zookeeper.journal().intact())
    }

    /// Puts a copy in the place of the journal. No process is there.
    pub(super) fn restore_journal(&mut self, copy: Platter) {
        match &mut self.zookeeper {
            Some(zookeeper) => zookeeper.restore(copy),
            None => self.disk.restore(copy),
        }
    }

    pub(super) fn crash_all(&mut self, kind: &'static str) {
        (0..self.managers.len()).for_each(|at| self.crash(at, kind));
    }

    pub(super) fn campaign(&mut self, at: usize, process: u64) {
        let Self { zookeeper, draws, ledger, .. } = self;
        match zookeeper {
            Some(zookeeper) => zookeeper.campaign(self.now, at, draws, ledger),
            None => self.queue.push(self.now + 1, Happening::Elected { process }),
        }
    }

    pub(super) fn resign(&mut self, at: usize) {
        let Self { zookeeper, draws, ledger, .. } = self;
        if let Some(zookeeper) = zookeeper {
            zookeeper.resign(self.now, at, draws, ledger);
        }
    }

    /// A manager is over, and another begins in the same process: with a clock and a session that go on, and perhaps
    /// with operations of the one before still on their way.
    pub(super) fn begin_anew(&mut self, at: usize) {
        let Some(Process { number, base, .. }) = self.managers[at].take() else { return };
        self.disturbed("manager: began anew (S6)");
        self.resign(at);
        self.process_gone(at, number);
        let starts = self.now + self.rng.between(1, ANEW_MS);
        self.queue.push(starts, Happening::Start { manager: at, clock: Some(base) });
    }

    pub(super) fn zookeeper_step(&mut self) {
        let Self { zookeeper, draws, ledger, .. } = self;
        let Some(zookeeper) = zookeeper else { return };
        let came = zookeeper.step(self.now, draws, ledger);
        for epoch in came.claimed {
            let (now, effects) = (self.now, self.ledger.effects);
            self.watch.see(now, effects, self.clients.book(), Seen::Claimed(epoch));
        }
        self.take_durable(&came.done);
        for (at, news) in came.news {
            self.zookeeper_says(at, news);
        }
    }

    fn zookeeper_says(&mut self, at: usize, news: News) {
        let Some(process) = &self.managers[at] else { return };
        let own = |asked: u64| Instant(process.base + asked);
        let event = match news {
            // What an earlier life of this manager asked for is no news for this one.
            News::Stored { life, .. } if life != process.number => return,
            News::Stored { id, result, rotten, .. } => {
                self.reads_rotten(at, rotten);
                return self.step(at, ManagerInput::Stored { id, result });
            }
            News::Readers(readers) => return self.step(at, ManagerInput::Readers(readers)),
            News::Acquired { asked } => ElectionEvent::Acquired { asked: own(asked) },
            News::Confirmed { asked } => ElectionEvent::Confirmed { asked: own(asked) },
            News::Disconnected => ElectionEvent::Disconnected,
            News::Lost => ElectionEvent::Lost,
        };
        if matches!(event, ElectionEvent::Acquired { .. }) {
            self.ledger.note("manager: elected");
        }
        self.step(at, ManagerInput::Election(event));
    }

    /// Whoever does not lead yet must not lead with what is damaged; who leads has no need of what it reads.
    pub(super) fn reads_rotten(&mut self, at: usize, rotten: Option<Part>) {
        if let Some(process) = self.managers[at].as_mut().filter(|it| !it.leads()) {
            process.rotten = rotten.or(process.rotten);
        }
    }

    /// The manager that a client asks: any of those that are there.
    pub(super) fn some_manager(&self, id: RequestId) -> Option<usize> {
        let count = self.managers.len() as u64;
        // Decided by the request alone, so that a fault that is left out shifts nothing.
        let first = Rng::new(id.0).below(count);
        (first..first + count).map(|at| (at % count) as usize).find(|at| self.managers[*at].is_some())
    }

    /// The manager to which a standby passes requests on; `None` if it leads itself, or knows none that does.
    pub(super) fn knows_leader(&self, at: usize) -> Option<usize> {
        let zookeeper = self.zookeeper.as_ref()?;
        self.managers[at].as_ref().filter(|it| !it.leads() && it.waiting.is_none())?;
        let leader = zookeeper.first().filter(|leader| *leader != at && zookeeper.is_connected(at))?;
        Some(leader)
    }

    /// An answer goes to its client by the manager that was asked: one that does not lead wants to see what it rests on.
    pub(super) fn passed_back(&mut self, id: RequestId) {
        let asked = self.some_manager(id);
        let standby = asked.filter(|at| self.managers[*at].as_ref().is_some_and(|it| !it.leads()));
        if let Some(manager) = standby {
            let at = self.now + 1 + self.network.longest();
            self.queue.push(at, Happening::ReadOn { manager });
        }
    }

    pub(super) fn read_on(&mut self, at: usize) {
        if self.managers[at].is_some() {
            self.step(at, ManagerInput::Follow);
        }
    }

    /// One of the managers that are there.
    pub(super) fn any_manager(&mut self) -> Option<usize> {
        if self.zookeeper.is_none() {
            return Some(0);
        }
        let there = (0_u64..).zip(&self.managers).filter(|(_, it)| it.is_some()).map(|(at, _)| at);
        let there: Vec<u64> = there.collect();
        self.draws.one_of("manager", &there).map(|at| at as usize)
    }

    /// How often one of these faults happens.
    pub(super) fn ensemble_every(&self, site: Site) -> u64 {
        let options = self.zookeeper.as_ref().map(|_| &self.options.ensemble);
        options.map_or(0, |options| match site {
            Site::ZooKeeperCut => options.cut_every,
            Site::NoQuorum => options.no_quorum_every,
            Site::LeaderPauses => options.leader_pause_every,
            Site::LeaderLoops => options.leader_loop_every,
            Site::Abdicates => options.abdicate_every,
            Site::ZooKeeperRots => options.rots_every,
            _ => 0,
        })
    }

    pub(super) fn ensemble_fault(&mut self, site: Site) {
        match site {
            Site::ZooKeeperCut => self.cut_zookeeper(),
            Site::NoQuorum => {
                let wait = self.draws.number("forMs", 1_000, self.options.ensemble.no_quorum_ms);
                self.disturbed("zookeeper: no majority (Z7)");
                self.set_quorum(false);
                self.queue.push(self.now + wait, Happening::Sequel(Sequel::QuorumReturns));
            }
            Site::ZooKeeperRots => self.damage_zookeeper(),
            Site::LeaderPauses => {
                if let Some(at) = self.acting() {
                    self.pause_process(at, "leader: paused (C2, Z3)");
                }
            }
            Site::Abdicates => {
                if let Some(at) = self.acting() {
                    self.disturbed("leader: abdicates");
                    self.step(at, ManagerInput::Abdicate);
                }
            }
            _ => {
                let times = self.draws.number("times", 2, 8);
                let mut at = self.now;
                for n in 0..times {
                    at += self.draws.number(&format!("gap{n}Ms"), 1_000, 10_000);
                    self.queue.push(at, Happening::Sequel(Sequel::LeaderDies));
                }
            }
        }
    }

    /// Whoever leads dies, in the middle of a row of such deaths (S-2).
    pub(super) fn crash_leader(&mut self) {
        if let Some(at) = self.acting() {
            self.crash(at, "leader: crash loop (S-2)");
        }
    }

    fn cut_zookeeper(&mut self) {
        let (away, silent) = (self.draws.number("forMs", 1, 60_000), self.draws.also("silent", 300_000));
        let Some(at) = self.any_manager() else { return };
        self.disturbed("zookeeper: cut (Z2)");
        let Self { zookeeper, draws, ledger, .. } = self;
        if let Some(zookeeper) = zookeeper {
            zookeeper.cut(self.now, at, away, silent, draws, ledger);
        }
    }

    /// Something stored is damaged, until an operator notices.
    fn damage_zookeeper(&mut self) {
        let wait = self.draws.number("forMs", 1_000, 180_000);
        let Self { zookeeper, draws, .. } = self;
        if zookeeper.as_mut().is_some_and(|zookeeper| zookeeper.rot(draws)) {
            self.disturbed("zookeeper: damaged (Z5)");
            self.queue.push(self.now + wait, Happening::Sequel(Sequel::JournalMended));
        }
    }

    pub(super) fn mend_zookeeper(&mut self) {
        self.zookeeper.iter_mut().for_each(ZooKeeper::mend);
    }

    pub(super) fn set_quorum(&mut self, quorum: bool) {
        let Self { zookeeper, draws, ledger, .. } = self;
        if let Some(zookeeper) = zookeeper {
            zookeeper.set_quorum(self.now, quorum, draws, ledger);
            self.watch.see(self.now, ledger.effects, self.clients.book(), Seen::Away(!quorum));
        }
    }

    /// ZooKeeper is whole, and each manager reaches it.
    pub(super) fn heal_managers(&mut self) {
        self.set_quorum(true);
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.heal(self.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use swan_core::journal::frame::FORMAT_LEVEL;
    use swan_core::manager::ManagerEffect;
    use swan_core::scheduler::api::ApiReply;

    use super::*;
    use crate::ask::Ask;
    use crate::checkers::recovery;
    use crate::definition::Definition;
    use crate::draws::Draws;
    use crate::options::{EnsembleOptions, Options, StoreOptions};
    use crate::run::{Keep, replay, run};
    use crate::trace::Trace;
    use crate::world::boot;

    /// An hour.
    const HOUR_MS: u64 = 3_600_000;

    fn several(options: Options) -> Options {
        let managers = 3;
        Options { ensemble: EnsembleOptions { managers, ..options.ensemble.clone() }, ..options }
    }

    /// Three managers, of which one leads, and an app of three tasks that run.
    fn deployed() -> World {
        deployed_in(Options::quiet())
    }

    fn deployed_with_snapshots() -> World {
        let quiet = Options::quiet();
        deployed_in(Options { store: StoreOptions { snapshot_entries: 5, ..quiet.store }, ..quiet })
    }

    fn deployed_in(options: Options) -> World {
        let mut world = World::new(7, several(options));
        let definition = Definition::plain("image:1", 3, false);
        world.ask(Ask::Create { app: "web.shop".into(), definition });
        settle(&mut world);
        assert_eq!(world.running().len(), 3);
        world
    }

    fn settle(world: &mut World) {
        let pending = world.settle(world.now + HOUR_MS);
        assert_eq!((pending, world.violation()), (None, None));
    }

    #[test]
    fn another_takes_over_when_the_leader_dies() {
        let mut world = deployed();
        for _ in 0..4 {
            let before = world.acting().expect("one leads");
            world.crash_leader();
            world.run_until(world.now + SESSION_MS + 4_000);
            let after = world.acting().expect("another leads");
            assert_ne!(after, before);
            settle(&mut world);
        }
        assert_eq!(world.ledger().counts["container started"], 3, "nothing is started again");
    }

    #[test]
    fn another_takes_over_from_one_that_does_not_run_and_that_one_steps_down() {
        let mut world = deployed();
        let before = world.acting().expect("one leads");
        world.pause_process(before, "leader: paused (C2, Z3)");
        let number = world.managers[before].as_ref().map(|process| process.number).expect("it is there");
        world.run_until(world.now + SESSION_MS + 4_000);
        assert!(world.acting().is_some_and(|after| after != before));
        world.resume_process(number);
        assert!(world.managers[before].is_none(), "what it believed is over before it does anything");
        settle(&mut world);
        assert_eq!(world.ledger().counts["container started"], 3);
    }

    /// S15, Z7: tasks run on, and all goes on by itself.
    #[test]
    fn an_hour_without_a_store_changes_nothing_that_runs() {
        let mut world = deployed();
        world.set_quorum(false);
        world.run_until(world.now + SESSION_MS);
        let effects = world.ledger().effects;
        world.fail_container("web.shop", 1);
        world.run_until(world.now + HOUR_MS);
        assert_eq!(world.running().len(), 2, "what failed is not started again");
        assert_eq!(world.acting(), None);
        assert!(world.ledger().effects > effects, "they try again and again");
        world.set_quorum(true);
        settle(&mut world);
        assert_eq!(world.running().len(), 3);
        assert_eq!(world.ledger().counts["container started"], 4);
    }

    /// C2, S-1: between two effects of one step.
    #[test]
    fn what_a_leader_had_still_to_do_is_void_when_another_leads() {
        let mut world = deployed();
        let before = world.acting().expect("one leads");
        world.pause_process(before, "leader: paused (C2, Z3)");
        let process = world.managers[before].as_mut().expect("it is there");
        process.undone = vec![ManagerEffect::Reply { id: RequestId(99), result: Ok(ApiReply::Done) }];
        let number = process.number;
        world.run_until(world.now + SESSION_MS + 4_000);
        world.resume_process(number);
        assert_eq!(world.ledger().counts["leader: effect left out, its time is over (S6)"], 1);
        settle(&mut world);
    }

    /// Z5: whoever needs it says so and does not lead; whoever has read it before goes on.
    #[test]
    fn damage_hurts_only_who_reads_it() {
        let mut world = deployed();
        let zookeeper = world.zookeeper.as_mut().expect("several managers share one");
        assert!(zookeeper.rot(&mut world.draws));
        let leader = world.acting().expect("one leads");
        let standby = (leader + 1) % 3;
        for _ in 0..4 {
            world.crash(standby, "process: crash at rest");
            world.run_until(world.now + 4_000);
        }
        assert_eq!(world.acting(), Some(leader));
        world.crash_all("process: crash at rest");
        world.run_until(world.now + 30_000);
        assert_eq!(world.acting(), None, "nobody leads with it");
        assert!(world.ledger().counts["store: damage refused (Z5)"] > 8);
        world.mend_zookeeper();
        settle(&mut world);
        assert_eq!(world.ledger().counts["container started"], 3);
    }

    /// S13: of every part, in every way.
    #[test]
    fn no_damage_is_taken_for_sound() {
        let journal = deployed_with_snapshots().copy_journal();
        let read = |journal: &Platter| {
            let recovered = recovery::recover(journal, boot(0, false), FORMAT_LEVEL);
            recovered.map(|it| recovery::records_of(it.scheduler())).map_err(|why| format!("{why:?}"))
        };
        let sound = read(&journal);
        let (mut draws, mut refused) = (Draws::new(Rng::new(1), None, false), Vec::new());
        for _ in 0..400 {
            let mut damaged = journal.clone();
            damaged.rot(true, &mut draws);
            match read(&damaged) {
                Err(why) => refused.push(why),
                records => assert_eq!(records, sound),
            }
        }
        for what in ["Missing", "TooOld", "Short", "Header", "Body", "Manifest", "Chunk", "Entry"] {
            assert!(refused.iter().any(|why| why.contains(what)), "{what} is among what is refused");
        }
    }

    #[test]
    fn a_trace_of_several_managers_does_the_same_again() {
        for seed in 0..4 {
            let options = several(Options::swarm(seed, Some(2)));
            let outcome = run(seed, &options, Keep::Events);
            let trace = outcome.trace(seed, "a commit", options);
            let again = replay(&Trace::read(&trace.write()).expect("what was written"), Keep::Events);
            assert_eq!((again.digest, again.failure), (trace.digest, trace.failure), "seed {seed}");
            assert_eq!(again.events, trace.events, "seed {seed}");
        }
    }
}
