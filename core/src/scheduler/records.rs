//! Owns the way between live state and records: writing the next batch, and taking in durable ones.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use prost::Message;

use super::agents::AgentIdx;
use super::api::Problem;
use super::apps::{App, AppIdx};
use super::codec::{
    AgentRecord, AppRecord, FormerRecord, FrameworkRecord, IdempotencyRecord, Key, QuarantineRecord,
    RolloutRecord, SlotRecord, TaskRecord, VersionRecord, read_record,
};
use super::effect::Effect;
use super::hold::HoldRecord;
use super::ledger::Change;
use super::planner::version_of;
use super::quarantine::Quarantined;
use super::slot::{FailureNote, Slot, Stop, StopReason, Task, Trouble, is_successor, number_of};
use super::stop::Former;
use super::{Framework, Scheduler};
use crate::id::AppPath;
use crate::limits::{BATCH_BYTES_MAX, BATCH_OPS_MAX, UNREADABLE_NAMED_MAX};
use crate::mesos::{AgentId, FrameworkId, TaskId, TaskState};
use crate::record::{Op, RecordKey};
use crate::spec::AppSpec;
use crate::time::{ClusterTime, Timestamp};

impl Scheduler {
    /// Hands over batches while there is room and something to write.
    pub(super) fn hand_over(&mut self) {
        while self.ledger.has_changes() && self.ledger.has_room() {
            self.seal_offers();
            let seq = self.ledger.open_batch();
            let mut ops: Vec<Op> = Vec::with_capacity(self.ledger.changes().min(BATCH_OPS_MAX));
            let mut bytes = 0;
            while ops.len() < BATCH_OPS_MAX && bytes < BATCH_BYTES_MAX && self.ledger.has_changes() {
                let Some(change) = self.ledger.take_change() else { break };
                if let Some(op) = self.encode(&change) {
                    bytes += op.key.0.len() + op.value.as_ref().map_or(0, Vec::len);
                    ops.push(op);
                }
            }
            self.ledger.close_batch();
            self.stats.batches += 1;
            self.stats.records += ops.len() as u64;
            self.out.push(Effect::Store { seq, ops });
        }
    }

    /// The newest content of a changed record; `None` if its owner is gone, whose own change tells so.
    fn encode(&mut self, change: &Change) -> Option<Op> {
        let put = |key: Key, value: Vec<u8>| Some(Op { key: key.encode(), value: Some(value) });
        match change {
            Change::Gone(key) => Some(Op { key: key.clone(), value: None }),
            Change::Framework => put(Key::Framework, self.encode_framework()),
            Change::App(idx) => {
                let app = self.apps.get_mut(*idx)?;
                app.dirty = false;
                put(Key::App(app.dotted.as_str().into()), encode_app(app))
            }
            Change::Version(idx, version) => {
                let app = self.apps.get(*idx)?;
                put(Key::Version(app.dotted.as_str().into(), *version), encode_version(app, *version)?)
            }
            Change::Slot(idx, slot) => {
                let value = self.encode_slot(self.apps.get(*idx)?.slot(*slot)?);
                let app = self.apps.get_mut(*idx)?;
                app.slot_written(*slot, value.is_some());
                Some(Op { key: Key::Slot(app.dotted.as_str().into(), *slot).encode(), value })
            }
            Change::Former(task) => {
                let former = self.former.get(task)?;
                put(Key::Former(task.to_string()), FormerRecord::of(former).encode_to_vec())
            }
            Change::Quarantine(task) => {
                let entry = self.quarantine.get(task)?;
                put(Key::Quarantine(task.to_string()), encode_quarantined(entry))
            }
            Change::Agent(idx) => {
                let (key, record) =
                    (Key::Agent(self.agents.get(*idx).id.to_string()), self.encode_agent(*idx));
                let value = if self.agents.written(*idx) { Some(record) } else { None };
                Some(Op { key: key.encode(), value })
            }
            Change::Idempotency(key) => {
                put(Key::Idempotency(key.to_string()), self.keys.get(key)?.record().encode_to_vec())
            }
        }
    }

    fn encode_agent(&self, idx: AgentIdx) -> Vec<u8> {
        AgentRecord::of(self.agents.get(idx)).encode_to_vec()
    }

    /// Notes the records of agents that must change.
    pub(super) fn note_agents(&mut self) {
        for idx in self.agents.take_changed() {
            self.ledger.note(Change::Agent(idx));
        }
    }

