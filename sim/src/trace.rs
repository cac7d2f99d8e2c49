//! Owns traces: what happened by chance in one run and what its clients asked, as a file that lets it happen again.
//!
//! A trace is lines of JSON: `{"trace":…}` with the seed, the commit and the options; then in the order of the run
//! `{"draw":…}` for all that happened by chance and `{"ask":…}` for all that clients asked; last `{"end":…}` with the
//! digest and the failure. The seed decides what is no fault: latencies, durations, ids. Lines may be taken out: then
//! just that does not happen.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::draws::Site;
use crate::options::Options;
use crate::run::{Failure, Outcome};
use crate::world::{Ask, Change};

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

/// One thing that a run does not do by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    Draw(Draw),
    Ask(Asked),
}

/// Something that happened by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Draw {
    /// When, in virtual ms.
    pub at: u64,
    /// Where.
    pub site: Site,
    /// How many opportunities were there before, in that millisecond.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nth: u32,
    /// To what: a call, a storage operation, an effect, a slot as `APP/SLOT`, an agent, a client.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub of: String,
    /// How, by name: milliseconds where the name ends so, agents by number, 1 for what is so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, u64>,
}

/// Something that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// When, in virtual ms; later if the client waits for an answer then.
    pub at: u64,
    /// Which client.
    pub client: u32,
    /// What.
    pub ask: Ask,
    /// It names the revision that it has seen.
    pub matched: bool,
    /// It has an idempotency key.
    pub keyed: bool,
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

#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Trace {
    /// The trace of a run whose events were kept.
    pub fn of(seed: u64, commit: &str, options: Options, outcome: &Outcome) -> Self {
        let (events, failure) = (outcome.events.clone(), outcome.failure.clone());
        Self { seed, commit: commit.to_owned(), options, events, digest: outcome.digest, failure }
    }

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

impl Event {
    /// When, in virtual ms.
    pub const fn at(&self) -> u64 {
        let (Self::Draw(Draw { at, .. }) | Self::Ask(Asked { at, .. })) = self;
        *at
    }

    /// Where it happens by chance, if it does.
    pub const fn site(&self) -> Option<Site> {
        match self {
            Self::Draw(draw) => Some(draw.site),
            Self::Ask(_) => None,
        }
    }

