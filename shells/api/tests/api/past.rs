//! Owns the tests of what is read of failures, placement and agents, and of listings that are narrowed.

use serde_json::{Value, json};
use swan_core::id::TaskId;
use swan_core::scheduler::view::{AgentView, ExplainView, FailureView, PlacedView, WaitingView};
use swan_core::time::Timestamp;

use crate::client::{Got, get};
use crate::fake::{Served, app, task};

fn failure(slot: u32, ended: u64) -> FailureView {
    FailureView {
        slot,
        task: TaskId::new(format!("0a1b2c3d4e5f.{slot}.web.shop")),
        version: "17".to_owned(),
        state: "TASK_FAILED",
        reason: "REASON_COMMAND_EXECUTOR_FAILED",
        message: "Container exited with status 3".to_owned(),
        exit_code: Some(3),
        counted: true,
        agent_id: "agent-1".to_owned(),
        host: "node1".to_owned(),
        sandbox: "slaves/agent-1/x".to_owned(),
        started: Timestamp(0),
        ended: Timestamp(ended),
    }
}

fn slots(got: &Got) -> Vec<u64> {
    let page = got.json();
    let failures = page.as_array().unwrap_or_else(|| panic!("no list: {got:?}"));
    failures.iter().map(|failure| failure["slot"].as_u64().expect("a slot")).collect()
}

fn next(got: &Got) -> Option<String> {
    let link = got.header("link")?;
    link.trim_start_matches('<').split('>').next().map(str::to_owned)
}

#[tokio::test]
async fn failures_are_paged_between_slots() {
    let served = Served::new().await;
    assert_eq!(get(served.address, "/v1/apps/web.shop/failures").await.status, 404);
    served.add_app("/shop/web");
    served.state().failures =
        vec![failure(0, 2000), failure(0, 1000), failure(2, 5), failure(2, 4), failure(3, 1)];
    let all = get(served.address, "/v1/apps/web.shop/failures").await;
    assert_eq!(slots(&all), [0, 0, 2, 2, 3]);
    assert_eq!(
        all.json()[0],
        json!({
            "slot": 0, "taskId": "0a1b2c3d4e5f.0.web.shop", "version": "17", "state": "TASK_FAILED",
            "reason": "REASON_COMMAND_EXECUTOR_FAILED", "message": "Container exited with status 3", "exitCode": 3,
            "counted": true, "agentId": "agent-1", "host": "node1", "sandbox": "slaves/agent-1/x",
            "started": "1970-01-01T00:00:00.000Z", "ended": "1970-01-01T00:00:02.000Z",
        })
    );
    let first = get(served.address, "/v1/apps/web.shop/failures?limit=3").await;
    assert_eq!(slots(&first), [0, 0, 2, 2]);
    let rest = get(served.address, &next(&first).expect("a next page")).await;
    assert_eq!((slots(&rest), next(&rest)), (vec![3], None));
    assert_eq!(slots(&get(served.address, "/v1/apps/web.shop/failures?slot=2").await), [2, 2]);
    assert_eq!(slots(&get(served.address, "/v1/apps/web.shop/failures?slot=9").await), [] as [u64; 0]);
}

#[tokio::test]
async fn a_task_has_the_history_of_its_slot_also_when_it_is_gone() {
    let served = Served::new().await;
    served.add_app("/shop/web");
    served.state().tasks = vec![task(1, false)];
    served.state().failures = vec![failure(0, 2), failure(0, 1), failure(2, 5)];
    for (name, count) in
        [("0.web.shop", 2), ("FFFFFFFFFFFF.0.web.shop", 2), ("1.web.shop", 0), ("2.Web.Shop", 1)]
    {
        let got = get(served.address, &format!("/v1/apps/web.shop/tasks/{name}/history")).await;
        assert_eq!((got.status, slots(&got).len()), (200, count), "{name}");
    }
    for name in ["9.web.shop", "0.web.bank", "ffffffffffff.0.web.bank", "web.shop", "-1.web.shop", "x"] {
        let got = get(served.address, &format!("/v1/apps/web.shop/tasks/{name}/history")).await;
        assert_eq!(got.status, 404, "{name}");
        assert!(got.problem().contains(name), "{got:?}");
    }
}

