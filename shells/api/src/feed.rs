//! Owns the bounded ring of recent events, and readers that follow it at their own pace.
//!
//! A reader is a cursor into the ring: it costs the writer nothing and holds no events. Whoever falls out of the ring
//! is told that there is a gap.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::limits::{EVENT_RING_MAX, EVENTS_PER_WRITE_MAX};
use swan_core::scheduler::event::{Event, EventId};
use tokio::sync::{Notify, watch};

/// The recent events of a manager. Clones share one ring.
#[derive(Clone)]
pub struct EventFeed(Arc<Inner>);

struct Inner {
    ring: Mutex<Ring>,
    capacity: usize,
    /// Wakes the pump, in constant time however many readers there are.
    published: Notify,
    /// Wakes the readers; only the pump writes it.
    news: watch::Sender<u64>,
}

/// An event as readers get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// This manager published it.
    Own(Arc<Event>),
    /// The manager that leads, or led, did.
    Copied(Arc<CopiedEvent>),
}

/// An event that another manager has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedEvent {
    /// Its id.
    pub id: EventId,
    /// Its type.
    pub kind: String,
    /// Which app it is about, as a dotted id.
    pub app: Option<String>,
    /// The JSON document.
    pub data: String,
}

impl Told {
    /// Its id.
    pub fn id(&self) -> EventId {
        match self {
            Self::Own(event) => event.id,
            Self::Copied(event) => event.id,
        }
    }
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Told>,
    /// How many were evicted: the position of the first one in the ring.
    first: u64,
    /// The one evicted last: whoever has seen it has missed nothing.
    evicted: Option<EventId>,
}

/// One reader.
#[derive(Debug)]
pub struct Subscription {
    feed: EventFeed,
    news: watch::Receiver<u64>,
    /// The position of the next event to read.
    cursor: u64,
    /// Set until the first read, if the reader came back with an id that the ring does not know.
    lost: bool,
}

/// What a reader gets next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// In order, at least one.
    Events(Vec<Told>),
    /// Events may be missing before the one named here (the newest), after which reading goes on.
    Gap(Option<EventId>),
}

impl EventFeed {
    /// A feed of the usual size.
    pub fn new() -> Self {
        Self::with_capacity(EVENT_RING_MAX)
    }

    /// A feed that keeps `capacity` events, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        let inner = Inner {
            ring: Mutex::default(),
            capacity: capacity.max(1),
            published: Notify::new(),
            news: watch::Sender::new(0),
        };
        Self(Arc::new(inner))
    }

    /// Appends an event; takes the same short time whoever listens.
    pub fn publish(&self, event: Arc<Event>) {
        self.append(Told::Own(event));
    }

    /// Appends an event that another manager has told, unless it is here already: whoever followed that one can go on
    /// here.
    pub fn copy(&self, event: CopiedEvent) {
        if self.newest().is_none_or(|newest| newest < event.id) {
            self.append(Told::Copied(Arc::new(event)));
        }
    }

    fn append(&self, event: Told) {
        let mut ring = self.ring();
        if ring.events.len() == self.0.capacity {
            ring.evicted = ring.events.pop_front().map(|oldest| oldest.id());
            ring.first += 1;
        }
        ring.events.push_back(event);
        drop(ring);
        self.0.published.notify_one();
    }

    /// Follows the feed: from after the event `after`, else from now on.
    pub fn subscribe(&self, after: Option<EventId>) -> Subscription {
        let news = self.0.news.subscribe();
        let ring = self.ring();
        let place = after.map(|id| {
            let seen =
                ring.events.iter().rposition(|event| event.id() == id).map(|at| ring.first + at as u64 + 1);
            seen.or_else(|| (ring.evicted == Some(id)).then_some(ring.first))
        });
        let cursor = place.flatten().unwrap_or_else(|| ring.end());
        drop(ring);
        Subscription { feed: self.clone(), news, cursor, lost: place == Some(None) }
    }

    /// The newest event's id.
    pub fn newest(&self) -> Option<EventId> {
        self.ring().newest()
    }

    /// Passes the news of events on to readers, for ever. Someone must run it.
    pub(crate) async fn pump(&self) {
        loop {
            self.0.published.notified().await;
            let end = self.ring().end();
            self.0.news.send_replace(end);
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().expect("nothing panics while it holds the ring")
    }
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn newest(&self) -> Option<EventId> {
        self.events.back().map(Told::id)
    }
}

impl Subscription {
    /// Waits for what comes next. May be dropped and called again without loss.
    pub async fn next(&mut self) -> Batch {
        loop {
            self.news.mark_unchanged();
            if let Some(batch) = self.ready() {
                return batch;
            }
            let changed = self.news.changed().await;
            assert!(changed.is_ok(), "this subscription keeps its feed alive");
        }
    }

    /// The id of the last event that was read or passed, if the ring still has it.
    pub fn position(&self) -> Option<EventId> {
        let ring = self.feed.ring();
        match self.cursor.checked_sub(ring.first)? {
            0 => ring.evicted,
            passed => ring.events.get(passed as usize - 1).map(Told::id),
        }
    }

