//! Owns the scripted tests of the four machines as one: when it may act, and when it goes.

use alloc::vec;

use super::*;
use crate::journal::{LogPart, Payload};
use crate::record::Epoch;
use crate::scheduler::api::ApiCall;
use crate::time::Timestamp;

const SESSION: Tenure = Tenure::Session(Millis(6_000));
/// Two thirds of the session's timeout.
const LEASE: u64 = 4_000;

/// A manager over a store that holds nothing, and answers at once unless it is told to wait.
struct Rig {
    manager: Manager,
    now: u64,
    /// Appends that are under way.
    held: Option<Vec<OpId>>,
    out: Vec<ManagerEffect>,
}

impl Rig {
    fn booted() -> Self {
        let mut rig =
            Self { manager: Manager::new(JournalConfig::default()), now: 0, held: None, out: Vec::new() };
        let scheduler = Config { roles: vec!["*".into()], ..Config::default() };
        rig.step(ManagerInput::Boot(Box::new(Boot {
            seed: 1,
            build: Build::default(),
            scheduler,
            masters: Vec::new(),
            tenure: SESSION,
            crash_notes: Vec::new(),
        })));
        rig
    }

    fn leading() -> Self {
        let mut rig = Self::booted();
        rig.step(ManagerInput::Election(ElectionEvent::Acquired { asked: Instant(0) }));
        assert!(rig.manager.leads(Instant(0)));
        rig
    }

    /// Steps, and answers the store; `out` is all that came of it but storage.
    fn step(&mut self, input: ManagerInput) {
        self.out.clear();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Vec::new();
            let now = Now { mono: Instant(self.now), wall: Timestamp(0) };
            self.manager.step(now, input, &mut effects);
            for effect in effects {
                let ManagerEffect::Store { id, op } = effect else {
                    self.out.push(effect);
                    continue;
                };
                match (&mut self.held, &op) {
                    (Some(held), StoreOp::Append { .. }) => held.push(id),
                    _ => inputs.push_back(ManagerInput::Stored { id, result: nothing_is_stored(&op) }),
                }
            }
        }
    }

    fn create(&mut self, id: u64) {
        let document = br#"{"id": "/web", "container": {"docker": {"image": "web"}}}"#.to_vec();
        let call = ApiCall::CreateApp { document };
        let request = ApiRequest { who: crate::scheduler::api::Caller::default(), idempotency: None, call };
        self.step(ManagerInput::Api { id: RequestId(id), request: Box::new(request) });
    }

    /// How requests were answered in the last step: their numbers, and whether they succeeded.
    fn replies(&self) -> Vec<(u64, bool)> {
        let reply = |effect: &ManagerEffect| match effect {
            ManagerEffect::Reply { id, result } => Some((id.0, result.is_ok())),
            _ => None,
        };
        self.out.iter().filter_map(reply).collect()
    }

    fn is_over(&self) -> bool {
        self.out.contains(&ManagerEffect::End(End::Deposed(DeposeReason::LeaseLost)))
    }
}

fn nothing_is_stored(op: &StoreOp) -> StoreResult {
    StoreResult::Done(match op {
        StoreOp::ReadManifest => Payload::Manifest(None),
        StoreOp::ReadEpoch => Payload::Epoch(Epoch(0)),
        StoreOp::ListChunks => Payload::Chunks(Vec::new()),
        StoreOp::ReadLog { from, .. } => {
            Payload::Log(LogPart { first: *from, begins: 0, entries: Vec::new(), end: true, durable: 0 })
        }
        _ => Payload::Nothing,
    })
}

#[test]
fn a_leader_frozen_past_its_lease_does_nothing_whatever_comes_first() {
    let mut rig = Rig::leading();
    rig.now = LEASE;
    assert!(!rig.manager.leads(Instant(LEASE)));
    rig.create(1);
    assert!(rig.is_over());
    assert_eq!(rig.replies(), []);
    assert!(!rig.manager.view().leads(), "what it knows is no leader's word any more");
}

