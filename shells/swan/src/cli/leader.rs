//! Owns `swan leader`.

use reqwest::Method;
use swan_api::{LeaderDto, ManagerDto};

use super::client::Client;
use super::output;
use crate::failure::Failure;

/// `swan leader show`.
pub(crate) async fn show(client: &Client) -> Result<(), Failure> {
    let document = client.document("/v1/leader").await?;
    if client.json {
        return output::json(&document);
    }
    let row = |manager: &ManagerDto| {
        let ManagerDto { address, role, version, format, lag } = manager;
        vec![address.clone(), role.clone(), version.clone(), format.to_string(), lag.to_string()]
    };
    let leader: LeaderDto = client.typed(&document)?;
    let rows: Vec<Vec<String>> = leader.managers.iter().map(row).collect();
    let table = output::table(&["MANAGER", "ROLE", "VERSION", "FORMAT", "LAG"], &rows);
    output::text(&format!("{table}journal format: {}\n", leader.format_in_force))
}

/// `swan leader abdicate`.
pub(crate) async fn abdicate(client: &Client) -> Result<(), Failure> {
    client.send(Method::DELETE, "/v1/leader", None).await?;
    if client.json {
        return output::json(&serde_json::json!({"leader": "abdicates"}));
    }
    output::text("the leader gives up leadership\n")
}
