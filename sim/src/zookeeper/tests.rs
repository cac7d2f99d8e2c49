//! Owns the tests of the model ZooKeeper: the contract of storage operations, and the election with its sessions.

use swan_core::journal::contract::{self, Executor};
use swan_core::journal::{Manifest, OpId, StoreOp, StoreResult};
use swan_core::rng::Rng;

use super::*;

/// One client, or several, that see nothing else happen.
struct Bench {
    zookeeper: ZooKeeper,
    now: u64,
    draws: Draws,
    ledger: Ledger,
}

impl Bench {
    fn new(options: EnsembleOptions, clients: usize) -> Self {
        let zookeeper = ZooKeeper::new(options, 0, Rng::new(1));
        let (draws, ledger) = (Draws::new(Rng::new(2), None, false), Ledger::default());
        let mut bench = Self { zookeeper, now: 0, draws, ledger };
        (0..clients).for_each(|client| bench.zookeeper.process_starts(0, client, None));
        bench.pass(100);
        bench
    }

    /// All news of so many ms.
    fn pass(&mut self, ms: u64) -> Vec<(usize, News)> {
        let (until, mut news) = (self.now + ms, Vec::new());
        while let Some(at) = self.zookeeper.next_deadline().filter(|at| *at <= until) {
            self.now = at;
            news.extend(self.zookeeper.step(at, &mut self.draws, &mut self.ledger).news);
        }
        self.now = until;
        news
    }

    fn campaign(&mut self, client: usize) {
        self.zookeeper.campaign(self.now, client, &mut self.draws, &mut self.ledger);
    }

    fn resign(&mut self, client: usize) {
        self.zookeeper.resign(self.now, client, &mut self.draws, &mut self.ledger);
    }

    fn submit(&mut self, client: usize, op: StoreOp) {
        let op = (OpId(0), op);
        self.zookeeper.submit(self.now, client, 1, op, &mut self.draws, &mut self.ledger);
    }
}

impl Executor for Bench {
    fn execute(&mut self, op: StoreOp) -> StoreResult {
        self.submit(0, op);
        match self.pass(10).pop() {
            Some((0, News::Stored { result, .. })) => result,
            other => panic!("an answer was expected, not {other:?}"),
        }
    }

    fn reopen(mut self) -> Self {
        self.zookeeper.process_gone(self.now, 0, &mut self.draws, &mut self.ledger);
        self.zookeeper.process_starts(self.now, 0, None);
        self.pass(100);
        self
    }
}

fn acquired(news: &[(usize, News)]) -> Vec<usize> {
    news.iter().filter(|(_, it)| matches!(it, News::Acquired { .. })).map(|(client, _)| *client).collect()
}

#[test]
fn it_keeps_the_contract() {
    contract::check(|| Bench::new(EnsembleOptions::default(), 1));
}

#[test]
fn the_first_leads_and_the_next_follows_when_it_withdraws() {
    let mut bench = Bench::new(EnsembleOptions::default(), 3);
    (0..3).for_each(|client| bench.campaign(client));
    let news = bench.pass(10_000);
    assert_eq!(acquired(&news), [0]);
    let confirmed = news.iter().filter(|(_, it)| matches!(it, News::Confirmed { .. })).count();
    assert!((9..=10).contains(&confirmed), "{confirmed} in ten seconds");
    bench.resign(0);
    assert_eq!(acquired(&bench.pass(100)), [1], "told by its watch, not after a while");
    assert_eq!(bench.zookeeper.first(), Some(1));
}

