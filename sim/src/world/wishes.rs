//! Owns what may be wanted after each request.

use std::collections::BTreeSet;

use swan_core::scheduler::api::RolloutVerb;

use crate::ask::{Ask, Change};
use crate::checkers::convergence::{Book, Wanted};
use crate::definition::{Definition, OnExhausted, OnFailure, Trouble};

/// So many things that may be wanted are told apart by all that led to them.
const EXACT_MAX: usize = 24;
/// What may go back to more states than this may be anything: each request multiplies them.
const BEFORE_MAX: usize = 12;

impl Ask {
    /// What may be wanted after it was taken, if `before` was.
    pub(super) fn after(&self, before: Option<&Wanted>, book: &Book) -> Vec<Option<Wanted>> {
        match (self, before) {
            (Self::Create { .. }, Some(wanted)) => vec![Some(wanted.clone())],
            (Self::Create { definition, .. }, None) => {
                vec![Some(Wanted::fresh(definition.instances, &definition.image))]
            }
            (_, None) => vec![None],
            (Self::Change { change: Change::Delete, .. }, Some(_)) => vec![None],
            (_, Some(wanted)) if wanted.is_anything() || wanted.before.len() > BEFORE_MAX => {
                vec![Some(Wanted::anything())]
            }
            (_, Some(wanted)) => {
                let now = may_have_become(wanted, book);
                let mut after: Vec<_> = now.iter().flat_map(|it| self.after_one(it)).collect();
                after.dedup();
                // Taken, although nothing that it could lead to is known: nobody knows what is wanted now.
                if after.is_empty() { vec![Some(Wanted::anything())] } else { after }
            }
        }
    }

    fn after_one(&self, wanted: &Wanted) -> Vec<Option<Wanted>> {
        let (change, force) = match self {
            Self::Change { change, force, .. } => (change, *force),
            Self::Steer { verb: RolloutVerb::Cancel, .. } => {
                // What it goes back from may have been a stop.
                let all = returns(wanted).into_iter().chain([wanted.clone()]);
                let states = all.flat_map(|it| [false, it.stopped].map(|stopped| (stopped, it.clone())));
                return states.map(|(stopped, it)| Some(Wanted { stopped, vague: true, ..it })).collect();
            }
            _ => return vec![Some(wanted.clone())],
        };
        let becomes = match change {
            Change::Update(definition) => vec![made(wanted, &definition.image, definition.instances, force)],
            Change::Rollback => {
                let back = earlier(wanted);
                let n = wanted.instances;
                back.iter().map(|image| moved(wanted, image, n, force)).collect()
            }
            Change::Scale(instances) => vec![made(wanted, &wanted.image, *instances, force)],
            Change::Restart => vec![made(wanted, &wanted.image, wanted.instances, force)],
            Change::Stop => return vec![Some(Wanted { stopped: true, ..wanted.clone() })],
            Change::Start => {
                return vec![Some(Wanted { stopped: false, vague: false, ..wanted.clone() })];
            }
            Change::Delete => return vec![None],
        };
        // Nothing says whether a change starts what was stopped.
        let awake = becomes.iter().filter(|_| wanted.stopped);
        let awake: Vec<_> = awake.map(|it| Some(Wanted { stopped: false, ..it.clone() })).collect();
        becomes.into_iter().map(Some).chain(awake).collect()
    }
}

/// A version of this image is made, the newest, and wanted; what was there before is kept.
fn made(wanted: &Wanted, image: &str, instances: u32, force: bool) -> Wanted {
    let mut versions = wanted.versions.clone();
    if versions.last().is_none_or(|newest| newest != image) {
        versions.push(image.into());
    }
    let at = versions.len() - 1;
    Wanted { versions, at, ..moved(wanted, image, instances, force) }
}

/// Another version or number is wanted; what was there before is kept.
fn moved(wanted: &Wanted, image: &str, instances: u32, force: bool) -> Wanted {
    let mut before = BTreeSet::from([(wanted.image.clone(), wanted.instances)]);
    if force || wanted.vague || Trouble::of_image(&wanted.image).is_some() {
        // What it was to become had perhaps not replaced what was before it.
        before.extend(wanted.before.iter().cloned());
    }
    let at = wanted.versions[..=wanted.at].iter().rposition(|it| it == image).unwrap_or(wanted.at);
    Wanted { instances, image: image.into(), before, at, ..wanted.clone() }
}

/// What it may be if it goes back.
fn returns(wanted: &Wanted) -> Vec<Wanted> {
    let back = |(image, earlier): &(String, u32)| {
        [*earlier, wanted.instances].map(|n| moved(wanted, image, n, true))
    };
    wanted.before.iter().flat_map(back).collect()
}

