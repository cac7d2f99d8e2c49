//! Owns the encoding of records: prost messages whose field numbers never change meaning, and their keys.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::agents::{Agent, Loss};
use super::hold::HoldRecord;
use super::rollout::{Operation, Rollout, Stage};
use super::slot::{FailureNote, Slot, Task};
use super::stop::Former;
use crate::mesos::{Address, AgentFacts, AgentId, Attribute, AttributeValue, DomainInfo, Reason, TaskState};
use crate::record::RecordKey;
use crate::time::{ClusterTime, Timestamp};

/// What kind of record a key is of: the key's first byte, which orders recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Kind {
    Framework = b'f',
    App = b'a',
    Version = b'v',
    Slot = b's',
    Former = b'o',
    Quarantine = b'q',
    Idempotency = b'i',
    Agent = b'h',
}

/// What a record is about, in the plural, for people; `unknown records` if this build does not know the kind.
pub fn record_kind(key: &RecordKey) -> &'static str {
    match Key::decode(key) {
        Some(Key::Framework) => "framework",
        Some(Key::App(_)) => "apps",
        Some(Key::Version(..)) => "versions",
        Some(Key::Slot(..)) => "slots",
        Some(Key::Former(_)) => "former tasks",
        Some(Key::Quarantine(_)) => "tasks in quarantine",
        Some(Key::Idempotency(_)) => "idempotency keys",
        Some(Key::Agent(_)) => "agents",
        None => "unknown records",
    }
}

/// A key taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Framework,
    App(String),
    Version(String, u64),
    Slot(String, u32),
    Former(String),
    Quarantine(String),
    Idempotency(String),
    Agent(String),
}

impl Key {
    /// `kind name` or `kind name \0 number`, the number big-endian so that byte order is its order.
    pub(super) fn encode(&self) -> RecordKey {
        let (kind, name, number): (Kind, &str, &[u8]) = match self {
            Self::Framework => (Kind::Framework, "", &[]),
            Self::App(app) => (Kind::App, app, &[]),
            Self::Version(app, version) => (Kind::Version, app, &version.to_be_bytes()),
            Self::Slot(app, slot) => (Kind::Slot, app, &slot.to_be_bytes()),
            Self::Former(task) => (Kind::Former, task, &[]),
            Self::Quarantine(task) => (Kind::Quarantine, task, &[]),
            Self::Idempotency(key) => (Kind::Idempotency, key, &[]),
            Self::Agent(agent) => (Kind::Agent, agent, &[]),
        };
        let mut bytes = Vec::with_capacity(2 + name.len() + number.len());
        bytes.push(kind as u8);
        bytes.extend_from_slice(name.as_bytes());
        if !number.is_empty() {
            bytes.push(0);
            bytes.extend_from_slice(number);
        }
        RecordKey(bytes)
    }

    /// The reverse; `None` for a key this build does not know.
    pub(super) fn decode(key: &RecordKey) -> Option<Self> {
        let (&kind, rest) = key.0.split_first()?;
        let text = |bytes: &[u8]| core::str::from_utf8(bytes).ok().map(ToString::to_string);
        let numbered = |width: usize| {
            let (head, number) = rest.split_at_checked(rest.len().checked_sub(width)?)?;
            Some((text(head.strip_suffix(&[0])?)?, number))
        };
        Some(match kind {
            b'f' if rest.is_empty() => Self::Framework,
            b'a' => Self::App(text(rest)?),
            b'v' => numbered(8)
                .and_then(|(app, n)| Some(Self::Version(app, u64::from_be_bytes(n.try_into().ok()?))))?,
            b's' => numbered(4)
                .and_then(|(app, n)| Some(Self::Slot(app, u32::from_be_bytes(n.try_into().ok()?))))?,
            b'o' => Self::Former(text(rest)?),
            b'q' => Self::Quarantine(text(rest)?),
            b'i' => Self::Idempotency(text(rest)?),
            b'h' => Self::Agent(text(rest)?),
            _ => return None,
        })
    }
}

/// Reads a record. `None` if it is damaged, or holds anything that this build would not write back: a newer one wrote
/// that, and it must not get lost.
pub(super) fn read_record<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    let record = M::decode(bytes).ok()?;
    (record.encoded_len() == bytes.len()).then_some(record)
}

