//! Owns the directory in which a cluster remembers itself: its state, replaced whole from time to time, and a log of what
//! it was told since, so that what a write costs does not grow with the cluster.
//!
//! The log is read again only after a process that could not stop in good order. Each of its records holds an input, its
//! time, and a checksum of what the model said: a build whose model says something else refuses the log.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use swan_core::time::Now;
use swan_sim::mesos::{ClusterInput, ClusterOutput};

use crate::state::Saved;

/// Format and its version; another one cannot be read.
const STATE_MAGIC: &[u8; 16] = b"swan-devcluster5";
const LOG_MAGIC: &[u8; 16] = b"swan-devcl-log-1";
const STATE_FILE: &str = "cluster.state";
const LOG_FILE: &str = "cluster.log";
/// The state is written anew once the log has grown beyond this, and beyond what the state itself takes.
const LOG_BYTES_MIN: u64 = 8 * 1024 * 1024;
/// Of what nobody waits for, so much is kept in memory.
const WAITING_BYTES_MAX: usize = 256 * 1024;

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
    log: Option<Log>,
    /// Records that are not in the log yet.
    waiting: Vec<u8>,
}

/// The log of what came after a state.
#[derive(Debug)]
struct Log {
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl StateDir {
    /// Makes and locks the directory.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path).map_err(io_error(path))?;
        let path = path.canonicalize().map_err(io_error(path))?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(io_error(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock, log: None, waiting: Vec::new() }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(path)),
            Err(TryLockError::Error(source)) => Err(StateError::Io { path: lock_path, source }),
        }
    }

    /// Absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What an earlier process left, as far as it is on disk; `None` if there was none.
    pub(crate) fn load(&self) -> Result<Option<Saved>, StateError> {
        let path = self.path.join(STATE_FILE);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let (stamp, mut saved) = decode(&bytes).map_err(|reason| StateError::Unreadable { path, reason })?;
        let path = self.path.join(LOG_FILE);
        if let Some(log) = read(&path)? {
            replay(&log, stamp, &mut saved).map_err(|reason| StateError::Unreadable { path, reason })?;
        }
        Ok(Some(saved))
    }

    /// Keeps an input in mind, for the next [`save`](Self::save).
    pub(crate) fn note(&mut self, step: &Step, out: &[ClusterOutput]) {
        let begin = self.waiting.len();
        self.waiting.extend_from_slice(&[0; RECORD_HEAD]);
        self.waiting.extend_from_slice(&checksum(out).to_be_bytes());
        self.waiting.extend_from_slice(&step.0);
        let (head, body) = self.waiting[begin..].split_at_mut(RECORD_HEAD);
        let length = u32::try_from(body.len()).expect("an input is bounded by what a request may hold");
        head[..4].copy_from_slice(&length.to_be_bytes());
        head[4..].copy_from_slice(&crc32fast::hash(body).to_be_bytes());
    }

    /// Whether what waits takes so much memory that it should be saved, though nobody waits for it.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() > WAITING_BYTES_MAX
    }

    /// Returns once the state is on disk: as more of the log, or whole if there is none or it has become long.
    pub(crate) fn save(&mut self, saved: &Saved) -> Result<(), StateError> {
        let Some(mut log) = self.log.take().filter(|log| log.bytes < log.bytes_max) else {
            return self.write_state(saved);
        };
        let written = log.file.write_all(&self.waiting).and_then(|()| log.file.sync_data());
        // After an error nobody knows where the log ends: it is begun anew, with the state.
        written.map_err(io_error(&self.path.join(LOG_FILE)))?;
        log.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        self.log = Some(log);
        Ok(())
    }

    /// Writes the state whole, and begins a log that belongs to it.
    pub(crate) fn write_state(&mut self, saved: &Saved) -> Result<(), StateError> {
        // All of it is in the state.
        self.waiting.clear();
        let (path, new) = (self.path.join(STATE_FILE), self.path.join("cluster.state.new"));
        let bytes = encode(saved);
        let stamp = stamp_of(&bytes);
        let write = || -> io::Result<File> {
            let mut file = File::create(&new)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            let mut log = File::create(self.path.join(LOG_FILE))?;
            log.write_all(&[LOG_MAGIC.as_slice(), &stamp].concat())?;
            log.sync_all()?;
            File::open(&self.path)?.sync_all()?;
            Ok(log)
        };
        let file = write().map_err(io_error(&path))?;
        self.log = Some(Log { file, bytes: 0, bytes_max: LOG_BYTES_MIN.max(bytes.len() as u64) });
        Ok(())
    }
}

