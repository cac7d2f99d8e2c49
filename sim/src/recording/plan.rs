//! Owns what is known of a recording before it is replayed: whose each stream is, when streams end, which offers are
//! used for which tasks, and what of it Swan could not have done.

use std::collections::BTreeMap;

use serde_json::Value;
use swan_core::mesos::{Call, Event, Offer, OfferId, Operation, TaskId, TaskInfo};

use super::definition::{Definition, Left, define};
use super::read::{Recording, Sent, What};
use super::report::Divergence;
use super::{Line, Wire};

/// Wall time at the start of a recording that tells none.
const WALL_MS: u64 = 1_795_424_840_000;
/// No recording is made later than in this century.
const WALL_MS_MAX: u64 = 4_102_444_800_000;

/// What happens at a line.
#[derive(Debug)]
pub(super) enum Act {
    /// Nothing that a scheduler could notice.
    Nothing,
    /// A stream ends.
    Ended { stream: u64, why: String },
    /// A SUBSCRIBE opens a stream.
    Subscribe { stream: u64, answer: Box<Sent> },
    /// A SUBSCRIBE is refused.
    Refused { framework: Option<String>, answer: Box<Sent> },
    /// The recorded client makes a call that the master takes.
    Called { framework: String, call: Box<Call>, uses: Uses },
    /// The recorded client asks for something that Swan has no words for, or that the master does not take.
    Strange { kind: String, detail: String },
    /// The master says something.
    Event { stream: u64, kind: String, event: Result<Box<Event>, String> },
}

/// What an ACCEPT launches.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    /// Tasks that become apps, by place in [`Plan::launches`].
    pub(super) launches: Vec<usize>,
    /// Ids of living tasks that it uses once more.
    pub(super) twins: Vec<TaskId>,
}

/// One task that becomes an app.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) task: TaskId,
    /// The app's path.
    pub(super) path: String,
    pub(super) definition: Definition,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// What happens at each line.
    pub(super) acts: Vec<Act>,
    /// Whose each stream is: the framework's id, or a name if it never got one.
    pub(super) streams: BTreeMap<u64, String>,
    /// Roles of each framework, over the whole recording.
    pub(super) roles: BTreeMap<String, Vec<String>>,
    pub(super) launches: Vec<Launch>,
    /// Launches from each offer, by framework and offer.
    pub(super) of_offer: BTreeMap<(String, OfferId), Vec<usize>>,
    /// What Swan could not have done.
    pub(super) divergences: Vec<Divergence>,
    /// Wall time at the start, in ms since 1970.
    pub(super) wall: u64,
}

/// An offer that was made.
struct Made {
    offer: Offer,
    left: Left,
    /// When it came, among all.
    place: usize,
    /// Why it cannot be used any more.
    gone: Option<&'static str>,
}

/// What has happened so far.
#[derive(Default)]
struct Course {
    offers: BTreeMap<(String, OfferId), Made>,
    /// Tasks launched and not over.
    living: BTreeMap<(String, TaskId), ()>,
}

impl Plan {
    pub(super) fn of(recording: &Recording, wire: &dyn Wire) -> Self {
        let mut plan = Self { wall: WALL_MS, ..Self::default() };
        plan.find_streams(recording);
        let mut wall: Option<u64> = None;
        let mut course = Course::default();
        for (index, line) in recording.lines.iter().enumerate() {
            let act = plan.act(recording, index, wire);
            plan.note_roles(&act);
            if let Act::Event { event: Ok(event), .. } = &act
                && let Event::Update(status) = &**event
                && let (Some(made), Some(_)) = (status.timestamp, &status.uuid)
            {
                // The update that came soonest tells best by how much the clocks differ.
                wall = wall.max(made.0.checked_sub(line.at));
            }
            if let (Act::Strange { .. }, What::Sent(sent)) = (&act, &line.what)
                && sent.is_taken()
                && let Some(framework) = plan.framework_of(sent)
            {
                course.use_up(&framework, &offers_of(sent));
            }
            let act = plan.follow(&mut course, line, act);
            plan.acts.push(act);
        }
        plan.wall = wall.filter(|wall| *wall <= WALL_MS_MAX).unwrap_or(WALL_MS);
        plan
    }