/// The one framework record.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct FrameworkRecord {
    #[prost(string, tag = "1")]
    pub(super) framework_id: String,
    /// The disaster brake holds.
    #[prost(bool, tag = "2")]
    pub(super) brake_holds: bool,
    /// Losses until then count no more, in cluster time.
    #[prost(uint64, tag = "3")]
    pub(super) losses_since: u64,
    /// The journal was lost, and an operator decides who Swan is.
    #[prost(message, optional, tag = "4")]
    pub(super) hold: Option<HoldRecord>,
}

/// An app without its versions and slots.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct AppRecord {
    #[prost(string, tag = "1")]
    pub(super) path: String,
    #[prost(uint64, tag = "2")]
    pub(super) target: u64,
    #[prost(uint32, tag = "3")]
    pub(super) instances: u32,
    #[prost(string, tag = "5")]
    pub(super) error: String,
    #[prost(uint64, tag = "6")]
    pub(super) revision: u64,
    #[prost(string, optional, tag = "7")]
    pub(super) quarantined: Option<String>,
    #[prost(uint64, tag = "8")]
    pub(super) created: u64,
    #[prost(uint64, tag = "9")]
    pub(super) updated: u64,
    #[prost(uint32, tag = "10")]
    pub(super) size: u32,
    #[prost(message, optional, tag = "11")]
    pub(super) rollout: Option<RolloutRecord>,
    #[prost(message, repeated, tag = "12")]
    pub(super) ended: Vec<RolloutRecord>,
}

/// One change of an app, under way or ended.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct RolloutRecord {
    #[prost(uint64, tag = "1")]
    pub(super) id: u64,
    /// [`super::rollout::Operation`] by name.
    #[prost(string, tag = "2")]
    pub(super) operation: String,
    /// [`super::rollout::Stage`] by name.
    #[prost(string, tag = "3")]
    pub(super) stage: String,
    #[prost(bool, tag = "4")]
    pub(super) automatic: bool,
    #[prost(uint64, tag = "5")]
    pub(super) from: u64,
    #[prost(uint64, tag = "6")]
    pub(super) to: u64,
    #[prost(uint32, tag = "7")]
    pub(super) from_instances: u32,
    #[prost(uint32, tag = "8")]
    pub(super) to_instances: u32,
    #[prost(uint32, tag = "9")]
    pub(super) failures: u32,
    #[prost(string, tag = "10")]
    pub(super) error: String,
    #[prost(uint32, tag = "11")]
    pub(super) best: u32,
    /// Cluster time.
    #[prost(uint64, tag = "12")]
    pub(super) progress_at: u64,
    /// Cluster time.
    #[prost(uint64, tag = "13")]
    pub(super) next_at: u64,
    #[prost(uint64, tag = "14")]
    pub(super) started: u64,
    /// 0 while it is under way.
    #[prost(uint64, tag = "15")]
    pub(super) ended: u64,
    #[prost(uint32, tag = "16")]
    pub(super) from_size: u32,
}

/// One version.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct VersionRecord {
    /// Canonical JSON.
    #[prost(string, tag = "1")]
    pub(super) spec: String,
    #[prost(uint64, tag = "2")]
    pub(super) runs: u64,
    #[prost(uint64, tag = "3")]
    pub(super) created: u64,
}

/// One slot that has a task or a history; others need no record.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct SlotRecord {
    #[prost(message, optional, tag = "1")]
    pub(super) task: Option<TaskRecord>,
    #[prost(uint32, tag = "2")]
    pub(super) failures: u32,
    #[prost(uint64, tag = "3")]
    pub(super) not_before: u64,
    /// Oldest first.
    #[prost(message, repeated, tag = "4")]
    pub(super) history: Vec<FailureRecord>,
    /// The version of the task held last, while there is none.
    #[prost(uint64, tag = "5")]
    pub(super) ran: u64,
    #[prost(string, optional, tag = "6")]
    pub(super) given_up: Option<String>,
    /// Cluster times of the errors that retries are counted by.
    #[prost(uint64, repeated, tag = "7")]
    pub(super) recent: Vec<u64>,
    #[prost(bool, tag = "8")]
    pub(super) vacant: bool,
    #[prost(bool, tag = "9")]
    pub(super) held: bool,
}

