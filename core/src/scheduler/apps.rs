//! Owns apps, their versions and their slots, and keeps every count of them exact as they change.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::agents::{AgentIdx, Agents};
use super::avoid::Avoided;
use super::counted::Counted;
use super::launch::LaunchTemplate;
use super::rollout::Rollout;
use super::room::Need;
use super::slot::{SUCCESSOR, Shown, Slot, Tally, Task, is_successor, number_of};
use super::wave::Wave;
use crate::constraint::Matcher;
use crate::id::{AppPath, DottedId, TaskName};
use crate::mesos::{TaskId, TaskState};
use crate::spec::AppSpec;
use crate::time::Timestamp;

/// A small stand-in for an app. Never used again after the app is gone, so that late references find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct AppIdx(pub(super) u32);

/// The id of a version: grows within an app; roughly nanoseconds of wall time, as original Swan's.
pub(super) type VersionId = u64;

/// One immutable revision of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// The definition.
    pub(super) spec: AppSpec,
    /// What its tasks share.
    pub(super) template: Arc<LaunchTemplate>,
    /// What one of its tasks needs of an offer.
    pub(super) need: Need,
    /// Which agents they may run on.
    pub(super) matcher: Matcher,
    /// The version whose configuration its tasks run: itself, or an older one from which it differs in nothing that
    /// touches a container.
    pub(super) runs: VersionId,
    /// When it was made.
    pub(super) created: Timestamp,
}

/// How many slots are in which condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Tasks and waiting places by state.
    pub(super) states: BTreeMap<Shown, u32>,
    /// Running tasks whose last verdict was good.
    pub(super) healthy: u32,
    /// Running tasks whose last verdict was bad.
    pub(super) unhealthy: u32,
    /// Running tasks without a verdict.
    pub(super) unset: u32,
    /// Tasks that run the wanted configuration, well and for long enough.
    pub(super) ready: u32,
    /// Tasks in wanted places that run any configuration, well and for long enough.
    pub(super) settled: u32,
    /// Tasks of another configuration in first seats that serve and are not being ended.
    pub(super) outdated_serving: u32,
    /// Tasks of any configuration, in any seat, that serve.
    pub(super) serving: u32,
    /// Those of them of which only the journal tells: they may have ended.
    pub(super) unheard: u32,
    /// Tasks that are being ended.
    pub(super) stopping: u32,
    /// Tasks by the version they run.
    pub(super) versions: BTreeMap<VersionId, u32>,
}

/// An app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct App {
    pub(super) path: AppPath,
    pub(super) dotted: DottedId,
    pub(super) versions: BTreeMap<VersionId, Version>,
    /// The version wanted.
    pub(super) target: VersionId,
    /// Instances wanted now; 0 while it is stopped.
    pub(super) instances: u32,
    /// Slots below the last wanted one that are not wanted themselves.
    pub(super) vacant: BTreeSet<u32>,
    /// Instances wanted when it is not stopped.
    pub(super) size: u32,
    /// What is under way.
    pub(super) rollout: Option<Box<Rollout>>,
    /// What has ended, oldest first.
    pub(super) ended: VecDeque<Rollout>,
    /// Why the last rollout failed, or a slot was given up.
    pub(super) error: String,
    pub(super) revision: u64,
    /// Why the planner leaves it alone, if it does.
    pub(super) quarantined: Option<String>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// By number; a gap is an idle slot beyond `instances`.
    slots: Vec<Slot>,
    /// Second seats, by number of their slots; there only while in use.
    successors: BTreeMap<u32, Slot>,
    pub(super) counts: Counts,
    /// Tasks of another configuration in slots without successor that are not being ended: those first that do not
    /// serve.
    pub(super) outdated: BTreeSet<(bool, u32)>,
    /// Slots without successor whose tasks shall leave their agents.
    pub(super) leaving: BTreeSet<u32>,
    /// Slots with a successor because their tasks shall leave their agents.
    pub(super) moving: BTreeSet<u32>,
    /// Slots with both seats in use whose state has changed since the planner looked at them.
    pub(super) pairs: BTreeSet<u32>,
    /// Seats that wait for a place.
    pub(super) pending: VecDeque<u32>,
    /// The app is in the ring of demand.
    pub(super) in_ring: bool,
    /// Its own tasks on each agent.
    pub(super) on_agent: BTreeMap<AgentIdx, u16>,
    /// What its rules count.
    pub(super) counted: Counted,
    /// Replacements of tasks that cannot be reached.
    pub(super) wave: Wave,
    /// Agents on which its tasks failed lately.
    pub(super) avoided: Avoided,
    /// Its record waits to be written.
    pub(super) dirty: bool,
    /// The planner shall look at it.
    pub(super) plan_queued: bool,
    /// The lowest surplus slot that was told to end; none since `instances` changed.
    pub(super) ended_from: Option<u32>,
}

