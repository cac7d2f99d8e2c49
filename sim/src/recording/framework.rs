//! Owns one recorded framework under replay: its machines, one after another, its apps, and what becomes of their tasks.

use std::collections::{BTreeMap, BTreeSet};

use swan_core::id::{DottedId, TaskName};
use swan_core::link::Response;
use swan_core::mesos::{Event, OfferId, TaskId, TaskState, TaskStatus, Uuid};
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller, Guard};
use swan_core::scheduler::effect::MesosCall;
use swan_core::scheduler::event::EventKind;
use swan_core::scheduler::input::{Config, RequestId};
use swan_core::time::Timestamp;

use super::acknowledgements::Acknowledgements;
use super::client::{Calls, Wanted};
use super::machine::{Journal, Machine, STORE_MS, Said};
use super::plan::{Plan, Uses};
use super::report::{Divergence, Report};

/// When something happens: line and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) line: usize,
    /// In ms since the recording's start.
    pub(super) at: u64,
}

/// One framework.
#[derive(Debug)]
pub(super) struct Framework {
    name: String,
    config: Config,
    wall: u64,
    journal: Journal,
    /// One after another; the last one leads.
    machines: Vec<Machine>,
    /// Which machine has each stream, and whether the stream was opened.
    streams: BTreeMap<u64, (usize, Option<Response>)>,
    /// The stream that has not ended.
    open: Option<u64>,
    /// By place in [`Plan::launches`].
    apps: BTreeMap<usize, App>,
    by_name: BTreeMap<String, usize>,
    /// The app that a recorded task id means now.
    current: BTreeMap<TaskId, usize>,
    requests: BTreeMap<RequestId, usize>,
    acknowledgements: Acknowledgements,
    calls: Calls,
    offers: BTreeSet<OfferId>,
}

/// What became of a recorded launch.
#[derive(Debug)]
struct App {
    /// The line of its ACCEPT; 0 before that.
    line: usize,
    recorded: TaskId,
    id: DottedId,
    /// The machine's name of the task that it launched.
    task: Option<TaskId>,
    deleted: bool,
    /// Why the definition was refused.
    refused: Option<String>,
    /// How the task ended for the machine.
    end: Option<TaskState>,
    told: Told,
}

/// What the recording tells of a task.
#[derive(Debug, Default)]
struct Told {
    end: Option<TaskState>,
    /// Uuids of updates that told of an end.
    ends: BTreeSet<Uuid>,
    /// Uuids of all updates, and when the newest of these was made.
    seen: BTreeSet<Uuid>,
    newest: Timestamp,
    /// Launches under the id of this task, each of which the master refuses under the same id.
    twins: u32,
    had_twin: bool,
}

impl Told {
    /// Takes in an update. An end that only the master tells may be taken back later: the first one counts. Of two ends that
    /// agents tell the last one counts, so that a recording that contradicts itself is found out.
    fn hear(&mut self, status: &TaskStatus) {
        if !status.state.is_terminal() {
            return;
        }
        if status.state == TaskState::Error && status.uuid.is_none() && self.twins > 0 {
            self.twins -= 1;
            return;
        }
        let is_new = status.uuid.clone().is_some_and(|uuid| self.ends.insert(uuid));
        let contradicts = is_new && self.ends.len() > 1 && self.end != Some(TaskState::Lost);
        if self.end.is_none() || contradicts {
            self.end = Some(status.state);
        }
    }
}

impl Told {
    /// Whether an update was made before another one that came sooner: agents send those of a task in order.
    fn is_late(&mut self, status: &TaskStatus) -> bool {
        let (Some(uuid), Some(made)) = (&status.uuid, status.timestamp) else { return false };
        let is_late = self.seen.insert(uuid.clone()) && made < self.newest;
        self.newest = self.newest.max(made);
        is_late
    }
}

