//! Owns the tests of the event stream: order, filters, coming back, gaps, crowds.

use std::net::SocketAddr;

use serde_json::json;
use swan_api::EventFeed;
use swan_core::id::TaskId;
use swan_core::scheduler::event::EventKind;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::client::{get, send};
use crate::fake::{Served, event_id};

/// A stream that is read block by block.
struct Stream(BufReader<TcpStream>);

impl Stream {
    /// Connects, and reads the opening block.
    async fn open(address: SocketAddr, query: &str, last: Option<&str>) -> (Self, Vec<String>) {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let request = format!("GET /v1/events{query} HTTP/1.0\r\nhost: swan\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut stream = Self(BufReader::new(stream));
        let head = stream.block().await.expect("a head");
        assert!(head[0].contains("200"), "{head:?}");
        assert!(
            head.iter().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")),
            "{head:?}"
        );
        let opening = stream.block().await.expect("an opening");
        (stream, opening)
    }

    /// The lines up to the next empty one; `None` at the end.
    async fn block(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.expect("readable") == 0 {
                return None;
            }
            match line.trim_end() {
                "" => return Some(lines),
                text => lines.push(text.to_owned()),
            }
        }
    }

    /// Id and type of the next event.
    async fn event(&mut self) -> (String, String) {
        let block = self.block().await.expect("the stream goes on");
        let field = |name: &str| {
            block.iter().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned()
        };
        assert!(block.iter().any(|line| line.starts_with("data: {")), "{block:?}");
        (field("id:"), field("event:"))
    }
}

fn pair(number: u64, kind: &str) -> (String, String) {
    (event_id(number).to_string(), kind.to_owned())
}

#[tokio::test]
async fn events_come_in_order_with_id_type_and_document() {
    let served = Served::new().await;
    let (mut stream, opening) = Stream::open(served.address, "", None).await;
    assert_eq!(opening, [": swan", "retry: 1000"]);
    served.fake.publish(1, "web.shop", EventKind::AppCreated { version: "17".to_owned(), instances: 3 });
    let task = TaskId::from("0a1b2c3d4e5f.0.web.shop");
    served.fake.publish(
        2,
        "web.shop",
        EventKind::TaskChanged {
            task,
            slot: 0,
            version: 17,
            agent: "a1".into(),
            host: "n1".into(),
            state: "TASK_FAILED".to_owned(),
            message: "line\nbreak".to_owned(),
        },
    );
    assert_eq!(stream.event().await, pair(1, "app_created"));
    let block = stream.block().await.expect("an event");
    let data: serde_json::Value =
        serde_json::from_str(block[2].strip_prefix("data: ").expect("data")).expect("JSON");
    assert_eq!(
        data,
        json!({
            "id": "1-2-0", "type": "task_changed", "at": "1970-01-01T00:00:00.000Z", "app_id": "web.shop",
            "version_id": "17", "task_id": "0a1b2c3d4e5f.0.web.shop", "slot": 0, "agent_id": "a1", "host": "n1",
            "status": "TASK_FAILED", "message": "line\nbreak",
        })
    );
}

#[tokio::test]
async fn a_client_that_comes_back_misses_nothing() {
    let served = Served::new().await;
    for number in 1..=5 {
        served.fake.publish(number, "web.shop", EventKind::AppDeleting);
    }
    for (query, last) in
        [("", Some("1-3-0")), ("?lastEventId=1-3-0", None), ("?lastEventId=1-1-0", Some("1-3-0"))]
    {
        let (mut stream, opening) = Stream::open(served.address, query, last).await;
        assert_eq!(opening.last().map(String::as_str), Some("id: 1-3-0"));
        assert_eq!(stream.event().await, pair(4, "app_deleting"));
        assert_eq!(stream.event().await, pair(5, "app_deleting"));
    }
    let (_, opening) = Stream::open(served.address, "", None).await;
    assert_eq!(opening.last().map(String::as_str), Some("id: 1-5-0"));
}