/// An input and its time, written down before the model takes it.
#[derive(Debug)]
pub(crate) struct Step(Vec<u8>);

impl Step {
    pub(crate) fn new(now: Now, input: &ClusterInput) -> Self {
        Self(postcard::to_allocvec(&(now, input)).expect("an input holds nothing that postcard refuses"))
    }
}

/// Length and checksum of what follows.
const RECORD_HEAD: usize = 8;
/// The checksum in the head of a state's file, which its log repeats.
type Stamp = [u8; 4];

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> StateError {
    move |source| StateError::Io { path: path.to_owned(), source }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Io { path: path.to_owned(), source }),
    }
}

fn encode(saved: &Saved) -> Vec<u8> {
    let body = postcard::to_allocvec(saved).expect("state holds nothing that postcard refuses");
    [STATE_MAGIC.as_slice(), &crc32fast::hash(&body).to_be_bytes(), &body].concat()
}

fn stamp_of(state: &[u8]) -> Stamp {
    *state[STATE_MAGIC.len()..].first_chunk().expect("a state was just written")
}

fn decode(bytes: &[u8]) -> Result<(Stamp, Saved), &'static str> {
    let rest = bytes.strip_prefix(STATE_MAGIC.as_slice()).ok_or("it has another format")?;
    let (stamp, body) = rest.split_first_chunk::<4>().ok_or("it is cut short")?;
    if crc32fast::hash(body) != u32::from_be_bytes(*stamp) {
        return Err("its checksum is wrong");
    }
    let saved = postcard::from_bytes(body).map_err(|_| "its content has another shape")?;
    Ok((*stamp, saved))
}

/// Tells the state what came after it. A log of an earlier state is over; one ends before a record that is not whole,
/// since that one was never waited for.
fn replay(log: &[u8], stamp: Stamp, saved: &mut Saved) -> Result<(), &'static str> {
    let Some((head, mut rest)) = log.split_at_checked(LOG_MAGIC.len() + stamp.len()) else { return Ok(()) };
    let of = head.strip_prefix(LOG_MAGIC.as_slice()).ok_or("it has another format")?;
    if of != stamp {
        return Ok(());
    }
    let mut out = Vec::new();
    while let Some((body, after)) = record(rest) {
        let (said, step) = body.split_first_chunk::<4>().ok_or("a record is too short")?;
        let (now, input) = postcard::from_bytes(step).map_err(|_| "a record has another shape")?;
        out.clear();
        saved.step(now, input, &mut out);
        if checksum(&out) != u32::from_be_bytes(*said) {
            return Err("it was written by a build that does otherwise");
        }
        rest = after;
    }
    Ok(())
}

/// The first record's body, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (body, after) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    (crc32fast::hash(body) == u32::from_be_bytes(*crc)).then_some((body, after))
}

fn checksum(out: &[ClusterOutput]) -> u32 {
    crc32fast::hash(&postcard::to_allocvec(out).expect("an output holds nothing that postcard refuses"))
}

#[cfg(test)]
mod tests {
    use swan_core::time::{Instant, Timestamp};
    use swan_sim::mesos::{AgentSpec, Cluster, ClusterOptions, ConnId};

    use super::*;

    fn saved() -> Saved {
        Saved::new(7, Cluster::new(ClusterOptions::default(), 1))
    }

    fn at(mono: u64) -> Now {
        Now { mono: Instant(mono), wall: Timestamp(1_000_000 + mono) }
    }

    fn joins(n: u8) -> ClusterInput {
        let ip = format!("127.0.0.{n}");
        ClusterInput::AgentJoin(Box::new(AgentSpec { hostname: ip.clone(), ip, ..AgentSpec::default() }))
    }

