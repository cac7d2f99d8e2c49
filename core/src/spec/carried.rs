//! Owns what is kept and shown, but not acted on yet: each checked for its form, and warned of.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::fates::{self, Fate};
use super::json::Value;
use super::policy::read::ON_FAILURE;
use super::ports::Port;
use super::proxy;
use super::read::{At, Fields, Findings, Path};
use crate::id::AppPath;
use crate::limits;

/// What is said of each.
pub(super) const NOT_YET: &str = "is kept and shown, but not acted on yet";

/// What the checks look at.
pub(super) struct Surroundings<'a> {
    /// The app's own path, if it is good.
    pub(super) path: Option<&'a AppPath>,
    /// The app's ports.
    pub(super) ports: &'a [Port],
    /// The secrets that variables name, and the variables.
    pub(super) env_secrets: &'a BTreeMap<String, String>,
}

/// Refuses, ignores or collects the keys of an app that nothing else reads; by key, as compact JSON.
pub(super) fn read(
    app: &mut Fields<'_>,
    findings: &mut Findings,
    around: &Surroundings<'_>,
) -> BTreeMap<String, String> {
    for field in fates::of_apps(Fate::Ignored) {
        app.get(field.path);
    }
    for field in fates::of_apps(Fate::Refused) {
        app.refuse(findings, field.path, field.note);
    }
    if let Some(executor) = app.get("executor")
        && !executor.value.is_empty()
        && *executor.value != Value::from("//cmd")
    {
        executor.refuse(findings, "must be left out: Swan runs tasks by Mesos's own executors");
    }
    let mut carried = Carried { findings, kept: BTreeMap::new() };
    carried.take(app, "dependencies", |at, findings| read_dependencies(at, findings, around.path));
    carried.take(app, "executorResources", read_executor_resources);
    carried.take(app, "readinessChecks", |at, findings| read_readiness(at, findings, around.ports));
    let secrets = carried.take(app, "secrets", read_secrets);
    carried.take(app, "tty", |at, findings| at.boolean(findings).filter(|tty| *tty).map(Value::from));
    carried.take_releases(app, around);
    refuse_undefined(app, carried.findings, around, secrets.as_ref());
    carried.kept
}

/// As [`read`], for documents in original Swan's form.
pub(super) fn read_originals(
    app: &mut Fields<'_>,
    findings: &mut Findings,
    around: &Surroundings<'_>,
) -> BTreeMap<String, String> {
    let mut carried = Carried { findings, kept: BTreeMap::new() };
    carried.take_releases(app, around);
    carried.kept
}

struct Carried<'f> {
    findings: &'f mut Findings,
    kept: BTreeMap<String, String>,
}

impl Carried<'_> {
    /// Keeps what `read` makes of the value of `key`, unless it says nothing.
    fn take(
        &mut self,
        app: &mut Fields<'_>,
        key: &'static str,
        read: impl FnOnce(&At<'_>, &mut Findings) -> Option<Value>,
    ) -> Option<Value> {
        let at = app.get(key).filter(|at| !at.value.is_empty())?;
        let value = read(&at, self.findings)?;
        self.findings.warn(&at.path, NOT_YET);
        self.kept.insert(key.to_string(), value.to_string());
        Some(value)
    }

    /// Keeps Swan's own keys of how an app is served and released.
    fn take_releases(&mut self, app: &mut Fields<'_>, around: &Surroundings<'_>) {
        self.take(app, "proxy", |at, findings| proxy::read(at, findings, around.ports.len()));
        self.take(app, "canary", read_canary);
        self.take(app, "autoscale", read_autoscale);
    }
}

/// The apps that must be there first, by absolute path; relative ones are meant from the app's group.
fn read_dependencies(at: &At<'_>, findings: &mut Findings, path: Option<&AppPath>) -> Option<Value> {
    let group = path.map_or("/", |path| path.as_str().rsplit_once('/').map_or("/", |(group, _)| group));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for element in at.list(findings) {
        let Some(text) = element.text(findings) else { continue };
        let absolute = if text.starts_with('/') { text.into() } else { format!("{group}/{text}") };
        match AppPath::parse(&absolute) {
            Err(must) => element.refuse(findings, must),
            Ok(dependency) if Some(&dependency) == path => {
                element.refuse(findings, "must be another app: none can depend on itself");
            }
            Ok(dependency) => {
                if !seen.insert(dependency.clone()) {
                    element.refuse(findings, "must be given once");
                }
                found.push(Value::from(dependency.as_str()));
            }
        }
    }
    Some(Value::List(found))
}

fn read_executor_resources(at: &At<'_>, findings: &mut Findings) -> Option<Value> {
    let mut fields = at.object(findings)?;
    for key in ["cpus", "mem", "disk"] {
        if let Some(at) = fields.get(key) {
            at.thousandths(findings, 0..=limits::RESOURCE_THOUSANDTHS_MAX);
        }
    }
    fields.finish(findings);
    Some(at.value.clone())
}

