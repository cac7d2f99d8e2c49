//! Owns the thread on which a store works, so that whoever drives the machines never waits for a disk.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use swan_core::journal::{OpId, StoreOp, StoreResult};

use super::FileStore;
use crate::error::StoreError;

/// A store at work. Dropping it finishes what was submitted, then releases the directory.
#[derive(Debug)]
pub struct StoreThread {
    ops: Option<Sender<(OpId, StoreOp)>>,
    thread: Option<JoinHandle<()>>,
}

/// Puts `store` on a thread of its own. `answer` is called there, once for each operation, in order.
pub fn spawn<F>(store: FileStore, answer: F) -> Result<StoreThread, StoreError>
where
    F: FnMut(OpId, StoreResult) + Send + 'static,
{
    let path = store.path().to_path_buf();
    let (ops, queue) = channel();
    let builder = std::thread::Builder::new().name("store".to_owned());
    let thread = builder
        .spawn(move || work(store, &queue, answer))
        .map_err(|error| StoreError::io("start a thread for", &path, error))?;
    Ok(StoreThread { ops: Some(ops), thread: Some(thread) })
}

/// Takes all that waits at once: the slower the disk, the larger the groups.
fn work(mut store: FileStore, queue: &Receiver<(OpId, StoreOp)>, mut answer: impl FnMut(OpId, StoreResult)) {
    while let Ok(first) = queue.recv() {
        let ops = std::iter::once(first).chain(queue.try_iter()).collect();
        store.execute_all(ops, &mut answer);
    }
}

impl StoreThread {
    /// Hands an operation over; it is executed after all that were before.
    pub fn submit(&self, id: OpId, op: StoreOp) {
        let sent = self.ops.as_ref().is_some_and(|ops| ops.send((id, op)).is_ok());
        assert!(sent, "the store's thread lives as long as its handle");
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        self.ops = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by its own hook; there is no one left to tell.
            let _ = thread.join();
        }
    }
}
