//! Owns what users say about an app: the definition, the document that says it, and how its image misbehaves.

use serde::{Deserialize, Serialize};

use crate::rules::Rule;

/// Most instances that anybody asks for.
const INSTANCES_MAX: u32 = 10_000;

/// An app as a user wants it. Every definition has an image of its own, by which it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// What runs; its name says how it misbehaves.
    pub image: String,
    /// How many.
    pub instances: u32,
    /// It has a health check.
    pub checked: bool,
    /// What every task that runs the image does.
    pub trouble: Option<Trouble>,
    /// What is said of changes and failures; without it the document says nothing, and what holds are the defaults.
    pub policy: Option<Policy>,
    /// Where tasks may run.
    pub rules: Vec<Rule>,
    /// `placement.strategy`, if any.
    pub strategy: Option<String>,
}

/// How an image misbehaves, everywhere and always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Trouble {
    /// Its process exits at once.
    Exits,
    /// It cannot be pulled.
    NoImage,
    /// It is never healthy.
    Sick,
    /// Its process exits half a minute after the start.
    Crashes,
}

/// What a user says of changes and failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// `minimumHealthCapacity`, hundredths.
    pub min_healthy: u32,
    /// `maximumOverCapacity`, hundredths.
    pub max_over: u32,
    /// `update.onFailure`.
    pub on_failure: OnFailure,
    /// `update.parallel`.
    pub parallel: Option<u32>,
    /// `update.delay`, seconds.
    pub delay: u32,
    /// `update.minHealthySeconds`.
    pub min_ready: u32,
    /// `update.progressDeadlineSeconds`.
    pub deadline: u32,
    /// `update.maxFailures`.
    pub max_failures: Option<u32>,
    /// `failover.retries`, within ten minutes, and what follows.
    pub retries: Option<(u32, OnExhausted)>,
    /// `unreachableStrategy.inactiveAfterSeconds`; `None` is `"disabled"`.
    pub unreachable: Option<u32>,
}

/// `update.onFailure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum OnFailure {
    Stop,
    Continue,
    Rollback,
}

/// `failover.onExhausted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum OnExhausted {
    KeepTrying,
    Stop,
    Rollback,
}

impl Default for Policy {
    /// What holds for a document that says nothing.
    fn default() -> Self {
        Self {
            min_healthy: 100,
            max_over: 100,
            on_failure: OnFailure::Stop,
            parallel: None,
            delay: 0,
            min_ready: 0,
            deadline: 600,
            max_failures: None,
            retries: None,
            unreachable: Some(0),
        }
    }
}

impl Policy {
    /// So many of `n` instances stay healthy while a rollout goes on.
    pub const fn floor(&self, n: u32) -> u32 {
        (n * self.min_healthy).div_ceil(100)
    }

    /// So many tasks may be there at the same time; one more than the capacity if nothing could be replaced otherwise.
    pub const fn ceiling(&self, n: u32) -> u32 {
        let most = n * (100 + self.max_over) / 100;
        if most == self.floor(n) { most + 1 } else { most }
    }
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Exits, Self::NoImage, Self::Sick, Self::Crashes];

    /// Whether its tasks run for a moment, so that a rollout may take them for good.
    pub const fn may_seem_well(self) -> bool {
        matches!(self, Self::Exits | Self::Crashes)
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Exits => "-bad-exit",
            Self::NoImage => "-bad-pull",
            Self::Sick => "-bad-health",
            Self::Crashes => "-crash-after-30s",
        }
    }

    /// How the image of this name misbehaves.
    pub fn of_image(image: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| image.ends_with(trouble.suffix()))
    }
}

/// The name of the image of this number.
pub fn image(number: u64, trouble: Option<Trouble>) -> String {
    format!("image:{number}{}", trouble.map_or("", Trouble::suffix))
}

/// The app's path, of its dotted id.
fn path_of(app: &str) -> String {
    app.rsplit('.').fold(String::new(), |path, part| path + "/" + part)
}

impl Definition {
    /// A good image, and nothing else said.
    pub fn plain(image: &str, instances: u32, checked: bool) -> Self {
        Self {
            image: image.into(),
            instances,
            checked,
            trouble: Trouble::of_image(image),
            policy: None,
            rules: Vec::new(),
            strategy: None,
        }
    }

    /// What no client asks for: numbers that are out of all proportion.
    pub fn check(&self) -> Result<(), String> {
        let Policy { min_healthy, max_over, .. } = self.policy();
        if self.instances > INSTANCES_MAX || min_healthy > 100 || max_over > 100 {
            return Err(format!(
                "{} instances, minHealthy {min_healthy}, maxOver {max_over}: at most {INSTANCES_MAX}, 100, 100",
                self.instances
            ));
        }
        Ok(())
    }

    /// What holds for changes and failures.
    pub fn policy(&self) -> Policy {
        self.policy.unwrap_or_default()
    }

    /// Whether its tasks cannot stay, wherever they run.
    pub fn is_doomed(&self) -> bool {
        self.trouble.is_some_and(|trouble| trouble != Trouble::Sick || self.checked)
    }

