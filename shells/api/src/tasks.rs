//! Owns the routes of an app's tasks.

use axum::response::Response;
use swan_core::id::{TaskId, TaskName};
use swan_core::scheduler::api::ApiCall;

use crate::apps::no_such_app;
use crate::calls::{Change, Target};
use crate::dto::TaskDto;
use crate::look::Look;
use crate::problem::Problem;
use crate::reply::{self, no_content};

/// The slots of an app with their tasks, in order. `Link: …; rel="next"` leads to the next page.
#[utoipa::path(get, path = "/v1/apps/{app}/tasks", tag = "tasks",
    params(
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The slot number after which the page begins")),
    responses((status = 200, description = "A page of tasks", body = [TaskDto])))]
pub(crate) async fn list(look: Look) -> Result<Response, Problem> {
    let paging = look.paging(&["limit", "after"])?;
    if paging.after.as_ref().is_some_and(|after| after.parse::<u32>().is_err()) {
        return Err(Problem::bad_request("after must be a slot's number"));
    }
    let app = look.target.app().clone();
    let path = format!("/v1/apps/{}/tasks", reply::escape(app.as_str()));
    look.page::<_, TaskDto>(&path, paging, move |reading, after, limit| {
        let after = after.and_then(|slot| slot.parse().ok());
        reading.tasks(&app, after, limit).ok_or_else(|| no_such_app(&app))
    })
    .await
}

/// One task.
#[utoipa::path(get, path = "/v1/apps/{app}/tasks/{task}", tag = "tasks",
    responses(
        (status = 200, description = "The task", body = TaskDto),
        (status = 404, description = "No such app or task")))]
pub(crate) async fn show(look: Look) -> Result<Response, Problem> {
    look.show(
        |reading, of| {
            let task = reading.task(of.app(), &of.part.to_ascii_lowercase());
            task.ok_or_else(|| no_such_task(of))
        },
        TaskDto::from,
    )
    .await
}

/// Ends one task; its slot gets a new one. A slot's name stands for the task that it holds now.
#[utoipa::path(delete, path = "/v1/apps/{app}/tasks/{task}", tag = "tasks",
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 404, description = "No such app or task")))]
pub(crate) async fn kill(change: Change) -> Result<Response, Problem> {
    let change = change.takes(&[])?;
    let (app, name) = (change.target.app().clone(), change.target.part.to_ascii_lowercase());
    let task = if TaskName::parse(&name).is_some() {
        TaskId::new(name)
    } else {
        let of = app.clone();
        let (task, _) = change.api.read(move |reading| reading.task(&of, &name)).await?;
        task.and_then(|task| task.id).ok_or_else(|| no_such_task(&change.target))?
    };
    change.ask(ApiCall::KillTask { app, task }, no_content).await
}

/// Ends all tasks of an app; their slots get new ones.
#[utoipa::path(delete, path = "/v1/apps/{app}/tasks", tag = "tasks",
    responses(
        (status = 204, description = "Durable and under way"),
        (status = 423, description = "A change is under way")))]
pub(crate) async fn kill_all(change: Change) -> Result<Response, Problem> {
    change.ask_of_app(|app| ApiCall::KillTasks { app }, no_content).await
}

pub(crate) fn no_such_task(target: &Target) -> Problem {
    Problem::not_found(format!("app '{}' has no task '{}'", target.app(), target.part))
}
