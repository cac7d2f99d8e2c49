//! Owns the manager's process: it starts, steps, carries out effects one by one, and ends between any two of them.

use std::fmt;

use swan_core::journal::{JournalConfig, OpId, StoreResult};
use swan_core::lease::{ElectionEvent, Tenure};
use swan_core::link::{LinkEffect, LinkInput, MasterAddress};
use swan_core::manager::{Boot, End, Manager, ManagerEffect, ManagerInput};
use swan_core::scheduler::input::{Build, Config, DeposeReason};
use swan_core::time::{Instant, Now};

use super::{Happening, WAKES_MAX, World};
use crate::checkers::{Seen, recovery};
use crate::draws::{Named, Site};

/// How the account names a process that ended between two effects.
pub const CRASH_BEFORE_EFFECT: &str = "process: crash before an effect";
/// Steps between two comparisons of a live machine at rest with what is stored.
const COMPARE_EVERY: u64 = 256;

/// One life of the manager.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) manager: Manager,
    /// Which life.
    pub(super) number: u64,
    /// What its monotonic clock shows when the world is 0 ms old.
    base: u64,
    /// Effects left before it ends, if it will.
    left: Option<u64>,
    /// While it is paused: what has arrived since.
    pub(super) waiting: Option<Vec<ManagerInput>>,
}

impl Process {
    /// When to wake it, in the world's time.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.manager
            .next_deadline()
            .filter(|_| self.waiting.is_none())
            .map(|at| at.0.saturating_sub(self.base))
    }
}

fn config() -> Config {
    Config {
        framework_name: "swan".into(),
        roles: vec!["*".into()],
        user: "root".into(),
        hostname: "swan.test".into(),
        ..Config::default()
    }
}

pub(crate) fn boot(seed: u64) -> Boot {
    Boot {
        seed,
        build: Build::default(),
        scheduler: config(),
        masters: vec![MasterAddress { host: "master.test".into(), port: 5050 }],
        tenure: Tenure::Forever,
        crash_notes: Vec::new(),
    }
}

