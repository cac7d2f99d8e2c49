//! Owns a manager that answers as it is told, and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use swan_api::{Answer, Config, EventFeed, Manager, Read, Reading, Standing, Stat, StatKind, Tokens, serve};
use swan_core::id::{AppPath, DottedId, TaskId};
use swan_core::record::{Epoch, Seq};
use swan_core::scheduler::api::{ApiCall, ApiError, ApiReply, ApiRequest, ErrorKind, Problem};
use swan_core::scheduler::event::{Event, EventId, EventKind};
use swan_core::scheduler::input::Build;
use swan_core::scheduler::view::{
    AgentView, AppView, DryRunView, ExplainView, FailureView, ManagerView, Page, QuarantinedView,
    RolloutView, TaskView, VersionView,
};
use swan_core::selector::{AppFields, AppFilter};
use swan_core::time::{Millis, Timestamp};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the fake manager knows and does.
pub(crate) struct Fake {
    state: Mutex<State>,
    pub(crate) feed: EventFeed,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) apps: BTreeMap<String, AppView>,
    pub(crate) tasks: Vec<TaskView>,
    pub(crate) rollouts: Vec<RolloutView>,
    pub(crate) failures: Vec<FailureView>,
    pub(crate) explained: ExplainView,
    pub(crate) agents: Vec<AgentView>,
    /// What every dry run is answered.
    pub(crate) dry_run: DryRunView,
    /// What dry runs were asked.
    pub(crate) dry_asked: Vec<ApiCall>,
    pub(crate) standing: ManagerView,
    /// What it says of itself beside that.
    pub(crate) lag: Option<Millis>,
    pub(crate) followed: Seq,
    /// How often it was asked to read on at once.
    pub(crate) hurried: usize,
    /// Whether it was told to abdicate.
    pub(crate) abdicated: bool,
    /// What the next changes are answered; by default, they are accepted.
    pub(crate) error: Option<ApiError>,
    pub(crate) unchanged: bool,
    /// Drops whatever it is asked.
    pub(crate) gone: bool,
    pub(crate) asked: Vec<ApiRequest>,
    /// How often its machine was looked at.
    pub(crate) looked: usize,
    /// The largest number of items that one read has copied.
    pub(crate) copied_max: usize,
}

