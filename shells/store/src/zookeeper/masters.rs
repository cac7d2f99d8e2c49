//! Owns how Mesos's masters are found in ZooKeeper: each tells of itself in a node `json.info_<sequence>`; the lowest leads.

use std::time::Duration;

use serde::Deserialize;
use swan_core::link::MasterAddress;
use zookeeper_client::{Client, Error, OneshotWatcher};

use super::session::Sessions;

const PREFIX: &str = "json.info_";
/// A watch that is lost does not hide a change for longer than this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Pause after an error.
const RETRY: Duration = Duration::from_millis(500);

/// What a master tells, as far as it is used.
#[derive(Deserialize)]
struct Info {
    address: Option<Place>,
    hostname: Option<String>,
    port: Option<u16>,
}

#[derive(Deserialize)]
struct Place {
    ip: Option<String>,
    hostname: Option<String>,
    port: u16,
}

/// Tells `news` the masters below `path`, the leading one first, each time they change; never ends. While ZooKeeper is
/// away, what was told last stays true.
pub async fn watch_masters(sessions: Sessions, path: String, news: impl Fn(Vec<MasterAddress>)) {
    let mut told = None;
    loop {
        let client = sessions.up().await;
        match look(&client, &path).await {
            Ok((masters, watcher)) => {
                if told.as_ref() != Some(&masters) {
                    news(masters.clone());
                    told = Some(masters);
                }
                // After this time: the watch may have been lost (R95).
                drop(tokio::time::timeout(LOOK_AGAIN, watcher.changed()).await);
            }
            Err(error) => {
                tracing::warn!("the masters of Mesos cannot be looked up in ZooKeeper: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn look(client: &Client, path: &str) -> Result<(Vec<MasterAddress>, OneshotWatcher), Error> {
    client.sync(path).await?;
    let (names, watcher) = client.list_and_watch_children(path).await?;
    let mut names: Vec<_> = names.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
    // Sequences have a fixed width.
    names.sort_unstable();
    let mut infos = Vec::new();
    for name in names {
        match client.get_data(&format!("{path}/{name}")).await {
            Ok((data, _)) => infos.push(data),
            Err(Error::NoNode) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((masters_in(&infos), watcher))
}

/// Where the masters listen that told `infos`: by address, then by name, since redirects may name either. What cannot be
/// read is left out.
pub fn masters_in(infos: &[Vec<u8>]) -> Vec<MasterAddress> {
    let infos: Vec<Info> = infos.iter().filter_map(|info| serde_json::from_slice(info).ok()).collect();
    let mut addresses = Vec::new();
    for name in [Info::by_address, Info::by_name] {
        for address in infos.iter().filter_map(name) {
            // Nobody listens at port 0 or without a host; as the first, it would pass for the leader.
            let is_place = !address.host.is_empty() && address.port != 0;
            if is_place && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    addresses
}

impl Info {
    fn by_address(&self) -> Option<MasterAddress> {
        let place = self.address.as_ref()?;
        Some(MasterAddress { host: place.ip.clone()?, port: place.port })
    }

    fn by_name(&self) -> Option<MasterAddress> {
        let place = self.address.as_ref();
        let host = place.and_then(|place| place.hostname.clone()).or_else(|| self.hostname.clone())?;
        Some(MasterAddress { host, port: place.map(|place| place.port).or(self.port)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_known_by_its_address_and_by_its_name() {
        let info = |text: &str| text.as_bytes().to_vec();
        let at = |host: &str, port| MasterAddress { host: host.to_owned(), port };
        let told = masters_in(&[
            info(
                r#"{"address":{"hostname":"m1.test","ip":"10.0.0.1","port":5050},"hostname":"m1.test","ip":16777343}"#,
            ),
            info(r#"{"address":{"ip":"10.0.0.2","port":5051}}"#),
            info(r#"{"hostname":"m3.test","port":5050,"ip":1}"#),
            info("junk"),
        ]);
        let expected = [at("10.0.0.1", 5050), at("10.0.0.2", 5051), at("m1.test", 5050), at("m3.test", 5050)];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_no_place_is_no_master() {
        let info = br#"{"address":{"ip":"","port":5050},"hostname":"m1.test"}"#.to_vec();
        assert_eq!(masters_in(&[info]), [MasterAddress { host: "m1.test".to_owned(), port: 5050 }]);
        assert_eq!(masters_in(&[br#"{"address":{"ip":"10.0.0.1","port":0}}"#.to_vec()]), []);
    }
}
