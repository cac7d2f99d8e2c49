//! Owns the API's clients: what they ask for, what they were answered, and what may therefore be wanted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use swan_core::id::DottedId;
use swan_core::manager::ManagerInput;
use swan_core::rng::Rng;
use swan_core::scheduler::api::{
    ApiError, ApiReply, ApiRequest, Caller, ErrorKind, IdempotencyKey, RolloutVerb,
};
use swan_core::scheduler::input::RequestId;

use super::invent::Inventor;
use super::wishes::merge;
use super::{Happening, World};
use crate::ask::Ask;
use crate::chance::{Asked, Site};
use crate::checkers::convergence::{Book, Wanted, Wishes};
use crate::options::ClientOptions;

/// How long a client waits for an answer, ms.
const PATIENCE_MS: u64 = 60_000;
/// With more possibilities than this for one app nobody knows any more what is wanted of it.
const WISHES_MAX: usize = 128;
/// Until a client that found no manager tries again, ms.
const RETRY_MS: u64 = 1_000;

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
    /// Which manager got it.
    manager: usize,
    ask: Ask,
    outcome: Outcome,
    retried: bool,
    /// When a change of the app was sent before.
    changed_before: u64,
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
    inventor: Inventor,
    rng: Rng,
    clients: Vec<Client>,
    sent: VecDeque<Sent>,
    /// What was wanted before all of `sent`.
    settled: Wishes,
    /// What they have said, by image.
    book: Book,
    /// When a change of an app was sent last.
    changed: BTreeMap<String, u64>,
    /// Apps whose rollouts may be paused.
    paused: BTreeSet<String>,
    next_request: u64,
    retired: bool,
    /// Between the steps of a script, in ms.
    script_rest: u64,
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
            inventor: Inventor::new(options.clone(), apps),
            options,
            rng,
            clients,
            sent: VecDeque::new(),
            settled: Wishes::new(),
            book: Book::new(),
            changed: BTreeMap::new(),
            paused: BTreeSet::new(),
            next_request: 0,
            retired: false,
            script_rest: RETRY_MS,
        }
    }

    /// Scripts go on as soon as they are answered.
    pub(super) const fn hurry(&mut self) {
        self.script_rest = 0;
    }

    /// How many ask by themselves.
    pub(super) const fn count(&self) -> usize {
        self.options.count as usize
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
        let last = self.clients.last();
        last.is_none_or(|it| it.scripted.is_empty() && it.waits.is_none() && it.trying.is_none())
    }

    /// A manager is gone with whatever it had not answered: gives the clients that wait for it.
    fn process_gone(&mut self, manager: usize) -> Vec<usize> {
        let open = |sent: &&mut Sent| sent.outcome == Outcome::Open && sent.manager == manager;
        let mut unanswered = BTreeSet::new();
        for sent in self.sent.iter_mut().filter(open) {
            sent.outcome = Outcome::Maybe;
            unanswered.insert(sent.id);
        }
        self.compact();
        let waits = |client: &Client| client.waits.is_some_and(|id| unanswered.contains(&id));
        (0..self.clients.len()).filter(|client| waits(&self.clients[*client])).collect()
    }

    /// Forgets requests whose outcome is known, or never will be.
    fn compact(&mut self) {
        while let Some(first) = self.sent.pop_front_if(|sent| sent.outcome != Outcome::Open) {
            take(&mut self.settled, &first, &self.book);
        }
    }

    /// What may be wanted.
    pub(super) fn wishes(&self) -> Wishes {
        let mut wishes = self.settled.clone();
        for sent in &self.sent {
            take(&mut wishes, sent, &self.book);
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
            if !taken && self.changed.contains_key(sent.ask.app()) {
                // Nothing has changed, after all.
                self.changed.insert(sent.ask.app().to_owned(), sent.changed_before);
            }
        }
        self.compact();
        self.clients.iter().position(|client| client.waits == Some(id))
    }

    /// What they have said, by image.
    pub(super) const fn book(&self) -> &Book {
        &self.book
    }

    /// When a change of the app was sent last.
    pub(super) fn changed(&self, app: &str) -> u64 {
        self.changed.get(app).copied().unwrap_or_default()
    }

    /// Apps whose rollouts may be paused, once.
    pub(super) fn take_paused(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.paused)
    }

    /// Takes note of a request; gives when a change of its app was sent before.
    fn note_sent(&mut self, now: u64, ask: &Ask) -> u64 {
        let before = self.changed(ask.app());
        if matches!(ask, Ask::Create { .. } | Ask::Change { .. }) {
            self.changed.insert(ask.app().to_owned(), now);
        }
        if let Ask::Steer { app, verb: RolloutVerb::Pause } = ask {
            self.paused.insert(app.clone());
        }
        if let Some(definition) = ask.definition() {
            self.book.insert(definition.image.clone(), definition.clone());
        }
        before
    }
}

