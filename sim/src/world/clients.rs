//! Owns the API's clients: what they ask for, what they were answered, and what may therefore be wanted.

use std::collections::{BTreeSet, VecDeque};

use swan_core::id::DottedId;
use swan_core::manager::ManagerInput;
use swan_core::mesos::TaskId;
use swan_core::rng::Rng;
use swan_core::scheduler::api::{
    ApiCall, ApiError, ApiReply, ApiRequest, AppChange, Caller, ErrorKind, IdempotencyKey,
};
use swan_core::scheduler::input::RequestId;

use super::{Happening, World};
use crate::checkers::convergence::{Wanted, Wishes};
use crate::options::ClientOptions;

/// How long a client waits for an answer, ms.
const PATIENCE_MS: u64 = 60_000;
/// Until a client that found no manager tries again, ms.
const RETRY_MS: u64 = 1_000;

/// One thing to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A new app.
    Create { app: String, wanted: Wanted, checked: bool },
    /// Another definition.
    Update { app: String, wanted: Wanted, checked: bool },
    /// Another number of instances.
    Scale { app: String, instances: u32 },
    /// No app any more.
    Delete { app: String },
    /// Another task in this slot.
    Kill { app: String, slot: u32 },
    /// Another task in every slot.
    KillAll { app: String },
}

impl Ask {
    fn app(&self) -> &str {
        match self {
            Self::Create { app, .. }
            | Self::Update { app, .. }
            | Self::Scale { app, .. }
            | Self::Delete { app }
            | Self::Kill { app, .. }
            | Self::KillAll { app } => app,
        }
    }

    /// What is wanted after it.
    fn after(&self, before: Option<Wanted>) -> Option<Wanted> {
        match self {
            Self::Create { wanted, .. } => Some(before.unwrap_or_else(|| wanted.clone())),
            Self::Update { wanted, .. } => before.map(|_| wanted.clone()),
            Self::Scale { instances, .. } => before.map(|it| Wanted { instances: *instances, ..it }),
            Self::Delete { .. } => None,
            Self::Kill { .. } | Self::KillAll { .. } => before,
        }
    }
}

/// What became of a request that a manager got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nobody knows yet.
    Open,
    Taken,
    Refused,
    /// Nobody will ever know, or it may have been taken earlier.
    Maybe,
}

/// A request in the order in which managers got them.
#[derive(Clone, Debug)]
struct Sent {
    id: RequestId,
    ask: Ask,
    outcome: Outcome,
    retried: bool,
}

#[derive(Clone, Debug)]
struct Client {
    name: String,
    /// What it waits for.
    waits: Option<RequestId>,
    /// What it asks for (again).
    trying: Option<Trying>,
    scripted: VecDeque<Ask>,
    keys: u64,
    /// When it acts next; other calls are of the past.
    due: u64,
}

#[derive(Clone, Debug)]
struct Trying {
    ask: Ask,
    request: ApiRequest,
    retried: bool,
    left: u32,
}

/// All clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    options: ClientOptions,
    apps: u32,
    rng: Rng,
    clients: Vec<Client>,
    sent: VecDeque<Sent>,
    /// What was wanted before all of `sent`.
    settled: Wishes,
    next_request: u64,
    images: u64,
    retired: bool,
}

impl Clients {
    pub(super) fn new(options: ClientOptions, apps: u32, rng: Rng) -> Self {
        let client = |n| Client {
            name: format!("client{n}"),
            waits: None,
            trying: None,
            scripted: VecDeque::new(),
            keys: 0,
            due: 0,
        };
        // One more than ask by themselves: it does what scripts say.
        let clients = (0..=options.count).map(client).collect();
        Self {
            options,
            apps,
            rng,
            clients,
            sent: VecDeque::new(),
            settled: Wishes::new(),
            next_request: 0,
            images: 0,
            retired: false,
        }
    }

    /// How many ask by themselves.
    pub(super) const fn count(&self) -> usize {
        self.options.count as usize
    }

    /// How long a client thinks.
    pub(super) fn pause(&mut self) -> u64 {
        self.rng.between(1, self.options.think_ms)
    }

    /// Nobody asks for anything any more.
    pub(super) const fn retire(&mut self) {
        self.retired = true;
    }

    /// Adds to the script; gives the client that follows it, and whether it has nothing to do.
    pub(super) fn script(&mut self, ask: Ask) -> (usize, bool) {
        let last = self.clients.len() - 1;
        let client = &mut self.clients[last];
        let idle = client.scripted.is_empty() && client.waits.is_none() && client.trying.is_none();
        client.scripted.push_back(ask);
        (last, idle)
    }

    /// Whether the script was followed to its end.
    pub(super) fn all_answered(&self) -> bool {
        self.clients
            .iter()
            .all(|client| client.scripted.is_empty() && client.waits.is_none() && client.trying.is_none())
    }

