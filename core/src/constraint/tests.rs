//! Owns the tests of rules by example: each operator on each kind of value, each form, each error.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::limits::{
    CONSTRAINT_BYTES_MAX, CONSTRAINT_DEPTH_MAX, CONSTRAINT_TESTS_MAX, CONSTRAINTS_MAX, REGEX_BYTES_MAX,
};

/// An agent of a test.
#[derive(Clone, Debug, Default)]
pub(super) struct Agent(pub(super) BTreeMap<Key, Owned>);

/// A value of it.
#[derive(Clone, Debug)]
pub(super) enum Owned {
    Text(String),
    Scalar(i64),
    Ranges(Vec<(u64, u64)>),
    Set(Vec<String>),
}

impl Host for Agent {
    type Group = String;

    fn value(&self, key: &Key) -> Option<Value<'_>> {
        Some(match self.0.get(key)? {
            Owned::Text(text) => Value::Text(text),
            Owned::Scalar(thousandths) => Value::Scalar(*thousandths),
            Owned::Ranges(ranges) => Value::Ranges(ranges),
            Owned::Set(names) => Value::Set(names),
        })
    }

    fn group(&self, _: usize, key: &Key) -> Option<String> {
        self.value(key).map(Value::text)
    }
}

impl Agent {
    fn with(mut self, key: Key, value: Owned) -> Self {
        self.0.insert(key, value);
        self
    }
}

fn attribute(name: &str) -> Key {
    Key::Attribute(name.into())
}

fn text(value: &str) -> Owned {
    Owned::Text(value.into())
}

/// An agent with one attribute `a`.
fn having(value: Owned) -> Agent {
    Agent::default().with(attribute("a"), value)
}

/// One with `hostname` and `rack`.
fn host(hostname: &str, rack: &str) -> Agent {
    Agent::default().with(Key::Hostname, text(hostname)).with(attribute("rack"), text(rack))
}

