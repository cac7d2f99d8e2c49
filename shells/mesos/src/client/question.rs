//! Owns the question for a master's frameworks: one request, one bounded answer.

use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use prost::Message;
use swan_core::limits::FRAMEWORKS_BYTES_MAX;
use swan_core::link::{ConnId, LinkInput, excerpt};
use swan_core::mesos::ListedFramework;
use tokio::sync::mpsc;

use super::connect::{Connector, Http};
use super::request::{Target, body_start, head};
use crate::wire::v1::master::Response;
use crate::wire::{frameworks_call, frameworks_from_wire};

/// Asks, and tells the answer. The link may drop it at any time.
pub(super) async fn run<C: Connector>(
    conn: ConnId,
    connector: Arc<C>,
    target: Target,
    inputs: mpsc::Sender<LinkInput>,
) {
    let input = ask(conn, &*connector, &target).await;
    let input = input.unwrap_or_else(|why| LinkInput::Closed { conn, why: excerpt(&why) });
    // A link that is gone wants to know nothing.
    let _ = inputs.send(input).await;
}

async fn ask<C: Connector>(conn: ConnId, connector: &C, target: &Target) -> Result<LinkInput, String> {
    let request = target.post("/api/v1", frameworks_call().encode_to_vec(), None)?;
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let mut http = Http::open(connector, &target.master).await?;
    let answer = http.sender.send_request(request).await.map_err(|why| why.to_string())?;
    if answer.status() != http::StatusCode::OK {
        let mut response = head(answer.status().as_u16(), answer.headers());
        response.body = body_start(answer.into_body()).await;
        return Ok(LinkInput::Opened { conn, response });
    }
    let frameworks = read(answer.into_body()).await?;
    Ok(LinkInput::Listed { conn, frameworks })
}

async fn read(body: Incoming) -> Result<Vec<ListedFramework>, String> {
    let whole = Limited::new(body, FRAMEWORKS_BYTES_MAX).collect().await;
    let whole = whole.map_err(|why| format!("the list of frameworks cannot be read: {why}"))?;
    let response = Response::decode(whole.to_bytes())
        .map_err(|why| format!("the answer to GET_FRAMEWORKS is no list: {why}"))?;
    frameworks_from_wire(response).map_err(|why| format!("the answer to GET_FRAMEWORKS is odd: {why}"))
}
