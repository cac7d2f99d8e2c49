//! Holds the register of managers against a real server: what all of them can read is known, and the format level does not
//! rise behind the back of one that joins (S25).

use std::time::{Duration, Instant};

use swan_core::journal::{Manifest, Payload, Readers, StoreOp, StoreResult};
use swan_core::record::Epoch;
use swan_store::{Registry, Sessions, ZkStore};
use swan_tests::ensemble::Ensemble;

use crate::session::{RUNTIME, TIMEOUT, fresh_root, member, of_manager};

const DONE: StoreResult = StoreResult::Done(Payload::Nothing);

/// A manager that reads up to a format level.
struct Manager {
    registry: Registry,
    store: ZkStore,
}

impl Manager {
    fn joins(ensemble: &Ensemble, root: &str, format: u8) -> Self {
        let sessions: Sessions = of_manager(ensemble, root, format);
        RUNTIME.block_on(async {
            sessions.connected().await;
            Self { registry: Registry::new(sessions.clone()), store: ZkStore::new(sessions) }
        })
    }

    fn readers(&self) -> Readers {
        RUNTIME.block_on(self.registry.readers()).expect("the register is read")
    }

    fn does(&self, op: StoreOp) -> StoreResult {
        RUNTIME.block_on(self.store.execute(op))
    }

    /// Switches to a manifest of a format level, if nobody has joined since the register was read.
    fn raises(&self, number: u64, level: u8, joined: Option<u64>) -> StoreResult {
        let manifest = Manifest { level, number, ..Manifest::default() }.encode();
        self.does(StoreOp::SwitchManifest { epoch: Epoch(1), expected: number - 1, joined, manifest })
    }
}

#[test]
fn a_level_does_not_rise_behind_the_back_of_one_that_joins() {
    let ensemble = Ensemble::start("register", 1);
    let root = fresh_root();
    let leader = Manager::joins(&ensemble, &root, 2);
    assert_eq!(leader.does(StoreOp::ClaimEpoch { expected: Epoch(0), epoch: Epoch(1) }), DONE);
    let alone = leader.readers();
    assert_eq!(alone, Readers { lowest: 2, joined: 1 });
    // To tell of itself again is not to join again.
    assert_eq!(RUNTIME.block_on(leader.registry.tell(&member(2))), Ok(()));
    assert_eq!(leader.readers(), alone);

    let older = Manager::joins(&ensemble, &root, 1);
    assert_eq!(leader.raises(1, 2, Some(alone.joined)), StoreResult::Conflict, "one has joined since");
    assert_eq!(leader.readers(), Readers { lowest: 1, joined: 2 });
    assert_eq!(leader.raises(1, 1, None), DONE, "it goes on without");
    assert_eq!(older.readers(), leader.readers());

    drop(older);
    let deadline = Instant::now() + 10 * TIMEOUT;
    while leader.readers() != (Readers { lowest: 2, joined: 2 }) {
        assert!(Instant::now() < deadline, "a session ends: {:?}", leader.readers());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(leader.raises(2, 2, Some(2)), DONE);
}
