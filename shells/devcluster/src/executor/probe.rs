//! Owns the health checks as an agent runs them: when, against what, and whether one passed. What follows is the model's.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use swan_core::mesos::HealthProbe;
use swan_core::time::Millis;
use swan_sim::mesos::TaskReport;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Job;

const DEFAULT_DELAY: Millis = Millis::from_secs(15);
const DEFAULT_INTERVAL: Millis = Millis::from_secs(10);
const DEFAULT_TIMEOUT: Millis = Millis::from_secs(20);

/// Runs one health check by `once` for as long as it is polled; never returns.
pub(super) async fn repeat<F>(job: &Job, once: impl Fn(HealthProbe) -> F)
where
    F: Future<Output = bool> + Send,
{
    let Some(check) = &job.info().health_check else { return std::future::pending().await };
    let span = |given: Option<Millis>, default: Millis| Duration::from_millis(given.unwrap_or(default).0);
    let limit = span(check.timeout, DEFAULT_TIMEOUT);
    sleep(span(check.delay, DEFAULT_DELAY)).await;
    loop {
        let passed = once(check.probe.clone());
        let ok = if limit.is_zero() { passed.await } else { timeout(limit, passed).await.unwrap_or(false) };
        job.report(TaskReport::Probe { ok }).await;
        // An interval of nothing would keep a core busy.
        sleep(span(check.interval, DEFAULT_INTERVAL).max(Duration::from_millis(10))).await;
    }
}

/// Asks over the network; the first address that takes the connection decides. Not for commands.
pub(super) async fn network(probe: HealthProbe, addresses: Vec<SocketAddr>) -> bool {
    let mut stream = None;
    for address in addresses {
        stream = TcpStream::connect(address).await.ok();
        if stream.is_some() {
            break;
        }
    }
    match (probe, stream) {
        // There is no TLS here: that the port answers must do.
        (HealthProbe::Http { scheme: Some(scheme), .. }, stream) if scheme == "https" => stream.is_some(),
        (HealthProbe::Http { path, statuses, .. }, Some(stream)) => {
            let status = http_status(stream, path.as_deref().unwrap_or("/")).await;
            status.is_some_and(|status| match statuses.as_slice() {
                [] => (200..400).contains(&status),
                wanted => wanted.contains(&status.into()),
            })
        }
        (HealthProbe::Tcp { .. }, stream) => stream.is_some(),
        _ => false,
    }
}

async fn http_status(stream: TcpStream, path: &str) -> Option<u16> {
    let host = stream.peer_addr().ok()?.to_string();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    // Ends with this function, however that ends.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let request = Request::get(path).header("Host", host).header("User-Agent", "swan-devcluster");
    let response = sender.send_request(request.body(Empty::<Bytes>::new()).ok()?).await.ok()?;
    Some(response.status().as_u16())
}

/// The port that a network probe asks for.
pub(super) fn port(probe: &HealthProbe) -> Option<u16> {
    match probe {
        HealthProbe::Http { port, .. } | HealthProbe::Tcp { port, .. } => u16::try_from(*port).ok(),
        HealthProbe::Command(_) | HealthProbe::Other(_) => None,
    }
}
