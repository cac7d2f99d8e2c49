//! Owns the scripted tests of the link, each named after the rule it holds.

pub(super) mod asking;

use alloc::vec;

use super::*;
use crate::limits::{
    MESOS_ACKNOWLEDGEMENTS_QUEUED_MAX, MESOS_CALL_ANSWER, MESOS_CALLS_IN_FLIGHT_MAX, MESOS_CALLS_QUEUED_MAX,
};
use crate::mesos::{AgentId, OfferId, TaskId, Uuid};
use crate::time::Timestamp;

pub(super) fn master(host: &str) -> MasterAddress {
    MasterAddress { host: host.into(), port: 5050 }
}

pub(super) fn subscribe() -> MesosCall {
    MesosCall::Subscribe { framework_info: Box::default(), suppressed_roles: vec![], anew: false }
}

pub(super) fn decline() -> MesosCall {
    MesosCall::Decline { offers: vec![OfferId::new("O1")], refuse: Millis(5_000) }
}

pub(super) fn revive() -> MesosCall {
    MesosCall::Revive { roles: vec![] }
}

fn acknowledge() -> MesosCall {
    let (task, agent) = (TaskId::new("0.web"), AgentId::new("S1"));
    MesosCall::Acknowledge { task, agent, uuid: Uuid(vec![7; 16].into()) }
}

pub(super) fn subscribed(framework: &str) -> Event {
    let heartbeat_interval = Some(Millis::from_secs(15));
    Event::Subscribed(Box::new(Subscribed {
        framework_id: framework.into(),
        heartbeat_interval,
        master_info: None,
    }))
}

pub(super) fn stream(id: &str) -> Response {
    Response { status: 200, stream_id: Some(id.into()), ..Response::default() }
}

/// A link and its clock; effects of the last step only.
struct Rig {
    link: Link,
    now: u64,
    out: Vec<LinkEffect>,
}

impl Rig {
    fn new(masters: &[&str]) -> Self {
        let mut rig = Self { link: Link::new(), now: 1_000, out: Vec::new() };
        rig.step(LinkInput::Boot { seed: 7, masters: masters.iter().map(|host| master(host)).collect() });
        rig
    }

    /// One that stands, with stream id `s1` as framework `F`.
    fn connected(masters: &[&str]) -> Self {
        let mut rig = Self::new(masters);
        rig.call(subscribe());
        rig.open(stream("s1"));
        rig.event(subscribed("F"));
        assert_eq!(rig.link.status(), LinkStatus::Subscribed);
        rig
    }

    fn step(&mut self, input: LinkInput) {
        self.out.clear();
        let now = Now { mono: Instant(self.now), wall: Timestamp(0) };
        self.link.step(now, input, &mut self.out);
    }

    fn call(&mut self, call: MesosCall) {
        self.step(LinkInput::Call { seen: self.link.last_conn, call: Box::new(call) });
    }

    fn open(&mut self, response: Response) {
        self.step(LinkInput::Opened { conn: self.link.last_conn, response });
    }

    fn event(&mut self, event: Event) {
        self.step(LinkInput::Event { conn: self.link.last_conn, event: Box::new(event) });
    }

    fn error(&mut self, message: &str) {
        self.event(Event::Error { message: message.into() });
    }

    fn close(&mut self) {
        self.step(LinkInput::Closed { conn: self.link.last_conn, why: "reset".into() });
    }

    /// Lets time pass until the next deadline, at most until `until`; true if one came.
    fn sleep(&mut self, limit: Millis) -> bool {
        match self.link.next_deadline() {
            Some(due) if due.0 <= self.now + limit.0 => {
                self.now = self.now.max(due.0);
                self.step(LinkInput::Wake);
                true
            }
            _ => false,
        }
    }

    /// The master asked in the last step.
    fn asked(&self) -> Option<&str> {
        self.out.iter().find_map(|effect| match effect {
            LinkEffect::Subscribe { master, .. } => Some(master.host.as_str()),
            _ => None,
        })
    }

    fn why(&self) -> &str {
        let why = self.out.iter().find_map(|effect| match effect {
            LinkEffect::Up { event: LinkEvent::Disconnected { why }, .. } => Some(why.as_str()),
            _ => None,
        });
        why.expect("the scheduler is told why")
    }

    fn sends(&self) -> Vec<&LinkEffect> {
        self.out.iter().filter(|effect| matches!(effect, LinkEffect::Send { .. })).collect()
    }
}

