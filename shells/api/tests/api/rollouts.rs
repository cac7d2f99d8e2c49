//! Owns the tests of changes that take a condition, are only thought of, or are steered while they go on.

use serde_json::{Value, json};
use swan_core::id::DottedId;
use swan_core::scheduler::api::{ApiCall, AppChange, ErrorKind, Guard, Problem, RolloutVerb};
use swan_core::scheduler::view::{DryRunView, RolloutView};
use swan_core::time::{Millis, Timestamp};

use crate::client::{get, json as send_json, send};
use crate::fake::Served;

fn web() -> DottedId {
    DottedId::from_text("web.shop")
}

fn changes() -> Vec<(&'static str, &'static str, &'static str, AppChange)> {
    let rollback = |version: Option<&str>| AppChange::Rollback { version: version.map(str::to_owned) };
    vec![
        ("PUT", "", "{}", AppChange::Update { document: b"{}".to_vec() }),
        ("POST", "/scale", "{\"instances\":5}", AppChange::Scale { instances: 5, ips: None }),
        ("POST", "/rollback", "", rollback(None)),
        ("POST", "/rollback", "{}", rollback(None)),
        ("POST", "/rollback", "{\"version\":null}", rollback(None)),
        ("POST", "/rollback", "{\"version\":\"17\"}", rollback(Some("17"))),
        ("POST", "/restart", "", AppChange::Restart),
        ("POST", "/stop", "", AppChange::Stop),
        ("POST", "/start", "", AppChange::Start),
        ("DELETE", "", "", AppChange::Delete),
    ]
}

