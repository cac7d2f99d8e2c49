//! Owns the beginning and the end of leadership: from a followed state to an acting one, the same way after a start, a
//! takeover and a crash.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::api::FrameworkWord;
use super::apps::AppIdx;
use super::effect::MesosCall;
use super::event::EventKind;
use super::input::{CrashNote, DeposeReason, Lead};
use super::ledger::Change;
use super::slot::{SUCCESSOR, Task};
use super::{Role, Scheduler};
use crate::limits::{FAILOVER_TIMEOUT, STAGING_ASK};
use crate::mesos::{Capability, FrameworkInfo, TaskId, TaskState};
use crate::predecessor::JOURNAL_LABEL;
use crate::rng::Rng;
use crate::time::{ClusterTime, Instant, Millis};

/// Cluster time as a function of the monotonic clock of this leadership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ClusterClock {
    base: ClusterTime,
    since: Instant,
}

impl ClusterClock {
    /// Cluster time at `now`.
    pub(super) fn read(self, now: Instant) -> ClusterTime {
        self.base + now.since(self.since)
    }
}

impl Scheduler {
    /// Everything durable was followed: act from now on.
    pub(super) fn lead(&mut self, lead: &Lead) {
        assert_eq!(self.role, Role::Standby, "only a standby becomes leader");
        if self.stats.odd_records > 0 {
            // Whoever leads over what it has not understood would undo it.
            self.depose(DeposeReason::Unreadable);
            return;
        }
        self.role = Role::Leader;
        self.rng = Rng::new(lead.seed);
        self.clock = ClusterClock { base: lead.cluster_time, since: self.now.mono };
        self.ledger.begin(lead.epoch, lead.seq);
        self.stats.orphan_records = self.orphans.len() as u64;
        for (key, _) in core::mem::take(&mut self.orphans) {
            // What was left of an app whose deletion was cut short must not become another's of its name.
            self.ledger.note(Change::Gone(key));
        }
        // Before any app resumes: one that is left alone must not even wait.
        self.quarantine_crashing(&lead.crash_notes);
        self.agents.resume();
        // Before any app resumes: it is judged by all of them, and decides what they may do.
        self.recall_losses();
        for idx in self.apps.indexes().collect::<Vec<_>>() {
            self.resume_app(idx);
        }
        let tasks: Vec<TaskId> = self.former.keys().cloned().collect();
        for task in tasks {
            self.await_former(&task);
        }
        self.resume_quarantine();
        self.arm_keys();
        if !self.awaits_word() {
            self.subscribe();
        }
    }

    /// Sets an app going that was only followed so far.
    fn resume_app(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let Some(app) = self.apps.get_mut(idx) else { return };
        assert!(app.versions.contains_key(&app.target), "the wanted version was followed with its app");
        let min_healthy = app.wanted().spec.update.min_healthy;
        for seat in app.seats_from(0).collect::<Vec<_>>() {
            let version = app.slot(seat).and_then(|s| s.task.as_ref()).map(|task| task.version);
            let checked =
                version.and_then(|id| app.versions.get(&id)).is_some_and(|v| v.spec.health.is_some());
            app.edit(seat, |s| {
                if let Some(task) = &mut s.task {
                    task.checked = checked;
                    task.settled = task.serves() && clock.since(task.since) >= min_healthy;
                }
            });
        }
        app.recount();
        self.end_half_promotions(idx);
        self.resume_moves(idx);
        self.wake_slots(idx);
        self.arm_rollout(idx);
        self.queue_plan(idx);
    }

    /// A successor that was taking its slot's first seat when the process before ended is there already.
    fn end_half_promotions(&mut self, idx: AppIdx) {
        let app = self.apps.get(idx).expect("resumed just now");
        let hex = |seat| app.slot(seat).and_then(|slot| slot.task.as_ref()).map(|task| task.hex);
        let twice = |seat: &u32| hex(*seat).is_some() && hex(*seat) == hex(*seat & !SUCCESSOR);
        let twice: Vec<u32> = app.seats_from(SUCCESSOR).filter(twice).collect();
        for seat in twice {
            let app = self.apps.get_mut(idx).expect("resumed just now");
            if let Some(task) = app.edit(seat, |slot| slot.task.take()) {
                self.agents.release(task.agent);
                self.live_tasks -= 1;
            }
        }
    }