#[test]
fn r1_r2_other_calls_carry_the_stream_id_and_subscribe_never_does() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    assert_eq!(rig.asked(), Some("m1"));
    rig.open(stream("s1"));
    rig.event(subscribed("F"));
    rig.call(revive());
    match &rig.out[..] {
        [LinkEffect::Send { stream_id, framework, conn, .. }] => {
            assert_eq!((stream_id.as_str(), framework.as_str(), *conn), ("s1", "F", ConnId(1)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn r2_calls_of_an_old_subscription_never_reach_a_new_one() {
    let mut rig = Rig::connected(&["m1"]);
    let old = rig.link.last_conn;
    rig.close();
    rig.call(decline());
    assert!(rig.sends().is_empty());
    while rig.asked().is_none() {
        assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
    }
    rig.open(stream("s2"));
    rig.event(subscribed("F"));
    // The scheduler decided this before it heard of the new subscription.
    rig.step(LinkInput::Call { seen: old, call: Box::new(decline()) });
    assert!(rig.sends().is_empty());
    assert_eq!((rig.link.stats().calls_offline, rig.link.stats().calls_stale), (1, 1));
    rig.call(revive());
    assert!(matches!(&rig.sends()[..], [LinkEffect::Send { stream_id, .. }] if stream_id == "s2"));
}

#[test]
fn r2_a_stream_without_an_id_is_no_subscription() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    rig.open(Response::of_status(200));
    assert!(rig.why().contains("Mesos-Stream-Id"), "{}", rig.why());
}

#[test]
fn r4_redirects_go_to_configured_masters_only_and_not_for_ever() {
    let redirect = |location: &str| Response { location: Some(location.into()), ..Response::of_status(307) };
    let mut rig = Rig::new(&["m1", "m2"]);
    rig.call(subscribe());
    rig.open(redirect("//M2:5050/master/api/v1/scheduler"));
    assert_eq!(rig.asked(), Some("m2"), "followed at once");
    for hop in 1.. {
        rig.open(redirect("//m1:5050/"));
        if rig.asked().is_none() {
            assert_eq!(hop, REDIRECTS_MAX);
            break;
        }
    }
    assert!(rig.why().contains("in a row"), "{}", rig.why());

    let mut rig = Rig::new(&["m1", "m2"]);
    rig.call(subscribe());
    rig.open(redirect("//evil:5050/"));
    assert_eq!(rig.asked(), None, "S20");
    assert!(rig.why().contains("evil:5050") && rig.why().contains("configured"), "{}", rig.why());
}

#[test]
fn r4_each_refusal_is_told_and_waited_out_in_its_own_way() {
    for (status, lasting, word) in [
        (401, true, "principal and secret"),
        (403, true, "ACLs"),
        (400, true, "SUBSCRIBE"),
        (415, true, "SUBSCRIBE"),
        (503, false, "recovering"),
        (500, false, "oddly"),
        (202, false, "oddly"),
    ] {
        let mut rig = Rig::new(&["m1", "m2"]);
        rig.call(subscribe());
        rig.open(Response { body: "because".into(), ..Response::of_status(status) });
        assert!(rig.why().contains(word) && rig.why().contains("because"), "{status}: {}", rig.why());
        let pause = rig.link.next_deadline().expect("it tries again").since(Instant(rig.now));
        let expected = if lasting {
            SUBSCRIBE_BACKOFF_MAX.0 / 2..=SUBSCRIBE_BACKOFF_MAX.0
        } else {
            0..=SUBSCRIBE_BACKOFF.0
        };
        assert!(expected.contains(&pause.0), "{status}: {pause:?}");
        while rig.asked().is_none() {
            assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
        }
        assert_eq!(rig.asked(), Some("m2"), "the next master is asked");
    }
}

#[test]
fn r4_a_refused_call_that_means_the_subscription_is_gone_renews_it() {
    for (status, body, renews) in [
        (403, "Framework is not subscribed", true),
        (400, "The stream ID 'x' included in this request didn't match", true),
        (400, "Failed to validate scheduler::Call", false),
        (503, "", true),
        (500, "", false),
        (202, "", false),
    ] {
        let mut rig = Rig::connected(&["m1"]);
        rig.call(revive());
        let id = CallId(0);
        let answer = CallAnswer::Response(Response { body: body.into(), ..Response::of_status(status) });
        rig.step(LinkInput::Answered { conn: rig.link.last_conn, id, answer });
        assert_eq!(rig.link.status() != LinkStatus::Subscribed, renews, "{status} {body}");
    }
}

#[test]
fn r5_an_error_or_a_heartbeat_may_come_before_subscribed() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    rig.open(stream("s1"));
    rig.event(Event::Heartbeat);
    assert!(rig.out.is_empty());
    rig.error("'FrameworkInfo.roles' contains duplicate items: { a }");
    assert!(rig.why().contains("duplicate items"));
    let pause = rig.link.next_deadline().expect("it tries again").since(Instant(rig.now));
    assert!(pause.0 >= SUBSCRIBE_BACKOFF_MAX.0 / 2, "200 and then ERROR: only people can mend it");
}

#[test]
fn r6_silence_ends_a_subscription_and_any_sign_of_life_keeps_it() {
    let mut rig = Rig::connected(&["m1"]);
    let patience = Millis::from_secs(15 * HEARTBEATS_MISSED_MAX);
    for sign in 0..3 {
        rig.now += patience.0 - 1;
        let conn = rig.link.last_conn;
        match sign {
            0 => rig.event(Event::Heartbeat),
            1 => rig.step(LinkInput::Alive { conn }),
            _ => rig.step(LinkInput::Unreadable { conn, why: "no event".into() }),
        }
        assert_eq!(rig.link.status(), LinkStatus::Subscribed);
    }
    rig.now += patience.0;
    rig.step(LinkInput::Wake);
    assert!(rig.why().contains("silent for 75 s"), "{}", rig.why());
    assert!(rig.out.contains(&LinkEffect::Close { conn: rig.link.last_conn }));
}

#[test]
fn r6_a_half_open_attempt_ends_too() {
    let mut rig = Rig::new(&["m1", "m2"]);
    rig.call(subscribe());
    rig.open(stream("s1"));
    for _ in 0..20 {
        rig.now += SUBSCRIBE_ANSWER.0 / 20;
        rig.event(Event::Heartbeat);
    }
    assert!(rig.why().contains("did not answer SUBSCRIBE"), "heartbeats alone are no subscription");
}

#[test]
fn r7_pauses_double_with_jitter_and_a_stable_subscription_resets_them() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    let mut pauses = Vec::new();
    for attempt in 0..40_u32 {
        rig.close();
        let pause = rig.link.next_deadline().expect("it tries again").since(Instant(rig.now));
        let bound = (SUBSCRIBE_BACKOFF.0 << attempt.min(20)).min(SUBSCRIBE_BACKOFF_MAX.0);
        assert!(pause.0 <= bound, "attempt {attempt}: {pause:?}");
        pauses.push(pause);
        while rig.asked().is_none() {
            assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
        }
    }
    pauses.sort();
    pauses.dedup();
    assert!(pauses.len() > 30, "jitter spreads them");
    rig.open(stream("s"));
    rig.event(subscribed("F"));
    rig.now += SUBSCRIBE_STABLE.0;
    rig.close();
    assert!(rig.link.next_deadline().expect("it tries again").since(Instant(rig.now)) <= SUBSCRIBE_BACKOFF);
}

#[test]
fn r8_events_of_a_dead_stream_are_not_told() {
    let mut rig = Rig::connected(&["m1"]);
    let old = rig.link.last_conn;
    rig.close();
    let rescind = Event::Rescind(OfferId::new("O1"));
    rig.step(LinkInput::Event { conn: old, event: Box::new(rescind) });
    assert!(rig.out.iter().all(|effect| !matches!(effect, LinkEffect::Up { .. })));
    assert_eq!(rig.link.stats().stale_events, 1);
}

#[test]
fn r8_a_lost_answer_to_offers_renews_the_subscription() {
    for (call, renews) in [(decline(), true), (revive(), false)] {
        let mut rig = Rig::connected(&["m1"]);
        rig.call(call);
        let answer = CallAnswer::Lost { why: "reset".into() };
        rig.step(LinkInput::Answered { conn: rig.link.last_conn, id: CallId(0), answer });
        assert_eq!(rig.link.status() != LinkStatus::Subscribed, renews);
        assert_eq!(rig.link.stats().calls_lost, 1);
    }
}

#[test]
fn r9_the_id_once_given_is_asked_for_again() {
    let mut rig = Rig::connected(&["m1"]);
    rig.close();
    while rig.asked().is_none() {
        assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
    }
    let asked_as = rig.out.iter().find_map(|effect| match effect {
        LinkEffect::Subscribe { framework, .. } => framework.id.clone(),
        _ => None,
    });
    assert_eq!(asked_as, Some("F".into()));
}

#[test]
fn r12_a_removed_framework_is_told_and_never_subscribed_anew_unasked() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    rig.open(stream("s1"));
    rig.error("Framework has been removed");
    assert!(matches!(rig.out.last(), Some(LinkEffect::Up { event: LinkEvent::Removed { .. }, .. })));
    assert_eq!(rig.link.next_deadline(), None);
    rig.call(revive());
    assert!(rig.out.is_empty());
    rig.call(subscribe());
    assert_eq!(rig.asked(), Some("m1"), "the scheduler may decide otherwise");
}

