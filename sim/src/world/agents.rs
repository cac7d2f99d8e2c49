//! Owns the agents: which there are, which are away and for how long, and what their operators plan.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::mesos::{
    AgentId, Attribute, AttributeValue, DomainInfo, Labels, Reservation, Resource, Unavailability,
};

use super::executors::Turn;
use super::faults::Sequel;
use super::{Happening, WALL_START, World};
use crate::chance::Site;
use crate::draws::Draws;
use crate::mesos::{AgentSpec, ClusterInput, CutOff, OperatorCall, RequestNo};
use crate::rules::Place;

/// A role for which a part of some agents is reserved (M11).
pub(super) const SECOND_ROLE: &str = "apps";
/// The fault domain that all agents are in.
pub(super) const REGION: &str = "here";
/// Answers to operators are of no interest.
const OPERATOR: RequestNo = RequestNo(0);
/// How wrong an agent's clock may be, either way.
const SKEW_MAX_MS: u64 = 3_600_000;
/// A flapping agent goes and comes back so often.
const FLAPS: u64 = 10;
/// Agents stand in so many racks.
const RACKS: u32 = 3;
/// For how long racks are cut off, ms: the master gives an agent up after 75 s.
const CUT_OFF_MS: (u64, u64) = (90_000, 600_000);

/// How an agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Up,
    Crashed,
    Partitioned,
    /// For ever.
    Gone,
}

/// All agents ever.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    all: Vec<(AgentId, Standing)>,
    places: BTreeMap<AgentId, Place>,
    /// What the one that joins next is like.
    joining: Option<Place>,
    numbers: BTreeMap<AgentId, u32>,
    /// Those that have not told their attributes yet.
    untold: BTreeSet<AgentId>,
    named: u32,
}

impl Agents {
    pub(super) const fn new() -> Self {
        Self {
            all: Vec::new(),
            places: BTreeMap::new(),
            joining: None,
            numbers: BTreeMap::new(),
            untold: BTreeSet::new(),
            named: 0,
        }
    }

    /// The cluster has given a new agent its id.
    fn joined(&mut self, agent: AgentId) {
        self.places.extend(self.joining.take().map(|place| (agent.clone(), place)));
        self.all.push((agent, Standing::Up));
    }

    /// What those are like that are up.
    pub(super) fn places(&self) -> Vec<Place> {
        let up = self.all.iter().filter(|(_, it)| *it == Standing::Up);
        up.filter_map(|(agent, _)| self.places.get(agent).cloned()).collect()
    }

    pub(super) fn up(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|&at| self.all[at].1 == Standing::Up).collect()
    }

    /// One that the operator has not given up, unless it is the last that is up.
    fn pick_any(&self, draws: &mut Draws) -> Option<usize> {
        let all = (0..self.all.len()).filter(|&at| self.all[at].1 != Standing::Gone);
        let all: Vec<u64> = all.map(|at| at as u64).collect();
        let at = draws.one_of("agent", &all)? as usize;
        (self.up().len() > 1 || self.all[at].1 != Standing::Up).then_some(at)
    }

    /// One of those that are up, unless it is the last.
    fn pick(&self, draws: &mut Draws) -> Option<usize> {
        if self.up().len() < 2 { None } else { self.any(draws) }
    }

    fn any(&self, draws: &mut Draws) -> Option<usize> {
        let up: Vec<u64> = self.up().into_iter().map(|at| at as u64).collect();
        draws.one_of("agent", &up).map(|at| at as usize)
    }

    /// One of all those that are up.
    pub(super) fn any_id(&self, draws: &mut Draws) -> Option<AgentId> {
        self.any(draws).map(|at| self.all[at].0.clone())
    }
}

/// What the agent of this number is like: three racks, two zones, four sizes. If there is a `second_role`, half of every
/// other agent is reserved for it.
fn spec(number: u32, second_role: bool) -> AgentSpec {
    let text = |name: &str, text: String| Attribute { name: name.into(), value: AttributeValue::Text(text) };
    let disks = if number.is_multiple_of(2) { vec!["hdd".into(), "ssd".into()] } else { vec!["hdd".into()] };
    AgentSpec {
        hostname: format!("agent{number}.test"),
        ip: format!("10.0.{}.{}", number / 250, number % 250 + 1),
        port: 5051,
        resources: if second_role && number.is_multiple_of(2) { half_reserved() } else { resources() },
        attributes: vec![
            text("rack", format!("r{}", number % RACKS + 1)),
            Attribute {
                name: "size".into(),
                value: AttributeValue::Scalar(i64::from(number % 4 + 1) * 1000),
            },
            Attribute { name: "disks".into(), value: AttributeValue::Set(disks) },
        ],
        domain: Some(DomainInfo { region: REGION.into(), zone: format!("z{}", number % 2 + 1) }),
        ..AgentSpec::default()
    }
}