    fn ready(&mut self) -> Option<Batch> {
        let ring = self.feed.ring();
        if self.lost || self.cursor < ring.first {
            self.lost = false;
            self.cursor = ring.end();
            return Some(Batch::Gap(ring.newest()));
        }
        let from = (self.cursor - ring.first) as usize;
        let events: Vec<_> = ring.events.iter().skip(from).take(EVENTS_PER_WRITE_MAX).cloned().collect();
        self.cursor += events.len() as u64;
        (!events.is_empty()).then_some(Batch::Events(events))
    }
}

impl Default for EventFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for EventFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventFeed").field("newest", &self.newest()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use swan_core::record::{Epoch, Seq};
    use swan_core::scheduler::event::EventKind;
    use swan_core::time::Timestamp;

    use super::*;

    fn id(n: u64) -> EventId {
        EventId { epoch: Epoch(1), seq: Seq(n), n: 0 }
    }

    fn publish(feed: &EventFeed, numbers: std::ops::RangeInclusive<u64>) {
        for n in numbers {
            let kind = EventKind::AppDeleted;
            feed.publish(Arc::new(Event { id: id(n), at: Timestamp(n), who: None, app: None, kind }));
        }
    }

    fn read(subscription: &mut Subscription) -> Vec<u64> {
        match subscription.ready() {
            Some(Batch::Events(events)) => events.iter().map(|event| event.id().seq.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reader_resumes_after_any_id_of_the_ring_and_after_the_one_evicted_last() {
        let feed = EventFeed::with_capacity(4);
        publish(&feed, 1..=6);
        for seen in 2..=5 {
            assert_eq!(read(&mut feed.subscribe(Some(id(seen)))), ((seen + 1)..=6).collect::<Vec<_>>());
        }
        assert_eq!(feed.subscribe(Some(id(6))).ready(), None);
        assert_eq!(feed.subscribe(None).ready(), None);
    }

    #[test]
    fn who_followed_another_manager_goes_on_where_it_was() {
        let feed = EventFeed::with_capacity(8);
        let copied = |n| CopiedEvent { id: id(n), kind: "k".into(), app: None, data: "{}".into() };
        (1..=3).chain(2..=4).for_each(|n| feed.copy(copied(n)));
        publish(&feed, 5..=6);
        assert_eq!(read(&mut feed.subscribe(Some(id(2)))), [3, 4, 5, 6]);
        feed.copy(copied(5));
        assert_eq!(feed.newest(), Some(id(6)), "a late copy is none");
    }

    #[test]
    fn an_unknown_id_is_a_gap_once() {
        assert_eq!(EventFeed::new().subscribe(Some(id(1))).ready(), Some(Batch::Gap(None)));
        for unknown in [0, 1, 7] {
            let feed = EventFeed::with_capacity(4);
            publish(&feed, 1..=6);
            let mut reader = feed.subscribe(Some(id(unknown)));
            assert_eq!(reader.ready(), Some(Batch::Gap(Some(id(6)))));
            publish(&feed, 7..=7);
            assert_eq!(read(&mut reader), [7]);
            assert_eq!(reader.position(), Some(id(7)));
        }
    }

    #[test]
    fn a_slow_reader_falls_out_of_the_ring_and_is_told() {
        let feed = EventFeed::with_capacity(4);
        let mut reader = feed.subscribe(None);
        publish(&feed, 1..=4);
        assert_eq!(read(&mut reader), [1, 2, 3, 4]);
        publish(&feed, 5..=9);
        assert_eq!(reader.ready(), Some(Batch::Gap(Some(id(9)))));
        assert_eq!(reader.ready(), None);
    }

    proptest! {
        /// Whatever is published, read and reconnected in whatever order: a reader gets every event after its first
        /// position, in order, or is told of a gap where some are missing.
        #[test]
        fn nothing_is_missed_in_silence(capacity in 1_usize..8, steps in prop::collection::vec(0_u8..4, 1..200)) {
            let feed = EventFeed::with_capacity(capacity);
            let mut reader = feed.subscribe(None);
            let (mut published, mut seen) = (0, 0);
            for step in steps {
                match step {
                    0 | 1 => {
                        published += 1;
                        publish(&feed, published..=published);
                    }
                    2 => match reader.ready() {
                        None => prop_assert_eq!(seen, published),
                        Some(Batch::Gap(newest)) => {
                            prop_assert!(published - seen > capacity as u64);
                            prop_assert_eq!(newest, Some(id(published)));
                            seen = published;
                        }
                        Some(Batch::Events(events)) => for event in events {
                            seen += 1;
                            prop_assert_eq!(event.id(), id(seen));
                        }
                    }
                    _ => reader = feed.subscribe((seen > 0).then(|| id(seen))),
                }
                // A reader that has seen nothing yet begins where the feed stands.
                if seen == 0 && step == 3 {
                    seen = published;
                }
            }
        }
    }

    #[tokio::test]
    async fn readers_wake_when_something_is_published() {
        let feed = EventFeed::new();
        let mut reader = feed.subscribe(None);
        let pump = tokio::spawn({
            let feed = feed.clone();
            async move { feed.pump().await }
        });
        let waiting = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        publish(&feed, 1..=1);
        assert!(matches!(waiting.await.expect("no panic"), Batch::Events(events) if events.len() == 1));
        pump.abort();
    }
}
