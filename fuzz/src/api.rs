//! Owns the bodies for what clients of the HTTP API send: documents in bodies, and queries.

use http::Uri;
use serde_json::Value;
use swan_api::{AppListing, FrameworkWordDto, Problem, ProblemDto, RollbackDto, ScaleDto, with_compose};

/// Bytes of a path and query, above which the API refuses them unread.
const URL_BYTES_MAX: usize = 8 * 1024;
/// What a refusal quotes is escaped, which makes a byte that much longer at most.
const ESCAPED_BYTES_MAX: usize = 8;
/// What a refusal says of its own.
const REFUSAL_BYTES_MAX: usize = 512;

/// Bodies of requests but for apps: a refusal shows the form that would be right, and what was accepted is the same when
/// it is written and read again.
pub fn api_bodies(data: &[u8]) {
    let is_object = matches!(serde_json::from_slice(data), Ok(Value::Object(_)));
    let accepted =
        [ScaleDto::read(data).is_ok(), RollbackDto::read(data).is_ok(), FrameworkWordDto::read(data).is_ok()];
    assert!(is_object || accepted == [false; 3], "only objects are accepted");
    match ScaleDto::read(data) {
        Ok(scale) => assert_eq!(ScaleDto::read(&written(&scale)).ok(), Some(scale)),
        Err(problem) => refused(problem, data, &["the body must be {\"instances\""]),
    }
    match RollbackDto::read(data) {
        Ok(rollback) => assert_eq!(RollbackDto::read(&written(&rollback)).ok(), Some(rollback)),
        Err(problem) => refused(problem, data, &["the body must be empty or {\"version\""]),
    }
    match FrameworkWordDto::read(data) {
        Ok(word) => {
            let again = written(&FrameworkWordDto::from(&word));
            assert_eq!(FrameworkWordDto::read(&again).ok(), Some(word));
        }
        Err(problem) => refused(problem, data, &["the body must be {\"adopt\""]),
    }
}

fn written(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("what was read from JSON can be written as JSON")
}

/// A refusal is the client's fault, and what it says begins with one of these.
fn refused(problem: Problem, data: &[u8], beginnings: &[&str]) {
    let told = ProblemDto::from(problem);
    assert_eq!(told.status, 400);
    assert!(beginnings.iter().any(|beginning| told.detail.starts_with(beginning)), "{}", told.detail);
    assert!(
        told.detail.len() <= ESCAPED_BYTES_MAX * data.len() + REFUSAL_BYTES_MAX,
        "quotes more than was said"
    );
    let again: ProblemDto = serde_json::from_slice(&written(&told)).expect("it is a document");
    assert_eq!(again.detail, told.detail);
}

/// A word for the key `compose`, a line end, and an app's document: with the key it says what it said without, and is JSON
/// only if it was.
pub fn api_compose(data: &[u8]) {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let Ok(compose) = core::str::from_utf8(&data[..end]) else { return };
    let document = data.get(end + 1..).unwrap_or_default();
    let with = match with_compose(document, compose) {
        Ok(with) => with,
        Err(problem) => return refused(problem, compose.as_bytes(), &["compose: "]),
    };
    let before = serde_json::from_slice::<Value>(document).ok();
    let mut expected = before;
    if let Some(Value::Object(object)) = &mut expected {
        object.insert("compose".to_owned(), compose.into());
    }
    assert_eq!(serde_json::from_slice::<Value>(&with).ok(), expected);
}

/// Queries of listings, as paths with a query: a refusal begins with what is wrong, and the link to a next page leads to the
/// same listing.
pub fn api_queries(data: &[u8]) {
    let Ok(uri) = Uri::try_from(data) else { return };
    if data.len() > URL_BYTES_MAX {
        return;
    }
    let listing = match AppListing::read(&uri) {
        Ok(listing) => listing,
        Err(problem) => {
            let beginnings = [
                "the query must be",
                "labels and fields must be",
                "parameter '",
                "limit must be",
                "labels: ",
                "fields: ",
            ];
            return refused(problem, data, &beginnings);
        }
    };
    assert!(listing.page_after("web.shop").len() <= URL_BYTES_MAX, "no link is too long to be followed");
    for id in [listing.after.as_deref().unwrap_or("web.shop"), "web&limit=0.shop"] {
        let link = listing.page_after(id);
        let next: Uri = link.parse().expect("a link can be followed");
        let next = AppListing::read(&next).expect("a page that we link to is not refused");
        let mut expected = listing.clone();
        expected.after = Some(id.to_owned());
        assert_eq!(next, expected);
    }
}