    fn find_streams(&mut self, recording: &Recording) {
        for line in &recording.lines {
            let (stream, id) = match &line.what {
                What::Sent(sent) if sent.kind() == "SUBSCRIBE" && sent.is_taken() => {
                    let Some(stream) = sent.stream else { continue };
                    (stream, sent.call.as_ref().and_then(subscribes_as))
                }
                What::Received { stream, event } => {
                    let id = event.pointer("/subscribed/framework_id/value").and_then(Value::as_str);
                    if id.is_none() {
                        continue;
                    }
                    (*stream, id.map(str::to_owned))
                }
                _ => continue,
            };
            let name = self.streams.entry(stream).or_insert_with(|| format!("stream {stream}"));
            if let Some(id) = id {
                *name = id;
            }
        }
        for name in self.streams.values() {
            self.roles.entry(name.clone()).or_default();
        }
    }

    fn act(&self, recording: &Recording, index: usize, wire: &dyn Wire) -> Act {
        match &recording.lines[index].what {
            What::Note { text, stream: Some(stream) } if ends(text) => {
                let goes_on = recording.lines[index..].iter().any(
                    |later| matches!(&later.what, What::Received { stream: other, .. } if other == stream),
                );
                if goes_on {
                    // Whatever it means: what is received afterwards shows that the stream stood.
                    let (kind, detail) = ("a stream that goes on after its end".into(), excerpt(text));
                    return Act::Strange { kind, detail };
                }
                Act::Ended { stream: *stream, why: text.clone() }
            }
            What::Note { .. } | What::Operator => Act::Nothing,
            What::Sent(sent) => self.sent(sent, wire),
            What::Received { stream, event } => Act::Event {
                stream: *stream,
                kind: event.get("type").map_or_else(|| "(none)".into(), kind_in_words),
                event: wire.event(event).map(Box::new),
            },
        }
    }

    fn sent(&self, sent: &Sent, wire: &dyn Wire) -> Act {
        let framework = self.framework_of(sent);
        let kind = sent.kind();
        let Some(raw) = &sent.call else {
            return Act::Strange { kind: "a body that is no call".into(), detail: excerpt(&sent.body) };
        };
        if kind == "SUBSCRIBE" {
            let answer = Box::new(sent.clone());
            return match sent.stream {
                Some(stream) if sent.is_taken() => Act::Subscribe { stream, answer },
                _ => Act::Refused { framework, answer },
            };
        }
        if !sent.is_taken() {
            let status = sent.status.map_or_else(|| "no answer".into(), |status| format!("status {status}"));
            let kind = format!("{kind} that the master did not take");
            return Act::Strange { kind, detail: format!("{status} {}", excerpt(&sent.body)) };
        }
        match (wire.call(raw), framework) {
            (Ok((_, call)), Some(framework)) => {
                Act::Called { framework, call: Box::new(call), uses: Uses::default() }
            }
            (Ok(_), None) => Act::Strange {
                kind: format!("{kind} of a framework that never subscribes"),
                detail: String::new(),
            },
            (Err(why), _) => Act::Strange { kind: format!("{kind} that Swan has no words for"), detail: why },
        }
    }

    fn framework_of(&self, sent: &Sent) -> Option<String> {
        let id = sent.call.as_ref().and_then(|call| {
            let beside = call.pointer("/framework_id/value").and_then(Value::as_str).map(str::to_owned);
            beside.or_else(|| subscribes_as(call))
        });
        let by_id = id.filter(|id| self.roles.contains_key(id));
        by_id.or_else(|| self.streams.get(&sent.stream?).cloned())
    }

