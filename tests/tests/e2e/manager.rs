//! Holds `swan manager` killed at any time while Mesos and its tasks live on.

use serde_json::{Value, json};

use crate::builtin::says;
use crate::patience::until;
use crate::program;
use crate::scene::{Dev, Manager, Stage, ids, strs, web};

/// What of an app and its tasks must not change by a restart of the manager.
fn remembered(manager: &Manager, app: &str) -> (Value, Vec<Value>) {
    let mut shown = manager.api.get(&format!("/v1/apps/{app}"));
    // The last change of any task, which a reconciliation may be.
    shown["updated"] = Value::Null;
    let mut tasks = manager.api.tasks(app);
    for task in &mut tasks {
        task["updated"] = Value::Null;
    }
    (shown, tasks)
}

fn begin(stage: &Stage) -> (Dev, Manager, String) {
    let dev = stage.dev("builtin");
    let manager = stage.manager(dev.mesos);
    let framework = manager.api.framework();
    (dev, manager, framework)
}

#[test]
fn nothing_restarts_when_the_manager_is_killed() {
    let stage = Stage::new("manager-killed");
    let (dev, manager, framework) = begin(&stage);
    manager.api.create(&web("/shop/web", 3));
    manager.api.steady("web.shop", 3);
    let before = remembered(&manager, "web.shop");
    let uptimes: Vec<u64> =
        before.1.iter().map(|task| says(task)["uptime_ms"].as_u64().expect("ms")).collect();
    manager.kill();

    let manager = stage.manager(dev.mesos);
    assert_eq!(manager.api.framework(), framework);
    manager.api.steady("web.shop", 3);
    assert_eq!(remembered(&manager, "web.shop"), before);
    for (task, uptime) in before.1.iter().zip(uptimes) {
        let said = says(task);
        assert_eq!(said["task"], task["id"]);
        assert!(said["uptime_ms"].as_u64() >= Some(uptime), "it was started again: {said}");
    }
    dev.mesos_knows_just(&framework, &before.1);
    assert_eq!(manager.api.get("/v1/quarantine"), json!([]));

    // A task that ends while nobody manages it is replaced by the next manager.
    manager.kill();
    let lost = &before.1[2];
    drop(crate::http::exchange(crate::api::address(lost), "POST /_swan/fail", &[], ""));
    let manager = stage.manager(dev.mesos);
    let after = until("a new task in the slot", || {
        let tasks = manager.api.steady("web.shop", 3);
        if tasks[2]["id"] == lost["id"] { Err(crate::api::brief(&tasks)) } else { Ok(tasks) }
    });
    assert_eq!(ids(&after[..2]), ids(&before.1[..2]));
    dev.mesos_knows_just(&framework, &after);
    assert!(manager.terminate().success());
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let stage = Stage::new("acknowledged");
    let (dev, mut manager, framework) = begin(&stage);
    for (round, instances) in [2, 4, 1, 3].into_iter().enumerate() {
        if round == 0 {
            manager.api.create(&web("/shop/web", instances));
        } else {
            manager.api.scale("web.shop", instances);
        }
        manager.kill();
        manager = stage.manager(dev.mesos);
        let shown = manager.api.get("/v1/apps/web.shop");
        assert_eq!(shown["instances"], instances, "round {round}");
        let tasks = manager.api.steady("web.shop", instances as usize);
        dev.mesos_knows_just(&framework, &tasks);
    }
    manager.api.delete("/v1/apps/web.shop");
    manager.kill();
    let manager = stage.manager(dev.mesos);
    manager.api.gone("web.shop");
    dev.mesos_knows_just(&framework, &[]);
}

#[test]
fn a_journal_has_one_manager() {
    let stage = Stage::new("one-manager");
    let (dev, mut manager, _) = begin(&stage);
    let refused = program::run(&strs(&stage.manager_arguments(dev.mesos)));
    let said = String::from_utf8_lossy(&refused.stderr);
    let holder = format!("is in use by process {}", manager.process.id());
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(&holder), "no '{holder}' in: {said}");
    manager.process.runs().unwrap_or_else(|problem| panic!("{problem}"));
    assert!(manager.api.get("/v1/framework")["connected"] == true);
}

