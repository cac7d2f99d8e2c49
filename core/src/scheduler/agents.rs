//! Owns what is known of agents: who they are, what their operators say of them, what they offered last; kept while
//! tasks or offers refer to them, and for a while after.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::apps::AppIdx;
use super::avoid::BlackHole;
use super::groups::{ColumnIdx, Groups};
use super::maintenance::Outage;
use super::room::Room;
use crate::constraint::{Host, Key, Matcher, Resource, Value};
use crate::limits::{AGENT_LIFETIME, AGENTS_IDLE_MAX, AGENTS_SWEPT_PER_STEP};
use crate::mesos::{AgentFacts, AgentId, AttributeValue, Offer};
use crate::time::{ClusterTime, Instant};

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
    /// What is said of it.
    pub(super) facts: Arc<AgentFacts>,
    /// A planned outage, as last told.
    pub(super) outage: Option<Outage>,
    /// When Mesos asked last that tasks leave it.
    pub(super) asked: Option<ClusterTime>,
    /// What was free when it offered last, for the role it was offered to, less what was taken since.
    pub(super) offered: Option<(Arc<str>, Room)>,
    /// The app for which it is kept free (R66).
    pub(super) claimed_by: Option<AppIdx>,
    /// Tasks of several apps failed on it at once (R89).
    pub(super) black_hole: Option<Box<BlackHole>>,
    /// What has ended with it, as long as the brake counts that.
    pub(super) loss: Option<Loss>,
    /// Tasks on it.
    tasks: u32,
    /// Offers of it that are held.
    offers: u32,
    /// A record of it is, or is about to be, durable.
    pub(super) recorded: bool,
    /// Its record waits to be written.
    pub(super) dirty: bool,
    /// Some app's rules may have counted it.
    counted: bool,
    /// It is in the queue of those that may be forgotten.
    queued: bool,
    /// When it offered last to this process.
    heard: Option<Instant>,
}

/// Tasks that have ended with their agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Loss {
    /// When the last of them did.
    pub(super) at: ClusterTime,
    pub(super) tasks: u32,
}

/// All agents that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Agents {
    list: Vec<Option<Agent>>,
    free: Vec<u32>,
    by_id: BTreeMap<AgentId, AgentIdx>,
    /// Those that may be forgotten, each once; the one that waits longest is in front.
    idle: VecDeque<AgentIdx>,
    /// Those whose record may have to be written or to go; only who leads writes.
    changed: Vec<AgentIdx>,
    leading: bool,
    /// Grows whenever what rules have counted may be said of another agent, or of none, or by other numbers.
    pub(super) epoch: u64,
    /// What rules count by, in numbers.
    groups: Groups,
}

impl AgentIdx {
    /// Its place in the list of all agents.
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }
}

impl Agents {
    /// Finds or makes the agent and counts one more task on it.
    pub(super) fn acquire(&mut self, id: &AgentId, host: &str) -> AgentIdx {
        let idx = self.intern(id);
        let agent = self.at(idx);
        agent.tasks += 1;
        agent.counted = true;
        if &*agent.host != host && !host.is_empty() {
            agent.host = host.into();
            self.regroup(idx);
        }
        idx
    }

    /// Counts one more task.
    pub(super) fn retain(&mut self, idx: AgentIdx) {
        let agent = self.at(idx);
        agent.tasks += 1;
        agent.counted = true;
        if agent.tasks == 1 {
            self.touch(idx);
        }
    }

    /// Counts one task less.
    pub(super) fn release(&mut self, idx: AgentIdx) {
        let agent = self.at(idx);
        assert!(agent.tasks > 0, "an agent is released as often as acquired");
        agent.tasks -= 1;
        if agent.tasks == 0 {
            if agent.recorded {
                self.touch(idx);
            }
            self.rest(idx);
        }
    }

