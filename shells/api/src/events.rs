//! Owns the event stream: server-sent events that a client can resume, with gaps said aloud.

use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use crate::limits::EVENT_KEEPALIVE;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use swan_core::id::DottedId;
use swan_core::scheduler::api::Caller;
use swan_core::scheduler::event::EventId;

use crate::calls::Parameters;
use crate::dto::{EventDto, GapDto};
use crate::feed::{Batch, Subscription, Told};
use crate::problem::Problem;
use crate::quota::Seat;
use crate::service::Api;

/// A client waits this long before it comes back, in milliseconds.
const RETRY: u64 = 1000;

/// Events as they become durable (`text/event-stream`): `id` is `<epoch>-<seq>-<n>`, `event` the type, `data` JSON.
/// A client that comes back with an id that is not known (any more) first gets an event `gap`; one that reads too
/// slowly gets a `gap` and is cut off.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(
        ("app" = Option<String>, Query, description = "Only events of these apps: dotted ids, joined by commas"),
        ("type" = Option<String>, Query, description = "Only events of these types, joined by commas"),
        ("lastEventId" = Option<String>, Query, description = "For clients that cannot set the header"),
        ("Last-Event-ID" = Option<String>, Header, description = "Go on after this event")),
    responses(
        (status = 200, description = "Each event's data", body = EventDto, content_type = "text/event-stream"),
        (status = 429, description = "Too many streams")))]
pub(crate) async fn follow(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&["app", "type", "lastEventId"])?;
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let last = header.or_else(|| parameters.last("lastEventId")).filter(|text| !text.is_empty());
    let identity = match caller.name.as_str() {
        "anonymous" => format!("anonymous@{}", caller.address),
        name => name.to_owned(),
    };
    let Some(seat) = api.streams.take(identity) else {
        let detail = "too many event streams are open; close some, or try later";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail));
    };
    // Junk is an unknown id like any other: the client learns that it may have missed something.
    let last = last.map(|text| EventId::parse(text).unwrap_or_default());
    let stream = Stream {
        subscription: api.manager.events().subscribe(last),
        filter: Filter {
            apps: parameters.all("app").iter().map(|app| DottedId::from_text(app)).collect(),
            types: parameters.all("type"),
        },
        stage: Stage::Opening,
        _seat: seat,
    };
    let chunks = stream::unfold(stream, |mut stream| async move {
        let chunk = stream.next_chunk().await?;
        Some((Ok::<_, Infallible>(chunk), stream))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((kind, Body::from_stream(chunks)).into_response())
}

struct Stream {
    subscription: Subscription,
    filter: Filter,
    stage: Stage,
    _seat: Seat<String>,
}

#[derive(PartialEq, Eq)]
enum Stage {
    /// Nothing written yet.
    Opening,
    /// Nothing read from the feed yet: a gap is the client's old id.
    Resuming,
    /// A gap is the client's slowness.
    Following,
    /// Cut off.
    Closed,
}

struct Filter {
    apps: Vec<DottedId>,
    types: Vec<String>,
}

impl Filter {
    fn takes(&self, event: &Told) -> bool {
        let (app, kind) = match event {
            Told::Own(event) => (event.app.as_ref().map(DottedId::as_str), event.kind.name()),
            Told::Copied(event) => (event.app.as_deref(), event.kind.as_str()),
        };
        (self.apps.is_empty() || app.is_some_and(|app| self.names(app)))
            && (self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind))
    }

    fn names(&self, app: &str) -> bool {
        self.apps.iter().any(|wanted| wanted.as_str().eq_ignore_ascii_case(app))
    }
}

impl Stream {
    async fn next_chunk(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Resuming;
                return Some(self.position(&format!(": swan\nretry: {RETRY}\n")));
            }
            Stage::Closed => return None,
            Stage::Resuming | Stage::Following => {}
        }
        let keepalive = tokio::time::sleep(Duration::from_millis(EVENT_KEEPALIVE.0));
        tokio::pin!(keepalive);
        loop {
            let batch = tokio::select! {
                batch = self.subscription.next() => batch,
                () = &mut keepalive => return Some(self.position(": keepalive\n")),
            };
            let resuming = std::mem::replace(&mut self.stage, Stage::Following) == Stage::Resuming;
            match batch {
                Batch::Events(events) => {
                    let text: String =
                        events.iter().filter(|event| self.filter.takes(event)).map(frame).collect();
                    if !text.is_empty() {
                        return Some(text.into());
                    }
                }
                Batch::Gap(newest) => {
                    if !resuming {
                        self.stage = Stage::Closed;
                    }
                    return Some(gap(newest, if resuming { "unknown" } else { "slow" }));
                }
            }
        }
    }

    /// A block without data: it tells the client where it stands, also past events that its filter leaves out.
    fn position(&self, lines: &str) -> Bytes {
        match self.subscription.position() {
            Some(id) => format!("{lines}id: {id}\n\n").into(),
            None => format!("{lines}\n").into(),
        }
    }
}

fn frame(event: &Told) -> String {
    match event {
        Told::Own(event) => {
            let data = serde_json::to_string(&EventDto::from(&**event))
                .expect("our documents can be written as JSON");
            framed(event.id, event.kind.name(), &data)
        }
        Told::Copied(event) => framed(event.id, &event.kind, &event.data),
    }
}

fn framed(id: EventId, kind: &str, data: &str) -> String {
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")
}

fn gap(newest: Option<EventId>, reason: &str) -> Bytes {
    let data = GapDto { kind: "gap".to_owned(), reason: reason.to_owned() };
    let data = serde_json::to_string(&data).expect("our documents can be written as JSON");
    let mut text = String::new();
    // An id that is empty makes the client forget the one that is unknown here.
    let id = newest.map(|id| id.to_string()).unwrap_or_default();
    write!(text, "id: {id}\nevent: gap\ndata: {data}\n\n").expect("a string takes any text");
    text.into()
}
