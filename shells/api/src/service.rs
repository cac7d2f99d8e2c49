//! Owns a request's way in and out: limits, trailing slashes, who calls, and the questions to the machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits::{
    EVENT_STREAMS_MAX, EVENT_STREAMS_PER_IDENTITY_MAX, HTTP_ANSWER_TIMEOUT, HTTP_URL_BYTES_MAX,
    READ_ITEMS_MAX,
};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use swan_core::scheduler::api::{ApiReply, ApiRequest, Caller};
use swan_core::scheduler::input::Build;
use swan_core::scheduler::view::{ManagerView, Page};
use swan_core::time::Millis;
use tokio::sync::oneshot;

use crate::auth::Tokens;
use crate::calls::Paging;
use crate::forward::{self, Taken, Way};
use crate::manager::Manager;
use crate::metrics::RequestCounts;
use crate::peers::Peers;
use crate::problem::Problem;
use crate::quota::Quota;
use crate::reading::Reading;
use crate::routes;

/// What the API is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where others reach this manager, `host:port`; what `/v1/leader` says while it leads.
    pub advertise: String,
    /// Which software this is.
    pub build: Build,
    /// Whom to let in; without it everyone, as `anonymous`.
    pub tokens: Option<Tokens>,
    /// Whether all apps may be deleted at once.
    pub allow_purge: bool,
    /// The other managers; `None` if there can be none.
    pub peers: Option<Arc<dyn Peers>>,
}

/// What every handler may use.
#[derive(Clone)]
pub(crate) struct Api(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) manager: Arc<dyn Manager>,
    pub(crate) config: Config,
    pub(crate) counts: RequestCounts,
    pub(crate) streams: Arc<Quota<String>>,
    pub(crate) open_api: String,
}

impl std::ops::Deref for Api {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Api {
    pub(crate) fn new(manager: Arc<dyn Manager>, config: Config) -> Self {
        let streams = Quota::new(EVENT_STREAMS_MAX, EVENT_STREAMS_PER_IDENTITY_MAX);
        let open_api = routes::open_api().to_json().expect("the document can be written as JSON");
        Self(Arc::new(Inner { manager, config, counts: RequestCounts::default(), streams, open_api }))
    }

    /// Copies something of apps and tasks out of the machine, then writes it here. Marks the answer if it may show what
    /// is not durable yet, or may not show what is.
    pub(crate) async fn show<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reading) -> T + Send + 'static,
        write: impl FnOnce(T) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let (copied, mark) = self.read(read).await?;
        Ok(mark.put(write(copied)?))
    }

    /// As [`Self::show`], for what a manager knows of itself, which it tells at any time.
    pub(crate) async fn show_standing<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reading) -> T + Send + 'static,
        write: impl FnOnce(T) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let (copied, standing) = self.copy(read).await?;
        Ok(Mark { stalled: standing.stalled, lag: None }.put(write(copied)?))
    }

    /// Copies a page out of the machine, in small pieces between which it goes on with its work, then writes it here.
    /// Refused if what is listed does not exist, or no longer.
    pub(crate) async fn show_page<T: Send + 'static>(
        &self,
        paging: Paging,
        read: impl Fn(&dyn Reading, Option<&str>, usize) -> Result<Page<T>, Problem> + Send + Clone + 'static,
        write: impl FnOnce(Page<T>) -> Response,
    ) -> Result<Response, Problem> {
        let mut page = Page { items: Vec::new(), next: paging.after };
        loop {
            let (read, from) = (read.clone(), page.next.take());
            let limit = (paging.limit - page.items.len()).min(READ_ITEMS_MAX);
            let (piece, mark) = self.read(move |reading| read(reading, from.as_deref(), limit)).await?;
            let piece = piece?;
            page.items.extend(piece.items);
            page.next = piece.next;
            if page.next.is_none() || page.items.len() >= paging.limit {
                return Ok(mark.put(write(page)));
            }
        }
    }

    /// Runs `read` on the machine's thread; beside what it copied, how far that is to be trusted. Refused until the
    /// manager knows all that is stored: apps are not there yet, or in parts, which no reader is made for.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reading) -> T + Send + 'static,
    ) -> Result<(T, Mark), Problem> {
        self.lag()?;
        let (copied, standing) = self.copy(read).await?;
        let lag = if standing.leading { None } else { self.lag()? };
        Ok((copied, Mark { stalled: standing.stalled, lag }))
    }

    /// For how long the manager may not know what was stored; `None` if it leads. An error until it has read all once.
    fn lag(&self) -> Result<Option<Millis>, Problem> {
        let standing = self.manager.standing();
        if standing.lag.is_none() && !standing.leading {
            return Err(Problem::unavailable("this manager has not read yet what is stored; try again"));
        }
        Ok(standing.lag.filter(|_| !standing.leading))
    }

    async fn copy<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Reading) -> T + Send + 'static,
    ) -> Result<(T, ManagerView), Problem> {
        let (sender, receiver) = oneshot::channel();
        self.manager.read(Box::new(move |reading| {
            let copied = (read(reading), reading.manager());
            // Nobody waits any more if the client has gone.
            Box::new(move || drop(sender.send(copied)))
        }));
        answer(receiver).await
    }

    /// Asks the machine for a change.
    pub(crate) async fn change(&self, request: ApiRequest) -> Result<ApiReply, Problem> {
        let (sender, receiver) = oneshot::channel();
        self.manager.call(request, sender);
        answer(receiver).await?.map_err(Problem::from)
    }
}

