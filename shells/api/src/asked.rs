//! Owns how what clients ask for is read: from the bytes of a body or a query to what they mean.
//!
//! It is public, so that the fuzzers read with the same code.

use axum::http::Uri;
use serde::de::DeserializeOwned;
use swan_core::id::AppPath;
use swan_core::limits::DOTTED_ID_BYTES_MAX;
use swan_core::scheduler::api::FrameworkWord;
use swan_core::selector::AppFilter;

use crate::calls::{Paging, Parameters};
use crate::dto::{FrameworkWordDto, RollbackDto, ScaleDto};
use crate::limits::HTTP_URL_BYTES_MAX;
use crate::problem::Problem;
use crate::reply;

/// Bytes that JSON may have between its tokens.
const JSON_BLANKS: &[u8] = b" \t\r\n";

fn read<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, Problem> {
    let refuse = |why: &str| Problem::bad_request(format!("the body must be {form}: {why}"));
    let read = serde_json::from_slice(body).map_err(|error| refuse(&error.to_string()))?;
    // An array of the values of all keys would pass, too.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(refuse("it is no object"));
    }
    Ok(read)
}

impl ScaleDto {
    /// Reads the body of a scale request.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        read(body, "{\"instances\": NUMBER}, or with \"ips\": [\"10.0.0.7\", …] beside it")
    }
}

impl RollbackDto {
    /// Reads the body of a rollback that has one.
    pub fn read(body: &[u8]) -> Result<Self, Problem> {
        read(body, "empty or {\"version\": \"ID\"}")
    }
}

impl FrameworkWordDto {
    /// Reads the body that says who Swan is to be.
    pub fn read(body: &[u8]) -> Result<FrameworkWord, Problem> {
        const FORM: &str = "{\"adopt\": \"ID\"} or {\"new\": true}";
        let said: Self = read(body, FORM)?;
        said.word().ok_or_else(|| Problem::bad_request(format!("the body must be {FORM}")))
    }
}

/// Which apps a listing shows, and from where on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppListing {
    /// Only these.
    pub filter: AppFilter,
    /// At most so many.
    pub limit: usize,
    /// The id after which it begins, in lower case.
    pub after: Option<String>,
    /// The listing from its beginning.
    path: String,
}

impl AppListing {
    /// Reads the query of `uri`.
    pub fn read(uri: &Uri) -> Result<Self, Problem> {
        Self::of(&Parameters::of(uri)?)
    }

    pub(crate) fn of(parameters: &Parameters) -> Result<Self, Problem> {
        parameters.only(&["limit", "after", "labels", "fields"])?;
        let Paging { limit, after } = Paging::of(parameters)?;
        let chosen = ["labels", "fields"].map(|name| (name, parameters.joined(name)));
        let [(_, labels), (_, fields)] = &chosen;
        let filter = AppFilter::parse(labels, fields).map_err(Problem::bad_request)?;
        let chosen = chosen.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> =
            chosen.map(|(name, value)| format!("{name}={}", reply::escape(value))).collect();
        let path =
            if query.is_empty() { "/v1/apps".to_owned() } else { format!("/v1/apps?{}", query.join("&")) };
        // Written anew, a query may be longer than it came: it was refused, only with the second page.
        if reply::page_after(&path, limit, "").len() + DOTTED_ID_BYTES_MAX > HTTP_URL_BYTES_MAX {
            let detail = format!(
                "labels and fields must be shorter: with them, the path of the next page would have more than \
                 {HTTP_URL_BYTES_MAX} bytes"
            );
            return Err(Problem::bad_request(detail));
        }
        Ok(Self { filter, limit, after: after.map(|id| id.to_ascii_lowercase()), path })
    }

    /// Where the listing is, from its beginning.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Where the page is that begins after an app.
    pub fn page_after(&self, id: &str) -> String {
        reply::page_after(&self.path, self.limit, id)
    }
}

/// The document of an app with the key `compose` behind all others: what stands before it keeps its place, so that errors
/// point at what the caller wrote. One that has the key already has it twice then, which is refused.
pub fn with_compose(document: &[u8], compose: &str) -> Result<Vec<u8>, Problem> {
    check_segment(compose).map_err(|why| Problem::bad_request(format!("compose: {why}")))?;
    let end = document.iter().rposition(|byte| !JSON_BLANKS.contains(byte)).map_or(0, |last| last + 1);
    let Some(open) = document[..end].strip_suffix(b"}") else { return Ok(document.to_vec()) };
    let comma = if open.trim_ascii() == b"{" { "" } else { "," };
    Ok([open, format!("{comma}\"compose\":\"{compose}\"}}").as_bytes()].concat())
}

fn check_segment(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains('/') || text == "." || text == ".." {
        return Err("must be one segment of a path, such as 'blog'".to_owned());
    }
    // As every name of original Swan's form, it is folded to lower case.
    AppPath::parse(&format!("/{}/app", text.to_ascii_lowercase())).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemDto;

    #[test]
    fn a_listing_whose_next_page_has_too_long_a_path_is_refused_at_once() {
        let read = |commas: usize| {
            let query = format!("/v1/apps?labels=a%20in%20({})", ",".repeat(commas));
            AppListing::read(&query.parse().expect("a URI")).map_err(ProblemDto::from)
        };
        let listing = read(2_000).expect("short enough");
        assert!(listing.page_after("web.shop").len() < HTTP_URL_BYTES_MAX);
        let refused = read(4_000).expect_err("each comma is written as three characters");
        assert!(refused.detail.starts_with("labels and fields must be shorter"), "{}", refused.detail);
    }

    #[test]
    fn an_array_is_no_body() {
        assert!(ScaleDto::read(b" {\"instances\": 3}").is_ok());
        let refused = ProblemDto::from(ScaleDto::read(b"[3]").expect_err("no object"));
        assert!(refused.detail.starts_with("the body must be {") && refused.detail.ends_with("no object"));
        assert!(RollbackDto::read(b"[\"1\"]").is_err());
        assert!(FrameworkWordDto::read(b"[\"F\"]").is_err());
    }

    #[test]
    fn compose_makes_no_json_of_what_was_none() {
        let with = |document: &[u8]| with_compose(document, "blog").expect("a good word");
        assert_eq!(with(b" {\"name\":\"web\"}\r\n"), b" {\"name\":\"web\",\"compose\":\"blog\"}");
        assert_eq!(with(b"{ }"), b"{ \"compose\":\"blog\"}");
        for other in [&b"{}\x0c"[..], b"[{}]", b"\"}\"", b""] {
            assert_eq!(with(other), other);
        }
        assert!(with_compose(b"{}", "a\",\"b").is_err());
    }
}
