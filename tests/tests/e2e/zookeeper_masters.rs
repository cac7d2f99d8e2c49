//! Holds managers that find Mesos's masters in ZooKeeper, and whose own nodes are open to nobody else.

use std::time::Duration;

use serde_json::json;
use swan_tests::ensemble::Ensemble;
use tokio::runtime::Runtime;
use zookeeper_client::{Acls, Client, CreateMode, Error};

use crate::managers::Managers;
use crate::patience::{ensure, until};
use crate::scene::{Stage, ids, web};

/// Tells of a master as Mesos does; it is there for as long as the client is.
async fn tell(client: &Client, address: std::net::SocketAddr) -> String {
    let info = json!({
        "address": { "hostname": "localhost", "ip": address.ip().to_string(), "port": address.port() },
        "hostname": "localhost", "id": "m", "ip": 16777343, "pid": format!("master@{address}"),
        "port": address.port(), "version": "1.12.0",
    });
    let open = Acls::anyone_all();
    client.mkdir("/mesos", &CreateMode::Persistent.with_acls(open)).await.expect("a node");
    let options = CreateMode::EphemeralSequential.with_acls(open);
    let info = info.to_string();
    let (_, sequence) = client.create("/mesos/json.info_", info.as_bytes(), &options).await.expect("a node");
    format!("/mesos/json.info_{sequence}")
}

#[test]
fn masters_that_tell_zookeeper_are_found_and_followed() {
    let stage = Stage::new("masters");
    let ensemble = Ensemble::start("masters", 1);
    let runtime = Runtime::new().expect("a runtime");
    let client = runtime.block_on(Client::connect(&ensemble.addresses())).expect("a session");
    let dev = stage.dev("builtin");
    // One that leads by what it tells, and where nobody listens; the real one is the next.
    let dead = runtime.block_on(tell(&client, "127.0.0.1:9".parse().expect("an address")));
    runtime.block_on(tell(&client, dev.mesos));
    let mesos = format!("zk://{}/mesos", ensemble.addresses());
    let auth = stage.file("auth", "swan:a-secret\n");
    let views = [ensemble.addresses(), ensemble.addresses()];
    let managers = Managers::start_with(&mesos, &views, &["--zk-auth-file", &auth]);
    runtime.block_on(client.delete(&dead, None)).expect("the first one goes");
    let api = managers.api(managers.leader());
    api.create(&web("/shop/web", 2));
    let tasks = api.steady("web.shop", 2);
    dev.mesos_knows_just(&api.framework(), &tasks);
    // Whoever follows knows them a little later.
    until("both managers know the same tasks", || {
        let known = ids(&managers.api(1).tasks("web.shop"));
        ensure(known == ids(&tasks), || format!("{known:?}"))
    });

    let refused = runtime.block_on(client.get_data("/swan/epoch"));
    assert_eq!(refused.map(|_| ()), Err(Error::NoAuth), "others cannot read what Swan keeps");
    runtime.block_on(async {
        client.auth("digest", b"swan:a-secret").await.expect("the right password");
        client.get_data("/swan/epoch").await.expect("with the password one can");
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
}
