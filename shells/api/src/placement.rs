//! Owns the routes of placement: why tasks wait or are where they are, and the agents that there are.

use axum::response::Response;

use crate::apps::no_such_app;
use crate::dto::{AgentDto, ExplainDto};
use crate::look::Look;
use crate::problem::Problem;

/// Why slots of an app wait, and why its tasks are where they are.
#[utoipa::path(get, path = "/v1/apps/{app}/explain", tag = "placement",
    responses((status = 200, description = "The explanation", body = ExplainDto)))]
pub(crate) async fn explain(look: Look) -> Result<Response, Problem> {
    look.show(|reading, of| reading.explain(of.app()).ok_or_else(|| no_such_app(of.app())), ExplainDto::from)
        .await
}

/// Agents as last heard of, in order of id. `Link: …; rel="next"` leads to the next page.
#[utoipa::path(get, path = "/v1/agents", tag = "placement",
    params(
        ("limit" = Option<u32>, Query, description = "Items of a page, 1 to 1000"),
        ("after" = Option<String>, Query, description = "The id after which the page begins")),
    responses((status = 200, description = "A page of agents", body = [AgentDto])))]
pub(crate) async fn agents(look: Look) -> Result<Response, Problem> {
    let paging = look.paging(&["limit", "after"])?;
    look.page::<_, AgentDto>("/v1/agents", paging, |reading, after, limit| Ok(reading.agents(after, limit)))
        .await
}

/// One agent.
#[utoipa::path(get, path = "/v1/agents/{agent}", tag = "placement",
    responses(
        (status = 200, description = "The agent", body = AgentDto),
        (status = 404, description = "No such agent")))]
pub(crate) async fn agent(look: Look) -> Result<Response, Problem> {
    look.show(
        |reading, of| {
            let from = just_before(&of.part);
            let mut agents = reading.agents(from.as_deref(), 1).items.into_iter();
            let none = || Problem::not_found(format!("there is no agent '{}'", of.part));
            agents.find(|agent| agent.id == of.part).ok_or_else(none)
        },
        AgentDto::from,
    )
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
