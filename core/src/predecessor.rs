//! Owns the question that comes before a first subscription: whether a framework of this journal still holds something.
//!
//! A journal that is lost looks like one that never was. The framework that wrote it, which the master still has, tells
//! the two apart (S14).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::PREDECESSORS_MAX;
use crate::mesos::{FrameworkId, FrameworkInfo, ListedFramework, Resource, ResourceValue};

/// The label of a framework that says where its journal is kept.
pub const JOURNAL_LABEL: &str = "swan.journal";

/// A framework of the same name and journal that still holds something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predecessor {
    /// Its id.
    pub id: FrameworkId,
    /// A scheduler is connected as this framework, or the master has not noticed yet that none is.
    pub connected: bool,
    /// Thousandths.
    pub cpus: u64,
    /// MiB, in thousandths.
    pub mem: u64,
    /// MiB, in thousandths.
    pub disk: u64,
    /// Thousandths.
    pub gpus: u64,
}

impl fmt::Display for Predecessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, cpus, mem, .. } = self;
        write!(f, "{id} ({}.{:03} cpus, {} MiB)", cpus / 1000, cpus % 1000, mem / 1000)
    }
}

impl Predecessor {
    fn of(listed: &ListedFramework) -> Self {
        let sum = |name: &str| {
            let of_name = |resource: &&Resource| resource.has_name(name);
            let amount = |resource: &Resource| match resource.value {
                ResourceValue::Scalar(amount) => u64::try_from(amount).unwrap_or(0),
                ResourceValue::Ranges(_) | ResourceValue::Set(_) => 0,
            };
            let amounts = listed.allocated.iter().filter(of_name).map(amount);
            amounts.fold(0, u64::saturating_add)
        };
        let (cpus, mem, disk, gpus) = (sum("cpus"), sum("mem"), sum("disk"), sum("gpus"));
        Self { id: listed.id.clone(), connected: listed.connected, cpus, mem, disk, gpus }
    }
}

/// The journal that a framework says is its own.
pub(crate) fn journal_of(labels: &[(String, Option<String>)]) -> Option<&str> {
    let own = labels.iter().find(|(key, _)| key == JOURNAL_LABEL);
    own.and_then(|(_, value)| value.as_deref()).filter(|journal| !journal.is_empty())
}

/// Those of the frameworks that a master lists whose memory this journal should be; the first few. One that a new master
/// knows only from its agents counts, whatever they have told so far.
pub(crate) fn predecessors(own: &FrameworkInfo, listed: &[ListedFramework]) -> Vec<Predecessor> {
    let Some(journal) = journal_of(&own.labels) else { return Vec::new() };
    let ours = |it: &&ListedFramework| it.name == own.name && journal_of(&it.labels) == Some(journal);
    let holds = |it: &&ListedFramework| it.recovered || !it.allocated.is_empty();
    listed.iter().filter(ours).filter(holds).take(PREDECESSORS_MAX).map(Predecessor::of).collect()
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn labelled(journal: &str) -> Vec<(String, Option<String>)> {
        vec![("team".into(), None), (JOURNAL_LABEL.into(), Some(journal.into()))]
    }

    fn listed(id: &str) -> ListedFramework {
        ListedFramework {
            id: id.into(),
            name: "swan".into(),
            labels: labelled("file:/a"),
            connected: false,
            recovered: false,
            allocated: vec![
                Resource::scalar("cpus", 1500),
                Resource::scalar("mem", 64_000).allocated_to("a"),
                Resource::scalar("cpus", 500),
                Resource::ranges("ports", vec![(1, 2)]),
            ],
        }
    }

    #[test]
    fn s14_a_predecessor_has_our_name_and_journal_and_holds_something() {
        let own =
            FrameworkInfo { name: "swan".into(), labels: labelled("file:/a"), ..FrameworkInfo::default() };
        let nothing = Vec::new();
        let all = [
            ListedFramework { name: "marathon".into(), ..listed("F0") },
            ListedFramework { labels: labelled("file:/b"), ..listed("F1") },
            ListedFramework { labels: Vec::new(), ..listed("F2") },
            ListedFramework { allocated: nothing.clone(), ..listed("F3") },
            ListedFramework { recovered: true, allocated: nothing, ..listed("F4") },
            listed("F5"),
        ];
        let found = predecessors(&own, &all);
        assert_eq!(found.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["F4", "F5"]);
        assert_eq!(found[1].to_string(), "F5 (2.000 cpus, 64 MiB)");
        let many: Vec<_> = (0..PREDECESSORS_MAX + 5).map(|_| listed("F")).collect();
        assert_eq!(predecessors(&own, &many).len(), PREDECESSORS_MAX);
        assert_eq!(predecessors(&FrameworkInfo { labels: Vec::new(), ..own }, &all), []);
    }
}