#[tokio::test]
async fn an_id_that_is_not_known_is_a_gap_and_the_stream_goes_on() {
    let served = Served::with(None, EventFeed::with_capacity(4)).await;
    for number in 1..=9 {
        served.fake.publish(number, "web.shop", EventKind::AppDeleting);
    }
    // Evicted, of another leadership, of the future, junk.
    for (number, last) in (10..).zip(["1-2-0", "0-9-0", "1-99-0", "-1", "99999999999999999999-1-1", "x", "é"])
    {
        let (mut stream, _) = Stream::open(served.address, "?type=app_deleted", Some(last)).await;
        assert_eq!(stream.event().await, pair(number - 1, "gap"), "{last}");
        served.fake.publish(number, "web.shop", EventKind::AppDeleted);
        assert_eq!(stream.event().await, pair(number, "app_deleted"), "{last}");
    }
    let empty = Served::new().await;
    let (mut stream, _) = Stream::open(empty.address, "", Some("1-2-0")).await;
    assert_eq!(stream.event().await, (String::new(), "gap".to_owned()));
}

#[tokio::test]
async fn filters_leave_out_what_was_not_asked_for() {
    let served = Served::new().await;
    let (mut by_app, _) = Stream::open(served.address, "?app=WEB.shop", None).await;
    let (mut by_type, _) = Stream::open(served.address, "?type=app_released,app_deleted", None).await;
    let (mut by_both, _) = Stream::open(served.address, "?app=web.shop&app=db&type=app_deleted", None).await;
    served.fake.publish(1, "db", EventKind::AppDeleting);
    served.fake.publish(2, "web.shop", EventKind::AppDeleting);
    served.fake.publish(3, "mail", EventKind::AppDeleted);
    served.fake.publish(4, "db", EventKind::AppDeleted);
    assert_eq!(by_app.event().await, pair(2, "app_deleting"));
    assert_eq!(by_type.event().await, pair(3, "app_deleted"));
    assert_eq!(by_both.event().await, pair(4, "app_deleted"));
    assert_eq!(get(served.address, "/v1/events?apps=x").await.status, 400);
}

#[tokio::test]
async fn a_slow_client_gets_a_gap_and_is_cut_off() {
    let served = Served::with(None, EventFeed::with_capacity(4)).await;
    let (mut stream, _) = Stream::open(served.address, "", None).await;
    // More than any socket buffer holds while the client reads nothing.
    let message = "x".repeat(64 * 1024);
    for number in 1..=2000 {
        let kind = EventKind::RolloutEnded { operation: "updating".to_owned(), error: message.clone() };
        served.fake.publish(number, "web.shop", kind);
        if number % 4 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let mut last = None;
    while let Some(block) = stream.block().await {
        last = Some(block);
    }
    let last = last.expect("something was read");
    assert_eq!(last[1], "event: gap");
    assert!(last[2].contains("slow"), "{last:?}");
}

#[tokio::test]
async fn one_identity_has_so_many_streams_and_no_more() {
    let served = Served::with(Some("ann:0123456789abcdef\nbob:fedcba9876543210"), EventFeed::new()).await;
    let ann = "authorization: Bearer 0123456789abcdef";
    let bob = "authorization: Bearer fedcba9876543210";
    let mut open = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(served.address).await.expect("the server listens");
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: swan\r\n{ann}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut stream = Stream(BufReader::new(stream));
        assert!(stream.block().await.expect("a head")[0].contains("200"));
        open.push(stream);
    }
    let got = send(served.address, "GET", "/v1/events", &[ann], "").await;
    assert_eq!(got.status, 429);
    assert!(got.problem().contains("streams"));
    let metrics = String::from_utf8(get(served.address, "/metrics").await.body).expect("text");
    assert!(metrics.contains("swan_api_event_streams 100\n"), "{metrics}");
    assert_eq!(send(served.address, "HEAD", "/v1/events", &[bob], "").await.status, 200);
    drop(open);
    while send(served.address, "HEAD", "/v1/events", &[ann], "").await.status != 200 {}
}
