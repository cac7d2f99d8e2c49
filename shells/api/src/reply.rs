//! Owns how answers are written: JSON with an ETag, pages with a link to the next.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use swan_core::scheduler::api::ApiReply;

use crate::dto::AcceptedDto;
use crate::problem::ProblemItem;

/// The first eight bytes of the SHA-256 of `parts`, each led by its length.
pub(crate) fn digest(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bytes: [u8; 32] = hash.finalize().into();
    bytes.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Plain JSON.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("our documents can be written as JSON");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// JSON that a client may hold on to; 304 if `request` shows that it has just this. The tag begins with the revision,
/// which is all that `If-Match` looks at, and ends in a digest of the document, which may change without it.
pub(crate) fn tagged(request: &HeaderMap, revision: Option<u64>, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("our documents can be written as JSON");
    let sum = digest(&[&body]);
    let tag =
        revision.map_or_else(|| format!("\"{sum:016x}\""), |revision| format!("\"{revision}-{sum:016x}\""));
    let known = request.get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, header_value(&tag));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn names(if_none_match: &HeaderValue, tag: &str) -> bool {
    let Ok(text) = if_none_match.to_str() else { return false };
    text.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// The tag that a change of an app answers with: the revision alone.
pub(crate) fn with_revision(mut response: Response, revision: Option<u64>) -> Response {
    if let Some(revision) = revision {
        response.headers_mut().insert(header::ETAG, header_value(&format!("\"{revision}\"")));
    }
    response
}

/// `accepted`: the change is durable and under way.
pub(crate) fn accepted(taken: ApiReply) -> Response {
    accepted_with(taken, Vec::new())
}

/// As [`accepted`], of a definition in which `warnings` are odd. If nothing is, clients of original Swan get the word that
/// they know.
pub(crate) fn accepted_with(taken: ApiReply, warnings: Vec<ProblemItem>) -> Response {
    let status = "accepted".to_owned();
    let body = match warnings.is_empty() {
        true => AcceptedDto::Plain(status),
        false => AcceptedDto::Warned { status, warnings },
    };
    with_revision(json(StatusCode::ACCEPTED, &body), revision_of(&taken))
}

/// The change is durable and under way, and there is no more to say.
pub(crate) fn no_content(_: ApiReply) -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// The revision of the app that was changed, if it was one.
pub(crate) fn revision_of(taken: &ApiReply) -> Option<u64> {
    match *taken {
        ApiReply::Created { revision, .. }
        | ApiReply::Accepted { revision, .. }
        | ApiReply::Unchanged { revision, .. } => Some(revision),
        ApiReply::Done => None,
    }
}

/// A page of a listing: an array, and a `Link` to the next page if there is one. `path` may hold a query.
pub(crate) fn page(
    request: &HeaderMap,
    path: &str,
    limit: usize,
    items: &impl Serialize,
    next: Option<&str>,
) -> Response {
    let mut response = tagged(request, None, items);
    if let Some(next) = next {
        let link = format!("<{}>; rel=\"next\"", page_after(path, limit, next));
        response.headers_mut().insert(header::LINK, header_value(&link));
    }
    response
}

/// Where the page is that begins after an item. `path` may hold a query.
pub(crate) fn page_after(path: &str, limit: usize, item: &str) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}limit={limit}&after={}", escape(item))
}

/// Percent-encodes all but what is plain in any part of a URL.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// `text` as a header's value; what no header may hold is left out rather than sent.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
