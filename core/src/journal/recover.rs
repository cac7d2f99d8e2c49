//! Owns reading: the first recovery, a standby's following, and taking over (R92).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::append::Appender;
use super::effect::{JournalEffect, Place, Refusal};
use super::entry::{Entry, Manifest, NUMBER_MAX, decode_chunk};
use super::frame::{Damage, FrameError};
use super::op::{Blob, LogPart, Payload, StoreOp, StoreResult};
use super::{Journal, Leader, Phase};
use crate::limits;
use crate::record::{Epoch, Op, Seq};
use crate::time::{ClusterTime, Instant};

/// How far the log has been followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) next_index: u64,
    pub(super) seq: Seq,
    pub(super) epoch: Epoch,
    pub(super) cluster_time: ClusterTime,
    /// Bytes of the entries that a recovery would replay.
    pub(super) bytes: u64,
}

/// What is being read for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reading {
    Manifest,
    Chunk {
        at: usize,
    },
    /// Something that the manifest promises is missing: was the manifest replaced meanwhile?
    Recheck(Place),
    Tail,
}

/// Where taking over has got to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Claim {
    ReadEpoch,
    Set,
    Manifest(Epoch),
    Tail(Epoch),
    Cut(Epoch),
}

/// What a stretch of the log led to.
enum Progress {
    More,
    End,
    /// Entries that should follow were trimmed.
    Behind,
}

impl Journal {
    pub(super) fn boot(&mut self, out: &mut Vec<JournalEffect>) {
        if !matches!(self.phase, Phase::New) {
            self.odd += 1;
            return;
        }
        self.phase = Phase::Reading(Reading::Manifest);
        self.lane.issue(StoreOp::ReadManifest, &mut self.ids, out);
    }

    pub(super) fn lead(&mut self, out: &mut Vec<JournalEffect>) {
        self.lead_wanted = true;
        if matches!(self.phase, Phase::Following { .. }) {
            self.lane.forget_retry();
            if self.lane.is_idle() {
                self.claim(out);
            }
        }
    }

    pub(super) fn read_tail(&mut self, now: Instant, out: &mut Vec<JournalEffect>) {
        self.asked = now;
        let op = StoreOp::ReadLog { from: self.tail.next_index, max_bytes: limits::LOG_READ_BYTES };
        self.lane.issue(op, &mut self.ids, out);
    }

    fn claim(&mut self, out: &mut Vec<JournalEffect>) {
        self.phase = Phase::Claiming(Claim::ReadEpoch);
        self.lane.issue(StoreOp::ReadEpoch, &mut self.ids, out);
    }

    /// Takes the answer to a read of recovery or following.
    pub(super) fn read(
        &mut self,
        now: Instant,
        op: StoreOp,
        result: StoreResult,
        out: &mut Vec<JournalEffect>,
    ) {
        let payload = match result {
            StoreResult::Done(payload) => payload,
            StoreResult::Conflict | StoreResult::Fenced => return self.odd_answer(now, op, out),
            StoreResult::FailedClean(why) | StoreResult::Unknown(why) => {
                out.push(JournalEffect::Trouble(alloc::format!("the journal cannot be read: {why}")));
                return self.try_later(now, op, out);
            }
        };
        self.lane.succeeded();
        let done = match (&self.phase, payload) {
            (Phase::Reading(Reading::Manifest), Payload::Manifest(stored)) => {
                self.take_manifest(now, stored.as_ref(), out)
            }
            (Phase::Reading(Reading::Chunk { at }), Payload::Chunk(stored)) => {
                self.take_chunk(now, *at, stored.as_ref(), out)
            }
            (Phase::Reading(Reading::Recheck(place)), Payload::Manifest(stored)) => {
                self.recheck(*place, stored.as_ref(), out)
            }
            (Phase::Reading(Reading::Tail) | Phase::Following { .. }, Payload::Log(part)) => {
                self.follow_tail(now, &part, out)
            }
            _ => return self.odd_answer(now, op, out),
        };
        if let Err(refusal) = done {
            self.refuse(refusal, out);
        }
    }

