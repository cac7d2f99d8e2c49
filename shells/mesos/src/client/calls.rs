//! Owns the connection for all calls but SUBSCRIBE: kept alive, one request after the other, so that they arrive in order.

use std::sync::Arc;

use hyper::body::Incoming;
use swan_core::link::{CallAnswer, CallId, ConnId, LinkInput, excerpt};
use swan_core::mesos::FrameworkId;
use swan_core::scheduler::effect::MesosCall;
use tokio::sync::mpsc;

use super::connect::{Connector, Http, Outbound};
use super::request::{Target, body_start, head};

/// One call to make.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) id: CallId,
    pub(super) stream_id: String,
    pub(super) framework: FrameworkId,
    pub(super) call: Box<MesosCall>,
}

/// Makes the calls of one subscription.
pub(super) struct CallWorker<C> {
    conn: ConnId,
    connector: Arc<C>,
    target: Target,
    inputs: mpsc::Sender<LinkInput>,
    http: Option<Http>,
}

impl<C: Connector> CallWorker<C> {
    pub(super) const fn new(
        conn: ConnId,
        connector: Arc<C>,
        target: Target,
        inputs: mpsc::Sender<LinkInput>,
    ) -> Self {
        Self { conn, connector, target, inputs, http: None }
    }

    /// Runs until the link closes the subscription.
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Outgoing>) {
        while let Some(outgoing) = queue.recv().await {
            let id = outgoing.id;
            let answer = self.make(outgoing).await.unwrap_or_else(|why| {
                self.http = None;
                CallAnswer::Lost { why: excerpt(&why) }
            });
            if self.inputs.send(LinkInput::Answered { conn: self.conn, id, answer }).await.is_err() {
                return;
            }
        }
    }

    async fn make(&mut self, outgoing: Outgoing) -> Result<CallAnswer, String> {
        let Outgoing { stream_id, framework, call, .. } = outgoing;
        let call = call.into_call().ok_or("the call is none that a master knows")?;
        let request = self.target.request(Some(&framework), &call, Some(&stream_id))?;
        let answer = self.send(request).await?;
        let mut response = head(answer.status().as_u16(), answer.headers());
        let (body, complete) = body_start(answer.into_body()).await;
        response.body = body;
        if !complete {
            self.http = None;
        }
        Ok(CallAnswer::Response(response))
    }

    /// Sends a request over the open connection or a new one. Masters close idle connections: a request that has not left
    /// yet is sent again, one that may have left never is.
    async fn send(&mut self, mut request: Outbound) -> Result<http::Response<Incoming>, String> {
        if let Some(http) = &mut self.http
            && http.is_ready().await
        {
            match http.sender.try_send_request(request).await {
                Ok(answer) => return Ok(answer),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(failed.into_error().to_string()),
                },
            }
        }
        let http = self.http.insert(Http::open(&*self.connector, &self.target.master).await?);
        http.sender.send_request(request).await.map_err(|why| why.to_string())
    }
}
