//! Owns the judgement of histories: whether what clients of a register saw fits some order in which each operation took
//! effect at one moment between its call and its answer.
//!
//! An operation whose answer never came may have taken effect at any time after its call, or never. The search is that of
//! Wing and Gong, with Lowe's memory of what was tried.

use std::collections::HashSet;

use serde::Deserialize;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Operation {
    /// When it was called; any unit.
    pub called: u64,
    /// When it was answered; `None` for a write whose outcome is unknown.
    pub answered: Option<u64>,
    /// What it did.
    pub action: Action,
}

/// What an operation did.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Put this value there.
    Write(String),
    /// Found this value there.
    Read(String),
}

/// Operations beyond this are not judged at once: the memory of the search is a bit set.
pub const OPERATIONS_MAX: usize = 4096;

/// Whether the history of one register, which held `first` before, is linearizable; `Err` names an operation up to which
/// no order was found.
pub fn check(first: &str, history: &[Operation]) -> Result<(), String> {
    assert!(history.len() <= OPERATIONS_MAX, "a history has at most {OPERATIONS_MAX} operations");
    let mut operations: Vec<&Operation> = history.iter().collect();
    operations.sort_by_key(|operation| operation.called);
    let mut search =
        Search { done: vec![false; operations.len()], tried: HashSet::new(), furthest: 0, operations };
    if search.go_on(first, 0) {
        return Ok(());
    }
    let stuck = search.operations.get(search.furthest);
    Err(format!("no order explains the history up to {stuck:?}"))
}

struct Search<'a> {
    /// In order of their calls.
    operations: Vec<&'a Operation>,
    done: Vec<bool>,
    tried: HashSet<(Vec<u64>, String)>,
    furthest: usize,
}

impl Search<'_> {
    /// Tries to order all operations that are not done; all before `from` are.
    fn go_on(&mut self, value: &str, from: usize) -> bool {
        let from = (from..self.done.len()).find(|&at| !self.done[at]).unwrap_or(self.done.len());
        self.furthest = self.furthest.max(from);
        // What was never answered need not have happened.
        let Some(deadline) = self.first_answer(from) else { return true };
        if !self.tried.insert((self.bits(), value.to_owned())) {
            return false;
        }
        for at in from..self.operations.len() {
            let operation = self.operations[at];
            if operation.called > deadline {
                break;
            }
            let after = match &operation.action {
                _ if self.done[at] => continue,
                Action::Read(found) if found != value => continue,
                Action::Read(_) => value,
                Action::Write(written) => written,
            };
            self.done[at] = true;
            if self.go_on(after, from) {
                return true;
            }
            self.done[at] = false;
        }
        false
    }

    /// The earliest answer to an operation that is not done: none that was called later may go before it.
    fn first_answer(&self, from: usize) -> Option<u64> {
        let open = self.operations[from..].iter().zip(&self.done[from..]).filter(|(_, done)| !**done);
        open.filter_map(|(operation, _)| operation.answered).min()
    }

    fn bits(&self) -> Vec<u64> {
        let word = |word: &[bool]| word.iter().rev().fold(0, |bits, &done| bits << 1 | u64::from(done));
        self.done.chunks(64).map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(called: u64, answered: impl Into<Option<u64>>, value: &str) -> Operation {
        Operation { called, answered: answered.into(), action: Action::Write(value.to_owned()) }
    }

    fn read(called: u64, answered: u64, value: &str) -> Operation {
        Operation { called, answered: Some(answered), action: Action::Read(value.to_owned()) }
    }

    #[test]
    fn what_overlaps_may_be_in_any_order() {
        let history =
            [write(0, 10, "a"), write(1, 9, "b"), read(2, 4, "b"), read(5, 8, "a"), read(11, 12, "a")];
        assert_eq!(check("", &history), Ok(()));
    }

    #[test]
    fn a_write_without_an_answer_may_come_late_or_never() {
        assert_eq!(check("", &[write(0, None, "a"), read(5, 6, ""), read(50, 60, "a")]), Ok(()));
        assert_eq!(check("", &[write(0, None, "a"), read(5, 6, "")]), Ok(()));
        check("", &[write(0, None, "a"), read(5, 6, "a"), read(7, 8, "")])
            .expect_err("it was seen, then not");
    }

    #[test]
    fn an_old_value_after_a_new_one_is_refused() {
        check("", &[write(0, 1, "a"), write(2, 3, "b"), read(4, 5, "a")]).expect_err("stale");
        check("", &[write(0, 1, "a"), read(2, 3, "")]).expect_err("lost");
        check("", &[read(0, 1, "z")]).expect_err("never written");
    }

    #[test]
    fn the_committed_bad_history_is_refused_and_its_sound_twin_is_not() {
        let parse = |text: &str| -> Vec<Operation> {
            text.lines().map(|line| serde_json::from_str(line).expect("an operation")).collect()
        };
        assert_eq!(check("0", &parse(include_str!("../histories/sound.jsonl"))), Ok(()));
        check("0", &parse(include_str!("../histories/lost-write.jsonl")))
            .expect_err("an answered write is lost");
        check("0", &parse(include_str!("../histories/stale-read.jsonl"))).expect_err("an old leader answers");
    }
}
