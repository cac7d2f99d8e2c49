//! Owns the one planner: brings an app from what is to what is wanted, a bounded piece at a time.
//!
//! Every change of an app differs only in what it wants; each is over when the counts say so. Whatever is left over for a
//! later step keeps the app in the dirty set.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use super::Scheduler;
use super::apps::{App, AppIdx, Version};
use super::codec::Key;
use super::event::EventKind;
use super::ledger::{Change, Gated};
use super::room::{Amounts, Need};
use super::slot::SUCCESSOR;
use crate::limits::{PLANS_PER_STEP, SLOTS_PER_PLAN};
use crate::spec::{AppSpec, Network};
use crate::time::Timestamp;

impl Scheduler {
    /// The planner shall look at the app.
    pub(super) fn queue_plan(&mut self, idx: AppIdx) {
        if let Some(app) = self.apps.get_mut(idx)
            && !app.plan_queued
        {
            app.plan_queued = true;
            self.dirty_apps.push_back(idx);
        }
    }

    /// Plans apps of the dirty set.
    pub(super) fn plan(&mut self) {
        for _ in 0..PLANS_PER_STEP {
            let Some(idx) = self.dirty_apps.pop_front() else { return };
            let Some(app) = self.apps.get_mut(idx) else { continue };
            app.plan_queued = false;
            if app.quarantined.is_some() {
                continue;
            }
            self.breadcrumb.entity = Some(app.dotted.clone());
            self.plan_app(idx);
            self.reconsider(idx);
        }
    }

    fn plan_app(&mut self, idx: AppIdx) {
        let more = self.grow(idx) | self.shrink(idx) | self.replace_outdated(idx);
        // A second seat that was taken away just now may have been all that kept the last slots.
        if more || self.last_surplus(idx).is_some() {
            self.queue_plan(idx);
            return;
        }
        self.finish_rollout(idx);
    }

    /// Adds missing slots; true if some are left to add.
    fn grow(&mut self, idx: AppIdx) -> bool {
        let Some(app) = self.apps.get_mut(idx) else { return false };
        let (from, span) = (app.slot_count(), app.span());
        if from >= span {
            return false;
        }
        let upto = span.min(from + SLOTS_PER_PLAN as u32);
        app.grow_to(upto - 1);
        for slot in from..upto {
            self.enqueue(idx, slot);
        }
        upto < span
    }

    /// Ends what is too much, highest number first, and drops idle slots; true if some is left to look at.
    fn shrink(&mut self, idx: AppIdx) -> bool {
        let mut budget = SLOTS_PER_PLAN;
        while let Some(last) = self.last_surplus(idx)
            && budget > 0
        {
            budget -= 1;
            self.drop_slot(idx, last);
        }
        while let Some(slot) = self.next_to_end(idx)
            && budget > 0
        {
            budget -= 1;
            let app = self.apps.get_mut(idx).expect("asked just now");
            app.ended_from = Some(slot);
            let why = app.surplus_reason();
            self.stop_task(idx, slot, why);
        }
        budget == 0
    }

    /// The last slot, if it is surplus and idle.
    fn last_surplus(&self, idx: AppIdx) -> Option<u32> {
        let app = self.apps.get(idx)?;
        let last = app.slot_count().checked_sub(1).filter(|&last| last >= app.span())?;
        let idle = app.slot(last)?.task.is_none() && app.slot(last | SUCCESSOR).is_none();
        idle.then_some(last)
    }

    /// The next surplus slot, downwards, that was not told to end yet.
    fn next_to_end(&self, idx: AppIdx) -> Option<u32> {
        let app = self.apps.get(idx).filter(|_| !mutant!(SurplusStays))?;
        app.unwanted_below(app.ended_from.unwrap_or(u32::MAX))
    }

