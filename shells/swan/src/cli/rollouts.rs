//! Owns `swan rollout`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use swan_api::RolloutDto;

use super::RolloutCommand;
use super::client::{Client, segment};
use super::follow::Follower;
use super::output::{self, plain};
use super::wait::{failure, rollouts, under_way};
use crate::failure::{Exit, Failure};

/// Pause between two looks, however many events come.
const LOOK: Duration = Duration::from_millis(250);

/// Does one command.
pub(crate) async fn run(client: &Client, command: RolloutCommand) -> Result<(), Failure> {
    match command {
        RolloutCommand::Show { app } => show(client, &app).await,
        RolloutCommand::List { app } => list(client, &app).await,
        RolloutCommand::Watch { app } => watch(client, &app).await,
        RolloutCommand::Pause { app } => steer(client, &app, "pause", "paused").await,
        RolloutCommand::Resume { app } => steer(client, &app, "resume", "resumed").await,
        RolloutCommand::Cancel { app } => steer(client, &app, "cancel", "going back").await,
    }
}

async fn show(client: &Client, app: &str) -> Result<(), Failure> {
    let document = client.document(&format!("/v1/apps/{}/rollout", segment(app))).await?;
    if client.json {
        return output::json(&document);
    }
    output::text(&card(&client.typed(&document)?))
}

fn card(rollout: &RolloutDto) -> String {
    let deadline = rollout.deadline_in_seconds.map_or_else(|| "-".to_owned(), |left| format!("in {left} s"));
    let lines = [
        ("rollout", rollout.id.to_string()),
        ("operation", operation(rollout)),
        ("state", rollout.state.clone()),
        ("trouble", or_dash(&rollout.error)),
        ("version", versions(rollout)),
        ("instances", format!("{} -> {}", rollout.from_instances, rollout.to_instances)),
        ("ready", rollout.ready.to_string()),
        ("limits", format!("at least {} ready, at most {} tasks", rollout.min_ready, rollout.max_tasks)),
        ("failures", format!("{}, at most {}", rollout.failures, rollout.max_failures)),
        ("deadline", deadline),
        ("started", rollout.started.clone()),
        ("ended", or_dash(rollout.ended.as_deref().unwrap_or_default())),
    ];
    lines.into_iter().map(|(name, value)| format!("{name:<10} {}\n", plain(&value))).collect()
}

async fn list(client: &Client, app: &str) -> Result<(), Failure> {
    let listing = client.document(&format!("/v1/apps/{}/rollouts", segment(app))).await?;
    if client.json {
        return output::json(&listing);
    }
    let rows: Vec<Vec<String>> = client.typed::<Vec<RolloutDto>>(&listing)?.iter().map(row).collect();
    let head =
        ["ROLLOUT", "OPERATION", "STATE", "READY", "FAILURES", "VERSION", "STARTED", "ENDED", "TROUBLE"];
    output::text(&output::table(&head, &rows))
}

fn row(rollout: &RolloutDto) -> Vec<String> {
    vec![
        rollout.id.to_string(),
        operation(rollout),
        rollout.state.clone(),
        format!("{}/{}", rollout.ready, rollout.to_instances),
        rollout.failures.to_string(),
        versions(rollout),
        rollout.started.clone(),
        or_dash(rollout.ended.as_deref().unwrap_or_default()),
        or_dash(&rollout.error),
    ]
}

fn operation(rollout: &RolloutDto) -> String {
    let by_itself = if rollout.automatic { " (by itself)" } else { "" };
    format!("{}{by_itself}", rollout.operation)
}

