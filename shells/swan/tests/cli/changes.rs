//! Owns the tests of commands that change an app, wait for the end of that, and look at what became of it.

use serde_json::{Value, json};

use crate::canned::{Answer, Asked, Canned};
use crate::{Ended, WEB, file, host, swan, with_input};

fn app(operation: &str) -> Value {
    json!({
        "id": "web.shop", "path": "/shop/web", "name": "web", "runAs": "shop", "cluster": "",
        "operationStatus": operation, "progress": -1, "progressGoal": -1, "instances": 3, "task_count": 3,
        "tasks_status": {"TASK_RUNNING": 3}, "health": {"total": 3, "healthy": 3, "unhealthy": 0, "unset": 0},
        "currentVersion": ["17"], "version_count": 2, "status": "available", "errmsg": "", "quarantined": false,
        "revision": 7, "labels": {}, "spec": {}, "created": "then", "updated": "now",
    })
}

fn rollout(id: u64, state: &str, automatic: bool) -> Value {
    let ended = if ["running", "paused"].contains(&state) { Value::Null } else { json!("now") };
    json!({
        "id": id, "operation": if automatic { "rollbacking" } else { "updating" }, "state": state,
        "error": if state == "failed" { "exit status 1" } else { "" }, "fromVersion": "17",
        "toVersion": if automatic { "17" } else { "18" }, "fromInstances": 3, "toInstances": 3, "ready": 2,
        "minReady": 3, "maxTasks": 6, "failures": 1, "maxFailures": 3, "deadlineInSeconds": null,
        "automatic": automatic, "started": "then", "ended": ended,
    })
}

fn refusal(status: u16, detail: &str) -> Answer {
    Answer::Json(
        status,
        json!({"type": "urn:swan:problem:x", "title": "x", "status": status, "detail": detail}),
    )
}

/// A manager where an update goes through `later`, the lists of rollouts that are seen one after another.
fn updating(later: Vec<Value>) -> Canned {
    Canned::start(move |line, before| match line {
        "GET /v1/apps/web.shop/rollouts" if before == 0 => {
            Answer::Json(200, json!([rollout(1, "failed", false)]))
        }
        "GET /v1/apps/web.shop/rollouts" => {
            Answer::Json(200, later[(before - 1).min(later.len() - 1)].clone())
        }
        "GET /v1/apps/web.shop" => Answer::Json(200, app(if before == 0 { "updating" } else { "noop" })),
        _ => Answer::Json(202, json!("accepted")),
    })
}

#[test]
fn each_change_is_sent_as_it_was_said() {
    let document = file("update.json", WEB);
    let (document, web) = (document.display(), "web.shop");
    let server = Canned::start(|_, _| Answer::Json(202, json!("accepted")));
    for (line, request, body, said) in [
        (format!("app update {document}"), "PUT /v1/apps/web.shop", WEB, "updating"),
        (
            format!("app update {document} --app /shop/other --force"),
            "PUT /v1/apps/other.shop?force=true",
            WEB,
            "updating",
        ),
        ("app scale web.shop 5".to_owned(), "POST /v1/apps/web.shop/scale", "{\"instances\":5}", "scaling"),
        (
            "app scale /shop/web 1 --ip 10.0.0.7 --force".to_owned(),
            "POST /v1/apps/web.shop/scale?force=true",
            "{\"instances\":1,\"ips\":[\"10.0.0.7\"]}",
            "scaling",
        ),
        (
            format!("app rollback {web}"),
            "POST /v1/apps/web.shop/rollback",
            "{\"version\":null}",
            "rolling back",
        ),
        (
            format!("app rollback {web} 17"),
            "POST /v1/apps/web.shop/rollback",
            "{\"version\":\"17\"}",
            "rolling back",
        ),
        (format!("app restart {web}"), "POST /v1/apps/web.shop/restart", "", "restarting"),
        (format!("app stop {web} --force"), "POST /v1/apps/web.shop/stop?force=true", "", "stopping"),
        (format!("app start {web}"), "POST /v1/apps/web.shop/start", "", "starting"),
        (format!("app delete {web}"), "DELETE /v1/apps/web.shop", "", "deleting"),
        (format!("rollout pause {web}"), "POST /v1/apps/web.shop/rollout/pause", "", "paused"),
        (format!("rollout resume {web}"), "POST /v1/apps/web.shop/rollout/resume", "", "resumed"),
        (format!("rollout cancel {web}"), "POST /v1/apps/web.shop/rollout/cancel", "", "going back"),
    ] {
        let ended = swan(server.address, &line);
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        assert!(ended.out.ends_with(&format!(": {said}\n")), "{line}: {ended:?}");
        let asked = Asked { line: request.to_owned(), body: body.to_owned() };
        assert_eq!(server.changes(), [asked], "{line}");
    }
    let ended = swan(server.address, "app stop web.shop --json");
    assert_eq!(ended.json(), json!({"id": "web.shop", "status": "stopping"}));
}

