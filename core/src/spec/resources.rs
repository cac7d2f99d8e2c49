//! Owns what a task claims, and how far it may go beyond.

use super::json::Value;
use super::policy::{Limit, ResourceLimits};
use super::read::{At, Fields, Findings};
use crate::limits;
use crate::number::Number;

/// CPUs, memory and disk in thousandths, whole GPUs.
pub(super) struct Resources {
    pub(super) cpus: u64,
    pub(super) mem: u64,
    pub(super) disk: u64,
    pub(super) gpus: u32,
    pub(super) limits: ResourceLimits,
}

/// The least of a CPU that can be claimed, in thousandths.
const CPUS_MIN: u64 = 1;

/// Reads `cpus`, `mem`, `disk`, `gpus` and `resourceLimits`.
pub(super) fn read(app: &mut Fields<'_>, findings: &mut Findings) -> Resources {
    let cpus = amount(app, findings, "cpus", CPUS_MIN).unwrap_or(1_000);
    rest(app, findings, cpus)
}

/// As [`read`], but no CPU may be asked for, which gets the least there is: original Swan's form.
pub(super) fn read_originals(app: &mut Fields<'_>, findings: &mut Findings) -> Resources {
    let cpus = amount(app, findings, "cpus", 0).unwrap_or(1_000);
    rest(app, findings, cpus.max(CPUS_MIN))
}

fn rest(app: &mut Fields<'_>, findings: &mut Findings, cpus: u64) -> Resources {
    let mem = amount(app, findings, "mem", 0).unwrap_or(128_000);
    let disk = amount(app, findings, "disk", 0).unwrap_or(0);
    let gpus = app.get("gpus").and_then(|at| at.count(findings, 0..=limits::GPUS_MAX)).unwrap_or(0);
    let limits = app.get("resourceLimits").and_then(|at| read_limits(&at, findings, cpus, mem));
    Resources { cpus, mem, disk, gpus, limits: limits.unwrap_or_default() }
}

fn amount(app: &mut Fields<'_>, findings: &mut Findings, key: &'static str, low: u64) -> Option<u64> {
    app.get(key).and_then(|at| at.thousandths(findings, low..=limits::RESOURCE_THOUSANDTHS_MAX))
}

fn read_limits(at: &At<'_>, findings: &mut Findings, cpus: u64, mem: u64) -> Option<ResourceLimits> {
    let mut fields = at.object(findings)?;
    let mut limit = |key, claimed| fields.get(key).and_then(|at| read_limit(&at, findings, key, claimed));
    let limits = ResourceLimits { cpus: limit("cpus", cpus), mem: limit("mem", mem) };
    fields.finish(findings);
    Some(limits)
}

fn read_limit(at: &At<'_>, findings: &mut Findings, key: &str, claimed: u64) -> Option<Limit> {
    if let Value::Text(text) = at.value {
        if text.eq_ignore_ascii_case("unlimited") {
            return Some(Limit::Unlimited);
        }
        at.refuse(findings, "must be a number, or \"unlimited\"");
        return None;
    }
    let limit = at.thousandths(findings, 0..=limits::RESOURCE_THOUSANDTHS_MAX)?;
    if limit < claimed {
        let claimed = Number::from_thousandths(claimed);
        at.refuse(findings, format_args!("must be at least the {claimed} {key} that are claimed"));
    }
    Some(Limit::Thousandths(limit))
}

impl ResourceLimits {
    pub(super) fn written(self) -> Option<Value> {
        let limit = |limit: Limit| match limit {
            Limit::Thousandths(limit) => Value::Number(Number::from_thousandths(limit)),
            Limit::Unlimited => "unlimited".into(),
        };
        let value = Value::object([("cpus", self.cpus.map(limit)), ("mem", self.mem.map(limit))]);
        (self != Self::default()).then_some(value)
    }
}