#[test]
fn r13_a_link_that_failed_over_stops() {
    let mut rig = Rig::connected(&["m1"]);
    rig.error("Framework failed over");
    let conn = rig.link.last_conn;
    assert_eq!(rig.out, [LinkEffect::Close { conn }, LinkEffect::Up { conn, event: LinkEvent::FailedOver }]);
    assert_eq!(rig.link.next_deadline(), None);
}

#[test]
fn r18_calls_in_flight_are_bounded_and_leave_in_order() {
    let mut rig = Rig::connected(&["m1"]);
    let mut sent = 0;
    for _ in 0..MESOS_CALLS_IN_FLIGHT_MAX + 5 {
        rig.call(revive());
        sent += rig.sends().len();
    }
    assert_eq!(sent, MESOS_CALLS_IN_FLIGHT_MAX);
    let answer = CallAnswer::Response(Response::of_status(202));
    rig.step(LinkInput::Answered { conn: rig.link.last_conn, id: CallId(0), answer: answer.clone() });
    let next = CallId(MESOS_CALLS_IN_FLIGHT_MAX as u64);
    assert!(matches!(&rig.sends()[..], [LinkEffect::Send { id, .. }] if *id == next));
    rig.step(LinkInput::Answered { conn: rig.link.last_conn, id: CallId(0), answer });
    assert!(rig.sends().is_empty(), "an answer counts once");
}