#[test]
fn a_dry_run_shows_what_would_be() {
    let would_be = json!({
        "operation": "updating", "warnings": [{"path": "cpu", "message": "is not known"}], "replaced": 3, "started": 0,
        "ended": 0, "minReady": 3, "maxTasks": 6, "placeable": 2, "spec": {},
    });
    let answered = would_be.clone();
    let server = Canned::start(move |_, _| Answer::Json(200, answered.clone()));
    let document = file("dry.json", WEB);
    for (line, request) in [
        (format!("app create {}", document.display()), "POST /v1/apps?dryRun=true"),
        (
            format!("app create {} --compose blog", document.display()),
            "POST /v1/apps?compose=blog&dryRun=true",
        ),
        (
            format!("app update {} --force", document.display()),
            "PUT /v1/apps/web.shop?force=true&dryRun=true",
        ),
        ("app scale web.shop 4".to_owned(), "POST /v1/apps/web.shop/scale?dryRun=true"),
        ("app rollback web.shop".to_owned(), "POST /v1/apps/web.shop/rollback?dryRun=true"),
        ("app restart web.shop".to_owned(), "POST /v1/apps/web.shop/restart?dryRun=true"),
        ("app stop web.shop".to_owned(), "POST /v1/apps/web.shop/stop?dryRun=true"),
        ("app start web.shop".to_owned(), "POST /v1/apps/web.shop/start?dryRun=true"),
        ("app delete web.shop".to_owned(), "DELETE /v1/apps/web.shop?dryRun=true"),
    ] {
        let ended = swan(server.address, &format!("{line} --dry-run"));
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        assert!(ended.out.contains(": would be updating\n  replaced   3\n"), "{line}: {ended:?}");
        assert!(ended.out.ends_with("  warning    cpu: is not known\n"), "{line}: {ended:?}");
        assert_eq!(server.lines(), [request], "{line}");
        assert_eq!(swan(server.address, &format!("{line} --dry-run --json")).json(), would_be);
        server.lines();
    }
    assert_eq!(swan(server.address, "app stop web.shop --dry-run --wait").code, 2);
}

#[test]
fn health_is_shown_of_apps_that_are_checked() {
    for (checks, column, line) in [
        (json!({}), "-", "health        -\n"),
        (json!({"healthChecks": [{}]}), "2/3", "health        2 healthy, 0 unhealthy, 1 unset\n"),
    ] {
        let mut app = app("noop");
        app["health"] = json!({"total": 3, "healthy": 2, "unhealthy": 0, "unset": 1});
        app["spec"] = checks;
        let server = Canned::start(move |line, _| match line {
            "GET /v1/apps" => Answer::Json(200, json!([app])),
            "GET /v1/apps/web.shop" => Answer::Json(200, app.clone()),
            _ => Answer::Json(200, json!([])),
        });
        let listed = swan(server.address, "app list");
        let row = listed.out.lines().nth(1).expect("a row").split_whitespace();
        assert_eq!(row.skip(3).take(2).collect::<Vec<_>>(), ["3/3", column], "{listed:?}");
        let shown = swan(server.address, "app show web.shop");
        assert!(shown.out.contains(line), "{shown:?}");
    }
}

#[test]
fn what_is_odd_in_a_definition_that_was_taken_goes_to_standard_error() {
    let server = host::start(None);
    let odd = WEB.replace("\"cpus\"", "\"colour\": \"red\", \"instance\": 3, \"cpus\"");
    let warned = "warning: colour: is unknown and ignored\nwarning: instance: is unknown and ignored; is instances meant?\n";
    let created = with_input(server, "app create - --wait", &odd);
    assert_eq!((created.code, created.err.as_str()), (0, warned), "{created:?}");
    assert_eq!(created.out, "web.shop: available, 3 of 3 running\n");
    let updated = with_input(server, "app update - --json", &odd.replace("web:1", "web:2"));
    assert_eq!((updated.code, updated.err.as_str()), (0, warned), "{updated:?}");
    assert_eq!(updated.json(), json!({"id": "web.shop", "status": "updating"}));
    let updated = with_input(server, "app update - --force", WEB);
    assert_eq!((updated.code, updated.err.as_str()), (0, ""), "{updated:?}");
}