/// A served API, closed when dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) fake: Arc<Fake>,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Served {
    pub(crate) async fn new() -> Self {
        Self::with(None, EventFeed::new()).await
    }

    pub(crate) async fn with(tokens: Option<&str>, feed: EventFeed) -> Self {
        Self::of(Fake::new(tokens, feed)).await
    }

    /// A manager that may be told to delete everything.
    pub(crate) async fn that_may_be_purged() -> Self {
        let (fake, config) = Fake::new(None, EventFeed::new());
        Self::of((fake, Config { allow_purge: true, ..config })).await
    }

    pub(crate) async fn of((fake, config): (Arc<Fake>, Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let manager: Arc<dyn Manager> = Arc::clone(&fake) as _;
        let task = tokio::spawn(async move {
            let never = serve(listener, manager, config).await;
            match never {}
        });
        Self { address, fake, task }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.fake.state()
    }

    pub(crate) fn add_app(&self, path: &str) {
        let app = app(path);
        self.state().apps.insert(app.id.to_string(), app);
    }

    pub(crate) fn refuse(&self, kind: ErrorKind) {
        let problems = vec![Problem { path: "cpus".to_owned(), message: "must be above 0".to_owned() }];
        self.state().error = Some(ApiError { kind, detail: "refused".to_owned(), problems });
    }

    /// The only thing that was asked since the last look.
    pub(crate) fn asked(&self) -> ApiRequest {
        let mut asked = std::mem::take(&mut self.state().asked);
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

impl Fake {
    /// A manager that leads, and a configuration to serve it with.
    pub(crate) fn new(tokens: Option<&str>, feed: EventFeed) -> (Arc<Self>, Config) {
        let standing = ManagerView {
            leading: true,
            connected: true,
            stalled: false,
            framework_id: "f-1".to_owned(),
            master: "10.0.0.1:5050".to_owned(),
            hold: None,
        };
        let state = Mutex::new(State { standing, ..State::default() });
        let config = Config {
            advertise: "swan.example:9999".to_owned(),
            build: Build { version: "9.9.9".to_owned(), commit: "abc".to_owned() },
            tokens: tokens.map(|text| Tokens::parse(text).expect("good tokens")),
            allow_purge: false,
            peers: None,
        };
        (Arc::new(Self { state, feed }), config)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics in here")
    }

    /// Publishes one event with this number.
    pub(crate) fn publish(&self, number: u64, app: &str, kind: EventKind) {
        let id = event_id(number);
        self.feed.publish(Arc::new(Event {
            id,
            at: Timestamp(0),
            who: None,
            app: Some(DottedId::from_text(app)),
            kind,
        }));
    }
}

pub(crate) fn event_id(number: u64) -> EventId {
    EventId { epoch: Epoch(1), seq: Seq(number), n: 0 }
}

impl Manager for Fake {
    fn call(&self, request: ApiRequest, answer: Answer) {
        let mut state = self.state();
        if state.gone {
            return;
        }
        state.asked.push(request);
        let app = DottedId::from_text("web.shop");
        let result = match (state.error.clone(), state.unchanged) {
            (Some(error), _) => Err(Box::new(error)),
            (None, true) => Ok(ApiReply::Unchanged { app, revision: 7 }),
            (None, false) => match &state.asked.last().expect("pushed above").call {
                ApiCall::CreateApp { .. } | ApiCall::AddVersion { .. } => {
                    Ok(ApiReply::Created { app, revision: 1, version: "17".to_owned() })
                }
                ApiCall::Purge | ApiCall::OverrideBrake => Ok(ApiReply::Done),
                _ => Ok(ApiReply::Accepted { app, revision: 8 }),
            },
        };
        drop(answer.send(result));
    }

    fn read(&self, read: Read) {
        let mut state = self.state();
        if !state.gone {
            state.looked += 1;
            drop(state);
            read(&Look(self))();
        }
    }

    fn events(&self) -> &EventFeed {
        &self.feed
    }

    fn standing(&self) -> Standing {
        let state = self.state();
        Standing { leading: state.standing.leading, lag: state.lag, followed: state.followed, format: 1 }
    }

    fn follow(&self) {
        self.state().hurried += 1;
    }

    fn abdicate(&self) {
        self.state().abdicated = true;
    }
}

struct Look<'a>(&'a Fake);

impl Look<'_> {
    fn count(&self, items: usize) {
        let mut state = self.0.state();
        state.copied_max = state.copied_max.max(items);
    }
}