    fn encode_framework(&self) -> Vec<u8> {
        let framework_id = self.framework.id.as_ref().map_or_else(String::new, ToString::to_string);
        let (brake_holds, losses_since) = (self.brake.holds(), self.brake.since().0);
        let hold = self.framework.hold.as_ref().map(HoldRecord::of);
        FrameworkRecord { framework_id, brake_holds, losses_since, hold }.encode_to_vec()
    }

    /// A slot's record; `None` for one without task or history.
    fn encode_slot(&self, slot: &Slot) -> Option<Vec<u8>> {
        let blank = slot.failures == 0
            && slot.not_before.0 == 0
            && slot.ran == 0
            && slot.trouble.is_none()
            && !slot.vacant
            && !slot.held;
        if slot.task.is_none() && blank {
            return None;
        }
        let agent = slot.task.as_ref().map(|task| self.agents.get(task.agent));
        Some(super::codec::encode_slot(slot, agent))
    }

    /// Takes in one durable change. What cannot be read is counted and named; nobody leads over it.
    pub(super) fn follow(&mut self, op: &Op) {
        let key = Key::decode(&op.key);
        let followed = match (&key, &op.value) {
            (Some(key), None) => self.follow_delete(key, &op.key),
            (Some(key), Some(value)) => self.follow_put(key.clone(), &op.key, value),
            (None, _) => None,
        };
        if followed.is_none() {
            self.stats.odd_records += 1;
            if self.unreadable.len() < UNREADABLE_NAMED_MAX {
                self.unreadable.push(why_unreadable(key, op));
            }
        }
    }

    fn follow_put(&mut self, key: Key, raw: &RecordKey, value: &[u8]) -> Option<()> {
        match key {
            Key::Framework => {
                let record = read_record::<FrameworkRecord>(value)?;
                self.brake.follow(record.brake_holds, ClusterTime(record.losses_since));
                self.framework.id =
                    (!record.framework_id.is_empty()).then(|| FrameworkId::new(record.framework_id));
                self.framework.hold = match record.hold {
                    Some(hold) => Some(hold.read(self.framework.id.as_ref())?),
                    None => None,
                };
            }
            Key::App(dotted) => self.follow_app(&dotted, read_record::<AppRecord>(value)?)?,
            Key::Version(dotted, id) => match self.apps.find(&dotted) {
                Some(idx) => self.follow_version(idx, id, &read_record::<VersionRecord>(value)?)?,
                None => drop(self.orphans.insert(raw.clone(), value.into())),
            },
            Key::Slot(dotted, slot) => match self.apps.find(&dotted) {
                Some(idx) => self.follow_slot(idx, slot, read_record::<SlotRecord>(value)?)?,
                None => drop(self.orphans.insert(raw.clone(), value.into())),
            },
            Key::Former(task) => {
                let record = read_record::<FormerRecord>(value)?;
                let agent = AgentId::new(record.agent_id);
                let (since, lost) = (ClusterTime(record.since), ClusterTime(record.lost));
                let former = Former { agent, since, lost, alive: false, kills: 0, timer: None, heard: 0 };
                self.former.insert(TaskId::new(task), former);
            }
            Key::Quarantine(task) => {
                let record = read_record::<QuarantineRecord>(value)?;
                let agent = (!record.agent_id.is_empty()).then(|| AgentId::new(record.agent_id));
                let (state, first_seen) =
                    (TaskState::from_number(record.state), Timestamp(record.first_seen));
                let ending = record.ending;
                let (heard, kills, timer) = (0, 0, None);
                let entry = Quarantined { agent, state, first_seen, heard, ending, kills, timer };
                self.quarantine.insert(TaskId::new(task), entry);
            }
            Key::Idempotency(key) => {
                self.keys.restore(key.into(), read_record::<IdempotencyRecord>(value)?)?
            }
            Key::Agent(id) => {
                let mut record = read_record::<AgentRecord>(value)?;
                let host = core::mem::take(&mut record.host);
                let (id, loss) = (AgentId::new(id), record.loss());
                self.agents.follow(&id, &host, record.facts());
                self.agents.follow_loss(&id, loss);
            }
        }
        Some(())
    }

    fn follow_app(&mut self, dotted: &str, record: AppRecord) -> Option<()> {
        let path = AppPath::parse(&record.path).ok().filter(|path| path.dotted().as_str() == dotted)?;
        let idx = match self.apps.find(dotted) {
            Some(idx) => idx,
            None => self.apps.insert(App::new(path, Timestamp(record.created))),
        };
        let app = self.apps.get_mut(idx)?;
        app.target = record.target;
        app.instances = record.instances;
        app.size = record.size;
        app.rollout = match record.rollout {
            Some(rollout) => Some(Box::new(rollout.read()?)),
            None => None,
        };
        app.ended = record.ended.into_iter().map(RolloutRecord::read).collect::<Option<_>>()?;
        app.error = record.error;
        app.revision = record.revision;
        app.quarantined = record.quarantined;
        app.updated = Timestamp(record.updated);
        app.recount();
        self.adopt_orphans(dotted)
    }

