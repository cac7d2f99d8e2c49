//! Owns what the end of a task that nobody asked for means: whether it counts, how long its slot pauses, what is kept of
//! it, and what follows when the retries are used up.

use alloc::format;
use alloc::string::{String, ToString};

use super::Scheduler;
use super::agents::AgentIdx;
use super::apps::{App, AppIdx};
use super::event::EventKind;
use super::rollout::cut;
use super::slot::{FailureNote, Slot, Task, Trouble, number_of};
use super::status::{Fault, fault};
use super::update::text_of;
use crate::limits::{FAILURE_MESSAGE_BYTES_MAX, MESSAGE_BYTES_MAX, RETRIES_COUNTED_MAX};
use crate::mesos::{TaskState, TaskStatus};
use crate::spec::{EndPattern, Failover, OnExhausted};
use crate::time::Millis;

/// What an end that nobody asked for costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nothing: the cluster did it.
    Nothing,
    /// The user does not count it; a first pause all the same, or it would be tried again without end and without pause.
    Pause,
    /// An error of the app.
    Error,
}

/// What the retries of a slot leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Retry,
    Exhausted(OnExhausted),
}

/// Judges an end that nobody asked for.
pub(super) fn cost(policy: &Failover, status: &TaskStatus) -> Cost {
    if policy.ignore.as_ref().is_some_and(|pattern| pattern.matches(status)) {
        return if fault(status) == Fault::Cluster { Cost::Nothing } else { Cost::Pause };
    }
    match (&policy.errors, fault(status)) {
        (Some(pattern), _) if pattern.matches(status) => Cost::Error,
        (_, Fault::Cluster) => Cost::Nothing,
        (None, Fault::App) => Cost::Error,
        (Some(_), Fault::App) => Cost::Pause,
    }
}

impl EndPattern {
    /// Whether an end is one of those meant.
    fn matches(&self, status: &TaskStatus) -> bool {
        let code = exit_code(status);
        let of_code = |&(low, high): &(i32, i32)| code.is_some_and(|code| (low..=high).contains(&code));
        (self.states.is_empty() || self.states.contains(&status.state))
            && (self.reasons.is_empty() || status.reason.is_some_and(|reason| self.reasons.contains(&reason)))
            && (self.exit_codes.is_empty() || self.exit_codes.iter().any(of_code))
    }
}

/// What a container ended with: the executors tell it in their message only. Others tell of commands of their own.
pub(super) fn exit_code(status: &TaskStatus) -> Option<i32> {
    let message = status.message.as_deref()?;
    let rest = ["Container", "Command"]
        .iter()
        .find_map(|what| message.strip_prefix(what)?.strip_prefix(" exited with status "))?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

impl Slot {
    /// What went wrong, to be added to.
    pub(super) fn trouble_mut(&mut self) -> &mut Trouble {
        self.trouble.get_or_insert_default()
    }

    /// Counts its errors anew, and tries again if it was given up; whether that changes anything.
    fn take_heart(&mut self) -> bool {
        let Some(trouble) = &mut self.trouble else { return false };
        let counted = !core::mem::take(&mut trouble.recent).is_empty();
        let given_up = trouble.given_up.take().is_some();
        if trouble.history.is_empty() {
            self.trouble = None;
        }
        counted || given_up
    }
}

impl FailureNote {
    /// For people, in one line.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} on {}", self.state.name().unwrap_or("TASK_UNKNOWN"), self.host);
        let reason = self.reason.and_then(crate::mesos::Reason::name).unwrap_or_default();
        let told = text_of(reason, &self.message);
        if !told.is_empty() {
            text.push_str(": ");
            text.push_str(&told);
        }
        text
    }
}

impl App {
    /// The pause before the next attempt: the app's back-off to the power of its failures.
    fn backoff(&self, seat: u32) -> Millis {
        let policy = &self.wanted().spec.backoff;
        let mut pause = policy.initial.0;
        for _ in 0..self.slot(seat).map_or(0, |slot| slot.failures).min(1000) {
            pause = pause.saturating_mul(u64::from(policy.factor_thousandths)) / 1000;
            if pause >= policy.max.0 {
                break;
            }
        }
        Millis(pause.min(policy.max.0))
    }
}

