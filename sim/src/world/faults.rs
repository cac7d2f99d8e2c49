//! Owns the faults that happen at a time of their own.

use super::{Happening, World};
use crate::chance::Site;
use crate::mesos::ClusterInput;

/// What follows a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequel {
    AgentBack(usize),
    AgentGoes(usize),
    /// For so many ms.
    AgentRolls {
        at: usize,
        reboots: bool,
        away: u64,
    },
    AgentJoins,
    /// The host of this number comes back as a new agent.
    HostReturns(u32),
    /// For so many ms.
    OutageBegins(usize, u64),
    OutageLifted(usize),
    DrainOver(usize),
    /// A master leads again; agents find it within so many ms.
    MasterLeads(u64),
    /// An agent registers with the new leader.
    AgentRegisters(usize),
    OffersGoOn,
    OffersAreWhole,
    OthersEnd,
    LimitsEnd,
    /// The agent has what it offers again.
    AgentHasRoom(usize),
    /// A majority of ZooKeeper's servers is there again.
    QuorumReturns,
    /// Whoever leads dies.
    LeaderDies,
    /// What ZooKeeper keeps is as it was written.
    JournalMended,
}

const REPEATED: [Site; 38] = [
    Site::ProcessCrash,
    Site::Cut,
    Site::HalfOpen,
    Site::Rescind,
    Site::AgentCrash,
    Site::AgentPartition,
    Site::AgentStop,
    Site::AgentsLost,
    Site::AgentFlaps,
    Site::Outage,
    Site::MasterFails,
    Site::NoLeader,
    Site::MasterForgets,
    Site::OffersPause,
    Site::OffersSplit,
    Site::OthersTake,
    Site::WallClock,
    Site::ProcessPauses,
    Site::AgentReboots,
    Site::MasterError,
    Site::RacksCut,
    Site::ZooKeeperCut,
    Site::NoQuorum,
    Site::LeaderPauses,
    Site::LeaderLoops,
    Site::Abdicates,
    Site::ZooKeeperRots,
    Site::Rolls,
    Site::MasterSlow,
    Site::AgentMarkedGone,
    Site::AgentDrains,
    Site::DiskFull,
    Site::IdleWake,
    Site::AgentsRoll,
    Site::AgentFull,
    Site::KilledOutside,
    Site::RoleLimited,
    Site::Intruder,
];

impl World {
    pub(super) fn schedule_faults(&mut self) {
        for site in REPEATED {
            self.schedule_fault(site);
        }
    }

    fn schedule_fault(&mut self, site: Site) {
        let (network, agents) = (&self.options.network, &self.options.agent_faults);
        let masters = &self.options.masters;
        let every = match site {
            Site::ProcessCrash => self.options.process.crash_every,
            Site::Cut => network.cut_every,
            Site::HalfOpen => network.half_open_every,
            Site::Rescind => network.rescind_every,
            Site::AgentCrash => agents.crash_every,
            Site::AgentPartition => agents.partition_every,
            Site::AgentStop => agents.stop_every,
            Site::AgentsLost => agents.mass_loss_every,
            Site::AgentFlaps => agents.flap_every,
            Site::Outage => agents.maintenance_every,
            Site::MasterFails => masters.fail_every,
            Site::NoLeader => masters.vacancy_every,
            Site::MasterForgets => masters.forget_every,
            Site::OffersPause => masters.pause_every,
            Site::OffersSplit => masters.split_every,
            Site::OthersTake => masters.taken_every,
            Site::MasterError => masters.error_every,
            Site::WallClock => self.options.clocks.wall_every,
            Site::ProcessPauses => self.options.clocks.pause_every,
            Site::AgentReboots => agents.reboot_every,
            Site::RacksCut => agents.racks_cut_every,
            Site::Rolls => self.options.builds.roll_every,
            Site::MasterSlow => masters.slow_every,
            Site::AgentMarkedGone => agents.gone_every,
            Site::AgentDrains => agents.drain_every,
            Site::DiskFull => self.options.store.full_every,
            Site::IdleWake => self.options.process.idle_wakes_every,
            Site::AgentsRoll => agents.rolling_every,
            Site::AgentFull => agents.full_every,
            Site::KilledOutside => agents.killed_every,
            Site::RoleLimited => masters.limited_every,
            Site::Intruder => masters.intruder_every,
            _ => self.ensemble_every(site),
        };
        if let Some(at) = self.draws.next_at(site, every) {
            self.queue.push(at, Happening::Fault(site));
        }
    }