    /// Arms the timer that each slot's state asks for, and lets those wait that need a task.
    pub(super) fn wake_slots(&mut self, idx: AppIdx) {
        let seats: Vec<u32> = self.apps.get(idx).map_or_else(Vec::new, |app| app.seats_from(0).collect());
        for seat in seats {
            let due = self.due_of(idx, seat).map(|wait| self.now.mono + wait);
            let app = self.apps.get(idx).expect("counted just now");
            let waits = app.slot(seat).is_some_and(|s| s.task.is_none()) && due.is_none() && app.wants(seat);
            self.arm_slot(idx, seat, due);
            if waits {
                self.enqueue(idx, seat);
            }
        }
        self.queue_plan(idx);
    }

    /// Leaves an app alone whose steps ended two processes at the same assertion.
    fn quarantine_crashing(&mut self, notes: &[CrashNote]) {
        for (at, note) in notes.iter().enumerate() {
            let Some(entity) = &note.breadcrumb.entity else { continue };
            let before = notes[..at]
                .iter()
                .filter(|n| n.assertion == note.assertion && n.breadcrumb.entity.as_ref() == Some(entity));
            if before.count() != 1 {
                continue;
            }
            let Some(idx) = self.apps.find(entity.as_str()) else { continue };
            let reason = format!("steps for it ended two processes at {}", note.assertion);
            let app = self.apps.get_mut(idx).expect("found just now");
            if app.quarantined.is_none() {
                app.quarantined = Some(reason.clone());
                self.note_app(idx);
                self.publish(Some(idx), None, EventKind::AppQuarantined { reason });
            }
        }
    }

    /// Tells the link to connect as this framework.
    pub(super) fn subscribe(&mut self) {
        let config = &self.config;
        let framework_info = FrameworkInfo {
            id: self.framework.id.clone(),
            user: config.user.clone(),
            name: config.framework_name.clone(),
            roles: config.roles.clone(),
            role: None,
            principal: config.principal.clone(),
            failover_timeout: Some(FAILOVER_TIMEOUT),
            checkpoint: Some(true),
            hostname: Some(config.hostname.clone()),
            webui_url: config.webui_url.clone(),
            capabilities: [
                Capability::MULTI_ROLE,
                Capability::PARTITION_AWARE,
                Capability::TASK_KILLING_STATE,
                Capability::GPU_RESOURCES,
                Capability::REGION_AWARE,
            ]
            .into(),
            labels: if config.journal.is_empty() {
                Vec::new()
            } else {
                vec![(JOURNAL_LABEL.into(), Some(config.journal.clone()))]
            },
        };
        let framework_info = framework_info.into();
        let hold = self.framework.hold.as_ref();
        let anew = hold.is_some_and(|hold| hold.word == Some(FrameworkWord::New));
        let call = MesosCall::Subscribe { framework_info, suppressed_roles: Vec::new(), anew };
        self.call(call);
    }

    /// How long until a seat needs to be looked at; `None` if only news can change it.
    fn due_of(&self, idx: AppIdx, seat: u32) -> Option<Millis> {
        let clock = self.clock.read(self.now.mono);
        let slot = self.apps.get(idx)?.slot(seat)?;
        let left = |since: ClusterTime, span: Millis| Millis(span.0.saturating_sub(clock.since(since).0));
        match &slot.task {
            None => (slot.not_before > clock).then(|| slot.not_before.since(clock)),
            Some(task) if task.state == TaskState::Unreachable => {
                self.lost_pause(idx, seat).map(|pause| left(task.since, pause))
            }
            Some(Task { stop: Some(_), .. }) => Some(Millis(0)),
            Some(task) => match task.state {
                TaskState::Staging | TaskState::Starting => Some(STAGING_ASK),
                _ => self.running_timer(idx, seat).map(|at| at.since(self.now.mono)),
            },
        }
    }

    /// Acts no more; whatever is in flight is the next leader's.
    pub(super) fn depose(&mut self, why: DeposeReason) {
        self.role = Role::Deposed(why);
    }
}
