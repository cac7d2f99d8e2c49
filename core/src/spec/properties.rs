//! Property tests: no bytes whatever bring the reader down, and any spec survives its canonical form.

mod generate;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use generate::spec;

/// Documents that say nearly everything: in Marathon's old form, with Swan's own keys, and in original Swan's form.
const LEGACY: &str = r#"{"id":"/a/b","cmd":"x","cpus":0.1,"mem":32,"instances":2,"env":{"A":"b"},"labels":{"c":"d"},
    "container":{"type":"DOCKER","docker":{"image":"r.io:5000/a/b:c","network":"BRIDGE","parameters":[{"key":"e","value":"f"}],
    "portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp","name":"http"}]},
    "volumes":[{"containerPath":"/g","hostPath":"/h","mode":"RW"}]},"healthChecks":[{"path":"/","portIndex":0}],
    "fetch":[{"uri":"http://i/j"}],"backoffFactor":1.15,"upgradeStrategy":{"minimumHealthCapacity":0.333},"acceptedResourceRoles":["*"]}"#;
const OWN: &str = r#"{"id":"/a/b","gpus":1,"resourceLimits":{"cpus":"unlimited","mem":256},"networks":[{"mode":"container","name":"n"}],"ips":["10.0.0.7"],
    "container":{"docker":{"image":"c"},"portMappings":[{"containerPort":80,"networkNames":["n"]}]},"env":{"A":{"secret":"s"}},"secrets":{"s":{"source":"/s"}},
    "constraints":["rack == a OR UNIQUE hostname",["rack","GROUP_BY","3"],{"attribute":"a","operator":"~=","value":"b.*"}],
    "failover":{"retries":3,"windowSeconds":60,"errors":{"states":["TASK_FAILED"],"exitCodes":[1,"3-10"]},"onExhausted":"rollback"},
    "update":{"parallel":2,"delay":0.25,"maxFailures":1},"placement":{"strategy":"weighted","weights":{"cpus":1,"tasks":-1}},
    "unreachableStrategy":{"inactiveAfterSeconds":1},"killSelection":"OLDEST_FIRST","dependencies":["../c"],"readinessChecks":[{"timeoutSeconds":1}],
    "proxy":{"proxies":[{"alias":"d.e","listen":"80"}]},"canary":{"instances":1,"value":0.5},"autoscale":{"minInstances":1,"maxInstances":2,"metric":"cpu","target":0.5}}"#;
const ORIGINAL: &str = r#"{"name":"Web","runAs":"shop","cluster":"c","cpus":0,"mem":5,"instances":2,"cmd":"x","uris":["http://i/j"],
    "container":{"type":"docker","docker":{"image":"c","network":"host","portMappings":[{"name":"http","protocol":"tcp","containerPort":80,"hostPort":8080}]},
    "volumes":[{"containerPath":"/g","hostPath":"/h","mode":"RW"}]},"healthCheck":{"protocol":"http","portName":"http","path":"/","intervalSeconds":5,"consecutiveFailures":0},
    "constraints":[{"attribute":"a","operator":"==","value":"b"}],"kill":{"duration":3},"restart":{"retries":1},"update":{"delay":1.5,"onFailure":"continue"},
    "proxy":{"enabled":true,"alias":"d.e","listen":"80","sticky":true}}"#;

fn full() -> impl Strategy<Value = &'static str> {
    select(alloc::vec![LEGACY, OWN, ORIGINAL])
}

/// Whatever is understood has a canonical form that is a fixed point.
fn check(document: &[u8]) {
    let Ok(parsed) = AppSpec::parse(document) else { return };
    let canonical = parsed.spec.canonical_json();
    let again = AppSpec::parse(canonical.as_bytes()).expect("the canonical form is understood");
    assert!(again.spec == parsed.spec, "{canonical}");
    assert_eq!(again.spec.canonical_json(), canonical);
    assert!(again.warnings.iter().all(|warning| parsed.warnings.contains(warning)), "{canonical}");
    parsed.spec.template(&parsed.spec.path.dotted(), "v");
}

#[test]
fn the_full_documents_are_good() {
    for document in [LEGACY, OWN, ORIGINAL] {
        assert_eq!(AppSpec::parse(document.as_bytes()).map(|_| ()), Ok(()), "{document}");
        check(document.as_bytes());
    }
}

proptest! {
    #[test]
    fn any_spec_survives_its_canonical_form(spec in spec()) {
        let canonical = spec.canonical_json();
        let again = AppSpec::parse(canonical.as_bytes()).map_err(|problems| TestCaseError::fail(format!("{problems:?} in {canonical}")))?;
        prop_assert!(again.spec == spec, "{canonical}\n{}", again.spec.canonical_json());
        prop_assert_eq!(again.spec.canonical_json(), canonical);
        let kept = |warning: &Problem| warning.message == carried::NOT_YET;
        prop_assert!(again.warnings.iter().all(kept), "{:?}", again.warnings);
        prop_assert_eq!(again.warnings.len(), spec.carried.len() + spec.env_secrets.len());
        prop_assert!(spec.same_containers(&again.spec));
    }

    #[test]
    fn no_bytes_bring_the_reader_down(bytes in vec(any::<u8>(), 0..512)) {
        check(&bytes);
    }

    #[test]
    fn no_damage_to_a_document_brings_the_reader_down(
        full in full(),
        edits in vec((any::<prop::sample::Index>(), 0..4_usize, prop_oneof![
            select(alloc::vec!["", "null", "0", "-1", "1e308", "1e-9", "0.30000000000000004", "\"\"", "[]", "{}", "true", "\"\\ud83d\"", ",", "\""]).prop_map(String::from),
            "[ -~]{0,3}",
        ]), 1..4)
    ) {
        let mut document = full.as_bytes().to_vec();
        for (at, length, new) in edits {
            let start = at.index(document.len());
            let end = (start + length).min(document.len());
            document.splice(start..end, new.bytes());
        }
        check(&document);
    }

    /// Replaces whole values, so that the text stays JSON.
    #[test]
    fn no_value_in_any_place_brings_the_reader_down(
        full in full(),
        at in any::<prop::sample::Index>(),
        new in select(alloc::vec!["null", "0", "-1", "1e308", "1e-9", "65536", "18446744073709551616", "\"\"", "\"\\u0000\"", "[]", "[[]]", "{}", "[{}]", "{\"\":0}", "true"]),
    ) {
        let starts: Vec<usize> = full.match_indices(':').map(|(colon, _)| colon + 1).filter(|&at| full[at..].starts_with(['"', '[', '{', '0', '1', '2', '3', '8'])).collect();
        let start = starts[at.index(starts.len())];
        let mut stream = serde_json::Deserializer::from_str(&full[start..]).into_iter::<serde::de::IgnoredAny>();
        if matches!(stream.next(), Some(Ok(_))) {
            let end = start + stream.byte_offset();
            check(format!("{}{new}{}", &full[..start], &full[end..]).as_bytes());
        }
    }
}
