//! Owns the faults that happen at a time of their own.

use swan_core::rng::Rng;

use super::{Happening, World};
use crate::mesos::ClusterInput;

/// One fault, or the end of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process ends, at no effect in particular.
    Crash,
    Cut,
    HalfOpen,
    Rescind,
    AgentCrash,
    AgentPartition,
    AgentStop,
    AgentsLost,
    AgentFlaps,
    Outage,
    AgentBack(usize),
    AgentGoes(usize),
    AgentJoins,
    OutageBegins(usize),
    OutageLifted(usize),
}

const REPEATED: [Fault; 10] = [
    Fault::Crash,
    Fault::Cut,
    Fault::HalfOpen,
    Fault::Rescind,
    Fault::AgentCrash,
    Fault::AgentPartition,
    Fault::AgentStop,
    Fault::AgentsLost,
    Fault::AgentFlaps,
    Fault::Outage,
];

impl World {
    pub(super) fn schedule_faults(&mut self) {
        for fault in REPEATED {
            self.schedule_fault(fault);
        }
    }

    fn schedule_fault(&mut self, fault: Fault) {
        let every = match fault {
            Fault::Crash => self.options.process.crash_every,
            Fault::Cut => self.options.network.cut_every,
            Fault::HalfOpen => self.options.network.half_open_every,
            Fault::Rescind => self.options.network.rescind_every,
            Fault::AgentCrash => self.options.agent_faults.crash_every,
            Fault::AgentPartition => self.options.agent_faults.partition_every,
            Fault::AgentStop => self.options.agent_faults.stop_every,
            Fault::AgentsLost => self.options.agent_faults.mass_loss_every,
            Fault::AgentFlaps => self.options.agent_faults.flap_every,
            Fault::Outage => self.options.agent_faults.maintenance_every,
            Fault::AgentBack(_)
            | Fault::AgentGoes(_)
            | Fault::AgentJoins
            | Fault::OutageBegins(_)
            | Fault::OutageLifted(_) => 0,
        };
        if every > 0 {
            let at = self.now + around(&mut self.rng, every);
            self.queue.push(at, Happening::Fault(fault));
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        if !self.faults {
            return;
        }
        match fault {
            Fault::Crash => self.crash("process: crash at rest"),
            Fault::Cut => {
                if let Some(to_come) = self.network.cut(self.now) {
                    self.disturbed("network: cut");
                    for (at, happening) in to_come {
                        self.queue.push(at, happening);
                    }
                }
            }
            Fault::HalfOpen => {
                if self.network.half_open() {
                    self.disturbed("network: half open (M5)");
                }
            }
            Fault::Rescind => {
                self.ledger.note("master: rescinds (M10)");
                let agent = if self.rng.chance(500_000) { self.agents.any() } else { None };
                self.cluster_step(ClusterInput::Rescind { agent });
            }
            Fault::AgentCrash => self.crash_agent(),
            Fault::AgentPartition => self.partition_agent(),
            Fault::AgentStop => self.stop_agent(),
            Fault::AgentsLost => self.lose_many(),
            Fault::AgentFlaps => self.flap_agent(),
            Fault::Outage => self.plan_outage(),
            Fault::AgentBack(at) => self.agent_back(at),
            Fault::AgentGoes(at) => self.agent_goes(at),
            Fault::OutageBegins(at) => self.begin_outage(at),
            Fault::OutageLifted(at) => self.lift_outage(at),
            Fault::AgentJoins => self.join_agent(),
        }
        self.schedule_fault(fault);
    }
}

/// A time around a mean.
fn around(rng: &mut Rng, mean: u64) -> u64 {
    rng.between(1, 2 * mean)
}