fn take(wishes: &mut Wishes, sent: &Sent, book: &Book) {
    if sent.ask.app().is_empty() {
        return;
    }
    let before = wishes.entry(sent.ask.app().to_owned()).or_insert_with(|| BTreeSet::from([None]));
    let after = |before: &BTreeSet<_>| -> BTreeSet<_> {
        before.iter().flat_map(|it: &Option<_>| sent.ask.after(it.as_ref(), book)).collect()
    };
    match sent.outcome {
        Outcome::Refused => {}
        Outcome::Taken => *before = after(before),
        Outcome::Open | Outcome::Maybe => {
            let after = after(before);
            before.extend(after);
        }
    }
    merge(before);
    if before.len() > WISHES_MAX {
        *before = BTreeSet::from([Some(Wanted::anything())]);
    }
}

impl World {
    /// Calls a client after a while, and only then.
    pub(super) fn call_client(&mut self, client: usize, wait: u64) {
        self.clients.clients[client].due = self.now + wait;
        self.queue.push(self.now + wait, Happening::Client(client));
    }

    /// The connections of clients that wait for a manager break with its process.
    pub(super) fn clients_lose_process(&mut self, manager: usize) {
        for client in self.clients.process_gone(manager) {
            self.call_client(client, RETRY_MS);
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
            let asked = if scripted { self.follow_script(client) } else { self.think_of(client) };
            let Some(asked) = asked else { return };
            self.prepare(client, asked, scripted);
        }
        if !self.submit(client) {
            self.call_client(client, RETRY_MS);
        }
    }

