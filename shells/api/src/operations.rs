//! Owns the routes about the manager itself: liveness, software, leadership, Mesos, quarantine, what concerns all apps, the API's
//! description.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use swan_core::id::TaskId;
use swan_core::journal::frame::FORMAT_LEVEL;
use swan_core::scheduler::api::ApiCall;

use crate::calls::{Change, Parameters};
use crate::dto::{BuildDto, FrameworkDto, FrameworkWordDto, LeaderDto, ManagerDto, QuarantinedDto};
use crate::look::Look;
use crate::manager::Standing;
use crate::peers::Member;
use crate::problem::Problem;
use crate::reading::Reading;
use crate::reply::{self, no_content};
use crate::service::Api;

/// Answers as long as the process lives; the machine is not asked.
#[utoipa::path(get, path = "/ping", tag = "operations", security(()),
    responses((status = 200, description = "`pong`", body = String)))]
pub(crate) async fn ping() -> Response {
    reply::json(StatusCode::OK, &"pong")
}

/// Answers as long as the process lives; the machine is not asked.
#[utoipa::path(get, path = "/v1/ping", tag = "operations", security(()),
    responses((status = 200, description = "`pong`", body = String)))]
pub(crate) async fn v1_ping() -> Response {
    ping().await
}

/// Which software answers.
#[utoipa::path(get, path = "/version", tag = "operations",
    responses((status = 200, description = "The build", body = BuildDto)))]
pub(crate) async fn version(State(api): State<Api>) -> Response {
    let build = &api.config.build;
    let dto = BuildDto {
        version: build.version.clone(),
        commit: build.commit.clone(),
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
    };
    reply::json(StatusCode::OK, &dto)
}

/// Which software answers.
#[utoipa::path(get, path = "/v1/version", tag = "operations",
    responses((status = 200, description = "The build", body = BuildDto)))]
pub(crate) async fn v1_version(state: State<Api>) -> Response {
    version(state).await
}

/// Who leads, and which managers there are.
#[utoipa::path(get, path = "/v1/leader", tag = "operations",
    responses(
        (status = 200, description = "The leading manager", body = LeaderDto),
        (status = 503, description = "None is known")))]
pub(crate) async fn leader(State(api): State<Api>) -> Result<Response, Problem> {
    let none = || Problem::unavailable("no manager is known to lead");
    let own = ManagerDto {
        address: api.config.advertise.clone(),
        role: "leader".to_owned(),
        version: api.config.build.version.clone(),
        format: FORMAT_LEVEL,
        lag: 0,
    };
    let Standing { leading, format, .. } = api.manager.standing();
    let Some(peers) = &api.config.peers else {
        let leader = own.address.clone();
        let dto = LeaderDto { leader, managers: vec![own], format_in_force: format };
        return if leading { Ok(reply::json(StatusCode::OK, &dto)) } else { Err(none()) };
    };
    let leader = if leading { Some(own.address) } else { peers.leader().await };
    let members = peers.members().await.map_err(Problem::unavailable)?;
    let leader = leader.ok_or_else(none)?;
    // It never falls, so whoever tells of the highest knows it best.
    let format_in_force =
        members.iter().map(|member| member.in_force).chain([format]).max().unwrap_or(format);
    let managers = managers(&leader, members);
    Ok(reply::json(StatusCode::OK, &LeaderDto { leader, managers, format_in_force }))
}

fn managers(leader: &str, members: Vec<Member>) -> Vec<ManagerDto> {
    let newest = members.iter().map(|member| member.followed.0).max().unwrap_or_default();
    let manager = |member: Member| ManagerDto {
        role: if member.address == leader { "leader" } else { "standby" }.to_owned(),
        lag: newest - member.followed.0,
        address: member.address,
        version: member.version,
        format: member.format,
    };
    members.into_iter().map(manager).collect()
}

/// Has the leading manager give leadership to another, which has followed all that it did.
#[utoipa::path(delete, path = "/v1/leader", tag = "operations",
    responses(
        (status = 204, description = "It gives up leadership; the next in order takes it"),
        (status = 409, description = "There can be no other manager: the journal is in files")))]
pub(crate) async fn abdicate(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    if change.api.config.peers.is_none() {
        let detail = "no other manager can lead: this one keeps its journal in files, not in ZooKeeper";
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", detail));
    }
    change.api.manager.abdicate();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Who Swan is for Mesos.
#[utoipa::path(get, path = "/v1/framework", tag = "operations",
    responses(
        (status = 200, description = "Framework and master", body = FrameworkDto)))]
pub(crate) async fn framework(State(api): State<Api>) -> Result<Response, Problem> {
    api.show_standing(
        |reading: &dyn Reading| reading.manager(),
        |manager| Ok(reply::json(StatusCode::OK, &FrameworkDto::from(manager))),
    )
    .await
}

/// Says who Swan is to be, after its journal was lost while its tasks ran: until then it holds. Adopting what it is
/// already changes nothing.
#[utoipa::path(post, path = "/v1/framework", tag = "operations",
    request_body(content = FrameworkWordDto),
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 404, description = "No such framework is held"),
        (status = 409, description = "Nothing is held, or something else was decided")))]
pub(crate) async fn decide_framework(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let word = FrameworkWordDto::read(change.json()?)?;
    change.ask(ApiCall::ChooseFramework { word }, no_content).await
}

/// Ends a task that no record knows; nothing takes its place.
#[utoipa::path(delete, path = "/v1/quarantine/{task}", tag = "operations",
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 404, description = "No such task is in quarantine")))]
pub(crate) async fn end_quarantined(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let task = TaskId::new(change.target.part.clone());
    change.ask(ApiCall::KillQuarantined { task }, no_content).await
}

/// Tasks of ours that no record knows. They are left alone.
#[utoipa::path(get, path = "/v1/quarantine", tag = "operations",
    params(
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The task id after which the page begins")),
    responses((status = 200, description = "A page of tasks", body = [QuarantinedDto])))]
pub(crate) async fn quarantine(look: Look) -> Result<Response, Problem> {
    let paging = look.paging(&["limit", "after"])?;
    look.page::<_, QuarantinedDto>("/v1/quarantine", paging, |reading, after, limit| {
        Ok(reading.quarantined(after, limit))
    })
    .await
}

/// Deletes every app. Only if the manager was started with `--allow-purge`.
#[utoipa::path(post, path = "/v1/purge", tag = "operations",
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 403, description = "The manager does not allow it")))]
pub(crate) async fn purge(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    if !change.api.config.allow_purge {
        let detail = "this would delete every app, which only a manager started with --allow-purge does";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail));
    }
    change.ask(ApiCall::Purge, no_content).await
}

/// Overrides the disaster brake: what is lost is replaced in spite of it, until it would let go by itself.
#[utoipa::path(post, path = "/v1/brake/override", tag = "operations",
    responses(
        (status = 204, description = "Durable; the brake has let go")))]
pub(crate) async fn override_brake(change: Change) -> Result<Response, Problem> {
    change.takes(&[])?.ask(ApiCall::OverrideBrake, no_content).await
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn open_api(State(api): State<Api>, parameters: Parameters) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    Ok((content_type, api.open_api.clone()).into_response())
}

/// No such route.
pub(crate) async fn no_route() -> Problem {
    Problem::not_found("there is nothing at this path; /openapi.json names what there is")
}

/// The route has other methods; axum names them in `Allow`.
pub(crate) async fn no_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this path does not take this method; the Allow header names those it takes",
    )
}
