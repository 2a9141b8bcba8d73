//! Processes of the mesh for tests: real sockets, real certificates, and a wire that can be cut.

use crate::mesh::certificates::{Authority, issue};
use crate::mesh::{Call, Calls, Mesh, MeshTls, Place, RemotePeer, Wiring, serve_mesh};
use crate::request::RequestContext;
use crate::scope::{Actor, SystemScope};
use crate::{Clock, FieldError, Problem, Scope, decisions::Decisions};
use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::Request;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stoa_types::TenantId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) const DO: SystemScope = SystemScope::named("customer.test");

#[derive(Serialize, Deserialize)]
pub(super) struct Echo {
    pub(super) text: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Echoed {
    pub(super) text: String,
    pub(super) tenant: TenantId,
    pub(super) actor: Actor,
    pub(super) correlation: Uuid,
    pub(super) causation: Option<Uuid>,
    pub(super) traceparent: Option<String>,
    pub(super) left_ms: u64,
}

impl Call for Echo {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "organization.echo";
    type Reply = Echoed;
}

/// What the callee does: refuse with the full problem, panic, or wait until the gate opens.
#[derive(Serialize, Deserialize)]
pub(super) enum Do {
    Refuse,
    Panic,
    Wait,
}

impl Call for Do {
    const SERVICE: &'static str = "organization";
    const NAME: &'static str = "organization.do";
    type Reply = ();
}

pub(super) fn refusal() -> Problem {
    let mut problem = Problem::conflict("organization.taken", "the name is taken")
        .with_errors(vec![FieldError::new("/name", "unique", "choose another")]);
    problem.retry_after = Some(7);
    problem.explanation = Some(serde_json::json!({ "rule": "r1" }));
    problem
}

/// What the callee saw.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) calls: Arc<AtomicUsize>,
    /// Handlers that were dropped before they ended.
    pub(super) dropped: Arc<AtomicUsize>,
    pub(super) gate: watch::Sender<bool>,
    pub(super) entered: Arc<Notify>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            calls: Arc::default(),
            dropped: Arc::default(),
            gate: watch::Sender::new(false),
            entered: Arc::default(),
        }
    }
}

impl Seen {
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Counts a visit, and waits at the gate.
    async fn wait(&self) {
        struct Drops(Arc<AtomicUsize>, bool);
        impl Drop for Drops {
            fn drop(&mut self) {
                self.0.fetch_add(usize::from(!self.1), Ordering::SeqCst);
            }
        }
        let mut drops = Drops(self.dropped.clone(), false);
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.entered.notify_one();
        self.gate.subscribe().wait_for(|open| *open).await.unwrap();
        drops.1 = true;
    }
}

fn calls(seen: &Seen) -> Calls {
    let (echo, act) = (seen.clone(), seen.clone());
    Calls::new()
        .on(move |scope: Scope, call: Echo| {
            echo.calls.fetch_add(1, Ordering::SeqCst);
            async move {
                let left = scope.deadline().saturating_duration_since(Instant::now());
                Ok(Echoed {
                    text: call.text,
                    tenant: scope.tenant(),
                    actor: scope.actor().clone(),
                    correlation: scope.correlation(),
                    causation: scope.causation(),
                    traceparent: scope.traceparent().map(str::to_owned),
                    left_ms: u64::try_from(left.as_millis()).unwrap(),
                })
            }
        })
        .on(move |_scope: Scope, call: Do| {
            let seen = act.clone();
            async move {
                match call {
                    Do::Refuse => Err(refusal()),
                    Do::Panic => panic!("as asked"),
                    Do::Wait => {
                        seen.wait().await;
                        Ok(())
                    }
                }
            }
        })
}

fn router(seen: &Seen) -> Router {
    let (reading, writing) = (seen.clone(), seen.clone());
    Router::new()
        .route("/api/who", get(who))
        .route(
            "/api/echo",
            post(async |request: Request<Body>| request.into_body()),
        )
        .route(
            "/api/wait",
            get(async move || reading.wait().await).post(async move || writing.wait().await),
        )
}

/// Everything that the service was told, one fact a line.
async fn who(context: RequestContext, request: Request<Body>) -> String {
    let headers: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
    let user = context.identity().map(|i| format!("{}/{}", i.tenant, i.user));
    format!(
        "uri {}\nuser {}\ntrace {}\ncorrelation {}\nheaders {}",
        request.uri(),
        user.unwrap_or_else(|| "anonymous".to_owned()),
        context.trace_id(),
        context.correlation(),
        headers.join(",")
    )
}

pub(super) fn tls(ca: &Authority, services: &[&str]) -> MeshTls {
    let leaf = issue(ca, services).unwrap();
    MeshTls::from_pem(
        ca.pem().as_bytes(),
        leaf.certificate.as_bytes(),
        leaf.key.as_bytes(),
    )
    .unwrap()
}

/// A process that runs `organization`.
pub(super) struct Callee {
    pub(super) address: SocketAddr,
    pub(super) seen: Seen,
    tls: MeshTls,
    /// Keeps the port while the server restarts.
    listener: std::net::TcpListener,
    running: Option<(CancellationToken, JoinHandle<()>)>,
}

impl Callee {
    pub(super) async fn start(tls: MeshTls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .into_std()
            .unwrap();
        let mut callee = Self {
            address: listener.local_addr().unwrap(),
            seen: Seen::default(),
            tls,
            listener,
            running: None,
        };
        callee.run();
        callee
    }

    pub(super) fn run(&mut self) {
        let mesh = Mesh::new(&["organization"]);
        mesh.seal(Wiring {
            handlers: calls(&self.seen).into_handlers(),
            places: HashMap::from([("organization", Place::Local(Router::new()))]),
        });
        let stop = CancellationToken::new();
        let listener = TcpListener::from_std(self.listener.try_clone().unwrap()).unwrap();
        let decisions = Decisions::new(mesh.clone(), Clock::system());
        let local = HashMap::from([("organization", router(&self.seen))]);
        let serve = serve_mesh(listener, self.tls.clone(), mesh, decisions, local, stop.clone());
        self.running = Some((stop, tokio::spawn(serve)));
    }

    /// Stops and waits until everything has drained.
    pub(super) async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.cancel();
        task.await.unwrap();
    }
}

/// The caller's mesh, which finds `organization` at `address`.
pub(super) fn caller(tls: &MeshTls, address: SocketAddr) -> Mesh {
    let mesh = Mesh::new(&["organization"]);
    mesh.seal(Wiring {
        handlers: HashMap::new(),
        places: HashMap::from([("organization", Place::Remote(Arc::new(remote(tls, address))))]),
    });
    mesh
}

pub(super) fn remote(tls: &MeshTls, address: SocketAddr) -> RemotePeer {
    RemotePeer::new("organization", &format!("https://{address}"), tls).unwrap()
}

pub(super) fn scope() -> Scope {
    DO.scope(TenantId::new(), Duration::from_secs(20))
}

/// A wire between caller and callee. Cutting it kills the connections that go over it; new ones work.
pub(super) struct Wire {
    pub(super) address: SocketAddr,
    cut: watch::Sender<()>,
}

impl Wire {
    pub(super) async fn to(callee: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            cut: watch::Sender::new(()),
        };
        let cut = wire.cut.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = cut.subscribe();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(callee).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        wire
    }

    pub(super) fn cut(&self) {
        self.cut.send_replace(());
    }
}

/// Waits for `condition`, at most ten seconds.
pub(super) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition().await {
        assert!(Instant::now() < end, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
