//! Holds a manager that has lost its journal while its tasks ran: it holds, whatever it is asked, until an operator says
//! who it is.

use serde_json::{Value, json};

use crate::builtin::says;
use crate::patience::{ensure, until};
use crate::program;
use crate::scene::{Dev, Manager, Stage, ids, web};

/// A manager whose journal was lost under two tasks, and what they and its framework were.
fn lost(stage: &Stage) -> (Dev, Manager, String, Vec<Value>) {
    let dev = stage.dev("builtin");
    let manager = stage.manager(dev.mesos);
    let framework = manager.api.framework();
    manager.api.create(&web("/shop/web", 2));
    let before = manager.api.steady("web.shop", 2);
    assert!(manager.terminate().success());
    lose(stage);
    let manager = held(stage.manager_alone(dev.mesos), &framework);
    (dev, manager, framework, before)
}

fn lose(stage: &Stage) {
    std::fs::remove_dir_all(stage.path("journal")).expect("there is a journal");
}

/// Waits until a manager says that it holds, and for which framework.
fn held(mut manager: Manager, framework: &str) -> Manager {
    until("a hold", || {
        let shown = manager.api.get("/v1/framework");
        ensure(shown["hold"]["frameworks"][0]["ID"] == framework, || shown.to_string())
    });
    manager.process.said("the journal is empty, but frameworks of this manager still hold resources: ");
    manager
}

fn swan(manager: &Manager, line: &str) -> (Option<i32>, String) {
    let server = format!("http://{}", manager.api.address);
    let arguments: Vec<&str> = line.split_whitespace().chain(["--server", &server]).collect();
    let output = program::run(&arguments);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout) + &text(output.stderr))
}

fn quarantined(manager: &Manager) -> Vec<String> {
    let listed = manager.api.get("/v1/quarantine");
    ids(listed.as_array().expect("a list"))
}

fn live(tasks: &[Value]) {
    for task in tasks {
        assert_eq!(says(task)["task"], task["id"]);
    }
}

#[test]
fn s14_a_framework_is_adopted_and_its_tasks_live_until_an_operator_ends_them() {
    let stage = Stage::new("lost-adopted");
    let (dev, manager, framework, before) = lost(&stage);
    let refused = manager.api.expect(503, "POST /v1/apps", Some(&web("/shop/other", 1)));
    assert!(refused.body.contains("swan framework adopt ID"), "{refused:?}");
    let shown = manager.api.get("/v1/framework");
    assert_eq!((&shown["ID"], &shown["connected"]), (&json!(""), &json!(false)));
    assert_eq!(manager.api.get("/v1/apps"), json!([]), "reads are served");

    // Another process holds, too, and so does one that has lost the journal once more.
    manager.kill();
    let manager = held(stage.manager_alone(dev.mesos), &framework);
    manager.kill();
    lose(&stage);
    let manager = held(stage.manager_alone(dev.mesos), &framework);
    dev.mesos_knows_just(&framework, &before);

    assert_eq!(swan(&manager, "framework adopt nothing").0, Some(3), "no such framework is held");
    let (code, said) = swan(&manager, &format!("framework adopt {framework}"));
    assert_eq!((code, said.contains("is adopted")), (Some(0), true), "{said}");
    assert_eq!(manager.api.framework(), framework);
    until("the quarantine of all tasks", || {
        let listed = quarantined(&manager);
        ensure(listed == ids(&before), || format!("{listed:?}"))
    });
    live(&before);
    let again = format!("framework adopt {framework}");
    assert_eq!(swan(&manager, &again).0, Some(0), "it is that framework");

    let ended = before[0]["id"].as_str().expect("an id");
    assert_eq!(swan(&manager, &format!("task kill --quarantined {ended}")).0, Some(0));
    until("the end of one task", || {
        let listed = quarantined(&manager);
        ensure(listed == ids(&before[1..]), || format!("{listed:?}"))
    });
    live(&before[1..]);
    manager.api.create(&web("/shop/other", 1));
    let other = manager.api.steady("other.shop", 1);
    dev.mesos_knows_just(&framework, &[&before[1..], &other].concat());
}

#[test]
fn s14_a_new_framework_is_made_by_an_operators_word_and_what_ran_runs_on() {
    let stage = Stage::new("lost-new");
    let (dev, manager, framework, before) = lost(&stage);
    let (code, said) = swan(&manager, "framework show");
    assert_eq!((code, said.contains(&framework)), (Some(0), true), "{said}");
    assert_eq!(swan(&manager, "framework new").0, Some(0));
    let new = manager.api.framework();
    assert_ne!(new, framework);
    assert_eq!(manager.api.get("/v1/framework")["hold"], Value::Null);
    manager.api.create(&web("/shop/other", 1));
    let other = manager.api.steady("other.shop", 1);
    dev.mesos_knows_just(&new, &other);
    dev.mesos_knows_just(&framework, &before);
    live(&before);
    assert_eq!(quarantined(&manager), [""; 0]);
    assert_eq!(swan(&manager, "framework new").0, Some(1), "nothing is held");
}

#[test]
fn s14_a_journal_lost_when_nothing_ran_is_a_first_start() {
    let stage = Stage::new("lost-nothing");
    let dev = stage.dev("builtin");
    let manager = stage.manager(dev.mesos);
    let framework = manager.api.framework();
    assert!(manager.terminate().success());
    lose(&stage);
    let manager = stage.manager(dev.mesos);
    assert_ne!(manager.api.framework(), framework);
}
