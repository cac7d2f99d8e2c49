//! Owns rollouts: every change of an app is one, from its beginning to how it ends, and so are its limits and counters.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::apps::{App, AppIdx, VersionId};
use super::event::EventKind;
use super::slot::{Slot, StopReason, Task};
use super::timers::TimerKey;
use crate::limits::{MESSAGE_BYTES_MAX, ROLLOUT_FAILURES_DEFAULT, ROLLOUTS_KEPT, STAGING_ASK};
use crate::mesos::TaskState;
use crate::spec::{AppSpec, OnFailure, WHOLE_PPM};
use crate::time::{ClusterTime, Instant, Timestamp};

/// What a rollout is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Operation {
    #[default]
    Noop,
    Creating,
    ScalingUp,
    ScalingDown,
    Updating,
    RollingBack,
    Restarting,
    Stopping,
    Starting,
    Deleting,
}

impl Operation {
    const ALL: [Self; 10] = [
        Self::Noop,
        Self::Creating,
        Self::ScalingUp,
        Self::ScalingDown,
        Self::Updating,
        Self::RollingBack,
        Self::Restarting,
        Self::Stopping,
        Self::Starting,
        Self::Deleting,
    ];

    /// Original Swan's `operationStatus`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Noop => "noop",
            Self::Creating => "creating",
            Self::ScalingUp => "scaling_up",
            Self::ScalingDown => "scaling_down",
            Self::Updating => "updating",
            Self::RollingBack => "rollbacking",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Starting => "starting",
            Self::Deleting => "deleting",
        }
    }

    /// The reverse of [`Self::name`].
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Whether it replaces tasks of another configuration than the wanted one.
    pub(super) const fn replaces(self) -> bool {
        matches!(self, Self::Updating | Self::RollingBack | Self::Restarting)
    }
}

/// How far a rollout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stage {
    #[default]
    Running,
    Paused,
    Done,
    Failed,
    Cancelled,
    /// By another change that was forced.
    Replaced,
}

impl Stage {
    const ALL: [Self; 6] =
        [Self::Running, Self::Paused, Self::Done, Self::Failed, Self::Cancelled, Self::Replaced];

    /// The name that readers and records know.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Replaced => "replaced",
        }
    }

    /// Why it ended before its goal was reached, if a user ended it.
    const fn interruption(self) -> Option<&'static str> {
        match self {
            Self::Cancelled => Some("cancelled"),
            Self::Replaced => Some("replaced by another change"),
            Self::Running | Self::Paused | Self::Done | Self::Failed => None,
        }
    }

    /// The reverse of [`Self::name`].
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// One change of an app, under way or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rollout {
    /// Grows with each of the app.
    pub(super) id: u64,
    pub(super) operation: Operation,
    pub(super) stage: Stage,
    /// Begun by the machine itself.
    pub(super) automatic: bool,
    /// The version wanted before; 0 if there was none.
    pub(super) from: VersionId,
    pub(super) to: VersionId,
    pub(super) from_instances: u32,
    pub(super) to_instances: u32,
    /// Instances before, had it not been stopped.
    pub(super) from_size: u32,
    /// Errors of its new tasks.
    pub(super) failures: u32,
    /// Why it has failed, or what is in its way.
    pub(super) error: String,
    /// The most instances ever ready.
    pub(super) best: u32,
    /// When the last instance became ready, or it began or resumed.
    pub(super) progress_at: ClusterTime,
    /// Nothing new begins before this.
    pub(super) next_at: ClusterTime,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    /// Its next deadline.
    pub(super) timer: Option<Instant>,
}

/// How far the number of tasks may leave the wanted one while a rollout goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// So many stay healthy; planned stops respect it (S1).
    pub(super) floor: u32,
    /// So many may exist (S3).
    pub(super) ceiling: u32,
    /// So many slots change at the same time.
    pub(super) parallel: u32,
}

impl Bounds {
    /// Of `instances` tasks of `spec`: Marathon's arithmetic.
    pub(super) fn of(spec: &AppSpec, instances: u32) -> Self {
        let (n, whole) = (u64::from(instances), u64::from(WHOLE_PPM));
        let least = (n * u64::from(spec.upgrade.min_healthy_ppm)).div_ceil(whole);
        let mut most = n + n * u64::from(spec.upgrade.max_over_ppm) / whole;
        if least == most {
            // One more than wanted, or nothing could ever be replaced.
            most += 1;
        }
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            floor: number(least),
            ceiling: number(most),
            parallel: spec.update.parallel.unwrap_or(u32::MAX),
        }
    }
}

