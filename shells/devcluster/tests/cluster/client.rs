//! Owns a raw client of the scheduler API: what a manager would send, and the events it would see, as JSON.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use swan_devcluster::{DevCluster, DevOptions};
use swan_mesos::wire::RecordDecoder;
use tokio::net::{TcpListener, TcpStream};

/// No step of a test takes longer unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a cluster on a port of its own.
pub(crate) async fn start(options: DevOptions) -> DevCluster {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    DevCluster::start(options, listener).await.expect("the cluster starts")
}

/// Agents that no other test of this file uses: their addresses and ports are the host's.
pub(crate) fn options(first_agent: u8, agents: u8) -> DevOptions {
    let mut options = DevOptions::with_agents(first_agent + agents, u64::from(first_agent) + 1);
    options.agents.drain(..usize::from(first_agent));
    options
}

/// One request on a connection of its own.
pub(crate) async fn request(address: SocketAddr, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("it speaks HTTP");
    tokio::spawn(connection);
    sender.send_request(request).await.expect("it answers")
}

/// Status and text of one request.
pub(crate) async fn exchange(address: SocketAddr, wanted: Request<Full<Bytes>>) -> (u16, String) {
    let response = request(address, wanted).await;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// A call as a request.
pub(crate) fn post(
    content_type: &str,
    accept: &str,
    stream_id: Option<&str>,
    body: Vec<u8>,
) -> Request<Full<Bytes>> {
    let mut request = Request::post("/api/v1/scheduler")
        .header("Host", "master")
        .header("Content-Type", content_type)
        .header("Accept", accept);
    if let Some(id) = stream_id {
        request = request.header("Mesos-Stream-Id", id);
    }
    request.body(Full::new(Bytes::from(body))).expect("a good request")
}

/// GET of a path, or POST to it.
pub(crate) fn plain(method: &str, path: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("Host", "task");
    request.body(Full::default()).expect("a good request")
}

/// A subscribed framework.
pub(crate) struct Framework {
    pub(crate) address: SocketAddr,
    pub(crate) id: String,
    stream_id: String,
    body: Incoming,
    records: RecordDecoder,
    /// Offers that came while something else was waited for, oldest first.
    offers: VecDeque<Value>,
}

impl Framework {
    /// Subscribes, with an id to take over.
    pub(crate) async fn subscribe(address: SocketAddr, id: Option<&str>) -> Self {
        let mut call = json!({ "type": "SUBSCRIBE", "subscribe": { "framework_info": {
            "user": "root", "name": "test", "labels": { "labels": [{ "key": "k", "value": "v" }] }, "roles": ["apps"], "checkpoint": true, "failover_timeout": 3600.0,
            "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}, {"type": "TASK_KILLING_STATE"}],
        } } });
        if let Some(id) = id {
            call["framework_id"] = json!({ "value": id });
            call["subscribe"]["framework_info"]["id"] = json!({ "value": id });
        }
        let json = "application/json";
        let response = request(address, post(json, json, None, call.to_string().into_bytes())).await;
        assert_eq!(response.status(), 200);
        let stream_id = response.headers()["mesos-stream-id"].to_str().expect("a plain id").to_owned();
        let mut framework = Self {
            address,
            id: String::new(),
            stream_id,
            body: response.into_body(),
            records: RecordDecoder::new(),
            offers: VecDeque::new(),
        };
        let subscribed = framework.event("SUBSCRIBED").await;
        framework.id = text(&subscribed["subscribed"]["framework_id"]);
        framework
    }

    /// The next event; `None` at the stream's orderly end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(record) = self.records.next_record() {
                return Some(serde_json::from_slice(&record.expect("a record")).expect("JSON"));
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event in time");
            let chunk = frame?.expect("no cut").into_data().expect("data");
            self.records.push(&chunk);
        }
    }

    /// The next event of a type. Others are passed over, but for offers, which stay this framework's to use.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        let wanted = async {
            loop {
                let event = self.next().await.expect("the stream goes on");
                if event["type"] == kind {
                    return event;
                }
                self.pass_over(event);
            }
        };
        let late = |_| panic!("no {kind} in time");
        tokio::time::timeout(PATIENCE, wanted).await.unwrap_or_else(late)
    }

    fn pass_over(&mut self, event: Value) {
        if event["type"] == "OFFERS" {
            self.offers.push_back(event);
        } else if event["type"] == "RESCIND" {
            let rescinded = &event["rescind"]["offer_id"];
            self.offers.retain(|kept| kept["offers"]["offers"][0]["id"] != *rescinded);
        }
    }

    pub(crate) async fn call(&self, mut call: Value) {
        call["framework_id"] = json!({ "value": self.id });
        let json = "application/json";
        let wanted = post(json, json, Some(&self.stream_id), call.to_string().into_bytes());
        assert_eq!(exchange(self.address, wanted).await, (202, String::new()), "{call}");
    }

    /// The next update of any task, acknowledged.
    pub(crate) async fn update(&mut self) -> Value {
        let mut event = self.event("UPDATE").await;
        let status = event["update"]["status"].take();
        if !status["uuid"].is_null() {
            let acknowledge = json!({
                "agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"],
            });
            self.call(json!({ "type": "ACKNOWLEDGE", "acknowledge": acknowledge })).await;
        }
        status
    }

    /// Takes updates until one has this state, which it returns.
    pub(crate) async fn until(&mut self, state: &str) -> Value {
        loop {
            let status = self.update().await;
            if status["state"] == state {
                return status;
            }
            let ended =
                ["TASK_FAILED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_FINISHED", "TASK_KILLED"];
            assert!(!ended.contains(&status["state"].as_str().unwrap_or_default()), "{status}");
        }
    }

    /// Launches one task on the first offer: `task` holds all but agent and resources, which get one port; so does a
    /// first port mapping. Says host and port.
    pub(crate) async fn launch(&mut self, mut task: Value) -> (String, u16) {
        let kept = self.offers.pop_front();
        let event = match kept {
            Some(event) => event,
            None => self.event("OFFERS").await,
        };
        let offer = &event["offers"]["offers"][0];
        let ranges =
            offer["resources"].as_array().expect("resources").iter().find(|it| it["name"] == "ports");
        let begin = &ranges.expect("ports")["ranges"]["range"][0]["begin"];
        let port = begin.as_u64().or_else(|| begin.as_str()?.parse().ok()).expect("a port");
        let allocation = json!({ "role": "apps" });
        let scalar = |name: &str, value: f64| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value }, "allocation_info": allocation });
        task["agent_id"] = offer["agent_id"].clone();
        task["resources"] = json!([
            scalar("cpus", 0.1),
            scalar("mem", 32.0),
            { "name": "ports", "type": "RANGES", "ranges": { "range": [{ "begin": port, "end": port }] },
              "allocation_info": allocation },
        ]);
        if let Some(mapping) = task.pointer_mut("/container/docker/port_mappings/0/host_port") {
            *mapping = json!(port);
        }
        let accept = json!({
            "offer_ids": [offer["id"]],
            "operations": [{ "type": "LAUNCH", "launch": { "task_infos": [task] } }],
            "filters": { "refuse_seconds": 3600.0 },
        });
        let host = offer["hostname"].as_str().expect("a host name").to_owned();
        self.call(json!({ "type": "ACCEPT", "accept": accept })).await;
        (host, u16::try_from(port).expect("a port"))
    }

    pub(crate) async fn kill(&self, task: &str) {
        self.call(json!({ "type": "KILL", "kill": { "task_id": { "value": task } } })).await;
    }
}

/// The text of an id.
pub(crate) fn text(id: &Value) -> String {
    id["value"].as_str().expect("an id").to_owned()
}

/// A directory that goes with its test.
pub(crate) struct TemporaryDir(pub(crate) PathBuf);

impl TemporaryDir {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("swan-devcluster-{name}-{}", std::process::id()));
        let _left_by_an_earlier_run = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
