//! Holds managers while ZooKeeper loses servers, or its quorum: tasks live on, reads are answered, and all resumes by
//! itself.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use swan_tests::ensemble::Ensemble;

use crate::http::exchange;
use crate::managers::{SESSION, begin, print_time};
use crate::patience::{ensure, until};
use crate::scene::{Stage, ids};

/// How long the quorum is lost.
const LOST: Duration = Duration::from_secs(60);

#[test]
fn any_one_server_of_three_may_be_lost() {
    let stage = Stage::new("server-lost");
    let mut ensemble = Ensemble::start("server-lost", 3);
    let (dev, mut managers, before) = begin(&stage, &ensemble, 2);
    let framework = managers.api(0).framework();
    for server in 0..3 {
        let leads = ensemble.leader() == Some(server);
        ensemble.kill(server);
        let began = Instant::now();
        // On a slow machine the election of ZooKeeper outlasts the leader's lease: then clients are told to try again.
        until("the change is taken", || {
            let wanted = json!({ "instances": 3 + server });
            let answer = managers.api(server).ask("POST /v1/apps/web.shop/scale", &[], Some(&wanted));
            ensure(answer.status != 503, || format!("{answer:?}"))
        });
        print_time(
            &format!("a change was durable after a server was lost (the leading one: {leads})"),
            began,
        );
        managers.api(server).steady("web.shop", 3 + server);
        ensemble.revive(server);
        ensemble.wait();
    }
    let after = managers.api(0).steady("web.shop", 5);
    assert_eq!(ids(&after[..2]), ids(&before));
    dev.mesos_knows_just(&framework, &after);
    managers.all_run();
}

#[test]
fn without_a_quorum_nothing_is_changed_and_afterwards_all_goes_on() {
    let stage = Stage::new("quorum-lost");
    let mut ensemble = Ensemble::start("quorum-lost", 3);
    let (dev, mut managers, before) = begin(&stage, &ensemble, 3);
    let framework = managers.api(0).framework();
    (0..2).for_each(|server| ensemble.kill(server));
    let lost = Instant::now();
    sleep(SESSION * 2);
    // A task that ends meanwhile is not replaced, since that could not be remembered.
    drop(exchange(crate::api::address(&before[2]), "POST /_swan/fail", &[], ""));
    for seat in 0..3 {
        let refused = managers.api(seat).attempt(
            "POST /v1/apps/web.shop/scale",
            &[("swan-forwarded", "true")],
            Some(&json!({ "instances": 9 })),
        );
        let refused = refused.expect("it answers");
        assert_eq!(refused.status, 503, "{refused:?}");
        let read = managers.api(seat).ask("GET /v1/apps/web.shop", &[], None);
        assert_eq!((read.status, read.json()["instances"].as_u64()), (200, Some(3)));
        assert!(!read.header("swan-lag-ms").is_empty(), "{}", read.head);
    }
    sleep(LOST.saturating_sub(lost.elapsed()));
    assert_eq!(dev.mesos_tasks(&framework), ids(&before[..2]), "nothing is launched, nothing is killed");
    (0..2).for_each(|server| ensemble.revive(server));
    ensemble.wait();
    let began = Instant::now();
    let leader = managers.leader();
    print_time("a manager led after the quorum was back", began);
    let after = until("the lost task is replaced", || {
        let tasks = managers.api(leader).steady("web.shop", 3);
        ensure(tasks[2]["id"] != before[2]["id"], || crate::api::brief(&tasks))?;
        Ok(tasks)
    });
    assert_eq!(ids(&after[..2]), ids(&before[..2]));
    dev.mesos_knows_just(&framework, &after);
    sleep(Duration::from_millis(100));
    managers.all_run();
}
