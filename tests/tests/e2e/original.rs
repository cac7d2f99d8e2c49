//! Holds original Swan's integration tests, by the names that they have there, in its own form of definitions: with
//! built-in tasks in place of containers, and without what its agents answered for proxies and DNS.

use serde_json::{Value, json};

use crate::api::brief;
use crate::patience::{ensure, until};
use crate::scene::{Dev, Stage};

/// What original Swan's tests create, with `demo` for a name.
fn demo(instances: u32) -> Value {
    json!({
        "name": "demo", "cmd": "", "cpus": 0.01, "gpus": 0, "mem": 5, "disk": 0, "instances": instances,
        "runAs": "integration", "cluster": "test", "priority": 0,
        "container": { "type": "docker", "volumes": [], "docker": {
            "image": "nginx", "network": "bridge", "forcePullImage": false, "privileged": true, "parameters": [],
            "portMappings": [{ "name": "http", "protocol": "tcp", "containerPort": 80, "hostPort": 80 }],
        }},
        "restart": { "retries": 0 }, "update": { "delay": 0, "onFailure": "stop" },
        "labels": {}, "env": {}, "constraints": [], "uris": [], "ips": [],
    })
}

const DEMO: &str = "/v1/apps/demo.default.integration.test";

/// A manager without apps: each of the tests began with a purge.
fn begin(stage: &Stage) -> Dev {
    let dev = stage.dev_with("builtin", &["--allow-purge"]);
    dev.api.framework();
    dev.api.expect(204, "POST /v1/purge", None);
    until("an empty list of apps", || {
        let apps = dev.api.get("/v1/apps");
        ensure(apps == json!([]), || apps.to_string())
    });
    dev
}

fn create(dev: &Dev, document: &Value) {
    let created = dev.api.expect(201, "POST /v1/apps", Some(document)).json();
    assert_eq!(created["id"], "demo.default.integration.test");
}

/// Waits until nothing is under way.
fn at_rest(dev: &Dev) -> Value {
    until("the end of the change", || {
        let app = dev.api.get(DEMO);
        ensure(app["operationStatus"] == "noop", || app.to_string()).map(|()| app)
    })
}

/// Waits for the end of a change that goes well, and looks at what it leaves: so many tasks, which all run one version.
fn well_with(dev: &Dev, tasks: usize, versions: usize) -> (Value, Vec<Value>) {
    let app = at_rest(dev);
    assert_eq!(app["errmsg"], "", "{app}");
    assert_eq!((&app["task_count"], &app["version_count"]), (&json!(tasks), &json!(versions)), "{app}");
    assert_eq!(app["currentVersion"].as_array().map(Vec::len), Some(1), "{app}");
    let running = dev.api.tasks("demo.default.integration.test");
    let all_run = running.iter().all(|task| task["status"] == "TASK_RUNNING" && task["ports"][0].is_u64());
    assert!(running.len() == tasks && all_run, "{}", brief(&running));
    (app, running)
}

/// The ids of the versions, newest first.
fn versions(dev: &Dev) -> Vec<Value> {
    let versions = dev.api.get(&format!("{DEMO}/versions"));
    versions.as_array().expect("a list").iter().map(|version| version["id"].clone()).collect()
}

fn all_on(tasks: &[Value], version: &Value) {
    assert!(tasks.iter().all(|task| task["version"] == *version), "not all on {version}: {tasks:?}");
}

#[test]
fn ping_leader_and_version() {
    let stage = Stage::new("original-operations");
    let dev = stage.dev("builtin");
    assert_eq!(dev.api.get("/ping"), "pong");
    let leader = dev.api.get("/v1/leader")["leader"].clone();
    assert_eq!(leader, dev.api.address.to_string());
    let version = dev.api.get("/version");
    assert!(version["version"].as_str().is_some_and(|text| !text.is_empty()), "{version}");
}

#[test]
fn create_no_matched_agents_app() {
    let stage = Stage::new("original-no-agents");
    let dev = begin(&stage);
    let mut document = demo(5);
    document["constraints"] = json!([{ "attribute": "vcluster", "operator": "==", "value": "xxxxx" }]);
    document["update"]["progressDeadlineSeconds"] = json!(3);
    create(&dev, &document);
    gives_up(&dev, "no satisfied agent");
}

#[test]
fn create_over_quota_resource_app() {
    let stage = Stage::new("original-over-quota");
    let dev = begin(&stage);
    let mut document = demo(5);
    document["mem"] = json!(500_000);
    document["update"]["progressDeadlineSeconds"] = json!(3);
    create(&dev, &document);
    gives_up(&dev, "resource not enough");
}

