//! What the edge knows of a request, handed to the service that answers it.

use crate::decisions::{Caller, Decisions};
use crate::problem::Problem;
use crate::scope::{Actor, Scope};
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};
use stoa_types::{TenantId, UserId};
use tokio::time::Instant;
use uuid::Uuid;

/// The caller, as the edge has verified it. Roles and scopes are not here: they are read from the policy at every
/// decision, because a token's claims are hints for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The caller's tenant.
    pub tenant: TenantId,
    /// The caller.
    pub user: UserId,
}

/// One request's context. The gateway makes it from a verified token, the mesh's server from a verified internal
/// scope; an architecture test refuses other makers.
#[derive(Clone)]
pub struct RequestContext {
    inner: Arc<Inner>,
}

struct Inner {
    identity: Option<Identity>,
    decisions: Decisions,
    deadline: Instant,
    correlation: Uuid,
    trace_id: Arc<str>,
    traceparent: Option<Arc<str>>,
    caller: OnceLock<Caller>,
}

impl RequestContext {
    /// The context of a request whose credentials were verified, or which has none (`identity` is `None`).
    #[must_use]
    pub fn new(
        identity: Option<Identity>,
        decisions: Decisions,
        deadline: Instant,
        correlation: Uuid,
        trace_id: Arc<str>,
        traceparent: Option<Arc<str>>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                identity,
                decisions,
                deadline,
                correlation,
                trace_id,
                traceparent,
                caller: OnceLock::new(),
            }),
        }
    }

    /// The verified caller.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.inner.identity
    }

    /// The caller's policy and grants, looked up once a request.
    ///
    /// # Errors
    /// 401 for an anonymous request; 503 when the policies cannot be had.
    pub async fn caller(&self) -> Result<Caller, Problem> {
        if let Some(caller) = self.inner.caller.get() {
            return Ok(caller.clone());
        }
        let identity = self
            .identity()
            .ok_or_else(|| Problem::unauthenticated("send an access token as Bearer"))?;
        let caller = self.inner.decisions.caller(identity).await?;
        Ok(self.inner.caller.get_or_init(|| caller).clone())
    }

    /// Hands on what the edge has looked up already.
    pub fn know_caller(&self, caller: Caller) {
        self.inner.caller.get_or_init(|| caller);
    }

    /// The process's view of the policies.
    #[must_use]
    pub fn decisions(&self) -> &Decisions {
        &self.inner.decisions
    }

    /// When the answer must be there.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.inner.deadline
    }

    /// The id that joins everything this request leads to.
    #[must_use]
    pub fn correlation(&self) -> Uuid {
        self.inner.correlation
    }

    /// The trace id, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.inner.trace_id
    }

    /// The W3C `traceparent` to hand on.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.inner.traceparent.as_deref()
    }

    /// The request's scope; `None` for an anonymous request.
    #[must_use]
    pub(crate) fn scope(&self) -> Option<Scope> {
        let identity = self.inner.identity?;
        Some(Scope::new(
            identity.tenant,
            Actor::User(identity.user),
            self.inner.deadline,
            self.inner.correlation,
            self.inner.traceparent.clone(),
        ))
    }

    /// Finds the context in a request's extensions.
    ///
    /// # Errors
    /// A 500: the route was mounted outside the gateway and the mesh.
    pub fn of(parts: &Parts) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            Problem::internal(&std::io::Error::other(
                "a route was mounted without the gateway's context",
            ))
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

impl aide::OperationInput for RequestContext {}
