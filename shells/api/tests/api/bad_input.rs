//! Owns the lists of bad input: each gets a clean refusal, and the server lives on.

use crate::client::{get, json, raw, send};
use crate::fake::Served;

#[tokio::test]
async fn bodies_that_are_no_scale_are_refused() {
    let served = Served::new().await;
    let deep = "[".repeat(100_000);
    for bad in [
        "",
        " ",
        "null",
        "[]",
        "5",
        "\"5\"",
        "{}",
        "{\"instances\":-1}",
        "{\"instances\":-0.0}",
        "{\"instances\":1.5}",
        "{\"instances\":1e9}",
        "{\"instances\":4294967296}",
        "{\"instances\":18446744073709551616}",
        "{\"instances\":1e999}",
        "{\"instances\":NaN}",
        "{\"instances\":\"5\"}",
        "{\"instances\":null}",
        "{\"instances\":true}",
        "{\"instances\":5,}",
        "{\"instances\":5}}",
        "{\"instances\":5,\"instances\":6}",
        "{\"instances\":5,\"ips\":\"10.0.0.1\"}",
        "{\"instances\":5,\"ips\":[1]}",
        "{\"instances\":5,\"ip\":[]}",
        "{instances:5}",
        "{'instances':5}",
        "\u{feff}{\"instances\":5}",
        "{\"instances\":5}\0",
        "{\"\\ud800\":5}",
        &deep,
    ] {
        let got = json(served.address, "POST", "/v1/apps/web.shop/scale", bad).await;
        let shown: String = bad.chars().take(40).collect();
        assert_eq!(got.status, 400, "{shown}");
        assert!(!got.problem().is_empty());
    }
    assert!(served.state().asked.is_empty());
}

#[tokio::test]
async fn only_json_is_taken_where_json_is_wanted() {
    let served = Served::new().await;
    for bad in [
        "text/plain",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "",
        ";",
        "application/json-seq",
    ] {
        let header = format!("content-type: {bad}");
        for (method, path) in [("POST", "/v1/apps"), ("PUT", "/v1/apps/a"), ("POST", "/v1/apps/a/scale")] {
            let got = send(served.address, method, path, &[&header], "{\"instances\":1}").await;
            assert_eq!(got.status, 415, "{bad}");
            assert!(got.problem().contains("application/json"));
        }
    }
    assert_eq!(send(served.address, "POST", "/v1/apps", &[], "{}").await.status, 415);
    let header = "content-type: Application/JSON;charset=\"utf-8\"";
    assert_eq!(send(served.address, "POST", "/v1/apps", &[header], "{}").await.status, 201);
}

#[tokio::test]
async fn odd_names_are_names_of_nothing() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    for name in [
        "..",
        ".",
        "%2e%2e%2f",
        "%00",
        "%0d%0aset-cookie:x",
        "a%2Fb",
        "%F0%9F%92%A9",
        "-",
        "web.shop%00",
        "web..shop",
        "%E2%80%AE",
        "con",
        "%3Cscript%3E",
        "'%20or%201=1",
        "web.shop%20",
        "%5C..%5C",
    ] {
        for path in [format!("/v1/apps/{name}"), format!("/v1/apps/web.shop/tasks/{name}")] {
            let got = get(served.address, &path).await;
            assert_eq!(got.status, 404, "{path}: {got:?}");
            got.problem();
        }
    }
    for name in ["%FF", "%C0%AF"] {
        let got = get(served.address, &format!("/v1/apps/{name}")).await;
        assert_eq!(got.status, 400, "{name}");
        got.problem();
    }
    for path in ["//v1/apps", "/v1//apps", "/v1/apps/web.shop/../x", "/v1/apps/%"] {
        assert!([400, 404].contains(&get(served.address, path).await.status), "{path}");
    }
}

#[tokio::test]
async fn odd_queries_are_refused_rather_than_ignored() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    for query in [
        "limit=0",
        "limit=-1",
        "limit=1e9",
        "limit=1001",
        "limit=",
        "limit=18446744073709551616",
        "limit=+x",
        "labels=a%20b",
        "labels=%2C",
        "labels=a%3Db%00c%20d",
        "labels=a&labels=%21",
        "fields=runAs",
        "fields=user%3D%3Dshop",
        "compose=x",
        "x",
    ] {
        let got = get(served.address, &format!("/v1/apps?{query}")).await;
        assert_eq!(got.status, 400, "{query}");
        got.problem();
    }
    for after in ["x", "-1", "4294967296", "%00"] {
        assert_eq!(
            get(served.address, &format!("/v1/apps/web.shop/tasks?after={after}")).await.status,
            400,
            "{after}"
        );
    }
    // A cursor is a name like any other; a foreign one leads to wherever it sorts.
    for after in ["", "%FF", "zzz", "web.shop", "%00", "%0d%0a"] {
        assert_eq!(get(served.address, &format!("/v1/apps?after={after}")).await.status, 200, "{after}");
    }
    for query in ["force=1", "force", "force=True", "dryRun=yes", "dryRun=", "dryrun=true", "version=1"] {
        let got = send(served.address, "DELETE", &format!("/v1/apps/web.shop?{query}"), &[], "").await;
        assert_eq!(got.status, 400, "{query}");
        got.problem();
    }
    for query in ["slot=x", "slot=-1", "slot=", "after=x", "slot=1.5", "app=web"] {
        let got = get(served.address, &format!("/v1/apps/web.shop/failures?{query}")).await;
        assert_eq!(got.status, 400, "{query}");
    }
    assert!(served.state().asked.is_empty());
}

#[tokio::test]
async fn what_is_hardly_http_does_no_harm() {
    let served = Served::new().await;
    let at = served.address;
    for method in ["TRACE", "OPTIONS", "PATCH", "CONNECT", "FOO"] {
        let got = send(at, method, "/v1/apps", &[], "").await;
        assert!([400, 404, 405].contains(&got.status), "{method}: {got:?}");
    }
    for request in [
        "GET /ping HTTP/1.1\r\nhost : swan\r\n\r\n",
        "GET  /ping HTTP/1.1\r\n\r\n",
        "GET /ping HTTP/9.9\r\n\r\n",
        "\u{1}\u{2}\u{3}\r\n\r\n",
        "POST /v1/apps HTTP/1.1\r\ncontent-length: +3\r\n\r\nabc",
        "POST /v1/apps HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "POST /v1/apps HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    ] {
        let got = raw(at, format!("{request}GET / HTTP/1.0\r\n\r\n").as_bytes()).await;
        assert!((400..500).contains(&got.status), "{request:?}: {got:?}");
    }
    let broken = "POST /v1/apps HTTP/1.1\r\nhost: swan\r\ncontent-type: application/json\r\n\
                  connection: close\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    assert_eq!(raw(at, broken.as_bytes()).await.status, 400);
    let got = send(
        at,
        "GET",
        "/ping",
        &["range: bytes=0-0,0-1", "accept: nonsense;;", "x-http-method-override: DELETE"],
        "",
    );
    assert_eq!(got.await.status, 200);
    assert!(served.state().asked.is_empty());
}
