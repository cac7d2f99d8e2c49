//! Owns dry runs: what a change would do, without doing it.

use alloc::format;
use alloc::string::String;

use super::Scheduler;
use super::api::{ApiCall, ApiError, AppChange, ErrorKind, Guard};
use super::apps::{App, VersionId};
use super::changes::Intent;
use super::reading::View;
use super::rollout::{Bounds, Operation};
use super::view::DryRunView;
use crate::id::DottedId;
use crate::spec::{AppSpec, Parsed};

impl View<'_> {
    /// What `call` would do; `Err` if it would be refused.
    pub fn dry_run(&self, call: &ApiCall) -> Result<DryRunView, ApiError> {
        match call {
            ApiCall::CreateApp { document } => {
                let Parsed { spec, warnings, .. } = self.machine.parse(document)?;
                self.machine.check_new(&spec)?;
                let view = self.machine.expected(None, Operation::Creating, &spec, spec.instances, 0);
                Ok(DryRunView { warnings, ..view })
            }
            ApiCall::ChangeApp { app, change, guard } => self.dry_change(app, change, *guard),
            _ => Err(ApiError::new(ErrorKind::Invalid, "this request cannot be tried without being done")),
        }
    }

    fn dry_change(&self, app: &DottedId, change: &AppChange, guard: Guard) -> Result<DryRunView, ApiError> {
        let machine = self.machine;
        let app = machine.apps.get(machine.look_up(app, guard.if_match)?).expect("found just now");
        machine.check_unlocked(app, change, guard.force)?;
        let warnings = match change {
            AppChange::Update { document } => machine.parse(document)?.warnings,
            _ => Default::default(),
        };
        let intent = app.intent(change, |document| Ok(machine.parse(document)?.spec))?;
        let Some(Intent { operation, spec, version, instances, .. }) = intent else {
            let spec = app.wanted().spec.canonical_json();
            return Ok(DryRunView {
                operation: Operation::Noop.name(),
                warnings,
                spec,
                ..DryRunView::default()
            });
        };
        let (spec, runs) = match spec {
            Some((spec, runs)) => (spec, runs),
            None => {
                let version = app.versions.get(&version).expect("an intent names a version that is kept");
                (AppSpec { instances: app.size, ..version.spec.clone() }, Some(version.runs))
            }
        };
        let replaced = if operation.replaces() { tasks_of_others(app, runs, instances) } else { 0 };
        let view = machine.expected(Some(app), operation, &spec, instances, replaced);
        Ok(DryRunView { warnings, ..view })
    }
}

/// Tasks in slots that stay which run another version than this one.
fn tasks_of_others(app: &App, runs: Option<VersionId>, instances: u32) -> u32 {
    let stay = app.slots().iter().take(instances as usize).filter_map(|slot| slot.task.as_ref());
    u32::try_from(stay.filter(|task| Some(task.version) != runs).count()).expect("slots are limited")
}

impl Scheduler {
    /// The numbers of a change.
    fn expected(
        &self,
        app: Option<&App>,
        operation: Operation,
        spec: &AppSpec,
        instances: u32,
        replaced: u32,
    ) -> DryRunView {
        let present = app.map_or(0, App::slot_count);
        let started = replaced + instances.saturating_sub(present);
        let Bounds { floor, ceiling, .. } = Bounds::of(spec, instances);
        DryRunView {
            operation: operation.name(),
            warnings: Default::default(),
            replaced,
            started,
            ended: replaced + present.saturating_sub(instances),
            limits: (floor, ceiling),
            placeable: self.placeable(spec, started),
            spec: spec.canonical_json(),
        }
    }

    /// The app, if it is at the revision that the caller has seen.
    pub(super) fn look_up(
        &self,
        app: &DottedId,
        if_match: Option<u64>,
    ) -> Result<super::apps::AppIdx, ApiError> {
        let Some(idx) = self.apps.find(app.as_str()) else {
            return Err(ApiError::new(ErrorKind::NotFound, format!("there is no app '{app}'")));
        };
        let current = self.apps.get(idx).expect("found just now").revision;
        match if_match {
            Some(seen) if seen != current => {
                let detail = format!("app '{app}' is at revision {current}, not {seen}; read it again");
                Err(ApiError::new(ErrorKind::PreconditionFailed, detail))
            }
            _ => Ok(idx),
        }
    }

    /// Whether an app of this definition can be created beside those that are there.
    pub(super) fn check_new(&self, spec: &AppSpec) -> Result<DottedId, ApiError> {
        use crate::limits::{APPS_MAX, DOTTED_ID_BYTES_MAX};
        let dotted = spec.path.dotted();
        if dotted.as_str().len() > DOTTED_ID_BYTES_MAX {
            let path = &spec.path;
            let detail = format!(
                "id: '{path}' is too long: at most {DOTTED_ID_BYTES_MAX} bytes without the first '/'"
            );
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        if let Some(other) = self.apps.collision(dotted.as_str()) {
            let detail =
                format!("'{dotted}' collides with the existing app {} ({})", other.path, other.dotted);
            return Err(ApiError::new(ErrorKind::Conflict, detail));
        }
        if self.apps.len() >= APPS_MAX {
            let detail: String = format!("there are {APPS_MAX} apps, which is the limit");
            return Err(ApiError::new(ErrorKind::TooMany, detail));
        }
        Ok(dotted)
    }
}