    /// The app that it is about; empty if about none.
    pub fn app(&self) -> &str {
        match self {
            Self::Draw(draw) => draw.of.split_once('/').map_or("", |(app, _)| app),
            Self::Ask(asked) => asked.ask.app(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{:03} s  ", self.at() / 1000, self.at() % 1000)?;
        match self {
            Self::Draw(Draw { site, of, with, .. }) => {
                f.write_str(site.words())?;
                if !of.is_empty() {
                    write!(f, ": {of}")?;
                }
                let with: Vec<String> = with.iter().map(|(name, value)| format!("{name} {value}")).collect();
                if with.is_empty() { Ok(()) } else { write!(f, " ({})", with.join(", ")) }
            }
            Self::Ask(Asked { client, ask, .. }) => write!(f, "client {client} {}", words(ask)),
        }
    }
}

fn words(ask: &Ask) -> String {
    let Ask::Change { app, change, force } = ask else {
        return match ask {
            Ask::Create { app, definition } => format!("creates {app}: {}", defined(definition)),
            Ask::Kill { app, slot } => format!("ends the task of {app}/{slot}"),
            Ask::KillAll { app } => format!("ends all tasks of {app}"),
            Ask::Steer { app, verb } => format!("says {verb:?} to the rollout of {app}"),
            _ => format!("asks {ask:?}"),
        };
    };
    let force = if *force { ", by force" } else { "" };
    match change {
        Change::Update(definition) => format!("updates {app}{force}: {}", defined(definition)),
        Change::Rollback => format!("rolls {app} back{force}"),
        Change::Scale(instances) => format!("scales {app} to {instances}{force}"),
        Change::Restart => format!("restarts {app}{force}"),
        Change::Stop => format!("stops {app}{force}"),
        Change::Start => format!("starts {app}{force}"),
        Change::Delete => format!("deletes {app}{force}"),
    }
}

fn defined(definition: &Definition) -> String {
    let Definition { image, instances, checked, trouble: _, policy, rules, strategy } = definition;
    let mut text = format!("{instances} of {image}");
    if *checked {
        text += ", with a health check";
    }
    if let Some(policy) = policy {
        text += &format!(", {policy:?}");
    }
    if !rules.is_empty() {
        text += &format!(", {rules:?}");
    }
    if let Some(strategy) = strategy {
        text += &format!(", strategy {strategy}");
    }
    text
}

#[cfg(test)]
mod tests {
    use swan_core::rng::Rng;

    use super::*;
    use crate::run::{Keep, Kind, replay, run};

    fn recorded(seed: u64) -> Trace {
        let options = Options::swarm(seed, Some(2));
        let outcome = run(seed, &options, Keep::Events);
        Trace::of(seed, "a commit", options, &outcome)
    }

    #[test]
    fn a_trace_does_the_same_again() {
        for seed in 0..6 {
            let trace = recorded(seed);
            assert!(!trace.events.is_empty(), "seed {seed}");
            let read = Trace::read(&trace.write()).expect("what was written");
            assert_eq!(read, trace);
            let again = replay(&read, Keep::Events);
            let again = Trace::of(seed, "a commit", read.options, &again);
            assert_eq!(again.events, trace.events, "seed {seed}");
            assert_eq!((again.digest, again.failure), (trace.digest, trace.failure), "seed {seed}");
        }
    }

    #[test]
    fn what_is_left_out_does_not_happen() {
        let whole = (0..).map(recorded).find(|trace| has(trace, Site::CrashBefore) && has(trace, Site::Cut));
        let mut trace = whole.expect("some seed");
        let Some(Event::Ask(first)) = trace.events.iter().find(|event| event.site().is_none()).cloned()
        else {
            panic!("a client asks for something");
        };
        let gone = |event: &Event| matches!(event.site(), Some(Site::CrashBefore | Site::Cut));
        trace.events.retain(|event| !gone(event) && *event != Event::Ask(first.clone()));
        let again = replay(&trace, Keep::Events);
        assert!(!again.ledger.counts.contains_key("network: cut"));
        assert!(!again.ledger.counts.contains_key(crate::world::CRASH_BEFORE_EFFECT));
        let asks = |it: &Event| matches!(it, Event::Ask(asked) if asked.ask == first.ask);
        let count = |events: &[Event]| events.iter().filter(|event| asks(event)).count();
        assert_eq!(count(&again.events), count(&trace.events));
        assert!(again.events.len() > 5, "all else happens");
    }

    #[test]
    fn any_part_of_a_trace_is_a_trace() {
        let mut rng = Rng::new(11);
        for seed in 0..12 {
            let mut part = recorded(seed);
            let share = rng.between(100_000, 900_000) as u32;
            part.events.retain(|_| rng.chance(share));
            part.options.agents = rng.between(1, u64::from(part.options.agents)) as u32;
            let outcome = replay(&part, Keep::Events);
            assert_ne!(outcome.failure.as_ref().map(|it| it.kind), Some(Kind::Crash), "seed {seed}");
            assert!(outcome.events.len() <= part.events.len(), "seed {seed}");
            let came_true = Trace::of(seed, "a commit", part.options, &outcome);
            let again = replay(&came_true, Keep::Events);
            assert_eq!(again.digest, came_true.digest, "seed {seed}");
            assert_eq!(again.events, came_true.events, "seed {seed}");
        }
    }

    fn has(trace: &Trace, site: Site) -> bool {
        trace.events.iter().any(|event| event.site() == Some(site))
    }

    #[test]
    fn a_bad_file_is_told_by_its_line() {
        let good = recorded(1).write();
        let lines: Vec<&str> = good.lines().collect();
        let wrong = |edit: &dyn Fn(&mut Vec<String>)| {
            let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            edit(&mut lines);
            Trace::read(&lines.join("\n")).expect_err("it is wrong")
        };
        let end = lines.len();
        let draw = r#"{"draw":{"at":1,"site":"cut"}}"#;
        for (why, parts) in [
            (wrong(&|all| all.clear()), vec!["line 1", r#"begins with {"trace":"#]),
            (wrong(&|all| drop(all.remove(0))), vec!["line 1", r#"begins with {"trace":"#]),
            (wrong(&|all| all[1] = "{".into()), vec!["line 2, column 1", "EOF"]),
            (wrong(&|all| all[1] = "\u{1f4a5}".into()), vec!["line 2, column 1"]),
            (wrong(&|all| all[1] = draw.replace("cut", "cuts")), vec!["line 2", "`cuts`", "`cut`"]),
            (wrong(&|all| all[1] = draw.replace("at", "on")), vec!["line 2", "`on`", "`at`"]),
            (wrong(&|all| all[1] = draw.replace('1', "-1")), vec!["line 2", "-1", "u64"]),
            (
                wrong(&|all| all[0] = all[0].replace(r#""format":1"#, r#""format":2"#)),
                vec!["line 1", "only 1"],
            ),
            (
                wrong(&|all| all[0] = all[0].replace(r#""agents":"#, r#""agents":9999"#)),
                vec!["line 1", "1000"],
            ),
            (wrong(&|all| all.insert(1, all[0].clone())), vec!["line 2", "only the first line"]),
            (wrong(&|all| drop(all.pop())), vec!["cut off", r#"{"end":"#]),
            (wrong(&|all| all.push(draw.into())), vec!["nothing may follow", &format!("line {}", end + 1)]),
        ] {
            assert!(parts.iter().all(|part| why.contains(part)), "{why:?} has not {parts:?}");
        }
    }
}
