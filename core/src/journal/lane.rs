//! Owns the numbering of storage operations, and the lane of those that run one at a time: all but appends.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::effect::JournalEffect;
use super::op::{OpId, StoreOp};
use crate::limits;
use crate::time::{Instant, Millis};

/// Numbers operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Issuer {
    next: u64,
}

impl Issuer {
    pub(super) fn issue(&mut self, op: StoreOp, out: &mut Vec<JournalEffect>) -> OpId {
        let id = OpId(self.next);
        self.next += 1;
        out.push(JournalEffect::Op { id, op });
        id
    }
}

/// At most one operation: in flight, or waiting to be tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lane {
    issued: Option<(OpId, StoreOp)>,
    retry: Option<(Instant, StoreOp)>,
    tries: u32,
}

impl Lane {
    pub(super) const fn is_idle(&self) -> bool {
        self.issued.is_none() && self.retry.is_none()
    }

    pub(super) fn issue(&mut self, op: StoreOp, ids: &mut Issuer, out: &mut Vec<JournalEffect>) {
        assert!(self.is_idle(), "the lane takes one operation at a time");
        let id = ids.issue(op.clone(), out);
        self.issued = Some((id, op));
    }

    /// The operation that `id` answers, if it is the one in flight.
    pub(super) fn answered(&mut self, id: OpId) -> Option<StoreOp> {
        let (_, op) = self.issued.take_if(|(issued, _)| *issued == id)?;
        Some(op)
    }

    pub(super) const fn succeeded(&mut self) {
        self.tries = 0;
    }

    pub(super) fn later(&mut self, now: Instant, op: StoreOp) {
        assert!(self.is_idle(), "the lane takes one operation at a time");
        self.retry = Some((now + backoff(self.tries), op));
        self.tries += 1;
    }

    /// Gives up what waits to be tried again.
    pub(super) fn forget_retry(&mut self) {
        self.retry = None;
    }

    pub(super) fn wake(&mut self, now: Instant, ids: &mut Issuer, out: &mut Vec<JournalEffect>) {
        if let Some((_, op)) = self.retry.take_if(|(at, _)| *at <= now) {
            self.issue(op, ids, out);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry.as_ref().map(|(at, _)| *at)
    }
}

/// How long to wait before the next try, after `tries` that failed.
pub(super) fn backoff(tries: u32) -> Millis {
    limits::STORE_RETRY.times(1 << tries.min(16)).min(limits::STORE_RETRY_MAX)
}
