//! Owns `swan app`.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use swan_api::{AppDto, CreatedDto, ScaleDto};

use super::client::{Client, segment};
use super::output::{self, plain};
use super::{AppCommand, WaitArgs, tasks, validate};
use crate::failure::{Exit, Failure};

/// Pause between two looks at a change under way.
const LOOK: Duration = Duration::from_millis(250);
/// A manager may be away for this long while a change is waited for.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// Does one command; validating needs no manager, and is not done here.
pub(crate) async fn run(client: &Client, command: AppCommand) -> Result<(), Failure> {
    match command {
        AppCommand::Create { file, wait } => create(client, &file, wait).await,
        AppCommand::List => list(client).await,
        AppCommand::Show { app } => show(client, &app).await,
        AppCommand::Scale { app, instances, wait } => scale(client, &app, instances, wait).await,
        AppCommand::Delete { app, wait } => delete(client, &app, wait).await,
        AppCommand::Validate { files } => validate::run(&files, client.json),
    }
}

async fn create(client: &Client, file: &Path, wait: WaitArgs) -> Result<(), Failure> {
    let response = client.send(Method::POST, "/v1/apps", Some(read(file)?)).await?;
    let document = client.body(response).await?;
    let created: CreatedDto = client.typed(&document)?;
    done(client, &created.id, "creating", &document, wait).await
}

async fn scale(client: &Client, app: &str, instances: u32, wait: WaitArgs) -> Result<(), Failure> {
    let body = serde_json::to_vec(&ScaleDto { instances }).expect("a number can be written as JSON");
    let response = client.send(Method::POST, &format!("/v1/apps/{}/scale", segment(app)), Some(body)).await?;
    let doing = if response.status() == StatusCode::NOT_MODIFIED { "unchanged" } else { "scaling" };
    done(client, app, doing, &json!({"id": app, "status": doing}), wait).await
}

async fn delete(client: &Client, app: &str, wait: WaitArgs) -> Result<(), Failure> {
    client.send(Method::DELETE, &format!("/v1/apps/{}", segment(app)), None).await?;
    done(client, app, "deleting", &json!({"id": app, "status": "deleting"}), wait).await
}

async fn list(client: &Client) -> Result<(), Failure> {
    let listing = client.listing("/v1/apps").await?;
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

/// Says what was begun, or waits for its end and says how that was.
async fn done(
    client: &Client,
    app: &str,
    doing: &str,
    answer: &Value,
    wait: WaitArgs,
) -> Result<(), Failure> {
    let ended = if wait.wait { await_end(client, app, doing, wait.timeout).await? } else { None };
    match ended {
        Some(document) if client.json => output::json(&document),
        None if client.json => output::json(answer),
        Some(document) => {
            let state: AppDto = client.typed(&document)?;
            output::text(&format!(
                "{}: {}, {} of {} running\n",
                plain(app),
                state.status,
                running(&state),
                state.instances
            ))
        }
        None if wait.wait => output::text(&format!("{}: deleted\n", plain(app))),
        None => output::text(&format!("{}: {doing}\n", plain(app))),
    }
}

/// Looks until nothing is under way. `None` means that the app is gone, as it should be after a delete.
async fn await_end(client: &Client, app: &str, doing: &str, timeout: u64) -> Result<Option<Value>, Failure> {
    let path = format!("/v1/apps/{}", segment(app));
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {elapsed}").expect("a good template");
    bar.set_style(style);
    let deadline = Instant::now() + Duration::from_secs(timeout);
    let mut last_seen = Instant::now();
    loop {
        match client.document(&path).await {
            Ok(document) => {
                last_seen = Instant::now();
                let state: AppDto = client.typed(&document)?;
                if state.operation_status == "noop" {
                    bar.finish_and_clear();
                    return ended(doing, document, &state);
                }
                bar.set_length(u64::try_from(state.progress_goal).unwrap_or(0));
                bar.set_position(u64::try_from(state.progress).unwrap_or(0));
                bar.set_message(format!("{} {}", plain(&state.id), plain(&state.operation_status)));
            }
            Err(failure) if failure.exit() == Exit::NotFound && doing == "deleting" => {
                bar.finish_and_clear();
                return Ok(None);
            }
            Err(failure) if failure.exit() == Exit::Unreachable && last_seen.elapsed() < AWAY_MAX => {}
            Err(failure) => return Err(failure),
        }
        if Instant::now() >= deadline {
            return Err(Failure::failed(format!(
                "{app}: still {doing} after {timeout} s; it goes on without this command"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn ended(doing: &str, document: Value, state: &AppDto) -> Result<Option<Value>, Failure> {
    if !state.errmsg.is_empty() {
        return Err(Failure::failed(format!(
            "{}: {doing} failed: {}",
            plain(&state.id),
            plain(&state.errmsg)
        )));
    }
    Ok(Some(document))
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