impl App {
    /// A new app without slots.
    pub(super) fn new(path: AppPath, at: Timestamp) -> Self {
        Self {
            dotted: path.dotted(),
            path,
            versions: BTreeMap::new(),
            target: 0,
            instances: 0,
            vacant: BTreeSet::new(),
            size: 0,
            rollout: None,
            ended: VecDeque::new(),
            error: String::new(),
            revision: 0,
            quarantined: None,
            created: at,
            updated: at,
            slots: Vec::new(),
            successors: BTreeMap::new(),
            counts: Counts::default(),
            outdated: BTreeSet::new(),
            leaving: BTreeSet::new(),
            moving: BTreeSet::new(),
            pairs: BTreeSet::new(),
            pending: VecDeque::new(),
            in_ring: false,
            on_agent: BTreeMap::new(),
            counted: Counted::default(),
            wave: Wave::default(),
            avoided: Avoided::default(),
            dirty: false,
            plan_queued: false,
            ended_from: None,
        }
    }

    /// The wanted definition.
    pub(super) fn wanted(&self) -> &Version {
        self.versions.get(&self.target).expect("the wanted version is kept")
    }

    /// The version whose configuration wanted tasks run.
    pub(super) fn wanted_runs(&self) -> VersionId {
        self.versions.get(&self.target).map_or(self.target, |version| version.runs)
    }

    /// The first seats of all slots, by number.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// One seat.
    pub(super) fn slot(&self, seat: u32) -> Option<&Slot> {
        if is_successor(seat) { self.successors.get(&number_of(seat)) } else { self.slots.get(seat as usize) }
    }

    /// The task in one seat.
    pub(super) fn task(&self, seat: u32) -> Option<&Task> {
        self.slot(seat)?.task.as_ref()
    }

    /// Tasks that serve in wanted places, whatever configuration they run.
    pub(super) const fn healthy(&self) -> u32 {
        self.counts.ready + self.counts.outdated_serving
    }

    /// Those of them that surely serve without the one in a seat: on one of which only the journal tells nobody relies to
    /// end another (S1).
    pub(super) fn healthy_without(&self, seat: u32) -> u32 {
        let trusts = mutant!(TrustsTheJournal);
        let unheard = if trusts { 0 } else { self.counts.unheard };
        let counted = self.task(seat).is_some_and(|task| task.serves() && (trusts || !task.inherited));
        self.healthy().saturating_sub(unheard + u32::from(counted))
    }

    /// Whether no healthy task is missed if the one in a seat ends: it does not serve. One that the journal alone tells of
    /// may do so by now, and is waited for while too few others do (S1).
    pub(super) fn can_spare(&self, seat: u32) -> bool {
        self.task(seat).is_none_or(|task| {
            let unheard = task.inherited && task.state != TaskState::Unreachable;
            let may_serve = unheard && self.healthy() < self.bounds().floor;
            !task.serves() && !may_serve
        })
    }

    /// Whether what is heard of a task may let its replacement go on, though nothing of it changes.
    pub(super) fn waits_for_news(&self) -> bool {
        !self.outdated.is_empty() || !self.leaving.is_empty() || !self.successors.is_empty()
    }

    fn slot_mut(&mut self, seat: u32) -> &mut Slot {
        if is_successor(seat) {
            self.successors.get_mut(&number_of(seat)).expect("a second seat is made before it is used")
        } else {
            &mut self.slots[seat as usize]
        }
    }

