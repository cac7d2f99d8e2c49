//! Owns waiting for a change to come to its end, and what that end means.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use swan_api::{AppDto, RolloutDto};

use super::WaitArgs;
use super::client::{Client, segment};
use super::output::{self, plain};
use crate::failure::{Exit, Failure};

/// Pause between two looks at a change under way.
const LOOK: Duration = Duration::from_millis(250);
/// A manager may be away for this long while a change is waited for.
const AWAY_MAX: Duration = Duration::from_secs(30);

/// A change that is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doing<'a> {
    pub(crate) app: &'a str,
    /// As `scaling`.
    pub(crate) what: &'a str,
}

/// Which of an app's rollouts are older than a change that is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Before(u64);

impl Before {
    /// A new app has no rollouts.
    pub(crate) const NOTHING: Self = Self(0);

    /// Looks before the change is asked for, if its end is waited for.
    pub(crate) async fn look(client: &Client, app: &str, wait: WaitArgs) -> Result<Self, Failure> {
        if !wait.wait {
            return Ok(Self::NOTHING);
        }
        match rollouts(client, app).await {
            Ok(rollouts) => Ok(Self(rollouts.iter().map(|rollout| rollout.id).max().unwrap_or(0))),
            // What is not there yet has none; whether it must be there, the change itself tells.
            Err(failure) if failure.exit() == Exit::NotFound => Ok(Self::NOTHING),
            Err(failure) => Err(failure),
        }
    }

    /// The rollout of the change: the first that a user began since.
    fn own<'a>(&self, rollouts: &'a [RolloutDto]) -> Option<&'a RolloutDto> {
        let since = rollouts.iter().filter(|rollout| rollout.id > self.0 && !rollout.automatic);
        since.min_by_key(|rollout| rollout.id)
    }
}

/// The rollouts of an app, newest first.
pub(crate) async fn rollouts(client: &Client, app: &str) -> Result<Vec<RolloutDto>, Failure> {
    let document = client.document(&format!("/v1/apps/{}/rollouts", segment(app))).await?;
    client.typed(&document)
}

/// Says what was begun, or waits for its end and says how that was.
pub(crate) async fn done(
    client: &Client,
    doing: Doing<'_>,
    answer: &Value,
    wait: WaitArgs,
    before: Before,
) -> Result<(), Failure> {
    let ended = if wait.wait { await_end(client, doing, wait.timeout, before).await? } else { None };
    let app = plain(doing.app);
    match ended {
        Some(document) if client.json => output::json(&document),
        None if client.json => output::json(answer),
        Some(document) => {
            let state: AppDto = client.typed(&document)?;
            let running = state.tasks_status.get("TASK_RUNNING").copied().unwrap_or(0);
            output::text(&format!("{app}: {}, {running} of {} running\n", state.status, state.instances))
        }
        None if wait.wait => output::text(&format!("{app}: deleted\n")),
        None => output::text(&format!("{app}: {}\n", doing.what)),
    }
}

