//! Holds the ZooKeeper store to the contract that the file store and the model keep.

use swan_core::journal::contract::{self, Executor};
use swan_core::journal::{Payload, StoreOp, StoreResult};
use swan_core::record::Epoch;
use swan_store::{Sessions, ZkStore};
use swan_tests::ensemble::Ensemble;

use crate::session::{RUNTIME, fresh_root, sessions};

struct InZooKeeper<'a> {
    ensemble: &'a Ensemble,
    root: String,
    store: ZkStore,
}

/// Connects; returns when there is a session.
fn open(sessions: Sessions) -> ZkStore {
    RUNTIME.block_on(async {
        sessions.connected().await;
        ZkStore::new(sessions)
    })
}

impl<'a> InZooKeeper<'a> {
    fn new(ensemble: &'a Ensemble, root: String) -> Self {
        let store = open(sessions(ensemble, &root));
        Self { ensemble, root, store }
    }
}

impl Executor for InZooKeeper<'_> {
    fn execute(&mut self, op: StoreOp) -> StoreResult {
        RUNTIME.block_on(self.store.execute(op))
    }

    fn reopen(self) -> Self {
        Self::new(self.ensemble, self.root)
    }
}

#[test]
fn the_zookeeper_store_keeps_the_contract() {
    let ensemble = Ensemble::start("contract", 1);
    contract::check(|| InZooKeeper::new(&ensemble, fresh_root()));
}

#[test]
fn of_two_processes_only_the_one_that_claimed_last_can_write() {
    let ensemble = Ensemble::start("fenced", 1);
    let root = fresh_root();
    let (mut old, mut new) = (InZooKeeper::new(&ensemble, root.clone()), InZooKeeper::new(&ensemble, root));
    let done = StoreResult::Done(Payload::Nothing);
    let claim = |expected, epoch| StoreOp::ClaimEpoch { expected: Epoch(expected), epoch: Epoch(epoch) };
    let append =
        |epoch, index| StoreOp::Append { epoch: Epoch(epoch), index, entry: vec![index as u8; 10].into() };
    assert_eq!(old.execute(claim(0, 1)), done);
    assert_eq!(old.execute(append(1, 0)), done);
    assert_eq!(new.execute(claim(1, 2)), done);
    assert_eq!(old.execute(append(1, 1)), StoreResult::Fenced, "it believes in its epoch as before");
    assert_eq!(old.execute(StoreOp::Cut { epoch: Epoch(1), from: 0 }), StoreResult::Fenced);
    assert_eq!(new.execute(append(2, 1)), done);
    assert_eq!(old.execute(append(2, 2)), done, "whoever knows the epoch's number holds it");
}

#[test]
fn appends_that_are_under_way_together_take_effect_in_order() {
    let ensemble = Ensemble::start("pipeline", 1);
    let mut store = InZooKeeper::new(&ensemble, fresh_root());
    store.execute(StoreOp::ClaimEpoch { expected: Epoch(0), epoch: Epoch(1) });
    let (answers, results) = std::sync::mpsc::channel();
    for index in 0..200 {
        let entry = vec![index as u8; 1000].into();
        let answers = answers.clone();
        let op = StoreOp::Append { epoch: Epoch(1), index, entry };
        store.store.submit(swan_core::journal::OpId(index), op, move |id, result| {
            answers.send((id, result)).expect("the test listens");
        });
    }
    drop(answers);
    let mut results: Vec<_> = results.iter().collect();
    results.sort_by_key(|(id, _)| *id);
    let bad: Vec<_> =
        results.iter().filter(|(_, result)| *result != StoreResult::Done(Payload::Nothing)).collect();
    assert!(bad.is_empty() && results.len() == 200, "{bad:?}");
}

/// Z5: somebody removes an entry's node. Who comes to it learns so; who has read it before goes on, and misses nothing.
#[test]
fn an_entry_that_is_lost_is_told_of_to_who_needs_it_and_hides_no_other() {
    let ensemble = Ensemble::start("hole", 1);
    let root = fresh_root();
    let mut store = InZooKeeper::new(&ensemble, root.clone());
    store.execute(StoreOp::ClaimEpoch { expected: Epoch(0), epoch: Epoch(1) });
    let done = StoreResult::Done(Payload::Nothing);
    let append = |index| StoreOp::Append { epoch: Epoch(1), index, entry: vec![index as u8; 10].into() };
    (0..5).for_each(|index| assert_eq!(store.execute(append(index)), done));
    RUNTIME.block_on(async {
        let client = zookeeper_client::Client::connect(&ensemble.addresses()).await.expect("it serves");
        client.delete(&format!("{root}/log/{:020}", 2), None).await.expect("it is there");
    });
    let read = |store: &mut InZooKeeper<'_>, from| match store
        .execute(StoreOp::ReadLog { from, max_bytes: 1 << 20 })
    {
        StoreResult::Done(Payload::Log(part)) => (part.entries.len(), part.end, part.durable),
        other => panic!("the log was asked for: {other:?}"),
    };
    let (entries, end, durable) = read(&mut store, 0);
    assert_eq!((entries, end), (2, true));
    assert!(durable > 2, "so that the journal misses the third");
    assert_eq!(read(&mut store, 3), (2, true, 5));
    assert_eq!(store.execute(append(5)), done);
    assert_eq!(read(&mut store, 5), (1, true, 6), "one more than there are nodes");
}
