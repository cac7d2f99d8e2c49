//! Owns the numbers that stand for what agents have under the keys that rules count by: where every launch counts, numbers
//! are compared, not texts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::agents::{AgentIdx, Agents, Candidate};
use super::room::Room;
use crate::constraint::{Host, Key, Value};
use crate::limits::GROUP_COLUMNS_MAX;

/// Stands for one value under one key.
pub(super) type Group = NonZeroU32;

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

/// An agent as rules see it that count by columns.
///
/// The agent itself is looked up only when it is asked for: most offers are refused by what counts.
pub(super) struct Numbered<'a> {
    pub(super) agents: &'a Agents,
    pub(super) agent: AgentIdx,
    /// `None` where rules only count, which must not depend on what is free at the time.
    pub(super) room: Option<&'a Room>,
    /// Those of the rules' counters.
    pub(super) columns: &'a [ColumnIdx],
}

impl Groups {
    /// Whether numbers are better given anew: of too many keys, or mostly of values that no agent has any more.
    pub(super) fn are_crowded(&self, agents: usize) -> bool {
        self.columns.len() > GROUP_COLUMNS_MAX
            || self.columns.iter().any(|column| column.numbers.len() > 1024 + 2 * agents)
    }

    /// The column of a key, made if it is new; `agents` are all places of their list.
    pub(super) fn column<'a>(
        &mut self,
        key: &Key,
        agents: impl Iterator<Item = Option<Candidate<'a>>>,
    ) -> ColumnIdx {
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

    fn group(&self, column: ColumnIdx, agent: AgentIdx) -> Option<Group> {
        self.columns.get(column.0)?.agents.get(agent.place()).copied().flatten()
    }

    /// What is known of an agent has changed.
    pub(super) fn tell(&mut self, place: usize, agent: &Candidate<'_>) {
        for column in &mut self.columns {
            column.tell(place, agent);
        }
    }
}

impl Column {
    fn tell(&mut self, place: usize, agent: &Candidate<'_>) {
        let group = agent.value(&self.key).map(|value| self.number(&value.text()));
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

impl Host for Numbered<'_> {
    type Group = Group;

    fn value(&self, key: &Key) -> Option<Value<'_>> {
        let Self { agents, agent, room, .. } = self;
        Candidate { agent: agents.get(*agent), room: *room }.known(key)
    }

    fn group(&self, counter: usize, _: &Key) -> Option<Group> {
        self.agents.groups().group(*self.columns.get(counter)?, self.agent)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::constraint::{Census, Rules};
    use crate::mesos::{Attribute, AttributeValue};
    use crate::scheduler::agents::Facts;

    /// Agents that are told anew in any order, a few of them in a few racks; one may have none.
    fn tell(agents: &mut Agents, number: u8, rack: u8) -> AgentIdx {
        let value = AttributeValue::Text(format!("r{rack}"));
        let attributes = if rack == 0 { vec![] } else { vec![Attribute { name: "rack".into(), value }] };
        let id = format!("S{number}");
        agents.follow(
            &id.as_str().into(),
            &format!("node{}", number / 2),
            Facts { attributes, ..Facts::default() },
        );
        agents.find(&id).expect("told just now")
    }

    proptest! {
        #[test]
        fn numbers_mean_what_texts_mean(
            rules in prop::sample::select(vec![
                "hostname UNIQUE", "rack GROUP_BY 3", "rack MAX_PER 2 OR hostname CLUSTER", "NOT rack UNIQUE",
                "offered.cpus > 0 OR rack CLUSTER",
            ]),
            told in prop::collection::vec((0_u8..8, 0_u8..4), 1..20),
            placed in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut agents = Agents::default();
            let matcher = Rules::parse(rules).expect("sound rules").compile();
            let (before, after) = told.split_at(told.len() / 2);
            let mut all: Vec<AgentIdx> = before.iter().map(|&(number, rack)| tell(&mut agents, number, rack)).collect();
            let columns = agents.columns(&matcher);
            all.extend(after.iter().map(|&(number, rack)| tell(&mut agents, number, rack)));
            prop_assert_eq!(&agents.columns(&matcher), &columns, "a key has one column");
            let numbered = |agent| Numbered { agents: &agents, agent, room: None, columns: &columns };
            let (mut texts, mut numbers) = (Census::new(&matcher), Census::new(&matcher));
            for at in placed {
                let agent = *at.get(&all);
                texts.add(&matcher, &agents.get(agent).as_candidate());
                numbers.add(&matcher, &numbered(agent));
            }
            for &agent in &all {
                let wanted = matcher.takes(&agents.get(agent).as_candidate(), &texts);
                prop_assert_eq!(matcher.takes(&numbered(agent), &numbers), wanted);
            }
        }
    }

    #[test]
    fn numbers_are_given_anew_before_they_pile_up() {
        let mut agents = Agents::default();
        let matcher = Rules::parse("hostname UNIQUE").expect("sound rules").compile();
        agents.columns(&matcher);
        let epoch = agents.epoch;
        for host in 0..3000 {
            agents.follow(&"S1".into(), &format!("node{host}"), Facts::default());
        }
        agents.columns(&matcher);
        assert!(agents.epoch > epoch, "what was counted by the old numbers is counted again");
        assert!(agents.groups().columns[0].numbers.len() < 10);
    }
}