/// Looks until nothing is under way. `None` means that the app is gone, as it should be after a delete.
async fn await_end(
    client: &Client,
    doing: Doing<'_>,
    timeout: u64,
    before: Before,
) -> Result<Option<Value>, Failure> {
    let Doing { app, what } = doing;
    let path = format!("/v1/apps/{}", segment(app));
    let bar = progress_bar();
    let deadline = Instant::now() + Duration::from_secs(timeout);
    let mut last_seen = Instant::now();
    let mut trouble = String::new();
    loop {
        match look(client, &path, app, before).await {
            Ok(Look::Ended(document, error)) => {
                bar.finish_and_clear();
                return match error {
                    None => Ok(Some(document)),
                    Some(error) => Err(Failure::failed(format!("{app}: {what} failed: {}", plain(&error)))),
                };
            }
            Ok(Look::UnderWay(state)) => {
                last_seen = Instant::now();
                bar.set_length(u64::try_from(state.progress_goal).unwrap_or(0));
                bar.set_position(u64::try_from(state.progress).unwrap_or(0));
                bar.set_message(format!("{} {}", plain(&state.id), plain(&state.operation_status)));
                trouble = plain(&state.errmsg);
            }
            Err(failure) if failure.exit() == Exit::NotFound && what == "deleting" => {
                bar.finish_and_clear();
                return Ok(None);
            }
            Err(failure) if failure.exit() == Exit::Unreachable && last_seen.elapsed() < AWAY_MAX => {}
            Err(failure) => return Err(failure),
        }
        if Instant::now() >= deadline {
            let trouble = if trouble.is_empty() { trouble } else { format!(" ({trouble})") };
            return Err(Failure::failed(format!(
                "{app}: still {what} after {timeout} s{trouble}; it goes on without this command"
            )));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What a look shows.
enum Look {
    UnderWay(Box<AppDto>),
    /// The app, and why the change has failed if it has.
    Ended(Value, Option<String>),
}

async fn look(client: &Client, path: &str, app: &str, before: Before) -> Result<Look, Failure> {
    let document = client.document(path).await?;
    let state: AppDto = client.typed(&document)?;
    if state.operation_status != "noop" {
        return Ok(Look::UnderWay(Box::new(state)));
    }
    let rollouts = rollouts(client, app).await?;
    Ok(match before.own(&rollouts) {
        Some(own) if under_way(own) => Look::UnderWay(Box::new(state)),
        Some(own) => Look::Ended(document, failure(own, &rollouts)),
        // A change that needs no rollout, such as another label.
        None => Look::Ended(document, Some(state.errmsg).filter(|error| !error.is_empty())),
    })
}

/// Whether it has not ended yet.
pub(crate) fn under_way(rollout: &RolloutDto) -> bool {
    rollout.ended.is_none() && ["running", "paused"].contains(&rollout.state.as_str())
}

/// Why a rollout that has ended did not do what it should, and what became of it then; `None` if it did.
pub(crate) fn failure(rollout: &RolloutDto, all: &[RolloutDto]) -> Option<String> {
    if rollout.state == "done" {
        return None;
    }
    let mut text = match (rollout.state.as_str(), rollout.error.as_str()) {
        ("failed", "") => "no reason is known".to_owned(),
        ("failed", error) => error.to_owned(),
        (state, "") => format!("it was {state}"),
        (state, error) => format!("it was {state}: {error}"),
    };
    let then = all.iter().filter(|then| then.id > rollout.id).min_by_key(|then| then.id);
    if let Some(then) = then.filter(|then| then.automatic) {
        let word = if then.state == "done" { "rolled back" } else { "rolling back" };
        text.push_str(&format!("; {word} to version {}", then.to_version));
    }
    Some(text)
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {elapsed}").expect("a good template");
    bar.set_style(style);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(id: u64, state: &str, automatic: bool) -> RolloutDto {
        RolloutDto {
            id,
            operation: "updating".to_owned(),
            state: state.to_owned(),
            error: if state == "failed" { "no progress".to_owned() } else { String::new() },
            from_version: None,
            to_version: format!("v{id}"),
            from_instances: 1,
            to_instances: 1,
            ready: 1,
            min_ready: 1,
            max_tasks: 2,
            failures: 0,
            max_failures: 3,
            deadline_in_seconds: None,
            automatic,
            started: String::new(),
            ended: (state != "running").then(String::new),
        }
    }

    #[test]
    fn the_own_rollout_is_the_first_that_a_user_began_since() {
        let all = [
            rollout(6, "done", false),
            rollout(5, "done", true),
            rollout(4, "failed", false),
            rollout(3, "failed", false),
        ];
        let own = |before| Before(before).own(&all).map(|rollout| rollout.id);
        assert_eq!([own(0), own(3), own(4), own(6)], [Some(3), Some(4), Some(6), None]);
    }

    #[test]
    fn an_end_that_was_not_wanted_says_why_and_what_then() {
        let all = [rollout(3, "done", true), rollout(2, "failed", false)];
        assert_eq!(failure(&all[1], &all).as_deref(), Some("no progress; rolled back to version v3"));
        assert_eq!(failure(&all[0], &all), None);
        let all = [rollout(3, "running", true), rollout(2, "failed", false)];
        assert_eq!(failure(&all[1], &all).as_deref(), Some("no progress; rolling back to version v3"));
        let all = [rollout(3, "done", false), rollout(2, "replaced", false)];
        assert_eq!(failure(&all[1], &all).as_deref(), Some("it was replaced"));
    }
}
