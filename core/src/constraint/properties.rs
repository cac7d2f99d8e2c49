//! Owns the properties of rules: texts that read back, verdicts and counts against naive ones.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::tests::{Agent, Owned};
use super::tree::Comparison;
use super::*;
use crate::limits::CONSTRAINT_DEPTH_MAX;

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]",
        "[a-z@:._/-]{1,12}",
        "\\PC{1,6}",
        Just("LIKE".into()),
        Just("attribute.x".into()),
        Just("Zone".into()),
        Just("offered.cpus".into()),
    ]
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Hostname),
        Just(Key::AgentId),
        Just(Key::Ip),
        Just(Key::Region),
        Just(Key::Zone),
        names().prop_map(Key::Attribute),
    ]
}

fn resources() -> impl Strategy<Value = Key> {
    let all = [Resource::Cpus, Resource::Mem, Resource::Disk, Resource::Gpus, Resource::Ports];
    proptest::sample::select(Vec::from(all)).prop_map(Key::Resource)
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]",
        "[0-9.]{0,4}",
        "\\PC{0,6}",
        "[\"'\\\\ ]{0,4}",
        Just("and".into()),
        Just("2.50".into())
    ]
}

fn numbers() -> impl Strategy<Value = String> {
    "-?[0-9]{1,3}(\\.[0-9]{1,4})?"
}

fn regexes() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]",
        "[a-c]\\.\\*",
        "[a-c]+[|][0-9]{1,3}",
        Just(r"\d+\.?\d*".into()),
        Just("\"\\\\".into())
    ]
}

fn comparisons() -> impl Strategy<Value = Op> {
    let all = [Comparison::Less, Comparison::LessOrEqual, Comparison::Greater, Comparison::GreaterOrEqual];
    (proptest::sample::select(Vec::from(all)), numbers())
        .prop_map(|(comparison, number)| Op::Compare(comparison, number))
}

fn counting() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::Unique),
        Just(Op::Cluster(None)),
        proptest::option::of(1_u32..4).prop_map(Op::GroupBy),
        (1_u32..4).prop_map(Op::MaxPer),
    ]
}

fn looking() -> impl Strategy<Value = Op> {
    prop_oneof![
        values().prop_map(|value| Op::Cluster(Some(value))),
        regexes().prop_map(Op::Like),
        regexes().prop_map(Op::Unlike),
        regexes().prop_map(Op::Search),
        values().prop_map(Op::Is),
        values().prop_map(Op::Equal),
        values().prop_map(Op::Unequal),
        comparisons(),
        values().prop_map(Op::Contains),
    ]
}

fn tests() -> impl Strategy<Value = Expr> {
    let any_key = prop_oneof![4 => keys(), 1 => resources()];
    prop_oneof![(keys(), counting()), (any_key, looking())].prop_map(|(key, op)| Expr::Test(Test { key, op }))
}

fn exprs() -> impl Strategy<Value = Expr> {
    tests().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::all),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Expr::any),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let preferred = (exprs(), -1000_i16..=1000).prop_map(|(expr, weight)| Preference { expr, weight });
    (proptest::collection::vec(exprs(), 0..3), proptest::collection::vec(preferred, 0..3)).prop_map(
        |(required, preferred)| {
            let required = required.into_iter().flat_map(Expr::into_conjuncts).collect();
            Rules { required, preferred }
        },
    )
}

fn owned() -> impl Strategy<Value = Owned> {
    prop_oneof![
        4 => prop_oneof!["[a-c]", "[0-9]{1,2}", "a[a-c]b"].prop_map(Owned::Text),
        1 => (-3000_i64..3000).prop_map(Owned::Scalar),
        1 => proptest::collection::vec((0_u64..9, 0_u64..9), 0..3).prop_map(Owned::Ranges),
        1 => proptest::collection::vec("[a-c]", 0..3).prop_map(Owned::Set),
    ]
}

/// Few keys and values, so that agents share them.
fn agents() -> impl Strategy<Value = Agent> {
    let keys = ["a", "b"].map(|name| Key::Attribute(name.into()));
    let key =
        proptest::sample::select(Vec::from(keys).into_iter().chain([Key::Hostname]).collect::<Vec<_>>());
    proptest::collection::btree_map(key, owned(), 0..4).prop_map(Agent)
}

/// Rules over the keys that [`agents`] have.
fn rules_for_agents() -> impl Strategy<Value = Expr> {
    let key = prop_oneof![Just(Key::Hostname), "[ab]".prop_map(Key::Attribute)];
    let op = prop_oneof![counting(), looking()];
    (key, op).prop_map(|(key, op)| Expr::Test(Test { key, op })).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Expr::all),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Expr::any),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

fn read(element: Element) -> Rules {
    match element {
        Element::Marathon(texts) => Rules::marathon(&texts).expect("an array of ours is accepted"),
        Element::Text(text) => Rules::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}")),
    }
}

fn spelled(agent: &Agent, key: &Key) -> Option<String> {
    agent.value(key).map(|value| value.spell().as_str().to_string())
}

