//! Owns the check of L7: with a store that works, no update waits long for its acknowledgement.

use std::collections::BTreeMap;

use swan_core::link::{ConnId, LinkEffect, LinkInput};
use swan_core::manager::{ManagerEffect, ManagerInput};
use swan_core::mesos::{Event, TaskId, Uuid};
use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};

/// So long may an acknowledgement take once no fault is left, ms.
const PATIENCE_MS: u64 = 10_000;

/// Every update that came on the current connection is acknowledged soon.
#[derive(Clone, Debug, Default)]
pub struct UpdatesAcknowledged {
    /// What is not acknowledged yet, and when it came.
    waiting: BTreeMap<Uuid, (u64, TaskId)>,
    /// What still arrives on an earlier connection is void (R8).
    connection: Option<ConnId>,
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
            // What came on an earlier connection comes again, and is acknowledged then.
            Seen::Started { .. }
            | Seen::Does(ManagerEffect::Link(LinkEffect::Close { .. }) | ManagerEffect::End(_)) => {
                *self = Self::default();
            }
            Seen::Does(ManagerEffect::Link(LinkEffect::Subscribe { conn, .. })) => {
                self.connection = Some(*conn);
            }
            Seen::Told(ManagerInput::Link(LinkInput::Event { conn, event })) => {
                if let Event::Update(status) = &**event
                    && self.connection == Some(*conn)
                    // Without it nobody can be told.
                    && status.agent_id.is_some()
                    && let Some(uuid) = &status.uuid
                {
                    self.waiting.entry(uuid.clone()).or_insert_with(|| (at.now, status.task_id.clone()));
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
        let late = |since: u64| at.now > since.max(healed) + PATIENCE_MS;
        match self.waiting.values().find(|(since, _)| late(*since)) {
            Some((since, task)) => {
                let waits = at.now - since;
                Err(format!("{task}: an update waits for its acknowledgement for {waits} ms"))
            }
            None => Ok(()),
        }
    }
}