    /// Drops an idle slot at the end.
    fn drop_slot(&mut self, idx: AppIdx, slot: u32) {
        self.arm_slot(idx, slot, None);
        self.unqueue(idx, slot);
        let app = self.apps.get_mut(idx).expect("the planner plans living apps");
        let has_record = app.slot(slot).is_some_and(|s| s.recorded || s.dirty);
        app.pop_slot();
        if has_record && !mutant!(RecordStays) {
            let key = Key::Slot(app.dotted.as_str().into(), slot).encode();
            self.ledger.note(Change::Gone(key));
        }
    }

    /// Lets a seat wait no more.
    pub(super) fn unqueue(&mut self, idx: AppIdx, seat: u32) {
        let Some(app) = self.apps.get_mut(idx) else { return };
        if !app.slot(seat).is_some_and(|slot| slot.queued) {
            return;
        }
        match app.pending.back() {
            Some(&last) if last == seat => drop(app.pending.pop_back()),
            _ => app.pending.retain(|&waiting| waiting != seat),
        }
        app.edit(seat, |slot| slot.queued = false);
        self.demand.waiting -= 1;
    }

    /// Lets all first seats wait for a task that shall have one.
    pub(super) fn enqueue_all(&mut self, idx: AppIdx) {
        let slots = self.apps.get(idx).map_or(0, |app| app.slot_count());
        for number in 0..slots {
            self.enqueue_if_free(idx, number);
        }
    }

    /// Lets a first seat wait for a task if it shall have one and no pause keeps it.
    pub(super) fn enqueue_if_free(&mut self, idx: AppIdx, number: u32) {
        let Some(app) = self.apps.get(idx) else { return };
        let Some(slot) = app.slot(number).filter(|slot| slot.task.is_none() && slot.timer.is_none()) else {
            return;
        };
        if !app.wants(number) {
            return;
        }
        let clock = self.clock.read(self.now.mono);
        let pause = slot.not_before.since(clock);
        if pause.0 > 0 {
            self.arm_slot(idx, number, Some(self.now.mono + pause));
        } else {
            self.enqueue(idx, number);
        }
    }

    pub(super) fn forget_app(&mut self, idx: AppIdx) {
        let app = self.apps.remove(idx);
        assert!(app.slots().is_empty(), "an app is forgotten after its last slot");
        let name = || String::from(app.dotted.as_str());
        // The app first: should the rest be lost, a version without its app is nothing, but an app without its is broken.
        self.ledger.note(Change::Gone(Key::App(name()).encode()));
        for &version in app.versions.keys().filter(|_| !mutant!(VersionRecordStays)) {
            self.ledger.note(Change::Gone(Key::Version(name(), version).encode()));
        }
        let kind = Box::new(EventKind::AppDeleted);
        self.gate(Gated::Publish { app: Some(app.dotted), who: None, kind });
    }

    /// Notes that an app's record waits to be written.
    pub(super) fn note_app(&mut self, idx: AppIdx) {
        let app = self.apps.get_mut(idx).expect("only living apps change");
        if !core::mem::replace(&mut app.dirty, true) {
            self.ledger.note(Change::App(idx));
        }
    }
}

/// A version from its definition, before it is part of an app.
pub(super) fn version_of(app: &App, id: u64, spec: AppSpec, runs: u64, created: Timestamp) -> Version {
    // Tasks bear the version whose configuration they run, so that a change that touches no container shows in none.
    let template = Arc::new(spec.template(&app.dotted, &alloc::format!("{id}")));
    Version { need: need(&spec), matcher: spec.rules.compile(), template, runs, created, spec }
}

/// What one task of a definition needs of an offer.
pub(super) fn need(spec: &AppSpec) -> Need {
    let milli = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let fixed = |port: u16| if spec.network == Network::Host && !spec.require_ports { 0 } else { port };
    let amounts = Amounts {
        cpus: milli(spec.cpus),
        mem: milli(spec.mem),
        disk: milli(spec.disk),
        gpus: i64::from(spec.gpus) * 1000,
    };
    Need {
        amounts,
        ports: spec.ports.iter().filter(|port| port.mapped).map(|port| fixed(port.host_port)).collect(),
        accepted: spec.accepted_roles.clone(),
    }
}
