//! Owns the verdict of rules on an agent.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Rules;
use super::census::{Census, Counter, Tally};
use super::pattern::{Pattern, Whole};
use super::tree::{Comparison, Expr, Key, Op, Test};
use super::value::{Decimal, Value, normalized, scalar};

/// An agent, as rules see it.
pub trait Host {
    /// Stands for a value where rules count.
    type Group: Tally;

    /// What it has under `key`; of several attributes of one name the first.
    fn value(&self, key: &Key) -> Option<Value<'_>>;

    /// The same, as counted; `counter` is the place of `key` in [`Matcher::counters`].
    fn group(&self, counter: usize, key: &Key) -> Option<Self::Group>;
}

/// Compiled [`Rules`], encoded as these.
#[derive(Clone)]
pub struct Matcher {
    rules: Rules,
    required: Vec<Check>,
    preferred: Vec<(Check, i64)>,
    /// The required rules once more: those first that refuse most, at least cost.
    quickest: Vec<Check>,
    /// The text of each required rule.
    texts: Vec<String>,
    /// What tasks are counted by.
    counters: Vec<Key>,
}

/// A compiled expression.
#[derive(Clone)]
enum Check {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(Key, Question),
    /// With the place of its counter.
    Count(Key, usize, Limit),
}

/// A compiled operator that counts.
#[derive(Clone, Copy)]
enum Limit {
    FewerThan(u32),
    Largest,
    Even(u32),
}

/// A compiled operator that looks at a value.
#[derive(Clone)]
enum Question {
    Matches(Pattern),
    MatchesNot(Pattern),
    Spells(String),
    /// As given, and in its shortest form if it is a number.
    Is(String, Option<String>),
    Equal(Wanted),
    Unequal(Wanted),
    Compare(Comparison, Wanted),
    Contains(String),
}

/// A value that scalars and texts are compared with.
#[derive(Clone)]
struct Wanted {
    text: String,
    /// In thousandths, if a scalar can be equal to it.
    scalar: Option<i64>,
}

impl Matcher {
    pub(super) fn new(rules: Rules) -> Self {
        let mut counters = Vec::new();
        let required: Vec<Check> =
            rules.required.iter().map(|expr| Check::new(expr, &mut counters)).collect();
        let mut quickest = required.clone();
        quickest.sort_by_key(Check::patience);
        let preferred = rules
            .preferred
            .iter()
            .map(|preference| (Check::new(&preference.expr, &mut counters), preference.weight.into()))
            .collect();
        let texts = rules.required.iter().map(ToString::to_string).collect();
        Self { rules, required, preferred, quickest, texts, counters }
    }

    /// Whether all that is required holds for one more task on `host`; `Err` is the place of the first that does not.
    /// `census` must have been made for these rules.
    pub fn check<H: Host>(&self, host: &H, census: &Census<H::Group>) -> Result<(), usize> {
        match self.required.iter().position(|check| !check.holds(host, census)) {
            Some(index) => Err(index),
            None => Ok(()),
        }
    }

    /// Whether all that is required holds, as fast as can be told.
    pub fn takes<H: Host>(&self, host: &H, census: &Census<H::Group>) -> bool {
        self.quickest.iter().all(|check| check.holds(host, census))
    }

    /// The weights of all preferences that hold for one more task on `host`, summed up.
    pub fn score<H: Host>(&self, host: &H, census: &Census<H::Group>) -> i64 {
        let kept = self.preferred.iter().filter(|(check, _)| check.holds(host, census));
        kept.map(|(_, weight)| weight).sum()
    }

    /// The text of a required rule, below [`Self::len`].
    pub fn describe(&self, index: usize) -> &str {
        &self.texts[index]
    }

    /// How many rules are required.
    pub fn len(&self) -> usize {
        self.required.len()
    }

    /// No rule is required; some may be preferred.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty()
    }

    /// Whether a verdict may rest on where the app's tasks are, so that a census has to be kept.
    pub fn counts(&self) -> bool {
        !self.counters.is_empty()
    }

    /// Whether anything is preferred.
    pub fn prefers(&self) -> bool {
        !self.preferred.is_empty()
    }

    /// What tasks are counted by.
    pub fn counters(&self) -> &[Key] {
        &self.counters
    }
}

impl Check {
    fn new(expr: &Expr, counters: &mut Vec<Key>) -> Self {
        let mut each = |parts: &[Expr]| parts.iter().map(|part| Self::new(part, counters)).collect();
        match expr {
            Expr::All(parts) => Self::All(each(parts)),
            Expr::Any(parts) => Self::Any(each(parts)),
            Expr::Not(inner) => Self::Not(Box::new(Self::new(inner, counters))),
            Expr::Test(test) => Self::of_test(test, counters),
        }
    }

