//! Owns the bodies for text that people and clients write: names, ids, documents.

use swan_core::id::{AppPath, TaskName};
use swan_core::scheduler::event::EventId;
use swan_core::selector::Selector;
use swan_core::spec::AppSpec;

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
        }
    }
}
