//! Owns the tests of timeouts: over pipes in memory, in time that passes only when everyone waits.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::serve::Listener;
use swan_api::{EventFeed, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::fake::Fake;

/// Listens for a single connection that stands already.
struct One(Option<DuplexStream>);

const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

impl Listener for One {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.take() {
            Some(stream) => (stream, PEER),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(PEER)
    }
}

/// Sends these bytes and nothing more; what came back until the end or for `patience`, and after how many seconds.
async fn talk(bytes: &str, patience: u64) -> (String, u64) {
    let (mut near, far) = duplex(1 << 20);
    let (fake, config) = Fake::new(None, EventFeed::new());
    let serving = tokio::spawn(async move { serve(One(Some(far)), fake, config).await });
    let began = Instant::now();
    near.write_all(bytes.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    let reading = async { while near.read_buf(&mut answer).await.is_ok_and(|bytes| bytes > 0) {} };
    drop(tokio::time::timeout(Duration::from_secs(patience), reading).await);
    serving.abort();
    (String::from_utf8(answer).expect("UTF-8"), began.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    assert_eq!(talk("GET /ping HTT", 60).await, (String::new(), 10));
    let (answer, seconds) = talk("GET /ping HTTP/1.1\r\nhost: swan\r\n\r\n", 60).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(seconds, 10, "an idle connection is closed as well");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_a_408() {
    let head = "POST /v1/apps HTTP/1.1\r\nhost: swan\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    let (answer, seconds) = talk(head, 60).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("urn:swan:problem:timeout"), "{answer}");
    assert_eq!(seconds, 30);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_lives() {
    let (answer, seconds) = talk("GET /v1/events HTTP/1.0\r\n\r\n", 100).await;
    assert_eq!((answer.matches(": keepalive\n\n").count(), seconds), (6, 100), "{answer}");
}
