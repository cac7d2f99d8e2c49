//! Owns placement: which waiting slot gets which open offer. Strategy `spread`.
//!
//! Waiting slots are grouped by launch class, one per app; a ring gives each class its turn. A turn takes the best of a
//! few offers for the class at the head, fewest tasks of the app first, then most room. When more waits than there are
//! offers, the following classes fill the same offer up to its fair share, since an offer can be accepted only once.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::apps::AppIdx;
use super::ledger::{Change, Gated};
use super::offers::OfferIdx;
use super::slot::Task;
use crate::limits::{
    CANDIDATES_PER_PLACEMENT, LAUNCHES_PER_ACCEPT_MAX, PLACEMENTS_PER_STEP, SCANNED_PER_PLACEMENT,
};
use crate::mesos::TaskState;

/// What waits for offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Demand {
    /// Apps with waiting slots, each in turn.
    ring: VecDeque<AppIdx>,
    /// Waiting slots of all apps.
    pub(super) waiting: u64,
    /// The arrival of offers up to which the whole ring found nothing.
    fruitless: Option<u64>,
}

impl Demand {
    /// Whether another look may find something: new demand or new offers since the last fruitless one.
    pub(super) fn worth_a_look(&self, arrivals: u64) -> bool {
        self.waiting > 0 && self.fruitless != Some(arrivals)
    }
}

impl Scheduler {
    /// Puts a slot without a task into its app's queue.
    pub(super) fn enqueue(&mut self, idx: AppIdx, slot: u32) {
        let app = self.apps.get_mut(idx).expect("only a slot of a living app waits");
        if app.quarantined.is_some()
            || app.slot(slot).is_none_or(|s| s.queued || s.task.is_some())
            || !app.wants(slot)
        {
            return;
        }
        app.edit(slot, |s| s.queued = true);
        app.pending.push_back(slot);
        if !app.in_ring {
            app.in_ring = true;
            self.demand.ring.push_back(idx);
        }
        self.demand.waiting += 1;
        self.demand.fruitless = None;
    }

    /// Lets those slots wait no more that are not wanted any more.
    pub(super) fn drop_demand(&mut self, idx: AppIdx) {
        let Some(app) = self.apps.get_mut(idx) else { return };
        let (wanted, dropped): (Vec<u32>, Vec<u32>) =
            app.pending.iter().copied().partition(|&slot| app.wants(slot));
        app.pending = wanted.into();
        self.demand.waiting -= dropped.len() as u64;
        for slot in dropped {
            app.edit(slot, |s| s.queued = false);
        }
    }

    /// Places what waits on what is open: at most [`PLACEMENTS_PER_STEP`] slots.
    pub(super) fn place(&mut self) {
        let mut budget = PLACEMENTS_PER_STEP;
        let mut misses = 0;
        while budget > 0 && misses < self.demand.ring.len() {
            let idx = self.demand.ring[0];
            let role = self.role_of(idx);
            let open = self.offers.open_count(&role) as u64;
            if open > 0
                && self.drop_stale(idx)
                && let Some(offer) = self.best_offer(idx, &role)
            {
                let share = self.demand.waiting.div_ceil(open).min(LAUNCHES_PER_ACCEPT_MAX as u64) as usize;
                budget -= self.fill(offer, &role, share.min(budget));
                misses = 0;
                continue;
            }
            misses += usize::from(self.turn());
        }
        if misses >= self.demand.ring.len() {
            self.demand.fruitless = Some(self.offers.arrivals);
        }
    }

    /// Forgets queue entries that wait no more; whether any is left.
    fn drop_stale(&mut self, idx: AppIdx) -> bool {
        let Some(app) = self.apps.get_mut(idx) else { return false };
        while let Some(&slot) = app.pending.front() {
            if app.slot(slot).is_some_and(|s| s.queued) && app.wants(slot) {
                return true;
            }
            app.pending.pop_front();
            if app.slot(slot).is_some_and(|s| s.queued) {
                app.edit(slot, |s| s.queued = false);
            }
            self.demand.waiting -= 1;
        }
        false
    }

    /// Moves the class at the head of the ring to its end, or out of it if nothing of it waits; whether it stays.
    fn turn(&mut self) -> bool {
        let Some(idx) = self.demand.ring.pop_front() else { return false };
        let Some(app) = self.apps.get_mut(idx) else { return false };
        app.in_ring = !app.pending.is_empty();
        if app.in_ring {
            self.demand.ring.push_back(idx);
        }
        app.in_ring
    }

