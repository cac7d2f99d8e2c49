//! Owns where things are in ZooKeeper, and how an ensemble that has none of them is made ready.

use swan_core::journal::ChunkName;
use swan_core::journal::frame::{self, Kind};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error, SessionId};

/// The nodes of one cluster.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: String,
    acls: Acls<'static>,
}

impl Tree {
    pub(super) fn new(root: &str, private: bool) -> Self {
        let acls = if private { Acls::creator_all() } else { Acls::anyone_all() };
        Self { root: root.to_owned(), acls }
    }

    pub(super) fn epoch(&self) -> String {
        format!("{}/epoch", self.root)
    }

    pub(super) fn log(&self) -> String {
        format!("{}/log", self.root)
    }

    pub(super) fn entry(&self, index: u64) -> String {
        format!("{}/log/{index:020}", self.root)
    }

    pub(super) fn chunks(&self) -> String {
        format!("{}/chunks", self.root)
    }

    pub(super) fn chunk(&self, name: ChunkName) -> String {
        format!("{}/chunks/{name}", self.root)
    }

    pub(super) fn manifest(&self) -> String {
        format!("{}/manifest", self.root)
    }

    pub(super) fn candidates(&self) -> String {
        format!("{}/candidates", self.root)
    }

    pub(super) fn managers(&self) -> String {
        format!("{}/managers", self.root)
    }

    pub(super) fn manager(&self, session: SessionId) -> String {
        format!("{}/managers/{session}", self.root)
    }

    pub(super) fn crash_notes(&self) -> String {
        format!("{}/crash-notes", self.root)
    }

    pub(super) const fn options(&self, mode: CreateMode) -> CreateOptions<'static> {
        mode.with_acls(self.acls)
    }

    pub(super) const fn persistent(&self) -> CreateOptions<'static> {
        self.options(CreateMode::Persistent)
    }

    /// Makes what is not there. All of the memory's nodes are made at once: some without the others is damage, which
    /// nobody but the operator can mend.
    pub(super) async fn prepare(&self, client: &Client) -> Result<(), String> {
        let fail = |error: Error| match error {
            Error::NoAuth => {
                format!("ZooKeeper does not let us use {}: give the right --zk-auth-file", self.root)
            }
            error => format!("{} cannot be made ready in ZooKeeper: {error}", self.root),
        };
        if client.check_stat(&self.epoch()).await.map_err(fail)?.is_some() {
            return Ok(());
        }
        client.mkdir(&self.root, &self.persistent()).await.map_err(fail)?;
        let number = |kind| frame::seal_number(kind, 0);
        let parts = [
            (self.epoch(), number(Kind::Epoch)),
            (self.log(), number(Kind::Mark)),
            (self.chunks(), Vec::new()),
            (self.candidates(), Vec::new()),
            (self.managers(), Vec::new()),
            (self.crash_notes(), Vec::new()),
        ];
        let mut all = client.new_multi_writer();
        for (path, data) in &parts {
            all.add_create(path, data, &self.persistent()).map_err(fail)?;
        }
        match all.commit().await.map_err(Error::from) {
            Ok(_) => Ok(()),
            Err(Error::NodeExists) if self.is_whole(client).await => Ok(()),
            Err(Error::NodeExists) => Err(format!(
                "the journal in ZooKeeper is damaged: {} is missing, though other nodes are there. Restore it from the \
                 newest backup, by 'swan journal import'",
                self.epoch()
            )),
            Err(error) => Err(fail(error)),
        }
    }

    /// Fails if there is nothing any more.
    pub(super) async fn check(&self, client: &Client) -> Result<(), String> {
        match client.check_stat(&self.epoch()).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(format!(
                "there is no journal in ZooKeeper: {} is missing. If there was one, restore it from the newest backup, by \
                 'swan journal import'; tasks are left alone meanwhile",
                self.epoch()
            )),
            Err(error) => Err(format!("{} cannot be looked at in ZooKeeper: {error}", self.root)),
        }
    }

    /// Another manager may have been faster.
    async fn is_whole(&self, client: &Client) -> bool {
        matches!(client.check_stat(&self.epoch()).await, Ok(Some(_)))
    }
}
