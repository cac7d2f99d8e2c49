//! Owns recordings written by hand, of what the shared ones do not show.

use serde_json::{Value, json};

use super::{Report, diverged, of_lines};

const FRAMEWORK: &str = "F1";

/// A recording in the making.
#[derive(Default)]
struct Story {
    lines: Vec<Value>,
    at: u64,
    uuids: u8,
}

impl Story {
    fn line(&mut self, mut line: Value) -> &mut Self {
        self.at += 20;
        line["t_ms"] = json!(self.at);
        self.lines.push(line);
        self
    }

    fn note(&mut self, stream: u64, note: &str) -> &mut Self {
        self.line(json!({ "dir": "note", "note": note, "stream": stream }))
    }

    fn recv(&mut self, stream: u64, event: Value) -> &mut Self {
        self.line(json!({ "dir": "recv", "stream": stream, "event": event }))
    }

    fn send(&mut self, status: u64, stream: u64, framework: &str, mut call: Value) -> &mut Self {
        call["framework_id"] = json!({ "value": framework });
        self.line(json!({ "dir": "send", "stream": stream, "status": status, "call": call }))
    }

    /// A SUBSCRIBE with an id, and its answer; of the role `*`.
    fn subscribe(&mut self, status: u64, stream: u64, framework: &str) -> &mut Self {
        let info = json!({ "user": "root", "name": "story", "id": { "value": framework } });
        self.send(
            status,
            stream,
            framework,
            json!({ "type": "SUBSCRIBE", "subscribe": { "framework_info": info } }),
        )
    }

    fn subscribed(&mut self, stream: u64, framework: &str) -> &mut Self {
        self.subscribe(200, stream, framework);
        let event = json!({ "framework_id": { "value": framework }, "heartbeat_interval_seconds": 15.0 });
        self.recv(stream, json!({ "type": "SUBSCRIBED", "subscribed": event }))
    }

    fn offer(&mut self, stream: u64, framework: &str, id: &str) -> &mut Self {
        self.offer_with(stream, framework, id, json!({}))
    }

    fn offer_with(&mut self, stream: u64, framework: &str, id: &str, more: Value) -> &mut Self {
        let scalar = |name: &str, value: f64| {
            json!({ "name": name, "type": "SCALAR", "scalar": { "value": value },
                "allocation_info": { "role": "*" } })
        };
        let mut offer = json!({
            "id": { "value": id }, "framework_id": { "value": framework }, "agent_id": { "value": "S \"1\"" },
            "hostname": "node1.test", "allocation_info": { "role": "*" },
            "resources": [scalar("cpus", 4.0), scalar("mem", 1024.0)],
        });
        offer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.recv(stream, json!({ "type": "OFFERS", "offers": { "offers": [offer] } }))
    }

    fn accept(&mut self, stream: u64, framework: &str, offer: &str, operations: Value) -> &mut Self {
        let accept = json!({ "offer_ids": [{ "value": offer }], "operations": operations });
        self.send(202, stream, framework, json!({ "type": "ACCEPT", "accept": accept }))
    }

    fn launch(&mut self, stream: u64, framework: &str, offer: &str, tasks: Value) -> &mut Self {
        self.accept(
            stream,
            framework,
            offer,
            json!([{ "type": "LAUNCH", "launch": { "task_infos": tasks } }]),
        )
    }

    fn kill(&mut self, stream: u64, task: &str) -> &mut Self {
        let kill = json!({ "task_id": { "value": task }, "agent_id": { "value": "S \"1\"" } });
        self.send(202, stream, FRAMEWORK, json!({ "type": "KILL", "kill": kill }))
    }

    /// An update by an executor, with a uuid of its own.
    fn update(&mut self, stream: u64, task: &str, state: &str, more: Value) -> &mut Self {
        self.uuids += 1;
        let uuid = format!("{}AAAAAAAAAAAAAAAAAAAAA==", char::from(b'A' + self.uuids));
        let made = 1_795_424_840.0 + self.at as f64 / 1000.0;
        self.status(
            stream,
            task,
            state,
            json!({ "uuid": uuid, "source": "SOURCE_EXECUTOR",
            "executor_id": { "value": task }, "timestamp": made }),
            more,
        )
    }

    fn status(&mut self, stream: u64, task: &str, state: &str, told: Value, more: Value) -> &mut Self {
        let mut status = json!({ "task_id": { "value": task }, "state": state,
            "agent_id": { "value": "S \"1\"" } });
        let status_object = status.as_object_mut().unwrap();
        status_object.extend(told.as_object().unwrap().clone());
        status_object.extend(more.as_object().unwrap().clone());
        self.recv(stream, json!({ "type": "UPDATE", "update": { "status": status } }))
    }

