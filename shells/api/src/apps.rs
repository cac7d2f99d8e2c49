//! Owns the routes that show apps and their versions.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use swan_core::selector::AppFilter;

use crate::calls::{Paging, Parameters, Target};
use crate::dto::{AppDto, VersionDto};
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// Apps in order of id. `Link: …; rel="next"` leads to the next page.
#[utoipa::path(get, path = "/v1/apps", tag = "apps",
    params(
        ("labels" = Option<String>, Query, description = "Only apps with such labels, in Kubernetes' grammar: `tier=web,env in (a,b),!old`"),
        ("fields" = Option<String>, Query, description = "Only apps with such fields, `runAs`, `name` and `cluster`: `runAs==shop`"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The id after which the page begins")),
    responses(
        (status = 200, description = "A page of apps", body = [AppDto]),
        (status = 304, description = "If-None-Match names just this page"),
        (status = 400, description = "No valid selector; the detail says at which character", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&["limit", "after", "labels", "fields"])?;
    let paging = Paging::of(&parameters)?;
    let limit = paging.limit;
    let paging = Paging { after: paging.after.map(|id| id.to_ascii_lowercase()), ..paging };
    let filter = AppFilter::parse(&parameters.joined("labels"), &parameters.joined("fields"));
    let filter = filter.map_err(Problem::bad_request)?;
    let read =
        move |reading: &dyn Reading, after: Option<&str>, limit| Some(reading.apps(&filter, after, limit));
    api.show_page(paging, read, |page| {
        let page = page.expect("there is always a list of apps");
        let items: Vec<AppDto> = page.items.into_iter().map(AppDto::from).collect();
        Ok(reply::page(&headers, &same_listing(&parameters), limit, &items, page.next.as_deref()))
    })
    .await
}

/// The path of a listing with what it is narrowed to.
fn same_listing(parameters: &Parameters) -> String {
    let chosen = ["labels", "fields"].map(|name| (name, parameters.joined(name)));
    let chosen = chosen.iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = chosen.map(|(name, value)| format!("{name}={}", reply::escape(value))).collect();
    if query.is_empty() { "/v1/apps".to_owned() } else { format!("/v1/apps?{}", query.join("&")) }
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

pub(crate) fn no_such_app(target: &Target) -> Problem {
    Problem::not_found(format!("there is no app '{}'", target.app()))
}
