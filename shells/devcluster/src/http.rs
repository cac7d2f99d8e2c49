//! Owns the HTTP side of the master: the v1 scheduler API, and as much of the operator API as tools ask for first.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use serde_json::{Value, json};
use swan_core::mesos::{AgentId, Call, Event, FrameworkId};
use swan_core::time::Millis;
use swan_mesos::wire::v1::{master, scheduler};
use swan_mesos::wire::{call_from_wire, encode_record, event_to_wire};
use swan_sim::mesos::{ConnId, OperatorCall};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc as events, oneshot};
use tokio::task::JoinSet;

use crate::driver::{Head, Message};

/// The longest body of a call.
const BODY_MAX: usize = 16 * 1024 * 1024;
/// Connections served at a time; more wait.
const CONNECTIONS_MAX: usize = 1024;

type Inbox = mpsc::Sender<Message>;
/// A status and a text for the client.
type Refusal = (u16, String);

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Protobuf,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// One RecordIO record; `None` for an event that has no form on the wire.
    pub(crate) fn event(self, event: &Event) -> Option<Bytes> {
        let wire = match event_to_wire(event) {
            Ok(wire) => wire,
            Err(error) => {
                tracing::warn!("an event cannot be sent: {error}");
                return None;
            }
        };
        match self {
            Self::Json => serde_json::to_vec(&wire).ok().map(|record| encode_record(&record)),
            Self::Protobuf => Some(encode_record(&wire.encode_to_vec())),
        }
    }
}

/// The body of an answer: a text, or events until the stream ends.
#[derive(Debug)]
pub(crate) enum Answer {
    Text(Option<Bytes>),
    Events(EventBody),
}

/// Events of one stream. Dropping it tells the driver that the client is gone.
#[derive(Debug)]
pub(crate) struct EventBody {
    events: events::Receiver<Bytes>,
    cut: Arc<AtomicBool>,
    conn: ConnId,
    inbox: Inbox,
}

impl EventBody {
    pub(crate) fn new(
        events: events::Receiver<Bytes>,
        cut: Arc<AtomicBool>,
        conn: ConnId,
        inbox: Inbox,
    ) -> Self {
        Self { events, cut, conn, inbox }
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        let _driver_gone = self.inbox.send(Message::Closed(self.conn));
    }
}

/// The client did not read, and is cut off without a last chunk.
#[derive(Debug, thiserror::Error)]
#[error("the client is too slow")]
pub(crate) struct Cut;

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Events(stream) => {
                if stream.cut.load(Ordering::Acquire) {
                    return Poll::Ready(Some(Err(Cut)));
                }
                stream.events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Text(text) => {
                hyper::body::SizeHint::with_exact(text.as_ref().map_or(0, |it| it.len() as u64))
            }
            Self::Events(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// Serves connections until aborted.
pub(crate) async fn serve(listener: TcpListener, inbox: Inbox) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("a connection is not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _stays_slower = stream.set_nodelay(true);
        let inbox = inbox.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let inbox = inbox.clone();
                async move { Ok::<_, Infallible>(route(request, &inbox).await) }
            });
            let server = hyper::server::conn::http1::Builder::new();
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(permit);
        });
    }
}

async fn route(request: Request<Incoming>, inbox: &Inbox) -> Response<Answer> {
    let path = request.uri().path().to_owned();
    let path = path.strip_prefix("/master").unwrap_or(&path);
    let reads = *request.method() == Method::GET;
    match path {
        "/api/v1/scheduler" | "/api/v1" if *request.method() != Method::POST => {
            let body = format!(
                "405 Method Not Allowed. Expecting one of {{ 'POST' }}, but received '{}'.",
                request.method()
            );
            let mut response = text(405, body);
            response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("POST"));
            response
        }
        "/api/v1/scheduler" => {
            schedule(request, inbox).await.unwrap_or_else(|(status, body)| text(status, body))
        }
        "/api/v1" => operate(request, inbox).await.unwrap_or_else(|(status, body)| text(status, body)),
        "/health" if reads => text(200, ""),
        "/version" if reads => json_answer(&version()),
        "/state" | "/state.json" if reads => match show(inbox).await {
            Some(state) => json_answer(&state),
            None => text(503, "The cluster is stopping"),
        },
        _ => text(404, format!("There is no {path} here; the scheduler API is POST /api/v1/scheduler")),
    }
}

