//! Holds the API of a real manager: what it refuses, what it does once, what it tells of events, and whom it lets in.

use serde_json::json;

use crate::http::exchange;
use crate::program;
use crate::scene::{Stage, web};

#[test]
fn requests_are_refused_for_what_is_wrong_with_them() {
    let stage = Stage::new("refusals");
    let dev = stage.dev("builtin");
    let api = &dev.api;
    api.expect(404, "GET /v1/apps/none", None);
    api.expect(404, "GET /v1/apps/none/tasks", None);
    api.expect(404, "DELETE /v1/apps/none", None);
    api.expect(404, "POST /v1/apps/none/scale", Some(&json!({ "instances": 1 })));
    let invalid = api.expect(400, "POST /v1/apps", Some(&json!({ "id": "/A", "cpus": -1 })));
    assert_eq!(invalid.header("content-type"), "application/problem+json");
    let paths: Vec<String> = invalid.json()["problems"]
        .as_array()
        .map(|problems| problems.iter().map(|problem| problem["path"].to_string()).collect())
        .unwrap_or_default();
    assert!(paths.contains(&"\"id\"".to_owned()) && paths.contains(&"\"cpus\"".to_owned()), "{invalid:?}");

    // Nothing offers so much: its creation stays under way.
    let mut huge = web("/shop/huge", 1);
    huge["cpus"] = json!(1000);
    api.create(&huge);
    api.expect(409, "POST /v1/apps", Some(&huge));
    let locked = api.expect(423, "POST /v1/apps/huge.shop/scale", Some(&json!({ "instances": 2 })));
    assert_eq!(locked.json()["type"], "urn:swan:problem:locked");
    api.expect(423, "PUT /v1/apps/huge.shop", Some(&web("/shop/huge", 1)));
    api.delete("/v1/apps/huge.shop");
    api.gone("huge.shop");

    api.create(&web("/shop/web", 1));
    api.steady("web.shop", 1);
    let seen = api.expect(200, "GET /v1/apps/web.shop", None).header("etag").to_owned();
    let scale = |tag: &str, instances: u32| {
        let body = json!({ "instances": instances });
        api.ask("POST /v1/apps/web.shop/scale", &[("if-match", tag)], Some(&body)).status
    };
    assert_eq!(scale(&seen, 2), 202);
    api.steady("web.shop", 2);
    assert_eq!(scale(&seen, 3), 412, "the app has changed since {seen}");
    assert_eq!(scale("*", 2), 304, "there are two already");
}

#[test]
fn a_key_is_done_once_also_when_the_manager_was_killed_between() {
    let stage = Stage::new("keys");
    let dev = stage.dev("builtin");
    let manager = stage.manager(dev.mesos);
    let key = [("idempotency-key", "deploy-1")];
    let first = manager.api.ask("POST /v1/apps", &key, Some(&web("/shop/web", 1)));
    assert_eq!(first.status, 201, "{first:?}");
    let again = manager.api.ask("POST /v1/apps", &key, Some(&web("/shop/web", 1)));
    assert_eq!((again.status, &again.body), (201, &first.body));
    manager.kill();

    let manager = stage.manager(dev.mesos);
    let again = manager.api.ask("POST /v1/apps", &key, Some(&web("/shop/web", 1)));
    assert_eq!((again.status, &again.body), (201, &first.body));
    let other = manager.api.ask("POST /v1/apps", &key, Some(&web("/shop/other", 1)));
    assert_eq!(other.status, 422, "{other:?}");
    manager.api.steady("web.shop", 1);
    assert_eq!(manager.api.get("/v1/apps").as_array().map(Vec::len), Some(1));
}

#[test]
fn events_come_in_order_and_a_stream_is_taken_up_where_it_was() {
    let stage = Stage::new("events");
    let dev = stage.dev("builtin");
    let manager = stage.manager(dev.mesos);
    let api = &manager.api;
    let stream = api.events(None);
    api.create(&web("/shop/web", 2));
    let mut seen = stream.upto("that ends the creation", |event| event.kind == "rollout_ended");
    // The manager serves before it has subscribed.
    seen.retain(|event| event.kind != "framework_subscribed");
    assert!(seen.windows(2).all(|two| two[0].place() < two[1].place()), "not in order: {seen:#?}");
    assert_eq!(seen[0].kind, "app_created", "{seen:#?}");
    let healthy = seen.iter().filter(|event| event.kind == "task_healthy").count();
    assert_eq!(healthy, 2, "{seen:#?}");
    drop(stream);

    // From the middle: the rest again, then what is new, nothing twice.
    let (middle, rest) = (&seen[seen.len() / 2], &seen[seen.len() / 2 + 1..]);
    let stream = api.events(Some(&middle.id));
    api.steady("web.shop", 2);
    api.scale("web.shop", 3);
    let more = stream.upto("that scales", |event| event.kind == "app_scaled");
    let places =
        |events: &[crate::events::Event]| events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
    assert_eq!(places(&more[..more.len() - 1]), places(rest));
    let last = more[more.len() - 1].id.clone();
    api.steady("web.shop", 3);
    manager.kill();

    // Events are not kept over a restart: that is told, not hidden, and what comes then has a higher epoch.
    let manager = stage.manager(dev.mesos);
    let stream = manager.api.events(Some(&last));
    manager.api.delete("/v1/apps/web.shop");
    let after = stream.upto("that ends the app", |event| event.kind == "app_deleted");
    assert_eq!((after[0].kind.as_str(), &after[0].data["reason"]), ("gap", &json!("unknown")), "{after:#?}");
    let epoch = seen[0].place()[0];
    assert!(after[1..].iter().all(|event| event.place()[0] > epoch), "{after:#?}");
    assert!(after[1..].windows(2).all(|two| two[0].place() < two[1].place()), "{after:#?}");
    assert!(after.iter().any(|event| event.kind == "app_deleting"), "{after:#?}");
}

#[test]
fn beyond_loopback_a_token_is_needed() {
    let stage = Stage::new("tokens");
    let data = stage.path("dev").display().to_string();
    let refused =
        program::run(&["dev", "--listen", "0.0.0.0:0", "--executor", "builtin", "--data-dir", &data]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("--token-file") && said.contains("--insecure"), "{said}");

    let file = stage.file("tokens", "ann:0123456789abcdef\n");
    let dev = stage.dev_with("builtin", &["--token-file", &file]);
    dev.api.expect(401, "GET /v1/apps", None);
    let wrong = dev.api.with_token("fedcba9876543210");
    assert_eq!(wrong.expect(401, "GET /v1/apps", None).header("www-authenticate"), "Bearer");
    assert_eq!(exchange(dev.api.address, "GET /ping", &[], "").expect("it answers").status, 200);
    let ann = dev.api.with_token("0123456789abcdef");
    ann.framework();
    ann.create(&web("/shop/web", 1));
    ann.steady("web.shop", 1);
}