/// The process may be stopped between two effects of one step, and run again when another leads (S6, R90).
#[test]
fn what_a_leader_decided_is_void_once_its_lease_is_over() {
    let mut rig = Rig::leading();
    rig.create(1);
    let reply =
        rig.out.iter().find(|effect| matches!(effect, ManagerEffect::Reply { .. })).expect("an answer");
    let may = |at: u64, effect: &ManagerEffect| rig.manager.may_carry_out(Instant(at), effect);
    assert!(may(LEASE - 1, reply));
    assert!(!may(LEASE, reply));
    let store = ManagerEffect::Store { id: OpId(1), op: StoreOp::ReadEpoch };
    assert!(may(LEASE, &store), "writes are checked where they arrive");
    assert!(may(LEASE, &ManagerEffect::End(End::Restart)));
    let standby = Rig::booted();
    assert!(
        standby.manager.may_carry_out(Instant(u64::MAX), reply),
        "whoever does not lead may refuse at any time"
    );
}

#[test]
fn a_standby_knows_all_that_was_stored_when_it_last_asked() {
    let mut rig = Rig::booted();
    assert_eq!(rig.manager.fresh(Instant(0)), Some(Instant(0)));
    rig.now = 500;
    rig.step(ManagerInput::Wake);
    assert_eq!(rig.manager.fresh(Instant(700)), Some(Instant(500)));
    assert!(!rig.manager.leads(Instant(700)));
}

#[test]
fn a_standby_that_somebody_waits_for_reads_on_at_once() {
    let mut rig = Rig::booted();
    rig.now = 100;
    rig.step(ManagerInput::Wake);
    assert_eq!(rig.manager.fresh(Instant(100)), Some(Instant(0)), "it is not due yet");
    rig.step(ManagerInput::Follow);
    assert_eq!(rig.manager.fresh(Instant(100)), Some(Instant(100)));
    let mut leader = Rig::leading();
    leader.step(ManagerInput::Follow);
    assert_eq!(leader.out, [], "who leads follows nobody");
}

#[test]
fn who_abdicates_finishes_what_it_has_taken_and_takes_no_more() {
    let mut rig = Rig::leading();
    rig.held = Some(Vec::new());
    rig.create(1);
    assert_eq!(rig.replies(), [], "it is not durable yet");
    rig.step(ManagerInput::Abdicate);
    assert!(!rig.is_over());
    rig.create(2);
    assert_eq!(rig.replies(), [(2, false)]);
    let held = rig.held.take().expect("appends were held");
    let result = StoreResult::Done(Payload::Nothing);
    rig.step(ManagerInput::Stored { id: held[0], result });
    assert_eq!(rig.replies(), [(1, true)]);
    assert!(rig.is_over() && rig.out.contains(&ManagerEffect::Resign));
}

/// It may have been deposed while the operator's wish was on its way.
#[test]
fn who_does_not_lead_has_nothing_to_abdicate() {
    let mut rig = Rig::booted();
    rig.step(ManagerInput::Abdicate);
    assert_eq!(rig.out, []);
    rig.now = ABDICATION.0;
    rig.step(ManagerInput::Wake);
    assert!(rig.manager.next_deadline().is_none_or(|at| at.0 > rig.now), "it does not wake again and again");
    rig.step(ManagerInput::Election(ElectionEvent::Acquired { asked: Instant(rig.now) }));
    assert!(rig.manager.leads(Instant(rig.now)), "it can still be elected");
}

#[test]
fn who_abdicates_does_not_wait_for_a_store_that_hangs() {
    let mut rig = Rig::leading();
    rig.held = Some(Vec::new());
    rig.create(1);
    rig.step(ManagerInput::Abdicate);
    rig.now = ABDICATION.0;
    assert_eq!(rig.manager.next_deadline(), Some(Instant(rig.now)));
    rig.step(ManagerInput::Wake);
    assert!(rig.is_over());
    assert_eq!(rig.replies(), []);
}
