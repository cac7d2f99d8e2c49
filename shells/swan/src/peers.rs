//! Owns what a manager does with the others of its cluster: tells of itself, looks for the leader, hands requests on.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use swan_api::{FOLLOWS, FORWARDED, Member, Peers, SendError, Standing};
use swan_core::journal::frame::FORMAT_LEVEL;
use swan_core::record::Seq;
use swan_store::{Registry, Sessions};

use crate::driver::Handle;
use crate::failure::Failure;

/// How often a manager tells of itself, and asks what all of them can read.
const TELL: Duration = Duration::from_secs(2);
/// How long it is believed who leads, unless that one does not answer.
const BELIEF: Duration = Duration::from_secs(1);
/// How long a connection to another manager may take to stand.
const CONNECT: Duration = Duration::from_secs(2);

/// The managers that share a journal.
pub(crate) struct Cluster {
    registry: Registry,
    http: reqwest::Client,
    authorization: Option<HeaderValue>,
    believed: Mutex<Option<(Instant, String)>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    /// Tells of this manager from now on, and hears what all of them can read. Called inside the runtime.
    pub(crate) fn join(
        sessions: Sessions,
        advertise: String,
        authorization: Option<HeaderValue>,
        handle: Handle,
    ) -> Result<Self, Failure> {
        let registry = Registry::new(sessions.clone());
        tokio::spawn(tell(registry.clone(), sessions, advertise, handle));
        // Managers speak plain HTTP to each other, by the addresses that they tell; no proxy stands between them.
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .build()
            .map_err(|error| Failure::failed(format!("requests cannot be handed on: {error}")))?;
        Ok(Self { registry, http, authorization, believed: Mutex::new(None) })
    }

    fn believed(&self) -> std::sync::MutexGuard<'_, Option<(Instant, String)>> {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the events of another manager, after the one named.
    pub(crate) async fn events(&self, address: &str, after: &str) -> reqwest::Result<reqwest::Response> {
        let mut request = self.http.get(format!("http://{address}/v1/events")).header(FORWARDED, "true");
        if let Some(authorization) = &self.authorization {
            request = request.header(http::header::AUTHORIZATION, authorization);
        }
        request.header("last-event-id", after).send().await?.error_for_status()
    }

    async fn look_for_leader(&self) -> Option<String> {
        if let Some((at, leader)) = &*self.believed()
            && at.elapsed() < BELIEF
        {
            return Some(leader.clone());
        }
        let leader = self.registry.leader().await.ok().flatten();
        *self.believed() = leader.clone().map(|leader| (Instant::now(), leader));
        leader
    }

    async fn hand_on(&self, address: String, request: Request<Bytes>) -> Result<Response<Body>, SendError> {
        let (parts, body) = request.into_parts();
        let url = format!("http://{address}{}", parts.uri.path_and_query().map_or("/", |path| path.as_str()));
        let sent = self.http.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let response = sent.map_err(|error| {
            self.believed().take();
            let early = error.is_connect();
            let why = error.without_url().to_string();
            if early { SendError::NotSent(why) } else { SendError::Unknown(why) }
        })?;
        if response.headers().contains_key(FOLLOWS) {
            self.believed().take();
        }
        Ok(Response::<reqwest::Body>::from(response).map(Body::new))
    }
}

impl Peers for Cluster {
    fn leader(&self) -> BoxFuture<'_, Option<String>> {
        self.look_for_leader().boxed()
    }

    fn members(&self) -> BoxFuture<'_, Result<Vec<Member>, String>> {
        let member = |member: swan_store::Member| Member {
            address: member.address,
            version: member.version,
            format: member.format,
            followed: Seq(member.followed),
            in_force: member.in_force,
        };
        let members = async move { Ok(self.registry.members().await?.into_iter().map(member).collect()) };
        members.boxed()
    }

    fn send(
        &self,
        address: &str,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Body>, SendError>> {
        self.hand_on(address.to_owned(), request).boxed()
    }
}

/// This manager, as it tells of itself.
pub(crate) fn member(address: &str, standing: Standing) -> swan_store::Member {
    swan_store::Member {
        address: address.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT_LEVEL,
        followed: standing.followed.0,
        in_force: standing.format,
    }
}

async fn tell(registry: Registry, sessions: Sessions, address: String, handle: Handle) {
    loop {
        sessions.connected().await;
        let told = registry.tell(&member(&address, handle.standings.now())).await;
        let heard = registry.readers().await.map(|readers| handle.readers(readers));
        if let Err(why) = told.and(heard) {
            tracing::debug!("the register of managers: {why}");
        }
        tokio::time::sleep(TELL).await;
    }
}
