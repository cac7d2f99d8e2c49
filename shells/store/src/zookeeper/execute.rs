//! Owns the execution of journal operations on ZooKeeper.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use swan_core::journal::frame::{self, Kind};
use swan_core::journal::{Blob, ChunkName, OpId, Payload, StoreOp, StoreResult};
use swan_core::record::Epoch;
use tokio::runtime::Handle;
use zookeeper_client::{Client, Error};

use super::layout::Tree;
use super::log::{self, Head};
use super::session::Sessions;
use super::write::{Refused, failed, fenced};

const DONE: StoreResult = StoreResult::Done(Payload::Nothing);

/// A journal in ZooKeeper. Any number of processes may have it open; the epoch cell says whose writes count.
#[derive(Clone, Debug)]
pub struct ZkStore {
    sessions: Sessions,
    runtime: Handle,
    /// What the newest epoch that this process holds, or has seen, needs for its writes.
    known: Arc<Mutex<Option<Known>>>,
}

/// An epoch, the version of its cell when it was claimed, and where the log began.
#[derive(Clone, Copy, Debug)]
struct Known {
    epoch: Epoch,
    version: i32,
    head: Head,
}

impl ZkStore {
    /// The journal that is reached by `sessions`. Operations are executed on the runtime that this is called in.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions, runtime: Handle::current(), known: Arc::default() }
    }

    /// Executes an operation and tells `answer`. Appends take effect in the order in which they were submitted.
    pub fn submit(&self, id: OpId, op: StoreOp, answer: impl FnOnce(OpId, StoreResult) + Send + 'static) {
        let store = self.clone();
        let mut run = Box::pin(async move {
            let result = store.execute(op).await;
            answer(id, result);
        });
        let _inside = self.runtime.enter();
        // Polled once right here, so that its request is sent before that of the next operation.
        if run.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending {
            self.runtime.spawn(run);
        }
    }

    /// Executes one operation.
    pub async fn execute(&self, op: StoreOp) -> StoreResult {
        let client = match self.sessions.settled_client().await {
            Ok(client) => client,
            Err(why) => return StoreResult::FailedClean(why),
        };
        let work = Work { client: &client, tree: self.sessions.tree(), known: &self.known };
        match op {
            StoreOp::ReadEpoch
            | StoreOp::ReadLog { .. }
            | StoreOp::ReadChunk { .. }
            | StoreOp::ListChunks
            | StoreOp::ReadManifest => match work.read(op).await {
                Ok(payload) => StoreResult::Done(payload),
                Err(error) => unread(&error),
            },
            StoreOp::ClaimEpoch { expected, epoch } => work.claim(expected, epoch).await,
            StoreOp::Append { epoch, .. }
            | StoreOp::Cut { epoch, .. }
            | StoreOp::Trim { epoch, .. }
            | StoreOp::WriteChunk { epoch, .. }
            | StoreOp::DeleteChunk { epoch, .. }
            | StoreOp::SwitchManifest { epoch, .. } => match work.known(epoch).await {
                Ok(Some(known)) => work.write(known, op).await,
                Ok(None) => StoreResult::Fenced,
                Err(error) => unread(&error),
            },
        }
    }
}

/// One operation under way.
#[derive(Clone, Copy)]
struct Work<'a> {
    client: &'a Client,
    tree: &'a Tree,
    known: &'a Mutex<Option<Known>>,
}

