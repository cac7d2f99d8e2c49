//! Owns what the stored entries amount to, read by the checkers' own eyes: not by the machines' decoders.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use swan_core::id::TaskName;
use swan_core::journal::Entry;
use swan_core::mesos::{AgentId, FrameworkId, TaskId, TaskState};
use swan_core::record::{Op, RecordKey, Seq};

/// A slot has two seats while a task is replaced beside another: the second has this bit of its number set.
const SECOND: u32 = 1 << 31;
/// Why a task is ended, as its record has it: a rollout replaces it.
pub const REPLACE: u32 = 2;

/// All records, as the durable entries make them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    records: BTreeMap<RecordKey, Vec<u8>>,
    /// The newest durable batch.
    pub seq: Seq,
}

/// A task as a slot's record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTask {
    /// The unique part of its id.
    pub hex: u64,
    /// Its state.
    pub state: TaskState,
    /// Why it is being ended, by number; 0 if it is not.
    pub stop: u32,
}

/// One seat of a slot, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSeat {
    /// The app, dotted.
    pub app: String,
    /// The slot.
    pub slot: u32,
    /// It is the slot's second seat.
    pub second: bool,
    /// Its task, and the version that runs.
    pub task: Option<(StoredTask, u64)>,
    /// The version that ran in it last, while none does; 0 if none did.
    pub ran: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SlotMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) task: Option<TaskMessage>,
    /// The version that ran in it last, while none does.
    #[prost(uint64, tag = "5")]
    pub(super) ran: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TaskMessage {
    #[prost(uint64, tag = "1")]
    pub(super) hex: u64,
    #[prost(uint64, tag = "2")]
    pub(super) version: u64,
    #[prost(int32, tag = "5")]
    pub(super) state: i32,
    #[prost(uint32, tag = "10")]
    pub(super) stop: u32,
    #[prost(string, tag = "3")]
    pub(super) agent_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct FrameworkMessage {
    #[prost(string, tag = "1")]
    framework_id: String,
    #[prost(bool, tag = "2")]
    brake_holds: bool,
    #[prost(message, optional, tag = "4")]
    hold: Option<HoldMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct HoldMessage {
    #[prost(uint32, tag = "3")]
    word: u32,
}

#[derive(Clone, PartialEq, Message)]
struct QuarantineMessage {
    #[prost(bool, tag = "4")]
    ending: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct VersionMessage {
    #[prost(string, tag = "1")]
    pub(super) spec: String,
    /// The version whose configuration its tasks run.
    #[prost(uint64, tag = "2")]
    pub(super) runs: u64,
}

/// The part of an app's record that checkers read.
#[derive(Clone, PartialEq, Message)]
pub struct StoredApp {
    /// The version wanted.
    #[prost(uint64, tag = "2")]
    pub target: u64,
    /// Instances wanted.
    #[prost(uint32, tag = "3")]
    pub instances: u32,
    /// Why it is not as wanted.
    #[prost(string, tag = "5")]
    pub error: String,
    /// Grows with each change.
    #[prost(uint64, tag = "6")]
    pub revision: u64,
    /// What is under way.
    #[prost(message, optional, tag = "11")]
    pub rollout: Option<StoredRollout>,
    /// What has ended, oldest first.
    #[prost(message, repeated, tag = "12")]
    pub ended: Vec<StoredRollout>,
}

/// The part of a rollout's record that checkers read.
#[derive(Clone, PartialEq, Message)]
pub struct StoredRollout {
    /// What it is for.
    #[prost(string, tag = "2")]
    pub operation: String,
    /// How far it is.
    #[prost(string, tag = "3")]
    pub stage: String,
}

impl StoredApp {
    /// What is under way, or `noop`.
    pub fn operation(&self) -> &str {
        self.rollout.as_ref().map_or("noop", |rollout| &rollout.operation)
    }

    /// Whether what is under way rests.
    pub fn is_paused(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.stage == "paused")
    }

    /// Whether the newest change that brings another configuration rests, or did not get to its end: then whatever ran
    /// runs on.
    pub fn rests(&self) -> bool {
        let brings = ["updating", "restarting", "creating", "starting", "rollbacking"];
        let mut newest_first = self.rollout.iter().chain(self.ended.iter().rev());
        let newest = newest_first.find(|rollout| brings.contains(&rollout.operation.as_str()));
        newest.is_some_and(|it| {
            it.operation != "rollbacking" && !["running", "done"].contains(&it.stage.as_str())
        })
    }
}

impl StoredSeat {
    /// What a change makes of a seat; `None` if it is of something else, or takes it away.
    pub fn of(op: &Op) -> Option<Self> {
        Self::read(&op.key, op.value.as_deref()?)
    }

    /// The app and the seat that a key names, if it is one of a seat.
    pub(super) fn named(key: &RecordKey) -> Option<(String, u32)> {
        let rest = key.0.strip_prefix(b"s")?;
        let (name, number) = rest.split_at_checked(rest.len().checked_sub(4)?)?;
        let app = String::from_utf8(name.strip_suffix(&[0])?.to_vec()).ok()?;
        Some((app, u32::from_be_bytes(number.try_into().ok()?)))
    }

    fn read(key: &RecordKey, value: &[u8]) -> Option<Self> {
        let (app, number) = Self::named(key)?;
        let SlotMessage { task, ran } = SlotMessage::decode(value).ok()?;
        let task = task.map(|TaskMessage { hex, version, state, stop, .. }| {
            (StoredTask { hex, state: TaskState::from_number(state), stop }, version)
        });
        Some(Self { app, slot: number & !SECOND, second: number & SECOND != 0, task, ran })
    }

    /// Why its task is being ended, by number; 0 if it is not, or there is none.
    pub fn stop(&self) -> u32 {
        self.task.as_ref().map_or(0, |(task, _)| task.stop)
    }

    /// The id of its task.
    pub fn task_id(&self) -> Option<TaskId> {
        let (task, _) = self.task.as_ref()?;
        Some(TaskName { hex: task.hex, slot: self.slot, app: &self.app }.id())
    }

    /// Whether nobody can reach its task.
    pub fn is_lost(&self) -> bool {
        self.task.as_ref().is_some_and(|(task, _)| task.state == TaskState::Unreachable)
    }

    /// The version that it runs, or ran last; 0 if none.
    pub fn version(&self) -> u64 {
        self.task.as_ref().map_or(self.ran, |(_, version)| *version)
    }
}

impl Stored {
    /// Takes in one more durable entry.
    pub fn apply(&mut self, entry: &Entry) {
        for op in &entry.ops {
            match &op.value {
                Some(value) => drop(self.records.insert(op.key.clone(), value.clone())),
                None => drop(self.records.remove(&op.key)),
            }
        }
        self.seq = entry.last;
    }

    /// All records in order.
    pub const fn records(&self) -> &BTreeMap<RecordKey, Vec<u8>> {
        &self.records
    }

    /// Whether the framework has its id.
    pub fn has_framework(&self) -> bool {
        self.framework().is_some()
    }

    /// The framework's id.
    pub fn framework(&self) -> Option<FrameworkId> {
        let id = self.framework_message()?.framework_id;
        (!id.is_empty()).then(|| FrameworkId::new(id))
    }

    /// An operator has said that there is to be a new framework.
    pub fn wants_new_framework(&self) -> bool {
        self.framework_message().and_then(|record| record.hold).is_some_and(|hold| hold.word == 2)
    }

    fn framework_message(&self) -> Option<FrameworkMessage> {
        let record = self.records.get(&RecordKey(vec![b'f']))?;
        FrameworkMessage::decode(record.as_slice()).ok()
    }

    /// All seats of all slots.
    pub fn seats(&self) -> impl Iterator<Item = StoredSeat> {
        let theirs = self.records.range(RecordKey(vec![b's'])..RecordKey(vec![b's' + 1]));
        theirs.filter_map(|(key, value)| StoredSeat::read(key, value))
    }

    /// How many slots run the configuration of the version wanted, or ran it last.
    pub fn slots_of_target(&self, dotted: &str) -> usize {
        let runs = self.target_runs(dotted);
        let is_theirs = |seat: &StoredSeat| seat.app == dotted && Some(seat.version()) == runs;
        self.seats().filter(is_theirs).map(|seat| seat.slot).collect::<BTreeSet<u32>>().len()
    }

    /// All apps' records.
    pub fn apps(&self) -> impl Iterator<Item = StoredApp> {
        let theirs = self.records.range(RecordKey(vec![b'a'])..RecordKey(vec![b'a' + 1]));
        theirs.filter_map(|(_, value)| StoredApp::decode(value.as_slice()).ok())
    }

    /// The dotted ids of all apps.
    pub fn app_names(&self) -> impl Iterator<Item = &str> {
        let theirs = self.records.range(RecordKey(vec![b'a'])..RecordKey(vec![b'a' + 1]));
        theirs.filter_map(|(key, _)| std::str::from_utf8(&key.0[1..]).ok())
    }

    /// The app's record.
    pub fn app(&self, dotted: &str) -> Option<StoredApp> {
        StoredApp::decode(self.named(b'a', dotted)?.as_slice()).ok()
    }

    /// The image of the version that is wanted: every definition has one of its own.
    pub fn target_image(&self, dotted: &str) -> Option<String> {
        let key = version_key(dotted, self.app(dotted)?.target);
        let spec = VersionMessage::decode(self.records.get(&key)?.as_slice()).ok()?.spec;
        image_in(&spec).map(str::to_owned)
    }

    /// The version whose configuration tasks of the wanted one run.
    pub fn target_runs(&self, dotted: &str) -> Option<u64> {
        let key = version_key(dotted, self.app(dotted)?.target);
        Some(VersionMessage::decode(self.records.get(&key)?.as_slice()).ok()?.runs)
    }

    /// Whether a version of an app is kept.
    pub fn has_version(&self, dotted: &str, version: &str) -> bool {
        version.parse().is_ok_and(|version| self.keeps(dotted, version))
    }

    /// Whether a version of an app is kept.
    pub fn keeps(&self, dotted: &str, version: u64) -> bool {
        self.records.contains_key(&version_key(dotted, version))
    }

    /// The current tasks of an app, and their agents.
    pub fn tasks(&self, dotted: &str) -> Vec<(TaskId, AgentId)> {
        let mut first = vec![b's'];
        first.extend_from_slice(dotted.as_bytes());
        first.push(0);
        let range = self.records.range(RecordKey(first.clone())..);
        let theirs = range.take_while(|(key, _)| key.0.starts_with(&first));
        let task = |key: &RecordKey, value: &Vec<u8>| {
            let slot = u32::from_be_bytes(key.0[first.len()..].try_into().ok()?) & !SECOND;
            let task = SlotMessage::decode(value.as_slice()).ok()?.task?;
            Some((TaskName { hex: task.hex, slot, app: dotted }.id(), AgentId::new(task.agent_id)))
        };
        theirs.filter_map(|(key, value)| task(key, value)).collect()
    }

    /// The two seats of a slot, as far as they have records.
    pub fn seats_of(&self, dotted: &str, slot: u32) -> [Option<StoredSeat>; 2] {
        [slot, slot | SECOND].map(|number| {
            let key = seat_key(dotted, number);
            self.records.get(&key).and_then(|value| StoredSeat::read(&key, value))
        })
    }

    /// Whether there is a record of a seat.
    pub fn has_seat(&self, seat: &StoredSeat) -> bool {
        let number = seat.slot | if seat.second { SECOND } else { 0 };
        self.records.contains_key(&seat_key(&seat.app, number))
    }

    /// The task in one seat of the slot that `task` names.
    fn seat_of(&self, task: &TaskName<'_>, seat: u32) -> Option<StoredTask> {
        let record = self.records.get(&seat_key(task.app, seat))?;
        let task = SlotMessage::decode(record.as_slice()).ok()?.task?;
        let (hex, stop) = (task.hex, task.stop);
        Some(StoredTask { hex, state: TaskState::from_number(task.state), stop })
    }

    /// The task, if it is the current one of its slot, or the successor of that.
    pub fn current(&self, task: &TaskId) -> Option<StoredTask> {
        let name = TaskName::parse(task.as_str())?;
        let seats = [name.slot, name.slot | SECOND].into_iter();
        seats.filter_map(|seat| self.seat_of(&name, seat)).find(|stored| stored.hex == name.hex)
    }

    /// Whether the task is remembered as superseded.
    pub fn is_former(&self, task: &TaskId) -> bool {
        self.named(b'o', task.as_str()).is_some()
    }

    /// Whether an operator ends the task, which is remembered as unknown.
    pub fn is_ended_by_operator(&self, task: &TaskId) -> bool {
        let record = self.named(b'q', task.as_str());
        record.and_then(|it| QuarantineMessage::decode(it.as_slice()).ok()).is_some_and(|it| it.ending)
    }

    /// Whether the task is remembered as unknown.
    pub fn is_quarantined(&self, task: &TaskId) -> bool {
        self.named(b'q', task.as_str()).is_some()
    }

    fn named(&self, kind: u8, name: &str) -> Option<&Vec<u8>> {
        let mut key = vec![kind];
        key.extend_from_slice(name.as_bytes());
        self.records.get(&RecordKey(key))
    }
}

/// Whether the brake holds from now on, if a change says so.
pub(super) fn brake_in(op: &Op) -> Option<bool> {
    let value = op.value.as_deref().filter(|_| op.key.0 == b"f")?;
    Some(FrameworkMessage::decode(value).ok()?.brake_holds)
}

/// The definition that a change stores, if it is of a version.
pub(super) fn definition_in(op: &Op) -> Option<String> {
    op.key.0.strip_prefix(b"v")?;
    Some(VersionMessage::decode(op.value.as_deref()?).ok()?.spec)
}

/// The image that a definition names, as canonical JSON.
pub(crate) fn image_in(spec: &str) -> Option<&str> {
    let (_, rest) = spec.split_once(r#""image":""#)?;
    rest.split('"').next()
}

fn seat_key(dotted: &str, number: u32) -> RecordKey {
    let mut key = vec![b's'];
    key.extend_from_slice(dotted.as_bytes());
    key.push(0);
    key.extend_from_slice(&number.to_be_bytes());
    RecordKey(key)
}

fn version_key(dotted: &str, version: u64) -> RecordKey {
    let mut key = vec![b'v'];
    key.extend_from_slice(dotted.as_bytes());
    key.push(0);
    key.extend_from_slice(&version.to_be_bytes());
    RecordKey(key)
}
