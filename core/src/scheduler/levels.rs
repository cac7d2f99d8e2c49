//! Owns the flow of offers: wanted or not is a level per role, asserted again since calls get lost (R61, R62); offers
//! that are not wanted go back at once, others after a short hold (R60, R65).

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::effect::MesosCall;
use super::offers::{HeldOffer, RoleIdx};
use super::room::Room;
use super::timers::TimerKey;
use crate::limits::{OFFER_HOLD, REASSERT_INTERVAL, REFUSE_BUSY, REFUSE_IDLE, REVIVE_INTERVAL};
use crate::mesos::{Offer, OfferId};
use crate::time::{Instant, Millis};

/// What one role wants and what Mesos was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Level {
    role: Arc<str>,
    /// `Some(true)`: revived; `Some(false)`: suppressed; `None`: nothing said on this connection.
    told: Option<bool>,
    told_at: Instant,
}

/// The levels of all roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Levels {
    roles: Vec<Level>,
    timer: Option<Instant>,
}

impl Levels {
    /// Nothing has been told on a new connection.
    pub(super) fn reset(&mut self, roles: &[Arc<str>]) {
        self.roles =
            roles.iter().map(|role| Level { role: role.clone(), told: None, told_at: Instant(0) }).collect();
    }

    fn forget(&mut self, role: &str) {
        for level in self.roles.iter_mut().filter(|level| *level.role == *role) {
            level.told = None;
        }
    }
}

impl Scheduler {
    /// Takes in offers: held if something waits for their role, declined otherwise.
    pub(super) fn on_offers(&mut self, offers: Vec<Offer>) {
        let mut unwanted = Vec::new();
        for offer in offers {
            self.stats.offers += 1;
            self.note_return(&offer.agent_id);
            if self.offers.has(&offer.id) {
                self.stats.odd_offers += 1;
                continue;
            }
            let own = offer.role.as_deref();
            let role = own.map_or(Some(0), |own| self.roles.iter().position(|role| **role == *own));
            let wanted = role.is_some_and(|role| self.demands(role) && !self.ledger.stalled);
            if !wanted && let Some(own) = own {
                self.suppress_again(own);
            }
            match role {
                Some(role) => unwanted.extend(self.take_in(offer, role, wanted)),
                None => unwanted.push(offer.id),
            }
        }
        if !unwanted.is_empty() {
            self.stats.declines += unwanted.len() as u64;
            let refuse = if self.demand.waiting > 0 { REFUSE_BUSY } else { REFUSE_IDLE };
            self.call(MesosCall::Decline { offers: unwanted, refuse });
        }
        self.agents.sweep(self.now.mono);
        self.arm_offers();
    }

    /// Learns what an offer tells of its agent, and holds it if it is wanted; else gives its id back.
    fn take_in(&mut self, mut offer: Offer, role: usize, wanted: bool) -> Option<OfferId> {
        let room = Room::of(core::mem::take(&mut offer.resources));
        let agent = self.agents.hold(&offer, &self.roles[role], &room, self.now.mono);
        if !wanted {
            self.agents.unhold(agent, None);
            return Some(offer.id);
        }
        let outage = self.agents.get(agent).outage.is_some_and(|outage| outage.is_near(self.now.wall));
        let role = RoleIdx::try_from(role).expect("a manager has few roles");
        self.offers.hold(offer.id, (role, agent), room, outage, self.now.mono + OFFER_HOLD);
        None
    }

    /// Offers came although the role was suppressed a while ago: the SUPPRESS must have got lost.
    fn suppress_again(&mut self, role: &str) {
        let now = self.now.mono;
        let lost = self.levels.roles.iter().any(|level| {
            *level.role == *role && level.told == Some(false) && now.since(level.told_at) >= REVIVE_INTERVAL
        });
        if lost {
            self.levels.forget(role);
        }
    }

    /// Declines what was held long enough, and what no demand is left for.
    pub(super) fn return_offers(&mut self) {
        self.place_on_avoided();
        let mut busy = Vec::new();
        while let Some(held) = self.offers.pop_due(self.now.mono) {
            busy.push(self.let_go(held));
        }
        let mut idle = Vec::new();
        for role in 0..self.roles.len() {
            if !self.demands(role) || self.ledger.stalled {
                let role = RoleIdx::try_from(role).expect("a manager has few roles");
                while let Some(held) = self.offers.pop_idle(role) {
                    idle.push(self.let_go(held));
                }
            }
        }
        for (offers, refuse) in [(busy, REFUSE_BUSY), (idle, REFUSE_IDLE)] {
            if !offers.is_empty() {
                self.stats.declines += offers.len() as u64;
                let refuse = if self.demand.waiting > 0 { refuse.min(REFUSE_BUSY) } else { refuse };
                self.call(MesosCall::Decline { offers, refuse });
            }
        }
        self.arm_offers();
    }

    /// Forgets a held offer's hold on its agent; gives its id.
    pub(super) fn let_go(&mut self, held: HeldOffer) -> OfferId {
        self.agents.unhold(held.agent, None);
        held.id
    }

    fn arm_offers(&mut self) {
        let at = self.offers.next_due();
        self.timers.arm(TimerKey::Offers, &mut self.offers_timer, at);
    }

    /// Tells Mesos what each role wants, where that is news or may have got lost.
    pub(super) fn assert_levels(&mut self) {
        if !self.link.connected {
            self.arm_levels(None);
            return;
        }
        let (now, mut next): (Instant, Option<Instant>) = (self.now.mono, None);
        for at in 0..self.levels.roles.len() {
            let level = &self.levels.roles[at];
            // Agents that are back are seen by their offers, also where nothing else of ours is left on them.
            let wanted = (self.demands(at) || self.brake.holds()) && !self.ledger.stalled;
            let since = now.since(level.told_at);
            let due = match (level.told, wanted) {
                (None, _) | (Some(true), false) => Millis(0),
                (_, true) if mutant!(NoRevive) => continue,
                (Some(true), true) if mutant!(RevivesOnce) => continue,
                (Some(false), true) => Millis(REVIVE_INTERVAL.0.saturating_sub(since.0)),
                (Some(true), true) => Millis(REASSERT_INTERVAL.0.saturating_sub(since.0)),
                (Some(false), false) => continue,
            };
            if due.0 > 0 {
                next = Some(next.map_or(now + due, |earlier| earlier.min(now + due)));
                continue;
            }
            let roles = vec![level.role.as_ref().into()];
            self.levels.roles[at].told = Some(wanted);
            self.levels.roles[at].told_at = now;
            if wanted {
                self.stats.revives += 1;
                self.call(MesosCall::Revive { roles });
                next = Some(
                    next.map_or(now + REASSERT_INTERVAL, |earlier| earlier.min(now + REASSERT_INTERVAL)),
                );
            } else {
                self.stats.suppresses += 1;
                self.call(MesosCall::Suppress { roles });
            }
        }
        self.arm_levels(next);
    }

    fn arm_levels(&mut self, at: Option<Instant>) {
        self.timers.arm(TimerKey::Levels, &mut self.levels.timer, at);
    }

    /// The timer of levels has fired; they are asserted at the end of the step.
    pub(super) fn levels_due(&mut self) {
        self.levels.timer = None;
    }
}
