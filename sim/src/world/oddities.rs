//! Owns what is odd about status updates and offers: what is missing, what nobody knows, what is not to be had, and times
//! by clocks that are wrong.

use std::collections::BTreeMap;

use swan_core::mesos::{
    AgentId, Offer, Reason, Reservation, Resource, ResourceValue, Source, TaskState, TaskStatus, Uuid,
};
use swan_core::time::Timestamp;

use crate::chance::Site;
use crate::draws::{Draws, SlotOf};
use crate::ledger::Ledger;

/// Bytes of a message that is far too long.
const HUGE_MESSAGE: usize = 1 << 20;
/// Numbers that no Mesos has given a meaning yet.
const UNKNOWN_NUMBER: i32 = 4711;

/// What distorts updates on their way.
#[derive(Clone, Debug)]
pub(super) struct Oddities {
    /// Share of updates, ppm.
    updates: u32,
    /// Share of offers, ppm.
    offers: u32,
    /// By how many ms clocks of agents are ahead.
    skews: BTreeMap<AgentId, i64>,
}

impl Oddities {
    pub(super) const fn new(updates: u32, offers: u32) -> Self {
        Self { updates, offers, skews: BTreeMap::new() }
    }

    pub(super) fn skew_clock(&mut self, agent: AgentId, by: i64) {
        self.skews.insert(agent, by);
    }

    pub(super) fn heal(&mut self) {
        self.skews.clear();
    }

    /// Makes an update as odd as it shall be; gives one that comes before it.
    pub(super) fn distort(
        &self,
        status: &mut TaskStatus,
        draws: &mut Draws,
        ledger: &mut Ledger,
    ) -> Option<TaskStatus> {
        self.date(status);
        if !draws.chance(Site::OddUpdate, &SlotOf(&status.task_id), self.updates) {
            return None;
        }
        ledger.note("task: odd update (T8)");
        match draws.number("kind", 0, 6) {
            0 => status.uuid = None,
            1 => status.message = Some(String::new()),
            2 => status.message = Some("x".repeat(HUGE_MESSAGE)),
            3 => status.reason = Some(Reason::Other(UNKNOWN_NUMBER)),
            4 => status.agent_id = None,
            5 => {
                ledger.note("task: no address (T7)");
                status.ip_addresses.clear();
            }
            _ => return Some(of_unknown_state(status)),
        }
        None
    }

    /// Adds resources to an offer that nobody may take or knows, or leaves it none.
    pub(super) fn distort_offer(&self, offer: &mut Offer, draws: &mut Draws, ledger: &mut Ledger) {
        if !draws.chance(Site::OddOffer, &offer.agent.hostname, self.offers) {
            return;
        }
        ledger.note("master: odd offer (M11)");
        let role = offer.role.clone().unwrap_or_else(|| "*".into());
        let scalar = |name: &str, milli| Resource::scalar(name, milli).allocated_to(&role);
        match draws.number("kind", 0, 5) {
            0 => offer.resources.push(Resource { revocable: true, ..scalar("cpus", i64::MAX) }),
            1 => offer.resources.push(Resource { revocable: true, ..scalar("mem", 1_000) }),
            2 => {
                offer.resources.push(Resource { disk: Some(b"mount".to_vec()), ..scalar("disk", 1_000_000) })
            }
            3 => {
                let names = ResourceValue::Set(vec!["a".into(), "a".into()]);
                offer.resources.push(Resource { value: names, ..scalar("licences", 0) });
                offer.resources.push(Resource::ranges("ports", Vec::new()).allocated_to(&role));
                offer.resources.push(scalar("fpgas", i64::MIN));
            }
            4 => {
                let labels = vec![("held for".to_owned(), Some("another".to_owned()))];
                let held = Reservation { role: role.clone(), dynamic: true, principal: None, labels };
                offer.resources.push(Resource { reservations: vec![held], ..scalar("cpus", 64_000) });
            }
            _ => offer.resources = vec![scalar("cpus", 0)],
        }
    }

    /// The time by the agent's own clock, if it made the update.
    fn date(&self, status: &mut TaskStatus) {
        let made_there = matches!(status.source, Some(Source::Agent | Source::Executor));
        let skew = status.agent_id.as_ref().filter(|_| made_there).and_then(|agent| self.skews.get(agent));
        if let (Some(skew), Some(at)) = (skew, &mut status.timestamp) {
            *at = Timestamp(at.0.saturating_add_signed(*skew));
        }
    }
}

/// An update of the same task with a state that is not known, and a uuid of its own.
fn of_unknown_state(status: &TaskStatus) -> TaskStatus {
    let uuid = status.uuid.as_ref().map(|uuid| {
        let mut bytes = uuid.0.to_vec();
        bytes.iter_mut().for_each(|byte| *byte ^= 0xff);
        Uuid(bytes.as_slice().into())
    });
    TaskStatus { state: TaskState::Other(UNKNOWN_NUMBER), uuid, healthy: None, ..status.clone() }
}