    /// An answer that does not fit its question is an executor's fault; asking again is all that can be done.
    fn odd_answer(&mut self, now: Instant, op: StoreOp, out: &mut Vec<JournalEffect>) {
        self.odd += 1;
        out.push(JournalEffect::Trouble(alloc::format!("the store's answer does not fit {op:?}")));
        self.try_later(now, op, out);
    }

    fn try_later(&mut self, now: Instant, op: StoreOp, out: &mut Vec<JournalEffect>) {
        if self.lead_wanted && matches!(self.phase, Phase::Following { .. }) {
            self.claim(out);
        } else {
            self.lane.later(now, op);
        }
    }

    fn take_manifest(
        &mut self,
        now: Instant,
        stored: Option<&Blob>,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), Refusal> {
        if let Some(blob) = stored {
            let manifest = self.decode_manifest(blob)?;
            self.tail = Tail {
                next_index: manifest.replay_from,
                seq: manifest.seq,
                epoch: manifest.epoch,
                cluster_time: manifest.cluster_time,
                bytes: 0,
            };
            self.snapshot.adopt(manifest, crc32fast::hash(blob.as_slice()), false);
        }
        self.read_chunk(now, 0, out);
        Ok(())
    }

    fn read_chunk(&mut self, now: Instant, at: usize, out: &mut Vec<JournalEffect>) {
        if let Some((chunk, _)) = self.snapshot.chunk(at) {
            self.phase = Phase::Reading(Reading::Chunk { at });
            self.lane.issue(StoreOp::ReadChunk { name: chunk.name }, &mut self.ids, out);
        } else {
            self.phase = Phase::Reading(Reading::Tail);
            self.read_tail(now, out);
        }
    }

    fn take_chunk(
        &mut self,
        now: Instant,
        at: usize,
        stored: Option<&Blob>,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), Refusal> {
        let (chunk, to) = self.snapshot.chunk(at).expect("the chunk that was asked for");
        let place = Place::Chunk(chunk.name);
        let Some(blob) = stored else {
            self.missing(place, out);
            return Ok(());
        };
        let ops = decode_chunk(self.config.format, &chunk, to.as_ref(), blob.as_slice())
            .map_err(|error| Refusal::new(place, error))?;
        follow(ops, out);
        self.read_chunk(now, at + 1, out);
        Ok(())
    }

    fn missing(&mut self, place: Place, out: &mut Vec<JournalEffect>) {
        self.phase = Phase::Reading(Reading::Recheck(place));
        self.lane.issue(StoreOp::ReadManifest, &mut self.ids, out);
    }

    fn recheck(
        &mut self,
        place: Place,
        stored: Option<&Blob>,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), Refusal> {
        let number =
            stored.map(|blob| self.decode_manifest(blob)).transpose()?.map_or(0, |manifest| manifest.number);
        if number == self.snapshot.manifest_number() {
            return Err(Refusal::missing(place));
        }
        self.phase = Phase::Ended;
        out.push(JournalEffect::Restart);
        Ok(())
    }

    /// What is missing where the log does not go on. Only what a snapshot holds is trimmed: whoever knows of none has
    /// lost its manifest.
    const fn lost_before(&self, part: &LogPart) -> Place {
        if part.begins > 0 && self.snapshot.manifest_number() == 0 {
            Place::Manifest
        } else {
            Place::Entry(self.tail.next_index)
        }
    }

    fn follow_tail(
        &mut self,
        now: Instant,
        part: &LogPart,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), Refusal> {
        let first_time = matches!(self.phase, Phase::Reading(_));
        match self.take_log(part, out)? {
            Progress::More => self.read_tail(now, out),
            Progress::Behind => {
                let place = self.lost_before(part);
                self.missing(place, out);
            }
            Progress::End => {
                if first_time {
                    out.push(JournalEffect::CaughtUp { seq: self.tail.seq });
                }
                self.fresh = Some(self.asked);
                self.phase = Phase::Following { poll_at: now + limits::TAIL_POLL };
                if self.lead_wanted {
                    self.claim(out);
                }
            }
        }
        Ok(())
    }

