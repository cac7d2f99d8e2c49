//! Owns the bodies for text that people and clients write: names, ids, documents.

use swan_core::constraint::{Census, Element, Host, Key, Rules, Value};
use swan_core::id::{AppPath, TaskName};
use swan_core::scheduler::event::EventId;
use swan_core::selector::Selector;
use swan_core::spec::{AppSpec, read_documents};

/// App paths, task ids, event ids and selectors: what parses is printed so that it parses to the same.
pub fn names(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(path) = AppPath::parse(text) {
        assert_eq!(AppPath::parse(path.as_str()).as_ref(), Ok(&path));
        assert_eq!(
            path.dotted().as_str().len() + 1,
            path.as_str().len(),
            "the dotted form loses only the first slash"
        );
    }
    if let Some(name) = TaskName::parse(text) {
        assert_eq!(name.id().as_str(), text, "a task id has one spelling");
    }
    if let Some(id) = EventId::parse(text) {
        assert_eq!(EventId::parse(&id.to_string()), Some(id));
    }
    if let Ok(selector) = Selector::parse(text) {
        assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }
}

/// Files of definitions: each part has a place of its own, and a good app is the same when it is read alone.
fn definitions(data: &[u8]) {
    let documents = read_documents(data);
    assert!(!documents.is_empty(), "something is said of every file");
    for document in documents {
        match document.outcome {
            Err(problems) => {
                assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty()));
            }
            Ok(Some(spec)) => {
                let alone = AppSpec::parse(spec.canonical_json().as_bytes()).expect("it is accepted alone");
                assert_eq!(alone.spec, spec, "it means the same alone");
            }
            Ok(None) => assert!(!document.warnings.is_empty(), "a group is told of for its warnings only"),
        }
    }
}

/// Apps' documents: a refusal says why, and what was accepted has one canonical form that means the same (S19).
pub fn app_spec(data: &[u8]) {
    match AppSpec::parse(data) {
        Err(problems) => {
            assert!(problems.iter().all(|problem| !problem.message.is_empty()) && !problems.is_empty())
        }
        Ok(parsed) => {
            let canonical = parsed.spec.canonical_json();
            let again = AppSpec::parse(canonical.as_bytes()).expect("the canonical form is accepted");
            assert_eq!(again.spec, parsed.spec, "the canonical form means the same");
            assert_eq!(again.spec.canonical_json(), canonical, "the canonical form is its own");
            assert!(parsed.spec.same_containers(&again.spec));
            assert!(again.warnings.len() <= parsed.warnings.len(), "the canonical form warns of nothing new");
            parsed.spec.template(&parsed.spec.path.dotted(), "v");
        }
    }
    definitions(data);
}

/// An agent that has the same text, or the same number of thousandths, under every key.
struct Everywhere<'a> {
    text: &'a str,
    thousandths: Option<i64>,
}

impl Host for Everywhere<'_> {
    type Group = String;

    fn value(&self, _: &Key) -> Option<Value<'_>> {
        Some(self.thousandths.map_or(Value::Text(self.text), Value::Scalar))
    }

    fn group(&self, _: usize, key: &Key) -> Option<String> {
        self.value(key).map(Value::text)
    }
}

/// Placement rules, as a text and as the lines of one of Marathon's arrays: a refusal points into the text, and what was
/// accepted has a canonical form that means the same, can be asked of any agent, and counts back to nothing.
pub fn constraints(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Ok(rules) = Rules::marathon(&lines) {
        ask(&rules, text);
    }
    match Rules::parse(text) {
        Err(error) => {
            assert!(!error.message.is_empty());
            assert!((1..=text.chars().count() + 1).contains(&error.column), "the column is in the text");
        }
        Ok(rules) => ask(&rules, text),
    }
}

fn ask(rules: &Rules, text: &str) {
    let read = |element| match element {
        Element::Marathon(texts) => Rules::marathon(&texts).expect("an array of ours is accepted"),
        Element::Text(text) => Rules::parse(&text).expect("a text of ours is accepted"),
    };
    let again = rules.elements().into_iter().map(read).fold(Rules::default(), Rules::and);
    assert_eq!(again, *rules, "the canonical form means the same");
    let matcher = rules.compile();
    let mut census = Census::new(&matcher);
    for thousandths in [None, Some(i64::MIN), Some(text.len() as i64)] {
        let host = Everywhere { text, thousandths };
        for _ in 0..2 {
            if let Err(index) = matcher.check(&host, &census) {
                assert!(!matcher.describe(index).is_empty(), "each rule has a text");
            }
            matcher.score(&host, &census);
            census.add(&matcher, &host);
        }
        census.remove(&matcher, &host);
        census.remove(&matcher, &host);
        assert_eq!(census, Census::new(&matcher), "what is gone leaves no trace");
    }
}
