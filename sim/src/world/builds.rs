//! Owns processes of several builds: an operator rolls managers from one to the next, one by one, and sometimes back.

use swan_core::journal::frame::FORMAT_FIRST;

use super::World;
use super::process::Process;
use crate::checkers::Seen;
use crate::zookeeper::ZooKeeper;

impl World {
    /// Up to which level all builds together read.
    pub(super) const fn newest_format(&self) -> u8 {
        self.options.builds.newest
    }

    /// The format level in force: that of the manifest which is stored.
    fn level_in_force(&self) -> u8 {
        self.copy_journal().level()
    }

    /// An operator starts the next manager as the build that all are to be of. When all are, there is a newer one, or
    /// the operator goes back to an older one: to one that can read the journal, unless careless.
    pub(super) fn roll(&mut self) {
        let goal = self.goal;
        if self.builds.iter().all(|build| *build == goal) {
            let back = self.draws.also("back", 400_000);
            let careless = self.draws.also("careless", 300_000);
            let lowest = if careless { FORMAT_FIRST } else { self.level_in_force() };
            let goal = if back { goal.saturating_sub(1) } else { goal.saturating_add(1) };
            self.goal = goal.clamp(lowest, self.newest_format());
        }
        let goal = self.goal;
        let behind = (0_u64..).zip(&self.builds).filter(|(_, build)| **build != goal).map(|(at, _)| at);
        let behind: Vec<u64> = behind.collect();
        let Some(at) = self.draws.one_of("manager", &behind).map(|at| at as usize) else { return };
        let newer = self.builds[at] < goal;
        self.builds[at] = goal;
        self.crash(at, if newer { "operator: newer build (U1)" } else { "operator: older build (U1)" });
    }

    /// A process cannot read what is stored, and says so: the operator gives the older build up for the newest.
    pub(super) fn too_old(&mut self, at: usize) {
        let (reads, level) = (self.managers[at].as_ref().map_or(0, |it| it.format), self.level_in_force());
        if reads >= level {
            return self.broken("S13", format!("a build that reads up to {reads} refuses level {level}"));
        }
        self.goal = self.newest_format();
        self.builds[at] = self.goal;
        self.crash(at, "format: refused by an older build (U1)");
    }

    /// The manifest was replaced: whoever is registered just then must be able to read it.
    pub(super) fn switched(&mut self, level: u8) {
        if level > self.raised {
            self.raised = level;
            self.ledger.note("format: level raised (U1)");
        }
        let alone = || self.managers.iter().flatten().map(|process: &Process| process.format).collect();
        let readers: Vec<u8> = self.zookeeper.as_ref().map_or_else(alone, ZooKeeper::registered);
        let (now, effects) = (self.now, self.ledger.effects);
        self.watch.see(now, effects, self.clients.book(), Seen::Switched { level, readers: &readers });
    }
}