/// The verdict by counting all placed agents again.
fn naive(expr: &Expr, agent: &Agent, placed: &[Agent]) -> bool {
    let test = match expr {
        Expr::All(parts) => return parts.iter().all(|part| naive(part, agent, placed)),
        Expr::Any(parts) => return parts.iter().any(|part| naive(part, agent, placed)),
        Expr::Not(inner) => return !naive(inner, agent, placed),
        Expr::Test(test) => test,
    };
    let mut groups: BTreeMap<String, u32> = BTreeMap::new();
    for value in placed.iter().filter_map(|other| spelled(other, &test.key)) {
        *groups.entry(value).or_default() += 1;
    }
    let Some(own) = spelled(agent, &test.key) else {
        return matches!(test.op, Op::Unlike(_) | Op::Unequal(_));
    };
    let there = groups.get(&own).copied().unwrap_or(0);
    match &test.op {
        Op::Unique => there == 0,
        Op::MaxPer(most) => there < *most,
        Op::Cluster(None) => groups.values().all(|tasks| *tasks <= there),
        Op::GroupBy(least) => {
            let even = groups.values().min() == Some(&there);
            there == 0 || (even && groups.len() >= least.unwrap_or(1) as usize)
        }
        _ => {
            let rules = Rules { required: Vec::from([expr.clone()]), preferred: Vec::new() };
            rules.compile().check(agent, &Census::default()).is_ok()
        }
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(rules in any_rules()) {
        let again = rules.elements().into_iter().map(read).fold(Rules::default(), Rules::and);
        prop_assert_eq!(&again, &rules);
        let texts: Vec<String> = rules.clone().into();
        prop_assert_eq!(Rules::try_from(texts), Ok(rules.clone()));
        prop_assert_eq!(rules.elements().len(), rules.len());
    }

    #[test]
    fn rules_mean_the_same_in_parentheses_and_in_prefix_form(left in exprs(), right in exprs()) {
        let parse = |text: String| Rules::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()));
        let (l, r) = (left.to_string(), right.to_string());
        let both = parse(alloc::format!("({l}) AND ({r})"))?;
        prop_assert_eq!(&both, &parse(alloc::format!("and ({l}) ({r})"))?);
        prop_assert_eq!(&both.required, &Expr::all(Vec::from([left, right])).into_conjuncts());
        prop_assert_eq!(parse(alloc::format!("({l}) OR ({r})"))?, parse(alloc::format!("or ({l}) ({r})"))?);
        prop_assert_eq!(parse(alloc::format!("! ({l})"))?, parse(alloc::format!("not ({l})"))?);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(text in "([a-z\"'()!&|<>=~ ]|AND |OR |NOT |LIKE |PREFER |1){0,40}") {
        match Rules::parse(&text) {
            Ok(rules) => {
                let again = rules.elements().into_iter().map(read).fold(Rules::default(), Rules::and);
                prop_assert_eq!(again, rules);
            }
            Err(error) => {
                prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{}", error);
            }
        }
    }

    #[test]
    fn the_deepest_rules_read_back(nots in 0..=CONSTRAINT_DEPTH_MAX, prefer in any::<bool>()) {
        let text = alloc::format!("{}{}a GROUP_BY", if prefer { "PREFER " } else { "" }, "NOT ".repeat(nots));
        let rules = Rules::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let again = rules.elements().into_iter().map(read).fold(Rules::default(), Rules::and);
        prop_assert_eq!(again, rules);
    }

    #[test]
    fn verdicts_are_those_of_a_recount(
        expr in rules_for_agents(),
        agent in agents(),
        changes in proptest::collection::vec((agents(), any::<bool>()), 0..12),
    ) {
        let rules = Rules { required: expr.clone().into_conjuncts(), preferred: Vec::new() };
        let matcher = rules.compile();
        let mut census = Census::new(&matcher);
        let mut placed: Vec<Agent> = Vec::new();
        for (other, is_removal) in changes {
            if is_removal && !placed.is_empty() {
                let gone = placed.remove(placed.len() / 2);
                census.remove(&matcher, &gone);
            } else {
                census.add(&matcher, &other);
                placed.push(other);
            }
        }
        prop_assert_eq!(matcher.check(&agent, &census).is_ok(), naive(&expr, &agent, &placed));
        prop_assert_eq!(matcher.takes(&agent, &census), naive(&expr, &agent, &placed));
        let mut anew = Census::new(&matcher);
        for other in placed.iter().rev() {
            anew.add(&matcher, other);
        }
        prop_assert_eq!(&anew, &census, "the order of changes leaves no trace");
        for other in &placed {
            census.remove(&matcher, other);
        }
        prop_assert_eq!(census, Census::new(&matcher), "what is gone leaves no trace");
    }

    #[test]
    fn the_order_of_rules_changes_no_verdict(
        exprs in proptest::collection::vec(rules_for_agents(), 1..4),
        agent in agents(),
        placed in proptest::collection::vec(agents(), 0..6),
    ) {
        let verdict = |exprs: Vec<Expr>| {
            let preferred = exprs.iter().map(|expr| Preference { expr: expr.clone(), weight: 7 }).collect();
            let required = exprs.into_iter().flat_map(Expr::into_conjuncts).collect();
            let matcher = Rules { required, preferred }.compile();
            let mut census = Census::new(&matcher);
            for other in &placed {
                census.add(&matcher, other);
            }
            (matcher.check(&agent, &census).is_ok(), matcher.score(&agent, &census))
        };
        let reversed = exprs.iter().rev().cloned().collect();
        prop_assert_eq!(verdict(exprs), verdict(reversed));
    }
}
