//! Owns what happens to the masters: they die, nobody leads, they forget, and offer oddly.

use swan_core::mesos::{AgentId, Labels, Resource, TaskId, TaskInfo};

use super::faults::Sequel;
use super::{Happening, World};
use crate::chance::Site;
use crate::mesos::ClusterInput;

/// Agents find a new leader within this time, ms: they wait longer each time they try in vain.
const AGENTS_FIND_MS: u64 = 60_000;

fn task_of_a_tool(agent_id: AgentId, now: u64) -> TaskInfo {
    TaskInfo {
        name: "tool".into(),
        task_id: TaskId::from(format!("tool-{now}").as_str()),
        agent_id,
        resources: vec![Resource::scalar("cpus", 500), Resource::scalar("mem", 64_000)],
        command: None,
        container: None,
        health_check: None,
        check: None,
        kill_grace: None,
        labels: Labels::default(),
        discovery: None,
        max_completion_time: None,
        limits: Vec::new(),
        data: None,
        executor: None,
    }
}

impl World {
    /// The leading master dies, and nobody leads for a while.
    pub(super) fn lose_master(&mut self, kind: &'static str, shortest: u64, longest: u64) {
        let away = self.draws.number("awayMs", shortest, longest);
        let within = self.draws.number("withinMs", 0, AGENTS_FIND_MS);
        if !self.network.has_leader {
            return;
        }
        self.disturbed(kind);
        self.network.has_leader = false;
        self.cluster_step(ClusterInput::MasterFailover);
        self.queue.push(self.now + away, Happening::Sequel(Sequel::MasterLeads(within)));
    }

    /// Another master leads, and knows only which agents there were; they find it one by one.
    pub(super) fn elect_master(&mut self, within: u64) {
        if self.network.has_leader {
            return;
        }
        self.network.has_leader = true;
        self.network.next_leads();
        // Its patience with agents begins only now.
        self.cluster_step(ClusterInput::MasterFailover);
        if self.draws.chance(Site::RegistryLost, &"", self.options.masters.lost_registries) {
            self.disturbed("master: registry lost (M13)");
            self.cluster_step(ClusterInput::LoseRegistry);
        }
        let up = self.agents.up();
        let all = up.len() as u64;
        for (nth, at) in (1..).zip(up) {
            let registers = self.now + within * nth / all;
            self.queue.push(registers, Happening::Sequel(Sequel::AgentRegisters(at)));
        }
    }

    /// The registry drops agents that could not be reached for long, and the master what it knew of their tasks.
    pub(super) fn forget_unreachable(&mut self) {
        self.disturbed("master: forgets what it cannot reach (M14)");
        self.cluster_step(ClusterInput::ForgetUnreachable);
    }

    /// The allocator offers nothing for a while, and then everything at once.
    pub(super) fn pause_offers(&mut self) {
        self.disturbed("master: no offers, then all (M12)");
        self.cluster_step(ClusterInput::PauseOffers(true));
        self.follow_after("forMs", 5_000, 300_000, Sequel::OffersGoOn);
    }

    /// Each agent comes in several offers for a while, some of them tiny.
    pub(super) fn split_offers(&mut self) {
        self.disturbed("master: offers in pieces (M11)");
        let pieces = self.draws.number("pieces", 2, 5) as u32;
        self.cluster_step(ClusterInput::SplitOffers(pieces));
        self.follow_after("forMs", 5_000, 300_000, Sequel::OffersAreWhole);
    }

    /// Another framework takes whatever is free, or almost.
    pub(super) fn let_others_take(&mut self) {
        self.disturbed("master: another takes all (M15)");
        let percent =
            if self.draws.also("all", 500_000) { 100 } else { self.draws.number("percent", 50, 99) };
        self.cluster_step(ClusterInput::OthersTake { percent: percent as u32 });
        self.follow_after("forMs", 5_000, 300_000, Sequel::OthersEnd);
    }

    /// An operator limits what each role may have, perhaps to less than it has.
    pub(super) fn limit_roles(&mut self) {
        self.disturbed("master: roles limited (M15)");
        let cpus = self.draws.number("milliCpus", 0, 10_000) as i64;
        self.cluster_step(ClusterInput::LimitRoles { cpus: Some(cpus) });
        self.follow_after("forMs", 5_000, 300_000, Sequel::LimitsEnd);
    }

    /// The master ends the subscription: too many calls, or another scheduler has subscribed as the same framework.
    pub(super) fn end_subscription(&mut self) {
        let (kind, message) = if self.draws.also("failedOver", 500_000) {
            ("master: ERROR, failed over (M6)", "Framework failed over")
        } else {
            ("master: ERROR, too many calls (M6)", "Message dropped: capacity(100) exceeded")
        };
        self.disturbed(kind);
        self.cluster_step(ClusterInput::EndStreams { message: message.into() });
    }

    /// A tool subscribes as Swan, launches a task of its own, and goes.
    pub(super) fn intrude(&mut self) {
        let Some(agent) = self.agents.any_id(&mut self.draws) else { return };
        // Before it has stored which framework it is, a manager that begins anew must ask an operator.
        let Some(framework) = self.watch.stored.framework() else { return };
        self.disturbed("operator: a tool launches a task as Swan (O4)");
        let task = Box::new(task_of_a_tool(agent, self.now));
        self.cluster_step(ClusterInput::Intrude { framework, task });
    }

    /// The master, or the way to it, is slow for a while.
    pub(super) fn slow_master(&mut self) {
        self.disturbed("master: slow (M17)");
        let until = self.now + self.draws.number("forMs", 5_000, 120_000);
        self.network.slow_down(until, self.draws.number("byMs", 100, 30_000));
    }

    /// A master leads, knows all agents that are up, and offers all that is free.
    pub(super) fn heal_masters(&mut self) {
        self.elect_master(0);
        self.cluster_step(ClusterInput::PauseOffers(false));
        self.cluster_step(ClusterInput::SplitOffers(1));
        self.cluster_step(ClusterInput::OthersEnd);
        self.cluster_step(ClusterInput::LimitRoles { cpus: None });
    }
}
