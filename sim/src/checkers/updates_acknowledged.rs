//! Owns the check of L7: with a store that works, no update waits long for its acknowledgement.

use std::collections::BTreeMap;

use swan_core::journal::OpId;
use swan_core::link::{ConnId, LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{Event, TaskId, Uuid};
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};

/// So long may an acknowledgement take once no fault is left, ms.
const PATIENCE_MS: u64 = 10_000;

/// An operation of the store that takes so long hangs, ms: the store does not work.
const HANGS_MS: u64 = 2_000;

/// Every update that came on the current connection is acknowledged soon.
#[derive(Clone, Debug, Default)]
pub struct UpdatesAcknowledged {
    /// What is not acknowledged yet, and when it came.
    waiting: BTreeMap<Uuid, (u64, TaskId)>,
    /// What still arrives on an earlier connection is void (R8).
    connection: Option<ConnId>,
    /// What comes before SUBSCRIBED counts for nothing.
    subscribed: bool,
    /// Since when each operation of the store is under way, and when one ended last that had hung.
    under_way: BTreeMap<OpId, u64>,
    hung: u64,
}

impl Checker for UpdatesAcknowledged {
    fn number(&self) -> &'static str {
        "L7"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        // Not from time to time: a process that is gone acknowledges nothing.
        if let Seen::Told(_) = seen {
            self.judge(at)?;
        }
        match seen {
            Seen::Started { .. } | Seen::Does(ManagerEffect::End(_)) => *self = Self::default(),
            // What came on an earlier connection comes again, and is acknowledged then.
            Seen::Does(ManagerEffect::Link(LinkEffect::Close { .. })) => {
                (self.connection, self.waiting) = (None, BTreeMap::new());
            }
            Seen::Does(ManagerEffect::Link(LinkEffect::Subscribe { conn, .. })) => {
                (self.connection, self.subscribed) = (Some(*conn), false);
            }
            Seen::Told(ManagerInput::Link(LinkInput::Event { conn, event }))
                if self.connection == Some(*conn) =>
            {
                self.subscribed |= matches!(**event, Event::Subscribed(_));
                if let Event::Update(status) = &**event
                    && self.subscribed
                    // Without it nobody can be told.
                    && status.agent_id.is_some()
                    && let Some(uuid) = &status.uuid
                {
                    self.waiting.entry(uuid.clone()).or_insert_with(|| (at.now, status.task_id.clone()));
                }
            }
            Seen::Does(ManagerEffect::Store { id, .. }) => {
                self.under_way.insert(*id, at.now);
            }
            Seen::Told(ManagerInput::Stored { id, .. }) => {
                let begun = self.under_way.remove(id);
                if begun.is_some_and(|begun| at.now > begun + HANGS_MS) {
                    self.hung = at.now;
                }
            }
            Seen::Does(effect) => {
                if let Some(MesosCall::Acknowledge { uuid, .. }) = call_of(effect) {
                    self.waiting.remove(uuid);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl UpdatesAcknowledged {
    fn judge(&self, at: Context<'_>) -> Result<(), String> {
        let Some(healed) = at.healed else { return Ok(()) };
        if self.under_way.values().any(|begun| at.now > begun + HANGS_MS) {
            return Ok(());
        }
        let late = |since: u64| at.now > since.max(healed).max(self.hung) + PATIENCE_MS;
        match self.waiting.values().find(|(since, _)| late(*since)) {
            Some((since, task)) => {
                let waits = at.now - since;
                Err(format!("{task}: an update waits for its acknowledgement for {waits} ms"))
            }
            None => Ok(()),
        }
    }
}