    /// An update by the master.
    fn reconciled(&mut self, stream: u64, task: &str, state: &str) -> &mut Self {
        let told = json!({ "source": "SOURCE_MASTER", "reason": "REASON_RECONCILIATION" });
        self.status(stream, task, state, told, json!({}))
    }

    fn replayed(&self) -> Report {
        let report = of_lines(&self.lines);
        println!("{report}");
        report
    }
}

fn task(id: &str) -> Value {
    let scalar =
        |name: &str, value: f64| json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } });
    json!({
        "name": id, "task_id": { "value": id }, "agent_id": { "value": "S \"1\"" },
        "resources": [scalar("cpus", 0.5), scalar("mem", 64.0)],
        "command": { "shell": true, "value": "sleep 1000" },
        "container": { "type": "DOCKER", "docker": { "image": "web:1.0", "network": "HOST" } },
    })
}

fn counts(report: &Report) -> (u64, u64, u64) {
    (report.mapped, report.ended, report.living)
}

#[test]
fn a_master_fails_over() {
    let mut story = Story::default();
    story.subscribed(1, FRAMEWORK).offer(1, FRAMEWORK, "O1");
    story.launch(1, FRAMEWORK, "O1", json!([task("a"), task("b")]));
    story.update(1, "a", "TASK_RUNNING", json!({})).update(1, "b", "TASK_RUNNING", json!({}));
    story.note(1, "stream 1: the connection broke without a last chunk");
    for status in [307, 0, 503] {
        story.subscribe(status, 0, FRAMEWORK);
    }
    story.subscribed(2, FRAMEWORK).recv(2, json!({ "type": "HEARTBEAT" }));
    story.reconciled(2, "a", "TASK_UNKNOWN").reconciled(2, "a", "TASK_RUNNING").offer(2, FRAMEWORK, "O2");
    story.kill(2, "a").update(2, "a", "TASK_KILLING", json!({})).update(2, "a", "TASK_KILLED", json!({}));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((report.refused, report.takeovers, report.streams, report.frameworks), (3, 0, 2, 1));
    assert_eq!(counts(&report), (2, 1, 1));
    assert_eq!((report.divergences.len(), report.acknowledged), (0, 4));
}

#[test]
fn a_task_is_killed_while_its_image_is_pulled() {
    let mut story = Story::default();
    story.subscribed(1, FRAMEWORK).offer(1, FRAMEWORK, "O1").launch(1, FRAMEWORK, "O1", json!([task("a")]));
    story.kill(1, "a");
    story.update(1, "a", "TASK_KILLED", json!({ "reason": "REASON_TASK_KILLED_DURING_LAUNCH" }));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.calls["KILL"]), ((1, 1, 0), (1, 1)));
    assert_eq!(report.divergences.len(), 0);
}

#[test]
fn a_kill_that_an_unreachable_agent_misses_is_made_again() {
    let mut story = Story::default();
    let lost = json!({ "source": "SOURCE_MASTER", "reason": "REASON_AGENT_REMOVED" });
    let back = json!({ "source": "SOURCE_MASTER", "reason": "REASON_AGENT_REREGISTERED" });
    story.subscribed(1, FRAMEWORK).offer(1, FRAMEWORK, "O1").launch(1, FRAMEWORK, "O1", json!([task("a")]));
    story.update(1, "a", "TASK_RUNNING", json!({})).status(1, "a", "TASK_UNREACHABLE", lost, json!({}));
    story.kill(1, "a").reconciled(1, "a", "TASK_UNREACHABLE");
    story.at += 60_000;
    story.status(1, "a", "TASK_RUNNING", back, json!({})).kill(1, "a");
    story.update(1, "a", "TASK_KILLING", json!({})).update(1, "a", "TASK_KILLED", json!({}));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.divergences.len()), ((1, 1, 0), 0));
}

#[test]
fn a_health_check_kills_and_the_kill_is_nobodys() {
    let mut story = Story::default();
    let health = json!({ "reason": "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "healthy": false });
    story.subscribed(1, FRAMEWORK).offer(1, FRAMEWORK, "O1").launch(1, FRAMEWORK, "O1", json!([task("a")]));
    story.update(1, "a", "TASK_RUNNING", json!({})).update(1, "a", "TASK_RUNNING", health.clone());
    story.update(1, "a", "TASK_RUNNING", health).update(1, "a", "TASK_KILLING", json!({}));
    story.update(1, "a", "TASK_KILLED", json!({ "healthy": false }));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.calls.contains_key("KILL")), ((1, 1, 0), false));
}

#[test]
fn frameworks_have_tasks_of_the_same_name() {
    let mut story = Story::default();
    for (stream, framework) in [(1, FRAMEWORK), (2, "F2")] {
        story.subscribed(stream, framework).offer(stream, framework, "O1");
        story.launch(stream, framework, "O1", json!([task("a")]));
    }
    story.update(1, "a", "TASK_FINISHED", json!({})).update(2, "a", "TASK_FAILED", json!({}));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.frameworks, report.acknowledged), ((2, 2, 0), 2, 2));
}