    /// A manager's roles stay as they are: it has all that the recorded client ever has.
    fn note_roles(&mut self, act: &Act) {
        let (framework, roles): (&String, Vec<String>) = match act {
            Act::Subscribe { stream, answer } => {
                let Some(framework) = self.streams.get(stream) else { return };
                let info = answer.call.as_ref().and_then(|call| call.pointer("/subscribe/framework_info"));
                let many = info.and_then(|info| info.get("roles")?.as_array());
                let one = info.and_then(|info| info.get("role"));
                let all = many.into_iter().flatten().chain(one);
                (framework, all.filter_map(Value::as_str).map(str::to_owned).collect())
            }
            Act::Called { framework, call, .. } => match &**call {
                Call::UpdateFramework { framework_info, .. } => (framework, framework_info.roles.clone()),
                _ => return,
            },
            Act::Event { stream, event: Ok(event), .. } => {
                let (Some(framework), Event::Offers(offers)) = (self.streams.get(stream), &**event) else {
                    return;
                };
                (framework, offers.iter().filter_map(|offer| offer.role.clone()).collect())
            }
            _ => return,
        };
        let Some(known) = self.roles.get_mut(framework) else { return };
        for role in roles {
            if !known.contains(&role) {
                known.push(role);
            }
        }
    }

    /// Follows offers and tasks, and plans what an ACCEPT launches.
    fn follow(&mut self, course: &mut Course, line: &Line, act: Act) -> Act {
        match act {
            Act::Event { stream, event: Ok(ref event), .. } => {
                if let Some(framework) = self.streams.get(&stream) {
                    course.hear(framework, line.number, event);
                }
                act
            }
            Act::Called { framework, call, .. } => {
                let uses = match &*call {
                    Call::Accept { offer_ids, operations, .. } => {
                        self.accept(course, line.number, &framework, offer_ids, operations)
                    }
                    Call::Decline { offer_ids, .. } => {
                        course.use_up(&framework, offer_ids);
                        Uses::default()
                    }
                    _ => Uses::default(),
                };
                Act::Called { framework, call, uses }
            }
            act => act,
        }
    }

    fn accept(
        &mut self,
        course: &mut Course,
        line: usize,
        framework: &str,
        offers: &[OfferId],
        operations: &[Operation],
    ) -> Uses {
        let usable = course.usable(framework, offers);
        course.use_up(framework, offers);
        let mut uses = Uses::default();
        for operation in operations {
            let tasks = match operation {
                Operation::Launch(tasks) => tasks,
                Operation::LaunchGroup { .. } => {
                    self.diverge(line, "a task group: Swan's tasks are single", "");
                    continue;
                }
                Operation::Reserve { .. } | Operation::Unreserve { .. } | Operation::Other { .. } => {
                    self.diverge(line, "an operation other than LAUNCH: Swan makes none", "");
                    continue;
                }
            };
            for task in tasks {
                if course.living.contains_key(&(framework.into(), task.task_id.clone())) {
                    self.diverge(line, "a launch under the id of a living task", task.task_id.as_str());
                    uses.twins.push(task.task_id.clone());
                    continue;
                }
                match &usable {
                    Ok(offer) => uses.launches.extend(self.launch(course, line, framework, offer, task)),
                    Err(why) => self.diverge(line, why, task.task_id.as_str()),
                }
            }
        }
        uses
    }

    fn launch(
        &mut self,
        course: &mut Course,
        line: usize,
        framework: &str,
        offer: &OfferId,
        task: &TaskInfo,
    ) -> Option<usize> {
        let key = (framework.to_owned(), offer.clone());
        let made = course.offers.get_mut(&key).expect("found usable just now");
        if made.offer.agent_id != task.agent_id {
            self.diverge(line, "a launch on another agent than the offer's", task.task_id.as_str());
            return None;
        }
        let number = self.launches.len();
        let path = format!("/recorded/task{number}");
        let definition = match define(&path, task, &made.offer, &mut made.left) {
            Ok(definition) => definition,
            Err(why) => {
                self.diverge(line, why, task.task_id.as_str());
                return None;
            }
        };
        if definition.fitted {
            let why = "a launch with resources that Swan could not ask for: it asks for what fits";
            self.diverge(line, why, task.task_id.as_str());
        }
        course.living.insert((framework.to_owned(), task.task_id.clone()), ());
        self.launches.push(Launch { task: task.task_id.clone(), path, definition });
        self.of_offer.entry(key).or_default().push(number);
        Some(number)
    }

