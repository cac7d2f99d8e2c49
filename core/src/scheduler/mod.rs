//! Owns the scheduler machine: apps, slots, offers, rollouts, routes. The product.
//!
//! Contract of [`Scheduler::step`]: exactly one input, runs to completion, cannot fail. `out` is empty on entry; its
//! effects are executed front to back. `now.mono` never goes back. After each step the driver reads
//! [`Scheduler::next_deadline`] again; at or before now it steps [`Input::Wake`]. A spurious wake changes nothing.
//! A step is: the input changes state and marks what is dirty; a bounded piece of what is dirty is planned and placed;
//! changed records are handed over. What is left over makes the next deadline due at once.

mod agents;
pub mod api;
mod apps;
mod avoid;
mod brake;
mod changes;
mod choose;
mod claims;
mod codec;
mod counted;
mod dry_run;
pub mod effect;
pub mod event;
mod explain;
mod failover;
mod forecast;
mod groups;
mod history;
mod hold;
pub mod input;
mod keys;
pub mod launch;
mod lead;
mod ledger;
mod levels;
mod maintenance;
mod miss;
mod moves;
mod offers;
mod place;
mod places;
mod planner;
mod quarantine;
mod reading;
mod reconcile;
mod records;
mod release;
mod replace;
mod requests;
mod rollout;
mod room;
mod slot;
mod stats;
mod status;
mod stop;
mod timers;
mod update;
pub mod view;
mod wave;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::agents::Agents;
use self::api::{ApiError, ErrorKind};
use self::apps::{AppIdx, Apps};
use self::brake::Brake;
pub use self::codec::record_kind;
use self::effect::{Effect, Effects, MesosCall};
use self::event::EventKind;
pub use self::hold::Hold;
use self::input::{Breadcrumb, Build, Config, DeposeReason, Input, LinkEvent, StoreEvent};
use self::keys::Keys;
use self::lead::ClusterClock;
use self::ledger::{Change, Ledger};
use self::levels::Levels;
use self::moves::Moves;
use self::offers::Offers;
use self::place::Demand;
use self::quarantine::Quarantined;
use self::reading::RecordCursor;
pub use self::reading::{RecordPage, View};
use self::reconcile::Reconcile;
pub use self::stats::Stats;
use self::stop::Former;
use self::timers::{TimerKey, Timers};
use self::wave::Wave;
use crate::limits::TIMERS_PER_STEP;
use crate::mesos::{Event as MesosEvent, FrameworkId, Subscribed, TaskId};
use crate::record::{RecordKey, Seq};
use crate::rng::Rng;
use crate::time::{Instant, Now};

/// What part a machine plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Role {
    /// Has not been booted.
    #[default]
    New,
    /// Follows the journal.
    Standby,
    /// Decides.
    Leader,
    /// Led once; will be dropped.
    Deposed(DeposeReason),
}

/// The framework as Mesos knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Framework {
    id: Option<FrameworkId>,
    /// Mesos refuses the id for ever; nothing is launched until an operator decides (R12).
    removed: bool,
    /// The journal was lost, and an operator decides, or has decided, who Swan is now (S14).
    hold: Option<Hold>,
}

impl Framework {
    /// Whether there is anything to remember of it.
    const fn is_recorded(&self) -> bool {
        self.id.is_some() || self.hold.is_some()
    }
}

/// The connection to Mesos, as last heard of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Link {
    connected: bool,
    master: String,
}

/// The machine. Its whole state is in it and can be frozen; it holds no clock, no handle, no global.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    role: Role,
    now: Now,
    build: Build,
    config: Config,
    roles: Vec<Arc<str>>,
    rng: Rng,
    clock: ClusterClock,
    lease_until: Option<Instant>,
    framework: Framework,
    link: Link,
    apps: Apps,
    agents: Agents,
    offers: Offers,
    offers_timer: Option<Instant>,
    demand: Demand,
    dirty_apps: VecDeque<AppIdx>,
    /// Apps with a rollout under way.
    rolling: BTreeSet<AppIdx>,
    /// Tasks in slots, of all apps.
    live_tasks: u64,
    brake: Brake,
    moves: Moves,
    wave: Wave,
    /// The last app deleted of those that a purge deletes.
    purge: Option<String>,
    former: BTreeMap<TaskId, Former>,
    quarantine: BTreeMap<TaskId, Quarantined>,
    keys: Keys,
    orphans: BTreeMap<RecordKey, Vec<u8>>,
    /// What was not understood of what was followed, in words; the first few.
    unreadable: Vec<String>,
    ledger: Ledger,
    timers: Timers,
    reconcile: Reconcile,
    levels: Levels,
    stats: Stats,
    breadcrumb: Breadcrumb,
    #[serde(skip)]
    out: Effects,
}

