//! Holds rollouts and failures with real containers: a bad image that is rolled back by itself, a crash loop that is given
//! up, and managers killed in each phase of a rollout.

use serde_json::{Value, json};

use crate::docker::{Containers, asked};
use crate::patience::{ensure, until};
use crate::scene::{Dev, Manager, Stage, ids, web};

/// No registry listens there, so that every pull fails at once.
const NO_SUCH_IMAGE: &str = "127.0.0.1:9/swan-test/none:1";
const APP: &str = "/v1/apps/web.shop";

/// Three that stay healthy while one more is tried, and that go back to what was if two fail.
fn careful(image: &str, variable: &str) -> Value {
    let mut app = web("/shop/web", 3);
    app["container"]["docker"]["image"] = json!(image);
    app["env"] = json!({ "VARIABLE": variable });
    app["upgradeStrategy"] = json!({ "minimumHealthCapacity": 1, "maximumOverCapacity": 0.34 });
    app["update"] = json!({ "onFailure": "rollback", "maxFailures": 1, "progressDeadlineSeconds": 60 });
    app["backoffSeconds"] = json!(1);
    app
}

/// Waits until nothing is under way, and gives the app.
fn at_rest(dev: &Manager, app: &str) -> Value {
    until(&format!("{app} at rest"), || {
        let shown = dev.api.get(&format!("/v1/apps/{app}"));
        ensure(shown["operationStatus"] == "noop", || shown.to_string())?;
        Ok(shown)
    })
}

fn begin(stage: &Stage) -> (Dev, Manager, Containers) {
    let dev = stage.dev("docker");
    let manager = stage.manager(dev.mesos);
    let containers = Containers::of(&manager.api.framework());
    (dev, manager, containers)
}

fn end(manager: &Manager, containers: &Containers) {
    manager.api.delete(APP);
    manager.api.gone("web.shop");
    containers.are_of(&[]);
}

#[test]
fn a_rolling_update_to_a_bad_image_goes_back_by_itself() {
    if !asked("a_rolling_update_to_a_bad_image_goes_back_by_itself") {
        return;
    }
    let stage = Stage::new("docker-bad-image");
    let (_dev, manager, containers) = begin(&stage);
    manager.api.create(&careful("swan-test/web:1", "first"));
    let before = manager.api.steady("web.shop", 3);
    let running = containers.are_of(&before);
    manager.api.expect(202, &format!("PUT {APP}"), Some(&careful(NO_SUCH_IMAGE, "second")));
    until("the end of the failed rollout", || {
        let now = containers.running();
        assert!(
            running.iter().all(|container| now.contains(container)),
            "one that served was ended: {now:?}"
        );
        let rollouts = manager.api.get(&format!("{APP}/rollouts"));
        let newest = &rollouts[0];
        let over = newest["operation"] == "rollbacking" && newest["state"] == "done";
        ensure(over, || rollouts.to_string())
    });
    let rollouts = manager.api.get(&format!("{APP}/rollouts"));
    let (back, failed) = (&rollouts[0], &rollouts[1]);
    assert_eq!(back["automatic"], true, "{rollouts}");
    assert_eq!(
        (&failed["operation"], &failed["state"]),
        (&json!("updating"), &json!("failed")),
        "{rollouts}"
    );
    assert!(failed["error"].as_str().is_some_and(|error| !error.is_empty()), "{rollouts}");
    let after = manager.api.steady("web.shop", 3);
    assert_eq!(ids(&after), ids(&before), "nothing that served was touched");
    assert_eq!(containers.are_of(&after), running);
    let failures = manager.api.get(&format!("{APP}/failures"));
    let all = failures.as_array().expect("a list");
    assert!(all.len() >= 2, "{failures}");
    for failure in all {
        assert_eq!(failure["state"], "TASK_FAILED", "{failure}");
        assert_eq!(failure["reason"], "REASON_CONTAINER_LAUNCH_FAILED", "{failure}");
        assert_eq!(failure["exitCode"], Value::Null, "{failure}");
    }
    end(&manager, &containers);
}

/// Milliseconds of the day of an RFC 3339 time.
fn of_day(time: &Value) -> u64 {
    let text = time.as_str().expect("a time");
    let clock = text.split_once('T').and_then(|(_, clock)| clock.strip_suffix('Z')).expect("UTC");
    let mut parts = clock.split([':', '.']).map(|part| part.parse::<u64>().expect("a number"));
    let mut next = || parts.next().unwrap_or_default();
    let (hours, minutes, seconds, millis) = (next(), next(), next(), next());
    ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis
}

