//! Owns the time from a user's call to running tasks: the real program in two processes, a manager on ZooKeeper and an
//! embedded cluster that it reaches over HTTP.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::exchange;
use crate::patience::{ensure, until};

/// Emulated agents: what 10,000 tasks need.
const AGENTS: &str = "60";

/// A process of the program, killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display())))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The program as users run it.
fn program() -> PathBuf {
    let built = Command::new(env!("CARGO")).args(["build", "--release", "--locked", "-p", "swan"]).status();
    assert!(built.expect("cargo runs").success(), "the program cannot be built");
    let bench = std::env::current_exe().expect("this program has a path");
    bench.ancestors().nth(3).expect("it is in a target directory").join("release/swan")
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}

/// How long `tasks` tasks of one app take from the call that creates it until all are known to run: by then each of
/// their updates is durable.
pub(crate) fn call_to_running(zookeeper: &str, tasks: u32) -> Duration {
    let program = program();
    let [dev, mesos, api] = [(); 3].map(|()| free_address());
    let data = std::env::temp_dir().join(format!("swan-bench-{}", std::process::id()));
    let directory = data.display().to_string();
    let (dev, mesos_listen) = (dev.to_string(), mesos.to_string());
    let cluster = ["dev", "--executor", "builtin", "--agents", AGENTS, "--data-dir", &directory];
    let _cluster = Process::start(
        &program,
        &[&cluster[..], &["--listen", &dev, "--mesos-listen", &mesos_listen]].concat(),
    );
    let (journal, masters, listen) =
        (format!("zk://{zookeeper}/deploy"), format!("http://{mesos}"), api.to_string());
    let manager = ["manager", "--journal", &journal, "--mesos", &masters, "--listen", &listen];
    let _manager = Process::start(&program, &manager);
    until("a leader that is connected", || {
        let agents = exchange(api, "GET /v1/agents", &[], "")?;
        ensure(agents.status == 200 && agents.body.matches("\"id\"").count() >= 60, || agents.body.clone())
    });
    let app = json!({
        "id": "/bench/web", "instances": tasks, "cpus": 0.01, "mem": 4,
        "container": { "type": "DOCKER", "docker": { "image": "busybox" } },
    });
    let began = Instant::now();
    let created = exchange(api, "POST /v1/apps", &[("content-type", "application/json")], &app.to_string());
    assert!(created.as_ref().is_ok_and(|answer| answer.status < 300), "{created:?}");
    until("all tasks run", || {
        let seen = exchange(api, "GET /v1/apps/web.bench", &[], "")?.json();
        let running = seen["tasks_status"]["TASK_RUNNING"].as_u64();
        ensure(running == Some(tasks.into()), || seen["tasks_status"].to_string())
    });
    let took = began.elapsed();
    let _left_behind = std::fs::remove_dir_all(&data);
    took
}
