//! Owns crash notes in ZooKeeper: all managers see them, since an entity that ends one of them would end each in turn.

use std::time::Duration;

use swan_core::limits::CRASH_NOTES_MAX;
use swan_core::scheduler::input::CrashNote;
use tokio::runtime::Handle;
use zookeeper_client::{CreateMode, Error};

use super::session::Sessions;
use crate::error::StoreError;

/// How long a process that is about to end waits for its note to be written.
const PATIENCE: Duration = Duration::from_secs(2);
const PREFIX: &str = "note-";

/// The crash notes of a cluster.
#[derive(Clone, Debug)]
pub struct ZkCrashNotes {
    sessions: Sessions,
    runtime: Handle,
}

impl ZkCrashNotes {
    /// Those that are reached by `sessions`, on the runtime that this is called in.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions, runtime: Handle::current() }
    }

    /// Writes a note, durably, and forgets the oldest beyond `CRASH_NOTES_MAX`. Blocks; not for a runtime's thread.
    pub fn write(&self, note: &CrashNote) -> Result<(), StoreError> {
        let bytes = postcard::to_allocvec(note).expect("a note is plain data");
        let written = self.runtime.block_on(tokio::time::timeout(PATIENCE, self.add(&bytes)));
        let failed = |why: String| StoreError::new(format!("ZooKeeper: {why}"));
        written.map_err(|_| failed("no answer".to_owned()))?.map_err(failed)
    }

    async fn add(&self, note: &[u8]) -> Result<(), String> {
        let (client, tree) = (self.sessions.client()?, self.sessions.tree());
        let path = format!("{}/{PREFIX}", tree.crash_notes());
        let options = tree.options(CreateMode::PersistentSequential);
        client.create(&path, note, &options).await.map_err(|error| error.to_string())?;
        let names = self.names().await.map_err(|error| error.to_string())?;
        for name in &names[..names.len().saturating_sub(CRASH_NOTES_MAX)] {
            // Another manager may be about it too.
            drop(client.delete(&format!("{}/{name}", tree.crash_notes()), None).await);
        }
        Ok(())
    }

    async fn names(&self) -> Result<Vec<String>, Error> {
        let client = self.sessions.up().await;
        let mut names = client.list_children(&self.sessions.tree().crash_notes()).await?;
        names.sort_unstable();
        Ok(names)
    }

    /// The newest notes, oldest first. What cannot be read is left out: it must not keep Swan from starting.
    pub async fn read(&self) -> Vec<CrashNote> {
        let client = self.sessions.up().await;
        let mut notes = Vec::new();
        for name in self.names().await.unwrap_or_default() {
            let path = format!("{}/{name}", self.sessions.tree().crash_notes());
            let read = client.get_data(&path).await.ok();
            notes.extend(read.and_then(|(bytes, _)| postcard::from_bytes(&bytes).ok()));
        }
        notes.split_off(notes.len().saturating_sub(CRASH_NOTES_MAX))
    }
}
