//! Owns the register of managers: who is connected, and who stands first in the election.

use serde::{Deserialize, Serialize};
use zookeeper_client::{Client, CreateMode, Error};

use super::election::in_order;
use super::session::Sessions;

/// What a manager tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where its API is, as `host:port`.
    pub address: String,
    /// Of the build.
    pub version: String,
    /// Up to which format level it reads the journal.
    pub format: u8,
    /// The newest batch that it has followed, when it last told.
    pub followed: u64,
}

/// The register of a cluster.
#[derive(Clone, Debug)]
pub struct Registry {
    sessions: Sessions,
}

impl Registry {
    /// The one that is reached by `sessions`.
    pub const fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }

    /// Tells of this manager, for as long as its session lives.
    pub async fn tell(&self, member: &Member) -> Result<(), String> {
        let (client, tree) = (self.sessions.client()?, self.sessions.tree());
        let path = format!("{}/{}", tree.managers(), client.session_id());
        let bytes = serde_json::to_vec(member).expect("a member is plain data");
        let told = match client.set_data(&path, &bytes, None).await {
            Err(Error::NoNode) => {
                client.create(&path, &bytes, &tree.options(CreateMode::Ephemeral)).await.map(|_| ())
            }
            told => told.map(|_| ()),
        };
        told.map_err(|error| format!("ZooKeeper: {error}"))
    }

    /// All managers as they are now, in order of address.
    pub async fn members(&self) -> Result<Vec<Member>, String> {
        let client = self.sessions.client()?;
        self.read(&client).await.map_err(|error| format!("ZooKeeper: {error}"))
    }

    async fn read(&self, client: &Client) -> Result<Vec<Member>, Error> {
        let tree = self.sessions.tree();
        let mut all = Vec::new();
        for name in client.list_children(&tree.managers()).await? {
            let read = gone_is_none(client.get_data(&format!("{}/{name}", tree.managers())).await)?;
            all.extend(read.and_then(|(bytes, _)| serde_json::from_slice::<Member>(&bytes).ok()));
        }
        all.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(all)
    }

    /// The address of the manager that leads, or is about to; `None` if there is none.
    pub async fn leader(&self) -> Result<Option<String>, String> {
        let client = self.sessions.client()?;
        self.first(&client).await.map_err(|error| format!("ZooKeeper: {error}"))
    }

    async fn first(&self, client: &Client) -> Result<Option<String>, Error> {
        let tree = self.sessions.tree();
        let names = in_order(client.list_children(&tree.candidates()).await?);
        let Some(first) = names.first() else { return Ok(None) };
        let read = gone_is_none(client.get_data(&format!("{}/{first}", tree.candidates())).await)?;
        Ok(read.and_then(|(address, _)| String::from_utf8(address).ok()))
    }
}

fn gone_is_none<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::NoNode) => Ok(None),
        Err(error) => Err(error),
    }
}
