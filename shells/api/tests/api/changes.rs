//! Owns the tests of what is changed: answers, preconditions, callers, keys.

use serde_json::json;
use swan_api::EventFeed;
use swan_core::id::{DottedId, TaskId};
use swan_core::scheduler::api::{ApiCall, AppChange, Caller, ErrorKind, Guard};

use crate::client::{json as send_json, send};
use crate::fake::{Served, task};

fn web() -> DottedId {
    DottedId::from_text("web.shop")
}

#[tokio::test]
async fn each_change_is_asked_and_answered_as_original_swan_did() {
    let served = Served::new().await;
    let at = served.address;

    let got = send_json(at, "POST", "/v1/apps", "{\"id\":\"/shop/web\"}").await;
    assert_eq!((got.status, got.json()), (201, json!({"id": "web.shop", "version": "17"})));
    assert_eq!((got.header("location"), got.header("etag")), (Some("/v1/apps/web.shop"), Some("\"1\"")));
    let asked = served.asked();
    assert_eq!(asked.call, ApiCall::CreateApp { document: b"{\"id\":\"/shop/web\"}".to_vec() });
    assert_eq!(asked.who, Caller { name: "anonymous".to_owned(), address: "127.0.0.1".to_owned() });

    let got = send_json(at, "PUT", "/v1/apps/Web.Shop", "{}").await;
    assert_eq!((got.status, got.json(), got.header("etag")), (202, json!("accepted"), Some("\"8\"")));
    assert_eq!(
        served.asked().call,
        ApiCall::of_app(web(), AppChange::Update { document: b"{}".to_vec() }, None)
    );

    let got = send_json(at, "POST", "/v1/apps/web.shop/scale/", "{\"instances\":5}").await;
    assert_eq!((got.status, got.json()), (202, json!("accepted")));
    assert_eq!(
        served.asked().call,
        ApiCall::of_app(web(), AppChange::Scale { instances: 5, ips: None }, None)
    );

    let got = send(at, "POST", "/v1/apps/web.shop/release", &[], "").await;
    assert_eq!(got.status, 202);
    assert_eq!(served.asked().call, ApiCall::ReleaseApp { app: web() });

    for (path, call) in [
        ("/v1/apps/web.shop", ApiCall::of_app(web(), AppChange::Delete, None)),
        ("/v1/apps/web.shop/tasks", ApiCall::KillTasks { app: web() }),
        (
            "/v1/apps/web.shop/tasks/0a1b2c3d4e5f.0.web.shop",
            ApiCall::KillTask { app: web(), task: TaskId::from("0a1b2c3d4e5f.0.web.shop") },
        ),
    ] {
        let got = send(at, "DELETE", path, &[], "").await;
        assert_eq!((got.status, got.body.len()), (204, 0), "{path}");
        assert_eq!(served.asked().call, call);
    }

    served.state().unchanged = true;
    let got = send_json(at, "POST", "/v1/apps/web.shop/scale", "{\"instances\":5}").await;
    assert_eq!((got.status, got.body.len()), (304, 0));
}

