//! Owns the narrow door between the API and the process that runs the scheduler machine.

use swan_core::record::Seq;
use swan_core::scheduler::api::{ApiError, ApiReply, ApiRequest};
use swan_core::time::Millis;
use tokio::sync::oneshot;

use crate::feed::EventFeed;
use crate::reading::Reading;

/// Where the machine's answer goes. Dropped unanswered, the client gets a 503.
pub type Answer = oneshot::Sender<Result<ApiReply, Box<ApiError>>>;

/// Copies something out of the machine. Dropped without being run, the client gets a 503.
pub type Read = Box<dyn FnOnce(&dyn Reading) -> Deliver + Send>;

/// Gives a client what was copied for it: run once all is durable that it rests on. Dropped without being run, the
/// client gets a 503.
pub type Deliver = Box<dyn FnOnce() + Send>;

/// How a manager stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// It leads.
    pub leading: bool,
    /// How long ago what it knows was all that was stored; `None` if it does not know all yet.
    pub lag: Option<Millis>,
    /// The newest batch that is durable as far as it knows.
    pub followed: Seq,
    /// The journal's format level in force, as far as it knows; 0 if it has not read it yet.
    pub format: u8,
}

/// The manager as the API sees it. No method blocks: what cannot be queued is dropped.
pub trait Manager: Send + Sync + 'static {
    /// Queues a change for the machine.
    fn call(&self, request: ApiRequest, answer: Answer);

    /// Queues a read, to be run between two steps on the machine's own thread.
    fn read(&self, read: Read);

    /// What the machine published.
    fn events(&self) -> &EventFeed;

    /// How it stands now.
    fn standing(&self) -> Standing;

    /// Asks it to read at once what the leader has stored, rather than in its own time.
    fn follow(&self);

    /// Gives leadership back, if another manager could take it.
    fn abdicate(&self);
}
