//! Owns what is known of agents: interned identity, used by tasks and offers; forgotten when neither refers to it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::mesos::AgentId;

/// A small stand-in for an agent's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct AgentIdx(u32);

/// One agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agent {
    /// Its id.
    pub(super) id: AgentId,
    /// Its host name.
    pub(super) host: Arc<str>,
    /// Tasks and offers that refer to it.
    uses: u32,
}

/// All agents in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agents {
    list: Vec<Option<Agent>>,
    free: Vec<u32>,
    by_id: BTreeMap<AgentId, AgentIdx>,
}

impl Agents {
    /// Finds or makes the agent and counts one more use of it.
    pub(super) fn acquire(&mut self, id: &AgentId, host: &str) -> AgentIdx {
        if let Some(&idx) = self.by_id.get(id) {
            let agent = self.list[idx.0 as usize].as_mut().expect("indexed agents exist");
            agent.uses += 1;
            if &*agent.host != host && !host.is_empty() {
                agent.host = host.into();
            }
            return idx;
        }
        let agent = Agent { id: id.clone(), host: host.into(), uses: 1 };
        let idx = match self.free.pop() {
            Some(free) => {
                self.list[free as usize] = Some(agent);
                AgentIdx(free)
            }
            None => {
                self.list.push(Some(agent));
                AgentIdx(u32::try_from(self.list.len() - 1).expect("fewer agents than 2^32"))
            }
        };
        self.by_id.insert(id.clone(), idx);
        idx
    }

    /// Counts one more use.
    pub(super) fn retain(&mut self, idx: AgentIdx) {
        self.list[idx.0 as usize].as_mut().expect("a used agent exists").uses += 1;
    }

    /// Counts one use less; the last one forgets the agent.
    pub(super) fn release(&mut self, idx: AgentIdx) {
        let place = &mut self.list[idx.0 as usize];
        let agent = place.as_mut().expect("a used agent exists");
        assert!(agent.uses > 0, "an agent is released as often as acquired");
        agent.uses -= 1;
        if agent.uses == 0 {
            let removed = self.by_id.remove(&agent.id);
            assert_eq!(removed, Some(idx), "the index knows each agent");
            *place = None;
            self.free.push(idx.0);
        }
    }

    /// The agent behind a stand-in.
    pub(super) fn get(&self, idx: AgentIdx) -> &Agent {
        self.list[idx.0 as usize].as_ref().expect("a used agent exists")
    }

    /// Agents in use.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_lives_as_long_as_its_uses() {
        let mut agents = Agents::default();
        let id = AgentId::from("S1");
        let idx = agents.acquire(&id, "host");
        assert_eq!(agents.acquire(&id, ""), idx);
        agents.release(idx);
        assert_eq!(&*agents.get(idx).host, "host");
        agents.release(idx);
        assert_eq!(agents.len(), 0);
        assert_eq!(agents.acquire(&AgentId::from("S2"), "other"), idx, "places are used again");
    }
}