impl World {
    pub(super) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.processes += 1;
        let journal = JournalConfig {
            snapshot_log_entries: self.options.store.snapshot_entries,
            ..JournalConfig::default()
        };
        let mean = self.options.process.crash_effects;
        let left = (mean > 0).then(|| self.draws.below(2 * mean + 1));
        let (number, base) = (self.processes, self.rng.below(1 << 40));
        self.process = Some(Process { manager: Manager::new(journal), number, base, left, waiting: None });
        self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Started);
        let boot = Boot { masters: self.network.masters(), ..boot(self.rng.next()) };
        if self.disk.rot(self.options.store.rots, &mut self.draws) {
            self.disturbed("store: damaged (Z5)");
        }
        self.step(ManagerInput::Boot(Box::new(boot)));
    }

    pub(super) fn elected(&mut self, process: u64) {
        if self.is_current(process) {
            let asked = self.process_clocks().mono;
            self.step(ManagerInput::Election(ElectionEvent::Acquired { asked }));
        }
    }

    pub(super) fn arrive(&mut self, process: u64, input: LinkInput) {
        if self.is_current(process) {
            self.step(ManagerInput::Link(input));
        }
    }

    pub(super) fn answered_by_disk(&mut self, id: OpId, result: StoreResult) {
        self.step(ManagerInput::Stored { id, result });
    }

    pub(super) fn wake_process(&mut self) {
        self.wakes += 1;
        if self.wakes > WAKES_MAX {
            self.broken("L1", "the manager wants to be woken again and again at once".into());
        }
        self.step(ManagerInput::Wake);
    }

    fn is_current(&self, process: u64) -> bool {
        self.process.as_ref().is_some_and(|current| current.number == process)
    }

    fn process_clocks(&self) -> Now {
        let base = self.process.as_ref().map_or(0, |process| process.base);
        Now { mono: Instant(base + self.now), wall: self.wall.at(self.now) }
    }

    /// Tells the process something, and carries out what it wants, unless it ends on the way.
    pub(super) fn step(&mut self, input: ManagerInput) {
        if let Some(waiting) = self.process.as_mut().and_then(|process| process.waiting.as_mut()) {
            return waiting.push(input);
        }
        let now = self.process_clocks();
        self.write("<", &input);
        let Some(process) = &mut self.process else { return };
        self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Told(&input));
        let mut effects = Vec::new();
        process.manager.step(now, input, &mut effects);
        self.watch.see(
            self.now,
            self.ledger.effects,
            self.clients.book(),
            Seen::Stepped(process.manager.view()),
        );
        if self.disk.is_read_rotten() && self.view().is_some_and(|view| view.manager().leading) {
            self.broken("S13", "what is stored is damaged, and taken for sound".into());
        }
        self.mark_step(&effects);
        if self.ledger.steps.is_multiple_of(COMPARE_EVERY) {
            self.compare_at_rest();
        }
        for effect in effects {
            if self.ends_before(&effect) {
                return self.crash(CRASH_BEFORE_EFFECT);
            }
            self.ledger.effects += 1;
            self.write(">", &effect);
            self.watch.see(self.now, self.ledger.effects, self.clients.book(), Seen::Does(&effect));
            self.execute(effect);
            if self.process.is_none() {
                return;
            }
        }
    }

    fn ends_before(&mut self, effect: &ManagerEffect) -> bool {
        if self.crash_before == Some(self.ledger.effects + 1) {
            self.crash_before = None;
            return true;
        }
        let what: &dyn fmt::Debug = match effect {
            ManagerEffect::Store { op, .. } => op,
            ManagerEffect::Link(LinkEffect::Send { call, .. }) => call,
            ManagerEffect::Link(effect) => effect,
            other => other,
        };
        let left = self.process.as_mut().and_then(|process| process.left.as_mut());
        self.draws.comes_true(Site::CrashBefore, &Named(what), |_| {
            left.is_some_and(|left| {
                let none = *left == 0;
                *left = left.saturating_sub(1);
                none
            })
        })
    }

    fn execute(&mut self, effect: ManagerEffect) {
        match effect {
            ManagerEffect::Store { id, op } => {
                self.disk.submit(self.now, id, op, &mut self.draws, &mut self.ledger);
            }
            ManagerEffect::Link(effect) => {
                let number = self.process.as_ref().map_or(0, |process| process.number);
                let to_come =
                    self.network.carry_out(self.now, number, effect, &mut self.draws, &mut self.ledger);
                for (at, happening) in to_come {
                    self.queue.push(at, happening);
                }
            }
            ManagerEffect::Reply { id, result } => self.replied(id, &result),
            ManagerEffect::Campaign => {
                let process = self.processes;
                self.queue.push(self.now + 1, Happening::Elected { process });
            }
            ManagerEffect::End(why) => self.end(why),
            ManagerEffect::Trouble(_) => self.ledger.note("process: trouble told"),
            ManagerEffect::Publish(_) | ManagerEffect::Route(_) | ManagerEffect::Resign => {}
        }
    }

    fn end(&mut self, why: End) {
        match why {
            End::Refused(_) if self.disk.is_read_rotten() => self.crash("store: damage refused (Z5)"),
            End::Refused(refusal) => self.broken("S13", format!("it refuses its own journal: {refusal}")),
            End::Restart | End::Deposed(DeposeReason::FailedOver) => self.crash("process: began anew"),
            End::Deposed(why) => self.broken("S6", format!("the only manager was deposed: {why:?}")),
        }
    }

    /// The process is gone. What is in its memory is lost, and the disk keeps what its rules say.
    pub(super) fn crash(&mut self, kind: &'static str) {
        if self.process.take().is_none() {
            return;
        }
        self.disturbed(kind);
        // It starts again with an intact copy.
        self.disk.mend();
        let done = self.disk.crash(&mut self.draws, &mut self.ledger);
        self.take_durable(&done);
        if let Err(why) = recovery::judge(self.disk.platter(), &self.watch.stored, boot(0)) {
            self.broken("S13", why);
        }
        for (at, happening) in self.network.process_gone(self.now) {
            self.queue.push(at, happening);
        }
        self.clients_lose_process();
        let down = self.rng.between(1, self.options.process.down_ms.max(1));
        self.queue.push(self.now + self.network.longest() + down, Happening::Start);
    }

    /// Compares a live machine whose every change is durable with what is stored.
    fn compare_at_rest(&mut self) {
        let Some(process) = self.process.as_ref().filter(|_| !self.watch.closed) else { return };
        let (machine, durable) = (process.manager.scheduler(), process.manager.journal().durable);
        if !machine.view().manager().leading || machine.as_of() != durable {
            return;
        }
        let live = recovery::records_of(machine);
        let same = recovery::equal(&live, self.watch.stored.records(), "the live machine", "the entries");
        self.ledger.note("live state compared");
        if let Err(why) = same {
            self.broken("S13", why);
        }
    }
}
