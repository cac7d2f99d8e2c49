//! Owns refusals: RFC 9457 problem documents, and which HTTP status each class of error gets.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use swan_core::scheduler::api::{self, ApiError, ErrorKind};
use utoipa::ToSchema;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    detail: String,
    items: Vec<ProblemItem>,
}

/// An RFC 9457 problem document.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDto {
    /// The class of the problem, stable over releases: `urn:swan:problem:locked`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One sentence for people.
    pub detail: String,
    /// Each thing that is wrong with a document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemItem>,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemItem {
    /// Where, as `container.portMappings[1].hostPort`; empty for the whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A refusal whose class is its status.
    pub(crate) fn new(status: StatusCode, slug: &'static str, detail: impl Into<String>) -> Self {
        Self { status, slug, detail: detail.into(), items: Vec::new() }
    }

    /// The request makes no sense as it is.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// The machine did not answer.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

impl From<Box<ApiError>> for Problem {
    fn from(error: Box<ApiError>) -> Self {
        let (status, slug) = match error.kind {
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
            ErrorKind::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key-reused"),
            ErrorKind::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "precondition-failed"),
            ErrorKind::Locked => (StatusCode::LOCKED, "locked"),
            ErrorKind::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too-many"),
            ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let items = error.problems.into_iter().map(ProblemItem::from).collect();
        Self { status, slug, detail: error.detail, items }
    }
}

impl From<api::Problem> for ProblemItem {
    fn from(problem: api::Problem) -> Self {
        Self { path: problem.path, message: problem.message }
    }
}

impl From<Problem> for ProblemDto {
    fn from(problem: Problem) -> Self {
        Self {
            kind: format!("urn:swan:problem:{}", problem.slug),
            title: problem.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: problem.status.as_u16(),
            detail: problem.detail,
            problems: problem.items,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let document = ProblemDto::from(self);
        let body = serde_json::to_vec(&document).expect("text and numbers can be written as JSON");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
