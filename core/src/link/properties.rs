//! Owns the property tests of the link: whatever the world says in whatever order, its promises hold.

use alloc::vec;

use proptest::prelude::*;

use super::tests::asking::{first, predecessor};
use super::tests::{decline, master, revive, stream, subscribe, subscribed};
use super::*;
use crate::limits::MESOS_CALLS_IN_FLIGHT_MAX;
use crate::mesos::OfferId;
use crate::time::Timestamp;

/// One thing that the world does; `back` reaches for an older connection.
#[derive(Clone, Debug)]
enum Act {
    Call { back: u64, kind: u8 },
    Listed { back: u64, held: bool },
    Opened { back: u64, kind: u8 },
    Event { back: u64, kind: u8 },
    Closed { back: u64 },
    Answered { back: u64, id: u64, kind: u8 },
    Masters(u8),
    Sleep(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let back = prop_oneof![9 => Just(0u64), 1 => 1u64..3];
    prop_oneof![
        1 => (back.clone(), any::<bool>()).prop_map(|(back, held)| Act::Listed { back, held }),
        3 => (back.clone(), 0u8..7).prop_map(|(back, kind)| Act::Call { back, kind }),
        3 => (back.clone(), 0u8..6).prop_map(|(back, kind)| Act::Opened { back, kind }),
        4 => (back.clone(), 0u8..7).prop_map(|(back, kind)| Act::Event { back, kind }),
        1 => back.clone().prop_map(|back| Act::Closed { back }),
        2 => (back, 0u64..40, 0u8..4).prop_map(|(back, id, kind)| Act::Answered { back, id, kind }),
        1 => (0u8..4).prop_map(Act::Masters),
        2 => prop_oneof![0u64..300, 10_000u64..100_000].prop_map(Act::Sleep),
    ]
}

fn input(act: &Act, last: ConnId) -> LinkInput {
    let conn = |back: u64| ConnId(last.0.saturating_sub(back));
    match *act {
        Act::Call { back, kind } => {
            let call = match kind {
                0 | 1 => subscribe(),
                2 => decline(),
                3 => revive(),
                4 => first(false),
                5 => first(true),
                _ => MesosCall::Disconnect,
            };
            LinkInput::Call { seen: conn(back), call: Box::new(call) }
        }
        Act::Listed { back, held } => {
            let frameworks = if held { vec![predecessor("F1")] } else { Vec::new() };
            LinkInput::Listed { conn: conn(back), frameworks }
        }
        Act::Opened { back, kind } => {
            let response = match kind {
                0..=2 => stream("s"),
                3 if back == 0 => Response::of_status(503),
                3 => Response::of_status(403),
                4 => Response { location: Some("//m2:5050/x".into()), ..Response::of_status(307) },
                _ => Response { location: Some("//evil:5050/x".into()), ..Response::of_status(307) },
            };
            LinkInput::Opened { conn: conn(back), response }
        }
        Act::Event { back, kind } => {
            let event = match kind {
                0..=2 => subscribed("F"),
                3 => Event::Heartbeat,
                4 => Event::Rescind(OfferId::new("O1")),
                5 => Event::Error { message: "Framework failed over".into() },
                _ => Event::Error { message: "anything".into() },
            };
            LinkInput::Event { conn: conn(back), event: Box::new(event) }
        }
        Act::Closed { back } => LinkInput::Closed { conn: conn(back), why: String::new() },
        Act::Answered { back, id, kind } => {
            let answer = match kind {
                0 => CallAnswer::Lost { why: String::new() },
                1 => CallAnswer::Response(Response::of_status(403)),
                _ => CallAnswer::Response(Response::of_status(202)),
            };
            LinkInput::Answered { conn: conn(back), id: CallId(id), answer }
        }
        Act::Masters(count) => {
            LinkInput::Masters(["m1", "m2", "m3"][..usize::from(count)].iter().map(|m| master(m)).collect())
        }
        Act::Sleep(_) => LinkInput::Wake,
    }
}

/// What an executor of the effects knows.
#[derive(Default)]
struct Shadow {
    open: Option<ConnId>,
    connected: bool,
    in_flight: usize,
    highest_call: Option<CallId>,
}

impl Shadow {
    fn apply(&mut self, effect: &LinkEffect, masters: &[MasterAddress]) {
        match effect {
            LinkEffect::Subscribe { conn, master, .. } | LinkEffect::Ask { conn, master } => {
                assert!(self.open.is_none(), "one connection at a time");
                assert!(masters.contains(master), "S20");
                self.open = Some(*conn);
                self.in_flight = 0;
            }
            LinkEffect::Close { conn } => {
                assert_eq!(self.open.take(), Some(*conn), "only what is open is closed");
            }
            LinkEffect::Send { conn, id, stream_id, .. } => {
                assert!(self.connected && self.open == Some(*conn), "R2");
                assert_eq!(stream_id, "s");
                assert!(self.highest_call.is_none_or(|highest| highest < *id), "ids are never reused");
                self.highest_call = Some(*id);
                self.in_flight += 1;
                assert!(self.in_flight <= MESOS_CALLS_IN_FLIGHT_MAX, "R18");
            }
            LinkEffect::Up { event, .. } => match event {
                LinkEvent::Connected(_) => {
                    assert!(!self.connected, "R8");
                    self.connected = true;
                }
                LinkEvent::Event(_) => assert!(self.connected, "R8"),
                LinkEvent::Disconnected { .. }
                | LinkEvent::Held { .. }
                | LinkEvent::Removed { .. }
                | LinkEvent::FailedOver => self.connected = false,
            },
        }
    }
}

proptest! {
    #[test]
    fn promises_hold_whatever_the_world_says(seed in any::<u64>(), acts in prop::collection::vec(act(), 0..200)) {
        let mut masters = vec![master("m1"), master("m2")];
        let (mut link, mut shadow, mut out) = (Link::new(), Shadow::default(), Vec::new());
        let mut now = Now { mono: Instant(0), wall: Timestamp(0) };
        link.step(now, LinkInput::Boot { seed, masters: masters.clone() }, &mut out);
        for act in &acts {
            if let Act::Sleep(millis) = act {
                now.mono = now.mono + Millis(*millis);
            }
            let input = input(act, link.last_conn);
            if let LinkInput::Masters(list) = &input {
                masters.clone_from(list);
            }
            let mut thawed = Link::thaw(&link.freeze()).expect("what was frozen thaws");
            let mut again = Vec::new();
            link.step(now, input.clone(), &mut out);
            thawed.step(now, input, &mut again);
            prop_assert_eq!(&again, &out, "a thawed machine does the same");
            for effect in out.drain(..) {
                shadow.apply(&effect, &masters);
            }
            // An overdue deadline is met by a bounded number of wakes.
            for _ in 0..4 {
                link.step(now, LinkInput::Wake, &mut out);
                for effect in out.drain(..) {
                    shadow.apply(&effect, &masters);
                }
            }
        }
    }

    #[test]
    fn a_master_that_works_is_found_in_the_end(seed in any::<u64>(), acts in prop::collection::vec(act(), 0..60)) {
        let masters = vec![master("m1"), master("m2"), master("m3")];
        let (mut link, mut out) = (Link::new(), Vec::new());
        let mut now = Now { mono: Instant(0), wall: Timestamp(0) };
        link.step(now, LinkInput::Boot { seed, masters: masters.clone() }, &mut out);
        for act in &acts {
            let input = input(act, link.last_conn);
            link.step(now, input, &mut out);
        }
        link.step(now, LinkInput::Masters(masters), &mut out);
        link.step(now, LinkInput::Call { seen: ConnId(0), call: Box::new(subscribe()) }, &mut out);
        // Only m3 works now; whatever stood before is silent.
        for _ in 0..40 {
            let Some(conn) = out.drain(..).rev().find_map(|effect| match effect {
                LinkEffect::Subscribe { conn, master, .. } => Some((conn, master.host)),
                LinkEffect::Ask { conn, .. } => Some((conn, "m1".into())),
                _ => None,
            }) else {
                now.mono = now.mono.max(link.next_deadline().expect("it never gives up"));
                link.step(now, LinkInput::Wake, &mut out);
                continue;
            };
            if conn.1 == "m3" {
                link.step(now, LinkInput::Opened { conn: conn.0, response: stream("s") }, &mut out);
                link.step(now, LinkInput::Event { conn: conn.0, event: Box::new(subscribed("F")) }, &mut out);
                prop_assert_eq!(link.status(), LinkStatus::Subscribed);
                return Ok(());
            }
            link.step(now, LinkInput::Closed { conn: conn.0, why: String::new() }, &mut out);
        }
        prop_assert!(false, "never found");
    }
}
