//! Owns the tests over a simulated network: cuts, delays, and connections of which only one side knows that they are dead.

use std::io;
use std::time::Duration;

use swan_core::limits::{HEARTBEATS_MISSED_MAX, MESOS_CALL_ANSWER};
use swan_core::link::{LinkStatus, MasterAddress};
use swan_core::mesos::{Call, FrameworkInfo, ListedFramework, Resource};
use swan_core::predecessor::JOURNAL_LABEL;
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::input::LinkEvent;
use swan_core::time::{Instant, Millis};
use swan_mesos::client::Connector;
use turmoil::net::{TcpListener, TcpStream};

use super::master::{HEARTBEAT, Master, Mood};
use super::rig::Rig;

struct Simulated;

impl Connector for Simulated {
    type Stream = TcpStream;

    async fn connect(&self, master: &MasterAddress) -> io::Result<TcpStream> {
        TcpStream::connect((master.host.as_str(), master.port)).await
    }
}

/// Runs a test as the host `swan`, beside masters `m1` and `m2`, on a network with these delays.
fn run<T: Future<Output = ()> + 'static>(delays: [u64; 2], test: impl FnOnce([Master; 2]) -> T) {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(3600))
        .min_message_latency(Duration::from_millis(delays[0]))
        .max_message_latency(Duration::from_millis(delays[1]))
        .tick_duration(Duration::from_millis(5))
        .rng_seed(7)
        .build();
    let masters = [Master::default(), Master::default()];
    for (name, master) in ["m1", "m2"].into_iter().zip(&masters) {
        let master = master.clone();
        sim.host(name, move || {
            let master = master.clone();
            async move {
                let listener = TcpListener::bind(("0.0.0.0", 5050)).await?;
                loop {
                    tokio::spawn(master.clone().serve(listener.accept().await?.0));
                }
            }
        });
    }
    let test = test(masters);
    sim.client("swan", async {
        test.await;
        Ok(())
    });
    sim.run().unwrap();
}

fn rig(masters: &[&str]) -> Rig<Simulated> {
    let address = |host: &&str| MasterAddress { host: (*host).into(), port: 5050 };
    Rig::new(Simulated, masters.iter().map(address).collect())
}

async fn stays_subscribed(rig: &mut Rig<Simulated>, span: Millis) {
    let until = rig.now() + span;
    while rig.now() < until {
        rig.turn().await;
        assert_eq!(rig.link.status(), LinkStatus::Subscribed);
    }
}

fn within(began: Instant, now: Instant, span: Millis) -> bool {
    let slack = Millis::from_secs(20);
    (span.0..=span.0 + slack.0).contains(&now.since(began).0)
}

#[test]
fn r6_a_cut_is_noticed_by_silence_and_mended() {
    run([1, 20], |_masters| async {
        let mut rig = rig(&["m1"]);
        rig.connected().await;
        stays_subscribed(&mut rig, Millis::from_secs(300)).await;
        let cut = rig.now();
        turmoil::hold("swan", "m1");
        let why = rig.disconnected().await;
        assert!(why.contains("silent"), "{why}");
        let patience = HEARTBEAT.times(HEARTBEATS_MISSED_MAX - 1);
        assert!(within(cut, rig.now(), patience), "{:?} {:?}", cut, rig.now());
        turmoil::release("swan", "m1");
        rig.connected_at_last().await;
    });
}

#[test]
fn r7_a_master_cut_off_is_left_for_another() {
    run([1, 20], |[_, second]| async move {
        let mut rig = rig(&["m1", "m2"]);
        rig.connected().await;
        turmoil::partition("swan", "m1");
        rig.disconnected().await;
        rig.connected_at_last().await;
        assert_eq!(second.notes().subscribes, [Some("F".into())], "R9");
        stays_subscribed(&mut rig, Millis::from_secs(100)).await;
    });
}