#[tokio::test]
async fn an_explanation_names_requirements_and_the_nearest_miss() {
    let served = Served::new().await;
    assert_eq!(get(served.address, "/v1/apps/web.shop/explain").await.status, 404);
    served.add_app("/shop/web");
    served.state().explained = ExplainView {
        waiting: vec![WaitingView {
            version: "17".to_owned(),
            role: "*".to_owned(),
            slots: 2,
            backing_off: 1,
            agents: (5, 4),
            suitable: 0,
            failing: vec![("mem 512".to_owned(), 3), ("rack == a".to_owned(), 1)],
            nearest: Some(("node1".to_owned(), "12 MiB of memory".to_owned())),
        }],
        placed: vec![PlacedView { slot: 0, host: "node2".to_owned(), why: "fewest tasks".to_owned() }],
        given_up: vec![(3, "no agent".to_owned())],
    };
    assert_eq!(
        get(served.address, "/v1/apps/web.shop/explain").await.json(),
        json!({
            "waiting": [{
                "version": "17", "role": "*", "slots": 2, "backingOff": 1, "agents": 5, "agentsSeen": 4, "suitable": 0,
                "failing": [{"requirement": "mem 512", "agents": 3}, {"requirement": "rack == a", "agents": 1}],
                "nearest": {"host": "node1", "lacks": "12 MiB of memory"},
            }],
            "placed": [{"slot": 0, "host": "node2", "why": "fewest tasks"}],
            "givenUp": [{"slot": 3, "reason": "no agent"}],
        })
    );
}

fn agent(id: &str) -> AgentView {
    AgentView { id: id.to_owned(), host: format!("{id}.test"), ..AgentView::default() }
}

#[tokio::test]
async fn agents_are_listed_and_shown_by_id() {
    let served = Served::new().await;
    let known = AgentView {
        attributes: vec![("rack".to_owned(), "a".to_owned())],
        domain: Some(("eu".to_owned(), "eu-1".to_owned())),
        tasks: 3,
        offered: Some((1500, 512_000, 1_000_500, 2, 1001)),
        maintenance: Some((Timestamp(0), None)),
        ..agent("agent-1")
    };
    served.state().agents = vec![agent("agent-0"), known, agent("agent-10"), agent("agent-2")];
    let listed = get(served.address, "/v1/agents?limit=3").await;
    let ids: Vec<Value> = listed.json().as_array().expect("a list").iter().map(|a| a["id"].clone()).collect();
    assert_eq!(
        (ids, next(&listed).as_deref()),
        (
            vec![json!("agent-0"), json!("agent-1"), json!("agent-10")],
            Some("/v1/agents?limit=3&after=agent-10")
        )
    );
    assert_eq!(
        get(served.address, "/v1/agents/agent-1").await.json(),
        json!({
            "id": "agent-1", "host": "agent-1.test", "attributes": {"rack": "a"}, "region": "eu", "zone": "eu-1", "tasks": 3,
            "offered": {"cpus": 1.5, "mem": 512.0, "disk": 1000.5, "gpus": 2, "ports": 1001},
            "maintenance": {"begins": "1970-01-01T00:00:00.000Z", "ends": null},
        })
    );
    for id in ["agent-0", "agent-10", "agent-2"] {
        let got = get(served.address, &format!("/v1/agents/{id}")).await;
        assert_eq!((got.status, &got.json()["id"], &got.json()["offered"]), (200, &json!(id), &Value::Null));
    }
    for id in ["agent-", "agent-3", "agent-00", "Agent-1", "%00", "%C3%A9"] {
        assert_eq!(get(served.address, &format!("/v1/agents/{id}")).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn listings_are_narrowed_and_their_links_stay_so() {
    let served = Served::new().await;
    for n in 0..500 {
        let mut app = app(&format!("/a{n:03}"));
        app.labels = vec![("n".to_owned(), n.to_string()), ("tier".to_owned(), "web".to_owned())];
        app.run_as = if n % 2 == 0 { "even" } else { "odd" }.to_owned();
        served.state().apps.insert(app.id.to_string(), app);
    }
    let ids = |got: &Got| -> Vec<String> {
        let page = got.json();
        let apps = page.as_array().unwrap_or_else(|| panic!("no list: {got:?}"));
        apps.iter().map(|app| app["id"].as_str().expect("an id").to_owned()).collect()
    };
    let few =
        get(served.address, "/v1/apps?labels=n%20in%20(7,450,451),tier%3Dweb&fields=runAs%3D%3Deven").await;
    assert_eq!((ids(&few), next(&few)), (vec!["a450".to_owned()], None));
    let none = get(served.address, "/v1/apps?labels=%21tier").await;
    assert_eq!((none.status, ids(&none).len()), (200, 0));

    let mut path = Some("/v1/apps?labels=n%3E199&labels=n%3C400&fields=runAs%3Dodd&limit=30".to_owned());
    let mut seen = Vec::new();
    let mut pages = 0;
    while let Some(at) = path {
        let got = get(served.address, &at).await;
        seen.extend(ids(&got));
        pages += 1;
        path = next(&got);
    }
    let wanted: Vec<String> = (200..400).filter(|n| n % 2 == 1).map(|n| format!("a{n:03}")).collect();
    assert_eq!(seen, wanted);
    assert!(pages >= 4, "{pages}");
    assert!(served.state().copied_max <= 100);

    let bad = get(served.address, "/v1/apps?labels=tier%20web").await;
    assert_eq!(bad.status, 400);
    assert!(bad.problem().starts_with("labels: at character 6: "), "{bad:?}");
}
