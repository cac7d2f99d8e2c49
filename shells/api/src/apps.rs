//! Owns the routes that show apps and their versions.

use axum::response::Response;
use swan_core::id::DottedId;

use crate::asked::AppListing;
use crate::calls::Paging;
use crate::dto::{AppDto, VersionDto};
use crate::look::{Look, each};
use crate::problem::Problem;

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
        (status = 400, description = "No valid selector; the detail says at which character")))]
pub(crate) async fn list(look: Look) -> Result<Response, Problem> {
    let listing = AppListing::of(&look.parameters)?;
    let path = listing.path().to_owned();
    let paging = Paging { limit: listing.limit, after: listing.after };
    let filter = listing.filter;
    look.page::<_, AppDto>(
        &path,
        paging,
        move |reading, after, limit| Ok(reading.apps(&filter, after, limit)),
    )
    .await
}

/// One app. The ETag's part before `-` is the revision, which `If-Match` takes.
#[utoipa::path(get, path = "/v1/apps/{app}", tag = "apps",
    responses(
        (status = 200, description = "The app", body = AppDto),
        (status = 304, description = "If-None-Match names just this")))]
pub(crate) async fn show(look: Look) -> Result<Response, Problem> {
    look.show_revised(
        |reading, of| reading.app(of.app()).ok_or_else(|| no_such_app(of.app())),
        |app| (Some(app.revision), AppDto::from(app)),
    )
    .await
}

/// The kept versions of an app, newest first.
#[utoipa::path(get, path = "/v1/apps/{app}/versions", tag = "versions",
    responses((status = 200, description = "All kept versions", body = [VersionDto])))]
pub(crate) async fn versions(look: Look) -> Result<Response, Problem> {
    look.show(
        |reading, of| reading.versions(of.app()).ok_or_else(|| no_such_app(of.app())),
        each::<_, VersionDto>,
    )
    .await
}

/// One version of an app.
#[utoipa::path(get, path = "/v1/apps/{app}/versions/{version}", tag = "versions",
    responses(
        (status = 200, description = "The version", body = VersionDto),
        (status = 404, description = "No such app or version")))]
pub(crate) async fn version(look: Look) -> Result<Response, Problem> {
    look.show(
        |reading, of| {
            let none = || Problem::not_found(format!("app '{}' has no version '{}'", of.app(), of.part));
            reading.version(of.app(), &of.part).ok_or_else(none)
        },
        VersionDto::from,
    )
    .await
}

pub(crate) fn no_such_app(app: &DottedId) -> Problem {
    Problem::not_found(format!("there is no app '{app}'"))
}
