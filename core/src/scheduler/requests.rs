//! Owns what a request changes: it is checked whole, then wanted; the planner does the rest.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use super::Scheduler;
use super::api::{ApiCall, ApiError, ApiReply, ApiRequest, AppChange, Caller, ErrorKind, Problem};
use super::apps::{App, AppIdx, Operation};
use super::codec::Key;
use super::effect::Effect;
use super::event::EventKind;
use super::input::RequestId;
use super::keys::scoped;
use super::ledger::{Change, Gated};
use super::planner::version_of;
use super::slot::StopReason;
use crate::id::DottedId;
use crate::limits::{
    APPS_MAX, DOTTED_ID_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX, INSTANCES_MAX, SPEC_BYTES_MAX, VERSIONS_MAX,
};
use crate::mesos::TaskId;
use crate::spec::AppSpec;

type Outcome = Result<ApiReply, ApiError>;

impl Scheduler {
    /// Handles one request: refused at once, or answered when what it changed is durable.
    pub(super) fn on_request(&mut self, id: RequestId, request: &ApiRequest) {
        self.stats.requests += 1;
        match self.take_request(request) {
            Ok(reply) => self.gate(Gated::Reply { id, reply: Box::new(reply) }),
            Err(error) => {
                self.stats.requests_refused += 1;
                self.out.push(Effect::Reply { id, result: Err(Box::new(error)) });
            }
        }
    }

    fn take_request(&mut self, request: &ApiRequest) -> Outcome {
        if self.ledger.stalled {
            let detail = "the store does not take writes at the moment; nothing was changed, try again";
            return Err(ApiError::new(ErrorKind::Unavailable, detail));
        }
        if let Some(key) = &request.idempotency {
            if key.key.is_empty() || key.key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
                let detail = format!("Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
                return Err(ApiError::new(ErrorKind::Invalid, detail));
            }
            match self.keys.get(&scoped(&request.who, &key.key)) {
                Some(known) if known.fingerprint == key.fingerprint => return Ok(known.reply.clone()),
                Some(_) => {
                    let detail = "this Idempotency-Key was used for another request; choose a new one";
                    return Err(ApiError::new(ErrorKind::KeyReused, detail));
                }
                None => {}
            }
        }
        let reply = self.change(&request.who, &request.call)?;
        self.remember(request, &reply);
        Ok(reply)
    }

    fn change(&mut self, who: &Caller, call: &ApiCall) -> Outcome {
        match call {
            ApiCall::CreateApp { document } => self.create(who, document),
            ApiCall::ChangeApp { app, change, guard } => match change {
                AppChange::Update { document } => self.update(who, app, document, guard.if_match),
                AppChange::Scale { instances, .. } => self.scale(who, app, *instances, guard.if_match),
                AppChange::Delete => self.delete(who, app, guard.if_match),
                AppChange::Rollback { .. } | AppChange::Restart | AppChange::Stop | AppChange::Start => {
                    Err(ApiError::new(ErrorKind::NotFound, "this change is not supported yet"))
                }
            },
            ApiCall::KillTask { app, task } => self.kill_task(app, task),
            ApiCall::KillTasks { app } => self.kill_tasks(app),
            ApiCall::ReleaseApp { app } => self.release_app(who, app),
            ApiCall::SteerRollout { .. }
            | ApiCall::ResetApp { .. }
            | ApiCall::AddVersion { .. }
            | ApiCall::Purge
            | ApiCall::OverrideBrake => {
                Err(ApiError::new(ErrorKind::NotFound, "this change is not supported yet"))
            }
        }
    }

    fn create(&mut self, who: &Caller, document: &[u8]) -> Outcome {
        let spec = self.parse(document)?;
        let path = spec.path.clone();
        let dotted = path.dotted();
        if dotted.as_str().len() > DOTTED_ID_BYTES_MAX {
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
            return Err(ApiError::new(
                ErrorKind::TooMany,
                format!("there are {APPS_MAX} apps, which is the limit"),
            ));
        }
        let instances = spec.instances;
        let idx = self.apps.insert(App::new(path, self.now.wall));
        let version = self.add_version(idx, spec, None);
        let app = self.apps.get_mut(idx).expect("inserted just now");
        app.instances = instances;
        app.operation = Operation::Creating;
        let revision = self.changed(idx);
        self.publish(Some(idx), Some(who), EventKind::AppCreated { version: version.clone(), instances });
        Ok(ApiReply::Created { app: dotted, revision, version })
    }