fn resources() -> Vec<Resource> {
    vec![
        Resource::scalar("cpus", 16_000),
        Resource::scalar("mem", 16_384_000),
        Resource::scalar("disk", 100_000_000),
        Resource::ranges("ports", vec![(31_000, 31_099)]),
    ]
}

fn half_reserved() -> Vec<Resource> {
    let part = |low: u64| {
        vec![
            Resource::scalar("cpus", 8_000),
            Resource::scalar("mem", 8_192_000),
            Resource::scalar("disk", 50_000_000),
            Resource::ranges("ports", vec![(low, low + 49)]),
        ]
    };
    let role = SECOND_ROLE.into();
    let reservation = Reservation { role, dynamic: false, principal: None, labels: Labels::default() };
    let reserved = part(31_050).into_iter();
    let reserved = reserved.map(|resource| Resource { reservations: vec![reservation.clone()], ..resource });
    part(31_000).into_iter().chain(reserved).collect()
}

fn place(spec: &AgentSpec) -> Place {
    let zone = spec.domain.as_ref().map(|domain| domain.zone.as_str());
    Place::new(&spec.hostname, zone, &spec.attributes)
}

impl World {
    /// A new agent registers.
    pub(super) fn join_agent(&mut self) {
        self.agents.named += 1;
        self.join_host(self.agents.named);
    }

    /// The host of this number registers as a new agent.
    pub(super) fn join_host(&mut self, number: u32) {
        let mut spec = spec(number, self.options.masters.second_role);
        let untold = self.draws.chance(
            Site::NoAttributes,
            &spec.hostname,
            self.options.agent_faults.untold_attributes,
        );
        if untold {
            self.ledger.note("agent: attributes missing (M11)");
            spec.attributes.clear();
        }
        self.agents.joining = Some(place(&spec));
        self.cluster_step(ClusterInput::AgentJoin(Box::new(spec)));
        let Some((agent, _)) = self.agents.all.last() else { return };
        self.agents.numbers.insert(agent.clone(), number);
        if untold {
            self.agents.untold.insert(agent.clone());
        }
    }

    /// An agent that starts again now tells its attributes: additions are all that Mesos lets it change.
    fn tell_attributes(&mut self, agent: &AgentId) {
        if !self.agents.untold.remove(agent) {
            return;
        }
        let spec = spec(self.agents.numbers[agent], self.options.masters.second_role);
        self.agents.places.insert(agent.clone(), place(&spec));
        self.ledger.note("agent: attributes changed (M11)");
        let (agent, attributes) = (agent.clone(), spec.attributes);
        self.cluster_step(ClusterInput::AgentReconfigured { agent, attributes });
    }

    /// The cluster has given a new agent its id.
    pub(super) fn agent_joined(&mut self, agent: AgentId) {
        if self.draws.chance(Site::BlackHole, &agent, self.options.agent_faults.black_holes) {
            self.ledger.note("agent: black hole (A6)");
            self.executors.black_hole(agent.clone());
        }
        if self.draws.chance(Site::NothingStarts, &agent, self.options.agent_faults.hanging) {
            self.ledger.note("agent: nothing starts (A6)");
            self.executors.hang_on(agent.clone());
        }
        if self.draws.chance(Site::ClockSkewed, &agent, self.options.agent_faults.skewed_clocks) {
            self.ledger.note("agent: clock skewed (A7)");
            let by = self.draws.number("byMs", 0, 2 * SKEW_MAX_MS);
            self.network.skew_clock(agent.clone(), by as i64 - SKEW_MAX_MS as i64);
        }
        self.agents.joined(agent);
    }

    fn absence(&mut self) -> u64 {
        self.draws.number("awayMs", 500, self.options.agent_faults.away_ms.max(500))
    }

    /// One that is up, and for how long it will be away.
    fn pick_to_go(&mut self) -> Option<(usize, AgentId, u64)> {
        let at = self.agents.pick(&mut self.draws)?;
        Some((at, self.agents.all[at].0.clone(), self.absence()))
    }

