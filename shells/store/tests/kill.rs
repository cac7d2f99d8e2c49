//! Owns the proof that a writer killed at any moment loses nothing that it said was stored.

mod driver;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use swan_core::journal::{Payload, StoreOp, StoreResult};
use swan_core::record::{Epoch, Seq};
use swan_core::rng::Rng;
use swan_store::{FileStore, spawn};

use driver::{Scratch, Writer, state, tiny};

const CHILD: &str = "SWAN_STORE_TEST_CHILD";
const ROUNDS: u64 = 40;

/// In a child: writes until it is killed, and says what is stored. In the suite: nothing.
#[test]
fn write_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let mut writer = Writer::open(path.as_ref(), tiny()).expect("the journal opens after a kill");
    let mut out = std::io::stdout();
    loop {
        writer.write_next().expect("a batch is written");
        writeln!(out, "stored {}", writer.stored.0).and_then(|()| out.flush()).expect("the parent listens");
    }
}

fn start(path: &std::path::Path) -> Child {
    let executable = std::env::current_exe().expect("the test's executable");
    Command::new(executable)
        .args(["--exact", "write_until_killed", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test runs itself")
}

#[test]
fn a_killed_writer_loses_nothing_that_was_stored() {
    let scratch = Scratch::new("kill");
    let path = scratch.path().join("journal");
    let mut rng = Rng::new(11);
    let mut newest = Seq(0);
    for round in 0..ROUNDS {
        let mut child = start(&path);
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let stop = 1 + rng.below(60);
        let mut stored = lines
            .map_while(Result::ok)
            .filter_map(|line| line.rsplit_once("stored ").and_then(|(_, seq)| seq.parse().ok()).map(Seq));
        newest = stored.by_ref().nth(stop as usize).expect("the child writes");
        child.kill().expect("the child is ours");
        newest = stored.last().unwrap_or(newest);
        child.wait().expect("the child ends");
        let writer = Writer::open(&path, tiny()).unwrap_or_else(|text| panic!("round {round}: {text}"));
        assert!(writer.stored >= newest, "round {round}: {newest:?} was stored, {:?} found", writer.stored);
        assert_eq!(writer.records, state(writer.stored), "round {round}");
    }
    assert!(newest > Seq(ROUNDS));
}

#[test]
fn the_thread_answers_each_operation_in_order_and_lets_go() {
    let scratch = Scratch::new("thread");
    let (answers, results) = channel();
    let store = FileStore::open(scratch.path()).expect("a new store opens");
    let thread = spawn(store, move |id, result| answers.send((id, result)).expect("the test listens"))
        .expect("a thread starts");
    let epoch = Epoch(1);
    thread.submit(swan_core::journal::OpId(0), StoreOp::ClaimEpoch { expected: Epoch(0), epoch });
    for n in 0..50 {
        let entry = vec![n as u8; 10].into();
        thread.submit(swan_core::journal::OpId(n + 1), StoreOp::Append { epoch, index: n, entry });
    }
    drop(thread);
    let done = StoreResult::Done(Payload::Nothing);
    let expected: Vec<_> = (0..=50).map(|n| (swan_core::journal::OpId(n), done.clone())).collect();
    assert_eq!(results.iter().collect::<Vec<_>>(), expected);
    FileStore::open(scratch.path()).expect("the directory is free");
}
