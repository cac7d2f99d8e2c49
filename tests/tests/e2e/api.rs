//! Owns what the tests ask of a manager: `/v1` and waiting for an app to be as it should.

use std::net::{SocketAddr, ToSocketAddrs as _};

use serde_json::{Value, json};

use crate::events::Events;
use crate::http::{Answer, exchange};
use crate::patience::{ensure, until};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A manager's API.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    /// Sent along, if there is one.
    token: Option<String>,
}

impl Api {
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self { address, token: None }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(format!("Bearer {token}")), ..self.clone() }
    }

    /// One request, `POST /v1/apps`; `Err` if it is not answered.
    pub(crate) fn attempt(
        &self,
        request: &str,
        more: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut headers = more.to_vec();
        headers.extend(self.token.as_deref().map(|token| ("authorization", token)));
        headers.extend(body.map(|_| JSON));
        exchange(self.address, request, &headers, &body.map(Value::to_string).unwrap_or_default())
    }

    /// One request with these headers, which must be answered.
    pub(crate) fn ask(&self, request: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        self.attempt(request, headers, body).unwrap_or_else(|error| panic!("{error}"))
    }

    /// One request, which must be answered with this status.
    pub(crate) fn expect(&self, status: u16, request: &str, body: Option<&Value>) -> Answer {
        let answer = self.ask(request, &[], body);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        answer
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.expect(200, &format!("GET {path}"), None).json()
    }

    /// Creates an app; returns once it is durable.
    pub(crate) fn create(&self, app: &Value) {
        self.expect(201, "POST /v1/apps", Some(app));
    }

    /// Scales an app; returns once that is durable.
    pub(crate) fn scale(&self, app: &str, instances: u32) {
        self.expect(202, &format!("POST /v1/apps/{app}/scale"), Some(&json!({ "instances": instances })));
    }

    pub(crate) fn delete(&self, path: &str) {
        self.expect(204, &format!("DELETE {path}"), None);
    }

    /// The slots of an app, in order; there are fewer than a page holds.
    pub(crate) fn tasks(&self, app: &str) -> Vec<Value> {
        let tasks = self.get(&format!("/v1/apps/{app}/tasks?limit=1000"));
        tasks.as_array().unwrap_or_else(|| panic!("no list: {tasks}")).clone()
    }

    /// The framework's id; waits until a subscription stands.
    pub(crate) fn framework(&self) -> String {
        until("a subscription", || {
            let framework = self.get("/v1/framework");
            ensure(framework["connected"] == true, || framework.to_string())?;
            Ok(framework["ID"].as_str().expect("an id").to_owned())
        })
    }

    /// Waits until an app has no change under way and so many tasks, all of them running and healthy.
    pub(crate) fn steady(&self, app: &str, instances: usize) -> Vec<Value> {
        until(&format!("{app} with {instances} healthy tasks"), || {
            let shown = self.get(&format!("/v1/apps/{app}"));
            let tasks = self.tasks(app);
            let well = |task: &Value| task["status"] == "TASK_RUNNING" && task["healthy"] == "healthy";
            let so = shown["operationStatus"] == "noop"
                && shown["instances"] == instances
                && tasks.len() == instances
                && tasks.iter().all(well);
            ensure(so, || format!("{shown}\ntasks: {}", brief(&tasks)))?;
            Ok(tasks)
        })
    }

    /// Waits until the slot of a task that was lost has a new one; the tasks of the other slots must be the old ones.
    pub(crate) fn replaced(&self, app: &str, before: &[Value], lost: &Value) -> Vec<Value> {
        until(&format!("a new task in place of {}", lost["id"]), || {
            let now = self.tasks(app);
            let new = |task: &&Value| task["id"] != lost["id"] && task["id"] != "";
            let slot = now.iter().filter(|task| task["name"] == lost["name"]).find(new);
            slot.map(|_| ()).ok_or_else(|| brief(&now))
        });
        let now = self.steady(app, before.len());
        for (old, new) in before.iter().zip(&now) {
            assert_eq!(old["name"], new["name"]);
            assert_eq!(old["id"] != new["id"], old["id"] == lost["id"], "was {old}\nis {new}");
        }
        now
    }

    /// Waits until an app is no more.
    pub(crate) fn gone(&self, app: &str) {
        until(&format!("the end of {app}"), || {
            let answer = self.ask(&format!("GET /v1/apps/{app}"), &[], None);
            ensure(answer.status == 404, || answer.body)
        });
    }

    /// Follows events, after the one named if one is.
    pub(crate) fn events(&self, after: Option<&str>) -> Events {
        Events::follow(self.address, after)
    }
}

/// Tasks in a line each.
pub(crate) fn brief(tasks: &[Value]) -> String {
    let line = |task: &Value| {
        format!(
            "\n  {} {} {} {} {}",
            task["name"], task["id"], task["status"], task["healthy"], task["errmsg"]
        )
    };
    tasks.iter().map(line).collect()
}

/// Where a task serves HTTP.
pub(crate) fn address(task: &Value) -> SocketAddr {
    let port = task["ports"][0].as_u64().and_then(|port| port.try_into().ok());
    let (host, port) = (task["host"].as_str().expect("a host"), port.expect("a port"));
    let mut found = (host, port).to_socket_addrs().unwrap_or_else(|error| panic!("{host}: {error}"));
    found.next().unwrap_or_else(|| panic!("{host} has no address"))
}