    /// Finds or makes the agent of an offer that is held from now on, and takes in what the offer tells of it.
    pub(super) fn hold(&mut self, offer: &Offer, role: &Arc<str>, room: &Room, now: Instant) -> AgentIdx {
        let idx = self.intern(&offer.agent_id);
        let agent = self.at(idx);
        agent.offers += 1;
        agent.heard = Some(now);
        agent.outage = offer.unavailability.map(Outage::of);
        agent.asked = agent.asked.filter(|_| agent.outage.is_some());
        agent.offered = Some((role.clone(), room.clone()));
        let same = agent.is_as(&offer.agent);
        agent.facts = offer.agent.clone();
        if !same {
            if !offer.agent.hostname.is_empty() {
                agent.host = offer.agent.hostname.as_str().into();
            }
            self.epoch += u64::from(self.get(idx).counted);
            self.regroup(idx);
        }
        if !same || !self.at(idx).recorded {
            self.touch(idx);
        }
        idx
    }

    /// One held offer less; `room` is what it left free.
    pub(super) fn unhold(&mut self, idx: AgentIdx, left: Option<(Arc<str>, Room)>) {
        let agent = self.at(idx);
        assert!(agent.offers > 0, "an offer is let go as often as held");
        agent.offers -= 1;
        if left.is_some() {
            agent.offered = left;
        }
        self.rest(idx);
    }

    /// Keeps the agent free for an app, or for none any more.
    pub(super) fn claim(&mut self, idx: AgentIdx, app: Option<AppIdx>) {
        self.at(idx).claimed_by = app;
        self.rest(idx);
    }

    /// Takes in an agent's record.
    pub(super) fn follow(&mut self, id: &AgentId, host: &str, facts: AgentFacts) {
        let idx = self.intern(id);
        let agent = self.at(idx);
        agent.host = host.into();
        agent.facts = facts.into();
        agent.recorded = true;
        self.regroup(idx);
    }

    /// Takes in what an agent's record tells of tasks that have ended with it.
    pub(super) fn follow_loss(&mut self, id: &AgentId, loss: Option<Loss>) {
        let idx = self.intern(id);
        self.at(idx).loss = loss;
    }

    /// The record of an agent is gone.
    pub(super) fn follow_gone(&mut self, id: &str) {
        if let Some(&idx) = self.by_id.get(id) {
            let agent = self.at(idx);
            (agent.recorded, agent.loss) = (false, None);
            self.rest(idx);
        }
    }

    /// A task has ended with its agent.
    pub(super) fn lose(&mut self, idx: AgentIdx, at: ClusterTime) {
        let agent = self.at(idx);
        let loss = agent.loss.get_or_insert_default();
        *loss = Loss { at: loss.at.max(at), tasks: loss.tasks.saturating_add(1) };
        self.touch(idx);
    }

    /// What has ended with an agent counts no more.
    pub(super) fn forgive(&mut self, id: &AgentId) {
        if let Some(&idx) = self.by_id.get(id)
            && self.at(idx).loss.take().is_some()
        {
            self.touch(idx);
            self.rest(idx);
        }
    }

    /// What has ended with each agent.
    pub(super) fn losses(&self) -> impl Iterator<Item = (&AgentId, Loss)> {
        self.list.iter().flatten().filter_map(|agent| Some((&agent.id, agent.loss?)))
    }

    /// Those whose record must change, each once.
    pub(super) fn take_changed(&mut self) -> Vec<AgentIdx> {
        let mut changed = core::mem::take(&mut self.changed);
        changed.retain(|&idx| {
            let Some(agent) = self.list[idx.0 as usize].as_mut() else { return false };
            let due = !agent.dirty && (agent.is_kept() || agent.recorded);
            agent.dirty |= due;
            due
        });
        changed
    }

    /// The record is being written: whether there is one, as opposed to one that goes.
    pub(super) fn written(&mut self, idx: AgentIdx) -> bool {
        let agent = self.at(idx);
        agent.dirty = false;
        agent.recorded = agent.is_kept();
        let recorded = agent.recorded;
        self.rest(idx);
        recorded
    }

    /// Looks over all once, when leading begins: records that outlived the tasks go.
    pub(super) fn resume(&mut self) {
        self.leading = true;
        let all = (0..u32::try_from(self.list.len()).expect("fewer agents than 2^32")).map(AgentIdx);
        self.changed = all
            .filter(|&idx| {
                let agent = self.list[idx.0 as usize].as_ref();
                agent.is_some_and(|agent| agent.recorded && !agent.is_kept())
            })
            .collect();
    }

