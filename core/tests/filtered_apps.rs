//! Owns the tests of listings that are narrowed: each read looks at so many apps and no more, and pages lead to the end.

use swan_core::limits::APPS_SCANNED_PER_READ;
use swan_core::record::{Epoch, Seq};
use swan_core::scheduler::Scheduler;
use swan_core::scheduler::api::{ApiCall, ApiRequest, Caller};
use swan_core::scheduler::effect::Effect;
use swan_core::scheduler::input::{Build, Config, Input, Lead, RequestId, StoreEvent};
use swan_core::selector::AppFilter;
use swan_core::time::{ClusterTime, Now};

/// Steps, with a store that always says yes.
fn step(machine: &mut Scheduler, input: Input) {
    let mut inputs = vec![input];
    while let Some(input) = inputs.pop() {
        let mut effects = vec![];
        machine.step(Now::default(), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Store { seq, .. } => inputs.insert(0, Input::Store(StoreEvent::Stored { upto: seq })),
                Effect::Reply { result, .. } => drop(result.expect("the request is taken")),
                _ => {}
            }
        }
    }
}

/// A leader with so many apps, `/shop/a0000` and on; every thousandth has the label `rare`.
fn with_apps(count: usize) -> Scheduler {
    let mut machine = Scheduler::new();
    let config = Config { framework_name: "swan".into(), roles: vec!["*".into()], ..Config::default() };
    step(&mut machine, Input::Boot { seed: 1, build: Box::new(Build::default()), config: Box::new(config) });
    let lead =
        Lead { epoch: Epoch(1), seed: 2, seq: Seq(0), cluster_time: ClusterTime(0), crash_notes: vec![] };
    step(&mut machine, Input::Lead(Box::new(lead)));
    for n in 0..count {
        let labels = if n % 1000 == 0 { r#"{"rare":"yes"}"# } else { "{}" };
        let document = format!(
            r#"{{"id":"/shop/a{n:04}","instances":0,"labels":{labels},"container":{{"docker":{{"image":"x"}}}}}}"#
        );
        let call = ApiCall::CreateApp { document: document.into_bytes() };
        let request = ApiRequest { who: Caller::default(), idempotency: None, call };
        step(&mut machine, Input::Api { id: RequestId(n as u64), request: Box::new(request) });
    }
    machine
}

/// All pages: how many items each has, and the ids of all.
fn pages(machine: &Scheduler, filter: &AppFilter, limit: usize) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut ids, mut after) = (vec![], vec![], None);
    loop {
        let page = machine.view().apps_where(filter, after.as_deref(), limit);
        sizes.push(page.items.len());
        ids.extend(page.items.iter().map(|app| app.id.to_string()));
        match page.next {
            Some(next) => after = Some(next),
            None => return (sizes, ids),
        }
    }
}

#[test]
fn a_read_looks_at_a_bounded_number_of_apps_and_pages_lead_on() {
    let machine = with_apps(2 * APPS_SCANNED_PER_READ + 10);
    let rare = AppFilter::parse("rare=yes", "runAs=shop").expect("a good filter");
    let (sizes, ids) = pages(&machine, &rare, 100);
    assert_eq!(sizes, [2, 1, 0]);
    assert_eq!(ids, ["a0000.shop", "a1000.shop", "a2000.shop"]);

    let none = AppFilter::parse("", "cluster=prod").expect("a good filter");
    assert_eq!(pages(&machine, &none, 100), (vec![0, 0, 0], vec![]));
}

#[test]
fn a_page_that_is_full_ends_with_its_last_app() {
    let machine = with_apps(5);
    let every = AppFilter::default();
    assert_eq!(pages(&machine, &every, 2).0, [2, 2, 1]);
    assert_eq!(pages(&machine, &every, 5).0, [5]);
    let one = AppFilter::parse("", "name in (a0001,a0003)").expect("a good filter");
    let (sizes, ids) = pages(&machine, &one, 1);
    assert_eq!(ids, ["a0001.shop", "a0003.shop"]);
    assert!(sizes.iter().all(|&size| size <= 1), "{sizes:?}");
    let same: Vec<String> =
        machine.view().apps(None, 10).items.iter().map(|app| app.id.to_string()).collect();
    assert_eq!(pages(&machine, &every, 10).1, same);
}
