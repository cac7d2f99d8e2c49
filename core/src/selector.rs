//! Owns selectors, in the grammar of Kubernetes: what a listing of apps may be narrowed to.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::limits::{SELECTOR_BYTES_MAX, SELECTOR_REQUIREMENTS_MAX, SELECTOR_VALUES_MAX};

/// The fields of an app that can be selected by.
const FIELDS: [&str; 3] = ["runAs", "name", "cluster"];
/// Characters of a text that an error quotes.
const QUOTED_CHARS_MAX: usize = 32;

/// Requirements, all of which must hold. Text is written in one way only, which reads back as the same selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// Which apps are meant: by their labels and by their fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppFilter {
    labels: Selector,
    fields: Selector,
}

/// The fields of an app that a filter looks at.
#[derive(Clone, Copy, Debug)]
pub struct AppFields<'a> {
    /// Original Swan's `name`.
    pub name: &'a str,
    /// Original Swan's `runAs`.
    pub run_as: &'a str,
    /// Original Swan's `cluster`.
    pub cluster: &'a str,
}

/// What one key must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Present,
    Absent,
    In(BTreeSet<String>),
    /// Also holds without the key.
    NotIn(BTreeSet<String>),
    Above(i64),
    Below(i64),
}

impl Selector {
    /// Reads `env in (a,b),!old,tier=web,n>3`; an empty text requires nothing. `Err` says what is wrong at which
    /// character.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(format!("has {} bytes; must have at most {SELECTOR_BYTES_MAX}", text.len()));
        }
        Parser { rest: text, text }.selector()
    }

    /// Whether all requirements hold where `value_of` tells the value of a key.
    pub fn matches<'a>(&self, value_of: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.test.holds(value_of(&requirement.key)))
    }
}

impl AppFilter {
    /// Reads a selector of labels and one of the fields `runAs`, `name` and `cluster`, as `runAs==shop`. `Err` begins
    /// with which of the two is wrong.
    pub fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        let labels = Selector::parse(labels).map_err(|error| format!("labels: {error}"))?;
        let fields = Selector::parse(fields).map_err(|error| format!("fields: {error}"))?;
        for Requirement { key, test } in &fields.requirements {
            if !FIELDS.contains(&key.as_str()) {
                let known = FIELDS.join(", ");
                return Err(format!("fields: '{}' is no field; the fields are {known}", quoted(key)));
            }
            if !matches!(test, Test::In(_) | Test::NotIn(_)) {
                return Err(format!("fields: {key} must be compared with a value, as '{key}==shop'"));
            }
        }
        Ok(Self { labels, fields })
    }

    /// Whether an app with these labels and fields is meant.
    pub fn matches(&self, labels: &BTreeMap<String, String>, fields: AppFields<'_>) -> bool {
        let field = |name: &str| match name {
            "runAs" => Some(fields.run_as),
            "name" => Some(fields.name),
            _ => Some(fields.cluster),
        };
        self.fields.matches(field) && self.labels.matches(|key| labels.get(key).map(String::as_str))
    }
}

impl Test {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|text| text.parse::<i64>().ok());
        match self {
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Above(than) => number().is_some_and(|value| value > *than),
            Self::Below(than) => number().is_some_and(|value| value < *than),
        }
    }
}

/// One token; a word may be any text without blanks and the characters of the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Sign(&'static str),
    End,
}

/// In the order in which they are tried.
const SIGNS: [&str; 9] = ["==", "=", "!=", "!", "(", ")", ",", "<", ">"];

struct Parser<'a> {
    rest: &'a str,
    text: &'a str,
}