    /// All seats from this one on: the first ones by number, then the second ones.
    pub(super) fn seats_from(&self, from: u32) -> impl Iterator<Item = u32> + use<'_> {
        let first =
            if is_successor(from) { self.slot_count()..self.slot_count() } else { from..self.slot_count() };
        let second = if is_successor(from) { number_of(from) } else { 0 };
        first.chain(self.successors.range(second..).map(|(&number, _)| number | SUCCESSOR))
    }

    /// The seat of a slot that holds this task.
    pub(super) fn seat_of(&self, seat: u32, hex: u64) -> Option<u32> {
        let number = number_of(seat);
        [number, number | SUCCESSOR].into_iter().find(|&seat| {
            self.slot(seat).and_then(|slot| slot.task.as_ref()).is_some_and(|task| task.hex == hex)
        })
    }

    /// Whether a seat shall have a task: the first ones of wanted slots, the second ones while their tasks are to be
    /// replaced or moved.
    pub(super) fn wants(&self, seat: u32) -> bool {
        let number = number_of(seat);
        // While a rollout rests, what never ran does not begin to.
        let rests = |slot: &Slot| slot.ran == 0 && slot.task.is_none() && self.is_paused();
        let place = self.slots.get(number as usize);
        let wanted =
            self.is_place(number) && place.is_some_and(|slot| slot.given_up().is_none() && !rests(slot));
        if !is_successor(seat) {
            // A successor that is there takes the first seat, or is taken away first.
            return wanted && !self.successors.contains_key(&number);
        }
        if !self.operation().replaces() {
            return wanted && self.moving.contains(&number);
        }
        let first = self.slots.get(number as usize).and_then(|slot| slot.task.as_ref());
        wanted && self.is_replacing() && first.is_some_and(|task| task.version != self.wanted_runs())
    }

    /// The version that a new task in a seat will run.
    pub(super) fn version_for(&self, seat: u32) -> VersionId {
        let ran = |slot: &Slot| slot.task.as_ref().map_or(slot.ran, |task| task.version);
        let ran = self.slot(number_of(seat)).map_or(0, ran);
        if self.brings_wanted() || mutant!(AlwaysTheNewest) || !self.versions.contains_key(&ran) {
            self.wanted_runs()
        } else {
            ran
        }
    }

    /// The definition by which a task is placed that runs a version: the newest with this configuration, since what does
    /// not touch a container may have changed.
    pub(super) fn definition_of(&self, runs: VersionId) -> VersionId {
        if runs == self.wanted_runs() || !self.versions.contains_key(&runs) { self.target } else { runs }
    }

    /// What the first task that waits will run, and by which definition it is placed.
    fn next_ids(&self) -> (VersionId, VersionId) {
        let runs = self.pending.front().map_or_else(|| self.wanted_runs(), |&seat| self.version_for(seat));
        (runs, self.definition_of(runs))
    }

    /// The definition by which the first task that waits is placed.
    pub(super) fn next_version(&self) -> &Version {
        self.versions.get(&self.next_ids().1).unwrap_or_else(|| self.wanted())
    }

    /// Gives a slot its second seat.
    pub(super) fn add_successor(&mut self, number: u32) {
        let was_free = self.successors.insert(number, Slot::default()).is_none();
        assert!(was_free, "a slot has one successor at most");
        self.leaving.remove(&number);
        self.outdated.remove(&(true, number));
        self.outdated.remove(&(false, number));
    }

    /// Takes a second seat away, which must be idle; whether it had a record.
    pub(super) fn remove_successor(&mut self, number: u32) -> bool {
        let slot = self.successors.remove(&number).expect("there is a successor to remove");
        assert!(slot.task.is_none() && slot.timer.is_none(), "a seat that is taken away is idle");
        self.pairs.remove(&number);
        self.moving.remove(&number);
        let first = self.tally(number);
        if let Some(serves) = first.outdated {
            self.outdated.insert((serves, number));
        }
        slot.recorded || slot.dirty
    }

    /// Slots with a second seat.
    pub(super) fn successor_count(&self) -> u32 {
        u32::try_from(self.successors.len()).expect("slots are limited")
    }

    /// Whether any slot has a second seat for another reason than to move its task.
    pub(super) fn has_replacements(&self) -> bool {
        self.successors.len() > self.moving.len()
    }

    /// The planner shall look at all second seats.
    pub(super) fn look_at_all_pairs(&mut self) {
        self.pairs = self.successors.keys().copied().collect();
    }

    /// Wanted slots that were given up.
    pub(super) fn given_up(&self) -> u32 {
        self.counts.states.get(&Shown::GivenUp).copied().unwrap_or(0)
    }

    /// Instances that are as the rollout under way wants them.
    pub(super) fn progress(&self) -> u32 {
        if self.operation().replaces() || self.rollout.is_none() {
            self.counts.ready
        } else {
            self.counts.settled
        }
    }

    /// Number of slots, as slot numbers are typed.
    pub(super) fn slot_count(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("slots are limited")
    }

    /// Adds idle slots until `number` exists.
    pub(super) fn grow_to(&mut self, number: u32) {
        let wanted = (number as usize + 1).max(self.instances as usize);
        self.slots.reserve_exact(wanted.saturating_sub(self.slots.len()));
        while self.slots.len() <= number as usize {
            self.slots.push(Slot::default());
            let tally = self.tally(self.slot_count() - 1);
            self.counts.add(&tally);
        }
    }

    /// Adds what is missing for a seat to exist.
    pub(super) fn make_seat(&mut self, seat: u32) {
        self.grow_to(number_of(seat));
        if is_successor(seat) && !self.successors.contains_key(&number_of(seat)) {
            self.add_successor(number_of(seat));
        }
    }

    /// Drops the last slot, which must be idle.
    pub(super) fn pop_slot(&mut self) {
        let tally = self.tally(self.slot_count() - 1);
        let slot = self.slots.pop().expect("there is a slot to drop");
        assert!(slot.task.is_none(), "a slot with a task is never dropped");
        assert!(slot.timer.is_none(), "a dropped slot has no timer");
        self.counts.remove(&tally);
    }

    /// Changes one seat; the only way to, so that counts follow.
    pub(super) fn edit<R>(&mut self, seat: u32, change: impl FnOnce(&mut Slot) -> R) -> R {
        let before = self.tally(seat);
        let result = change(self.slot_mut(seat));
        let after = self.tally(seat);
        if before != after {
            if !(mutant!(EndNotCounted) && before.healthy == Some(true) && after.healthy.is_none()) {
                self.counts.remove(&before);
            }
            self.counts.add(&after);
            self.move_agent(before.agent, after.agent);
            if before.agent != after.agent && !is_successor(seat) {
                self.forget_move(seat);
            }
            self.note_pair(seat, &before, &after);
            let (runs, tasks_max) = (self.counted.runs(), self.slots.len());
            if mutant!(RulesCountNothing) {
                return result;
            }
            self.counted.note(before.counted(runs), after.counted(runs), tasks_max);
        }
        result
    }

    /// Keeps up which slots the planner must look at for a rollout.
    fn note_pair(&mut self, seat: u32, before: &Tally, after: &Tally) {
        let number = number_of(seat);
        if !self.successors.is_empty() && self.successors.contains_key(&number) {
            self.pairs.insert(number);
        } else if before.outdated != after.outdated {
            if let Some(serves) = before.outdated {
                self.outdated.remove(&(serves, number));
            }
            if let Some(serves) = after.outdated {
                self.outdated.insert((serves, number));
            }
        }
    }

    /// The timer of a seat, which counts for nothing.
    pub(super) fn slot_timer(&mut self, seat: u32) -> &mut Option<crate::time::Instant> {
        &mut self.slot_mut(seat).timer
    }

    /// Notes whether the record just encoded for a slot exists.
    pub(super) fn slot_written(&mut self, seat: u32, exists: bool) {
        let slot = self.slot_mut(seat);
        slot.dirty = false;
        slot.recorded = exists;
    }

    /// The id of a task in a slot.
    pub(super) fn task_id(&self, seat: u32, hex: u64) -> TaskId {
        TaskName { hex, slot: number_of(seat), app: self.dotted.as_str() }.id()
    }

    /// Marks a seat's record as to be written; says what it was.
    pub(super) fn mark_slot_dirty(&mut self, seat: u32) -> bool {
        core::mem::replace(&mut self.slot_mut(seat).dirty, true)
    }

    /// Brings what the rules of the next task count up to date.
    pub(super) fn refresh_counted(&mut self, agents: &mut Agents) {
        let (runs, definition) = self.next_ids();
        let Some(version) = self.versions.get(&definition).filter(|version| version.matcher.counts()) else {
            return;
        };
        let seats = self.slots.iter().chain(self.successors.values());
        let tasks = seats.filter_map(|slot| slot.tally(runs, true).counted(runs));
        self.counted.refresh((definition, runs), &version.matcher, agents, tasks);
    }

    /// The agents of the tasks that count for the rules of those that run a version.
    pub(super) fn tasks_that_count(&self, runs: VersionId) -> impl Iterator<Item = AgentIdx> + use<'_> {
        let seats = self.slots.iter().chain(self.successors.values());
        seats.filter_map(move |slot| slot.tally(runs, true).counted(runs))
    }

    /// Counts everything anew, after the wanted version or number changed.
    pub(super) fn recount(&mut self) {
        self.ended_from = None;
        self.counted.forget();
        (self.counts, self.outdated) = self.counted_anew();
        self.look_at_all_pairs();
    }

    fn counted_anew(&self) -> (Counts, BTreeSet<(bool, u32)>) {
        let (mut counts, mut outdated) = (Counts::default(), BTreeSet::new());
        for seat in self.seats_from(0) {
            let tally = self.tally(seat);
            counts.add(&tally);
            if let Some(serves) = tally.outdated.filter(|_| !self.successors.contains_key(&number_of(seat))) {
                outdated.insert((serves, number_of(seat)));
            }
        }
        (counts, outdated)
    }

    /// Whether counts, and the tasks on each agent, equal a recount (S23).
    pub(super) fn counts_are_exact(&self) -> bool {
        let (counts, outdated) = self.counted_anew();
        let mut on_agent: BTreeMap<AgentIdx, u16> = BTreeMap::new();
        for task in self.seats_from(0).filter_map(|seat| self.slot(seat)?.task.as_ref()) {
            *on_agent.entry(task.agent).or_default() += 1;
        }
        counts == self.counts && outdated == self.outdated && on_agent == self.on_agent
    }

    fn tally(&self, seat: u32) -> Tally {
        let wanted = self.is_place(seat);
        let mut tally =
            self.slot(seat).expect("only seats that exist count").tally(self.wanted_runs(), wanted);
        if is_successor(seat) {
            // What replaces something is no place of its own.
            (tally.outdated, tally.settled) = (None, false);
        }
        tally
    }

    fn move_agent(&mut self, from: Option<AgentIdx>, to: Option<AgentIdx>) {
        if from == to {
            return;
        }
        if let Some(agent) = from {
            let count = self.on_agent.get_mut(&agent).expect("each task is counted at its agent");
            *count -= 1;
            if *count == 0 {
                self.on_agent.remove(&agent);
            }
        }
        if let Some(agent) = to {
            *self.on_agent.entry(agent).or_default() += 1;
        }
    }
}