    /// Takes in versions and slots that came before their app did.
    fn adopt_orphans(&mut self, dotted: &str) -> Option<()> {
        if self.orphans.is_empty() {
            return Some(());
        }
        for (low, high) in [
            (Key::Version(dotted.into(), 0).encode(), Key::Version(dotted.into(), u64::MAX).encode()),
            (Key::Slot(dotted.into(), 0).encode(), Key::Slot(dotted.into(), u32::MAX).encode()),
        ] {
            let keys: Vec<RecordKey> = self.orphans.range(low..=high).map(|(key, _)| key.clone()).collect();
            for raw in keys {
                let value = self.orphans.remove(&raw)?;
                self.follow_put(Key::decode(&raw)?, &raw, &value)?;
            }
        }
        Some(())
    }

    fn follow_version(&mut self, idx: AppIdx, id: u64, record: &VersionRecord) -> Option<()> {
        let spec = AppSpec::parse(record.spec.as_bytes()).ok().filter(|parsed| !parsed.ignored)?.spec;
        let app = self.apps.get_mut(idx)?;
        let version = version_of(app, id, spec, record.runs, Timestamp(record.created));
        app.versions.insert(id, version);
        if id == app.target {
            app.recount();
        }
        Some(())
    }

    fn follow_slot(&mut self, idx: AppIdx, slot: u32, record: SlotRecord) -> Option<()> {
        if number_of(slot) >= crate::limits::INSTANCES_MAX {
            return None;
        }
        let task = match record.task {
            Some(task) => Some(self.read_task(idx, task)?),
            None => None,
        };
        let app = self.apps.get_mut(idx)?;
        app.make_seat(slot);
        if record.vacant {
            app.vacant.insert(slot);
        } else {
            app.vacant.remove(&slot);
        }
        let history: VecDeque<FailureNote> = record.history.into_iter().map(FailureNote::from).collect();
        let recent: Vec<ClusterTime> = record.recent.into_iter().map(ClusterTime).collect();
        let troubled = !history.is_empty() || !recent.is_empty() || record.given_up.is_some();
        let trouble = Trouble { history, recent, given_up: record.given_up };
        let before = app.edit(slot, |s| {
            s.failures = u16::try_from(record.failures).unwrap_or(u16::MAX);
            s.not_before = ClusterTime(record.not_before);
            s.ran = record.ran;
            s.trouble = troubled.then(|| Box::new(trouble));
            s.vacant = record.vacant;
            s.held = record.held;
            s.recorded = true;
            core::mem::replace(&mut s.task, task)
        });
        if let Some(before) = before {
            self.agents.release(before.agent);
        }
        Some(())
    }

    fn read_task(&mut self, idx: AppIdx, record: TaskRecord) -> Option<Task> {
        let state = TaskState::from_number(record.state);
        if state.is_terminal() || matches!(state, TaskState::Other(_)) {
            return None;
        }
        let ports =
            record.ports.iter().map(|&port| u16::try_from(port).ok()).collect::<Option<Vec<u16>>>()?.into();
        let stop = match record.stop {
            0 => None,
            number => Some(Stop {
                why: StopReason::from_number(number)?,
                drain_until: ClusterTime(record.drain_until),
                kills: 0,
                stuck: false,
            }),
        };
        let version = self.apps.get(idx)?.versions.get(&record.version);
        Some(Task {
            hex: record.hex,
            version: record.version,
            agent: self.agents.acquire(&AgentId::new(record.agent_id), &record.host),
            state,
            sent: true,
            inherited: true,
            checked: version.is_some_and(|version| version.spec.health.is_some()),
            settled: false,
            healthy: record.healthy,
            ports,
            ip: record.ip.map(Into::into),
            container: record.container.map(Into::into),
            stop,
            created: Timestamp(record.created),
            updated: Timestamp(record.updated),
            since: ClusterTime(record.since),
        })
    }

