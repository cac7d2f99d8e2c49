//! Owns whole-file reads and writes in one directory, made durable, with errors that name the path.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::StoreError;

/// The journal's directory.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    handle: File,
}

/// Options for a file that only its owner can read.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

impl Directory {
    pub(crate) fn create(root: &Path) -> Result<Self, StoreError> {
        let error = |doing| move |source| StoreError::io(doing, root, source);
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(error("create"))?;
        let handle = File::open(root).map_err(error("open"))?;
        if let Some(parent) = root.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            // The new directory's own name must survive too; a parent that we may not open is not ours to sync.
            if let Ok(parent) = File::open(parent) {
                parent.sync_all().map_err(error("sync the parent of"))?;
            }
        }
        Ok(Self { root: root.to_path_buf(), handle })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn error(&self, doing: &str, name: &str, source: io::Error) -> StoreError {
        StoreError::io(doing, &self.path(name), source)
    }

    pub(crate) fn damaged(&self, name: &str, what: &str) -> StoreError {
        let text = format!(
            "the journal is damaged: {} {what}. Keep a copy of the directory, check the disk, then restore the \
             directory from the newest backup",
            self.path(name).display()
        );
        StoreError::new(text)
    }

    /// All file names, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>, StoreError> {
        let error = |source| StoreError::io("list", &self.root, source);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(error)? {
            names.extend(entry.map_err(error)?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The first `max` bytes of a file; `None` if there is none.
    pub(crate) fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let file = match File::open(self.path(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error("open", name, error)),
        };
        let mut bytes = Vec::new();
        file.take(max).read_to_end(&mut bytes).map_err(|error| self.error("read", name, error))?;
        Ok(Some(bytes))
    }

    /// Replaces a file by one with these bytes, atomically and durably.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = format!("{name}.tmp");
        let write = || {
            let mut file = private_file().create(true).truncate(true).open(self.path(&temporary))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(self.path(&temporary), self.path(name))
        };
        write().map_err(|error| self.error("write", name, error))?;
        self.sync()
    }

    /// Removes a file, durably; one that is not there is fine.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        match std::fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.error("remove", name, error)),
            _ => self.sync(),
        }
    }

    /// Makes creations, renames and removals durable.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.handle.sync_all().map_err(|source| StoreError::io("sync", &self.root, source))
    }
}