impl Scheduler {
    /// A machine that has not been booted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles exactly one input.
    pub fn step(&mut self, now: Now, input: Input, out: &mut Effects) {
        assert!(out.is_empty(), "effects of the step before were executed");
        assert!(now.mono >= self.now.mono, "the monotonic clock never goes back");
        self.now = now;
        self.stats.steps += 1;
        core::mem::swap(&mut self.out, out);
        self.check_lease();
        match self.role {
            Role::Leader => {
                self.lead_step(input);
                self.settle();
            }
            Role::New | Role::Standby => self.follow_step(input),
            Role::Deposed(_) => self.refuse(&input),
        }
        core::mem::swap(&mut self.out, out);
        self.breadcrumb = Breadcrumb::default();
    }

    /// When to step [`Input::Wake`] at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.role != Role::Leader {
            return None;
        }
        if self.has_work() { Some(self.now.mono) } else { self.timers.next() }
    }

    /// What readers may see.
    pub const fn view(&self) -> View<'_> {
        View::new(self)
    }

    /// What the step under way is doing, for a crash note should it end the process.
    pub const fn breadcrumb(&self) -> &Breadcrumb {
        &self.breadcrumb
    }

    /// The one full encoding of the state.
    pub fn freeze(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("every part of the state has an encoding")
    }

    /// The reverse; `None` if the bytes are no frozen machine of this build.
    pub fn thaw(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    fn check_lease(&mut self) {
        let over = self.lease_until.is_some_and(|until| self.now.mono >= until);
        if self.role == Role::Leader && over {
            self.depose(DeposeReason::LeaseLost);
        }
    }

    fn follow_step(&mut self, input: Input) {
        match input {
            Input::Boot { seed, build, config } => {
                assert_eq!(self.role, Role::New, "a machine is booted once");
                assert!(!config.roles.is_empty(), "a framework has a role");
                self.role = Role::Standby;
                self.rng = Rng::new(seed);
                self.build = *build;
                self.roles = config.roles.iter().map(|role| Arc::from(role.as_str())).collect();
                self.config = *config;
            }
            Input::Follow { entries } => {
                self.breadcrumb.input = "Follow".into();
                for op in &entries {
                    self.follow(op);
                }
            }
            Input::Lead(lead) => {
                self.breadcrumb.input = "Lead".into();
                self.lead(&lead);
                self.settle();
            }
            Input::Lease { until } => self.lease_until = Some(until),
            Input::Depose { why } => self.depose(why),
            Input::Api { .. } => self.refuse(&input),
            Input::Mesos(_) | Input::Store(_) | Input::Gateway(_) | Input::Wake => {}
        }
    }

    fn lead_step(&mut self, input: Input) {
        match input {
            Input::Mesos(event) => self.on_link(event),
            Input::Store(event) => self.on_store(event),
            Input::Api { id, request } => {
                self.breadcrumb.input = "Api".into();
                self.on_request(id, &request);
            }
            Input::Lease { until } => self.lease_until = Some(until),
            Input::Depose { why } => self.depose(why),
            Input::Gateway(_) => {}
            Input::Wake => self.breadcrumb.input = "Wake".into(),
            Input::Boot { .. } | Input::Follow { .. } | Input::Lead(_) => {
                panic!("a leader neither boots, follows nor leads again")
            }
        }
    }

    /// Who does not lead answers requests, and nothing else.
    fn refuse(&mut self, input: &Input) {
        if let Input::Api { id, .. } = *input {
            let error =
                ApiError::new(ErrorKind::Unavailable, "this manager does not lead at the moment; try again");
            self.out.push(Effect::Reply { id, result: Err(error.into()) });
        }
    }

    fn on_store(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Stored { upto } => self.on_stored(upto),
            StoreEvent::Stalled => self.ledger.stalled = true,
            StoreEvent::Resumed => self.ledger.stalled = false,
            StoreEvent::Fenced => self.depose(DeposeReason::Fenced),
        }
    }

    fn on_link(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Connected(subscribed) => self.on_connected(&subscribed),
            LinkEvent::Disconnected { .. } => self.on_disconnected(),
            LinkEvent::Event(event) => self.on_mesos(*event),
            LinkEvent::Removed { message } => self.on_removed(&message),
            LinkEvent::Held { predecessors } => self.on_held(predecessors),
            LinkEvent::FailedOver => self.depose(DeposeReason::FailedOver),
        }
    }

    fn on_connected(&mut self, subscribed: &Subscribed) {
        self.void_offers();
        self.stats.connections += 1;
        let known = self.framework.id.as_ref();
        if known.is_some_and(|known| *known != subscribed.framework_id) {
            // Another id than ours would orphan every task (R9, R12).
            self.framework.removed = true;
            self.call(MesosCall::Disconnect);
            self.on_disconnected();
            return;
        }
        if known.is_none() {
            self.framework.id = Some(subscribed.framework_id.clone());
            self.ledger.note(Change::Framework);
        }
        self.end_hold();
        self.link.connected = true;
        self.forgive_rollouts();
        self.link.master = master_of(subscribed);
        self.levels.reset(&self.roles);
        if !mutant!(NoReconciliation) {
            self.restart_reconciliation();
        }
        let (framework, master) = (subscribed.framework_id.to_string(), self.link.master.clone());
        self.publish(None, None, EventKind::FrameworkSubscribed { framework, master });
    }

    fn on_disconnected(&mut self) {
        if self.link.connected {
            self.stats.disconnections += 1;
        }
        self.link.connected = false;
        self.void_offers();
        self.stop_reconciliation();
    }

    fn void_offers(&mut self) {
        if mutant!(OffersOutliveConnection) {
            return;
        }
        for held in self.offers.rescind_all() {
            self.let_go(held);
        }
    }

    fn on_mesos(&mut self, event: MesosEvent) {
        self.breadcrumb.input = event_name(&event).into();
        match event {
            MesosEvent::Offers(offers) => self.on_offers(offers),
            MesosEvent::Rescind(_) if mutant!(IgnoresRescind) => {}
            MesosEvent::Rescind(id) => {
                self.stats.rescinds += 1;
                if let Some(held) = self.offers.rescind(&id) {
                    self.let_go(held);
                }
            }
            MesosEvent::Update(status) => self.on_update(&status),
            MesosEvent::Failure(_) => self.stats.failures += 1,
            MesosEvent::InverseOffers(offers) => self.on_inverse_offers(offers),
            // Inverse offers are answered at once, and none is kept.
            MesosEvent::Subscribed(_)
            | MesosEvent::RescindInverseOffer(_)
            | MesosEvent::UpdateOperationStatus(_)
            | MesosEvent::Message { .. }
            | MesosEvent::Error { .. }
            | MesosEvent::Heartbeat
            | MesosEvent::Other(_) => self.stats.other_events += 1,
        }
    }

    /// A bounded piece of what is due and dirty.
    fn settle(&mut self) {
        if self.role != Role::Leader {
            return;
        }
        for _ in 0..TIMERS_PER_STEP {
            let Some(key) = self.timers.pop_due(self.now.mono) else { break };
            self.on_timer(key);
        }
        self.purge_some();
        self.tell_apps();
        self.plan();
        if self.can_place() {
            self.place();
        }
        self.note_agents();
        self.hand_over();
        self.return_offers();
        self.assert_levels();
    }

    fn on_timer(&mut self, key: TimerKey) {
        match key {
            TimerKey::Slot(app, slot) => self.slot_due(app, slot),
            TimerKey::Former(task) => self.former_due(&task),
            TimerKey::Quarantined(task) => self.quarantined_due(&task),
            TimerKey::Rollout(app) => self.rollout_due(app),
            TimerKey::Brake => self.brake_due(),
            TimerKey::Offers => self.offers_timer = None,
            TimerKey::Levels => self.levels_due(),
            TimerKey::Reconcile => self.reconcile_due(),
            TimerKey::Keys => self.keys_due(),
            TimerKey::Moves => self.moves_due(),
        }
    }

    /// Whether something that waits may find a place.
    fn can_place(&self) -> bool {
        self.may_place() && self.demand.worth_a_look(self.offers.arrivals)
    }

    /// Whether what is placed can leave.
    fn may_place(&self) -> bool {
        self.link.connected && !self.framework.removed && self.ledger.has_room()
    }

    fn has_work(&self) -> bool {
        !self.dirty_apps.is_empty()
            || self.purge.is_some()
            || self.moves.has_work()
            || (self.can_place() && self.offers.len() > 0)
            || (self.ledger.has_changes() && self.ledger.has_room())
    }

    /// The batch that a reader of live records must see durable before it relies on them.
    pub fn as_of(&self) -> Seq {
        self.ledger.as_of()
    }

    /// Live records of the keys in `from..to`, up to about `bytes_max`, and the key to go on from; for snapshots.
    pub fn records(&self, from: &RecordKey, to: Option<&RecordKey>, bytes_max: usize) -> RecordPage {
        RecordCursor::new(self, from, to).page(bytes_max)
    }
}

