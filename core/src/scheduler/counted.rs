//! Owns what an app's counting rules count: its placed tasks of the wanted configuration that can be reached (S24).
//!
//! Slots change in one place, which notes who came and who went; the census takes that in when it is asked next, since
//! only then the agents are at hand.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::agents::{AgentIdx, Agents};
use super::apps::VersionId;
use super::groups::{ColumnIdx, Group, Numbered};
use super::room::Room;
use crate::constraint::{Census, Matcher};

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