    /// Forgets some of those that nothing refers to: after a while, or for lack of room.
    pub(super) fn sweep(&mut self, now: Instant) {
        for _ in 0..AGENTS_SWEPT_PER_STEP {
            let Some(&idx) = self.idle.front() else { return };
            let crowded = self.idle.len() > AGENTS_IDLE_MAX;
            let agent = self.list[idx.0 as usize].as_ref().expect("queued agents exist");
            let fresh = agent.heard.is_some_and(|at| now.since(at) < AGENT_LIFETIME);
            if agent.is_free() && fresh && !crowded {
                return;
            }
            self.idle.pop_front();
            self.at(idx).queued = false;
            if self.get(idx).is_free() {
                self.forget(idx);
            }
        }
    }

    /// The agent behind a stand-in.
    pub(super) fn get(&self, idx: AgentIdx) -> &Agent {
        self.list[idx.0 as usize].as_ref().expect("a used agent exists")
    }

    /// The agent behind a stand-in.
    pub(super) fn get_mut(&mut self, idx: AgentIdx) -> &mut Agent {
        self.at(idx)
    }

    /// The agent, unless it was forgotten.
    pub(super) fn find(&self, id: &str) -> Option<AgentIdx> {
        self.by_id.get(id).copied()
    }

    /// Agents that are known, by id.
    pub(super) fn from<'a>(&'a self, from: &str) -> impl Iterator<Item = (AgentIdx, &'a Agent)> + use<'a> {
        use core::ops::Bound;
        self.by_id
            .range::<str, _>((Bound::Included(from), Bound::Unbounded))
            .map(|(_, &idx)| (idx, self.get(idx)))
    }

    /// Agents known.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    fn at(&mut self, idx: AgentIdx) -> &mut Agent {
        self.list[idx.0 as usize].as_mut().expect("a used agent exists")
    }

    fn intern(&mut self, id: &AgentId) -> AgentIdx {
        if let Some(&idx) = self.by_id.get(id) {
            return idx;
        }
        let agent = Agent::new(id.clone());
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
        self.regroup(idx);
        idx
    }

    /// The columns of what the rules count by. The numbers may be given anew, so the epoch is to be read afterwards.
    pub(super) fn columns(&mut self, matcher: &Matcher) -> Vec<ColumnIdx> {
        if self.groups.are_crowded(self.list.len()) {
            self.groups = Groups::default();
            self.epoch += 1;
        }
        let all = || self.list.iter().map(|agent| agent.as_ref().map(Agent::as_candidate));
        matcher.counters().iter().map(|key| self.groups.column(key, all())).collect()
    }

    /// The numbers of what rules count by.
    pub(super) const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Rules may count it otherwise.
    fn regroup(&mut self, idx: AgentIdx) {
        let agent = self.list[idx.place()].as_ref().expect("a used agent exists");
        self.groups.tell(idx.place(), &agent.as_candidate());
    }

    /// Its record may have to change.
    fn touch(&mut self, idx: AgentIdx) {
        let agent = self.get(idx);
        if self.leading && !agent.dirty && (agent.is_kept() || agent.recorded) {
            self.changed.push(idx);
        }
    }

    /// What nothing refers to any more waits to be forgotten; what never offered is not worth the wait.
    fn rest(&mut self, idx: AgentIdx) {
        let agent = self.at(idx);
        if !agent.is_free() || agent.queued {
            return;
        }
        if agent.heard.is_none() {
            self.forget(idx);
            return;
        }
        agent.queued = true;
        self.idle.push_back(idx);
    }

    fn forget(&mut self, idx: AgentIdx) {
        let agent = self.list[idx.0 as usize].take().expect("a known agent is forgotten once");
        let removed = self.by_id.remove(&agent.id);
        assert_eq!(removed, Some(idx), "the index knows each agent");
        self.epoch += u64::from(agent.counted);
        self.free.push(idx.0);
    }
}

