//! Owns `swan framework`.

use reqwest::Method;
use serde_json::json;
use swan_api::{FrameworkDto, FrameworkWordDto, PredecessorDto};

use super::FrameworkCommand;
use super::client::Client;
use super::output;
use crate::failure::Failure;

/// Does one command.
pub(crate) async fn run(client: &Client, command: FrameworkCommand) -> Result<(), Failure> {
    match command {
        FrameworkCommand::Show => show(client).await,
        FrameworkCommand::Adopt { id } => {
            let said =
                format!("framework {id} is adopted; its tasks are in quarantine: swan task quarantined");
            decide(client, &FrameworkWordDto { adopt: Some(id), new: None }, &said).await
        }
        FrameworkCommand::New => {
            let said = "a new framework is made; the tasks of those before run on by themselves";
            decide(client, &FrameworkWordDto { adopt: None, new: Some(true) }, said).await
        }
    }
}

async fn show(client: &Client) -> Result<(), Failure> {
    let document = client.document("/v1/framework").await?;
    if client.json {
        return output::json(&document);
    }
    let framework: FrameworkDto = client.typed(&document)?;
    let known = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let connected = if framework.connected { "yes" } else { "no" }.to_owned();
    let row = vec![known(&framework.id), known(&framework.master), connected];
    let mut text = output::table(&["FRAMEWORK", "MASTER", "CONNECTED"], &[row]);
    if let Some(hold) = framework.hold {
        text.push_str(&format!("\nheld since {}: {}\n\n", hold.since, output::plain(&hold.reason)));
        let rows: Vec<Vec<String>> = hold.frameworks.iter().map(row_of).collect();
        text.push_str(&output::table(&["HELD", "CONNECTED", "CPUS", "MEM", "DISK", "GPUS"], &rows));
    }
    output::text(&text)
}

fn row_of(held: &PredecessorDto) -> Vec<String> {
    let PredecessorDto { id, connected, cpus, mem, disk, gpus } = held;
    let connected = if *connected { "yes" } else { "no" };
    vec![
        id.clone(),
        connected.to_owned(),
        cpus.to_string(),
        mem.to_string(),
        disk.to_string(),
        gpus.to_string(),
    ]
}

async fn decide(client: &Client, word: &FrameworkWordDto, said: &str) -> Result<(), Failure> {
    let body = json!(word);
    client.send(Method::POST, "/v1/framework", Some(body.to_string().into_bytes())).await?;
    if client.json {
        return output::json(&body);
    }
    output::text(&format!("{}\n", output::plain(said)))
}
