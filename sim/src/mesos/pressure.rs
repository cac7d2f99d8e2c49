//! Owns what makes offers scarce and odd: other frameworks, an allocator that rests, agents offered in pieces.

use swan_core::mesos::{FrameworkId, TaskInfo};

use super::Cluster;
use super::pool::Pool;
use super::types::ClusterOutput;

/// A tiny offer: the least cpus that make one, thousandths.
const TINY_CPUS: i64 = 10;

impl Cluster {
    pub(super) fn pause_offers(&mut self, paused: bool, out: &mut Vec<ClusterOutput>) {
        let goes_on = self.paused && !paused;
        self.paused = paused;
        if goes_on {
            self.allocate(None, out);
        }
    }

    /// Offers are taken back first, as for a quota.
    pub(super) fn others_take(&mut self, percent: u32, out: &mut Vec<ClusterOutput>) {
        self.rescind_where(|_| true, out);
        for agent in self.agents.values_mut() {
            let taken = agent.free.part(percent);
            agent.free.subtract(taken.resources());
            agent.others.add(taken.resources());
        }
    }

    pub(super) fn intrude(&mut self, framework: &FrameworkId, task: TaskInfo, out: &mut Vec<ClusterOutput>) {
        if !self.frameworks.contains_key(framework) {
            return;
        }
        self.end_streams("Framework failed over", out);
        let wanted = Pool::of(&task.resources);
        if self.agents.get(&task.agent_id).is_some_and(|agent| agent.free.contains(&wanted)) {
            let agent = task.agent_id.clone();
            self.launch(framework, &agent, task, wanted.allocated(Some(&"*".into())), out);
        }
    }

    /// As for others, offers are taken back first, since they count.
    pub(super) fn limit_roles(&mut self, cpus: Option<i64>, out: &mut Vec<ClusterOutput>) {
        if cpus.is_some() {
            self.rescind_where(|_| true, out);
        }
        let ends = cpus.is_none() && self.limit.is_some();
        self.limit = cpus;
        if ends {
            self.allocate(None, out);
        }
    }

    pub(super) fn others_end(&mut self, out: &mut Vec<ClusterOutput>) {
        let mut any = false;
        for agent in self.agents.values_mut() {
            let taken = std::mem::take(&mut agent.others);
            any |= !taken.is_empty();
            agent.free.add(taken.resources());
        }
        if any {
            self.allocate(None, out);
        }
    }
}

/// What one offer would hold, as it comes in several: the first with hardly anything, the last with what remains.
pub(super) fn in_pieces(whole: Pool, most: u32) -> Vec<Pool> {
    let mut rest = whole;
    let mut pieces = Vec::new();
    for nth in 1..most {
        let piece = if nth == 1 { rest.cpus(TINY_CPUS) } else { rest.part(50) };
        if !piece.is_allocatable() {
            break;
        }
        rest.subtract(piece.resources());
        pieces.push(piece);
    }
    match pieces.last_mut().filter(|_| !rest.is_allocatable()) {
        Some(last) => last.add(rest.resources()),
        None => pieces.push(rest),
    }
    pieces
}

#[cfg(test)]
mod tests {
    use swan_core::mesos::Resource;

    use super::*;

    #[test]
    fn pieces_are_together_what_was_whole() {
        let all = [
            Resource::scalar("cpus", 4_000),
            Resource::scalar("mem", 1_024_000),
            Resource::ranges("ports", vec![(31_000, 31_004), (31_010, 31_014)]),
        ];
        let whole = Pool::of(&all);
        for pieces in 1..6 {
            let parts = in_pieces(whole.clone(), pieces);
            assert_eq!(parts.len(), pieces as usize);
            assert!(parts.iter().all(Pool::is_allocatable));
            let mut sum = Pool::default();
            parts.iter().for_each(|part| sum.add(part.resources()));
            assert!(sum.contains(&whole) && whole.contains(&sum), "{pieces} pieces");
        }
        let tiny = Pool::of(&[Resource::scalar("cpus", TINY_CPUS)]);
        assert_eq!(in_pieces(tiny.clone(), 5), [tiny], "what is too little for two stays one");
    }
}
