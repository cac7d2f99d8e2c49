//! Owns planned outages of agents: nothing is placed where one is near, and inverse offers are answered (R68).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::effect::MesosCall;
use crate::limits::{INVERSE_OFFER_REFUSE, MAINTENANCE_HORIZON};
use crate::mesos::{InverseOffer, OfferId, Unavailability};
use crate::time::Timestamp;

/// A planned outage, by wall time: the one thing that wall time decides, since it is the operator's own schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outage {
    pub(super) begins: Timestamp,
    /// `None` means that no end is planned.
    pub(super) ends: Option<Timestamp>,
}

impl Outage {
    /// From Mesos's nanoseconds.
    pub(super) fn of(window: Unavailability) -> Self {
        let millis = |nanos: i64| u64::try_from(nanos / 1_000_000).unwrap_or(0);
        let begins = millis(window.start_ns);
        let ends = window.duration_ns.map(|span| Timestamp(begins.saturating_add(millis(span))));
        Self { begins: Timestamp(begins), ends }
    }

    /// Whether it has begun or begins soon, and is not over.
    pub(super) fn is_near(self, now: Timestamp) -> bool {
        self.begins.0 <= now.0.saturating_add(MAINTENANCE_HORIZON.0)
            && self.ends.is_none_or(|ends| now < ends)
    }
}

impl Scheduler {
    /// Agrees to outages of agents without tasks. Of others the master shall ask again, since tasks would be lost: they
    /// leave if the outage is near.
    pub(super) fn on_inverse_offers(&mut self, offers: Vec<InverseOffer>) {
        self.stats.inverse_offers += offers.len() as u64;
        let clock = self.clock.read(self.now.mono);
        let (mut free, mut busy): (Vec<OfferId>, Vec<OfferId>) = (Vec::new(), Vec::new());
        for offer in offers {
            let outage = Outage::of(offer.unavailability);
            let agent = offer.agent_id.as_ref().and_then(|id| self.agents.find(id.as_str()));
            let agent = agent.map(|idx| self.agents.get_mut(idx));
            let Some(agent) = agent.filter(|agent| agent.tasks() > 0) else {
                free.push(offer.id);
                continue;
            };
            busy.push(offer.id);
            agent.outage = Some(outage);
            if outage.is_near(self.now.wall) {
                agent.asked = Some(clock);
                let id = agent.id.clone();
                self.leave_agent(id);
            }
        }
        if !free.is_empty() {
            self.call(MesosCall::AcceptInverse { offers: free });
        }
        if !busy.is_empty() {
            self.call(MesosCall::DeclineInverse { offers: busy, refuse: INVERSE_OFFER_REFUSE });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_near_from_a_while_before_until_its_end() {
        let hour = 3_600_000;
        let window = Unavailability { start_ns: 5 * hour * 1_000_000, duration_ns: Some(hour * 1_000_000) };
        let outage = Outage::of(window);
        let hour = hour.cast_unsigned();
        assert_eq!(outage, Outage { begins: Timestamp(5 * hour), ends: Some(Timestamp(6 * hour)) });
        let near = |millis| outage.is_near(Timestamp(millis));
        assert!(!near(5 * hour - MAINTENANCE_HORIZON.0 - 1));
        assert!(near(5 * hour - MAINTENANCE_HORIZON.0) && near(5 * hour) && near(6 * hour - 1));
        assert!(!near(6 * hour));
        let open = Outage { ends: None, ..outage };
        assert!(open.is_near(Timestamp(u64::MAX)), "without an end it is never over");
        let odd = Outage::of(Unavailability { start_ns: -1, duration_ns: Some(i64::MIN) });
        assert_eq!(odd, Outage { begins: Timestamp(0), ends: Some(Timestamp(0)) });
    }
}
