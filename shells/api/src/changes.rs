//! Owns the routes that change an app: what is to become of it, and on what condition.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use swan_core::scheduler::api::{ApiCall, ApiReply, AppChange};
use swan_core::spec::AppSpec;

use crate::apps::no_such_app;
use crate::asked::with_compose;
use crate::calls::Change;
use crate::described::ChangeOfApp;
use crate::dto::{AcceptedDto, AddedDto, CreatedDto, DryRunDto, ResetDto, RollbackDto, ScaleDto};
use crate::problem::{Problem, ProblemItem};
use crate::reading::Reading;
use crate::reply::{self, accepted, accepted_with, no_content};

/// The parameters of a change of an app.
const CONDITIONS: &[&str] = &["force", "dryRun"];

/// Creates an app. It is durable when the answer comes; its tasks come later.
#[utoipa::path(post, path = "/v1/apps", tag = "apps",
    params(
        ("compose" = Option<String>, Query, description = "The compose app that it belongs to; for original Swan's form"),
        ("dryRun" = Option<bool>, Query, description = "Only say what it would do")),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 201, description = "Created", body = CreatedDto),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 400, description = "No valid definition; `problems` names each fault"),
        (status = 409, description = "The app exists, or a name collides")))]
pub(crate) async fn create(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["compose", "dryRun"])?;
    let document = match change.parameters.last("compose") {
        Some(compose) => with_compose(change.json()?, compose)?,
        None => change.json()?.to_vec(),
    };
    let call = ApiCall::CreateApp { document: document.clone() };
    ask_or_try(change, call, |taken| match taken {
        ApiReply::Created { app, revision, version } => {
            let location = format!("/v1/apps/{}", reply::escape(app.as_str()));
            let body = CreatedDto { id: app.to_string(), version, warnings: warnings(&document) };
            let mut response = reply::with_revision(reply::json(StatusCode::CREATED, &body), Some(revision));
            response.headers_mut().insert(header::LOCATION, reply::header_value(&location));
            response
        }
        other => accepted(other),
    })
    .await
}

/// Replaces the definition; tasks whose configuration changed are replaced within the limits of the app's
/// `upgradeStrategy` and `update`.
#[utoipa::path(put, path = "/v1/apps/{app}", tag = "changes", params(ChangeOfApp),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        ChangeOfApp,
        (status = 202, description = "`accepted`: durable and under way; `warnings` if something is odd", body = AcceptedDto)))]
pub(crate) async fn update(change: Change) -> Result<Response, Problem> {
    let change = change.takes(CONDITIONS)?;
    let document = change.json()?.clone();
    let update = AppChange::Update { document: document.to_vec() };
    change_app(change, update, |taken| accepted_with(taken, warnings(&document))).await
}

/// Deletes an app: its tasks drain and end first. Allowed in any state; `force` makes no difference.
#[utoipa::path(delete, path = "/v1/apps/{app}", tag = "changes", params(ChangeOfApp),
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 200, description = "What it would do, with `dryRun`", body = DryRunDto),
        (status = 412, description = "If-Match names another revision")))]
pub(crate) async fn delete(change: Change) -> Result<Response, Problem> {
    change_app(change.takes(CONDITIONS)?, AppChange::Delete, no_content).await
}

/// Changes the number of instances.
#[utoipa::path(post, path = "/v1/apps/{app}/scale", tag = "changes", params(ChangeOfApp),
    request_body(content = ScaleDto),
    responses(ChangeOfApp, (status = 304, description = "There are as many already")))]
pub(crate) async fn scale(change: Change) -> Result<Response, Problem> {
    let change = change.takes(CONDITIONS)?;
    let ScaleDto { instances, ips } = ScaleDto::read(change.json()?)?;
    let ips = ips.filter(|ips| !ips.is_empty());
    change_app(change, AppChange::Scale { instances, ips }, |taken| match taken {
        ApiReply::Unchanged { revision, .. } => {
            reply::with_revision(StatusCode::NOT_MODIFIED.into_response(), Some(revision))
        }
        taken => accepted(taken),
    })
    .await
}

/// Goes back to an earlier version; the number of instances stays.
#[utoipa::path(post, path = "/v1/apps/{app}/rollback", tag = "changes",
    params(
        ("version" = Option<String>, Query, description = "The version; without one, the newest earlier one of another configuration"),
        ChangeOfApp),
    request_body(content = Option<RollbackDto>, description = "The version, if it is not in the query"),
    responses(ChangeOfApp, (status = 404, description = "No such app or version")))]
