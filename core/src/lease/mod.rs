//! Owns the lease machine: who leads, until when by our own clock, and when to stop acting.
//!
//! A backend runs the election and reports what it knows; this machine decides what that allows. A backend without
//! sessions (a file lock) grants leadership for as long as the process lives. One with sessions (ZooKeeper) confirms it
//! again and again; each confirmation is good for two thirds of the session's timeout, counted from when the
//! confirmation was asked for (R90): that ends before the backend can give leadership to another.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::{Instant, Millis, Now};

/// One stimulus of the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseInput {
    /// The first input: take part in the election.
    Boot(Tenure),
    /// News from the election.
    Election(ElectionEvent),
    /// The operator wants another manager to lead: resign, and stay out of elections until `Rejoin`.
    Abdicate,
    /// Take part in elections again.
    Rejoin,
    /// `next_deadline` has come; spurious ones are harmless.
    Wake,
}

/// How long the backend's word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tenure {
    /// Until the process ends.
    Forever,
    /// For this session timeout, unless renewed.
    Session(Millis),
}

/// News from the election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ElectionEvent {
    /// We are elected. The backend was asked no earlier than at `asked`, by our own monotonic clock.
    Acquired { asked: Instant },
    /// We still are; asked as above.
    Confirmed { asked: Instant },
    /// The backend cannot be reached. What was confirmed still holds for its time.
    Disconnected,
    /// We are not elected, or no longer.
    Lost,
    /// The campaign failed. Says why, to people.
    Failed { why: String },
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEffect {
    /// Stand for election, once: answered by `Acquired` at some time, or by `Failed`.
    Campaign,
    /// Withdraw from the election, or give leadership back.
    Resign,
    /// Tell the manager.
    Up(LeaseEvent),
}

/// What the manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseEvent {
    /// We lead: the journal may claim its epoch.
    Lead,
    /// We lead until this instant, if nothing else is heard (`Input::Lease`).
    Until(Instant),
    /// We lead no more, and do not act any more.
    Lost,
}

/// First pause before a failed campaign is repeated; doubles up to the maximum.
const RETRY: Millis = Millis(200);
const RETRY_MAX: Millis = Millis(5_000);

/// The lease machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    tenure: Tenure,
    state: State,
    tries: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Takes no part in elections.
    Out,
    Candidate,
    /// Stands again at this time.
    Waiting {
        until: Instant,
    },
    /// Leads until then.
    Leader {
        until: Instant,
    },
}

impl Default for Lease {
    fn default() -> Self {
        Self::new()
    }
}

impl Lease {
    /// A machine that takes no part yet; its first input is `Boot`.
    pub const fn new() -> Self {
        Self { tenure: Tenure::Forever, state: State::Out, tries: 0 }
    }

    /// Exactly one input; runs to completion; cannot fail. `out` is appended to.
    pub fn step(&mut self, now: Now, input: LeaseInput, out: &mut Vec<LeaseEffect>) {
        let now = now.mono;
        // Time first: after a pause of the whole process, nothing that comes later may count as still leading.
        self.expire(now, out);
        match input {
            LeaseInput::Boot(tenure) => {
                self.tenure = tenure;
                self.join(out);
            }
            LeaseInput::Rejoin => self.join(out),
            LeaseInput::Abdicate => {
                if !mutant!(AbdicatesInWords) {
                    self.lose(out);
                }
                if self.state != State::Out {
                    self.state = State::Out;
                    out.push(LeaseEffect::Resign);
                }
            }
            LeaseInput::Election(event) => self.election(now, event, out),
            LeaseInput::Wake => {}
        }
    }

