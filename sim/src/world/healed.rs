//! Owns what follows the faults: everything is mended, and must come to be as wanted.

use std::collections::BTreeMap;

use swan_core::id::DottedId;
use swan_core::mesos::FrameworkId;
use swan_core::scheduler::View;
use swan_core::scheduler::api::RolloutVerb;
use swan_core::scheduler::view::{AppView, WaitingView};

use super::executors::Turn;
use super::{Happening, TRUTH_EVERY, World};
use crate::ask::{Ask, Change};
use crate::checkers::convergence::{self, Outlook, Standing, Told, Wishes};
use crate::checkers::offers_taken::OffersTaken;
use crate::checkers::stored::image_in;
use crate::mesos::ClusterInput;

/// For so long a world is left alone in which everything is as wanted, ms.
const REST_MS: u64 = 3 * 60_000;
/// Between two looks of an operator at the disaster brake.
const OPERATOR_LOOKS_EVERY: u64 = 5 * 60_000;
/// So many tasks surely fit on an agent, one half of which may be reserved.
const ROOM: usize = 16;
/// Between two looks at what waits for an agent.
const WAITING_EVERY: u64 = 10_000;

impl World {
    /// Ends all faults: what is broken is mended, except agents that are gone for ever, which are replaced.
    pub fn heal(&mut self) {
        self.draws.end();
        self.crash_before = None;
        self.watch.calm_since = self.now;
        self.watch.healed = Some(self.now);
        self.rough = self.now;
        for (agent, task) in self.executors.heal() {
            let turn = Turn::Killed;
            self.queue.push(self.now + 1, Happening::Container { agent, task, turn });
        }
        self.network.heal(self.now);
        self.heal_managers();
        self.disk.mend();
        self.disk.fill(0);
        self.clients.retire();
        self.heal_clocks();
        self.heal_masters();
        self.heal_agents();
        for app in self.clients.take_paused() {
            self.ask(Ask::Steer { app, verb: RolloutVerb::Resume });
        }
        // Offers whose answer was lost stay with us as long as the connection; an operator's `offer_timeout` ends that.
        self.cluster_step(ClusterInput::Rescind { agent: None });
    }

    /// Why not everything is as wanted, in words; `None` if it is, as far as it can be.
    pub fn pending(&self) -> Option<String> {
        let Some(view) = self.view() else { return Some("no process is there".into()) };
        let manager = view.manager();
        if !manager.leading || !manager.connected {
            return Some("the manager does not lead, or is not connected".into());
        }
        if !self.all_answered() {
            return Some("a request is not answered".into());
        }
        if let Some(waiting) = self.waiting_update() {
            return Some(waiting);
        }
        match self.standing() {
            Standing::Pending(why) => Some(why),
            Standing::GivenUp(_) => self.too_early(),
            Standing::AsWanted => view.pending(),
        }
    }

    /// Why what was given up would be again if it were started now: rollouts run out of time before a task is given up that
    /// never starts (R86), and before a master gives up an agent that is gone.
    fn too_early(&self) -> Option<String> {
        let stuck = self.executors.stuck(&self.cluster);
        let stuck = stuck.map(|task| format!("{task} never starts, and is not given up"));
        let awaited = || self.cluster.awaited_agent().map(|agent| format!("the master still awaits {agent}"));
        stuck.or_else(awaited)
    }

    /// An update that some agent still repeats (L7).
    fn waiting_update(&self) -> Option<String> {
        let (agent, _, status) =
            self.cluster.unacknowledged().find(|(agent, ..)| self.cluster.is_reachable(agent))?;
        Some(format!("an update of {} on {agent} is not acknowledged (L7)", status.task_id))
    }

