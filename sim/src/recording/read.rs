//! Owns the reading of a recording: one JSON object a line, each a note, a call, an event, or a request to the operator
//! API. Nothing is trusted: what is no recording is refused by line.

use std::fmt;

use serde_json::{Map, Value};

/// Milliseconds that a recording may span: a month. More is no time of a recording, and would take as long to replay.
const SPAN_MS_MAX: f64 = 31.0 * 86_400_000.0;

/// What was sent to and received from a master, in order.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// In order of time; within the same millisecond as they stand.
    pub lines: Vec<Line>,
    /// Lines that stood after a later one.
    pub misplaced: Vec<usize>,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place in the file, from 1.
    pub number: usize,
    /// Milliseconds since the recording's start.
    pub at: u64,
    /// What it tells.
    pub what: What,
}

/// What a line tells.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum What {
    /// Something was done to the cluster, or a stream has ended, in words.
    Note { text: String, stream: Option<u64> },
    /// A request to the scheduler API.
    Sent(Box<Sent>),
    /// An event of a stream.
    Received { stream: u64, event: Value },
    /// A request to anything else.
    Operator,
}

/// A request to the scheduler API, and its answer.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    /// Absent if the body was none.
    pub call: Option<Value>,
    /// Which stream it is about; of a SUBSCRIBE, the one that it opened. 0 and absent mean none.
    pub stream: Option<u64>,
    /// Of the answer; absent if there was none.
    pub status: Option<u16>,
    /// `Mesos-Stream-Id` of the answer.
    pub stream_id: Option<String>,
    /// `Location` of the answer.
    pub location: Option<String>,
    /// The answer's body.
    pub body: String,
}

/// Why a file is no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// From 1; 0 means the whole file.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

impl std::error::Error for ReadError {}

impl Sent {
    /// `type` of the call; empty if there is none.
    pub fn kind(&self) -> &str {
        self.call.as_ref().and_then(|call| call.get("type")?.as_str()).unwrap_or_default()
    }

    /// Whether the master took it.
    pub fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl Recording {
    /// Reads the bytes of a `.jsonl` file.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut timed = Vec::new();
        let mut misplaced = Vec::new();
        let mut latest = 0.0;
        for (index, text) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if text.trim_ascii().is_empty() {
                continue;
            }
            let number = index + 1;
            let (at, what) = read_line(text).map_err(|what| ReadError { line: number, what })?;
            if at < latest {
                misplaced.push(number);
            }
            latest = at.max(latest);
            timed.push((at, number, what));
        }
        if timed.is_empty() {
            let what = "is empty; a recording has one JSON object a line, with t_ms and dir".into();
            return Err(ReadError { line: 0, what });
        }
        timed.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
        let lines = timed.into_iter().map(|(at, number, what)| Line { number, at: at as u64, what });
        Ok(Self { lines: lines.collect(), misplaced })
    }
}

fn read_line(text: &[u8]) -> Result<(f64, What), String> {
    let line: Value = serde_json::from_slice(text)
        .map_err(|why| format!("is no JSON ({why}); each line must be one whole JSON object"))?;
    let Value::Object(line) = line else {
        return Err(format!("is {}; each line must be one JSON object", kind_of(&line)));
    };
    let at = line.get("t_ms").and_then(Value::as_f64).filter(|at| (0.0..=SPAN_MS_MAX).contains(at));
    let at = at
        .ok_or("t_ms must be a number: milliseconds since the recording's start, at most those of a month")?;
    let dir = line.get("dir").and_then(Value::as_str).unwrap_or_default();
    let what = match dir {
        "note" => What::Note { text: text_of(&line, "note").to_owned(), stream: stream_of(&line)? },
        "send" => What::Sent(Box::new(read_sent(&line)?)),
        "recv" => read_received(&line)?,
        "http" => What::Operator,
        _ => return Err(format!("dir is {dir:.40?}; must be \"note\", \"send\", \"recv\" or \"http\"")),
    };
    Ok((at, what))
}

fn read_sent(line: &Map<String, Value>) -> Result<Sent, String> {
    let status = match line.get("status") {
        None | Some(Value::Null) => None,
        Some(status) => {
            let known = status.as_u64().filter(|status| *status == 0 || (100..600).contains(status));
            let known = known.ok_or("status must be the HTTP status of the answer, from 100 to 599")?;
            (known > 0).then_some(known as u16)
        }
    };
    let call = line.get("call").filter(|call| !call.is_null());
    if call.is_some_and(|call| !call.is_object()) {
        return Err("call must be a JSON object; what was sent and is none stands in body_sent".into());
    }
    let header = |name: &str| {
        let headers = line.get("headers")?.as_object()?;
        let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        found.1.as_str().map(str::to_owned)
    };
    Ok(Sent {
        call: call.cloned(),
        stream: stream_of(line)?.filter(|stream| *stream > 0),
        status,
        stream_id: header("Mesos-Stream-Id"),
        location: header("Location"),
        body: text_of(line, "body").to_owned(),
    })
}

fn read_received(line: &Map<String, Value>) -> Result<What, String> {
    let stream =
        stream_of(line)?.ok_or("an event needs stream, the number of the SUBSCRIBE that it answers")?;
    let event = match line.get("event") {
        Some(Value::String(record)) => serde_json::from_str(record)
            .map_err(|why| format!("event is text that is no JSON ({why}); must be a JSON object"))?,
        Some(event) => event.clone(),
        None => Value::Null,
    };
    if !event.is_object() {
        return Err(format!("event is {}; must be a JSON object, as the master sent it", kind_of(&event)));
    }
    Ok(What::Received { stream, event })
}

fn stream_of(line: &Map<String, Value>) -> Result<Option<u64>, String> {
    match line.get("stream") {
        None | Some(Value::Null) => Ok(None),
        Some(stream) => {
            let number = stream.as_u64().ok_or("stream must be a whole number, or left out")?;
            Ok(Some(number))
        }
    }
}

fn text_of<'a>(line: &'a Map<String, Value>, key: &str) -> &'a str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
