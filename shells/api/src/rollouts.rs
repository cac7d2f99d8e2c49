//! Owns the routes of rollouts: what is remembered of an app's changes, and steering the one under way.

use axum::response::Response;
use swan_core::scheduler::api::{ApiCall, RolloutVerb};

use crate::apps::no_such_app;
use crate::calls::Change;
use crate::dto::RolloutDto;
use crate::look::{Look, each};
use crate::problem::Problem;
use crate::reply::accepted;

/// The changes of an app that are remembered, newest first.
#[utoipa::path(get, path = "/v1/apps/{app}/rollouts", tag = "rollouts",
    responses((status = 200, description = "All that are remembered; the first may be under way", body = [RolloutDto])))]
pub(crate) async fn list(look: Look) -> Result<Response, Problem> {
    look.show(
        |reading, of| reading.rollouts(of.app()).ok_or_else(|| no_such_app(of.app())),
        each::<_, RolloutDto>,
    )
    .await
}

/// The change of an app that is under way, else the last one.
#[utoipa::path(get, path = "/v1/apps/{app}/rollout", tag = "rollouts",
    responses(
        (status = 200, description = "The change", body = RolloutDto),
        (status = 404, description = "No such app, or no change is remembered")))]
pub(crate) async fn show(look: Look) -> Result<Response, Problem> {
    look.show(
        |reading, of| {
            let rollouts = reading.rollouts(of.app()).ok_or_else(|| no_such_app(of.app()))?;
            let none = || Problem::not_found(format!("app '{}' has no rollout", of.app()));
            rollouts.into_iter().next().ok_or_else(none)
        },
        RolloutDto::from,
    )
    .await
}

/// Holds the change under way: nothing new is begun; tasks of both versions are kept alive.
#[utoipa::path(post, path = "/v1/apps/{app}/rollout/pause", tag = "rollouts",
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app, or nothing is under way")))]
pub(crate) async fn pause(change: Change) -> Result<Response, Problem> {
    steer(change, RolloutVerb::Pause).await
}

/// Goes on with a change that was held.
#[utoipa::path(post, path = "/v1/apps/{app}/rollout/resume", tag = "rollouts",
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app, or nothing is under way")))]
pub(crate) async fn resume(change: Change) -> Result<Response, Problem> {
    steer(change, RolloutVerb::Resume).await
}

/// Ends the change under way by going back to the version before.
#[utoipa::path(post, path = "/v1/apps/{app}/rollout/cancel", tag = "rollouts",
    responses(
        (status = 202, description = "`accepted`", body = String),
        (status = 404, description = "No such app, or nothing is under way")))]
pub(crate) async fn cancel(change: Change) -> Result<Response, Problem> {
    steer(change, RolloutVerb::Cancel).await
}

async fn steer(change: Change, verb: RolloutVerb) -> Result<Response, Problem> {
    change.ask_of_app(|app| ApiCall::SteerRollout { app, verb }, accepted).await
}
