//! Owns how the API reads the machine: its pages and numbers, between two steps.

use swan_api::{Reading, Stat, StatKind};
use swan_core::id::DottedId;
use swan_core::manager::Manager;
use swan_core::scheduler::view::{AppView, ManagerView, Page, QuarantinedView, TaskView, VersionView};

/// The machine while it rests.
pub(crate) struct Between<'a>(pub(crate) &'a Manager);

impl Reading for Between<'_> {
    fn app(&self, app: &DottedId) -> Option<AppView> {
        self.0.view().app(app)
    }

    fn apps(&self, after: Option<&str>, limit: usize) -> Page<AppView> {
        self.0.view().apps(after, limit)
    }

    fn tasks(&self, app: &DottedId, after: Option<u32>, limit: usize) -> Option<Page<TaskView>> {
        self.0.view().tasks(app, after, limit)
    }

    fn task(&self, app: &DottedId, name: &str) -> Option<TaskView> {
        self.0.view().task(app, name)
    }

    fn versions(&self, app: &DottedId) -> Option<Vec<VersionView>> {
        self.0.view().versions(app)
    }

    fn version(&self, app: &DottedId, version: &str) -> Option<VersionView> {
        self.0.view().version(app, version)
    }

    fn manager(&self) -> ManagerView {
        self.0.view().manager()
    }

    fn quarantined(&self, after: Option<&str>, limit: usize) -> Page<QuarantinedView> {
        self.0.view().quarantined(after, limit)
    }

    fn stats(&self) -> Vec<Stat> {
        let view = self.0.view();
        let counters =
            view.stats().all().map(|(name, help, value)| Stat { name, help, kind: StatKind::Counter, value });
        let gauges =
            view.gauges().map(|(name, help, value)| Stat { name, help, kind: StatKind::Gauge, value });
        let journal = self.0.journal();
        let journal = [
            ("journal_log_bytes", "Bytes of the log that a recovery would replay.", journal.log_bytes),
            ("journal_snapshot_bytes", "Bytes of the newest snapshot.", journal.snapshot_bytes),
            ("journal_durable_seq", "The newest durable batch.", journal.durable.0),
        ];
        let journal = journal.map(|(name, help, value)| Stat { name, help, kind: StatKind::Gauge, value });
        counters.chain(gauges).chain(journal).collect()
    }
}