#[tokio::test]
async fn a_definition_that_is_taken_is_answered_with_what_is_odd_in_it() {
    let served = Served::new().await;
    let definition =
        |more: &str| format!(r#"{{"id":"/shop/web",{more}"container":{{"docker":{{"image":"web:1"}}}}}}"#);
    let odd = json!([{"path": "cpu", "message": "is unknown and ignored; is cpus meant?"}]);
    let created = json!({"id": "web.shop", "version": "17"});
    for (method, path, good, warned) in [
        ("POST", "/v1/apps", created.clone(), created),
        ("PUT", "/v1/apps/web.shop", json!("accepted"), json!({"status": "accepted"})),
        ("POST", "/v1/apps/web.shop/versions", json!({"id": "17"}), json!({"id": "17"})),
    ] {
        let got = send_json(served.address, method, path, &definition("")).await;
        assert_eq!(got.json(), good, "{method} {path}");
        let got = send_json(served.address, method, path, &definition(r#""cpu":1,"#)).await;
        let mut warned = warned;
        warned["warnings"] = odd.clone();
        assert_eq!(got.json(), warned, "{method} {path}");
    }
}

#[tokio::test]
async fn a_slots_name_stands_for_its_task() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    served.state().tasks = vec![task(0, false), task(1, true)];
    assert_eq!(
        send(served.address, "DELETE", "/v1/apps/web.shop/tasks/0.web.shop", &[], "").await.status,
        204
    );
    let task = TaskId::from("0a1b2c3d4e5f.0.web.shop");
    assert_eq!(served.asked().call, ApiCall::KillTask { app: web(), task });
    let waiting = send(served.address, "DELETE", "/v1/apps/web.shop/tasks/1.web.shop", &[], "").await;
    assert_eq!(waiting.status, 404);
}

#[tokio::test]
async fn each_kind_of_refusal_has_its_status() {
    let served = Served::new().await;
    for (kind, status) in [
        (ErrorKind::Invalid, 400),
        (ErrorKind::NotFound, 404),
        (ErrorKind::Conflict, 409),
        (ErrorKind::PreconditionFailed, 412),
        (ErrorKind::KeyReused, 422),
        (ErrorKind::Locked, 423),
        (ErrorKind::TooMany, 429),
        (ErrorKind::Unavailable, 503),
    ] {
        served.refuse(kind);
        let got = send_json(served.address, "PUT", "/v1/apps/web.shop", "{}").await;
        assert_eq!(got.status, status, "{kind:?}");
        assert_eq!(got.problem(), "refused");
        assert_eq!(got.json()["problems"], json!([{"path": "cpus", "message": "must be above 0"}]));
        assert_eq!(got.header("retry-after").is_some(), [429, 503].contains(&status));
    }
}

#[tokio::test]
async fn preconditions_are_passed_on_as_revisions() {
    let served = Served::new().await;
    let scale = async |tag: &str| {
        let headers = ["content-type: application/json", &format!("if-match: {tag}")];
        send(served.address, "POST", "/v1/apps/web.shop/scale", &headers, "{\"instances\":5}").await
    };
    for (tag, revision) in [("\"7\"", Some(7)), ("\"7-00ff00ff00ff00ff\"", Some(7)), ("*", None)] {
        assert_eq!(scale(tag).await.status, 202, "{tag}");
        let ApiCall::ChangeApp { guard: Guard { if_match, .. }, .. } = served.asked().call else {
            panic!("not a change")
        };
        assert_eq!(if_match, revision);
    }
    assert_eq!(scale("W/\"7\"").await.status, 412);
    for bad in
        ["7", "\"\"", "\"-7\"", "\"+7\"", "\"7\", \"8\"", "\"99999999999999999999999\"", "\"x\"", "\"7"]
    {
        assert_eq!(scale(bad).await.status, 400, "{bad}");
    }
    assert!(served.state().asked.is_empty());
}

#[tokio::test]
async fn a_key_comes_with_a_fingerprint_of_the_whole_request() {
    let served = Served::new().await;
    let ask = async |method: &str, path: &str, body: &str| {
        let headers = ["content-type: application/json", "idempotency-key: k-1"];
        send(served.address, method, path, &headers, body).await;
        let key = served.asked().idempotency.expect("a key");
        assert_eq!(key.key, "k-1");
        key.fingerprint
    };
    let first = ask("PUT", "/v1/apps/a", "{}").await;
    assert_eq!(ask("PUT", "/v1/apps/a/", "{}").await, first);
    for (method, path, body) in [
        ("DELETE", "/v1/apps/a", ""),
        ("PUT", "/v1/apps/b", "{}"),
        ("PUT", "/v1/apps/a", "{ }"),
        ("PUT", "/v1/apps/a?force=true", "{}"),
    ] {
        assert_ne!(ask(method, path, body).await, first, "{method} {path} {body}");
    }
    for bad in ["idempotency-key:", "idempotency-key: a b", "idempotency-key: k\r\nidempotency-key: k"] {
        assert_eq!(send(served.address, "DELETE", "/v1/apps/a", &[bad], "").await.status, 400, "{bad:?}");
    }
    let long = format!("idempotency-key: {}", "k".repeat(129));
    assert_eq!(send(served.address, "DELETE", "/v1/apps/a", &[&long], "").await.status, 400);
}

#[tokio::test]
async fn a_caller_with_a_token_is_known_by_name() {
    let served = Served::with(Some("ann:0123456789abcdef\nbob:fedcba9876543210"), EventFeed::new()).await;
    send(served.address, "DELETE", "/v1/apps/a", &["authorization: Bearer fedcba9876543210"], "").await;
    assert_eq!(served.asked().who.name, "bob");
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let served = Served::new().await;
    for (origin, status) in [("http://swan", 204), ("http://evil", 403), ("null", 403)] {
        let got = send(served.address, "DELETE", "/v1/apps/a", &[&format!("origin: {origin}")], "").await;
        assert_eq!(got.status, status, "{origin}");
    }
    assert_eq!(send(served.address, "GET", "/v1/apps", &["origin: http://evil"], "").await.status, 200);
}
