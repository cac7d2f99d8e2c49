//! Holds `swan dev` with real containers of a Docker engine: `tests/with-docker` gives one, and asks for these tests.

use std::process::Command;

use serde_json::{Value, json};

use crate::api::address;
use crate::http::exchange;
use crate::patience::until;
use crate::scene::{Stage, ids, web};

/// Whether these tests are asked for.
pub(crate) fn asked(test: &str) -> bool {
    let asked = std::env::var("SWAN_TEST_DOCKER").as_deref() == Ok("1");
    if !asked {
        println!("{test}: not asked for; SWAN_TEST_DOCKER=1 asks (tests/with-docker sets it)");
    }
    asked
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker command is there");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// The containers of a framework; what a failed test leaves is removed.
pub(crate) struct Containers {
    label: String,
}

/// What must stay the same while a container is left alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Container {
    task: String,
    id: String,
    started: String,
    pid: u64,
}

impl Containers {
    pub(crate) fn of(framework: &str) -> Self {
        Self { label: format!("label=swan.framework={framework}") }
    }

    /// Every one, also those that have ended and are not removed yet.
    pub(crate) fn all(&self) -> Vec<String> {
        let list = docker(&["ps", "-aq", "--no-trunc", "--filter", &self.label]);
        list.lines().map(str::to_owned).collect()
    }

    /// The container of each task that runs, in the order of task ids.
    pub(crate) fn running(&self) -> Vec<Container> {
        let mut found: Vec<Container> = self.all().iter().filter_map(|id| inspect(id)).collect();
        found.sort_by(|one, other| one.task.cmp(&other.task));
        found
    }

    /// Waits until just these tasks have a container each.
    pub(crate) fn are_of(&self, tasks: &[Value]) -> Vec<Container> {
        until("a container for each task, and no other", || {
            let running = self.running();
            let of: Vec<&str> = running.iter().map(|container| container.task.as_str()).collect();
            let so = of == ids(tasks) && self.all().len() == tasks.len();
            if so { Ok(()) } else { Err(format!("{running:?}, wanted {:?}", ids(tasks))) }
        });
        self.running()
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let list = Command::new("docker").args(["ps", "-aq", "--filter", &self.label]).output();
            let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            for id in list.unwrap_or_default().lines() {
                // The test has failed already; the rest is tidied up as far as it goes.
                let _ = Command::new("docker").args(["rm", "-f", id]).output();
            }
        }
    }
}

/// `None` if it does not run, or no more.
fn inspect(id: &str) -> Option<Container> {
    let output = Command::new("docker").args(["inspect", id]).output().expect("the docker command is there");
    let shown: Value = serde_json::from_slice(&output.stdout).ok()?;
    let (shown, state) = (&shown[0], &shown[0]["State"]);
    (state["Running"] == true).then(|| Container {
        task: shown["Config"]["Labels"]["swan.task"].as_str().expect("our label").to_owned(),
        id: id.to_owned(),
        started: state["StartedAt"].as_str().expect("a time").to_owned(),
        pid: state["Pid"].as_u64().expect("a process"),
    })
}

/// Each task serves the page of the image.
fn all_serve(tasks: &[Value]) {
    for task in tasks {
        let answer = until("the page of the image", || exchange(address(task), "GET /index.html", &[], ""));
        assert_eq!((answer.status, answer.body.as_str()), (200, "swan-test\n"), "{task}");
    }
}

/// An app in the host's network.
fn host(id: &str, instances: u32, port: u16) -> Value {
    let mut app = web(id, instances);
    app["cmd"] = json!("exec httpd -f -p $PORT0 -h /www");
    app["container"] = json!({ "type": "DOCKER", "docker": { "image": "swan-test/web:1" } });
    app["networks"] = json!([{ "mode": "host" }]);
    app["portDefinitions"] = json!([{ "port": port }]);
    app["requirePorts"] = json!(port != 0);
    app
}

#[test]
fn containers_are_deployed_healed_scaled_and_deleted() {
    if !asked("containers_are_deployed_healed_scaled_and_deleted") {
        return;
    }
    let stage = Stage::new("docker-life");
    let dev = stage.dev("docker");
    let api = &dev.api;
    let containers = Containers::of(&api.framework());
    api.create(&web("/shop/web", 3));
    let three = api.steady("web.shop", 3);
    all_serve(&three);
    let running = containers.are_of(&three);

    let lost =
        running.iter().find(|container| three[1]["id"] == container.task.as_str()).expect("a container");
    docker(&["kill", &lost.id]);
    let healed = api.replaced("web.shop", &three, &three[1]);
    all_serve(&healed);
    let after = containers.are_of(&healed);
    let kept = after.iter().filter(|container| running.contains(container)).count();
    assert_eq!(kept, 2, "was {running:?}\nis {after:?}");

    api.scale("web.shop", 5);
    let five = api.steady("web.shop", 5);
    all_serve(&five);
    assert_eq!(ids(&five[..3]), ids(&healed));
    api.scale("web.shop", 1);
    let one = api.steady("web.shop", 1);
    containers.are_of(&one);
    assert_eq!(one[0]["id"], five[0]["id"]);

    api.delete("/v1/apps/web.shop");
    api.gone("web.shop");
    containers.are_of(&[]);
}

