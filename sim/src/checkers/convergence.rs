//! Owns the check of L1: once all faults are over, what runs is exactly what is wanted, or it is said why not.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::{Definition, OnExhausted, OnFailure, Policy, Trouble};
use crate::rules::{Place, room};

/// An app as its users want it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// How many.
    pub instances: u32,
    /// What they run.
    pub image: String,
    /// Nothing runs until it is started again.
    pub stopped: bool,
    /// What a rollout that fails or is cancelled may go back to: images and numbers.
    pub before: BTreeSet<(String, u32)>,
    /// Images of all versions, oldest first, but for repetitions in a row.
    pub versions: Vec<String>,
    /// Which of them is wanted.
    pub at: usize,
    /// `versions` are in no order: any of them may be the one before.
    pub jumbled: bool,
    /// A change was broken off, or several histories are told as one: where it stands now depends on when that was.
    pub vague: bool,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its app, dotted.
    pub app: String,
    /// Its slot.
    pub slot: u32,
    /// What it runs.
    pub image: String,
}

/// What users may want of each app: more than one thing where an answer got lost.
pub type Wishes = BTreeMap<String, BTreeSet<Option<Wanted>>>;

/// What users have said, by image.
pub type Book = BTreeMap<String, Definition>;

/// What the API says of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `noop`, or what is under way.
    pub status: String,
    /// What is, or was last, under way.
    pub operation: String,
    /// Why it is not as wanted.
    pub error: String,
    /// Why its slots wait, in words for whoever reads of a failure.
    pub waiting: String,
    /// Slots that pause before they try again.
    pub pausing: u32,
    /// The image of the version that is wanted.
    pub image: String,
    /// Instances wanted.
    pub instances: u32,
    /// Tasks that nobody can reach.
    pub unreachable: u32,
}

/// What decides whether less than what is wanted is right, too.
#[derive(Clone, Debug, Default)]
pub struct Outlook<'a> {
    /// What users have said, by image.
    pub book: Option<&'a Book>,
    /// What the API says, by app.
    pub told: BTreeMap<String, Told>,
    /// Apps that have had bad luck since their newest change: a rollout of theirs may have failed by no fault of its own.
    pub rough: BTreeSet<String>,
    /// The agents there are.
    pub places: Vec<Place>,
    /// More is wanted of all apps together than fits on them (O2).
    pub scarce: bool,
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All is exactly as wanted.
    AsWanted,
    /// All is as wanted, but for apps that were given up for a reason, and say so.
    GivenUp(Vec<String>),
    /// Something is neither, in words.
    Pending(String),
}

/// Compares what runs with what is wanted.
pub fn standing(wishes: &Wishes, running: &[Running], outlook: &Outlook<'_>) -> Standing {
    if let Some(stray) = running.iter().find(|container| !wishes.contains_key(&container.app)) {
        return Standing::Pending(format!("{} runs, which nobody ever asked for", stray.app));
    }
    let mut given_up = Vec::new();
    for (app, wishes) in wishes {
        let containers: Vec<&Running> = running.iter().filter(|container| container.app == *app).collect();
        if wishes.iter().any(|wish| fulfilled(app, wish.as_ref(), &containers, outlook)) {
            // Where several things may be wanted, another than what fits by chance may be what is tried.
            given_up.extend(outlook.tries_in_vain(app).then(|| app.clone()));
            continue;
        }
        if wishes.iter().flatten().any(|wanted| outlook.excuses(app, wanted, &containers))
            && !outlook.tries_again(app, wishes)
        {
            given_up.push(app.clone());
            continue;
        }
        let shown: Vec<String> =
            containers.iter().map(|container| format!("{}:{}", container.slot, container.image)).collect();
        let told = outlook.told.get(app);
        let runs = shown.join(", ");
        return Standing::Pending(format!(
            "{app}: wanted is {wishes:?}, but what runs is [{runs}] ({told:?})"
        ));
    }
    if given_up.is_empty() { Standing::AsWanted } else { Standing::GivenUp(given_up) }
}

fn fulfilled(app: &str, wish: Option<&Wanted>, containers: &[&Running], outlook: &Outlook<'_>) -> bool {
    let Some(wanted) = wish else { return containers.is_empty() };
    if wanted.is_anything() {
        return true;
    }
    let n = if wanted.stopped { 0 } else { wanted.instances };
    // A start that was broken off leaves the app stopped.
    if exactly(n, &wanted.image, containers) || wanted.vague && containers.is_empty() {
        return true;
    }
    let goes_back = outlook.goes_back(app, wanted) && !wanted.stopped;
    let mut before = wanted.before.iter().filter(|_| goes_back);
    before.any(|(image, earlier)| [n, *earlier].iter().any(|&n| exactly(n, image, containers)))
}

