//! Owns changes of an existing app: each is checked whole, then begins a rollout.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use core::cmp::Ordering;

use super::Scheduler;
use super::api::{ApiError, ApiReply, AppChange, Caller, ErrorKind, Guard, RolloutVerb};
use super::apps::{App, AppIdx, VersionId};
use super::event::EventKind;
use super::requests::Outcome;
use super::rollout::{Goal, Operation, Stage};
use crate::id::DottedId;
use crate::limits::{INSTANCES_MAX, PURGES_PER_STEP};
use crate::spec::AppSpec;

/// What a change comes to, once it has been checked.
pub(super) struct Intent {
    pub(super) operation: Operation,
    /// The definition to keep as a new version, and the version whose tasks may stay.
    pub(super) spec: Option<(AppSpec, Option<VersionId>)>,
    /// The version wanted, if none is made.
    pub(super) version: VersionId,
    pub(super) instances: u32,
    /// Instances while it is not stopped.
    pub(super) size: u32,
}

impl App {
    /// What `change` comes to; `None` if there is nothing to do. `parse` reads a document.
    pub(super) fn intent(
        &self,
        change: &AppChange,
        parse: impl FnOnce(&[u8]) -> Result<AppSpec, ApiError>,
    ) -> Result<Option<Intent>, ApiError> {
        let (version, size) = (self.target, self.size);
        let plain = |operation, instances| Intent { operation, spec: None, version, instances, size };
        Ok(match change {
            AppChange::Update { document } => self.update_intent(parse(document)?)?,
            AppChange::Rollback { version } => self.rollback_intent(version.as_deref())?,
            AppChange::Scale { instances, ips } => self.scale_intent(*instances, ips.as_deref(), parse)?,
            AppChange::Restart => {
                let spec = AppSpec { instances: self.size, ..self.wanted().spec.clone() };
                Some(Intent { spec: Some((spec, None)), ..plain(Operation::Restarting, self.instances) })
            }
            AppChange::Stop => (self.instances > 0).then(|| plain(Operation::Stopping, 0)),
            AppChange::Start => {
                // What a rollout that failed left undone is begun again, too.
                let undone = self.others() > 0;
                let missing = self.instances != self.size || self.given_up() > 0;
                let operation = if undone { Operation::Updating } else { Operation::Starting };
                (missing || undone).then(|| plain(operation, self.size))
            }
            AppChange::Delete => Some(plain(Operation::Deleting, 0)),
        })
    }