async fn show(inbox: &Inbox) -> Option<Value> {
    let (answer, shown) = oneshot::channel();
    inbox.send(Message::Show(answer)).ok()?;
    shown.await.ok()
}

fn version() -> Value {
    json!({ "version": "1.12.0", "build_user": "swan" })
}

fn respond(status: u16, content_type: &'static str, body: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::Text((!body.is_empty()).then_some(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if !response.body().is_end_stream() {
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    }
    response
}

fn text(status: u16, body: impl Into<String>) -> Response<Answer> {
    respond(status, "text/plain; charset=utf-8", Bytes::from(body.into()))
}

fn json_answer(value: &Value) -> Response<Answer> {
    respond(200, Format::Json.media_type(), Bytes::from(value.to_string()))
}

/// One request of the scheduler API, checked in a master's order.
async fn schedule(request: Request<Incoming>, inbox: &Inbox) -> Result<Response<Answer>, Refusal> {
    let (head, body) = request.into_parts();
    let format = content_format(&head.headers)?;
    let body = collect(body).await?;
    let (framework_id, call) = parse(format, &body)?;
    let stream_id =
        head.headers.get("mesos-stream-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    if !matches!(call, Call::Subscribe { .. }) {
        let (answer, answered) = oneshot::channel();
        let message = Message::Call { stream_id, framework_id, call: Box::new(call), answer };
        let (status, body) = ask(inbox, message, answered).await?;
        return Ok(text(status, body));
    }
    let format = accepted_format(&head.headers)?;
    let (answer, answered) = oneshot::channel();
    let message = Message::Subscribe { stream_id, framework_id, call: Box::new(call), format, head: answer };
    match ask(inbox, message, answered).await? {
        Head::Rejected { status, body } => Ok(text(status, body)),
        Head::Accepted { stream_id, body } => {
            let mut response = Response::new(Answer::Events(body));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(format.media_type()));
            if let Ok(id) = stream_id.parse() {
                headers.insert("Mesos-Stream-Id", id);
            }
            Ok(response)
        }
    }
}

async fn ask<T>(inbox: &Inbox, message: Message, answered: oneshot::Receiver<T>) -> Result<T, Refusal> {
    let stopping = || (503, "The cluster is stopping".to_owned());
    inbox.send(message).map_err(|_| stopping())?;
    answered.await.map_err(|_| stopping())
}

async fn collect(body: Incoming) -> Result<Bytes, Refusal> {
    let whole = Limited::new(body, BODY_MAX).collect().await;
    whole.map(|it| it.to_bytes()).map_err(|error| (400, format!("Failed to read the body: {error}")))
}

fn content_format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err((400, "Expecting 'Content-Type' to be present".into()));
    };
    let value = value.to_str().unwrap_or_default();
    match value.split(';').next().unwrap_or_default().trim() {
        "application/json" => Ok(Format::Json),
        "application/x-protobuf" => Ok(Format::Protobuf),
        _ => Err((415, "Expecting 'Content-Type' of application/json or application/x-protobuf".into())),
    }
}

/// JSON is what a master prefers.
fn accepted_format(headers: &HeaderMap) -> Result<Format, Refusal> {
    let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let ranges = || {
        values
            .iter()
            .flat_map(|value| value.split(','))
            .map(|range| range.split(';').next().unwrap_or_default().trim())
    };
    let accepts = |format: Format| {
        values.is_empty()
            || ranges().any(|range| ["*/*", "application/*", format.media_type()].contains(&range))
    };
    match (accepts(Format::Json), accepts(Format::Protobuf)) {
        (true, _) => Ok(Format::Json),
        (false, true) => Ok(Format::Protobuf),
        (false, false) => {
            Err((406, "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'".into()))
        }
    }
}

