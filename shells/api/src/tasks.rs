//! Owns the routes of an app's tasks.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use swan_core::id::{TaskId, TaskName};
use swan_core::scheduler::api::ApiCall;

use crate::apps::no_such_app;
use crate::calls::{Change, Paging, Parameters, Target};
use crate::dto::TaskDto;
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// The slots of an app with their tasks, in order. `Link: …; rel="next"` leads to the next page.
#[utoipa::path(get, path = "/v1/apps/{app}/tasks", tag = "tasks",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The slot number after which the page begins")),
    responses(
        (status = 200, description = "A page of tasks", body = [TaskDto]),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    paging: Paging,
) -> Result<Response, Problem> {
    if paging.after.as_ref().is_some_and(|after| after.parse::<u32>().is_err()) {
        return Err(Problem::bad_request("after must be a slot's number"));
    }
    let (limit, app) = (paging.limit, target.app().clone());
    let read = move |reading: &dyn Reading, after: Option<&str>, limit| {
        reading.tasks(&app, after.and_then(|slot| slot.parse().ok()), limit)
    };
    api.show_page(paging, read, |page| {
        let page = page.ok_or_else(|| no_such_app(&target))?;
        let items: Vec<TaskDto> = page.items.into_iter().map(TaskDto::from).collect();
        let path = format!("/v1/apps/{}/tasks", reply::escape(target.app().as_str()));
        Ok(reply::page(&headers, &path, limit, &items, page.next.as_deref()))
    })
    .await
}

/// One task.
#[utoipa::path(get, path = "/v1/apps/{app}/tasks/{task}", tag = "tasks",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("task" = String, Path, description = "The task's id, or its slot's name")),
    responses(
        (status = 200, description = "The task", body = TaskDto),
        (status = 404, description = "No such app or task", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let (app, name) = (target.app().clone(), target.part.to_ascii_lowercase());
    let read = move |reading: &dyn Reading| reading.task(&app, &name);
    api.show(read, |task| {
        let task = TaskDto::from(task.ok_or_else(|| no_such_task(&target))?);
        Ok(reply::tagged(&headers, None, &task))
    })
    .await
}

/// Ends one task; its slot gets a new one. A slot's name stands for the task that it holds now.
#[utoipa::path(delete, path = "/v1/apps/{app}/tasks/{task}", tag = "tasks",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("task" = String, Path, description = "The task's id, or its slot's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 404, description = "No such app or task", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn kill(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let (app, name) = (change.target.app().clone(), change.target.part.to_ascii_lowercase());
    let task = if TaskName::parse(&name).is_some() {
        TaskId::new(name)
    } else {
        let of = app.clone();
        let (task, _) = api.read(move |reading| reading.task(&of, &name)).await?;
        task.and_then(|task| task.id).ok_or_else(|| no_such_task(&change.target))?
    };
    api.change(change, ApiCall::KillTask { app, task }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Ends all tasks of an app; their slots get new ones.
#[utoipa::path(delete, path = "/v1/apps/{app}/tasks", tag = "tasks",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key is done once and answered alike")),
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = 423, description = "A change is under way", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn kill_all(State(api): State<Api>, change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let call = ApiCall::KillTasks { app: change.target.app().clone() };
    api.change(change, call).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn no_such_task(target: &Target) -> Problem {
    Problem::not_found(format!("app '{}' has no task '{}'", target.app(), target.part))
}
