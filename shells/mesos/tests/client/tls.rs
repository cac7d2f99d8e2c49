//! Owns the test over TLS: whom the client trusts, and whom it does not.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use swan_core::link::MasterAddress;
use swan_mesos::client::Tls;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::loopback::{Tcp, run};
use super::master::Master;
use super::rig::Rig;

/// A master over TLS, and the configuration of a client that trusts it.
async fn start(names: &[&str]) -> (Master, MasterAddress, Arc<ClientConfig>) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();

    let (master, listener) = (Master::default(), TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
    let address = MasterAddress { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let (serving, acceptor) = (master.clone(), TlsAcceptor::from(Arc::new(server)));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serving.clone().serve(stream));
            }
        }
    });
    (master, address, Arc::new(client))
}

#[test]
fn r17_a_master_with_a_trusted_certificate_is_spoken_to_over_tls() {
    run(async {
        let (master, address, config) = start(&["127.0.0.1"]).await;
        let mut rig = Rig::new(Tls::new(Tcp, config), vec![address]);
        rig.connected().await;
        assert_eq!(master.notes().authorization.as_deref(), Some("Basic c3dhbjpodW50ZXIy"));
    });
}

#[test]
fn r17_a_master_with_another_hosts_certificate_gets_no_secret() {
    run(async {
        let (master, address, config) = start(&["elsewhere.test"]).await;
        let mut rig = Rig::new(Tls::new(Tcp, config), vec![address]);
        let why = rig.disconnected().await;
        assert!(why.contains("cannot connect"), "{why}");
        assert_eq!(master.notes().authorization, None);
    });
}
