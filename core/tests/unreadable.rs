//! Owns what happens when durable records are not understood, or left over: nobody leads over the former, and people are
//! told which; the latter are forgotten.

use prost::Message;
use swan_core::id::DottedId;
use swan_core::record::{Epoch, Op, RecordKey, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, AppChange, Caller, ErrorKind};
use swan_core::scheduler::effect::Effect;
use swan_core::scheduler::input::{Build, Config, DeposeReason, Input, Lead, RequestId};
use swan_core::time::{ClusterTime, Now};

/// A version's record, as far as it matters here.
#[derive(Clone, PartialEq, Eq, Message)]
struct Version {
    #[prost(string, tag = "1")]
    spec: String,
}

fn step(machine: &mut Scheduler, input: Input) -> Vec<Effect> {
    let mut effects = vec![];
    machine.step(Now::default(), input, &mut effects);
    effects
}

fn booted() -> Scheduler {
    let mut machine = Scheduler::new();
    let config = Config { framework_name: "swan".into(), roles: vec!["*".into()], ..Config::default() };
    step(&mut machine, Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
    machine
}

fn lead() -> Input {
    let cluster_time = ClusterTime(0);
    Input::Lead(Box::new(Lead { epoch: Epoch(1), seed: 2, seq: Seq(1), cluster_time, crash_notes: vec![] }))
}

/// What a machine says that followed a record and is then to lead.
fn led_over(key: &[u8], value: Vec<u8>) -> Vec<String> {
    let mut machine = booted();
    // Its app, so that the version is looked at.
    let app =
        Op { key: RecordKey(b"aweb.shop".to_vec()), value: Some(b"\x0a\x09/shop/web\x22\x04noop".to_vec()) };
    let odd = Op { key: RecordKey(key.to_vec()), value: Some(value) };
    assert_eq!(step(&mut machine, Input::Follow { entries: vec![app, odd] }), []);
    assert_eq!(step(&mut machine, lead()), [], "it does not even connect");
    assert_eq!(machine.view().deposed(), Some(DeposeReason::Unreadable));
    assert_eq!(machine.next_deadline(), None);
    let call = ApiCall::of_app(DottedId::from_text("web.shop"), AppChange::Delete, None);
    let request = ApiRequest { who: Caller::default(), idempotency: None, call };
    match &step(&mut machine, Input::Api { id: RequestId(1), request: Box::new(request) })[..] {
        [Effect::Reply { result: Err(error), .. }] => assert_eq!(error.kind, ErrorKind::Unavailable),
        other => panic!("{other:?}"),
    }
    machine.view().unreadable().to_vec()
}

#[test]
fn a_definition_that_is_refused_is_named_with_its_problem() {
    let spec = r#"{"id":"/shop/web","cpus":-1,"container":{"docker":{"image":"web"}}}"#.into();
    let said = led_over(b"vweb.shop\0\0\0\0\0\0\0\0\x07", Version { spec }.encode_to_vec());
    assert_eq!(
        said,
        [
            r#"Version("web.shop", 7) holds a definition that is refused: cpus is -1; must be a number from 0.001 to 1000000000"#
        ]
    );
}

#[test]
fn records_of_unknown_kinds_and_damaged_ones_are_named() {
    assert_eq!(led_over(b"zebra", vec![]), ["zebra is of a kind that this build does not know"]);
    let slot = b"sweb.shop\0\0\0\0\x01";
    assert_eq!(led_over(slot, vec![0xff]), [r#"Slot("web.shop", 1) is damaged, or of a newer build"#]);
}

#[test]
fn what_is_left_of_a_forgotten_app_becomes_no_part_of_the_next_of_its_name() {
    let mut machine = booted();
    let key = RecordKey(b"vweb.shop\0\0\0\0\0\0\0\0\x07".to_vec());
    let left = Op { key: key.clone(), value: Some(Version { spec: String::new() }.encode_to_vec()) };
    step(&mut machine, Input::Follow { entries: vec![left] });
    let effects = step(&mut machine, lead());
    let gone = Op { key, value: None };
    assert!(effects.contains(&Effect::Store { seq: Seq(2), ops: vec![gone] }), "{effects:?}");
}
