//! Owns the way of what only the leader can answer: changes, events, and what offers say. A manager that follows hands it
//! on, once; whoever gets it and does not lead says so, and has done nothing.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use swan_core::record::Seq;
use tokio::time::{Instant, sleep, timeout_at};

use crate::body;
use crate::limits::{FOLLOW_PATIENCE, FORWARD_PATIENCE};
use crate::manager::Manager;
use crate::peers::{Peers, SendError};
use crate::problem::Problem;

/// Marks a request that another manager has handed on, and its answer.
pub const FORWARDED: HeaderName = HeaderName::from_static("swan-forwarded");
/// On an answer to such: nothing was done, since this manager does not lead.
pub const FOLLOWS: HeaderName = HeaderName::from_static("swan-follows");
/// On an answer to such: the newest batch that was durable.
const DURABLE: HeaderName = HeaderName::from_static("swan-durable");
/// Pause before it is looked again who leads.
const PAUSE: Duration = Duration::from_millis(20);
/// Headers that are about one connection.
const OF_A_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What a request's way to the leader needs.
pub(crate) struct Way<'a> {
    pub(crate) manager: &'a dyn Manager,
    /// Our own address.
    pub(crate) own: &'a str,
    pub(crate) peers: &'a dyn Peers,
}

/// Where a request went.
pub(crate) enum Taken {
    /// This manager leads: it is to be answered here.
    Here(Request<Body>),
    Answered(Response),
}

/// Whether another manager has handed a request on.
pub(crate) fn is_forwarded(request: &Request<Body>) -> bool {
    request.headers().contains_key(FORWARDED)
}

/// Says on an answer what the manager that handed the request on must know to show what came of it.
pub(crate) fn tell_followed(response: &mut Response, durable: Seq) {
    response.headers_mut().insert(DURABLE, HeaderValue::from(durable.0));
}

impl Way<'_> {
    pub(crate) async fn take(&self, request: Request<Body>) -> Taken {
        if self.manager.standing().leading {
            return Taken::Here(request);
        }
        if is_forwarded(&request) {
            let mut refusal = nobody().into_response();
            refusal.headers_mut().insert(FOLLOWS, HeaderValue::from_static("true"));
            return Taken::Answered(refusal);
        }
        match collect(request).await {
            Ok(request) => self.forward(request).await,
            Err(problem) => Taken::Answered(problem.into_response()),
        }
    }

    /// Looks who leads, and has that one answer; again while nobody does, for some time.
    async fn forward(&self, request: Request<Bytes>) -> Taken {
        let deadline = Instant::now() + Duration::from_millis(FORWARD_PATIENCE.0);
        loop {
            if self.manager.standing().leading {
                return Taken::Here(request.map(Body::from));
            }
            let leader = timeout_at(deadline, self.peers.leader()).await.ok().flatten();
            if let Some(leader) = leader.filter(|leader| leader != self.own) {
                match self.peers.send(&leader, handed_on(&request)).await {
                    Ok(response) if response.headers().contains_key(FOLLOWS) => {}
                    Ok(response) => return Taken::Answered(self.taken_back(response).await),
                    Err(SendError::NotSent(_)) => {}
                    Err(SendError::Unknown(why)) => {
                        let detail = format!(
                            "the leader {leader} did not answer: {why}; a change may still happen: repeat it with the \
                             same Idempotency-Key"
                        );
                        return Taken::Answered(Problem::unavailable(detail).into_response());
                    }
                }
            }
            if Instant::now() >= deadline {
                return Taken::Answered(nobody().into_response());
            }
            sleep(PAUSE).await;
        }
    }

    /// The leader's answer, for the client: once what it rests on can be seen here too.
    async fn taken_back(&self, mut response: Response) -> Response {
        let durable = response.headers_mut().remove(DURABLE);
        let durable = durable.and_then(|value| value.to_str().ok()?.parse().ok()).map_or(Seq(0), Seq);
        let deadline = Instant::now() + Duration::from_millis(FOLLOW_PATIENCE.0);
        while self.manager.standing().followed < durable && Instant::now() < deadline {
            self.manager.follow();
            sleep(PAUSE).await;
        }
        for name in OF_A_CONNECTION {
            response.headers_mut().remove(name);
        }
        response
    }
}

fn nobody() -> Problem {
    Problem::unavailable("no manager leads at the moment; try again")
}

async fn collect(request: Request<Body>) -> Result<Request<Bytes>, Problem> {
    let (parts, stream) = request.into_parts();
    let whole = body::read(&parts.headers, stream).await?;
    Ok(Request::from_parts(parts, whole))
}

fn handed_on(request: &Request<Bytes>) -> Request<Bytes> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    for name in OF_A_CONNECTION {
        copy.headers_mut().remove(name);
    }
    copy.headers_mut().insert(FORWARDED, HeaderValue::from_static("true"));
    copy
}
