//! Owns the append pipeline: grouping of batches into entries, their flight, and what happens when one goes wrong.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::effect::JournalEffect;
use super::entry::{Entry, encoded_bytes};
use super::frame::HEADER_BYTES;
use super::lane::{Issuer, backoff};
use super::op::{Blob, LogPart, OpId, Payload, StoreOp, StoreResult};
use crate::limits;
use crate::record::{Epoch, Op, Seq};
use crate::scheduler::input::StoreEvent;
use crate::time::{ClusterTime, Instant};

/// Batches on their way into the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Appender {
    epoch: Epoch,
    /// Handed over, not yet in an entry.
    waiting: VecDeque<Batch>,
    /// In entries that are not yet durable, by index.
    flights: VecDeque<Flight>,
    /// The index of the next entry.
    next_index: u64,
    /// The newest batch that is in an entry, and the cluster time of that entry.
    grouped: Seq,
    grouped_at: ClusterTime,
    /// The newest batch that is durable.
    durable: Seq,
    trouble: Option<Trouble>,
    tries: u32,
    /// The scheduler was told `Stalled` and nothing better since.
    stalled: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Batch {
    seq: Seq,
    ops: Vec<Op>,
    bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Flight {
    index: u64,
    last: Seq,
    entry: Blob,
    /// The append in flight, if there is one.
    issued: Option<OpId>,
    since: Instant,
    /// It was read back, which says nothing yet of what a loss of power would leave.
    found: bool,
    done: bool,
}

/// At least one append failed. Nothing is appended until each is answered and, after a pause, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    /// Some entry may be in the log or not: read before writing again (R94).
    doubt: bool,
    reading: Option<OpId>,
    /// All was found: a cut behind it makes it durable.
    settling: Option<OpId>,
    resolve_at: Option<Instant>,
}

impl Trouble {
    const fn is_idle(&self) -> bool {
        self.reading.is_none() && self.settling.is_none() && self.resolve_at.is_none()
    }
}

impl core::fmt::Debug for Batch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Batch {{ {:?}, {} ops }}", self.seq, self.ops.len())
    }
}

/// Somebody else leads; nothing can be written any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FencedOff;

impl Appender {
    pub(super) const fn new(epoch: Epoch, next_index: u64, durable: Seq, cluster_time: ClusterTime) -> Self {
        Self {
            epoch,
            waiting: VecDeque::new(),
            flights: VecDeque::new(),
            next_index,
            grouped: durable,
            grouped_at: cluster_time,
            durable,
            trouble: None,
            tries: 0,
            stalled: false,
        }
    }

    /// The newest batch handed over.
    pub(super) fn handed(&self) -> Seq {
        self.waiting.back().map_or(self.grouped, |batch| batch.seq)
    }

    /// The newest batch that is in an entry, durable or not.
    pub(super) const fn grouped(&self) -> Seq {
        self.grouped
    }

    /// The cluster time of the newest entry, durable or not.
    pub(super) const fn grouped_at(&self) -> ClusterTime {
        self.grouped_at
    }

    /// The newest durable batch.
    pub(super) const fn durable(&self) -> Seq {
        self.durable
    }

    /// The index that the next entry will get.
    pub(super) const fn next_index(&self) -> u64 {
        self.next_index
    }

    /// The index below which all entries are durable.
    pub(super) fn durable_index(&self) -> u64 {
        self.flights.front().map_or(self.next_index, |flight| flight.index)
    }

    pub(super) fn hand_over(&mut self, seq: Seq, ops: Vec<Op>) {
        assert_eq!(seq, self.handed().next(), "batches are handed over in order, none left out");
        let bytes = encoded_bytes(&ops);
        assert!(bytes + HEADER_BYTES <= limits::ENTRY_BYTES_MAX, "a batch fits an entry");
        self.waiting.push_back(Batch { seq, ops, bytes });
    }

