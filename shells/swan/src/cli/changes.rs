//! Owns the commands that change an app: what is sent, and what a dry run says.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use swan_api::{AcceptedDto, CreatedDto, DryRunDto, ProblemItem, RollbackDto, ScaleDto};
use swan_core::spec::AppSpec;

use super::apps::read;
use super::client::{Client, escape, segment, with_problems, with_query};
use super::output::{self, plain, remark};
use super::wait::{Before, Doing, done};
use super::{ChangeArgs, WaitArgs};
use crate::failure::Failure;

/// `swan app create`.
pub(crate) async fn create(
    client: &Client,
    file: &Path,
    compose: Option<&str>,
    dry_run: bool,
    wait: WaitArgs,
) -> Result<(), Failure> {
    let compose = compose.map(|compose| format!("compose={}", escape(compose)));
    let dry = dry_run.then(|| "dryRun=true".to_owned());
    let query: Vec<String> = compose.into_iter().chain(dry).collect();
    let response = client.send(Method::POST, &with_query("/v1/apps", &query), Some(read(file)?)).await?;
    let document = client.body(response).await?;
    if dry_run {
        return show_dry_run(client, &file.display().to_string(), &document);
    }
    let created: CreatedDto = client.typed(&document)?;
    warn(&created.warnings);
    done(client, Doing { app: &created.id, what: "creating" }, &document, wait, Before::NOTHING).await
}

/// `swan app update`: without an id, that of the definition.
pub(crate) async fn update(
    client: &Client,
    file: &Path,
    app: Option<String>,
    change: ChangeArgs,
) -> Result<(), Failure> {
    let document = read(file)?;
    let app = match app {
        Some(app) => app,
        None => id_in(&document, file)?,
    };
    let asked = Asked { app: &app, what: "updating", method: Method::PUT, route: "", body: Some(document) };
    ask(client, asked, change).await
}

/// `swan app scale`.
pub(crate) async fn scale(
    client: &Client,
    app: &str,
    instances: u32,
    ips: Vec<String>,
    change: ChangeArgs,
) -> Result<(), Failure> {
    let ips = Some(ips).filter(|ips| !ips.is_empty());
    let body = serde_json::to_vec(&ScaleDto { instances, ips }).expect("texts can be written as JSON");
    let asked = Asked { app, what: "scaling", method: Method::POST, route: "/scale", body: Some(body) };
    ask(client, asked, change).await
}

/// `swan app rollback`.
pub(crate) async fn rollback(
    client: &Client,
    app: &str,
    version: Option<String>,
    change: ChangeArgs,
) -> Result<(), Failure> {
    let body = serde_json::to_vec(&RollbackDto { version }).expect("texts can be written as JSON");
    let asked =
        Asked { app, what: "rolling back", method: Method::POST, route: "/rollback", body: Some(body) };
    ask(client, asked, change).await
}

/// `swan app restart`, `stop` and `start`.
pub(crate) async fn simple(
    client: &Client,
    app: &str,
    what: &'static str,
    route: &'static str,
    change: ChangeArgs,
) -> Result<(), Failure> {
    ask(client, Asked { app, what, method: Method::POST, route, body: None }, change).await
}

/// `swan app delete`.
pub(crate) async fn delete(client: &Client, app: &str, change: ChangeArgs) -> Result<(), Failure> {
    let asked = Asked { app, what: "deleting", method: Method::DELETE, route: "", body: None };
    ask(client, asked, change).await
}

/// A change of an app that is there.
struct Asked<'a> {
    app: &'a str,
    what: &'static str,
    method: Method,
    /// What follows the app in the path.
    route: &'static str,
    body: Option<Vec<u8>>,
}