impl Tally {
    /// The agent at which the task counts for rules: it runs this configuration, and can be reached.
    fn counted(&self, runs: VersionId) -> Option<AgentIdx> {
        let reachable = self.state != Some(Shown::Mesos(TaskState::Unreachable));
        self.agent.filter(|_| reachable && self.version == Some(runs))
    }
}

impl Counts {
    fn add(&mut self, tally: &Tally) {
        if let Some(state) = tally.state {
            *self.states.entry(state).or_default() += 1;
        }
        if let Some(version) = tally.version {
            *self.versions.entry(version).or_default() += 1;
        }
        *self.health_of(tally) += u32::from(tally.running);
        self.ready += u32::from(tally.ready);
        self.settled += u32::from(tally.settled);
        self.outdated_serving += u32::from(tally.outdated == Some(true));
        self.serving += u32::from(tally.serves);
        self.unheard += u32::from(tally.serves && tally.unheard);
        self.stopping += u32::from(tally.stopping);
    }

    fn remove(&mut self, tally: &Tally) {
        if let Some(state) = tally.state {
            decrement(&mut self.states, state);
        }
        if let Some(version) = tally.version {
            decrement(&mut self.versions, version);
        }
        *self.health_of(tally) -= u32::from(tally.running);
        self.ready -= u32::from(tally.ready);
        self.settled -= u32::from(tally.settled);
        self.outdated_serving -= u32::from(tally.outdated == Some(true));
        self.serving -= u32::from(tally.serves);
        self.unheard -= u32::from(tally.serves && tally.unheard);
        self.stopping -= u32::from(tally.stopping);
    }