    /// Sends what may be sent, in entries of this format level; returns the bytes of the new entries.
    pub(super) fn pump(
        &mut self,
        now: Instant,
        cluster_time: ClusterTime,
        level: u8,
        ids: &mut Issuer,
        out: &mut Vec<JournalEffect>,
    ) -> u64 {
        let mut bytes = 0;
        while self.trouble.is_none() && self.flights.len() < limits::APPENDS_IN_FLIGHT_MAX {
            let Some(group) = self.next_group() else { break };
            let (index, last) = (self.next_index, group.last().map_or(self.grouped, |batch| batch.seq));
            let entry = Entry {
                level,
                epoch: self.epoch,
                first: self.grouped.next(),
                last,
                cluster_time,
                ops: group.into_iter().flat_map(|batch| batch.ops).collect(),
            };
            let entry = entry.encode(index);
            bytes += entry.as_slice().len() as u64;
            let issued =
                Some(ids.issue(StoreOp::Append { epoch: self.epoch, index, entry: entry.clone() }, out));
            self.flights.push_back(Flight {
                index,
                last,
                entry,
                issued,
                since: now,
                found: false,
                done: false,
            });
            self.next_index += 1;
            (self.grouped, self.grouped_at) = (last, cluster_time);
        }
        bytes
    }

    /// Takes waiting batches for one entry.
    fn next_group(&mut self) -> Option<Vec<Batch>> {
        let first = self.waiting.pop_front()?;
        let mut bytes = HEADER_BYTES + first.bytes;
        let mut group = Vec::from([first]);
        while let Some(batch) =
            self.waiting.pop_front_if(|batch| bytes + batch.bytes <= limits::ENTRY_BYTES_MAX)
        {
            bytes += batch.bytes;
            group.push(batch);
        }
        Some(group)
    }

    /// Whether `id` is one of ours and not yet answered.
    pub(super) fn expects(&self, id: OpId) -> bool {
        self.flights.iter().any(|flight| flight.issued == Some(id))
            || self.trouble.as_ref().is_some_and(|it| it.reading == Some(id) || it.settling == Some(id))
    }

    pub(super) fn answered(
        &mut self,
        now: Instant,
        id: OpId,
        result: StoreResult,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), FencedOff> {
        let outcome = match self.flights.iter_mut().find(|flight| flight.issued == Some(id)) {
            Some(flight) => {
                flight.issued = None;
                let index = flight.index;
                match result {
                    StoreResult::Done(_) => {
                        flight.done = true;
                        self.tries = 0;
                        self.confirm_below(index);
                        Ok(())
                    }
                    StoreResult::Fenced => return Err(FencedOff),
                    StoreResult::Conflict => {
                        Err((true, format!("log entry {index} stands elsewhere than expected")))
                    }
                    StoreResult::Unknown(_) if mutant!(UnknownOutcomeIsDone) => {
                        flight.done = true;
                        Ok(())
                    }
                    StoreResult::Unknown(why) => Err((true, why)),
                    StoreResult::FailedClean(why) => Err((false, why)),
                }
            }
            None if self.trouble.as_ref().is_some_and(|trouble| trouble.settling == Some(id)) => {
                self.settled(result)?
            }
            None => self.read_back(result)?,
        };
        self.release(out);
        if let Err((doubt, why)) = outcome {
            self.note_trouble(doubt, why, out);
        }
        self.schedule_resolution(now);
        Ok(())
    }

    /// What was found in the log below `index` is durable.
    fn confirm_below(&mut self, index: u64) {
        for flight in self.flights.iter_mut().filter(|flight| flight.found && flight.index < index) {
            flight.done = true;
        }
    }

    /// The log was cut behind all that was found in it.
    fn settled(&mut self, result: StoreResult) -> Result<Result<(), (bool, String)>, FencedOff> {
        let trouble = self.trouble.as_mut().expect("only a trouble is settled");
        trouble.settling = None;
        let why = match result {
            StoreResult::Done(_) => {
                self.confirm_below(self.next_index);
                return Ok(Ok(()));
            }
            StoreResult::Fenced => return Err(FencedOff),
            StoreResult::Conflict => String::from("the log was not cut"),
            StoreResult::Unknown(why) | StoreResult::FailedClean(why) => why,
        };
        Ok(Err((true, why)))
    }