    /// Checks and follows a stretch of the log. Only entries that were never known to be durable may be damaged: a
    /// torn write of a leader that is gone, or is writing just now.
    fn take_log(&mut self, part: &LogPart, out: &mut Vec<JournalEffect>) -> Result<Progress, Refusal> {
        // Also where nothing is left of what follows: what is missing is to be named by who knows the new beginning.
        if part.first > self.tail.next_index {
            return Ok(Progress::Behind);
        }
        let mut torn = false;
        for blob in &part.entries {
            let index = self.tail.next_index;
            let refuse = |error| Refusal::new(Place::Entry(index), error);
            let entry = match Entry::decode(self.config.format, index, blob.as_slice()) {
                Ok(entry) => entry,
                Err(FrameError::Damaged(Damage::Short | Damage::Long | Damage::Header | Damage::Body))
                    if index >= part.durable =>
                {
                    torn = true;
                    break;
                }
                Err(error) => return Err(refuse(error)),
            };
            let in_order = entry.first == self.tail.seq.next()
                && entry.epoch >= self.tail.epoch
                && entry.cluster_time >= self.tail.cluster_time;
            if !in_order {
                return Err(refuse(FrameError::Damaged(Damage::Order)));
            }
            self.tail = Tail {
                next_index: index + 1,
                seq: entry.last,
                epoch: entry.epoch,
                cluster_time: entry.cluster_time,
                bytes: self.tail.bytes + blob.as_slice().len() as u64,
            };
            // A manifest that was switched since this machine read one has put it into force.
            self.snapshot.levels.follow(entry.level);
            for op in &entry.ops {
                self.snapshot.mark(&op.key);
            }
            let mut ops = entry.ops;
            if mutant!(ForgetsLastChange) {
                ops.pop();
            }
            if mutant!(StandbySkips) && matches!(self.phase, Phase::Following { .. }) {
                ops.pop();
            }
            follow(ops, out);
        }
        if !torn && !part.end && !part.entries.is_empty() {
            return Ok(Progress::More);
        }
        let end = self.tail.next_index;
        let lost = if part.durable > end { Some(end) } else { self.snapshot.replay_from().checked_sub(1) };
        match lost {
            Some(index) if index >= end || index >= part.durable => {
                Err(Refusal::missing(Place::Entry(index)))
            }
            _ => Ok(Progress::End),
        }
    }

    /// Takes the answer to an operation of a take-over. One whose outcome is unknown may yet happen: a new epoch makes
    /// it void (R94).
    pub(super) fn claimed(
        &mut self,
        now: Instant,
        claim: Claim,
        op: StoreOp,
        result: StoreResult,
        out: &mut Vec<JournalEffect>,
    ) {
        let payload = match result {
            StoreResult::Done(payload) => payload,
            StoreResult::Fenced => return self.fenced(out),
            StoreResult::FailedClean(why) => {
                out.push(JournalEffect::Trouble(alloc::format!("the journal cannot be taken over: {why}")));
                return self.lane.later(now, op);
            }
            StoreResult::Conflict => {
                self.phase = Phase::Claiming(Claim::ReadEpoch);
                return self.lane.later(now, StoreOp::ReadEpoch);
            }
            StoreResult::Unknown(why) => {
                out.push(JournalEffect::Trouble(alloc::format!(
                    "the journal may not have been taken over: {why}"
                )));
                self.phase = Phase::Claiming(Claim::ReadEpoch);
                return self.lane.later(now, StoreOp::ReadEpoch);
            }
        };
        self.lane.succeeded();
        let done = match (claim, op, payload) {
            (Claim::ReadEpoch, _, Payload::Epoch(found)) if mutant!(NoClaim) && found > Epoch(0) => {
                self.claim_on(Claim::Manifest(found), StoreOp::ReadManifest, out)
            }
            (Claim::ReadEpoch, _, Payload::Epoch(expected)) if expected.0 <= NUMBER_MAX => {
                let epoch = Epoch(expected.max(self.tail.epoch).0 + 1);
                self.claim_on(Claim::Set, StoreOp::ClaimEpoch { expected, epoch }, out)
            }
            (Claim::Set, StoreOp::ClaimEpoch { epoch, .. }, _) => {
                self.claim_on(Claim::Manifest(epoch), StoreOp::ReadManifest, out)
            }
            (Claim::Manifest(epoch), _, Payload::Manifest(stored)) => {
                self.claim_manifest(epoch, stored.as_ref(), out)
            }
            (Claim::Tail(epoch), _, Payload::Log(part)) => self.claim_tail(epoch, &part, out),
            (Claim::Cut(epoch), _, Payload::Nothing) => {
                self.begin_leading(now, epoch, out);
                Ok(())
            }
            (_, op, _) => {
                self.odd += 1;
                out.push(JournalEffect::Trouble(alloc::format!("the store's answer does not fit {op:?}")));
                self.lane.later(now, op);
                Ok(())
            }
        };
        if let Err(refusal) = done {
            self.refuse(refusal, out);
        }
    }