impl Scheduler {
    /// A task has ended that nobody asked to: its slot pauses, and perhaps gives up.
    pub(super) fn on_failure(&mut self, idx: AppIdx, seat: u32, status: &TaskStatus) {
        let clock = self.clock.read(self.now.mono);
        let app = self.apps.get(idx).expect("found just now");
        let policy = app.wanted().spec.failover.clone();
        let cost = cost(&policy, status);
        let mut pause = match cost {
            Cost::Nothing if self.brake.holds() => self.brake.pause(),
            Cost::Nothing => Millis(0),
            Cost::Pause => app.wanted().spec.backoff.initial,
            Cost::Error if mutant!(NoBackOff) => Millis(0),
            Cost::Error => app.backoff(seat),
        };
        let task = app.slot(seat).and_then(|slot| slot.task.as_ref()).expect("found just now");
        let (agent, version) = (task.agent, task.version);
        let note = self.failure_note(agent, task, status, cost == Cost::Error);
        let app = self.apps.get_mut(idx).expect("found just now");
        let verdict = app.edit(number_of(seat), |slot| {
            let trouble = slot.trouble_mut();
            trouble.history.push_back(note);
            while trouble.history.len() > policy.history as usize {
                trouble.history.pop_front();
            }
            let verdict = match policy.retries {
                Some(retries) if cost == Cost::Error && retries <= RETRIES_COUNTED_MAX => {
                    trouble.recent.retain(|&at| clock.since(at) < policy.window);
                    trouble.recent.push(clock);
                    let exhausted = trouble.recent.len() > retries as usize;
                    if exhausted { Verdict::Exhausted(policy.on_exhausted) } else { Verdict::Retry }
                }
                _ => Verdict::Retry,
            };
            if trouble.history.is_empty() && trouble.recent.is_empty() && trouble.given_up.is_none() {
                slot.trouble = None;
            }
            verdict
        });
        if verdict == Verdict::Exhausted(OnExhausted::KeepTrying) {
            pause = app.wanted().spec.backoff.max;
        }
        if is_of_rollout(app, version) && cost == Cost::Error {
            app.rollout.as_mut().expect("checked just now").failures += 1;
            self.note_app(idx);
        }
        // Whoever watches the first seat writes its history; the second one has none.
        self.note_slot(idx, number_of(seat));
        if cost == Cost::Error {
            self.note_failed_on(idx, seat, pause);
        }
        self.vacate(idx, seat, status, pause, cost == Cost::Error);
        self.after_failure(idx, seat, status, verdict, cost);
    }

    /// What follows from a failure for its slot, its rollout and its app.
    fn after_failure(&mut self, idx: AppIdx, seat: u32, status: &TaskStatus, verdict: Verdict, cost: Cost) {
        let number = number_of(seat);
        let app = self.apps.get(idx).expect("found just now");
        let reason = status.reason.and_then(crate::mesos::Reason::name).unwrap_or_default();
        let told = text_of(reason, status.message.as_deref().unwrap_or_default());
        let state = status.state.name().unwrap_or("TASK_UNKNOWN");
        let mut text = format!("slot {number}: {state}: {told}");
        cut(&mut text, MESSAGE_BYTES_MAX);
        let over = app.rollout.as_ref().is_some_and(|rollout| rollout.failures > app.failures_max());
        // The same definition will be refused again and again.
        let hopeless = status.state == TaskState::Error && cost == Cost::Error;
        if app.is_rolling() && (over || hopeless) && app.rollout.as_ref().is_some_and(|r| r.failures > 0) {
            self.fail_rollout(idx, format!("{} errors of new tasks; {text}", self.rollout_failures(idx)));
            return;
        }
        match verdict {
            Verdict::Retry | Verdict::Exhausted(OnExhausted::KeepTrying) => {}
            Verdict::Exhausted(OnExhausted::Stop) => self.exhausted(idx, number, &text),
            Verdict::Exhausted(OnExhausted::Rollback) => {
                let earlier = self.apps.get(idx).and_then(App::earlier_version);
                let back = earlier.is_some_and(|version| {
                    self.apps.get(idx).is_some_and(|app| app.rollout.as_ref().is_none_or(|r| !r.automatic))
                        && self.roll_back_to(idx, version, &text)
                });
                if !back {
                    self.exhausted(idx, number, &text);
                }
            }
        }
    }

    fn rollout_failures(&self, idx: AppIdx) -> u32 {
        let rollout = self.apps.get(idx).and_then(|app| app.rollout.as_ref());
        rollout.map_or(0, |rollout| rollout.failures)
    }

    /// No task is tried in the slot any more.
    fn exhausted(&mut self, idx: AppIdx, number: u32, why: &str) {
        let text = format!("gave up: {why}");
        self.give_up(idx, number, &text);
        let app = self.apps.get_mut(idx).expect("only slots of living apps are given up");
        if app.rollout.is_none() {
            app.error.clone_from(&text);
        }
        self.note_app(idx);
        self.queue_plan(idx);
    }

    /// Gives up every slot that waits for a task.
    pub(super) fn give_up_waiting(&mut self, idx: AppIdx, why: &str) {
        let slots = self.apps.get(idx).map_or(0, |app| app.slot_count());
        for number in 0..slots {
            let app = self.apps.get(idx).expect("counted just now");
            let waits = app.wants(number) && app.slot(number).is_some_and(|slot| slot.task.is_none());
            let serves_again =
                app.slot(number).is_some_and(|slot| slot.ran != 0 && slot.ran != app.wanted_runs());
            // What ran another configuration before gets that again.
            if waits && !serves_again {
                self.give_up(idx, number, why);
            }
        }
        self.queue_plan(idx);
    }