const fn event_name(event: &MesosEvent) -> &'static str {
    match event {
        MesosEvent::Subscribed(_) => "Mesos.Subscribed",
        MesosEvent::Offers(_) => "Mesos.Offers",
        MesosEvent::InverseOffers(_) => "Mesos.InverseOffers",
        MesosEvent::Rescind(_) => "Mesos.Rescind",
        MesosEvent::RescindInverseOffer(_) => "Mesos.RescindInverseOffer",
        MesosEvent::Update(_) => "Mesos.Update",
        MesosEvent::UpdateOperationStatus(_) => "Mesos.UpdateOperationStatus",
        MesosEvent::Message { .. } => "Mesos.Message",
        MesosEvent::Failure(_) => "Mesos.Failure",
        MesosEvent::Error { .. } => "Mesos.Error",
        MesosEvent::Heartbeat => "Mesos.Heartbeat",
        MesosEvent::Other(_) => "Mesos.Other",
    }
}

fn master_of(subscribed: &Subscribed) -> String {
    let Some(info) = &subscribed.master_info else { return String::new() };
    let Some(address) = &info.address else { return info.hostname.clone().unwrap_or_default() };
    let host = address.hostname.as_ref().or(address.ip.as_ref());
    host.map_or_else(String::new, |host| format!("{host}:{}", address.port))
}
