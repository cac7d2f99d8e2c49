//! Owns the profile that measures: one cluster without faults, of a given size, first deployed at once, then under a steady
//! load. Nothing watches it, so that what is measured are the machines and their world.

use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::definition::Definition;
use crate::ledger::Ledger;
use crate::options::Options;
use crate::world::World;

/// Most instances of one app.
const INSTANCES: u32 = 1_000;
/// Apps at least, if there are enough tasks.
const APPS: u32 = 10;
/// Within so many virtual ms everything must be deployed.
const DEPLOY_MS: u64 = 60 * 60_000;
/// After so many virtual ms the manager leads.
const START_MS: u64 = 10_000;
/// Between two requests: each makes Mesos offer all agents again.
const THINK_MS: u64 = 60_000;
/// Between two looks at whether all is as wanted.
const LOOK_MS: u64 = 1_000;

/// Tasks that one agent has room for.
pub const ROOM: u32 = 32;

/// How large a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Agents, each with room for [`ROOM`] tasks.
    pub agents: u32,
    /// Tasks, spread over apps of up to 1,000 each.
    pub tasks: u32,
}

/// A cluster that is measured.
#[derive(Debug)]
pub struct Bench {
    world: World,
    apps: Vec<(String, u32)>,
    turn: u32,
}

impl Bench {
    /// A cluster without apps.
    pub fn new(seed: u64, size: Size) -> Self {
        let options = Options { agents: size.agents, ..Options::quiet() };
        let count = size.tasks.div_ceil(INSTANCES).max(APPS.min(size.tasks));
        let share = |n| size.tasks / count + u32::from(n < size.tasks % count);
        let apps = (0..count).map(|n| (format!("a{n}.sim"), share(n))).collect();
        let mut world = World::new(seed, options).measured();
        world.run_until(START_MS);
        Self { world, apps, turn: 0 }
    }

    /// Asks for all apps, and waits until all tasks run; an error says what does not.
    pub fn deploy(&mut self) -> Result<(), String> {
        for (app, instances) in &self.apps {
            let definition = Definition::plain("image:1", *instances, false);
            self.world.ask(Ask::Create { app: app.clone(), definition });
        }
        self.settle()?;
        let wanted: u64 = self.apps.iter().map(|(_, instances)| u64::from(*instances)).sum();
        match self.ledger().counts.get("container started") {
            Some(&started) if started == wanted => Ok(()),
            started => Err(format!("{} of {wanted} tasks run", started.unwrap_or(&0))),
        }
    }

    /// Lets virtual minutes pass, in each of which a user has one task replaced.
    pub fn work(&mut self, minutes: u64) -> Result<(), String> {
        for _ in 0..minutes * 60_000 / THINK_MS {
            let (app, instances) = &self.apps[self.turn as usize % self.apps.len()];
            let slot = (self.turn / self.apps.len() as u32) % instances;
            self.turn += 1;
            self.world.ask(Ask::Kill { app: app.clone(), slot });
            self.world.run_until(self.world.now() + THINK_MS);
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), String> {
        let deadline = self.world.now() + DEPLOY_MS;
        loop {
            self.world.run_until(self.world.now() + LOOK_MS);
            let pending = match self.world.view() {
                Some(view) if self.world.all_answered() => view.pending(),
                _ => Some("a request is not answered".into()),
            };
            match pending {
                None => return Ok(()),
                Some(why) if self.world.now() >= deadline => return Err(why),
                Some(_) => {}
            }
        }
    }

    /// The account so far.
    pub fn ledger(&self) -> Ledger {
        self.world.ledger()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tasks_are_deployed_and_those_killed_are_replaced() {
        let mut bench = Bench::new(1, Size { agents: 3, tasks: 25 });
        bench.deploy().expect("there is room for all");
        assert_eq!(bench.ledger().counts["container started"], 25);
        bench.work(5).expect("killed tasks are replaced");
        assert_eq!(bench.ledger().counts["container started"], 25 + 5);
    }

    #[test]
    fn a_flood_of_updates_is_acknowledged_before_any_is_repeated() {
        let mut bench = Bench::new(1, Size { agents: 650, tasks: 20_000 });
        bench.deploy().expect("there is room for all");
        let took = bench.ledger().virtual_ms - START_MS;
        assert!(took < 10_000, "agents repeat updates after 10 s: {took} ms");
    }

    #[test]
    fn what_has_no_room_is_said() {
        let deploy = |tasks| Bench::new(1, Size { agents: 1, tasks }).deploy();
        assert_eq!(deploy(ROOM), Ok(()));
        assert!(deploy(ROOM + 1).is_err());
    }
}
