//! Owns the routes of failures: how tasks of an app have ended that nobody asked for.

use axum::response::Response;
use swan_core::id::TaskName;

use crate::apps::no_such_app;
use crate::calls::Target;
use crate::dto::FailureDto;
use crate::limits::READ_ITEMS_MAX;
use crate::look::{Look, each};
use crate::problem::Problem;
use crate::reply;
use crate::tasks::no_such_task;

/// The failures of an app that are remembered, by slot, newest first within one. Pages end between slots, and may be a
/// little longer than asked for.
#[utoipa::path(get, path = "/v1/apps/{app}/failures", tag = "failures",
    params(
        ("slot" = Option<u32>, Query, description = "Only those of this slot"),
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The slot number after which the page begins")),
    responses((status = 200, description = "A page of failures", body = [FailureDto])))]
pub(crate) async fn failures(look: Look) -> Result<Response, Problem> {
    let paging = look.paging(&["slot", "limit", "after"])?;
    let number = |name: &str, text: Option<&str>| match text.map(str::parse::<u32>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Problem::bad_request(format!("{name} must be a slot's number"))),
    };
    let slot = number("slot", look.parameters.last("slot"))?;
    number("after", paging.after.as_deref())?;
    let app = look.target.app().clone();
    let chosen = slot.map_or_else(String::new, |slot| format!("?slot={slot}"));
    let path = format!("/v1/apps/{}/failures{chosen}", reply::escape(app.as_str()));
    look.page::<_, FailureDto>(&path, paging, move |reading, after, limit| {
        let after = after.and_then(|slot| slot.parse().ok());
        reading.failures(&app, slot, after, limit).ok_or_else(|| no_such_app(&app))
    })
    .await
}

/// The failures of one task's slot that are remembered, newest first. The task may have ended long ago.
#[utoipa::path(get, path = "/v1/apps/{app}/tasks/{task}/history", tag = "failures",
    responses(
        (status = 200, description = "All that are remembered", body = [FailureDto]),
        (status = 404, description = "No such app or task")))]
pub(crate) async fn of_task(look: Look) -> Result<Response, Problem> {
    look.parameters.only(&[])?;
    let slot = slot_of(&look.target).ok_or_else(|| no_such_task(&look.target))?;
    look.show(
        move |reading, of| {
            let app = of.app();
            let failures = reading.failures(app, Some(slot), None, READ_ITEMS_MAX);
            // A slot that never failed is there only as long as it holds or waits for a task.
            let failed = failures.map(|page| page.items).filter(|failures| {
                !failures.is_empty() || reading.task(app, &format!("{slot}.{app}")).is_some()
            });
            failed.ok_or_else(|| no_such_task(of))
        },
        each::<_, FailureDto>,
    )
    .await
}

/// The slot that a task's id or a slot's name belongs to, if that is one of the app.
fn slot_of(target: &Target) -> Option<u32> {
    let (app, name) = (target.app(), target.part.to_ascii_lowercase());
    if let Some(task) = TaskName::parse(&name) {
        return (task.app == app.as_str()).then_some(task.slot);
    }
    name.strip_suffix(app.as_str())?.strip_suffix('.')?.parse().ok()
}