fn read_readiness(at: &At<'_>, findings: &mut Findings, ports: &[Port]) -> Option<Value> {
    let checks: Vec<At<'_>> = at.list(findings).collect();
    if let [check] = &checks[..] {
        read_one_readiness(check, findings, ports);
    } else {
        let message = format!("has {} readiness checks; must have one", checks.len());
        findings.problem(&at.path, message);
    }
    Some(at.value.clone())
}

fn read_one_readiness(at: &At<'_>, findings: &mut Findings, ports: &[Port]) -> Option<()> {
    let mut fields = at.object(findings)?;
    for key in ["name", "path"] {
        if let Some(at) = fields.get(key) {
            at.text(findings);
        }
    }
    if let Some(at) = fields.get("protocol") {
        at.choice(findings, &[("HTTP", ()), ("HTTPS", ())]);
    }
    if let Some(at) = fields.get("portName")
        && let Some(name) = at.text(findings)
        && !ports.iter().any(|port| port.name.as_deref() == Some(name))
    {
        at.refuse(findings, "must be the name of one of the app's ports");
    }
    let mut seconds = |key, default| {
        let given = fields.get(key).and_then(|at| at.seconds(findings, 1..=limits::SECONDS_MAX));
        given.map_or(default, |span| span.0 / 1000)
    };
    let (interval, timeout) = (seconds("intervalSeconds", 30), seconds("timeoutSeconds", 10));
    if timeout >= interval {
        let message =
            format!("has timeoutSeconds {timeout} and intervalSeconds {interval}; the first must be less");
        findings.problem(&at.path, message);
    }
    if let Some(at) = fields.get("httpStatusCodesForReady") {
        if at.value.is_empty() {
            at.refuse(findings, "must name at least one status, as [200], or be left out");
        }
        for status in at.list(findings) {
            status.whole(findings, 100..=599);
        }
    }
    fields.flag(findings, "preserveLastResponse", false);
    fields.finish(findings);
    Some(())
}

/// Names of secrets, and where each is kept: never a value.
fn read_secrets(at: &At<'_>, findings: &mut Findings) -> Option<Value> {
    for (name, secret) in at.object(findings)?.entries() {
        if name.is_empty() {
            findings.problem(&secret.path, "must have a name");
        }
        let Some(mut fields) = secret.object(findings) else { continue };
        if let Some(source) = fields.require(findings, "source") {
            source.word(findings);
        }
        fields.finish(findings);
    }
    Some(at.value.clone())
}

/// Every secret that a variable names must be there.
fn refuse_undefined(
    app: &Fields<'_>,
    findings: &mut Findings,
    around: &Surroundings<'_>,
    secrets: Option<&Value>,
) {
    let defined = |name: &str| match secrets {
        Some(Value::Object(entries)) => entries.iter().any(|(key, _)| key == name),
        _ => false,
    };
    let env = Path::Key(app.path(), "env");
    for (variable, secret) in around.env_secrets {
        if !defined(secret) {
            let message =
                format!("references an undefined secret; must be one of secrets, with a source: {secret}");
            findings.problem(&Path::Key(&env, variable), message);
        }
    }
}

fn read_canary(at: &At<'_>, findings: &mut Findings) -> Option<Value> {
    let mut fields = at.own_object(findings)?;
    if let Some(instances) = fields.require(findings, "instances") {
        instances.count(findings, 1..=limits::INSTANCES_MAX);
    }
    if let Some(value) = fields.get("value") {
        value.part(findings);
    }
    if let Some(delay) = fields.get("delay") {
        delay.exact_seconds(findings);
    }
    if let Some(then) = fields.get("onFailure") {
        then.choice(findings, ON_FAILURE);
    }
    fields.finish(findings);
    Some(at.value.clone())
}

fn read_autoscale(at: &At<'_>, findings: &mut Findings) -> Option<Value> {
    let mut fields = at.own_object(findings)?;
    let mut bound = |key| {
        let given = fields.require(findings, key);
        given.and_then(|at| at.count(findings, 0..=limits::INSTANCES_MAX))
    };
    let bounds = (bound("minInstances"), bound("maxInstances"));
    if let (Some(low), Some(high)) = bounds
        && low > high
    {
        let message = format!("has minInstances {low} and maxInstances {high}; the first must not be more");
        findings.problem(&at.path, message);
    }
    if let Some(metric) = fields.require(findings, "metric") {
        metric.choice(findings, &[("cpu", ()), ("mem", ()), ("requests", ())]);
    }
    if let Some(target) = fields.require(findings, "target") {
        target.thousandths(findings, 1..=limits::RESOURCE_THOUSANDTHS_MAX);
    }
    if let Some(cooldown) = fields.get("cooldownSeconds") {
        cooldown.seconds(findings, 0..=limits::SECONDS_MAX);
    }
    fields.finish(findings);
    Some(at.value.clone())
}