fn update(server: &Canned) -> Ended {
    with_input(server.address, "app update - --wait", WEB)
}

#[test]
fn waiting_ends_well_when_the_own_rollout_is_done() {
    let old = rollout(1, "failed", false);
    let server =
        updating(vec![json!([rollout(2, "running", false), old]), json!([rollout(2, "done", false), old])]);
    let ended = update(&server);
    assert_eq!((ended.code, ended.out.as_str()), (0, "web.shop: available, 3 of 3 running\n"), "{ended:?}");
    // Another label needs no rollout: the failure of an older one is not its own.
    let server = updating(vec![json!([old])]);
    let ended = update(&server);
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn where_nothing_was_begun_an_older_failure_is_none() {
    let server = Canned::start(|line, _| match line {
        "GET /v1/apps/web.shop/rollouts" => Answer::Json(200, json!([rollout(1, "failed", false)])),
        "POST /v1/apps/web.shop/scale" => Answer::Empty(304),
        _ => refusal(404, "there is nothing"),
    });
    let ended = swan(server.address, "app scale web.shop 3 --wait");
    assert_eq!((ended.code, ended.out.as_str()), (0, "web.shop: unchanged\n"), "{ended:?}");
}

#[test]
fn waiting_fails_when_the_own_rollout_did_whatever_came_of_it() {
    let old = rollout(1, "failed", false);
    for (later, said) in [
        (json!([rollout(2, "failed", false), old]), "swan: web.shop: updating failed: exit status 1\n"),
        (
            json!([rollout(3, "done", true), rollout(2, "failed", false), old]),
            "swan: web.shop: updating failed: exit status 1; rolled back to version 17\n",
        ),
        (json!([rollout(2, "cancelled", false), old]), "swan: web.shop: updating failed: it was cancelled\n"),
        (
            json!([rollout(3, "done", false), rollout(2, "replaced", false)]),
            "swan: web.shop: updating failed: it was replaced\n",
        ),
    ] {
        let ended = update(&updating(vec![later]));
        assert_eq!((ended.code, ended.err.as_str()), (1, said), "{ended:?}");
        assert_eq!(ended.out, "");
    }
}

#[test]
fn a_locked_app_is_exit_code_5() {
    let server = Canned::start(|line, _| match line.starts_with("GET") {
        true => Answer::Json(200, json!([])),
        false => refusal(423, "app 'web.shop' status is updating, operation not allowed"),
    });
    for line in ["app scale web.shop 2", "app restart web.shop --wait", "app rollback web.shop"] {
        let ended = swan(server.address, line);
        assert_eq!(ended.code, 5, "{line}: {ended:?}");
        assert!(ended.err.contains("status is updating"), "{ended:?}");
    }
}

#[test]
fn rollouts_are_shown_and_listed() {
    let server = Canned::start(|line, _| match line {
        "GET /v1/apps/web.shop/rollout" => Answer::Json(200, rollout(2, "running", false)),
        "GET /v1/apps/web.shop/rollouts" => {
            Answer::Json(200, json!([rollout(2, "done", true), rollout(1, "failed", false)]))
        }
        _ => refusal(404, "there is no app 'none'"),
    });
    let shown = swan(server.address, "rollout show /shop/web");
    assert!(shown.out.contains("state      running\n"), "{shown:?}");
    assert!(shown.out.contains("version    17 -> 18\n"), "{shown:?}");
    assert_eq!(swan(server.address, "rollout show web.shop --json").json()["id"], 2);
    let listed = swan(server.address, "rollout list web.shop");
    let rows: Vec<Vec<&str>> = listed.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1][..5], ["2", "rollbacking", "(by", "itself)", "done"], "{listed:?}");
    assert_eq!(rows[2][..4], ["1", "updating", "failed", "2/3"], "{listed:?}");
    assert_eq!(swan(server.address, "rollout list web.shop --json").json()[1]["id"], 1);
    for line in ["rollout show none", "rollout list none", "rollout watch none", "rollout pause none"] {
        assert_eq!(swan(server.address, line).code, 3, "{line}");
    }
    for line in ["rollout", "rollout show", "rollout stop web.shop", "explain", "agent", "brake", "framework"]
    {
        assert_eq!(swan(server.address, line).code, 2, "{line}");
    }
}