/// R90: nobody else leads before the time of the one that is not heard any more is over.
#[test]
fn a_session_ends_when_it_was_not_heard_for_its_time() {
    let mut bench = Bench::new(EnsembleOptions::default(), 2);
    (0..2).for_each(|client| bench.campaign(client));
    let confirmed = |news: &[(usize, News)]| {
        let asked = news.iter().filter_map(|(client, it)| match it {
            News::Confirmed { asked } if *client == 0 => Some(*asked),
            _ => None,
        });
        asked.max()
    };
    let asked = confirmed(&bench.pass(4_567)).expect("it leads");
    bench.zookeeper.pause(bench.now, 0, &mut bench.draws, &mut bench.ledger);
    let mut waited = 0;
    while acquired(&bench.pass(1)).is_empty() {
        waited += 1;
        assert!(waited < SESSION_MS + 3_000, "the other takes over");
    }
    assert!(bench.now >= asked + SESSION_MS, "{} after {asked}", bench.now);
    bench.zookeeper.resume(bench.now, 0);
    let told: Vec<News> = bench.pass(2_000).into_iter().filter(|it| it.0 == 0).map(|it| it.1).collect();
    assert!(told.ends_with(&[News::Disconnected, News::Lost]), "{told:?}");
}

/// R94: a write whose answer was given up may be carried out, at once, later or never.
#[test]
fn a_write_may_come_late() {
    let mut when = Vec::new();
    for seed in 0..40 {
        let mut bench = Bench::new(EnsembleOptions { latency_ms: (5, 5), ..EnsembleOptions::default() }, 1);
        bench.draws = Draws::new(Rng::new(seed), None, false);
        bench.submit(0, StoreOp::ClaimEpoch { expected: Epoch(0), epoch: Epoch(1) });
        let now = bench.now;
        bench.zookeeper.cut(now, 0, 1, false, &mut bench.draws, &mut bench.ledger);
        let news = bench.pass(20);
        assert!(matches!(news[..], [(0, News::Stored { result: StoreResult::Unknown(_), .. })]), "{news:?}");
        let claimed = |bench: &Bench| bench.zookeeper.ensemble.zxid() > 0;
        let at_once = claimed(&bench);
        bench.pass(12_000);
        when.push((at_once, claimed(&bench)));
    }
    for kind in [(true, true), (false, true), (false, false)] {
        assert!(when.contains(&kind), "{when:?}");
    }
}

/// Z5: what fails because of damage fails for all servers, or those that lag would tell another story for ever.
#[test]
fn damage_makes_no_server_go_its_own_way() {
    let mut ensemble = Ensemble::default();
    let apply = |ensemble: &mut Ensemble, op: &StoreOp| ensemble.apply(0, op, &mut Done::default());
    let manifest = |number| Manifest { number, ..Manifest::default() }.encode();
    let switch = |expected| StoreOp::SwitchManifest {
        epoch: Epoch(0),
        expected,
        joined: None,
        manifest: manifest(expected + 1),
    };
    apply(&mut ensemble, &switch(0));
    let mut draws = Draws::new(Rng::new(1), None, false);
    while apply(&mut ensemble, &switch(1)) != StoreResult::Conflict {
        ensemble = Ensemble::default();
        apply(&mut ensemble, &switch(0));
        assert!(ensemble.rot(&mut draws), "a manifest is there");
    }
    ensemble.mend();
    let lags = ensemble.read_stale(20_000, 1, 0, &StoreOp::ReadManifest);
    assert_eq!(lags, apply(&mut ensemble, &StoreOp::ReadManifest));
}

#[test]
fn without_a_connection_an_operation_has_no_effect() {
    let mut bench = Bench::new(EnsembleOptions::default(), 1);
    bench.zookeeper.set_quorum(bench.now, false, &mut bench.draws, &mut bench.ledger);
    bench.pass(10);
    bench.submit(0, StoreOp::ReadEpoch);
    let news = bench.pass(1_000);
    assert!(matches!(news[..], [(0, News::Stored { result: StoreResult::FailedClean(_), .. })]), "{news:?}");
    bench.zookeeper.set_quorum(bench.now, true, &mut bench.draws, &mut bench.ledger);
    bench.pass(2_000);
    assert!(bench.zookeeper.is_connected(0));
}