#[test]
fn a_crash_loop_backs_off_is_told_and_is_given_up() {
    if !asked("a_crash_loop_backs_off_is_told_and_is_given_up") {
        return;
    }
    let stage = Stage::new("docker-crash-loop");
    let (_dev, manager, containers) = begin(&stage);
    let mut app = web("/shop/web", 1);
    app["cmd"] = json!("sleep 1; exit 3");
    app["healthChecks"] = json!([]);
    app["backoffSeconds"] = json!(1);
    app["backoffFactor"] = json!(2);
    app["maxLaunchDelaySeconds"] = json!(8);
    app["update"] = json!({ "maxFailures": 100 });
    app["failover"] =
        json!({ "retries": 3, "windowSeconds": 600, "historyLength": 10, "onExhausted": "stop" });
    manager.api.create(&app);
    let shown = until("the end of all tries", || {
        let shown = manager.api.get(APP);
        ensure(shown["errmsg"] != "" && shown["operationStatus"] == "noop", || shown.to_string())?;
        Ok(shown)
    });
    let failures = manager.api.get(&format!("{APP}/failures"));
    let all = failures.as_array().expect("a list");
    assert_eq!(all.len(), 4, "three retries: {failures}, {shown}");
    for failure in all {
        assert_eq!((&failure["slot"], &failure["exitCode"]), (&json!(0), &json!(3)), "{failure}");
        assert_eq!(
            (&failure["state"], &failure["counted"]),
            (&json!("TASK_FAILED"), &json!(true)),
            "{failure}"
        );
        for text in ["taskId", "agentId", "host", "message"] {
            assert!(failure[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {failure}");
        }
    }
    // Newest first: from the end of one to the start of the next it takes 1, 2, 4 seconds.
    for (at, two) in all.windows(2).rev().enumerate() {
        let day = 24 * 3600 * 1000;
        let waited = (of_day(&two[0]["started"]) + day - of_day(&two[1]["ended"])) % day;
        assert!(waited + 100 >= 1000 << at, "{waited} ms after failure {}: {failures}", at + 1);
    }
    containers.are_of(&[]);
    // Whoever starts it anew gets new tries.
    manager.api.expect(202, &format!("POST {APP}/start"), None);
    until("another failure", || {
        let failures = manager.api.get(&format!("{APP}/failures"));
        ensure(failures.as_array().is_some_and(|all| all.len() > 4), || failures.to_string())
    });
    end(&manager, &containers);
}

/// A phase of a rollout, and how it is known.
type Phase = (&'static str, fn(&Manager, &Containers) -> Result<(), String>);

/// How many tasks of the app have one of these states.
fn in_state(manager: &Manager, states: &[&str]) -> usize {
    let tasks = manager.api.tasks("web.shop");
    tasks.iter().filter(|task| states.contains(&task["status"].as_str().unwrap_or_default())).count()
}

fn operation(manager: &Manager) -> Value {
    manager.api.get(APP)["operationStatus"].clone()
}

const PHASES: &[Phase] = &[
    ("a new task is staging", |manager, containers| {
        let seen = containers.all().len();
        ensure(seen > 3 || operation(manager) == "noop", || format!("{seen} containers"))
    }),
    ("both run", |manager, containers| {
        let seen = containers.running().len();
        ensure(seen > 3 || operation(manager) == "noop", || format!("{seen} containers"))
    }),
    ("an old one drains", |manager, _| {
        let seen = in_state(manager, &["TASK_DRAINING", "TASK_KILLING"]);
        ensure(seen > 0 || operation(manager) == "noop", || format!("{seen} drain"))
    }),
];

#[test]
fn a_rollout_goes_on_under_the_next_manager_from_any_phase() {
    if !asked("a_rollout_goes_on_under_the_next_manager_from_any_phase") {
        return;
    }
    let stage = Stage::new("docker-phases");
    let (dev, mut manager, containers) = begin(&stage);
    let framework = manager.api.framework();
    manager.api.create(&careful("swan-test/web:1", "created"));
    assert_eq!(operation(&manager), "creating");
    manager.kill();
    manager = stage.manager(dev.mesos);
    let mut before = manager.api.steady("web.shop", 3);
    for &(phase, is_so) in PHASES {
        manager.api.expect(202, &format!("PUT {APP}"), Some(&careful("swan-test/web:1", phase)));
        until(phase, || is_so(&manager, &containers));
        manager.kill();
        manager = stage.manager(dev.mesos);
        let after = manager.api.steady("web.shop", 3);
        containers.are_of(&after);
        dev.mesos_knows_just(&framework, &after);
        assert!(ids(&after).iter().all(|id| !ids(&before).contains(id)), "{phase}: all were replaced");
        let versions = manager.api.get(APP)["currentVersion"].clone();
        assert_eq!(versions.as_array().map(Vec::len), Some(1), "{phase}: {versions}");
        before = after;
    }
    manager.api.expect(202, &format!("PUT {APP}"), Some(&careful(NO_SUCH_IMAGE, "bad")));
    until("it is being rolled back", || {
        let operation = operation(&manager);
        ensure(operation == "rollbacking" || operation == "noop", || operation.to_string())
    });
    manager.kill();
    manager = stage.manager(dev.mesos);
    at_rest(&manager, "web.shop");
    let after = manager.api.steady("web.shop", 3);
    assert_eq!(ids(&after), ids(&before), "what served goes on");
    containers.are_of(&after);
    dev.mesos_knows_just(&framework, &after);
    end(&manager, &containers);
}