impl<'a> Parser<'a> {
    fn selector(mut self) -> Result<Selector, String> {
        let mut requirements = Vec::new();
        if self.peek() == Token::End {
            return Ok(Selector { requirements });
        }
        loop {
            requirements.push(self.requirement()?);
            if requirements.len() > SELECTOR_REQUIREMENTS_MAX {
                return Err(format!("has more than {SELECTOR_REQUIREMENTS_MAX} requirements"));
            }
            match self.peek() {
                Token::End => return Ok(Selector { requirements }),
                Token::Sign(",") => self.skip(),
                _ => return Err(self.expected("',' before another requirement")),
            };
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let absent = self.take("!");
        let key = match self.peek() {
            Token::Word(key) => key.to_owned(),
            _ => return Err(self.expected("the key of a label")),
        };
        self.skip();
        let test = if absent { Test::Absent } else { self.test()? };
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, String> {
        match self.peek() {
            Token::End | Token::Sign(",") => return Ok(Test::Present),
            Token::Sign("=" | "==") => {
                self.skip();
                return Ok(Test::In([self.value()?].into()));
            }
            Token::Sign("!=") => {
                self.skip();
                return Ok(Test::NotIn([self.value()?].into()));
            }
            Token::Sign(">") => {
                self.skip();
                return Ok(Test::Above(self.number()?));
            }
            Token::Sign("<") => {
                self.skip();
                return Ok(Test::Below(self.number()?));
            }
            Token::Word("in") => {
                self.skip();
                return Ok(Test::In(self.values()?));
            }
            Token::Word("notin") => {
                self.skip();
                return Ok(Test::NotIn(self.values()?));
            }
            Token::Word(_) | Token::Sign(_) => {}
        }
        Err(self.expected("one of '=', '==', '!=', 'in', 'notin', '<', '>' after a key"))
    }

    /// One value, which may be empty.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            Token::End | Token::Sign(",") => Ok(String::new()),
            Token::Word(word) => {
                self.skip();
                Ok(word.to_owned())
            }
            Token::Sign(_) => Err(self.expected("a value")),
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let number = match self.peek() {
            Token::Word(word) => word.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.expected("a whole number"))?;
        self.skip();
        Ok(number)
    }

    /// `(a,b)`; a value between commas may be empty.
    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        if !self.take("(") {
            return Err(self.expected("'(' before the values"));
        }
        let mut values = BTreeSet::new();
        if self.peek() == Token::Sign(")") {
            return Err(self.expected("at least one value"));
        }
        loop {
            let value = match self.peek() {
                Token::Word(word) => {
                    self.skip();
                    word
                }
                _ => "",
            };
            values.insert(value.to_owned());
            if values.len() > SELECTOR_VALUES_MAX {
                return Err(format!("has more than {SELECTOR_VALUES_MAX} values in one list"));
            }
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(self.expected("',' or ')' after a value"));
            }
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(known) if known == sign);
        if found {
            self.skip();
        }
        found
    }

    fn skip(&mut self) {
        let length = match self.peek() {
            Token::Word(word) => word.len(),
            Token::Sign(sign) => sign.len(),
            Token::End => 0,
        };
        self.rest = self.rest.get(length..).expect("a token is a part of the rest");
    }

    /// The next token, with the blanks before it gone.
    fn peek(&mut self) -> Token<'a> {
        self.rest = self.rest.trim_start();
        if let Some(sign) = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
            return Token::Sign(sign);
        }
        let end = self.rest.find(|c: char| c.is_whitespace() || "=!(),<>".contains(c));
        match end.map_or(self.rest, |end| &self.rest[..end]) {
            "" => Token::End,
            word => Token::Word(word),
        }
    }

    fn expected(&mut self, what: &str) -> String {
        let found = self.peek();
        let character = self.text[..self.text.len() - self.rest.len()].chars().count() + 1;
        match found {
            Token::Word(word) => {
                format!("at character {character}: must have {what}, not '{}'", quoted(word))
            }
            Token::Sign(sign) => format!("at character {character}: must have {what}, not '{sign}'"),
            Token::End => format!("at its end: must have {what}"),
        }
    }
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let (values, one, many) = match &self.test {
            Test::Present => return f.write_str(key),
            Test::Absent => return write!(f, "!{key}"),
            Test::Above(than) => return write!(f, "{key}>{than}"),
            Test::Below(than) => return write!(f, "{key}<{than}"),
            Test::In(values) => (values, "=", "in"),
            Test::NotIn(values) => (values, "!=", "notin"),
        };
        let list: Vec<&str> = values.iter().map(String::as_str).collect();
        match list[..] {
            [value] => write!(f, "{key}{one}{value}"),
            _ => write!(f, "{key} {many} ({})", list.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::ToString;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn selects(selector: &str, pairs: &[(&str, &str)]) -> bool {
        let labels = labels(pairs);
        let selector = Selector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
        selector.matches(|key| labels.get(key).map(String::as_str))
    }

    #[test]
    fn each_operator_means_what_it_means_in_kubernetes() {
        let web: &[(&str, &str)] = &[("tier", "web"), ("env", ""), ("n", "7"), ("example.com/x", "a/b")];
        for yes in [
            "",
            "  ",
            "tier",
            "!old",
            "tier=web",
            "tier==web",
            " tier = web ",
            "tier!=db",
            "old!=x",
            "tier in (db,web)",
            "tier notin (db)",
            "old notin (a)",
            "n>6",
            "n<8",
            "n > -1",
            "env=",
            "env in (a,)",
            "env in (,a)",
            "tier=web,!old,n>6",
            "example.com/x=a/b",
            "in!=notin",
            "tier in (in,web)",
        ] {
            assert!(selects(yes, web), "{yes}");
        }
        for no in [
            "old",
            "!tier",
            "tier=db",
            "tier!=web",
            "old=x",
            "old in (a,b)",
            "tier notin (web,db)",
            "n>7",
            "n<7",
            "tier>1",
            "old<1",
            "env=x",
            "tier=Web",
            "Tier",
            "tier,old",
            "tier in (,a)",
        ] {
            assert!(!selects(no, web), "{no}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (bad, part) in [
            (",", "at character 1: must have the key of a label, not ','"),
            ("a,", "at its end: must have the key of a label"),
            ("a,,b", "at character 3"),
            (
                "a b",
                "at character 3: must have one of '=', '==', '!=', 'in', 'notin', '<', '>' after a key, not 'b'",
            ),
            ("a=b c", "at character 5: must have ',' before another requirement, not 'c'"),
            ("a=b=c", "at character 4"),
            ("!a=b", "at character 3"),
            ("!!a", "at character 2"),
            ("!", "at its end: must have the key"),
            ("a in b", "at character 6: must have '(' before the values, not 'b'"),
            ("a in", "at its end: must have '('"),
            ("a in ()", "at character 7: must have at least one value"),
            ("a in (b", "at its end: must have ',' or ')'"),
            ("a in (b c)", "at character 9"),
            ("a in (b))", "at character 9"),
            ("a>b", "at character 3: must have a whole number, not 'b'"),
            ("a>", "at its end: must have a whole number"),
            ("a<1.5", "not '1.5'"),
            ("a>99999999999999999999", "must have a whole number"),
            ("a=(b)", "at character 3: must have a value, not '('"),
            ("a===b", "at character 4"),
            ("é=1,b c", "at character 7"),
            ("=a", "at character 1"),
            ("(a)", "at character 1"),
        ] {
            let error = Selector::parse(bad).expect_err(bad);
            assert!(error.contains(part), "{bad}: {error}");
        }
        let long = Selector::parse(&format!("a {}", "x".repeat(1000))).expect_err("no operator");
        assert!(long.contains('…') && long.len() < 200, "{long}");
    }

    #[test]
    fn selectors_are_limited() {
        let many = |part: &str, count: usize| std::vec![part; count].join(",");
        assert!(Selector::parse(&many("a", SELECTOR_REQUIREMENTS_MAX)).is_ok());
        assert!(Selector::parse(&many("a", SELECTOR_REQUIREMENTS_MAX + 1)).is_err());
        let values = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(Selector::parse(&format!("a in ({})", values(SELECTOR_VALUES_MAX))).is_ok());
        assert!(Selector::parse(&format!("a in ({})", values(SELECTOR_VALUES_MAX + 1))).is_err());
        assert!(Selector::parse(&"a".repeat(SELECTOR_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn apps_are_filtered_by_labels_and_fields() {
        let fields = AppFields { name: "web", run_as: "shop", cluster: "prod" };
        let is_meant = |label_text: &str, field_text: &str| {
            let filter = AppFilter::parse(label_text, field_text).expect("a good filter");
            filter.matches(&labels(&[("tier", "front")]), fields)
        };
        assert!(is_meant("", ""));
        assert!(is_meant("tier=front", "runAs==shop,name=web,cluster!=test"));
        assert!(is_meant("", "runAs in (shop,bank)"));
        assert!(!is_meant("tier=back", "runAs==shop"));
        assert!(!is_meant("tier", "runAs==bank"));
        assert!(!is_meant("", "name!=web"));
        for (labels, fields, part) in [
            ("a b", "", "labels: at character 3"),
            ("", "runAs", "fields: runAs must be compared"),
            ("", "!runAs", "fields: runAs must be compared"),
            ("", "runas=shop", "fields: 'runas' is no field; the fields are runAs, name, cluster"),
            ("", "name>1", "fields: name must be compared"),
            ("", "=", "fields: at character 1"),
        ] {
            let error = AppFilter::parse(labels, fields).expect_err(part);
            assert!(error.starts_with(part), "{error}");
        }
    }

    proptest! {
        #[test]
        fn junk_is_refused_or_read_and_never_a_panic(text in "[ab!=<>(),\t inot1\u{e9}\u{2028}-]{0,40}") {
            if let Ok(selector) = Selector::parse(&text) {
                let written = selector.to_string();
                prop_assert_eq!(Selector::parse(&written), Ok(selector.clone()), "{}", written);
                prop_assert_eq!(selector.to_string(), written);
                selector.matches(|_| None);
                selector.matches(|_| Some("1"));
            }
        }

        #[test]
        fn any_text_is_no_panic(text in "\\PC{0,200}") {
            drop(AppFilter::parse(&text, &text));
        }
    }
}