#[test]
fn containers_in_the_hosts_network_serve_at_the_ports_they_were_given() {
    if !asked("containers_in_the_hosts_network_serve_at_the_ports_they_were_given") {
        return;
    }
    let stage = Stage::new("docker-host");
    let dev = stage.dev("docker");
    let api = &dev.api;
    let containers = Containers::of(&api.framework());
    api.create(&host("/shop/dynamic", 2, 0));
    api.create(&host("/shop/fixed", 1, 31_777));
    let dynamic = api.steady("dynamic.shop", 2);
    all_serve(&dynamic);
    let fixed = api.steady("fixed.shop", 1);
    assert_eq!(fixed[0]["ports"], json!([31_777]));
    all_serve(&fixed);
    containers.are_of(&[dynamic, fixed].concat());
    for app in ["dynamic.shop", "fixed.shop"] {
        api.delete(&format!("/v1/apps/{app}"));
        api.gone(app);
    }
    containers.are_of(&[]);
}

#[test]
fn containers_are_adopted_as_they_are_after_a_kill_of_everything() {
    if !asked("containers_are_adopted_as_they_are_after_a_kill_of_everything") {
        return;
    }
    let stage = Stage::new("docker-adopted");
    let dev = stage.dev("docker");
    let framework = dev.api.framework();
    let containers = Containers::of(&framework);
    dev.api.create(&web("/shop/web", 3));
    dev.api.create(&host("/shop/host", 1, 0));
    let (web, host) = (dev.api.steady("web.shop", 3), dev.api.steady("host.shop", 1));
    let all = [web.clone(), host].concat();
    let running = containers.are_of(&all);
    dev.process.kill();
    all_serve(&all);

    let dev = stage.dev("docker");
    assert_eq!(dev.api.framework(), framework);
    let adopted = [dev.api.steady("web.shop", 3), dev.api.steady("host.shop", 1)].concat();
    assert_eq!(ids(&adopted), ids(&all));
    assert_eq!(containers.are_of(&adopted), running);
    all_serve(&adopted);
    dev.mesos_knows_just(&framework, &adopted);
    assert_eq!(dev.api.get("/v1/quarantine"), json!([]));

    // An orderly end leaves containers alone, too; one that ends while nobody looks is replaced.
    assert!(dev.process.terminate().success());
    assert_eq!(containers.running(), running);
    let lost = running.iter().find(|container| web[0]["id"] == container.task.as_str()).expect("a container");
    docker(&["kill", &lost.id]);
    let dev = stage.dev("docker");
    let healed = dev.api.replaced("web.shop", &web, &web[0]);
    let host = dev.api.steady("host.shop", 1);
    all_serve(&healed);
    let after = containers.are_of(&[healed, host].concat());
    assert_eq!(after.iter().filter(|container| running.contains(container)).count(), 3, "{after:?}");
    for app in ["web.shop", "host.shop"] {
        dev.api.delete(&format!("/v1/apps/{app}"));
        dev.api.gone(app);
    }
    containers.are_of(&[]);
}

/// Containers end at any time between two kills of everything; the wanted number comes back, one container each.
#[test]
fn kills_of_everything_in_the_middle_of_scaling_leave_just_the_wanted_containers() {
    if !asked("kills_of_everything_in_the_middle_of_scaling_leave_just_the_wanted_containers") {
        return;
    }
    let stage = Stage::new("docker-kills");
    let mut dev = stage.dev("docker");
    let framework = dev.api.framework();
    let containers = Containers::of(&framework);
    dev.api.create(&web("/shop/web", 1));
    dev.api.steady("web.shop", 1);
    for round in 0..4_usize {
        let wanted = if round % 2 == 0 { 5 } else { 2 };
        dev.api.scale("web.shop", wanted);
        let from = containers.running().len();
        until("the change moves on", || {
            let now = containers.running().len();
            if now.abs_diff(from) >= 2 - round / 2 { Ok(()) } else { Err(format!("{now} containers")) }
        });
        dev.process.kill();
        dev = stage.dev("docker");
        assert_eq!(dev.api.framework(), framework);
        let tasks = dev.api.steady("web.shop", wanted as usize);
        containers.are_of(&tasks);
        all_serve(&tasks);
        dev.mesos_knows_just(&framework, &tasks);
    }
    dev.api.delete("/v1/apps/web.shop");
    dev.api.gone("web.shop");
    containers.are_of(&[]);
}
