//! Owns the routes of placement: why tasks wait or are where they are, and the agents that there are.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use crate::apps::no_such_app;
use crate::calls::{Paging, Parameters, Target};
use crate::dto::{AgentDto, ExplainDto};
use crate::problem::{Problem, ProblemDto};
use crate::reading::Reading;
use crate::reply;
use crate::service::Api;

/// Why slots of an app wait, and why its tasks are where they are.
#[utoipa::path(get, path = "/v1/apps/{app}/explain", tag = "placement",
    params(("app" = String, Path, description = "The dotted id")),
    responses(
        (status = 200, description = "The explanation", body = ExplainDto),
        (status = 404, description = "No such app", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn explain(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let app = target.app().clone();
    let read = move |reading: &dyn Reading| reading.explain(&app);
    api.show(read, |explained| {
        let explained = ExplainDto::from(explained.ok_or_else(|| no_such_app(&target))?);
        Ok(reply::tagged(&headers, None, &explained))
    })
    .await
}

/// Agents as last heard of, in order of id. `Link: …; rel="next"` leads to the next page.
#[utoipa::path(get, path = "/v1/agents", tag = "placement",
    params(
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The id after which the page begins")),
    responses(
        (status = 200, description = "A page of agents", body = [AgentDto]),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn agents(
    State(api): State<Api>,
    headers: HeaderMap,
    paging: Paging,
) -> Result<Response, Problem> {
    let limit = paging.limit;
    let read = |reading: &dyn Reading, after: Option<&str>, limit| Some(reading.agents(after, limit));
    api.show_page(paging, read, |page| {
        let page = page.expect("there is always a list of agents");
        let items: Vec<AgentDto> = page.items.into_iter().map(AgentDto::from).collect();
        Ok(reply::page(&headers, "/v1/agents", limit, &items, page.next.as_deref()))
    })
    .await
}

/// One agent.
#[utoipa::path(get, path = "/v1/agents/{agent}", tag = "placement",
    params(("agent" = String, Path, description = "The agent's id in Mesos")),
    responses(
        (status = 200, description = "The agent", body = AgentDto),
        (status = 404, description = "No such agent", body = ProblemDto, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemDto, content_type = "application/problem+json")))]
pub(crate) async fn agent(
    State(api): State<Api>,
    headers: HeaderMap,
    target: Target,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.only(&[])?;
    let id = target.part.clone();
    let read = move |reading: &dyn Reading| {
        let from = just_before(&id);
        reading.agents(from.as_deref(), 1).items.into_iter().find(|agent| agent.id == id)
    };
    api.show(read, |agent| {
        let none = || Problem::not_found(format!("there is no agent '{}'", target.part));
        Ok(reply::tagged(&headers, None, &AgentDto::from(agent.ok_or_else(none)?)))
    })
    .await
}

/// A text that sorts before `id` with no agent's id between them: ids end in visible characters of ASCII. `None` is before
/// all.
fn just_before(id: &str) -> Option<String> {
    let (start, last) = id.split_at_checked(id.len().checked_sub(1)?)?;
    let before = char::from(last.bytes().next()?.checked_sub(1)?);
    Some(format!("{start}{before}{}", char::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_between_an_id_and_what_is_just_before_it() {
        for (id, less) in [("agent-12", "agent-11999"), ("agent-1", "agent-0~"), ("a", "Z"), ("b", "a")] {
            let before = just_before(id).expect("it has one");
            assert!(before.as_str() < id && before.as_str() > less, "{before}");
        }
        assert_eq!(just_before(""), None);
        assert_eq!(just_before("\u{e9}"), None);
    }
}