#[test]
fn what_swan_never_launches_is_counted_and_its_updates_are_acknowledged() {
    let mut own_executor = task("executor");
    own_executor["executor"] =
        json!({ "executor_id": { "value": "e" }, "type": "CUSTOM", "command": { "value": "run" } });
    let mut no_image = task("no-image");
    no_image["container"] = json!({ "type": "MESOS" });
    let mut bare = task("bare");
    bare.as_object_mut().unwrap().remove("container");
    let executor = json!({ "executor_id": { "value": "g" }, "type": "DEFAULT" });
    let operations = json!([
        { "type": "LAUNCH", "launch": { "task_infos": [own_executor, no_image, bare] } },
        { "type": "LAUNCH_GROUP", "launch_group": { "executor": executor,
            "task_group": { "tasks": [task("grouped")] } } },
        { "type": "RESERVE", "reserve": { "resources": [] } },
    ]);
    let mut story = Story::default();
    story.subscribed(1, FRAMEWORK).offer(1, FRAMEWORK, "O1").accept(1, FRAMEWORK, "O1", operations);
    for id in ["executor", "no-image", "bare", "grouped", "from-before"] {
        story.update(1, id, "TASK_RUNNING", json!({})).update(1, id, "TASK_FINISHED", json!({}));
    }
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.acknowledged, report.updates), ((0, 0, 0), 10, 10));
    for kind in [
        "a custom executor",
        "a task without a Docker image",
        "a task without a container",
        "a task group",
        "an operation other than LAUNCH",
    ] {
        assert_eq!(diverged(&report, kind), 1, "{kind}");
    }
}

#[test]
fn events_that_nobody_knows_are_consumed() {
    let mut story = Story::default();
    story.subscribed(1, FRAMEWORK);
    for event in [json!({ "type": "FROBNICATE" }), json!({ "type": 77 }), json!({}), json!({ "type": null })]
    {
        story.recv(1, event);
    }
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!(report.events.values().sum::<u64>(), 5);
    assert!(report.unreadable > 0);
}

#[test]
fn an_update_that_cannot_be_read_is_a_fault() {
    let mut story = Story::default();
    story.subscribed(1, FRAMEWORK);
    story.recv(
        1,
        json!({ "type": "UPDATE", "update": { "status": { "state": "TASK_RUNNING", "uuid": "?" } } }),
    );
    let report = story.replayed();
    let [(3, what)] = &report.faults[..] else { panic!("{report}") };
    assert!(what.starts_with("the event UPDATE of stream 1 cannot be read: "), "{what}");
}

#[test]
fn a_stream_goes_on_after_a_silence_that_swan_would_not_bear() {
    let mut story = Story::default();
    story.subscribed(1, FRAMEWORK).offer(1, FRAMEWORK, "O1").launch(1, FRAMEWORK, "O1", json!([task("a")]));
    story.at += 200_000;
    story.update(1, "a", "TASK_FINISHED", json!({}));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.acknowledged), ((1, 1, 0), 1));
    assert_eq!(diverged(&report, "a silence in which Swan gives up a stream"), 2);
}

#[test]
fn an_offer_that_the_machine_shuns_is_explained() {
    let mut story = Story::default();
    // In an hour from now by the clock of the updates.
    let window = json!({ "unavailability": { "start": { "nanoseconds": 1_795_425_000_000_000_000_i64 } } });
    story.subscribed(1, FRAMEWORK).update(1, "from-before", "TASK_FINISHED", json!({}));
    story.offer_with(1, FRAMEWORK, "O1", window).launch(1, FRAMEWORK, "O1", json!([task("a")]));
    story.update(1, "a", "TASK_FINISHED", json!({}));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!((counts(&report), report.acknowledged), ((0, 0, 0), 2));
    let told = &report.divergences["a launch that Swan does not make"];
    assert!(told.detail.contains("node1.test") && told.count == 1, "{told:?}");
}

#[test]
fn a_recording_without_its_subscribe_is_understood() {
    let mut story = Story::default();
    let event = json!({ "framework_id": { "value": FRAMEWORK }, "heartbeat_interval_seconds": 15.0 });
    story.recv(3, json!({ "type": "SUBSCRIBED", "subscribed": event }));
    story.offer(3, FRAMEWORK, "O1").launch(3, FRAMEWORK, "O1", json!([task("a")]));
    story.update(3, "a", "TASK_FINISHED", json!({}));
    let report = story.replayed();
    assert!(report.is_good());
    assert_eq!(counts(&report), (1, 1, 0));
}