fn rules(text: &str) -> Rules {
    Rules::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn marathon(texts: &[&str]) -> Result<Rules, String> {
    Rules::marathon(&texts.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Whether the rules hold for a first task on the agent.
fn holds(rules: &Rules, agent: &Agent) -> bool {
    holds_beside(rules, agent, &[])
}

/// Whether they hold for a task more, with others on these agents.
fn holds_beside(rules: &Rules, agent: &Agent, placed: &[&Agent]) -> bool {
    let matcher = rules.compile();
    let mut census = Census::new(&matcher);
    for other in placed {
        census.add(&matcher, *other);
    }
    matcher.check(agent, &census).is_ok()
}

fn element(text: &str) -> String {
    match &rules(text).elements()[..] {
        [Element::Text(text)] => text.clone(),
        [Element::Marathon(texts)] => texts.join("|"),
        other => panic!("one element, not {other:?}"),
    }
}

fn error(text: &str) -> String {
    match Rules::parse(text) {
        Ok(rules) => panic!("{text} is accepted as {rules:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn each_operator_looks_at_each_kind_of_value() {
    let kinds = [
        text("web-1"),
        text("12"),
        Owned::Scalar(12_500),
        Owned::Ranges(vec![(7, 9), (1, 5)]),
        Owned::Set(vec!["b".into(), "a".into()]),
    ];
    // A column for each kind, and the last for an agent without the attribute.
    for (rule, expected) in [
        ("a LIKE \"web-[0-9]\"", "y....."),
        ("a LIKE web", "......"),
        ("a LIKE \"1.*\"", ".yy..."),
        ("a LIKE \"\\\\[1-5,7-9\\\\]\"", "...y.."),
        ("a LIKE \"\\\\{a,b\\\\}\"", "....y."),
        ("a UNLIKE \"web.*\"", ".yyyyy"),
        ("a UNLIKE \"[0-9.]+\"", "y..yyy"),
        ("a ~= eb", "y....."),
        ("a ~= \"^1\"", ".yy..."),
        ("a ~= \"\"", "yyyyy."),
        ("a IS web-1", "y....."),
        ("a IS 12.500", "..y..."),
        ("a IS 12.0", ".y...."),
        ("a IS \"[1-5,7-9]\"", "...y.."),
        ("a IS \"{a,b}\"", "....y."),
        ("a CLUSTER 12.5", "..y..."),
        ("a CLUSTER 12.50", "......"),
        ("a == web-1", "y....."),
        ("a == 12.50", "..y..."),
        ("a == 12.0", "......"),
        ("a == \"[1-5,7-9]\"", "...y.."),
        ("a == \"{a,b}\"", "....y."),
        ("a != web-1", ".yyyyy"),
        ("a != 12.50", "yy.yyy"),
        ("a < 12.5", ".y...."),
        ("a <= 12.5", ".yy..."),
        ("a > 12", "..y..."),
        ("a >= 12", ".yy..."),
        ("a > -1", ".yy..."),
        ("a CONTAINS b", "y...y."),
        ("a CONTAINS 2", ".y.y.."),
        ("a CONTAINS 6", "......"),
        ("a CONTAINS 7", "...y.."),
        ("a UNIQUE", "yyyyy."),
        ("a CLUSTER", "yyyyy."),
        ("a GROUP_BY", "yyyyy."),
        ("a MAX_PER 1", "yyyyy."),
        ("NOT a == web-1", ".yyyyy"),
        ("NOT a < 12.5", "y.yyyy"),
    ] {
        let rules = rules(rule);
        let agents = kinds.iter().cloned().map(having).chain([Agent::default()]);
        let found: String = agents.map(|agent| if holds(&rules, &agent) { 'y' } else { '.' }).collect();
        assert_eq!(found, expected, "{rule}");
    }
}

#[test]
fn unique_takes_each_value_once_and_max_per_so_often() {
    let (one, two) = (host("h1", "r1"), host("h2", "r1"));
    let unique = rules("hostname UNIQUE");
    assert!(holds_beside(&unique, &two, &[&one]));
    assert!(!holds_beside(&unique, &one, &[&two, &one]));
    let most = rules("rack MAX_PER 2");
    assert!(holds_beside(&most, &two, &[&one]));
    assert!(!holds_beside(&most, &two, &[&one, &two]));
}

#[test]
fn cluster_follows_the_tasks_that_are_there() {
    let cluster = rules("rack CLUSTER");
    let (one, two) = (host("h1", "r1"), host("h2", "r2"));
    assert!(holds_beside(&cluster, &one, &[&one]));
    assert!(!holds_beside(&cluster, &two, &[&one]));
    assert!(holds_beside(&cluster, &two, &[&two, &one, &two]), "of several values the most frequent counts");
    assert!(!holds_beside(&cluster, &one, &[&two, &one, &two]));
    assert!(holds_beside(&cluster, &two, &[&Agent::default()]), "an agent without a value does not count");
}

#[test]
fn group_by_takes_new_groups_then_the_smallest() {
    let racks: Vec<Agent> = (1..=3).map(|rack| host("h", &format!("r{rack}"))).collect();
    let group = rules("rack GROUP_BY");
    assert!(holds_beside(&group, &racks[1], &[&racks[0]]), "its group is new");
    assert!(holds_beside(&group, &racks[0], &[&racks[0], &racks[1]]), "all are even");
    assert!(!holds_beside(&group, &racks[0], &[&racks[0], &racks[0], &racks[1]]));
    assert!(holds_beside(&group, &racks[1], &[&racks[0], &racks[0], &racks[1]]));
    let three = rules("rack GROUP_BY 3");
    assert!(!holds_beside(&three, &racks[0], &[&racks[0], &racks[1]]), "a third group is waited for");
    assert!(holds_beside(&three, &racks[2], &[&racks[0], &racks[1]]));
    assert!(holds_beside(&three, &racks[0], &[&racks[0], &racks[1], &racks[2]]));
}

#[test]
fn counting_rules_can_be_parts_of_others() {
    let (one, two) = (host("h1", "ssd"), host("h2", "hdd"));
    let either = rules("hostname UNIQUE OR rack == ssd");
    assert!(holds_beside(&either, &one, &[&one]));
    assert!(!holds_beside(&either, &two, &[&two]));
    let together = rules("NOT hostname UNIQUE");
    assert!(!holds_beside(&together, &one, &[]));
    assert!(holds_beside(&together, &one, &[&one]));
    assert!(holds(&together, &Agent::default()), "without a value UNIQUE does not hold");
}

#[test]
fn a_verdict_names_the_first_rule_that_fails() {
    let matcher = rules("rack == r1 AND (hostname LIKE \"h.*\" OR ip IS x) AND PREFER rack == r1").compile();
    let census = Census::new(&matcher);
    for (host, verdict) in [(host("h1", "r1"), Ok(())), (host("h1", "r2"), Err(0)), (host("x", "r1"), Err(1))]
    {
        assert_eq!(matcher.check(&host, &census), verdict);
        assert_eq!(matcher.takes(&host, &census), verdict.is_ok());
    }
    assert_eq!(matcher.describe(1), "hostname LIKE \"h.*\" OR ip IS x");
    assert_eq!((matcher.len(), matcher.counts(), matcher.prefers()), (2, false, true));
}

#[test]
fn preferences_add_up() {
    let matcher =
        rules("PREFER rack == r1 10 AND PREFER NOT hostname UNIQUE -3 AND PREFER (rack == r1 OR rack == r2)")
            .compile();
    let mut census = Census::new(&matcher);
    let (one, two) = (host("h1", "r1"), host("h2", "r2"));
    assert_eq!((matcher.score(&one, &census), matcher.score(&two, &census)), (11, 1));
    census.add(&matcher, &one);
    assert_eq!((matcher.score(&one, &census), matcher.score(&two, &census)), (8, 1));
    assert_eq!(matcher.check(&Agent::default(), &census), Ok(()), "preferences forbid nothing");
    assert!(matcher.counts() && matcher.is_empty());
}

#[test]
fn and_binds_more_than_or_and_not_most() {
    for (text, canonical) in [
        ("a == 1 OR b == 2 AND c == 3", "a == 1 OR b == 2 AND c == 3"),
        ("(a == 1 OR b == 2) AND NOT (c == 3) OR d UNIQUE", "(a == 1 OR b == 2) AND NOT c == 3 OR d UNIQUE"),
        ("not (a == 1 && b == 2)", "NOT (a == 1 AND b == 2)"),
        ("!a==1||!(b<2)", "NOT a == 1 OR NOT b < 2"),
        ("a == 1 OR (b == 2 OR c == 3)", "a == 1 OR b == 2 OR c == 3"),
        (
            "or (unique hostname) (and (like rack r) (not (equal vm x)))",
            "hostname UNIQUE OR rack ~= r AND NOT vm == x",
        ),
        ("NOT (NOT a UNIQUE)", "NOT NOT a UNIQUE"),
    ] {
        assert_eq!(element(text), canonical, "{text}");
    }
}

#[test]
fn rules_joined_by_and_are_separate_elements() {
    let elements =
        rules("(hostname UNIQUE AND rack GROUP_BY 3) AND PREFER zone == a 5 AND offered.cpus >= 4")
            .elements();
    let array = |texts: &[&str]| Element::Marathon(texts.iter().map(ToString::to_string).collect());
    assert_eq!(
        elements,
        [
            array(&["hostname", "UNIQUE"]),
            array(&["rack", "GROUP_BY", "3"]),
            Element::Text("offered.cpus >= 4".into()),
            Element::Text("PREFER zone == a 5".into()),
        ]
    );
    assert_eq!(rules("and (unique hostname) (contains a b)").len(), 2);
}

#[test]
fn the_prefix_form_of_original_swan_is_read() {
    for (prefix, infix) in [
        ("unique hostname", "hostname UNIQUE"),
        ("UNIQUE AgentId", "agentid UNIQUE"),
        ("like vcluster \"^web\"", "vcluster ~= \"^web\""),
        ("equal vcluster web", "vcluster == web"),
        ("contains disks 'ssd'", "disks CONTAINS ssd"),
        ("not (contains disks ssd)", "NOT disks CONTAINS ssd"),
        ("and (unique hostname) (equal a b)", "hostname UNIQUE AND a == b"),
        ("or (unique hostname) (equal a b) (equal a c)", "hostname UNIQUE OR a == b OR a == c"),
        ("PREFER equal a b 5", "PREFER a == b 5"),
    ] {
        assert_eq!(rules(prefix), rules(infix), "{prefix}");
    }
}

#[test]
fn keys_have_one_meaning_and_attributes_can_always_be_reached() {
    for (text, key) in [
        ("hostname", Key::Hostname),
        ("@HostName", Key::Hostname),
        ("agent.id", Key::AgentId),
        ("ip", Key::Ip),
        ("@region", Key::Region),
        ("zone", Key::Zone),
        ("offered.ports", Key::Resource(Resource::Ports)),
        ("rack", attribute("rack")),
        ("cpus", attribute("cpus")),
        ("attribute.zone", attribute("zone")),
        ("attribute.attribute.x", attribute("attribute.x")),
        ("\"attribute.a b\"", attribute("a b")),
        ("\"a b\"", attribute("a b")),
        ("\"like\"", attribute("like")),
        ("attribute.offered.x", attribute("offered.x")),
    ] {
        let expected = Expr::Test(Test { key, op: Op::Equal("1".into()) });
        assert_eq!(rules(&format!("{text} == 1")).required, [expected], "{text}");
    }
    for (text, canonical) in [
        ("@zone == 1", "zone == 1"),
        ("attribute.zone == 1", "attribute.zone == 1"),
        ("\"like\" == 1", "attribute.like == 1"),
        ("'attribute.a b' == 1", "\"a b\" == 1"),
        ("'attribute.Zone' == 1", "attribute.Zone == 1"),
    ] {
        assert_eq!(element(text), canonical);
    }
    assert!(error("offered.memory > 1").contains("offered.cpus, .mem"));
    assert!(error("attribute. == 1").contains("names no attribute"));
}

#[test]
fn quotes_keep_what_words_cannot_hold() {
    for (text, value) in [
        (r#"a == "b c""#, "b c"),
        (r#"a == 'say "x"'"#, "say \"x\""),
        (r#"a == "\"\\""#, "\"\\"),
        (r#"a ~= "\d+""#, r"\d+"),
        (r#"a ~= "\\d+""#, r"\d+"),
        (r#"a == """#, ""),
        (r#"a == "and""#, "and"),
        ("a == hdfs://x.y:80/z@1", "hdfs://x.y:80/z@1"),
        ("a == -5", "-5"),
        ("a == größe", "größe"),
    ] {
        let parsed = rules(text);
        let Expr::Test(Test { op: Op::Equal(found) | Op::Search(found), .. }) = &parsed.required[0] else {
            panic!("{text}: {parsed:?}")
        };
        assert_eq!(found, value, "{text}");
        assert_eq!(rules(&element(text)), parsed, "{text}");
    }
}

#[test]
fn an_error_points_at_its_column() {
    for (text, column, part) in [
        ("", 1, "there is no rule"),
        ("  ", 3, "there is no rule"),
        ("hostname", 9, "an operator is expected"),
        ("hostname FOO x", 10, "\"FOO\" is none"),
        ("hostname UNIQUE x", 17, "AND, OR or the end is expected here, and \"x\" found"),
        ("größe == ü AND x", 17, "an operator is expected"),
        ("a = b", 3, "== is"),
        ("a == b & c == d", 8, "&& and AND are"),
        ("a LIKE x|y", 9, "must be in quotes"),
        ("a LIKE web.*", 12, "only in quotes"),
        ("a == \"b", 6, "never closed"),
        ("a == AND", 6, "AND is one only in quotes"),
        ("a ==", 5, "a value for == is expected here, and the end found"),
        ("(a == b", 8, "the ) for the ( in column 1"),
        ("a == b)", 7, "closes nothing"),
        ("a == b AND", 11, "a rule, such as"),
        ("a == b OR == c", 11, "and == found"),
        ("AND a == b", 5, "a rule before AND"),
        ("and (a == b)", 13, "or two in parentheses"),
        ("MAX_PER rack 2", 1, "stands after a key"),
        ("rack MAX_PER 0", 14, "from 1 to"),
        ("rack MAX_PER +1", 14, "only in quotes"),
        ("rack GROUP_BY two", 15, "\"two\" is none"),
        ("a < b", 5, "\"b\" is none"),
        ("a < 1e3", 5, "decimal number"),
        ("a LIKE \"(\"", 8, "unclosed group"),
        ("a LIKE \"\"", 8, "needs a regular expression"),
        ("a ~= \"a(?!b)\"", 6, "looking ahead"),
        ("offered.mem UNIQUE", 13, "changes with every offer"),
        ("PREFER a == b 1001", 15, "from -1000 to 1000"),
        ("PREFER a == b OR c == d", 15, "cannot be part of an OR"),
        ("a == b OR PREFER c == d", 11, "only at the top"),
        ("(PREFER a == b)", 2, "only at the top"),
        ("unique", 7, "a key, such as hostname"),
        ("like hostname", 14, "a value for LIKE"),
    ] {
        let error = Rules::parse(text).expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
    assert_eq!(error("a <"), "column 4: a value for < is expected here, and the end found");
}

#[test]
fn limits_are_named_when_they_are_passed() {
    let deep = |levels: usize| format!("{}a UNIQUE{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(rules(&deep(CONSTRAINT_DEPTH_MAX)), rules("a UNIQUE"));
    let error_of = |text: &str| Rules::parse(text).expect_err("too much");
    let too_deep = error_of(&deep(CONSTRAINT_DEPTH_MAX + 1));
    assert_eq!(too_deep.column, CONSTRAINT_DEPTH_MAX + 1);
    assert!(too_deep.message.contains("more than 32 deep"), "{too_deep}");
    let many = |tests: usize| vec!["a UNIQUE"; tests].join(" OR ");
    assert!(Rules::parse(&many(CONSTRAINT_TESTS_MAX)).is_ok());
    assert!(error_of(&many(CONSTRAINT_TESTS_MAX + 1)).message.contains("may hold 256 rules"));
    let long = "x".repeat(CONSTRAINT_BYTES_MAX);
    assert!(error_of(&format!("a == {long}")).message.contains("4096 at most"));
    let backslashes = format!("a == '{}'", "\\".repeat(CONSTRAINT_BYTES_MAX - 8));
    assert!(Rules::parse(&backslashes).is_ok(), "two backslashes are one, and printed as two");
    let lone = format!("a == '{}'", r"\x".repeat(CONSTRAINT_BYTES_MAX / 2 - 8));
    assert!(error_of(&lone).message.contains("written out"), "one backslash is printed as two");
    assert!(marathon(&["a", "CLUSTER", &long]).expect_err("too long").contains("4096 at most"));
    assert!(error(r#"a LIKE "(.{100}){100}""#).contains("131072 bytes compiled"));
    assert!(error(&format!("a LIKE \"{}x{}\"", "(".repeat(100), ")".repeat(100))).contains("nested"));
}

#[test]
fn marathons_arrays_mean_what_they_mean_to_marathon() {
    for (texts, infix) in [
        (&["hostname", "unique"][..], "hostname UNIQUE"),
        (&["@hostname", "UNIQUE", ""], "hostname UNIQUE"),
        (&["@region", "GROUP_BY", "2"], "region GROUP_BY 2"),
        (&["@zone", "GROUP_BY", "inf"], "zone GROUP_BY"),
        (&["zone", "CLUSTER", "a"], "attribute.zone CLUSTER a"),
        (&["rack id", "CLUSTER"], "\"rack id\" CLUSTER"),
        (&["Hostname", "MAX_PER", "2"], "attribute.Hostname MAX_PER 2"),
        (&["a", "LIKE", "x.*"], "a LIKE \"x.*\""),
        (&["a", "UNLIKE", "x.*"], "a UNLIKE \"x.*\""),
        (&["a", "IS", "2.0"], "a IS 2.0"),
        (&["offered.cpus", "UNIQUE"], "attribute.offered.cpus UNIQUE"),
    ] {
        let read = marathon(texts);
        assert_eq!(read.as_ref(), Ok(&rules(infix)), "{texts:?}");
        let elements = read.expect("a good array").elements();
        let [Element::Marathon(again)] = &elements[..] else { panic!("{texts:?}: {elements:?}") };
        assert_eq!(Rules::marathon(again), Ok(rules(infix)), "{texts:?}");
    }
}

#[test]
fn wrong_arrays_and_objects_say_what_would_be_right() {
    for (texts, part) in [
        (&["hostname"][..], "this one has 1"),
        (&["a", "IS", "b", "c"], "this one has 4"),
        (&["", "UNIQUE"], "the field"),
        (&["hostname", "UNIQUE", "x"], "UNIQUE takes no value"),
        (&["a", "MAX_PER"], "MAX_PER needs a value"),
        (&["a", "MAX_PER", "b"], "\"b\" is none"),
        (&["a", "LIKE", "["], "not understood: unclosed character class"),
        (&["a", "LIKE", ""], "LIKE needs a value"),
        (&["a", "IS", "a b"], "letters, digits"),
        (&["a", "FOO"], "\"FOO\" is no operator"),
        (&["a", "UNLIKE", "(?<!x)y"], "looking ahead or behind"),
    ] {
        let error = marathon(texts).expect_err("a bad array");
        assert!(error.contains(part), "{texts:?}: {error}");
    }
    for (attribute, operator, value, part) in [
        ("", "==", "x", "attribute: is empty"),
        ("a", "LIKE", "x", "operator: \"LIKE\" is none: ==, != and ~= are"),
        ("a", "~=", "(", "unclosed group"),
    ] {
        let error = Rules::swan(attribute, operator, value).expect_err("a bad object");
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn swans_objects_compare_texts_and_search() {
    let of = |operator: &str, value: &str| Rules::swan("vcluster", operator, value).expect("a good object");
    let agent = |value: &str| Agent::default().with(attribute("vcluster"), text(value));
    assert!(holds(&of("==", "web"), &agent("web")) && !holds(&of("==", "web"), &agent("web2")));
    assert!(holds(&of("~=", "e[ab]"), &agent("web")) && !holds(&of("~=", "^e"), &agent("web")));
    assert!(holds(&of("!=", "web"), &Agent::default()) && !holds(&of("!=", "web"), &agent("web")));
    assert_eq!(Rules::swan("hostname", "==", "x"), Ok(rules("hostname == x")));
}

#[test]
fn regular_expressions_are_javas_as_far_as_they_go() {
    for (regex, yes, no) in [
        ("web", "web", "webb"),
        ("web.*", "web-1", "aweb"),
        ("a|b", "b", "ab"),
        ("a)|(?:b", "", ""),
        (r"\d+", "12", "\u{663}"),
        (r"\w-\s\S\D\W", "a-\tbc-", "ä-\tbc-"),
        (r"[\d.]+", "1.2", "1,2"),
        (r"[^\d]", "ü", "1"),
        (r"\bweb\b.\bx", "web x", "webxx"),
        ("(?i)WEB[0-9]", "web1", "web"),
        ("...", "äöü", "ab"),
        (r"\x{41}+", "AAA", "B"),
        ("[a-c&&b-d]", "b", "a"),
        ("(?<n>a)b", "ab", "a"),
        ("[[:alpha:]]+", "ab", "1"),
    ] {
        let parsed = marathon(&["a", "LIKE", regex]);
        if regex == "a)|(?:b" {
            assert!(parsed.is_err(), "parentheses of the frame cannot be closed");
            continue;
        }
        let parsed = parsed.unwrap_or_else(|error| panic!("{regex}: {error}"));
        assert!(holds(&parsed, &having(text(yes))), "{regex} matches {yes}");
        assert!(!holds(&parsed, &having(text(no))), "{regex} does not match {no}");
    }
    for (regex, part) in [
        (r"(a)\1", "reference to an earlier group"),
        ("a(?=b)", "looking ahead"),
        ("(?<=b)a", "looking ahead or behind"),
        ("(?>a)b", "atomic group"),
        ("a*+", "possessive"),
        ("a{2}+", "possessive"),
        (r"\p{L}", "class of Unicode"),
        (r"\Qa\E", "not understood"),
    ] {
        let error = marathon(&["a", "LIKE", regex]).expect_err(regex);
        assert!(error.contains(part) && !error.contains('\n'), "{regex}: {error}");
    }
}

#[test]
fn numbers_are_exact_however_long() {
    let holds = |value: Owned, rule: &str| holds(&rules(rule), &having(value));
    let long = "123456789012345678901234567890.000000000000000000001";
    assert!(holds(text(long), "a > 123456789012345678901234567890"));
    assert!(holds(text(long), "a < 123456789012345678901234567890.0000000000000000000011"));
    assert!(
        holds(text("-0.5"), "a < -0.49") && holds(text("007"), "a <= 7.0") && holds(text("-0"), "a >= 0")
    );
    assert!(holds(Owned::Scalar(i64::MIN), "a < -9223372036854775.807"));
    assert!(holds(Owned::Scalar(500), "a > 0.4999") && !holds(Owned::Scalar(500), "a >= 0.50001"));
    assert!(!holds(Owned::Scalar(500), "a == 0.50001") && holds(Owned::Scalar(500), "a != 0.50001"));
    assert!(holds(Owned::Scalar(i64::MAX), "a < 99999999999999999999"));
    assert!(holds(Owned::Scalar(-1), "a == -0.0010") && holds(Owned::Scalar(0), "a == -0"));
    for no_number in ["", "-", ".5", "5.", "1e3", " 1", "0x1", "1,5"] {
        assert!(!holds(text(no_number), "a < 1000") && !holds(text(no_number), "a >= -1000"), "{no_number}");
    }
    for (given, spelled) in
        [("0.8001", "0.8"), ("2.0", "2"), ("0.0005", "0"), ("0.0015", "0.002"), ("-1.2345", "-1.234")]
    {
        let kept = value::normalized(given);
        assert_eq!(kept.as_deref(), Some(spelled), "half to even");
    }
}

#[test]
fn a_matcher_is_its_rules_frozen_and_thawed() {
    let matcher =
        rules("hostname UNIQUE AND (a LIKE \"x+\" OR zone IS b) AND PREFER rack GROUP_BY 3 5").compile();
    let bytes = postcard::to_allocvec(&matcher).expect("a matcher can be encoded");
    let again: Matcher = postcard::from_bytes(&bytes).expect("it is read again");
    assert_eq!(again, matcher);
    assert_eq!(again.describe(1), "a LIKE \"x+\" OR zone IS b");
    assert_eq!(format!("{matcher:?}"), format!("{again:?}"));
    assert_eq!(Matcher::default(), Rules::default().compile());
    let mut census = Census::new(&matcher);
    for agent in [host("h1", "r1"), host("h1", "r2"), host("h2", "r2")] {
        census.add(&matcher, &agent);
    }
    let bytes = postcard::to_allocvec(&census).expect("a census can be encoded");
    assert_eq!(postcard::from_bytes(&bytes), Ok(census));
    let damaged = postcard::to_allocvec(&vec!["hostname FOO"]).expect("texts can be encoded");
    assert!(postcard::from_bytes::<Rules>(&damaged).is_err(), "what is read is checked");
}

#[test]
fn the_examples_of_the_users_page_are_good() {
    let page = include_str!("../../../docs/CONSTRAINTS.md");
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n")).expect("the page has such a block");
        rest.split_once("```").expect("a block ends").0
    };
    for line in block("text").lines() {
        assert!(!rules(line).is_empty());
    }
    let elements: Vec<serde_json::Value> = serde_json::from_str(block("json")).expect("it is JSON");
    for element in elements {
        let text = |key: &str| element[key].as_str().expect("a text").to_string();
        let read = match &element {
            serde_json::Value::String(text) => Rules::parse(text).map_err(|error| error.to_string()),
            serde_json::Value::Array(texts) => {
                let texts = texts.iter().map(|text| text.as_str().expect("a text").to_string());
                Rules::marathon(&texts.collect::<Vec<_>>())
            }
            _ => Rules::swan(&text("attribute"), &text("operator"), &text("value")),
        };
        assert_eq!(read.map(|rules| rules.len()), Ok(1), "{element}");
    }
    for limit in ["64 rules", "4,096 bytes", "256 operators", "32 levels", "131,072 bytes"] {
        assert!(page.contains(limit), "{limit}");
    }
    let limits =
        [CONSTRAINTS_MAX, CONSTRAINT_BYTES_MAX, CONSTRAINT_TESTS_MAX, CONSTRAINT_DEPTH_MAX, REGEX_BYTES_MAX];
    assert_eq!(limits, [64, 4096, 256, 32, 131_072], "as the page says");
}
