//! Owns what clients think of by themselves: apps, changes, policies, rules, and images that misbehave.

use swan_core::rng::Rng;
use swan_core::scheduler::api::RolloutVerb;

use crate::ask::{Ask, Change};
use crate::definition::{Definition, OnExhausted, OnFailure, Policy, Trouble, image};
use crate::options::ClientOptions;
use crate::rules::{Field, Rule};

/// Thinks of things to ask for.
#[derive(Clone, Debug)]
pub(super) struct Inventor {
    options: ClientOptions,
    apps: u32,
    images: u64,
}

#[derive(Clone, Copy)]
enum Verb {
    Create,
    Update,
    Scale,
    Delete,
    KillOne,
    KillAll,
    Rollback,
    Restart,
    Stop,
    Start,
    Pause,
    Resume,
    Cancel,
}

impl Inventor {
    pub(super) const fn new(options: ClientOptions, apps: u32) -> Self {
        Self { options, apps, images: 0 }
    }

    /// Something to ask for.
    pub(super) fn invent(&mut self, rng: &mut Rng) -> Ask {
        let app = format!("a{}.sim", rng.below(u64::from(self.apps)));
        let instances = rng.between(0, self.options.instances) as u32;
        let force = rng.chance(self.options.forced);
        let change = |change| Ask::Change { app: app.clone(), change, force };
        let steer = |verb| Ask::Steer { app: app.clone(), verb };
        match self.verb(rng) {
            Verb::Create => Ask::Create { app: app.clone(), definition: self.definition(instances, rng) },
            Verb::Update => change(Change::Update(self.definition(instances, rng))),
            Verb::Scale => change(Change::Scale(instances)),
            Verb::Delete => change(Change::Delete),
            Verb::KillOne => Ask::Kill { app, slot: rng.below(u64::from(instances) + 1) as u32 },
            Verb::KillAll => Ask::KillAll { app },
            Verb::Rollback => change(Change::Rollback),
            Verb::Restart => change(Change::Restart),
            Verb::Stop => change(Change::Stop),
            Verb::Start => change(Change::Start),
            Verb::Pause => steer(RolloutVerb::Pause),
            Verb::Resume => steer(RolloutVerb::Resume),
            Verb::Cancel => steer(RolloutVerb::Cancel),
        }
    }

    fn verb(&self, rng: &mut Rng) -> Verb {
        let verbs = &self.options.verbs;
        let weights = [
            (verbs.create, Verb::Create),
            (verbs.update, Verb::Update),
            (verbs.scale, Verb::Scale),
            (verbs.delete, Verb::Delete),
            (verbs.kill_one, Verb::KillOne),
            (verbs.kill_all, Verb::KillAll),
            (verbs.rollback, Verb::Rollback),
            (verbs.restart, Verb::Restart),
            (verbs.stop, Verb::Stop),
            (verbs.start, Verb::Start),
            (verbs.pause, Verb::Pause),
            (verbs.resume, Verb::Resume),
            (verbs.cancel, Verb::Cancel),
        ];
        let mut at = rng.below(weights.iter().map(|(weight, _)| weight).sum());
        for (weight, verb) in weights {
            if at < weight {
                return verb;
            }
            at -= weight;
        }
        Verb::KillAll
    }

    fn definition(&mut self, instances: u32, rng: &mut Rng) -> Definition {
        self.images += 1;
        let trouble = rng.chance(self.options.bad_images).then(|| any(rng, &Trouble::ALL));
        let policy = rng.chance(self.options.policies).then(|| policy(rng));
        let rules = if rng.chance(self.options.rules) { some_rules(rng) } else { Vec::new() };
        let strategies = ["spread", "binpack", "random", "weighted"];
        let strategy = rng.chance(300_000).then(|| any(rng, &strategies).to_owned());
        Definition {
            image: image(self.images, trouble),
            instances,
            checked: rng.chance(500_000),
            trouble,
            policy,
            rules,
            strategy,
        }
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let then = [OnExhausted::KeepTrying, OnExhausted::Stop, OnExhausted::Rollback];
    let waits = rng.chance(300_000);
    Policy {
        min_healthy: any(rng, &[100, 100, 75, 50, 0]),
        max_over: any(rng, &[100, 50, 25, 0]),
        on_failure: any(rng, &[OnFailure::Stop, OnFailure::Continue, OnFailure::Rollback]),
        parallel: rng.chance(300_000).then(|| rng.between(1, 3) as u32),
        delay: any(rng, &[0, 0, 5]),
        min_ready: any(rng, &[0, 0, 10]),
        deadline: rng.between(60, 600) as u32,
        max_failures: rng.chance(300_000).then(|| rng.below(5) as u32),
        retries: rng.chance(300_000).then(|| (rng.between(1, 5) as u32, any(rng, &then))),
        unreachable: (!waits).then(|| any(rng, &[0, 0, 30, 300])),
    }
}

fn any<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.below(all.len() as u64) as usize]
}

fn some_rules(rng: &mut Rng) -> Vec<Rule> {
    let count = rng.between(1, 2);
    (0..count).map(|_| rule(rng)).collect()
}

fn rule(rng: &mut Rng) -> Rule {
    let field = any(rng, &[Field::Hostname, Field::Rack, Field::Zone]);
    let (rack, other) = (format!("r{}", rng.between(1, 3)), format!("r{}", rng.between(1, 4)));
    let zone = format!("z{}", rng.between(1, 2));
    match rng.below(10) {
        0 => Rule::Unique(Field::Hostname),
        1 => Rule::MaxPer(field, rng.between(1, 3) as u32),
        2 => Rule::GroupBy(Field::Rack, None),
        3 => Rule::GroupBy(Field::Rack, Some(rng.between(2, 3) as u32)),
        4 => Rule::Cluster(any(rng, &[Field::Rack, Field::Zone])),
        5 => Rule::Like(Field::Rack, vec![rack, other]),
        6 => Rule::Unlike(Field::Rack, vec![rack]),
        7 => Rule::Not(Field::Rack, rack),
        8 => Rule::Either((Field::Rack, rack), (Field::Zone, zone)),
        _ if rng.chance(500_000) => Rule::AtLeast(rng.between(1, 4) as u32),
        _ => Rule::Has("ssd".into()),
    }
}