    pub(super) fn fault(&mut self, site: Site) {
        if self.draws.is_over() {
            return;
        }
        self.draws.begin(site);
        match site {
            Site::ProcessCrash => {
                if let Some(at) = self.any_manager() {
                    self.crash(at, "process: crash at rest");
                }
            }
            Site::Cut => self.cut_connection(),
            Site::HalfOpen => {
                if self.network.half_open() {
                    self.disturbed("network: half open (M5)");
                }
            }
            Site::Rescind => {
                self.ledger.note("master: rescinds (M10)");
                let one = self.draws.also("ofOneAgent", 500_000);
                let agent = if one { self.agents.any_id(&mut self.draws) } else { None };
                self.cluster_step(ClusterInput::Rescind { agent });
            }
            Site::AgentCrash => self.crash_agent(),
            Site::AgentPartition => self.partition_agent(),
            Site::AgentStop => self.stop_agent(),
            Site::AgentsLost => self.lose_many(),
            Site::AgentFlaps => self.flap_agent(),
            Site::Outage => self.plan_outage(),
            Site::MasterFails => self.lose_master("master: failover (M1)", 1_000, 60_000),
            Site::NoLeader => self.lose_master("master: nobody leads (M2)", 60_000, 540_000),
            Site::MasterForgets => self.forget_unreachable(),
            Site::OffersPause => self.pause_offers(),
            Site::OffersSplit => self.split_offers(),
            Site::OthersTake => self.let_others_take(),
            Site::MasterError => self.end_subscription(),
            Site::WallClock => self.upset_wall_clock(),
            Site::ProcessPauses => {
                if let Some(at) = self.any_manager() {
                    self.pause_process(at, "process: paused (C2)");
                }
            }
            Site::ZooKeeperCut
            | Site::NoQuorum
            | Site::LeaderPauses
            | Site::LeaderLoops
            | Site::Abdicates
            | Site::ZooKeeperRots => {
                self.ensemble_fault(site);
            }
            Site::AgentReboots => self.reboot_agent(),
            Site::RacksCut => self.cut_racks(),
            Site::Rolls => self.roll(),
            Site::MasterSlow => self.slow_master(),
            Site::AgentMarkedGone => self.mark_gone(),
            Site::AgentDrains => self.drain_agent(),
            Site::DiskFull => self.fill_disk(),
            Site::IdleWake => self.wake_idly(),
            Site::AgentsRoll => self.roll_agents(),
            Site::AgentFull => self.fill_agent(),
            Site::KilledOutside => self.kill_outside(),
            Site::RoleLimited => self.limit_roles(),
            Site::Intruder => self.intrude(),
            _ => unreachable!("{site:?} has no time of its own"),
        }
        self.schedule_fault(site);
    }

    fn cut_connection(&mut self) {
        if let Some(to_come) = self.network.cut(self.now, &mut self.draws) {
            self.disturbed("network: cut");
            for (at, happening) in to_come {
                self.queue.push(at, happening);
            }
        }
    }

    /// What ends a fault, after a while that is drawn.
    pub(super) fn follow_after(&mut self, name: &str, shortest: u64, longest: u64, sequel: Sequel) {
        let wait = self.draws.number(name, shortest, longest);
        self.queue.push(self.now + wait, Happening::Sequel(sequel));
    }

    pub(super) fn follow(&mut self, sequel: Sequel) {
        if self.draws.is_over() {
            return;
        }
        match sequel {
            Sequel::AgentBack(at) => self.agent_back(at),
            Sequel::AgentGoes(at) => self.agent_goes(at),
            Sequel::AgentRolls { at, reboots, away } => self.agent_rolls(at, reboots, away),
            Sequel::AgentJoins => self.join_agent(),
            Sequel::HostReturns(number) => self.join_host(number),
            Sequel::OutageBegins(at, away) => self.begin_outage(at, away),
            Sequel::OutageLifted(at) => self.lift_outage(at),
            Sequel::DrainOver(at) => self.reactivate(at),
            Sequel::MasterLeads(within) => self.elect_master(within),
            Sequel::AgentRegisters(at) => self.register_agent(at),
            Sequel::OffersGoOn => self.cluster_step(ClusterInput::PauseOffers(false)),
            Sequel::OffersAreWhole => self.cluster_step(ClusterInput::SplitOffers(1)),
            Sequel::OthersEnd => self.cluster_step(ClusterInput::OthersEnd),
            Sequel::LimitsEnd => self.cluster_step(ClusterInput::LimitRoles { cpus: None }),
            Sequel::AgentHasRoom(at) => self.empty_agent(at),
            Sequel::QuorumReturns => self.set_quorum(true),
            Sequel::LeaderDies => self.crash_leader(),
            Sequel::JournalMended => self.mend_zookeeper(),
        }
    }
}
