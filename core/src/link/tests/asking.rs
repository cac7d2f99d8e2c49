//! Tests of the question before a first subscription.

use super::*;
use crate::mesos::Resource;
use crate::predecessor::JOURNAL_LABEL;

/// A subscription of a framework that says where its journal is, as it begins.
pub(in crate::link) fn first(anew: bool) -> MesosCall {
    let labels = vec![(JOURNAL_LABEL.into(), Some("file:/a".into()))];
    let framework_info = Box::new(FrameworkInfo { name: "swan".into(), labels, ..FrameworkInfo::default() });
    MesosCall::Subscribe { framework_info, suppressed_roles: vec![], anew }
}

pub(in crate::link) fn predecessor(id: &str) -> ListedFramework {
    ListedFramework {
        id: id.into(),
        name: "swan".into(),
        labels: vec![(JOURNAL_LABEL.into(), Some("file:/a".into()))],
        connected: false,
        recovered: false,
        allocated: vec![Resource::scalar("cpus", 100)],
    }
}

impl Rig {
    fn list(&mut self, frameworks: Vec<ListedFramework>) {
        self.step(LinkInput::Listed { conn: self.link.last_conn, frameworks });
    }

    /// The master asked for its frameworks in the last step.
    fn questioned(&self) -> Option<&str> {
        self.out.iter().find_map(|effect| match effect {
            LinkEffect::Ask { master, .. } => Some(master.host.as_str()),
            _ => None,
        })
    }

    fn begun(masters: &[&str]) -> Self {
        let mut rig = Self::new(masters);
        rig.call(first(false));
        assert_eq!((rig.questioned(), rig.asked()), (Some(masters[0]), None));
        assert_eq!(rig.link.status(), LinkStatus::Asking);
        rig
    }
}

#[test]
fn s14_who_has_no_id_asks_before_it_subscribes_where_it_asked() {
    let mut rig = Rig::begun(&["m1", "m2"]);
    let question = rig.link.last_conn;
    rig.list(vec![ListedFramework { allocated: vec![], ..predecessor("F1") }]);
    assert_eq!(rig.out[0], LinkEffect::Close { conn: question });
    assert_eq!(rig.asked(), Some("m1"));
    rig.open(stream("s1"));
    rig.event(subscribed("F2"));
    rig.close();
    assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
    assert_eq!((rig.questioned(), rig.asked()), (None, Some("m2")), "it has an id now");
}

#[test]
fn s14_a_predecessor_that_holds_something_stops_it_until_a_word() {
    for anew in [false, true] {
        let mut rig = Rig::begun(&["m1"]);
        rig.list(vec![predecessor("F1")]);
        let held = rig.out.iter().any(|effect| {
            matches!(effect, LinkEffect::Up { event: LinkEvent::Held { predecessors }, .. }
                if predecessors[0].id.as_str() == "F1" && predecessors[0].cpus == 100)
        });
        assert!(held, "{:?}", rig.out);
        assert_eq!((rig.link.status(), rig.link.next_deadline()), (LinkStatus::Held, None));
        rig.step(LinkInput::Masters(vec![master("m2")]));
        rig.step(LinkInput::Wake);
        assert_eq!((rig.questioned(), rig.asked()), (None, None), "nothing but a word ends it");
        let mut word = first(anew);
        if let (MesosCall::Subscribe { framework_info, .. }, false) = (&mut word, anew) {
            framework_info.id = Some("F1".into());
        }
        rig.call(word);
        assert_eq!((rig.questioned(), rig.asked()), (None, Some("m2")));
    }
}

#[test]
fn s14_the_question_follows_redirects_and_backs_off_as_a_subscription_does() {
    let mut rig = Rig::begun(&["m1", "m2"]);
    let location = Some("//m2:5050/master/api/v1".into());
    rig.open(Response { location, ..Response::of_status(307) });
    assert_eq!(rig.questioned(), Some("m2"));
    rig.open(Response::of_status(503));
    assert_eq!(rig.why(), "m2:5050 does not answer GET_FRAMEWORKS: status 503");
    assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
    assert_eq!(rig.questioned(), Some("m1"));
    assert!(rig.sleep(SUBSCRIBE_ANSWER));
    assert_eq!(rig.why(), "m1:5050 did not answer GET_FRAMEWORKS within 15 s");
    assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
    rig.close();
    assert!(rig.why().starts_with("the stream from m2:5050 ended"));
    assert!(rig.sleep(SUBSCRIBE_BACKOFF_MAX));
    rig.list(vec![]);
    assert_eq!(rig.asked(), Some("m1"));
}

#[test]
fn s14_a_master_that_may_not_be_asked_stops_no_first_start() {
    for status in [400, 401, 403, 404, 405, 406, 415] {
        let mut rig = Rig::begun(&["m1"]);
        rig.open(Response::of_status(status));
        assert_eq!(rig.asked(), Some("m1"), "{status}");
        assert!(rig.link.stats().last_trouble.contains("does not tell its frameworks"));
    }
}

#[test]
fn s14_who_does_not_say_where_its_journal_is_or_is_to_be_new_does_not_ask() {
    let mut rig = Rig::new(&["m1"]);
    rig.call(subscribe());
    assert_eq!((rig.questioned(), rig.asked()), (None, Some("m1")));
    let mut rig = Rig::new(&["m1"]);
    rig.call(first(true));
    assert_eq!((rig.questioned(), rig.asked()), (None, Some("m1")));
}

#[test]
fn s14_answers_to_a_question_that_is_over_are_not_heard() {
    let mut rig = Rig::begun(&["m1"]);
    let question = rig.link.last_conn;
    rig.list(vec![]);
    rig.step(LinkInput::Listed { conn: question, frameworks: vec![predecessor("F1")] });
    rig.list(vec![predecessor("F1")]);
    assert_eq!((rig.out.len(), rig.link.status()), (0, LinkStatus::Subscribing));
}
