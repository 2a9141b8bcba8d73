//! [`Scope`]: on whose behalf, in which tenant and until when a unit of work runs.

use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use stoa_types::{TenantId, UserId};
use tokio::time::Instant;
use uuid::Uuid;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "id")]
pub enum Actor {
    /// A signed-in user.
    User(UserId),
    /// Stoa itself, by the name of the system scope.
    System(String),
}

impl Actor {
    /// The user, when a person acts.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::System(_) => None,
        }
    }
}

/// A user's id, or a system scope's name: what `created_by` and `updated_by` hold.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::System(name) => f.write_str(name),
        }
    }
}

/// On whose behalf a transaction works, for the columns and envelopes that record it.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who acts.
    pub actor: Actor,
    /// What joins everything that one outside request led to.
    pub correlation: Uuid,
    /// The event that this work answers.
    pub causation: Option<Uuid>,
    /// The W3C trace context.
    pub traceparent: Option<Arc<str>>,
}

/// The name under which Stoa acts on its own behalf, such as `identity.login`.
///
/// A service lists the names that it mints in [`Service::system_scopes`](crate::Service); the part before the dot
/// is the service, and a callee refuses a name whose service is not the mTLS peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SystemScope(&'static str);

impl SystemScope {
    /// Names a system scope. Use it in a constant that says why the scope exists.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// The name, for logs and for the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// A scope in `tenant` with `budget` from now. `TenantId(Uuid::nil())` is no tenant: row-level security shows
    /// it nothing.
    #[must_use]
    pub fn scope(self, tenant: TenantId, budget: Duration) -> Scope {
        Scope {
            tenant,
            actor: Actor::System(self.0.to_owned()),
            deadline: Instant::now() + budget,
            correlation: stoa_types::new_id(),
            causation: None,
            traceparent: None,
        }
    }

    /// A scope without a tenant, for calls and tables that no tenant owns.
    #[must_use]
    pub fn global(self, budget: Duration) -> Scope {
        self.scope(TenantId(Uuid::nil()), budget)
    }
}

/// The envelope of an event, from which its handler's scope is made.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The tenant that the event belongs to.
    pub tenant: TenantId,
    /// The consumer that handles it, as `service.consumer`.
    pub handler: &'static str,
    /// The event's id, which becomes the causation of what the handler does.
    pub event: Uuid,
    /// The correlation that the event carries on.
    pub correlation: Uuid,
    /// The W3C trace context that the event carries on.
    pub traceparent: Option<String>,
}

/// The envelope of a job, from which the scope of its steps is made.
#[derive(Debug, Clone)]
pub struct JobEnvelope {
    /// The tenant that the job belongs to.
    pub tenant: TenantId,
    /// The kind of job, as `service.what`.
    pub handler: &'static str,
    /// Who queued it.
    pub actor: Actor,
    /// The event in answer to which it was queued.
    pub causation: Option<Uuid>,
    /// The correlation that the job carries on.
    pub correlation: Uuid,
    /// The W3C trace context that the job carries on.
    pub traceparent: Option<String>,
}

/// A unit of work's authority: tenant, actor, deadline and what it follows from.
///
/// Neither `Clone` nor constructible outside the kernel's few doors (see the crate's documentation).
#[derive(Debug)]
pub struct Scope {
    tenant: TenantId,
    actor: Actor,
    deadline: Instant,
    correlation: Uuid,
    causation: Option<Uuid>,
    traceparent: Option<Arc<str>>,
}

impl Scope {
    /// The scope of an authenticated request. Only [`crate::request`] and the mesh's server make one.
    pub(crate) fn new(
        tenant: TenantId,
        actor: Actor,
        deadline: Instant,
        correlation: Uuid,
        traceparent: Option<Arc<str>>,
    ) -> Self {
        Self {
            tenant,
            actor,
            deadline,
            correlation,
            causation: None,
            traceparent,
        }
    }

    /// The same scope as the effect of an event. Only the mesh's server says so.
    pub(crate) fn caused_by(mut self, event: Option<Uuid>) -> Self {
        self.causation = event;
        self
    }

