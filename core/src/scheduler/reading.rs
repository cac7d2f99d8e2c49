//! Owns reading: pages of views, and of records for snapshots; nothing here changes anything.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::apps::App;
use super::codec::Key;
use super::hold::Hold;
use super::input::DeposeReason;
use super::rollout::Operation;
use super::slot::{FailureNote, SUCCESSOR, Slot, Task, number_of};
use super::view::{AppView, ManagerView, Page, QuarantinedView, TaskView, VersionView};
use super::{Role, Scheduler, Stats};
use crate::id::DottedId;
use crate::limits::APPS_SCANNED_PER_READ;
use crate::mesos::TaskId;
use crate::record::RecordKey;
use crate::selector::{AppFields, AppFilter};
use crate::spec::AppSpec;

/// Read access to a machine between two steps.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(super) machine: &'a Scheduler,
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("View")
    }
}

impl<'a> View<'a> {
    pub(super) const fn new(machine: &'a Scheduler) -> Self {
        Self { machine }
    }

    /// One app.
    pub fn app(&self, id: &DottedId) -> Option<AppView> {
        self.find(id).map(app_view)
    }

    /// Apps in order of dotted id, after one of them.
    pub fn apps(&self, after: Option<&str>, limit: usize) -> Page<AppView> {
        let mut items: Vec<AppView> =
            self.machine.apps.after(after).take(limit + 1).map(|(_, app)| app_view(app)).collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| last.id.to_string());
        Page { items, next }
    }

    /// Apps that a filter lets through, in order of dotted id, after one of them. So many are looked at and no more, so
    /// that a page may be short, or empty, and yet have a next.
    pub fn apps_where(&self, filter: &AppFilter, after: Option<&str>, limit: usize) -> Page<AppView> {
        let mut rest = self.machine.apps.after(after);
        let (mut items, mut last) = (Vec::new(), None);
        for (_, app) in rest.by_ref().take(APPS_SCANNED_PER_READ) {
            if items.len() == limit {
                return Page { items, next: last };
            }
            last = Some(app.dotted.to_string());
            if lets_through(filter, app) {
                items.push(app_view(app));
            }
        }
        let next = last.filter(|_| rest.next().is_some());
        Page { items, next }
    }

    /// The slots of an app that have or wait for a task, in order, after one of them; one that is being replaced stands
    /// there twice, with both its tasks, which may make a page longer than `limit`.
    pub fn tasks(&self, id: &DottedId, after_slot: Option<u32>, limit: usize) -> Option<Page<TaskView>> {
        let app = self.find(id)?;
        let from = after_slot.map_or(0, |after| after.saturating_add(1));
        let mut slots = (from..app.slot_count()).filter(|&n| shown(app, n) || shown(app, n | SUCCESSOR));
        let both = |n| [n, n | SUCCESSOR].into_iter().filter(|&seat| shown(app, seat));
        let page = slots.by_ref().take(limit).flat_map(both);
        let items: Vec<TaskView> = page.map(|seat| self.task_view(app, seat)).collect();
        let next = if slots.next().is_some() { items.last().map(|last| last.slot.to_string()) } else { None };
        Some(Page { items, next })
    }

    /// One task, by its id or its slot's name.
    pub fn task(&self, id: &DottedId, task: &str) -> Option<TaskView> {
        let app = self.find(id)?;
        let name = crate::id::TaskName::parse(task);
        let by_slot = task.strip_suffix(app.dotted.as_str()).and_then(|rest| rest.strip_suffix('.'));
        let seat = match name {
            Some(name) => app.seat_of(name.slot, name.hex)?,
            None => {
                by_slot?.parse().ok().filter(|&number| number < app.slot_count() && shown(app, number))?
            }
        };
        Some(self.task_view(app, seat))
    }

    /// All versions of an app, newest first.
    pub fn versions(&self, id: &DottedId) -> Option<Vec<VersionView>> {
        let app = self.find(id)?;
        Some(app.versions.keys().rev().filter_map(|&version| version_view(app, version)).collect())
    }

    /// One version.
    pub fn version(&self, id: &DottedId, version: &str) -> Option<VersionView> {
        version_view(self.find(id)?, version.parse().ok()?)
    }

    /// The manager's standing.
    pub fn manager(&self) -> ManagerView {
        let machine = self.machine;
        ManagerView {
            leading: self.leads(),
            connected: machine.link.connected,
            stalled: self.stalled(),
            framework_id: machine.framework.id.as_ref().map_or_else(String::new, ToString::to_string),
            master: machine.link.master.clone(),
            hold: machine.framework.hold.clone(),
        }
    }

    /// Whether the store is stalled: what is shown may not be durable yet.
    pub const fn stalled(&self) -> bool {
        self.machine.ledger.stalled
    }

    /// Why it does not subscribe, or has not yet, if its journal was lost.
    pub const fn hold(&self) -> Option<&'a Hold> {
        self.machine.framework.hold.as_ref()
    }

    /// Whether this machine leads, as far as it knows.
    pub const fn leads(&self) -> bool {
        matches!(self.machine.role, Role::Leader)
    }

    /// Why this machine leads no more, if it was to.
    pub const fn deposed(&self) -> Option<DeposeReason> {
        if let Role::Deposed(why) = self.machine.role { Some(why) } else { None }
    }

    /// The first few durable records that this build does not understand, in words. A machine that followed such will
    /// not lead.
    pub fn unreadable(&self) -> &'a [String] {
        &self.machine.unreadable
    }

    /// Unknown tasks in order of id, after one of them.
    pub fn quarantined(&self, after: Option<&str>, limit: usize) -> Page<QuarantinedView> {
        use core::ops::Bound;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.machine.quarantine.range::<str, _>((from, Bound::Unbounded));
        let view = |(task, entry): (&TaskId, &super::quarantine::Quarantined)| QuarantinedView {
            task: task.clone(),
            agent: entry.agent.as_ref().map_or_else(String::new, ToString::to_string),
            state: entry.state.name().unwrap_or("TASK_UNKNOWN"),
            first_seen: entry.first_seen,
            ending: entry.ending,
        };
        let items: Vec<QuarantinedView> = rest.by_ref().take(limit).map(view).collect();
        let next = if rest.next().is_some() { items.last().map(|last| last.task.to_string()) } else { None };
        Page { items, next }
    }

    /// Counters.
    pub const fn stats(&self) -> &'a Stats {
        &self.machine.stats
    }

    /// Sizes that go up and down: name, help text and value.
    pub fn gauges(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let machine = self.machine;
        [
            ("apps", "Apps.", machine.apps.len() as u64),
            ("agents", "Agents with tasks or offers.", machine.agents.len() as u64),
            ("offers_held", "Offers held.", machine.offers.len() as u64),
            ("slots_waiting", "Slots that wait for an offer.", machine.demand.waiting),
            ("tasks_superseded", "Superseded tasks remembered.", machine.former.len() as u64),
            ("tasks_quarantined", "Unknown tasks remembered.", machine.quarantine.len() as u64),
            (
                "held",
                "Whether an operator must say who Swan is, since its journal was lost.",
                u64::from(machine.awaits_word()),
            ),
            ("batches_in_flight", "Batches not durable yet.", machine.ledger.in_flight() as u64),
            ("leading", "1 if this manager leads.", u64::from(machine.role == Role::Leader)),
            (
                "brake_engaged",
                "1 if so much was lost at once that nothing is replaced.",
                u64::from(machine.brake.holds()),
            ),
            ("rollouts", "Rollouts under way.", machine.rolling.len() as u64),
            ("connected", "1 if a subscription stands.", u64::from(machine.link.connected)),
            ("store_stalled", "1 if the store takes no writes.", u64::from(self.stalled())),
        ]
        .into_iter()
    }

    /// What is not as wanted, in words; `None` once everything is.
    pub fn pending(&self) -> Option<String> {
        let machine = self.machine;
        if machine.role != Role::Leader {
            return Some("this manager does not lead".into());
        }
        if !machine.link.connected {
            return Some("Mesos is not connected".into());
        }
        for (_, app) in machine.apps.after(None) {
            if app.operation() != Operation::Noop {
                return Some(format!("app {} is {}", app.path, app.operation().name()));
            }
            if !app.error.is_empty() {
                // It ended with an error, which is said; what is kept alive now is whatever ran then.
                continue;
            }
            if app.counts.ready != app.instances || app.slot_count() != app.span() {
                return Some(format!(
                    "app {} has {} of {} tasks ready",
                    app.path, app.counts.ready, app.instances
                ));
            }
        }
        if machine.former.values().any(|former| former.alive) {
            return Some("a superseded task is still being killed".into());
        }
        machine.has_work().then(|| "work is left for the next step".into())
    }

    /// Whether every count equals a recount (S23).
    pub fn counts_are_exact(&self) -> bool {
        let machine = self.machine;
        let waiting: u64 = machine.apps.after(None).map(|(_, app)| app.pending.len() as u64).sum();
        machine.apps.after(None).all(|(_, app)| app.counts_are_exact()) && waiting == machine.demand.waiting
    }

    pub(super) fn find(&self, id: &DottedId) -> Option<&'a App> {
        let idx = self.machine.apps.find(id.as_str())?;
        self.machine.apps.get(idx)
    }

    fn task_view(&self, app: &App, seat: u32) -> TaskView {
        let slot = app.slot(seat).expect("counted by the caller");
        let mut view = waiting_view(app, slot, seat);
        if let Some(task) = &slot.task {
            let agent = self.machine.agents.get(task.agent);
            view.id = Some(app.task_id(seat, task.hex));
            view.status = task.shown_state().name();
            view.host = agent.host.to_string();
            view.agent_id = agent.id.to_string();
            fill(&mut view, task);
        }
        view
    }
}