    /// Compares what the log holds with what was appended in doubt.
    fn read_back(&mut self, result: StoreResult) -> Result<Result<(), (bool, String)>, FencedOff> {
        let trouble = self.trouble.as_mut().expect("only a trouble reads back");
        trouble.reading = None;
        let why = match result {
            StoreResult::Done(Payload::Log(part)) => {
                self.compare(&part)?;
                return Ok(Ok(()));
            }
            StoreResult::Fenced => return Err(FencedOff),
            StoreResult::Done(_) | StoreResult::Conflict => String::from("the log was not read"),
            StoreResult::Unknown(why) | StoreResult::FailedClean(why) => why,
        };
        Ok(Err((true, why)))
    }

    fn compare(&mut self, part: &LogPart) -> Result<(), FencedOff> {
        let undone = self.flights.iter_mut().filter(|flight| !flight.done);
        let mut found_all_read = true;
        for flight in undone {
            flight.found = false;
            let at = flight.index.checked_sub(part.first).and_then(|at| usize::try_from(at).ok());
            match at.and_then(|at| part.entries.get(at)) {
                Some(stored) if *stored == flight.entry => flight.found = true,
                Some(_) => return Err(FencedOff),
                None => {
                    found_all_read = part.end;
                    break;
                }
            }
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.doubt = !found_all_read;
        }
        Ok(())
    }

    /// Tells of what became durable, in order.
    fn release(&mut self, out: &mut Vec<JournalEffect>) {
        let before = self.durable;
        while let Some(flight) = self.flights.pop_front_if(|flight| flight.done) {
            self.durable = flight.last;
        }
        if self.durable > before {
            self.stalled = false;
            out.push(JournalEffect::Up(StoreEvent::Stored { upto: self.durable }));
        }
    }

    fn note_trouble(&mut self, doubt: bool, why: String, out: &mut Vec<JournalEffect>) {
        let trouble = self.trouble.get_or_insert(Trouble {
            doubt: false,
            reading: None,
            settling: None,
            resolve_at: None,
        });
        trouble.doubt |= doubt;
        out.push(JournalEffect::Trouble(format!("changes cannot be stored: {why}")));
        self.stall(out);
    }

    fn stall(&mut self, out: &mut Vec<JournalEffect>) {
        if !self.stalled && !self.flights.is_empty() {
            self.stalled = true;
            out.push(JournalEffect::Up(StoreEvent::Stalled));
        }
    }

    /// Once every operation is answered: resolve after a pause, or be done if all is durable after all.
    fn schedule_resolution(&mut self, now: Instant) {
        let answered = self.flights.iter().all(|flight| flight.issued.is_none());
        let Some(trouble) = &mut self.trouble else { return };
        if self.flights.is_empty() {
            self.trouble = None;
        } else if answered && trouble.is_idle() {
            trouble.resolve_at = Some(now + backoff(self.tries));
            self.tries += 1;
        }
    }

    pub(super) fn wake(&mut self, now: Instant, ids: &mut Issuer, out: &mut Vec<JournalEffect>) {
        if self.flights.front().is_some_and(|oldest| oldest.since + limits::APPEND_STALL <= now) {
            self.stall(out);
        }
        let Some(trouble) = self.trouble.as_mut().filter(|t| t.resolve_at.is_some_and(|at| at <= now)) else {
            return;
        };
        trouble.resolve_at = None;
        if trouble.doubt {
            let from = self
                .flights
                .iter()
                .find(|flight| !flight.done)
                .map_or(self.next_index, |flight| flight.index);
            trouble.reading =
                Some(ids.issue(StoreOp::ReadLog { from, max_bytes: limits::LOG_READ_BYTES }, out));
            return;
        }
        if self.flights.iter().all(|flight| flight.done || flight.found) {
            let cut = StoreOp::Cut { epoch: self.epoch, from: self.next_index };
            trouble.settling = Some(ids.issue(cut, out));
            return;
        }
        self.trouble = None;
        for flight in self.flights.iter_mut().filter(|flight| !flight.done && !flight.found) {
            let (index, entry) = (flight.index, flight.entry.clone());
            flight.issued = Some(ids.issue(StoreOp::Append { epoch: self.epoch, index, entry }, out));
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let resolve = self.trouble.as_ref().and_then(|trouble| trouble.resolve_at);
        let oldest = self.flights.front().filter(|_| !self.stalled);
        let stall = oldest.map(|oldest| oldest.since + limits::APPEND_STALL);
        resolve.into_iter().chain(stall).min()
    }
}
