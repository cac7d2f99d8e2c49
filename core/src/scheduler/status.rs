//! Owns the task status table: what an update means for a task in a given state. Pure; applied elsewhere.
//!
//! Updates are at least once, may be repeated, late or out of order across reconciliation (R23, R24), and say less
//! the less their sender knows (R25). The table is total: every known state against every state, and unknown numbers.

use crate::mesos::{Reason, Source, TaskState, TaskStatus};

/// What an update means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new in state; details such as health may still be.
    Same,
    /// The task has moved on to this state.
    Advance(TaskState),
    /// Nobody can reach it; it may come back.
    Vanish(TaskState),
    /// It is over.
    End(TaskState),
    /// Late, repeated or contradictory: says nothing that is still true.
    Stale,
    /// A state this build does not know.
    Odd,
}

/// Judges an update for a task that is now in `state` and not over.
pub(super) fn judge(state: TaskState, update: &TaskStatus) -> Verdict {
    assert!(!state.is_terminal(), "a task that is over is in no slot");
    use TaskState as S;
    match update.state {
        S::Staging | S::Starting | S::Running | S::Killing => alive(state, update.state),
        S::Unreachable if mutant!(UnreachableIsTheEnd) => Verdict::End(S::Lost),
        S::Unreachable | S::Unknown => {
            if state == S::Unreachable {
                Verdict::Same
            } else {
                Verdict::Vanish(update.state)
            }
        }
        S::Error if refused_duplicate(state, update) => Verdict::Stale,
        S::Finished
        | S::Failed
        | S::Killed
        | S::Error
        | S::Lost
        | S::Dropped
        | S::Gone
        | S::GoneByOperator => Verdict::End(update.state),
        S::Other(_) => Verdict::Odd,
    }
}

fn alive(state: TaskState, new: TaskState) -> Verdict {
    use TaskState as S;
    match (rank(state), rank(new)) {
        _ if matches!(state, S::Unreachable) => Verdict::Advance(new),
        (old, new) if old == new => Verdict::Same,
        (old, newer) if old < newer || mutant!(StateGoesBack) => Verdict::Advance(new),
        _ => Verdict::Stale,
    }
}

const fn rank(state: TaskState) -> u8 {
    match state {
        TaskState::Staging => 0,
        TaskState::Starting => 1,
        TaskState::Running => 2,
        TaskState::Killing => 3,
        _ => 4,
    }
}

/// A master that was handed an id twice refuses the second launch with an error that bears the id of the first,
/// which goes on; only the missing uuid and executor tell.
fn refused_duplicate(state: TaskState, update: &TaskStatus) -> bool {
    state != TaskState::Staging
        && update.uuid.is_none()
        && update.executor_id.is_none()
        && update.reason == Some(Reason::TaskInvalid)
}

/// Whose fault the unasked end of a task is (R87).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The cluster's: costs the app nothing.
    Cluster,
    /// The app's, or not to be told apart: the app backs off.
    App,
}

/// Judges an unasked end.
pub(super) fn fault(update: &TaskStatus) -> Fault {
    use TaskState as S;
    match update.state {
        S::Lost | S::Dropped | S::Gone | S::GoneByOperator if !mutant!(BlamesTheApp) => {
            return Fault::Cluster;
        }
        _ => {}
    }
    match update.reason {
        _ if mutant!(BlamesTheApp) => Fault::App,
        Some(
            Reason::InvalidOffers
            | Reason::AgentDisconnected
            | Reason::AgentRemoved
            | Reason::AgentRemovedByOperator
            | Reason::AgentRestarted
            | Reason::AgentUnknown
            | Reason::ResourcesUnknown
            | Reason::GcError
            | Reason::MasterDisconnected
            | Reason::AgentDraining
            | Reason::ContainerPreempted
            | Reason::TaskKilledDuringLaunch
            | Reason::FrameworkRemoved
            | Reason::Reconciliation,
        ) => Fault::Cluster,
        _ => Fault::App,
    }
}

/// Whether `healthy` of this update is a fresh verdict rather than an echo of an older one.
pub(super) fn tells_health(update: &TaskStatus) -> bool {
    update.state == TaskState::Running && update.healthy.is_some()
}

/// Whether addresses of this update are the container's: updates by the master and those around the end of a task
/// carry the agent's (R26).
pub(super) fn tells_address(update: &TaskStatus) -> bool {
    update.state == TaskState::Running
        && update.source != Some(Source::Master)
        && !update.ip_addresses.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesos::TaskId;

    fn update(state: TaskState) -> TaskStatus {
        TaskStatus::from_master(TaskId::from("t"), state, Reason::Reconciliation)
    }

    const LIVE: [TaskState; 5] = [
        TaskState::Staging,
        TaskState::Starting,
        TaskState::Running,
        TaskState::Killing,
        TaskState::Unreachable,
    ];

    #[test]
    fn the_table_is_total_and_a_terminal_state_always_ends() {
        for state in LIVE {
            for &new in TaskState::ALL {
                let verdict = judge(state, &update(new));
                assert_eq!(
                    new.is_terminal(),
                    matches!(verdict, Verdict::End(_)),
                    "{state:?} {new:?} {verdict:?}"
                );
            }
            assert_eq!(judge(state, &update(TaskState::Other(77))), Verdict::Odd);
        }
    }

    #[test]
    fn a_live_task_never_goes_back_except_from_unreachable() {
        use TaskState as S;
        assert_eq!(judge(S::Running, &update(S::Starting)), Verdict::Stale);
        assert_eq!(judge(S::Killing, &update(S::Running)), Verdict::Stale);
        assert_eq!(judge(S::Running, &update(S::Running)), Verdict::Same);
        assert_eq!(judge(S::Unreachable, &update(S::Running)), Verdict::Advance(S::Running));
        assert_eq!(judge(S::Unreachable, &update(S::Staging)), Verdict::Advance(S::Staging));
    }

    #[test]
    fn unreachable_and_unknown_are_no_end() {
        use TaskState as S;
        assert_eq!(judge(S::Running, &update(S::Unreachable)), Verdict::Vanish(S::Unreachable));
        assert_eq!(judge(S::Running, &update(S::Unknown)), Verdict::Vanish(S::Unknown));
        assert_eq!(judge(S::Unreachable, &update(S::Unknown)), Verdict::Same);
    }

    #[test]
    fn an_error_about_a_second_launch_does_not_end_the_first() {
        let mut error = update(TaskState::Error);
        error.reason = Some(Reason::TaskInvalid);
        assert_eq!(judge(TaskState::Running, &error), Verdict::Stale);
        assert_eq!(judge(TaskState::Staging, &error), Verdict::End(TaskState::Error));
    }

    #[test]
    fn lost_agents_cost_the_app_nothing_and_exits_do() {
        let mut failed = update(TaskState::Failed);
        failed.reason = None;
        assert_eq!(fault(&failed), Fault::App);
        failed.reason = Some(Reason::Other(4711));
        assert_eq!(fault(&failed), Fault::App, "an unknown reason is ambiguous");
        failed.reason = Some(Reason::AgentRemoved);
        assert_eq!(fault(&failed), Fault::Cluster);
        assert_eq!(fault(&update(TaskState::Gone)), Fault::Cluster);
    }
}