    fn diverge(&mut self, line: usize, kind: &str, detail: &str) {
        self.divergences.push(Divergence { line, kind: kind.into(), detail: detail.into() });
    }
}

impl Course {
    fn hear(&mut self, framework: &str, line: usize, event: &Event) {
        match event {
            Event::Subscribed(_) => {
                let own = self.offers.iter_mut().filter(|((of, _), _)| of == framework);
                own.for_each(|(_, made)| {
                    made.gone = made.gone.or(Some("a launch from an offer of an earlier stream"))
                });
            }
            Event::Offers(offers) => {
                for offer in offers {
                    let key = (framework.to_owned(), offer.id.clone());
                    let (left, offer) = (Left::of(offer), offer.clone());
                    self.offers.entry(key).or_insert(Made { offer, left, place: line, gone: None });
                }
            }
            Event::Rescind(id) => {
                if let Some(made) = self.offers.get_mut(&(framework.to_owned(), id.clone())) {
                    made.gone = made.gone.or(Some("a launch from an offer that was withdrawn"));
                }
            }
            Event::Update(status) if status.state.is_terminal() => {
                self.living.remove(&(framework.to_owned(), status.task_id.clone()));
            }
            _ => {}
        }
    }

    fn use_up(&mut self, framework: &str, offers: &[OfferId]) {
        for id in offers {
            if let Some(made) = self.offers.get_mut(&(framework.to_owned(), id.clone())) {
                made.gone = made.gone.or(Some("a launch from an offer that was used before"));
            }
        }
    }

    /// The offer that an ACCEPT of these can be made of; Swan uses one at a time, and the last is there when all are.
    fn usable(&self, framework: &str, offers: &[OfferId]) -> Result<OfferId, &'static str> {
        let mut newest: Option<(&OfferId, &Made)> = None;
        for id in offers {
            let made = self.offers.get(&(framework.to_owned(), id.clone()));
            let made = made.ok_or("a launch from an offer that was never made")?;
            if let Some(why) = made.gone {
                return Err(why);
            }
            let Some((_, other)) = newest else {
                newest = Some((id, made));
                continue;
            };
            if other.offer.agent_id != made.offer.agent_id {
                return Err("a launch from offers of several agents");
            }
            if other.offer.role != made.offer.role {
                return Err("a launch from offers of several roles");
            }
            if made.place >= other.place {
                newest = Some((id, made));
            }
        }
        newest.map(|(id, _)| id.clone()).ok_or("a launch without an offer")
    }
}

/// The offers that a call answers which Swan has no words for.
fn offers_of(sent: &Sent) -> Vec<OfferId> {
    let ids = sent.call.as_ref().and_then(|call| call.pointer("/accept/offer_ids")?.as_array());
    let texts = ids.into_iter().flatten().filter_map(|id| id.get("value")?.as_str());
    texts.map(OfferId::from).collect()
}

/// The framework's id in a SUBSCRIBE.
fn subscribes_as(call: &Value) -> Option<String> {
    let inside = call.pointer("/subscribe/framework_info/id/value");
    inside.or_else(|| call.pointer("/framework_id/value"))?.as_str().map(str::to_owned)
}

/// Whether a note about a stream tells of its end.
fn ends(note: &str) -> bool {
    let note = note.to_ascii_lowercase();
    ["clos", " end", "broke", "break", "lost", "reset", "gone", "dropped", "eof", "dead", "died"]
        .iter()
        .any(|word| note.contains(word))
}

fn kind_in_words(kind: &Value) -> String {
    kind.as_str().map_or_else(|| kind.to_string(), str::to_owned)
}

/// The beginning of another's words, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(100).collect()
}
