//! Owns how the client speaks to a manager, and what it makes of refusals.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use swan_api::{ProblemDto, ProblemItem};

use super::ClientArgs;
use super::output::{plain, remark};
use crate::failure::{Exit, Failure};

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take; longer than the manager itself waits.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A manager to speak to.
pub(crate) struct Client {
    http: reqwest::Client,
    server: String,
    /// Whether answers are shown as JSON.
    pub(crate) json: bool,
}

impl Client {
    pub(crate) fn new(arguments: &ClientArgs) -> Result<Self, Failure> {
        let server = server_url(&arguments.server)?;
        let mut headers = HeaderMap::new();
        if let Some(path) = &arguments.token_file {
            headers.insert(AUTHORIZATION, bearer(path)?);
        }
        // A redirect could carry the token elsewhere, and no proxy should stand before a control plane.
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if server.starts_with("http://") {
            // Without TLS the system's certificates are not needed; there may be none.
            builder = builder.tls_certs_only([]);
        }
        let http =
            builder.build().map_err(|error| Failure::failed(format!("cannot start: {}", causes(&error))))?;
        Ok(Self { http, server, json: arguments.json })
    }

    /// A document as the manager wrote it.
    pub(crate) async fn document(&self, path: &str) -> Result<Value, Failure> {
        let response = self.send(Method::GET, path, None).await?;
        self.body(response).await
    }

    /// All pages of a listing, as one array.
    pub(crate) async fn listing(&self, path: &str) -> Result<Value, Failure> {
        let mut items = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let response = self.send(Method::GET, &path, None).await?;
            next = response.headers().get(LINK).and_then(|link| next_page(link.to_str().ok()?));
            match self.body(response).await? {
                Value::Array(page) => items.extend(page),
                _ => return Err(self.odd("no list")),
            }
        }
        Ok(Value::Array(items))
    }

    /// Sends a request; anything but success is a failure.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Response, Failure> {
        let mut request = self.http.request(method, self.url(path)).timeout(ANSWER_TIMEOUT);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.accepted(response).await
    }

    /// Opens the event stream.
    pub(crate) async fn stream(&self, path: &str, after: Option<&str>) -> Result<Response, Failure> {
        let mut request = self.http.get(self.url(path)).header(ACCEPT, "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.accepted(response).await
    }

    /// The JSON in an answer.
    pub(crate) async fn body(&self, response: Response) -> Result<Value, Failure> {
        let bytes = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        serde_json::from_slice(&bytes).map_err(|_| self.odd("no JSON"))
    }

    /// A document's typed form.
    pub(crate) fn typed<T: DeserializeOwned>(&self, document: &Value) -> Result<T, Failure> {
        T::deserialize(document).map_err(|error| self.odd(&format!("an unknown form ({error})")))
    }

    /// What a broken connection means.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let message =
            format!("no manager answers at {}: {} (--server tells where it is)", self.server, causes(error));
        Failure::new(Exit::Unreachable, message)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn odd(&self, what: &str) -> Failure {
        Failure::failed(format!("{} answered with {what}: is it a Swan manager?", self.server))
    }

    async fn accepted(&self, response: Response) -> Result<Response, Failure> {
        let status = response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let body = response.bytes().await.unwrap_or_default();
        Err(refusal(status, serde_json::from_slice(&body).ok()))
    }
}

/// A refusal in words; each fault of a document on its own line.
fn refusal(status: StatusCode, problem: Option<ProblemDto>) -> Failure {
    let exit = match status {
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Unauthorized,
        StatusCode::LOCKED | StatusCode::PRECONDITION_FAILED => Exit::Busy,
        StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::GATEWAY_TIMEOUT => Exit::Unreachable,
        _ => Exit::Failed,
    };
    let Some(problem) = problem else {
        return Failure::new(exit, format!("the server answered {status}, and is no Swan manager"));
    };
    Failure::new(exit, with_problems(&problem.detail, &problem.problems))
}

/// A sentence, and each fault of a document on its own line.
pub(crate) fn with_problems(detail: &str, problems: &[ProblemItem]) -> String {
    let mut message = plain(detail);
    for item in problems {
        message.push_str(&format!("\n  {}", remark(&item.path, &item.message)));
    }
    message
}

fn server_url(text: &str) -> Result<String, Failure> {
    let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let good =
        (url.starts_with("http://") || url.starts_with("https://")) && reqwest::Url::parse(&url).is_ok();
    if !good {
        return Err(Failure::usage(format!("--server '{text}' must be a URL such as http://127.0.0.1:9999")));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn bearer(path: &Path) -> Result<HeaderValue, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("--token-file {name} cannot be read: {error}")))?;
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let token = line.split_once(':').map_or(line, |(_, token)| token);
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty()).ok_or_else(
            || Failure::usage(format!("--token-file {name} must hold a token, alone or as 'name:token'")),
        )?;
    value.set_sensitive(true);
    Ok(value)
}

/// The path of the next page in a `Link` header.
fn next_page(link: &str) -> Option<String> {
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    (rest.contains("rel=\"next\"") && target.starts_with('/')).then(|| target.to_owned())
}

/// An error with all its causes: the outermost alone says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = error.source();
    }
    said
}

/// `text` as one segment of a path; ids of apps may be given as paths, `/shop/web` is `web.shop`.
pub(crate) fn segment(text: &str) -> String {
    let dotted = swan_core::id::AppPath::parse(text).ok().filter(|_| text.starts_with('/'));
    escape(&dotted.map_or_else(|| text.to_owned(), |path| path.dotted().to_string()))
}

/// A path with the pairs of a query, which are escaped already.
pub(crate) fn with_query(path: &str, query: &[String]) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// `text` as it may stand anywhere in a URL.
pub(crate) fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_every_fault_and_has_its_code() {
        let document = r#"{"type":"urn:swan:problem:invalid","title":"Bad Request","status":400,"detail":"no app",
            "problems":[{"path":"cpus","message":"must be above 0"},{"path":"","message":"x\u001b"}]}"#;
        let failure = refusal(StatusCode::BAD_REQUEST, serde_json::from_str(document).ok());
        assert_eq!(failure.to_string(), "no app\n  cpus: must be above 0\n  x\u{fffd}");
        for (status, exit) in
            [(404, Exit::NotFound), (423, Exit::Busy), (401, Exit::Unauthorized), (409, Exit::Failed)]
        {
            assert_eq!(refusal(StatusCode::from_u16(status).expect("a status"), None).exit(), exit);
        }
    }

    #[test]
    fn names_of_apps_are_paths_or_dotted() {
        assert_eq!(segment("/prod/shop/web"), "web.shop.prod");
        assert_eq!(segment("web.shop.prod"), "web.shop.prod");
        assert_eq!(segment("a/../b c"), "a%2F..%2Fb%20c");
    }

    #[test]
    fn links_lead_to_pages_of_the_same_server_only() {
        assert_eq!(
            next_page("</v1/apps?limit=1&after=a>; rel=\"next\"").as_deref(),
            Some("/v1/apps?limit=1&after=a")
        );
        assert_eq!(next_page("<http://elsewhere/>; rel=\"next\""), None);
        assert_eq!(next_page("</v1/apps>; rel=\"prev\""), None);
    }

    #[test]
    fn a_server_may_be_named_without_scheme() {
        assert_eq!(server_url("host:1/").expect("good"), "http://host:1");
        assert!(server_url("ftp://host").is_err());
    }
}
