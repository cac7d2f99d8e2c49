//! Owns the routes that change an app: what is to become of it, and on what condition.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use swan_core::id::AppPath;
use swan_core::scheduler::api::{ApiCall, ApiReply, AppChange};

use crate::apps::no_such_app;
use crate::calls::Change;
use crate::dto::{AddedDto, CreatedDto, DryRunDto, ResetDto, RollbackDto, ScaleDto};
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// Creates an app. It is durable when the answer comes; its tasks come later.
#[utoipa::path(post, path = "/v1/apps", tag = "apps",
    params(
        ("compose" = Option<String>, Query, description = "The compose app that it belongs to; for original Swan's form"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 201, description = "Created", body = CreatedDto),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 400, description = "No valid definition; `problems` names each fault", body = ProblemDto, content_type = "application/problem+json"),
        (status = 409, description = "The app exists, or a name collides", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn create(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["compose", "dryRun"])?;
    let document = match change.parameters.last("compose") {
        Some(compose) => with_compose(change.json()?, compose)?,
        None => change.json()?.to_vec(),
    };
    let call = ApiCall::CreateApp { document };
    if change.parameters.flag("dryRun")? {
        return would_do(&api, call).await;
    }
    match api.change(change, call).await? {
        ApiReply::Created { app, revision, version } => {
            let location = format!("/v1/apps/{}", reply::escape(app.as_str()));
            let body = CreatedDto { id: app.to_string(), version };
            let mut response = reply::with_revision(reply::json(StatusCode::CREATED, &body), Some(revision));
            response.headers_mut().insert(header::LOCATION, reply::header_value(&location));
            Ok(response)
        }
        other => Ok(accepted(&other)),
    }
}

/// Replaces the definition; tasks whose configuration changed are replaced within the limits of the app's
/// `upgradeStrategy` and `update`.
#[utoipa::path(put, path = "/v1/apps/{app}", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("force" = Option<bool>, Query, description = "Replace a change that is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn update(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["force", "dryRun"])?;
    let document = change.json()?.to_vec();
    change_app(&api, change, AppChange::Update { document }, accepted).await
}

/// Deletes an app: its tasks drain and end first. Allowed in any state.
#[utoipa::path(delete, path = "/v1/apps/{app}", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("force" = Option<bool>, Query, description = "Makes no difference: a deletion replaces what is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn delete(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["force", "dryRun"])?;
    change_app(&api, change, AppChange::Delete, |_| StatusCode::NO_CONTENT.into_response()).await
}

/// Changes the number of instances.
#[utoipa::path(post, path = "/v1/apps/{app}/scale", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("force" = Option<bool>, Query, description = "Replace a change that is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = ScaleDto),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 304, description = "There are as many already"),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn scale(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["force", "dryRun"])?;
    let ScaleDto { instances, ips } = serde_json::from_slice(change.json()?).map_err(|error| {
        let form = "{\"instances\": NUMBER}, or with \"ips\": [\"10.0.0.7\", …] beside it";
        Problem::bad_request(format!("the body must be {form}: {error}"))
    })?;
    let ips = ips.filter(|ips| !ips.is_empty());
    change_app(&api, change, AppChange::Scale { instances, ips }, |taken| match taken {
        ApiReply::Unchanged { revision, .. } => {
            reply::with_revision(StatusCode::NOT_MODIFIED.into_response(), Some(*revision))
        }
        taken => accepted(taken),
    })
    .await
}

/// Goes back to an earlier version; the number of instances stays.
#[utoipa::path(post, path = "/v1/apps/{app}/rollback", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("version" = Option<String>, Query, description = "The version; without one, the newest earlier one of another configuration"),
        ("force" = Option<bool>, Query, description = "Replace a change that is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = Option<RollbackDto>, description = "The version, if it is not in the query"),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 404, description = "No such app or version", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn rollback(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["version", "force", "dryRun"])?;
    let in_body = match change.has_body() {
        true => serde_json::from_slice::<RollbackDto>(change.json()?).map_err(|error| {
            Problem::bad_request(format!("the body must be empty or {{\"version\": \"ID\"}}: {error}"))
        })?,
        false => RollbackDto::default(),
    };
    let in_query = change.parameters.last("version").map(str::to_owned);
    let version = match (in_query, in_body.version) {
        (Some(one), Some(other)) if one != other => {
            return Err(Problem::bad_request("version must not differ between the query and the body"));
        }
        (in_query, in_body) => in_query.or(in_body).filter(|version| !version.is_empty()),
    };
    change_app(&api, change, AppChange::Rollback { version }, accepted).await
}