    /// The document that a client sends.
    pub fn document(&self, app: &str) -> Vec<u8> {
        let Self { image, instances, .. } = self;
        let mut more = String::new();
        if self.checked {
            more += r#","healthChecks":[{"protocol":"MESOS_HTTP","path":"/","portIndex":0,"gracePeriodSeconds":20,
            "intervalSeconds":5,"timeoutSeconds":3,"maxConsecutiveFailures":3,"delaySeconds":2}]"#;
        }
        if let Some(policy) = &self.policy {
            more += &policy.json();
        }
        if !self.rules.is_empty() {
            let rules: Vec<String> = self.rules.iter().map(Rule::json).collect();
            more += &format!(r#","constraints":[{}]"#, rules.join(","));
        }
        if let Some(strategy) = &self.strategy {
            more += &format!(r#","placement":{{"strategy":"{strategy}"}}"#);
        }
        format!(
            r#"{{"id":"{}","instances":{instances},"cpus":0.5,"mem":64,"container":{{"type":"DOCKER",
            "docker":{{"image":"{image}"}},"portMappings":[{{"containerPort":80,"hostPort":0}}]}},
            "networks":[{{"mode":"container/bridge"}}]{more}}}"#,
            path_of(app)
        )
        .into_bytes()
    }
}

impl Policy {
    fn json(&self) -> String {
        let hundredths = |n: u32| format!("{}.{:02}", n / 100, n % 100);
        let on_failure = match self.on_failure {
            OnFailure::Stop => "stop",
            OnFailure::Continue => "continue",
            OnFailure::Rollback => "rollback",
        };
        let mut update = format!(
            r#""delay":{},"minHealthySeconds":{},"progressDeadlineSeconds":{},"onFailure":"{on_failure}""#,
            self.delay, self.min_ready, self.deadline
        );
        if let Some(parallel) = self.parallel {
            update += &format!(r#","parallel":{parallel}"#);
        }
        if let Some(most) = self.max_failures {
            update += &format!(r#","maxFailures":{most}"#);
        }
        let failover = self.retries.map_or_else(String::new, |(retries, then)| {
            let then = match then {
                OnExhausted::KeepTrying => "keepTrying",
                OnExhausted::Stop => "stop",
                OnExhausted::Rollback => "rollback",
            };
            format!(r#","failover":{{"retries":{retries},"windowSeconds":600,"onExhausted":"{then}"}}"#)
        });
        let unreachable = self.unreachable.map_or_else(
            || r#""disabled""#.to_owned(),
            |after| format!(r#"{{"inactiveAfterSeconds":{after},"expungeAfterSeconds":{after}}}"#),
        );
        format!(
            r#","upgradeStrategy":{{"minimumHealthCapacity":{},"maximumOverCapacity":{}}},"update":{{{update}}}{failover},"unreachableStrategy":{unreachable}"#,
            hundredths(self.min_healthy),
            hundredths(self.max_over)
        )
    }
}

#[cfg(test)]
mod tests {
    use swan_core::spec::AppSpec;

    use super::*;
    use crate::rules::Field;

    #[test]
    fn limits_are_those_of_marathon() {
        let of = |min_healthy, max_over, n| {
            let policy = Policy { min_healthy, max_over, ..Policy::default() };
            (policy.floor(n), policy.ceiling(n))
        };
        assert_eq!(of(100, 100, 10), (10, 20));
        assert_eq!(of(50, 0, 10), (5, 10));
        assert_eq!(of(100, 0, 1), (1, 2), "one more than the capacity");
        assert_eq!(of(100, 0, 10), (10, 11));
        assert_eq!(of(50, 50, 3), (2, 4));
    }

    #[test]
    fn an_image_says_how_it_misbehaves() {
        assert_eq!(Trouble::of_image("image:7"), None);
        for trouble in Trouble::ALL {
            assert_eq!(Trouble::of_image(&image(7, Some(trouble))), Some(trouble));
        }
    }

    #[test]
    fn documents_are_understood_as_they_are_meant() {
        let text = |word: &str| word.to_owned();
        let rules = vec![
            Rule::Unique(Field::Hostname),
            Rule::MaxPer(Field::Rack, 2),
            Rule::GroupBy(Field::Rack, None),
            Rule::GroupBy(Field::Zone, Some(2)),
            Rule::Cluster(Field::Zone),
            Rule::Like(Field::Rack, vec![text("r1"), text("r2")]),
            Rule::Unlike(Field::Rack, vec![text("r3")]),
            Rule::Not(Field::Rack, text("r3")),
            Rule::Either((Field::Rack, text("r1")), (Field::Zone, text("z2"))),
            Rule::AtLeast(2),
            Rule::Has(text("ssd")),
        ];
        let policy = Policy {
            min_healthy: 75,
            max_over: 5,
            on_failure: OnFailure::Rollback,
            parallel: Some(2),
            delay: 5,
            min_ready: 10,
            deadline: 90,
            max_failures: Some(1),
            retries: Some((4, OnExhausted::Rollback)),
            unreachable: None,
        };
        let said = Definition {
            policy: Some(policy),
            rules,
            strategy: Some(text("binpack")),
            ..Definition::plain("image:1", 3, true)
        };
        let read = AppSpec::parse(&said.document("web.shop")).expect("a sound document");
        assert_eq!(read.warnings, [], "every key is known");
        let spec = read.spec;
        assert_eq!(spec.rules.len(), 11, "{:?}", spec.rules);
        assert_eq!((spec.upgrade.min_healthy_ppm, spec.upgrade.max_over_ppm), (750_000, 50_000));
        assert_eq!(spec.update.on_failure, swan_core::spec::OnFailure::Rollback);
        assert_eq!((spec.update.parallel, spec.update.max_failures), (Some(2), Some(1)));
        assert_eq!((spec.update.min_healthy.0, spec.update.progress_deadline.0), (10_000, 90_000));
        assert_eq!(spec.failover.retries, Some(4));
        assert_eq!(spec.unreachable, swan_core::spec::Unreachable::Wait);
        assert_eq!(spec.strategy, swan_core::spec::PlacementStrategy::BinPack);
    }
}
