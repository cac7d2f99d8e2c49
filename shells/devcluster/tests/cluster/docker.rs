//! Holds the Docker executor against a real engine: `tests/with-docker` gives one, and asks for these tests.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use swan_devcluster::{DevOptions, ExecutorChoice};

use crate::client::{Framework, TemporaryDir, exchange, options, plain, start};

/// The engine's socket, if these tests are asked for.
fn engine(test: &str) -> Option<PathBuf> {
    if std::env::var("SWAN_TEST_DOCKER").as_deref() != Ok("1") {
        println!("{test}: not asked for; SWAN_TEST_DOCKER=1 asks (tests/with-docker sets it)");
        return None;
    }
    let host = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".into());
    Some(host.strip_prefix("unix://").expect("DOCKER_HOST names a Unix socket").into())
}

fn docker_options(first_agent: u8, socket: PathBuf) -> DevOptions {
    let mut options = options(first_agent, 1);
    options.executor = ExecutorChoice::Docker;
    options.docker_socket = Some(socket);
    options
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the docker command is there");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The containers of a cluster.
fn containers(master: &str) -> Vec<String> {
    let label = format!("label=swan.devcluster={master}");
    docker(&["ps", "-aq", "--no-trunc", "--filter", &label]).lines().map(str::to_owned).collect()
}

fn web(id: &str) -> Value {
    json!({
        "name": "web", "task_id": { "value": id },
        "command": { "shell": true, "value": "exec httpd -f -p 8080 -h /www" },
        "container": { "type": "DOCKER", "docker": {
            "image": "swan-test/web:1", "network": "BRIDGE",
            "port_mappings": [{ "host_port": 0, "container_port": 8080, "protocol": "tcp" }],
            "parameters": [{ "key": "label", "value": "team=shop" }],
        } },
        "kill_policy": { "grace_period": { "nanoseconds": 200_000_000u64 } },
        "health_check": {
            "type": "HTTP", "http": { "port": 8080, "path": "/index.html" },
            "delay_seconds": 0.0, "interval_seconds": 0.1, "grace_period_seconds": 10.0, "consecutive_failures": 3,
        },
    })
}

/// A container that runs a shell command and has no port.
fn shell(id: &str, command: &str) -> Value {
    let mut task = web(id);
    task["command"]["value"] = json!(command);
    task["container"]["docker"] = json!({ "image": "swan-test/web:1", "network": "HOST", "parameters": [] });
    if let Some(fields) = task.as_object_mut() {
        fields.remove("health_check");
    }
    task
}

/// The task's last status.
async fn end(framework: &mut Framework) -> Value {
    loop {
        let status = framework.update().await;
        if !["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"].contains(&status["state"].as_str().unwrap()) {
            return status;
        }
    }
}

#[tokio::test]
async fn a_container_serves_becomes_healthy_and_is_killed() {
    let Some(socket) = engine("a_container_serves_becomes_healthy_and_is_killed") else { return };
    let cluster = start(docker_options(20, socket)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    let (host, port) = framework.launch(web("t")).await;
    let running = framework.until("TASK_RUNNING").await;
    assert!(running["data"].as_str().is_some_and(|data| data.len() > 1000), "docker inspect is attached");
    assert_eq!(framework.update().await["healthy"], true);
    let address = format!("{host}:{port}").parse().unwrap();
    assert_eq!(exchange(address, plain("GET", "/")).await, (200, "swan-test\n".to_owned()));
    let found = containers(cluster.master_id());
    let labels = docker(&["inspect", "-f", "{{json .Config.Labels}}", &found[0]]);
    let labels: Value = serde_json::from_str(&labels).unwrap();
    assert_eq!((&labels["swan.task"], &labels["team"]), (&json!("t"), &json!("shop")));
    framework.kill("t").await;
    assert_eq!(framework.until("TASK_KILLED").await["message"], "Container exited with status 137");
    let master = cluster.master_id().to_owned();
    cluster.stop_with_tasks().await;
    assert!(containers(&master).is_empty());
}

#[tokio::test]
async fn exits_and_outside_kills_are_told() {
    let Some(socket) = engine("exits_and_outside_kills_are_told") else { return };
    let cluster = start(docker_options(21, socket)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    for (id, command, state, status) in
        [("zero", "exit 0", "TASK_FINISHED", 0), ("three", "exit 3", "TASK_FAILED", 3)]
    {
        framework.launch(shell(id, command)).await;
        let last = end(&mut framework).await;
        let message = format!("Container exited with status {status}");
        assert_eq!((&last["state"], &last["message"]), (&json!(state), &json!(message)));
        framework.call(json!({ "type": "REVIVE" })).await;
    }
    let mut missing = shell("missing", "");
    missing["command"] = json!({ "shell": false, "value": "/no/such/program" });
    framework.launch(missing).await;
    assert_eq!(end(&mut framework).await["message"], "Container exited with status 127");

    for (id, how) in [("killed", &["kill"][..]), ("removed", &["rm", "-f"])] {
        framework.call(json!({ "type": "REVIVE" })).await;
        framework.launch(shell(id, "sleep 1000")).await;
        framework.until("TASK_RUNNING").await;
        let label = format!("label=swan.task={id}");
        let own = format!("label=swan.devcluster={}", cluster.master_id());
        let found = docker(&["ps", "-q", "--filter", &label, "--filter", &own]);
        docker(&[how, &[found.as_str()]].concat());
        let last = end(&mut framework).await;
        assert_eq!(
            (&last["state"], &last["message"]),
            (&json!("TASK_FAILED"), &json!("Container exited with status 137"))
        );
    }
    cluster.stop_with_tasks().await;
}

#[tokio::test]
async fn what_cannot_be_launched_says_why() {
    let Some(socket) = engine("what_cannot_be_launched_says_why") else { return };
    let cluster = start(docker_options(22, socket)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    let mut no_image = shell("no-image", "true");
    no_image["container"]["docker"]["image"] = json!("127.0.0.1:1/team/missing:1.2");
    framework.launch(no_image).await;
    let failed = end(&mut framework).await;
    assert_eq!(failed["reason"], "REASON_CONTAINER_LAUNCH_FAILED");
    let message = failed["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to launch container: Failed to run 'docker -H unix://"), "{message}");
    assert!(
        message.contains("pull 127.0.0.1:1/team/missing:1.2': exited with status 1; stderr='Error"),
        "{message}"
    );

    framework.call(json!({ "type": "REVIVE" })).await;
    let mut odd = shell("odd", "true");
    odd["container"]["docker"]["parameters"] = json!([{ "key": "restart", "value": "always" }]);
    framework.launch(odd).await;
    let failed = end(&mut framework).await;
    assert!(failed["message"].as_str().unwrap().contains("docker parameter 'restart'"), "{failed}");
}

#[tokio::test]
async fn command_checks_run_in_the_container() {
    let Some(socket) = engine("command_checks_run_in_the_container") else { return };
    let cluster = start(docker_options(23, socket)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    let mut task = shell("t", "touch /tmp/ok; sleep 1000");
    task["health_check"] = json!({
        "type": "COMMAND", "command": { "value": "test -e /tmp/ok" },
        "delay_seconds": 0.0, "interval_seconds": 0.1, "grace_period_seconds": 0.0, "consecutive_failures": 1000,
    });
    framework.launch(task).await;
    while framework.update().await["healthy"] != true {}
    let found = containers(cluster.master_id());
    docker(&["exec", &found[0], "rm", "/tmp/ok"]);
    while framework.update().await["healthy"] != false {}
    docker(&["exec", &found[0], "touch", "/tmp/ok"]);
    while framework.update().await["healthy"] != true {}
    let master = cluster.master_id().to_owned();
    cluster.stop_with_tasks().await;
    assert!(containers(&master).is_empty(), "the task was ended with the cluster");
}

#[tokio::test]
async fn a_restart_adopts_containers_and_tells_what_ended_meanwhile() {
    let Some(socket) = engine("a_restart_adopts_containers_and_tells_what_ended_meanwhile") else { return };
    let state = TemporaryDir::new("adoption");
    let mut options = docker_options(24, socket);
    options.state_dir = Some(state.0.clone());
    let cluster = start(options.clone()).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    framework.launch(web("stays")).await;
    while framework.update().await["healthy"] != true {}
    framework.call(json!({ "type": "REVIVE" })).await;
    framework.launch(shell("ends", "while ! test -e $MESOS_SANDBOX/end; do sleep 0.1; done; exit 7")).await;
    let running = framework.until("TASK_RUNNING").await;
    let container = running["container_status"]["container_id"]["value"].as_str().unwrap().to_owned();
    let mut before = containers(cluster.master_id());
    assert_eq!(before.len(), 2);
    let id = framework.id.clone();
    cluster.stop().await;
    std::fs::write(state.0.join("sandboxes").join(&container).join("end"), "").unwrap();
    docker(&["wait", &format!("mesos-{container}")]);

    let cluster = start(options).await;
    let mut framework = Framework::subscribe(cluster.address(), Some(&id)).await;
    let failed = framework.update().await;
    assert_eq!(
        (&failed["state"], &failed["message"]),
        (&json!("TASK_FAILED"), &json!("Container exited with status 7"))
    );
    framework.call(json!({ "type": "RECONCILE", "reconcile": { "tasks": [] } })).await;
    let running = framework.update().await;
    assert_eq!(
        (&running["task_id"]["value"], &running["state"], &running["healthy"]),
        (&json!("stays"), &json!("TASK_RUNNING"), &json!(true))
    );
    let after = containers(cluster.master_id());
    before.retain(|container| after.contains(container));
    assert!(!before.is_empty(), "the container is the old one");
    framework.kill("stays").await;
    framework.until("TASK_KILLED").await;
    cluster.stop_with_tasks().await;
}

/// Not a test of its own: the process that the next test kills. Serves until then.
#[tokio::test]
async fn serve_until_killed() {
    let Ok(directory) = std::env::var("SWAN_TEST_SERVE") else { return };
    let Some(socket) = engine("serve_until_killed") else { return };
    let mut options = docker_options(25, socket);
    options.state_dir = Some(directory.into());
    let cluster = start(options).await;
    println!("\nserving {}", cluster.address());
    std::future::pending::<()>().await;
}

fn serve(state: &TemporaryDir) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "docker::serve_until_killed", "--nocapture"])
        .env("SWAN_TEST_SERVE", &state.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("serving ")?.parse().ok());
    (child, address.expect("the child serves"))
}

#[tokio::test]
async fn a_process_killed_at_any_time_finds_its_containers_again() {
    let Some(_) = engine("a_process_killed_at_any_time_finds_its_containers_again") else { return };
    let state = TemporaryDir::new("killed");
    let (mut child, address) = serve(&state);
    let mut framework = Framework::subscribe(address, None).await;
    framework.launch(web("t")).await;
    framework.until("TASK_RUNNING").await;
    let id = framework.id.clone();
    let container = containers(id.rsplit_once('-').unwrap().0);
    for _ in 0..3 {
        child.kill().unwrap();
        child.wait().unwrap();
        let (next, address) = serve(&state);
        child = next;
        let mut framework = Framework::subscribe(address, Some(&id)).await;
        assert_eq!(framework.id, id);
        framework.call(json!({ "type": "RECONCILE", "reconcile": { "tasks": [] } })).await;
        assert_eq!(framework.until("TASK_RUNNING").await["task_id"]["value"], "t");
        assert_eq!(containers(id.rsplit_once('-').unwrap().0), container);
        assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &container[0]]), "true");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    docker(&["rm", "-f", &container[0]]);
    let (mut child, address) = serve(&state);
    let mut framework = Framework::subscribe(address, Some(&id)).await;
    assert_eq!(end(&mut framework).await["message"], "Container exited with status 137");
    child.kill().unwrap();
    child.wait().unwrap();
}
