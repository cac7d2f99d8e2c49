//! Owns placement: which waiting slot gets which open offer.
//!
//! Waiting slots are grouped by launch class, one per app; a ring gives each class its turn, in which it looks at the
//! offers that are new to it. An offer can be accepted only once. So when more waits than one step places, only as many
//! offers are opened as that step fills to their fair share, and the classes choose among these.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::agents::AgentIdx;
use super::apps::AppIdx;
use super::choose::Search;
use super::claims::Claim;
use super::ledger::{Change, Gated};
use super::offers::{HeldOffer, OfferIdx, RoleIdx};
use super::room::Amounts;
use super::slot::Task;
use crate::limits::{CLASS_TURN, FILLING_MAX, FRESH_OFFERS_MAX, LOOKS_PER_STEP, PLACEMENTS_PER_STEP};
use crate::mesos::TaskState;
use crate::spec::PlacementStrategy;
use crate::time::Instant;

/// What waits for offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Demand {
    /// Apps with waiting slots, each in turn.
    pub(super) ring: VecDeque<AppIdx>,
    /// What is at hand of each app that ever waited, so that most of what does not fit is passed by at a glance.
    pub(super) classes: Vec<Class>,
    /// Waiting slots of all apps.
    pub(super) waiting: u64,
    /// Apps in the ring, by role.
    by_role: Vec<u32>,
    /// The arrival of offers up to which the whole ring found nothing.
    fruitless: Option<u64>,
    /// The newest offer that some class left only because it avoids the agent.
    shunned: Option<u64>,
    /// Agents that are kept free for what found no room for long (R66).
    pub(super) claims: BTreeMap<AppIdx, Claim>,
}

/// A launch class at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Class {
    role: RoleIdx,
    amounts: Amounts,
    ports: u32,
    /// The arrival of offers up to which it found nothing; 0 if it must look at all of them.
    looked: u64,
    /// Since when it waits without getting anything.
    pub(super) since: Instant,
    /// What had been placed of all apps by then.
    pub(super) others: u64,
}

/// One step's placement.
pub(super) struct Round {
    /// Tasks placed.
    placed: usize,
    /// Offers looked at.
    pub(super) looks: usize,
    /// The newest offer that was left only because its agent is avoided.
    pub(super) shunned: Option<u64>,
    /// Open offers that arrived after `fresh_from`.
    fresh: Vec<Fresh>,
    fresh_from: u64,
    /// How many offers are to be filled in this step; `None` if all may be opened.
    few: Option<usize>,
    /// Those being filled, by role.
    filling: Vec<Vec<OfferIdx>>,
    /// Whose turn it is among them.
    cursor: usize,
    /// A class that is starved has had its turn, whatever it found; one in each round is enough.
    helped: bool,
}

/// A fresh offer at a glance.
struct Fresh {
    arrival: u64,
    idx: OfferIdx,
    role: RoleIdx,
    total: Amounts,
    ports: u32,
}

impl Demand {
    /// Whether another look may find something: new demand or new offers since the last fruitless one.
    pub(super) fn worth_a_look(&self, arrivals: u64) -> bool {
        self.waiting > 0 && self.fruitless != Some(arrivals)
    }

    /// What is at hand of an app that waits.
    pub(super) fn class(&mut self, idx: AppIdx) -> &mut Class {
        &mut self.classes[idx.0 as usize]
    }

    /// Whether any app that waits is of a role.
    fn wants(&self, role: usize) -> bool {
        self.waiting > 0 && self.by_role.get(role).is_some_and(|&apps| apps > 0)
    }

    fn enter(&mut self, idx: AppIdx, class: Class) {
        if self.classes.len() <= idx.0 as usize {
            self.classes.resize(idx.0 as usize + 1, Class::default());
        }
        self.count(class.role, 1);
        *self.class(idx) = class;
        self.ring.push_back(idx);
    }

    fn count(&mut self, role: RoleIdx, apps: i32) {
        let role = usize::from(role);
        if self.by_role.len() <= role {
            self.by_role.resize(role + 1, 0);
        }
        self.by_role[role] =
            self.by_role[role].checked_add_signed(apps).expect("an app leaves as often as it enters");
    }
}