    const fn health_of(&mut self, tally: &Tally) -> &mut u32 {
        match tally.healthy {
            Some(true) => &mut self.healthy,
            Some(false) => &mut self.unhealthy,
            None => &mut self.unset,
        }
    }
}

fn decrement<K: Ord>(map: &mut BTreeMap<K, u32>, key: K) {
    let count = map.get_mut(&key).expect("what is counted was counted in");
    *count -= 1;
    if *count == 0 {
        map.remove(&key);
    }
}

/// All apps, by stand-in and by dotted id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Apps {
    list: Vec<Option<Box<App>>>,
    by_dotted: BTreeMap<String, AppIdx>,
    /// Apps whose dotted id begins with a number, by what follows it: such an id looks like a slot of another app.
    numbered: BTreeSet<(String, AppIdx)>,
}

impl Apps {
    /// Takes in a new app; its dotted id must be free.
    pub(super) fn insert(&mut self, app: App) -> AppIdx {
        let idx = AppIdx(u32::try_from(self.list.len()).expect("fewer apps than 2^32"));
        if let Some(rest) = after_number(app.dotted.as_str()) {
            self.numbered.insert((rest.to_string(), idx));
        }
        let displaced = self.by_dotted.insert(app.dotted.as_str().to_string(), idx);
        assert!(displaced.is_none(), "dotted ids are unique");
        self.list.push(Some(Box::new(app)));
        idx
    }