impl Work<'_> {
    /// What writes of `epoch` need; `None` if the cell holds another.
    async fn known(&self, epoch: Epoch) -> Result<Option<Known>, Error> {
        let known = *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_some_and(|known| known.epoch == epoch) {
            return Ok(known);
        }
        let held = self.held().await?;
        Ok((held.epoch == epoch).then(|| self.remember(held)))
    }

    fn remember(&self, known: Known) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        known
    }

    /// What the epoch cell holds now, and what its writes need; a server that lags catches up first (R92).
    async fn held(&self) -> Result<Known, Error> {
        self.client.sync(&self.tree.epoch()).await?;
        let (epoch, version) = self.epoch().await?;
        let head = log::extent(self.client, self.tree).await?.head;
        Ok(Known { epoch, version, head })
    }

    /// The epoch cell, and its version, as the server knows them.
    async fn epoch(&self) -> Result<(Epoch, i32), Error> {
        let (cell, stat) = self.client.get_data(&self.tree.epoch()).await?;
        match frame::open_number(Kind::Epoch, &cell) {
            Ok(number) => Ok((Epoch(number), stat.version)),
            Err(_) => Err(Error::UnexpectedError(format!("{} is damaged", self.tree.epoch()))),
        }
    }

    /// Reads what was there when it was asked, or newer: a server that lags catches up first (R92).
    async fn read(&self, op: StoreOp) -> Result<Payload, Error> {
        let Self { client, tree, .. } = self;
        client.sync(&tree.epoch()).await?;
        let found = |answer: Result<(Vec<u8>, _), Error>| match answer {
            Ok((data, _)) => Ok(Some(Blob::from(data))),
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(error),
        };
        Ok(match op {
            StoreOp::ReadLog { from, max_bytes } => {
                Payload::Log(log::read(client, tree, from, max_bytes).await?)
            }
            StoreOp::ReadChunk { name } => Payload::Chunk(found(client.get_data(&tree.chunk(name)).await)?),
            StoreOp::ReadManifest => Payload::Manifest(found(client.get_data(&tree.manifest()).await)?),
            StoreOp::ListChunks => {
                let names = client.list_children(&tree.chunks()).await?;
                let mut names: Vec<_> = names.iter().filter_map(|name| ChunkName::parse(name)).collect();
                names.sort_unstable();
                Payload::Chunks(names)
            }
            _ => Payload::Epoch(self.epoch().await?.0),
        })
    }

    async fn claim(&self, expected: Epoch, epoch: Epoch) -> StoreResult {
        let held = match self.held().await {
            Ok(held) => held,
            Err(error) => return unread(&error),
        };
        if held.epoch != expected {
            return StoreResult::Conflict;
        }
        let cell = frame::seal_number(Kind::Epoch, epoch.0);
        match self.client.set_data(&self.tree.epoch(), &cell, Some(held.version)).await {
            Ok(stat) => {
                self.remember(Known { epoch, version: stat.version, ..held });
                DONE
            }
            Err(Error::BadVersion) => StoreResult::Conflict,
            Err(error) => failed(&error),
        }
    }

    async fn write(&self, known: Known, op: StoreOp) -> StoreResult {
        let Known { version, head, .. } = known;
        let done = match op {
            StoreOp::Append { index, entry, .. } => {
                if index < head.first {
                    return StoreResult::Conflict;
                }
                log::append(self.client, self.tree, version, head, index, &entry).await
            }
            StoreOp::Cut { from, .. } => {
                self.moved(known, log::cut(self.client, self.tree, version, from).await)
            }
            StoreOp::Trim { below, .. } => {
                self.moved(known, log::trim(self.client, self.tree, version, below).await)
            }
            StoreOp::WriteChunk { name, bytes, .. } => self.write_chunk(version, name, &bytes).await,
            StoreOp::DeleteChunk { name, .. } => self.delete_chunk(version, name).await,
            StoreOp::SwitchManifest { expected, joined, manifest, .. } => {
                self.switch_manifest(version, expected, joined, &manifest).await
            }
            _ => unreachable!("only writes that carry an epoch come here"),
        };
        done.map_or_else(Refused::plain, |()| DONE)
    }

    /// Remembers where the log begins now.
    fn moved(&self, known: Known, head: Result<Head, Refused>) -> Result<(), Refused> {
        self.remember(Known { head: head?, ..known });
        Ok(())
    }

    async fn write_chunk(&self, version: i32, name: ChunkName, bytes: &Blob) -> Result<(), Refused> {
        let (path, options) = (self.tree.chunk(name), self.tree.persistent());
        let created = fenced(self.client, self.tree, version, |writer| {
            writer.add_create(&path, bytes.as_slice(), &options)
        });
        match created.await {
            Err(Refused::Unfit(Error::NodeExists)) => {
                let replaced = fenced(self.client, self.tree, version, |writer| {
                    writer.add_set_data(&path, bytes.as_slice(), None)
                });
                replaced.await.map(|_| ())
            }
            created => created.map(|_| ()),
        }
    }

    async fn delete_chunk(&self, version: i32, name: ChunkName) -> Result<(), Refused> {
        let path = self.tree.chunk(name);
        match fenced(self.client, self.tree, version, |writer| writer.add_delete(&path, None)).await {
            Err(Refused::Unfit(Error::NoNode)) => Ok(()),
            deleted => deleted.map(|_| ()),
        }
    }

    async fn switch_manifest(
        &self,
        version: i32,
        expected: u64,
        joined: Option<u64>,
        manifest: &Blob,
    ) -> Result<(), Refused> {
        let (path, options) = (self.tree.manifest(), self.tree.persistent());
        let present = match self.client.get_data(&path).await {
            Ok((data, stat)) => {
                let number = frame::header(Kind::Manifest, &data).map_or(None, |header| Some(header.number));
                Some((number, stat.version))
            }
            Err(Error::NoNode) => None,
            Err(error) => return Err(Refused::Otherwise(failed(&error))),
        };
        let held = present.map_or(Some(0), |(number, _)| number);
        if held != Some(expected) {
            return Err(Refused::Otherwise(StoreResult::Conflict));
        }
        let switched = fenced(self.client, self.tree, version, |writer| {
            if let Some(joined) = joined {
                // Each manager that joins raises the version of the register's node.
                writer.add_check_version(&self.tree.managers(), i32::try_from(joined).unwrap_or(i32::MAX))?;
            }
            match present {
                Some((_, version)) => writer.add_set_data(&path, manifest.as_slice(), Some(version)),
                None => writer.add_create(&path, manifest.as_slice(), &options),
            }
        });
        switched.await.map(|_| ())
    }
}

/// A read that failed has changed nothing.
fn unread(error: &Error) -> StoreResult {
    StoreResult::FailedClean(format!("ZooKeeper: {error}"))
}