/// A manager whose rollout looks as `later` says, one look after another; at a null, the app is gone.
fn watched(later: Vec<Value>) -> Canned {
    Canned::start(move |line, before| match line {
        // A stream that ends makes the program come back, and look again.
        "GET /v1/events?app=web.shop" => Answer::Events(": swan\n\n".to_owned()),
        "GET /v1/apps/web.shop/rollout" => Answer::Json(200, later[0][0].clone()),
        "GET /v1/apps/web.shop/rollouts" => match &later[before.min(later.len() - 1)] {
            Value::Null => refusal(404, "there is no app 'web.shop'"),
            rollouts => Answer::Json(200, rollouts.clone()),
        },
        _ => refusal(404, "there is nothing"),
    })
}

#[test]
fn a_rollout_is_watched_to_its_end() {
    let mut done = rollout(2, "done", false);
    done["ready"] = json!(3);
    let server = watched(vec![json!([rollout(2, "running", false)]), json!([done])]);
    let ended = swan(server.address, "rollout watch web.shop");
    let said = "updating running: 2/3 ready, 1 of 3 failures\nupdating done: 3/3 ready, 1 of 3 failures\n";
    assert_eq!((ended.code, ended.out.as_str()), (0, said), "{ended:?}");

    let failed = json!([rollout(3, "running", true), rollout(2, "failed", false)]);
    let server = watched(vec![json!([rollout(2, "running", false)]), failed]);
    let ended = swan(server.address, "rollout watch web.shop --json");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(ended.err, "swan: web.shop: updating failed: exit status 1; rolling back to version 17\n");
    let states: Vec<Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a document a line")["state"].clone())
        .collect();
    assert_eq!(states, ["running", "failed"]);

    let server = watched(vec![json!([rollout(2, "running", false)]), Value::Null]);
    let ended = swan(server.address, "rollout watch web.shop");
    assert_eq!((ended.code, ended.out.lines().last()), (0, Some("web.shop: deleted")), "{ended:?}");

    let server = watched(vec![json!([rollout(2, "done", false)])]);
    assert_eq!(swan(server.address, "rollout watch web.shop").code, 0, "it has ended already");
}

#[test]
fn failures_explanations_agents_and_the_brake() {
    let failure = |slot: u32| {
        json!({
            "slot": slot, "taskId": "t", "version": "17", "state": "TASK_FAILED", "reason": "R", "message": "exit\u{1b}",
            "exitCode": 3, "counted": true, "agentId": "agent-1", "host": "n1", "sandbox": "x", "started": "then",
            "ended": "now",
        })
    };
    let server = Canned::start(move |line, _| match line {
        "GET /v1/apps/web.shop/failures" => Answer::Json(200, json!([failure(0), failure(2)])),
        "GET /v1/apps/web.shop/failures?slot=2" => Answer::Json(200, json!([failure(2)])),
        "GET /v1/apps/web.shop/explain" => {
            let placed = json!([{"slot": 0, "host": "n1", "why": "fewest tasks"}]);
            Answer::Json(200, json!({"waiting": [], "placed": placed, "givenUp": []}))
        }
        "GET /v1/agents" => Answer::Json(
            200,
            json!([{"id": "agent-1", "host": "n1", "attributes": {"rack": "a"}, "region": "eu", "zone": "", "tasks": 3,
                "offered": {"cpus": 1.5, "mem": 512.0, "disk": 0.0, "gpus": 0, "ports": 1001}, "maintenance": null}]),
        ),
        "POST /v1/brake/override" => Answer::Empty(204),
        _ => refusal(404, "there is nothing"),
    });
    let all = swan(server.address, "task history /shop/web");
    assert_eq!((all.code, all.out.lines().count()), (0, 3), "{all:?}");
    assert!(all.out.contains("exit\u{fffd}"), "{all:?}");
    assert_eq!(
        swan(server.address, "task history web.shop 2 --json").json().as_array().map(Vec::len),
        Some(1)
    );
    let explained = swan(server.address, "explain web.shop");
    assert!(explained.code == 0 && explained.out.contains("fewest tasks"), "{explained:?}");
    assert_eq!(swan(server.address, "explain none").code, 3);
    let agents = swan(server.address, "agent list");
    let row: Vec<&str> = agents.out.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(
        row,
        ["agent-1", "n1", "3", "1.5", "512", "0", "0", "1001", "eu", "rack=a", "-"],
        "{agents:?}"
    );
    let brake = swan(server.address, "brake override");
    assert_eq!((brake.code, brake.out.as_str()), (0, "the brake is overridden\n"), "{brake:?}");
}