fn fill(view: &mut TaskView, task: &Task) {
    view.healthy = task.healthy;
    view.ip = task.address(&view.host).into();
    view.ports = task.ports.to_vec();
    view.version = task.version.to_string();
    view.container_name = task.container.as_deref().map_or_else(String::new, |id| format!("mesos-{id}"));
    view.created = task.created;
    view.updated = task.updated;
}

fn shown(app: &App, seat: u32) -> bool {
    app.is_place(seat) || app.slot(seat).is_some_and(|slot| slot.task.is_some())
}

fn waiting_view(app: &App, slot: &Slot, seat: u32) -> TaskView {
    let number = number_of(seat);
    let failure = app.slot(number).and_then(Slot::last_failure);
    let given_up = slot.given_up();
    TaskView {
        id: None,
        slot_name: format!("{number}.{}", app.dotted),
        slot: number,
        status: if given_up.is_some() { "failed" } else { "TASK_PENDING" },
        healthy: None,
        ip: String::new(),
        host: String::new(),
        agent_id: String::new(),
        ports: Vec::new(),
        version: app.version_for(seat).to_string(),
        weight: 100,
        retries: u32::from(slot.failures),
        error_message: given_up
            .map(String::from)
            .or_else(|| failure.map(FailureNote::text))
            .unwrap_or_default(),
        container_name: String::new(),
        created: app.created,
        updated: failure.map_or(app.updated, |note| note.at),
    }
}

