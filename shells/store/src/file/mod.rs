//! Owns the execution of journal operations on a directory, its lock, and crash notes.
//!
//! The directory belongs to one process at a time.

mod crash;
mod disk;
mod log;
mod mark;
mod thread;

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use swan_core::journal::frame::{self, Kind};
use swan_core::journal::{Blob, ChunkName, OpId, Payload, StoreOp, StoreResult};
use swan_core::record::Epoch;

pub use self::crash::CrashNotes;
pub use self::thread::{StoreThread, spawn};

use self::disk::Directory;
use self::log::Log;
use crate::error::StoreError;

/// Bytes of a file that is read whole; larger ones are cut there, and thus found damaged.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

const EPOCH: &str = "epoch";
const MANIFEST: &str = "manifest";
const CHUNK_PREFIX: &str = "chunk-";

/// A journal in a directory.
#[derive(Debug)]
pub struct FileStore {
    dir: Directory,
    log: Log,
    epoch: Epoch,
    /// The number in the manifest's frame; 0 if there is none. `None` if it cannot be told.
    manifest: Option<u64>,
    /// Held until drop.
    _lock: File,
}

impl FileStore {
    /// Opens the journal in `path`, which is created (mode 0700) if it is not there. Fails if another process has it,
    /// and names that one.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let dir = Directory::create(path)?;
        let lock = lock(&dir.path("lock"))?;
        let names = dir.names()?;
        let holds = |wanted: &str| names.iter().any(|name| name == wanted);
        if !holds(EPOCH) {
            let part = |name: &&String| {
                *name == MANIFEST || name.starts_with(CHUNK_PREFIX) || name.starts_with(log::PREFIX)
            };
            if let Some(found) = names.iter().find(part) {
                return Err(dir.damaged(EPOCH, &format!("is missing, though '{found}' is there")));
            }
            mark::create(&dir)?;
            dir.replace(EPOCH, &frame::seal_number(Kind::Epoch, 0))?;
        }
        let cell = dir.read(EPOCH, FILE_BYTES_MAX)?.unwrap_or_default();
        let epoch = frame::open_number(Kind::Epoch, &cell)
            .map_err(|error| dir.damaged(EPOCH, &format!("is unreadable: {error:?}")))?;
        let manifest = dir.read(MANIFEST, FILE_BYTES_MAX)?;
        let manifest =
            manifest.map_or(Some(0), |bytes| frame::header(Kind::Manifest, &bytes).ok().map(|h| h.number));
        let log = Log::open(&dir, &names)?;
        Ok(Self { log, epoch: Epoch(epoch), manifest, dir, _lock: lock })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.root()
    }

    /// Executes operations in order; appends that follow each other share one fsync.
    pub fn execute_all(&mut self, ops: Vec<(OpId, StoreOp)>, mut answer: impl FnMut(OpId, StoreResult)) {
        let mut group: Vec<(OpId, u64, Blob)> = Vec::new();
        for (id, op) in ops {
            match op {
                StoreOp::Append { epoch, index, entry } if epoch == self.epoch => {
                    group.push((id, index, entry))
                }
                other => {
                    self.append(std::mem::take(&mut group), &mut answer);
                    let result = self.execute(other);
                    answer(id, result);
                }
            }
        }
        self.append(group, &mut answer);
    }

    fn append(&mut self, group: Vec<(OpId, u64, Blob)>, answer: &mut impl FnMut(OpId, StoreResult)) {
        let results = self.log.append(&self.dir, group.iter().map(|(_, index, entry)| (*index, entry)));
        for ((id, _, _), result) in group.into_iter().zip(results) {
            answer(id, result);
        }
    }

    /// Executes one operation.
    pub fn execute(&mut self, op: StoreOp) -> StoreResult {
        match op {
            StoreOp::Append { epoch, .. }
            | StoreOp::Cut { epoch, .. }
            | StoreOp::Trim { epoch, .. }
            | StoreOp::WriteChunk { epoch, .. }
            | StoreOp::DeleteChunk { epoch, .. }
            | StoreOp::SwitchManifest { epoch, .. }
                if epoch != self.epoch =>
            {
                StoreResult::Fenced
            }
            StoreOp::ClaimEpoch { expected, .. } if expected != self.epoch => StoreResult::Conflict,
            // There is no register: nobody has ever joined.
            StoreOp::SwitchManifest { expected, joined, .. }
                if self.manifest != Some(expected) || joined.is_some_and(|joined| joined > 0) =>
            {
                StoreResult::Conflict
            }
            StoreOp::Append { index, entry, .. } => {
                let mut results = self.log.append(&self.dir, std::iter::once((index, &entry)));
                results.pop().expect("one append, one answer")
            }
            StoreOp::Cut { from, .. } => match self.log.cut(&self.dir, from) {
                Ok(true) => StoreResult::Done(Payload::Nothing),
                Ok(false) => StoreResult::Conflict,
                Err(error) => StoreResult::Unknown(error.to_string()),
            },
            StoreOp::ReadEpoch
            | StoreOp::ReadLog { .. }
            | StoreOp::ReadChunk { .. }
            | StoreOp::ListChunks
            | StoreOp::ReadManifest => clean(self.read(op)),
            StoreOp::ClaimEpoch { epoch, .. } => unknown(self.claim(epoch)),
            StoreOp::Trim { below, .. } => unknown(self.log.trim(&self.dir, below)),
            StoreOp::WriteChunk { name, bytes, .. } => {
                unknown(self.dir.replace(&chunk_file(name), bytes.as_slice()))
            }
            StoreOp::DeleteChunk { name, .. } => unknown(self.dir.remove(&chunk_file(name))),
            StoreOp::SwitchManifest { manifest, .. } => unknown(self.switch(&manifest)),
        }
    }

    fn read(&mut self, op: StoreOp) -> Result<Payload, StoreError> {
        Ok(match op {
            StoreOp::ReadLog { from, max_bytes } => Payload::Log(self.log.read(&self.dir, from, max_bytes)?),
            StoreOp::ReadChunk { name } => {
                Payload::Chunk(self.dir.read(&chunk_file(name), FILE_BYTES_MAX)?.map(Blob::from))
            }
            StoreOp::ListChunks => {
                let names = self.dir.names()?;
                let chunk = |name: &String| ChunkName::parse(name.strip_prefix(CHUNK_PREFIX)?);
                Payload::Chunks(names.iter().filter_map(chunk).collect())
            }
            StoreOp::ReadManifest => {
                Payload::Manifest(self.dir.read(MANIFEST, FILE_BYTES_MAX)?.map(Blob::from))
            }
            _ => Payload::Epoch(self.epoch),
        })
    }

    fn claim(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.dir.replace(EPOCH, &frame::seal_number(Kind::Epoch, epoch.0))?;
        self.epoch = epoch;
        Ok(())
    }

    fn switch(&mut self, manifest: &Blob) -> Result<(), StoreError> {
        self.log.sync_mark(&self.dir)?;
        // Until we know better, a failed switch leaves the manifest's number open.
        self.manifest = None;
        let result = self.dir.replace(MANIFEST, manifest.as_slice());
        let stored = self.dir.read(MANIFEST, FILE_BYTES_MAX)?;
        self.manifest =
            stored.map_or(Some(0), |bytes| frame::header(Kind::Manifest, &bytes).ok().map(|h| h.number));
        result
    }
}

