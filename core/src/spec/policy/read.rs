//! Owns the reading of what a user says about change, failure and placement.

use alloc::format;
use alloc::vec::Vec;

use super::{
    EndPattern, Failover, KillSelection, OnExhausted, OnFailure, PlacementStrategy, Unreachable, Update,
    Upgrade, WHOLE_PPM, Weights,
};
use crate::limits;
use crate::mesos::{Reason, TaskState};
use crate::spec::Backoff;
use crate::spec::json::Value;
use crate::spec::read::{At, Fields, Findings};
use crate::time::Millis;

/// What a document says beside what runs and where it can; what it leaves out is as it was here before.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Policies {
    pub(in crate::spec) kill_grace: Option<Millis>,
    pub(in crate::spec) backoff: Backoff,
    pub(in crate::spec) strategy: PlacementStrategy,
    pub(in crate::spec) upgrade: Upgrade,
    pub(in crate::spec) update: Update,
    pub(in crate::spec) failover: Failover,
    pub(in crate::spec) unreachable: Unreachable,
    pub(in crate::spec) kill_selection: KillSelection,
}

/// `update.onFailure`.
pub(in crate::spec) const ON_FAILURE: &[(&str, OnFailure)] =
    &[("stop", OnFailure::Stop), ("continue", OnFailure::Continue), ("rollback", OnFailure::Rollback)];
pub(super) const ON_EXHAUSTED: &[(&str, OnExhausted)] = &[
    ("keepTrying", OnExhausted::KeepTrying),
    ("stop", OnExhausted::Stop),
    ("rollback", OnExhausted::Rollback),
];
pub(super) const KILL_SELECTIONS: &[(&str, KillSelection)] =
    &[("YOUNGEST_FIRST", KillSelection::YoungestFirst), ("OLDEST_FIRST", KillSelection::OldestFirst)];
const STRATEGIES: &[(&str, PlacementStrategy)] = &[
    ("spread", PlacementStrategy::Spread),
    ("binpack", PlacementStrategy::BinPack),
    ("random", PlacementStrategy::Random),
    ("weighted", PlacementStrategy::Weighted(Weights { cpus: 0, mem: 0, disk: 0, gpus: 0, tasks: 0 })),
];

impl Policies {
    /// Those of an app that says nothing.
    pub(in crate::spec) fn marathons() -> Self {
        Self {
            kill_grace: None,
            backoff: Backoff::default(),
            strategy: PlacementStrategy::default(),
            upgrade: Upgrade::default(),
            update: Update::default(),
            failover: Failover::default(),
            unreachable: Unreachable::default(),
            kill_selection: KillSelection::default(),
        }
    }

    /// Takes over what the document says; `single` is an app of which no two tasks may run at once.
    pub(in crate::spec) fn read(
        mut self,
        app: &mut Fields<'_>,
        findings: &mut Findings,
        single: bool,
    ) -> Self {
        self.kill_grace = read_kill_grace(app, findings);
        self.backoff = read_backoff(app, findings);
        if let Some(at) = app.get("placement") {
            self.strategy = read_placement(&at, findings).unwrap_or_default();
        }
        self.upgrade = read_upgrade(app, findings, self.upgrade, single);
        if let Some(at) = app.get("update") {
            self.update = read_update(&at, findings, self.update).unwrap_or_default();
        }
        self.failover = read_failover(app, findings, self.failover);
        if let Some(at) = app.get("unreachableStrategy") {
            self.unreachable = read_unreachable(&at, findings).unwrap_or_default();
        }
        let selection = app.get("killSelection").and_then(|at| at.choice(findings, KILL_SELECTIONS));
        self.kill_selection = selection.unwrap_or_default();
        self
    }
}

