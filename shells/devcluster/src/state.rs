//! Owns what outlives the process: the model and the facts about its tasks. A machine of its own: the same inputs at the
//! same times lead to the same state, so that a log of them is as good as the state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use swan_core::mesos::{AgentId, FrameworkId, TaskId, TaskInfo};
use swan_core::time::{Millis, Now};
use swan_sim::mesos::{Cluster, ClusterInput, ClusterOutput, ConnId, TaskReport};

/// A task under its framework.
pub(crate) type TaskKey = (FrameworkId, TaskId);

/// Everything that must survive.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The monotonic clock goes on from here: time without a process does not count.
    pub(crate) mono: u64,
    pub(crate) cluster: Cluster,
    /// The last connection and request number.
    pub(crate) last: u64,
    pub(crate) streams: BTreeSet<ConnId>,
    pub(crate) agents: BTreeMap<AgentId, Ipv4Addr>,
    /// Launched, and their end not reported.
    pub(crate) tasks: BTreeMap<TaskKey, Launched>,
    /// New tasks run in Docker, not in this process.
    pub(crate) docker: bool,
}

/// A task that was given to an executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launched {
    pub(crate) agent: AgentId,
    pub(crate) container_id: String,
    pub(crate) info: TaskInfo,
    /// Runs in Docker, not in this process.
    pub(crate) docker: bool,
    /// Was reported as running.
    pub(crate) started: bool,
    /// Is to end, with this grace.
    pub(crate) kill: Option<Millis>,
}

impl Saved {
    /// A cluster without agents, whose clock begins at `mono`.
    pub(crate) fn new(mono: u64, cluster: Cluster) -> Self {
        Self {
            mono,
            cluster,
            last: 0,
            streams: BTreeSet::new(),
            agents: BTreeMap::new(),
            tasks: BTreeMap::new(),
            docker: false,
        }
    }

    /// Steps the model, and keeps what a restart must know of the input and of what the model says.
    pub(crate) fn step(&mut self, now: Now, input: ClusterInput, out: &mut Vec<ClusterOutput>) {
        let from = out.len();
        self.mono = now.mono.0;
        self.heed(&input);
        self.cluster.step(now, input, out);
        for output in &out[from..] {
            self.note(output);
        }
    }

    fn heed(&mut self, input: &ClusterInput) {
        match input {
            ClusterInput::Subscribe { conn, .. } => {
                self.last = self.last.max(conn.0);
                self.streams.insert(*conn);
            }
            ClusterInput::Call { request, .. } | ClusterInput::Operator { request, .. } => {
                self.last = self.last.max(request.0);
            }
            ClusterInput::Closed { conn } => {
                self.streams.remove(conn);
            }
            ClusterInput::AgentStop { agent } => {
                self.agents.remove(agent);
            }
            ClusterInput::Report { framework_id, task, what, .. } => {
                let key = (framework_id.clone(), task.clone());
                match what {
                    TaskReport::Started { .. } => {
                        if let Some(launched) = self.tasks.get_mut(&key) {
                            launched.started = true;
                        }
                    }
                    TaskReport::Exited { .. }
                    | TaskReport::EndedUnasked { .. }
                    | TaskReport::LaunchFailed { .. }
                    | TaskReport::ExecutorLost => {
                        self.tasks.remove(&key);
                    }
                    TaskReport::Starting
                    | TaskReport::Probe { .. }
                    | TaskReport::RunningAgain { .. }
                    | TaskReport::FailedToo => {}
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, output: &ClusterOutput) {
        match output {
            ClusterOutput::Joined { hostname, agent, .. } => {
                // Agents are named by their address.
                if let Ok(ip) = hostname.parse() {
                    self.agents.insert(agent.clone(), ip);
                }
            }
            ClusterOutput::Launch { agent, framework_id, container_id, task } => {
                let launched = Launched {
                    agent: agent.clone(),
                    container_id: container_id.clone(),
                    info: (**task).clone(),
                    docker: self.docker,
                    started: false,
                    kill: None,
                };
                self.tasks.insert((framework_id.clone(), task.task_id.clone()), launched);
            }
            ClusterOutput::Kill { framework_id, task, grace, .. } => {
                if let Some(launched) = self.tasks.get_mut(&(framework_id.clone(), task.clone())) {
                    launched.kill = Some(launched.kill.map_or(*grace, |earlier| earlier.min(*grace)));
                }
            }
            ClusterOutput::End { conn }
            | ClusterOutput::Break { conn }
            | ClusterOutput::Rejected { conn, .. } => {
                self.streams.remove(conn);
            }
            _ => {}
        }
    }
}
