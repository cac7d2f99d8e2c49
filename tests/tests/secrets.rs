//! Owns the canary for secrets: a value that may be secret is put in, and must not come out where people look (S22).

use swan_core::record::{Op, RecordKey};
use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::input::{Input, RequestId};
use swan_core::spec::AppSpec;
use swan_mesos::client::{Credential, Secret};

const CANARY: &str = "c4n4ryInAC0alM1ne";

fn document(extra: &str) -> String {
    format!(
        r#"{{"id":"/a","container":{{"docker":{{"image":"x"}}}},"cmd":"sleep 1","env":{{"TOKEN":"{CANARY}"}}{extra}}}"#
    )
}

fn assert_hidden(what: &str, shown: &str) {
    let as_bytes = CANARY.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    assert!(!shown.contains(CANARY) && !shown.contains(&as_bytes), "{what} shows a secret: {shown}");
}

#[test]
fn a_definition_does_not_show_its_environment() {
    let parsed = AppSpec::parse(document("").as_bytes()).expect("a sound definition");
    assert!(parsed.spec.canonical_json().contains(CANARY), "the canary is in it");
    assert_hidden("a definition", &format!("{:?}", parsed.spec));
    assert_hidden("a parsed definition", &format!("{parsed:?}"));
    let template = parsed.spec.template(&parsed.spec.path.dotted(), "1");
    assert_hidden("what its tasks share", &format!("{template:?}"));
}

#[test]
fn refusals_do_not_quote_the_environment() {
    for extra in
        [r#","cpus":-1"#, r#","frobnicate":1"#, r#","env":{"B":"2"}"#, r#","healthChecks":[{}]"#, ","]
    {
        match AppSpec::parse(document(extra).as_bytes()) {
            Ok(parsed) => assert_hidden("a warning", &format!("{:?}", parsed.warnings)),
            Err(problems) => assert_hidden("a problem", &format!("{problems:?}")),
        }
    }
}

#[test]
fn requests_and_changes_do_not_show_their_content() {
    let call = ApiCall::CreateApp { document: document("").into_bytes() };
    let request = ApiRequest { who: Caller::default(), idempotency: None, call };
    assert_hidden("a request", &format!("{:?}", Input::Api { id: RequestId(1), request: Box::new(request) }));
    let op = Op { key: RecordKey(b"va".to_vec()), value: Some(document("").into_bytes()) };
    assert_hidden("a change", &format!("{op:?}"));
}

#[test]
fn credentials_do_not_show_their_secret() {
    let credential = Credential { principal: "swan".into(), secret: Secret::new(CANARY) };
    assert_hidden("a credential", &format!("{credential:?}"));
}
