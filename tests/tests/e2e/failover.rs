//! Holds three managers on ZooKeeper while the one that leads is killed, frozen, cut off, or told to go: nothing is lost,
//! nothing is there twice, nothing restarts.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;
use swan_tests::ensemble::Ensemble;

use crate::history::{Load, labelled};
use crate::http::exchange;
use crate::managers::{Managers, SESSION, begin, print_time, versions};
use crate::patience::{ensure, until};
use crate::program;
use crate::proxy::{Proxy, Way};
use crate::scene::{Dev, Stage, ids, web};

/// Every id that Mesos has ever known of a framework.
fn ever(dev: &Dev, framework: &str) -> Vec<String> {
    let state = until("the state of Mesos", || exchange(dev.mesos, "GET /state", &[], "")).json();
    let frameworks = state["frameworks"].as_array().expect("a list").iter();
    let lists = frameworks.filter(|known| known["id"] == framework).flat_map(|known| {
        ["tasks", "completed_tasks"].map(|name| known[name].as_array().cloned().unwrap_or_default())
    });
    ids(&lists.flatten().collect::<Vec<_>>())
}

#[test]
fn a_killed_leader_is_followed_by_the_next_and_nothing_restarts() {
    let stage = Stage::new("leader-killed");
    let ensemble = Ensemble::start("leader-killed", 1);
    let (dev, mut managers, before) = begin(&stage, &ensemble, 3);
    let framework = managers.api(0).framework();
    let old = managers.leader();
    let last = {
        let events = managers.api(old).events(None);
        let labelled = labelled("/shop/web", 3, "touches no task");
        managers.api(old).expect(202, "PUT /v1/apps/web.shop", Some(&labelled));
        events.upto("of the update", |event| event.kind == "app_updated").pop().expect("one is there")
    };
    sleep(Duration::from_secs(1));
    managers.kill(old);
    let began = Instant::now();
    let other = managers.api((old + 1) % 3);
    other.scale("web.shop", 4);
    print_time("a change that was asked for right after the kill was durable", began);
    let four = other.steady("web.shop", 4);
    assert_eq!(ids(&four[..3]), ids(&before), "nothing restarts");
    assert_eq!(managers.api(managers.leader()).framework(), framework);
    dev.mesos_knows_just(&framework, &four);
    assert_eq!(ever(&dev, &framework), ids(&four), "nothing was ever there twice");
    let resumed = other.events(Some(&last.id)).upto("after the failover", |event| event.kind == "app_scaled");
    assert!(resumed.iter().all(|event| event.kind != "gap" && event.place() > last.place()), "{resumed:#?}");
    managers.revive(old);
    managers.follows(old);
    until("the managers know of each other", || {
        let told = other.get("/v1/leader");
        let roles: Vec<_> =
            told["managers"].as_array().expect("a list").iter().map(|manager| &manager["role"]).collect();
        let leaders = roles.iter().filter(|role| **role == "leader").count();
        // It knows how the journal is written, and all of them can read that.
        let same = told["formatInForce"] == 1 && told["managers"][0]["format"] == 1;
        ensure(roles.len() == 3 && leaders == 1 && same, || told.to_string())
    });
    assert_eq!(managers.api(old).get("/v1/apps/web.shop")["instances"], 4);
}

#[test]
fn a_rolling_update_goes_on_whenever_the_leader_is_killed() {
    let stage = Stage::new("update-killed");
    let ensemble = Ensemble::start("update-killed", 1);
    let (dev, mut managers, mut before) = begin(&stage, &ensemble, 4);
    let framework = managers.api(0).framework();
    let mut known = ever(&dev, &framework).len();
    // After so many of the four tasks are new.
    for (round, phase) in [0, 1, 3, 4].into_iter().enumerate() {
        let leader = managers.leader();
        let api = managers.api((leader + 1) % 3);
        let mut app = web("/shop/web", 4);
        app["env"] = json!({ "ROUND": round.to_string() });
        app["upgradeStrategy"] = json!({ "minimumHealthCapacity": 0.75, "maximumOverCapacity": 0.25 });
        api.expect(202, "PUT /v1/apps/web.shop", Some(&app));
        let old = versions(&before)[0].clone();
        until(&format!("{phase} new tasks"), || {
            let shown = managers.api(leader).tasks("web.shop");
            let new =
                versions(&shown).iter().filter(|version| !version.is_empty() && **version != old).count();
            ensure(new >= phase, || format!("{new} are new"))
        });
        managers.kill(leader);
        let after = until("the update is done", || {
            let tasks = api.steady("web.shop", 4);
            ensure(versions(&tasks).iter().all(|version| *version != old), || crate::api::brief(&tasks))?;
            Ok(tasks)
        });
        dev.mesos_knows_just(&framework, &after);
        known += 4;
        assert_eq!(ever(&dev, &framework).len(), known, "round {round}: each task was replaced once");
        managers.revive(leader);
        managers.follows(leader);
        before = after;
    }
}