/// A slot's task.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct TaskRecord {
    #[prost(uint64, tag = "1")]
    pub(super) hex: u64,
    #[prost(uint64, tag = "2")]
    pub(super) version: u64,
    #[prost(string, tag = "3")]
    pub(super) agent_id: String,
    #[prost(string, tag = "4")]
    pub(super) host: String,
    /// `mesos.v1.TaskState`.
    #[prost(int32, tag = "5")]
    pub(super) state: i32,
    #[prost(bool, optional, tag = "6")]
    pub(super) healthy: Option<bool>,
    #[prost(uint32, repeated, tag = "7")]
    pub(super) ports: Vec<u32>,
    #[prost(string, optional, tag = "8")]
    pub(super) ip: Option<String>,
    #[prost(string, optional, tag = "9")]
    pub(super) container: Option<String>,
    /// [`super::slot::StopReason`] by number; 0 if it is not being ended.
    #[prost(uint32, tag = "10")]
    pub(super) stop: u32,
    #[prost(uint64, tag = "11")]
    pub(super) drain_until: u64,
    #[prost(uint64, tag = "12")]
    pub(super) created: u64,
    #[prost(uint64, tag = "13")]
    pub(super) updated: u64,
    #[prost(uint64, tag = "14")]
    pub(super) since: u64,
}

/// One failure in a slot.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct FailureRecord {
    #[prost(int32, tag = "1")]
    pub(super) state: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(string, tag = "3")]
    pub(super) host: String,
    #[prost(uint64, tag = "4")]
    pub(super) at: u64,
    #[prost(int32, optional, tag = "5")]
    pub(super) reason: Option<i32>,
    #[prost(sint32, optional, tag = "6")]
    pub(super) exit_code: Option<i32>,
    #[prost(bool, tag = "7")]
    pub(super) counted: bool,
    #[prost(string, tag = "8")]
    pub(super) agent_id: String,
    #[prost(uint64, tag = "9")]
    pub(super) hex: u64,
    #[prost(uint64, tag = "10")]
    pub(super) version: u64,
    #[prost(uint64, tag = "11")]
    pub(super) started: u64,
    #[prost(string, tag = "12")]
    pub(super) container: String,
}

/// A task that was replaced while nobody could reach it; killed should it return.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct FormerRecord {
    #[prost(string, tag = "1")]
    pub(super) agent_id: String,
    #[prost(uint64, tag = "2")]
    pub(super) since: u64,
    /// Zero as well in records of before this field.
    #[prost(uint64, tag = "3")]
    pub(super) lost: u64,
}

impl FormerRecord {
    pub(super) fn of(former: &Former) -> Self {
        Self { agent_id: former.agent.to_string(), since: former.since.0, lost: former.lost.0 }
    }
}

/// A task of ours that no record knew.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct QuarantineRecord {
    #[prost(string, tag = "1")]
    pub(super) agent_id: String,
    #[prost(int32, tag = "2")]
    pub(super) state: i32,
    #[prost(uint64, tag = "3")]
    pub(super) first_seen: u64,
    /// An operator ends it.
    #[prost(bool, tag = "4")]
    pub(super) ending: bool,
}

/// The answer that an idempotency key got.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct IdempotencyRecord {
    #[prost(fixed64, tag = "1")]
    pub(super) fingerprint: u64,
    /// Cluster time.
    #[prost(uint64, tag = "2")]
    pub(super) at: u64,
    /// 1 created, 2 accepted, 3 unchanged, 4 done.
    #[prost(uint32, tag = "3")]
    pub(super) reply: u32,
    #[prost(string, tag = "4")]
    pub(super) app: String,
    #[prost(uint64, tag = "5")]
    pub(super) revision: u64,
    #[prost(string, tag = "6")]
    pub(super) version: String,
}

/// What rules go by on an agent with tasks; without it, what they count would be unknown after a failover.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct AgentRecord {
    #[prost(string, tag = "1")]
    pub(super) host: String,
    #[prost(string, optional, tag = "2")]
    pub(super) ip: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) region: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) zone: Option<String>,
    #[prost(message, repeated, tag = "5")]
    pub(super) attributes: Vec<AttributeRecord>,
    /// Tasks that have ended with it, as far as they count for the disaster brake.
    #[prost(uint32, tag = "6")]
    pub(super) lost_tasks: u32,
    /// When the last of them did, in cluster time.
    #[prost(uint64, tag = "7")]
    pub(super) lost_at: u64,
}