fn lets_through(filter: &AppFilter, app: &App) -> bool {
    let none = BTreeMap::new();
    let labels = app.versions.get(&app.target).map_or(&none, |version| &version.spec.labels);
    filter.matches(labels, fields(app))
}

fn fields(app: &App) -> AppFields<'_> {
    let segments: Vec<&str> = app.path.as_str().split('/').skip(1).collect();
    let from_end = |n: usize| segments.len().checked_sub(n + 1).map_or("", |at| segments[at]);
    AppFields {
        name: from_end(0),
        run_as: from_end(if segments.len() > 3 { 2 } else { 1 }),
        cluster: if segments.len() > 2 { segments[0] } else { "" },
    }
}

fn app_view(app: &App) -> AppView {
    let spec = app.versions.get(&app.target).map(|version| &version.spec);
    let fields = fields(app);
    let states = app.counts.states.iter().map(|(&state, &n)| (state.name(), n)).collect::<Vec<_>>();
    let current: Vec<String> = app.counts.versions.keys().map(ToString::to_string).collect();
    AppView {
        id: app.dotted.clone(),
        path: app.path.clone(),
        name: fields.name.to_string(),
        run_as: fields.run_as.to_string(),
        cluster: fields.cluster.to_string(),
        operation_status: app.operation().name(),
        progress: app.rollout.is_some().then(|| (app.progress(), app.instances)),
        error_message: app.quarantined.clone().unwrap_or_else(|| app.error.clone()),
        instances: app.instances,
        task_count: states.iter().map(|&(_, n)| n).sum(),
        tasks_status: states,
        health: (app.counts.healthy, app.counts.unhealthy, app.counts.unset),
        current_versions: if current.is_empty() { [app.target.to_string()].into() } else { current },
        version_count: u32::try_from(app.versions.len()).expect("versions are limited"),
        spec: spec.map_or_else(String::new, |spec| {
            // An earlier version that is wanted again keeps the number of instances of now.
            AppSpec { instances: app.size, ..spec.clone() }.canonical_json()
        }),
        revision: app.revision,
        quarantined: app.quarantined.is_some(),
        created: app.created,
        updated: app.updated,
        labels: spec
            .map_or_else(Vec::new, |s| s.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect()),
    }
}

fn version_view(app: &App, id: u64) -> Option<VersionView> {
    let version = app.versions.get(&id)?;
    Some(VersionView { id: id.to_string(), spec: version.spec.canonical_json(), created: version.created })
}