/// The creation ends without any task, and says why.
fn gives_up(dev: &Dev, why: &str) {
    let app = at_rest(dev);
    let told = app["errmsg"].as_str().expect("text").to_ascii_lowercase();
    assert!(told.contains(why), "{app}");
    assert_eq!((&app["task_count"], &app["status"]), (&json!(5), &json!("unavailable")), "{app}");
    let tasks = dev.api.tasks("demo.default.integration.test");
    assert!(
        tasks.iter().all(|task| task["id"] == "" && task["status"] != "TASK_RUNNING"),
        "{}",
        brief(&tasks)
    );
    let last = dev.api.get(&format!("{DEMO}/rollout"));
    assert_eq!((&last["operation"], &last["state"]), (&json!("creating"), &json!("failed")), "{last}");
    dev.api.delete(DEMO);
    dev.api.gone("demo.default.integration.test");
}

/// What is put where in a good definition, and the path that the refusal names.
fn invalid() -> Vec<(&'static str, Value, &'static str)> {
    let docker = "/container/docker";
    let mut cases = vec![];
    for name in ["/name", "/runAs", "/cluster"] {
        let path = &name[1..];
        let long = "a".repeat(65);
        cases.extend(["de..mo", "<**$", "  ", &long].map(|bad| (name, json!(bad), path)));
    }
    cases.extend([("/name", json!(""), "name"), ("/runAs", json!(""), "runAs")]);
    cases.extend([0, -1].map(|n| ("/instances", json!(n), "instances")));
    for (resource, path) in [("/cpus", "cpus"), ("/gpus", "gpus"), ("/mem", "mem"), ("/disk", "disk")] {
        cases.push((resource, json!(-1), path));
    }
    cases.push(("/container/docker/image", json!(""), "container.docker.image"));
    cases.push(("/container/docker/network", json!(""), "container.docker.network"));
    cases.push(("/container/type", json!("lxc"), "container.type"));
    cases.push(("/container/type", json!("mesos"), "container.type"));
    cases.push((docker, Value::Null, "container.docker"));
    let port = |name: &str, protocol: &str, container: i64, host: i64| json!({ "name": name, "protocol": protocol, "containerPort": container, "hostPort": host });
    for (ports, path) in [
        (json!([port("a", "tcp", 1, 1), port("a", "tcp", 2, 2)]), "container.docker.portMappings[1]"),
        (json!([port("", "tcp", 1, 1)]), "container.docker.portMappings[0].name"),
        (json!([port("a", "sctp", 1, 1)]), "container.docker.portMappings[0].protocol"),
        (json!([port("a", "tcp", -1, 1)]), "container.docker.portMappings[0].containerPort"),
        (json!([port("a", "tcp", 65536, 1)]), "container.docker.portMappings[0].containerPort"),
        (json!([port("a", "tcp", 1, -1)]), "container.docker.portMappings[0].hostPort"),
        (json!([port("a", "tcp", 1, 65536)]), "container.docker.portMappings[0].hostPort"),
    ] {
        cases.push(("/container/docker/portMappings", ports, path));
    }
    let parameters = json!([{ "key": "", "value": "x" }]);
    cases.push(("/container/docker/parameters", parameters, "container.docker.parameters[0].key"));
    let volume = |host: &str, mode: &str| json!([{ "hostPath": host, "containerPath": "/a", "mode": mode }]);
    for (volumes, path) in [
        (volume("a", "RO"), "container.volumes[0].hostPath"),
        (volume("/a", "xx"), "container.volumes[0].mode"),
        (volume("/a", "ro"), "container.volumes[0].mode"),
        (volume("/a", "rw"), "container.volumes[0].mode"),
    ] {
        cases.push(("/container/volumes", volumes, path));
    }
    cases.push((
        "/constraints",
        json!([{ "attribute": "", "operator": "==", "value": "x" }]),
        "constraints[0]",
    ));
    cases.push((
        "/constraints",
        json!([{ "attribute": "a", "operator": "x", "value": "x" }]),
        "constraints[0]",
    ));
    for (listen, path) in [(json!(-1), "proxy"), (json!(65536), "proxy")] {
        cases.push((
            "/proxy",
            json!({ "enabled": true, "alias": "", "listen": listen, "sticky": false }),
            path,
        ));
    }
    cases
}

/// Checks that original Swan refused.
fn invalid_checks() -> Vec<(Value, &'static str)> {
    let check = |more: Value| {
        let mut check = json!({ "protocol": "http", "portName": "http", "path": "/", "gracePeriodSeconds": 1,
            "intervalSeconds": 1, "timeoutSeconds": 1, "delaySeconds": 1, "consecutiveFailures": 1 });
        for (key, value) in more.as_object().expect("an object") {
            check[key] = value.clone();
        }
        check
    };
    vec![
        (check(json!({ "protocol": "x" })), "healthCheck.protocol"),
        (check(json!({ "protocol": "cmd", "cmd": "" })), "healthCheck"),
        (check(json!({ "portName": "" })), "healthCheck.portName"),
        (check(json!({ "path": "" })), "healthCheck.path"),
        (check(json!({ "gracePeriodSeconds": -1 })), "healthCheck.gracePeriodSeconds"),
        (check(json!({ "timeoutSeconds": -1 })), "healthCheck.timeoutSeconds"),
        (check(json!({ "delaySeconds": -1 })), "healthCheck.delaySeconds"),
        (check(json!({ "intervalSeconds": 0 })), "healthCheck.intervalSeconds"),
        (check(json!({ "intervalSeconds": -1 })), "healthCheck.intervalSeconds"),
    ]
}

