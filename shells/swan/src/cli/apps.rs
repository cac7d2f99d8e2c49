//! Owns what `swan app` shows.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use swan_api::AppDto;
use swan_core::scheduler::api::Problem;
use swan_core::spec::AppSpec;

use super::client::{Client, escape, segment, with_query};
use super::output::{self, plain};
use super::{AppCommand, changes, tasks};
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
        AppCommand::Validate { files } => validate(&files, client.json),
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
        format!("{}/{}", app.health.healthy, app.health.total),
        app.current_version.join(","),
        app.updated.clone(),
    ]
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
    let image = app.spec.pointer("/container/docker/image").and_then(Value::as_str).unwrap_or("-");
    let lines = [
        ("id", app.id.clone()),
        ("path", app.path.clone()),
        ("status", app.status.clone()),
        ("operation", operation(app)),
        ("last failure", if app.errmsg.is_empty() { "-".to_owned() } else { app.errmsg.clone() }),
        ("running", format!("{} of {}", running(app), app.instances)),
        (
            "health",
            format!("{} healthy, {} unhealthy, {} unset", health.healthy, health.unhealthy, health.unset),
        ),
        ("version", format!("{} ({} kept)", app.current_version.join(","), app.version_count)),
        ("image", image.to_owned()),
        ("created", app.created.clone()),
        ("updated", app.updated.clone()),
    ];
    lines.into_iter().map(|(name, value)| format!("{name:<13} {}\n", plain(&value))).collect()
}

/// Checks definitions as a manager would, and says everything that is wrong with each.
pub(crate) fn validate(files: &[PathBuf], json: bool) -> Result<(), Failure> {
    let mut said = String::new();
    let mut documents = Vec::new();
    let mut bad = 0;
    for file in files {
        let name = file.display().to_string();
        let (path, problems, warnings) = match AppSpec::parse(&read(file)?) {
            Ok(parsed) => (Some(parsed.spec.path.to_string()), Vec::new(), parsed.warnings),
            Err(problems) => (None, problems, Vec::new()),
        };
        bad += usize::from(path.is_none());
        match &path {
            Some(path) => said.push_str(&format!("{name}: {path} is good\n")),
            None => said.push_str(&format!("{name}: is no app\n")),
        }
        said.extend(problems.iter().map(|problem| fault("", problem)));
        said.extend(warnings.iter().map(|problem| fault("warning: ", problem)));
        documents.push(json!({"file": name, "valid": path.is_some(), "path": path,
            "problems": items(&problems), "warnings": items(&warnings)}));
    }
    if json {
        output::json(&Value::Array(documents))?
    } else {
        output::text(&said)?
    }
    match bad {
        0 => Ok(()),
        bad => Err(Failure::failed(format!("{bad} of {} definitions would be refused", files.len()))),
    }
}

fn fault(kind: &str, problem: &Problem) -> String {
    let place = if problem.path.is_empty() { String::new() } else { format!("{}: ", plain(&problem.path)) };
    format!("  {kind}{place}{}\n", plain(&problem.message))
}

fn items(problems: &[Problem]) -> Value {
    problems.iter().map(|problem| json!({"path": problem.path, "message": problem.message})).collect()
}

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