/// What an app may have become by itself until the next request.
fn may_have_become(wanted: &Wanted, book: &Book) -> Vec<Wanted> {
    let policy = book.get(&wanted.image).map_or_else(Default::default, Definition::policy);
    let goes_back = policy.on_failure == OnFailure::Rollback
        || policy.retries.is_some_and(|(_, then)| then == OnExhausted::Rollback);
    let mut all = vec![wanted.clone()];
    if goes_back {
        all.extend(returns(wanted));
    }
    all
}

/// Images of the versions that a rollback may take: that of the newest earlier one of another configuration.
fn earlier(wanted: &Wanted) -> BTreeSet<String> {
    let different = |image: &&String| **image != wanted.image;
    if wanted.vague || wanted.jumbled {
        return wanted.versions.iter().filter(different).cloned().collect();
    }
    wanted.versions[..wanted.at].iter().rev().find(different).cloned().into_iter().collect()
}

/// Keeps the number of things that may be wanted small: those that differ only in what led to them become one.
pub(super) fn merge(wishes: &mut BTreeSet<Option<Wanted>>) {
    if wishes.len() <= EXACT_MAX {
        return;
    }
    let mut merged: Vec<Wanted> = Vec::new();
    for wanted in wishes.iter().flatten() {
        let same = |it: &&mut Wanted| {
            (&it.image, it.instances, it.stopped) == (&wanted.image, wanted.instances, wanted.stopped)
        };
        match merged.iter_mut().find(same) {
            Some(one) => {
                (one.vague, one.jumbled) = (true, true);
                one.before.extend(wanted.before.iter().cloned());
                one.versions.extend(wanted.versions.iter().cloned());
                one.versions.sort_unstable();
                one.versions.dedup();
                one.at = one.versions.len() - 1;
            }
            None => merged.push(wanted.clone()),
        }
    }
    let gone = wishes.contains(&None);
    *wishes = merged.into_iter().map(Some).chain(gone.then_some(None)).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_takes_the_newest_earlier_image() {
        let after = |ask: &Ask, it: Wanted| {
            let all = ask.after(Some(&it), &Book::new());
            assert_eq!(all.len(), 1, "{all:?}");
            all[0].clone().expect("there is an app")
        };
        let update = |image: &str| Ask::change("app", Change::Update(Definition::plain(image, 2, false)));
        let back = Ask::change("app", Change::Rollback);
        let third = after(&update("c"), after(&update("b"), Wanted::fresh(2, "a")));
        let second = after(&back, third);
        let first = after(&back, second.clone());
        assert_eq!((second.image.as_str(), first.image.as_str()), ("b", "a"));
        assert_eq!(back.after(Some(&first), &Book::new()), [Some(Wanted::anything())], "there is none");
        let scaled = after(&Ask::change("app", Change::Scale(3)), second);
        assert_eq!(after(&back, scaled).image, "c", "a scale makes a version");
    }

    #[test]
    fn what_was_stopped_may_or_may_not_be_started_by_a_change() {
        let stopped = Wanted { stopped: true, ..Wanted::fresh(2, "a") };
        let after = Ask::change("a", Change::Scale(3)).after(Some(&stopped), &Book::new());
        let states: BTreeSet<bool> = after.iter().flatten().map(|it| it.stopped).collect();
        assert_eq!(states, BTreeSet::from([false, true]));
        let started = Ask::change("a", Change::Start).after(Some(&stopped), &Book::new());
        assert!(started.iter().flatten().all(|it| !it.stopped));
    }

    #[test]
    fn what_is_started_after_its_histories_were_told_as_one_may_go_back_to_any() {
        let histories = (0..100).map(|n| {
            Some(Wanted { versions: vec![format!("i{n}"), "a".into()], at: 1, ..Wanted::fresh(2, "a") })
        });
        let mut wishes: BTreeSet<Option<Wanted>> = histories.collect();
        merge(&mut wishes);
        let merged = wishes.iter().flatten().next().expect("one is left");
        let started = Ask::change("a", Change::Start).after(Some(merged), &Book::new());
        let [Some(started)] = &started[..] else { panic!("{started:?}") };
        assert_eq!(earlier(started).len(), 100);
    }

    #[test]
    fn many_wishes_become_few_by_their_image_and_number() {
        let mut wishes: BTreeSet<Option<Wanted>> = (0..100)
            .map(|n| Some(Wanted { versions: vec![format!("i{n}")], ..Wanted::fresh(n % 3, "a") }))
            .chain([None])
            .collect();
        merge(&mut wishes);
        assert_eq!(wishes.len(), 4);
        let all: usize = wishes.iter().flatten().map(|it| it.versions.len()).sum();
        assert_eq!(all, 100);
    }
}
