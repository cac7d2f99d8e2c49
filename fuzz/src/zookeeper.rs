//! Owns the bodies for what others wrote into ZooKeeper: Mesos's masters, and managers of other versions.

use std::collections::BTreeSet;

use serde_json::json;
use swan_store::{Member, masters_in};

/// What masters tell of themselves, one a line: each place once, those by address as they would be told of alone, and what
/// cannot be read changes nothing.
pub fn zookeeper_masters(data: &[u8]) {
    let mut infos: Vec<Vec<u8>> = data.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let masters = masters_in(&infos);
    assert!(masters.len() <= 2 * infos.len(), "a master has an address and a name");
    assert_eq!(masters.iter().collect::<BTreeSet<_>>().len(), masters.len(), "each stands once");
    for master in &masters {
        assert!(!master.host.is_empty() && master.port != 0, "nobody listens at {master}");
        let info = json!({"address": {"ip": master.host, "port": master.port}}).to_string();
        assert_eq!(
            masters_in(&[info.into_bytes()]),
            std::slice::from_ref(master),
            "it is the same when told again"
        );
    }
    let alone: Vec<_> = infos.iter().flat_map(|info| masters_in(std::slice::from_ref(info))).collect();
    assert!(masters.iter().all(|master| alone.contains(master)), "no master is made of two");
    assert!(alone.iter().all(|master| masters.contains(master)), "no master hides another");
    infos.insert(0, b"{".to_vec());
    assert_eq!(masters_in(&infos), masters, "what cannot be read is left out");
}

/// What managers tell of themselves: the same when it is written again, also among keys that only a newer one knows.
pub fn zookeeper_members(data: &[u8]) {
    let Some(member) = Member::read(data) else { return };
    let bytes = member.to_bytes();
    assert_eq!(Member::read(&bytes).as_ref(), Some(&member));
    let newer = [bytes.strip_suffix(b"}").expect("it is an object"), br#","newer":{"a":[1]}}"#].concat();
    assert_eq!(Member::read(&newer), Some(member));
}