impl Framework {
    pub(super) fn new(name: &str, plan: &Plan) -> Self {
        let mut roles = plan.roles.get(name).cloned().unwrap_or_default();
        if roles.is_empty() {
            roles.push("*".into());
        }
        let config = Config {
            framework_name: "recorded".into(),
            roles,
            user: "root".into(),
            hostname: "recorded.test".into(),
            ..Config::default()
        };
        Self {
            name: name.into(),
            config,
            wall: plan.wall,
            journal: Journal::default(),
            machines: Vec::new(),
            streams: BTreeMap::new(),
            open: None,
            apps: BTreeMap::new(),
            by_name: BTreeMap::new(),
            current: BTreeMap::new(),
            requests: BTreeMap::new(),
            acknowledgements: Acknowledgements::default(),
            calls: Calls::default(),
            offers: BTreeSet::new(),
        }
    }

    /// Time passes until something happens.
    pub(super) fn run_until(&mut self, until: Moment, report: &mut Report) {
        let leading = self.machines.len().saturating_sub(1);
        for (number, machine) in self.machines.iter_mut().enumerate() {
            let silences = machine.outlast_silence(until.at);
            let told = if number == leading { silences } else { 0 };
            for _ in 0..told {
                let kind = "a silence in which Swan gives up a stream".into();
                report.diverge(Divergence { line: until.line, kind, detail: String::new() });
            }
        }
        if let Some(machine) = self.machines.last_mut() {
            machine.run_until(&mut self.journal, until.at);
            self.listen(self.machines.len() - 1, report);
        }
    }

    /// A SUBSCRIBE opens a stream: another machine's if the one before is still open, since Swan never opens two.
    pub(super) fn subscribe(&mut self, now: Moment, stream: u64, answer: Response, report: &mut Report) {
        let unfit = self.machines.last().is_none_or(Machine::is_over);
        if self.open.is_some() || unfit {
            if let Some(machine) = self.machines.last_mut() {
                machine.supersede(&mut self.journal, now.at);
                self.listen(self.machines.len() - 1, report);
                report.takeovers += 1;
            }
            let machine = Machine::lead(&mut self.journal, &self.config, self.wall, now.at);
            self.machines.push(machine);
            self.listen(self.machines.len() - 1, report);
        }
        self.streams.insert(stream, (self.machines.len() - 1, Some(answer)));
        self.open = Some(stream);
    }

    /// A SUBSCRIBE is refused: who has no stream hears of it.
    pub(super) fn refused(&mut self, now: Moment, answer: Response, report: &mut Report) {
        let Some(machine) = self.machines.last_mut().filter(|_| self.open.is_none()) else { return };
        machine.open(now.at, answer);
        self.listen(self.machines.len() - 1, report);
    }

    /// A stream ends.
    pub(super) fn end(&mut self, now: Moment, stream: u64, why: &str, report: &mut Report) {
        let Some((machine, unopened)) = self.streams.remove(&stream) else { return };
        let superseded = machine + 1 < self.machines.len();
        let patience = if superseded { u64::MAX } else { STORE_MS };
        self.acknowledgements.end_stream(stream, now.at, patience);
        if self.open == Some(stream) {
            self.open = None;
        }
        if unopened.is_none() {
            self.machines[machine].close(now.at, why.into());
            self.listen(machine, report);
        }
    }

    /// The master says something on a stream.
    pub(super) fn hear(
        &mut self,
        now: Moment,
        stream: u64,
        event: Result<Box<Event>, String>,
        plan: &Plan,
        report: &mut Report,
    ) -> bool {
        let begins = event.as_ref().is_ok_and(|event| matches!(**event, Event::Subscribed(_)));
        if begins && !self.streams.contains_key(&stream) {
            // The recording began after its SUBSCRIBE.
            let answer = Response { stream_id: Some("unrecorded".into()), ..Response::of_status(200) };
            self.subscribe(now, stream, answer, report);
        }
        let Some((machine, unopened)) = self.streams.get_mut(&stream) else { return false };
        let machine = *machine;
        if let Some(answer) = unopened.take() {
            self.machines[machine].open(now.at, answer);
        }
        let mut told = None;
        let event = event.map(|event| self.prepare(now, machine, *event, plan, &mut told));
        self.listen(machine, report);
        let Some(as_of) = self.machines[machine].hear(now.at, event.map(Box::new)) else {
            self.listen(machine, report);
            return false;
        };
        if let Some(status) = told {
            report.updates += 1;
            report.with_uuid += u64::from(status.uuid.is_some());
            self.acknowledgements.deliver((now.line, stream, now.at), &status, as_of);
            self.listen(machine, report);
            self.follow(now, &status, report);
        }
        self.listen(machine, report);
        true
    }

