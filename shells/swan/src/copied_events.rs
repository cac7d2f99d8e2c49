//! Owns the copy of the leader's events that a manager keeps while it follows, so that whoever followed the old leader can go
//! on with the new one.

use std::sync::Arc;
use std::time::Duration;

use swan_api::{CopiedEvent, EventDto, EventFeed, Peers as _};
use swan_core::scheduler::event::EventId;

use crate::cli::sse::{Message, Parser};
use crate::peers::Cluster;
use crate::standing::Standings;

/// Pause before the leader is looked for again.
const PAUSE: Duration = Duration::from_millis(500);
/// A stream that is silent for longer is dead: keepalives come more often.
const SILENCE: Duration = Duration::from_secs(40);

/// Copies for ever.
pub(crate) async fn copy(cluster: Arc<Cluster>, standings: Standings, feed: EventFeed) {
    loop {
        if !standings.now().leading
            && let Some(leader) = cluster.leader().await
        {
            follow(&cluster, &leader, &standings, &feed).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Follows one leader until its stream ends, or this manager leads.
async fn follow(cluster: &Cluster, leader: &str, standings: &Standings, feed: &EventFeed) -> Option<()> {
    let after = feed.newest().map(|id| id.to_string()).unwrap_or_default();
    let mut response = cluster.events(leader, &after).await.ok()?;
    let mut parser = Parser::after(None);
    while !standings.now().leading {
        let bytes = tokio::time::timeout(SILENCE, response.chunk()).await.ok()?.ok()??;
        for message in parser.push(&bytes)? {
            if let Some(event) = copied(message) {
                feed.copy(event);
            }
        }
    }
    None
}

/// `None` for what is no event, such as a gap.
fn copied(message: Message) -> Option<CopiedEvent> {
    let document: EventDto = serde_json::from_str(&message.data).ok()?;
    let id = EventId::parse(&document.id)?;
    Some(CopiedEvent { id, kind: message.kind, app: document.app_id, data: message.data })
}
