//! Owns the log in ZooKeeper: entries as children of one node, whose own data is the index of the first that is kept.

use swan_core::journal::frame::{self, Kind};
use swan_core::journal::{Blob, LogPart};
use zookeeper_client::{Client, Error, MultiWriteResult};

use super::layout::Tree;
use super::write::{Refused, failed, fenced};

/// Entries asked for at the same time.
const READS_IN_FLIGHT: u64 = 32;
/// Entries removed in one transaction.
const REMOVED_AT_ONCE: u64 = 256;

/// Where the log begins, as the node's data say in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) first: u64,
    pub(super) version: i32,
}

/// The log's extent at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) head: Head,
    /// The index behind the last entry.
    pub(super) end: u64,
}

/// Asks for the log's extent. Entries are made and removed together with what this says of them.
pub(super) async fn extent(client: &Client, tree: &Tree) -> Result<Extent, Error> {
    let (data, stat) = client.get_data(&tree.log()).await?;
    let Ok(first) = frame::open_number(Kind::Mark, &data) else {
        return Err(Error::UnexpectedError(format!("{} is damaged", tree.log())));
    };
    let head = Head { first, version: stat.version };
    Ok(Extent { head, end: first + u64::try_from(stat.num_children).unwrap_or_default() })
}

/// Appends an entry behind the one before it, or, to a log without any, at its head.
pub(super) async fn append(
    client: &Client,
    tree: &Tree,
    version: i32,
    head: Head,
    index: u64,
    entry: &Blob,
) -> Result<(), Refused> {
    let written = fenced(client, tree, version, |writer| {
        match index.checked_sub(1) {
            Some(before) if index > head.first => writer.add_check_version(&tree.entry(before), 0)?,
            _ => writer.add_check_version(&tree.log(), head.version)?,
        }
        writer.add_create(&tree.entry(index), entry.as_slice(), &tree.persistent())
    });
    written.await.map(|_| ())
}

/// Reads entries from `from` on: at least one if there is one, then as many as fit.
pub(super) async fn read(client: &Client, tree: &Tree, from: u64, max_bytes: u64) -> Result<LogPart, Error> {
    loop {
        let before = extent(client, tree).await?;
        let begins = before.head.first;
        let from = from.max(begins);
        let (entries, ended) = entries(client, tree, from, before.end, max_bytes).await?;
        let end = from + entries.len() as u64;
        if !ended || end >= before.end {
            return Ok(LogPart { first: from, begins, entries, end: ended, durable: before.end.max(end) });
        }
        // One that should be there is not. If the log is as it was, that is damage, which the journal finds.
        if extent(client, tree).await? == before {
            return Ok(LogPart { first: from, begins, entries, end: true, durable: before.end });
        }
    }
}

/// Entries from `from` on, and whether they end there. Those below `to` are there; more may be, also because `to` was
/// counted without one that is lost, which is nothing to who has read it before.
async fn entries(
    client: &Client,
    tree: &Tree,
    from: u64,
    to: u64,
    max_bytes: u64,
) -> Result<(Vec<Blob>, bool), Error> {
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0, from);
    loop {
        let upto = to.max(next + 1).min(next + READS_IN_FLIGHT);
        let batch: Vec<_> = (next..upto).map(|index| client.get_data(&tree.entry(index))).collect();
        for answer in batch {
            match answer.await {
                Ok((entry, _)) => {
                    bytes += entry.len() as u64;
                    if bytes > max_bytes && !entries.is_empty() {
                        return Ok((entries, false));
                    }
                    entries.push(entry.into());
                }
                Err(Error::NoNode) => return Ok((entries, true)),
                Err(error) => return Err(error),
            }
        }
        next = upto;
    }
}

/// Removes the entries from `from` on, the last ones first; checks the epoch even if there is none. Raises the version of
/// the log's node, so that a cut whose outcome was unknown cannot take effect behind a later one (R94). Returns the new
/// head.
pub(super) async fn cut(client: &Client, tree: &Tree, version: i32, from: u64) -> Result<Head, Refused> {
    loop {
        let extent = extent(client, tree).await.map_err(|error| Refused::Otherwise(failed(&error)))?;
        let first = extent.head.first;
        let from = from.max(first);
        let lowest = from.max(extent.end.saturating_sub(REMOVED_AT_ONCE));
        let written = fenced(client, tree, version, |writer| {
            writer.add_set_data(&tree.log(), &head_data(first), Some(extent.head.version))?;
            (lowest..extent.end).rev().try_for_each(|index| writer.add_delete(&tree.entry(index), None))
        })
        .await?;
        if lowest <= from {
            return Ok(Head { first, version: version_of_head(&written, extent.head) });
        }
    }
}

/// Forgets entries below `below`, but for the log's last: the next is appended behind it. Returns the new head.
pub(super) async fn trim(client: &Client, tree: &Tree, version: i32, below: u64) -> Result<Head, Refused> {
    loop {
        let extent = extent(client, tree).await.map_err(|error| Refused::Otherwise(failed(&error)))?;
        let below = below.min(extent.end.saturating_sub(1));
        let first = extent.head.first;
        if below <= first {
            return Ok(extent.head);
        }
        let upto = below.min(first + REMOVED_AT_ONCE);
        let written = fenced(client, tree, version, |writer| {
            writer.add_set_data(&tree.log(), &head_data(upto), Some(extent.head.version))?;
            (first..upto).try_for_each(|index| writer.add_delete(&tree.entry(index), None))
        })
        .await?;
        if upto == below {
            return Ok(Head { first: upto, version: version_of_head(&written, extent.head) });
        }
    }
}

/// What the log's node holds.
fn head_data(first: u64) -> Vec<u8> {
    frame::seal_number(Kind::Mark, first)
}

/// The version of the log's node after a transaction that wrote it, first of all but the check.
fn version_of_head(written: &[MultiWriteResult], before: Head) -> i32 {
    match written.get(1) {
        Some(MultiWriteResult::SetData { stat }) => stat.version,
        _ => before.version + 1,
    }
}
