//! The callee's side: the listener for calls and forwarded edge requests from other processes.

mod answer;
mod served;

use super::Mesh;
use super::credential::Verifier;
use super::tls::{MeshTls, PeerCertificate};
use crate::decisions::Decisions;
use crate::http::{ServeOptions, spawn_commands};
use answer::Server;
use axum::Router;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

const MAX_CONNECTIONS: usize = 1_000;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves calls (`POST /rpc/{name}`) and edge requests that the gateway forwards (`/edge/…`) until `stop`, then
/// drains. `local` are the HTTP routes of the services in this process, by name.
///
/// Every peer shows a certificate of the mesh's authority, and every request an internal scope signed with it.
pub async fn serve_mesh(
    listener: TcpListener,
    tls: MeshTls,
    mesh: Mesh,
    decisions: Decisions,
    local: HashMap<&'static str, Router>,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(tls.server());
    let routers = local
        .into_iter()
        .map(|(name, router)| (name, router.layer(axum::middleware::from_fn(spawn_commands))))
        .collect();
    let server = Arc::new(Server {
        mesh,
        decisions,
        routers,
        verifier: Verifier::new(tls.clock().clone()),
    });
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    // Cancelled when a connection does not drain in time.
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = stop.cancelled() => break,
        };
        let Some((stream, slot)) = accepted else { continue };
        let connection = connection(stream, acceptor.clone(), server.clone(), graceful.watcher());
        let cut = cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = connection => {}
                () = cut.cancelled() => {}
            }
            drop(slot);
        });
    }
    drop(listener);
    let drain = ServeOptions::default().drain;
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some mesh connections did not drain in time; closing them");
        cut.cancel();
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, server: Arc<Server>, watcher: Watcher) {
    let address = stream
        .peer_addr()
        .map_or_else(|_| "?".to_owned(), |a| a.to_string());
    let refused = |why: &str| {
        metrics::counter!("stoa_mesh_connections_refused_total").increment(1);
        tracing::warn!(peer = %address, cause = why, "refused a mesh connection");
    };
    let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(e)) => return refused(&e.to_string()),
        Err(_) => return refused("the TLS handshake took too long"),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let peer = match certificate
        .ok_or_else(|| "it has no certificate".to_owned())
        .and_then(PeerCertificate::read)
    {
        Ok(peer) => Arc::new(peer),
        Err(why) => return refused(&why),
    };
    let service = service_fn(move |request| {
        let (server, peer) = (server.clone(), peer.clone());
        async move { Ok::<_, Infallible>(server.answer(&peer, request).await) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(512)
        // The edge admits 32 KiB, and the mesh adds its own.
        .max_header_list_size(48 << 10)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .max_pending_accept_reset_streams(20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(peer = %address, %error, "a mesh connection ended in error");
    }
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
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
            tracing::warn!(%error, "cannot accept a mesh connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
