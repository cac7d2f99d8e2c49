//! Owns the oracle: rules and strategies in the plainest way, over all agents, offers and tasks, counting anew each time.

use std::collections::BTreeMap;

/// An agent: what rules go by.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) host: String,
    pub(crate) rack: Option<String>,
    /// Thousandths.
    pub(crate) speed: i64,
}

/// What is left of an open offer: thousandths of CPUs and MiB, and ports.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) cpus: i64,
    pub(crate) mem: i64,
    pub(crate) ports: Vec<u64>,
}

/// An app: what its tasks need and where they may be.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) rule: usize,
    pub(crate) strategy: usize,
    pub(crate) cpus: i64,
    pub(crate) ports: usize,
}

/// What every task needs of memory.
pub(crate) const MEM: i64 = 32_000;

/// Placement rules, as documents have them.
pub(crate) const RULES: [&str; 12] = [
    "[]",
    r#"[["hostname","UNIQUE"]]"#,
    r#"[["rack","GROUP_BY"]]"#,
    r#"[["rack","GROUP_BY","3"]]"#,
    r#"[["rack","MAX_PER","2"]]"#,
    r#"[["rack","LIKE","r[01]"]]"#,
    r#"[["rack","UNLIKE","r[01]"]]"#,
    r#"["rack == r1 OR hostname == s0.test"]"#,
    r#"["NOT (rack == r1)", "speed >= 2"]"#,
    r#"["rack MAX_PER 2 AND hostname UNIQUE"]"#,
    r#"["PREFER rack == r2 5", "PREFER speed > 1 3"]"#,
    r#"[["rack","MAX_PER","3"],["hostname","UNLIKE","s[12].*"]]"#,
];

/// Placement strategies, as documents have them.
pub(crate) const STRATEGIES: [&str; 5] = [
    r#"{"strategy":"spread"}"#,
    r#"{"strategy":"binpack"}"#,
    r#"{"strategy":"random"}"#,
    r#"{"strategy":"weighted","weights":{"cpus":2,"mem":0,"tasks":-1}}"#,
    r#"{"strategy":"weighted","weights":{"cpus":-1,"mem":0}}"#,
];

/// All that the oracle knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) agents: Vec<Agent>,
    pub(crate) open: BTreeMap<usize, Open>,
    pub(crate) apps: Vec<App>,
    /// App and agent of each task that can be reached.
    pub(crate) tasks: Vec<(usize, usize)>,
}

impl Oracle {
    /// Whether one more task of an app may go to the agent's offer.
    pub(crate) fn allows(&self, app: usize, agent: usize) -> bool {
        let Some(open) = self.open.get(&agent) else { return false };
        let wants = &self.apps[app];
        let fits = open.cpus >= wants.cpus && open.mem >= MEM && open.ports.len() >= wants.ports;
        fits && self.obeys(app, agent)
    }

    /// Tasks of an app on agents of which something holds.
    fn count(&self, app: usize, holds: impl Fn(&Agent) -> bool) -> usize {
        self.tasks.iter().filter(|&&(of, at)| of == app && holds(&self.agents[at])).count()
    }

    fn obeys(&self, app: usize, at: usize) -> bool {
        let agent = &self.agents[at];
        let unique = || self.count(app, |other| other.host == agent.host) == 0;
        let rack = agent.rack.as_deref();
        let in_rack = || self.count(app, |other| other.rack.as_deref() == rack);
        match self.apps[app].rule {
            0 | 10 => true,
            1 => unique(),
            2 => rack.is_some() && self.balanced(app, at, 1),
            3 => rack.is_some() && self.balanced(app, at, 3),
            4 => rack.is_some() && in_rack() < 2,
            5 => matches!(rack, Some("r0" | "r1")),
            6 => !matches!(rack, Some("r0" | "r1")),
            7 => rack == Some("r1") || agent.host == "s0.test",
            8 => rack != Some("r1") && agent.speed >= 2000,
            9 => rack.is_some() && in_rack() < 2 && unique(),
            11 => rack.is_some() && in_rack() < 3 && at != 1 && at != 2,
            other => panic!("no rule {other}"),
        }
    }

    /// A rack without tasks will do; one with tasks only if none has fewer, and so many racks have some.
    fn balanced(&self, app: usize, at: usize, racks_min: usize) -> bool {
        let mut racks: BTreeMap<&str, usize> = BTreeMap::new();
        for &(of, at) in &self.tasks {
            if let Some(rack) = self.agents[at].rack.as_deref().filter(|_| of == app) {
                *racks.entry(rack).or_default() += 1;
            }
        }
        let rack = self.agents[at].rack.as_deref().expect("checked before");
        let Some(own) = racks.get(rack) else { return true };
        racks.len() >= racks_min && racks.values().all(|count| count >= own)
    }

    /// How good an agent is for one more task: the highest is the best. Ties may go either way.
    fn worth(&self, app: usize, at: usize) -> (i64, i64) {
        let agent = &self.agents[at];
        let open = &self.open[&at];
        let preferred = match self.apps[app].rule {
            10 => 5 * i64::from(agent.rack.as_deref() == Some("r2")) + 3 * i64::from(agent.speed > 1000),
            _ => 0,
        };
        let own = self.tasks.iter().filter(|&&task| task == (app, at)).count() as i64;
        let by_strategy = match self.apps[app].strategy {
            0 => -own,
            1 => -(open.cpus + open.mem),
            2 => 0,
            3 => 2 * open.cpus - 1000 * own,
            4 => -open.cpus,
            other => panic!("no strategy {other}"),
        };
        (preferred, by_strategy)
    }

    /// A task of an app was placed on an agent: it was allowed, and none was better.
    pub(crate) fn place(&mut self, app: usize, at: usize) {
        assert!(self.allows(app, at), "app {app} may not go to agent {at}: {self:#?}");
        let worth = self.worth(app, at);
        for other in self.open.keys().copied().filter(|&other| self.allows(app, other)) {
            assert!(
                self.worth(app, other) <= worth,
                "app {app} should rather go to agent {other} than to {at}: {self:#?}"
            );
        }
        let open = self.open.get_mut(&at).expect("it was allowed");
        open.cpus -= self.apps[app].cpus;
        open.mem -= MEM;
        open.ports.drain(..self.apps[app].ports);
        self.tasks.push((app, at));
    }

    /// A task is over or out of reach.
    pub(crate) fn forget(&mut self, app: usize, at: usize) {
        let place = self.tasks.iter().position(|&task| task == (app, at)).expect("it was placed");
        self.tasks.remove(place);
    }
}