impl App {
    /// What is under way.
    pub(super) fn operation(&self) -> Operation {
        self.rollout.as_ref().map_or(Operation::Noop, |rollout| rollout.operation)
    }

    /// Whether the rollout under way may begin something new.
    pub(super) fn is_rolling(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.stage == Stage::Running)
    }

    /// Whether the rollout under way rests.
    pub(super) fn is_paused(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.stage == Stage::Paused)
    }

    /// Whether the rollout under way may replace tasks of another configuration.
    pub(super) fn is_replacing(&self) -> bool {
        (self.is_rolling() || mutant!(PauseIgnored)) && self.operation().replaces()
    }

    /// Whether the rollout under way, should it fail, brings back by itself what was there before.
    fn goes_back_on_failure(&self) -> bool {
        self.wanted().spec.update.on_failure == OnFailure::Rollback
            && self.rollout.as_ref().is_some_and(|it| it.operation.replaces() && !it.automatic)
    }

    /// Whether a slot's next task gets the wanted configuration, rather than the one that it ran: not while the rollout
    /// that brings it rests, nor after that has failed or was broken off. What is gone back to is always trusted (S10).
    pub(super) fn brings_wanted(&self) -> bool {
        let brings = |operation: Operation| {
            operation.replaces() || matches!(operation, Operation::Creating | Operation::Starting)
        };
        let mut newest_first = self.rollout.as_deref().into_iter().chain(self.ended.iter().rev());
        newest_first.find(|rollout| brings(rollout.operation)).is_none_or(|rollout| {
            rollout.operation == Operation::RollingBack
                || matches!(rollout.stage, Stage::Running | Stage::Done)
        })
    }

    /// What a rollout that did not get to its end left as it was, in words; empty if nothing.
    pub(super) fn left_behind(&self) -> String {
        match self.others() {
            0 => String::new(),
            others => format!(
                "{others} of {} tasks still run another version, as a rollout that failed or was cancelled left them",
                self.instances
            ),
        }
    }

    /// Slots that run, or will run again, another configuration than the wanted one, with or without a successor.
    pub(super) fn others(&self) -> usize {
        let (brings, wanted) = (self.brings_wanted(), self.wanted_runs());
        let runs = |slot: &Slot| match &slot.task {
            Some(task) if task.stop.is_none() || !brings => task.version,
            None if !brings => slot.ran,
            Some(_) | None => wanted,
        };
        let places = self.slots().iter().enumerate().filter(|&(number, _)| self.is_place(number as u32));
        places.filter(|(_, slot)| runs(slot) != 0 && runs(slot) != wanted).count()
    }

    /// Why a task that is one too many is ended.
    pub(super) fn surplus_reason(&self) -> StopReason {
        if self.operation() == Operation::Deleting { StopReason::Delete } else { StopReason::Scale }
    }

    /// The limits of rollouts of the wanted version.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds::of(&self.wanted().spec, self.instances)
    }

    /// Errors of new tasks that a rollout bears.
    pub(super) fn failures_max(&self) -> u32 {
        let spread = || ROLLOUT_FAILURES_DEFAULT.max(self.instances / 10);
        self.wanted().spec.update.max_failures.unwrap_or_else(spread)
    }

    /// The newest version older than the wanted one whose containers differ from its.
    pub(super) fn earlier_version(&self) -> Option<VersionId> {
        let wanted = &self.wanted().spec;
        let older = self.versions.range(..self.target).rev();
        older.filter(|(_, version)| !version.spec.same_containers(wanted)).map(|(&id, _)| id).next()
    }
}

/// What a new rollout is to bring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    pub(super) operation: Operation,
    pub(super) version: VersionId,
    /// Instances from now on.
    pub(super) instances: u32,
    /// Instances while it is not stopped.
    pub(super) size: u32,
    pub(super) automatic: bool,
}

