//! Owns the routes of apps and their versions.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use swan_core::scheduler::api::{ApiCall, ApiReply, AppChange};

use crate::calls::{Change, Paging, Parameters, Target};
use crate::dto::{AppDto, CreatedDto, ScaleDto, VersionDto};
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// Apps in order of id. `Link: …; rel="next"` leads to the next page.
#[utoipa::path(get, path = "/v1/apps", tag = "apps",
    params(
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The id after which the page begins")),
    responses(
        (status = 200, description = "A page of apps", body = [AppDto]),
        (status = 304, description = "If-None-Match names just this page"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    paging: Paging,
) -> Result<Response, Problem> {
    let limit = paging.limit;
    let paging = Paging { after: paging.after.map(|id| id.to_ascii_lowercase()), ..paging };
    let read = |reading: &dyn Reading, after: Option<&str>, limit| Some(reading.apps(after, limit));
    api.show_page(paging, read, |page| {
        let page = page.expect("there is always a list of apps");
        let items: Vec<AppDto> = page.items.into_iter().map(AppDto::from).collect();
        Ok(reply::page(&headers, "/v1/apps", limit, &items, page.next.as_deref()))
    })
    .await
}

/// Creates an app. It is durable when the answer comes; its tasks come later.
#[utoipa::path(post, path = "/v1/apps", tag = "apps",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 201, description = "Created", body = CreatedDto),
        (status = 400, description = "No valid definition; `problems` names each fault", body = ProblemDto, content_type = "application/problem+json"),
        (status = 409, description = "The app exists, or a name collides", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn create(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let document = change.json()?.to_vec();
    match api.change(change, ApiCall::CreateApp { document }).await? {
        ApiReply::Created { app, revision, version } => {
            let location = format!("/v1/apps/{}", reply::escape(app.as_str()));
            let body = CreatedDto { id: app.to_string(), version };
            let mut response = reply::with_revision(reply::json(StatusCode::CREATED, &body), revision);
            response.headers_mut().insert(header::LOCATION, reply::header_value(&location));
            Ok(response)
        }
        ApiReply::Accepted { revision, .. } | ApiReply::Unchanged { revision, .. } => Ok(accepted(revision)),
        ApiReply::Done => Ok(accepted(0)),
    }
}

/// One app. The ETag's part before `-` is the revision, which `If-Match` takes.
#[utoipa::path(get, path = "/v1/apps/{app}", tag = "apps",
    params(("app" = String, Path, description = "The dotted id; case does not matter")),
    responses(
        (status = 200, description = "The app", body = AppDto),
        (status = 304, description = "If-None-Match names just this"),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let app = target.app().clone();
    let read = move |reading: &dyn Reading| reading.app(&app);
    api.show(read, |app| {
        let app = AppDto::from(app.ok_or_else(|| no_such_app(&target))?);
        Ok(reply::tagged(&headers, Some(app.revision), &app))
    })
    .await
}

/// Replaces the definition; tasks whose configuration changed are replaced one by one.
#[utoipa::path(put, path = "/v1/apps/{app}", tag = "apps",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = Object, description = "The definition, in Marathon's form or Swan's"),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn update(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let document = change.json()?.to_vec();
    let call = of_app(&change, AppChange::Update { document });
    Ok(accepted(revision_of(&api.change(change, call).await?)))
}

/// Deletes an app: its tasks drain and end first. Allowed in any state.
#[utoipa::path(delete, path = "/v1/apps/{app}", tag = "apps",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn delete(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let call = of_app(&change, AppChange::Delete);
    api.change(change, call).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Changes the number of instances.
#[utoipa::path(post, path = "/v1/apps/{app}/scale", tag = "apps",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("If-Match" = Option<String>, Header, description = "The ETag that the caller has seen"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    request_body(content = ScaleDto),
    responses(
        (status = 202, description = "`accepted`: durable and under way", body = String),
        (status = 304, description = "There are as many already"),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 412, description = "If-Match names another revision", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn scale(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let ScaleDto { instances } = serde_json::from_slice(change.json()?).map_err(|error| {
        Problem::bad_request(format!("the body must be {{\"instances\": NUMBER}}: {error}"))
    })?;
    let call = of_app(&change, AppChange::Scale { instances, ips: None });
    match api.change(change, call).await? {
        ApiReply::Unchanged { revision, .. } => {
            Ok(reply::with_revision(StatusCode::NOT_MODIFIED.into_response(), revision))
        }
        taken => Ok(accepted(revision_of(&taken))),
    }
}

/// Lets the planner at an app again that was set aside after crashes.
#[utoipa::path(post, path = "/v1/apps/{app}/release", tag = "apps",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn release(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let call = ApiCall::ReleaseApp { app: change.target.app().clone() };
    Ok(accepted(revision_of(&api.change(change, call).await?)))
}

/// The kept versions of an app, newest first.
#[utoipa::path(get, path = "/v1/apps/{app}/versions", tag = "versions",
    params(("app" = String, Path, description = "The dotted id")),
    responses(
        (status = 200, description = "All kept versions", body = [VersionDto]),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn versions(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let app = target.app().clone();
    let read = move |reading: &dyn Reading| reading.versions(&app);
    api.show(read, |versions| {
        let versions = versions.ok_or_else(|| no_such_app(&target))?;
        let versions: Vec<VersionDto> = versions.into_iter().map(VersionDto::from).collect();
        Ok(reply::tagged(&headers, None, &versions))
    })
    .await
}

/// One version of an app.
#[utoipa::path(get, path = "/v1/apps/{app}/versions/{version}", tag = "versions",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("version" = String, Path, description = "The version's id")),
    responses(
        (status = 200, description = "The version", body = VersionDto),
        (status = 404, description = "No such app or version", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn version(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let (app, name) = (target.app().clone(), target.part.clone());
    let read = move |reading: &dyn Reading| reading.version(&app, &name);
    api.show(read, |version| {
        let missing =
            || Problem::not_found(format!("app '{}' has no version '{}'", target.app(), target.part));
        let version = VersionDto::from(version.ok_or_else(missing)?);
        Ok(reply::tagged(&headers, None, &version))
    })
    .await
}

fn of_app(request: &Change, change: AppChange) -> ApiCall {
    ApiCall::of_app(request.target.app().clone(), change, request.if_match)
}

pub(crate) fn no_such_app(target: &Target) -> Problem {
    Problem::not_found(format!("there is no app '{}'", target.app()))
}

fn revision_of(reply: &ApiReply) -> u64 {
    match *reply {
        ApiReply::Created { revision, .. }
        | ApiReply::Accepted { revision, .. }
        | ApiReply::Unchanged { revision, .. } => revision,
        ApiReply::Done => 0,
    }
}

fn accepted(revision: u64) -> Response {
    reply::with_revision(reply::json(StatusCode::ACCEPTED, &"accepted"), revision)
}
