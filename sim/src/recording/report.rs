//! Owns what is told of a replay.

use std::collections::BTreeMap;
use std::fmt;

/// Faults that are told one by one.
const FAULTS_SHOWN: usize = 20;

/// How a replay went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Lines of the recording.
    pub lines: u64,
    /// Streams that were opened.
    pub streams: u64,
    /// SUBSCRIBEs that no stream came of.
    pub refused: u64,
    /// Frameworks, each with machines of its own.
    pub frameworks: u64,
    /// Machines that took over from another one of the same framework.
    pub takeovers: u64,
    /// Events consumed, by type.
    pub events: BTreeMap<String, u64>,
    /// Of these, those of which only could be said that they are none that Swan knows.
    pub unreadable: u64,
    /// Updates of tasks.
    pub updates: u64,
    /// Of these, those with a uuid.
    pub with_uuid: u64,
    /// Acknowledged once what they changed was durable.
    pub acknowledged: u64,
    /// Their stream ended before they could be acknowledged.
    pub cut_off: u64,
    /// Tasks that the recorded client launched.
    pub launches: u64,
    /// Of these, those that a machine launched too.
    pub mapped: u64,
    /// Of these, those that ended, for the machine as in the recording.
    pub ended: u64,
    /// Of these, those that were alive at the end of both.
    pub living: u64,
    /// Calls by type: of the recorded client, and of the machines.
    pub calls: BTreeMap<&'static str, (u64, u64)>,
    /// What the machines did not do as the recorded client did.
    pub divergences: BTreeMap<String, Tally>,
    /// What must not be: the line it is about, 0 if none, and what is wrong.
    pub faults: Vec<(usize, String)>,
}

/// Divergences of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Where the first one is; 0 means nowhere.
    pub line: usize,
    /// What the first one is about.
    pub detail: String,
}

/// One thing that the machine did not do as the recorded client did.
#[derive(Clone, Debug)]
pub(super) struct Divergence {
    pub(super) line: usize,
    pub(super) kind: String,
    pub(super) detail: String,
}

impl Report {
    /// Whether nothing is wrong. Divergences are no fault.
    pub const fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn diverge(&mut self, divergence: Divergence) {
        let Divergence { line, kind, detail } = divergence;
        let tally = self.divergences.entry(kind).or_default();
        if tally.count == 0 || line < tally.line {
            (tally.line, tally.detail) = (line, detail);
        }
        tally.count += 1;
    }

    pub(super) fn fault(&mut self, line: usize, what: impl Into<String>) {
        self.faults.push((line, what.into()));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_kind: Vec<String> =
            self.events.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let events: u64 = self.events.values().sum();
        writeln!(f, "lines         {:>6}", self.lines)?;
        let (refused, takeovers) = (self.refused, self.takeovers);
        writeln!(
            f,
            "streams       {:>6}  refused SUBSCRIBEs {refused}, takeovers {takeovers}",
            self.streams
        )?;
        writeln!(f, "frameworks    {:>6}", self.frameworks)?;
        writeln!(f, "events        {events:>6}  {}", by_kind.join(", "))?;
        if self.unreadable > 0 {
            writeln!(f, "  unknown     {:>6}  consumed as what Swan does not know", self.unreadable)?;
        }
        writeln!(f, "updates       {:>6}  with a uuid {}", self.updates, self.with_uuid)?;
        write!(f, "acknowledged  {:>6}  each after it was durable", self.acknowledged)?;
        match self.cut_off {
            0 => writeln!(f)?,
            some => writeln!(f, "; {some} not, since their stream ended")?,
        }
        writeln!(f, "launches      {:>6}  made by the machines too {}", self.launches, self.mapped)?;
        let (ended, living) = (self.ended, self.living);
        writeln!(f, "tasks         {:>6}  ended as recorded; alive as recorded {living}", ended)?;
        let calls = self.calls.iter().map(|(kind, (recorded, made))| format!("{kind} {recorded}/{made}"));
        writeln!(f, "calls                 recorded/made: {}", calls.collect::<Vec<_>>().join(", "))?;
        let divergences: u64 = self.divergences.values().map(|tally| tally.count).sum();
        writeln!(f, "divergences   {divergences:>6}")?;
        for (kind, Tally { count, line, detail }) in &self.divergences {
            let colon = if detail.is_empty() { "" } else { ": " };
            writeln!(f, "  {count:>4}  {kind} (first at line {line}{colon}{detail})")?;
        }
        writeln!(f, "faults        {:>6}", self.faults.len())?;
        for (line, what) in self.faults.iter().take(FAULTS_SHOWN) {
            match line {
                0 => writeln!(f, "  {what}")?,
                line => writeln!(f, "  line {line}: {what}")?,
            }
        }
        Ok(())
    }
}
