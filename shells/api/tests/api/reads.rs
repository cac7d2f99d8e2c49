//! Owns the tests of what is read: original Swan's names, pages, tags, marks.

use serde_json::json;
use swan_core::predecessor::Predecessor;
use swan_core::scheduler::Hold;
use swan_core::scheduler::api::{ApiCall, FrameworkWord};
use swan_core::time::Timestamp;

use crate::client::{get, json as json_to, send};
use crate::fake::{Served, task};

#[tokio::test]
async fn an_app_has_original_swans_names_and_the_new_ones_beside() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    let got = get(served.address, "/v1/apps/WEB.Shop/").await;
    assert_eq!(got.status, 200);
    assert_eq!(
        got.json(),
        json!({
            "id": "web.shop", "path": "/shop/web", "name": "web", "runAs": "shop", "cluster": "",
            "operationStatus": "scaling_up", "progress": 1, "progressGoal": 3, "instances": 3, "task_count": 3,
            "tasks_status": {"TASK_PENDING": 2, "TASK_RUNNING": 1},
            "health": {"total": 1, "healthy": 1, "unhealthy": 0, "unset": 0},
            "currentVersion": ["17"], "version_count": 1, "status": "available", "errmsg": "",
            "quarantined": false, "revision": 7, "labels": {"tier": "front"}, "spec": {"id": "/shop/web"},
            "created": "1970-01-01T00:00:00.000Z", "updated": "1970-01-01T00:00:01.000Z",
        })
    );
    served.state().apps.get_mut("web.shop").expect("added").progress = None;
    assert_eq!(get(served.address, "/v1/apps/web.shop").await.json()["progress"], -1);
}

#[tokio::test]
async fn a_task_has_original_swans_names() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    served.state().tasks = vec![task(0, false), task(1, true)];
    let got = get(served.address, "/v1/apps/web.shop/tasks").await.json();
    assert_eq!(
        got[0],
        json!({
            "id": "0a1b2c3d4e5f.0.web.shop", "name": "0.web.shop", "slot": 0, "ip": "10.0.0.2", "host": "node2",
            "ports": [31000], "healthy": "healthy", "weight": 100, "agentId": "a2", "version": "17",
            "status": "TASK_RUNNING", "errmsg": "", "container_name": "mesos-1", "retries": 0,
            "created": "1970-01-01T00:00:00.000Z", "updated": "1970-01-01T00:00:00.000Z",
        })
    );
    assert_eq!((&got[1]["id"], &got[1]["healthy"]), (&json!(""), &json!("unset")));
    for name in ["0.web.shop", "0a1b2c3d4e5f.0.web.shop"] {
        assert_eq!(get(served.address, &format!("/v1/apps/web.shop/tasks/{name}")).await.json(), got[0]);
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_404_that_names_it() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    for (path, part) in [
        ("/v1/apps/none", "'none'"),
        ("/v1/apps/none/tasks", "'none'"),
        ("/v1/apps/none/versions", "'none'"),
        ("/v1/apps/web.shop/tasks/9.web.shop", "'9.web.shop'"),
        ("/v1/apps/web.shop/versions/18", "'18'"),
        ("/v1/apps/web.shop/nothing", "/openapi.json"),
        ("/", "/openapi.json"),
        ("/v2/apps", "/openapi.json"),
    ] {
        let got = get(served.address, path).await;
        assert_eq!(got.status, 404, "{path}");
        assert!(got.problem().contains(part), "{got:?}");
    }
}

#[tokio::test]
async fn pages_are_followed_by_their_links_and_copied_in_small_pieces() {
    let served = Served::new().await;
    for n in 0..730 {
        served.add_app(&format!("/a{n:03}"));
    }
    let mut path = Some("/v1/apps?limit=300".to_owned());
    let mut seen = Vec::new();
    while let Some(at) = path {
        let got = get(served.address, &at).await;
        let page = got.json();
        let ids = page
            .as_array()
            .expect("an array")
            .iter()
            .map(|app| app["id"].as_str().expect("an id").to_owned());
        seen.extend(ids);
        let link =
            got.header("link").map(|link| link.trim_start_matches('<').split('>').next().map(str::to_owned));
        path = link.flatten();
    }
    assert_eq!(seen, (0..730).map(|n| format!("a{n:03}")).collect::<Vec<_>>());
    assert!(served.state().copied_max <= 100);
    let all = get(served.address, "/v1/apps").await;
    assert_eq!(all.json().as_array().expect("an array").len(), 500);
}

#[tokio::test]
async fn a_tag_that_still_fits_saves_the_document() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    let first = get(served.address, "/v1/apps/web.shop").await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with("\"7-"), "{tag}");
    for value in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let again =
            send(served.address, "GET", "/v1/apps/web.shop", &[&format!("if-none-match: {value}")], "").await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{value}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    // Health changes without a new revision: the tag must tell.
    served.state().apps.get_mut("web.shop").expect("added").health = (0, 1, 0);
    let changed =
        send(served.address, "GET", "/v1/apps/web.shop", &[&format!("if-none-match: {tag}")], "").await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn what_may_not_be_durable_is_marked() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    assert_eq!(get(served.address, "/v1/apps").await.header("swan-store"), None);
    served.state().standing.stalled = true;
    for path in ["/v1/apps", "/v1/apps/web.shop"] {
        assert_eq!(get(served.address, path).await.header("swan-store"), Some("stalled"));
    }
}

