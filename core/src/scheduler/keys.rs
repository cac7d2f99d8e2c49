//! Owns idempotency keys: the answer that each got, for as long as it is remembered.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::api::{ApiReply, ApiRequest, Caller};
use super::codec::{IdempotencyRecord, Key};
use super::ledger::Change;
use super::timers::TimerKey;
use crate::id::DottedId;
use crate::limits::{IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_LIFETIME};
use crate::time::{ClusterTime, Instant};

/// One remembered answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) fingerprint: u64,
    at: ClusterTime,
    pub(super) reply: ApiReply,
}

/// All remembered answers, by caller and key, and by age.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keys {
    by_key: BTreeMap<Arc<str>, Remembered>,
    by_age: BTreeSet<(ClusterTime, Arc<str>)>,
    timer: Option<Instant>,
}

impl Keys {
    /// What the key got, if it is remembered.
    pub(super) fn get(&self, key: &str) -> Option<&Remembered> {
        self.by_key.get(key)
    }

    /// Keys in order, from one on.
    pub(super) fn from<'a>(&'a self, from: &str) -> impl Iterator<Item = &'a Arc<str>> + use<'a> {
        self.by_key
            .range::<str, _>((core::ops::Bound::Included(from), core::ops::Bound::Unbounded))
            .map(|(key, _)| key)
    }

    /// Remembers an answer; gives the oldest key if there are too many.
    fn remember(&mut self, key: Arc<str>, remembered: Remembered) -> Option<Arc<str>> {
        self.forget(&key);
        self.by_age.insert((remembered.at, key.clone()));
        self.by_key.insert(key, remembered);
        let oldest = || self.by_age.first().map(|(_, key)| key.clone());
        let evicted = if self.by_key.len() > IDEMPOTENCY_KEYS_MAX { oldest() } else { None };
        if let Some(key) = &evicted {
            self.forget(key);
        }
        evicted
    }

    /// Takes in a durable answer; `None` if it is of a kind that this build does not know.
    pub(super) fn restore(&mut self, key: Arc<str>, record: IdempotencyRecord) -> Option<()> {
        let app = DottedId::from_text(&record.app);
        let revision = record.revision;
        let reply = match record.reply {
            1 => ApiReply::Created { app, revision, version: record.version },
            2 => ApiReply::Accepted { app, revision },
            3 => ApiReply::Unchanged { app, revision },
            4 => ApiReply::Done,
            _ => return None,
        };
        self.remember(key, Remembered { fingerprint: record.fingerprint, at: ClusterTime(record.at), reply });
        Some(())
    }

    /// Forgets a key.
    pub(super) fn forget(&mut self, key: &str) {
        if let Some((key, old)) = self.by_key.remove_entry(key) {
            self.by_age.remove(&(old.at, key));
        }
    }

    fn oldest(&self) -> Option<(ClusterTime, Arc<str>)> {
        self.by_age.first().cloned()
    }
}

impl Remembered {
    /// The record of this answer.
    pub(super) fn record(&self) -> IdempotencyRecord {
        let none = DottedId::from_text("");
        let (reply, app, revision, version) = match &self.reply {
            ApiReply::Created { app, revision, version } => (1, app, revision, version.clone()),
            ApiReply::Accepted { app, revision } => (2, app, revision, String::new()),
            ApiReply::Unchanged { app, revision } => (3, app, revision, String::new()),
            ApiReply::Done => (4, &none, &0, String::new()),
        };
        let (fingerprint, at) = (self.fingerprint, self.at.0);
        IdempotencyRecord { fingerprint, at, reply, app: app.as_str().into(), revision: *revision, version }
    }
}

/// The key as it is remembered: clients cannot meet each other's.
pub(super) fn scoped(who: &Caller, key: &str) -> Arc<str> {
    format!("{}/{key}", who.name).into()
}

impl Scheduler {
    /// Remembers what a request with a key got.
    pub(super) fn remember(&mut self, request: &ApiRequest, reply: &ApiReply) {
        let Some(key) = &request.idempotency else { return };
        let name = scoped(&request.who, &key.key);
        let at = self.clock.read(self.now.mono);
        let remembered = Remembered { fingerprint: key.fingerprint, at, reply: reply.clone() };
        if let Some(evicted) = self.keys.remember(name.clone(), remembered) {
            self.forget_key(&evicted);
        }
        self.ledger.note(Change::Idempotency(name));
        self.arm_keys();
    }

    /// The timer of keys: forgets those past their lifetime.
    pub(super) fn keys_due(&mut self) {
        self.keys.timer = None;
        let clock = self.clock.read(self.now.mono);
        while let Some((at, key)) =
            self.keys.oldest().filter(|&(at, _)| clock.since(at) >= IDEMPOTENCY_LIFETIME)
        {
            assert!(at <= clock, "cluster time never goes back");
            self.keys.forget(&key);
            self.forget_key(&key);
        }
        self.arm_keys();
    }

    fn forget_key(&mut self, key: &str) {
        self.ledger.note(Change::Gone(Key::Idempotency(key.into()).encode()));
    }

    /// Arms the timer for the oldest key.
    pub(super) fn arm_keys(&mut self) {
        let clock = self.clock.read(self.now.mono);
        let at = self.keys.oldest().map(|(at, _)| self.now.mono + (at + IDEMPOTENCY_LIFETIME).since(clock));
        self.timers.arm(TimerKey::Keys, &mut self.keys.timer, at);
    }
}