    /// An agent's process dies; it comes back, or its host is gone and another joins.
    pub(super) fn crash_agent(&mut self) {
        let Some((at, agent, away)) = self.pick_to_go() else { return };
        let forever = self.draws.also("forEver", self.options.agent_faults.forever);
        self.disturbed(if forever { "agent: gone for ever (A1)" } else { "agent: crash (A1)" });
        self.agents.all[at].1 = if forever { Standing::Gone } else { Standing::Crashed };
        self.cluster_step(ClusterInput::AgentCrash { agent });
        let next = if forever { Sequel::AgentJoins } else { Sequel::AgentBack(at) };
        self.queue.push(self.now + away, Happening::Sequel(next));
    }

    /// An agent's host starts again: its tasks are gone, and it comes back as another agent.
    pub(super) fn reboot_agent(&mut self) {
        let Some((at, _, away)) = self.pick_to_go() else { return };
        self.disturbed("agent: reboot (A2)");
        self.reboot(at, away);
    }

    fn reboot(&mut self, at: usize, away: u64) {
        let agent = self.agents.all[at].0.clone();
        self.agents.all[at].1 = Standing::Gone;
        self.executors.lose(&agent);
        let number = self.agents.numbers[&agent];
        self.cluster_step(ClusterInput::AgentReboot { agent });
        self.queue.push(self.now + away, Happening::Sequel(Sequel::HostReturns(number)));
    }

    /// An agent and the master cannot talk for a while.
    pub(super) fn partition_agent(&mut self) {
        let Some((at, agent, away)) = self.pick_to_go() else { return };
        self.disturbed("agent: partition (A4)");
        let cut = match self.draws.number("cut", 0, 3) {
            0 | 1 => CutOff::Both,
            2 => CutOff::ToAgent,
            _ => CutOff::ToMaster,
        };
        if cut != CutOff::Both {
            self.ledger.note("agent: partition one way (A4)");
        }
        self.leave(at, Standing::Partitioned, ClusterInput::Partition { agent, cut }, away);
    }

    /// An agent leaves in order, and another joins later.
    pub(super) fn stop_agent(&mut self) {
        let Some((at, agent, away)) = self.pick_to_go() else { return };
        self.disturbed("agent: stop");
        self.agents.all[at].1 = Standing::Gone;
        self.cluster_step(ClusterInput::AgentStop { agent });
        self.queue.push(self.now + away, Happening::Sequel(Sequel::AgentJoins));
    }

    /// Many agents are lost at the same time, by a switch or by a power supply, and come back at the same time.
    pub(super) fn lose_many(&mut self) {
        let up = self.agents.up();
        let part = self.draws.number("percent", 20, 60) as usize;
        let most = up.len().saturating_sub(1).min((up.len() * part).div_ceil(100));
        let (by_switch, away) = (self.draws.also("partitioned", 500_000), self.absence());
        self.disturbed("agents: many lost at once (A5)");
        for at in up.into_iter().take(most) {
            self.lose(at, by_switch, away);
        }
    }

    /// A switch fails: all agents of one or two racks are cut off, for longer than the master has patience with them.
    pub(super) fn cut_racks(&mut self) {
        let up = self.agents.up();
        let first = self.draws.number("first", 0, u64::from(RACKS) - 1) as u32;
        let racks = self.draws.number("racks", 1, u64::from(RACKS) - 1) as u32;
        let away = self.draws.number("awayMs", CUT_OFF_MS.0, CUT_OFF_MS.1);
        let is_cut = |at: &usize| {
            let number = self.agents.numbers[&self.agents.all[*at].0];
            (number + RACKS - first) % RACKS < racks
        };
        let cut: Vec<usize> = up.iter().copied().filter(is_cut).collect();
        if cut.len() == up.len() {
            return;
        }
        self.disturbed("agents: racks cut off (A5)");
        for at in cut {
            self.lose(at, true, away);
        }
    }

    /// An agent cannot talk to the master for a while, or is not there.
    fn lose(&mut self, at: usize, by_switch: bool, away: u64) {
        let agent = self.agents.all[at].0.clone();
        if by_switch {
            let cut = CutOff::Both;
            self.leave(at, Standing::Partitioned, ClusterInput::Partition { agent, cut }, away);
        } else {
            self.leave(at, Standing::Crashed, ClusterInput::AgentCrash { agent }, away);
        }
    }

