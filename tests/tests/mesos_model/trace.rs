//! Owns the reading of a trace: what was sent and received, what was done to the cluster, and at what time.

use serde_json::Value;
use swan_core::mesos::{Call, FrameworkId};
use swan_mesos::wire::{call_from_json, event_from_json, event_to_wire};

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Milliseconds since the recording's start.
    pub(crate) at: f64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A process was started: its name, and its flags.
    Started {
        host: String,
        flags: Vec<(String, String)>,
    },
    /// Something else was done, in words.
    Note {
        text: String,
        stream: Option<u64>,
    },
    Send(Box<Send>),
    Event {
        stream: u64,
        event: Value,
    },
    /// The stream ended properly.
    Ended {
        stream: u64,
    },
    /// A call of the operator API, with its status.
    Operator {
        request: Value,
        status: u64,
    },
}

/// A request to the scheduler API.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    /// Absent if the body was none.
    pub(crate) call: Option<Value>,
    pub(crate) stream_id: Option<String>,
    pub(crate) status: u64,
    pub(crate) body: String,
    /// For SUBSCRIBE: the header of the answer.
    pub(crate) given_stream_id: Option<String>,
}

pub(crate) struct Trace {
    pub(crate) lines: Vec<Line>,
}

impl Trace {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| read_line(&serde_json::from_str(line).unwrap()));
        let mut lines: Vec<Line> = lines.collect();
        lines.sort_by(|a, b| a.at.total_cmp(&b.at));
        Self { lines }
    }

    /// Events of all streams, in order, with their times.
    pub(crate) fn events(&self) -> impl Iterator<Item = (f64, u64, &Value)> {
        self.lines.iter().filter_map(|line| match &line.what {
            What::Event { stream, event } => Some((line.at, *stream, event)),
            _ => None,
        })
    }

    /// Statuses of all updates, in order, with their times.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (f64, &Value)> {
        self.events().filter_map(|(at, _, event)| Some((at, event.pointer("/update/status")?)))
    }

    /// Offers of all streams, in order, with their times.
    pub(crate) fn offers(&self) -> impl Iterator<Item = (f64, &Value)> {
        let lists = self.events().filter_map(|(at, _, event)| Some((at, event.pointer("/offers/offers")?)));
        lists.flat_map(|(at, list)| list.as_array().unwrap().iter().map(move |offer| (at, offer)))
    }
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn read_line(line: &Value) -> Option<Line> {
    let mut at = line["t_ms"].as_f64().unwrap();
    let stream = line["stream"].as_u64();
    let what = match text(line, "/dir") {
        "note" => read_note(line, stream)?,
        "recv" => What::Event { stream: stream.unwrap(), event: meant(&line["event"]) },
        "send" => {
            let send = read_send(line);
            // What raced with another request is taken when it was answered.
            if send.status >= 400 {
                at = line["t_reply_ms"].as_f64().unwrap_or(at);
            }
            What::Send(Box::new(send))
        }
        "http" => {
            let request = line.get("request")?.clone();
            What::Operator { request, status: line["status"].as_u64().unwrap() }
        }
        other => panic!("no direction: {other}"),
    };
    Some(Line { at, what })
}

/// The event as core's types hold it, so that both sides are written by the same codec.
fn meant(event: &Value) -> Value {
    serde_json::to_value(event_to_wire(&event_from_json(event).unwrap()).unwrap()).unwrap()
}

fn read_note(line: &Value, stream: Option<u64>) -> Option<What> {
    let note = text(line, "/note");
    if let Some(argv) = line["argv"].as_array() {
        let flags: Vec<(String, String)> = argv
            .iter()
            .filter_map(|flag| flag.as_str()?.strip_prefix("--")?.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let host = flags.iter().find(|(key, _)| key == "hostname")?.1.clone();
        return Some(What::Started { host, flags });
    }
    if note.contains("closed by the other side") {
        return Some(What::Ended { stream: stream? });
    }
    Some(What::Note { text: note.to_owned(), stream })
}

fn read_send(line: &Value) -> Send {
    let headers = &line["request_headers"];
    Send {
        call: is_a_call(line).then(|| line["call"].clone()),
        stream_id: headers["Mesos-Stream-Id"].as_str().map(Into::into),
        status: line["status"].as_u64().unwrap(),
        body: text(line, "/body").to_owned(),
        given_stream_id: line["headers"]["Mesos-Stream-Id"].as_str().map(Into::into),
    }
}

/// The call as core's types hold it, and the framework's id; `None` if the codec cannot read it.
pub(crate) fn decode(call: &Value) -> Option<(Option<FrameworkId>, Call)> {
    call_from_json(call).ok()
}

/// What HTTP or the decoder already refuses, here as there, never reaches a model of the cluster.
fn is_a_call(line: &Value) -> bool {
    let Some(call) = line.get("call") else { return false };
    let refused_before = matches!(line["status"].as_u64(), Some(405 | 406 | 415))
        || ["Failed to convert JSON", "Failed to parse body", "Failed to validate master::Call"]
            .iter()
            .any(|start| text(line, "/body").starts_with(start));
    let unreadable_for_both = line["status"] == 400 && decode(call).is_none();
    !refused_before && !unreadable_for_both
}