/// One attribute; which value it has says what type it is of.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct AttributeRecord {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, optional, tag = "2")]
    pub(super) text: Option<String>,
    /// Thousandths.
    #[prost(sint64, optional, tag = "3")]
    pub(super) scalar: Option<i64>,
    /// First and last number of each range in turn.
    #[prost(uint64, repeated, tag = "4")]
    pub(super) ranges: Vec<u64>,
    #[prost(string, repeated, tag = "5")]
    pub(super) set: Vec<String>,
    /// The value is of ranges, even if there are none.
    #[prost(bool, tag = "6")]
    pub(super) is_ranges: bool,
}

impl AgentRecord {
    /// Of what is known.
    pub(super) fn of(agent: &Agent) -> Self {
        let AgentFacts { attributes, domain, .. } = &*agent.facts;
        let loss = agent.loss.unwrap_or_default();
        Self {
            host: agent.host.to_string(),
            ip: agent.facts.ip().map(Into::into),
            region: domain.as_ref().map(|domain| domain.region.clone()),
            zone: domain.as_ref().map(|domain| domain.zone.clone()),
            attributes: attributes.iter().map(AttributeRecord::of).collect(),
            lost_tasks: loss.tasks,
            lost_at: loss.at.0,
        }
    }

    /// What has ended with it.
    pub(super) fn loss(&self) -> Option<Loss> {
        (self.lost_tasks > 0).then_some(Loss { at: ClusterTime(self.lost_at), tasks: self.lost_tasks })
    }

    /// The reverse.
    pub(super) fn facts(self) -> AgentFacts {
        let domain = self.region.zip(self.zone).map(|(region, zone)| DomainInfo { region, zone });
        let attributes = self.attributes.into_iter().map(AttributeRecord::attribute).collect();
        let address = self.ip.map(|ip| Address { ip: Some(ip), ..Address::default() });
        AgentFacts { attributes, domain, address, ..AgentFacts::default() }
    }
}

impl AttributeRecord {
    fn of(attribute: &Attribute) -> Self {
        let mut record = Self { name: attribute.name.clone(), ..Self::default() };
        match &attribute.value {
            AttributeValue::Text(text) => record.text = Some(text.clone()),
            AttributeValue::Scalar(milli) => record.scalar = Some(*milli),
            AttributeValue::Ranges(ranges) => {
                record.ranges = ranges.iter().flat_map(|&(begin, end)| [begin, end]).collect();
                record.is_ranges = true;
            }
            AttributeValue::Set(items) => record.set.clone_from(items),
        }
        record
    }

    fn attribute(self) -> Attribute {
        let value = match (self.text, self.scalar) {
            (Some(text), _) => AttributeValue::Text(text),
            (None, Some(milli)) => AttributeValue::Scalar(milli),
            (None, None) if self.is_ranges => {
                AttributeValue::Ranges(self.ranges.chunks_exact(2).map(|ends| (ends[0], ends[1])).collect())
            }
            (None, None) => AttributeValue::Set(self.set),
        };
        Attribute { name: self.name, value }
    }
}

/// Encodes a [`SlotRecord`] without making one: slots change far more often than anything else.
pub(super) fn encode_slot(slot: &Slot, agent: Option<&Agent>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    if let (Some(task), Some(agent)) = (&slot.task, agent) {
        let mut inner = Vec::with_capacity(240);
        encode_task(task, agent, &mut inner);
        put_bytes(1, &inner, &mut bytes);
    }
    put_number(2, u64::from(slot.failures), &mut bytes);
    put_number(3, slot.not_before.0, &mut bytes);
    let trouble = slot.trouble.as_deref();
    for note in trouble.into_iter().flat_map(|trouble| &trouble.history) {
        put_bytes(4, &FailureRecord::from(note).encode_to_vec(), &mut bytes);
    }
    if slot.task.is_none() {
        put_number(5, slot.ran, &mut bytes);
    }
    if let Some(trouble) = trouble {
        if let Some(why) = &trouble.given_up {
            put_bytes(6, why.as_bytes(), &mut bytes);
        }
        put_packed(7, trouble.recent.iter().map(|at| at.0), &mut bytes);
    }
    put_number(8, u64::from(slot.vacant), &mut bytes);
    put_number(9, u64::from(slot.held), &mut bytes);
    bytes
}