/// The call in a body, and its framework's id. Errors are worded as a master words them.
fn parse(format: Format, body: &[u8]) -> Result<(Option<FrameworkId>, Call), Refusal> {
    let bad = |problem: String| (400, problem);
    let wire = match format {
        Format::Protobuf => scheduler::Call::decode(body)
            .map_err(|_| bad("Failed to parse body into Call protobuf".into()))?,
        Format::Json => {
            let value: Value = serde_json::from_slice(body).map_err(|error| {
                bad(format!(
                    "Failed to parse body into JSON: syntax error at line {} near: ",
                    error.line().max(1)
                ))
            })?;
            let known = value.get("type").and_then(Value::as_str);
            if known.and_then(scheduler::call::Type::from_str_name).is_none() {
                return Err(bad(missing("type")));
            }
            serde_json::from_value(value)
                .map_err(|error| bad(format!("Failed to convert JSON into Call protobuf: {error}")))?
        }
    };
    if wire.r#type.is_none_or(|number| scheduler::call::Type::try_from(number).is_err() || number == 0) {
        return Err(bad(missing("type")));
    }
    call_from_wire(wire).map_err(|error| {
        let error = error.to_string();
        bad(match error.strip_suffix(": is missing") {
            Some(field) if !field.contains('.') => missing(field),
            Some(field) => {
                format!("Failed to convert JSON into Call protobuf: Missing required fields: {field}")
            }
            None => format!("Failed to convert JSON into Call protobuf: {error}"),
        })
    })
}

fn missing(field: &str) -> String {
    format!("Failed to validate scheduler::Call: Expecting '{field}' to be present")
}

/// All frameworks, in the form that the client accepts.
async fn frameworks(headers: &HeaderMap, inbox: &Inbox) -> Result<Response<Answer>, Refusal> {
    let format = accepted_format(headers)?;
    let (answer, answered) = oneshot::channel();
    let list = ask(inbox, Message::Frameworks(answer), answered).await?;
    let list = list.map_err(|why| (500, why))?;
    let body = match format {
        Format::Json => serde_json::to_vec(&list).map_err(|why| (500, why.to_string()))?,
        Format::Protobuf => list.encode_to_vec(),
    };
    Ok(respond(200, format.media_type(), Bytes::from(body)))
}

/// The few calls of the operator API that the model knows; all but GET_FRAMEWORKS in JSON only.
async fn operate(request: Request<Incoming>, inbox: &Inbox) -> Result<Response<Answer>, Refusal> {
    let (head, body) = request.into_parts();
    let body = collect(body).await?;
    if content_format(&head.headers) == Ok(Format::Protobuf) {
        let call = master::Call::decode(body)
            .map_err(|_| (400, "Failed to parse body into Call protobuf".to_owned()))?;
        return match call.r#type() {
            master::call::Type::GetFrameworks => frameworks(&head.headers, inbox).await,
            master::call::Type::Unknown => {
                Err((400, "Failed to validate master::Call: Expecting 'type' to be present".into()))
            }
        };
    }
    let call: Value = serde_json::from_slice(&body)
        .map_err(|_| (400, "Failed to parse body into JSON: syntax error at line 1 near: ".to_owned()))?;
    let kind = call["type"].as_str().unwrap_or_default();
    let details = &call[kind.to_ascii_lowercase()];
    let agent = || details["agent_id"]["value"].as_str().map(AgentId::from);
    let nanoseconds = &details["max_grace_period"]["nanoseconds"];
    let nanoseconds = nanoseconds.as_u64().or_else(|| nanoseconds.as_str()?.parse().ok());
    let meant = match kind {
        "GET_HEALTH" => return Ok(json_answer(&json!({ "type": kind, "get_health": { "healthy": true } }))),
        "GET_FRAMEWORKS" => return frameworks(&head.headers, inbox).await,
        "GET_VERSION" => {
            return Ok(json_answer(&json!({ "type": kind, "get_version": { "version_info": version() } })));
        }
        "MARK_AGENT_GONE" => agent().map(|agent| OperatorCall::MarkAgentGone { agent }),
        "DRAIN_AGENT" => agent().map(|agent| OperatorCall::DrainAgent {
            agent,
            max_grace: nanoseconds.map(|nanoseconds| Millis(nanoseconds / 1_000_000)),
        }),
        "DEACTIVATE_AGENT" => agent().map(|agent| OperatorCall::DeactivateAgent { agent }),
        "REACTIVATE_AGENT" => agent().map(|agent| OperatorCall::ReactivateAgent { agent }),
        "TEARDOWN" => details["framework_id"]["value"]
            .as_str()
            .map(|id| OperatorCall::Teardown { framework: FrameworkId::from(id) }),
        _ => return Err((400, "Failed to validate master::Call: Expecting 'type' to be present".into())),
    };
    let Some(call) = meant else {
        let field = kind.to_ascii_lowercase();
        return Err((400, format!("Failed to validate master::Call: Expecting '{field}' to be present")));
    };
    let (answer, answered) = oneshot::channel();
    let (status, body) = ask(inbox, Message::Operate { call, answer }, answered).await?;
    Ok(text(status, body))
}