impl Round {
    /// The best of some of the offers that this round fills; none while it fills too few.
    fn among_filling(&mut self, search: &Search<'_>, few: usize) -> Option<OfferIdx> {
        let role = usize::from(search.role);
        let filling = core::mem::take(&mut self.filling[role]);
        let found = if filling.len() >= few {
            search.among(&filling, self.cursor % filling.len(), self)
        } else {
            None
        };
        self.filling[role] = filling;
        found
    }

    /// Whether the class has not looked at all yet that may suit.
    fn is_worth_a_turn(&self, class: &Class, arrivals: u64) -> bool {
        if class.looked < self.fresh_from {
            return true;
        }
        class.looked < arrivals
            && self.fresh.iter().any(|fresh| {
                fresh.arrival > class.looked
                    && fresh.role == class.role
                    && fresh.total.covers(class.amounts)
                    && fresh.ports >= class.ports
            })
    }

    /// A task was placed on an offer: when it is the first there, the offer becomes one of those to fill.
    fn filled(&mut self, idx: OfferIdx, held: &HeldOffer) {
        self.placed += 1;
        for fresh in self.fresh.iter_mut().filter(|fresh| fresh.idx == idx) {
            (fresh.total, fresh.ports) = (held.room.total, held.room.ports);
        }
        let Some(few) = self.few else { return };
        self.cursor += 1;
        let filling = &mut self.filling[usize::from(held.role)];
        if held.launches.len() == 1 {
            if filling.len() >= few.max(FILLING_MAX) {
                // Whoever opened this one found no room in those, so that the oldest most likely has had its share.
                filling.remove(0);
            }
            filling.push(idx);
        }
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
        if app.slot(slot).is_some_and(|s| s.held) {
            if self.brake.holds() {
                // Its task was lost in the disaster that goes on.
                let again = self.now.mono + self.brake.pause();
                return self.arm_slot(idx, slot, Some(again));
            }
            app.edit(slot, |s| s.held = false);
            self.note_slot(idx, slot);
        }
        let app = self.apps.get_mut(idx).expect("found just now");
        app.edit(slot, |s| s.queued = true);
        app.pending.push_back(slot);
        let entered = !core::mem::replace(&mut app.in_ring, true);
        self.demand.waiting += 1;
        self.demand.fruitless = None;
        if entered {
            let class = self.glance(idx);
            self.demand.enter(idx, class);
        } else {
            self.demand.class(idx).looked = 0;
        }
    }

    fn glance(&self, idx: AppIdx) -> Class {
        let need = &self.apps.get(idx).expect("only living apps wait").next_version().need;
        Class {
            role: self.role_of(idx),
            amounts: need.amounts,
            ports: u32::try_from(need.ports.len()).expect("ports are limited"),
            looked: 0,
            since: self.now.mono,
            others: self.stats.placements,
        }
    }

    /// Something of the app has changed: what it wants, or where its tasks are. It looks at all offers again.
    pub(super) fn reconsider(&mut self, idx: AppIdx) {
        if !self.apps.get(idx).is_some_and(|app| app.in_ring) {
            return;
        }
        self.look_anew(idx);
        self.demand.fruitless = None;
    }