impl From<&FailureNote> for FailureRecord {
    fn from(note: &FailureNote) -> Self {
        Self {
            state: note.state.number(),
            message: note.message.clone(),
            host: note.host.clone(),
            at: note.at.0,
            reason: note.reason.map(Reason::number),
            exit_code: note.exit_code,
            counted: note.counted,
            agent_id: note.agent.to_string(),
            hex: note.hex,
            version: note.version,
            started: note.started.0,
            container: note.container.clone(),
        }
    }
}

impl From<FailureRecord> for FailureNote {
    fn from(record: FailureRecord) -> Self {
        Self {
            hex: record.hex,
            version: record.version,
            state: TaskState::from_number(record.state),
            reason: record.reason.map(Reason::from_number),
            message: record.message,
            exit_code: record.exit_code,
            counted: record.counted,
            agent: AgentId::new(record.agent_id),
            host: record.host,
            container: record.container,
            started: Timestamp(record.started),
            at: Timestamp(record.at),
        }
    }
}

impl From<&Rollout> for RolloutRecord {
    fn from(rollout: &Rollout) -> Self {
        Self {
            id: rollout.id,
            operation: rollout.operation.name().into(),
            stage: rollout.stage.name().into(),
            automatic: rollout.automatic,
            from: rollout.from,
            to: rollout.to,
            from_instances: rollout.from_instances,
            to_instances: rollout.to_instances,
            failures: rollout.failures,
            error: rollout.error.clone(),
            best: rollout.best,
            progress_at: rollout.progress_at.0,
            next_at: rollout.next_at.0,
            started: rollout.started.0,
            ended: rollout.ended.map_or(0, |at| at.0),
            from_size: rollout.from_size,
        }
    }
}

impl RolloutRecord {
    /// The rollout; `None` if it is of a kind that this build does not know.
    pub(super) fn read(self) -> Option<Rollout> {
        Some(Rollout {
            id: self.id,
            operation: Operation::named(&self.operation)?,
            stage: Stage::named(&self.stage)?,
            automatic: self.automatic,
            from: self.from,
            to: self.to,
            from_instances: self.from_instances,
            to_instances: self.to_instances,
            from_size: self.from_size,
            failures: self.failures,
            error: self.error,
            best: self.best,
            progress_at: ClusterTime(self.progress_at),
            next_at: ClusterTime(self.next_at),
            started: Timestamp(self.started),
            ended: (self.ended > 0).then_some(Timestamp(self.ended)),
            timer: None,
        })
    }
}

fn encode_task(task: &Task, agent: &Agent, bytes: &mut Vec<u8>) {
    put_number(1, task.hex, bytes);
    put_number(2, task.version, bytes);
    put_text(3, agent.id.as_str(), bytes);
    put_text(4, &agent.host, bytes);
    // A negative number, which only a hostile peer would send, is ten bytes long, as prost has it.
    put_number(5, i64::from(task.state.number()).cast_unsigned(), bytes);
    if let Some(healthy) = task.healthy {
        encode_key(6, WireType::Varint, bytes);
        bytes.push(u8::from(healthy));
    }
    put_packed(7, task.ports.iter().map(|&port| u64::from(port)), bytes);
    for (tag, text) in [(8, &task.ip), (9, &task.container)] {
        if let Some(text) = text {
            put_bytes(tag, text.as_bytes(), bytes);
        }
    }
    if let Some(stop) = &task.stop {
        put_number(10, stop.why as u64, bytes);
        put_number(11, stop.drain_until.0, bytes);
    }
    put_number(12, task.created.0, bytes);
    put_number(13, task.updated.0, bytes);
    put_number(14, task.since.0, bytes);
}

fn put_number(tag: u32, number: u64, bytes: &mut Vec<u8>) {
    if number != 0 {
        encode_key(tag, WireType::Varint, bytes);
        encode_varint(number, bytes);
    }
}

