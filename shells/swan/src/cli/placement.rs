//! Owns `swan explain` and `swan agent`.

use swan_api::{AgentDto, ExplainDto, WaitingDto};

use super::client::{Client, segment};
use super::output::{self, plain};
use crate::failure::Failure;

/// `swan explain`.
pub(crate) async fn explain(client: &Client, app: &str) -> Result<(), Failure> {
    let document = client.document(&format!("/v1/apps/{}/explain", segment(app))).await?;
    if client.json {
        return output::json(&document);
    }
    output::text(&told(app, &client.typed(&document)?))
}

fn told(app: &str, explained: &ExplainDto) -> String {
    let mut text: String = explained.waiting.iter().map(waiting).collect();
    for slot in &explained.given_up {
        text.push_str(&format!("slot {} was given up: {}\n", slot.slot, plain(&slot.reason)));
    }
    if !explained.placed.is_empty() {
        let row = |placed: &swan_api::PlacedDto| {
            vec![placed.slot.to_string(), placed.host.clone(), placed.why.clone()]
        };
        let rows: Vec<Vec<String>> = explained.placed.iter().map(row).collect();
        text.push_str(&output::table(&["SLOT", "WHERE", "WHY"], &rows));
    }
    if text.is_empty() {
        text = format!("{}: there is nothing to explain\n", plain(app));
    }
    text
}

fn waiting(waiting: &WaitingDto) -> String {
    let WaitingDto { slots, version, role, backing_off, agents, agents_seen, suitable, .. } = waiting;
    let mut text =
        format!("{slots} waiting for an agent, version {}, role {}\n", plain(version), plain(role));
    if *backing_off > 0 {
        text.push_str(&format!("  {backing_off} more pause after a failure\n"));
    }
    text.push_str(&format!("  of {agents_seen} agents looked at ({agents} known) {suitable} would suit\n"));
    for failing in &waiting.failing {
        text.push_str(&format!("  {:>5} fail at {}\n", failing.agents, plain(&failing.requirement)));
    }
    if let Some(nearest) = &waiting.nearest {
        text.push_str(&format!("  nearest: {} lacks {}\n", plain(&nearest.host), plain(&nearest.lacks)));
    }
    text
}

/// `swan agent list`.
pub(crate) async fn agents(client: &Client) -> Result<(), Failure> {
    let listing = client.listing("/v1/agents").await?;
    if client.json {
        return output::json(&listing);
    }
    let rows: Vec<Vec<String>> = client.typed::<Vec<AgentDto>>(&listing)?.iter().map(row).collect();
    let head =
        ["ID", "HOST", "TASKS", "CPUS", "MEM", "DISK", "GPUS", "PORTS", "ZONE", "ATTRIBUTES", "OUTAGE"];
    output::text(&output::table(&head, &rows))
}

fn row(agent: &AgentDto) -> Vec<String> {
    let free = match &agent.offered {
        Some(free) => [
            free.cpus.to_string(),
            free.mem.to_string(),
            free.disk.to_string(),
            free.gpus.to_string(),
            free.ports.to_string(),
        ],
        None => std::array::from_fn(|_| "-".to_owned()),
    };
    let place = [agent.region.as_str(), agent.zone.as_str()].into_iter().filter(|part| !part.is_empty());
    let attributes = agent.attributes.iter().map(|(name, value)| format!("{name}={value}"));
    let outage = agent.maintenance.as_ref().map(|outage| {
        format!("{} to {}", outage.begins, outage.ends.as_deref().unwrap_or("nobody knows when"))
    });
    let mut row = vec![agent.id.clone(), agent.host.clone(), agent.tasks.to_string()];
    row.extend(free);
    row.push(place.collect::<Vec<_>>().join("/"));
    row.push(attributes.collect::<Vec<_>>().join(","));
    row.push(outage.unwrap_or_else(|| "-".to_owned()));
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_explanation_is_told_in_words() {
        let explained: ExplainDto = serde_json::from_value(json!({
            "waiting": [{
                "version": "17", "role": "*", "slots": 2, "backingOff": 1, "agents": 5, "agentsSeen": 4, "suitable": 0,
                "failing": [{"requirement": "mem 512", "agents": 3}], "nearest": {"host": "n1", "lacks": "12 MiB"},
            }],
            "placed": [{"slot": 0, "host": "n2", "why": "fewest tasks"}],
            "givenUp": [{"slot": 3, "reason": "no agent"}],
        }))
        .expect("an explanation");
        let said = told("web", &explained);
        let lines: Vec<&str> = said.lines().map(str::trim).collect();
        assert_eq!(
            lines[..6],
            [
                "2 waiting for an agent, version 17, role *",
                "1 more pause after a failure",
                "of 4 agents looked at (5 known) 0 would suit",
                "3 fail at mem 512",
                "nearest: n1 lacks 12 MiB",
                "slot 3 was given up: no agent",
            ]
        );
        assert!(lines[7].starts_with('0') && lines[7].ends_with("fewest tasks"), "{said}");
        let nothing = ExplainDto { waiting: vec![], placed: vec![], given_up: vec![] };
        assert_eq!(told("web", &nothing), "web: there is nothing to explain\n");
    }
}
