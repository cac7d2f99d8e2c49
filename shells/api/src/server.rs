//! Owns connections: how many, how long a head may take to arrive and an answer to be read.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::limits::{
    HTTP_CONNECTIONS_MAX, HTTP_CONNECTIONS_PER_ADDRESS_MAX, HTTP_HEADER_BYTES_MAX, HTTP_HEADER_TIMEOUT,
    HTTP_HEADERS_MAX, HTTP_URL_BYTES_MAX, HTTP_WRITE_STALL,
};
use axum::body::Body;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep};

use crate::manager::Manager;
use crate::quota::{Quota, Seat};
use crate::service::{Api, Config, Service};

/// Serves the API on a bound listener, until it is dropped.
pub async fn serve<L>(mut listener: L, manager: Arc<dyn Manager>, config: Config) -> Infallible
where
    L: Listener<Addr = SocketAddr>,
{
    let mut tasks = JoinSet::new();
    let feed = manager.events().clone();
    tasks.spawn(async move { feed.pump().await });
    let service = Service::new(Api::new(manager, config));
    let seats: Arc<Quota<IpAddr>> = Quota::new(HTTP_CONNECTIONS_MAX, HTTP_CONNECTIONS_PER_ADDRESS_MAX);
    loop {
        let (stream, peer) = listener.accept().await;
        while tasks.try_join_next().is_some() {}
        // Beyond the limit a connection is closed at once: even a refusal would need memory for each.
        if let Some(seat) = seats.take(peer.ip()) {
            tasks.spawn(connection(service.clone(), stream, peer, seat));
        }
    }
}

async fn connection<S>(service: Service, stream: S, peer: SocketAddr, seat: Seat<IpAddr>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.handle(peer, request.map(Body::new)).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HTTP_HEADER_TIMEOUT.0))
        .max_headers(HTTP_HEADERS_MAX)
        .max_header_size(HTTP_HEADER_BYTES_MAX + HTTP_URL_BYTES_MAX)
        .serve_connection(TokioIo::new(Impatient::new(stream)), answer);
    // How a client's connection ends is its own affair.
    drop(connection.await);
    drop(seat);
}

/// A stream that fails when its peer takes nothing for too long.
struct Impatient<S> {
    stream: S,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    const fn new(stream: S) -> Self {
        Self { stream, stall: None }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stall = None;
            return written;
        }
        let patience = Duration::from_millis(HTTP_WRITE_STALL.0);
        let stall =
            self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        match stall.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, closed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (stream, peer) = tokio::io::duplex(8);
        let error = Impatient::new(stream).write_all(&[0; 64]).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(peer);

        let (stream, mut peer) = tokio::io::duplex(8);
        let reading = tokio::spawn(async move {
            let mut read = 0;
            while let Ok(bytes @ 1..) = tokio::io::AsyncReadExt::read(&mut peer, &mut [0; 8]).await {
                read += bytes;
                tokio::time::sleep(Duration::from_millis(HTTP_WRITE_STALL.0 - 1)).await;
            }
            read
        });
        let mut stream = Impatient::new(stream);
        stream.write_all(&[0; 64]).await.expect("the peer reads");
        drop(stream);
        assert_eq!(reading.await.expect("no panic"), 64);
    }
}
