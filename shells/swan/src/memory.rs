//! Owns which memory a manager has: files of its own, or a part of ZooKeeper that it shares with other managers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use swan_core::journal::{OpId, StoreOp};
use swan_core::lease::{ElectionEvent, Tenure};
use swan_core::manager::End;
use swan_core::scheduler::input::{CrashNote, DeposeReason};
use swan_core::time::Millis;
use swan_store::{CrashNotes, Election, FileStore, Heard, Sessions, StoreError, ZkCrashNotes, ZkStore};

use crate::clock::Clock;
use crate::driver::{Candidacy, Handle, Voice};
use crate::failure::Failure;
use crate::peers::{self, Cluster};

/// Where a manager's memory is to be.
#[derive(Clone, Debug)]
pub(crate) enum MemoryPlan {
    /// In files of this directory: there is no other manager.
    Files(PathBuf),
    /// In ZooKeeper.
    ZooKeeper(Box<swan_store::Options>),
}

impl MemoryPlan {
    /// The place in words that hold wherever a manager runs that takes this one's place: neither its own host nor those of
    /// ZooKeeper are among them, since both may be what was lost.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Files(directory) => {
                let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.clone());
                format!("file:{}", whole.display())
            }
            Self::ZooKeeper(options) => format!("zk:{}", options.address.root()),
        }
    }
}

/// A manager's memory; cheap to clone.
#[derive(Clone)]
pub(crate) enum Memory {
    Files { directory: PathBuf, clock: Clock },
    ZooKeeper { sessions: Sessions, election: Election, notes: ZkCrashNotes },
}

/// What one life of the manager is given of it.
pub(crate) struct Remembered {
    pub(crate) store: Box<dyn Fn(OpId, StoreOp) + Send>,
    pub(crate) election: Box<dyn Fn(Candidacy) + Send>,
    pub(crate) crash_note: Box<dyn Fn(&CrashNote) + Send>,
    pub(crate) crash_notes: Vec<CrashNote>,
}

fn failed(error: StoreError) -> Failure {
    Failure::failed(error.to_string())
}

impl Memory {
    /// Called inside the runtime.
    pub(crate) fn open(plan: MemoryPlan, advertise: &str, clock: Clock) -> Result<Self, Failure> {
        match plan {
            MemoryPlan::Files(directory) => Ok(Self::Files { directory, clock }),
            MemoryPlan::ZooKeeper(options) => {
                let member = peers::member(advertise, swan_api::Standing::default());
                let sessions = Sessions::of_manager(*options, member).map_err(failed)?;
                let notes = ZkCrashNotes::new(sessions.clone());
                let mono = move || clock.mono();
                let election = Election::new(sessions.clone(), notes.clone(), advertise.to_owned(), mono);
                Ok(Self::ZooKeeper { sessions, election, notes })
            }
        }
    }

    /// Whether other managers may use it too.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self, Self::ZooKeeper { .. })
    }

    /// How long its word on leadership holds.
    pub(crate) fn tenure(&self) -> Tenure {
        match self {
            Self::Files { .. } => Tenure::Forever,
            Self::ZooKeeper { sessions, .. } => {
                Tenure::Session(Millis(sessions.timeout().as_millis().try_into().unwrap_or(u64::MAX)))
            }
        }
    }

    /// The managers that share it, if there can be others. Called inside the runtime.
    pub(crate) fn cluster(
        &self,
        advertise: &str,
        authorization: Option<HeaderValue>,
        handle: &Handle,
    ) -> Result<Option<Arc<Cluster>>, Failure> {
        let Self::ZooKeeper { sessions, .. } = self else { return Ok(None) };
        let cluster = Cluster::join(sessions.clone(), advertise.to_owned(), authorization, handle.clone())?;
        Ok(Some(Arc::new(cluster)))
    }

    /// Whether another life follows this end: it was not refused, and somebody else may lead meanwhile.
    pub(crate) fn goes_on_after(&self, end: End) -> bool {
        let passing =
            matches!(end, End::Restart | End::Deposed(DeposeReason::LeaseLost | DeposeReason::Fenced));
        passing && self.is_shared()
    }

    /// Withdraws from elections, or gives leadership back: told at once, done when the future ends, which is not long.
    pub(crate) fn resign(&self) -> impl Future<Output = ()> + use<> {
        let resigned = match self {
            Self::Files { .. } => None,
            Self::ZooKeeper { election, .. } => Some(election.resign()),
        };
        async move {
            if let Some(resigned) = resigned {
                drop(tokio::time::timeout(Duration::from_secs(2), resigned).await);
            }
        }
    }

    /// Opens it for one life of the manager. Called inside the runtime.
    pub(crate) fn begin(&self, voice: &Voice) -> Result<Remembered, Failure> {
        match self {
            Self::Files { directory, clock } => in_files(directory.clone(), *clock, voice),
            Self::ZooKeeper { sessions, election, notes } => {
                Ok(in_zookeeper(ZkStore::new(sessions.clone()), election.clone(), notes.clone(), voice))
            }
        }
    }
}

fn in_files(directory: PathBuf, clock: Clock, voice: &Voice) -> Result<Remembered, Failure> {
    let store = FileStore::open(&directory).map_err(failed)?;
    let notes = CrashNotes::open(&directory).map_err(failed)?;
    let crash_notes = notes.read().map_err(failed)?;
    let answer = voice.clone();
    let store = swan_store::spawn(store, move |id, result| answer.stored(id, result)).map_err(failed)?;
    let elected = voice.clone();
    Ok(Remembered {
        store: Box::new(move |id, op| store.submit(id, op)),
        // Won at once: the journal's directory is locked by this process.
        election: Box::new(move |candidacy| {
            if candidacy == Candidacy::Stand {
                elected.election(ElectionEvent::Acquired { asked: clock.mono() });
            }
        }),
        crash_note: Box::new(move |note| tell_unwritten(notes.write(note))),
        crash_notes,
    })
}

fn in_zookeeper(store: ZkStore, election: Election, notes: ZkCrashNotes, voice: &Voice) -> Remembered {
    let (stored, elected) = (voice.clone(), voice.clone());
    Remembered {
        store: Box::new(move |id, op| {
            let voice = stored.clone();
            store.submit(id, op, move |id, result| voice.stored(id, result));
        }),
        election: Box::new(move |candidacy| match candidacy {
            Candidacy::Stand => {
                let voice = elected.clone();
                election.campaign(move |heard| match heard {
                    Heard::CrashNotes(notes) => voice.crash_notes(notes),
                    Heard::Election(event) => voice.election(event),
                });
            }
            Candidacy::Withdraw => drop(election.resign()),
        }),
        crash_note: Box::new(move |note| tell_unwritten(notes.write(note))),
        // Told when it is elected.
        crash_notes: Vec::new(),
    }
}

fn tell_unwritten(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::error!("the crash note could not be written: {error}");
    }
}
