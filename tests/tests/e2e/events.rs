//! Owns a reader of `/v1/events`.

use std::io::{BufRead as _, BufReader};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;

use serde_json::Value;

use crate::http;
use crate::patience::LONG;

/// One event of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// `<epoch>-<seq>-<n>`; empty for a gap without any newer event.
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) data: Value,
}

impl Event {
    /// The id as numbers, which grow.
    pub(crate) fn place(&self) -> Vec<u64> {
        let part = |text: &str| text.parse().unwrap_or_else(|_| panic!("no event id: {self:?}"));
        self.id.split('-').map(part).collect()
    }
}

/// An open stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    connection: TcpStream,
    events: mpsc::Receiver<Event>,
}

impl Events {
    /// Returns once the stream stands: nothing after that is missed.
    pub(crate) fn follow(address: SocketAddr, after: Option<&str>) -> Self {
        let header = after.map(|id| ("last-event-id", id));
        let connection = http::send(address, "GET /v1/events", header.as_slice(), "")
            .unwrap_or_else(|error| panic!("{error}"));
        connection.set_read_timeout(None).expect("a socket takes it");
        let mut lines = BufReader::new(connection.try_clone().expect("a second handle")).lines();
        let status = lines.next().and_then(Result::ok).unwrap_or_default();
        assert!(status.contains(" 200 "), "GET /v1/events: {status}");
        for line in lines.by_ref().map_while(Result::ok) {
            // The first comment comes when the place in the stream is taken.
            if line.starts_with(':') {
                break;
            }
        }
        let (sender, events) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut id, mut kind) = (String::new(), String::new());
            for line in lines.map_while(Result::ok) {
                match line.split_once(": ").unwrap_or_else(|| (line.trim_end_matches(':'), "")) {
                    ("id", value) => value.clone_into(&mut id),
                    ("event", value) => value.clone_into(&mut kind),
                    ("data", value) => {
                        let data = serde_json::from_str(value).expect("JSON");
                        if sender.send(Event { id: id.clone(), kind: kind.clone(), data }).is_err() {
                            return;
                        }
                    }
                    _ => {}
                }
            }
        });
        Self { connection, events }
    }

    /// The events up to one that is looked for, and that one.
    pub(crate) fn upto(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen: Vec<Event> = Vec::new();
        while !seen.last().is_some_and(&wanted) {
            match self.events.recv_timeout(LONG) {
                Ok(event) => seen.push(event),
                Err(error) => panic!("no event {what} ({error}); there were {seen:#?}"),
            }
        }
        seen
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // The server may have closed it already.
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}
