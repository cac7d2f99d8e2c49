//! Owns the JSON documents of placement: why tasks wait, why they are where they are, and what agents are like.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use swan_core::scheduler::view::{AgentView, ExplainView, PlacedView, WaitingView};
use utoipa::ToSchema;

use crate::timestamp::rfc3339;

/// Why slots of an app wait, and why its tasks are where they are.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Explain)]
pub struct ExplainDto {
    /// Slots that wait, by what they wait for.
    pub waiting: Vec<WaitingDto>,
    /// Tasks that run, up to a limit, in order of slot.
    pub placed: Vec<PlacedDto>,
    /// Slots that are not tried again until the next change.
    pub given_up: Vec<GivenUpDto>,
}

/// Slots that wait for the same.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Waiting)]
pub struct WaitingDto {
    /// The version whose tasks wait.
    pub version: String,
    /// The role whose resources they may take.
    pub role: String,
    /// How many slots wait for an agent now.
    pub slots: u32,
    /// How many wait for the pause after a failure to end.
    pub backing_off: u32,
    /// Agents known.
    pub agents: u32,
    /// Agents looked at.
    pub agents_seen: u32,
    /// Agents that would suit now.
    pub suitable: u32,
    /// How many of the agents looked at fail at which requirement first.
    pub failing: Vec<FailingDto>,
    /// The agent that lacks least; null if none was looked at.
    pub nearest: Option<NearestDto>,
}

/// A requirement at which agents fail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Failing)]
pub struct FailingDto {
    /// The requirement, in words.
    pub requirement: String,
    /// How many fail at it first.
    pub agents: u32,
}

/// The agent that lacks least.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Nearest)]
pub struct NearestDto {
    /// Its host name.
    pub host: String,
    /// What it lacks, in words.
    pub lacks: String,
}

/// Why a task is where it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Placed)]
pub struct PlacedDto {
    pub slot: u32,
    /// The agent's host name.
    pub host: String,
    /// The rules that hold there, and what spoke for it.
    pub why: String,
}

/// A slot that was given up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = GivenUp)]
pub struct GivenUpDto {
    pub slot: u32,
    pub reason: String,
}

/// An agent as last heard of.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Agent)]
pub struct AgentDto {
    pub id: String,
    /// Its host name.
    pub host: String,
    pub attributes: BTreeMap<String, String>,
    /// Empty if not told.
    pub region: String,
    /// Empty if not told.
    pub zone: String,
    /// Tasks of Swan's on it.
    pub tasks: u32,
    /// What is free in its newest offer; null if it offered nothing lately.
    pub offered: Option<OfferedDto>,
    /// A planned outage; null if there is none.
    pub maintenance: Option<OutageDto>,
}

/// What is free on an agent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Offered)]
pub struct OfferedDto {
    pub cpus: f64,
    /// MiB.
    pub mem: f64,
    /// MiB.
    pub disk: f64,
    pub gpus: u64,
    /// How many ports.
    pub ports: u64,
}

/// A planned outage.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Outage)]
pub struct OutageDto {
    /// RFC 3339, UTC.
    pub begins: String,
    /// RFC 3339, UTC; null if nobody knows.
    pub ends: Option<String>,
}

impl From<ExplainView> for ExplainDto {
    fn from(explained: ExplainView) -> Self {
        let given_up = explained.given_up.into_iter().map(|(slot, reason)| GivenUpDto { slot, reason });
        Self {
            waiting: explained.waiting.into_iter().map(WaitingDto::from).collect(),
            placed: explained.placed.into_iter().map(PlacedDto::from).collect(),
            given_up: given_up.collect(),
        }
    }
}

impl From<WaitingView> for WaitingDto {
    fn from(waiting: WaitingView) -> Self {
        let failing = waiting.failing.into_iter();
        Self {
            version: waiting.version,
            role: waiting.role,
            slots: waiting.slots,
            backing_off: waiting.backing_off,
            agents: waiting.agents.0,
            agents_seen: waiting.agents.1,
            suitable: waiting.suitable,
            failing: failing.map(|(requirement, agents)| FailingDto { requirement, agents }).collect(),
            nearest: waiting.nearest.map(|(host, lacks)| NearestDto { host, lacks }),
        }
    }
}

impl From<PlacedView> for PlacedDto {
    fn from(placed: PlacedView) -> Self {
        Self { slot: placed.slot, host: placed.host, why: placed.why }
    }
}

impl From<AgentView> for AgentDto {
    fn from(agent: AgentView) -> Self {
        let (region, zone) = agent.domain.unwrap_or_default();
        let offered = agent.offered.map(|(cpus, mem, disk, gpus, ports)| OfferedDto {
            cpus: in_wholes(cpus),
            mem: in_wholes(mem),
            disk: in_wholes(disk),
            gpus,
            ports,
        });
        let maintenance = agent
            .maintenance
            .map(|(begins, ends)| OutageDto { begins: rfc3339(begins), ends: ends.map(rfc3339) });
        Self {
            id: agent.id,
            host: agent.host,
            attributes: agent.attributes.into_iter().collect(),
            region,
            zone,
            tasks: agent.tasks,
            offered,
            maintenance,
        }
    }
}

pub(super) fn in_wholes(thousandths: u64) -> f64 {
    thousandths as f64 / 1000.0
}
