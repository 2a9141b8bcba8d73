//! A plain HTTP listener (1.1 and 2) with bounds on everything a client can make large or slow.

use axum::Router;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// Connections at a time; more wait in the kernel's backlog.
    pub max_connections: usize,
    /// How long a client may take to send the headers.
    pub header_timeout: Duration,
    /// How long connections may drain after the stop.
    pub drain: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

/// Serves `router` on `listener` until `stop`, then drains: finishes what is under way and closes.
pub async fn serve(listener: TcpListener, router: Router, options: ServeOptions, stop: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper's HTTP/1 read buffer grows and never shrinks: bound it. Slow headers are cut off. Not `pipeline_flush`: with
    // it, an answer before a close is never sent while unread bytes wait, and each 400 is followed by a close.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(64 << 10)
        .max_headers(100);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(200)
        .max_header_list_size(32 << 10)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let slots = Arc::new(Semaphore::new(options.max_connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = stop.cancelled() => break,
        };
        let Some((stream, slot)) = accepted else { continue };
        let asked = Arc::new(AtomicBool::new(false));
        let (router, heard) = (TowerToHyperService::new(router.clone()), asked.clone());
        let service = service_fn(move |request| {
            heard.store(true, Ordering::Relaxed);
            router.call(request)
        });
        let connection = builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended in error");
                },
                () = silence(&asked, options.header_timeout) => {
                    tracing::debug!("a connection brought no request in time; closed");
                }
            }
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(options.drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some connections did not drain in time; closing them");
    }
}

/// Ends when no request has come by `patience`. The builder's own timeouts begin only once it knows the protocol: without
/// this, a client that sends nothing would keep its slot for ever.
async fn silence(asked: &AtomicBool, patience: Duration) {
    tokio::time::sleep(patience).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY");
            }
            Some((stream, slot))
        }
        Err(error) => {
            // Out of file descriptors, mostly: give the others time to finish.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    // covers: GW-25
    #[tokio::test]
    async fn a_connection_without_a_request_loses_its_slot() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let options = ServeOptions {
            max_connections: 2,
            header_timeout: Duration::from_millis(50),
            ..ServeOptions::default()
        };
        let stop = CancellationToken::new();
        let router = Router::new().fallback(|| async { "here" });
        let server = tokio::spawn(serve(listener, router, options, stop.clone()));

        let work = async {
            // Nothing at all, and the beginning of HTTP/2's preface.
            let mut silent = TcpStream::connect(address).await.unwrap();
            let mut hesitant = TcpStream::connect(address).await.unwrap();
            hesitant.write_all(b"PRI ").await.unwrap();
            let mut asking = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            asking.write_all(request).await.unwrap();
            let mut answer = String::new();
            asking.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("here"), "{answer}");
            let mut rest = Vec::new();
            assert_eq!(silent.read_to_end(&mut rest).await.unwrap_or(0), 0);
            assert_eq!(hesitant.read_to_end(&mut rest).await.unwrap_or(0), 0);
        };
        tokio::time::timeout(Duration::from_secs(10), work).await.unwrap();
        stop.cancel();
        server.await.unwrap();
    }
}
