//! Owns the narrow door between the API and the other managers of the cluster.

use std::fmt;

use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use swan_core::record::Seq;

/// The managers of a cluster.
pub trait Peers: fmt::Debug + Send + Sync + 'static {
    /// Where the API of the manager is that leads, or is about to, as `host:port`; `None` if none is known.
    fn leader(&self) -> BoxFuture<'_, Option<String>>;

    /// All managers that are connected; `Err` says to people why that is not known.
    fn members(&self) -> BoxFuture<'_, Result<Vec<Member>, String>>;

    /// Has another manager answer a request.
    fn send(
        &self,
        address: &str,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Body>, SendError>>;
}

/// A manager, as the others know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where its API is, as `host:port`.
    pub address: String,
    /// Of its build.
    pub version: String,
    /// Up to which format level it reads the journal.
    pub format: u8,
    /// The newest batch that it had followed when it last told.
    pub followed: Seq,
    /// The format level in force, as far as it knew then; 0 if it did not.
    pub in_force: u8,
}

/// Why another manager did not answer; for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It cannot have received the request.
    NotSent(String),
    /// It may have received it.
    Unknown(String),
}
