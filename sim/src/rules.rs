//! Owns the placement rules that users ask for: their text, and a matcher that looks at every task, shares no code with
//! the machine's, and knows just these rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use swan_core::mesos::{AgentFacts, Attribute, AttributeValue, Offer};

/// What is known of an agent that rules may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    hostname: String,
    zone: Option<String>,
    attributes: Vec<Attribute>,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Field {
    /// The agent's host name.
    Hostname,
    /// The text attribute `rack`.
    Rack,
    /// The fault domain's zone.
    Zone,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Rule {
    /// Each task of the app has another value.
    Unique(Field),
    /// So many tasks at most have the same value.
    MaxPer(Field, u32),
    /// Tasks are spread evenly over the values, of which there are so many at least.
    GroupBy(Field, Option<u32>),
    /// The value is the same for all tasks.
    Cluster(Field),
    /// The value is one of these.
    Like(Field, Vec<String>),
    /// The value is none of these.
    Unlike(Field, Vec<String>),
    /// In words: not this value.
    Not(Field, String),
    /// In words: one or the other.
    Either((Field, String), (Field, String)),
    /// In words: the scalar attribute `size` is so large at least.
    AtLeast(u32),
    /// In words: the set attribute `disks` has this.
    Has(String),
}

/// Where tasks of an app may be: those that are surely counted by a rule, and those that may be.
#[derive(Clone, Copy, Debug)]
pub struct Peers<'a> {
    /// Live tasks of the same configuration that nobody ends.
    pub sure: &'a [&'a Place],
    /// Those of them that were there before the step in which the new one left.
    pub before: &'a [&'a Place],
    /// These, and others that are, or were until lately, there.
    pub all: &'a [&'a Place],
}

impl Place {
    /// An agent as the operator describes it.
    pub fn new(hostname: &str, zone: Option<&str>, attributes: &[Attribute]) -> Self {
        Self { hostname: hostname.into(), zone: zone.map(Into::into), attributes: attributes.to_vec() }
    }

    /// The agent of an offer.
    pub fn of(offer: &Offer) -> Self {
        let AgentFacts { hostname, domain, attributes, .. } = &*offer.agent;
        let zone = domain.as_ref().map(|domain| domain.zone.as_str());
        Self::new(hostname, zone, attributes)
    }

    fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| &attribute.value)
    }

    fn value(&self, field: Field) -> Option<&str> {
        match field {
            Field::Hostname => Some(&self.hostname),
            Field::Zone => self.zone.as_deref(),
            Field::Rack => match self.attribute("rack")? {
                AttributeValue::Text(text) => Some(text),
                _ => None,
            },
        }
    }
}

impl Field {
    const fn key(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Rack => "rack",
            Self::Zone => "@zone",
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            other => other.key(),
        }
    }
}

