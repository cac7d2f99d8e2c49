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

fn follow(machine: &mut Scheduler, key: &[u8], value: Vec<u8>) {
    let op = Op { key: RecordKey(key.to_vec()), value: Some(value) };
    assert_eq!(step(machine, Input::Follow { entries: vec![op] }), []);
}

/// What a machine says that followed a record and is then to lead.
fn led_over(key: &[u8], value: Vec<u8>) -> Vec<String> {
    let mut machine = booted();
    // Its app, so that the version is looked at.
    follow(&mut machine, b"aweb.shop", b"\x0a\x09/shop/web".to_vec());
    follow(&mut machine, key, value);
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
    assert_eq!(led_over(slot, vec![0xff]), [r#"Slot("web.shop", 1) is damaged"#]);
}

/// A message in a record: its tag and its content.
type Inner<'a> = (u8, &'a [u8]);

/// A field in a record, or in one inside it, as a newer build would write it: number 1000, one byte.
const NEW_FIELD: &[u8] = b"\xc0\x3e\x07";

/// U1, S25: what an older build would lose by writing a record back, it does not lead over.
#[test]
fn a_record_with_fields_of_a_newer_build_is_named_and_nobody_leads_over_it() {
    let version = b"vweb.shop\0\0\0\0\0\0\0\0\x07";
    let slot = b"sweb.shop\0\0\0\0\x01";
    let spec = |more: &str| {
        let spec = format!(r#"{{"id":"/shop/web","container":{{"docker":{{"image":"web"{more}}}}}}}"#);
        Version { spec }.encode_to_vec()
    };
    let rollout = b"\x12\x08updating\x1a\x07running";
    // A key, a record that this build knows all of, and the tag of a message in it with that content.
    let records: [(&[u8], Vec<u8>, Option<Inner<'_>>); 12] = [
        (b"f", b"\x0a\x02F1".to_vec(), None),
        (b"aweb.shop", b"\x0a\x09/shop/web".to_vec(), None),
        (b"aweb.shop", b"\x0a\x09/shop/web".to_vec(), Some((0x5a, rollout))),
        (b"aweb.shop", b"\x0a\x09/shop/web".to_vec(), Some((0x62, rollout))),
        (version, spec(""), None),
        (slot, b"\x28\x07".to_vec(), None),
        (slot, Vec::new(), Some((0x0a, b"\x08\x07\x1a\x02S1\x28\x01"))),
        (slot, Vec::new(), Some((0x22, b"\x12\x01x"))),
        (b"ot.1.web.shop", b"\x0a\x02S1".to_vec(), None),
        (b"qt", b"\x0a\x02S1".to_vec(), None),
        (b"ikey", b"\x18\x02\x22\x08web.shop".to_vec(), None),
        (b"hS1", b"\x0a\x02h1".to_vec(), Some((0x2a, b"\x0a\x01k\x12\x01v"))),
    ];
    for (key, outer, inner) in records {
        let framed = |content: &[u8]| match inner {
            Some((tag, _)) => [&outer[..], &[tag, content.len() as u8], content].concat(),
            None => outer.clone(),
        };
        let content = inner.map_or(&b""[..], |(_, content)| content);
        let known = framed(content);
        let mut newer = vec![[&known[..], NEW_FIELD].concat()];
        newer.extend(inner.map(|_| framed(&[content, NEW_FIELD].concat())));
        let mut machine = booted();
        follow(&mut machine, b"aweb.shop", b"\x0a\x09/shop/web".to_vec());
        follow(&mut machine, key, known.clone());
        assert_eq!(machine.view().unreadable(), &[] as &[String], "{key:?} {known:?}");
        for value in newer {
            let said = led_over(key, value);
            assert!(said.len() == 1 && said[0].contains("has what this build does not know"), "{said:?}");
        }
    }
    let said = led_over(version, spec(r#","colour":"red""#));
    assert!(said[0].contains("has what this build does not know"), "{said:?}");
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
