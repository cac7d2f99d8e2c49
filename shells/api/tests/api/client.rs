//! Owns a small HTTP client that sends what it is told, byte by byte, and reads what comes.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The detail of a problem document; anything else fails the test.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let document = self.json();
        assert_eq!(document["status"], self.status);
        assert!(
            document["type"].as_str().is_some_and(|kind| kind.starts_with("urn:swan:problem:")),
            "{document}"
        );
        document["detail"].as_str().expect("a detail").to_owned()
    }
}

/// Sends one request with these header lines.
pub(crate) async fn send(address: SocketAddr, method: &str, path: &str, headers: &[&str], body: &str) -> Got {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: swan\r\nconnection: close\r\n");
    for line in headers {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    raw(address, format!("{head}\r\n{body}").as_bytes()).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Got {
    send(address, "GET", path, &[], "").await
}

/// Sends a JSON document.
pub(crate) async fn json(address: SocketAddr, method: &str, path: &str, body: &str) -> Got {
    send(address, method, path, &["content-type: application/json; charset=utf-8"], body).await
}

/// Sends bytes, then reads to the end. A server that answers early may close before all is written.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Got {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut read, mut write) = stream.into_split();
    let bytes = bytes.to_vec();
    let writing = tokio::spawn(async move {
        drop(write.write_all(&bytes).await);
        write
    });
    let mut answer = Vec::new();
    drop(read.read_to_end(&mut answer).await);
    drop(writing.await);
    parse(&answer)
}

fn parse(answer: &[u8]) -> Got {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(answer)));
    let head = std::str::from_utf8(&answer[..end]).expect("a head is ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
    let header =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Got { status, headers: lines.filter_map(header).collect(), body: answer[end + 4..].to_vec() }
}
