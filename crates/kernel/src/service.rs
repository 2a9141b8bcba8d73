//! A service as a value: what it is called, owns and answers. The same value is mounted in any topology.

use crate::clock::Clock;
use crate::db::Pools;
use crate::decisions::Decisions;
use crate::mesh::{Calls, Mesh};
use crate::migrate::{Migration, SeedStatement};
use aide::axum::ApiRouter;
use aide::openapi::OpenApi;
use axum::Router;
use futures::future::BoxFuture;
use std::future::Future;
use stoa_policy::{EndpointRule, Schema, Schemas};
use tokio_util::sync::CancellationToken;

/// A service of the platform.
pub struct Service {
    /// Its name: also its schema, its roles' middle part and its key in the configuration.
    pub name: &'static str,
    /// Its schema, step by step.
    pub migrations: &'static [Migration],
    /// Its permissions with their descriptions, for the access service's catalogue.
    pub permissions: &'static [(&'static str, &'static str)],
    /// The resources that its permissions name, with what conditions and data scopes of grants may ask of their rows.
    pub resources: &'static [Resource],
    /// The names under which it acts on its own behalf; the mesh mints no others for it.
    pub system_scopes: &'static [&'static str],
    /// Path prefixes that the gateway routes to it.
    pub paths: &'static [&'static str],
    /// Its OpenAPI part, from which its endpoint rules follow.
    pub openapi: fn() -> OpenApi,
    /// Statements to run after the migrations, given what all services declare.
    pub seed: Option<fn(&Catalogue) -> Vec<SeedStatement>>,
    /// Starts it.
    pub start: fn(ServiceContext) -> BoxFuture<'static, anyhow::Result<Running>>,
}

/// A resource that permissions name: `customers` in `customers:read`.
#[derive(Clone, Copy)]
pub struct Resource {
    /// Its name.
    pub name: &'static str,
    /// The attributes of its rows, with their columns: the schema that the service's own queries filter by.
    pub schema: fn() -> Schema,
}

/// What all services of the platform declare, for seeding and for checking policies.
pub struct Catalogue {
    /// Every permission with its service and description.
    pub permissions: Vec<(&'static str, &'static str, &'static str)>,
    /// The schema of every resource.
    pub resources: Schemas,
    /// Every endpoint's rule.
    pub endpoint_rules: Vec<EndpointRule>,
    /// Every path prefix with its service.
    pub paths: Vec<(&'static str, &'static str)>,
}

/// What a service gets to work with.
#[derive(Clone)]
pub struct ServiceContext {
    /// The service's own name.
    pub name: &'static str,
    /// Its database, as its two roles.
    pub db: Pools,
    /// The way to the other services.
    pub mesh: Mesh,
    /// The policies.
    pub decisions: Decisions,
    /// The time.
    pub clock: Clock,
    /// The platform's configuration.
    pub config: std::sync::Arc<crate::config::Config>,
    /// Cancelled when the process shuts down.
    pub stop: CancellationToken,
    /// What all services declare: permissions, rules, paths.
    pub catalogue: std::sync::Arc<Catalogue>,
    /// The merged OpenAPI document of the platform, as JSON.
    pub openapi: std::sync::Arc<serde_json::Value>,
}

/// A started service.
pub struct Running {
    /// Its HTTP routes.
    pub router: Router,
    /// The calls that it answers.
    pub calls: Calls,
    /// What runs beside the requests: consumers, pollers.
    pub tasks: Vec<Task>,
}

impl Running {
    /// A service with HTTP routes only. `routes` are the same that [`Service::openapi`] describes.
    #[must_use]
    pub fn new<S: Clone + Send + Sync + 'static>(routes: ApiRouter<S>, state: S) -> Self {
        let router = routes.finish_api(&mut OpenApi::default()).with_state(state);
        Self {
            router,
            calls: Calls::new(),
            tasks: Vec::new(),
        }
    }

    /// Adds the calls that it answers.
    #[must_use]
    pub fn with_calls(mut self, calls: Calls) -> Self {
        self.calls = calls;
        self
    }

    /// Adds a task.
    #[must_use]
    pub fn with_task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }
}

/// Work beside the requests. It is started once its process is wired, and restarted with backoff if it ends in error.
pub struct Task {
    /// `service.what`, for logs and metrics.
    pub name: String,
    /// Makes a run; it ends when the token is cancelled.
    pub run: Box<dyn Fn(CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>,
}

impl Task {
    /// Names a task and how to run it.
    pub fn new<F, Fut>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(CancellationToken) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self {
            name: name.into(),
            run: Box::new(move |stop| Box::pin(run(stop))),
        }
    }
}