    /// Forgets an app.
    pub(super) fn remove(&mut self, idx: AppIdx) -> Box<App> {
        let app = self.list[idx.0 as usize].take().expect("an app is removed once");
        self.by_dotted.remove(app.dotted.as_str());
        if let Some(rest) = after_number(app.dotted.as_str()) {
            self.numbered.remove(&(rest.to_string(), idx));
        }
        app
    }

    /// The app, unless it is gone.
    pub(super) fn get(&self, idx: AppIdx) -> Option<&App> {
        self.list.get(idx.0 as usize)?.as_deref()
    }

    /// The app, unless it is gone.
    pub(super) fn get_mut(&mut self, idx: AppIdx) -> Option<&mut App> {
        self.list.get_mut(idx.0 as usize)?.as_deref_mut()
    }

    /// By dotted id, lower case.
    pub(super) fn find(&self, dotted: &str) -> Option<AppIdx> {
        self.by_dotted.get(dotted).copied()
    }

    /// The existing name that a new app's dotted id would be confused with: an app, or a slot of one.
    pub(super) fn collision(&self, dotted: &str) -> Option<&App> {
        let idx = self
            .find(dotted)
            .or_else(|| after_number(dotted).and_then(|rest| self.find(rest)))
            .or_else(|| self.named_like_slot_of(dotted))?;
        self.get(idx)
    }

    /// An app whose dotted id looks like a slot of another one.
    fn named_like_slot_of(&self, dotted: &str) -> Option<AppIdx> {
        let (rest, idx) = self.numbered.range((dotted.to_string(), AppIdx(0))..).next()?;
        (rest == dotted).then_some(*idx)
    }

    /// Apps after `after` in order of dotted id.
    pub(super) fn after<'a>(&'a self, after: Option<&str>) -> impl Iterator<Item = (AppIdx, &'a App)> + 'a {
        use core::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_dotted
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(_, &idx)| (idx, self.get(idx).expect("indexed apps exist")))
    }

    /// Apps from a dotted id on, in order.
    pub(super) fn from<'a>(&'a self, from: &str) -> impl Iterator<Item = &'a App> + use<'a> {
        use core::ops::Bound;
        let range = self.by_dotted.range::<str, _>((Bound::Included(from), Bound::Unbounded));
        range.map(|(_, &idx)| self.get(idx).expect("indexed apps exist"))
    }

    /// All stand-ins ever given, gone ones included.
    pub(super) fn indexes(&self) -> impl Iterator<Item = AppIdx> + use<> {
        (0..u32::try_from(self.list.len()).expect("fewer apps than 2^32")).map(AppIdx)
    }

    /// Number of apps.
    pub(super) fn len(&self) -> usize {
        self.by_dotted.len()
    }
}

/// What follows a leading all-digit label.
fn after_number(dotted: &str) -> Option<&str> {
    let (first, rest) = dotted.split_once('.')?;
    first.bytes().all(|b| b.is_ascii_digit()).then_some(rest)
}
