//! Owns write-before-act: which records wait to be written, which batches are in flight, and which effects wait for them.
//!
//! One queue holds both in the order in which they arose: a batch takes records from its front, and the effects
//! between them leave when that batch is durable. A record that changes again before it is taken travels once.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::agents::AgentIdx;
use super::api::{ApiReply, Caller};
use super::apps::{AppIdx, VersionId};
use super::event::{EventId, EventKind};
use super::input::RequestId;
use super::offers::OfferIdx;
use crate::id::DottedId;
use crate::limits::BATCHES_IN_FLIGHT_MAX;
use crate::mesos::{AgentId, TaskId, Uuid};
use crate::record::{Epoch, RecordKey, Seq};

/// One record that waits to be written, by where its newest content is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Change {
    Framework,
    App(AppIdx),
    Version(AppIdx, VersionId),
    Slot(AppIdx, u32),
    Former(TaskId),
    Quarantine(TaskId),
    Idempotency(Arc<str>),
    /// What is known of an agent with tasks.
    Agent(AgentIdx),
    /// A record whose owner is gone.
    Gone(RecordKey),
}

/// An effect that waits for a change to be durable, with what is needed to check it again at release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Gated {
    Accept(OfferIdx),
    Kill {
        app: AppIdx,
        slot: u32,
        hex: u64,
    },
    KillFormer(TaskId),
    KillQuarantined(TaskId),
    /// The connection to Mesos, which waits for who Swan is to be.
    Subscribe,
    Acknowledge {
        task: TaskId,
        agent: AgentId,
        uuid: Uuid,
    },
    Reply {
        id: RequestId,
        reply: Box<ApiReply>,
    },
    Publish {
        app: Option<DottedId>,
        who: Option<Box<Caller>>,
        kind: Box<EventKind>,
    },
    /// The task's backend may be announced, if it still serves.
    Route {
        app: AppIdx,
        slot: u32,
        hex: u64,
    },
}

/// A place in the queue: a record to write, or an effect that rests on the records before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Waiting {
    Change(Change),
    Gate(Gated),
}

/// A batch that the journal has and that is not durable yet, with what it will let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Batch {
    pub(super) seq: Seq,
    pub(super) gates: Vec<Gated>,
}

/// What is written, in flight, and waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    epoch: Epoch,
    waiting: VecDeque<Waiting>,
    /// Changes among `waiting`.
    changes: usize,
    in_flight: VecDeque<Batch>,
    last_handed: Seq,
    stored: Seq,
    /// Place of the next event within the batch last stored.
    event_n: u32,
    /// The journal says that writes hang.
    pub(super) stalled: bool,
}

impl Ledger {
    /// Begins a leadership after everything up to `stored`.
    pub(super) fn begin(&mut self, epoch: Epoch, stored: Seq) {
        assert!(
            self.in_flight.is_empty() && self.waiting.is_empty(),
            "a leadership begins with nothing in flight"
        );
        self.epoch = epoch;
        self.stored = stored;
        self.last_handed = stored;
    }

    /// Notes a record that waits to be written. Its owner remembers, and notes it again only once it was taken.
    pub(super) fn note(&mut self, change: Change) {
        self.waiting.push_back(Waiting::Change(change));
        self.changes += 1;
    }

    /// Holds an effect until all changes so far are durable; gives it back if they are.
    #[must_use]
    pub(super) fn gate(&mut self, gated: Gated) -> Option<Gated> {
        let early = match gated {
            Gated::Acknowledge { .. } => mutant!(AckBeforeStored),
            Gated::Reply { .. } => mutant!(ReplyBeforeStored),
            _ => false,
        };
        if early {
            return Some(gated);
        }
        if !self.waiting.is_empty() {
            self.waiting.push_back(Waiting::Gate(gated));
        } else if let Some(batch) = self.in_flight.back_mut() {
            batch.gates.push(gated);
        } else {
            return Some(gated);
        }
        None
    }

    /// Whether another batch may be handed over.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight.len() < BATCHES_IN_FLIGHT_MAX && !self.stalled
    }

    /// Whether records wait to be written.
    pub(super) const fn has_changes(&self) -> bool {
        self.changes() > 0
    }

    /// How many records wait to be written.
    pub(super) const fn changes(&self) -> usize {
        self.changes
    }

    /// Opens the next batch.
    pub(super) fn open_batch(&mut self) -> Seq {
        assert!(self.has_room() && self.has_changes(), "a batch needs room and content");
        self.last_handed = self.last_handed.next();
        self.in_flight.push_back(Batch { seq: self.last_handed, gates: Vec::new() });
        self.last_handed
    }

    /// Takes the next record into the open batch, together with the effects that wait right before it.
    pub(super) fn take_change(&mut self) -> Option<Change> {
        let batch = self.in_flight.back_mut().expect("a batch is open");
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting {
                Waiting::Gate(gated) => batch.gates.push(gated),
                Waiting::Change(change) => {
                    self.changes -= 1;
                    return Some(change);
                }
            }
        }
        None
    }

    /// Lets the effects that wait at the front of the queue into the batch just filled.
    pub(super) fn close_batch(&mut self) {
        let batch = self.in_flight.back_mut().expect("a batch is open");
        while let Some(Waiting::Gate(_)) = self.waiting.front() {
            if let Some(Waiting::Gate(gated)) = self.waiting.pop_front() {
                batch.gates.push(gated);
            }
        }
    }

    /// Takes the oldest batch in flight that is durable now; events released with it are numbered within it.
    pub(super) fn take_stored(&mut self, upto: Seq) -> Option<Batch> {
        let upto = if mutant!(ReleasesNextBatch) { upto.next() } else { upto };
        if self.in_flight.front()?.seq > upto {
            return None;
        }
        let batch = self.in_flight.pop_front()?;
        self.stored = batch.seq;
        self.event_n = 0;
        Some(batch)
    }

    /// The id of the next event that leaves.
    pub(super) const fn next_event_id(&mut self) -> EventId {
        let id = EventId { epoch: self.epoch, seq: self.stored, n: self.event_n };
        self.event_n += 1;
        id
    }

    /// The newest durable batch.
    pub(super) const fn stored(&self) -> Seq {
        self.stored
    }

    /// The batch that a reader of live records must wait for: the newest handed over, or the next if some wait.
    pub(super) fn as_of(&self) -> Seq {
        if self.changes > 0 { self.last_handed.next() } else { self.last_handed }
    }

    /// This leadership.
    pub(super) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Batches handed over and not durable.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}
