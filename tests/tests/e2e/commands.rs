//! Holds the command line against a real manager: changes that go wrong or are in each other's way, and how scripts learn
//! of it.

use serde_json::{Value, json};

use crate::program;
use crate::scene::{Dev, Stage, ids, web};

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn swan(dev: &Dev, line: &str) -> Ended {
    let server = format!("http://{}", dev.api.address);
    let arguments: Vec<&str> = line.split_whitespace().chain(["--server", &server]).collect();
    let output = program::run(&arguments);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// As [`swan`], which must go well.
fn done(dev: &Dev, line: &str) -> Ended {
    let ended = swan(dev, line);
    assert_eq!(ended.code, Some(0), "swan {line}: {ended:?}");
    ended
}

#[test]
fn a_bad_update_is_rolled_back_and_the_command_fails_with_its_reason() {
    let stage = Stage::new("bad-update");
    let dev = stage.dev("builtin");
    let mut document = web("/shop/web", 2);
    document["update"] = json!({ "progressDeadlineSeconds": 3, "onFailure": "rollback" });
    let good = stage.file("good.json", &document.to_string());
    done(&dev, &format!("app create {good} --wait"));
    let before = dev.api.steady("web.shop", 2);
    let first = before[0]["version"].as_str().expect("a version");

    // Nothing offers so much.
    document["cpus"] = json!(1000);
    let bad = stage.file("bad.json", &document.to_string());
    let ended = swan(&dev, &format!("app update {bad} --wait"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.starts_with("swan: web.shop: updating failed: "), "{ended:?}");
    assert!(ended.err.contains(&format!("; rolled back to version {first}\n")), "{ended:?}");
    assert_eq!(ids(&dev.api.steady("web.shop", 2)), ids(&before), "what ran well runs on");

    let rollouts = done(&dev, "rollout list web.shop --json").json();
    let states: Vec<[&Value; 3]> = rollouts
        .as_array()
        .expect("a list")
        .iter()
        .map(|rollout| [&rollout["operation"], &rollout["state"], &rollout["automatic"]])
        .collect();
    assert_eq!(json!(states[0]), json!(["rollbacking", "done", true]), "{rollouts}");
    assert_eq!(json!(states[1]), json!(["updating", "failed", false]), "{rollouts}");
    assert_eq!(done(&dev, "rollout show web.shop --json").json()["id"], rollouts[0]["id"]);
    done(&dev, "rollout watch web.shop");
}

#[test]
fn a_change_in_the_way_is_exit_code_5_and_force_replaces_it() {
    let stage = Stage::new("in-the-way");
    let dev = stage.dev("builtin");
    let mut document = web("/shop/web", 2);
    let good = stage.file("good.json", &document.to_string());
    document["cpus"] = json!(1000);
    let huge = stage.file("huge.json", &document.to_string());
    done(&dev, &format!("app create {good} --wait"));
    done(&dev, &format!("app update {huge}"));
    for line in
        [&*format!("app update {good}"), "app scale web.shop 3", "app restart web.shop", "app stop web.shop"]
    {
        let ended = swan(&dev, line);
        assert_eq!(ended.code, Some(5), "{line}: {ended:?}");
        assert!(ended.err.contains("updating"), "{ended:?}");
    }
    done(&dev, "rollout pause web.shop");
    assert_eq!(done(&dev, "rollout show web.shop --json").json()["state"], "paused");
    done(&dev, "rollout resume web.shop");
    assert_eq!(done(&dev, "rollout show web.shop --json").json()["state"], "running");

    let trial = done(&dev, &format!("app update {good} --force --dry-run --json")).json();
    assert_eq!((&trial["operation"], &trial["spec"]["cpus"]), (&json!("updating"), &json!(0.1)), "{trial}");
    assert_eq!(dev.api.get("/v1/apps/web.shop")["operationStatus"], "updating", "nothing came of it");

    done(&dev, &format!("app update {good} --force --wait"));
    dev.api.steady("web.shop", 2);
    let rollouts = done(&dev, "rollout list web.shop --json").json();
    assert_eq!(
        (&rollouts[0]["state"], &rollouts[1]["state"]),
        (&json!("done"), &json!("replaced")),
        "{rollouts}"
    );
    done(&dev, "app stop web.shop --wait");
    assert_eq!(dev.api.get("/v1/apps/web.shop/tasks"), json!([]));
    done(&dev, "app start web.shop --wait");
    dev.api.steady("web.shop", 2);
}