/// `taskKillGracePeriodSeconds`, and original Swan's `kill`.
fn read_kill_grace(app: &mut Fields<'_>, findings: &mut Findings) -> Option<Millis> {
    let range = 0..=limits::SECONDS_MAX;
    let grace = app.get("taskKillGracePeriodSeconds").and_then(|at| at.seconds(findings, range.clone()));
    let Some(at) = app.get("kill") else { return grace };
    let mut kill = at.own_object(findings)?;
    let duration = kill.require(findings, "duration").and_then(|at| at.seconds(findings, range));
    kill.finish(findings);
    if grace.is_some() && duration != grace {
        findings.problem(&at.path, "must be left out, since taskKillGracePeriodSeconds is given");
    }
    duration
}

fn read_backoff(app: &mut Fields<'_>, findings: &mut Findings) -> Backoff {
    let default = Backoff::default();
    let factor = app
        .get("backoffFactor")
        .and_then(|at| at.thousandths(findings, 1000..=limits::BACKOFF_FACTOR_THOUSANDTHS_MAX))
        .and_then(|factor| u32::try_from(factor).ok());
    let mut seconds = |key| app.get(key).and_then(|at| at.seconds(findings, 0..=limits::SECONDS_MAX));
    Backoff {
        initial: seconds("backoffSeconds").unwrap_or(default.initial),
        factor_thousandths: factor.unwrap_or(default.factor_thousandths),
        max: seconds("maxLaunchDelaySeconds").unwrap_or(default.max),
    }
}

fn read_upgrade(app: &mut Fields<'_>, findings: &mut Findings, default: Upgrade, single: bool) -> Upgrade {
    const NONE: Upgrade = Upgrade { min_healthy_ppm: 0, max_over_ppm: 0 };
    let Some(at) = app.get("upgradeStrategy") else { return if single { NONE } else { default } };
    let Some(mut fields) = at.object(findings) else { return default };
    // Newer Marathons ask for both; what was stored by older ones has only one at times.
    let mut part = |key| fields.get(key).and_then(|at| at.part(findings)).unwrap_or(WHOLE_PPM);
    let (min_healthy_ppm, max_over_ppm) = (part("minimumHealthCapacity"), part("maximumOverCapacity"));
    fields.finish(findings);
    let upgrade = Upgrade { min_healthy_ppm, max_over_ppm };
    if single && upgrade != NONE {
        let must = "must have both capacities 0, or be left out: the label MARATHON_SINGLE_INSTANCE_APP says that no two tasks run at once";
        findings.problem(&at.path, must);
    }
    upgrade
}

fn read_update(at: &At<'_>, findings: &mut Findings, default: Update) -> Option<Update> {
    let mut fields = at.own_object(findings)?;
    let parallel = fields.get("parallel").and_then(|at| at.count(findings, 1..=limits::INSTANCES_MAX));
    let delay = fields.get("delay").and_then(|at| at.exact_seconds(findings));
    let mut seconds =
        |key, low| fields.get(key).and_then(|at| at.seconds(findings, low..=limits::SECONDS_MAX));
    let (min_healthy, deadline) = (seconds("minHealthySeconds", 0), seconds("progressDeadlineSeconds", 1));
    let max_failures =
        fields.get("maxFailures").and_then(|at| at.count(findings, 0..=limits::ROLLOUT_FAILURES_MAX));
    let on_failure = fields.get("onFailure").and_then(|at| at.choice(findings, ON_FAILURE));
    fields.finish(findings);
    Some(Update {
        parallel: parallel.or(default.parallel),
        delay: delay.unwrap_or_default(),
        min_healthy: min_healthy.unwrap_or_default(),
        progress_deadline: deadline.unwrap_or(default.progress_deadline),
        max_failures,
        on_failure: on_failure.unwrap_or(OnFailure::Stop),
    })
}

