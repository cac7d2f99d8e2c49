//! Owns a master that is just enough to be subscribed to: it notes what it is asked, and says what a test tells it to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::unfold;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use prost::Message;
use swan_core::mesos::{Call, Event, FrameworkId, FrameworkInfo, ListedFramework, Subscribed};
use swan_core::time::Millis;
use swan_mesos::wire::v1::{master, scheduler};
use swan_mesos::wire::{call_from_wire, encode_record, event_to_wire, frameworks_call, frameworks_to_wire};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

pub(crate) const HEARTBEAT: Millis = Millis::from_secs(15);

/// What it answers to SUBSCRIBE.
#[derive(Clone, Debug, Default)]
pub(crate) enum Mood {
    #[default]
    Leads,
    RedirectsTo(String),
    Refuses(u16),
}

/// What it has seen, and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub mood: Mood,
    /// Ends the connection after each call.
    pub closes_after_call: bool,
    pub connections: usize,
    pub subscribes: Vec<Option<FrameworkId>>,
    /// With their stream ids.
    pub calls: Vec<(String, Call)>,
    pub authorization: Option<String>,
    /// What it lists when it is asked for its frameworks, and how often it was.
    pub frameworks: Vec<(FrameworkInfo, ListedFramework)>,
    pub questions: usize,
    stream: Option<mpsc::UnboundedSender<Bytes>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Master(Arc<Mutex<Notes>>);

type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Master {
    pub(crate) fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.0.lock().unwrap()
    }

    /// Serves one connection until it ends.
    pub(crate) async fn serve(self, io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        self.notes().connections += 1;
        let serve = |request| {
            let master = self.clone();
            async move { Ok::<_, Infallible>(master.answer(request).await) }
        };
        // How a connection ends is the client's affair.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(io), service_fn(serve)).await;
    }

    /// Says something on the newest stream.
    pub(crate) fn say(&self, event: &Event) {
        let record = encode_record(&event_to_wire(event).unwrap().encode_to_vec());
        // Cut in two, as chunks may be.
        let stream = self.notes().stream.clone().unwrap();
        stream.send(record.slice(..1)).unwrap();
        stream.send(record.slice(1..)).unwrap();
    }

    pub(crate) fn end_stream(&self) {
        self.notes().stream = None;
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        assert_eq!(parts.method.as_str(), "POST");
        let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("content-type").as_deref(), Some("application/x-protobuf"));
        let Ok(body) = body.collect().await else { return bare(400) };
        self.notes().authorization = header("authorization");
        if parts.uri.path() == "/api/v1" {
            assert_eq!(header("accept").as_deref(), Some("application/x-protobuf"));
            assert_eq!(master::Call::decode(body.to_bytes()), Ok(frameworks_call()));
            return self.list();
        }
        assert_eq!(parts.uri.path(), "/api/v1/scheduler");
        let call = scheduler::Call::decode(body.to_bytes()).unwrap();
        let (framework, call) = call_from_wire(call).unwrap();
        match (header("mesos-stream-id"), call) {
            (None, Call::Subscribe { framework_info, .. }) => {
                assert_eq!(framework, framework_info.id, "R9");
                self.notes().subscribes.push(framework.clone());
                self.subscribe(framework)
            }
            (Some(stream_id), call) => {
                self.notes().calls.push((stream_id, call));
                let mut answer = bare(202);
                if self.notes().closes_after_call {
                    answer.headers_mut().insert("connection", "close".parse().unwrap());
                }
                answer
            }
            (None, _) => bare(403),
        }
    }

    /// What it answers instead, if it does not lead.
    fn instead(&self) -> Option<Response<Body>> {
        match self.notes().mood.clone() {
            Mood::Refuses(status) => Some(bare(status)),
            Mood::RedirectsTo(location) => {
                let answer = Response::builder().status(307).header("location", location);
                Some(answer.body(Full::default().boxed_unsync()).unwrap())
            }
            Mood::Leads => None,
        }
    }

    fn list(&self) -> Response<Body> {
        self.notes().questions += 1;
        if let Some(instead) = self.instead() {
            return instead;
        }
        let notes = self.notes();
        let list = notes.frameworks.iter().map(|(info, listed)| (info, listed.clone()));
        let list = frameworks_to_wire(list).unwrap().encode_to_vec();
        Response::new(Full::from(list).boxed_unsync())
    }

    fn subscribe(&self, framework: Option<FrameworkId>) -> Response<Body> {
        if let Some(instead) = self.instead() {
            return instead;
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let number = self.notes().subscribes.len();
        self.notes().stream = Some(sender.clone());
        let heartbeats = sender.downgrade();
        tokio::spawn(async move {
            let beat = event_to_wire(&Event::Heartbeat).unwrap().encode_to_vec();
            loop {
                tokio::time::sleep(Duration::from_millis(HEARTBEAT.0)).await;
                let Some(stream) = heartbeats.upgrade() else { return };
                let _ = stream.send(encode_record(&beat));
            }
        });
        let subscribed = Subscribed {
            framework_id: framework.unwrap_or_else(|| "F".into()),
            heartbeat_interval: Some(HEARTBEAT),
            master_info: None,
        };
        drop(sender);
        self.say(&Event::Subscribed(Box::new(subscribed)));
        let body = StreamBody::new(unfold(receiver, async |mut receiver: mpsc::UnboundedReceiver<Bytes>| {
            let chunk = receiver.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(chunk)), receiver))
        }));
        let answer = Response::builder().header("mesos-stream-id", format!("stream-{number}"));
        answer.body(body.boxed_unsync()).unwrap()
    }
}

fn bare(status: u16) -> Response<Body> {
    let body = if status < 300 { "" } else { "because of a reason" };
    Response::builder().status(status).body(Full::from(body).boxed_unsync()).unwrap()
}
