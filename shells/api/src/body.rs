//! Owns how a request's body is read: bounded in bytes and in time.

use std::time::Duration;

use crate::limits::{HTTP_BODY_BYTES_DRAINED_MAX, HTTP_BODY_BYTES_MAX, HTTP_BODY_TIMEOUT};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::problem::Problem;

/// Reads the whole body, or says why not.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let waits = headers.contains_key(header::EXPECT);
    if announced
        .is_some_and(|bytes| bytes > HTTP_BODY_BYTES_DRAINED_MAX || (waits && bytes > HTTP_BODY_BYTES_MAX))
    {
        return Err(too_large());
    }
    let timeout = Duration::from_millis(HTTP_BODY_TIMEOUT.0);
    let Ok(read) = tokio::time::timeout(timeout, collect(body)).await else {
        let detail = format!("the body did not arrive within {} seconds", timeout.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail));
    };
    read
}

/// A body that is too large is read on for a while: a client that still writes would not see the answer.
async fn collect(mut body: Body) -> Result<Bytes, Problem> {
    let mut kept = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::bad_request("the body broke off or is malformed"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= HTTP_BODY_BYTES_MAX {
            kept.extend_from_slice(&data);
        } else if seen > HTTP_BODY_BYTES_DRAINED_MAX {
            break;
        }
    }
    if seen > HTTP_BODY_BYTES_MAX { Err(too_large()) } else { Ok(kept.into()) }
}

fn too_large() -> Problem {
    let detail = format!("the body must have at most {HTTP_BODY_BYTES_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
}

/// Whether the body says that it is JSON. Requiring it also keeps plain HTML forms of other sites out.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "Content-Type must be 'application/json'";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
}