/// `failover`, and original Swan's `restart`.
fn read_failover(app: &mut Fields<'_>, findings: &mut Findings, default: Failover) -> Failover {
    let failover = app.get("failover");
    if let Some(at) = app.get("restart") {
        if failover.is_some() {
            findings.problem(&at.path, "must be left out, since failover is given: it says the same");
        }
        let retries = read_restart(&at, findings);
        return Failover { retries, on_exhausted: OnExhausted::Stop, ..default };
    }
    failover.and_then(|at| read_one_failover(&at, findings)).unwrap_or(default)
}

fn read_restart(at: &At<'_>, findings: &mut Findings) -> Option<u32> {
    let mut fields = at.own_object(findings)?;
    let retries = fields
        .require(findings, "retries")
        .and_then(|at| at.count(findings, 0..=limits::FAILOVER_RETRIES_MAX));
    fields.finish(findings);
    retries
}

fn read_one_failover(at: &At<'_>, findings: &mut Findings) -> Option<Failover> {
    let default = Failover::default();
    let mut fields = at.own_object(findings)?;
    let errors = fields.get("errors").and_then(|at| read_pattern(&at, findings));
    let ignore = fields.get("ignore").and_then(|at| read_pattern(&at, findings));
    let mut count = |key, max| fields.get(key).and_then(|at| at.count(findings, 0..=max));
    let retries = count("retries", limits::FAILOVER_RETRIES_MAX);
    let history = count("historyLength", limits::FAILURES_PER_SLOT_MAX);
    let window = fields.get("windowSeconds").and_then(|at| at.seconds(findings, 1..=limits::SECONDS_MAX));
    let on_exhausted = fields.get("onExhausted").and_then(|at| at.choice(findings, ON_EXHAUSTED));
    fields.finish(findings);
    Some(Failover {
        errors,
        ignore,
        retries,
        window: window.unwrap_or(default.window),
        history: history.unwrap_or(default.history),
        on_exhausted: on_exhausted.unwrap_or(default.on_exhausted),
    })
}

fn read_pattern(at: &At<'_>, findings: &mut Findings) -> Option<EndPattern> {
    let mut fields = at.own_object(findings)?;
    let states = fields.get("states").map(|at| read_sorted(&at, findings, read_state));
    let reasons = fields.get("reasons").map(|at| read_sorted(&at, findings, read_reason));
    let exit_codes = fields.get("exitCodes").map(|at| read_sorted(&at, findings, read_exit_codes));
    let mut says = |key| fields.get(key).is_some_and(|at| !at.value.is_empty());
    if ![says("states"), says("reasons"), says("exitCodes")].contains(&true) {
        at.refuse(findings, "must name states, reasons or exitCodes, or be left out");
    }
    fields.finish(findings);
    Some(EndPattern {
        states: states.unwrap_or_default(),
        reasons: reasons.unwrap_or_default(),
        exit_codes: exit_codes.unwrap_or_default(),
    })
}

