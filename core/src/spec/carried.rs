//! Owns the fate of Marathon's keys that are not honoured yet: carried, refused, or of output only.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::json::Value;
use super::read::{Fields, Findings};

/// Kept and shown, but not acted on.
const CARRIED: [&str; 8] = [
    "dependencies",
    "executorResources",
    "killSelection",
    "readinessChecks",
    "secrets",
    "tty",
    "unreachableStrategy",
    "upgradeStrategy",
];

/// Refused if they say anything: to ignore them would do something else than what was asked for.
const REFUSED: [(&str, &str); 9] = [
    ("constraints", "is not supported yet; must be left out or empty"),
    ("resourceLimits", "is not supported yet; must be left out"),
    ("check", "is not supported; must be left out, and healthChecks used instead"),
    ("apps", "makes this a group; must be given one by one, each as a document of its own"),
    ("groups", "makes this a group; must be replaced by its apps, each as a document of its own"),
    ("containers", "makes this a pod, which is not supported; must be an app with one container"),
    ("residency", "is not supported, as persistent volumes are not; must be left out"),
    ("linuxInfo", "is not supported: it belongs to Mesos containers; must be left out"),
    ("legacySharedCgroups", "is not supported: it belongs to Mesos containers; must be left out"),
];

/// Original Swan's keys, and those that only Swan knows.
const SWAN: [&str; 12] = [
    "autoscale",
    "canary",
    "cluster",
    "failover",
    "healthCheck",
    "ips",
    "kill",
    "name",
    "proxy",
    "restart",
    "runAs",
    "update",
];

/// What Marathon adds when it shows an app.
const SHOWN_ONLY: [&str; 14] = [
    "deployments",
    "lastTaskFailure",
    "readinessCheckResults",
    "storeUrls",
    "taskStats",
    "tasks",
    "tasksHealthy",
    "tasksRunning",
    "tasksStaged",
    "tasksStats",
    "tasksUnhealthy",
    "uiUrl",
    "version",
    "versionInfo",
];

/// Refuses, ignores or collects the keys of an app that nothing else reads.
pub(super) fn read(app: &mut Fields<'_>, findings: &mut Findings) -> BTreeMap<String, String> {
    for key in SHOWN_ONLY {
        app.get(key);
    }
    for (key, why) in REFUSED {
        app.refuse(findings, key, why);
    }
    for key in SWAN {
        app.refuse(findings, key, "is Swan's own and not supported yet; must be left out");
    }
    if let Some(gpus) = app.get("gpus") {
        gpus.whole(findings, 0..=0);
    }
    if let Some(executor) = app.get("executor")
        && !executor.value.is_empty()
        && *executor.value != Value::from("//cmd")
    {
        executor.refuse(findings, "must be left out: Swan runs tasks by Mesos's own executors");
    }
    let mut carried = BTreeMap::new();
    for key in CARRIED {
        if let Some(at) = app.get(key)
            && !at.value.is_empty()
            && *at.value != Value::Bool(false)
        {
            findings.warn(&at.path, "is kept and shown, but not acted on yet");
            carried.insert(key.to_string(), at.value.to_string());
        }
    }
    carried
}
