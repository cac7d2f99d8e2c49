//! Owns what handlers take from a request: names in the path, the query, preconditions, and changes with their caller.

use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::Response;
use bytes::Bytes;
use swan_core::id::DottedId;
use swan_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use swan_core::scheduler::api::{ApiCall, ApiReply, ApiRequest, Caller, Guard, IdempotencyKey};

use crate::body;
use crate::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use crate::problem::Problem;
use crate::reply::digest;
use crate::service::Api;

/// The names in a path.
#[derive(Debug, Default)]
pub(crate) struct Target {
    /// `{app}`, in lower case.
    pub(crate) app: Option<DottedId>,
    /// `{task}`, `{version}` or `{agent}`.
    pub(crate) part: String,
}

impl Target {
    /// The app; routes without one must not ask.
    pub(crate) fn app(&self) -> &DottedId {
        self.app.as_ref().expect("the route has {app}")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::bad_request("the path must be UTF-8"))?;
        let mut target = Self::default();
        for (name, value) in &params {
            match name {
                "app" => target.app = Some(DottedId::from_text(value)),
                _ => target.part = value.to_owned(),
            }
        }
        Ok(target)
    }
}

/// The parameters of a query, in order.
#[derive(Debug)]
pub(crate) struct Parameters(pub(crate) Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.uri)
    }
}

impl Parameters {
    /// Reads the query of `uri`.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Problem> {
        let Query(pairs) = Query::try_from_uri(uri)
            .map_err(|_| Problem::bad_request("the query must be 'name=value' pairs joined by '&'"))?;
        Ok(Self(pairs))
    }

    /// Refuses parameters that would be ignored: a filter that does not filter misleads.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) if known.is_empty() => {
                Err(Problem::bad_request(format!("parameter '{name}' is not known: this takes none")))
            }
            Some((name, _)) => {
                let known = known.join("', '");
                Err(Problem::bad_request(format!("parameter '{name}' is not known: this takes '{known}'")))
            }
        }
    }

    /// The last value of `name`.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether `name` is said to be `true`; only `true` and `false` may be said.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.last(name) {
            Some("true") => Ok(true),
            Some("false") | None => Ok(false),
            Some(_) => Err(Problem::bad_request(format!("{name} must be 'true' or 'false'"))),
        }
    }

    /// All values of `name` joined by commas.
    pub(crate) fn joined(&self, name: &str) -> String {
        let values = self.0.iter().filter(|(known, value)| known == name && !value.is_empty());
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Every value of `name`, also those joined by commas.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(known, _)| known == name).flat_map(|(_, value)| value.split(','));
        values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }
}

/// Which part of a listing is asked for: `?limit=` and `?after=`.
#[derive(Debug)]
pub(crate) struct Paging {
    pub(crate) limit: usize,
    pub(crate) after: Option<String>,
}

impl Paging {
    /// Takes it out of parameters that may hold more.
    pub(crate) fn of(parameters: &Parameters) -> Result<Self, Problem> {
        let limit = match parameters.last("limit") {
            None => PAGE_ITEMS_DEFAULT,
            Some(text) => match text.parse() {
                Ok(limit) if (1..=PAGE_ITEMS_MAX).contains(&limit) => limit,
                _ => return Err(Problem::bad_request(format!("limit must be 1 to {PAGE_ITEMS_MAX}"))),
            },
        };
        Ok(Self {
            limit,
            after: parameters.last("after").filter(|after| !after.is_empty()).map(str::to_owned),
        })
    }
}

/// A request that changes something. Each handler says by [`Self::takes`] which parameters it knows.
pub(crate) struct Change {
    pub(crate) api: Api,
    pub(crate) target: Target,
    pub(crate) parameters: Parameters,
    body: Bytes,
    /// The revision that the caller has seen.
    if_match: Option<u64>,
    headers: HeaderMap,
    caller: Caller,
    idempotency: Option<IdempotencyKey>,
}

impl FromRequest<Api> for Change {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (mut parts, content) = request.into_parts();
        let target = Target::from_request_parts(&mut parts, api).await?;
        let parameters = Parameters::from_request_parts(&mut parts, api).await?;
        let if_match = if_match(&parts.headers)?;
        let key = idempotency_key(&parts.headers)?;
        let body = body::read(&parts.headers, content).await?;
        let idempotency = key.map(|key| {
            let mut all = vec![parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), &body];
            all.extend(parts.uri.query().map(str::as_bytes));
            IdempotencyKey { key, fingerprint: digest(&all) }
        });
        let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
        let (api, headers) = (api.clone(), parts.headers);
        Ok(Self { api, target, parameters, body, if_match, headers, caller, idempotency })
    }
}

impl Change {
    /// Refuses all parameters but these.
    pub(crate) fn takes(self, known: &[&str]) -> Result<Self, Problem> {
        self.parameters.only(known)?;
        Ok(self)
    }

    /// On what condition the change is taken.
    pub(crate) fn guard(&self) -> Result<Guard, Problem> {
        Ok(Guard { if_match: self.if_match, force: self.parameters.flag("force")? })
    }

    /// Whether there is a body.
    pub(crate) fn has_body(&self) -> bool {
        !self.body.trim_ascii().is_empty()
    }

    /// The body, which must be there and say that it is JSON.
    pub(crate) fn json(&self) -> Result<&Bytes, Problem> {
        body::require_json(&self.headers)?;
        if !self.has_body() {
            return Err(Problem::bad_request("the body must not be empty: it must hold a JSON object"));
        }
        Ok(&self.body)
    }

    /// Asks the machine for `call`, and writes what it took.
    pub(crate) async fn ask(
        self,
        call: ApiCall,
        write: impl FnOnce(ApiReply) -> Response,
    ) -> Result<Response, Problem> {
        let request = ApiRequest { who: self.caller, idempotency: self.idempotency, call };
        Ok(write(self.api.change(request).await?))
    }

    /// As [`Self::ask`], for what needs no more than the app's name: it takes no parameters.
    pub(crate) async fn ask_of_app(
        self,
        call: impl FnOnce(DottedId) -> ApiCall,
        write: impl FnOnce(ApiReply) -> Response,
    ) -> Result<Response, Problem> {
        let change = self.takes(&[])?;
        let call = call(change.target.app().clone());
        change.ask(call, write).await
    }
}

/// Takes the revision out of `If-Match`; what follows a `-` in a tag is the digest of a document.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if values.next().is_some() || text.contains(',') {
        return Err(Problem::bad_request("If-Match must name one ETag"));
    }
    if text == "*" {
        return Ok(None);
    }
    if text.starts_with("W/") {
        let detail = "If-Match compares strongly: a weak ETag never matches";
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", detail));
    }
    let tag = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    let revision = tag.split('-').next().unwrap_or_default();
    let digits = !revision.is_empty() && revision.bytes().all(|b| b.is_ascii_digit());
    match revision.parse() {
        Ok(revision) if digits => Ok(Some(revision)),
        _ => Err(Problem::bad_request("If-Match must be an ETag of the app, such as \"7\"")),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let good =
        (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !good || values.next().is_some() {
        let detail = format!(
            "Idempotency-Key must stand once, with 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible characters"
        );
        return Err(Problem::bad_request(detail));
    }
    Ok(Some(text.to_owned()))
}
