//! Owns the narrow door between the API and the process that runs the scheduler machine.

use swan_core::id::DottedId;
use swan_core::scheduler::api::{ApiError, ApiReply, ApiRequest};
use swan_core::scheduler::view::{AppView, ManagerView, Page, QuarantinedView, TaskView, VersionView};
use tokio::sync::oneshot;

use crate::feed::EventFeed;

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

/// The state as readers see it. Each method copies one bounded page at most.
pub trait Reading {
    /// One app; ids compare case-insensitively.
    fn app(&self, app: &DottedId) -> Option<AppView>;
    /// Apps in order of id, after the one named `after`.
    fn apps(&self, after: Option<&str>, limit: usize) -> Page<AppView>;
    /// The slots of an app with their tasks, after slot `after`; `None` if there is no such app.
    fn tasks(&self, app: &DottedId, after: Option<u32>, limit: usize) -> Option<Page<TaskView>>;
    /// One task, by its id or its slot's name.
    fn task(&self, app: &DottedId, name: &str) -> Option<TaskView>;
    /// The kept versions of an app, newest first; `None` if there is no such app.
    fn versions(&self, app: &DottedId) -> Option<Vec<VersionView>>;
    /// One version of an app.
    fn version(&self, app: &DottedId, version: &str) -> Option<VersionView>;
    /// The manager's standing.
    fn manager(&self) -> ManagerView;
    /// Tasks of ours that no record knows, in order of id, after the one named `after`.
    fn quarantined(&self, after: Option<&str>, limit: usize) -> Page<QuarantinedView>;
    /// The machine's own numbers.
    fn stats(&self) -> Vec<Stat>;
}

/// One number of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// In snake case, with neither prefix nor suffix: `offers_declined`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// How it moves.
    pub kind: StatKind,
    /// Its value now.
    pub value: u64,
}

/// How a number moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatKind {
    /// Only up, until the process ends.
    Counter,
    /// Up and down.
    Gauge,
}