#[tokio::test]
async fn the_manager_tells_of_itself() {
    let served = Served::new().await;
    let at = served.address;
    assert_eq!(get(at, "/ping").await.json(), "pong");
    assert_eq!(get(at, "/v1/ping/").await.json(), "pong");
    let leader = get(at, "/v1/leader").await.json();
    assert_eq!(leader["leader"], "swan.example:9999");
    let manager =
        json!({"address": "swan.example:9999", "role": "leader", "version": "9.9.9", "format": 1, "lag": 0});
    assert_eq!((&leader["managers"], &leader["formatInForce"]), (&json!([manager]), &json!(1)));
    let framework = json!({"ID": "f-1", "master": "10.0.0.1:5050", "connected": true});
    assert_eq!(get(at, "/v1/framework").await.json(), framework);
    let version = get(at, "/version").await.json();
    assert_eq!((&version["version"], &version["commit"]), (&json!("9.9.9"), &json!("abc")));
    assert_eq!(get(at, "/v1/quarantine").await.json()[0]["id"], "stray");
    let metrics = String::from_utf8(get(at, "/metrics").await.body).expect("text");
    assert!(metrics.contains("# TYPE swan_steps_total counter\nswan_steps_total 3\n"), "{metrics}");
    assert!(metrics.contains("swan_api_responses_total{class=\"2xx\"} 6\n"), "{metrics}");
}

#[tokio::test]
async fn what_is_held_is_shown_and_decided() {
    let served = Served::new().await;
    let at = served.address;
    served.fake.state().standing.hold = Some(Hold {
        since: Timestamp(0),
        predecessors: vec![Predecessor {
            id: "F1".into(),
            connected: true,
            cpus: 1_500,
            mem: 64_000,
            disk: 0,
            gpus: 0,
        }],
        word: Some(FrameworkWord::New),
        trouble: String::new(),
    });
    let mut hold = get(at, "/v1/framework").await.json()["hold"].take();
    assert!(hold["reason"].take().as_str().is_some_and(|reason| reason.contains("F1 (1.500 cpus, 64 MiB)")));
    let held = json!({"ID": "F1", "connected": true, "cpus": 1.5, "mem": 64.0, "disk": 0.0, "gpus": 0.0});
    let wanted = json!({"since": "1970-01-01T00:00:00.000Z", "reason": null, "decision": {"new": true}, "frameworks": [held]});
    assert_eq!(hold, wanted);
    assert_eq!(json_to(at, "POST", "/v1/framework", r#"{"adopt":"F1"}"#).await.status, 204);
    assert_eq!(json_to(at, "POST", "/v1/framework", r#"{"new":true}"#).await.status, 204);
    assert_eq!(send(at, "DELETE", "/v1/quarantine/stray%2F1", &[], "").await.status, 204);
    let asked: Vec<ApiCall> = served.fake.state().asked.iter().map(|request| request.call.clone()).collect();
    let word = |word| ApiCall::ChooseFramework { word };
    let end = ApiCall::KillQuarantined { task: "stray/1".into() };
    assert_eq!(asked, [word(FrameworkWord::Adopt("F1".into())), word(FrameworkWord::New), end]);
    for bad in ["{}", r#"{"adopt":"F1","new":true}"#, r#"{"new":false}"#, r#"{"kill":"F1"}"#, "[]"] {
        let got = json_to(at, "POST", "/v1/framework", bad).await;
        assert_eq!(got.status, 400, "{bad}");
        assert!(got.problem().contains("or {\"new\": true}"), "{got:?}");
    }
}

#[tokio::test]
async fn a_manager_that_does_not_lead_tells_of_itself_but_not_of_apps_it_may_not_know() {
    let served = Served::new().await;
    served.state().standing.leading = false;
    for path in [
        "/v1/leader",
        "/v1/quarantine",
        "/v1/apps",
        "/v1/apps/none",
        "/v1/apps/none/tasks",
        "/v1/apps/none/tasks/0.none",
        "/v1/apps/none/versions",
    ] {
        let got = get(served.address, path).await;
        assert_eq!((got.status, got.header("retry-after")), (503, Some("1")), "{path}");
    }
    for path in ["/v1/framework", "/metrics", "/ping", "/version"] {
        assert_eq!(get(served.address, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_manager_that_is_gone_is_a_503_but_still_answers_ping() {
    let served = Served::new().await;
    served.state().gone = true;
    let got = get(served.address, "/v1/apps").await;
    assert_eq!((got.status, got.header("retry-after")), (503, Some("1")));
    assert!(!got.problem().is_empty());
    assert_eq!(get(served.address, "/ping").await.status, 200);
}