    fn update_intent(&self, spec: AppSpec) -> Result<Option<Intent>, ApiError> {
        if spec.path != self.path {
            let detail = format!("id: is '{}' in the document, but the app is {}", spec.path, self.path);
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        let stopped = self.instances == 0 && self.size > 0;
        let wanted = &self.wanted().spec;
        let as_before = AppSpec { instances: spec.instances, ..wanted.clone() } == spec;
        if as_before && spec.instances == self.size && self.is_settled() {
            return Ok(None);
        }
        let same = spec.same_containers(wanted) && self.is_settled();
        let instances = if stopped { 0 } else { spec.instances };
        let operation = match (same, self.instances.cmp(&instances)) {
            (false, _) | (true, Ordering::Equal) => Operation::Updating,
            (true, Ordering::Less) => Operation::ScalingUp,
            (true, Ordering::Greater) => Operation::ScalingDown,
        };
        let runs = if same { Some(self.wanted_runs()) } else { self.still_running(&spec) };
        let size = spec.instances;
        Ok(Some(Intent { operation, spec: Some((spec, runs)), version: 0, instances, size }))
    }

    /// The version of the same configuration that some tasks still run: those may stay.
    fn still_running(&self, spec: &AppSpec) -> Option<VersionId> {
        let running =
            self.versions.values().rev().filter(|version| self.counts.versions.contains_key(&version.runs));
        running.filter(|version| version.spec.same_containers(spec)).map(|version| version.runs).next()
    }

    /// Whether nothing of an earlier change is left to do: a definition posted again then changes nothing.
    fn is_settled(&self) -> bool {
        self.error.is_empty() || self.given_up() == 0 && self.others() == 0
    }

    fn rollback_intent(&self, version: Option<&str>) -> Result<Option<Intent>, ApiError> {
        let version = match version {
            Some(text) => text.parse().ok().filter(|id| self.versions.contains_key(id)).ok_or_else(|| {
                ApiError::new(ErrorKind::NotFound, format!("app {} has no version '{text}'", self.path))
            })?,
            None => self.earlier_version().ok_or_else(|| {
                let detail = format!("app {} has no earlier version of another configuration", self.path);
                ApiError::new(ErrorKind::Conflict, detail)
            })?,
        };
        let (instances, size) = (self.instances, self.size);
        let intent = Intent { operation: Operation::RollingBack, spec: None, version, instances, size };
        Ok((version != self.target || !self.is_settled()).then_some(intent))
    }

    /// `ips` replaces the static addresses: the document is read again with them, so that they are checked like any.
    fn scale_intent(
        &self,
        instances: u32,
        ips: Option<&[String]>,
        parse: impl FnOnce(&[u8]) -> Result<AppSpec, ApiError>,
    ) -> Result<Option<Intent>, ApiError> {
        if instances > INSTANCES_MAX {
            let detail = format!("instances: must be at most {INSTANCES_MAX}, not {instances}");
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        let wanted = &self.wanted().spec;
        let spec = match ips {
            Some(ips) if ips != wanted.ips => {
                let with = AppSpec { instances, ips: ips.into(), ..wanted.clone() };
                parse(with.canonical_json().as_bytes())?
            }
            _ => AppSpec { instances, ..wanted.clone() },
        };
        let (same, runs) = (spec.ips == wanted.ips, self.wanted_runs());
        // A scale that is forced into a rollout goes on with what that replaces.
        let replaces = !same || self.operation().replaces();
        let operation = match (replaces, instances.cmp(&self.instances)) {
            (_, Ordering::Equal) if same => return Ok(None),
            (true, _) => Operation::Updating,
            (false, Ordering::Equal | Ordering::Greater) => Operation::ScalingUp,
            (false, Ordering::Less) => Operation::ScalingDown,
        };
        let spec = Some((spec, same.then_some(runs)));
        Ok(Some(Intent { operation, spec, version: 0, instances, size: instances }))
    }

    /// Versions that must be kept.
    pub(super) fn versions_in_use(&self) -> BTreeSet<VersionId> {
        let rollout = self.rollout.iter().flat_map(|rollout| [rollout.from, rollout.to]);
        let ran = self.slots().iter().map(|slot| slot.ran);
        let running = self.counts.versions.keys().copied();
        [self.target, self.wanted_runs()].into_iter().chain(rollout).chain(ran).chain(running).collect()
    }
}

impl Scheduler {
    /// Changes an app: checked whole, then a rollout begins.
    pub(super) fn change_app(
        &mut self,
        who: &Caller,
        app: &DottedId,
        change: &AppChange,
        guard: Guard,
    ) -> Outcome {
        let idx = self.find(app, guard.if_match)?;
        let current = self.apps.get(idx).expect("found just now");
        self.check_unlocked(current, change, guard.force)?;
        let Some(intent) = current.intent(change, |document| Ok(self.parse(document)?.spec))? else {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
        };
        let from = current.instances;
        let Intent { operation, instances, size, .. } = intent;
        if current.operation() == Operation::Deleting {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
        }
        self.end_rollout(idx, Stage::Replaced);
        let version = match intent.spec {
            Some((spec, runs)) => self.add_version(idx, spec, runs),
            None => intent.version,
        };
        self.begin_rollout(idx, Goal { operation, version, instances, size, automatic: false });
        let event = event_of(change, from, instances, version);
        self.publish(Some(idx), Some(who), event);
        Ok(ApiReply::Accepted { app: app.clone(), revision: self.revision(idx) })
    }

    /// A change waits for the one before, unless it is forced; a deletion never does.
    pub(super) fn check_unlocked(&self, app: &App, change: &AppChange, force: bool) -> Result<(), ApiError> {
        let operation = app.operation();
        let deletes = matches!(change, AppChange::Delete);
        let free = operation == Operation::Noop || deletes || force && operation != Operation::Deleting;
        if free {
            return Ok(());
        }
        let detail = format!("app '{}' status is {}, operation not allowed", app.dotted, operation.name());
        Err(ApiError::new(ErrorKind::Locked, detail))
    }

    /// Pauses, resumes or takes back the rollout under way.
    pub(super) fn steer(&mut self, who: &Caller, app: &DottedId, verb: RolloutVerb) -> Outcome {
        let clock = self.clock.read(self.now.mono);
        let idx = self.find(app, None)?;
        let current = self.apps.get_mut(idx).expect("found just now");
        let Some(rollout) = current.rollout.as_mut() else {
            let detail = format!("app '{app}' has no rollout under way");
            return Err(ApiError::new(ErrorKind::Conflict, detail));
        };
        if rollout.operation == Operation::Deleting {
            return Err(ApiError::new(ErrorKind::Locked, format!("app '{app}' is being deleted")));
        }
        let stage = match (verb, rollout.stage) {
            (RolloutVerb::Cancel, _) => return self.cancel(who, idx),
            (RolloutVerb::Pause, Stage::Running) => Stage::Paused,
            (RolloutVerb::Resume, Stage::Paused) => Stage::Running,
            (RolloutVerb::Pause | RolloutVerb::Resume, _) => {
                return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
            }
        };
        if verb == RolloutVerb::Pause && !rollout.operation.replaces() {
            let detail = format!(
                "only a rollout that replaces tasks can rest; this one is {}",
                rollout.operation.name()
            );
            return Err(ApiError::new(ErrorKind::Conflict, detail));
        }
        rollout.stage = stage;
        rollout.progress_at = clock;
        let event = if stage == Stage::Paused { EventKind::RolloutPaused } else { EventKind::RolloutResumed };
        current.look_at_all_pairs();
        self.drop_demand(idx);
        self.enqueue_all(idx);
        let revision = self.changed(idx);
        self.arm_rollout(idx);
        self.publish(Some(idx), Some(who), event);
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    /// Goes back to what was wanted before the rollout under way.
    fn cancel(&mut self, who: &Caller, idx: AppIdx) -> Outcome {
        let current = self.apps.get(idx).expect("found just now");
        let rollout = current.rollout.as_ref().expect("found just now");
        let kept = current.versions.contains_key(&rollout.from);
        if !kept {
            let detail = format!(
                "there is nothing to go back to from {}; delete the app instead",
                rollout.operation.name()
            );
            return Err(ApiError::new(ErrorKind::Conflict, detail));
        }
        let goal = Goal {
            operation: Operation::RollingBack,
            version: rollout.from,
            instances: rollout.from_instances,
            size: rollout.from_size,
            automatic: false,
        };
        self.end_rollout(idx, Stage::Cancelled);
        self.begin_rollout(idx, goal);
        self.publish(Some(idx), Some(who), EventKind::RolloutCancelled);
        let app = self.apps.get(idx).expect("found just now");
        Ok(ApiReply::Accepted { app: app.dotted.clone(), revision: app.revision })
    }

    /// The rollout under way ends where it stands.
    pub(super) fn reset(&mut self, app: &DottedId) -> Outcome {
        let idx = self.find(app, None)?;
        let current = self.apps.get(idx).expect("found just now");
        if current.operation() == Operation::Deleting {
            return Err(ApiError::new(ErrorKind::Locked, format!("app '{app}' is being deleted")));
        }
        if current.rollout.is_none() {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
        }
        self.end_rollout(idx, Stage::Cancelled);
        let current = self.apps.get_mut(idx).expect("found just now");
        current.error = current.left_behind();
        Ok(ApiReply::Accepted { app: app.clone(), revision: self.revision(idx) })
    }

    /// Keeps a version without rolling it out.
    pub(super) fn keep_version(&mut self, app: &DottedId, document: &[u8]) -> Outcome {
        let idx = self.find(app, None)?;
        let spec = self.parse(document)?.spec;
        let current = self.apps.get(idx).expect("found just now");
        if spec.path != current.path {
            let detail = format!("id: is '{}' in the document, but the app is {}", spec.path, current.path);
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        let same = spec.same_containers(&current.wanted().spec).then(|| current.wanted_runs());
        let version = self.add_version(idx, spec, same).to_string();
        let revision = self.changed(idx);
        Ok(ApiReply::Created { app: app.clone(), revision, version })
    }

    /// Deletes a few more of the apps that a purge deletes.
    pub(super) fn purge_some(&mut self) {
        let Some(after) = self.purge.take() else { return };
        let page: alloc::vec::Vec<(AppIdx, String)> = self
            .apps
            .after(Some(&after))
            .take(PURGES_PER_STEP)
            .map(|(idx, app)| (idx, app.dotted.as_str().to_string()))
            .collect();
        self.purge = page.last().filter(|_| page.len() == PURGES_PER_STEP).map(|(_, last)| last.clone());
        for (idx, _) in page {
            let app = self.apps.get(idx).expect("listed just now");
            if app.operation() != Operation::Deleting {
                let (version, size) = (app.target, app.size);
                self.end_rollout(idx, Stage::Replaced);
                let goal =
                    Goal { operation: Operation::Deleting, version, instances: 0, size, automatic: false };
                self.begin_rollout(idx, goal);
                self.publish(Some(idx), None, EventKind::AppDeleting);
            }
        }
    }
}

/// What listeners are told of a change that was taken.
fn event_of(change: &AppChange, from: u32, to: u32, version: VersionId) -> EventKind {
    let version = version.to_string();
    match change {
        AppChange::Update { .. } => EventKind::AppUpdated { version },
        AppChange::Rollback { .. } => EventKind::AppRolledBack { version, reason: String::new() },
        AppChange::Scale { .. } => EventKind::AppScaled { from, to },
        AppChange::Restart => EventKind::AppRestarting { version },
        AppChange::Stop => EventKind::AppStopping,
        AppChange::Start => EventKind::AppStarting,
        AppChange::Delete => EventKind::AppDeleting,
    }
}