    fn follow_delete(&mut self, key: &Key, raw: &RecordKey) -> Option<()> {
        match key {
            Key::Framework => {
                self.framework = Framework::default();
                self.brake.follow(false, ClusterTime(0));
            }
            Key::App(dotted) => {
                if let Some(idx) = self.apps.find(dotted) {
                    let app = self.apps.remove(idx);
                    for task in app.seats_from(0).filter_map(|seat| app.slot(seat)?.task.as_ref()) {
                        self.agents.release(task.agent);
                    }
                }
            }
            Key::Version(dotted, id) => {
                if let Some(app) = self.apps.find(dotted).and_then(|idx| self.apps.get_mut(idx)) {
                    app.versions.remove(id);
                    app.recount();
                }
            }
            Key::Slot(dotted, slot) => {
                if let Some(app) = self.apps.find(dotted).and_then(|idx| self.apps.get_mut(idx))
                    && app.slot(*slot).is_some()
                {
                    app.vacant.remove(slot);
                    let task = app.edit(*slot, |s| core::mem::take(s).task);
                    if is_successor(*slot) {
                        app.remove_successor(number_of(*slot));
                    }
                    if let Some(task) = task {
                        self.agents.release(task.agent);
                    }
                }
            }
            Key::Former(task) => drop(self.former.remove(task.as_str())),
            Key::Quarantine(task) => drop(self.quarantine.remove(task.as_str())),
            Key::Idempotency(key) => self.keys.forget(key),
            Key::Agent(id) => self.agents.follow_gone(id),
        }
        self.orphans.remove(raw);
        Some(())
    }
}

/// Names a record that was not understood, and what is wrong with it where that is known.
fn why_unreadable(key: Option<Key>, op: &Op) -> String {
    let Some(key) = key else { return format!("{:?} is of a kind that this build does not know", op.key) };
    let version = match (&key, &op.value) {
        (Key::Version(..), Some(value)) => VersionRecord::decode(&value[..]).ok(),
        _ => None,
    };
    let problem =
        version.and_then(|version| AppSpec::parse(version.spec.as_bytes()).err()?.into_iter().next());
    match problem {
        Some(Problem { path, message }) => {
            format!("{key:?} holds a definition that is refused: {path} {message}")
        }
        None if op.value.as_ref().is_some_and(|value| <()>::decode(&value[..]).is_err()) => {
            format!("{key:?} is damaged")
        }
        None => format!(
            "{key:?} has what this build does not know, and would lose; start the Swan that wrote it, or a later one"
        ),
    }
}

fn encode_app(app: &App) -> Vec<u8> {
    AppRecord {
        path: app.path.as_str().into(),
        target: app.target,
        instances: app.instances,
        error: app.error.clone(),
        revision: app.revision,
        quarantined: app.quarantined.clone(),
        created: app.created.0,
        updated: app.updated.0,
        size: app.size,
        rollout: app.rollout.as_deref().map(RolloutRecord::from),
        ended: app.ended.iter().map(RolloutRecord::from).collect(),
    }
    .encode_to_vec()
}

fn encode_version(app: &App, id: u64) -> Option<Vec<u8>> {
    let version = app.versions.get(&id)?;
    Some(
        VersionRecord { spec: version.spec.canonical_json(), runs: version.runs, created: version.created.0 }
            .encode_to_vec(),
    )
}

fn encode_quarantined(entry: &Quarantined) -> Vec<u8> {
    let agent_id = entry.agent.as_ref().map_or_else(String::new, ToString::to_string);
    let (state, first_seen, ending) = (entry.state.number(), entry.first_seen.0, entry.ending);
    QuarantineRecord { agent_id, state, first_seen, ending }.encode_to_vec()
}

/// The records of each kind, encoded one at a time, for snapshots and digests.
impl Scheduler {
    /// The encoded record behind a key, if there is one.
    pub(super) fn record(&self, key: &Key) -> Option<Vec<u8>> {
        match key {
            Key::Framework => self.framework.is_recorded().then(|| self.encode_framework()),
            Key::App(dotted) => Some(encode_app(self.apps.get(self.apps.find(dotted)?)?)),
            Key::Version(dotted, id) => encode_version(self.apps.get(self.apps.find(dotted)?)?, *id),
            Key::Slot(dotted, slot) => self.encode_slot(self.apps.get(self.apps.find(dotted)?)?.slot(*slot)?),
            Key::Former(task) => Some(FormerRecord::of(self.former.get(task.as_str())?).encode_to_vec()),
            Key::Quarantine(task) => Some(encode_quarantined(self.quarantine.get(task.as_str())?)),
            Key::Idempotency(key) => Some(self.keys.get(key)?.record().encode_to_vec()),
            Key::Agent(id) => {
                let idx = self.agents.find(id).filter(|&idx| self.agents.get(idx).has_record())?;
                Some(self.encode_agent(idx))
            }
        }
    }
}