    /// What must be done before an event is told, and the event in the machine's words.
    fn prepare(
        &mut self,
        now: Moment,
        machine: usize,
        mut event: Event,
        plan: &Plan,
        told: &mut Option<TaskStatus>,
    ) -> Event {
        match &mut event {
            Event::Offers(offers) => {
                for offer in offers.iter() {
                    self.offers.insert(offer.id.clone());
                    let launches = plan.of_offer.get(&(self.name.clone(), offer.id.clone()));
                    for &launch in launches.into_iter().flatten() {
                        self.create(now, machine, launch, plan);
                    }
                }
            }
            Event::InverseOffers(offers) => self.offers.extend(offers.iter().map(|offer| offer.id.clone())),
            Event::Rescind(offer) | Event::RescindInverseOffer(offer) => self.calls.withdraw(offer),
            Event::Update(status) => {
                *told = Some((**status).clone());
                let app = self.current.get(&status.task_id).and_then(|launch| self.apps.get(launch));
                if let Some(task) = app.and_then(|app| app.task.clone()) {
                    status.task_id = task;
                }
            }
            _ => {}
        }
        event
    }

    fn create(&mut self, now: Moment, machine: usize, launch: usize, plan: &Plan) {
        let planned = &plan.launches[launch];
        let id = DottedId::from_text(&dotted(&planned.path));
        self.by_name.insert(id.as_str().to_owned(), launch);
        let app = App {
            line: 0,
            recorded: planned.task.clone(),
            id,
            task: None,
            deleted: false,
            refused: None,
            end: None,
            told: Told::default(),
        };
        self.apps.insert(launch, app);
        let document = planned.definition.document.clone();
        self.ask(now, machine, launch, ApiCall::CreateApp { document });
    }

    /// Deletes the app of a launch: what it had to do is done.
    fn delete(&mut self, now: Moment, machine: usize, launch: usize) {
        let Some(app) = self.apps.get_mut(&launch).filter(|app| !app.deleted) else { return };
        app.deleted = true;
        let guard = Guard { if_match: None, force: true };
        let call = ApiCall::ChangeApp { app: app.id.clone(), change: AppChange::Delete, guard };
        self.ask(now, machine, launch, call);
    }

    fn ask(&mut self, now: Moment, machine: usize, launch: usize, call: ApiCall) {
        let id = RequestId(self.requests.len() as u64);
        self.requests.insert(id, launch);
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        self.machines[machine].ask(now.at, id, request);
    }

    /// Follows a recorded task; the app of one that has ended is deleted, since nothing is to take its place.
    fn follow(&mut self, now: Moment, status: &TaskStatus, report: &mut Report) {
        let Some(&launch) = self.current.get(&status.task_id) else { return };
        let Some(app) = self.apps.get_mut(&launch) else { return };
        if app.told.is_late(status) {
            let kind = "an update that was made before another one of its task that came sooner".into();
            let detail = format!("{} of {}", status.state.name().unwrap_or("an unknown state"), app.recorded);
            report.diverge(Divergence { line: now.line, kind, detail });
        }
        app.told.hear(status);
        if app.told.end.is_some() {
            let leading = self.machines.len() - 1;
            self.delete(now, leading, launch);
            self.listen(leading, report);
        }
    }

