//! Owns what an app's counting rules count: its placed tasks of the wanted configuration that can be reached (S24).
//!
//! Slots change in one place, which notes who came and who went; the census takes that in when it is asked next, since
//! only then the agents are at hand.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::agents::{AgentIdx, Agents, Candidate};
use super::apps::VersionId;
use super::groups::{ColumnIdx, Group};
use super::room::Room;
use crate::constraint::{Census, Host, Key, Matcher, Value};

/// The census of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    census: Census<Group>,
    /// What stands for the values that it counts by.
    columns: Vec<ColumnIdx>,
    /// Tasks that came (`true`) and went since the census was asked last.
    news: Vec<(AgentIdx, bool)>,
    /// By which definition it counts, and tasks of which version.
    of: (VersionId, VersionId),
    /// The agents' epoch for which it is right; `None` means that it must be taken anew.
    epoch: Option<u64>,
}

/// An agent as rules see it that count by columns.
///
/// The agent itself is looked up only when it is asked for: most offers are refused by what counts.
pub(super) struct Numbered<'a> {
    agents: &'a Agents,
    agent: AgentIdx,
    /// `None` where rules only count, which must not depend on what is free at the time.
    room: Option<&'a Room>,
    /// Those of the rules' counters.
    columns: &'a [ColumnIdx],
}

impl Counted {
    /// It must be taken anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Tasks that run this version count.
    pub(super) const fn runs(&self) -> VersionId {
        self.of.1
    }

    /// A task that counts went from one agent, or came to one; `tasks_max` are all there may be.
    pub(super) fn note(&mut self, before: Option<AgentIdx>, after: Option<AgentIdx>, tasks_max: usize) {
        if self.epoch.is_none() || before == after {
            return;
        }
        self.news.extend(before.map(|agent| (agent, false)));
        self.news.extend(after.map(|agent| (agent, true)));
        if self.news.len() > tasks_max.max(16) {
            // Taking it anew is less work.
            self.forget();
        }
    }

    /// Takes in what happened, or counts anew by another definition; `tasks` are the agents of all tasks that count.
    pub(super) fn refresh(
        &mut self,
        of: (VersionId, VersionId),
        matcher: &Matcher,
        agents: &mut Agents,
        tasks: impl Iterator<Item = AgentIdx>,
    ) {
        if self.epoch == Some(agents.epoch) && self.of == of {
            for (agent, came) in self.news.drain(..) {
                let host = Numbered { agents, agent, room: None, columns: &self.columns };
                if came {
                    self.census.add(matcher, &host);
                } else {
                    self.census.remove(matcher, &host);
                }
            }
            return;
        }
        self.news.clear();
        self.of = of;
        self.columns = agents.columns(matcher);
        self.epoch = Some(agents.epoch);
        self.census = Census::new(matcher);
        for agent in tasks {
            self.census.add(matcher, &Numbered { agents, agent, room: None, columns: &self.columns });
        }
    }

    /// The counts, as of the last time they were refreshed.
    pub(super) const fn census(&self) -> &Census<Group> {
        &self.census
    }

    /// An agent with what it offers, as the rules see it that count so.
    pub(super) fn host<'a>(&'a self, agents: &'a Agents, agent: AgentIdx, room: &'a Room) -> Numbered<'a> {
        Numbered { agents, agent, room: Some(room), columns: &self.columns }
    }
}

impl Host for Numbered<'_> {
    type Group = Group;

    fn value(&self, key: &Key) -> Option<Value<'_>> {
        let Self { agents, agent, room, .. } = self;
        Candidate { agent: agents.get(*agent), room: *room }.known(key)
    }

    fn group(&self, counter: usize, _: &Key) -> Option<Group> {
        self.agents.groups().group(*self.columns.get(counter)?, self.agent.place())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::constraint::Rules;
    use crate::mesos::{AgentFacts, Attribute, AttributeValue};

    /// Agents that are told anew in any order, a few of them in a few racks; one may have none.
    fn tell(agents: &mut Agents, number: u8, rack: u8) -> AgentIdx {
        let value = AttributeValue::Text(format!("r{rack}"));
        let attributes = if rack == 0 { vec![] } else { vec![Attribute { name: "rack".into(), value }] };
        let id = format!("S{number}");
        agents.follow(
            &id.as_str().into(),
            &format!("node{}", number / 2),
            AgentFacts { attributes, ..AgentFacts::default() },
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
}
