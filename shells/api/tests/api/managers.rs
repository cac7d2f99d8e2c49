//! Holds several managers behind one API: whichever is asked, the leader's answer comes, and reads say how old they are.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use serde_json::json;
use swan_api::{Config, EventFeed, Member, Peers, SendError};
use swan_core::record::Seq;
use swan_core::scheduler::api::ErrorKind;
use swan_core::scheduler::event::EventKind;
use swan_core::time::Millis;
use tokio::net::TcpStream;

use crate::client::{get, json as send_json, send};
use crate::fake::{Fake, Served};

/// What managers know of each other in these tests.
#[derive(Debug, Default)]
struct Known {
    leader: Mutex<Option<String>>,
}

impl Known {
    fn lead(&self, address: SocketAddr) {
        *self.leader.lock().expect("no panic in here") = Some(address.to_string());
    }
}

impl Peers for Known {
    fn leader(&self) -> BoxFuture<'_, Option<String>> {
        let leader = self.leader.lock().expect("no panic in here").clone();
        async move { leader }.boxed()
    }

    fn members(&self) -> BoxFuture<'_, Result<Vec<Member>, String>> {
        let member = |address: String, followed| Member {
            address,
            version: "1.2.3".to_owned(),
            format: 1,
            followed: Seq(followed),
            in_force: 1,
        };
        let leader = self.leader.lock().expect("no panic in here").clone().unwrap_or_default();
        async move { Ok(vec![member(leader, 7), member("standby:1".to_owned(), 5)]) }.boxed()
    }

    fn send(
        &self,
        address: &str,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Body>, SendError>> {
        hand_on(address.to_owned(), request).boxed()
    }
}

async fn hand_on(address: String, mut request: Request<Bytes>) -> Result<Response<Body>, SendError> {
    let stream = TcpStream::connect(&address).await.map_err(|error| SendError::NotSent(error.to_string()))?;
    let unknown = |error: hyper::Error| SendError::Unknown(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unknown)?;
    tokio::spawn(connection);
    request.headers_mut().insert("host", "swan".parse().expect("a header"));
    let response = sender.send_request(request.map(Full::new)).await.map_err(unknown)?;
    Ok(response.map(Body::new))
}

/// A leader, and one that follows it.
async fn two() -> (Served, Served) {
    let known = Arc::new(Known::default());
    let manager = async |leads: bool| {
        let (fake, config) = Fake::new(None, EventFeed::new());
        let served = Served::of((fake, Config { peers: Some(known.clone()), ..config })).await;
        served.state().standing.leading = leads;
        served
    };
    let (leader, standby) = (manager(true).await, manager(false).await);
    known.lead(leader.address);
    standby.state().lag = Some(Millis(250));
    (leader, standby)
}