    /// Takes the glance at an app that waits again.
    fn look_anew(&mut self, idx: AppIdx) {
        let fresh = self.glance(idx);
        let class = self.demand.class(idx);
        let (before, after) = (class.role, fresh.role);
        *class = Class { since: class.since, others: class.others, ..fresh };
        self.demand.count(before, -1);
        self.demand.count(after, 1);
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

    /// Places what waits on what is open: about [`PLACEMENTS_PER_STEP`] slots.
    pub(super) fn place(&mut self) {
        self.end_claims();
        let mut round = self.begin_round();
        let mut misses = 0;
        while misses < self.demand.ring.len()
            && round.placed < PLACEMENTS_PER_STEP
            && round.looks < LOOKS_PER_STEP
        {
            let passed = self.pass_by(&mut round, misses);
            misses += passed;
            if misses >= self.demand.ring.len() {
                break;
            }
            self.demand.ring.rotate_left(passed);
            let idx = self.demand.ring[0];
            let placed = self.take_turn(idx, &mut round);
            let stays = self.turn();
            misses = if placed { 0 } else { misses + usize::from(stays) };
        }
        if misses >= self.demand.ring.len() {
            self.demand.fruitless = Some(self.offers.arrivals);
        }
        self.demand.shunned = self.demand.shunned.max(round.shunned);
    }

    /// How many classes from the head of the ring on have nothing new to look at; the last `misses` are known to.
    fn pass_by(&mut self, round: &mut Round, misses: usize) -> usize {
        let left = self.demand.ring.len() - misses;
        for passed in 0..left {
            let idx = self.demand.ring[passed];
            if round.is_worth_a_turn(self.demand.class(idx), self.offers.arrivals) {
                return passed;
            }
            if !round.helped && self.may_claim(idx) {
                round.helped = true;
                return passed;
            }
            self.demand.class(idx).looked = self.offers.arrivals;
        }
        left
    }

    fn begin_round(&self) -> Round {
        let seen = self.demand.fruitless.unwrap_or(0);
        let mut fresh_from = seen;
        let mut fresh = Vec::new();
        for (idx, held) in self.offers.newest(seen) {
            if fresh.len() == FRESH_OFFERS_MAX {
                fresh_from = held.arrival;
                break;
            }
            let (total, ports) = (held.room.total, held.room.ports);
            fresh.push(Fresh { arrival: held.arrival, idx, role: held.role, total, ports });
        }
        let budget = PLACEMENTS_PER_STEP as u64;
        let open: u64 =
            (0..self.roles.len()).map(|role| self.offers.open_count(role as RoleIdx) as u64).sum();
        let waiting = self.demand.waiting;
        let share = usize::try_from(budget * open / waiting.max(1)).unwrap_or(usize::MAX);
        let few = (waiting > budget).then(|| share.max(CLASS_TURN));
        let filling = vec![Vec::new(); self.roles.len()];
        Round {
            placed: 0,
            looks: 0,
            shunned: None,
            fresh,
            fresh_from,
            few,
            filling,
            cursor: 0,
            helped: false,
        }
    }

    /// One turn of a class: whether it got something.
    fn take_turn(&mut self, idx: AppIdx, round: &mut Round) -> bool {
        let quantum = if round.few.is_some() { CLASS_TURN } else { 1 };
        for n in 0..quantum {
            if !self.drop_stale(idx) {
                return n > 0;
            }
            let offer = self.choose(idx, round);
            if !offer.is_some_and(|offer| self.place_one(idx, offer, round)) {
                self.demand.class(idx).looked = self.offers.arrivals;
                self.claim_if_starved(idx);
                return n > 0;
            }
        }
        true
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
        let mut mixed = false;
        let stays = self.apps.get_mut(idx).is_some_and(|app| {
            app.in_ring = !app.pending.is_empty();
            mixed = app.in_ring && !app.brings_wanted();
            app.in_ring
        });
        if stays {
            self.demand.ring.push_back(idx);
            if mixed {
                self.next_of_app(idx);
            }
        } else {
            let role = self.demand.class(idx).role;
            self.demand.count(role, -1);
            self.end_claim(idx);
        }
        stays
    }

    /// Slots that get again what they ran may wait for different things: each has its turn.
    fn next_of_app(&mut self, idx: AppIdx) {
        let app = self.apps.get_mut(idx).expect("only living apps wait");
        app.pending.rotate_left(1);
        self.look_anew(idx);
    }

    /// The offer that the app's next task goes to.
    fn choose(&mut self, idx: AppIdx, round: &mut Round) -> Option<OfferIdx> {
        let (class, draw) = (self.demand.classes[idx.0 as usize].clone(), self.draw(idx));
        let search = self.search(idx, class.role, draw, false)?;
        let orderly = !matches!(search.version.spec.strategy, PlacementStrategy::BinPack);
        if let Some(few) = round.few.filter(|_| orderly) {
            let found = round.among_filling(&search, few);
            if found.is_some() {
                return found;
            }
        }
        if class.looked > 0 && class.looked >= round.fresh_from {
            return search.among_fresh(class.looked, round);
        }
        search.among_all(round)
    }

    fn draw(&mut self, idx: AppIdx) -> u64 {
        let random = self
            .apps
            .get(idx)
            .is_some_and(|app| app.next_version().spec.strategy == PlacementStrategy::Random);
        if random { self.rng.next() } else { 0 }
    }

    /// A search for the app's next task, with its counts as they are now.
    fn search(&mut self, idx: AppIdx, role: RoleIdx, draw: u64, anywhere: bool) -> Option<Search<'_>> {
        let now = self.clock.read(self.now.mono);
        self.apps.get_mut(idx)?.refresh_counted(&mut self.agents);
        let app = self.apps.get(idx)?;
        let (version, agents, offers) = (app.next_version(), &self.agents, &self.offers);
        Some(Search { idx, app, version, role, agents, offers, now, draw, anywhere })
    }