async fn ask(client: &Client, asked: Asked<'_>, change: ChangeArgs) -> Result<(), Failure> {
    let Asked { app, what, method, route, body } = asked;
    let flags = [(change.force, "force=true"), (change.dry_run, "dryRun=true")];
    let query: Vec<String> =
        flags.iter().filter(|(set, _)| *set).map(|(_, text)| (*text).to_owned()).collect();
    let path = with_query(&format!("/v1/apps/{}{route}", segment(app)), &query);
    if change.dry_run {
        let response = client.send(method, &path, body).await?;
        let document = client.body(response).await?;
        return show_dry_run(client, app, &document);
    }
    let before = Before::look(client, app, change.wait).await?;
    let response = client.send(method, &path, body).await?;
    let unchanged = response.status() == StatusCode::NOT_MODIFIED;
    if response.status() == StatusCode::ACCEPTED {
        let answer = client.body(response).await?;
        if let AcceptedDto::Warned { warnings, .. } = client.typed(&answer)? {
            warn(&warnings);
        }
    }
    let what = if unchanged { "unchanged" } else { what };
    // Nothing was begun whose end could be waited for.
    let wait = WaitArgs { wait: change.wait.wait && !unchanged, ..change.wait };
    done(client, Doing { app, what }, &json!({"id": app, "status": what}), wait, before).await
}

/// Says what is odd in a definition that was taken; not among what scripts read.
fn warn(warnings: &[ProblemItem]) {
    for warning in warnings {
        eprintln!("warning: {}", remark(&warning.path, &warning.message));
    }
}

/// The id of the app that a definition is of.
fn id_in(document: &[u8], file: &Path) -> Result<String, Failure> {
    match AppSpec::parse(document) {
        Ok(parsed) => Ok(parsed.spec.path.dotted().to_string()),
        Err(problems) => {
            let problems: Vec<ProblemItem> = problems.into_iter().map(ProblemItem::from).collect();
            let detail = format!("{}: is no app", file.display());
            Err(Failure::failed(with_problems(&detail, &problems)))
        }
    }
}

fn show_dry_run(client: &Client, of: &str, document: &Value) -> Result<(), Failure> {
    if client.json {
        return output::json(document);
    }
    output::text(&told(of, &client.typed(document)?))
}

fn told(of: &str, change: &DryRunDto) -> String {
    let mut text = format!("{}: ", plain(of));
    if change.operation == "noop" {
        text.push_str("nothing would change\n");
    } else {
        text.push_str(&format!("would be {}\n", plain(&change.operation)));
        for (name, value) in [
            ("replaced", change.replaced.to_string()),
            ("started", change.started.to_string()),
            ("ended", change.ended.to_string()),
            ("room", format!("for {} of the tasks to start", change.placeable)),
            ("meanwhile", format!("at least {} ready, at most {} tasks", change.min_ready, change.max_tasks)),
        ] {
            text.push_str(&format!("  {name:<10} {value}\n"));
        }
    }
    for warning in &change.warnings {
        text.push_str(&format!("  warning    {}\n", remark(&warning.path, &warning.message)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_told_in_words() {
        let warning = ProblemItem { path: "cpu".to_owned(), message: "is not known".to_owned() };
        let mut change = DryRunDto {
            operation: "updating".to_owned(),
            warnings: vec![warning],
            replaced: 2,
            started: 1,
            ended: 0,
            min_ready: 2,
            max_tasks: 4,
            placeable: 1,
            spec: Value::Null,
        };
        let said = "web: would be updating\n  replaced   2\n  started    1\n  ended      0\n  room       for 1 of the tasks to start\n  \
                    meanwhile  at least 2 ready, at most 4 tasks\n  warning    cpu: is not known\n";
        assert_eq!(told("web", &change), said);
        change.operation = "noop".to_owned();
        assert_eq!(told("web", &change), "web: nothing would change\n  warning    cpu: is not known\n");
    }

    #[test]
    fn the_id_of_a_definition_is_its_path_reversed() {
        let document = br#"{"id": "/shop/web", "container": {"docker": {"image": "x"}}}"#;
        assert_eq!(id_in(document, Path::new("f")).expect("good"), "web.shop");
        let failure = id_in(b"{\"id\": \"/A\"}", Path::new("f")).expect_err("bad");
        assert!(failure.to_string().starts_with("f: is no app\n  "), "{failure}");
    }
}
