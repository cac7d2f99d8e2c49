//! Owns the account of what runs did: virtual time, steps, effects, faults by kind.

use std::collections::BTreeMap;
use std::fmt;

/// What happened in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Runs.
    pub seeds: u64,
    /// Milliseconds of virtual time.
    pub virtual_ms: u64,
    /// Inputs that managers handled.
    pub steps: u64,
    /// Effects carried out.
    pub effects: u64,
    /// Things that happened in the world.
    pub events: u64,
    /// Faults and what else is worth counting, by kind.
    pub counts: BTreeMap<&'static str, u64>,
    /// The same by kind, and by what some app was about at the time.
    pub marks: BTreeMap<(&'static str, &'static str), u64>,
    /// What some apps are about now.
    pub phases: Vec<&'static str>,
}

impl Ledger {
    /// Counts something.
    pub fn note(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
        for &phase in &self.phases {
            *self.marks.entry((kind, phase)).or_default() += 1;
        }
    }

    /// Adds another account.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.virtual_ms += other.virtual_ms;
        self.steps += other.steps;
        self.effects += other.effects;
        self.events += other.events;
        for (kind, count) in &other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for (mark, count) in &other.marks {
            *self.marks.entry(*mark).or_default() += count;
        }
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seeds            {:>12}", self.seeds)?;
        writeln!(f, "virtual minutes  {:>12}", self.virtual_ms / 60_000)?;
        writeln!(f, "world events     {:>12}", self.events)?;
        writeln!(f, "manager steps    {:>12}", self.steps)?;
        writeln!(f, "effects          {:>12}", self.effects)?;
        for (kind, count) in &self.counts {
            writeln!(f, "  {kind:<30} {count:>12}")?;
        }
        Ok(())
    }
}