/// Replaces every task by one of the same configuration, within the limits of an update.
#[utoipa::path(post, path = "/v1/apps/{app}/restart", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("force" = Option<bool>, Query, description = "Replace a change that is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn restart(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    change_app(&api, change.takes(&["force", "dryRun"])?, AppChange::Restart, accepted).await
}

/// Ends all tasks; the app and its versions stay.
#[utoipa::path(post, path = "/v1/apps/{app}/stop", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("force" = Option<bool>, Query, description = "Replace a change that is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn stop(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    change_app(&api, change.takes(&["force", "dryRun"])?, AppChange::Stop, accepted).await
}

/// Starts a stopped app again; also tries again what was given up.
#[utoipa::path(post, path = "/v1/apps/{app}/start", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("force" = Option<bool>, Query, description = "Replace a change that is under way"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn start(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    change_app(&api, change.takes(&["force", "dryRun"])?, AppChange::Start, accepted).await
}

/// Forgets the change under way where it stands.
#[utoipa::path(post, path = "/v1/apps/{app}/reset", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 200, description = "What was under way", body = ResetDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn reset(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let app = change.target.app().clone();
    let of = app.clone();
    let (shown, _) = api.read(move |reading: &dyn Reading| reading.app(&of)).await?;
    let previous = shown.ok_or_else(|| no_such_app(&change.target))?.operation_status.to_owned();
    let taken = api.change(change, ApiCall::ResetApp { app }).await?;
    let body = ResetDto { previous, current: "noop".to_owned() };
    Ok(reply::with_revision(reply::json(StatusCode::OK, &body), revision_of(&taken)))
}

/// Keeps a version without rolling it out.
#[utoipa::path(post, path = "/v1/apps/{app}/versions", tag = "versions",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 200, description = "The version is durable", body = AddedDto),
        (status = 400, description = "No valid definition; `problems` names each fault", body = ProblemDto, content_type = "application/problem+json"),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn add_version(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let call = ApiCall::AddVersion { app: change.target.app().clone(), document: change.json()?.to_vec() };
    match api.change(change, call).await? {
        ApiReply::Created { revision, version, .. } => {
            Ok(reply::with_revision(reply::json(StatusCode::OK, &AddedDto { id: version }), Some(revision)))
        }
        other => Ok(accepted(&other)),
    }
}

/// Lets the planner at an app again that was set aside after crashes.
#[utoipa::path(post, path = "/v1/apps/{app}/release", tag = "changes",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn release(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let call = ApiCall::ReleaseApp { app: change.target.app().clone() };
    Ok(accepted(&api.change(change, call).await?))
}

/// Asks for a change of an app, or with `dryRun` only what it would do.
async fn change_app(
    api: &Api,
    request: Change,
    change: AppChange,
    write: impl FnOnce(&ApiReply) -> Response,
) -> Result<Response, Problem> {
    let call = ApiCall::ChangeApp { app: request.target.app().clone(), change, guard: request.guard()? };
    if request.parameters.flag("dryRun")? {
        return would_do(api, call).await;
    }
    Ok(write(&api.change(request, call).await?))
}

/// The machine is read, not stepped: nothing comes of it.
async fn would_do(api: &Api, call: ApiCall) -> Result<Response, Problem> {
    let read = move |reading: &dyn Reading| reading.dry_run(&call);
    api.show(read, |seen| Ok(reply::json(StatusCode::OK, &DryRunDto::from(seen?)))).await
}

/// The document with the key `compose` behind all others: what stands before it keeps its place, so that errors point at
/// what the caller wrote. One that has the key already has it twice then, which is refused.
fn with_compose(document: &[u8], compose: &str) -> Result<Vec<u8>, Problem> {
    check_segment(compose).map_err(|why| Problem::bad_request(format!("compose: {why}")))?;
    let text = document.trim_ascii_end();
    let Some(open) = text.strip_suffix(b"}") else { return Ok(document.to_vec()) };
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

fn revision_of(reply: &ApiReply) -> Option<u64> {
    match *reply {
        ApiReply::Created { revision, .. }
        | ApiReply::Accepted { revision, .. }
        | ApiReply::Unchanged { revision, .. } => Some(revision),
        ApiReply::Done => None,
    }
}

pub(crate) fn accepted(taken: &ApiReply) -> Response {
    reply::with_revision(reply::json(StatusCode::ACCEPTED, &"accepted"), revision_of(taken))
}
