//! The HTTP/2 connections to one peer: opened when needed, once at a time, and again with backoff.

use crate::mesh::tls::{MeshTls, server_name};
use crate::mesh::wire;
use axum::body::Body;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An open connection.
pub(super) type Live = Arc<SendRequest<Body>>;
type Opening = Shared<BoxFuture<'static, Result<Live, Arc<str>>>>;

/// Two connections: one HTTP/2 connection is served by one task on each side, and would be a bottleneck.
pub(super) struct Connections {
    target: Arc<Target>,
    first: Arc<Slot>,
    second: Arc<Slot>,
    turn: AtomicUsize,
}

struct Target {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    opening: Option<Opening>,
    down: Option<Down>,
}

/// After a failure nobody connects until `until`.
struct Down {
    until: Instant,
    pause: Duration,
    why: Arc<str>,
}

/// What a slot has at once.
enum Now {
    Live(Live),
    Opening(Opening),
    Down(Arc<str>),
}

impl Connections {
    pub(super) fn new(service: &str, host: String, port: u16, tls: &MeshTls) -> Result<Self, String> {
        Ok(Self {
            target: Arc::new(Target {
                host,
                port,
                name: server_name(service)?,
                tls: TlsConnector::from(tls.client()),
            }),
            first: Arc::default(),
            second: Arc::default(),
            turn: AtomicUsize::new(0),
        })
    }

    /// A connection: the one whose turn it is, or while that one is being opened the other.
    pub(super) async fn get(&self) -> Result<Live, Arc<str>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (mine, other) = if turn.is_multiple_of(2) {
            (&self.first, &self.second)
        } else {
            (&self.second, &self.first)
        };
        let state = mine.get(&self.target);
        match (state, other.live()) {
            (Now::Live(live), _) | (_, Some(live)) => Ok(live),
            (Now::Opening(opening), None) => opening.await,
            (Now::Down(why), None) => Err(why),
        }
    }

    /// Takes a connection that failed out of use.
    pub(super) fn discard(&self, dead: &Live) {
        for slot in [&self.first, &self.second] {
            let mut state = slot.state.lock();
            if state.live.as_ref().is_some_and(|live| Arc::ptr_eq(live, dead)) {
                state.live = None;
            }
        }
    }
}

impl Slot {
    fn live(&self) -> Option<Live> {
        let state = self.state.lock();
        state.live.clone().filter(|live| !live.is_closed())
    }

    fn get(self: &Arc<Self>, target: &Arc<Target>) -> Now {
        let mut state = self.state.lock();
        if let Some(live) = state.live.as_ref().filter(|live| !live.is_closed()) {
            return Now::Live(live.clone());
        }
        if let Some(opening) = &state.opening {
            return Now::Opening(opening.clone());
        }
        if let Some(down) = state.down.as_ref().filter(|down| Instant::now() < down.until) {
            return Now::Down(down.why.clone());
        }
        // A task of its own, because a caller whose deadline is near must not give up for all others.
        let task = tokio::spawn(self.clone().open(target.clone()));
        let opening = async move { task.await.unwrap_or_else(|e| Err(Arc::from(e.to_string()))) }
            .boxed()
            .shared();
        state.opening = Some(opening.clone());
        Now::Opening(opening)
    }

    async fn open(self: Arc<Self>, target: Arc<Target>) -> Result<Live, Arc<str>> {
        let opened = match tokio::time::timeout(CONNECT_TIMEOUT, target.connect()).await {
            Ok(opened) => opened,
            Err(_) => Err(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs())),
        };
        let mut state = self.state.lock();
        state.opening = None;
        match opened {
            Ok(sender) => {
                let live = Arc::new(sender);
                state.live = Some(live.clone());
                state.down = None;
                Ok(live)
            }
            Err(why) => {
                let why: Arc<str> = Arc::from(why);
                let pause = state
                    .down
                    .as_ref()
                    .map_or(FIRST_PAUSE, |down| (down.pause * 2).min(LONGEST_PAUSE));
                state.down = Some(Down {
                    until: Instant::now() + pause,
                    pause,
                    why: why.clone(),
                });
                Err(why)
            }
        }
    }
}

impl Target {
    async fn connect(&self) -> Result<SendRequest<Body>, String> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|e| {
                format!("cannot connect: {e}; does the process run, and is this its mesh.listen?")
            })?;
        tcp.set_nodelay(true)
            .map_err(|e| format!("setting TCP_NODELAY: {e}"))?;
        let tls = self
            .tls
            .connect(self.name.clone(), tcp)
            .await
            .map_err(|e| format!("the TLS handshake failed: {}", wire::chain(&e)))?;
        if tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("it does not speak HTTP/2, so it is not the mesh's listener".to_owned());
        }
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20)
            .handshake(TokioIo::new(tls))
            .await
            .map_err(|e| format!("the HTTP/2 handshake failed: {}", wire::chain(&e)))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(cause = %wire::chain(&error), "a mesh connection ended in error");
            }
        });
        Ok(sender)
    }
}
