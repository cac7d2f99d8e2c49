//! Owns the moment after durability: each effect that waited is checked again, then leaves or is written off.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::Scheduler;
use super::api::Caller;
use super::apps::AppIdx;
use super::effect::{Effect, MesosCall, RouteChange, RouteDelta};
use super::event::{Event, EventKind};
use super::launch::Launch;
use super::ledger::Gated;
use super::offers::{HeldOffer, OfferIdx, Placement};
use super::slot::number_of;
use crate::id::DottedId;
use crate::limits::{REFUSE_IDLE, STAGING_ASK};
use crate::mesos::{Reason, TaskState};
use crate::record::Seq;
use crate::time::Millis;

impl Scheduler {
    /// Everything up to a batch is durable.
    pub(super) fn on_stored(&mut self, upto: Seq) {
        self.ledger.stalled = false;
        while let Some(batch) = self.ledger.take_stored(upto) {
            for gated in batch.gates {
                self.release(gated);
            }
        }
    }

    /// Lets an effect go once all changes so far are durable.
    pub(super) fn gate(&mut self, gated: Gated) {
        if let Some(gated) = self.ledger.gate(gated) {
            self.release(gated);
        }
    }

    fn release(&mut self, gated: Gated) {
        match gated {
            Gated::Accept(offer) => self.release_accept(offer),
            Gated::Kill { app, slot, hex } => self.release_kill(app, slot, hex),
            Gated::KillFormer(task) => self.release_kill_former(task),
            Gated::KillQuarantined(task) => self.release_kill_quarantined(task),
            Gated::Subscribe => self.subscribe(),
            Gated::Acknowledge { task, agent, uuid } => {
                if self.link.connected {
                    self.stats.acknowledgements += 1;
                    self.call(MesosCall::Acknowledge { task, agent, uuid });
                }
            }
            Gated::Reply { id, reply } => self.out.push(Effect::Reply { id, result: Ok(*reply) }),
            Gated::Publish { app, who, kind } => self.release_event(app, who, *kind),
            Gated::Route { app, slot, hex } => self.release_route(app, slot, hex),
        }
    }

    /// Accepts an offer with what was placed on it; writes the tasks off if the offer is gone (R64).
    pub(super) fn release_accept(&mut self, idx: OfferIdx) {
        let (mut held, valid) = self.offers.release(idx);
        let valid = valid && self.link.connected;
        let placements = core::mem::take(&mut held.launches);
        let launches: Vec<Launch> =
            placements.into_iter().filter_map(|placement| self.launch(&held, placement, valid)).collect();
        let (role, room) = (self.roles[usize::from(held.role)].clone(), core::mem::take(&mut held.room));
        self.agents.unhold(held.agent, Some((role, room)));
        if !valid {
            return;
        }
        let offers = vec![held.id];
        if launches.is_empty() {
            self.call(MesosCall::Decline { offers, refuse: Millis(0) });
            return;
        }
        self.stats.launches += launches.len() as u64;
        let refuse = if self.demand.waiting > 0 { Millis(0) } else { REFUSE_IDLE };
        self.call(MesosCall::Accept { offers, launches, refuse });
    }

    /// One launch of an ACCEPT; a task that cannot or shall not be launched any more is taken out of its slot.
    fn launch(&mut self, held: &HeldOffer, placement: Placement, valid: bool) -> Option<Launch> {
        let Placement { app: idx, slot, hex, claims } = placement;
        let app = self.apps.get_mut(idx)?;
        let slot = app.seat_of(slot, hex)?;
        let task = app.slot(slot)?.task.as_ref()?;
        assert!(!task.sent, "a task is in one placement only");
        let template = app.versions.get(&task.version).map(|version| version.template.clone());
        let (Some(template), true, None) = (template, valid, task.stop) else {
            self.stats.written_off += 1;
            let status = self.status_of(idx, slot, TaskState::Dropped);
            self.vacate(
                idx,
                slot,
                &crate::mesos::TaskStatus { reason: Some(Reason::InvalidOffers), ..status },
                Millis(0),
                false,
            );
            return None;
        };
        let ports = task.ports.clone();
        app.edit(slot, |s| s.task.as_mut().expect("found just now").sent = true);
        self.arm_slot(idx, slot, Some(self.now.mono + STAGING_ASK));
        let agent = self.agents.get(held.agent);
        let app = self.apps.get(idx).expect("found just now");
        Some(Launch {
            task: app.task_id(slot, hex),
            slot: number_of(slot),
            agent: agent.id.clone(),
            host: agent.host.clone(),
            ports,
            claims,
            template,
        })
    }

    /// Publishes an event once it is durable.
    pub(super) fn publish(&mut self, app: Option<AppIdx>, who: Option<&Caller>, kind: EventKind) {
        let app = app.and_then(|idx| self.apps.get(idx)).map(|app| app.dotted.clone());
        self.gate(Gated::Publish { app, who: who.cloned().map(Box::new), kind: Box::new(kind) });
    }

    fn release_event(&mut self, app: Option<DottedId>, who: Option<Box<Caller>>, kind: EventKind) {
        self.stats.events += 1;
        let id = self.ledger.next_event_id();
        let event = Event { id, at: self.now.wall, who: who.map(|who| *who), app, kind };
        self.out.push(Effect::Publish(Arc::new(event)));
    }

    fn release_route(&mut self, idx: AppIdx, slot: u32, hex: u64) {
        let Some(app) = self.apps.get(idx) else { return };
        let Some(slot) = app.seat_of(slot, hex) else { return };
        let Some(task) = app.slot(slot).and_then(|s| s.task.as_ref()).filter(|task| task.serves()) else {
            return;
        };
        let host = task.address(&self.agents.get(task.agent).host).into();
        let change = RouteChange::Put {
            app: app.dotted.as_str().into(),
            task: app.task_id(slot, hex),
            host,
            ports: task.ports.to_vec(),
            weight: 100,
        };
        self.route(change);
    }

    /// A task serves no more: gateways hear of it at once, listeners once it is durable.
    pub(super) fn withdraw(&mut self, idx: AppIdx, slot: u32) {
        let app = self.apps.get(idx).expect("only tasks of living apps serve");
        let task = app.slot(slot).and_then(|s| s.task.as_ref()).expect("only tasks serve");
        let change =
            RouteChange::Remove { app: app.dotted.as_str().into(), task: app.task_id(slot, task.hex) };
        self.route(change);
        self.publish_serving(idx, slot, false);
    }

    fn route(&mut self, change: RouteChange) {
        let delta =
            RouteDelta { epoch: self.ledger.epoch(), seq: self.ledger.stored(), changes: vec![change] };
        self.out.push(Effect::Route(Box::new(delta)));
    }

    /// Tells Mesos something.
    pub(super) fn call(&mut self, call: MesosCall) {
        self.out.push(Effect::Mesos(Box::new(call)));
    }
}