#[tokio::test]
async fn every_change_of_an_app_can_be_forced() {
    let served = Served::new().await;
    for (method, route, body, change) in changes() {
        for (query, force) in [("", false), ("?force=false", false), ("?force=true", true)] {
            let path = format!("/v1/apps/Web.Shop{route}{query}");
            let got = send_json(served.address, method, &path, body).await;
            let answered = if method == "DELETE" { (204, None) } else { (202, Some("\"8\"")) };
            assert_eq!((got.status, got.header("etag")), answered, "{method} {path}");
            let guard = Guard { if_match: None, force };
            let call = ApiCall::ChangeApp { app: web(), change: change.clone(), guard };
            assert_eq!(served.asked().call, call, "{method} {path}");
        }
    }
    served.refuse(ErrorKind::Locked);
    for (method, route, body, _) in changes() {
        let got = send_json(served.address, method, &format!("/v1/apps/web.shop{route}"), body).await;
        assert_eq!((got.status, got.json()["type"].as_str()), (423, Some("urn:swan:problem:locked")));
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_asks_for_nothing() {
    let served = Served::new().await;
    let warning = Problem { path: "cpu".to_owned(), message: "is not known; cpus is".to_owned() };
    served.state().dry_run = DryRunView {
        operation: "updating",
        warnings: vec![warning],
        replaced: 3,
        started: 2,
        ended: 1,
        limits: (4, 7),
        placeable: 1,
        spec: "{\"id\":\"/shop/web\"}".to_owned(),
    };
    let would_be = json!({
        "operation": "updating", "warnings": [{"path": "cpu", "message": "is not known; cpus is"}], "replaced": 3,
        "started": 2, "ended": 1, "minReady": 4, "maxTasks": 7, "placeable": 1, "spec": {"id": "/shop/web"},
    });
    for (method, route, body, change) in changes() {
        let path = format!("/v1/apps/web.shop{route}?dryRun=true&force=true");
        let got = send_json(served.address, method, &path, body).await;
        assert_eq!((got.status, got.json()), (200, would_be.clone()), "{method} {path}");
        let guard = Guard { if_match: None, force: true };
        let asked = std::mem::take(&mut served.state().dry_asked);
        assert_eq!(asked, [ApiCall::ChangeApp { app: web(), change, guard }], "{method} {path}");
    }
    let got = send_json(served.address, "POST", "/v1/apps?dryRun=true", "{\"id\":\"/a\"}").await;
    assert_eq!((got.status, got.json()), (200, would_be));
    let asked = std::mem::take(&mut served.state().dry_asked);
    assert_eq!(asked, [ApiCall::CreateApp { document: b"{\"id\":\"/a\"}".to_vec() }]);

    served.refuse(ErrorKind::Invalid);
    let got = send_json(served.address, "POST", "/v1/apps?dryRun=true", "{\"id\":\"/a\"}").await;
    assert_eq!((got.status, got.problem().as_str()), (400, "refused"));
    assert_eq!(got.json()["problems"], json!([{"path": "cpus", "message": "must be above 0"}]));
    assert!(served.state().asked.is_empty(), "nothing was asked of the machine");
}

#[tokio::test]
async fn a_scale_may_bring_addresses() {
    let served = Served::new().await;
    let ip = || Some(vec!["10.0.0.7".to_owned()]);
    for (body, wanted) in [
        ("{\"instances\":1,\"ips\":[\"10.0.0.7\"]}", ip()),
        ("{\"instances\":1,\"ips\":[]}", None),
        ("{\"instances\":1,\"ips\":null}", None),
    ] {
        assert_eq!(send_json(served.address, "POST", "/v1/apps/web.shop/scale", body).await.status, 202);
        let ApiCall::ChangeApp { change: AppChange::Scale { ips, .. }, .. } = served.asked().call else {
            panic!("no scale")
        };
        assert_eq!(ips, wanted, "{body}");
    }
}

#[tokio::test]
async fn a_rollback_names_its_version_in_one_place_or_the_same_in_both() {
    let served = Served::new().await;
    let ask = async |query: &str, body: &str| {
        send_json(served.address, "POST", &format!("/v1/apps/web.shop/rollback{query}"), body).await
    };
    for (query, body, wanted) in [
        ("?version=17", "", Some("17")),
        ("?version=17", "{\"version\":\"17\"}", Some("17")),
        ("?version=17", "{}", Some("17")),
        ("?version=", "", None),
    ] {
        assert_eq!(ask(query, body).await.status, 202, "{query} {body}");
        let ApiCall::ChangeApp { change: AppChange::Rollback { version }, .. } = served.asked().call else {
            panic!("no rollback")
        };
        assert_eq!(version.as_deref(), wanted, "{query} {body}");
    }
    for (query, body) in [
        ("?version=17", "{\"version\":\"18\"}"),
        ("", "{\"version\":17}"),
        ("", "{\"versions\":\"17\"}"),
        ("", "[]"),
        ("", "17"),
    ] {
        let got = ask(query, body).await;
        assert_eq!(got.status, 400, "{query} {body}");
        assert!(got.problem().contains("version"), "{got:?}");
    }
    assert!(served.state().asked.is_empty());
    let plain = send(served.address, "POST", "/v1/apps/web.shop/rollback", &[], "{\"version\":\"17\"}").await;
    assert_eq!(plain.status, 415, "what is read as JSON must say that it is");
}

#[tokio::test]
async fn a_reset_tells_what_was_under_way() {
    let served = Served::new().await;
    let got = send(served.address, "POST", "/v1/apps/web.shop/reset", &[], "").await;
    assert_eq!(got.status, 404);
    served.add_app("/shop/web");
    let got = send(served.address, "POST", "/v1/apps/web.shop/reset", &[], "").await;
    assert_eq!((got.status, got.json()), (200, json!({"previous": "scaling_up", "current": "noop"})));
    assert_eq!(served.asked().call, ApiCall::ResetApp { app: web() });
}

#[tokio::test]
async fn a_version_is_kept_without_being_rolled_out() {
    let served = Served::new().await;
    let got = send_json(served.address, "POST", "/v1/apps/web.shop/versions", "{\"id\":\"/shop/web\"}").await;
    assert_eq!((got.status, got.json()), (200, json!({"id": "17"})));
    let document = b"{\"id\":\"/shop/web\"}".to_vec();
    assert_eq!(served.asked().call, ApiCall::AddVersion { app: web(), document });
    assert_eq!(send(served.address, "POST", "/v1/apps/web.shop/versions", &[], "{}").await.status, 415);
    served.refuse(ErrorKind::NotFound);
    let got = send_json(served.address, "POST", "/v1/apps/web.shop/versions", "{}").await;
    assert_eq!(got.status, 404);
}

#[tokio::test]
async fn a_compose_name_is_handed_on_inside_the_document() {
    let served = Served::new().await;
    let create = async |compose: &str, body: &str| {
        send_json(served.address, "POST", &format!("/v1/apps?compose={compose}"), body).await
    };
    for (body, document) in [
        ("{\"name\":\"web\"}", "{\"name\":\"web\",\"compose\":\"blog\"}"),
        (" { } \n", " { \"compose\":\"blog\"}"),
        ("{\"compose\":\"x\"}", "{\"compose\":\"x\",\"compose\":\"blog\"}"),
        // What is no object is refused by who reads it.
        ("[1]", "[1]"),
        ("{\"name\":", "{\"name\":"),
    ] {
        assert_eq!(create("blog", body).await.status, 201, "{body}");
        let ApiCall::CreateApp { document: asked } = served.asked().call else { panic!("no create") };
        assert_eq!(String::from_utf8(asked).expect("UTF-8"), document);
    }
    assert_eq!(create("Blog", "{}").await.status, 201);
    let ApiCall::CreateApp { document } = served.asked().call else { panic!("no create") };
    assert_eq!(document, b"{\"compose\":\"Blog\"}");
    for bad in ["", ".", "..", "a%2Fb", "a_b", "-a", "a%22%2C%22b", "%00", "%C3%A9"] {
        let got = create(bad, "{}").await;
        assert_eq!(got.status, 400, "{bad}");
        assert!(got.problem().starts_with("compose: "), "{got:?}");
    }
    assert!(served.state().asked.is_empty());
}

fn rollout(id: u64, state: &'static str) -> RolloutView {
    let under_way = state == "running";
    RolloutView {
        id,
        operation: "updating",
        state,
        error: if state == "failed" { "no progress".to_owned() } else { String::new() },
        from_version: under_way.then(|| "17".to_owned()),
        to_version: "18".to_owned(),
        instances: (3, 5),
        ready: 2,
        limits: (3, 6),
        failures: (1, 3),
        deadline_in: under_way.then_some(Millis(61_500)),
        automatic: false,
        started: Timestamp(0),
        ended: (!under_way).then_some(Timestamp(1000)),
    }
}

#[tokio::test]
async fn rollouts_are_listed_and_the_newest_is_shown() {
    let served = Served::new().await;
    assert_eq!(get(served.address, "/v1/apps/web.shop/rollouts").await.status, 404);
    served.add_app("/shop/web");
    assert_eq!(get(served.address, "/v1/apps/web.shop/rollouts").await.json(), json!([]));
    let none = get(served.address, "/v1/apps/web.shop/rollout").await;
    assert_eq!((none.status, none.problem().as_str()), (404, "app 'web.shop' has no rollout"));

    served.state().rollouts = vec![rollout(2, "running"), rollout(1, "failed")];
    let running = json!({
        "id": 2, "operation": "updating", "state": "running", "error": "", "fromVersion": "17", "toVersion": "18",
        "fromInstances": 3, "toInstances": 5, "ready": 2, "minReady": 3, "maxTasks": 6, "failures": 1,
        "maxFailures": 3, "deadlineInSeconds": 61, "automatic": false, "started": "1970-01-01T00:00:00.000Z",
        "ended": null,
    });
    assert_eq!(get(served.address, "/v1/apps/Web.shop/rollout").await.json(), running);
    let all = get(served.address, "/v1/apps/web.shop/rollouts").await.json();
    assert_eq!((&all[0], all.as_array().map(Vec::len)), (&running, Some(2)));
    let second = &all[1];
    assert_eq!((&second["error"], &second["fromVersion"]), (&json!("no progress"), &Value::Null));
    assert_eq!(second["ended"], "1970-01-01T00:00:01.000Z");
}

#[tokio::test]
async fn a_rollout_is_steered() {
    let served = Served::new().await;
    for (word, verb) in
        [("pause", RolloutVerb::Pause), ("resume", RolloutVerb::Resume), ("cancel", RolloutVerb::Cancel)]
    {
        let path = format!("/v1/apps/web.shop/rollout/{word}");
        let got = send(served.address, "POST", &path, &[], "").await;
        assert_eq!((got.status, got.json()), (202, json!("accepted")), "{word}");
        assert_eq!(served.asked().call, ApiCall::SteerRollout { app: web(), verb });
    }
    served.refuse(ErrorKind::Conflict);
    assert_eq!(send(served.address, "POST", "/v1/apps/web.shop/rollout/pause", &[], "").await.status, 409);
}

#[tokio::test]
async fn everything_is_deleted_only_where_that_is_allowed() {
    let served = Served::new().await;
    let got = send(served.address, "POST", "/v1/purge", &[], "").await;
    assert_eq!(got.status, 403);
    assert!(got.problem().contains("--allow-purge"), "{got:?}");
    assert!(served.state().asked.is_empty());

    let served = Served::that_may_be_purged().await;
    let got = send(served.address, "POST", "/v1/purge", &[], "").await;
    assert_eq!((got.status, got.body.len(), got.header("etag")), (204, 0, None));
    assert_eq!(served.asked().call, ApiCall::Purge);
    let got = send(served.address, "POST", "/v1/brake/override", &[], "").await;
    assert_eq!(got.status, 204);
    assert_eq!(served.asked().call, ApiCall::OverrideBrake);
}
