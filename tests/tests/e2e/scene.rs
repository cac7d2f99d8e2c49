//! Owns what the tests are played with: a data directory, a `swan dev` in it, managers beside it, and whose turn it is.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::api::Api;
use crate::http::exchange;
use crate::patience::until;
use crate::program::{Process, print_start};

/// The emulated agents' addresses are held by one test of this machine at a time.
#[derive(Debug)]
pub(crate) struct Turn(File);

impl Turn {
    pub(crate) fn take() -> Self {
        let path = std::env::temp_dir().join("swan-e2e.lock");
        let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        file.lock().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(file)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Closing it unlocks it too.
        let _ = self.0.unlock();
    }
}

/// A test's directory, and its turn. Declared first, so that it is dropped last.
#[derive(Debug)]
pub(crate) struct Stage {
    path: PathBuf,
    _turn: Turn,
}

impl Stage {
    pub(crate) fn new(test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let turn = Turn::take();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("swan-e2e-{}-{number}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, _turn: turn }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text_of(&path)
    }

    /// Starts `swan dev` on this stage's data, again after it was killed; returns once its manager has recovered and
    /// is connected, since it listens before that.
    pub(crate) fn dev(&self, executor: &str) -> Dev {
        let dev = self.dev_with(executor, &[]);
        dev.api.framework();
        dev
    }

    pub(crate) fn dev_with(&self, executor: &str, more: &[&str]) -> Dev {
        let data = text_of(&self.path("dev"));
        let arguments = ["dev", "--listen", "127.0.0.1:0", "--executor", executor, "--data-dir", &data];
        let mut process = Process::start("swan dev", &[&arguments, more].concat());
        let mesos = process.said("Mesos on http://").parse().expect("an address");
        let api = api_of(&mut process, "swan dev");
        Dev { process, api, mesos }
    }

    /// Starts a manager on this stage's journal, again after it was killed; returns once it has recovered and is
    /// connected, since it listens before that.
    pub(crate) fn manager(&self, mesos: SocketAddr) -> Manager {
        let manager = self.manager_alone(mesos);
        manager.api.framework();
        manager
    }

    /// As [`Self::manager`], but it need not connect.
    pub(crate) fn manager_alone(&self, mesos: SocketAddr) -> Manager {
        let mut process = Process::start("swan manager", &strs(&self.manager_arguments(mesos)));
        let api = api_of(&mut process, "swan manager");
        Manager { process, api }
    }

    pub(crate) fn manager_arguments(&self, mesos: SocketAddr) -> Vec<String> {
        let (mesos, journal) =
            (format!("http://{mesos}"), format!("file:{}", text_of(&self.path("journal"))));
        let words =
            ["manager", "--listen", "127.0.0.1:0", "--framework-name", "e2e", "--mesos", &mesos, "--journal"];
        words.into_iter().map(str::to_owned).chain([journal]).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left lies in the system's temporary directory.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("temporary directories have plain names").to_owned()
}

pub(crate) fn strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn api_of(process: &mut Process, name: &str) -> Api {
    let address = process.said("listening on http://").parse().expect("an address");
    print_start(name, process.began.elapsed());
    Api::at(address)
}

/// A `swan dev` at work.
#[derive(Debug)]
pub(crate) struct Dev {
    pub(crate) process: Process,
    pub(crate) api: Api,
    pub(crate) mesos: SocketAddr,
}

impl Dev {
    /// The tasks that Mesos knows of a framework and that have not ended: ids, in order.
    pub(crate) fn mesos_tasks(&self, framework: &str) -> Vec<String> {
        let state = until("the state of Mesos", || exchange(self.mesos, "GET /state", &[], "")).json();
        let frameworks = state["frameworks"].as_array().expect("a list").iter();
        let tasks = frameworks
            .filter(|known| known["id"] == framework)
            .flat_map(|known| known["tasks"].as_array().expect("a list").clone());
        let live = ["TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"];
        let live = tasks.filter(|task| live.contains(&task["state"].as_str().unwrap_or_default()));
        let mut ids: Vec<String> = live.map(|task| task["id"].as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    }

    /// Waits until Mesos knows just these tasks of a framework.
    pub(crate) fn mesos_knows_just(&self, framework: &str, tasks: &[Value]) {
        let wanted = ids(tasks);
        until("Mesos and the API agree about the tasks", || {
            let known = self.mesos_tasks(framework);
            if known == wanted { Ok(()) } else { Err(format!("Mesos has {known:?}, the API {wanted:?}")) }
        });
    }
}

/// A `swan manager` at work.
#[derive(Debug)]
pub(crate) struct Manager {
    pub(crate) process: Process,
    pub(crate) api: Api,
}

impl Manager {
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    pub(crate) fn terminate(self) -> ExitStatus {
        self.process.terminate()
    }
}

/// The ids of tasks, in order.
pub(crate) fn ids(tasks: &[Value]) -> Vec<String> {
    let mut ids: Vec<String> =
        tasks.iter().map(|task| task["id"].as_str().expect("an id").to_owned()).collect();
    ids.sort();
    ids
}

/// An app that serves HTTP in every executor, with a health check.
pub(crate) fn web(id: &str, instances: u32) -> Value {
    json!({
        "id": id, "instances": instances, "cpus": 0.1, "mem": 32,
        "cmd": "exec httpd -f -p 8080 -h /www",
        "container": { "type": "DOCKER", "docker": { "image": "swan-test/web:1" },
            "portMappings": [{ "containerPort": 8080, "hostPort": 0 }] },
        "networks": [{ "mode": "container/bridge" }],
        "healthChecks": [{ "protocol": "MESOS_HTTP", "path": "/", "portIndex": 0, "delaySeconds": 0,
            "gracePeriodSeconds": 20, "intervalSeconds": 1, "timeoutSeconds": 5, "maxConsecutiveFailures": 3 }],
        "taskKillGracePeriodSeconds": 1,
    })
}