    fn leave(&mut self, at: usize, standing: Standing, input: ClusterInput, away: u64) {
        self.agents.all[at].1 = standing;
        self.cluster_step(input);
        self.queue.push(self.now + away, Happening::Sequel(Sequel::AgentBack(at)));
    }

    /// An operator takes one agent after another down for a while: its process, or its host.
    pub(super) fn roll_agents(&mut self) {
        let reboots = self.draws.also("reboots", 500_000);
        let (gap, away) =
            (self.draws.number("gapMs", 1_000, 60_000), self.draws.number("awayMs", 500, 60_000));
        self.disturbed("agents: one after another (A5)");
        for (nth, at) in (0..).zip(self.agents.up()) {
            let next = Sequel::AgentRolls { at, reboots, away };
            self.queue.push(self.now + 1 + nth * gap, Happening::Sequel(next));
        }
    }

    /// It is an agent's turn, unless something else has happened to it.
    pub(super) fn agent_rolls(&mut self, at: usize, reboots: bool, away: u64) {
        if self.agents.all[at].1 != Standing::Up || self.agents.up().len() < 2 {
            return;
        }
        self.ledger.note("agent: its turn (A5)");
        if reboots {
            self.reboot(at, away);
        } else {
            self.lose(at, false, away);
        }
    }

    /// An agent offers what it has not any more.
    pub(super) fn fill_agent(&mut self) {
        let Some(at) = self.agents.any(&mut self.draws) else { return };
        self.disturbed("agent: full, though it offers (A8)");
        self.executors.fill(self.agents.all[at].0.clone(), true);
        self.follow_after("forMs", 5_000, 300_000, Sequel::AgentHasRoom(at));
    }

    pub(super) fn empty_agent(&mut self, at: usize) {
        self.executors.fill(self.agents.all[at].0.clone(), false);
    }

    /// Somebody kills a container, and not through Swan.
    pub(super) fn kill_outside(&mut self) {
        let Some((agent, task)) = self.executors.pick(&mut self.draws) else { return };
        self.disturbed("operator: kills a container (O4)");
        self.container(&agent, &task, Turn::Exits(137));
    }

    /// An agent goes and comes back, again and again.
    pub(super) fn flap_agent(&mut self) {
        let Some(at) = self.agents.pick(&mut self.draws) else { return };
        self.disturbed("agent: flaps (A9)");
        let period = self.draws.number("periodMs", 10_000, 120_000);
        for flap in 0..FLAPS {
            let begins = self.now + 1 + 2 * flap * period;
            self.queue.push(begins, Happening::Sequel(Sequel::AgentGoes(at)));
            self.queue.push(begins + period, Happening::Sequel(Sequel::AgentBack(at)));
        }
    }

    /// A flapping agent's process dies, unless something else has happened to it.
    pub(super) fn agent_goes(&mut self, at: usize) {
        let (agent, standing) = self.agents.all[at].clone();
        if standing == Standing::Up && self.agents.up().len() > 1 {
            self.disturbed("agent: flap");
            self.agents.all[at].1 = Standing::Crashed;
            self.cluster_step(ClusterInput::AgentCrash { agent });
        }
    }

    /// An operator plans an outage of an agent, and may really begin it.
    pub(super) fn plan_outage(&mut self) {
        let Some(at) = self.agents.pick(&mut self.draws) else { return };
        let agent = self.agents.all[at].0.clone();
        self.disturbed("operator: plans an outage (M16)");
        let wait = self.draws.number("waitMs", 1_000, 300_000);
        let lasts = self.draws.number("lastsMs", 10_000, 600_000);
        let (begins, away) = (self.draws.also("begins", 500_000), self.absence());
        let start = WALL_START + self.now + wait;
        let window = Unavailability {
            start_ns: i64::try_from(start * 1_000_000).unwrap_or(i64::MAX),
            duration_ns: Some(i64::try_from(lasts * 1_000_000).unwrap_or(i64::MAX)),
        };
        self.operate(OperatorCall::PlanOutage { agent, window: Some(window) });
        let next = if begins { Sequel::OutageBegins(at, away) } else { Sequel::OutageLifted(at) };
        self.queue.push(self.now + wait + if begins { 0 } else { lasts }, Happening::Sequel(next));
    }

