//! Owns the routes of rollouts: what is remembered of an app's changes, and steering the one under way.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use swan_core::scheduler::api::{ApiCall, RolloutVerb};

use crate::apps::no_such_app;
use crate::calls::{Change, Parameters, Target};
use crate::changes::accepted;
use crate::dto::RolloutDto;
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// The changes of an app that are remembered, newest first.
#[utoipa::path(get, path = "/v1/apps/{app}/rollouts", tag = "rollouts",
    params(("app" = String, Path, description = "The dotted id")),
    responses(
        (status = 200, description = "All that are remembered; the first may be under way", body = [RolloutDto]),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let app = target.app().clone();
    let read = move |reading: &dyn Reading| reading.rollouts(&app);
    api.show(read, |rollouts| {
        let rollouts = rollouts.ok_or_else(|| no_such_app(&target))?;
        let rollouts: Vec<RolloutDto> = rollouts.into_iter().map(RolloutDto::from).collect();
        Ok(reply::tagged(&headers, None, &rollouts))
    })
    .await
}

/// The change of an app that is under way, else the last one.
#[utoipa::path(get, path = "/v1/apps/{app}/rollout", tag = "rollouts",
    params(("app" = String, Path, description = "The dotted id")),
    responses(
        (status = 200, description = "The change", body = RolloutDto),
        (status = 404, description = "No such app, or no change is remembered", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let app = target.app().clone();
    let read = move |reading: &dyn Reading| reading.rollouts(&app);
    api.show(read, |rollouts| {
        let newest = rollouts.ok_or_else(|| no_such_app(&target))?.into_iter().next();
        let none = || Problem::not_found(format!("app '{}' has no rollout", target.app()));
        Ok(reply::tagged(&headers, None, &RolloutDto::from(newest.ok_or_else(none)?)))
    })
    .await
}

/// Holds the change under way: nothing new is begun; tasks of both versions are kept alive.
#[utoipa::path(post, path = "/v1/apps/{app}/rollout/pause", tag = "rollouts",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app, or nothing is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn pause(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    steer(&api, change, RolloutVerb::Pause).await
}

/// Goes on with a change that was held.
#[utoipa::path(post, path = "/v1/apps/{app}/rollout/resume", tag = "rollouts",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app, or nothing is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn resume(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    steer(&api, change, RolloutVerb::Resume).await
}

/// Ends the change under way by going back to the version before.
#[utoipa::path(post, path = "/v1/apps/{app}/rollout/cancel", tag = "rollouts",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app, or nothing is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn cancel(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    steer(&api, change, RolloutVerb::Cancel).await
}

async fn steer(api: &Api, change: Change, verb: RolloutVerb) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let call = ApiCall::SteerRollout { app: change.target.app().clone(), verb };
    Ok(accepted(&api.change(change, call).await?))
}
