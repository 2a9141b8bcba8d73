#![doc = include_str!("../README.md")]

mod address;
mod api;
mod docs;
mod edge;
mod error;
mod model;
mod routing;
mod store;

pub use edge::edge;
pub use model::{Origin, Predicates, Route, RouteSpec, Target, ValueMatch};

use aide::axum::ApiRouter;
use axum::extract::FromRef;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use stoa_kernel::migrate::SeedStatement;
use stoa_kernel::openapi::stable_id;
use stoa_kernel::service::{Catalogue, Running};
use stoa_kernel::{Service, ServiceContext};
use uuid::Uuid;

/// The service's name.
pub const SERVICE: &str = "gateway";

stoa_kernel::permissions! {
    /// List the routes of the tenant.
    ReadRoutes = "routes:read";
    /// Add, change, remove and roll back the routes of the tenant.
    WriteRoutes = "routes:write";
}

const SYSTEM_SCOPES: &[&str] = &[
    routing::REPLICATE.name(),
    edge::LOAD_KEYS.name(),
    edge::DESCRIBE.name(),
];

/// The service.
#[must_use]
pub fn service() -> Service {
    Service {
        name: SERVICE,
        migrations: stoa_kernel::migrations!["0001_init"],
        permissions: PERMISSIONS,
        resources: &[],
        system_scopes: SYSTEM_SCOPES,
        paths: &[
            "/",
            "/api/admin/routes",
            "/openapi.json",
            "/v3/api-docs",
            "/docs",
            "/swagger-ui.html",
            "/problems",
        ],
        openapi: || stoa_kernel::openapi::describe(endpoints()),
        seed: Some(seed),
        start,
    }
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Shared {
    management: api::State,
    documents: docs::Documents,
}

impl FromRef<Shared> for api::State {
    fn from_ref(shared: &Shared) -> Self {
        shared.management.clone()
    }
}

impl FromRef<Shared> for docs::Documents {
    fn from_ref(shared: &Shared) -> Self {
        shared.documents.clone()
    }
}

fn endpoints() -> ApiRouter<Shared> {
    api::routes().merge(docs::routes())
}

fn start(context: ServiceContext) -> BoxFuture<'static, anyhow::Result<Running>> {
    Box::pin(async move {
        let shared = Shared {
            management: api::State::new(&context),
            documents: docs::Documents::new(&context.openapi),
        };
        Ok(Running::new(endpoints(), shared))
    })
}

/// One platform route per path prefix that a service asks for.
fn seed(catalogue: &Catalogue) -> Vec<SeedStatement> {
    let prefixes: BTreeSet<(&str, &str)> = catalogue.paths.iter().copied().collect();
    let mut ids: Vec<Uuid> = Vec::new();
    let mut statements = Vec::new();
    for (prefix, service) in prefixes {
        let id = stable_id(&format!("route {prefix}"));
        ids.push(id);
        // Every path lies below "/", so that prefix stands for itself alone.
        let paths = match prefix {
            "/" => vec!["/".to_owned()],
            prefix => vec![prefix.to_owned(), format!("{prefix}/**")],
        };
        let predicates = Predicates {
            paths,
            ..Predicates::default()
        };
        let target = Target::Service(service.to_owned());
        statements.push(store::seed(
            id,
            format!("{service} {prefix}"),
            &predicates,
            &target,
        ));
    }
    statements.insert(0, store::unseed(ids));
    statements
}