    fn claim_on(&mut self, claim: Claim, op: StoreOp, out: &mut Vec<JournalEffect>) -> Result<(), Refusal> {
        self.phase = Phase::Claiming(claim);
        self.lane.issue(op, &mut self.ids, out);
        Ok(())
    }

    /// An earlier leader may have taken a snapshot since we read its predecessor.
    fn claim_manifest(
        &mut self,
        epoch: Epoch,
        stored: Option<&Blob>,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), Refusal> {
        let manifest = stored.map(|blob| self.decode_manifest(blob)).transpose()?.unwrap_or_default();
        let known = self.snapshot.manifest_number();
        if manifest.number < known {
            return Err(Refusal::Corruption { what: Damage::Order, place: Place::Manifest });
        }
        if let Some(blob) = stored.filter(|_| manifest.number > known) {
            self.snapshot.adopt(manifest, crc32fast::hash(blob.as_slice()), !mutant!(AdoptsClean));
        }
        if mutant!(TailUnread) {
            let from = self.tail.next_index;
            return self.claim_on(Claim::Cut(epoch), StoreOp::Cut { epoch, from }, out);
        }
        let op = StoreOp::ReadLog { from: self.tail.next_index, max_bytes: limits::LOG_READ_BYTES };
        self.claim_on(Claim::Tail(epoch), op, out)
    }

    fn claim_tail(
        &mut self,
        epoch: Epoch,
        part: &LogPart,
        out: &mut Vec<JournalEffect>,
    ) -> Result<(), Refusal> {
        if self.lost_before(part) == Place::Manifest {
            // The chunks of its snapshot would be swept.
            return Err(Refusal::missing(Place::Manifest));
        }
        match self.take_log(part, out)? {
            Progress::More => {
                let op = StoreOp::ReadLog { from: self.tail.next_index, max_bytes: limits::LOG_READ_BYTES };
                self.claim_on(Claim::Tail(epoch), op, out)
            }
            Progress::End => {
                let from = self.tail.next_index + if mutant!(NoCutAtTakeover) { 1000 } else { 0 };
                self.claim_on(Claim::Cut(epoch), StoreOp::Cut { epoch, from }, out)
            }
            Progress::Behind => {
                self.phase = Phase::Ended;
                out.push(JournalEffect::Restart);
                Ok(())
            }
        }
    }

    fn decode_manifest(&self, blob: &Blob) -> Result<Manifest, Refusal> {
        let manifest = Manifest::decode(self.config.format, blob.as_slice());
        manifest.map_err(|error| Refusal::new(Place::Manifest, error))
    }

    fn begin_leading(&mut self, now: Instant, epoch: Epoch, out: &mut Vec<JournalEffect>) {
        let Tail { next_index, seq, cluster_time, .. } = self.tail;
        let appender = Appender::new(epoch, next_index, seq, cluster_time);
        self.phase = Phase::Leading(Leader { epoch, since: now, base: cluster_time, appender });
        out.push(JournalEffect::Recovered { epoch, seq, cluster_time });
        self.snapshot.lead(epoch, &mut self.lane, &mut self.ids, out);
    }
}

/// Hands changes up in bounded batches.
fn follow(ops: Vec<Op>, out: &mut Vec<JournalEffect>) {
    let mut ops = ops.into_iter().peekable();
    while ops.peek().is_some() {
        out.push(JournalEffect::Follow(ops.by_ref().take(limits::FOLLOW_OPS_MAX).collect()));
    }
}