fn chunk_file(name: ChunkName) -> String {
    format!("{CHUNK_PREFIX}{name}")
}

fn clean(result: Result<Payload, StoreError>) -> StoreResult {
    match result {
        Ok(payload) => StoreResult::Done(payload),
        Err(error) => StoreResult::FailedClean(error.to_string()),
    }
}

fn unknown(result: Result<(), StoreError>) -> StoreResult {
    match result {
        Ok(()) => StoreResult::Done(Payload::Nothing),
        Err(error) => StoreResult::Unknown(error.to_string()),
    }
}

/// Locks the directory for this process, and writes its id for whoever comes second.
fn lock(path: &Path) -> Result<File, StoreError> {
    let error = |doing| move |source| StoreError::io(doing, path, source);
    let mut file = disk::private_file().create(true).truncate(false).open(path).map_err(error("open"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.take(32).read_to_string(&mut holder);
            return Err(StoreError::held(
                path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
                holder.trim(),
            ));
        }
        Err(std::fs::TryLockError::Error(source)) => return Err(StoreError::io("lock", path, source)),
    }
    file.set_len(0).map_err(error("write"))?;
    file.rewind().map_err(error("write"))?;
    writeln!(file, "{}", std::process::id()).map_err(error("write"))?;
    Ok(file)
}
