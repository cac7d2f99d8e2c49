//! Owns `swan task`.

use reqwest::Method;
use serde_json::json;
use swan_api::{FailureDto, QuarantinedDto, TaskDto};

use super::TaskCommand;
use super::client::{Client, escape, segment, with_query};
use super::output;
use crate::failure::{Exit, Failure};

/// Does one command.
pub(crate) async fn run(client: &Client, command: TaskCommand) -> Result<(), Failure> {
    match command {
        TaskCommand::List { app } => {
            let listing = client.listing(&format!("/v1/apps/{}/tasks", segment(&app))).await?;
            if client.json {
                output::json(&listing)
            } else {
                output::text(&table(&client.typed::<Vec<_>>(&listing)?))
            }
        }
        TaskCommand::History { app, slot } => history(client, &app, slot).await,
        TaskCommand::Kill { all_of: Some(app), .. } => {
            client.send(Method::DELETE, &format!("/v1/apps/{}/tasks", segment(&app)), None).await?;
            ended(client, &format!("all tasks of {app}"))
        }
        TaskCommand::Quarantined => quarantined(client).await,
        TaskCommand::Kill { tasks, quarantined: true, .. } => {
            for task in &tasks {
                client.send(Method::DELETE, &format!("/v1/quarantine/{}", escape(task)), None).await?;
                ended(client, task)?;
            }
            Ok(())
        }
        TaskCommand::Kill { tasks, .. } => {
            for task in &tasks {
                let Some(app) = app_of(task) else {
                    let message = format!(
                        "'{task}' is neither a task such as '0a1b2c3d4e5f.0.web.shop' nor a place such as '0.web.shop'"
                    );
                    return Err(Failure::new(Exit::Usage, message));
                };
                client
                    .send(Method::DELETE, &format!("/v1/apps/{}/tasks/{}", segment(app), segment(task)), None)
                    .await?;
                ended(client, task)?;
            }
            Ok(())
        }
    }
}

fn ended(client: &Client, what: &str) -> Result<(), Failure> {
    if client.json {
        output::text(&format!("{}\n", json!({"killing": what})))
    } else {
        output::text(&format!("killing {what}\n"))
    }
}

async fn quarantined(client: &Client) -> Result<(), Failure> {
    let listing = client.listing("/v1/quarantine").await?;
    if client.json {
        return output::json(&listing);
    }
    let row = |task: &QuarantinedDto| {
        let ending = if task.ending { "yes" } else { "no" }.to_owned();
        vec![task.id.clone(), task.status.clone(), task.agent_id.clone(), task.first_seen.clone(), ending]
    };
    let rows: Vec<Vec<String>> = client.typed::<Vec<QuarantinedDto>>(&listing)?.iter().map(row).collect();
    output::text(&output::table(&["TASK", "STATUS", "AGENT", "FIRST SEEN", "ENDING"], &rows))
}

async fn history(client: &Client, app: &str, slot: Option<u32>) -> Result<(), Failure> {
    let query: Vec<String> = slot.map(|slot| format!("slot={slot}")).into_iter().collect();
    let path = with_query(&format!("/v1/apps/{}/failures", segment(app)), &query);
    let listing = client.listing(&path).await?;
    if client.json {
        return output::json(&listing);
    }
    let rows: Vec<Vec<String>> = client.typed::<Vec<FailureDto>>(&listing)?.iter().map(failure_row).collect();
    let head =
        ["SLOT", "ENDED", "STATE", "EXIT", "COUNTED", "VERSION", "HOST", "REASON", "MESSAGE", "SANDBOX"];
    output::text(&output::table(&head, &rows))
}

fn failure_row(failure: &FailureDto) -> Vec<String> {
    vec![
        failure.slot.to_string(),
        failure.ended.clone(),
        failure.state.clone(),
        failure.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
        if failure.counted { "yes" } else { "no" }.to_owned(),
        failure.version.clone(),
        failure.host.clone(),
        failure.reason.clone(),
        failure.message.clone(),
        failure.sandbox.clone(),
    ]
}

/// The app that a task's id or a slot's name belongs to.
fn app_of(task: &str) -> Option<&str> {
    if let Some(name) = swan_core::id::TaskName::parse(task) {
        return Some(name.app);
    }
    let (slot, app) = task.split_once('.')?;
    (slot.parse::<u32>().is_ok() && !app.is_empty()).then_some(app)
}

/// Tasks for people.
pub(crate) fn table(tasks: &[TaskDto]) -> String {
    let rows: Vec<Vec<String>> = tasks.iter().map(row).collect();
    output::table(&["SLOT", "TASK", "STATUS", "HEALTH", "WHERE", "VERSION", "RETRIES", "LAST FAILURE"], &rows)
}

fn row(task: &TaskDto) -> Vec<String> {
    let ports: Vec<String> = task.ports.iter().map(u16::to_string).collect();
    let place = if ports.is_empty() { task.ip.clone() } else { format!("{}:{}", task.ip, ports.join(",")) };
    vec![
        task.slot.to_string(),
        if task.id.is_empty() { "-".to_owned() } else { task.id.clone() },
        task.status.clone(),
        task.healthy.clone(),
        if place.is_empty() { "-".to_owned() } else { place },
        task.version.clone(),
        task.retries.to_string(),
        task.errmsg.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_places_name_their_app() {
        assert_eq!(app_of("0a1b2c3d4e5f.0.web.shop"), Some("web.shop"));
        assert_eq!(app_of("0.web.shop"), Some("web.shop"));
        assert_eq!(app_of("0.5.web"), Some("5.web"));
        for bad in ["", "web", "web.shop", "0.", "-1.web"] {
            assert_eq!(app_of(bad), None, "{bad}");
        }
    }
}
