//! Owns the tests over real sockets.

use std::io;
use std::time::Duration;

use swan_core::link::MasterAddress;
use swan_core::mesos::{Call, Event, OfferId};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::input::LinkEvent;
use swan_mesos::client::Connector;
use tokio::net::{TcpListener, TcpStream};

use super::master::{Master, Mood};
use super::rig::Rig;

pub(super) struct Tcp;

impl Connector for Tcp {
    type Stream = TcpStream;

    async fn connect(&self, master: &MasterAddress) -> io::Result<TcpStream> {
        TcpStream::connect((master.host.as_str(), master.port)).await
    }
}

async fn start() -> (Master, MasterAddress) {
    let (master, listener) = (Master::default(), TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let port = listener.local_addr().unwrap().port();
    let serving = master.clone();
    tokio::spawn(async move {
        loop {
            tokio::spawn(serving.clone().serve(listener.accept().await.unwrap().0));
        }
    });
    (master, MasterAddress { host: "127.0.0.1".into(), port })
}

/// Runs a test that must not hang.
pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(limited).expect("it does not hang");
}

fn calls(master: &Master) -> usize {
    master.notes().calls.len()
}

#[test]
fn r1_r2_a_subscription_and_its_calls_share_a_stream_id_and_no_connection() {
    run(async {
        let (master, address) = start().await;
        let mut rig = Rig::new(Tcp, vec![address]);
        rig.connected().await;
        assert_eq!(master.notes().authorization.as_deref(), Some("Basic c3dhbjpodW50ZXIy"), "R17");
        let rescind = Event::Rescind(OfferId::new("O1"));
        master.say(&rescind);
        assert_eq!(rig.next().await, LinkEvent::Event(Box::new(rescind)));
        for offer in 0..50 {
            rig.decline(offer);
        }
        rig.until(|| calls(&master) == 50).await;
        let notes = master.notes();
        assert_eq!(notes.connections, 2);
        for (number, (stream_id, call)) in notes.calls.iter().enumerate() {
            assert_eq!(stream_id, "stream-1");
            let wanted = OfferId::new(format!("O{number}"));
            assert!(matches!(call, Call::Decline { offer_ids, .. } if offer_ids == &[wanted]), "{call:?}");
        }
    });
}

#[test]
fn r9_a_stream_that_ends_is_subscribed_again_as_the_same_framework() {
    run(async {
        let (master, address) = start().await;
        let mut rig = Rig::new(Tcp, vec![address]);
        rig.connected().await;
        rig.call(MesosCall::Revive { roles: vec![] });
        rig.until(|| calls(&master) == 1).await;
        master.end_stream();
        assert!(rig.disconnected().await.contains("ended the stream"));
        rig.connected_at_last().await;
        rig.call(MesosCall::Revive { roles: vec![] });
        rig.until(|| calls(&master) == 2).await;
        assert_eq!(master.notes().subscribes, [None, Some("F".into())]);
        assert_eq!(master.notes().calls[1].0, "stream-2");
    });
}

#[test]
fn r4_a_standby_leads_to_the_leader() {
    run(async {
        let ((standby, first), (leader, second)) = (start().await, start().await);
        standby.notes().mood = Mood::RedirectsTo(format!("//{second}/master/api/v1/scheduler"));
        let mut rig = Rig::new(Tcp, vec![first, second]);
        rig.connected().await;
        assert_eq!((standby.notes().subscribes.len(), leader.notes().subscribes.len()), (1, 1));
    });
}

#[test]
fn r4_a_refusal_is_told_with_the_masters_words() {
    run(async {
        let (master, address) = start().await;
        master.notes().mood = Mood::Refuses(401);
        let mut rig = Rig::new(Tcp, vec![address]);
        let why = rig.disconnected().await;
        assert!(why.contains("principal and secret") && why.contains("because of a reason"), "{why}");
        assert!(!why.contains("hunter2"));
    });
}

#[test]
fn a_master_that_closes_its_connections_costs_no_call() {
    run(async {
        let (master, address) = start().await;
        master.notes().closes_after_call = true;
        let mut rig = Rig::new(Tcp, vec![address]);
        rig.connected().await;
        for offer in 0..5 {
            rig.decline(offer);
            rig.until(|| calls(&master) == offer + 1).await;
        }
        assert_eq!((master.notes().connections, rig.link.stats().calls_lost), (6, 0));
    });
}

#[test]
fn a_master_that_is_not_there_is_named() {
    run(async {
        let nowhere = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
        let address = MasterAddress { host: "127.0.0.1".into(), port: nowhere };
        let mut rig = Rig::new(Tcp, vec![address.clone()]);
        let why = rig.disconnected().await;
        assert!(why.contains(&address.to_string()), "{why}");
    });
}