impl Scheduler {
    /// Begins a rollout; one under way must have been ended before.
    pub(super) fn begin_rollout(&mut self, idx: AppIdx, goal: Goal) {
        let clock = self.clock.read(self.now.mono);
        let now = self.now.wall;
        let app = self.apps.get_mut(idx).expect("only living apps change");
        assert!(app.rollout.is_none(), "an app has one rollout at a time");
        let id = app.ended.back().map_or(0, |ended| ended.id) + 1;
        let (from, from_instances) = (app.target, app.instances);
        let rollout = Rollout {
            id,
            operation: goal.operation,
            stage: Stage::Running,
            automatic: goal.automatic,
            from: if goal.operation == Operation::Creating { 0 } else { from },
            to: goal.version,
            from_instances: if goal.operation == Operation::Creating { 0 } else { from_instances },
            to_instances: goal.instances,
            from_size: app.size,
            failures: 0,
            error: String::new(),
            best: 0,
            progress_at: clock,
            next_at: clock,
            started: now,
            ended: None,
            timer: None,
        };
        app.rollout = Some(Box::new(rollout));
        app.target = goal.version;
        let moved = app.resize(goal.instances.saturating_sub(u32::from(mutant!(OneTooFew))));
        app.size = goal.size;
        app.error.clear();
        app.recount();
        self.drop_demand(idx);
        self.note_vacancies(idx, &moved);
        self.try_again(idx);
        self.wait_for_lost_anew(idx);
        self.changed(idx);
        self.arm_rollout(idx);
    }

    /// Writes down which slots became, or cease to be, vacant.
    fn note_vacancies(&mut self, idx: AppIdx, moved: &[u32]) {
        for &number in moved {
            let app = self.apps.get_mut(idx).expect("only living apps change");
            let vacant = app.vacant.contains(&number);
            if app.slot(number).is_some() {
                app.edit(number, |slot| slot.vacant = vacant);
                self.note_slot(idx, number);
            }
        }
    }

    /// Ends the rollout under way, if any; what it has begun is left to the planner.
    pub(super) fn end_rollout(&mut self, idx: AppIdx, stage: Stage) {
        let now = self.now.wall;
        self.disarm_rollout(idx);
        let app = self.apps.get_mut(idx).expect("only rollouts of living apps end");
        let ready = app.progress();
        let Some(mut rollout) = app.rollout.take() else { return };
        rollout.best = rollout.best.max(ready);
        rollout.stage = stage;
        rollout.ended = Some(now);
        if let Some(why) = stage.interruption() {
            rollout.error = why.into();
        }
        let (operation, error) = (rollout.operation.name().to_string(), rollout.error.clone());
        app.ended.push_back(*rollout);
        if app.ended.len() > ROLLOUTS_KEPT {
            app.ended.pop_front();
        }
        app.look_at_all_pairs();
        self.changed(idx);
        self.publish(Some(idx), None, EventKind::RolloutEnded { operation, error });
    }

    /// The app's definition or rollout has changed: its new revision is written, and it is planned.
    pub(super) fn changed(&mut self, idx: AppIdx) -> u64 {
        let now = self.now.wall;
        let app = self.apps.get_mut(idx).expect("only living apps change");
        app.revision += 1;
        app.updated = now;
        let revision = app.revision;
        self.note_app(idx);
        self.queue_plan(idx);
        revision
    }

    /// More instances are ready than ever before in this rollout: its deadline moves.
    pub(super) fn note_progress(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get_mut(idx).expect("only living apps progress");
        let (ready, delay) = (app.progress(), app.wanted().spec.update.delay);
        let Some(rollout) = app.rollout.as_mut().filter(|rollout| ready > rollout.best) else { return };
        rollout.best = ready;
        rollout.progress_at = clock;
        rollout.next_at = clock + delay;
        self.note_app(idx);
        self.arm_rollout(idx);
    }

    /// Every rollout gets its whole span again: nothing could happen while Mesos was away, or the brake held.
    pub(super) fn forgive_rollouts(&mut self) {
        let clock = self.clock.read(self.now.mono);
        for idx in self.rolling.clone() {
            if let Some(rollout) = self.apps.get_mut(idx).and_then(|app| app.rollout.as_mut()) {
                rollout.progress_at = clock;
                self.note_app(idx);
                self.arm_rollout(idx);
            }
        }
    }

    /// The timer of a rollout: the pause between two steps is over, or nothing has moved for too long.
    pub(super) fn rollout_due(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let Some(app) = self.apps.get_mut(idx) else { return };
        let Some(rollout) = app.rollout.as_mut() else { return };
        rollout.timer = None;
        let span = app.wanted().spec.update.progress_deadline;
        let rollout = app.rollout.as_ref().expect("checked just now");
        let late = !mutant!(NoProgressDeadline)
            && clock.since(rollout.progress_at) >= span
            && rollout.next_at <= clock;
        if !(self.link.connected && app.is_rolling() && late) {
            self.arm_rollout(idx);
        } else if self.brake_holds(idx) {
            self.wait_for_brake(idx);
        } else {
            let why = self.why_no_progress(idx);
            self.fail_rollout(idx, format!("no progress for {} s: {why}", span.0 / 1000));
        }
        self.queue_plan(idx);
    }