impl Reading for Look<'_> {
    fn app(&self, app: &DottedId) -> Option<AppView> {
        self.0.state().apps.get(app.as_str()).cloned()
    }

    /// Looks at `limit` apps, whatever the filter lets through of them.
    fn apps(&self, filter: &AppFilter, after: Option<&str>, limit: usize) -> Page<AppView> {
        let apps: Vec<AppView> = self.0.state().apps.values().cloned().collect();
        let mut page = page(apps, after.map(str::to_owned), limit, |app| app.id.to_string());
        self.count(page.items.len());
        page.items.retain(|app| {
            let fields = AppFields { name: &app.name, run_as: &app.run_as, cluster: &app.cluster };
            filter.matches(&app.labels.iter().cloned().collect(), fields)
        });
        page
    }

    fn tasks(&self, app: &DottedId, after: Option<u32>, limit: usize) -> Option<Page<TaskView>> {
        self.app(app)?;
        let tasks: Vec<_> =
            self.0.state().tasks.iter().filter(|t| after.is_none_or(|a| t.slot > a)).cloned().collect();
        let page = page(tasks, None, limit, |task| task.slot.to_string());
        self.count(page.items.len());
        Some(page)
    }

    fn task(&self, app: &DottedId, name: &str) -> Option<TaskView> {
        self.app(app)?;
        let named = |task: &&TaskView| {
            task.slot_name == name || task.id.as_ref().is_some_and(|id| id.as_str() == name)
        };
        self.0.state().tasks.iter().find(named).cloned()
    }

    fn versions(&self, app: &DottedId) -> Option<Vec<VersionView>> {
        self.app(app)?;
        Some(vec![VersionView {
            id: "17".to_owned(),
            spec: "{\"id\":\"/shop/web\"}".to_owned(),
            created: Timestamp(0),
        }])
    }

    fn version(&self, app: &DottedId, version: &str) -> Option<VersionView> {
        self.versions(app)?.into_iter().find(|known| known.id == version)
    }

    fn rollouts(&self, app: &DottedId) -> Option<Vec<RolloutView>> {
        self.app(app)?;
        Some(self.0.state().rollouts.clone())
    }

    /// A page ends with the first slot that fills it.
    fn failures(
        &self,
        app: &DottedId,
        slot: Option<u32>,
        after_slot: Option<u32>,
        limit: usize,
    ) -> Option<Page<FailureView>> {
        self.app(app)?;
        let mut items = self.0.state().failures.clone();
        items.retain(|failure| {
            slot.is_none_or(|slot| failure.slot == slot)
                && after_slot.is_none_or(|after| failure.slot > after)
        });
        let last = items.get(limit - 1).map(|failure| failure.slot);
        let rest = items.iter().filter(|failure| last.is_some_and(|last| failure.slot > last)).count();
        items.truncate(items.len() - rest);
        Some(Page { items, next: last.filter(|_| rest > 0).map(|slot| slot.to_string()) })
    }

    fn explain(&self, app: &DottedId) -> Option<ExplainView> {
        self.app(app)?;
        Some(self.0.state().explained.clone())
    }

    fn agents(&self, after: Option<&str>, limit: usize) -> Page<AgentView> {
        let agents = self.0.state().agents.clone();
        page(agents, after.map(str::to_owned), limit, |agent| agent.id.clone())
    }

    fn dry_run(&self, call: &ApiCall) -> Result<DryRunView, Box<ApiError>> {
        let mut state = self.0.state();
        state.dry_asked.push(call.clone());
        state.error.clone().map_or_else(|| Ok(state.dry_run.clone()), |error| Err(Box::new(error)))
    }

    fn manager(&self) -> ManagerView {
        self.0.state().standing.clone()
    }

    fn quarantined(&self, after: Option<&str>, limit: usize) -> Page<QuarantinedView> {
        let task = TaskId::from("stray");
        let stray = QuarantinedView {
            task,
            agent: "a1".to_owned(),
            state: "TASK_RUNNING",
            first_seen: Timestamp(0),
            ending: false,
        };
        page(vec![stray], after.map(str::to_owned), limit, |task| task.task.to_string())
    }

    fn stats(&self) -> Vec<Stat> {
        vec![Stat { name: "steps", help: "Inputs handled.", kind: StatKind::Counter, value: 3 }]
    }
}

fn page<T>(items: Vec<T>, after: Option<String>, limit: usize, key: impl Fn(&T) -> String) -> Page<T> {
    let mut rest = items.into_iter().filter(|item| after.as_ref().is_none_or(|after| key(item) > *after));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| items.last().map(key));
    Page { items, next }
}

pub(crate) fn app(path: &str) -> AppView {
    let path = AppPath::parse(path).expect("a good path");
    AppView {
        id: path.dotted(),
        name: "web".to_owned(),
        run_as: "shop".to_owned(),
        cluster: String::new(),
        operation_status: "scaling_up",
        progress: Some((1, 3)),
        error_message: String::new(),
        instances: 3,
        task_count: 3,
        tasks_status: vec![("TASK_PENDING", 2), ("TASK_RUNNING", 1)],
        health: (1, 0, 0),
        current_versions: vec!["17".to_owned()],
        version_count: 1,
        spec: format!("{{\"id\":\"{path}\"}}"),
        revision: 7,
        quarantined: false,
        created: Timestamp(0),
        updated: Timestamp(1000),
        labels: vec![("tier".to_owned(), "front".to_owned())],
        path,
    }
}

pub(crate) fn task(slot: u32, waiting: bool) -> TaskView {
    TaskView {
        id: (!waiting).then(|| TaskId::new(format!("0a1b2c3d4e5f.{slot}.web.shop"))),
        slot_name: format!("{slot}.web.shop"),
        slot,
        status: if waiting { "TASK_PENDING" } else { "TASK_RUNNING" },
        healthy: if waiting { None } else { Some(true) },
        ip: "10.0.0.2".to_owned(),
        host: "node2".to_owned(),
        agent_id: "a2".to_owned(),
        ports: vec![31000],
        version: "17".to_owned(),
        weight: 100,
        retries: 0,
        error_message: String::new(),
        container_name: "mesos-1".to_owned(),
        created: Timestamp(0),
        updated: Timestamp(0),
    }
}