    fn update(&mut self, who: &Caller, app: &DottedId, document: &[u8], if_match: Option<u64>) -> Outcome {
        let idx = self.find_idle(app, if_match)?;
        let spec = self.parse(document)?;
        let current = self.apps.get(idx).expect("found just now");
        if spec.path != current.path {
            let detail = format!("id: is '{}' in the document, but the app is {}", spec.path, current.path);
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        if spec == current.wanted().spec && spec.instances == current.instances {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
        }
        let same = spec.same_containers(&current.wanted().spec);
        let runs = same.then(|| current.wanted_runs());
        let (from, to) = (current.instances, spec.instances);
        let version = self.add_version(idx, spec, runs);
        let app_now = self.apps.get_mut(idx).expect("found just now");
        app_now.instances = to;
        app_now.operation = match (same, from.cmp(&to)) {
            (false, _) => Operation::Updating,
            (true, core::cmp::Ordering::Less) => Operation::ScalingUp,
            (true, core::cmp::Ordering::Greater) => Operation::ScalingDown,
            (true, core::cmp::Ordering::Equal) => Operation::Noop,
        };
        app_now.recount();
        self.drop_demand(idx);
        let revision = self.changed(idx);
        self.publish(Some(idx), Some(who), EventKind::AppUpdated { version });
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    fn scale(&mut self, who: &Caller, app: &DottedId, instances: u32, if_match: Option<u64>) -> Outcome {
        let idx = self.find_idle(app, if_match)?;
        if instances > INSTANCES_MAX {
            let detail = format!("instances: must be at most {INSTANCES_MAX}, not {instances}");
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        let current = self.apps.get(idx).expect("found just now");
        let from = current.instances;
        if from == instances {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
        }
        let mut spec = current.wanted().spec.clone();
        spec.instances = instances;
        let runs = current.wanted_runs();
        self.add_version(idx, spec, Some(runs));
        let app_now = self.apps.get_mut(idx).expect("found just now");
        app_now.instances = instances;
        app_now.operation = if instances > from { Operation::ScalingUp } else { Operation::ScalingDown };
        app_now.recount();
        self.drop_demand(idx);
        let revision = self.changed(idx);
        self.publish(Some(idx), Some(who), EventKind::AppScaled { from, to: instances });
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    fn delete(&mut self, who: &Caller, app: &DottedId, if_match: Option<u64>) -> Outcome {
        let idx = self.find(app, if_match)?;
        let app_now = self.apps.get_mut(idx).expect("found just now");
        if app_now.operation == Operation::Deleting {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: app_now.revision });
        }
        app_now.instances = 0;
        app_now.operation = Operation::Deleting;
        app_now.recount();
        self.drop_demand(idx);
        let revision = self.changed(idx);
        self.publish(Some(idx), Some(who), EventKind::AppDeleting);
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    fn kill_task(&mut self, app: &DottedId, task: &TaskId) -> Outcome {
        let idx = self.find(app, None)?;
        let name = crate::id::TaskName::parse(task.as_str()).filter(|name| name.app == app.as_str());
        let current = self.apps.get(idx).expect("found just now");
        let slot = name.filter(|name| {
            current.slot(name.slot).and_then(|s| s.task.as_ref()).is_some_and(|task| task.hex == name.hex)
        });
        let Some(slot) = slot.map(|name| name.slot) else {
            let detail = format!("app {} has no task '{task}'", current.path);
            return Err(ApiError::new(ErrorKind::NotFound, detail));
        };
        let revision = current.revision;
        self.stop_task(idx, slot, StopReason::Operator);
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    fn kill_tasks(&mut self, app: &DottedId) -> Outcome {
        let idx = self.find(app, None)?;
        let current = self.apps.get(idx).expect("found just now");
        let (revision, slots) = (current.revision, current.slot_count());
        for slot in 0..slots {
            self.stop_task(idx, slot, StopReason::Operator);
        }
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    fn release_app(&mut self, who: &Caller, app: &DottedId) -> Outcome {
        let idx = self.find(app, None)?;
        let current = self.apps.get_mut(idx).expect("found just now");
        if current.quarantined.take().is_none() {
            return Ok(ApiReply::Unchanged { app: app.clone(), revision: current.revision });
        }
        let revision = self.changed(idx);
        self.wake_slots(idx);
        self.publish(Some(idx), Some(who), EventKind::AppReleased);
        Ok(ApiReply::Accepted { app: app.clone(), revision })
    }

    /// Adds a version and wants it; `runs` is the version whose tasks may stay. Forgets the oldest unused.
    fn add_version(&mut self, idx: AppIdx, spec: AppSpec, runs: Option<u64>) -> String {
        let now = self.now.wall;
        let app = self.apps.get_mut(idx).expect("only living apps get versions");
        let newest = app.versions.keys().next_back().map_or(0, |&newest| newest);
        let id = newest.saturating_add(1).max(now.0.saturating_mul(1_000_000));
        let version = version_of(app, id, spec, runs.unwrap_or(id), now);
        app.versions.insert(id, version);
        app.target = id;
        let mut surplus = app.versions.len().saturating_sub(VERSIONS_MAX);
        let wanted_runs = app.wanted_runs();
        let old: alloc::vec::Vec<u64> = app.versions.keys().copied().collect();
        for old in old {
            let used = old == id || old == wanted_runs || app.counts.versions.contains_key(&old);
            if surplus == 0 || used {
                continue;
            }
            surplus -= 1;
            app.versions.remove(&old);
            let key = Key::Version(app.dotted.as_str().into(), old).encode();
            self.ledger.note(Change::Gone(key));
        }
        self.ledger.note(Change::Version(idx, id));
        id.to_string()
    }

    /// The app's definition or operation has changed; gives its new revision.
    fn changed(&mut self, idx: AppIdx) -> u64 {
        let now = self.now.wall;
        let app = self.apps.get_mut(idx).expect("only living apps change");
        app.revision += 1;
        app.updated = now;
        app.error.clear();
        let revision = app.revision;
        self.note_app(idx);
        self.queue_plan(idx);
        revision
    }

    fn find(&mut self, app: &DottedId, if_match: Option<u64>) -> Result<AppIdx, ApiError> {
        let Some(idx) = self.apps.find(app.as_str()) else {
            return Err(ApiError::new(ErrorKind::NotFound, format!("there is no app '{app}'")));
        };
        self.breadcrumb.entity = Some(app.clone());
        let current = self.apps.get(idx).expect("found just now").revision;
        match if_match {
            Some(seen) if seen != current => {
                let detail = format!("app '{app}' is at revision {current}, not {seen}; read it again");
                Err(ApiError::new(ErrorKind::PreconditionFailed, detail))
            }
            _ => Ok(idx),
        }
    }

    fn find_idle(&mut self, app: &DottedId, if_match: Option<u64>) -> Result<AppIdx, ApiError> {
        let idx = self.find(app, if_match)?;
        let operation = self.apps.get(idx).expect("found just now").operation;
        if operation == Operation::Noop {
            return Ok(idx);
        }
        let detail = format!("app '{app}' status is {}, operation not allowed", operation.name());
        Err(ApiError::new(ErrorKind::Locked, detail))
    }
}

impl Scheduler {
    fn parse(&self, document: &[u8]) -> Result<AppSpec, ApiError> {
        if document.len() > SPEC_BYTES_MAX {
            let detail =
                format!("the definition must have at most {SPEC_BYTES_MAX} bytes, not {}", document.len());
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        let invalid = |problems| {
            let detail = String::from("the definition is not valid");
            ApiError { kind: ErrorKind::Invalid, detail, problems }
        };
        let spec = AppSpec::parse(document).map_err(invalid)?.spec;
        match &spec.role {
            Some(role) if !self.roles.iter().any(|own| **own == **role) => {
                let message =
                    format!("is \"{role}\"; must be a role of this manager: {}", self.roles.join(", "));
                Err(invalid(vec![Problem { path: "role".into(), message }]))
            }
            _ => Ok(spec),
        }
    }
}
