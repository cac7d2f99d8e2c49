//! Owns which agents are avoided because tasks failed there lately: by one app, or by all where several apps fail (R89).
//!
//! In cluster time, bounded, and not recorded: a new leader begins with trust. Whatever is avoided is still taken when
//! its offer would otherwise go back unused, so that a cluster with nothing else goes on.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::agents::Agent;
use super::apps::{App, AppIdx};
use crate::limits::{
    AVOID_FIRST, AVOID_MAX, AVOIDED_AGENTS_MAX, BLACK_HOLE_APPS, BLACK_HOLE_FAILURES_MAX, BLACK_HOLE_WINDOW,
};
use crate::mesos::AgentId;
use crate::time::{ClusterTime, Millis};

/// The agents that an app avoids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Avoided {
    list: Vec<Avoid>,
}

/// One agent that an app avoids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Avoid {
    agent: AgentId,
    span: Millis,
    until: ClusterTime,
}

/// What happened on an agent on which tasks of several apps may fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BlackHole {
    /// The newest failures soon after the start, one for each app.
    failures: Vec<(AppIdx, ClusterTime)>,
    span: Millis,
    until: ClusterTime,
}

impl Avoided {
    /// Whether the agent is avoided.
    pub(super) fn has(&self, agent: &AgentId, now: ClusterTime) -> bool {
        self.list.iter().any(|avoid| avoid.agent == *agent && now < avoid.until)
    }

    /// A task failed there; the next comes after `pause` at the earliest.
    fn note(&mut self, agent: &AgentId, now: ClusterTime, pause: Millis) {
        // One that has been good again for as long as it was avoided begins anew.
        self.list.retain(|avoid| now < avoid.until + avoid.span);
        let before = self.list.iter().position(|avoid| avoid.agent == *agent).map(|at| self.list.remove(at));
        let span = before.map_or(AVOID_FIRST, |avoid| avoid.span.times(2)).min(AVOID_MAX);
        let until = now + pause + span;
        if self.list.len() >= AVOIDED_AGENTS_MAX {
            self.list.remove(0);
        }
        self.list.push(Avoid { agent: agent.clone(), span, until });
    }
}

impl BlackHole {
    fn note(&mut self, app: AppIdx, now: ClusterTime) {
        self.failures.retain(|&(other, at)| other != app && now.since(at) < BLACK_HOLE_WINDOW);
        if self.failures.len() >= BLACK_HOLE_FAILURES_MAX {
            self.failures.remove(0);
        }
        self.failures.push((app, now));
        if self.failures.len() >= BLACK_HOLE_APPS {
            let again = now < self.until + self.span;
            self.span = if again { self.span.times(2).min(AVOID_MAX) } else { BLACK_HOLE_WINDOW };
            self.until = now + self.span;
            self.failures.clear();
        }
    }
}

impl Agent {
    /// Whether every app avoids it.
    pub(super) fn is_black_hole(&self, now: ClusterTime) -> bool {
        self.black_hole.as_ref().is_some_and(|hole| now < hole.until)
    }
}

impl App {
    /// Whether the app avoids the agent.
    pub(super) fn avoids(&self, agent: &Agent, now: ClusterTime) -> bool {
        agent.is_black_hole(now) || self.avoided.has(&agent.id, now)
    }
}

impl Scheduler {
    /// The task in a slot, which is still there, failed by its app's fault; the next comes after `pause` at the earliest.
    pub(super) fn note_failed_on(&mut self, idx: AppIdx, slot: u32, pause: Millis) {
        let now = self.clock.read(self.now.mono);
        let Some(app) = self.apps.get_mut(idx) else { return };
        let Some(task) = app.slot(slot).and_then(|s| s.task.as_ref()) else { return };
        let (agent, soon) = (task.agent, now.since(task.since) < BLACK_HOLE_WINDOW);
        let agent = self.agents.get_mut(agent);
        app.avoided.note(&agent.id, now, pause);
        if soon {
            agent.black_hole.get_or_insert_with(Box::default).note(idx, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_avoided_ever_longer_and_then_trusted_again() {
        let mut avoided = Avoided::default();
        let (agent, other) = (AgentId::from("S1"), AgentId::from("S2"));
        let pause = Millis(1000);
        avoided.note(&agent, ClusterTime(0), pause);
        let end = 1000 + AVOID_FIRST.0;
        assert!(avoided.has(&agent, ClusterTime(end - 1)) && !avoided.has(&agent, ClusterTime(end)));
        assert!(!avoided.has(&other, ClusterTime(0)));
        avoided.note(&agent, ClusterTime(end), Millis(0));
        let end = end + 2 * AVOID_FIRST.0;
        assert!(avoided.has(&agent, ClusterTime(end - 1)) && !avoided.has(&agent, ClusterTime(end)));
        let late = end + 2 * AVOID_FIRST.0;
        avoided.note(&agent, ClusterTime(late), Millis(0));
        assert!(!avoided.has(&agent, ClusterTime(late + AVOID_FIRST.0)), "it had been good for long enough");
        for n in 0..100 {
            avoided.note(&agent, ClusterTime(n), Millis(0));
        }
        assert!(!avoided.has(&agent, ClusterTime(100 + AVOID_MAX.0)), "never longer than the limit");
    }

    #[test]
    fn only_so_many_agents_are_avoided() {
        let mut avoided = Avoided::default();
        for n in 0..AVOIDED_AGENTS_MAX + 3 {
            avoided.note(&AgentId::new(alloc::format!("S{n}")), ClusterTime(0), Millis(0));
        }
        assert_eq!(avoided.list.len(), AVOIDED_AGENTS_MAX);
        assert!(!avoided.has(&"S2".into(), ClusterTime(1)) && avoided.has(&"S3".into(), ClusterTime(1)));
    }

    #[test]
    fn several_apps_make_a_black_hole_and_one_does_not() {
        let mut hole = BlackHole::default();
        for n in 0..10 {
            hole.note(AppIdx(1), ClusterTime(n));
        }
        assert_eq!(hole.until, ClusterTime(0), "one app that fails is at fault itself");
        let apps = u32::try_from(BLACK_HOLE_APPS).expect("a small number");
        for app in 2..=apps {
            hole.note(AppIdx(app), ClusterTime(10));
        }
        assert_eq!(hole.until, ClusterTime(10) + BLACK_HOLE_WINDOW);
        let later = hole.until;
        for app in 0..apps {
            hole.note(AppIdx(app), later);
        }
        assert_eq!(hole.until, later + BLACK_HOLE_WINDOW.times(2), "longer the second time");
        for app in 0..apps {
            hole.note(AppIdx(app), hole.until + Millis(u64::from(app) * BLACK_HOLE_WINDOW.0));
        }
        assert_eq!(hole.failures.len(), 1, "failures far apart are no sign");
    }
}
