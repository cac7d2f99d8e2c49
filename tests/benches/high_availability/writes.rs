//! Owns how fast changes of records become durable in ZooKeeper: as the journal writes them, and with a node for each.

use std::collections::VecDeque;
use std::sync::mpsc::channel;
use std::time::Instant as StdInstant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use swan_core::journal::{Journal, JournalConfig, JournalEffect, JournalInput};
use swan_core::limits::{BATCH_OPS_MAX, BATCHES_IN_FLIGHT_MAX};
use swan_core::record::{Op, RecordKey, Seq};
use swan_core::scheduler::input::StoreEvent;
use swan_core::time::{Instant, Now};
use swan_store::ZkStore;
use swan_tests::ensemble::Ensemble;
use tokio::runtime::Runtime;
use zookeeper_client::{Acls, Client, CreateMode};

use crate::sessions;

/// Bytes of a record: about those of a slot with its task.
const RECORD_BYTES: usize = 250;
/// Nodes that are written to in turn, and how many writes are under way.
const NODES: u64 = 1_000;
const IN_FLIGHT: usize = 256;

pub(crate) fn measure(runtime: &Runtime, ensemble: &Ensemble, count: u64) {
    let batched = batched(runtime, ensemble, count);
    let each = one_node_each(runtime, ensemble, count / 20);
    let name = format!("durable changes of records of {RECORD_BYTES} B, batched");
    println!("{name:<66} {batched:>10.0}/s {:>8}/s {:>7.2}×", 50_000, batched / 50_000.0);
    println!("{:<66} {each:>10.0}/s", "  the same with a node for each record, 256 in flight");
}

fn batch(seq: Seq) -> Vec<Op> {
    let key = |n: u64| RecordKey(format!("s{:08}", n % 1_000_000).into_bytes());
    let ops = BATCH_OPS_MAX as u64 / 4;
    (0..ops).map(|n| Op { key: key(seq.0 * ops + n), value: Some(vec![n as u8; RECORD_BYTES]) }).collect()
}

/// Changes per second that the journal machine makes durable; without snapshots.
fn batched(runtime: &Runtime, ensemble: &Ensemble, count: u64) -> f64 {
    let store = runtime.block_on(async {
        let sessions = sessions(runtime, ensemble, "writes");
        sessions.connected().await;
        ZkStore::new(sessions)
    });
    let config = JournalConfig {
        snapshot_log_bytes: u64::MAX,
        snapshot_log_entries: u64::MAX,
        ..JournalConfig::default()
    };
    let (sender, answers) = channel();
    let mut journal = Journal::new(config);
    let mut inputs = VecDeque::from([JournalInput::Boot, JournalInput::Lead]);
    let (mut handed, mut durable, mut began, mut effects) = (Seq(0), Seq(0), None, Vec::new());
    let per_batch = batch(Seq(0)).len() as u64;
    while durable.0 * per_batch < count {
        let leads = began.is_some();
        let input = match inputs.pop_front() {
            Some(input) => input,
            None if leads && handed.0 - durable.0 < BATCHES_IN_FLIGHT_MAX as u64 => {
                handed = handed.next();
                JournalInput::Store { seq: handed, ops: batch(handed) }
            }
            None => {
                let (id, result) = answers.recv().expect("an answer");
                JournalInput::Result { id, result }
            }
        };
        journal.step(Now { mono: Instant(1), ..Now::default() }, input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                JournalEffect::Op { id, op } => {
                    let sender = sender.clone();
                    store.submit(id, op, move |id, result| drop(sender.send((id, result))));
                }
                JournalEffect::Recovered { .. } => began = Some(StdInstant::now()),
                JournalEffect::Up(StoreEvent::Stored { upto }) => durable = upto,
                JournalEffect::CaughtUp { .. } | JournalEffect::Follow(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    let spent = began.expect("it led").elapsed();
    (durable.0 * per_batch) as f64 / spent.as_secs_f64()
}

/// Writes per second of a framework that keeps each record in a node of its own.
fn one_node_each(runtime: &Runtime, ensemble: &Ensemble, count: u64) -> f64 {
    runtime.block_on(async {
        let client = Client::connect(&ensemble.addresses()).await.expect("a session");
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        client.create("/each", &[], &options).await.expect("a node");
        for n in 0..NODES {
            client.create(&format!("/each/{n}"), &[], &options).await.expect("a node");
        }
        let data = [7; RECORD_BYTES];
        let began = StdInstant::now();
        let mut under_way = FuturesUnordered::new();
        for n in 0..count {
            if under_way.len() == IN_FLIGHT {
                let _: Option<()> = under_way.next().await;
            }
            let client = &client;
            let written = client.set_data(&format!("/each/{}", n % NODES), &data, None);
            under_way.push(async move {
                written.await.expect("it is written");
            });
        }
        while under_way.next().await.is_some() {}
        count as f64 / began.elapsed().as_secs_f64()
    })
}