#[tokio::test]
async fn a_change_is_made_by_the_leader_and_its_answer_comes_back_as_it_is() {
    let (leader, standby) = two().await;
    let app = r#"{"id": "/shop/web", "container": {"docker": {"image": "nginx"}}}"#;
    let headers = ["content-type: application/json", "idempotency-key: k-1"];
    let direct = send(leader.address, "POST", "/v1/apps?dryRun=false", &headers, app).await;
    let first = leader.asked();
    let handed_on = send(standby.address, "POST", "/v1/apps?dryRun=false", &headers, app).await;
    let second = leader.asked();
    assert_eq!(format!("{:?}", first.call), format!("{:?}", second.call));
    assert_eq!(first.idempotency.map(|key| key.key), second.idempotency.map(|key| key.key));
    assert_eq!((handed_on.status, &handed_on.body), (direct.status, &direct.body));
    for name in ["location", "content-type", "etag"] {
        assert_eq!(handed_on.header(name), direct.header(name), "{name}");
    }
    assert!(handed_on.headers.iter().all(|(name, _)| !name.starts_with("swan-")), "{handed_on:?}");
    assert!(standby.state().asked.is_empty());

    leader.refuse(ErrorKind::Conflict);
    let refused = send_json(standby.address, "POST", "/v1/apps/web.shop/scale", r#"{"instances": 3}"#).await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "refused"));
}

#[tokio::test]
async fn what_only_the_leader_knows_is_asked_of_it() {
    let (leader, standby) = two().await;
    leader.state().standing.framework_id = "of-the-leader".to_owned();
    assert_eq!(get(standby.address, "/v1/framework").await.json()["ID"], "of-the-leader");
    let streams = tokio::spawn(get(standby.address, "/v1/events?lastEventId=9-9-9"));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    leader.fake.publish(1, "web.shop", EventKind::AppDeleted);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    drop(leader);
    let text = String::from_utf8(streams.await.expect("no panic").body).expect("text");
    assert!(text.contains("event: gap") && text.contains("event: app_deleted"), "{text}");
}

#[tokio::test]
async fn reads_say_how_old_they_may_be() {
    let (leader, standby) = two().await;
    standby.add_app("/shop/web");
    let read = get(standby.address, "/v1/apps/web.shop").await;
    assert_eq!((read.status, read.header("swan-lag-ms")), (200, Some("250")));
    assert_eq!(get(leader.address, "/v1/apps").await.header("swan-lag-ms"), None);
    standby.state().lag = None;
    let looked = standby.state().looked;
    for path in ["/v1/apps", "/v1/apps/web.shop", "/v1/apps/web.shop/rollouts"] {
        assert_eq!(get(standby.address, path).await.status, 503, "it has not read all yet");
    }
    assert_eq!(standby.state().looked, looked, "nobody looks at what is there in parts");
}

#[tokio::test]
async fn the_answer_waits_until_the_change_can_be_seen_where_it_was_asked_for() {
    let (leader, standby) = two().await;
    leader.state().followed = Seq(9);
    standby.state().followed = Seq(8);
    let scale = r#"{"instances": 3}"#;
    let waiting = send_json(standby.address, "POST", "/v1/apps/web.shop/scale", scale);
    let follow = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(leader.state().asked.len(), 1, "it is done by now");
        standby.state().followed = Seq(9);
        std::time::Instant::now()
    };
    let (answered, followed) = tokio::join!(async { (waiting.await, std::time::Instant::now()) }, follow);
    assert_eq!(answered.0.status, 202);
    assert!(answered.1 > followed);
    assert!(standby.state().hurried > 0, "it is asked to read on, rather than waited for");
}

#[tokio::test]
async fn a_request_is_handed_on_once() {
    let (leader, standby) = two().await;
    let body = r#"{"instances": 3}"#;
    let headers = ["content-type: application/json", "swan-forwarded: true"];
    let refused = send(standby.address, "POST", "/v1/apps/web.shop/scale", &headers, body).await;
    assert_eq!((refused.status, refused.header("swan-follows")), (503, Some("true")));
    assert!(leader.state().asked.is_empty());
}

#[tokio::test]
async fn managers_are_told_apart_and_the_leader_can_be_made_to_go() {
    let (leader, standby) = two().await;
    let at = leader.address.to_string();
    let told = get(standby.address, "/v1/leader").await.json();
    let manager = |address: &str, role, lag| json!({"address": address, "role": role, "version": "1.2.3", "format": 1, "lag": lag});
    let managers = json!([manager(&at, "leader", 0), manager("standby:1", "standby", 2)]);
    assert_eq!(told, json!({"leader": at, "managers": managers, "formatInForce": 1}));
    assert_eq!(send(standby.address, "DELETE", "/v1/leader", &[], "").await.status, 204);
    assert!(leader.state().abdicated && !standby.state().abdicated);
    let alone = Served::new().await;
    assert_eq!(send(alone.address, "DELETE", "/v1/leader", &[], "").await.status, 409);
}
