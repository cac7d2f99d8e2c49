//! Owns the routes of failures: how tasks of an app have ended that nobody asked for.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use swan_core::id::{DottedId, TaskName};

use crate::apps::no_such_app;
use crate::calls::{Paging, Parameters, Target};
use crate::dto::FailureDto;
use crate::limits::READ_ITEMS_MAX;
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;
use crate::tasks::no_such_task;

/// The failures of an app that are remembered, by slot, newest first within one. Pages end between slots, and may be a
/// little longer than asked for.
#[utoipa::path(get, path = "/v1/apps/{app}/failures", tag = "failures",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("slot" = Option<u32>, Query, description = "Only those of this slot"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The slot number after which the page begins")),
    responses(
        (status = 200, description = "A page of failures", body = [FailureDto]),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn failures(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&["slot", "limit", "after"])?;
    let paging = Paging::of(&parameters)?;
    let number = |name: &str, text: Option<&str>| match text.map(str::parse::<u32>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Problem::bad_request(format!("{name} must be a slot's number"))),
    };
    let slot = number("slot", parameters.last("slot"))?;
    number("after", paging.after.as_deref())?;
    let (limit, app) = (paging.limit, target.app().clone());
    let read = move |reading: &dyn Reading, after: Option<&str>, limit| {
        reading.failures(&app, slot, after.and_then(|slot| slot.parse().ok()), limit)
    };
    api.show_page(paging, read, |page| {
        let page = page.ok_or_else(|| no_such_app(&target))?;
        let items: Vec<FailureDto> = page.items.into_iter().map(FailureDto::from).collect();
        let chosen = slot.map_or_else(String::new, |slot| format!("?slot={slot}"));
        let path = format!("/v1/apps/{}/failures{chosen}", reply::escape(target.app().as_str()));
        Ok(reply::page(&headers, &path, limit, &items, page.next.as_deref()))
    })
    .await
}

/// The failures of one task's slot that are remembered, newest first. The task may have ended long ago.
#[utoipa::path(get, path = "/v1/apps/{app}/tasks/{task}/history", tag = "failures",
    params(
        ("app" = String, Path, description = "The dotted id"),
        ("task" = String, Path, description = "The task's id, or its slot's name")),
    responses(
        (status = 200, description = "All that are remembered", body = [FailureDto]),
        (status = 404, description = "No such app or task", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn of_task(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let (app, name) = (target.app().clone(), target.part.to_ascii_lowercase());
    let slot = slot_of(&name, &app).ok_or_else(|| no_such_task(&target))?;
    let read = move |reading: &dyn Reading| {
        let failures = reading.failures(&app, Some(slot), None, READ_ITEMS_MAX)?;
        // A slot that never failed is there only as long as it holds or waits for a task.
        let known = !failures.items.is_empty() || reading.task(&app, &format!("{slot}.{app}")).is_some();
        known.then_some(failures.items)
    };
    api.show(read, |failures| {
        let failures = failures.ok_or_else(|| no_such_task(&target))?;
        let failures: Vec<FailureDto> = failures.into_iter().map(FailureDto::from).collect();
        Ok(reply::tagged(&headers, None, &failures))
    })
    .await
}

/// The slot that a task's id or a slot's name belongs to, if that is one of the app.
fn slot_of(name: &str, app: &DottedId) -> Option<u32> {
    if let Some(task) = TaskName::parse(name) {
        return (task.app == app.as_str()).then_some(task.slot);
    }
    name.strip_suffix(app.as_str())?.strip_suffix('.')?.parse().ok()
}
