//! Owns the tests of the calls' connection: a master that answers when and how the test says.

use std::time::Duration;

use swan_core::link::{MasterAddress, Response};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use super::*;

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const ACCEPTED_LAST: &str = "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// Hands the other end of each connection to the test.
struct ToTest(mpsc::UnboundedSender<DuplexStream>);

impl Connector for ToTest {
    type Stream = DuplexStream;

    async fn connect(&self, _: &MasterAddress) -> io::Result<DuplexStream> {
        // Small, so that requests are cut anywhere.
        let (ours, theirs) = tokio::io::duplex(100);
        self.0.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }
}

struct Bench {
    queue: mpsc::UnboundedSender<Outgoing>,
    answers: mpsc::Receiver<LinkInput>,
    connections: mpsc::UnboundedReceiver<DuplexStream>,
    _worker: JoinHandle<()>,
}

impl Bench {
    fn new() -> Self {
        let (to_test, connections) = mpsc::unbounded_channel();
        let (inputs, answers) = mpsc::channel(4);
        let (queue, outgoing) = mpsc::unbounded_channel();
        let target = Target { master: MasterAddress { host: "master".into(), port: 5050 }, credential: None };
        let worker = CallWorker::new(ConnId(1), Arc::new(ToTest(to_test)), target, inputs);
        Self { queue, answers, connections, _worker: tokio::spawn(worker.run(outgoing)) }
    }

    fn make(&self, calls: std::ops::Range<u64>) {
        for id in calls {
            let call = Box::new(MesosCall::Revive { roles: vec![format!("role-{id}")] });
            let outgoing = Outgoing { id: CallId(id), stream_id: "s".into(), framework: "F".into(), call };
            assert!(self.queue.send(outgoing).is_ok(), "the worker lives");
        }
    }

    async fn connection(&mut self) -> Master {
        Master { stream: self.connections.recv().await.expect("the worker lives"), heard: String::new() }
    }

    /// The next answer: its call, and the status or why it is lost.
    async fn answer(&mut self) -> (u64, Result<u16, String>) {
        match self.answers.recv().await {
            Some(LinkInput::Answered {
                id, answer: CallAnswer::Response(Response { status, .. }), ..
            }) => (id.0, Ok(status)),
            Some(LinkInput::Answered { id, answer: CallAnswer::Lost { why }, .. }) => (id.0, Err(why)),
            other => panic!("{other:?}"),
        }
    }
}

struct Master {
    stream: DuplexStream,
    heard: String,
}

impl Master {
    /// Reads until all these calls are there, each once and in order.
    async fn hears(&mut self, calls: std::ops::Range<u64>) {
        let last = format!("role-{}", calls.end - 1);
        while !self.heard.contains(&last) {
            let mut bytes = [0; 64];
            let read = self.stream.read(&mut bytes).await.expect("it is open");
            assert!(read > 0, "closed after {}", self.heard);
            self.heard += &String::from_utf8_lossy(&bytes[..read]);
        }
        let places: Vec<_> =
            calls.map(|id| self.heard.find(&format!("role-{id}")).expect("all are there")).collect();
        assert!(places.is_sorted(), "{}", self.heard);
        assert_eq!(self.heard.matches("POST ").count(), places.len(), "{}", self.heard);
        assert_eq!(self.heard.matches("mesos-stream-id: s\r\n").count(), places.len());
    }

    async fn says(&mut self, answer: &str) {
        self.stream.write_all(answer.as_bytes()).await.expect("it is open");
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let limited = async { tokio::time::timeout(Duration::from_secs(60), test).await };
    runtime.block_on(limited).expect("it does not hang");
}

#[test]
fn r1_requests_leave_in_order_and_wait_for_no_answer() {
    run(async {
        let mut bench = Bench::new();
        bench.make(0..50);
        let mut master = bench.connection().await;
        master.hears(0..50).await;
        for id in 0..50 {
            master.says(ACCEPTED).await;
            assert_eq!(bench.answer().await, (id, Ok(202)));
        }
    });
}

#[test]
fn a_call_that_may_have_arrived_is_never_made_twice() {
    run(async {
        let mut bench = Bench::new();
        bench.make(0..5);
        let mut master = bench.connection().await;
        master.hears(0..5).await;
        master.says(ACCEPTED).await;
        assert_eq!(bench.answer().await, (0, Ok(202)));
        drop(master);
        for id in 1..5 {
            let (lost, why) = bench.answer().await;
            assert_eq!(lost, id);
            assert!(why.is_err());
        }
        bench.make(5..6);
        bench.connection().await.hears(5..6).await;
    });
}

#[test]
fn what_a_master_says_it_has_not_looked_at_is_asked_again() {
    run(async {
        let mut bench = Bench::new();
        bench.make(0..3);
        let mut master = bench.connection().await;
        master.hears(0..3).await;
        master.says(ACCEPTED_LAST).await;
        assert_eq!(bench.answer().await, (0, Ok(202)));
        let mut master = bench.connection().await;
        master.hears(1..3).await;
        master.says(ACCEPTED).await;
        master.says("HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n").await;
        assert_eq!(bench.answer().await, (1, Ok(202)));
        assert_eq!(bench.answer().await, (2, Ok(400)));
    });
}

#[test]
fn an_idle_connection_that_is_closed_costs_no_call() {
    run(async {
        let mut bench = Bench::new();
        bench.make(0..1);
        let mut master = bench.connection().await;
        master.hears(0..1).await;
        master.says(ACCEPTED).await;
        assert_eq!(bench.answer().await, (0, Ok(202)));
        drop(master);
        tokio::time::sleep(Duration::from_millis(20)).await;
        bench.make(1..2);
        bench.connection().await.hears(1..2).await;
    });
}

#[test]
fn what_is_no_answer_ends_the_connection() {
    run(async {
        let mut bench = Bench::new();
        bench.make(0..2);
        let mut master = bench.connection().await;
        master.hears(0..2).await;
        master.says("SSH-2.0-OpenSSH\r\n").await;
        for id in 0..2 {
            let (lost, why) = bench.answer().await;
            assert_eq!((lost, why), (id, Err("the answer is not HTTP/1.1".into())));
        }
    });
}
