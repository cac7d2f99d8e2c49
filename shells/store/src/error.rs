//! Owns the error of this crate: a text for people that says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store cannot do its work, for people.
#[derive(Debug)]
pub struct StoreError {
    text: String,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    pub(crate) const fn new(text: String) -> Self {
        Self { text }
    }

    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let advice = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free space on its file system",
            io::ErrorKind::PermissionDenied => "; give the user that runs Swan read and write access",
            io::ErrorKind::ReadOnlyFilesystem => "; mount its file system for writing",
            io::ErrorKind::NotADirectory => "; name a directory",
            _ => "; check its disk and file system",
        };
        Self::new(format!("cannot {doing} {}: {source}{advice}", path.display()))
    }

    pub(crate) fn held(dir: PathBuf, holder: &str) -> Self {
        let holder =
            if holder.is_empty() { "another process".to_owned() } else { format!("process {holder}") };
        Self::new(format!(
            "{} is in use by {holder}; end that one first, or give this one a directory of its own",
            dir.display()
        ))
    }
}
