//! Owns how a master is reached: a connector that is passed in, and TLS around one.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use swan_core::link::{MasterAddress, excerpt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Opens byte streams to masters.
pub trait Connector: Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Connects; the caller gives up by dropping the future.
    fn connect(&self, master: &MasterAddress) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// TLS over what another connector opens. The master's certificate must be for the host by which it is configured.
#[derive(Clone)]
pub struct Tls<C> {
    inner: C,
    tls: TlsConnector,
}

impl<C> fmt::Debug for Tls<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl<C> Tls<C> {
    /// TLS by `config`, which says whom to trust.
    pub fn new(inner: C, config: Arc<ClientConfig>) -> Self {
        Self { inner, tls: TlsConnector::from(config) }
    }
}

impl<C: Connector> Connector for Tls<C> {
    type Stream = TlsStream<C::Stream>;

    async fn connect(&self, master: &MasterAddress) -> io::Result<Self::Stream> {
        let name = ServerName::try_from(master.host.clone()).map_err(io::Error::other)?;
        self.tls.connect(name, self.inner.connect(master).await?).await
    }
}

/// The HTTP connection of a subscription; closed when dropped.
pub(super) struct Http {
    pub(super) sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Drop for Http {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Http {
    pub(super) async fn open(connector: &impl Connector, master: &MasterAddress) -> Result<Self, String> {
        let stream = connector.connect(master).await.map_err(|why| cannot_connect(master, &why))?;
        let (sender, driver) =
            handshake(TokioIo::new(stream)).await.map_err(|why| cannot_connect(master, &why))?;
        // What the driver ends with is also told to whoever waits for an answer.
        let driver = tokio::spawn(async move { drop(driver.await) }).abort_handle();
        Ok(Self { sender, driver })
    }
}

pub(super) fn cannot_connect(master: &MasterAddress, why: &dyn fmt::Display) -> String {
    format!("cannot connect to {master}: {}", excerpt(&why.to_string()))
}

/// A request to subscribe.
pub(super) type Outbound = Request<Full<Bytes>>;
