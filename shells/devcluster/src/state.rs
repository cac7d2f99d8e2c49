//! Owns what outlives the process: the model and the facts about its tasks, in one file that is replaced whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swan_core::mesos::{AgentId, FrameworkId, TaskId, TaskInfo};
use swan_core::time::Millis;
use swan_sim::mesos::{Cluster, ConnId};

/// Format and its version; another one cannot be read.
const MAGIC: &[u8; 16] = b"swan-devcluster3";
const STATE_FILE: &str = "cluster.state";

/// A task under its framework.
pub(crate) type TaskKey = (FrameworkId, TaskId);

/// Everything that must survive.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The monotonic clock goes on from here: time without a process does not count.
    pub(crate) mono: u64,
    pub(crate) cluster: Cluster,
    /// The next connection and request number.
    pub(crate) next: u64,
    pub(crate) streams: BTreeSet<ConnId>,
    pub(crate) agents: BTreeMap<AgentId, Ipv4Addr>,
    /// Launched, and their end not reported.
    pub(crate) tasks: BTreeMap<TaskKey, Launched>,
}

/// A task that was given to an executor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Launched {
    pub(crate) agent: AgentId,
    pub(crate) container_id: String,
    pub(crate) info: TaskInfo,
    /// Runs in Docker, not in this process.
    pub(crate) docker: bool,
    /// Was reported as running.
    pub(crate) started: bool,
    /// Is to end, with this grace.
    pub(crate) kill: Option<Millis>,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process holds the directory.
    #[error("{} is in use by another cluster: stop that one, or name another directory", .0.display())]
    InUse(PathBuf),
    /// The file is damaged or was written by another version.
    #[error(
        "{} cannot be read by this version ({reason}): to start with an empty cluster, remove the file; \
         containers of the old cluster stay and bear the label swan.devcluster",
        path.display()
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// The directory, held for as long as this lives.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes and locks the directory.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(io_error(path))?;
        let path = path.canonicalize().map_err(io_error(path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(io_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(StateError::Io { path: lock_path, source }),
        }
    }

    /// Absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn load(&self) -> Result<Option<Saved>, StateError> {
        let path = self.path.join(STATE_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path, source }),
        };
        decode(&bytes).map(Some).map_err(|reason| StateError::Unreadable { path, reason })
    }

    /// Returns once the state is on disk.
    pub(crate) fn save(&self, saved: &Saved) -> Result<(), StateError> {
        let (path, new) = (self.path.join(STATE_FILE), self.path.join("cluster.state.new"));
        let bytes = encode(saved);
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(io_error(&path))
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    move |source| StateError::Io { path: path.to_owned(), source }
}

fn encode(saved: &Saved) -> Vec<u8> {
    let body = postcard::to_allocvec(saved).expect("state holds nothing that postcard refuses");
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Saved, &'static str> {
    let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or("it has another format")?;
    let (crc, body) = rest.split_first_chunk::<4>().ok_or("it is cut short")?;
    if crc32fast::hash(body) != u32::from_be_bytes(*crc) {
        return Err("its checksum is wrong");
    }
    postcard::from_bytes(body).map_err(|_| "its content has another shape")
}

#[cfg(test)]
mod tests {
    use swan_sim::mesos::ClusterOptions;

    use super::*;

    fn empty() -> Saved {
        Saved {
            mono: 7,
            cluster: Cluster::new(ClusterOptions::default(), 1),
            next: 3,
            streams: BTreeSet::from([ConnId(2)]),
            agents: BTreeMap::new(),
            tasks: BTreeMap::new(),
        }
    }

    #[test]
    fn state_reads_back_and_damage_is_told() {
        let bytes = encode(&empty());
        let back = decode(&bytes).expect("what was written can be read");
        assert_eq!((back.mono, back.next, back.cluster), (7, 3, empty().cluster));
        for at in [0, 16, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_err(), "byte {at}");
        }
        assert!(decode(&bytes[..18]).is_err());
    }
}