    /// The same authority for a callee, with the call's own deadline. Only the mesh makes one.
    pub(crate) fn for_callee(&self, deadline: Instant) -> Self {
        Self {
            tenant: self.tenant,
            actor: self.actor.clone(),
            deadline,
            correlation: self.correlation,
            causation: self.causation,
            traceparent: self.traceparent.clone(),
        }
    }

    /// The scope in which the handler of an event works.
    #[must_use]
    pub fn from_envelope(envelope: &Envelope, budget: Duration) -> Self {
        Self {
            tenant: envelope.tenant,
            actor: Actor::System(envelope.handler.to_owned()),
            deadline: Instant::now() + budget,
            correlation: envelope.correlation,
            causation: Some(envelope.event),
            traceparent: envelope.traceparent.as_deref().map(Arc::from),
        }
    }

    /// The scope in which a step of a job works: on behalf of who queued it. A system scope of another service, the
    /// platform's among them, is not handed on through a table; such a job works under its own name.
    #[must_use]
    pub fn from_job(envelope: &JobEnvelope, budget: Duration) -> Self {
        let service = |name: &str| name.split_once('.').map(|(service, _)| service.to_owned());
        let actor = match &envelope.actor {
            Actor::System(name) if service(name) != service(envelope.handler) => {
                Actor::System(envelope.handler.to_owned())
            }
            actor => actor.clone(),
        };
        Self {
            tenant: envelope.tenant,
            actor,
            deadline: Instant::now() + budget,
            correlation: envelope.correlation,
            causation: envelope.causation,
            traceparent: envelope.traceparent.as_deref().map(Arc::from),
        }
    }

    /// On whose behalf, as records and envelopes keep it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            actor: self.actor.clone(),
            correlation: self.correlation,
            causation: self.causation,
            traceparent: self.traceparent.clone(),
        }
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The acting user; `None` when Stoa acts by itself.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.actor.user()
    }

    /// Refuses everybody but the platform itself (`platform.…`), whose scopes no mesh peer can claim: for calls that make
    /// tenants, users and rights, so that neither a user nor a service that was taken over can make them.
    ///
    /// # Errors
    /// 403.
    pub fn require_platform(&self) -> Result<(), Problem> {
        match &self.actor {
            Actor::System(name) if name.starts_with("platform.") => Ok(()),
            _ => Err(Problem::forbidden(
                "this call is the platform's own, made within its process only",
            )),
        }
    }

    /// When the work must be done; every wait inside is bounded by it.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The id that joins everything that one outside request led to.
    #[must_use]
    pub fn correlation(&self) -> Uuid {
        self.correlation
    }

    /// The event that this work answers, when it answers one.
    #[must_use]
    pub fn causation(&self) -> Option<Uuid> {
        self.causation
    }

    /// The W3C `traceparent` to hand on.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: SC-01
    #[test]
    fn only_the_platform_is_the_platform() {
        let tenant = TenantId::new();
        let scope = |actor| Scope::new(tenant, actor, Instant::now(), Uuid::nil(), None);
        let system = |name: &str| scope(Actor::System(name.to_owned())).require_platform();
        assert!(system("platform.demo").is_ok());
        for name in [
            "platform",
            "kernel.decisions",
            "customer.branches",
            "platformer.x",
        ] {
            assert_eq!(system(name).map_err(|p| p.status), Err(403), "{name}");
        }
        assert!(scope(Actor::User(UserId::new())).require_platform().is_err());
    }

    // covers: EV-11, SC-01
    #[test]
    fn a_job_acts_for_who_queued_it_but_never_as_another_service() {
        let user = Actor::User(UserId::new());
        let system = |name: &str| Actor::System(name.to_owned());
        for (queued_by, acts) in [
            (user.clone(), user),
            (system("customer.branches"), system("customer.branches")),
            (system("platform.demo"), system("customer.import")),
            (system("identity.login"), system("customer.import")),
            (system("customer"), system("customer.import")),
        ] {
            let envelope = JobEnvelope {
                tenant: TenantId::new(),
                handler: "customer.import",
                actor: queued_by,
                causation: None,
                correlation: Uuid::nil(),
                traceparent: None,
            };
            let scope = Scope::from_job(&envelope, Duration::from_secs(1));
            assert_eq!((scope.tenant(), scope.actor()), (envelope.tenant, &acts));
        }
    }
}