    fn give_up(&mut self, idx: AppIdx, number: u32, why: &str) {
        self.arm_slot(idx, number, None);
        self.unqueue(idx, number);
        let app = self.apps.get_mut(idx).expect("only slots of living apps are given up");
        let mut reason = String::from(why);
        cut(&mut reason, MESSAGE_BYTES_MAX);
        app.edit(number, |slot| slot.trouble_mut().given_up = Some(reason.clone()));
        self.note_slot(idx, number);
        self.publish(Some(idx), None, EventKind::SlotGivenUp { slot: number, reason });
    }

    /// A change of the app: what was given up, or wanted no more, is tried again.
    pub(super) fn try_again(&mut self, idx: AppIdx) {
        let slots = self.apps.get(idx).map_or(0, |app| app.slot_count());
        for number in 0..slots {
            let app = self.apps.get_mut(idx).expect("counted just now");
            if app.slot(number).is_some_and(|slot| slot.trouble.is_some())
                && app.edit(number, Slot::take_heart)
            {
                self.note_slot(idx, number);
            }
            self.enqueue_if_free(idx, number);
        }
    }

    fn failure_note(&self, agent: AgentIdx, task: &Task, status: &TaskStatus, counted: bool) -> FailureNote {
        let mut message = status.message.clone().unwrap_or_default();
        cut(&mut message, FAILURE_MESSAGE_BYTES_MAX);
        let agent = self.agents.get(agent);
        FailureNote {
            hex: task.hex,
            version: task.version,
            state: status.state,
            reason: status.reason,
            message,
            exit_code: exit_code(status),
            counted,
            agent: agent.id.clone(),
            host: agent.host.to_string(),
            container: task.container.as_deref().unwrap_or_default().into(),
            started: task.created,
            at: self.now.wall,
        }
    }
}

/// Whether a task of this version is one that the rollout under way brings.
fn is_of_rollout(app: &App, version: u64) -> bool {
    app.rollout.is_some() && version == app.wanted_runs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::{Reason, TaskId};

    fn ended(state: TaskState, reason: Option<Reason>, message: &str) -> TaskStatus {
        let status = TaskStatus::from_master(TaskId::from("t"), state, Reason::Reconciliation);
        TaskStatus { reason, message: Some(message.into()), ..status }
    }

    #[test]
    fn exit_codes_are_read_from_messages() {
        let code = |message: &str| exit_code(&ended(TaskState::Failed, None, message));
        assert_eq!(code("Container exited with status 137"), Some(137));
        assert_eq!(code("Command exited with status 3 after a while"), Some(3));
        assert_eq!(code("Container exited with status"), None);
        assert_eq!(code("Container exited with status 99999999999"), None);
        assert_eq!(code("Failed to run 'docker pull web:1': exited with status 1"), None);
        assert_eq!(code("lost"), None);
    }

    #[test]
    fn the_user_says_what_counts() {
        let failed =
            |code: i32| ended(TaskState::Failed, None, &format!("Container exited with status {code}"));
        let lost = ended(TaskState::Lost, Some(Reason::AgentRemoved), "");
        let default = Failover::default();
        assert_eq!(cost(&default, &failed(1)), Cost::Error);
        assert_eq!(cost(&default, &lost), Cost::Nothing);
        let ignore = EndPattern { exit_codes: [(3, 5)].into(), ..EndPattern::default() };
        let ignoring = Failover { ignore: Some(ignore), ..Failover::default() };
        assert_eq!(cost(&ignoring, &failed(4)), Cost::Pause);
        assert_eq!(cost(&ignoring, &failed(6)), Cost::Error);
        let only = EndPattern { states: [TaskState::Lost].into(), ..EndPattern::default() };
        let only = Failover { errors: Some(only), ..Failover::default() };
        assert_eq!(cost(&only, &lost), Cost::Error, "the user asked for it by name");
        assert_eq!(cost(&only, &failed(1)), Cost::Pause);
    }

    #[test]
    fn every_list_of_a_pattern_must_match() {
        let pattern = EndPattern {
            states: [TaskState::Failed].into(),
            reasons: [Reason::ContainerLaunchFailed].into(),
            exit_codes: [].into(),
        };
        assert!(pattern.matches(&ended(TaskState::Failed, Some(Reason::ContainerLaunchFailed), "")));
        assert!(!pattern.matches(&ended(TaskState::Failed, None, "")));
        assert!(!pattern.matches(&ended(TaskState::Killed, Some(Reason::ContainerLaunchFailed), "")));
        assert!(
            EndPattern::default().matches(&ended(TaskState::Finished, None, "")),
            "nothing said, all meant"
        );
    }
}
