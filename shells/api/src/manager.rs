//! Owns the narrow door between the API and the process that runs the scheduler machine.

use swan_core::scheduler::api::{ApiError, ApiReply, ApiRequest};
use tokio::sync::oneshot;

use crate::feed::EventFeed;
use crate::reading::Reading;

/// Where the machine's answer goes. Dropped unanswered, the client gets a 503.
pub type Answer = oneshot::Sender<Result<ApiReply, Box<ApiError>>>;

/// Copies something out of the machine. Dropped without being run, the client gets a 503.
pub type Read = Box<dyn FnOnce(&dyn Reading) + Send>;

/// The manager as the API sees it. No method blocks: what cannot be queued is dropped.
pub trait Manager: Send + Sync + 'static {
    /// Queues a change for the machine.
    fn call(&self, request: ApiRequest, answer: Answer);

    /// Queues a read, to be run between two steps on the machine's own thread.
    fn read(&self, read: Read);

    /// What the machine published.
    fn events(&self) -> &EventFeed;
}