    /// No answer came: ask again under the same key, or leave it.
    fn give_up(&mut self, client: usize, scripted: bool) {
        let again = scripted || !self.draws.chance(Site::ClientLeaves, &client, 300_000);
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

    fn follow_script(&mut self, client: usize) -> Option<Asked> {
        let ask = self.clients.clients[client].scripted.pop_front()?;
        Some(Asked { at: self.now, client: client as u32, ask, matched: false, keyed: true })
    }

    /// What a client asks now: what a trace tells, if there is one.
    fn think_of(&mut self, client: usize) -> Option<Asked> {
        let (at, number) = (self.now, client as u32);
        let asked = if self.draws.is_scripted() {
            let Some(asked) = self.draws.next_ask(number) else {
                self.let_client_think(client);
                return None;
            };
            Asked { at, ..asked }
        } else {
            let Clients { inventor, rng, options, .. } = &mut self.clients;
            let ask = inventor.invent(rng);
            let (matched, keyed) = (rng.chance(options.matched), rng.chance(options.keyed));
            Asked { at, client: number, ask, matched, keyed }
        };
        self.draws.note_ask(|| asked.clone());
        Some(asked)
    }

    /// A client that has nothing to do asks for something later.
    pub(super) fn let_client_think(&mut self, client: usize) {
        let wait = if self.draws.is_scripted() {
            self.draws.next_ask_at(client as u32).map(|at| at - self.now)
        } else {
            Some(self.clients.rng.between(1, self.clients.options.think_ms))
        };
        match wait {
            Some(wait) => self.call_client(client, wait),
            None => self.clients.clients[client].due = u64::MAX,
        }
    }

    /// Turns an ask into a request.
    fn prepare(&mut self, client: usize, asked: Asked, scripted: bool) {
        let Asked { ask, matched, keyed, .. } = asked;
        let app = DottedId::from_text(ask.app());
        let revision = self.view().and_then(|view| view.app(&app)).map(|app| app.revision);
        let call = ask.call(self.view(), revision.filter(|_| matched));
        let it = &mut self.clients.clients[client];
        it.keys += 1;
        let key = IdempotencyKey { key: format!("k{}", it.keys), fingerprint: it.keys };
        let who = Caller { name: it.name.clone(), address: String::new() };
        let request = ApiRequest { who, idempotency: keyed.then_some(key), call };
        let left = if scripted { u32::MAX } else { 5 };
        it.trying = Some(Trying { ask, request, retried: false, left });
    }

    /// Sends what a client tries to any manager; false if no process is there.
    fn submit(&mut self, client: usize) -> bool {
        if self.clients.clients[client].trying.is_none() {
            return true;
        }
        let id = RequestId(self.clients.next_request + 1);
        let Some(asked) = self.some_manager(id) else { return false };
        self.clients.next_request += 1;
        self.clients.clients[client].waits = Some(id);
        self.call_client(client, PATIENCE_MS);
        match self.knows_leader(asked) {
            Some(manager) => {
                let at = self.now + 1 + self.network.longest();
                self.queue.push(at, Happening::Forward { manager, client, id });
            }
            None => self.deliver_request(asked, client, id),
        }
        true
    }

    /// A request comes from a standby to who led when it was passed on.
    pub(super) fn forwarded(&mut self, manager: usize, client: usize, id: RequestId) {
        // What users asked for last must not come after all was put right for them.
        let late = self.clients.retired && client != self.clients.count();
        if late || self.clients.clients[client].waits != Some(id) {
            return;
        }
        if self.managers[manager].is_none() {
            return self.call_client(client, RETRY_MS);
        }
        self.ledger.note("client: request passed on by a standby");
        self.deliver_request(manager, client, id);
    }

    /// A manager gets a request.
    fn deliver_request(&mut self, manager: usize, client: usize, id: RequestId) {
        let Some(Trying { ask, request, retried, .. }) = self.clients.clients[client].trying.clone() else {
            return;
        };
        let changed_before = self.clients.note_sent(self.now, &ask);
        let outcome = Outcome::Open;
        self.clients.sent.push_back(Sent { id, manager, ask, outcome, retried, changed_before });
        self.requested("client: request");
        self.step(manager, ManagerInput::Api { id, request: Box::new(request) });
    }

    /// An answer has come.
    pub(super) fn replied(&mut self, id: RequestId, result: &Result<ApiReply, Box<ApiError>>) {
        self.ledger.note(match result {
            Ok(_) => "client: done",
            Err(error) => refusal(error.kind),
        });
        // What is unchanged is as wanted as it was.
        let taken = matches!(result, Ok(reply) if !matches!(reply, ApiReply::Unchanged { .. }));
        let Some(client) = self.clients.replied(id, taken) else { return };
        self.passed_back(id);
        let scripted = client == self.clients.count();
        let it = &mut self.clients.clients[client];
        it.waits = None;
        let busy =
            matches!(result, Err(error) if matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Locked));
        if !(scripted && busy) {
            it.trying = None;
        }
        if scripted {
            let rest = if busy { RETRY_MS } else { self.clients.script_rest };
            self.call_client(client, rest);
        } else {
            self.let_client_think(client);
        }
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
