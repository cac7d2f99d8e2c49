//! Owns traces: what happened by chance in one run and what its clients asked, as a file that lets it happen again.
//!
//! A trace is lines of JSON: `{"trace":…}` with the seed, the commit and the options; then in the order of the run
//! `{"draw":…}` for all that happened by chance and `{"ask":…}` for all that clients asked; last `{"end":…}` with the
//! digest and the failure. The seed decides what is no fault: latencies, durations, ids. Lines may be taken out: then
//! just that does not happen.

use serde::{Deserialize, Serialize};

use crate::chance::{Asked, Draw, Event};
use crate::definition::Definition;
use crate::failure::Failure;
use crate::options::Options;

/// What this code reads and writes.
const FORMAT: u32 = 1;
/// The first and the last line, for people.
const TRACE: &str = r#"{"trace":{"format":1,"seed":…,"commit":…,"options":…}}"#;
const END: &str = r#"{"end":{"digest":…,"failure":…}}"#;

/// One run, as it can be run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// It decides what is no fault.
    pub seed: u64,
    /// The commit of the program that wrote it.
    pub commit: String,
    /// Sizes and times; shares and intervals of faults say only how those below came about.
    pub options: Options,
    /// What happened by chance and was asked, in order.
    pub events: Vec<Event>,
    /// The digest of all effects.
    pub digest: u64,
    /// How it failed, if it did.
    pub failure: Option<Failure>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    Trace(Box<Header>),
    Draw(Draw),
    Ask(Asked),
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    format: u32,
    seed: u64,
    commit: String,
    options: Options,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct End {
    digest: u64,
    failure: Option<Failure>,
}

impl Trace {
    /// Reads what [`Self::write`] has written, perhaps edited since. The error names the line and what would be right.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let Some((mut last, first)) = lines.next() else {
            return Err(format!("line 1: a trace begins with {TRACE}"));
        };
        let mut trace = Self::begin(last, first)?;
        let mut ended = false;
        for (number, line) in lines {
            last = number;
            if ended {
                return Err(format!("line {number}: nothing may follow {END}"));
            }
            match parse(number, line)? {
                Line::Draw(draw) => trace.events.push(Event::Draw(draw)),
                Line::Ask(asked) => trace.add(asked).map_err(|why| format!("line {number}: {why}"))?,
                Line::End(End { digest, failure }) => {
                    (trace.digest, trace.failure, ended) = (digest, failure, true);
                }
                Line::Trace(_) => return Err(format!("line {number}: only the first line is {TRACE}")),
            }
        }
        if ended {
            Ok(trace)
        } else {
            Err(format!("line {last}: the last line is not {END}: it was cut off"))
        }
    }

    fn begin(number: usize, line: &str) -> Result<Self, String> {
        let Line::Trace(header) = parse(number, line)? else {
            return Err(format!("line {number}: a trace begins with {TRACE}"));
        };
        let Header { format, seed, commit, options } = *header;
        if format != FORMAT {
            return Err(format!("line {number}: format {format} is not known here, only {FORMAT}"));
        }
        options.check().map_err(|why| format!("line {number}: {why}"))?;
        Ok(Self { seed, commit, options, events: Vec::new(), digest: 0, failure: None })
    }

    fn add(&mut self, asked: Asked) -> Result<(), String> {
        let clients = self.options.clients.count;
        if asked.client >= clients {
            return Err(format!("client {}: there are {clients} clients, from 0 on", asked.client));
        }
        asked.ask.definition().map_or(Ok(()), Definition::check)?;
        self.events.push(Event::Ask(asked));
        Ok(())
    }

    /// The whole file.
    pub fn write(&self) -> String {
        let Self { seed, digest, .. } = *self;
        let (commit, options) = (self.commit.clone(), self.options.clone());
        let header = Line::Trace(Box::new(Header { format: FORMAT, seed, commit, options }));
        let events = self.events.iter().map(|event| match event.clone() {
            Event::Draw(draw) => Line::Draw(draw),
            Event::Ask(asked) => Line::Ask(asked),
        });
        let end = Line::End(End { digest, failure: self.failure.clone() });
        let mut text = String::new();
        for line in [header].into_iter().chain(events).chain([end]) {
            text += &serde_json::to_string(&line).expect("plain data has an encoding");
            text.push('\n');
        }
        text
    }
}

fn parse(number: usize, line: &str) -> Result<Line, String> {
    serde_json::from_str(line).map_err(|error| {
        let (column, text) = (error.column(), error.to_string());
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        format!("line {number}, column {column}: {what}")
    })
}