fn versions(rollout: &RolloutDto) -> String {
    match &rollout.from_version {
        Some(from) if *from != rollout.to_version => format!("{from} -> {}", rollout.to_version),
        _ => rollout.to_version.clone(),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

async fn steer(client: &Client, app: &str, verb: &str, said: &str) -> Result<(), Failure> {
    client.send(Method::POST, &format!("/v1/apps/{}/rollout/{verb}", segment(app)), None).await?;
    if client.json {
        return output::json(&json!({"id": app, "status": said}));
    }
    output::text(&format!("{}: {said}\n", plain(app)))
}

/// Prints how the newest rollout goes on, until it ends. Events tell when to look; what is seen is what is printed, so
/// that nothing depends on having seen them all.
async fn watch(client: &Client, app: &str) -> Result<(), Failure> {
    let mut follower = Follower::new(&[app.to_owned()], &[], None);
    // The stream stands before the first look: what happens after that look is not missed.
    follower.next(client).await?;
    let newest = client.document(&format!("/v1/apps/{}/rollout", segment(app))).await?;
    let id = client.typed::<RolloutDto>(&newest)?.id;
    let mut shown = String::new();
    loop {
        match rollouts(client, app).await {
            Ok(all) => {
                let Some(own) = all.iter().find(|rollout| rollout.id == id) else {
                    return Err(Failure::failed(format!("{app}: rollout {id} is not remembered any more")));
                };
                print(client, own, &mut shown)?;
                if !under_way(own) {
                    return end(app, own, &all);
                }
            }
            // A deletion ends with the app.
            Err(failure) if failure.exit() == Exit::NotFound && !shown.is_empty() => {
                return if client.json {
                    Ok(())
                } else {
                    output::text(&format!("{}: deleted\n", plain(app)))
                };
            }
            // The follower waits until a manager is back.
            Err(failure) if failure.exit() == Exit::Unreachable => {}
            Err(failure) => return Err(failure),
        }
        tokio::time::sleep(LOOK).await;
        follower.next(client).await?;
    }
}

/// Prints a rollout if it looks different from what was shown last.
fn print(client: &Client, rollout: &RolloutDto, shown: &mut String) -> Result<(), Failure> {
    let line = if client.json {
        let document = RolloutDto { deadline_in_seconds: None, ..rollout.clone() };
        serde_json::to_value(document).unwrap_or(Value::Null).to_string()
    } else {
        progress(rollout)
    };
    if line == *shown {
        return Ok(());
    }
    output::text(&format!("{line}\n"))?;
    *shown = line;
    Ok(())
}

fn progress(rollout: &RolloutDto) -> String {
    let mut line =
        format!("{} {}: {}/{} ready", operation(rollout), rollout.state, rollout.ready, rollout.to_instances);
    if rollout.failures > 0 {
        line.push_str(&format!(", {} of {} failures", rollout.failures, rollout.max_failures));
    }
    if !rollout.error.is_empty() {
        line.push_str(&format!(", {}", rollout.error));
    }
    plain(&line)
}

fn end(app: &str, own: &RolloutDto, all: &[RolloutDto]) -> Result<(), Failure> {
    match failure(own, all) {
        None => Ok(()),
        Some(why) => Err(Failure::failed(format!("{app}: {} failed: {}", own.operation, plain(&why)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_line() {
        let mut rollout: RolloutDto = serde_json::from_value(json!({
            "id": 2, "operation": "updating", "state": "running", "error": "", "fromVersion": "17", "toVersion": "18",
            "fromInstances": 3, "toInstances": 5, "ready": 2, "minReady": 3, "maxTasks": 6, "failures": 0,
            "maxFailures": 3, "deadlineInSeconds": 61, "automatic": false, "started": "then", "ended": null,
        }))
        .expect("a rollout");
        assert_eq!(progress(&rollout), "updating running: 2/5 ready");
        assert_eq!(versions(&rollout), "17 -> 18");
        (rollout.failures, rollout.error, rollout.automatic) = (1, "exit\n1".to_owned(), true);
        let said = "updating (by itself) running: 2/5 ready, 1 of 3 failures, exit\u{fffd}1";
        assert_eq!(progress(&rollout), said);
        assert!(card(&rollout).contains("deadline   in 61 s\n"), "{}", card(&rollout));
    }
}
