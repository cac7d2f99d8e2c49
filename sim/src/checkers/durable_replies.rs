//! Owns the check of S18: what a client was told to be done is stored by then, so that no crash undoes it.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::DottedId;
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::record::Op;
use swan_core::scheduler::api::{ApiCall, ApiReply, AppChange};

use super::stored::Stored;
use super::{Checker, Context, Seen};

/// A deletion is durable within this time, though the store hangs, or the process is stopped for minutes.
const DELETES_MS: u64 = 15 * 60_000;

/// Every answer of success follows a durable record of what it tells.
#[derive(Clone, Debug, Default)]
pub struct DurableReplies {
    /// Apps that were stored once: a request that is repeated by its key is answered again, also after the app is gone.
    known: BTreeSet<DottedId>,
    /// When a user asked last that an app be deleted: another of its name may be stored with the same batch.
    deleted: BTreeMap<DottedId, u64>,
}

impl Checker for DurableReplies {
    fn number(&self) -> &'static str {
        "S18"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Seen::Stored(entry) = seen {
            self.known.extend(entry.ops.iter().filter_map(app_in).map(DottedId::from_text));
        }
        if let Seen::Truth(_) = seen {
            self.known.extend(at.stored.app_names().map(DottedId::from_text));
            self.deleted.retain(|_, asked| *asked + DELETES_MS > at.now);
        }
        if let Seen::Told(ManagerInput::Api { request, .. }) = seen
            && let ApiCall::ChangeApp { app, change: AppChange::Delete, .. } = &request.call
        {
            self.deleted.insert(app.clone(), at.now);
        }
        let Seen::Does(ManagerEffect::Reply { result: Ok(reply), .. }) = seen else { return Ok(()) };
        if let ApiReply::Created { app, .. }
        | ApiReply::Accepted { app, .. }
        | ApiReply::Unchanged { app, .. } = reply
            && self.deleted.contains_key(app)
        {
            return Ok(());
        }
        match reply {
            ApiReply::Created { app, revision, .. }
                if at.stored.app(app.as_str()).is_none() && !self.known.contains(app) =>
            {
                Err(format!("{app} is said to be created at revision {revision}, and is not stored"))
            }
            ApiReply::Created { app, revision, .. }
            | ApiReply::Accepted { app, revision }
            | ApiReply::Unchanged { app, revision }
                if !self.deleted.contains_key(app) =>
            {
                judge(at.stored, app, *revision)
            }
            ApiReply::Created { .. } | ApiReply::Accepted { .. } | ApiReply::Unchanged { .. } => Ok(()),
            ApiReply::Done => Ok(()),
        }
    }
}

/// The app that a change stores.
fn app_in(op: &Op) -> Option<&str> {
    let name = op.key.0.strip_prefix(b"a").filter(|_| op.value.is_some())?;
    std::str::from_utf8(name).ok()
}

/// One that is deleted may be gone with the very batch that took the request.
fn judge(stored: &Stored, app: &DottedId, told: u64) -> Result<(), String> {
    match stored.app(app.as_str()).map(|app| app.revision) {
        Some(known) if known < told => {
            Err(format!("{app} is said to be at revision {told}, and is stored at {known}"))
        }
        _ => Ok(()),
    }
}
