//! Owns explanations: why slots wait, why tasks are where they are, and what agents are like. Reads only; each looks at
//! a limited number of agents and tasks.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Scheduler;
use super::agents::{Agent, AgentIdx};
use super::apps::{App, AppIdx, Version, VersionId};
use super::claims::lack;
use super::miss::{Miss, Seeker, decimal};
use super::reading::View;
use super::slot::{is_successor, number_of};
use super::view::{AgentView, ExplainView, Page, PlacedView, WaitingView};
use crate::constraint::{Census, Matcher};
use crate::id::DottedId;
use crate::limits::{EXPLAINED_AGENTS_MAX, EXPLAINED_TASKS_MAX};
use crate::mesos::Attribute;
use crate::spec::PlacementStrategy;

impl View<'_> {
    /// Why slots of an app wait, and why its tasks are where they are.
    pub fn explain(&self, id: &DottedId) -> Option<ExplainView> {
        let machine = self.machine;
        let idx = machine.apps.find(id.as_str())?;
        let app = machine.apps.get(idx)?;
        let given_up = app.slots().iter().enumerate().filter_map(|(number, slot)| {
            let number = u32::try_from(number).expect("slots are limited");
            Some((number, slot.given_up()?.to_string()))
        });
        Some(ExplainView {
            waiting: machine.waiting(idx, app),
            placed: machine.placed(app),
            given_up: given_up.take(EXPLAINED_TASKS_MAX).collect(),
        })
    }

    /// Agents as last heard of, in order of id, after one of them.
    pub fn agents(&self, after: Option<&str>, limit: usize) -> Page<AgentView> {
        let from = after.unwrap_or_default();
        let mut rest = self.machine.agents.from(from).filter(|(_, agent)| after != Some(agent.id.as_str()));
        let items: Vec<AgentView> = rest.by_ref().take(limit).map(|(_, agent)| agent_view(agent)).collect();
        let next = if rest.next().is_some() { items.last().map(|last| last.id.clone()) } else { None };
        Page { items, next }
    }
}

impl Scheduler {
    /// Why the waiting slots of an app cannot be placed, in one sentence. Beside what is the matter it says, as original
    /// Swan does, `no satisfied agent` or `resource not enough`.
    pub(super) fn unplaceable_reason(&self, idx: AppIdx) -> String {
        let Some(app) = self.apps.get(idx) else { return String::new() };
        let Some(waiting) = self.waiting(idx, app).into_iter().max_by_key(|waiting| waiting.slots) else {
            return "nothing waits for an agent".into();
        };
        let detail = match (&waiting.nearest, waiting.agents.0) {
            (_, 0) => "no agent has offered anything".into(),
            (Some((host, what)), agents) => format!("of {agents} agents the nearest, {host}, {what}"),
            (None, _) => "an agent would suit now; it is waited for its offer".into(),
        };
        let resources = waiting.agents.0 == 0 || waiting.failing.iter().any(|(what, _)| is_resource(what));
        let phrase = if resources { "resource not enough" } else { "no satisfied agent" };
        format!("{phrase}: {detail}")
    }

    /// The launch classes of an app that wait.
    fn waiting(&self, idx: AppIdx, app: &App) -> Vec<WaitingView> {
        let clock = self.clock.read(self.now.mono);
        let mut classes: BTreeMap<VersionId, (u32, u32)> = BTreeMap::new();
        for seat in app.seats_from(0).filter(|&seat| app.wants(seat)) {
            let Some(slot) = app.slot(seat).filter(|slot| slot.task.is_none()) else { continue };
            let (queued, pausing) = classes.entry(app.version_for(seat)).or_default();
            *queued += u32::from(slot.queued);
            *pausing += u32::from(!slot.queued && (slot.held || slot.not_before > clock));
        }
        let view = |(id, (slots, backing_off))| {
            let Version { need, matcher, spec, .. } = app.versions.get(&app.definition_of(id))?;
            let census = &self.census_of(app, matcher, id);
            let role = &*self.roles[usize::from(self.role_for(spec.role.as_deref()))];
            let seeker = Seeker { machine: self, app: Some((idx, app)), need, matcher, role, census };
            let view = WaitingView {
                version: id.to_string(),
                role: role.into(),
                slots,
                backing_off,
                ..WaitingView::default()
            };
            Some(survey(&seeker, view))
        };
        classes.into_iter().filter_map(view).collect()
    }

    /// What rules count at the moment for tasks that run a version.
    pub(super) fn census_of(&self, app: &App, matcher: &Matcher, runs: VersionId) -> Census {
        let mut census = Census::new(matcher);
        if matcher.counts() {
            for agent in app.tasks_that_count(runs) {
                census.add(matcher, &self.agents.get(agent).as_candidate());
            }
        }
        census
    }

