//! Owns the register of managers: who is connected, what each can read, and who stands first in the election.

use serde::{Deserialize, Serialize};
use swan_core::journal::Readers;
use zookeeper_client::{Client, CreateMode, Error};

use super::election::in_order;
use super::layout::Tree;
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
    /// The format level in force, as far as it knew then.
    #[serde(default)]
    pub in_force: u8,
}

/// Enters a manager into the register, for as long as this session lives, and counts that; once in each session.
pub(super) async fn join(client: &Client, tree: &Tree, member: &Member) -> Result<(), Error> {
    let (path, options) = (tree.manager(client.session_id()), tree.options(CreateMode::Ephemeral));
    let mut writer = client.new_multi_writer();
    writer.add_create(&path, &member.to_bytes(), &options)?;
    writer.add_set_data(&tree.managers(), &[], None)?;
    match writer.commit().await.map_err(Error::from) {
        Ok(_) | Err(Error::NodeExists) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Member {
    /// Reads what a manager, perhaps of another version, told of itself; `None` for what is no such thing.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// What the register holds of it.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a member is plain data")
    }
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

    /// Tells how this manager stands now.
    pub async fn tell(&self, member: &Member) -> Result<(), String> {
        let (client, tree) = (self.sessions.client()?, self.sessions.tree());
        let told = match client.set_data(&tree.manager(client.session_id()), &member.to_bytes(), None).await {
            Err(Error::NoNode) => join(&client, tree, member).await,
            told => told.map(|_| ()),
        };
        told.map_err(|error| format!("ZooKeeper: {error}"))
    }

    /// What all managers can read that are registered now.
    pub async fn readers(&self) -> Result<Readers, String> {
        let client = self.sessions.client()?;
        self.count(&client).await.map_err(|error| format!("ZooKeeper: {error}"))
    }

    async fn count(&self, client: &Client) -> Result<Readers, Error> {
        let managers = self.sessions.tree().managers();
        client.sync(&managers).await?;
        // Before they are listed: whoever joins meanwhile raises the version further.
        let (_, stat) = client.get_data(&managers).await?;
        let mut lowest = u8::MAX;
        for name in client.list_children(&managers).await? {
            if let Some((bytes, _)) = gone_is_none(client.get_data(&format!("{managers}/{name}")).await)? {
                let format = Member::read(&bytes).map_or(0, |member| member.format);
                lowest = lowest.min(format);
            }
        }
        Ok(Readers { lowest, joined: u64::try_from(stat.version).unwrap_or_default() })
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
            all.extend(read.and_then(|(bytes, _)| Member::read(&bytes)));
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