    /// Places the app's first waiting slot on an offer, if it fits.
    fn place_one(&mut self, idx: AppIdx, offer: OfferIdx, round: &mut Round) -> bool {
        let app = self.apps.get_mut(idx).expect("a class with demand has an app");
        let slot = *app.pending.front().expect("checked by the caller");
        let hex = if mutant!(ReusesTaskIds) { u64::from(slot) } else { self.rng.next() >> 16 };
        let version = app.version_for(slot);
        let wanted = app.next_version();
        // While few offers are filled evenly, their order among all does not matter.
        let exact = round.few.is_none() || wanted.spec.strategy == PlacementStrategy::BinPack;
        let Some(ports) = self.offers.cut(offer, &wanted.need, (idx, slot, hex), exact) else { return false };
        let (checked, counts) = (wanted.spec.health.is_some(), wanted.matcher.counts());
        let held = self.offers.get(offer).expect("cut just now");
        let agent = held.agent;
        round.filled(offer, held);
        self.agents.retain(agent);
        app.pending.pop_front();
        self.demand.waiting -= 1;
        let task = Task {
            hex,
            version,
            agent,
            state: TaskState::Staging,
            sent: false,
            inherited: false,
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
        self.fed(idx, agent, counts);
        true
    }

    /// A class got something: its patience begins anew, and what it counts has changed.
    fn fed(&mut self, idx: AppIdx, agent: AgentIdx, counts: bool) {
        let (now, others) = (self.now.mono, self.stats.placements);
        let class = self.demand.class(idx);
        class.since = now;
        class.others = others;
        if counts {
            class.looked = 0;
        }
        if self.agents.get(agent).claimed_by == Some(idx) {
            self.end_claim(idx);
        }
    }

    /// Offers that are about to go back unused are given to those that left them only because tasks failed there (R89).
    pub(super) fn place_on_avoided(&mut self) {
        let oldest = self.offers.unused(self.now.mono).next().map(|(_, held)| held.arrival);
        if !self.may_place()
            || oldest.is_none_or(|oldest| self.demand.shunned.is_none_or(|newest| newest < oldest))
        {
            return;
        }
        let mut round = self.begin_round();
        for _ in 0..self.demand.ring.len() {
            let idx = self.demand.ring[0];
            let (role, draw) = (self.demand.class(idx).role, self.draw(idx));
            let now = self.now.mono;
            let offer = if self.drop_stale(idx) {
                let search = self.search(idx, role, draw, true);
                search.and_then(|search| search.among_unused(search.offers.unused(now), &mut round))
            } else {
                None
            };
            if let Some(offer) = offer {
                self.place_one(idx, offer, &mut round);
            }
            self.turn();
            if round.looks >= LOOKS_PER_STEP {
                break;
            }
        }
    }

    /// Hands over what was placed: the ACCEPT of each offer waits for the batch with its tasks.
    pub(super) fn seal_offers(&mut self) {
        for offer in self.offers.seal() {
            if mutant!(AcceptBeforeStored) {
                self.release_accept(offer);
                continue;
            }
            let immediate = self.ledger.gate(Gated::Accept(offer));
            assert!(immediate.is_none(), "a placement is a change that waits to be written");
        }
    }

    /// The role whose offers the app may use.
    pub(super) fn role_of(&self, idx: AppIdx) -> RoleIdx {
        self.role_for(self.apps.get(idx).and_then(|app| app.next_version().spec.role.as_deref()))
    }

    /// The role that a definition asks for.
    pub(super) fn role_for(&self, own: Option<&str>) -> RoleIdx {
        let place = own.and_then(|own| self.roles.iter().position(|role| **role == *own));
        RoleIdx::try_from(place.unwrap_or(0)).expect("a manager has few roles")
    }

    /// Whether any slot waits for offers of a role.
    pub(super) fn demands(&self, role: usize) -> bool {
        self.demand.wants(role)
    }

    /// Notes that a slot's record waits to be written.
    pub(super) fn note_slot(&mut self, idx: AppIdx, slot: u32) {
        let app = self.apps.get_mut(idx).expect("only slots of living apps change");
        if !app.mark_slot_dirty(slot) {
            self.ledger.note(Change::Slot(idx, slot));
        }
    }
}
