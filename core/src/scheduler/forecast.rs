//! Owns forecasts: how many tasks of a definition the agents as last heard of have room for.

use alloc::vec::Vec;

use super::Scheduler;
use super::agents::Agent;
use super::miss::Seeker;
use super::planner::need;
use super::room::Room;
use crate::constraint::Census;
use crate::limits::{EXPLAINED_AGENTS_MAX, LOOKS_PER_STEP};
use crate::spec::AppSpec;

impl Scheduler {
    /// Of `wanted` further tasks of `spec`, how many the agents as last heard of have room for; fewer than that if the
    /// work would grow beyond a limit.
    pub(super) fn placeable(&self, spec: &AppSpec, wanted: u32) -> u32 {
        let (need, matcher) = (&need(spec), &spec.rules.compile());
        let app =
            self.apps.find(spec.path.dotted().as_str()).and_then(|idx| Some((idx, self.apps.get(idx)?)));
        let role = &*self.roles[usize::from(self.role_for(spec.role.as_deref()))];
        let mut rooms: Vec<(&Agent, &str, Room)> = Vec::new();
        for (_, agent) in self.agents.from("").take(EXPLAINED_AGENTS_MAX) {
            rooms.extend(agent.offered.as_ref().map(|(role, room)| (agent, &**role, room.clone())));
        }
        // Only tasks that would stay count for the rules.
        let stay = app.map(|(_, app)| app).filter(|app| spec.same_containers(&app.wanted().spec));
        let mut census =
            stay.map_or_else(|| Census::new(matcher), |app| self.census_of(app, matcher, app.wanted_runs()));
        let (mut placed, mut looks) = (0, 0);
        // Again and again over all agents, one task on each, as `spread` would.
        loop {
            let before = placed;
            for (agent, offered_to, room) in &mut rooms {
                looks += 1;
                if placed == wanted || looks > LOOKS_PER_STEP {
                    return placed;
                }
                let seeker = Seeker { machine: self, app, need, matcher, role, census: &census };
                if seeker.miss_in(agent, offered_to, room).is_none() && room.cut(need).is_some() {
                    placed += 1;
                    census.add(matcher, &agent.as_candidate());
                }
            }
            if placed == before {
                return placed;
            }
        }
    }
}
