//! Owns the subscription's stream: from the request to the last record.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message;
use swan_core::link::{ConnId, LinkInput, excerpt};
use swan_core::mesos::{Call, FrameworkInfo};
use tokio::sync::mpsc;

use super::connect::{Connector, Http};
use super::request::{Target, body_start, head};
use crate::wire::v1::scheduler::Event;
use crate::wire::{RecordDecoder, event_from_wire};

/// Subscribes, and tells all that the master says until the stream ends. The link may drop it at any time.
pub(super) async fn run<C: Connector>(
    conn: ConnId,
    connector: Arc<C>,
    target: Target,
    framework: Box<FrameworkInfo>,
    suppressed_roles: Vec<String>,
    inputs: mpsc::Sender<LinkInput>,
) {
    // R9: beside the call stands the same id as in it.
    let id = framework.id.clone();
    let call = Call::Subscribe { framework_info: framework, suppressed_roles };
    let subscription = Subscription { conn, inputs: &inputs };
    let why = match target.subscription(id.as_ref(), &call) {
        Ok(request) => match Http::open(&*connector, &target.master).await {
            Ok(mut http) => match http.sender.send_request(request).await {
                Ok(response) => subscription.read(response).await,
                Err(why) => why.to_string(),
            },
            Err(why) => why,
        },
        Err(why) => why,
    };
    subscription.tell(LinkInput::Closed { conn, why: excerpt(&why) }).await;
}

struct Subscription<'a> {
    conn: ConnId,
    inputs: &'a mpsc::Sender<LinkInput>,
}

impl Subscription<'_> {
    /// A link that is gone wants to know nothing.
    async fn tell(&self, input: LinkInput) {
        let _ = self.inputs.send(input).await;
    }

    /// Returns why the stream ended.
    async fn read(&self, answer: http::Response<Incoming>) -> String {
        let mut response = head(answer.status().as_u16(), answer.headers());
        if answer.status() != http::StatusCode::OK {
            response.body = body_start(answer.into_body()).await;
            let why = response.to_string();
            self.tell(LinkInput::Opened { conn: self.conn, response }).await;
            return why;
        }
        self.tell(LinkInput::Opened { conn: self.conn, response }).await;
        self.records(answer.into_body()).await
    }

    async fn records(&self, mut body: Incoming) -> String {
        let mut decoder = RecordDecoder::new();
        while let Some(frame) = body.frame().await {
            let chunk = match frame.map(http_body::Frame::into_data) {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(_trailers)) => continue,
                Err(why) => return why.to_string(),
            };
            decoder.push(&chunk);
            let mut whole = false;
            while let Some(record) = decoder.next_record() {
                match record {
                    Ok(record) => self.tell(self.input_of(&record)).await,
                    Err(why) => return why.to_string(),
                }
                whole = true;
            }
            if !whole {
                self.tell(LinkInput::Alive { conn: self.conn }).await;
            }
        }
        let place = if decoder.is_between_records() { "" } else { " inside a record" };
        format!("the master ended the stream{place}")
    }

    fn input_of(&self, record: &[u8]) -> LinkInput {
        let conn = self.conn;
        let event = Event::decode(record).map_err(|why| why.to_string());
        match event.and_then(|event| event_from_wire(event).map_err(|why| why.to_string())) {
            Ok(event) => LinkInput::Event { conn, event: Box::new(event) },
            Err(why) => LinkInput::Unreadable { conn, why },
        }
    }
}