    fn why_no_progress(&self, idx: AppIdx) -> String {
        let app = self.apps.get(idx).expect("only living apps have rollouts");
        if !app.pending.is_empty() {
            return self.unplaceable_reason(idx);
        }
        if let Some(slow) = self.slow_task(app) {
            return slow;
        }
        if let Some(pausing) = self.pausing_slot(app) {
            return pausing;
        }
        let failed = app.slots().iter().filter_map(|slot| slot.last_failure()).max_by_key(|note| note.at);
        match failed {
            Some(note) => note.text(),
            None => format!("{} of {} instances are ready", app.progress(), app.instances),
        }
    }

    /// The task that has been on its way from one state to another for longest, if for long, in words: what failed
    /// before it is in nobody's way now.
    fn slow_task(&self, app: &App) -> Option<String> {
        let clock = self.clock.read(self.now.mono);
        let on_its_way = |task: &Task| match (task.state, task.stop) {
            (TaskState::Unreachable, _) => Some("out of reach"),
            (_, Some(_)) => Some("ending"),
            (TaskState::Staging | TaskState::Starting, None) => Some("starting"),
            _ => None,
        };
        let tasks = app.seats_from(0).filter_map(|seat| app.slot(seat)?.task.as_ref());
        let slow = tasks.filter(|task| clock.since(task.since) >= STAGING_ASK);
        let (task, what) =
            slow.filter_map(|task| Some((task, on_its_way(task)?))).min_by_key(|(task, _)| task.since)?;
        let (host, seconds) = (&self.agents.get(task.agent).host, clock.since(task.since).0 / 1000);
        Some(format!("a task on {host} has been {what} for {seconds} s"))
    }

    /// The slot that waits longest before it tries again, in words.
    fn pausing_slot(&self, app: &App) -> Option<String> {
        let clock = self.clock.read(self.now.mono);
        let slots = app.seats_from(0).filter(|&seat| app.wants(seat)).filter_map(|seat| app.slot(seat));
        let pausing = slots.filter(|slot| slot.task.is_none() && slot.not_before > clock);
        let slot = pausing.max_by_key(|slot| slot.not_before)?;
        let seconds = slot.not_before.since(clock).0 / 1000;
        let after = slot.last_failure().map_or_else(String::new, |note| format!(" after {}", note.text()));
        Some(format!("a slot pauses for {seconds} s more{after}"))
    }

    /// The rollout under way has failed: what follows is the user's choice.
    pub(super) fn fail_rollout(&mut self, idx: AppIdx, mut why: String) {
        let clock = self.clock.read(self.now.mono);
        cut(&mut why, MESSAGE_BYTES_MAX);
        let app = self.apps.get_mut(idx).expect("only rollouts of living apps fail");
        let policy = app.wanted().spec.update.on_failure;
        let Some(rollout) = app.rollout.as_mut() else { return };
        rollout.error.clone_from(&why);
        if matches!(rollout.operation, Operation::Deleting | Operation::Stopping | Operation::ScalingDown)
            || policy == OnFailure::Continue
        {
            // Tasks that do not end, or whatever the user wants to be tried for ever: only said.
            rollout.progress_at = clock;
            self.note_app(idx);
            self.arm_rollout(idx);
            return;
        }
        let from = rollout.from;
        let back = app.goes_back_on_failure();
        self.end_rollout(idx, Stage::Failed);
        if back && self.roll_back_to(idx, from, &why) {
            return;
        }
        let app = self.apps.get_mut(idx).expect("a failed rollout leaves its app");
        app.error.clone_from(&why);
        self.note_app(idx);
        self.give_up_waiting(idx, &why);
    }

    /// Begins to bring back a version by itself; false if it is not kept any more.
    pub(super) fn roll_back_to(&mut self, idx: AppIdx, version: VersionId, why: &str) -> bool {
        let app = self.apps.get_mut(idx).expect("only living apps are rolled back");
        if version == app.target || !app.versions.contains_key(&version) {
            return false;
        }
        let (instances, size) = (app.instances, app.size);
        let goal = Goal { operation: Operation::RollingBack, version, instances, size, automatic: true };
        self.end_rollout(idx, Stage::Failed);
        self.begin_rollout(idx, goal);
        let app = self.apps.get_mut(idx).expect("checked above");
        app.rollout.as_mut().expect("begun just now").error = format!("rolled back: {why}");
        self.note_app(idx);
        let event = EventKind::AppRolledBack { version: version.to_string(), reason: why.into() };
        self.publish(Some(idx), None, event);
        true
    }