    /// Steps the state as the driver does.
    fn step(dir: &mut StateDir, saved: &mut Saved, mono: u64, input: ClusterInput) {
        let (step, mut out) = (Step::new(at(mono), &input), Vec::new());
        saved.step(at(mono), input, &mut out);
        dir.note(&step, &out);
    }

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("swan-devcluster-{name}-{}", std::process::id()));
            let _not_there = fs::remove_dir_all(&path);
            Self(path)
        }

        fn log(&self) -> Vec<u8> {
            fs::read(self.0.join(LOG_FILE)).expect("a log was written")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn state_reads_back_and_damage_is_told() {
        let bytes = encode(&saved());
        assert_eq!(decode(&bytes).expect("what was written can be read").1, saved());
        for at in [0, 16, bytes.len() - 1] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(decode(&bad).is_err(), "byte {at}");
        }
        assert!(decode(&bytes[..18]).is_err());
    }

    #[test]
    fn what_was_saved_is_there_after_a_crash_and_nothing_of_a_torn_record() {
        let place = Place::new("torn");
        let mut saved = saved();
        let mut dir = StateDir::open(&place.0).expect("a new directory");
        dir.save(&saved).expect("room on the disk");
        let mut ends = vec![(place.log().len(), saved.agents.len())];
        for n in 2..5 {
            step(&mut dir, &mut saved, 10 * u64::from(n), joins(n));
            dir.save(&saved).expect("room on the disk");
            ends.push((place.log().len(), saved.agents.len()));
        }
        assert_eq!(dir.load().expect("a sound log"), Some(saved));
        let whole = place.log();
        for cut in LOG_MAGIC.len()..whole.len() {
            fs::write(place.0.join(LOG_FILE), &whole[..cut]).expect("room on the disk");
            let agents = dir.load().expect("a torn log").expect("a state").agents.len();
            let (_, expected) = ends.iter().rev().find(|(end, _)| *end <= cut).unwrap_or(&ends[0]);
            assert_eq!(agents, *expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_log_goes_on_from_its_own_state_only() {
        let place = Place::new("stamp");
        let mut saved = saved();
        let mut dir = StateDir::open(&place.0).expect("a new directory");
        dir.save(&saved).expect("room on the disk");
        step(&mut dir, &mut saved, 10, joins(2));
        dir.save(&saved).expect("room on the disk");
        let old = place.log();
        dir.write_state(&saved).expect("room on the disk");
        // The process died between the two files.
        fs::write(place.0.join(LOG_FILE), old).expect("room on the disk");
        assert_eq!(dir.load().expect("an old log"), Some(saved));
    }

    #[test]
    fn a_log_of_another_build_is_refused() {
        let place = Place::new("build");
        let mut saved = saved();
        let mut dir = StateDir::open(&place.0).expect("a new directory");
        dir.save(&saved).expect("room on the disk");
        // Its model would have said something.
        let step = Step::new(at(9), &joins(2));
        saved.step(at(9), joins(2), &mut Vec::new());
        dir.note(&step, &[ClusterOutput::End { conn: ConnId(1) }]);
        dir.save(&saved).expect("room on the disk");
        let refused = dir.load().expect_err("another build's log").to_string();
        assert!(refused.contains("a build that does otherwise"), "{refused}");
    }

    #[test]
    fn a_long_log_becomes_a_state() {
        let place = Place::new("long");
        let mut saved = saved();
        let mut dir = StateDir::open(&place.0).expect("a new directory");
        dir.save(&saved).expect("room on the disk");
        dir.log.as_mut().expect("a log").bytes_max = 1;
        step(&mut dir, &mut saved, 10, joins(2));
        dir.save(&saved).expect("room on the disk");
        assert!(place.log().len() > LOG_MAGIC.len() + 4);
        step(&mut dir, &mut saved, 20, joins(3));
        dir.save(&saved).expect("room on the disk");
        assert_eq!(place.log().len(), LOG_MAGIC.len() + 4, "the state holds it all");
        assert_eq!(dir.load().expect("a sound state"), Some(saved));
    }
}
