//! Owns what a request changes: it is checked whole, then wanted; the planner does the rest.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::Scheduler;
use super::api::{ApiCall, ApiError, ApiReply, ApiRequest, Caller, ErrorKind, Problem};
use super::apps::{App, AppIdx};
use super::codec::Key;
use super::effect::Effect;
use super::event::EventKind;
use super::input::RequestId;
use super::keys::scoped;
use super::ledger::{Change, Gated};
use super::planner::version_of;
use super::rollout::{Goal, Operation};
use super::slot::StopReason;
use crate::id::DottedId;
use crate::limits::{IDEMPOTENCY_KEY_BYTES_MAX, SPEC_BYTES_MAX, VERSIONS_MAX};
use crate::mesos::TaskId;
use crate::spec::{AppSpec, Parsed};

pub(super) type Outcome = Result<ApiReply, ApiError>;

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
        if !matches!(request.call, ApiCall::ChooseFramework { .. }) {
            self.refuse_while_held()?;
        }
        let reply = self.change(&request.who, &request.call)?;
        self.remember(request, &reply);
        Ok(reply)
    }

    fn change(&mut self, who: &Caller, call: &ApiCall) -> Outcome {
        match call {
            ApiCall::CreateApp { document } => self.create(who, document),
            ApiCall::ChangeApp { app, change, guard } => self.change_app(who, app, change, *guard),
            ApiCall::KillTask { app, task } => self.kill_task(app, task),
            ApiCall::KillTasks { app } => self.kill_tasks(app),
            ApiCall::ReleaseApp { app } => self.release_app(who, app),
            ApiCall::SteerRollout { app, verb } => self.steer(who, app, *verb),
            ApiCall::ResetApp { app } => self.reset(app),
            ApiCall::AddVersion { app, document } => self.keep_version(app, document),
            ApiCall::Purge => {
                self.purge = Some(String::new());
                Ok(ApiReply::Done)
            }
            ApiCall::ChooseFramework { word } => self.take_word(who, word),
            ApiCall::KillQuarantined { task } => self.end_quarantined(task),
            ApiCall::OverrideBrake => {
                self.override_brake();
                Ok(ApiReply::Done)
            }
        }
    }

    fn create(&mut self, who: &Caller, document: &[u8]) -> Outcome {
        let spec = self.parse(document)?.spec;
        let (dotted, path) = (self.check_new(&spec)?, spec.path.clone());
        let instances = spec.instances;
        let idx = self.apps.insert(App::new(path, self.now.wall));
        let version = self.add_version(idx, spec, None);
        let goal =
            Goal { operation: Operation::Creating, version, instances, size: instances, automatic: false };
        self.begin_rollout(idx, goal);
        let version = version.to_string();
        self.publish(Some(idx), Some(who), EventKind::AppCreated { version: version.clone(), instances });
        Ok(ApiReply::Created { app: dotted, revision: self.revision(idx), version })
    }

    fn kill_task(&mut self, app: &DottedId, task: &TaskId) -> Outcome {
        let idx = self.find(app, None)?;
        let name = crate::id::TaskName::parse(task.as_str()).filter(|name| name.app == app.as_str());
        let current = self.apps.get(idx).expect("found just now");
        let Some(slot) = name.and_then(|name| current.seat_of(name.slot, name.hex)) else {
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
        let (revision, seats) = (current.revision, current.seats_from(0).collect::<Vec<u32>>());
        for seat in seats {
            self.stop_task(idx, seat, StopReason::Operator);
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

    /// Adds a version; `runs` is the version whose tasks may stay. Forgets the oldest unused.
    pub(super) fn add_version(&mut self, idx: AppIdx, spec: AppSpec, runs: Option<u64>) -> u64 {
        let now = self.now.wall;
        let app = self.apps.get_mut(idx).expect("only living apps get versions");
        let newest = app.versions.keys().next_back().map_or(0, |&newest| newest);
        let id = newest.saturating_add(1).max(now.0.saturating_mul(1_000_000));
        let version = version_of(app, id, spec, runs.unwrap_or(id), now);
        app.versions.insert(id, version);
        let mut surplus = app.versions.len().saturating_sub(VERSIONS_MAX);
        if surplus > 0 {
            let used = app.versions_in_use();
            let old: Vec<u64> =
                app.versions.keys().copied().filter(|old| *old != id && !used.contains(old)).collect();
            for old in old {
                if surplus == 0 {
                    break;
                }
                surplus -= 1;
                app.versions.remove(&old);
                let key = Key::Version(app.dotted.as_str().into(), old).encode();
                self.ledger.note(Change::Gone(key));
            }
        }
        self.ledger.note(Change::Version(idx, id));
        id
    }

    /// The app's revision.
    pub(super) fn revision(&self, idx: AppIdx) -> u64 {
        self.apps.get(idx).map_or(0, |app| app.revision)
    }

    /// The app, if it is at the revision that the caller has seen; a crash note of this step would name it.
    pub(super) fn find(&mut self, app: &DottedId, if_match: Option<u64>) -> Result<AppIdx, ApiError> {
        let idx = self.look_up(app, if_match)?;
        self.breadcrumb.entity = Some(app.clone());
        Ok(idx)
    }
}

impl Scheduler {
    /// Reads a definition that this manager can run.
    pub(super) fn parse(&self, document: &[u8]) -> Result<Parsed, ApiError> {
        if document.len() > SPEC_BYTES_MAX {
            let detail =
                format!("the definition must have at most {SPEC_BYTES_MAX} bytes, not {}", document.len());
            return Err(ApiError::new(ErrorKind::Invalid, detail));
        }
        let invalid = |problems| {
            let detail = String::from("the definition is not valid");
            ApiError { kind: ErrorKind::Invalid, detail, problems }
        };
        let parsed = AppSpec::parse(document).map_err(invalid)?;
        match &parsed.spec.role {
            Some(role) if !self.roles.iter().any(|own| **own == **role) => {
                let message =
                    format!("is \"{role}\"; must be a role of this manager: {}", self.roles.join(", "));
                Err(invalid(vec![Problem { path: "role".into(), message }]))
            }
            _ => Ok(parsed),
        }
    }
}
