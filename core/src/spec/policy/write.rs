//! Owns how policies are written in the canonical form: what says no more than the default is left out, unless Marathon
//! always shows it.

use alloc::format;
use alloc::vec::Vec;

use super::read::{KILL_SELECTIONS, ON_EXHAUSTED, ON_FAILURE};
use super::{
    EndPattern, Failover, KillSelection, OnExhausted, OnFailure, PlacementStrategy, Unreachable, Update,
    Upgrade, Weights,
};
use crate::mesos::{Reason, TaskState};
use crate::number::Number;
use crate::spec::json::Value;
use crate::time::Millis;

impl Upgrade {
    pub(in crate::spec) fn written(self) -> Value {
        let part = |ppm: u32| Some(Value::Number(Number::from_millionths(ppm.into())));
        Value::object([
            ("minimumHealthCapacity", part(self.min_healthy_ppm)),
            ("maximumOverCapacity", part(self.max_over_ppm)),
        ])
    }
}

impl Update {
    pub(in crate::spec) fn written(self) -> Option<Value> {
        let value = Value::object([
            ("parallel", self.parallel.map(|parallel| u64::from(parallel).into())),
            ("delay", Some(Value::Number(Number::from_thousandths(self.delay.0)))),
            ("minHealthySeconds", Some(seconds(self.min_healthy))),
            ("progressDeadlineSeconds", Some(seconds(self.progress_deadline))),
            ("maxFailures", self.max_failures.map(|max| u64::from(max).into())),
            ("onFailure", Some(self.on_failure.as_str().into())),
        ]);
        (self != Self::default()).then_some(value)
    }
}

impl Failover {
    pub(in crate::spec) fn written(&self) -> Option<Value> {
        let value = Value::object([
            ("retries", self.retries.map(|retries| u64::from(retries).into())),
            ("windowSeconds", Some(seconds(self.window))),
            ("historyLength", Some(u64::from(self.history).into())),
            ("onExhausted", Some(name_of(ON_EXHAUSTED, self.on_exhausted).into())),
            ("errors", self.errors.as_ref().map(EndPattern::written)),
            ("ignore", self.ignore.as_ref().map(EndPattern::written)),
        ]);
        (*self != Self::default()).then_some(value)
    }
}

impl EndPattern {
    fn written(&self) -> Value {
        let states = self.states.iter().filter_map(|state| TaskState::name(*state)).map(Value::from);
        let reasons = self.reasons.iter().filter_map(|reason| Reason::name(*reason)).map(Value::from);
        let codes = self.exit_codes.iter().map(|&(low, high)| match u64::try_from(low) {
            Ok(code) if low == high => Value::from(code),
            _ => Value::from(format!("{low}-{high}").as_str()),
        });
        let list = |values: Vec<Value>| (!values.is_empty()).then_some(Value::List(values));
        Value::object([
            ("states", list(states.collect())),
            ("reasons", list(reasons.collect())),
            ("exitCodes", list(codes.collect())),
        ])
    }
}

impl Unreachable {
    pub(in crate::spec) fn written(self) -> Value {
        match self {
            Self::Wait => "disabled".into(),
            Self::Replace { after, expunge } => Value::object([
                ("inactiveAfterSeconds", Some(seconds(after))),
                ("expungeAfterSeconds", Some(seconds(expunge))),
            ]),
        }
    }
}

impl PlacementStrategy {
    pub(in crate::spec) fn written(self) -> Option<Value> {
        let weights = match self {
            Self::Weighted(weights) => Some(weights.written()),
            Self::Spread | Self::BinPack | Self::Random => None,
        };
        let value = Value::object([("strategy", Some(self.as_str().into())), ("weights", weights)]);
        (self != Self::default()).then_some(value)
    }

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::BinPack => "binpack",
            Self::Random => "random",
            Self::Weighted(_) => "weighted",
        }
    }
}

impl Weights {
    fn written(self) -> Value {
        let weight = |weight: i16| Some(Value::Number(i64::from(weight).into()));
        Value::object([
            ("cpus", weight(self.cpus)),
            ("mem", weight(self.mem)),
            ("disk", weight(self.disk)),
            ("gpus", weight(self.gpus)),
            ("tasks", weight(self.tasks)),
        ])
    }
}

impl KillSelection {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        name_of(KILL_SELECTIONS, self)
    }
}

impl OnFailure {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        name_of(ON_FAILURE, self)
    }
}

impl OnExhausted {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        name_of(ON_EXHAUSTED, self)
    }
}

fn name_of<T: Copy + PartialEq>(choices: &[(&'static str, T)], value: T) -> &'static str {
    choices.iter().find(|(_, choice)| *choice == value).expect("every value has a name").0
}

/// Spans are whole seconds, but where a fraction is said to be allowed.
pub(in crate::spec) fn seconds(span: Millis) -> Value {
    (span.0 / 1000).into()
}
