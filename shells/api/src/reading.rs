//! Owns what the API asks of the machine's state: a trait, so that tests can answer without a machine.

use swan_core::id::DottedId;
use swan_core::scheduler::View;
use swan_core::scheduler::api::{ApiCall, ApiError};
use swan_core::scheduler::view::{
    AgentView, AppView, DryRunView, ExplainView, FailureView, ManagerView, Page, QuarantinedView,
    RolloutView, TaskView, VersionView,
};
use swan_core::selector::AppFilter;

/// The state as readers see it. Each method copies one bounded page at most.
pub trait Reading {
    /// One app; ids compare case-insensitively.
    fn app(&self, app: &DottedId) -> Option<AppView>;
    /// Apps that `filter` lets through, in order of id, after the one named `after`. A page may be short, or empty, and
    /// yet have a next, since a bounded number of apps is looked at.
    fn apps(&self, filter: &AppFilter, after: Option<&str>, limit: usize) -> Page<AppView>;
    /// The slots of an app with their tasks, after slot `after`; `None` if there is no such app.
    fn tasks(&self, app: &DottedId, after: Option<u32>, limit: usize) -> Option<Page<TaskView>>;
    /// One task, by its id or its slot's name.
    fn task(&self, app: &DottedId, name: &str) -> Option<TaskView>;
    /// The kept versions of an app, newest first; `None` if there is no such app.
    fn versions(&self, app: &DottedId) -> Option<Vec<VersionView>>;
    /// One version of an app.
    fn version(&self, app: &DottedId, version: &str) -> Option<VersionView>;
    /// The rollouts of an app that are remembered, newest first; the first may be under way. `None` if there is no such
    /// app.
    fn rollouts(&self, app: &DottedId) -> Option<Vec<RolloutView>>;
    /// The failures that are remembered, by slot, newest first within one: of `slot` only, or of all slots after
    /// `after_slot`; pages end between slots. `None` if there is no such app.
    fn failures(
        &self,
        app: &DottedId,
        slot: Option<u32>,
        after_slot: Option<u32>,
        limit: usize,
    ) -> Option<Page<FailureView>>;
    /// Why slots of an app wait, and why its tasks are where they are; `None` if there is no such app.
    fn explain(&self, app: &DottedId) -> Option<ExplainView>;
    /// Agents in order of id, after the one named `after`.
    fn agents(&self, after: Option<&str>, limit: usize) -> Page<AgentView>;
    /// What a change would do; `Err` if it would be refused.
    fn dry_run(&self, call: &ApiCall) -> Result<DryRunView, Box<ApiError>>;
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

impl Reading for View<'_> {
    fn app(&self, app: &DottedId) -> Option<AppView> {
        View::app(self, app)
    }

    fn apps(&self, filter: &AppFilter, after: Option<&str>, limit: usize) -> Page<AppView> {
        View::apps_where(self, filter, after, limit)
    }

    fn tasks(&self, app: &DottedId, after: Option<u32>, limit: usize) -> Option<Page<TaskView>> {
        View::tasks(self, app, after, limit)
    }

    fn task(&self, app: &DottedId, name: &str) -> Option<TaskView> {
        View::task(self, app, name)
    }

    fn versions(&self, app: &DottedId) -> Option<Vec<VersionView>> {
        View::versions(self, app)
    }

    fn version(&self, app: &DottedId, version: &str) -> Option<VersionView> {
        View::version(self, app, version)
    }

    fn rollouts(&self, app: &DottedId) -> Option<Vec<RolloutView>> {
        View::rollouts(self, app)
    }

    fn failures(
        &self,
        app: &DottedId,
        slot: Option<u32>,
        after_slot: Option<u32>,
        limit: usize,
    ) -> Option<Page<FailureView>> {
        View::failures(self, app, slot, after_slot, limit)
    }

    fn explain(&self, app: &DottedId) -> Option<ExplainView> {
        View::explain(self, app)
    }

    fn agents(&self, after: Option<&str>, limit: usize) -> Page<AgentView> {
        View::agents(self, after, limit)
    }

    fn dry_run(&self, call: &ApiCall) -> Result<DryRunView, Box<ApiError>> {
        View::dry_run(self, call).map_err(Box::new)
    }

    fn manager(&self) -> ManagerView {
        View::manager(self)
    }

    fn quarantined(&self, after: Option<&str>, limit: usize) -> Page<QuarantinedView> {
        View::quarantined(self, after, limit)
    }

    fn stats(&self) -> Vec<Stat> {
        let stat = |kind| move |(name, help, value)| Stat { name, help, kind, value };
        let counters = View::stats(self).all().map(stat(StatKind::Counter));
        counters.chain(self.gauges().map(stat(StatKind::Gauge))).collect()
    }
}
