//! Calls between services: the same call runs in this process when the callee is here, else over mutual TLS.
//!
//! Local calls get what remote ones get: a deadline, a bulkhead, a breaker and metrics. In builds with debug
//! assertions a local call is serialised and read back, so that topology cannot change behaviour.

pub mod certificates;
mod credential;
mod guard;
mod handler;
mod remote;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use handler::{Calls, Handler};
pub use remote::RemotePeer;
pub use server::serve_mesh;
pub use tls::MeshTls;

use crate::problem::Problem;
use crate::scope::Scope;
use axum::Router;
use axum::body::Body;
use futures::future::BoxFuture;
use guard::Guard;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use stoa_telemetry::step;
use tokio::time::Instant;
use tracing::Instrument;

/// A call that a service answers: its own type is the request, [`Call::Reply`] the answer.
///
/// When a connection dies before the reply, the call is sent once more: a handler must bear a call that arrives twice.
pub trait Call: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The service that answers.
    const SERVICE: &'static str;
    /// `service.verb_noun`, unique, and the path below `/rpc/`.
    const NAME: &'static str;
    /// The longest that the caller waits, below its own deadline.
    const BUDGET: Duration = Duration::from_secs(3);
    /// The answer.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
}

/// Why a call brought no reply.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The callee refused; the problem is the callee's own.
    #[error("refused: {0}")]
    Refused(Box<Problem>),
    /// The callee cannot be reached, or does not keep up.
    #[error("{service} is unavailable: {why}")]
    Unavailable {
        /// The callee.
        service: &'static str,
        /// What was tried and what happened.
        why: String,
    },
    /// No reply before the deadline.
    #[error("{service} did not answer in time")]
    Timeout {
        /// The callee.
        service: &'static str,
    },
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(problem) => *problem,
            CallError::Unavailable { service, why } => {
                tracing::warn!(callee = service, cause = %why, "call failed");
                Self::unavailable(format!(
                    "the {service} service is not reachable; try again shortly"
                ))
            }
            CallError::Timeout { service } => {
                Self::timeout(format!("the {service} service did not answer in time; try again"))
            }
        }
    }
}

/// A connection to the processes that run a service elsewhere.
pub trait Remote: Send + Sync + 'static {
    /// Calls `/rpc/{name}` with a serialised body.
    fn call<'a>(
        &'a self,
        scope: &'a Scope,
        service: &'static str,
        name: &'static str,
        body: Vec<u8>,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<u8>, CallError>>;

    /// Forwards an edge request, whose [`crate::request::RequestContext`] is in its extensions.
    fn forward<'a>(
        &'a self,
        service: &'a str,
        request: Request<Body>,
    ) -> BoxFuture<'a, Result<Response<Body>, Problem>>;
}

/// Where a service is.
#[derive(Clone)]
pub enum Place {
    /// In this process: its HTTP routes.
    Local(Router),
    /// In another process.
    Remote(Arc<dyn Remote>),
}

/// The way to every service. Cheap to clone.
#[derive(Clone)]
pub struct Mesh {
    inner: Arc<Inner>,
}

struct Inner {
    /// Filled once by [`Mesh::seal`], after all services of the process have started.
    wiring: OnceLock<Wiring>,
    guards: HashMap<&'static str, Guard>,
}

/// What [`Mesh::seal`] installs.
pub struct Wiring {
    /// The handlers of the services in this process, by call name.
    pub handlers: HashMap<&'static str, Arc<dyn Handler>>,
    /// Every service of the platform.
    pub places: HashMap<&'static str, Place>,
}

impl Mesh {
    /// A mesh towards `services`, without wiring yet: calls before [`Mesh::seal`] are unavailable.
    #[must_use]
    pub fn new(services: &[&'static str]) -> Self {
        let guards = services.iter().map(|name| (*name, Guard::new(name))).collect();
        Self {
            inner: Arc::new(Inner {
                wiring: OnceLock::new(),
                guards,
            }),
        }
    }

    /// Installs handlers and places; a second call is ignored.
    pub fn seal(&self, wiring: Wiring) {
        if self.inner.wiring.set(wiring).is_err() {
            tracing::error!("the mesh was wired twice; the first wiring stays");
        }
    }

    /// Calls a service. The scope is borrowed for the call, so it cannot happen inside a transaction:
    ///
    /// ```compile_fail
    /// # use stoa_kernel::{Database, Mesh, Scope, decisions::LoadPlatformRules};
    /// async fn both(db: Database, mesh: Mesh, mut scope: Scope) {
    ///     let tx = db.begin(&mut scope);
    ///     mesh.call(&mut scope, LoadPlatformRules {}).await.ok();
    ///     tx.rollback().await;
    /// }
    /// ```
    ///
    /// # Errors
    /// [`CallError`]: the callee's refusal, or that it cannot be reached in time.
    pub async fn call<C: Call>(&self, scope: &mut Scope, call: C) -> Result<C::Reply, CallError> {
        let unknown = |why: &str| CallError::Unavailable {
            service: C::SERVICE,
            why: why.to_owned(),
        };
        let wiring = self
            .inner
            .wiring
            .get()
            .ok_or_else(|| unknown("this process is still starting"))?;
        let guard = self
            .inner
            .guards
            .get(C::SERVICE)
            .ok_or_else(|| unknown("no such service"))?;
        let deadline = scope.deadline().min(Instant::now() + C::BUDGET);
        let span = step!("mesh.call", otel.kind = "client", call = C::NAME);
        guard
            .run(C::NAME, deadline, async {
                if let Some(handler) = wiring.handlers.get(C::NAME) {
                    return handler::call_local(handler.as_ref(), scope, deadline, call).await;
                }
                match wiring.places.get(C::SERVICE) {
                    Some(Place::Remote(remote)) => {
                        let body = handler::encode(&call)?;
                        let reply = remote.call(scope, C::SERVICE, C::NAME, body, deadline).await?;
                        handler::decode::<C>(&reply)
                    }
                    Some(Place::Local(_)) => Err(unknown("it does not answer this call")),
                    None => Err(unknown("no address is configured for it; see [mesh.peers]")),
                }
            })
            .instrument(span)
            .await
    }

    /// Where a service is, for the gateway; `None` before the mesh is sealed or for an unknown name.
    #[must_use]
    pub fn place(&self, service: &str) -> Option<&Place> {
        self.inner.wiring.get()?.places.get(service)
    }

    /// The handler of a call in this process, for the mesh's server.
    #[must_use]
    pub fn handler(&self, name: &str) -> Option<Arc<dyn Handler>> {
        self.inner.wiring.get()?.handlers.get(name).cloned()
    }
}
