//! Owns the conversation with a Docker engine: its HTTP API on a Unix socket, one connection per request.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::container::CLUSTER_LABEL;
use super::image;

/// The longest answer that is read.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// So long a request may take that does not wait for a container or a registry.
const CALL_LIMIT: Duration = Duration::from_secs(120);
const PING_LIMIT: Duration = Duration::from_secs(5);

/// A Docker engine.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    socket: Arc<Path>,
}

/// What went wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// No engine, or it broke off.
    #[error("Cannot connect to the Docker daemon: {0}")]
    Unreachable(String),
    /// The engine says no.
    #[error("Error response from daemon: {message}")]
    Refused { status: u16, message: String },
}

impl Engine {
    pub(crate) fn at(socket: &Path) -> Self {
        Self { socket: socket.into() }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) async fn ping(&self) -> Result<(), EngineError> {
        let ping = self.call(Method::GET, "/_ping", None);
        tokio::time::timeout(PING_LIMIT, ping).await.unwrap_or_else(|_| Err(late()))?;
        Ok(())
    }

    /// Removes containers of this cluster that belong to none of its tasks.
    pub(crate) async fn remove_strays(&self, cluster: &str, known: &BTreeSet<String>) {
        let filters = json!({ "label": [format!("{CLUSTER_LABEL}={cluster}")] }).to_string();
        let path = format!("/containers/json?all=1&filters={}", encode(&filters));
        let Ok(list) = self.json(Method::GET, &path, None).await else { return };
        for container in list.as_array().into_iter().flatten() {
            let name = container["Names"][0].as_str().unwrap_or_default().trim_start_matches('/');
            let id = name.strip_prefix("mesos-").unwrap_or(name);
            if !name.is_empty() && !known.contains(id) {
                tracing::info!("container {name} belongs to no task and is removed");
                let _gone_already = self.remove(name).await;
            }
        }
    }

    pub(crate) async fn has_image(&self, image: &str) -> bool {
        self.call(Method::GET, &format!("/images/{}/json", encode(image)), None).await.is_ok()
    }

    /// Takes as long as the registry takes.
    pub(crate) async fn pull(&self, image: &str) -> Result<(), EngineError> {
        let (name, tag) = image::name_and_tag(image);
        let path = format!("/images/create?fromImage={}&tag={}", encode(name), encode(tag));
        let response = self.request(Method::POST, &path, None).await?;
        let progress = read(response).await?;
        match image::failure(&progress) {
            Some(message) => Err(EngineError::Refused { status: 500, message }),
            None => Ok(()),
        }
    }

    pub(crate) async fn create(&self, name: &str, config: &Value) -> Result<(), EngineError> {
        self.call(Method::POST, &format!("/containers/create?name={name}"), Some(config)).await?;
        Ok(())
    }

    pub(crate) async fn start(&self, name: &str) -> Result<(), EngineError> {
        self.call(Method::POST, &format!("/containers/{name}/start"), None).await?;
        Ok(())
    }

    pub(crate) async fn inspect(&self, name: &str) -> Result<Value, EngineError> {
        self.json(Method::GET, &format!("/containers/{name}/json"), None).await
    }

    /// Waits until the container does not run, and says its exit status.
    pub(crate) async fn wait(&self, name: &str) -> Result<i32, EngineError> {
        let path = format!("/containers/{name}/wait?condition=not-running");
        let response = self.request(Method::POST, &path, None).await?;
        let answer = parse(&read(response).await?)?;
        let status = answer["StatusCode"].as_i64().and_then(|status| i32::try_from(status).ok());
        status.ok_or_else(|| EngineError::Unreachable("no status in its answer".into()))
    }

    /// Sends a signal, the container's own stop signal by default. That it no longer runs is no error.
    pub(crate) async fn signal(&self, name: &str, signal: Option<&str>) {
        let own = match signal {
            Some(signal) => signal.to_owned(),
            None => self.stop_signal(name).await,
        };
        let path = format!("/containers/{name}/kill?signal={}", encode(&own));
        match self.call(Method::POST, &path, None).await {
            Ok(_) | Err(EngineError::Refused { status: 404 | 409, .. }) => {}
            Err(error) => tracing::warn!("container {name} gets no signal {own}: {error}"),
        }
    }

    async fn stop_signal(&self, name: &str) -> String {
        let inspected = self.inspect(name).await.unwrap_or_default();
        let signal = inspected["Config"]["StopSignal"].as_str().filter(|signal| !signal.is_empty());
        signal.unwrap_or("TERM").to_owned()
    }

    /// With its anonymous volumes, running or not. That there is none is no error.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), EngineError> {
        match self.call(Method::DELETE, &format!("/containers/{name}?force=1&v=1"), None).await {
            Ok(_) | Err(EngineError::Refused { status: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a command in the container and says its exit status.
    pub(crate) async fn exec(&self, name: &str, arguments: &[String]) -> Result<i64, EngineError> {
        let wanted = json!({ "Cmd": arguments, "AttachStdout": true, "AttachStderr": true });
        let made = self.json(Method::POST, &format!("/containers/{name}/exec"), Some(&wanted)).await?;
        let id = made["Id"].as_str().unwrap_or_default();
        let how = json!({ "Detach": false, "Tty": false });
        let response = self.request(Method::POST, &format!("/exec/{id}/start"), Some(&how)).await?;
        let mut output = refused(response).await?.into_body();
        while let Some(frame) = output.frame().await {
            frame.map_err(unreachable)?;
        }
        let inspected = self.json(Method::GET, &format!("/exec/{id}/json"), None).await?;
        inspected["ExitCode"]
            .as_i64()
            .ok_or_else(|| EngineError::Unreachable("the command has no status".into()))
    }

    async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, EngineError> {
        parse(&self.call(method, path, body).await?)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Bytes, EngineError> {
        let whole = async { read(self.request(method, path, body).await?).await };
        tokio::time::timeout(CALL_LIMIT, whole).await.unwrap_or_else(|_| Err(late()))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Incoming>, EngineError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(unreachable)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
        // Ends when the answer has been read or dropped.
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "docker")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(unreachable)?;
        sender.send_request(request).await.map_err(unreachable)
    }
}

fn unreachable(error: impl std::fmt::Display) -> EngineError {
    EngineError::Unreachable(error.to_string())
}

fn late() -> EngineError {
    EngineError::Unreachable("it does not answer in time".into())
}

fn parse(bytes: &[u8]) -> Result<Value, EngineError> {
    serde_json::from_slice(bytes).map_err(unreachable)
}

async fn read(response: Response<Incoming>) -> Result<Bytes, EngineError> {
    let response = refused(response).await?;
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(unreachable)?;
    Ok(body.to_bytes())
}

/// Makes an error of a status that is one.
async fn refused(response: Response<Incoming>) -> Result<Response<Incoming>, EngineError> {
    let status = response.status();
    if status.is_success() || status.is_redirection() {
        return Ok(response);
    }
    let body =
        Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(unreachable)?.to_bytes();
    let told = serde_json::from_slice::<Value>(&body).ok();
    let message = told.as_ref().and_then(|told| told["message"].as_str());
    let message = message.map_or_else(|| String::from_utf8_lossy(&body).trim().to_owned(), str::to_owned);
    Err(EngineError::Refused { status: status.as_u16(), message })
}

/// Percent-encodes all that could mean something else in a path or a query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
