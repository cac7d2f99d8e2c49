//! Owns the naive check of a placement: nothing overcommitted, no port twice, no id twice, every slot once.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::mesos::{AgentId, ResourceValue};

use crate::rig::{Accepted, Agent, PORTS};

/// Panics if the placement is wrong.
pub(crate) fn check(agents: &[Agent], accepted: &[Accepted], total: u64) {
    let mut left: BTreeMap<&AgentId, (i64, i64)> = agents.iter().map(|a| (&a.id, (a.cpus, a.mem))).collect();
    let mut ports = BTreeSet::new();
    let mut offers = BTreeSet::new();
    let mut tasks = BTreeSet::new();
    let mut slots = BTreeSet::new();
    for (offer, launches) in accepted {
        assert!(offers.insert(offer), "an offer is accepted once");
        for launch in launches {
            assert!(tasks.insert(launch.task.as_str()), "a task id is used once");
            assert!(slots.insert((launch.template.app.as_str(), launch.slot)), "a slot gets one task");
            let (cpus, mem) = left.get_mut(&launch.agent).expect("a known agent");
            for resource in &launch.resources {
                match (&*resource.name, &resource.value) {
                    ("cpus", ResourceValue::Scalar(milli)) => *cpus -= milli,
                    ("mem", ResourceValue::Scalar(milli)) => *mem -= milli,
                    ("ports", ResourceValue::Ranges(taken)) => {
                        for port in taken.iter().flat_map(|&(begin, end)| begin..=end) {
                            assert!((PORTS.0..=PORTS.1).contains(&port), "a port was offered");
                            assert!(ports.insert((&launch.agent, port)), "a port is used once on an agent");
                        }
                    }
                    other => panic!("a claim nobody asked for: {other:?}"),
                }
            }
            assert!(*cpus >= 0 && *mem >= 0, "an agent is not overcommitted");
            assert_eq!(launch.ports.len(), 2, "both ports were claimed");
        }
    }
    assert_eq!(slots.len() as u64, total, "every slot was placed");
}
