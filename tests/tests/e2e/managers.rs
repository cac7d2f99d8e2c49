//! Owns three managers that share a journal in ZooKeeper, and what is asked of them together.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use serde_json::Value;
use swan_tests::ensemble::Ensemble;

use crate::api::Api;
use crate::patience::{ensure, until};
use crate::program::Process;
use crate::scene::{Dev, Stage, strs, web};

/// Session timeout of the managers.
pub(crate) const SESSION: Duration = Duration::from_secs(2);

/// Managers of one cluster.
#[derive(Debug)]
pub(crate) struct Managers {
    mesos: String,
    seats: Vec<Seat>,
    /// Further arguments of each.
    more: Vec<String>,
}

#[derive(Debug)]
struct Seat {
    listen: SocketAddr,
    /// The servers of ZooKeeper, as this manager sees them.
    zookeeper: String,
    process: Option<Process>,
}

impl Managers {
    /// Starts one manager for each of these views of ZooKeeper; returns once one leads.
    pub(crate) fn start(dev: &Dev, zookeeper: &[String]) -> Self {
        Self::start_with(&format!("http://{}", dev.mesos), zookeeper, &[])
    }

    /// As [`Self::start`], for the masters at `mesos` and with more arguments.
    pub(crate) fn start_with(mesos: &str, zookeeper: &[String], more: &[&str]) -> Self {
        let held: Vec<_> =
            zookeeper.iter().map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let seats = held.iter().zip(zookeeper).map(|(listener, zookeeper)| Seat {
            listen: listener.local_addr().expect("it is bound"),
            zookeeper: zookeeper.clone(),
            process: None,
        });
        let more = more.iter().map(ToString::to_string).collect();
        let mut managers = Self { mesos: mesos.to_owned(), seats: seats.collect(), more };
        drop(held);
        for seat in 0..managers.seats.len() {
            managers.revive(seat);
            // In this order they stand for election.
            managers.follows(seat);
        }
        managers.leader();
        managers
    }

    /// Three of them, which all see the same servers.
    pub(crate) fn three(dev: &Dev, zookeeper: &str) -> Self {
        Self::start(dev, &[zookeeper.to_owned(), zookeeper.to_owned(), zookeeper.to_owned()])
    }

    /// Starts a manager that is not there.
    pub(crate) fn revive(&mut self, seat: usize) {
        let Seat { listen, zookeeper, process } = &mut self.seats[seat];
        let words = [
            "manager",
            "--listen",
            &listen.to_string(),
            "--framework-name",
            "e2e",
            "--mesos",
            &self.mesos,
            "--journal",
            &format!("zk://{zookeeper}/swan"),
            "--zk-session-timeout",
            &SESSION.as_secs().to_string(),
        ];
        let words: Vec<&str> = words.into_iter().chain(strs(&self.more)).collect();
        *process = Some(Process::start(&format!("manager {seat}"), &words));
    }

    /// Waits until a manager answers reads.
    pub(crate) fn follows(&self, seat: usize) {
        until(&format!("manager {seat} answers reads"), || {
            let answer = self.api(seat).attempt("GET /v1/apps", &[], None)?;
            ensure(answer.status == 200, || answer.body)
        });
    }

    pub(crate) fn api(&self, seat: usize) -> Api {
        Api::at(self.seats[seat].listen)
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, seat: usize) {
        self.seats[seat].process.take().expect("it runs").kill();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&mut self, seat: usize) {
        assert!(self.seats[seat].process.take().expect("it runs").terminate().success());
    }

    pub(crate) fn signal(&self, seat: usize, signal: &str) {
        self.seats[seat].process.as_ref().expect("it runs").signal(signal);
    }

    /// Who leads: waits until a manager says of itself that it does, and has a subscription.
    pub(crate) fn leader(&self) -> usize {
        self.leader_but(None)
    }

    /// Waits until another one than this leads.
    pub(crate) fn leader_but(&self, old: Option<usize>) -> usize {
        until("a leader", || {
            let mut seen = Vec::new();
            for seat in (0..self.seats.len()).filter(|seat| Some(*seat) != old) {
                if self.seats[seat].process.is_none() {
                    continue;
                }
                match self.leads(seat) {
                    Ok(()) => return Ok(seat),
                    Err(why) => seen.push(why),
                }
            }
            Err(seen.join("; "))
        })
    }

    fn leads(&self, seat: usize) -> Result<(), String> {
        let api = self.api(seat);
        let told = api.attempt("GET /v1/leader", &[], None)?;
        ensure(told.status == 200 && told.json()["leader"] == self.seats[seat].listen.to_string(), || {
            told.body.clone()
        })?;
        // Only who leads answers this without a mark.
        let read = api.attempt("GET /v1/apps", &[], None)?;
        ensure(read.status == 200 && read.header("swan-lag-ms").is_empty(), || read.head.clone())?;
        let framework = api.attempt("GET /v1/framework", &[("swan-forwarded", "true")], None)?;
        ensure(framework.status == 200 && framework.json()["connected"] == true, || framework.body.clone())
    }

    /// Every process is there and has not ended by itself.
    pub(crate) fn all_run(&mut self) {
        for seat in &mut self.seats {
            let process = seat.process.as_mut().expect("it was started");
            process.runs().unwrap_or_else(|log| panic!("{log}"));
        }
    }
}

/// A cluster of Mesos, three managers and an app of so many instances.
pub(crate) fn begin(stage: &Stage, ensemble: &Ensemble, instances: u32) -> (Dev, Managers, Vec<Value>) {
    let dev = stage.dev("builtin");
    let managers = Managers::three(&dev, &ensemble.addresses());
    let api = managers.api(1);
    api.create(&web("/shop/web", instances));
    let tasks = api.steady("web.shop", instances as usize);
    (dev, managers, tasks)
}

/// How long something took, printed for the table of faults.
pub(crate) fn print_time(what: &str, began: Instant) {
    println!("{what}: {} ms", began.elapsed().as_millis());
}

/// The versions that tasks run, in order of slot.
pub(crate) fn versions(tasks: &[Value]) -> Vec<String> {
    tasks.iter().map(|task| task["version"].as_str().unwrap_or_default().to_owned()).collect()
}