    /// The process is gone with whatever it had not answered.
    pub(super) fn process_gone(&mut self) {
        for sent in self.sent.iter_mut().filter(|sent| sent.outcome == Outcome::Open) {
            sent.outcome = Outcome::Maybe;
        }
        self.compact();
    }

    /// Forgets requests whose outcome is known, or never will be.
    fn compact(&mut self) {
        while let Some(first) = self.sent.pop_front_if(|sent| sent.outcome != Outcome::Open) {
            take(&mut self.settled, &first);
        }
    }

    /// What may be wanted.
    pub(super) fn wishes(&self) -> Wishes {
        let mut wishes = self.settled.clone();
        for sent in &self.sent {
            take(&mut wishes, sent);
        }
        wishes
    }

    /// An answer: which client it is for.
    fn replied(&mut self, id: RequestId, taken: bool) -> Option<usize> {
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.id == id) {
            sent.outcome = match (taken, sent.retried) {
                (true, false) => Outcome::Taken,
                (true, true) => Outcome::Maybe,
                (false, _) => Outcome::Refused,
            };
        }
        self.compact();
        self.clients.iter().position(|client| client.waits == Some(id))
    }

    /// Something to ask for.
    fn invent(&mut self) -> Ask {
        let app = format!("a{}.sim", self.rng.below(u64::from(self.apps)));
        let instances = self.rng.between(0, self.options.instances) as u32;
        let total: u64 = self.options.verbs.iter().sum();
        let mut at = self.rng.below(total);
        let verb = self.options.verbs.iter().position(|&weight| {
            let here = at < weight;
            at = at.saturating_sub(weight);
            here
        });
        self.images += 1;
        let wanted = Wanted { instances, image: format!("image:{}", self.images) };
        let checked = self.rng.chance(500_000);
        match verb {
            Some(0) => Ask::Create { app, wanted, checked },
            Some(1) => Ask::Update { app, wanted, checked },
            Some(2) => Ask::Scale { app, instances },
            Some(3) => Ask::Delete { app },
            Some(4) => Ask::Kill { app, slot: self.rng.below(u64::from(instances) + 1) as u32 },
            _ => Ask::KillAll { app },
        }
    }
}

fn take(wishes: &mut Wishes, sent: &Sent) {
    let before = wishes.entry(sent.ask.app().to_owned()).or_insert_with(|| BTreeSet::from([None]));
    match sent.outcome {
        Outcome::Refused => {}
        Outcome::Taken => *before = before.iter().map(|it| sent.ask.after(it.clone())).collect(),
        Outcome::Open | Outcome::Maybe => {
            let after: Vec<_> = before.iter().map(|it| sent.ask.after(it.clone())).collect();
            before.extend(after);
        }
    }
}

/// The app's path, of its dotted id.
fn path_of(app: &str) -> String {
    app.rsplit('.').fold(String::new(), |path, part| path + "/" + part)
}

/// An app's definition.
pub(super) fn document(app: &str, wanted: &Wanted, checked: bool) -> Vec<u8> {
    let checks = if checked {
        r#","healthChecks":[{"protocol":"MESOS_HTTP","path":"/","portIndex":0,"gracePeriodSeconds":20,
            "intervalSeconds":5,"timeoutSeconds":3,"maxConsecutiveFailures":3,"delaySeconds":2}]"#
    } else {
        ""
    };
    let Wanted { instances, image } = wanted;
    format!(
        r#"{{"id":"{}","instances":{instances},"cpus":0.5,"mem":64,"container":{{"type":"DOCKER",
            "docker":{{"image":"{image}"}},"portMappings":[{{"containerPort":80,"hostPort":0}}]}},
            "networks":[{{"mode":"container/bridge"}}]{checks}}}"#,
        path_of(app)
    )
    .into_bytes()
}

impl World {
    /// Calls a client after a while, and only then.
    pub(super) fn call_client(&mut self, client: usize, wait: u64) {
        self.clients.clients[client].due = self.now + wait;
        self.queue.push(self.now + wait, Happening::Client(client));
    }

    /// The connections of clients that wait break with the process.
    pub(super) fn clients_lose_process(&mut self) {
        self.clients.process_gone();
        for client in 0..self.clients.clients.len() {
            if self.clients.clients[client].waits.is_some() {
                self.call_client(client, RETRY_MS);
            }
        }
    }