    /// The recorded client launches tasks: by now the machine has.
    pub(super) fn launched(&mut self, now: Moment, uses: &Uses, plan: &Plan, report: &mut Report) {
        self.hurry(now, report);
        for &launch in &uses.launches {
            let Some(app) = self.apps.get_mut(&launch) else {
                let detail = format!("{}: its offer did not reach the machine", plan.launches[launch].task);
                let kind = "a launch that Swan does not make".into();
                report.diverge(Divergence { line: now.line, kind, detail });
                continue;
            };
            app.line = now.line;
            self.current.insert(app.recorded.clone(), launch);
            let app = &self.apps[&launch];
            if app.task.is_none() {
                let detail = format!("{}: {}", app.recorded, self.why_not(app));
                let kind = "a launch that Swan does not make".into();
                report.diverge(Divergence { line: now.line, kind, detail });
                let leading = self.machines.len() - 1;
                self.delete(now, leading, launch);
                self.listen(leading, report);
            }
        }
        // After the launches: one of them may be of the same ACCEPT.
        for twin in &uses.twins {
            let app = self.current.get(twin).and_then(|launch| self.apps.get_mut(launch));
            if let Some(app) = app {
                app.told.twins += 1;
                app.told.had_twin = true;
            }
        }
    }

    /// Why the app got no task, in the words of the machine itself.
    fn why_not(&self, app: &App) -> String {
        if let Some(why) = &app.refused {
            return format!("its definition is refused: {why}");
        }
        let Some(machine) = self.machines.last() else { return "nothing leads".into() };
        let view = machine.scheduler().view();
        if !view.manager().connected {
            return "the machine has no subscription".into();
        }
        let Some(explained) = view.explain(&app.id) else { return "the app is not there".into() };
        let Some(waiting) = explained.waiting.first() else { return "it does not wait for an agent".into() };
        match (&waiting.nearest, waiting.failing.first()) {
            (Some((host, what)), _) => format!("{host} {what}"),
            (None, Some((rule, count))) => format!("{count} agents fail at {rule}"),
            (None, None) => format!("of {} agents {} would suit", waiting.agents.0, waiting.suitable),
        }
    }

    /// The recorded client ends a task: the machine is asked to, and does it at once.
    pub(super) fn kill(&mut self, now: Moment, task: &TaskId, report: &mut Report) {
        self.hurry(now, report);
        let app = self.current.get(task).and_then(|launch| Some((*launch, self.apps.get(launch)?)));
        let unfit = match app {
            Some((_, App { told: Told { end: Some(_), .. }, .. })) => "KILL of a task that is over",
            Some((launch, App { task: Some(own), id, .. })) => {
                let call = ApiCall::KillTask { app: id.clone(), task: own.clone() };
                self.calls.want(now.line, Wanted::Kill(task.clone(), own.clone()));
                // Its slot would get another one: the app is deleted as soon as this one has ended.
                self.ask(now, self.machines.len() - 1, launch, call);
                return self.hurry(now, report);
            }
            _ => "KILL of a task that Swan has not launched",
        };
        let (kind, detail) = (unfit.into(), task.to_string());
        report.diverge(Divergence { line: now.line, kind, detail });
    }

    /// What waits for the disk happens now: the recorded client was quicker than the journal is here.
    fn hurry(&mut self, now: Moment, report: &mut Report) {
        if let Some(machine) = self.machines.last_mut() {
            machine.flush(&mut self.journal, now.at);
            self.listen(self.machines.len() - 1, report);
        }
    }

    pub(super) const fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    /// The recorded client answers offers or inverse offers.
    pub(super) fn answered(
        &mut self,
        now: Moment,
        kind: &'static str,
        offers: &[OfferId],
        report: &mut Report,
    ) {
        let (made, others): (Vec<&OfferId>, Vec<&OfferId>) =
            offers.iter().partition(|offer| self.offers.contains(*offer));
        for offer in others {
            let kind = format!("{kind} of an offer that was never made");
            report.diverge(Divergence { line: now.line, kind, detail: offer.to_string() });
        }
        let made = made.into_iter().cloned().collect();
        self.calls.want(now.line, Wanted::Answer(kind, made));
    }

