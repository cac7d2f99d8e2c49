//! Owns what the stored entries amount to, read by the checkers' own eyes: not by the machines' decoders.

use std::collections::BTreeMap;

use prost::Message;
use swan_core::id::TaskName;
use swan_core::journal::Entry;
use swan_core::mesos::{TaskId, TaskState};
use swan_core::record::{RecordKey, Seq};

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
    /// It is being ended.
    pub stopping: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SlotMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) task: Option<TaskMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TaskMessage {
    #[prost(uint64, tag = "1")]
    pub(super) hex: u64,
    #[prost(int32, tag = "5")]
    pub(super) state: i32,
    #[prost(uint32, tag = "10")]
    pub(super) stop: u32,
}

/// The part of an app's record that checkers read.
#[derive(Clone, PartialEq, Message)]
pub struct StoredApp {
    /// Instances wanted.
    #[prost(uint32, tag = "3")]
    pub instances: u32,
    /// What is under way, or `noop`.
    #[prost(string, tag = "4")]
    pub operation: String,
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

    /// The app's record.
    pub fn app(&self, dotted: &str) -> Option<StoredApp> {
        StoredApp::decode(self.named(b'a', dotted)?.as_slice()).ok()
    }

    /// The task in one seat of the slot that `task` names; the second seat has the highest bit of the number set.
    fn seat_of(&self, task: &TaskName<'_>, seat: u32) -> Option<StoredTask> {
        let mut key = vec![b's'];
        key.extend_from_slice(task.app.as_bytes());
        key.push(0);
        key.extend_from_slice(&seat.to_be_bytes());
        let task = SlotMessage::decode(self.records.get(&RecordKey(key))?.as_slice()).ok()?.task?;
        let (hex, stopping) = (task.hex, task.stop != 0);
        Some(StoredTask { hex, state: TaskState::from_number(task.state), stopping })
    }

    /// The current task of the slot that `task` names.
    pub fn slot_of(&self, task: &TaskName<'_>) -> Option<StoredTask> {
        self.seat_of(task, task.slot)
    }

    /// The task, if it is the current one of its slot, or the successor of that.
    pub fn current(&self, task: &TaskId) -> Option<StoredTask> {
        let name = TaskName::parse(task.as_str())?;
        let seats = [name.slot, name.slot | 1 << 31];
        seats.into_iter().filter_map(|seat| self.seat_of(&name, seat)).find(|stored| stored.hex == name.hex)
    }

    /// Whether the task is remembered as superseded.
    pub fn is_former(&self, task: &TaskId) -> bool {
        self.named(b'o', task.as_str()).is_some()
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
