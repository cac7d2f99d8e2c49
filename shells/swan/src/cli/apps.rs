//! Owns what `swan app` shows.

use std::io::Read;
use std::path::Path;

use serde_json::Value;
use swan_api::AppDto;

use super::client::{Client, escape, segment, with_query};
use super::output::{self, plain};
use super::{AppCommand, changes, tasks, validate};
use crate::failure::{Exit, Failure};

/// Does one command; validating needs no manager, and is not done here.
pub(crate) async fn run(client: &Client, command: AppCommand) -> Result<(), Failure> {
    match command {
        AppCommand::Create { file, compose, dry_run, wait } => {
            changes::create(client, &file, compose.as_deref(), dry_run, wait).await
        }
        AppCommand::Update { file, app, change } => changes::update(client, &file, app, change).await,
        AppCommand::List { labels, fields } => list(client, labels.as_deref(), fields.as_deref()).await,
        AppCommand::Show { app } => show(client, &app).await,
        AppCommand::Scale { app, instances, ip, change } => {
            changes::scale(client, &app, instances, ip, change).await
        }
        AppCommand::Rollback { app, to, change } => changes::rollback(client, &app, to, change).await,
        AppCommand::Restart { app, change } => {
            changes::simple(client, &app, "restarting", "/restart", change).await
        }
        AppCommand::Stop { app, change } => changes::simple(client, &app, "stopping", "/stop", change).await,
        AppCommand::Start { app, change } => {
            changes::simple(client, &app, "starting", "/start", change).await
        }
        AppCommand::Delete { app, change } => changes::delete(client, &app, change).await,
        AppCommand::Validate { files } => validate::run(&files, client.json),
    }
}

async fn list(client: &Client, labels: Option<&str>, fields: Option<&str>) -> Result<(), Failure> {
    let chosen = [("labels", labels), ("fields", fields)];
    let chosen = chosen.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(value?))));
    let query: Vec<String> = chosen.collect();
    let listing = client.listing(&with_query("/v1/apps", &query)).await?;
    if client.json {
        return output::json(&listing);
    }
    let apps: Vec<AppDto> = client.typed(&listing)?;
    let rows: Vec<Vec<String>> = apps.iter().map(row).collect();
    output::text(&output::table(
        &["ID", "STATUS", "OPERATION", "RUNNING", "HEALTHY", "VERSION", "UPDATED"],
        &rows,
    ))
}

fn row(app: &AppDto) -> Vec<String> {
    vec![
        app.id.clone(),
        app.status.clone(),
        operation(app),
        format!("{}/{}", running(app), app.instances),
        if_checked(app, format!("{}/{}", app.health.healthy, app.health.total)),
        app.current_version.join(","),
        app.updated.clone(),
    ]
}

/// Without a check no task is ever called healthy, however well it runs.
fn if_checked(app: &AppDto, health: String) -> String {
    if app.spec.get("healthChecks").is_some() { health } else { "-".to_owned() }
}

fn running(app: &AppDto) -> u32 {
    app.tasks_status.get("TASK_RUNNING").copied().unwrap_or(0)
}

fn operation(app: &AppDto) -> String {
    match app.progress_goal {
        _ if app.quarantined => "quarantined".to_owned(),
        ..0 => app.operation_status.clone(),
        goal => format!("{} {}/{goal}", app.operation_status, app.progress),
    }
}

async fn show(client: &Client, app: &str) -> Result<(), Failure> {
    let path = format!("/v1/apps/{}", segment(app));
    let document = client.document(&path).await?;
    if client.json {
        return output::json(&document);
    }
    let app: AppDto = client.typed(&document)?;
    let tasks = client.listing(&format!("{path}/tasks")).await?;
    output::text(&format!("{}\n{}", card(&app), tasks::table(&client.typed::<Vec<_>>(&tasks)?)))
}

fn card(app: &AppDto) -> String {
    let health = &app.health;
    let health =
        format!("{} healthy, {} unhealthy, {} unset", health.healthy, health.unhealthy, health.unset);
    let image = app.spec.pointer("/container/docker/image").and_then(Value::as_str).unwrap_or("-");
    let lines = [
        ("id", app.id.clone()),
        ("path", app.path.clone()),
        ("status", app.status.clone()),
        ("operation", operation(app)),
        ("last failure", if app.errmsg.is_empty() { "-".to_owned() } else { app.errmsg.clone() }),
        ("running", format!("{} of {}", running(app), app.instances)),
        ("health", if_checked(app, health)),
        ("version", format!("{} ({} kept)", app.current_version.join(","), app.version_count)),
        ("image", image.to_owned()),
        ("created", app.created.clone()),
        ("updated", app.updated.clone()),
    ];
    lines.into_iter().map(|(name, value)| format!("{name:<13} {}\n", plain(&value))).collect()
}

/// The bytes of a file, or of standard input for `-`.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::new(Exit::NotFound, format!("{}: there is no such file", file.display())))
        }
        Err(error) => Err(Failure::failed(format!("{}: {error}", file.display()))),
    }
}
