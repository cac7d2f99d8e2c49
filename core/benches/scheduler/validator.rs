//! Owns the naive check of a placement: nothing overcommitted, no port twice, no id twice, every slot once.

use std::collections::{BTreeMap, HashSet};

use swan_core::mesos::{AgentId, OfferId, ResourceValue, TaskId};
use swan_core::scheduler::launch::Launch;

use crate::rig::{Agent, PORTS};

/// What was seen of a placement.
#[derive(Default)]
pub(crate) struct Validator {
    left: BTreeMap<AgentId, Left>,
    offers: HashSet<OfferId>,
    tasks: HashSet<TaskId>,
    slots: HashSet<(String, u32)>,
}

/// What is left of an agent.
struct Left {
    cpus: i64,
    mem: i64,
    ports: HashSet<u64>,
}

impl Validator {
    pub(crate) fn new(agents: &[Agent]) -> Self {
        let left = |agent: &Agent| Left { cpus: agent.cpus, mem: agent.mem, ports: HashSet::new() };
        Self { left: agents.iter().map(|agent| (agent.id.clone(), left(agent))).collect(), ..Self::default() }
    }

    /// Sees an accepted offer; panics if it is wrong.
    pub(crate) fn see(&mut self, offer: &OfferId, launches: &[Launch]) {
        assert!(self.offers.insert(offer.clone()), "an offer is accepted once");
        for launch in launches {
            assert!(self.tasks.insert(launch.task.clone()), "a task id is used once");
            assert!(self.slots.insert((launch.template.app.clone(), launch.slot)), "a slot gets one task");
            assert_eq!(launch.ports.len(), 2, "both ports were claimed");
            self.left.get_mut(&launch.agent).expect("a known agent").take(launch);
        }
    }

    /// Panics unless so many slots were placed.
    pub(crate) fn check(&self, total: u64) {
        assert_eq!(self.slots.len() as u64, total, "every slot was placed");
    }
}

impl Left {
    fn take(&mut self, launch: &Launch) {
        for resource in launch.resources() {
            match (&*resource.name, resource.value) {
                ("cpus", ResourceValue::Scalar(milli)) => self.cpus -= milli,
                ("mem", ResourceValue::Scalar(milli)) => self.mem -= milli,
                ("ports", ResourceValue::Ranges(taken)) => {
                    for port in taken.iter().flat_map(|&(begin, end)| begin..=end) {
                        assert!((PORTS.0..=PORTS.1).contains(&port), "a port was offered");
                        assert!(self.ports.insert(port), "a port is used once on an agent");
                    }
                }
                other => panic!("a claim nobody asked for: {other:?}"),
            }
        }
        assert!(self.cpus >= 0 && self.mem >= 0, "an agent is not overcommitted");
    }
}