#[test]
fn r18_a_call_into_a_half_open_connection_is_given_up() {
    run([1, 20], |_masters| async {
        let mut rig = rig(&["m1"]);
        rig.connected().await;
        turmoil::hold("swan", "m1");
        let called = rig.now();
        rig.decline(1);
        let why = rig.disconnected().await;
        assert!(why.contains("did not answer a call"), "{why}");
        assert!(within(called, rig.now(), MESOS_CALL_ANSWER));
        turmoil::release("swan", "m1");
        rig.connected_at_last().await;
    });
}

#[test]
fn calls_arrive_in_order_whatever_the_delays() {
    run([1, 400], |[master, _]| async move {
        let mut rig = rig(&["m1"]);
        rig.connected().await;
        for offer in 0..40 {
            rig.decline(offer);
        }
        rig.until(|| master.notes().calls.len() == 40).await;
        let offers: Vec<String> = master
            .notes()
            .calls
            .iter()
            .map(|(_, call)| match call {
                Call::Decline { offer_ids, .. } => offer_ids[0].to_string(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(offers, (0..40).map(|offer| format!("O{offer}")).collect::<Vec<_>>());
        assert_eq!(rig.link.stats().calls_lost, 0);
    });
}

/// What a framework says of itself that writes this journal.
fn of_journal() -> FrameworkInfo {
    let labels = vec![(JOURNAL_LABEL.into(), Some("file:/a".into()))];
    FrameworkInfo { name: "swan".into(), labels, ..FrameworkInfo::default() }
}

fn asking() -> Rig<Simulated> {
    let address = |host: &str| MasterAddress { host: host.into(), port: 5050 };
    Rig::of(of_journal(), Simulated, vec![address("m1"), address("m2")])
}

#[test]
fn s14_the_leading_master_is_asked_for_frameworks_first_and_one_that_holds_something_stops_it() {
    run([1, 20], async |[m1, m2]| {
        m1.notes().mood = Mood::RedirectsTo("//m2:5050/master/api/v1".into());
        let info = of_journal();
        let (name, labels) = (info.name.clone(), info.labels.clone());
        let (connected, recovered, allocated) = (false, false, vec![Resource::scalar("cpus", 300)]);
        let listed = ListedFramework { id: "F1".into(), name, labels, connected, recovered, allocated };
        m2.notes().frameworks = vec![(info.clone(), listed)];
        let mut rig = asking();
        match rig.next().await {
            LinkEvent::Held { predecessors } => assert_eq!(predecessors[0].id.as_str(), "F1"),
            other => panic!("{other:?}"),
        }
        assert_eq!((m1.notes().questions, m2.notes().questions), (1, 1));
        assert_eq!(m2.notes().authorization.as_deref(), Some("Basic c3dhbjpodW50ZXIy"));
        let framework_info = Box::new(FrameworkInfo { id: Some("F1".into()), ..info });
        rig.call(MesosCall::Subscribe { framework_info, suppressed_roles: vec![], anew: false });
        rig.connected().await;
        assert_eq!(m2.notes().subscribes, [Some("F1".into())]);
    });
}

#[test]
fn s14_a_master_without_such_a_framework_or_without_an_answer_is_subscribed_to() {
    run([1, 20], async |[m1, _]| {
        let mut rig = asking();
        rig.connected().await;
        let notes = m1.notes();
        assert_eq!((notes.questions, notes.subscribes.as_slice()), (1, &[None][..]));
    });
    run([1, 20], async |[m1, m2]| {
        m1.notes().mood = Mood::Refuses(503);
        m2.notes().mood = Mood::Refuses(403);
        let mut rig = asking();
        let why = rig.disconnected().await;
        assert_eq!(why, "m1:5050 does not answer GET_FRAMEWORKS: status 503, because of a reason");
        let why = rig.disconnected().await;
        assert!(why.contains("m2:5050 does not let this principal register"), "{why}");
        assert_eq!((m1.notes().questions, m2.notes().questions), (1, 1));
    });
}
