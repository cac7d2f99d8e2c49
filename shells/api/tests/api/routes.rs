//! Owns the proof that what is served and what is described are the same.

use std::collections::BTreeSet;

use swan_api::{EventFeed, ROUTES, open_api};

use crate::client::{get, json, send};
use crate::fake::Served;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

fn filled(path: &str) -> String {
    path.replace("{app}", "web.shop")
        .replace("{task}", "0.web.shop")
        .replace("{version}", "17")
        .replace("{agent}", "S1")
}

#[tokio::test]
async fn what_is_served_is_what_is_described() {
    let document = serde_json::to_value(open_api()).expect("JSON");
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().expect("an item").keys().map(|method| (path.clone(), method.clone()))
        })
        .collect();
    let table: BTreeSet<_> =
        ROUTES.iter().map(|route| (route.path.to_owned(), route.method.to_owned())).collect();
    assert_eq!(table.len(), ROUTES.len(), "each line once");
    assert_eq!(described, table);

    let served = Served::new().await;
    let paths: BTreeSet<_> = ROUTES.iter().map(|route| route.path).collect();
    for path in paths {
        for method in METHODS {
            let known = table.contains(&(path.to_owned(), method.to_owned()));
            if path == "/v1/events" && method == "get" {
                continue;
            }
            let got = send(served.address, &method.to_uppercase(), &filled(path), &[], "").await;
            assert_eq!(got.status != 405, known, "{method} {path}: {got:?}");
            if !known {
                assert!(got.problem().contains("Allow"));
                assert!(got.header("allow").is_some(), "{got:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_path_without_its_token_is_refused_but_the_open_ones() {
    let served = Served::with(Some("ann:0123456789abcdef"), EventFeed::new()).await;
    for route in ROUTES {
        let got = send(served.address, &route.method.to_uppercase(), &filled(route.path), &[], "").await;
        assert_eq!(got.status == 401, !route.open, "{route:?}: {got:?}");
        if !route.open {
            assert_eq!(got.header("www-authenticate"), Some("Bearer"));
        }
    }
    assert_eq!(get(served.address, "/nowhere").await.status, 401);
    let wrong =
        send(served.address, "GET", "/v1/apps", &["authorization: Bearer 0123456789abcdeg"], "").await;
    assert_eq!(wrong.status, 401);
    let right =
        send(served.address, "GET", "/v1/apps", &["authorization: Bearer 0123456789abcdef"], "").await;
    assert_eq!(right.status, 200);
}

#[tokio::test]
async fn no_change_ignores_a_parameter_that_it_does_not_know() {
    let served = Served::that_may_be_purged().await;
    served.add_app("/shop/web");
    for route in ROUTES.iter().filter(|route| route.method != "get") {
        let path = format!("{}?frobnicate=1", filled(route.path));
        let got = json(served.address, &route.method.to_uppercase(), &path, "{\"instances\":1}").await;
        assert_eq!(got.status, 400, "{route:?}: {got:?}");
        assert!(got.problem().contains("'frobnicate'"), "{route:?}");
    }
    assert!(served.state().asked.is_empty());
}

#[tokio::test]
async fn every_operation_tells_its_parameters() {
    let document = serde_json::to_value(open_api()).expect("JSON");
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method];
        let named: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        let inside: BTreeSet<&str> =
            route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        assert_eq!(named, inside, "{route:?}");
        assert!(operation["operationId"].is_string() && operation["responses"].is_object(), "{route:?}");
    }
}