impl Rule {
    /// An element of `constraints`.
    pub fn json(&self) -> String {
        let array = |field: &Field, operator: &str, value: Option<String>| {
            let value = value.map_or_else(String::new, |value| format!(r#","{value}""#));
            format!(r#"["{}","{operator}"{value}]"#, field.key())
        };
        match self {
            Self::Unique(field) => array(field, "UNIQUE", None),
            Self::MaxPer(field, most) => array(field, "MAX_PER", Some(most.to_string())),
            Self::GroupBy(field, least) => array(field, "GROUP_BY", least.map(|least| least.to_string())),
            Self::Cluster(field) => array(field, "CLUSTER", None),
            Self::Like(field, values) => array(field, "LIKE", Some(values.join("|"))),
            Self::Unlike(field, values) => array(field, "UNLIKE", Some(values.join("|"))),
            Self::Not(field, value) => format!(r#""NOT {} == {value}""#, field.word()),
            Self::Either(one, other) => {
                let word = |(field, value): &(Field, String)| format!("{} == {value}", field.word());
                format!(r#""{} OR {}""#, word(one), word(other))
            }
            Self::AtLeast(size) => format!(r#""size >= {size}""#),
            Self::Has(disk) => format!(r#""disks CONTAINS {disk}""#),
        }
    }

    /// Whether the place by itself suits.
    pub fn suits(&self, place: &Place) -> bool {
        let is = |field: &Field, value: &String| place.value(*field) == Some(value.as_str());
        match self {
            Self::Unique(field) | Self::MaxPer(field, _) | Self::GroupBy(field, _) | Self::Cluster(field) => {
                place.value(*field).is_some()
            }
            Self::Like(field, values) => values.iter().any(|value| is(field, value)),
            Self::Unlike(field, values) => !values.iter().any(|value| is(field, value)),
            Self::Not(field, value) => !is(field, value),
            Self::Either(one, other) => is(&one.0, &one.1) || is(&other.0, &other.1),
            Self::AtLeast(size) => match place.attribute("size") {
                Some(AttributeValue::Scalar(milli)) => *milli >= i64::from(*size) * 1000,
                _ => false,
            },
            Self::Has(disk) => match place.attribute("disks") {
                Some(AttributeValue::Set(items)) => items.contains(disk),
                _ => false,
            },
        }
    }

    /// Why a task should not have been placed here, in words; `new` is among `peers.sure`.
    pub fn broken_by(&self, new: &Place, peers: Peers<'_>) -> Option<String> {
        if !self.suits(new) {
            return Some(format!("{self:?} does not suit {new:?}"));
        }
        let count = |places: &[&Place], field: Field| {
            let mut counts: BTreeMap<String, u32> = BTreeMap::new();
            for place in places {
                if let Some(value) = place.value(field) {
                    *counts.entry(value.to_owned()).or_default() += 1;
                }
            }
            counts
        };
        let here = |field: Field| {
            let value = new.value(field).unwrap_or_default();
            (value, count(peers.sure, field).get(value).copied().unwrap_or_default())
        };
        match *self {
            Self::Unique(field) | Self::MaxPer(field, _) => {
                let most = if let Self::MaxPer(_, most) = self { *most } else { 1 };
                let (value, n) = here(field);
                (n > most).then(|| format!("{self:?}: {n} tasks have {value}"))
            }
            Self::Cluster(field) => {
                let (value, n) = here(field);
                let (values, all) = (count(peers.sure, field), count(peers.all, field));
                let now = n - count(peers.before, field).get(value).copied().unwrap_or_default();
                // Tasks that were out of reach may return to another value than the one in use since: either will do.
                let alone = all.get(value).is_none_or(|all| *all <= now);
                (values.len() > 1 && alone)
                    .then(|| format!("{self:?}: {value} is not of {:?}", values.keys()))
            }
            Self::GroupBy(field, least) => {
                let (value, n) = here(field);
                // A group that was not there yet keeps nobody out of another.
                let (before, all) = (count(peers.before, field), count(peers.all, field));
                let fewest = before.keys().map(|group| all[group]).min().unwrap_or(n);
                let groups = u32::try_from(all.len()).unwrap_or(u32::MAX);
                let early = n > 1 && least.is_some_and(|least| groups < least);
                (n > fewest + 1 || early).then(|| format!("{self:?}: {value} has {n} of {all:?}"))
            }
            _ => None,
        }
    }
}

/// How many tasks the rules allow on these places at the same time; where all must be together, wherever the first one is.
pub fn room(rules: &[Rule], places: &[Place]) -> u32 {
    let suitable: Vec<&Place> =
        places.iter().filter(|place| rules.iter().all(|rule| rule.suits(place))).collect();
    let together =
        rules.iter().find_map(|rule| if let Rule::Cluster(field) = rule { Some(*field) } else { None });
    let Some(field) = together else { return room_on(rules, &suitable) };
    let values: BTreeSet<&str> = suitable.iter().filter_map(|place| place.value(field)).collect();
    let there = |value| -> Vec<&Place> {
        suitable.iter().copied().filter(|place| place.value(field) == Some(value)).collect()
    };
    values.into_iter().map(|value| room_on(rules, &there(value))).min().unwrap_or(0)
}

fn room_on(rules: &[Rule], suitable: &[&Place]) -> u32 {
    if suitable.is_empty() {
        return 0;
    }
    let groups = |field: Field| {
        let values: BTreeSet<&str> = suitable.iter().filter_map(|place| place.value(field)).collect();
        u32::try_from(values.len()).unwrap_or(u32::MAX)
    };
    let bound = |rule: &Rule| match *rule {
        Rule::Unique(field) => groups(field),
        Rule::MaxPer(field, most) => groups(field).saturating_mul(most),
        Rule::GroupBy(field, Some(least)) if groups(field) < least => groups(field),
        _ => u32::MAX,
    };
    rules.iter().map(bound).min().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, rack: &str, size: i64) -> Place {
        let attributes = [
            Attribute { name: "rack".into(), value: AttributeValue::Text(rack.into()) },
            Attribute { name: "size".into(), value: AttributeValue::Scalar(size * 1000) },
            Attribute { name: "disks".into(), value: AttributeValue::Set(vec!["ssd".into()]) },
        ];
        Place::new(host, Some("z1"), &attributes)
    }

    #[test]
    fn places_suit_or_not() {
        let here = place("a", "r1", 2);
        let text = |word: &str| word.to_owned();
        for good in [
            Rule::Like(Field::Rack, vec![text("r1"), text("r2")]),
            Rule::Unlike(Field::Rack, vec![text("r2")]),
            Rule::Not(Field::Zone, text("z2")),
            Rule::Either((Field::Rack, text("r9")), (Field::Zone, text("z1"))),
            Rule::AtLeast(2),
            Rule::Has(text("ssd")),
        ] {
            assert!(good.suits(&here), "{good:?}");
        }
        for bad in [
            Rule::Like(Field::Rack, vec![text("r")]),
            Rule::Unlike(Field::Rack, vec![text("r1")]),
            Rule::Not(Field::Zone, text("z1")),
            Rule::AtLeast(3),
            Rule::Has(text("tape")),
        ] {
            assert!(!bad.suits(&here), "{bad:?}");
        }
    }

    #[test]
    fn counting_rules_look_at_all_tasks() {
        let (a, b, c) = (place("a", "r1", 1), place("b", "r1", 1), place("c", "r2", 1));
        let broken = |rule: Rule, sure: &[&Place], all: &[&Place]| {
            let before = &sure[..sure.len() - 1];
            rule.broken_by(sure[sure.len() - 1], Peers { sure, before, all }).is_some()
        };
        assert!(!broken(Rule::Unique(Field::Hostname), &[&a, &b], &[&a, &b]));
        assert!(broken(Rule::Unique(Field::Rack), &[&a, &b], &[&a, &b]));
        assert!(!broken(Rule::MaxPer(Field::Rack, 2), &[&c, &a, &b], &[&a, &b, &c]));
        assert!(broken(Rule::MaxPer(Field::Rack, 1), &[&c, &a, &b], &[&a, &b, &c]));
        assert!(!broken(Rule::GroupBy(Field::Rack, None), &[&c, &a], &[&a, &c]));
        assert!(broken(Rule::GroupBy(Field::Rack, None), &[&c, &a, &a, &b], &[&c, &a, &a, &b]));
        assert!(!broken(Rule::GroupBy(Field::Rack, None), &[&c, &a, &a, &b], &[&c, &c, &a, &a, &b]));
        assert!(broken(Rule::GroupBy(Field::Rack, Some(2)), &[&a, &b], &[&a, &b]), "a second rack first");
        assert!(broken(Rule::Cluster(Field::Rack), &[&a, &c], &[&a, &c]));
        assert!(
            !broken(Rule::Cluster(Field::Rack), &[&c, &a], &[&a, &b, &c]),
            "one that returned has the other"
        );
    }

    #[test]
    fn rules_have_room_for_so_many() {
        let places = [place("a", "r1", 1), place("b", "r1", 2), place("c", "r2", 3)];
        assert_eq!(room(&[], &places), u32::MAX);
        assert_eq!(room(&[Rule::Unique(Field::Hostname)], &places), 3);
        assert_eq!(room(&[Rule::MaxPer(Field::Rack, 2)], &places), 4);
        assert_eq!(room(&[Rule::Unique(Field::Hostname), Rule::AtLeast(2)], &places), 2);
        assert_eq!(room(&[Rule::GroupBy(Field::Rack, Some(3))], &places), 2);
        assert_eq!(room(&[Rule::AtLeast(9)], &places), 0);
        assert_eq!(room(&[Rule::Cluster(Field::Rack)], &places), u32::MAX);
        let together = [Rule::Cluster(Field::Rack), Rule::Unique(Field::Hostname)];
        assert_eq!(room(&together, &places), 1, "the first one may be in the rack of one host");
    }
}