    /// Takes in what a machine says.
    fn listen(&mut self, machine: usize, report: &mut Report) {
        for said in self.machines[machine].take_said() {
            match said {
                Said::Call { call, durable } => {
                    self.calls.make(&call);
                    match call {
                        MesosCall::Accept { launches, .. } => {
                            launches.iter().for_each(|launch| self.note_launch(&launch.task, report));
                        }
                        MesosCall::Acknowledge { task, agent, uuid } => {
                            let app = self.app_of(&task).map(|app| app.recorded.clone());
                            let task = app.unwrap_or(task);
                            let result = self.acknowledgements.acknowledge(&task, &agent, &uuid, durable);
                            if let Err((line, why)) = result {
                                report.fault(line, why);
                            }
                        }
                        _ => {}
                    }
                }
                Said::Refused { id, error } => {
                    let app = self.requests.get(&id).and_then(|launch| self.apps.get_mut(launch));
                    if let Some(app) = app {
                        let first = error.problems.first();
                        let first = first.map(|problem| format!(" ({}: {})", problem.path, problem.message));
                        app.refused = Some(format!("{}{}", error.detail, first.unwrap_or_default()));
                    }
                }
                Said::Event(event) => self.note_end(&event.kind),
            }
        }
        if let Some(words) = self.machines[machine].take_fallen() {
            report.fault(0, format!("an assertion fell in the machine of {}: {words}", self.name));
        }
    }

    fn app_of(&self, task: &TaskId) -> Option<&App> {
        let launch = self.by_name.get(TaskName::parse(task.as_str())?.app)?;
        self.apps.get(launch)
    }

    fn note_launch(&mut self, task: &TaskId, report: &mut Report) {
        let launch = TaskName::parse(task.as_str()).and_then(|name| self.by_name.get(name.app));
        let Some(app) = launch.and_then(|launch| self.apps.get_mut(launch)) else { return };
        if app.task.is_some() {
            let kind = "a launch that only Swan makes, in the place of a task".into();
            report.diverge(Divergence { line: 0, kind, detail: app.recorded.to_string() });
            return;
        }
        app.task = Some(task.clone());
    }

    fn note_end(&mut self, kind: &EventKind) {
        let EventKind::TaskChanged { task, state, .. } = kind else { return };
        let launch = TaskName::parse(task.as_str()).and_then(|name| self.by_name.get(name.app));
        let Some(app) = launch.and_then(|launch| self.apps.get_mut(launch)) else { return };
        let end = TaskState::from_name(state).filter(|state| state.is_terminal());
        if app.task.as_ref() == Some(task) && app.end.is_none() {
            app.end = end;
        }
    }

    /// All is over: what is still to be durable becomes so, and the account is made up.
    pub(super) fn finish(&mut self, at: u64, report: &mut Report) {
        self.run_until(Moment { line: 0, at }, report);
        let superseded = self.streams.iter().filter(|(_, (machine, _))| machine + 1 < self.machines.len());
        for stream in superseded.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.acknowledgements.end_stream(stream, at, u64::MAX);
        }
        for (line, task) in self.acknowledgements.missing() {
            report.fault(line, format!("an update of {task} was never acknowledged"));
        }
        report.acknowledged += self.acknowledgements.done;
        report.cut_off += self.acknowledgements.cut_off;
        self.calls.judge(report);
        for app in self.apps.values().filter(|app| app.task.is_some()) {
            report.mapped += 1;
            let words = |end: Option<TaskState>| match end {
                Some(end) => end.name().unwrap_or("an unknown state").to_owned(),
                None => "no end".into(),
            };
            let same = app.end == app.told.end || (app.told.had_twin && app.end == Some(TaskState::Error));
            match (same, app.told.end) {
                (false, told) => {
                    let (task, own) = (&app.recorded, words(app.end));
                    report
                        .fault(app.line, format!("{task}: recorded {}, for the machine {own}", words(told)));
                }
                (true, Some(_)) => report.ended += 1,
                (true, None) => report.living += 1,
            }
        }
    }
}

/// The dotted form of a path.
fn dotted(path: &str) -> String {
    path.split('/').rev().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
}