    /// The best of the roomiest offers for one more task of the app.
    fn best_offer(&self, idx: AppIdx, role: &str) -> Option<OfferIdx> {
        let app = self.apps.get(idx)?;
        let need = app.next_need();
        let mut best: Option<(u16, OfferIdx)> = None;
        let mut seen = 0;
        for (offer, held) in self.offers.open(role).take(SCANNED_PER_PLACEMENT) {
            if held.cpus.saturating_add(held.mem) < need.cpus + need.mem {
                break;
            }
            if held.find_ports(need).is_none() {
                continue;
            }
            let own = app.on_agent.get(&held.agent).copied().unwrap_or(0);
            if best.is_none_or(|(fewest, _)| own < fewest) {
                best = Some((own, offer));
            }
            seen += 1;
            if own == 0 || seen >= CANDIDATES_PER_PLACEMENT {
                break;
            }
        }
        best.map(|(_, offer)| offer)
    }

    /// Places up to `share` slots on one offer, class by class; at least the first fits. Gives how many.
    fn fill(&mut self, offer: OfferIdx, role: &str, share: usize) -> usize {
        let mut placed = 0;
        let mut misses = 0;
        while placed < share && misses <= self.demand.ring.len().min(CANDIDATES_PER_PLACEMENT) {
            let Some(&idx) = self.demand.ring.front() else { break };
            let fits = *self.role_of(idx) == *role && self.drop_stale(idx) && self.place_one(idx, offer);
            if fits {
                placed += 1;
                misses = 0;
            } else {
                misses += 1;
            }
            self.turn();
        }
        placed
    }

    /// Places the app's first waiting slot on an offer, if it fits.
    fn place_one(&mut self, idx: AppIdx, offer: OfferIdx) -> bool {
        let app = self.apps.get_mut(idx).expect("a class with demand has an app");
        let slot = *app.pending.front().expect("checked by the caller");
        let hex = self.rng.next() >> 16;
        let Some(ports) = self.offers.cut(offer, app.next_need(), (idx, slot, hex)) else { return false };
        let agent = self.offers.get(offer).expect("cut just now").agent;
        self.agents.retain(agent);
        app.pending.pop_front();
        self.demand.waiting -= 1;
        let version = app.version_for(slot);
        let checked = app.versions.get(&version).is_some_and(|version| version.spec.health.is_some());
        let task = Task {
            hex,
            version,
            agent,
            state: TaskState::Staging,
            sent: false,
            checked,
            settled: false,
            healthy: None,
            ports,
            ip: None,
            container: None,
            stop: None,
            created: self.now.wall,
            updated: self.now.wall,
            since: self.clock.read(self.now.mono),
        };
        app.edit(slot, |s| {
            assert!(s.task.is_none(), "a slot holds at most one task");
            s.queued = false;
            s.task = Some(task);
        });
        self.live_tasks += 1;
        self.stats.placements += 1;
        self.note_slot(idx, slot);
        true
    }

    /// Hands over what was placed: the ACCEPT of each offer waits for the batch with its tasks.
    pub(super) fn seal_offers(&mut self) {
        for offer in self.offers.seal() {
            let immediate = self.ledger.gate(Gated::Accept(offer));
            assert!(immediate.is_none(), "a placement is a change that waits to be written");
        }
    }

    /// The role whose offers the app may use.
    pub(super) fn role_of(&self, idx: AppIdx) -> Arc<str> {
        let own = self.apps.get(idx).and_then(|app| app.wanted().spec.role.as_deref());
        match own {
            Some(own) => self.roles.iter().find(|role| &***role == own).unwrap_or(&self.roles[0]).clone(),
            None => self.roles[0].clone(),
        }
    }

    /// Whether any slot waits for offers of a role.
    pub(super) fn demands(&self, role: &str) -> bool {
        self.roles.len() == 1 && self.demand.waiting > 0
            || self.demand.ring.iter().any(|&idx| *self.role_of(idx) == *role && self.waits(idx))
    }

    fn waits(&self, idx: AppIdx) -> bool {
        self.apps.get(idx).is_some_and(|app| !app.pending.is_empty())
    }

    /// Notes that a slot's record waits to be written.
    pub(super) fn note_slot(&mut self, idx: AppIdx, slot: u32) {
        let app = self.apps.get_mut(idx).expect("only slots of living apps change");
        if !app.mark_slot_dirty(slot) {
            self.ledger.note(Change::Slot(idx, slot));
        }
    }
}