    /// A client gives up waiting, or asks for the next thing.
    pub(super) fn client(&mut self, client: usize) {
        let scripted = client == self.clients.count();
        if self.clients.clients[client].due != self.now || (self.clients.retired && !scripted) {
            return;
        }
        if self.clients.clients[client].waits.is_some() {
            self.ledger.note("client: no answer");
            self.give_up(client, scripted);
        }
        if self.clients.clients[client].trying.is_none() {
            let ask = if scripted {
                match self.clients.clients[client].scripted.pop_front() {
                    Some(ask) => ask,
                    None => return,
                }
            } else {
                self.clients.invent()
            };
            self.prepare(client, ask, scripted);
        }
        if !self.submit(client) {
            self.call_client(client, RETRY_MS);
        }
    }

    /// No answer came: ask again under the same key, or leave it.
    fn give_up(&mut self, client: usize, scripted: bool) {
        let again = scripted || self.clients.rng.chance(700_000);
        let client = &mut self.clients.clients[client];
        client.waits = None;
        let keyed = client.trying.as_ref().is_some_and(|it| it.request.idempotency.is_some());
        match &mut client.trying {
            Some(trying) if keyed && again && trying.left > 0 => {
                trying.retried = true;
                trying.left -= 1;
            }
            _ => client.trying = None,
        }
    }

    /// Turns an ask into a request; one that makes no sense now is dropped.
    fn prepare(&mut self, client: usize, ask: Ask, scripted: bool) {
        let app = DottedId::from_text(ask.app());
        let view = self.view();
        let revision = view.and_then(|view| view.app(&app)).map(|app| app.revision);
        let task = |slot: u32| {
            let page = self.view()?.tasks(&app, slot.checked_sub(1), 1)?;
            page.items.into_iter().next()?.id
        };
        let seen =
            if self.clients.rng.clone().chance(self.clients.options.matched) { revision } else { None };
        let call = match &ask {
            Ask::Create { app, wanted, checked } => {
                ApiCall::CreateApp { document: document(app, wanted, *checked) }
            }
            Ask::Update { wanted, checked, .. } => {
                let document = document(ask.app(), wanted, *checked);
                ApiCall::of_app(app, AppChange::Update { document }, seen)
            }
            Ask::Scale { instances, .. } => {
                ApiCall::of_app(app, AppChange::Scale { instances: *instances, ips: None }, seen)
            }
            Ask::Delete { .. } => ApiCall::of_app(app, AppChange::Delete, seen),
            Ask::Kill { slot, .. } => {
                let task = task(*slot).unwrap_or_else(|| TaskId::from("nothing"));
                ApiCall::KillTask { app, task }
            }
            Ask::KillAll { .. } => ApiCall::KillTasks { app },
        };
        self.clients.rng.next();
        let keyed = scripted || self.clients.rng.chance(self.clients.options.keyed);
        let it = &mut self.clients.clients[client];
        it.keys += 1;
        let key = IdempotencyKey { key: format!("k{}", it.keys), fingerprint: it.keys };
        let who = Caller { name: it.name.clone(), address: String::new() };
        let request = ApiRequest { who, idempotency: keyed.then_some(key), call };
        let left = if scripted { u32::MAX } else { 5 };
        it.trying = Some(Trying { ask, request, retried: false, left });
    }

    /// Sends what a client tries; false if there is no process.
    fn submit(&mut self, client: usize) -> bool {
        if self.process.is_none() {
            return false;
        }
        let Some(trying) = self.clients.clients[client].trying.clone() else { return true };
        self.clients.next_request += 1;
        let id = RequestId(self.clients.next_request);
        let (ask, retried) = (trying.ask, trying.retried);
        self.clients.sent.push_back(Sent { id, ask, outcome: Outcome::Open, retried });
        self.clients.clients[client].waits = Some(id);
        self.call_client(client, PATIENCE_MS);
        self.disturbed("client: request");
        self.step(ManagerInput::Api { id, request: Box::new(trying.request) });
        true
    }

    /// An answer has come.
    pub(super) fn replied(&mut self, id: RequestId, result: &Result<ApiReply, Box<ApiError>>) {
        self.ledger.note(match result {
            Ok(_) => "client: done",
            Err(error) => refusal(error.kind),
        });
        let Some(client) = self.clients.replied(id, result.is_ok()) else { return };
        let scripted = client == self.clients.count();
        let it = &mut self.clients.clients[client];
        it.waits = None;
        let busy =
            matches!(result, Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Locked));
        if !(scripted && busy) {
            it.trying = None;
        }
        let pause = if scripted { RETRY_MS } else { self.clients.pause() };
        self.call_client(client, pause);
    }
}

const fn refusal(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "client: refused, invalid",
        ErrorKind::NotFound => "client: refused, not found",
        ErrorKind::Conflict => "client: refused, conflict",
        ErrorKind::KeyReused => "client: refused, key reused",
        ErrorKind::PreconditionFailed => "client: refused, changed",
        ErrorKind::Locked => "client: refused, busy",
        ErrorKind::TooMany => "client: refused, too many",
        ErrorKind::Unavailable => "client: refused, unavailable",
    }
}