/// The manager dies again and again while tasks are launched and killed, each time a little later than before.
#[test]
fn kills_in_the_middle_of_scaling_leave_just_the_wanted_number() {
    let stage = Stage::new("kills");
    let (dev, mut manager, framework) = begin(&stage);
    manager.api.create(&web("/shop/web", 1));
    manager.api.steady("web.shop", 1);
    for round in 0..6_u32 {
        let wanted = if round % 2 == 0 { 12 } else { 3 };
        manager.api.scale("web.shop", wanted);
        // So many tasks further than at the beginning, which is in the middle; the last rounds only just begin.
        let step = 5_usize.saturating_sub(round as usize);
        let from = dev.mesos_tasks(&framework).len();
        until("the change moves on", || {
            let now = dev.mesos_tasks(&framework).len();
            if now.abs_diff(from) >= step { Ok(()) } else { Err(format!("{now} tasks, {from} before")) }
        });
        manager.kill();
        manager = stage.manager(dev.mesos);
        assert_eq!(manager.api.framework(), framework);
        let tasks = manager.api.steady("web.shop", wanted as usize);
        dev.mesos_knows_just(&framework, &tasks);
        for task in &tasks {
            assert_eq!(says(task)["task"], task["id"], "round {round}");
        }
    }
    assert_eq!(manager.api.get("/v1/quarantine"), json!([]));
}

/// A caller whose manager dies before the answer repeats the request under its key: it is done, and done once.
#[test]
fn a_request_without_an_answer_is_repeated_safely() {
    let stage = Stage::new("no-answer");
    let (dev, mut manager, framework) = begin(&stage);
    for round in 0..4 {
        let app = web(&format!("/shop/web{round}"), 2);
        let key = format!("round-{round}");
        let api = manager.api.clone();
        let (asked_app, asked_key) = (app.clone(), key.clone());
        let asker = std::thread::spawn(move || {
            api.attempt("POST /v1/apps", &[("idempotency-key", &asked_key)], Some(&asked_app))
        });
        manager.kill();
        let early = asker.join().expect("the asker does not panic");
        manager = stage.manager(dev.mesos);
        let answer = manager.api.ask("POST /v1/apps", &[("idempotency-key", &key)], Some(&app));
        assert_eq!(answer.status, 201, "round {round}: {answer:?}; before the kill: {early:?}");
        let tasks = manager.api.steady(&format!("web{round}.shop"), 2);
        assert_eq!(tasks.len(), 2);
    }
    let all: Vec<Value> = (0..4).flat_map(|round| manager.api.tasks(&format!("web{round}.shop"))).collect();
    dev.mesos_knows_just(&framework, &all);
}

/// Mesos goes away under a living manager and comes back at the same address: its tasks are told apart from new ones.
#[test]
fn a_manager_lives_through_a_restart_of_mesos() {
    let stage = Stage::new("mesos-restart");
    let (dev, mut manager, framework) = begin(&stage);
    manager.api.create(&web("/shop/web", 2));
    let before = manager.api.steady("web.shop", 2);
    let mesos = dev.mesos.to_string();
    dev.process.kill();
    until("the manager sees that Mesos is away", || {
        let shown = manager.api.get("/v1/framework");
        if shown["connected"] == false { Ok(()) } else { Err(shown.to_string()) }
    });
    manager.api.scale("web.shop", 3);
    let dev = stage.dev_with("builtin", &["--mesos-listen", &mesos]);
    let after = until("three tasks, none of them old", || {
        let tasks = manager.api.steady("web.shop", 3);
        let old = ids(&before);
        if ids(&tasks).iter().any(|id| old.contains(id)) { Err(crate::api::brief(&tasks)) } else { Ok(tasks) }
    });
    assert_eq!(manager.api.framework(), framework);
    dev.mesos_knows_just(&framework, &after);
    manager.process.runs().unwrap_or_else(|problem| panic!("{problem}"));
}