    fn of_test(test: &Test, counters: &mut Vec<Key>) -> Self {
        let pattern =
            |regex, whole| Pattern::new(regex, whole).expect("rules are checked when they are read");
        let mut count = |limit| {
            let known = counters.iter().position(|known| *known == test.key);
            let counter = known.unwrap_or_else(|| {
                counters.push(test.key.clone());
                counters.len() - 1
            });
            Self::Count(test.key.clone(), counter, limit)
        };
        let question = match &test.op {
            Op::Unique => return count(Limit::FewerThan(1)),
            Op::MaxPer(most) => return count(Limit::FewerThan(*most)),
            Op::Cluster(None) => return count(Limit::Largest),
            Op::GroupBy(least) => return count(Limit::Even(least.unwrap_or(1))),
            Op::Cluster(Some(value)) => Question::Spells(value.clone()),
            Op::Like(regex) => Question::Matches(pattern(regex, Whole::Yes)),
            Op::Unlike(regex) => Question::MatchesNot(pattern(regex, Whole::Yes)),
            Op::Search(regex) => Question::Matches(pattern(regex, Whole::No)),
            Op::Is(value) => Question::Is(value.clone(), normalized(value).filter(|number| number != value)),
            Op::Equal(value) => Question::Equal(Wanted::new(value)),
            Op::Unequal(value) => Question::Unequal(Wanted::new(value)),
            Op::Compare(comparison, number) => Question::Compare(*comparison, Wanted::new(number)),
            Op::Contains(value) => Question::Contains(value.clone()),
        };
        Self::Test(test.key.clone(), question)
    }

    /// How late it had better be asked, among others that must hold too.
    fn patience(&self) -> u32 {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::patience).max().unwrap_or(0),
            Self::Not(inner) => inner.patience(),
            Self::Count(_, _, limit) => limit.patience(),
            Self::Test(_, question) => question.patience(),
        }
    }

    fn holds<H: Host>(&self, host: &H, census: &Census<H::Group>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(host, census)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(host, census)),
            Self::Not(inner) => !inner.holds(host, census),
            Self::Count(key, counter, limit) => {
                let group = host.group(*counter, key);
                group.is_some_and(|group| limit.allows(census.counter(*counter), &group))
            }
            Self::Test(key, question) => match host.value(key) {
                Some(value) => question.holds(value),
                None => matches!(question, Question::MatchesNot(_) | Question::Unequal(_)),
            },
        }
    }
}

impl Limit {
    /// Most groups refuse one more task if all are to be even; few hosts are taken already.
    const fn patience(self) -> u32 {
        match self {
            Self::Even(_) | Self::Largest => 0,
            Self::FewerThan(_) => 1,
        }
    }

    fn allows<G: Tally>(self, counter: &Counter<G>, group: &G) -> bool {
        match self {
            Self::FewerThan(most) => counter.tasks(group) < most,
            Self::Largest => counter.is_largest(group),
            Self::Even(least) => counter.keeps_even(group, least),
        }
    }
}

impl Question {
    /// Patterns are slow.
    const fn patience(&self) -> u32 {
        match self {
            Self::Matches(_) | Self::MatchesNot(_) => 3,
            _ => 2,
        }
    }

    fn holds(&self, value: Value<'_>) -> bool {
        match self {
            Self::Equal(wanted) => wanted.equals(value),
            Self::Unequal(wanted) => !wanted.equals(value),
            Self::Compare(comparison, wanted) => {
                wanted.order_of(value).is_some_and(|order| comparison.takes(order))
            }
            Self::Contains(wanted) => contains(value, wanted),
            Self::Matches(pattern) => pattern.matches(value.spell().as_str()),
            Self::MatchesNot(pattern) => !pattern.matches(value.spell().as_str()),
            Self::Spells(wanted) => value.spell().as_str() == wanted,
            Self::Is(wanted, shortest) => {
                let spelling = value.spell();
                let text = spelling.as_str();
                text == wanted || shortest.as_deref() == Some(text)
            }
        }
    }
}

impl Wanted {
    fn new(text: &str) -> Self {
        Self { text: text.into(), scalar: scalar(text) }
    }

    /// The same text; of a scalar the same number.
    fn equals(&self, value: Value<'_>) -> bool {
        match value {
            Value::Scalar(thousandths) => self.scalar == Some(thousandths),
            other => other.spell().as_str() == self.text,
        }
    }

    /// How the value compares with this, if both are numbers.
    fn order_of(&self, value: Value<'_>) -> Option<Ordering> {
        match (value, self.scalar) {
            (Value::Ranges(_) | Value::Set(_), _) => None,
            (Value::Scalar(thousandths), Some(wanted)) => Some(thousandths.cmp(&wanted)),
            (Value::Scalar(_) | Value::Text(_), _) => {
                let spelling = value.spell();
                Some(Decimal::parse(spelling.as_str())?.cmp(&Decimal::parse(&self.text)?))
            }
        }
    }
}

impl Comparison {
    fn takes(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

fn contains(value: Value<'_>, wanted: &str) -> bool {
    match value {
        Value::Text(text) => text.contains(wanted),
        Value::Scalar(_) => false,
        Value::Ranges(ranges) => wanted
            .parse::<u64>()
            .is_ok_and(|number| ranges.iter().any(|(begin, end)| (*begin..=*end).contains(&number))),
        Value::Set(names) => names.iter().any(|name| name == wanted),
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Matcher").field(&self.rules).finish()
    }
}

impl Default for Matcher {
    fn default() -> Self {
        Self::new(Rules::default())
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

impl Eq for Matcher {}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rules.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Rules::deserialize(deserializer).map(Self::new)
    }
}
