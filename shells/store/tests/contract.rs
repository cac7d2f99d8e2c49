//! Owns the check that the file store keeps the contract of journal executors.

mod driver;

use swan_core::journal::contract::{self, Executor};
use swan_core::journal::{StoreOp, StoreResult};
use swan_store::FileStore;

use driver::Scratch;

struct OnDisk(FileStore);

impl Executor for OnDisk {
    fn execute(&mut self, op: StoreOp) -> StoreResult {
        self.0.execute(op)
    }

    fn reopen(self) -> Self {
        let path = self.0.path().to_path_buf();
        drop(self);
        Self(FileStore::open(&path).expect("the store opens again"))
    }
}

#[test]
fn the_file_store_keeps_the_contract() {
    let scratch = Scratch::new("contract");
    let mut count = 0;
    contract::check(|| {
        count += 1;
        OnDisk(FileStore::open(&scratch.path().join(count.to_string())).expect("a new store opens"))
    });
}