pub(crate) async fn rollback(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&["version", "force", "dryRun"])?;
    let in_body = match change.has_body() {
        true => RollbackDto::read(change.json()?)?,
        false => RollbackDto::default(),
    };
    let in_query = change.parameters.last("version").map(str::to_owned);
    let version = match (in_query, in_body.version) {
        (Some(one), Some(other)) if one != other => {
            return Err(Problem::bad_request("version must not differ between the query and the body"));
        }
        (in_query, in_body) => in_query.or(in_body).filter(|version| !version.is_empty()),
    };
    change_app(change, AppChange::Rollback { version }, accepted).await
}

/// Replaces every task by one of the same configuration, within the limits of an update.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/restart",
    tag = "changes",
    params(ChangeOfApp),
    responses(ChangeOfApp)
)]
pub(crate) async fn restart(change: Change) -> Result<Response, Problem> {
    change_app(change.takes(CONDITIONS)?, AppChange::Restart, accepted).await
}

/// Ends all tasks; the app and its versions stay.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/stop",
    tag = "changes",
    params(ChangeOfApp),
    responses(ChangeOfApp)
)]
pub(crate) async fn stop(change: Change) -> Result<Response, Problem> {
    change_app(change.takes(CONDITIONS)?, AppChange::Stop, accepted).await
}

/// Starts a stopped app again; also tries again what was given up.
#[utoipa::path(
    post,
    path = "/v1/apps/{app}/start",
    tag = "changes",
    params(ChangeOfApp),
    responses(ChangeOfApp)
)]
pub(crate) async fn start(change: Change) -> Result<Response, Problem> {
    change_app(change.takes(CONDITIONS)?, AppChange::Start, accepted).await
}

/// Forgets the change under way where it stands.
#[utoipa::path(post, path = "/v1/apps/{app}/reset", tag = "changes",
    responses((status = 200, description = "What was under way", body = ResetDto)))]
pub(crate) async fn reset(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let app = change.target.app().clone();
    let of = app.clone();
    let (shown, _) = change.api.read(move |reading| reading.app(&of)).await?;
    let previous = shown.ok_or_else(|| no_such_app(&app))?.operation_status.to_owned();
    let body = ResetDto { previous, current: "noop".to_owned() };
    let write = |taken: ApiReply| {
        reply::with_revision(reply::json(StatusCode::OK, &body), reply::revision_of(&taken))
    };
    change.ask(ApiCall::ResetApp { app }, write).await
}

/// Keeps a version without rolling it out.
#[utoipa::path(post, path = "/v1/apps/{app}/versions", tag = "versions",
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 200, description = "The version is durable", body = AddedDto),
        (status = 400, description = "No valid definition; `problems` names each fault")))]
pub(crate) async fn add_version(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let document = change.json()?.clone();
    let call = |app| ApiCall::AddVersion { app, document: document.to_vec() };
    let write = |taken| match taken {
        ApiReply::Created { revision, version, .. } => {
            let body = AddedDto { id: version, warnings: warnings(&document) };
            reply::with_revision(reply::json(StatusCode::OK, &body), Some(revision))
        }
        other => accepted(other),
    };
    change.ask_of_app(call, write).await
}

/// Lets the planner at an app again that was set aside after crashes.
#[utoipa::path(post, path = "/v1/apps/{app}/release", tag = "changes",
    responses((status = 202, description = "`accepted`", body = String)))]
pub(crate) async fn release(change: Change) -> Result<Response, Problem> {
    change.ask_of_app(|app| ApiCall::ReleaseApp { app }, accepted).await
}

/// Asks for a change of an app, or tries it.
async fn change_app(
    request: Change,
    change: AppChange,
    write: impl FnOnce(ApiReply) -> Response,
) -> Result<Response, Problem> {
    let call = ApiCall::ChangeApp { app: request.target.app().clone(), change, guard: request.guard()? };
    ask_or_try(request, call, write).await
}

/// With `dryRun` only says what it would do: the machine is read, not stepped, so that nothing comes of it.
async fn ask_or_try(
    change: Change,
    call: ApiCall,
    write: impl FnOnce(ApiReply) -> Response,
) -> Result<Response, Problem> {
    if !change.parameters.flag("dryRun")? {
        return change.ask(call, write).await;
    }
    let read = move |reading: &dyn Reading| reading.dry_run(&call);
    change.api.show(read, |seen| Ok(reply::json(StatusCode::OK, &DryRunDto::from(seen?)))).await
}

/// What is odd in a definition that was taken. It follows from the definition alone, which is read again for it: so the
/// machine need not keep it with the answers that it remembers.
fn warnings(document: &[u8]) -> Vec<ProblemItem> {
    let warnings = AppSpec::parse(document).map_or_else(|_| Vec::new(), |parsed| parsed.warnings);
    warnings.into_iter().map(ProblemItem::from).collect()
}
