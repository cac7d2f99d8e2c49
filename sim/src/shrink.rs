//! Owns making traces of failures small: what can be left out without losing the failure is left out.

use std::collections::BTreeSet;

use crate::chance::Event;
use crate::failure::{Failure, Kind};
use crate::options::Options;
use crate::run::{Keep, replay};
use crate::trace::Trace;

/// While it shrinks, a run may fail so much later than before, ms.
const SLACK_MS: u64 = 60_000;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs so far.
    pub runs: u64,
    /// Events that are left.
    pub events: usize,
    /// Agents that are left.
    pub agents: u32,
    /// What is tried to be left out.
    pub trying: &'static str,
}

/// A smaller trace that fails in the same way, as far as [`Failure::is_like`] can tell: apps and agents go first, then
/// faults and requests, then the time after the failure. `goes_on` is asked before each run; it ends early if not. An
/// error says that the trace does not fail as it tells.
pub fn shrink(trace: &Trace, goes_on: &mut dyn FnMut(Progress) -> bool) -> Result<Trace, String> {
    let outcome = replay(trace, Keep::Events);
    let Some(failure) = outcome.failure.clone() else { return Err("it does not fail".into()) };
    if let Some(told) = trace.failure.as_ref().filter(|told| !failure.is_like(told)) {
        return Err(format!("it fails otherwise than it tells: '{failure}' instead of '{told}'"));
    }
    let best = outcome.trace(trace.seed, &trace.commit, trace.options.clone());
    let mut shrinker = Shrinker { failure, best, runs: 1, stopped: false, goes_on };
    loop {
        let before = shrinker.size();
        shrinker.round();
        if shrinker.stopped || shrinker.size() == before {
            break;
        }
    }
    shrinker.end_early(0);
    Ok(shrinker.best)
}

struct Shrinker<'a> {
    /// What it must fail with.
    failure: Failure,
    /// The smallest so far; just what it tells came true when it was run.
    best: Trace,
    runs: u64,
    stopped: bool,
    goes_on: &'a mut dyn FnMut(Progress) -> bool,
}

impl Shrinker<'_> {
    fn size(&self) -> (usize, u32, u64) {
        (self.best.events.len(), self.best.options.agents, self.best.options.safety_ms)
    }

    fn round(&mut self) {
        self.end_early(SLACK_MS);
        let apps: BTreeSet<String> = self.best.events.iter().map(|event| event.app().to_owned()).collect();
        for app in apps.iter().filter(|app| !app.is_empty()) {
            self.leave_out("apps", |_, event| event.app() == app);
        }
        while self.fewer_agents() {}
        while self.fewer_managers() {}
        let sites: BTreeSet<_> = self.best.events.iter().filter_map(Event::site).collect();
        for site in sites {
            self.leave_out("kinds of faults", |_, event| event.site() == Some(site));
        }
        self.chunks();
    }

    /// Leaves out chunks, the later ones first, and then chunks of half the size.
    fn chunks(&mut self) {
        let mut size = self.best.events.len().div_ceil(2);
        while size > 0 {
            let mut end = self.best.events.len();
            while end > 0 {
                let start = end.saturating_sub(size);
                self.leave_out("faults and requests", |at, _| (start..end).contains(&at));
                end = start.min(self.best.events.len());
            }
            size /= 2;
        }
    }

    fn fewer_agents(&mut self) -> bool {
        let agents = self.best.options.agents;
        let fewer = BTreeSet::from([1, agents / 2, agents - 1]);
        fewer.into_iter().filter(|fewer| (1..agents).contains(fewer)).any(|agents| {
            let options = Options { agents, ..self.best.options.clone() };
            self.attempt("agents", Trace { options, ..self.best.clone() })
        })
    }

    /// Of several managers at least two stay: one alone has another store.
    fn fewer_managers(&mut self) -> bool {
        let mut options = self.best.options.clone();
        options.ensemble.managers -= 1;
        options.ensemble.managers > 1 && self.attempt("managers", Trace { options, ..self.best.clone() })
    }

    /// Ends the faults right after the last of them, and the run right after the failure, or so much later.
    fn end_early(&mut self, slack: u64) {
        let mut options = self.best.options.clone();
        let last = self.best.events.iter().map(Event::at).max().unwrap_or_default();
        let failed = self.best.failure.as_ref().map_or(u64::MAX, |failure| failure.at);
        let settles = self.failure.kind == Kind::Liveness || failed > options.safety_ms;
        let enough = if settles { last } else { failed };
        options.safety_ms = options.safety_ms.min(enough.saturating_add(slack));
        if !settles {
            options.settle_ms = 0;
        }
        if options != self.best.options {
            self.attempt("time", Trace { options, ..self.best.clone() });
        }
    }

    fn leave_out(&mut self, trying: &'static str, goes: impl Fn(usize, &Event) -> bool) {
        let mut candidate = self.best.clone();
        let mut at = 0;
        candidate.events.retain(|event| {
            at += 1;
            !goes(at - 1, event)
        });
        if candidate.events.len() < self.best.events.len() {
            self.attempt(trying, candidate);
        }
    }

    /// Runs a candidate; it is the best from now on if it fails in the same way.
    fn attempt(&mut self, trying: &'static str, candidate: Trace) -> bool {
        let (events, agents) = (self.best.events.len(), self.best.options.agents);
        let progress = Progress { runs: self.runs, events, agents, trying };
        self.stopped = self.stopped || !(self.goes_on)(progress);
        if self.stopped {
            return false;
        }
        self.runs += 1;
        let outcome = replay(&candidate, Keep::Events);
        let same = outcome.failure.as_ref().is_some_and(|failure| failure.is_like(&self.failure));
        if same {
            let Trace { seed, commit, options, .. } = candidate;
            self.best = outcome.trace(seed, &commit, options);
        }
        same
    }
}
