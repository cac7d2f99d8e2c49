//! Owns the check of S18: what a client was told to be done is stored by then, so that no crash undoes it.

use std::collections::BTreeSet;

use swan_core::id::DottedId;
use swan_core::manager::ManagerEffect;
use swan_core::scheduler::api::ApiReply;

use super::stored::Stored;
use super::{Checker, Context, Seen};

/// Every answer of success follows a durable record of what it tells.
#[derive(Clone, Debug, Default)]
pub struct DurableReplies {
    /// Apps that were stored once: a request that is repeated by its key is answered again, also after the app is gone.
    known: BTreeSet<DottedId>,
}

impl Checker for DurableReplies {
    fn number(&self) -> &'static str {
        "S18"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        if let Seen::Truth(_) = seen {
            self.known.extend(at.stored.app_names().map(DottedId::from_text));
        }
        let Seen::Does(ManagerEffect::Reply { result: Ok(reply), .. }) = seen else { return Ok(()) };
        match reply {
            ApiReply::Created { app, revision, .. }
                if at.stored.app(app.as_str()).is_none() && !self.known.contains(app) =>
            {
                Err(format!("{app} is said to be created at revision {revision}, and is not stored"))
            }
            ApiReply::Created { app, revision, .. }
            | ApiReply::Accepted { app, revision }
            | ApiReply::Unchanged { app, revision } => judge(at.stored, app, *revision),
            ApiReply::Done => Ok(()),
        }
    }
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
