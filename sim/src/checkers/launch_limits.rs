//! Owns the second check of S3: no launch takes an app above what its rollout's limits allow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use swan_core::scheduler::effect::MesosCall;

use super::{Checker, Context, Seen, call_of};
use crate::definition::Policy;

/// A wanted number counts for so long after it was changed: what was decided before may still leave.
const LAG_MS: u64 = 120_000;

/// Every launch leaves an app within its limits.
#[derive(Clone, Debug, Default)]
pub struct LaunchLimits {
    /// Wanted numbers of late, by app.
    wanted: BTreeMap<String, VecDeque<(u64, u32)>>,
    /// When the number was changed last, by app.
    changed: BTreeMap<String, u64>,
}

impl Checker for LaunchLimits {
    fn number(&self) -> &'static str {
        "S3"
    }

    fn see(&mut self, at: Context<'_>, seen: Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Truth(_) => at.fleet.apps().for_each(|app| self.sample(at, app)),
            Seen::Does(effect) => {
                if let Some(MesosCall::Accept { launches, .. }) = call_of(effect) {
                    let apps: BTreeSet<&str> =
                        launches.iter().map(|launch| launch.template.app.as_str()).collect();
                    return apps.into_iter().try_for_each(|app| self.judge(at, app));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl LaunchLimits {
    fn sample(&mut self, at: Context<'_>, app: &str) {
        let now = at.stored.app(app).map_or(0, |app| app.instances);
        let samples = self.wanted.entry(app.to_owned()).or_default();
        // An unchanged number is as good as new.
        if samples.back().is_some_and(|(_, wanted)| *wanted == now) {
            samples.pop_back();
        } else {
            self.changed.insert(app.to_owned(), at.now);
        }
        samples.push_back((at.now, now));
        while samples.front().is_some_and(|(seen, _)| seen + LAG_MS < at.now) {
            samples.pop_front();
        }
    }

    fn judge(&mut self, at: Context<'_>, app: &str) -> Result<(), String> {
        self.sample(at, app);
        let wanted = self.wanted[app].iter().map(|(_, wanted)| *wanted).max().unwrap_or(0);
        let policy = |image: &str| at.book.get(image).map_or_else(Policy::default, |it| it.policy());
        // The end of a task is decided before its KILL can leave.
        let is_to_end = |task| at.stored.current(task).is_some_and(|stored| stored.stop > 0);
        let stay = at.fleet.of(app).filter(|(task, it)| it.stays() && !is_to_end(task));
        let live: Vec<&str> = stay.map(|(_, it)| it.image.as_str()).collect();
        let target = at.stored.target_image(app).unwrap_or_default();
        let policies: Vec<Policy> = live.iter().copied().chain([target.as_str()]).map(policy).collect();
        // What was begun on top of an earlier number stays beside a new one.
        let numbers = self.wanted[app].iter().map(|(_, wanted)| *wanted);
        let on_top = numbers.flat_map(|n| policies.iter().map(move |policy| policy.ceiling(n) - n)).max();
        let most = wanted + on_top.unwrap_or(0);
        if live.len() > most as usize && live.len() > wanted as usize + self.pairs_of_before(at, app) {
            return Err(format!(
                "{app} has {} tasks of {wanted} by a launch, and may have {most}",
                live.len()
            ));
        }
        Ok(())
    }

    /// Successors that run since before the number was changed, however long ago that is.
    fn pairs_of_before(&self, at: Context<'_>, app: &str) -> usize {
        let theirs = at.stored.seats().filter(|seat| seat.app == app && seat.second);
        let members = theirs.filter_map(|seat| at.fleet.get(&seat.task_id()?));
        members.filter(|it| it.launched < self.changed[app] && it.ended.is_none()).count()
    }
}
