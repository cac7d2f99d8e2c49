//! Owns a small HTTP client. It speaks HTTP/1.0, so that an answer ends with its connection and is never in chunks.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A server that is silent for so long is taken for broken.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The header's value; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim())
    }
}

/// A connection on which a request has been sent.
pub(crate) fn send(
    to: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<TcpStream, String> {
    let failed = |error: std::io::Error| format!("{request} to {to}: {error}");
    let mut stream = TcpStream::connect_timeout(&to, SILENCE_MAX).map_err(failed)?;
    stream.set_read_timeout(Some(SILENCE_MAX)).map_err(failed)?;
    let mut text = format!("{request} HTTP/1.0\r\nhost: {to}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    text += body;
    stream.write_all(text.as_bytes()).map_err(failed)?;
    Ok(stream)
}

/// One request, `GET /path`, and its answer. `Err` if there is none, or only a part of one.
pub(crate) fn exchange(
    to: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, String> {
    let mut bytes = Vec::new();
    send(to, request, headers, body)?
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{request} to {to}: {error}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = text.split_once("\r\n\r\n");
    let (head, body) = whole.ok_or_else(|| format!("{request} to {to}: broken off after {text:?}"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{request} to {to}: no HTTP: {head:?}"))?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}
