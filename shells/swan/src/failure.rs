//! Owns how `swan` ends when it fails: a message for people, an exit code for scripts.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

/// Exit codes; 0 is success. Stable: scripts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Refused, or it failed.
    Failed = 1,
    /// The command line or the configuration makes no sense.
    Usage = 2,
    /// No such app, task or file.
    NotFound = 3,
    /// No manager answers, or it cannot serve now: try again later.
    Unreachable = 4,
    /// A change is under way, or the app is not what the caller has seen: look, then try again.
    Busy = 5,
    /// The token is missing or wrong.
    Unauthorized = 6,
}

impl Failure {
    /// A failure with its code; the message needs no prefix.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A failure of no special class.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// A command line or configuration that makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Its class.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells the user.
    pub(crate) fn report(self) -> ExitCode {
        eprintln!("swan: {self}");
        ExitCode::from(self.exit as u8)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