/// How far an answer is to be trusted.
pub(crate) struct Mark {
    /// The store is stalled: what is shown may not be durable yet.
    stalled: bool,
    /// The manager follows: what has been stored for less than this may not be shown.
    lag: Option<Millis>,
}

impl Mark {
    fn put(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if self.stalled {
            headers.insert("swan-store", HeaderValue::from_static("stalled"));
        }
        if let Some(lag) = self.lag {
            headers.insert("swan-lag-ms", HeaderValue::from(lag.0));
        }
        response
    }
}

async fn answer<T>(receiver: oneshot::Receiver<T>) -> Result<T, Problem> {
    match tokio::time::timeout(Duration::from_millis(HTTP_ANSWER_TIMEOUT.0), receiver).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Problem::unavailable("the manager is overloaded or going away; try again")),
        Err(_) => Err(Problem::unavailable(
            "the manager did not answer in time; a change may still happen: repeat it with the same Idempotency-Key",
        )),
    }
}

/// Answers requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Service {
    api: Api,
    router: TowerToHyperService<Router>,
}

impl Service {
    pub(crate) fn new(api: Api) -> Self {
        Self { router: TowerToHyperService::new(routes::router(api.clone())), api }
    }

    /// Answers one request from `peer`.
    pub(crate) async fn handle(self, peer: SocketAddr, mut request: Request<Body>) -> Response {
        let mut response = match self.admit(peer, &mut request) {
            Ok(()) => self.answer(request).await,
            Err(problem) => problem.into_response(),
        };
        self.api.counts.count(response.status());
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    /// Answers here, or has the leader answer what only it can.
    async fn answer(&self, request: Request<Body>) -> Response {
        match &self.api.config.peers {
            Some(peers) if routes::needs_leader(&request) => {
                let way =
                    Way { manager: &*self.api.manager, own: &self.api.config.advertise, peers: &**peers };
                match way.take(request).await {
                    Taken::Here(request) => self.route(request).await,
                    Taken::Answered(response) => response,
                }
            }
            _ => self.route(request).await,
        }
    }

    async fn route(&self, request: Request<Body>) -> Response {
        let forwarded = forward::is_forwarded(&request);
        let mut response = match self.router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if forwarded {
            forward::tell_followed(&mut response, self.api.manager.standing().followed);
        }
        response
    }

    fn admit(&self, peer: SocketAddr, request: &mut Request<Body>) -> Result<(), Problem> {
        let length = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
        if length > HTTP_URL_BYTES_MAX {
            let detail = format!("path and query must have at most {HTTP_URL_BYTES_MAX} bytes");
            return Err(Problem::new(StatusCode::URI_TOO_LONG, "uri-too-long", detail));
        }
        if let Some(trimmed) = without_trailing_slashes(request.uri()) {
            *request.uri_mut() = trimmed;
        }
        let name = self.caller_name(request.uri().path(), request.headers())?;
        if !request.method().is_safe() || request.method() == Method::TRACE {
            refuse_other_sites(request.headers())?;
        }
        request.extensions_mut().insert(Caller { name, address: peer.ip().to_canonical().to_string() });
        Ok(())
    }

    fn caller_name(&self, path: &str, headers: &HeaderMap) -> Result<String, Problem> {
        let Some(tokens) = &self.api.config.tokens else { return Ok("anonymous".to_owned()) };
        if let Some(name) = tokens.name_of(headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes)) {
            return Ok(name.to_owned());
        }
        if routes::is_open(path) {
            return Ok("anonymous".to_owned());
        }
        let detail = "a valid token is needed: 'Authorization: Bearer TOKEN'";
        Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
    }
}

/// A browser names the site whose page makes a request; only our own pages may change something.
fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let site = origin.to_str().ok().and_then(|text| text.split_once("://")).map(|(_, site)| site);
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    if site.is_some() && site == host {
        return Ok(());
    }
    let detail = "pages of other sites may not change anything here";
    Err(Problem::new(StatusCode::FORBIDDEN, "other-site", detail))
}

fn without_trailing_slashes(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() || trimmed.len() == path.len() {
        return None;
    }
    let text = uri.query().map_or_else(|| trimmed.to_owned(), |query| format!("{trimmed}?{query}"));
    text.parse().ok()
}