impl Agent {
    fn new(id: AgentId) -> Self {
        Self {
            id,
            host: "".into(),
            facts: Arc::default(),
            outage: None,
            asked: None,
            offered: None,
            claimed_by: None,
            black_hole: None,
            loss: None,
            tasks: 0,
            offers: 0,
            recorded: false,
            dirty: false,
            counted: false,
            queued: false,
            heard: None,
        }
    }

    /// Whether all that is said of it, as far as rules go by that, is known; mostly it is what its last offer said.
    fn is_as(&self, told: &Arc<AgentFacts>) -> bool {
        let known = &self.facts;
        Arc::ptr_eq(known, told)
            || known.attributes == told.attributes
                && known.domain == told.domain
                && known.ip() == told.ip()
                && (*self.host == *told.hostname || told.hostname.is_empty())
    }

    /// Nothing refers to it.
    const fn is_free(&self) -> bool {
        !self.is_kept() && self.offers == 0 && !self.recorded && !self.dirty && self.claimed_by.is_none()
    }

    /// It is worth a record.
    const fn is_kept(&self) -> bool {
        self.tasks > 0 || self.loss.is_some()
    }

    /// As rules count it: whatever is free at the time is no part of that.
    pub(super) const fn as_candidate(&self) -> Candidate<'_> {
        Candidate { agent: self, room: None }
    }

    /// Tasks on it.
    pub(super) const fn tasks(&self) -> u32 {
        self.tasks
    }

    /// Whether its record is, or is about to be, durable.
    pub(super) const fn has_record(&self) -> bool {
        self.is_kept() && (self.recorded || self.dirty)
    }
}

/// An agent with what it offers, as rules see it.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) agent: &'a Agent,
    /// `None` where rules only count, which must not depend on what is free at the time.
    pub(super) room: Option<&'a Room>,
}

impl Host for Candidate<'_> {
    type Group = String;

    fn group(&self, _: usize, key: &Key) -> Option<String> {
        self.value(key).map(Value::text)
    }

    fn value(&self, key: &Key) -> Option<Value<'_>> {
        self.known(key)
    }
}

