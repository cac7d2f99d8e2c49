//! Owns a load of changes and reads by several clients at once, recorded as a history of one register: a label of an app,
//! whose change touches no container.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use swan_tests::linearizable::{Action, Operation, check};

use crate::api::Api;
use crate::scene::web;

const CLIENTS: usize = 4;
/// Pause of a client between two operations.
const PAUSE: Duration = Duration::from_millis(30);
/// The label before the load.
const FIRST: &str = "0";

/// Clients at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    managers: Vec<Api>,
    app: Value,
    began: Instant,
    next: AtomicU64,
    stop: AtomicBool,
    history: Mutex<Vec<Operation>>,
    refused: AtomicU64,
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) written: usize,
    pub(crate) read: usize,
}

/// An app whose label is the register.
pub(crate) fn labelled(id: &str, instances: u32, value: &str) -> Value {
    let mut app = web(id, instances);
    app["labels"] = json!({ "register": value });
    app
}

impl Load {
    /// Creates the app and begins.
    pub(crate) fn begin(managers: Vec<Api>, id: &str, instances: u32) -> Self {
        let app = labelled(id, instances, FIRST);
        managers[0].create(&app);
        let shared = Arc::new(Shared {
            managers,
            app,
            began: Instant::now(),
            next: AtomicU64::new(1),
            stop: AtomicBool::new(false),
            history: Mutex::default(),
            refused: AtomicU64::new(0),
        });
        let client = |number| {
            let shared = shared.clone();
            thread::spawn(move || shared.client(number))
        };
        Self { clients: (0..CLIENTS).map(client).collect(), shared: shared.clone() }
    }

    /// Ends the load; fails if its history is not linearizable.
    pub(crate) fn end(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client does not panic");
        }
        let history = self.shared.history.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(why) = check(FIRST, &history) {
            panic!("{why}\n{history:#?}");
        }
        let writes = || history.iter().filter(|operation| matches!(operation.action, Action::Write(_)));
        let mut answers: Vec<u64> = writes().filter_map(|operation| operation.answered).collect();
        answers.sort_unstable();
        let gap = answers.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        let read = history.len() - writes().count();
        let unknown = writes().count() - answers.len();
        println!(
            "{} writes answered, {unknown} of unknown outcome, {} refused, {read} reads; without an answered write \
             for {} ms at most",
            answers.len(),
            self.shared.refused.load(Ordering::Relaxed),
            gap / 1000
        );
        Outcome { written: answers.len(), read }
    }
}

impl Shared {
    fn client(&self, number: usize) {
        let mut turn = number;
        while !self.stop.load(Ordering::Relaxed) {
            let api = &self.managers[turn / 3 % self.managers.len()];
            if turn.is_multiple_of(3) {
                self.write(api)
            } else {
                self.read(api)
            }
            turn += 1;
            thread::sleep(PAUSE);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).expect("a short test")
    }

    fn write(&self, api: &Api) {
        let value = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let mut app = self.app.clone();
        app["labels"] = json!({ "register": value });
        let id = dotted(&self.app);
        let called = self.now();
        let answer = api.attempt(&format!("PUT /v1/apps/{id}?force=true"), &[], Some(&app));
        let answered = match answer {
            Ok(answer) if answer.status < 300 => Some(self.now()),
            // It says so if a change may still happen.
            Ok(answer) if answer.status == 503 && !answer.body.contains("may still happen") => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ok(answer) if answer.status == 503 => None,
            Ok(answer) => panic!("{answer:?}"),
            // Nobody was there to be asked.
            Err(error) if error.contains("refused") => return,
            Err(_) => None,
        };
        self.note(Operation { called, answered, action: Action::Write(value) });
    }

    /// Reads that a manager marks as old are no part of the history.
    fn read(&self, api: &Api) {
        let id = dotted(&self.app);
        let called = self.now();
        let Ok(answer) = api.attempt(&format!("GET /v1/apps/{id}"), &[], None) else { return };
        if answer.status == 200
            && answer.header("swan-lag-ms").is_empty()
            && answer.header("swan-store").is_empty()
        {
            let value = answer.json()["labels"]["register"].as_str().expect("it has the label").to_owned();
            self.note(Operation { called, answered: Some(self.now()), action: Action::Read(value) });
        }
    }

    fn note(&self, operation: Operation) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }
}

fn dotted(app: &Value) -> String {
    let path = app["id"].as_str().expect("an id").trim_start_matches('/');
    path.rsplit('/').collect::<Vec<_>>().join(".")
}