fn exactly(instances: u32, image: &str, containers: &[&Running]) -> bool {
    let slots: BTreeSet<u32> = containers.iter().map(|container| container.slot).collect();
    containers.len() == instances as usize
        && slots == (0..instances).collect()
        && containers.iter().all(|container| container.image == image)
}

impl Wanted {
    /// Nobody knows what is wanted: anything is right.
    pub fn anything() -> Self {
        Self::default()
    }

    /// See [`Self::anything`].
    pub const fn is_anything(&self) -> bool {
        self.image.is_empty()
    }

    /// So many of an image, with nothing before it.
    pub fn fresh(instances: u32, image: &str) -> Self {
        Self { instances, image: image.into(), versions: vec![image.into()], ..Self::default() }
    }
}

impl Outlook<'_> {
    fn definition(&self, image: &str) -> Option<&Definition> {
        self.book?.get(image)
    }

    fn policy(&self, image: &str) -> Policy {
        self.definition(image).map_or_else(Policy::default, Definition::policy)
    }

    /// Whether the machine by itself may have gone back to the version before, and why should it.
    fn goes_back(&self, app: &str, wanted: &Wanted) -> bool {
        let policy = self.policy(&wanted.image);
        let may = policy.on_failure == OnFailure::Rollback
            || policy.retries.is_some_and(|(_, then)| then == OnExhausted::Rollback);
        let hopeless = self.is_hopeless(&wanted.image, wanted.instances);
        may && (hopeless || wanted.vague || self.rough.contains(app))
    }

    /// Whether tasks of an image cannot stay, or there is no room for so many.
    fn is_hopeless(&self, image: &str, instances: u32) -> bool {
        let hopeless = |it: &Definition| it.is_doomed() || room(&it.rules, &self.places) < instances;
        self.scarce || self.definition(image).is_some_and(hopeless)
    }

    /// What the machine tries to run: what is wanted or, if it may have gone back, what was there before.
    fn tried<'b>(&self, app: &str, wanted: &'b Wanted) -> &'b str {
        let told = self.told.get(app).filter(|_| self.goes_back(app, wanted));
        let mut before = wanted.before.iter().map(|(image, _)| image);
        before.find(|image| told.is_some_and(|told| told.image == **image)).unwrap_or(&wanted.image)
    }

    /// Whether tasks are waited for that nobody can reach, as their app's users want it (R52).
    fn waits_for_lost(&self, app: &str, image: &str) -> bool {
        let lost = self.told.get(app).is_some_and(|told| told.unreachable > 0);
        lost && self.policy(image).unreachable.is_none()
    }

    /// Whether an app cannot get its tasks to run, whatever may be wanted of it, and says so.
    fn tries_in_vain(&self, app: &str) -> bool {
        let Some(told) = self.told.get(app) else { return false };
        let hopeless = self.is_hopeless(&told.image, told.instances);
        let waits = told.status == "noop" && !told.waiting.is_empty();
        hopeless && (waits || self.ended_or_goes_on(told, &told.image))
            || self.waits_for_lost(app, &told.image)
                && (told.status == "noop" || self.ended_or_goes_on(told, &told.image))
    }

    /// Whether a rollout has failed while slots pause, of an app none of whose images is to blame: the next one would run
    /// out of time.
    fn tries_again(&self, app: &str, wishes: &BTreeSet<Option<Wanted>>) -> bool {
        let failed = |told: &Told| told.pausing > 0 && !told.error.is_empty();
        let pauses = self.told.get(app).is_some_and(failed);
        let before =
            |wanted: &Wanted| wanted.before.iter().map(|(image, _)| image.clone()).collect::<Vec<_>>();
        let mut images = wishes.iter().flatten().flat_map(|it| [before(it), it.versions.clone()].concat());
        let doomed = |image: String| self.definition(&image).is_none_or(Definition::is_doomed);
        pauses && !images.any(doomed)
    }

    /// Whether an error is said, and either nothing is under way or it is to be tried for ever.
    fn ended_or_goes_on(&self, told: &Told, image: &str) -> bool {
        let waits = told.status == "rollbacking" && told.error.contains("no satisfied agent");
        let goes_on = self.policy(image).on_failure == OnFailure::Continue || waits;
        (told.status == "noop" || goes_on) && !told.error.is_empty()
    }

    /// Whether less than what is wanted may run, because of the app itself or of bad luck, and it is said, and no more
    /// runs than ever may.
    fn excuses(&self, app: &str, wanted: &Wanted, containers: &[&Running]) -> bool {
        let instances = wanted.before.iter().map(|(_, n)| *n).chain([wanted.instances]).max().unwrap_or(0);
        let policy = self.policy(&wanted.image);
        // What was stopped, which breaks off what was under way, is started as it is, or not.
        let starts = self.told.get(app).is_some_and(|told| told.operation == "starting");
        // Where a rollout goes back by itself, what was there before is what must be there again, if it can.
        let falls_back = policy.on_failure == OnFailure::Rollback
            && !starts
            && !wanted.before.is_empty()
            && !wanted.before.iter().any(|(image, n)| self.is_hopeless(image, (*n).max(instances)));
        // That no agent suits is held against an oracle elsewhere (S24); here it is enough that it is said.
        // What faults made fail may have used up a rollout's time; it is started again, and judged strictly then.
        let excused = ["no satisfied agent", "TASK_FAILED", "out of reach"];
        let says = |what: &&str| self.told.get(app).is_some_and(|told| told.error.contains(*what));
        let excused = excused.iter().any(says);
        let tried = self.tried(app, wanted);
        let lost = self.waits_for_lost(app, tried);
        let hopeless = (self.is_hopeless(&wanted.image, instances) || excused) && !falls_back || lost;
        if !(hopeless || wanted.vague || self.rough.contains(app)) || wanted.stopped {
            return false;
        }
        let known = |image: &String| {
            wanted.versions.contains(image) || wanted.before.iter().any(|(before, _)| before == image)
        };
        let seems_well = Trouble::of_image(&wanted.image).is_some_and(Trouble::may_seem_well);
        let says_so = self.told.get(app).is_some_and(|told| {
            // Without a rollout that could fail, slots that no agent suits wait, and it is explained why; agents that have
            // gone are remembered for a while.
            let hopeless = self.is_hopeless(&wanted.image, wanted.instances);
            let waits = told.status == "noop"
                && (told.waiting.contains(" 0 agents suit") || hopeless && !told.waiting.is_empty() || lost);
            let blamed = lost || self.is_hopeless(tried, instances);
            self.ended_or_goes_on(told, if blamed { tried } else { &wanted.image }) || waits
        });
        containers.len() <= policy.ceiling(instances) as usize
            && containers.iter().all(|container| known(&container.image))
            && (says_so || seems_well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::image;
    use crate::rules::{Field, Rule};

    fn wanted(instances: u32, image: &str) -> Option<Wanted> {
        Some(Wanted::fresh(instances, image))
    }

    fn running(slot: u32, image: &str) -> Running {
        Running { app: "web".into(), slot, image: image.into() }
    }

    fn wishes(wishes: impl IntoIterator<Item = Option<Wanted>>) -> Wishes {
        [("web".to_owned(), wishes.into_iter().collect())].into()
    }

    fn is_so(wishes: &Wishes, running: &[Running]) -> bool {
        standing(wishes, running, &Outlook::default()) == Standing::AsWanted
    }

    #[test]
    fn l1_exactly_what_is_wanted_runs() {
        let either = wishes([wanted(2, "a"), wanted(1, "b")]);
        assert!(is_so(&either, &[running(0, "a"), running(1, "a")]));
        assert!(is_so(&either, &[running(0, "b")]), "either, where an answer got lost");
        assert!(!is_so(&either, &[running(0, "a")]), "too few");
        assert!(!is_so(&either, &[running(0, "a"), running(1, "b")]), "mixed");
        assert!(!is_so(&either, &[running(0, "a"), running(0, "a")]), "one slot twice");
        let gone = wishes([None]);
        assert!(is_so(&gone, &[]));
        assert!(!is_so(&gone, &[running(0, "a")]), "not wanted");
        assert!(!is_so(&Wishes::new(), &[running(0, "a")]), "never asked for");
        let stopped = Wanted { stopped: true, ..Wanted::fresh(2, "a") };
        assert!(is_so(&wishes([Some(stopped.clone())]), &[]));
        assert!(!is_so(&wishes([Some(stopped)]), &[running(0, "a")]), "stopped");
    }

    /// An update to `new`, from two of `a`, under a policy.
    fn after_update(new: &str, on_failure: OnFailure) -> (Wishes, Book) {
        let policy = Some(Policy { on_failure, ..Policy::default() });
        let definition = Definition { policy, ..Definition::plain(new, 2, true) };
        let book =
            Book::from([(new.to_owned(), definition), ("a".to_owned(), Definition::plain("a", 2, true))]);
        let before = [("a".to_owned(), 2)].into();
        (wishes([Some(Wanted { before, ..Wanted::fresh(2, new) })]), book)
    }

    fn outlook<'a>(book: &'a Book, status: &str, error: &str, rough: bool) -> Outlook<'a> {
        let told = Told { status: status.into(), error: error.into(), ..Told::default() };
        Outlook {
            book: Some(book),
            told: [("web".to_owned(), told)].into(),
            rough: rough.then(|| "web".to_owned()).into_iter().collect(),
            places: vec![Place::new("h", None, &[])],
            scarce: false,
        }
    }

    #[test]
    fn l1_a_failed_rollout_goes_back_if_it_was_told_to() {
        let bad = image(1, Some(Trouble::Sick));
        let (wishes, book) = after_update(&bad, OnFailure::Rollback);
        let judged = |running: &[Running], outlook| standing(&wishes, running, &outlook);
        let old = [running(0, "a"), running(1, "a")];
        assert_eq!(judged(&old, outlook(&book, "noop", "it failed", false)), Standing::AsWanted);
        let half = [running(0, "a")];
        let failed = judged(&half, outlook(&book, "noop", "it failed", false));
        assert!(matches!(failed, Standing::Pending(_)), "what was there must be there again");
        let (wishes, book) = after_update("b", OnFailure::Rollback);
        let quiet = standing(&wishes, &old, &outlook(&book, "noop", "", false));
        assert!(matches!(quiet, Standing::Pending(_)), "a good image has no reason to fail");
        let rough = standing(&wishes, &old, &outlook(&book, "noop", "", true));
        assert_eq!(rough, Standing::AsWanted, "but by bad luck it has");
    }

    #[test]
    fn l1_who_gives_up_has_a_reason_and_says_so() {
        let bad = image(1, Some(Trouble::NoImage));
        let (wishes, book) = after_update(&bad, OnFailure::Stop);
        let one = [running(1, "a")];
        let judged = |running: &[Running], outlook| {
            matches!(standing(&wishes, running, &outlook), Standing::GivenUp(_))
        };
        assert!(judged(&one, outlook(&book, "noop", "no such image", false)));
        assert!(!judged(&one, outlook(&book, "noop", "", false)), "it says nothing");
        assert!(!judged(&one, outlook(&book, "updating", "no such image", false)), "it goes on");
        let many: Vec<Running> = (0..5).map(|slot| running(slot, "a")).collect();
        assert!(!judged(&many, outlook(&book, "noop", "no such image", false)), "more than ever may run");
        let strange = [running(0, "c")];
        assert!(!judged(&strange, outlook(&book, "noop", "no such image", false)), "never wanted");
        let (good, book) = after_update("b", OnFailure::Stop);
        let why = standing(&good, &one, &outlook(&book, "noop", "it failed", false));
        assert!(matches!(why, Standing::Pending(_)), "without a reason");
    }

    #[test]
    fn l1_nobody_gives_up_while_slots_only_pause() {
        let judged = |image: &str| {
            let (good, book) = after_update(image, OnFailure::Stop);
            let mut outlook = outlook(&book, "noop", "4 errors of new tasks", true);
            outlook.told.get_mut("web").expect("it is told").pausing = 1;
            standing(&good, &[running(1, "a")], &outlook)
        };
        assert!(matches!(judged("b"), Standing::Pending(_)), "they will try again");
        let bad = image(1, Some(Trouble::NoImage));
        assert_eq!(judged(&bad), Standing::GivenUp(vec!["web".into()]), "in vain");
    }

    #[test]
    fn l1_what_nobody_knows_may_fail_for_ever_if_it_says_so() {
        let bad = image(1, Some(Trouble::NoImage));
        let book = Book::from([(bad.clone(), Definition::plain(&bad, 2, false))]);
        let anything = wishes([Some(Wanted::anything())]);
        let judged = |image: &str, waiting: &str| {
            let mut outlook = outlook(&book, "noop", "", false);
            let told = outlook.told.get_mut("web").expect("it is told");
            (told.image, told.waiting) = (image.into(), waiting.into());
            standing(&anything, &[], &outlook)
        };
        assert_eq!(judged(&bad, "2 pause"), Standing::GivenUp(vec!["web".into()]));
        assert_eq!(judged(&bad, ""), Standing::AsWanted, "the machine must say itself that all is well");
        assert_eq!(judged("good", "2 pause"), Standing::AsWanted, "the same");
    }

    #[test]
    fn l1_what_must_never_run_twice_waits_for_what_is_lost() {
        let judged = |unreachable: Option<u32>, lost: u32| {
            let policy = Some(Policy { unreachable, ..Policy::default() });
            let definition = Definition { policy, ..Definition::plain("a", 2, false) };
            let book = Book::from([("a".to_owned(), definition)]);
            let mut outlook = outlook(&book, "noop", "", false);
            outlook.told.get_mut("web").expect("it is told").unreachable = lost;
            standing(&wishes([wanted(2, "a")]), &[running(0, "a")], &outlook)
        };
        assert_eq!(judged(None, 1), Standing::GivenUp(vec!["web".into()]));
        assert!(matches!(judged(None, 0), Standing::Pending(_)), "nothing is lost");
        assert!(matches!(judged(Some(0), 1), Standing::Pending(_)), "it may be replaced");
    }

    #[test]
    fn l1_a_rollout_that_is_to_go_on_may_wait_for_what_is_lost_if_it_says_so() {
        let judged = |error: &str| {
            let policy = Policy { unreachable: None, on_failure: OnFailure::Continue, ..Policy::default() };
            let definition = Definition { policy: Some(policy), ..Definition::plain("a", 1, false) };
            let book = Book::from([("a".to_owned(), definition)]);
            let mut outlook = outlook(&book, "restarting", error, false);
            let told = outlook.told.get_mut("web").expect("it is told");
            (told.image, told.unreachable) = ("a".into(), 1);
            standing(&wishes([wanted(1, "a")]), &[running(0, "a")], &outlook)
        };
        assert_eq!(judged("no progress for 600 s"), Standing::GivenUp(vec!["web".into()]));
        assert_eq!(judged(""), Standing::AsWanted, "the machine must say itself that all is well");
    }

    #[test]
    fn l1_what_a_rollback_brings_back_may_wait_for_what_is_lost_if_it_says_so() {
        let bad = image(1, Some(Trouble::NoImage));
        let judged = |unreachable: Option<u32>, error: &str| {
            let (wishes, mut book) = after_update(&bad, OnFailure::Rollback);
            let policy = Policy { unreachable, on_failure: OnFailure::Continue, ..Policy::default() };
            book.get_mut("a").expect("it was there before").policy = Some(policy);
            let mut outlook = outlook(&book, "rollbacking", error, true);
            let told = outlook.told.get_mut("web").expect("it is told");
            (told.image, told.unreachable) = ("a".into(), 1);
            standing(&wishes, &[running(0, "a")], &outlook)
        };
        assert_eq!(judged(None, "no progress for 600 s"), Standing::GivenUp(vec!["web".into()]));
        assert!(matches!(judged(None, ""), Standing::Pending(_)), "it says nothing");
        assert!(
            matches!(judged(Some(0), "no progress for 600 s"), Standing::Pending(_)),
            "it may be replaced"
        );
    }

    #[test]
    fn l1_a_rollback_to_what_is_bad_itself_goes_on_as_that_one_says() {
        let bad = image(1, Some(Trouble::Exits));
        let judged = |on_failure: OnFailure| {
            let policy = |on_failure| Some(Policy { on_failure, ..Policy::default() });
            let old = Definition { policy: policy(on_failure), ..Definition::plain(&bad, 2, false) };
            let new = Definition { policy: policy(OnFailure::Rollback), ..Definition::plain("b", 2, false) };
            let book = Book::from([(bad.clone(), old), ("b".to_owned(), new)]);
            let before = [(bad.clone(), 2)].into();
            let wishes = wishes([Some(Wanted { before, ..Wanted::fresh(2, "b") })]);
            let mut outlook = outlook(&book, "rollbacking", "9 errors of new tasks", true);
            outlook.told.get_mut("web").expect("it is told").image = bad.clone();
            standing(&wishes, &[running(0, "b")], &outlook)
        };
        assert_eq!(judged(OnFailure::Continue), Standing::GivenUp(vec!["web".into()]));
        assert!(matches!(judged(OnFailure::Stop), Standing::Pending(_)), "it would have ended");
    }

    #[test]
    fn l1_rules_without_room_are_a_reason() {
        let rules = vec![Rule::Unique(Field::Hostname)];
        let book = Book::from([("a".to_owned(), Definition { rules, ..Definition::plain("a", 2, false) })]);
        let two = wishes([wanted(2, "a")]);
        let judged = standing(&two, &[running(0, "a")], &outlook(&book, "noop", "no agent suits", false));
        assert_eq!(judged, Standing::GivenUp(vec!["web".into()]));
    }
}