impl<'a> Candidate<'a> {
    /// What it has under `key`.
    pub(super) fn known(&self, key: &Key) -> Option<Value<'a>> {
        let facts = &self.agent.facts;
        Some(match key {
            Key::Hostname => Value::Text(&self.agent.host),
            Key::AgentId => Value::Text(self.agent.id.as_str()),
            Key::Ip => Value::Text(facts.ip()?),
            Key::Region => Value::Text(&facts.domain.as_ref()?.region),
            Key::Zone => Value::Text(&facts.domain.as_ref()?.zone),
            Key::Attribute(name) => {
                let first = facts.attributes.iter().find(|attribute| attribute.name == *name)?;
                match &first.value {
                    AttributeValue::Text(text) => Value::Text(text),
                    AttributeValue::Scalar(milli) => Value::Scalar(*milli),
                    AttributeValue::Ranges(ranges) => Value::Ranges(ranges),
                    AttributeValue::Set(items) => Value::Set(items),
                }
            }
            Key::Resource(resource) => {
                let room = self.room?;
                Value::Scalar(match resource {
                    Resource::Cpus => room.total.cpus,
                    Resource::Mem => room.total.mem,
                    Resource::Disk => room.total.disk,
                    Resource::Gpus => room.total.gpus,
                    Resource::Ports => i64::from(room.ports) * 1000,
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::{Address, Attribute};
    use crate::time::Millis;

    fn offer(agent: &str, rack: &str) -> Offer {
        Offer {
            id: "O1".into(),
            framework_id: "F".into(),
            agent_id: agent.into(),
            agent: AgentFacts {
                hostname: "node1".into(),
                address: None,
                domain: None,
                attributes: alloc::vec![Attribute {
                    name: "rack".into(),
                    value: AttributeValue::Text(rack.into())
                }],
            }
            .into(),
            resources: Vec::new(),
            role: None,
            unavailability: None,
            executor_ids: Vec::new(),
        }
    }

    fn hold(agents: &mut Agents, offer: &Offer, at: u64) -> AgentIdx {
        agents.hold(offer, &"*".into(), &Room::default(), Instant(at))
    }

    #[test]
    fn an_agent_that_never_offered_lives_as_long_as_its_tasks() {
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

    #[test]
    fn an_agent_that_offered_is_remembered_for_a_while() {
        let mut agents = Agents::default();
        let idx = hold(&mut agents, &offer("S1", "r1"), 0);
        agents.unhold(idx, None);
        agents.sweep(Instant(0) + Millis(AGENT_LIFETIME.0 - 1));
        assert_eq!(agents.len(), 1);
        hold(&mut agents, &offer("S1", "r1"), 1000);
        agents.sweep(Instant(0) + AGENT_LIFETIME);
        assert_eq!(agents.len(), 1, "an offer of it is held");
        agents.unhold(idx, None);
        agents.sweep(Instant(1000) + AGENT_LIFETIME);
        assert_eq!(agents.len(), 0);
    }

    #[test]
    fn only_so_many_idle_agents_are_remembered() {
        let mut agents = Agents::default();
        for n in 0..AGENTS_IDLE_MAX + 5 {
            let idx = hold(&mut agents, &offer(&alloc::format!("S{n}"), "r1"), 0);
            agents.unhold(idx, None);
        }
        agents.sweep(Instant(0));
        assert_eq!(agents.len(), AGENTS_IDLE_MAX);
        assert_eq!(agents.find("S0"), None, "the one that waits longest goes first");
    }

    #[test]
    fn a_record_is_due_with_the_first_task_with_news_and_after_the_last_task() {
        let mut agents = Agents::default();
        agents.resume();
        let idx = hold(&mut agents, &offer("S1", "r1"), 0);
        assert_eq!(agents.take_changed(), [], "nothing runs there");
        agents.retain(idx);
        agents.retain(idx);
        assert_eq!(agents.take_changed(), [idx]);
        assert!(agents.written(idx));
        hold(&mut agents, &offer("S1", "r1"), 0);
        assert_eq!(agents.take_changed(), [], "no news");
        let epoch = agents.epoch;
        hold(&mut agents, &offer("S1", "r2"), 0);
        assert_eq!(agents.take_changed(), [idx]);
        assert!(agents.epoch > epoch, "what was counted must be counted again");
        let epoch = agents.epoch;
        hold(&mut agents, &offer("S2", "r2"), 0);
        assert_eq!(agents.epoch, epoch, "no rule has counted a new agent");
        assert!(agents.written(idx));
        agents.release(idx);
        assert_eq!(agents.take_changed(), []);
        agents.release(idx);
        assert_eq!(agents.take_changed(), [idx]);
        assert!(!agents.written(idx), "the record goes");
        assert_eq!(agents.take_changed(), []);
    }

    #[test]
    fn a_record_may_come_before_or_after_the_tasks() {
        for record_first in [true, false] {
            let mut agents = Agents::default();
            let id = AgentId::from("S1");
            let address = Some(Address { ip: Some("10.0.0.1".into()), ..Address::default() });
            let facts = AgentFacts { address, ..AgentFacts::default() };
            if record_first {
                agents.follow(&id, "node1", facts.clone());
            }
            let idx = agents.acquire(&id, "node1");
            if !record_first {
                agents.follow(&id, "node1", facts.clone());
            }
            assert_eq!(*agents.get(idx).facts, facts);
            agents.resume();
            assert_eq!(agents.take_changed(), []);
            agents.follow_gone("S1");
            agents.release(idx);
            assert_eq!(agents.len(), 0);
        }
    }

    #[test]
    fn a_record_without_tasks_goes_when_leading_begins() {
        let mut agents = Agents::default();
        agents.follow(&"S1".into(), "node1", AgentFacts::default());
        agents.resume();
        let changed = agents.take_changed();
        assert_eq!(changed.len(), 1);
        assert!(!agents.written(changed[0]));
        assert_eq!(agents.len(), 0);
    }
}