/// The elements of a list in order and each once, so that what means the same is written the same.
fn read_sorted<T: Ord>(
    at: &At<'_>,
    findings: &mut Findings,
    read: fn(&At<'_>, &mut Findings) -> Option<T>,
) -> Vec<T> {
    let mut items: Vec<T> = at.list(findings).filter_map(|at| read(&at, findings)).collect();
    if items.len() > limits::END_PATTERN_MAX {
        let (are, max) = (items.len(), limits::END_PATTERN_MAX);
        findings.problem(&at.path, format!("has {are} elements; must have at most {max}"));
    }
    items.sort_unstable();
    items.dedup();
    items
}

fn read_state(at: &At<'_>, findings: &mut Findings) -> Option<TaskState> {
    let named = at.text(findings).and_then(|text| TaskState::from_name(&text.to_ascii_uppercase()));
    let state = named.filter(|state| state.is_terminal());
    if state.is_none() && matches!(at.value, Value::Text(_)) {
        let ends = TaskState::ALL.iter().filter(|state| state.is_terminal());
        let names: Vec<&str> = ends.filter_map(|state| state.name()).collect();
        at.refuse(findings, format_args!("must be the end of a task: one of {}", names.join(", ")));
    }
    state
}

fn read_reason(at: &At<'_>, findings: &mut Findings) -> Option<Reason> {
    let reason = at.text(findings).and_then(|text| Reason::from_name(&text.to_ascii_uppercase()));
    if reason.is_none() && matches!(at.value, Value::Text(_)) {
        at.refuse(findings, "must be one of Mesos's reasons, as REASON_CONTAINER_LIMITATION_MEMORY");
    }
    reason
}

/// `7`, or `"3-10"`.
fn read_exit_codes(at: &At<'_>, findings: &mut Findings) -> Option<(i32, i32)> {
    let code = |text: &str| text.parse::<u8>().ok().map(i32::from);
    let range = match at.value {
        Value::Number(number) => {
            number.signed().and_then(|n| u8::try_from(n).ok()).map(|n| (n.into(), n.into()))
        }
        Value::Text(text) => {
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            code(low).zip(code(high)).filter(|(low, high)| low <= high)
        }
        _ => None,
    };
    if range.is_none() {
        at.refuse(findings, "must be an exit code from 0 to 255, or a range of them, as \"3-10\"");
    }
    range
}

/// `"disabled"`, or when a task counts as lost.
fn read_unreachable(at: &At<'_>, findings: &mut Findings) -> Option<Unreachable> {
    if let Value::Text(text) = at.value {
        if text.eq_ignore_ascii_case("disabled") {
            return Some(Unreachable::Wait);
        }
        at.refuse(findings, "must be \"disabled\", or an object with inactiveAfterSeconds");
        return None;
    }
    let mut fields = at.object(findings)?;
    let mut seconds = |key| fields.get(key).and_then(|at| at.seconds(findings, 0..=limits::SECONDS_MAX));
    let after = seconds("inactiveAfterSeconds").unwrap_or_default();
    let expunge = seconds("expungeAfterSeconds").unwrap_or(after);
    fields.finish(findings);
    if after > expunge {
        let message = format!(
            "has inactiveAfterSeconds {} and expungeAfterSeconds {}; the second must not be less",
            after.0 / 1000,
            expunge.0 / 1000
        );
        findings.problem(&at.path, message);
    }
    Some(Unreachable::Replace { after, expunge })
}

fn read_placement(at: &At<'_>, findings: &mut Findings) -> Option<PlacementStrategy> {
    let mut fields = at.own_object(findings)?;
    let strategy = fields.require(findings, "strategy").and_then(|at| at.choice(findings, STRATEGIES));
    let weights = fields.get("weights");
    fields.finish(findings);
    match (strategy?, weights) {
        (PlacementStrategy::Weighted(_), Some(at)) => {
            read_weights(&at, findings).map(PlacementStrategy::Weighted)
        }
        (PlacementStrategy::Weighted(_), None) => {
            let must = "has strategy weighted but no weights; must have them, as {\"cpus\":1,\"mem\":1,\"tasks\":-1}";
            findings.problem(&at.path, must);
            None
        }
        (_, Some(at)) => {
            at.refuse(findings, "must only be given with strategy weighted");
            None
        }
        (strategy, None) => Some(strategy),
    }
}

fn read_weights(at: &At<'_>, findings: &mut Findings) -> Option<Weights> {
    let mut fields = at.own_object(findings)?;
    let max = i64::from(limits::WEIGHT_MAX);
    let mut weight = |key| {
        let given = fields.get(key).and_then(|at| at.signed(findings, -max..=max));
        given.and_then(|weight| i16::try_from(weight).ok()).unwrap_or(0)
    };
    let weights = Weights {
        cpus: weight("cpus"),
        mem: weight("mem"),
        disk: weight("disk"),
        gpus: weight("gpus"),
        tasks: weight("tasks"),
    };
    fields.finish(findings);
    Some(weights)
}