    /// What runs, compared with what users want.
    fn standing(&self) -> Standing {
        let wishes = self.wishes();
        let told = |view: View<'_>| {
            let apps = view.apps(None, usize::MAX - 1).items.into_iter();
            let told = apps.map(|app| {
                // While a rollout goes on, it says itself what is in its way.
                let rollouts = view.rollouts(&app.id).unwrap_or_default();
                let operation = rollouts.first().map_or_else(String::new, |it| it.operation.into());
                let running = rollouts.first().filter(|it| it.ended.is_none());
                let in_its_way = running.map(|it| it.error.clone()).filter(|_| app.error_message.is_empty());
                let error = in_its_way.unwrap_or(app.error_message);
                let explained = view.explain(&app.id).unwrap_or_default().waiting;
                let pausing = explained.iter().map(|class| class.backing_off).sum();
                let waiting = explained.iter().map(|class| {
                    let WaitingView { slots, backing_off, suitable, failing, nearest, .. } = class;
                    format!(
                        "{slots} wait, {backing_off} pause, {suitable} agents suit, {failing:?}, {nearest:?}"
                    )
                });
                let waiting = waiting.collect::<Vec<_>>().join("; ");
                let unreachable = app.tasks_status.iter().find(|(state, _)| *state == "TASK_UNREACHABLE");
                let unreachable = unreachable.map_or(0, |(_, count)| *count);
                let image = image_in(&app.spec).unwrap_or_default().to_owned();
                let (status, instances) = (app.operation_status.into(), app.instances);
                let told = Told { status, operation, error, waiting, pausing, image, instances, unreachable };
                (app.id.to_string(), told)
            });
            told.collect()
        };
        let rough = wishes.keys().filter(|app| self.clients.changed(app) <= self.rough && self.rough > 0);
        let told: BTreeMap<String, Told> = self.view().map(told).unwrap_or_default();
        let places = self.agents.places();
        let instances: usize = told.values().map(|app| app.instances as usize).sum();
        let outlook = Outlook {
            book: Some(self.clients.book()),
            scarce: instances > ROOM * places.len(),
            told,
            rough: rough.cloned().collect(),
            places,
        };
        convergence::standing(&wishes, &self.running(), &outlook)
    }

    /// What users may want.
    pub fn wishes(&self) -> Wishes {
        self.clients.wishes()
    }

    /// Both phases of a run. Gives why the second did not come to its end in time.
    pub fn run(&mut self) -> Option<String> {
        self.run_until(self.options.backup_ms.min(self.options.safety_ms));
        self.keep_backup();
        self.run_until(self.options.safety_ms);
        self.heal();
        let deadline = self.now + self.options.settle_ms;
        let pending = self.settle(deadline).or_else(|| self.try_again());
        if pending.is_none() && self.watch.violation.is_none() {
            self.rest();
        }
        if pending.is_none() && self.watch.violation.is_none() {
            self.end_in_disaster();
        }
        pending
    }

    /// With nothing to place, no offer is held, and none is wanted (L8).
    fn rest(&mut self) {
        self.run_until(self.now + REST_MS);
        let Some(view) = self.view() else { return };
        let waits = |app: &AppView| {
            let waiting = view.explain(&app.id).is_some_and(|explained| !explained.waiting.is_empty());
            let moves = app.tasks_status.iter().any(|(state, _)| *state != "TASK_RUNNING");
            waiting || moves || app.operation_status != "noop"
        };
        let (manager, apps) = (view.manager(), view.apps(None, usize::MAX - 1).items);
        // The brake asks for offers, since they show which agents are back.
        if !manager.connected || brakes(view) || apps.iter().any(waits) {
            return;
        }
        self.ledger.note("nothing to place");
        let framework = FrameworkId::new(manager.framework_id);
        let held = self.cluster.outstanding_offers().filter(|it| *it.framework_id == framework).count();
        if held > 0 {
            self.broken("L8", format!("{held} offers are held, with nothing to place"));
        } else if !self.cluster.is_suppressed(&framework) {
            self.broken("L8", "offers are asked for, with nothing to place".into());
        }
    }

    /// Starts once more what was given up; now nothing but an app itself is to blame if it is given up again.
    fn try_again(&mut self) -> Option<String> {
        let Standing::GivenUp(mut apps) = self.standing() else { return None };
        // One that goes on trying cannot be started.
        let rests = |app: &DottedId| self.view()?.app(app).map(|app| app.operation_status == "noop");
        apps.retain(|app| rests(&DottedId::from_text(app)) == Some(true));
        if self.watch.violation.is_some() {
            return None;
        }
        for app in &apps {
            self.ledger.note("app: given up, and started again");
            self.ask(Ask::change(app, Change::Start));
        }
        let pending = self.settle(self.now + self.options.settle_ms)?;
        apps.retain(|app| self.has_leftovers(app));
        if apps.is_empty() {
            return Some(pending);
        }
        for app in apps {
            self.ledger.note("app: left half changed, and restarted");
            self.ask(Ask::change(&app, Change::Restart));
        }
        self.settle(self.now + self.options.settle_ms)
    }

    /// Whether a rollout that failed left tasks of another version: a start fills slots, and replaces none of those.
    fn has_leftovers(&self, app: &str) -> bool {
        let told = self.view().and_then(|view| view.app(&DottedId::from_text(app)));
        told.is_some_and(|app| {
            let mixed = app.current_versions.len() > 1 && !app.error_message.is_empty();
            mixed || app.error_message.contains("still run another version")
        })
    }

    /// Goes on until everything is as wanted; gives why not if it is not by `deadline`.
    pub fn settle(&mut self, deadline: u64) -> Option<String> {
        let (begun, gone) = (self.now, self.some_agents_are_gone());
        let mut offers_taken = OffersTaken::default();
        while self.watch.violation.is_none() {
            self.run_until(self.now + TRUTH_EVERY);
            let why = self.pending()?;
            if self.now >= deadline {
                return Some(why);
            }
            if (self.now - begun).is_multiple_of(WAITING_EVERY)
                && let Err(what) = offers_taken.look(self.now, self.waiting_for_any())
            {
                self.broken("L3", what);
            }
            if gone && (self.now - begun).is_multiple_of(OPERATOR_LOOKS_EVERY) {
                // What is gone for ever does not come back to release the brake.
                self.ask(Ask::OverrideBrake);
            }
        }
        None
    }

    /// Apps that wait for an agent, and may run on any; of those whose tasks come and go some always do.
    fn waiting_for_any(&self) -> Vec<String> {
        let Some(view) = self.view().filter(|view| view.manager().connected && !brakes(*view)) else {
            return Vec::new();
        };
        let anywhere = |app: &AppView| {
            let image = image_in(&app.spec).unwrap_or_default();
            self.clients.book().get(image).is_some_and(|it| it.rules.is_empty() && !it.is_doomed())
        };
        let waits =
            |app: &AppView| view.explain(&app.id).is_some_and(|it| it.waiting.iter().any(|it| it.slots > 0));
        let apps = view.apps(None, usize::MAX - 1).items;
        // Each may have a successor.
        let instances: usize = apps.iter().map(|app| 2 * app.instances as usize).sum();
        if instances > ROOM * self.agents.up().len() {
            return Vec::new();
        }
        apps.into_iter().filter(|app| anywhere(app) && waits(app)).map(|app| app.id.to_string()).collect()
    }
}

fn brakes(view: View<'_>) -> bool {
    view.gauges().any(|(name, _, value)| name == "brake_engaged" && value > 0)
}
