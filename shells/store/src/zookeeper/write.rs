//! Owns writes that only the holder of an epoch may make: transactions that check the epoch cell's version (R91).

use swan_core::journal::StoreResult;
use zookeeper_client::{Client, Error, MultiWriteError, MultiWriteResult, MultiWriter};

use super::layout::Tree;

/// Why a write had no effect, or may have had none.
pub(super) enum Refused {
    /// The epoch cell holds another epoch by now.
    Fenced,
    /// An operation does not fit what is there.
    Unfit(Error),
    /// Anything else, as the journal is told.
    Otherwise(StoreResult),
}

impl Refused {
    /// As the journal is told, if no operation may find anything else than it expects.
    pub(super) fn plain(self) -> StoreResult {
        match self {
            Self::Fenced => StoreResult::Fenced,
            Self::Unfit(Error::NoNode | Error::NodeExists | Error::BadVersion) => StoreResult::Conflict,
            Self::Unfit(error) => failed(&error),
            Self::Otherwise(result) => result,
        }
    }
}

/// Writes what `build` adds, if the epoch cell has this version. Sends the request when it is first polled, so that
/// requests take effect in the order of the first polls.
pub(super) async fn fenced(
    client: &Client,
    tree: &Tree,
    version: i32,
    build: impl FnOnce(&mut MultiWriter<'_>) -> Result<(), Error>,
) -> Result<Vec<MultiWriteResult>, Refused> {
    let mut writer = client.new_multi_writer();
    let built = writer.add_check_version(&tree.epoch(), version).and_then(|()| build(&mut writer));
    built.map_err(|error| Refused::Otherwise(failed(&error)))?;
    writer.commit().await.map_err(refused)
}

fn refused(error: MultiWriteError) -> Refused {
    match error {
        MultiWriteError::OperationFailed { index: 0, source: Error::BadVersion } => Refused::Fenced,
        MultiWriteError::OperationFailed { source, .. } => Refused::Unfit(source),
        MultiWriteError::RequestFailed { source } => Refused::Otherwise(failed(&source)),
    }
}

/// How a write failed: cleanly if a server said so, else nobody knows. The client tells a broken connection in many
/// ways.
pub(super) fn failed(error: &Error) -> StoreResult {
    let clean = match error {
        Error::NoAuth | Error::InvalidAcl => "ZooKeeper does not let us write; give the right --zk-auth-file",
        Error::QuotaExceeded => "ZooKeeper's quota for this path is used up; raise it",
        Error::NotReadOnly => "this ZooKeeper server has lost its quorum",
        Error::Throttled => "ZooKeeper is overloaded",
        Error::BadArguments(_) | Error::BadVersion | Error::NoNode | Error::NodeExists => {
            return StoreResult::FailedClean(format!("ZooKeeper: {error}"));
        }
        _ => return StoreResult::Unknown(format!("ZooKeeper: {error}")),
    };
    StoreResult::FailedClean(clean.to_owned())
}