    fn placed(&self, app: &App) -> Vec<PlacedView> {
        let tasks = app.seats_from(0).filter_map(|seat| Some((seat, app.slot(seat)?.task.as_ref()?)));
        let view = |(seat, task): (u32, &super::slot::Task)| PlacedView {
            slot: number_of(seat),
            host: self.agents.get(task.agent).host.to_string(),
            why: self.why(app, seat, task.agent, task.version),
        };
        tasks.take(EXPLAINED_TASKS_MAX).map(view).collect()
    }

    /// Why a task is where it is.
    fn why(&self, app: &App, seat: u32, agent: AgentIdx, version: VersionId) -> String {
        let mut words = Vec::new();
        if is_successor(seat) {
            words.push("takes the place of the slot's former task".into());
        }
        let Some(version) = app.versions.get(&version) else { return words.join("; ") };
        let rules: Vec<&str> = (0..version.matcher.len()).map(|n| version.matcher.describe(n)).collect();
        if !rules.is_empty() {
            words.push(format!("met {}", rules.join(", ")));
        }
        let own = app.on_agent.get(&agent).copied().unwrap_or(0);
        let all: u32 = app.on_agent.values().map(|&tasks| u32::from(tasks)).sum();
        words.push(match version.spec.strategy {
            PlacementStrategy::Spread => {
                format!("spread: few of the app's tasks were there, now {own} of {all}")
            }
            PlacementStrategy::BinPack => "binpack: least was free there of what suited".into(),
            PlacementStrategy::Random => "random: drawn from what suited".into(),
            PlacementStrategy::Weighted(_) => "weighted: what was free there weighed most".into(),
        });
        words.join("; ")
    }
}

/// Looks at agents, and notes what they fail at.
fn survey(seeker: &Seeker<'_>, mut view: WaitingView) -> WaitingView {
    let agents = &seeker.machine.agents;
    let mut failing: BTreeMap<Miss, u32> = BTreeMap::new();
    let mut nearest: Option<((bool, u64), Miss, &Agent)> = None;
    let mut looked = 0;
    for (_, agent) in agents.from("").take(EXPLAINED_AGENTS_MAX) {
        looked += 1;
        let Some(miss) = seeker.miss(agent) else {
            view.suitable += 1;
            continue;
        };
        *failing.entry(miss).or_default() += 1;
        let distance = distance(seeker, agent, miss);
        if nearest.is_none_or(|(least, ..)| distance < least) {
            nearest = Some((distance, miss, agent));
        }
    }
    view.agents = (u32::try_from(agents.len()).unwrap_or(u32::MAX), looked);
    view.failing = failing.iter().map(|(&miss, &count)| (seeker.name(miss), count)).collect();
    view.nearest = nearest
        .filter(|_| view.suitable == 0)
        .map(|(_, miss, agent)| (agent.host.to_string(), seeker.words(miss, agent)));
    view
}

/// How far an agent is from suiting: one that only lacks room is nearer than one that never will do.
fn distance(seeker: &Seeker<'_>, agent: &Agent, miss: Miss) -> (bool, u64) {
    match miss {
        Miss::Rule(number) => (true, u64::try_from(seeker.matcher.len() - number).expect("rules are few")),
        Miss::Silent | Miss::Role => (true, 0),
        Miss::Lack(_) => {
            let room = agent.offered.as_ref().map(|(_, room)| room);
            (false, room.map_or(u64::MAX, |room| lack(room, seeker.need).max(1)))
        }
        Miss::Maintenance | Miss::Avoided | Miss::Claimed => (false, 0),
    }
}

fn is_resource(requirement: &str) -> bool {
    ["offers", "cpus", "mem", "disk", "gpus", "ports"].contains(&requirement)
}

fn agent_view(agent: &Agent) -> AgentView {
    let attribute = |attribute: &Attribute| (attribute.name.clone(), spelled(attribute));
    let whole = |milli: i64| u64::try_from(milli).unwrap_or(0);
    AgentView {
        id: agent.id.to_string(),
        host: agent.host.to_string(),
        attributes: agent.facts.attributes.iter().map(attribute).collect(),
        domain: agent.facts.domain.as_ref().map(|domain| (domain.region.clone(), domain.zone.clone())),
        tasks: agent.tasks(),
        offered: agent.offered.as_ref().map(|(_, room)| {
            let free = room.total;
            let gpus = whole(free.gpus) / 1000;
            (whole(free.cpus), whole(free.mem), whole(free.disk), gpus, u64::from(room.ports))
        }),
        maintenance: agent.outage.map(|outage| (outage.begins, outage.ends)),
    }
}

/// An attribute's value as people write it.
fn spelled(attribute: &Attribute) -> String {
    use crate::mesos::AttributeValue as Value;
    match &attribute.value {
        Value::Text(text) => text.clone(),
        Value::Scalar(milli) => decimal(*milli),
        Value::Ranges(ranges) => {
            let each: Vec<String> = ranges.iter().map(|(begin, end)| format!("{begin}-{end}")).collect();
            format!("[{}]", each.join(","))
        }
        Value::Set(items) => format!("{{{}}}", items.join(",")),
    }
}