    /// The planned outage begins; the machine comes back as another agent.
    pub(super) fn begin_outage(&mut self, at: usize, away: u64) {
        let (agent, standing) = self.agents.all[at].clone();
        if standing != Standing::Up || self.agents.up().len() < 2 {
            return self.lift_outage(at);
        }
        self.disturbed("operator: begins an outage (M16)");
        self.agents.all[at].1 = Standing::Gone;
        self.operate(OperatorCall::BeginOutage { agent });
        self.queue.push(self.now + away, Happening::Sequel(Sequel::AgentJoins));
    }

    /// The planned outage does not take place.
    pub(super) fn lift_outage(&mut self, at: usize) {
        let agent = self.agents.all[at].0.clone();
        self.operate(OperatorCall::PlanOutage { agent, window: None });
    }

    /// An operator marks an agent as gone, which may be up, or come back no more.
    pub(super) fn mark_gone(&mut self) {
        let Some(at) = self.agents.pick_any(&mut self.draws) else { return };
        let agent = self.agents.all[at].0.clone();
        self.disturbed("operator: marks an agent gone (M16)");
        self.agents.all[at].1 = Standing::Gone;
        self.operate(OperatorCall::MarkAgentGone { agent });
        let away = self.absence();
        self.queue.push(self.now + away, Happening::Sequel(Sequel::AgentJoins));
    }

    /// An operator has an agent emptied, and uses it again later.
    pub(super) fn drain_agent(&mut self) {
        let Some(at) = self.agents.pick(&mut self.draws) else { return };
        let agent = self.agents.all[at].0.clone();
        self.disturbed("operator: drains an agent (M16)");
        self.operate(OperatorCall::DrainAgent { agent, max_grace: None });
        self.follow_after("forMs", 10_000, 600_000, Sequel::DrainOver(at));
    }

    /// An agent that was drained is used again.
    pub(super) fn reactivate(&mut self, at: usize) {
        let agent = self.agents.all[at].0.clone();
        self.operate(OperatorCall::ReactivateAgent { agent });
    }

    fn operate(&mut self, call: OperatorCall) {
        self.cluster_step(ClusterInput::Operator { request: OPERATOR, call });
    }

    /// An agent that was away is back.
    pub(super) fn agent_back(&mut self, at: usize) {
        let (agent, standing) = self.agents.all[at].clone();
        let input = match standing {
            Standing::Crashed => ClusterInput::AgentReturn { agent },
            Standing::Partitioned => ClusterInput::Heal { agent },
            Standing::Up | Standing::Gone => return,
        };
        self.agents.all[at].1 = Standing::Up;
        let restarted = standing == Standing::Crashed;
        let agent = self.agents.all[at].0.clone();
        if restarted {
            self.tell_attributes(&agent);
        }
        self.cluster_step(input);
        let lost = self.options.agent_faults.lost_executors;
        if restarted && self.draws.chance(Site::ExecutorsLost, &agent, lost) {
            self.ledger.note("agent: executors lost (A3)");
            for task in self.executors.open_on(&agent) {
                let (agent, turn) = (agent.clone(), Turn::ExecutorLost);
                self.queue.push(self.now + 1, Happening::Container { agent, task, turn });
            }
        }
    }

    /// An agent that is there registers with a new leader, if it has not yet.
    pub(super) fn register_agent(&mut self, at: usize) {
        let (agent, standing) = self.agents.all[at].clone();
        let known = self.cluster.is_reachable(&agent);
        if standing == Standing::Up && !known {
            self.cluster_step(ClusterInput::AgentReturn { agent });
        }
    }

    /// An agent that has not told its attributes yet starts again to do so.
    fn restart_untold(&mut self, at: usize) {
        let (agent, standing) = self.agents.all[at].clone();
        if standing == Standing::Up && self.agents.untold.contains(&agent) {
            self.cluster_step(ClusterInput::AgentCrash { agent: agent.clone() });
            self.tell_attributes(&agent);
            self.cluster_step(ClusterInput::AgentReturn { agent });
        }
    }

    /// All agents are back, those gone for ever are replaced, and no outage is planned any more.
    pub(super) fn heal_agents(&mut self) {
        for at in 0..self.agents.all.len() {
            self.agent_back(at);
            self.register_agent(at);
            self.restart_untold(at);
            self.lift_outage(at);
            self.reactivate(at);
        }
        for _ in self.agents.up().len()..self.options.agents as usize {
            self.join_agent();
        }
    }

    /// Whether some will never come back.
    pub(super) fn some_agents_are_gone(&self) -> bool {
        self.agents.all.iter().any(|(_, standing)| *standing == Standing::Gone)
    }
}