#[test]
fn a_frozen_leader_that_thaws_follows_the_new_one() {
    let stage = Stage::new("leader-frozen");
    let ensemble = Ensemble::start("leader-frozen", 1);
    let (dev, mut managers, _) = begin(&stage, &ensemble, 2);
    let framework = managers.api(0).framework();
    let old = managers.leader();
    managers.signal(old, "-STOP");
    let began = Instant::now();
    let new = managers.leader_but(Some(old));
    print_time("another led after the leader was frozen", began);
    managers.api(new).scale("web.shop", 3);
    let three = managers.api(new).steady("web.shop", 3);
    sleep((SESSION * 3).saturating_sub(began.elapsed()));
    managers.signal(old, "-CONT");
    // Whatever it still believes, it does not lead: what is asked of it is answered by the new leader, or later.
    managers.api(old).scale("web.shop", 4);
    let four = managers.api(new).steady("web.shop", 4);
    assert_eq!(ids(&four[..3]), ids(&three));
    managers.follows(old);
    assert_eq!(managers.leader(), new);
    dev.mesos_knows_just(&framework, &four);
    assert_eq!(ever(&dev, &framework), ids(&four));
    managers.all_run();
}

#[test]
fn a_leader_cut_off_from_zookeeper_stops_although_mesos_still_hears_it() {
    let stage = Stage::new("leader-cut");
    let ensemble = Ensemble::start("leader-cut", 1);
    let dev = stage.dev("builtin");
    let proxies = [(); 3].map(|()| Proxy::before(ensemble.address(0)));
    let views = proxies.each_ref().map(|proxy| proxy.address.to_string());
    let mut managers = Managers::start(&dev, &views);
    managers.api(0).create(&web("/shop/web", 2));
    let before = managers.api(0).steady("web.shop", 2);
    let framework = managers.api(0).framework();
    for way in [Way::Swallow, Way::Cut] {
        let old = managers.leader();
        proxies[old].set(way);
        let began = Instant::now();
        let new = managers.leader_but(Some(old));
        print_time(&format!("another led after the leader was cut off ({way:?})"), began);
        let refused =
            managers.api(old).attempt("POST /v1/apps/web.shop/restart", &[("swan-forwarded", "true")], None);
        let refused = refused.expect("it answers");
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(managers.api(new).get("/v1/apps/web.shop")["instances"], 2);
        proxies[old].set(Way::Open);
        managers.follows(old);
        assert_eq!(managers.leader(), new);
    }
    let after = managers.api(0).steady("web.shop", 2);
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(ever(&dev, &framework), ids(&before));
    managers.all_run();
}

#[test]
fn all_managers_may_be_killed_at_once() {
    let stage = Stage::new("all-killed");
    let ensemble = Ensemble::start("all-killed", 1);
    let (dev, mut managers, before) = begin(&stage, &ensemble, 3);
    let framework = managers.api(0).framework();
    (0..3).for_each(|seat| managers.kill(seat));
    sleep(SESSION);
    (0..3).for_each(|seat| managers.revive(seat));
    let leader = managers.leader();
    let after = managers.api(leader).steady("web.shop", 3);
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(managers.api(leader).framework(), framework);
    assert_eq!(ever(&dev, &framework), ids(&before));
    assert_eq!(managers.api(leader).get("/v1/quarantine"), json!([]));
}

#[test]
fn a_leader_that_is_told_to_go_is_followed_at_once() {
    let stage = Stage::new("abdication");
    let ensemble = Ensemble::start("abdication", 1);
    let (dev, mut managers, before) = begin(&stage, &ensemble, 2);
    let framework = managers.api(0).framework();
    for round in 0..3 {
        let old = managers.leader();
        let began = Instant::now();
        managers.api((old + 1) % 3).expect(204, "DELETE /v1/leader", None);
        managers.api((old + 2) % 3).scale("web.shop", 3 + round);
        print_time("a change was durable after the leader was told to go", began);
        managers.api(0).steady("web.shop", 3 + round as usize);
        assert_ne!(managers.leader(), old);
    }
    let server = format!("http://{}", managers.api(0).address);
    let shown = program::run(&["leader", "show", "--server", &server]);
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    let role = |role| shown.lines().filter(|line| line.split_whitespace().nth(1) == Some(role)).count();
    assert_eq!((role("leader"), role("standby")), (1, 2), "{shown}");
    let five = managers.api(0).steady("web.shop", 5);
    assert_eq!(ids(&five[..2]), ids(&before));
    assert_eq!(ever(&dev, &framework), ids(&five));
    managers.all_run();
}

#[test]
fn everything_may_be_restarted_under_a_load_of_changes() {
    let stage = Stage::new("rolling-restart");
    let mut ensemble = Ensemble::start("rolling-restart", 3);
    let dev = stage.dev("builtin");
    let mut managers = Managers::three(&dev, &ensemble.addresses());
    let load = Load::begin((0..3).map(|seat| managers.api(seat)).collect(), "/shop/web", 2);
    let before = managers.api(0).steady("web.shop", 2);
    for seat in 0..3 {
        managers.terminate(seat);
        managers.revive(seat);
        managers.follows(seat);
    }
    for server in 0..3 {
        ensemble.kill(server);
        ensemble.revive(server);
        ensemble.wait();
    }
    let leader = managers.leader();
    managers.kill(leader);
    sleep(Duration::from_secs(1));
    managers.revive(leader);
    managers.follows(leader);
    let outcome = load.end();
    assert!(outcome.written > 20 && outcome.read > 20, "{outcome:?}");
    let after = managers.api(managers.leader()).steady("web.shop", 2);
    assert_eq!(ids(&after), ids(&before), "labels restart nothing, nor do failovers");
}