/// Records with their encodings, and the first key that did not fit.
pub type RecordPage = (Vec<(RecordKey, Vec<u8>)>, Option<RecordKey>);

/// Goes through all records in the order of their keys.
pub(super) struct RecordCursor<'a> {
    machine: &'a Scheduler,
    from: RecordKey,
    to: Option<RecordKey>,
}

impl<'a> RecordCursor<'a> {
    /// Begins at the first key not before `from`; ends before `to`.
    pub(super) fn new(machine: &'a Scheduler, from: &RecordKey, to: Option<&RecordKey>) -> Self {
        Self { machine, from: from.clone(), to: to.cloned() }
    }

    /// At least one record if there is one, then up to about `bytes_max`.
    pub(super) fn page(&self, bytes_max: usize) -> RecordPage {
        let mut items: Vec<(RecordKey, Vec<u8>)> = Vec::new();
        let mut bytes = 0;
        for key in self.keys() {
            let raw = key.encode();
            if self.to.as_ref().is_some_and(|to| raw >= *to) {
                break;
            }
            let Some(value) = self.machine.record(&key) else { continue };
            bytes += raw.0.len() + value.len();
            if bytes > bytes_max && !items.is_empty() {
                return (items, Some(raw));
            }
            items.push((raw, value));
        }
        (items, None)
    }

    /// Keys not before `from`, of all kinds, in byte order of their kinds.
    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let machine = self.machine;
        let apps = self.apps(b'a').map(|app| Key::App(app.dotted.as_str().into()));
        let framework = core::iter::once(Key::Framework);
        let agents = self.names(b'h').flat_map(|from| machine.agents.from(from));
        let agents = agents.map(|(_, agent)| Key::Agent(agent.id.to_string()));
        let keys = self
            .names(b'i')
            .flat_map(|from| machine.keys.from(from))
            .map(|key| Key::Idempotency(key.to_string()));
        let former = self
            .names(b'o')
            .flat_map(|from| from_name(&machine.former, from))
            .map(|t| Key::Former(t.to_string()));
        let unknown = self.names(b'q').flat_map(|from| from_name(&machine.quarantine, from));
        let unknown = unknown.map(|task| Key::Quarantine(task.to_string()));
        let slots = self.apps(b's').flat_map(|app| {
            let first = self.number_in(b's', app).map_or(0, u32::from_be_bytes);
            app.seats_from(first).map(|seat| Key::Slot(app.dotted.as_str().into(), seat))
        });
        let versions = self.apps(b'v').flat_map(|app| {
            let first = self.number_in(b'v', app).map_or(0, u64::from_be_bytes);
            app.versions.range(first..).map(|(&v, _)| Key::Version(app.dotted.as_str().into(), v))
        });
        let all = apps
            .chain(framework)
            .chain(agents)
            .chain(keys)
            .chain(former)
            .chain(unknown)
            .chain(slots)
            .chain(versions);
        all.filter(|key| key.encode() >= self.from)
    }

    /// Where a kind begins: nothing if all its keys are before `from`, else the first name that may not be.
    fn names(&self, kind: u8) -> core::option::IntoIter<&str> {
        let (at, rest) = self.from.0.split_first().map_or((0, &[][..]), |(&at, rest)| (at, rest));
        let name = rest.split(|&b| b == 0 && (kind == b's' || kind == b'v')).next().unwrap_or(&[]);
        match kind.cmp(&at) {
            core::cmp::Ordering::Less => None,
            core::cmp::Ordering::Equal => Some(core::str::from_utf8(name).unwrap_or("")),
            core::cmp::Ordering::Greater => Some(""),
        }
        .into_iter()
    }

    fn apps(&self, kind: u8) -> impl Iterator<Item = &'a App> + '_ {
        self.names(kind).flat_map(|from| self.machine.apps.from(from))
    }

    /// The number in `from`, if it is of this kind and app: the least whose key may not be before `from`, which may be
    /// cut short or go on.
    fn number_in<const N: usize>(&self, kind: u8, app: &App) -> Option<[u8; N]> {
        let name = app.dotted.as_str().as_bytes();
        let given = self.from.0.strip_prefix(&[kind])?.strip_prefix(name)?.strip_prefix(&[0])?;
        Some(core::array::from_fn(|at| given.get(at).copied().unwrap_or(0)))
    }
}

fn from_name<'a, V>(
    map: &'a BTreeMap<TaskId, V>,
    from: &str,
) -> impl Iterator<Item = &'a TaskId> + use<'a, V> {
    use core::ops::Bound;
    map.range::<str, _>((Bound::Included(from), Bound::Unbounded)).map(|(task, _)| task)
}
