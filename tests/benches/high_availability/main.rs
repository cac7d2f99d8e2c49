//! Measures what a manager on ZooKeeper costs: `cargo bench -p swan-tests`. Needs java and Debian's zookeeper.
//!
//! ZooKeeper is a real server on this machine, its log on this machine's disk. Mesos is a stand-in in this process, so
//! that no time of its own is counted. Nothing is asserted about time: the last column is what was measured over what
//! must be, so that more is better.

#[path = "../../../core/benches/scheduler/clock.rs"]
mod clock;
mod mesos;
#[allow(dead_code)]
#[path = "../../../core/benches/scheduler/rig.rs"]
mod rig;
mod seat;
mod writes;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clock::Clock;
use rig::Rig;
use seat::Seat;
use swan_core::journal::copy::{Extent, written_anew};
use swan_core::journal::{Payload, StoreResult};
use swan_core::record::{Epoch, RecordKey, Seq};
use swan_core::time::ClusterTime;
use swan_store::{Address, Options, Sessions, ZkStore};
use swan_tests::ensemble::Ensemble;
use tokio::runtime::Runtime;

/// Instances of each app.
const INSTANCES: u32 = 1_000;

fn main() {
    // `cargo test --benches` only wants to know that it still runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let (many, most, writes) = if quick { (2, 2, 20_000) } else { (100, 1_000, 1_000_000) };
    let runtime = Runtime::new().expect("a runtime");
    let ensemble = Ensemble::start_with("bench", 1, "-Xmx4g");
    println!("{:<66} {:>12} {:>10} {:>8}", "", "measured", "must", "ratio");
    writes::measure(&runtime, &ensemble, writes);
    cold_start(&runtime, &ensemble, most);
    takeover(&runtime, &ensemble, many);
}

/// Prints a time, and how it stands to what it must be.
fn row(name: &str, measured: Duration, must: Duration) {
    let ratio = must.as_secs_f64() / measured.as_secs_f64();
    println!("{name:<66} {:>9} ms {:>7} ms {ratio:>7.2}×", measured.as_millis(), must.as_millis());
}

/// A session of its own with the part of the ensemble at `root`.
fn sessions(runtime: &Runtime, ensemble: &Ensemble, root: &str) -> Sessions {
    let _inside = runtime.enter();
    let address: Address = format!("zk://{}/{root}", ensemble.addresses()).parse().expect("a good address");
    let options = Options { address, session_timeout: Duration::from_secs(6), credentials: None, tls: None };
    Sessions::of_journal(options).expect("no files are read")
}

/// Puts the records of running apps there, as a leader before would have left them.
fn fill(runtime: &Runtime, ensemble: &Ensemble, root: &str, apps: u32) -> usize {
    let ops = Rig::running(apps, INSTANCES).durable_ops();
    let records: BTreeMap<RecordKey, Vec<u8>> =
        ops.into_iter().map(|op| (op.key, op.value.expect("a record"))).collect();
    let count = records.len();
    let extent = Extent { level: 1, epoch: Epoch(1), seq: Seq(1), cluster_time: ClusterTime(1_000) };
    let store = runtime.block_on(async {
        let sessions = sessions(runtime, ensemble, root);
        sessions.connected().await;
        ZkStore::new(sessions)
    });
    for op in written_anew(extent, records) {
        let result = runtime.block_on(store.execute(op));
        assert_eq!(result, StoreResult::Done(Payload::Nothing));
    }
    count
}

/// From nothing to a leader that has subscribed and begins to ask after its tasks.
fn cold_start(runtime: &Runtime, ensemble: &Ensemble, apps: u32) {
    let count = fill(runtime, ensemble, "cold", apps);
    let began = Instant::now();
    let mut seat = Seat::sit(runtime, sessions(runtime, ensemble, "cold"), "cold:1", 0);
    seat.run_until(|seat| seat.mesos.reconciled);
    let name = format!("cold start from ZooKeeper, {} tasks, {count} records", apps * INSTANCES);
    row(&name, began.elapsed(), Duration::from_secs(10));
}

/// A leader is asked for one more instance, and is gone once that is durable; the standby, warm, launches it.
fn takeover(runtime: &Runtime, ensemble: &Ensemble, apps: u32) {
    let root = "takeover";
    fill(runtime, ensemble, root, apps);
    let mut leader = Seat::sit(runtime, sessions(runtime, ensemble, root), "old:1", 0);
    leader.run_until(|seat| seat.mesos.reconciled);
    let mut standby = Seat::sit(runtime, sessions(runtime, ensemble, root), "new:1", 5);
    standby.run_until(Seat::is_warm);
    leader.scale("app0.group0.bench", INSTANCES + 1);
    leader.run_until(|seat| seat.replied);
    let began = Instant::now();
    // Its session is closed, as ZooKeeper would end it.
    drop(leader);
    standby.run_until(|seat| seat.mesos.accepted);
    let name = format!("takeover by a warm standby, {} tasks: end of session to ACCEPT", apps * INSTANCES);
    row(&name, began.elapsed(), Duration::from_millis(500));
}
