//! Owns the numbers that stand for what agents have under the keys that rules count by: where every launch counts, numbers
//! are compared, not texts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::constraint::{Host, Key, Tally, Value};
use crate::limits::GROUP_COLUMNS_MAX;

/// Stands for one value under one key; numbers are given from 1 on.
pub(super) type Group = NonZeroU32;

impl Tally for Group {
    fn number(&self) -> Option<usize> {
        usize::try_from(self.get() - 1).ok()
    }
}

/// Stands for one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ColumnIdx(usize);

/// The numbers of all keys that rules count by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Groups {
    columns: Vec<Column>,
}

/// The numbers of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Column {
    key: Key,
    numbers: BTreeMap<String, Group>,
    /// By the agents' places in their list; `None` for one without a value.
    agents: Vec<Option<Group>>,
}

impl Groups {
    /// Whether numbers are better given anew: of too many keys, or mostly of values that no agent has any more.
    pub(super) fn are_crowded(&self, agents: usize) -> bool {
        self.columns.len() > GROUP_COLUMNS_MAX
            || self.columns.iter().any(|column| column.numbers.len() > 1024 + 2 * agents)
    }

    /// The column of a key, made if it is new; `agents` are all places of their list.
    pub(super) fn column(&mut self, key: &Key, agents: impl Iterator<Item = Option<impl Host>>) -> ColumnIdx {
        if let Some(known) = self.columns.iter().position(|column| column.key == *key) {
            return ColumnIdx(known);
        }
        let mut column = Column { key: key.clone(), numbers: BTreeMap::new(), agents: Vec::new() };
        for (place, agent) in agents.enumerate() {
            if let Some(agent) = agent {
                column.tell(place, &agent);
            }
        }
        self.columns.push(column);
        ColumnIdx(self.columns.len() - 1)
    }

    /// What the agent in a place has under a key.
    pub(super) fn group(&self, column: ColumnIdx, place: usize) -> Option<Group> {
        self.columns.get(column.0)?.agents.get(place).copied().flatten()
    }

    /// What is known of an agent has changed.
    pub(super) fn tell(&mut self, place: usize, agent: &impl Host) {
        for column in &mut self.columns {
            column.tell(place, agent);
        }
    }
}

impl Column {
    fn tell(&mut self, place: usize, agent: &impl Host) {
        let group = agent.value(&self.key).map(Value::text).map(|text| self.number(&text));
        if self.agents.len() <= place {
            self.agents.resize(place + 1, None);
        }
        self.agents[place] = group;
    }

    fn number(&mut self, text: &str) -> Group {
        if let Some(&known) = self.numbers.get(text) {
            return known;
        }
        let next = u32::try_from(self.numbers.len() + 1).ok().and_then(NonZeroU32::new);
        let number = next.expect("numbers are given anew long before they run out");
        self.numbers.insert(text.into(), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use crate::constraint::Rules;
    use crate::mesos::AgentFacts;
    use crate::scheduler::agents::Agents;

    #[test]
    fn numbers_are_given_anew_before_they_pile_up() {
        let mut agents = Agents::default();
        let matcher = Rules::parse("hostname UNIQUE").expect("sound rules").compile();
        agents.columns(&matcher);
        let epoch = agents.epoch;
        for host in 0..3000 {
            agents.follow(&"S1".into(), &format!("node{host}"), AgentFacts::default());
        }
        agents.columns(&matcher);
        assert!(agents.epoch > epoch, "what was counted by the old numbers is counted again");
        assert!(agents.groups().columns[0].numbers.len() < 10);
    }
}
