//! Holds elections against a real server: one leads, and the next takes over when it resigns, ends, or is expired.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant as StdInstant};

use swan_core::lease::ElectionEvent;
use swan_core::time::Instant;
use swan_store::{Election, Heard, Sessions, ZkCrashNotes};
use swan_tests::ensemble::Ensemble;

use crate::session::{RUNTIME, TIMEOUT, fresh_root, sessions};

struct Candidate {
    election: Election,
    news: Receiver<Heard>,
    sessions: Sessions,
}

fn candidate(ensemble: &Ensemble, root: &str, name: &str) -> Candidate {
    let _inside = RUNTIME.enter();
    let sessions = sessions(ensemble, root);
    let start = StdInstant::now();
    let clock = move || Instant(u64::try_from(start.elapsed().as_millis()).expect("a short test"));
    let election =
        Election::new(sessions.clone(), ZkCrashNotes::new(sessions.clone()), name.to_owned(), clock);
    let (sender, news) = channel();
    election.campaign(move |event| drop(sender.send(event)));
    Candidate { election, news, sessions }
}

impl Candidate {
    /// Waits for something else than a confirmation.
    fn hears(&self) -> ElectionEvent {
        loop {
            match self.news.recv_timeout(Duration::from_secs(30)).expect("news in time") {
                Heard::CrashNotes(notes) => assert_eq!(notes, []),
                Heard::Election(ElectionEvent::Confirmed { .. } | ElectionEvent::Disconnected) => {}
                Heard::Election(other) => return other,
            }
        }
    }

    fn is_elected(&self) {
        assert!(matches!(self.hears(), ElectionEvent::Acquired { .. }));
    }

    fn hears_nothing(&self) {
        assert!(self.news.try_recv().is_err());
    }
}

#[test]
fn leadership_goes_to_the_next_in_order() {
    let ensemble = Ensemble::start("election", 1);
    let root = fresh_root();
    let first = candidate(&ensemble, &root, "first");
    first.is_elected();
    let second = candidate(&ensemble, &root, "second");
    std::thread::sleep(Duration::from_millis(500));
    let third = candidate(&ensemble, &root, "third");
    std::thread::sleep(Duration::from_millis(500));
    second.hears_nothing();
    let asked = |heard| match heard {
        Heard::Election(ElectionEvent::Confirmed { asked }) => asked,
        other => panic!("a leader is confirmed, not {other:?}"),
    };
    let confirmed = asked(first.news.recv().expect("a confirmation"));
    assert!(asked(first.news.recv().expect("another")) > confirmed);

    RUNTIME.block_on(first.election.resign());
    second.is_elected();
    third.hears_nothing();
    let registry = swan_store::Registry::new(third.sessions.clone());
    assert_eq!(RUNTIME.block_on(registry.leader()), Ok(Some("second".to_owned())));

    // A process that ends is out once its session is.
    let began = StdInstant::now();
    drop(second);
    third.is_elected();
    println!("the end of a session was noticed after {} ms of {TIMEOUT:?}", began.elapsed().as_millis());
}

#[test]
fn a_leader_whose_ensemble_is_gone_for_long_has_lost() {
    let mut ensemble = Ensemble::start("gone", 1);
    let leader = candidate(&ensemble, &fresh_root(), "leader");
    leader.is_elected();
    ensemble.kill(0);
    assert_eq!(leader.hears(), ElectionEvent::Lost);
    ensemble.revive(0);
    ensemble.wait();
    let (sender, news) = channel();
    leader.election.campaign(move |event| drop(sender.send(event)));
    let again = Candidate { news, ..leader };
    again.is_elected();
}