fn put_packed(tag: u32, numbers: impl Iterator<Item = u64> + Clone, bytes: &mut Vec<u8>) {
    let length = numbers.clone().map(|number| encoded_len_varint(number) as u64).sum();
    if length > 0 {
        encode_key(tag, WireType::LengthDelimited, bytes);
        encode_varint(length, bytes);
        numbers.for_each(|number| encode_varint(number, bytes));
    }
}

fn put_text(tag: u32, text: &str, bytes: &mut Vec<u8>) {
    if !text.is_empty() {
        put_bytes(tag, text.as_bytes(), bytes);
    }
}

fn put_bytes(tag: u32, content: &[u8], bytes: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, bytes);
    encode_varint(content.len() as u64, bytes);
    bytes.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::agents::Agents;
    use crate::scheduler::slot::{Stop, StopReason, Trouble};

    fn failure() -> FailureNote {
        FailureNote {
            hex: 0xdef,
            version: 41,
            state: TaskState::Failed,
            reason: Some(Reason::ContainerLaunchFailed),
            message: "no such image".into(),
            exit_code: Some(-1),
            counted: true,
            agent: AgentId::from("S2"),
            host: "node2".into(),
            container: "d".into(),
            started: Timestamp(3),
            at: Timestamp(4),
        }
    }

    #[test]
    fn the_slot_encoder_writes_what_the_message_would() {
        let mut agents = Agents::default();
        let agent = agents.acquire(&AgentId::from("S1"), "node1");
        let stop = Stop { why: StopReason::Delete, drain_until: ClusterTime(7), kills: 3, stuck: false };
        let task = Task {
            hex: 0xabc,
            version: 42,
            agent,
            state: TaskState::Running,
            sent: true,
            inherited: false,
            checked: true,
            settled: false,
            healthy: Some(false),
            ports: [31000, 80, 65535].into(),
            ip: Some("172.17.0.2".into()),
            container: Some("c".into()),
            stop: Some(stop),
            created: Timestamp(1),
            updated: Timestamp(0),
            since: ClusterTime(300),
        };
        let note = failure();
        let trouble = Trouble {
            history: [note.clone()].into(),
            recent: [ClusterTime(5), ClusterTime(600)].into(),
            given_up: Some("it is over".into()),
        };
        let slot = Slot {
            task: Some(task),
            failures: 2,
            not_before: ClusterTime(9),
            trouble: Some(trouble.into()),
            vacant: true,
            held: true,
            ..Slot::default()
        };
        let bytes = encode_slot(&slot, Some(agents.get(agent)));
        let record = SlotRecord::decode(&*bytes).expect("a slot record");
        let expected = TaskRecord {
            hex: 0xabc,
            version: 42,
            agent_id: "S1".into(),
            host: "node1".into(),
            state: 1,
            healthy: Some(false),
            ports: [31000, 80, 65535].into(),
            ip: Some("172.17.0.2".into()),
            container: Some("c".into()),
            stop: 3,
            drain_until: 7,
            created: 1,
            updated: 0,
            since: 300,
        };
        let expected = SlotRecord {
            task: Some(expected),
            failures: 2,
            not_before: 9,
            history: [FailureRecord::from(&note)].into(),
            ran: 0,
            given_up: Some("it is over".into()),
            recent: [5, 600].into(),
            vacant: true,
            held: true,
        };
        assert_eq!(record, expected);
        assert_eq!(FailureNote::from(FailureRecord::from(&note)), note);
        assert_eq!(record.encode_to_vec(), bytes);
    }

    #[test]
    fn keys_round_trip_and_order_by_number() {
        let keys = [
            Key::Framework,
            Key::App("web.shop".into()),
            Key::Version("web.shop".into(), 7),
            Key::Slot("web.shop".into(), 258),
            Key::Former("t".into()),
            Key::Quarantine("weird\u{0}id".into()),
            Key::Idempotency("who/key".into()),
            Key::Agent("a6f3-S1".into()),
        ];
        for key in keys {
            assert_eq!(Key::decode(&key.encode()), Some(key));
        }
        let slot = |n| Key::Slot("a".into(), n).encode();
        assert!(slot(255) < slot(256) && slot(256) < slot(65_536));
        for junk in [&b""[..], b"x", b"s", b"sab", b"v\x00", b"a\xff"] {
            assert_eq!(Key::decode(&RecordKey(junk.to_vec())), None);
        }
    }
}
