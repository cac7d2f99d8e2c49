//! Owns the sockets to Mesos: plain, or over TLS.

use std::sync::Arc;

use swan_core::limits::MESOS_CALLS_IN_FLIGHT_MAX;
use swan_core::link::{LinkEffect, MasterAddress};
use swan_mesos::client::{Client, Connector, Credential, Tls};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::driver::Voice;
use crate::failure::Failure;

/// Opens TCP connections to masters.
#[derive(Clone, Copy, Debug)]
struct Tcp;

impl Connector for Tcp {
    type Stream = TcpStream;

    async fn connect(&self, master: &MasterAddress) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((master.host.as_str(), master.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// How masters are spoken to.
pub(crate) struct MesosClient {
    tls: Option<Arc<rustls::ClientConfig>>,
    credential: Option<Credential>,
}

/// Over TLS if the masters are `https`.
pub(crate) fn mesos_client(tls: bool, credential: Option<Credential>) -> Result<MesosClient, Failure> {
    use rustls_platform_verifier::ConfigVerifierExt as _;
    let config = || {
        let config = rustls::ClientConfig::with_platform_verifier();
        config
            .map(Arc::new)
            .map_err(|error| Failure::failed(format!("the system's certificates cannot be used: {error}")))
    };
    Ok(MesosClient { tls: if tls { Some(config()?) } else { None }, credential })
}

pub(crate) type LinkHand = Box<dyn FnMut(LinkEffect) + Send>;

/// What executes the link's effects for one life of the manager. Connections end with it.
pub(crate) fn link_hand(client: &MesosClient, voice: &Voice, runtime: &Handle) -> LinkHand {
    match &client.tls {
        None => hand(Tcp, client, voice, runtime),
        Some(config) => hand(Tls::new(Tcp, config.clone()), client, voice, runtime),
    }
}

fn hand(connector: impl Connector, client: &MesosClient, voice: &Voice, runtime: &Handle) -> LinkHand {
    let (inputs, mut news) = mpsc::channel(MESOS_CALLS_IN_FLIGHT_MAX);
    let voice = voice.clone();
    runtime.spawn(async move {
        while let Some(input) = news.recv().await {
            voice.link(input);
        }
    });
    let mut client = Client::new(connector, client.credential.clone(), inputs);
    let runtime = runtime.clone();
    Box::new(move |effect| {
        let _inside = runtime.enter();
        let up = client.execute(effect);
        assert!(up.is_none(), "what is for the scheduler never leaves the manager");
    })
}