    /// Ends the rollout once everything is as wanted.
    pub(super) fn finish_rollout(&mut self, idx: AppIdx) {
        let Some(app) = self.apps.get_mut(idx) else { return };
        if app.rollout.is_none() || app.slot_count() != app.span() || app.has_replacements() {
            return;
        }
        if app.operation() == Operation::Deleting {
            self.disarm_rollout(idx);
            self.forget_app(idx);
            return;
        }
        let given_up = app.given_up();
        let enough = match app.operation() {
            // Over once the surplus is gone, however the rest fares.
            Operation::ScalingDown | Operation::Stopping => app.surplus_is_gone(),
            _ => app.progress() + given_up >= app.instances && app.counts.stopping == 0,
        };
        if !app.is_rolling() || !enough {
            return;
        }
        let left = app.left_behind();
        let gave_up = format!("{given_up} of {} slots were given up", app.instances);
        if given_up > 0 && app.goes_back_on_failure() {
            return self.fail_rollout(idx, gave_up);
        }
        let rollout = app.rollout.as_mut().expect("checked above");
        if given_up > 0 {
            rollout.error = gave_up;
        } else if !rollout.automatic {
            rollout.error.clear();
        }
        // After a rollback by itself the user must still see why the version that was asked for does not run.
        app.error.clone_from(&rollout.error);
        if app.error.is_empty() {
            app.error = left;
        }
        self.end_rollout(idx, if given_up > 0 { Stage::Failed } else { Stage::Done });
    }

    /// Arms the timer of the rollout under way.
    pub(super) fn arm_rollout(&mut self, idx: AppIdx) {
        let clock = self.clock.read(self.now.mono);
        let mono = self.now.mono;
        let Some(app) = self.apps.get_mut(idx) else { return };
        let Some(rollout) = app.rollout.as_ref() else { return };
        let span = app.wanted().spec.update.progress_deadline;
        let left = |at: ClusterTime| mono + at.since(clock);
        let at = match rollout.stage {
            // Nothing can happen while Mesos is away, so that nothing is late.
            _ if !self.link.connected => None,
            Stage::Running if rollout.next_at > clock => Some(left(rollout.next_at)),
            Stage::Running => Some(left(rollout.progress_at + span)),
            _ => None,
        };
        self.rolling.insert(idx);
        let rollout = app.rollout.as_mut().expect("checked just now");
        self.timers.arm(TimerKey::Rollout(idx), &mut rollout.timer, at);
    }

    fn disarm_rollout(&mut self, idx: AppIdx) {
        self.rolling.remove(&idx);
        if let Some(rollout) = self.apps.get_mut(idx).and_then(|app| app.rollout.as_mut()) {
            self.timers.arm(TimerKey::Rollout(idx), &mut rollout.timer, None);
        }
    }
}

/// Cuts a text to so many bytes at most, between two characters.
pub(super) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(instances: u32, min_healthy_ppm: u32, max_over_ppm: u32) -> (u32, u32) {
        let document = br#"{"id":"/a","container":{"docker":{"image":"a"}}}"#;
        let mut spec = AppSpec::parse(document).expect("a valid app").spec;
        spec.upgrade = crate::spec::Upgrade { min_healthy_ppm, max_over_ppm };
        let Bounds { floor, ceiling, .. } = Bounds::of(&spec, instances);
        (floor, ceiling)
    }

    #[test]
    fn limits_follow_the_arithmetic_of_marathon() {
        for (instances, min, over, expected) in [
            (10, 1_000_000, 1_000_000, (10, 20)),
            (10, 500_000, 0, (5, 10)),
            (1, 1_000_000, 0, (1, 2)),
            (10, 1_000_000, 0, (10, 11)),
            (10, 1_000_000, 50_000, (10, 11)),
            (10, 900_000, 190_000, (9, 11)),
            (3, 500_000, 500_000, (2, 4)),
            (1, 500_000, 0, (1, 2)),
            (5, 0, 0, (0, 5)),
            (0, 1_000_000, 1_000_000, (0, 1)),
        ] {
            assert_eq!(bounds(instances, min, over), expected, "{instances} {min} {over}");
        }
    }

    #[test]
    fn names_are_told_apart() {
        for operation in Operation::ALL {
            assert_eq!(Operation::named(operation.name()), Some(operation));
        }
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(stage));
        }
        assert_eq!((Operation::named("x"), Stage::named("")), (None, None));
    }
}