#[test]
fn create_invalid_app() {
    let stage = Stage::new("original-invalid");
    let dev = stage.dev("builtin");
    let refused = |document: &Value, path: &str| {
        let answer = dev.api.ask("POST /v1/apps", &[], Some(document));
        assert_eq!(answer.status, 400, "{path} in {document}: {answer:?}");
        let problems = answer.json()["problems"].as_array().cloned().unwrap_or_default();
        let named =
            problems.iter().any(|problem| problem["path"].as_str().is_some_and(|at| at.starts_with(path)));
        assert!(named, "{path} is not named: {problems:?}");
    };
    for (place, value, path) in invalid() {
        let mut document = demo(1);
        match document.pointer_mut(place) {
            Some(place) => *place = value,
            None => document[&place[1..]] = value,
        }
        refused(&document, path);
    }
    for (check, path) in invalid_checks() {
        let mut document = demo(1);
        document["healthCheck"] = check;
        refused(&document, path);
    }
    let mut on_user_network = demo(1);
    on_user_network["container"]["docker"]["network"] = json!("swan");
    for ips in [json!(["xx"]), json!(["127.0.0.1"]), json!(["10.0.0.1", "10.0.0.1"])] {
        on_user_network["ips"] = ips;
        refused(&on_user_network, "ips");
    }
    on_user_network["ips"] = json!([]);
    on_user_network["healthCheck"] = json!({ "protocol": "cmd", "cmd": "true", "intervalSeconds": 1 });
    refused(&on_user_network, "healthCheck");

    let plain = [("content-type", "text/plain")];
    let untyped = crate::http::exchange(dev.api.address, "POST /v1/apps", &plain, &demo(1).to_string());
    assert_eq!(untyped.expect("an answer").status, 415);
    assert_eq!(dev.api.get("/v1/apps"), json!([]), "nothing was created");
}

#[test]
fn scale_app() {
    let stage = Stage::new("original-scale");
    let dev = begin(&stage);
    create(&dev, &demo(5));
    well_with(&dev, 5, 1);
    for (versions, instances) in (2..).zip([10, 1, 5, 0]) {
        dev.api.scale("demo.default.integration.test", instances);
        well_with(&dev, instances as usize, versions);
    }
}

#[test]
fn update_app() {
    let stage = Stage::new("original-update");
    let dev = begin(&stage);
    create(&dev, &demo(3));
    let (_, mut before) = well_with(&dev, 3, 1);
    for (count, (cpus, mem)) in (2..).zip([(0.02, 10), (0.03, 15)]) {
        let mut document = demo(3);
        (document["cpus"], document["mem"]) = (json!(cpus), json!(mem));
        dev.api.expect(202, &format!("PUT {DEMO}"), Some(&document));
        let (app, after) = well_with(&dev, 3, count);
        assert_eq!((&app["spec"]["cpus"], &app["spec"]["mem"]), (&json!(cpus), &json!(mem)), "{app}");
        all_on(&after, &versions(&dev)[0]);
        assert!(after.iter().zip(&before).all(|(new, old)| new["id"] != old["id"]), "{}", brief(&after));
        before = after;
    }
}

#[test]
fn roll_back_app() {
    let stage = Stage::new("original-rollback");
    let dev = begin(&stage);
    create(&dev, &demo(3));
    well_with(&dev, 3, 1);
    let mut document = demo(3);
    document["mem"] = json!(10);
    dev.api.expect(202, &format!("PUT {DEMO}"), Some(&document));
    let (_, updated) = well_with(&dev, 3, 2);
    all_on(&updated, &versions(&dev)[0]);
    dev.api.expect(202, &format!("POST {DEMO}/rollback"), None);
    let (app, tasks) = well_with(&dev, 3, 2);
    all_on(&tasks, &versions(&dev)[1]);
    assert_eq!(app["spec"]["mem"], json!(5), "{app}");
}

#[test]
fn start_stop_app() {
    let stage = Stage::new("original-stop");
    let dev = begin(&stage);
    create(&dev, &demo(10));
    well_with(&dev, 10, 1);
    for _ in 0..2 {
        dev.api.expect(202, &format!("POST {DEMO}/stop"), None);
        well_with(&dev, 0, 1);
        dev.api.expect(202, &format!("POST {DEMO}/start"), None);
        well_with(&dev, 10, 1);
    }
    dev.api.delete(DEMO);
    dev.api.gone("demo.default.integration.test");
}