#[test]
fn who_swan_is_is_shown_and_decided_and_unknown_tasks_are_ended() {
    let held = json!({"ID": "F1", "connected": false, "cpus": 1.5, "mem": 64.0, "disk": 0.0, "gpus": 0.0});
    let hold = json!({"since": "then", "reason": "the journal is empty\u{1b}", "frameworks": [held]});
    let task = json!({"id": "a/b", "agentId": "S1", "status": "TASK_RUNNING", "firstSeen": "then"});
    let server = Canned::start(move |line, _| match line {
        "GET /v1/framework" => {
            Answer::Json(200, json!({"ID": "", "master": "", "connected": false, "hold": hold}))
        }
        "POST /v1/framework" => Answer::Empty(204),
        "GET /v1/quarantine" => Answer::Json(200, json!([task])),
        "DELETE /v1/quarantine/a%2Fb" => Answer::Empty(204),
        _ => refusal(404, "there is nothing"),
    });
    let shown = swan(server.address, "framework show");
    let last: Vec<&str> = shown.out.lines().last().expect("a row").split_whitespace().collect();
    assert_eq!(last, ["F1", "no", "1.5", "64", "0", "0"], "{shown:?}");
    assert!(shown.out.contains("held since then: the journal is empty\u{fffd}"), "{shown:?}");
    let adopted = swan(server.address, "framework adopt F1");
    assert!(adopted.code == 0 && adopted.out.contains("framework F1 is adopted"), "{adopted:?}");
    assert_eq!(swan(server.address, "framework new --json").json(), json!({"new": true}));
    let said: Vec<String> = server.changes().into_iter().map(|asked| asked.body).collect();
    assert_eq!(said, [r#"{"adopt":"F1"}"#, r#"{"new":true}"#]);
    let listed = swan(server.address, "task quarantined");
    let row: Vec<&str> = listed.out.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row, ["a/b", "TASK_RUNNING", "S1", "then", "no"], "{listed:?}");
    let ended = swan(server.address, "task kill --quarantined a/b");
    assert_eq!((ended.code, ended.out.as_str()), (0, "killing a/b\n"), "{ended:?}");
}

#[test]
fn apps_are_listed_by_label_and_field() {
    let server = host::start(None);
    for (id, tier) in [("/shop/web", "front"), ("/shop/db", "back"), ("/bank/web", "front")] {
        let mut document: Value = serde_json::from_str(WEB).expect("JSON");
        document["id"] = json!(id);
        document["labels"] = json!({"tier": tier});
        let created = with_input(server, "app create - --wait", &document.to_string());
        assert_eq!(created.code, 0, "{created:?}");
    }
    let ids = |line: &str| -> Vec<String> {
        let listed = swan(server, line).json();
        let apps = listed.as_array().expect("a list").iter();
        apps.map(|app| app["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids("app list --json --labels tier=front"), ["web.bank", "web.shop"]);
    assert_eq!(ids("app list --json --labels tier!=front"), ["db.shop"]);
    assert_eq!(ids("app list --json --labels tier=front --fields runAs==shop"), ["web.shop"]);
    assert_eq!(ids("app list --json --fields name=web,runAs!=shop"), ["web.bank"]);
    let bad = swan(server, "app list --labels tier~front,=");
    assert_eq!(bad.code, 1);
    assert!(bad.err.contains("labels: at character 12"), "{bad:?}");

    let updated = with_input(server, "app update - --wait", WEB);
    assert_eq!(
        (updated.code, updated.out.as_str()),
        (0, "web.shop: available, 3 of 3 running\n"),
        "{updated:?}"
    );
    assert_eq!(ids("app list --json --labels tier"), ["db.shop", "web.bank"]);
}
