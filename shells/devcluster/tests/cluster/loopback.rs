//! Holds the cluster against raw HTTP clients: both encodings, built-in tasks, restarts.

use crate::client::{Framework, PATIENCE, TemporaryDir, exchange, options, plain, post, request, start};
use http_body_util::BodyExt;
use prost::Message as _;
use serde_json::{Value, json};
use swan_core::mesos::{Call, Event, FrameworkInfo};
use swan_mesos::wire::v1::{master, scheduler};
use swan_mesos::wire::{RecordDecoder, call_to_wire, event_from_wire, frameworks_call, frameworks_from_wire};

const JSON: &str = "application/json";

fn task(id: &str) -> Value {
    json!({
        "name": "web", "task_id": { "value": id },
        "command": { "shell": false, "environment": { "variables": [
            { "name": "SWAN_APP_VERSION", "value": "7" },
        ] } },
        "container": { "type": "DOCKER", "docker": {
            "image": "web", "network": "BRIDGE",
            "port_mappings": [{ "host_port": 0, "container_port": 8080 }],
        } },
        "health_check": {
            "type": "HTTP", "http": { "port": 8080, "path": "/" },
            "delay_seconds": 0.0, "interval_seconds": 0.05, "grace_period_seconds": 10.0, "consecutive_failures": 2,
        },
    })
}

async fn get(host: &str, port: u16) -> (u16, Value) {
    let address = format!("{host}:{port}").parse().unwrap();
    let (status, body) = exchange(address, plain("GET", "/x")).await;
    (status, serde_json::from_str(&body).unwrap())
}

async fn tell(host: &str, port: u16, what: &str) {
    let address = format!("{host}:{port}").parse().unwrap();
    assert_eq!(exchange(address, plain("POST", &format!("/_swan/{what}"))).await.0, 200, "{what}");
}

