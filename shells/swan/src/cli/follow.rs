//! Owns `swan events`: a stream that goes on where it broke off.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use swan_api::{EventDto, GapDto};

use super::client::{Client, segment, with_query};
use super::output::{self, plain};
use super::sse::{Message, Parser};
use crate::failure::{Exit, Failure};

/// First pause before coming back; doubles up to the maximum.
const PAUSE: Duration = Duration::from_millis(500);
/// Largest pause before coming back.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A stream that is silent for longer than some keepalives is dead.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// An event stream that is opened again whenever it breaks off, and goes on where it was.
pub(crate) struct Follower {
    path: String,
    parser: Parser,
    stream: Option<Response>,
    pause: Duration,
    reached: bool,
}

impl Follower {
    /// Follows the events of some apps and of some kinds, or of all if none are named, after the event `after`.
    pub(crate) fn new(apps: &[String], kinds: &[String], after: Option<String>) -> Self {
        let parser = Parser::after(after);
        Self { path: path(apps, kinds), parser, stream: None, pause: PAUSE, reached: false }
    }

    /// What comes next; nothing if the stream only says that it lives, or stands again. Refusals are failures, and that
    /// nobody was ever there.
    pub(crate) async fn next(&mut self, client: &Client) -> Result<Vec<Message>, Failure> {
        if self.stream.is_none() {
            self.open(client).await?;
        }
        let Some(stream) = &mut self.stream else { return Ok(Vec::new()) };
        if let Ok(Ok(Some(bytes))) = tokio::time::timeout(SILENCE_MAX, stream.chunk()).await {
            let messages = self.parser.push(&bytes);
            return messages.ok_or_else(|| Failure::failed("the stream has a line that is too long"));
        }
        self.stream = None;
        self.wait().await;
        Ok(Vec::new())
    }

    async fn open(&mut self, client: &Client) -> Result<(), Failure> {
        let after = self.parser.last_id().map(str::to_owned);
        match client.stream(&self.path, after.as_deref()).await {
            Ok(stream) => {
                self.parser = Parser::after(after);
                (self.stream, self.pause, self.reached) = (Some(stream), PAUSE, true);
                Ok(())
            }
            // Who was never there is likely misspelt; who was there comes back.
            Err(failure) if failure.exit() == Exit::Unreachable && self.reached => {
                eprintln!("swan: {failure}; trying again");
                self.wait().await;
                Ok(())
            }
            Err(failure) => Err(failure),
        }
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = PAUSE_MAX.min(self.pause * 2);
    }
}

/// Follows until it is interrupted, or refused.
pub(crate) async fn run(
    client: &Client,
    apps: &[String],
    kinds: &[String],
    after: Option<String>,
) -> Result<(), Failure> {
    let mut follower = Follower::new(apps, kinds, after);
    loop {
        for message in follower.next(client).await? {
            show(client, &message)?;
        }
    }
}

fn path(apps: &[String], kinds: &[String]) -> String {
    let apps = apps.iter().map(|app| format!("app={}", segment(app)));
    let kinds = kinds.iter().map(|kind| format!("type={}", segment(kind)));
    with_query("/v1/events", &apps.chain(kinds).collect::<Vec<_>>())
}

fn show(client: &Client, message: &Message) -> Result<(), Failure> {
    let Ok(document) = serde_json::from_str::<Value>(&message.data) else { return Ok(()) };
    if client.json {
        return output::text(&format!("{document}\n"));
    }
    if message.kind == "gap" {
        let gap: GapDto = client.typed(&document)?;
        return output::text(&format!("-- events may be missing here ({}) --\n", plain(&gap.reason)));
    }
    output::text(&line(&client.typed(&document)?))
}

fn line(event: &EventDto) -> String {
    let scale = match (event.previous_instances, event.instances) {
        (Some(from), Some(to)) => Some(format!("{from} -> {to}")),
        (_, to) => to.map(|to| format!("instances={to}")),
    };
    let who = event.who.as_ref().map(|who| format!("by {} from {}", who.name, who.address));
    let parts = [
        event.task_id.clone().or_else(|| event.app_id.clone()),
        event.status.clone(),
        event.operation.clone(),
        scale,
        event.host.clone(),
        event.framework_id.clone(),
        event.master.clone(),
        event.message.clone(),
        who,
    ];
    let more = event.more.iter().map(|(name, value)| Some(format!("{name}={value}")));
    let parts: Vec<_> = parts.into_iter().chain(more).flatten().filter(|part| !part.is_empty()).collect();
    format!("{}  {:<20}  {}\n", plain(&event.at), plain(&event.kind), plain(&parts.join("  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let event = EventDto {
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            kind: "task_changed".to_owned(),
            task_id: Some("0a1b2c3d4e5f.0.web".to_owned()),
            status: Some("TASK_FAILED".to_owned()),
            message: Some("exit\n1".to_owned()),
            ..EventDto::default()
        };
        let said = "2026-01-01T00:00:00.000Z  task_changed          0a1b2c3d4e5f.0.web  TASK_FAILED  exit\u{fffd}1\n";
        assert_eq!(line(&event), said);
    }

    #[test]
    fn filters_are_in_the_query() {
        assert_eq!(path(&[], &[]), "/v1/events");
        assert_eq!(
            path(&["/shop/web".into()], &["a".into(), "b c".into()]),
            "/v1/events?app=web.shop&type=a&type=b%20c"
        );
    }
}
