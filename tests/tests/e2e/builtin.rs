//! Holds `swan dev` with built-in tasks: an app's life over the API and from the command line, and what is left of it
//! when everything is killed.

use serde_json::Value;

use crate::api::{address, brief};
use crate::http::exchange;
use crate::patience::until;
use crate::program;
use crate::scene::{Stage, ids, web};

/// What a built-in task says of itself.
pub(crate) fn says(task: &Value) -> Value {
    until("an answer of the task", || exchange(address(task), "GET /", &[], "")).json()
}

/// Each task answers where the API says that it is.
fn all_answer(tasks: &[Value]) {
    for task in tasks {
        assert_eq!(says(task)["task"], task["id"], "{task}");
    }
}

#[test]
fn an_app_is_deployed_healed_scaled_and_deleted() {
    let stage = Stage::new("life");
    let dev = stage.dev("builtin");
    let api = &dev.api;
    let framework = api.framework();
    api.create(&web("/shop/web", 3));
    let three = api.steady("web.shop", 3);
    all_answer(&three);
    dev.mesos_knows_just(&framework, &three);

    // It may end before it answers.
    drop(exchange(address(&three[1]), "POST /_swan/fail?code=3", &[], ""));
    let healed = api.replaced("web.shop", &three, &three[1]);
    all_answer(&healed);

    api.scale("web.shop", 5);
    let five = api.steady("web.shop", 5);
    assert_eq!(
        five[..3].iter().map(|task| &task["id"]).collect::<Vec<_>>(),
        healed.iter().map(|task| &task["id"]).collect::<Vec<_>>()
    );
    all_answer(&five);
    api.scale("web.shop", 2);
    let two = api.steady("web.shop", 2);
    assert_eq!(ids(&two), ids(&five[..2]));
    dev.mesos_knows_just(&framework, &two);
    exchange(address(&five[4]), "GET /", &[], "").expect_err("its task has ended");

    let id = two[0]["id"].as_str().expect("an id");
    api.delete(&format!("/v1/apps/web.shop/tasks/{id}"));
    let two = api.replaced("web.shop", &two, &two[0]);
    dev.mesos_knows_just(&framework, &two);

    api.delete("/v1/apps/web.shop");
    api.gone("web.shop");
    dev.mesos_knows_just(&framework, &[]);
    assert_eq!(api.get("/v1/quarantine"), Value::Array(vec![]));
    assert!(dev.process.terminate().success());
}

#[test]
fn a_task_that_becomes_unhealthy_is_replaced() {
    let stage = Stage::new("unhealthy");
    let dev = stage.dev("builtin");
    dev.api.create(&web("/shop/web", 2));
    let before = dev.api.steady("web.shop", 2);
    exchange(address(&before[0]), "POST /_swan/unhealthy", &[], "").expect("it is told");
    let after = dev.api.replaced("web.shop", &before, &before[0]);
    all_answer(&after);
}

#[test]
fn the_first_steps_of_a_newcomer_work() {
    let stage = Stage::new("first-steps");
    let dev = stage.dev("builtin");
    let server = format!("http://{}", dev.api.address);
    let swan = |line: &str| {
        let arguments: Vec<&str> = line.split_whitespace().chain(["--server", &server]).collect();
        let output = program::run(&arguments);
        assert!(output.status.success(), "swan {line}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/hello.json");
    assert_eq!(swan(&format!("app create {example} --wait")), "hello: available, 3 of 3 running\n");
    let tasks = dev.api.steady("hello", 3);
    let listed = swan("task list hello");
    for task in &tasks {
        assert!(listed.contains(task["id"].as_str().expect("an id")), "{listed}");
    }
    swan("app scale hello 5 --wait");
    let five = dev.api.steady("hello", 5);
    swan("task kill 0.hello");
    all_answer(&dev.api.replaced("hello", &five, &five[0]));
    assert_eq!(swan("app delete hello --wait"), "hello: deleted\n");
}

#[test]
fn apps_outlive_a_kill_of_everything() {
    let stage = Stage::new("everything-killed");
    let dev = stage.dev("builtin");
    dev.api.create(&web("/shop/web", 3));
    let (framework, before) = (dev.api.framework(), dev.api.steady("web.shop", 3));
    dev.process.kill();
    // Built-in tasks die with the process; the cluster and the manager remember them.
    let dev = stage.dev("builtin");
    let after = until("three new tasks", || {
        let tasks = dev.api.steady("web.shop", 3);
        let new = tasks.iter().zip(&before).all(|(new, old)| new["id"] != old["id"]);
        if new { Ok(tasks) } else { Err(brief(&tasks)) }
    });
    assert_eq!(dev.api.framework(), framework);
    all_answer(&after);
    dev.mesos_knows_just(&framework, &after);
}