#[tokio::test]
async fn a_task_runs_becomes_healthy_and_is_killed() {
    let cluster = start(options(0, 1)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    let (host, port) = framework.launch(task("t1")).await;
    assert_eq!(framework.update().await["state"], "TASK_STARTING");
    let running = framework.update().await;
    assert_eq!((&running["state"], &running["healthy"]), (&json!("TASK_RUNNING"), &Value::Null));
    let healthy = framework.update().await;
    assert_eq!((&healthy["state"], &healthy["healthy"]), (&json!("TASK_RUNNING"), &json!(true)));
    let (status, body) = get(&host, port).await;
    assert_eq!((status, &body["task"], &body["version"]), (200, &json!("t1"), &json!("7")));
    framework.kill("t1").await;
    assert_eq!(framework.update().await["state"], "TASK_KILLING");
    let killed = framework.update().await;
    assert_eq!(
        (&killed["state"], &killed["message"]),
        (&json!("TASK_KILLED"), &json!("Container exited with status 143"))
    );
    cluster.stop_with_tasks().await;
}

#[tokio::test]
async fn a_task_misbehaves_from_its_start_as_its_environment_says() {
    let cluster = start(options(11, 1)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    let mut dies = task("dies");
    let variables = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
    dies["command"]["environment"]["variables"] = variables("SWAN_DEV_EXIT", "3");
    framework.launch(dies).await;
    let failed = framework.until("TASK_FAILED").await;
    assert_eq!(failed["message"], "Container exited with status 3");

    framework.call(json!({ "type": "REVIVE" })).await;
    let mut sick = task("sick");
    sick["command"]["environment"]["variables"] = variables("SWAN_DEV_UNHEALTHY", "1");
    sick["health_check"]["grace_period_seconds"] = json!(0.1);
    framework.launch(sick).await;
    let killed = framework.until("TASK_KILLED").await;
    assert_eq!(killed["healthy"], false);
    cluster.stop_with_tasks().await;
}

#[tokio::test]
async fn a_task_misbehaves_as_told() {
    let cluster = start(options(1, 1)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    let (host, port) = framework.launch(task("sick")).await;
    while framework.update().await["healthy"] != true {}
    tell(&host, port, "unhealthy").await;
    assert_eq!(get(&host, port).await.0, 503);
    assert_eq!(framework.update().await["healthy"], false);
    let killed = framework.until("TASK_KILLED").await;
    assert_eq!(killed["healthy"], false);

    framework.call(json!({ "type": "REVIVE" })).await;
    let (host, port) = framework.launch(task("failing")).await;
    framework.until("TASK_RUNNING").await;
    tell(&host, port, "fail?code=3").await;
    let failed = loop {
        let status = framework.update().await;
        if status["state"] != "TASK_RUNNING" {
            break status;
        }
    };
    assert_eq!(
        (&failed["state"], &failed["message"]),
        (&json!("TASK_FAILED"), &json!("Container exited with status 3"))
    );

    framework.call(json!({ "type": "REVIVE" })).await;
    let mut stubborn = task("stubborn");
    stubborn["kill_policy"] = json!({ "grace_period": { "nanoseconds": 300_000_000u64 } });
    let (host, port) = framework.launch(stubborn).await;
    framework.until("TASK_RUNNING").await;
    tell(&host, port, "stubborn").await;
    framework.kill("stubborn").await;
    let killed = framework.until("TASK_KILLED").await;
    assert_eq!(killed["message"], "Container exited with status 137");
}

#[tokio::test]
async fn protobuf_says_the_same() {
    let cluster = start(options(2, 2)).await;
    let info = FrameworkInfo { user: "root".into(), name: "pb".into(), ..FrameworkInfo::default() };
    let call = Call::Subscribe { framework_info: Box::new(info), suppressed_roles: Vec::new() };
    let body = call_to_wire(None, &call).unwrap().encode_to_vec();
    let protobuf = "application/x-protobuf";
    let response = request(cluster.address(), post(protobuf, protobuf, None, body)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &protobuf.parse().unwrap())
    );
    let stream_id = response.headers()["mesos-stream-id"].to_str().unwrap().to_owned();
    let (mut body, mut records, mut events) = (response.into_body(), RecordDecoder::new(), Vec::new());
    while !events.iter().any(|event| matches!(event, Event::Offers(_))) {
        records.push(&body.frame().await.unwrap().unwrap().into_data().unwrap());
        while let Some(record) = records.next_record() {
            events.push(event_from_wire(scheduler::Event::decode(record.unwrap()).unwrap()).unwrap());
        }
    }
    let Event::Subscribed(subscribed) = &events[0] else { panic!("{events:?}") };
    let master = subscribed.master_info.as_ref().unwrap().address.as_ref().unwrap();
    assert_eq!(master.port, cluster.address().port());
    let Some(Event::Offers(offers)) = events.last() else { panic!("{events:?}") };
    let mut hosts: Vec<&str> = offers.iter().map(|offer| offer.agent.hostname.as_str()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["127.0.0.4", "127.0.0.5"]);

    let teardown = call_to_wire(Some(&subscribed.framework_id), &Call::Teardown).unwrap().encode_to_vec();
    let wanted = post(protobuf, protobuf, Some(&stream_id), teardown);
    assert_eq!(exchange(cluster.address(), wanted).await, (202, String::new()));
    while let Some(frame) = body.frame().await {
        frame.expect("the stream ends orderly");
    }
}

#[tokio::test]
async fn bad_requests_get_a_masters_answers() {
    let cluster = start(options(4, 0)).await;
    let address = cluster.address();
    let ask = async |content: &str, accept: &str, body: &str| {
        exchange(address, post(content, accept, None, body.as_bytes().to_vec())).await
    };
    let user = r#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"n"}}}"#;
    for (content, accept, body, status, text) in [
        (
            "text/plain",
            JSON,
            user,
            415,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        ),
        (
            JSON,
            "text/html",
            user,
            406,
            "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
        ),
        (JSON, JSON, "", 400, "Failed to parse body into JSON: syntax error at line 1 near: "),
        (JSON, JSON, "{}", 400, "Failed to validate scheduler::Call: Expecting 'type' to be present"),
        (
            JSON,
            JSON,
            r#"{"type":"FROB"}"#,
            400,
            "Failed to validate scheduler::Call: Expecting 'type' to be present",
        ),
        (
            JSON,
            JSON,
            r#"{"type":"KILL"}"#,
            400,
            "Failed to validate scheduler::Call: Expecting 'kill' to be present",
        ),
        (
            JSON,
            JSON,
            r#"{"type":"KILL","kill":{}}"#,
            400,
            "Failed to convert JSON into Call protobuf: Missing required fields: kill.task_id",
        ),
        (
            JSON,
            JSON,
            r#"{"type":"REVIVE"}"#,
            400,
            "Failed to validate scheduler::Call: Expecting 'framework_id' to be present",
        ),
        ("application/x-protobuf", JSON, "\u{7}", 400, "Failed to parse body into Call protobuf"),
    ] {
        assert_eq!(ask(content, accept, body).await, (status, text.to_owned()), "{body}");
    }
    let (status, text) = exchange(address, plain("GET", "/api/v1/scheduler")).await;
    assert_eq!(
        (status, text.as_str()),
        (405, "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.")
    );
    assert_eq!(exchange(address, plain("GET", "/health")).await.0, 200);
    let (_, state) = exchange(address, plain("GET", "/state")).await;
    assert_eq!(serde_json::from_str::<Value>(&state).unwrap()["id"], cluster.master_id());
}

#[tokio::test]
async fn a_taken_over_stream_ends_orderly() {
    let cluster = start(options(5, 1)).await;
    let mut first = Framework::subscribe(cluster.address(), None).await;
    let second = Framework::subscribe(cluster.address(), Some(&first.id)).await;
    assert_eq!(second.id, first.id);
    assert_eq!(first.event("ERROR").await["error"]["message"], "Framework failed over");
    assert_eq!(first.next().await, None);
}

#[tokio::test]
async fn a_port_that_is_taken_ends_the_task_with_125() {
    let cluster = start(options(6, 1)).await;
    let first_port = 31_000 + 6 * 1000;
    let _taken = tokio::net::TcpListener::bind(("127.0.0.8", first_port)).await.unwrap();
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    framework.launch(task("t")).await;
    assert_eq!(framework.update().await["state"], "TASK_STARTING");
    let failed = framework.update().await;
    assert_eq!(
        (&failed["state"], &failed["message"]),
        (&json!("TASK_FAILED"), &json!("Container exited with status 125"))
    );
}

#[tokio::test]
async fn a_restart_keeps_frameworks_and_agents_and_tells_that_builtin_tasks_died() {
    let state = TemporaryDir::new("restart");
    let mut options = options(7, 1);
    options.state_dir = Some(state.0.clone());
    let cluster = start(options.clone()).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    framework.launch(task("t")).await;
    let agent = framework.until("TASK_RUNNING").await["agent_id"].clone();
    let (id, master) = (framework.id.clone(), cluster.master_id().to_owned());
    cluster.stop().await;

    let cluster = start(options).await;
    assert_eq!(cluster.master_id(), master);
    let mut framework = Framework::subscribe(cluster.address(), Some(&id)).await;
    assert_eq!(framework.id, id);
    let failed = loop {
        let status = framework.update().await;
        if status["state"] != "TASK_RUNNING" {
            break status;
        }
    };
    assert_eq!(
        (&failed["state"], &failed["reason"]),
        (&json!("TASK_FAILED"), &json!("REASON_EXECUTOR_TERMINATED"))
    );
    assert_eq!(failed["agent_id"], agent);
    framework.call(json!({ "type": "REVIVE" })).await;
    framework.launch(task("t2")).await;
    framework.until("TASK_RUNNING").await;
}

#[tokio::test]
async fn a_state_directory_serves_one_cluster() {
    let state = TemporaryDir::new("lock");
    let mut options = options(8, 0);
    options.state_dir = Some(state.0.clone());
    let _cluster = start(options.clone()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = swan_devcluster::DevCluster::start(options, listener).await.unwrap_err().to_string();
    assert!(error.contains("in use by another cluster"), "{error}");
}

#[tokio::test]
async fn a_client_that_leaves_is_disconnected() {
    let cluster = start(options(9, 1)).await;
    let framework = Framework::subscribe(cluster.address(), None).await;
    let connected = async || {
        let (_, state) = exchange(cluster.address(), plain("GET", "/master/state")).await;
        serde_json::from_str::<Value>(&state).unwrap()["frameworks"][0]["connected"] == true
    };
    assert!(connected().await);
    drop(framework);
    let noticed = async {
        while connected().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.expect("the master notices");
}

#[tokio::test]
async fn an_operator_drains_an_agent() {
    let cluster = start(options(10, 1)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    framework.launch(task("t")).await;
    let agent = framework.until("TASK_RUNNING").await["agent_id"].clone();
    let call = json!({ "type": "DRAIN_AGENT", "drain_agent": { "agent_id": agent } });
    let mut wanted = post(JSON, JSON, None, call.to_string().into_bytes());
    *wanted.uri_mut() = "/api/v1".parse().unwrap();
    assert_eq!(exchange(cluster.address(), wanted).await.0, 200);
    assert_eq!(framework.until("TASK_KILLED").await["reason"], "REASON_AGENT_DRAINING");
}

#[tokio::test]
async fn frameworks_are_listed_with_what_they_hold_in_both_encodings() {
    const PROTOBUF: &str = "application/x-protobuf";
    let cluster = start(options(12, 1)).await;
    let mut framework = Framework::subscribe(cluster.address(), None).await;
    framework.launch(task("t")).await;
    framework.until("TASK_RUNNING").await;
    let asked = |content_type: &str, accept: &str, body: Vec<u8>| {
        let mut wanted = post(content_type, accept, None, body);
        *wanted.uri_mut() = "/api/v1".parse().unwrap();
        wanted
    };
    let question = json!({ "type": "GET_FRAMEWORKS" }).to_string().into_bytes();
    let (status, body) = exchange(cluster.address(), asked(JSON, JSON, question)).await;
    let list: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &list["type"]), (200, &json!("GET_FRAMEWORKS")));
    let shown = &list["get_frameworks"]["frameworks"][0];
    assert_eq!(shown["framework_info"]["labels"], json!({ "labels": [{ "key": "k", "value": "v" }] }));
    assert_eq!((&shown["connected"], &shown["recovered"]), (&json!(true), &json!(false)));
    assert_eq!(shown["allocated_resources"][0]["allocation_info"]["role"], "apps");
    let question = asked(PROTOBUF, PROTOBUF, frameworks_call().encode_to_vec());
    let response = request(cluster.address(), question).await;
    assert_eq!(response.headers()["content-type"], PROTOBUF);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let listed = frameworks_from_wire(master::Response::decode(body).unwrap()).unwrap();
    assert_eq!((listed[0].id.as_str(), listed[0].labels.len()), (framework.id.as_str(), 1));
    assert!(!listed[0].allocated.is_empty());
    let other = asked(PROTOBUF, PROTOBUF, master::Call::default().encode_to_vec());
    assert_eq!(exchange(cluster.address(), other).await.0, 400);
}