    /// When to step `Wake`; at or before now means at once.
    pub const fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Out | State::Candidate => None,
            State::Leader { .. } if matches!(self.tenure, Tenure::Forever) => None,
            State::Waiting { until } | State::Leader { until } => Some(until),
        }
    }

    /// Whether we may act now. Cheap, for asking before each act.
    pub fn leads(&self, now: Instant) -> bool {
        matches!(self.state, State::Leader { until } if now < until)
    }

    /// Until when we lead if nothing else is heard; `None` if we do not.
    pub const fn until(&self) -> Option<Instant> {
        match self.state {
            State::Leader { until } => Some(until),
            State::Out | State::Candidate | State::Waiting { .. } => None,
        }
    }

    /// The whole state.
    pub fn freeze(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("the state is plain data")
    }

    /// What `freeze` gave, as a machine; `None` if it is something else.
    pub fn thaw(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    fn join(&mut self, out: &mut Vec<LeaseEffect>) {
        if self.state == State::Out {
            self.state = State::Candidate;
            out.push(LeaseEffect::Campaign);
        }
    }

    fn election(&mut self, now: Instant, event: ElectionEvent, out: &mut Vec<LeaseEffect>) {
        match event {
            ElectionEvent::Acquired { asked } => match self.state {
                State::Candidate => {
                    let until = self.good_until(asked);
                    if until <= now {
                        // Old news: it may have ended since.
                        return self.stand_again(now, out);
                    }
                    self.tries = 0;
                    self.state = State::Leader { until };
                    out.extend([
                        LeaseEffect::Up(LeaseEvent::Lead),
                        LeaseEffect::Up(LeaseEvent::Until(until)),
                    ]);
                }
                State::Leader { .. } => self.extend(asked, out),
                // Withdrawn meanwhile.
                State::Out | State::Waiting { .. } => out.push(LeaseEffect::Resign),
            },
            ElectionEvent::Confirmed { asked } => self.extend(asked, out),
            ElectionEvent::Disconnected => {}
            ElectionEvent::Lost | ElectionEvent::Failed { .. } => {
                if self.state != State::Out {
                    self.lose(out);
                    self.wait(now);
                }
            }
        }
    }

    fn good_until(&self, asked: Instant) -> Instant {
        match self.tenure {
            Tenure::Forever => Instant(u64::MAX),
            Tenure::Session(_) if mutant!(ActsAfterLease) => Instant(u64::MAX),
            Tenure::Session(timeout) if mutant!(LeaseTooLong) => asked + timeout.times(2),
            Tenure::Session(timeout) => asked + Millis(timeout.0 / 3 * 2),
        }
    }

    fn extend(&mut self, asked: Instant, out: &mut Vec<LeaseEffect>) {
        let good = self.good_until(asked);
        if let State::Leader { until } = &mut self.state
            && good > *until
        {
            *until = good;
            out.push(LeaseEffect::Up(LeaseEvent::Until(good)));
        }
    }

    fn expire(&mut self, now: Instant, out: &mut Vec<LeaseEffect>) {
        match self.state {
            State::Leader { until } if until <= now => {
                self.lose(out);
                self.stand_again(now, out);
            }
            State::Waiting { until } if until <= now => {
                self.state = State::Candidate;
                out.push(LeaseEffect::Campaign);
            }
            _ => {}
        }
    }

    /// Gives up what the backend may still hold for us, so that the next campaign starts clean.
    fn stand_again(&mut self, now: Instant, out: &mut Vec<LeaseEffect>) {
        out.push(LeaseEffect::Resign);
        self.wait(now);
    }

    fn wait(&mut self, now: Instant) {
        let pause = RETRY.times(1 << self.tries.min(16)).min(RETRY_MAX);
        self.state = State::Waiting { until: now + pause };
        self.tries += 1;
    }

    fn lose(&self, out: &mut Vec<LeaseEffect>) {
        if matches!(self.state, State::Leader { .. }) {
            out.push(LeaseEffect::Up(LeaseEvent::Lost));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn step(lease: &mut Lease, at: u64, input: LeaseInput) -> Vec<LeaseEffect> {
        let mut out = Vec::new();
        lease.step(Now { mono: Instant(at), ..Now::default() }, input, &mut out);
        out
    }

    fn elected(asked: u64) -> LeaseInput {
        LeaseInput::Election(ElectionEvent::Acquired { asked: Instant(asked) })
    }

    const SESSION: LeaseInput = LeaseInput::Boot(Tenure::Session(Millis(6_000)));

    #[test]
    fn a_file_lock_is_held_for_ever() {
        let mut lease = Lease::new();
        assert_eq!(step(&mut lease, 0, LeaseInput::Boot(Tenure::Forever)), vec![LeaseEffect::Campaign]);
        let end = Instant(u64::MAX);
        let told = [LeaseEffect::Up(LeaseEvent::Lead), LeaseEffect::Up(LeaseEvent::Until(end))];
        assert_eq!(step(&mut lease, 1, elected(0)), told);
        assert_eq!(lease.next_deadline(), None);
        assert_eq!(step(&mut lease, 1 << 60, LeaseInput::Wake), vec![]);
        assert!(lease.leads(Instant(1 << 60)));
    }

    #[test]
    fn an_unconfirmed_leader_stops_at_two_thirds_of_its_session() {
        let mut lease = Lease::new();
        step(&mut lease, 0, SESSION);
        step(&mut lease, 150, elected(100));
        assert_eq!(lease.next_deadline(), Some(Instant(4_100)));
        step(&mut lease, 2_000, LeaseInput::Election(ElectionEvent::Disconnected));
        assert!(lease.leads(Instant(4_099)) && !lease.leads(Instant(4_100)));
        let told = step(&mut lease, 4_100, LeaseInput::Wake);
        assert_eq!(told, vec![LeaseEffect::Up(LeaseEvent::Lost), LeaseEffect::Resign]);
    }

    #[test]
    fn a_leader_frozen_past_its_time_does_not_believe_a_late_confirmation() {
        let mut lease = Lease::new();
        step(&mut lease, 0, SESSION);
        step(&mut lease, 0, elected(0));
        let late = LeaseInput::Election(ElectionEvent::Confirmed { asked: Instant(3_900) });
        let told = step(&mut lease, 60_000, late);
        assert_eq!(told, vec![LeaseEffect::Up(LeaseEvent::Lost), LeaseEffect::Resign]);
        assert_eq!(step(&mut lease, 60_200, LeaseInput::Wake), vec![LeaseEffect::Campaign]);
    }

    #[test]
    fn abdication_lasts_until_rejoining() {
        let mut lease = Lease::new();
        step(&mut lease, 0, SESSION);
        step(&mut lease, 0, elected(0));
        let told = step(&mut lease, 1, LeaseInput::Abdicate);
        assert_eq!(told, vec![LeaseEffect::Up(LeaseEvent::Lost), LeaseEffect::Resign]);
        assert_eq!(
            step(&mut lease, 2, elected(2)),
            vec![LeaseEffect::Resign],
            "an election we withdrew from"
        );
        assert_eq!(step(&mut lease, 3, LeaseInput::Rejoin), vec![LeaseEffect::Campaign]);
    }

    fn any_input() -> impl Strategy<Value = LeaseInput> {
        let event = |event| LeaseInput::Election(event);
        prop_oneof![
            (0..20_000_u64).prop_map(elected),
            (0..20_000_u64).prop_map(move |at| event(ElectionEvent::Confirmed { asked: Instant(at) })),
            Just(event(ElectionEvent::Lost)),
            Just(event(ElectionEvent::Disconnected)),
            Just(LeaseInput::Abdicate),
            Just(LeaseInput::Rejoin),
            Just(LeaseInput::Wake),
        ]
    }

    proptest! {
        /// Lead and Lost alternate, and what was told never outlives what a backend said, nor survives freezing.
        #[test]
        fn nothing_outlives_its_confirmation(inputs in proptest::collection::vec((0..3_000_u64, any_input()), 1..60)) {
            let mut lease = Lease::new();
            step(&mut lease, 0, SESSION);
            let (mut now, mut leading, mut newest) = (0, false, 0);
            for (pause, input) in inputs {
                now += pause;
                let input = match input {
                    LeaseInput::Election(ElectionEvent::Acquired { asked }) => elected(asked.0.min(now)),
                    LeaseInput::Election(ElectionEvent::Confirmed { asked }) => {
                        LeaseInput::Election(ElectionEvent::Confirmed { asked: Instant(asked.0.min(now)) })
                    }
                    other => other,
                };
                if let LeaseInput::Election(ElectionEvent::Acquired { asked } | ElectionEvent::Confirmed { asked }) = &input {
                    newest = newest.max(asked.0);
                }
                for effect in step(&mut lease, now, input) {
                    match effect {
                        LeaseEffect::Up(LeaseEvent::Lead) => prop_assert!(!core::mem::replace(&mut leading, true)),
                        LeaseEffect::Up(LeaseEvent::Lost) => prop_assert!(core::mem::replace(&mut leading, false)),
                        LeaseEffect::Up(LeaseEvent::Until(until)) => prop_assert!(until.0 <= newest + 4_000),
                        LeaseEffect::Campaign | LeaseEffect::Resign => {}
                    }
                }
                prop_assert_eq!(lease.leads(Instant(now)), leading);
                prop_assert!(!leading || now < newest + 4_000);
                prop_assert_eq!(Lease::thaw(&lease.freeze()), Some(lease.clone()));
            }
        }
    }
}