#[test]
fn r18_what_does_not_fit_is_dropped_and_counted() {
    let mut rig = Rig::connected(&["m1"]);
    for _ in 0..MESOS_CALLS_IN_FLIGHT_MAX + MESOS_CALLS_QUEUED_MAX + 3 {
        rig.call(revive());
    }
    assert_eq!(rig.link.stats().calls_overflowed, 3);
    assert_eq!(rig.link.status(), LinkStatus::Subscribed);
    rig.call(decline());
    assert!(rig.why().contains("too slow"), "offers would be held for ever");
}

#[test]
fn r18_a_flood_of_acknowledgements_leaves_room_for_other_calls_and_lets_them_pass() {
    let mut rig = Rig::connected(&["m1"]);
    for _ in 0..MESOS_CALLS_IN_FLIGHT_MAX + MESOS_ACKNOWLEDGEMENTS_QUEUED_MAX + 3 {
        rig.call(acknowledge());
    }
    assert_eq!(rig.link.stats().calls_overflowed, 3);
    rig.call(decline());
    assert_eq!(rig.link.status(), LinkStatus::Subscribed);
    let answer = CallAnswer::Response(Response::of_status(202));
    rig.step(LinkInput::Answered { conn: rig.link.last_conn, id: CallId(0), answer });
    let sent = rig.sends();
    let [LinkEffect::Send { call, .. }] = &sent[..] else { panic!("one may leave: {sent:?}") };
    assert!(matches!(**call, MesosCall::Decline { .. }), "{call:?}");
}

#[test]
fn r18_a_call_that_is_never_answered_ends_the_subscription() {
    let mut rig = Rig::connected(&["m1"]);
    rig.call(revive());
    while rig.now < 1_000 + MESOS_CALL_ANSWER.0 {
        rig.now += 1_000;
        rig.event(Event::Heartbeat);
    }
    assert!(rig.why().contains("did not answer a call"), "{}", rig.why());
}

#[test]
fn a_scheduler_that_disconnects_is_left_alone() {
    let mut rig = Rig::connected(&["m1"]);
    rig.call(MesosCall::Disconnect);
    assert_eq!(rig.link.status(), LinkStatus::Off);
    assert!(matches!(rig.out[..], [LinkEffect::Close { .. }, LinkEffect::Up { .. }]));
    assert!(!rig.sleep(Millis::from_secs(3600)));
}

#[test]
fn without_masters_it_waits_for_some() {
    let mut rig = Rig::new(&[]);
    rig.call(subscribe());
    assert!(rig.why().contains("no Mesos master"));
    rig.step(LinkInput::Masters(vec![master("m9")]));
    assert_eq!(rig.asked(), Some("m9"));
}

#[test]
fn r4_the_first_of_new_masters_is_asked_at_once_while_no_subscription_stands() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    let asked = |rig: &Rig| match rig.out.last() {
        Some(LinkEffect::Subscribe { master, .. }) => master.host.clone(),
        other => panic!("a master is asked, not {other:?}"),
    };
    assert_eq!(asked(&rig), "m1");
    // It may never answer, and leads no more.
    rig.step(LinkInput::Masters(vec![master("m2"), master("m1")]));
    assert!(matches!(rig.out[0], LinkEffect::Close { .. }));
    assert_eq!(asked(&rig), "m2");
    rig.open(stream("s1"));
    rig.event(subscribed("F"));
    rig.step(LinkInput::Masters(vec![master("m3"), master("m2")]));
    assert_eq!((rig.out.as_slice(), rig.link.status()), (&[][..], LinkStatus::Subscribed));
}
