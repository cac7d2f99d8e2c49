//! Owns the program under test as processes: where it is, its log, and its sudden ends.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::patience::{ensure, until};

/// So much of a log is shown when a test fails.
const TAIL: usize = 60;

/// The program: what `SWAN_TEST_PROGRAM` names, else the one that was built with these tests.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("SWAN_TEST_PROGRAM") {
    Some(path) => PathBuf::from(path),
    None => built().unwrap_or_else(|problem| panic!("{problem}: run `cargo build -p swan` before this test")),
});

/// `cargo test --workspace` builds the program before it runs any test, but `cargo test -p swan-tests` does not: an old
/// program would be tested in silence, so that its sources are looked at.
fn built() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| format!("this test does not find itself: {error}"))?;
    let program = test.ancestors().nth(2).ok_or("this test is not in a target directory")?.join("swan");
    let modified = |path: &Path| -> Result<SystemTime, String> {
        let seen = path.metadata().and_then(|metadata| metadata.modified());
        seen.map_err(|error| format!("{}: {error}", path.display()))
    };
    let written = modified(&program)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in the repository");
    let mut folders: Vec<PathBuf> = ["core/src", "sim/src", "shells"].map(|folder| root.join(folder)).into();
    while let Some(folder) = folders.pop() {
        let entries = folder.read_dir().map_err(|error| format!("{}: {error}", folder.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && modified(&path)? > written {
                return Err(format!("{} is older than {}", program.display(), path.display()));
            }
        }
    }
    Ok(program)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(&*PROGRAM);
    command.args(arguments).env_clear().env("NO_COLOR", "1").env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    for kept in ["PATH", "DOCKER_HOST"] {
        command.envs(std::env::var_os(kept).map(|value| (kept, value)));
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let output = command(arguments).output();
    output.unwrap_or_else(|error| panic!("{}: {error}", PROGRAM.display()))
}

/// A process of the program, killed when it is dropped. Its log is shown if the test fails.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    pub(crate) began: Instant,
}

impl Process {
    /// Starts the program; `name` is what its log is shown under.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let began = Instant::now();
        let mut child = command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", PROGRAM.display()));
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let written = log.clone();
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { name: name.to_owned(), child, log, reader: Some(reader), began }
    }

    /// What follows `mark` up to the next space or comma, in the first line of the log that has it.
    pub(crate) fn said(&mut self, mark: &str) -> String {
        until(&format!("'{mark}' in the log of {}", self.name), || {
            let ended = self.child.try_wait().expect("it is our child");
            let lines = self.lines();
            let rest = lines.iter().find_map(|line| line.split_once(mark).map(|(_, rest)| rest));
            let word = rest.and_then(|rest| rest.split([' ', ',']).next());
            assert!(word.is_some() || ended.is_none(), "it has ended ({ended:?}):\n{}", self.tail());
            word.map(str::to_owned).ok_or_else(|| self.tail())
        })
    }

    /// SIGKILL; returns when it is gone.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Sends a signal: `-STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("there is a kill command");
        assert!(sent.success(), "kill {signal} {pid}: {sent}");
    }

    /// SIGTERM; returns its exit status.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        until(&format!("the end of {}", self.name), || {
            self.child.try_wait().expect("it is our child").ok_or_else(|| self.tail())
        })
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `Err` with its log if it has ended.
    pub(crate) fn runs(&mut self) -> Result<(), String> {
        let ended = self.child.try_wait().expect("it is our child");
        ensure(ended.is_none(), || format!("{} has ended ({ended:?}):\n{}", self.name, self.tail()))
    }

    fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    fn end(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("---- log of {} ----\n{}\n----", self.name, self.tail());
        }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Prints how long a start took; how fast it must be is for a benchmark to say, not for a busy machine.
pub(crate) fn print_start(name: &str, took: Duration) {
    println!("{name}: listening after {} ms", took.as_millis());
}
